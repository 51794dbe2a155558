//! Who says so: `learned · 7c1e0a`, `exact`.

use eframe::egui::{self, Color32, Response, Role, Sense, StrokeKind, Ui, WidgetInfo, vec2};

use crate::ui::tokens::{self, size, space};

/// A label with the colour of its origin.
pub struct Badge {
    /// What it says.
    pub text: String,
    /// Learned, exact or overlay.
    pub color: Color32,
    /// More, on hovering.
    pub hover: String,
}

/// What a badge takes of a row.
pub fn badge_width(ui: &Ui, badge: &Badge) -> f32 {
    let (text, font) = (badge.text.clone(), tokens::small_font());
    let galley = ui.painter().layout_no_wrap(text, font, badge.color);
    galley.size().x + 2.0 * space::BADGE
}

/// Shows a badge.
pub fn badge(ui: &mut Ui, badge: &Badge) -> Response {
    let galley = ui
        .painter()
        .layout_no_wrap(badge.text.clone(), tokens::small_font(), badge.color);
    let padding = vec2(space::BADGE, 3.0);
    let (rect, response) = ui.allocate_exact_size(galley.size() + 2.0 * padding, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &badge.text));
    let painter = ui.painter();
    painter.rect(
        rect,
        egui::CornerRadius::same(size::RADIUS),
        tokens::faded(badge.color, 0.12),
        egui::Stroke::new(1.0, tokens::faded(badge.color, 0.35)),
        StrokeKind::Inside,
    );
    painter.galley(rect.min + padding, galley, badge.color);
    response.on_hover_text(&badge.hover)
}
