//! The plane: what `x_t` could still become.

pub mod contours;
pub mod grab;
pub mod ground;
pub mod handle;
mod hint;
pub mod legend;
pub mod marks;
pub mod mode_tools;
pub mod modes;
pub mod paint;
pub mod projection;

use eframe::egui::{
    self, Align2, CursorIcon, Rect, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2,
};

use crate::engine::Slot;
use crate::session::DrawStyle;

use super::format;
use super::state::{Place, State};
use super::tokens::{self, size};
use super::widgets;

pub use contours::ContourCache;
pub use ground::outlined_text;
pub use legend::color_of;

use projection::Projection;

/// Left of the canvas, for the numbers.
const LEFT: f32 = 32.0;
/// Below the canvas, for the numbers.
const BELOW: f32 = 22.0;
/// Below the numbers, for the legend.
const LEGEND: f32 = 22.0;
/// Zoom for a notch of the wheel.
const WHEEL: f64 = 0.0035;

/// The panel's heading. Its response can be dragged to move the panel.
pub fn header(ui: &mut Ui, state: &State) -> Response {
    widgets::panel_header(ui, "What x_t could still become", size::CONTROL, |ui| {
        legend::badges(ui, state);
    })
}

/// The canvas with everything on it, and its legend.
pub fn show(ui: &mut Ui, state: &mut State) {
    let room = ui.available_rect_before_wrap();
    let rect = Rect::from_min_max(
        pos2(room.left() + LEFT, room.top() + 2.0),
        pos2(room.right() - 1.0, room.bottom() - BELOW - LEGEND),
    );
    if rect.width() < 40.0 || rect.height() < 40.0 {
        return;
    }
    state.canvas_aspect = f64::from(rect.width() / rect.height());
    let response = ui.interact(rect, ui.scope_id().with("canvas"), Sense::click_and_drag());
    navigate(ui, state, &response, rect, 0);
    let projection = Projection::new(state.session.view, rect);
    state.visible = projection.visible();
    describe(&response, state);

    let palette = tokens::palette(ui);
    let painter = ui.painter_at(rect);
    ground::grid(&painter, &projection, palette);
    layers(&painter, state, &projection, palette);
    ground::axes(ui.painter(), &projection, palette);
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            2.0,
            egui::Stroke::new(1.5, palette.focus),
            egui::StrokeKind::Outside,
        );
        state.space_free = true;
    }
    ground::scale_bar(&painter, &projection, palette);
    if let Some(pointer) = response.hover_pos() {
        ground::coordinates(&painter, &projection, pointer, palette);
    }
    activity(&painter, state, rect);

    if state.session.show.edit {
        modes::show(ui, state, &projection, 0);
    }
    handle::show(ui, state, &projection, 0);
    if state.session.show.edit {
        mode_tools::show(ui, state, &projection);
    }
    hint::show(ui, state, &projection);
    message(ui, state, rect);

    let below = Rect::from_min_max(
        pos2(rect.left(), rect.bottom() + BELOW),
        pos2(rect.right(), rect.bottom() + BELOW + LEGEND),
    );
    let mut line = ui.new_child(egui::UiBuilder::new().max_rect(below).id_salt("legend"));
    legend::show(&mut line, state);
    ui.advance_cursor_after_rect(room);
}

/// What went wrong, over the canvas.
fn message(ui: &mut Ui, state: &mut State, rect: Rect) {
    if state.notices.at(Place::Canvas).is_none() {
        return;
    }
    let width = (rect.width() - 40.0).clamp(60.0, 520.0);
    let top = rect.center_top() + vec2(-width / 2.0, 70.0);
    let area = Rect::from_min_size(top, vec2(width, 80.0));
    let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(area).id_salt("message"));
    let ground = tokens::palette(&ui).panel;
    egui::Frame::new()
        .fill(ground)
        .corner_radius(egui::CornerRadius::same(size::RADIUS))
        .show(&mut ui, |ui| {
            widgets::notice(ui, &mut state.notices, Place::Canvas)
        });
}

