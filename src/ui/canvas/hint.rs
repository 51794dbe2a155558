//! The one hint. Once put away it does not come back.

use eframe::egui::{
    Align, Align2, CornerRadius, Layout, Rect, Role, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    WidgetInfo, vec2,
};

use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::close_button;

use super::projection::Projection;

/// What a newcomer needs.
pub const TEXT: &str =
    "Drag the point. Drag the time bar. Each dot is a clean sample it could still become.";

/// Shows the hint at the top of the canvas.
pub fn show(ui: &mut Ui, state: &mut State, projection: &Projection) {
    if state.hint_dismissed || state.session.show.edit {
        return;
    }
    let palette = tokens::palette(ui);
    let text = ui
        .painter()
        .layout_no_wrap(TEXT.to_owned(), tokens::body_font(), palette.text);
    let wide = text.size().x + 64.0;
    let width = wide.min(projection.rect.width() - 24.0);
    let height = if width < wide { 58.0 } else { 38.0 };
    let area = Rect::from_center_size(
        projection.rect.center_top() + vec2(0.0, 14.0 + height / 2.0),
        vec2(width, height),
    );
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area).id_salt("hint"));
    ui.painter().rect(
        area,
        CornerRadius::same(size::RADIUS + 1),
        palette.control,
        Stroke::new(1.0, palette.control_outline),
        StrokeKind::Inside,
    );
    let inner = area.shrink2(vec2(14.0, 4.0));
    let (words, cross) = inner.split_left_right_at_x(inner.right() - 26.0);
    let galley = ui.painter().layout(
        TEXT.to_owned(),
        tokens::body_font(),
        palette.text,
        words.width(),
    );
    let place = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), words);
    let response = ui.allocate_rect(words, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, TEXT));
    ui.painter().galley(place.min, galley, palette.text);
    let button = UiBuilder::new()
        .max_rect(cross)
        .layout(Layout::right_to_left(Align::Center));
    if ui
        .scope_builder(button, |ui| close_button(ui, "Dismiss the hint"))
        .inner
    {
        state.hint_dismissed = true;
    }
}
