//! A thin rail with a round handle; the keyboard moves it by steps that the caller chooses.

use eframe::egui::{
    self, CursorIcon, EventFilter, Key, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo,
    accesskit, pos2, vec2,
};

use crate::ui::tokens;

use super::held_at;

const HEIGHT: f32 = 20.0;
const RADIUS: f32 = 6.5;

/// What a person did with a slider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slid {
    /// The handle was put here, in [0, 1].
    To(f64),
    /// So many steps to the right (or left, if negative).
    Steps(i32),
}

/// Shows a slider of the available width. `position` is in [0, 1]; `spoken` is the value in words.
pub fn slider(
    ui: &mut Ui,
    name: &str,
    spoken: &str,
    position: f64,
    arrows_taken: &mut bool,
) -> (Response, Option<Slid>) {
    let (rect, mut response) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::click_and_drag());
    let (from, to) = (rect.left() + RADIUS, rect.right() - RADIUS);
    let mut slid = None;
    if let Some(pointer) = held_at(&response) {
        let share = f64::from((pointer.x - from) / (to - from).max(1.0));
        slid = Some(Slid::To(share.clamp(0.0, 1.0)));
    }
    if let Some(steps) = steps(ui, &response, arrows_taken) {
        slid = Some(Slid::Steps(steps));
    }
    if slid.is_some() {
        response.mark_changed();
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Slider, ui.is_enabled(), name);
        info.current_text_value = Some(spoken.to_owned());
        info
    });
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.add_action(accesskit::Action::Increment);
        node.add_action(accesskit::Action::Decrement);
    });
    paint(ui, &response, (from, to), rect.center().y, position);
    (response.on_hover_cursor(CursorIcon::PointingHand), slid)
}

fn steps(ui: &Ui, response: &Response, arrows_taken: &mut bool) -> Option<i32> {
    let (asked, keys) = ui.input(|i| {
        let asked = i.num_accesskit_action_requests(response.id, accesskit::Action::Increment)
            as i32
            - i.num_accesskit_action_requests(response.id, accesskit::Action::Decrement) as i32;
        let presses = |key| i.num_presses(key) as i32;
        (
            asked,
            presses(Key::ArrowRight) + presses(Key::ArrowUp)
                - presses(Key::ArrowLeft)
                - presses(Key::ArrowDown),
        )
    });
    let mut steps = asked;
    if response.has_focus() {
        *arrows_taken = true;
        let filter = EventFilter {
            horizontal_arrows: true,
            vertical_arrows: true,
            ..EventFilter::default()
        };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        steps += keys;
    }
    (steps != 0).then_some(steps)
}

fn paint(ui: &Ui, response: &Response, (from, to): (f32, f32), y: f32, position: f64) {
    let palette = tokens::palette(ui);
    let painter = ui.painter();
    let x = egui::lerp(from..=to, position.clamp(0.0, 1.0) as f32);
    let rail = |a: f32, b: f32| Rect::from_min_max(pos2(a, y - 2.0), pos2(b, y + 2.0));
    let (full, handle) = if ui.is_enabled() {
        (palette.learned, palette.state)
    } else {
        (palette.control_outline, palette.text_faint)
    };
    painter.rect_filled(
        rail(from - RADIUS + 2.0, to + RADIUS - 2.0),
        2.0,
        palette.control_active,
    );
    painter.rect_filled(rail(from - RADIUS + 2.0, x), 2.0, full);
    let lively = response.hovered() || response.dragged();
    let radius = if lively { RADIUS } else { RADIUS - 1.0 };
    painter.circle(pos2(x, y), radius, handle, Stroke::new(2.0, palette.panel));
    if response.has_focus() {
        painter.circle_stroke(pos2(x, y), RADIUS + 2.5, Stroke::new(1.5, palette.focus));
    }
}

/// Where a value lies on a logarithmic scale, and back.
#[derive(Clone, Copy, Debug)]
pub struct LogScale {
    low: f64,
    high: f64,
}

impl LogScale {
    /// From `low` to `high`, both above 0.
    pub fn new(low: f64, high: f64) -> Self {
        Self {
            low: low.ln(),
            high: high.max(low * 1.0001).ln(),
        }
    }

    /// In [0, 1].
    pub fn position(self, value: f64) -> f64 {
        ((value.ln() - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The value at a position in [0, 1].
    pub fn value(self, position: f64) -> f64 {
        (self.low + position * (self.high - self.low)).exp()
    }
}