/// Pan, zoom, and `x_t` by double click. `canvas` tells canvases that are shown at once apart.
pub fn navigate(ui: &Ui, state: &mut State, response: &Response, rect: Rect, canvas: usize) {
    let view = state.session.view;
    let projection = Projection::new(view, rect);
    if response.double_clicked()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let place = projection.to_world(pointer);
        if state.session.show.edit {
            state.add_mode(place);
        } else if !state.shows_samples() {
            state.place_state(place);
        }
        return;
    }
    if response.clicked() && state.session.show.edit {
        state.selected_mode = None;
    }
    if grab::hand_over(ui, response, state, &projection, canvas) {
        return;
    }
    if response.dragged() {
        let delta = response.drag_delta();
        let scale = projection.units_per_point;
        state.session.view.center = [
            view.center[0] - f64::from(delta.x) * scale,
            view.center[1] + f64::from(delta.y) * scale,
        ];
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    // The wheel zooms over x_t too; over a mode it is the mode's.
    let over_state = ui
        .ctx()
        .read_response(handle::id(canvas))
        .is_some_and(|r| r.hovered());
    let pointer = if over_state {
        ui.ctx().pointer_hover_pos()
    } else {
        response.hover_pos()
    };
    if let Some(pointer) = pointer {
        let (scrolled, pinched) = ui.input(|i| {
            (
                f64::from(i.smooth_scroll_delta().y),
                f64::from(i.zoom_delta()),
            )
        });
        let factor = (WHEEL * scrolled).exp() * pinched;
        if factor != 1.0 {
            state.session.view = projection.zoomed(state.session.view, pointer, factor);
        }
    }
}

fn describe(response: &Response, state: &State) {
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Canvas, true, "Plane of possible futures");
        info.current_text_value = Some(format!(
            "t = {:.3}, x_t at {}, {} draws, {}",
            state.session.t,
            format::point(state.x_t()),
            format::count(u64::from(state.session.draws)),
            state.source().short(),
        ));
        info
    });
}

/// Everything between the grid and the handles, the lowest first.
fn layers(
    painter: &egui::Painter,
    state: &mut State,
    projection: &Projection,
    palette: &tokens::Palette,
) {
    let show = state.session.show;
    let paints = state.device.is_some();
    let scene = state.answers.scene.clone();
    let scene = scene.as_ref();
    if show.density && paints {
        if show.edit {
            let data = &state.world.mixture;
            paint::heat(painter, projection, data, palette.heat, paint::Layer::Main);
        } else if let Some(scene) = scene {
            let marginal = &scene.marginal;
            paint::heat(
                painter,
                projection,
                marginal,
                palette.heat,
                paint::Layer::Main,
            );
        }
    }
    if let Some(scene) = scene {
        if show.velocity {
            marks::velocity(painter, projection, scene, palette);
        }
        if show.path && state.session.carry {
            marks::path(painter, projection, scene, state.session.t, palette);
        }
    }
    if show.draws && paints {
        let sets = [
            (&state.answers.main, paint::Layer::Main),
            (&state.answers.overlay, paint::Layer::Overlay),
        ];
        for (set, layer) in sets {
            let Some(answer) = &set.draws else { continue };
            let Some(buffer) = &answer.points else {
                continue;
            };
            let is_overlay = matches!(layer, paint::Layer::Overlay);
            // The colour of what was drawn, also while another source is on its way.
            let color = color_of(state, answer.request.source, is_overlay, palette);
            match state.session.style {
                DrawStyle::Points => {
                    let count = answer.request.draws;
                    paint::points(painter, projection, buffer, count, color, layer);
                }
                DrawStyle::Density => paint::density(painter, projection, buffer, color, layer),
            }
        }
    }
    if let Some(scene) = scene {
        if show.contours && paint::suits_device(&scene.posterior) {
            if paints {
                paint::contours(
                    painter,
                    projection,
                    &scene.posterior,
                    scene.levels,
                    palette.exact,
                    paint::Layer::Main,
                );
            }
        } else if show.contours {
            contours::show(painter, projection, scene, &mut state.contours, palette);
        }
        if show.mean {
            marks::denoised_mean(painter, projection, scene, palette);
        }
    }
}

/// What takes long, at the bottom.
fn activity(painter: &egui::Painter, state: &State, rect: Rect) {
    let palette = if painter.ctx().theme() == egui::Theme::Dark {
        &tokens::DARK
    } else {
        &tokens::LIGHT
    };
    let drawing = [
        (Slot::Draws, Some(state.source())),
        (Slot::Overlay, state.overlay()),
    ]
    .into_iter()
    .find_map(|(slot, source)| Some((state.answers.progress_of(slot)?, source?)));
    let text = match (drawing, state.model.loading_label()) {
        (Some((progress, source)), _) => {
            let share = progress.fraction.unwrap_or(0.0) * 100.0;
            format!("drawing {}: {share:.0} %", source.short())
        }
        (None, Some(label)) => label,
        (None, None) if state.answers.main.draws.is_none() && state.is_busy() => {
            "first draws are on their way".to_owned()
        }
        _ => return,
    };
    ground::outlined_text(
        painter,
        rect.center_bottom() - vec2(0.0, 14.0),
        Align2::CENTER_CENTER,
        &text,
        tokens::small_font(),
        palette.text_quiet,
        palette.halo,
    );
}
