//! Something is under way and says nothing of how far it is.

use eframe::egui::{Rect, Response, Role, Sense, Ui, WidgetInfo, vec2};

use crate::ui::tokens::{self, duration};

/// Dots of a round.
const DOTS: usize = 8;
/// Of a dot, in sizes of the whole.
const RADIUS: f32 = 0.09;
/// The faintest dot.
const FAINT: f32 = 0.15;

/// Dots that go round in steps, a few a second. egui's own spinner paints as often as it can: where a processor paints,
/// that took three times as much of it as the work that was waited for.
pub fn spinner(ui: &mut Ui, size: f32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(size, size), Sense::hover());
    response.widget_info(|| WidgetInfo::new(Role::ProgressIndicator));
    spinner_at(ui, rect);
    response
}

/// The same in a place.
pub fn spinner_at(ui: &Ui, rect: Rect) {
    if !ui.is_rect_visible(rect) {
        return;
    }
    let step = duration::SPIN.as_secs_f64();
    ui.ctx().request_repaint_after(duration::SPIN);
    let first = (ui.input(|i| i.time) / step) as usize % DOTS;
    let side = rect.width().min(rect.height());
    let ink = tokens::palette(ui).text_strong;
    for dot in 0..DOTS {
        let angle = std::f32::consts::TAU * dot as f32 / DOTS as f32;
        let center = rect.center() + (0.5 - RADIUS) * side * vec2(angle.sin(), -angle.cos());
        // The newest is the strongest.
        let age = (first + DOTS - dot) % DOTS;
        let strength = FAINT + (1.0 - FAINT) * (1.0 - age as f32 / DOTS as f32).powi(2);
        let color = tokens::faded(ink, strength);
        ui.painter().circle_filled(center, RADIUS * side, color);
    }
}
