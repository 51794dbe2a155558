//! Editing the world's modes on the canvas: drag, stretch, turn, weigh, add, delete.

use eframe::egui::{
    Align2, CursorIcon, EventFilter, Id, Key, Painter, Pos2, Rect, Role, Sense, Shape, Stroke, Ui,
    Vec2, WidgetInfo, vec2,
};

use crate::mixture::{Cov2, Mode, Point};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};

use super::grab;
use super::projection::Projection;

/// More modes than this have no handles: they would only cover each other.
pub const MOST_HANDLES: usize = 128;
/// Shortest and longest axis that dragging gives, world units.
const AXIS_RANGE: (f64, f64) = (0.02, 1e3);
/// Share of its weight that a mode gains for a notch of the wheel.
const WHEEL: f64 = 0.0015;
/// A pause of this length begins a new step of undo, for the wheel and the keys.
const PAUSE_SECS: f64 = 0.8;
/// Points around an ellipse.
const ELLIPSE: usize = 64;

/// Which end of a mode is dragged; the other axis keeps its length meanwhile.
#[derive(Clone, Copy)]
struct AxisDrag {
    fixed_sd: f64,
}

/// Handles of all modes, and of the selected one's axes. `canvas` tells canvases that are shown at once apart.
pub fn show(ui: &mut Ui, state: &mut State, projection: &Projection, canvas: usize) {
    let world = state.world.clone();
    let modes = world.mixture.modes();
    if modes.len() > MOST_HANDLES {
        return;
    }
    let palette = tokens::palette(ui);
    let painter = ui.painter_at(projection.rect);
    for (index, mode) in modes.iter().enumerate() {
        let selected = state.selected_mode == Some(index);
        outline(&painter, projection, mode, selected, palette);
    }
    for (index, mode) in modes.iter().enumerate() {
        center(ui, state, projection, (canvas, index), mode, modes.len());
    }
    if let Some((index, mode)) = state.selected_mode.and_then(|i| Some((i, *modes.get(i)?))) {
        axes(ui, state, projection, (canvas, index), &mode);
    }
}

fn outline(
    painter: &Painter,
    projection: &Projection,
    mode: &Mode,
    selected: bool,
    palette: &Palette,
) {
    let color = if selected {
        palette.text_strong
    } else {
        palette.text_quiet
    };
    for (sds, opacity) in [(1.0, 1.0), (2.0, 0.45)] {
        let points = ellipse(projection, mode, sds);
        let stroke = Stroke::new(
            if selected { 1.6 } else { 1.1 },
            tokens::faded(color, opacity),
        );
        painter.add(Shape::closed_line(points, stroke));
    }
}

fn ellipse(projection: &Projection, mode: &Mode, sds: f64) -> Vec<Pos2> {
    let (major, minor, angle) = mode.cov.axes();
    let (sin, cos) = angle.sin_cos();
    (0..ELLIPSE)
        .map(|k| {
            let phase = std::f64::consts::TAU * k as f64 / ELLIPSE as f64;
            let (a, b) = (sds * major * phase.cos(), sds * minor * phase.sin());
            projection.to_screen([
                mode.mean[0] + a * cos - b * sin,
                mode.mean[1] + a * sin + b * cos,
            ])
        })
        .collect()
}

/// The id of a mode's handle.
pub fn id(canvas: usize, index: usize) -> Id {
    Id::unique(("mode", canvas, index))
}

