//! The handles of the reward on the canvas of every panel: one reward, so each moves it in all of them.

use eframe::egui::{
    Align2, CursorIcon, EventFilter, Id, Key, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui,
    Vec2, WidgetInfo, vec2,
};

use crate::mixture::Point;
use crate::reward::Reward;
use crate::ui::canvas::grab;
use crate::ui::canvas::ground::outlined_text;
use crate::ui::canvas::projection::Projection;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};

use super::places::{Does, Handle, handles, moved};

/// The id of a handle.
pub fn id(panel: usize, index: usize) -> Id {
    Id::unique(("reward handle", panel, index))
}

/// The handle of a panel that is near a place of the screen.
pub fn near(state: &State, panel: usize, projection: &Projection, place: Pos2) -> Option<Id> {
    let reward = &state.session.steering.reward;
    handles(reward.shape(), state.session.view.half_extent)
        .iter()
        .position(|h| projection.to_screen(h.place).distance(place) <= size::GRAB)
        .map(|index| id(panel, index))
}

/// Shows the handles of one panel, and gives the reward where it was moved. Only those of the first panel are in the
/// order of the keyboard: the others do the same.
pub fn show(
    ui: &mut Ui,
    state: &mut State,
    projection: &Projection,
    panel: usize,
) -> Option<Reward> {
    let half_extent = state.session.view.half_extent;
    let all = handles(state.session.steering.reward.shape(), half_extent);
    let mut reward = None;
    for (index, handle) in all.iter().enumerate() {
        if let Some(to) = one(ui, state, projection, (panel, index), handle) {
            reward = moved_reward(state, index, to).or(reward);
        }
    }
    reward
}

fn one(
    ui: &mut Ui,
    state: &mut State,
    projection: &Projection,
    (panel, index): (usize, usize),
    handle: &Handle,
) -> Option<Point> {
    let place = projection.to_screen(handle.place);
    if !projection.rect.expand(size::GRAB).contains(place) {
        return None;
    }
    let id = id(panel, index);
    let cursor = match handle.does {
        Does::Moves => CursorIcon::Move,
        Does::Turns => CursorIcon::Alias,
        Does::Widens => CursorIcon::ResizeHorizontal,
    };
    let sense = if panel == 0 {
        Sense::click_and_drag()
    } else {
        Sense::CLICK | Sense::DRAG
    };
    let hit = Rect::from_center_size(place, Vec2::splat(2.0 * size::GRAB - 6.0));
    let response = ui
        .interact(hit.intersect(projection.rect), id, sense)
        .on_hover_and_drag_cursor(cursor);
    let mut wanted = grab::target(ui, &response, place).map(|to| projection.to_world(to));
    state.dragging |= wanted.is_some();
    if response.has_focus() {
        wanted = keys(ui, state, projection, handle, id).or(wanted);
    }
    if panel == 0 {
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Slider, true, &handle.name);
            info.current_text_value = Some(format::point(handle.place));
            info
        });
    }
    let palette = tokens::palette(ui);
    let painter = ui.painter_at(projection.rect);
    let lively = response.hovered() || response.dragged() || response.has_focus();
    // At rest they are small: what is compared lies under them.
    let radius = if lively { 6.0 } else { 3.6 };
    let rim = Stroke::new(1.2, palette.halo);
    if handle.does == Does::Moves {
        painter.circle(place, radius + 1.0, palette.reward, rim);
    } else {
        let square = Rect::from_center_size(place, Vec2::splat(2.0 * radius - 1.0));
        painter.rect(square, 1.5, palette.reward, rim, StrokeKind::Outside);
    }
    if response.has_focus() {
        painter.circle_stroke(place, radius + 5.0, Stroke::new(1.5, palette.focus));
    }
    if lively {
        let above = place.y - projection.rect.top() > 40.0;
        let (offset, anchor) = if above {
            (-(radius + 6.0), Align2::CENTER_BOTTOM)
        } else {
            (radius + 6.0, Align2::CENTER_TOP)
        };
        let name = handle.name.as_str();
        outlined_text(
            &painter,
            place + vec2(0.0, offset),
            anchor,
            name,
            tokens::small_font(),
            palette.text_strong,
            palette.halo,
        );
    }
    wanted
}

/// `None` where the reward cannot go there.
fn moved_reward(state: &State, index: usize, to: Point) -> Option<Reward> {
    let reward = &state.session.steering.reward;
    let shape = moved(reward.shape(), index, to)?;
    Reward::new(shape, reward.lambda()).ok()
}

fn keys(
    ui: &Ui,
    state: &mut State,
    projection: &Projection,
    handle: &Handle,
    id: Id,
) -> Option<Point> {
    state.arrows_taken = true;
    state.space_free = true;
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let (x, y) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f64;
        let step = if input.modifiers.shift { 24.0 } else { 4.0 };
        (
            step * (presses(Key::ArrowRight) - presses(Key::ArrowLeft)),
            step * (presses(Key::ArrowUp) - presses(Key::ArrowDown)),
        )
    });
    let step = projection.units_per_point;
    let [from_x, from_y] = handle.place;
    (x != 0.0 || y != 0.0).then_some([from_x + x * step, from_y + y * step])
}
