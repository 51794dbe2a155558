//! `x_t`: a handle to drag, or to move with the arrow keys when it has the focus.

use eframe::egui::{
    Align2, CursorIcon, EventFilter, FontId, Id, Key, Rect, Role, Sense, Stroke, Ui, Vec2,
    WidgetInfo, vec2,
};

use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::grab;
use super::ground::outlined_text;
use super::projection::Projection;

/// Points of the screen for one press of an arrow key, and with Shift.
const NUDGE: f64 = 4.0;
const NUDGE_FAR: f64 = 24.0;

/// The handle's id on a canvas, for the focus.
pub fn id(canvas: usize) -> Id {
    Id::unique(("x_t handle", canvas))
}

/// Shows `x_t` and moves it. `canvas` tells canvases that are shown at once apart.
pub fn show(ui: &mut Ui, state: &mut State, projection: &Projection, canvas: usize) {
    let id = id(canvas);
    let x = state.x_t();
    let place = projection.to_screen(x);
    let hit = Rect::from_center_size(place, Vec2::splat(2.0 * size::GRAB));
    let response = ui
        .interact(hit, id, Sense::click_and_drag())
        .on_hover_and_drag_cursor(if ui.ctx().is_being_dragged(id) {
            CursorIcon::Grabbing
        } else {
            CursorIcon::Grab
        });
    if response.drag_started() {
        state.playing = false;
    }
    if let Some(to) = grab::target(ui, &response, place) {
        state.dragging = true;
        state.place_state(projection.to_world(to));
    }
    if response.has_focus() {
        nudge(ui, state, projection, response.id);
        state.space_free = true;
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Slider, true, "State x_t");
        info.current_text_value = Some(format::point(state.x_t()));
        info
    });

    let palette = tokens::palette(ui);
    let painter = ui.painter_at(projection.rect);
    let place = projection.to_screen(state.x_t());
    let lively = response.hovered() || response.dragged() || response.has_focus();
    let radius = size::STATE_RADIUS + if lively { 1.5 } else { 0.0 };
    painter.circle_stroke(place, radius, Stroke::new(5.0, palette.halo));
    painter.circle_stroke(place, radius, Stroke::new(2.2, palette.state));
    painter.circle(
        place,
        size::STATE_DOT,
        palette.state,
        Stroke::new(1.5, palette.halo),
    );
    if response.has_focus() {
        painter.circle_stroke(place, radius + 5.0, Stroke::new(1.5, palette.focus));
    }
    outlined_text(
        &painter,
        place - vec2(radius + 5.0, radius + 3.0),
        Align2::RIGHT_BOTTOM,
        "x_t",
        FontId::new(size::HEADING, tokens::strong_family()),
        palette.state,
        palette.halo,
    );
}

fn nudge(ui: &Ui, state: &mut State, projection: &Projection, id: Id) {
    state.arrows_taken = true;
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let (x, y, far) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f64;
        (
            presses(Key::ArrowRight) - presses(Key::ArrowLeft),
            presses(Key::ArrowUp) - presses(Key::ArrowDown),
            input.modifiers.shift,
        )
    });
    if x == 0.0 && y == 0.0 {
        return;
    }
    let step = projection.units_per_point * if far { NUDGE_FAR } else { NUDGE };
    let from = state.x_t();
    state.place_state([from[0] + x * step, from[1] + y * step]);
}
