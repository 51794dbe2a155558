//! One method: its header, and its particles on the plane.

use eframe::egui::{
    Align2, CornerRadius, CursorIcon, Frame, Margin, Painter, Rect, Response, RichText, Role,
    Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::reward::Reward;
use crate::session::View;
use crate::steer::{KeptFrame, Method};
use crate::ui::canvas::ground;
use crate::ui::canvas::modes;
use crate::ui::canvas::projection::Projection;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::steering::reward::handles;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::link;

use super::{header, layers, particles};

/// Zoom for a notch of the wheel.
const WHEEL: f64 = 0.0035;
/// How near a click must come to a particle.
const REACH: f32 = 12.0;

/// What a person did in a panel.
pub struct Done {
    /// It should be closed.
    pub close: bool,
    /// The reward was moved.
    pub reward: Option<Reward>,
}

/// Shows a panel in `rect`.
pub fn show(ui: &mut Ui, state: &mut State, index: usize, rect: Rect, view: View) -> Done {
    let palette = tokens::palette(ui);
    let (above, canvas) = rect.split_top_bottom_at_y(rect.top() + header::HEIGHT);
    let above = Rect::from_min_max(above.min, pos2(above.max.x, above.max.y - 2.0));
    let close = header::show(ui, state, index, above);
    if index == 0 {
        state.canvas_aspect = f64::from(canvas.width() / canvas.height());
    }
    let id = ui.scope_id().with("canvas");
    let response = ui.interact(canvas, id, Sense::click_and_drag());
    let projection = Projection::new(view, canvas);
    navigate(ui, state, &response, &projection, index);
    describe(&response, state, index);
    let painter = ui.painter_at(canvas);
    ground::grid(&painter, &projection, palette);
    layers::show(&painter, state, &projection, index, palette);
    if index == 0 {
        ground::scale_bar(&painter, &projection, palette);
    }
    progress(&painter, state, index, canvas, palette);
    outside(&painter, state, index, &projection, palette);
    let reward = handles::show(ui, state, &projection, index);
    if state.session.show.edit {
        modes::show(ui, state, &projection, index + 1);
    }
    remarks(ui, state, index, canvas);
    let outline = if response.has_focus() {
        state.space_free = true;
        Stroke::new(1.5, palette.focus)
    } else {
        Stroke::new(1.0, palette.canvas_outline)
    };
    ui.painter()
        .rect_stroke(canvas, 2.0, outline, StrokeKind::Outside);
    Done { close, reward }
}

/// Pan and zoom (all panels follow), select a particle, add a mode.
fn navigate(
    ui: &Ui,
    state: &mut State,
    response: &Response,
    projection: &Projection,
    index: usize,
) {
    let view = state.session.view;
    if response.double_clicked()
        && state.session.show.edit
        && let Some(pointer) = response.interact_pointer_pos()
    {
        state.add_mode(projection.to_world(pointer));
        return;
    }
    if response.clicked()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        state.selected_mode = None;
        let t = state.steering_shown();
        let found = layers::run_of(state, index).and_then(|(_, run)| {
            let at = particles::moment(&run.frames, t)?;
            let to_screen = |x: [f32; 2]| projection.to_screen(x.map(f64::from));
            particles::nearest(&run.frames, at, pointer, REACH, to_screen)
        });
        state.session.steering.selected = found;
    }
    if response.drag_started()
        && let Some(origin) = ui.input(|i| i.pointer.press_origin())
        && let Some(id) = handles::near(state, index, projection, origin)
    {
        // In a slow frame the pointer may have left the handle before the press is seen.
        ui.ctx().set_dragged_id(id);
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
    // The wheel zooms over handles too; over a mode it is the mode's.
    let over_handle = (0..64).map(|k| handles::id(index, k)).any(|id| {
        ui.ctx()
            .read_response(id)
            .is_some_and(|response| response.hovered())
    });
    let pointer = if over_handle {
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

fn describe(response: &Response, state: &State, index: usize) {
    response.widget_info(|| {
        let title = state.session.steering.panels[index].method.card().title;
        let mut info = WidgetInfo::labeled(Role::Canvas, true, format!("Particles of {title}"));
        let run = layers::run_of(state, index).map(|(_, run)| run);
        let first = run.and_then(|run| run.frames.first());
        let particles = first.map_or(0, |frame| frame.x.len()) as u64;
        info.current_text_value = Some(format!(
            "{} particles at t = {:.3}",
            format::count(particles),
            state.steering_shown()
        ));
        info
    });
}

/// How many particles are beyond the edges: a panel that looks empty says why.
fn outside(
    painter: &Painter,
    state: &State,
    index: usize,
    projection: &Projection,
    palette: &Palette,
) {
    let t = state.steering_shown();
    let Some((_, run)) = layers::run_of(state, index) else {
        return;
    };
    let Some((_, frame)) = KeptFrame::at(&run.frames, t) else {
        return;
    };
    let [min, max] = projection.visible();
    let is_outside = |x: &&[f32; 2]| {
        let x = x.map(f64::from);
        x.iter().all(|v| v.is_finite())
            && (0..2).any(|axis| !(min[axis]..=max[axis]).contains(&x[axis]))
    };
    let count = frame.x.iter().filter(is_outside).count();
    // A few stragglers are no news.
    if count * 50 < frame.x.len() {
        return;
    }
    let text = format!("{} outside the view", format::count(count as u64));
    let bottom = if index == 0 { -30.0 } else { -8.0 };
    ground::outlined_text(
        painter,
        projection.rect.left_bottom() + vec2(8.0, bottom),
        Align2::LEFT_BOTTOM,
        &text,
        tokens::small_font(),
        palette.text_quiet,
        palette.halo,
    );
}

/// How far a run that is under way has got.
fn progress(painter: &Painter, state: &State, index: usize, rect: Rect, palette: &Palette) {
    let arriving = state.steering.arriving.as_ref();
    let newest = arriving.and_then(|runs| runs.panels.get(index));
    let shown = layers::run_of(state, index).map(|(_, run)| run);
    let is_preview = state
        .steering
        .runs
        .as_ref()
        .is_some_and(|runs| runs.request.preview);
    let mut lines = Vec::new();
    if let Some(run) = shown.filter(|_| is_preview) {
        let count = run.frames.first().map_or(0, |frame| frame.x.len());
        lines.push(format!(
            "preview, {} particles",
            format::count(count as u64)
        ));
    }
    match newest.or(shown) {
        None => lines.push("on its way".to_owned()),
        Some(run) if !run.done && !is_preview || newest.is_some() => {
            lines.push(format!("computed to t = {:.2}", run.reached()));
        }
        Some(_) => {}
    }
    // The first line is the value of the particle that is followed.
    let followed = usize::from(state.session.steering.selected.is_some());
    for (k, line) in (followed..).zip(&lines) {
        ground::outlined_text(
            painter,
            rect.right_top() + vec2(-8.0, 7.0 + 16.0 * k as f32),
            Align2::RIGHT_TOP,
            line,
            tokens::small_font(),
            palette.text_quiet,
            palette.halo,
        );
    }
}

/// What a person should know before they trust the panel, over its lower edge.
fn remarks(ui: &mut Ui, state: &mut State, index: usize, rect: Rect) {
    let plan = &state.session.steering.panels[index];
    let trouble = layers::run_of(state, index).and_then(|(_, run)| run.trouble.clone());
    let warning = plan.warning();
    let advice = plan.method == Method::MfmGf && plan.draws == 1;
    let palette = tokens::palette(ui);
    let (text, color) = match (&trouble, warning) {
        (Some(trouble), _) => (trouble.as_str(), palette.error),
        (None, Some(warning)) => (warning, palette.note),
        (None, None) => return,
    };
    let width = (rect.width() - 16.0).min(420.0);
    let area = Rect::from_min_size(rect.min + vec2(8.0, 8.0), vec2(width, 40.0));
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area).id_salt("remarks"));
    let mut change = false;
    Frame::new()
        .fill(tokens::faded(palette.panel, 0.92))
        .stroke(Stroke::new(1.0, tokens::faded(color, 0.55)))
        .corner_radius(CornerRadius::same(size::RADIUS))
        .inner_margin(Margin::symmetric(8, 5))
        .show(&mut ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let text = RichText::new(text).size(size::SMALL).color(color);
            ui.add(eframe::egui::Label::new(text).wrap());
            if advice {
                change = link(ui, "Use MFM-G").clicked();
            }
        });
    if change {
        state.change_method(index, Method::MfmG);
    }
}
