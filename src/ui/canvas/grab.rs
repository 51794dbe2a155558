//! Dragging things on the canvas: they keep their place under the pointer, and slow frames lose nothing.

use eframe::egui::{Id, Pos2, Response, Ui, Vec2};

use crate::ui::state::State;
use crate::ui::steering::reward::handles;
use crate::ui::tokens::size;

use super::projection::Projection;
use super::{handle, modes};

/// Where a thing at `place` should go while it is dragged.
pub fn target(ui: &Ui, response: &Response, place: Pos2) -> Option<Pos2> {
    if response.drag_started() {
        let origin = ui.input(|i| i.pointer.press_origin()).unwrap_or(place);
        ui.data_mut(|d| d.insert_temp(response.id, place - origin));
    }
    // egui ends a drag in the frame of its release, which may hold the last move, too.
    if !(response.dragged() || response.drag_stopped()) {
        return None;
    }
    let offset: Vec2 = ui.data(|d| d.get_temp(response.id)).unwrap_or_default();
    Some(response.interact_pointer_pos()? + offset)
}

/// Hands a drag of the ground over to the handle that it began on. When a frame is slow the pointer
/// may have left the handle before the press is seen.
pub fn hand_over(
    ui: &Ui,
    ground: &Response,
    state: &State,
    projection: &Projection,
    canvas: usize,
) -> bool {
    if !ground.drag_started() {
        return false;
    }
    let Some(origin) = ui.input(|i| i.pointer.press_origin()) else {
        return false;
    };
    let near = |x| projection.to_screen(x).distance(origin) <= size::GRAB;
    let mut found: Option<Id> = if state.shows_samples() {
        handles::near(state, canvas, projection, origin)
    } else {
        near(state.x_t()).then(|| handle::id(canvas))
    };
    if found.is_none() && state.session.show.edit {
        let modes = state.world.mixture.modes();
        found = modes
            .iter()
            .take(modes::MOST_HANDLES)
            .position(|mode| near(mode.mean))
            .map(|mode| modes::id(canvas, mode));
    }
    if let Some(id) = found {
        ui.ctx().set_dragged_id(id);
    }
    found.is_some()
}
