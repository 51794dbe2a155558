//! Radio and check rows: the whole row acts, its key stands at the right.

use eframe::egui::{
    self, Align2, CornerRadius, CursorIcon, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind,
    Ui, WidgetInfo, pos2, vec2,
};

use crate::ui::tokens::{self, size};

const ROW: f32 = 23.0;
const ICON: f32 = 13.0;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Radio,
    Check,
}

/// One choice of several.
pub fn radio_row(ui: &mut Ui, selected: bool, enabled: bool, text: &str, keys: &str) -> Response {
    row(ui, Kind::Radio, selected, enabled, text, keys)
}

/// Something that is on or off.
pub fn check_row(ui: &mut Ui, on: &mut bool, text: &str, keys: &str) -> Response {
    let mut response = row(ui, Kind::Check, *on, true, text, keys);
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    response
}

fn row(ui: &mut Ui, kind: Kind, on: bool, enabled: bool, text: &str, keys: &str) -> Response {
    let desired = vec2(ui.available_width(), ROW);
    let (rect, response) = ui
        .add_enabled_ui(enabled, |ui| {
            ui.allocate_exact_size(desired, Sense::click())
        })
        .inner;
    let role = match kind {
        Kind::Radio => Role::RadioButton,
        Kind::Check => Role::CheckBox,
    };
    response.widget_info(|| WidgetInfo::selected(role, enabled, on, text));
    let palette = tokens::palette(ui);
    let painter = ui.painter();
    let lively = enabled && response.hovered();
    let color = match (enabled, on || lively) {
        (false, _) => tokens::faded(palette.text_faint, 0.7),
        (true, true) => palette.text_strong,
        (true, false) => palette.text,
    };
    let icon = Rect::from_center_size(
        pos2(rect.left() + ICON / 2.0 + 1.0, rect.center().y),
        egui::Vec2::splat(ICON),
    );
    let outline = if lively {
        palette.text_quiet
    } else {
        palette.text_faint
    };
    let outline = if enabled {
        outline
    } else {
        tokens::faded(outline, 0.5)
    };
    match kind {
        Kind::Radio if on => {
            painter.circle_filled(icon.center(), ICON / 2.0, palette.learned);
            painter.circle_filled(icon.center(), 2.4, palette.panel);
        }
        Kind::Radio => {
            painter.circle_stroke(icon.center(), ICON / 2.0 - 0.7, Stroke::new(1.4, outline));
        }
        Kind::Check if on => {
            painter.rect_filled(icon, CornerRadius::same(3), palette.learned);
            let at = |x: f32, y: f32| icon.min + vec2(x, y) * ICON;
            let tick = vec![at(0.25, 0.52), at(0.43, 0.70), at(0.76, 0.32)];
            painter.add(Shape::line(tick, Stroke::new(1.7, palette.panel)));
        }
        Kind::Check => {
            let stroke = Stroke::new(1.4, outline);
            painter.rect_stroke(icon, CornerRadius::same(3), stroke, StrokeKind::Inside);
        }
    }
    let start = pos2(icon.right() + 9.0, rect.center().y);
    painter.text(start, Align2::LEFT_CENTER, text, tokens::body_font(), color);
    if !keys.is_empty() {
        let end = rect.right_center();
        painter.text(
            end,
            Align2::RIGHT_CENTER,
            keys,
            tokens::tick_font(),
            palette.text_faint,
        );
    }
    if response.has_focus() {
        let around = rect.expand2(vec2(4.0, -0.5));
        let radius = CornerRadius::same(size::RADIUS);
        painter.rect_stroke(
            around,
            radius,
            Stroke::new(1.5, palette.focus),
            StrokeKind::Inside,
        );
    }
    if enabled {
        response.on_hover_cursor(CursorIcon::PointingHand)
    } else {
        response
    }
}
