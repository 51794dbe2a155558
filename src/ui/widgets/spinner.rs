//! Something is under way and says nothing of how far it is.

use std::time::Duration;

use eframe::egui::{Context, Id, Rect, Response, Role, Sense, Ui, WidgetInfo, vec2};

use crate::ui::tokens::{self, duration};

/// Dots of a round.
const DOTS: usize = 8;
/// Of a dot, in sizes of the whole.
const RADIUS: f32 = 0.09;
/// The faintest dot.
const FAINT: f32 = 0.15;

/// Lets what turns do so slowly from now on: a processor paints the window.
pub fn spin_slowly(ctx: &Context) {
    ctx.data_mut(|data| data.insert_temp(slowly(), true));
}

fn slowly() -> Id {
    Id::unique("what turns does so slowly")
}

/// Between two steps of what turns.
fn step(ctx: &Context) -> Duration {
    let is_slow: Option<bool> = ctx.data(|data| data.get_temp(slowly()));
    if is_slow == Some(true) {
        duration::SPIN_SLOWLY
    } else {
        duration::SPIN
    }
}

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
    let step = step(ui.ctx());
    ui.ctx().request_repaint_after(step);
    let first = (ui.input(|i| i.time) / step.as_secs_f64()) as usize % DOTS;
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

#[cfg(test)]
mod tests {
    use eframe::egui::{RawInput, ViewportId};

    use super::*;

    /// How soon the next frame is wanted after some in which nothing else happened.
    fn next_frame(ctx: &Context, turns: bool) -> Duration {
        let mut delay = Duration::ZERO;
        for _ in 0..4 {
            let output = ctx.run_ui(RawInput::default(), |ui| {
                if turns {
                    spinner(ui, 12.0);
                }
            });
            delay = output.viewport_output[&ViewportId::ROOT].repaint_delay;
        }
        delay
    }

    #[test]
    fn what_turns_wants_few_frames_of_a_processor_and_nothing_at_rest() {
        let ctx = Context::default();
        let soon = next_frame(&ctx, true);
        assert!(
            soon <= duration::SPIN && soon > duration::SPIN / 2,
            "{soon:?}"
        );
        spin_slowly(&ctx);
        let late = next_frame(&ctx, true);
        assert!(late > 2 * duration::SPIN, "{late:?}");
        assert_eq!(next_frame(&ctx, false), Duration::MAX);
    }
}