fn center(
    ui: &mut Ui,
    state: &mut State,
    projection: &Projection,
    (canvas, index): (usize, usize),
    mode: &Mode,
    count: usize,
) {
    let place = projection.to_screen(mode.mean);
    if !projection.rect.expand(size::GRAB).contains(place) {
        return;
    }
    let hit = Rect::from_center_size(place, Vec2::splat(2.0 * size::GRAB - 4.0));
    let id = id(canvas, index);
    let response = ui
        .interact(hit, id, Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::Move);
    if response.clicked() || response.drag_started() || response.gained_focus() {
        state.selected_mode = Some(index);
    }
    if response.drag_started() {
        state.remember_world();
    }
    if let Some(to) = grab::target(ui, &response, place) {
        state.dragging = true;
        move_to(state, index, projection.to_world(to));
    }
    if response.hovered() {
        wheel_weight(ui, state, index);
    }
    if response.has_focus() {
        keys(ui, state, projection, index, id);
    }
    response.widget_info(|| {
        let mut info =
            WidgetInfo::labeled(Role::Slider, true, format!("Mode {} of {count}", index + 1));
        info.current_text_value = Some(format!(
            "weight {}, at {}",
            format::percent(mode.weight),
            format::point(mode.mean)
        ));
        info
    });
    let palette = tokens::palette(ui);
    let painter = ui.painter_at(projection.rect);
    let selected = state.selected_mode == Some(index);
    let lively = response.hovered() || response.dragged();
    let fill = if selected {
        palette.text_strong
    } else {
        palette.control_active
    };
    let radius = size::HANDLE + if lively { 1.0 } else { 0.0 };
    painter.circle(place, radius, fill, Stroke::new(1.5, palette.text_strong));
    if response.has_focus() {
        painter.circle_stroke(place, radius + 4.0, Stroke::new(1.5, palette.focus));
    }
    if selected || lively {
        super::ground::outlined_text(
            &painter,
            place + vec2(0.0, radius + 6.0),
            Align2::CENTER_TOP,
            &format::percent(mode.weight),
            tokens::small_font(),
            palette.text_strong,
            palette.halo,
        );
    }
}

fn move_to(state: &mut State, index: usize, to: Point) {
    let edited = state.world.mixture.with_mode_moved(index, to);
    state.try_edit(edited);
}

/// Wheel over a mode: its weight.
fn wheel_weight(ui: &Ui, state: &mut State, index: usize) {
    let turned = ui.input(|i| f64::from(i.smooth_scroll_delta().y));
    if turned == 0.0 {
        return;
    }
    let Some(mode) = state.world.mixture.modes().get(index) else {
        return;
    };
    let weight = (mode.weight * (WHEEL * turned).exp()).clamp(1e-4, 1.0 - 1e-4);
    remember_gesture(ui, state);
    let edited = state.world.mixture.with_mode_weight(index, weight);
    state.try_edit(edited);
}

/// One step of undo for a run of small changes.
pub(super) fn remember_gesture(ui: &Ui, state: &mut State) {
    let id = Id::unique("last small edit");
    let now = ui.input(|i| i.time);
    let last: Option<f64> = ui.data(|d| d.get_temp(id));
    if last.is_none_or(|last| now - last > PAUSE_SECS) {
        state.remember_world();
    }
    ui.data_mut(|d| d.insert_temp(id, now));
}

fn keys(ui: &Ui, state: &mut State, projection: &Projection, index: usize, id: Id) {
    state.arrows_taken = true;
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let (right, down) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f32;
        let step = if input.modifiers.shift { 24.0 } else { 4.0 };
        (
            step * (presses(Key::ArrowRight) - presses(Key::ArrowLeft)),
            step * (presses(Key::ArrowDown) - presses(Key::ArrowUp)),
        )
    });
    if right != 0.0 || down != 0.0 {
        remember_gesture(ui, state);
        let step = projection.units_per_point;
        if let Some([x, y]) = state.world.mixture.modes().get(index).map(|m| m.mean) {
            move_to(
                state,
                index,
                [x + f64::from(right) * step, y - f64::from(down) * step],
            );
        }
    }
}

fn axes(
    ui: &mut Ui,
    state: &mut State,
    projection: &Projection,
    mode_of_canvas: (usize, usize),
    mode: &Mode,
) {
    let (major, minor, angle) = mode.cov.axes();
    let quarter = std::f64::consts::FRAC_PI_2;
    for (which, sd, other, direction) in
        [(0, major, minor, angle), (1, minor, major, angle + quarter)]
    {
        let end = [
            mode.mean[0] + sd * direction.cos(),
            mode.mean[1] + sd * direction.sin(),
        ];
        let place = projection.to_screen(end);
        // Close to the middle it would cover the mode's own handle.
        let middle = projection.to_screen(mode.mean);
        let away = (place - middle).normalized();
        let place = middle + away * (place - middle).length().max(2.0 * size::GRAB);
        axis(
            ui,
            state,
            projection,
            mode_of_canvas,
            (which, other),
            mode.mean,
            place,
            middle,
        );
    }
}

