//! The one hint. Once put away it does not come back.

use eframe::egui::{Align, Layout, Margin, Rect, Ui, UiBuilder, vec2};

use crate::ui::state::State;
use crate::ui::tokens;
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
    let builder = UiBuilder::new()
        .max_rect(area)
        .id_salt("hint")
        .layout(Layout::top_down(Align::Center));
    let mut ui = ui.new_child(builder);
    tokens::card(palette)
        .fill(palette.control)
        .inner_margin(Margin::symmetric(14, 8))
        .show(&mut ui, |ui| {
            ui.horizontal(|ui| {
                ui.set_max_width(width - 28.0);
                let room = width - 28.0 - 30.0;
                ui.allocate_ui(vec2(room, 0.0), |ui| {
                    ui.add(eframe::egui::Label::new(TEXT).wrap());
                });
                if close_button(ui, "Dismiss the hint") {
                    state.hint_dismissed = true;
                }
            });
        });
}