fn axis(
    ui: &mut Ui,
    state: &mut State,
    projection: &Projection,
    (canvas, index): (usize, usize),
    (which, other_sd): (usize, f64),
    mean: Point,
    place: Pos2,
    middle: Pos2,
) {
    let id = Id::unique(("mode axis", canvas, index, which));
    let hit = Rect::from_center_size(place, Vec2::splat(2.0 * size::GRAB - 6.0));
    let response = ui
        .interact(hit, id, Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::Crosshair);
    response.widget_info(|| {
        let name = if which == 0 {
            "Long axis"
        } else {
            "Short axis"
        };
        WidgetInfo::labeled(Role::Slider, true, format!("{name} of mode {}", index + 1))
    });
    if response.drag_started() {
        state.remember_world();
        ui.data_mut(|d| d.insert_temp(id, AxisDrag { fixed_sd: other_sd }));
    }
    if response.dragged()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        state.dragging = true;
        let fixed_sd = ui
            .data(|d| d.get_temp::<AxisDrag>(id))
            .map_or(other_sd, |drag| drag.fixed_sd);
        let to = projection.to_world(pointer);
        let (dx, dy) = (to[0] - mean[0], to[1] - mean[1]);
        let sd = dx.hypot(dy).clamp(AXIS_RANGE.0, AXIS_RANGE.1);
        set_cov(state, index, Cov2::from_axes(sd, fixed_sd, dy.atan2(dx)));
    }
    if response.has_focus() {
        axis_keys(ui, state, index, which, id);
    }
    let palette = tokens::palette(ui);
    let painter = ui.painter_at(projection.rect);
    let stroke = Stroke::new(1.2, palette.text_strong);
    painter.line_segment(
        [middle, place],
        Stroke::new(stroke.width, tokens::faded(stroke.color, 0.5)),
    );
    let half = Vec2::splat(if response.hovered() || response.dragged() {
        5.5
    } else {
        4.5
    });
    painter.rect(
        Rect::from_min_max(place - half, place + half),
        1.5,
        palette.control_active,
        stroke,
        eframe::egui::StrokeKind::Inside,
    );
    if response.has_focus() {
        painter.circle_stroke(place, 10.0, Stroke::new(1.5, palette.focus));
    }
}

/// Up and down stretch, left and right turn.
fn axis_keys(ui: &Ui, state: &mut State, index: usize, which: usize, id: Id) {
    state.arrows_taken = true;
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let (turn, stretch) = ui.input(|input| {
        let presses = |key| input.num_presses(key) as f64;
        (
            presses(Key::ArrowLeft) - presses(Key::ArrowRight),
            presses(Key::ArrowUp) - presses(Key::ArrowDown),
        )
    });
    let Some(mode) = state.world.mixture.modes().get(index) else {
        return;
    };
    if turn == 0.0 && stretch == 0.0 {
        return;
    }
    let (mut major, mut minor, angle) = mode.cov.axes();
    let factor = 1.05f64.powf(stretch);
    if which == 0 {
        major *= factor;
    } else {
        minor *= factor;
    }
    remember_gesture(ui, state);
    set_cov(
        state,
        index,
        Cov2::from_axes(major, minor, angle + turn * 3f64.to_radians()),
    );
}

fn set_cov(state: &mut State, index: usize, cov: Cov2) {
    let Some(mode) = state.world.mixture.modes().get(index) else {
        return;
    };
    let edited = state
        .world
        .mixture
        .with_mode_replaced(index, Mode { cov, ..*mode });
    state.try_edit(edited);
}
