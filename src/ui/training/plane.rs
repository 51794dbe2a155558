//! One of the two canvases: the network's draws, or the exact ones, from the same state and the same noise.

use eframe::egui::{
    self, Align, Layout, Painter, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, WidgetInfo, vec2,
};

use crate::session::{DrawStyle, View};
use crate::ui::canvas::paint::{self, Layer};
use crate::ui::canvas::projection::Projection;
use crate::ui::canvas::{self, contours, ground, handle, marks, mode_tools, modes};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::{Badge, badge};

use super::tuned;

/// Height of the line above a canvas.
pub const HEADER: f32 = 28.0;

/// Whose draws a canvas shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The closed form's. The world is edited here.
    Exact,
    /// The network's.
    Learned,
}

impl Side {
    /// Tells the canvases apart.
    pub fn canvas(self) -> usize {
        match self {
            Self::Exact => 0,
            Self::Learned => 1,
        }
    }
}

/// Shows a canvas in `rect`, with its header.
pub fn show(ui: &mut Ui, state: &mut State, side: Side, rect: Rect, view: View) {
    let palette = tokens::palette(ui);
    let (above, rect) = rect.split_top_bottom_at_y(rect.top() + HEADER);
    header(ui, state, side, above.with_max_y(above.bottom() - 4.0));
    let rect = rect.shrink(1.0);
    if side == Side::Exact {
        state.canvas_aspect = f64::from(rect.width() / rect.height());
    }
    let response = ui.interact(rect, ui.scope_id().with("canvas"), Sense::click_and_drag());
    canvas::navigate(ui, state, &response, rect, side.canvas());
    let projection = Projection::new(view, rect);
    if side == Side::Exact {
        state.visible = projection.visible();
    }
    describe(&response, state, side);
    let painter = ui.painter_at(rect);
    ground::grid(&painter, &projection, palette);
    if state.seeks_reward() {
        tuned::layers(&painter, state, &projection, side, palette);
    } else {
        layers(&painter, state, &projection, side, palette);
    }
    if side == Side::Learned {
        ground::scale_bar(&painter, &projection, palette);
    }
    if let Some(pointer) = response.hover_pos() {
        ground::coordinates(&painter, &projection, pointer, palette);
    }
    if side == Side::Exact && state.session.show.edit {
        modes::show(ui, state, &projection, side.canvas());
    }
    if state.seeks_reward() {
        tuned::reward_handles(ui, state, &projection, side);
        if side == Side::Learned && state.snapshot().is_none() {
            nothing_yet(ui, state, rect, palette);
        }
    } else if side == Side::Exact || state.snapshot().is_some() {
        handle::show(ui, state, &projection, side.canvas());
    } else {
        nothing_yet(ui, state, rect, palette);
    }
    if side == Side::Exact && state.session.show.edit {
        mode_tools::show(ui, state, &projection);
    }
    let outline = if response.has_focus() {
        state.space_free = true;
        Stroke::new(1.5, palette.focus)
    } else {
        Stroke::new(1.0, palette.canvas_outline)
    };
    ui.painter()
        .rect_stroke(rect, 2.0, outline, StrokeKind::Outside);
}

fn header(ui: &mut Ui, state: &State, side: Side, rect: Rect) {
    let palette = tokens::palette(ui);
    let builder = UiBuilder::new()
        .max_rect(rect)
        .id_salt("header")
        .layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(builder, |ui| {
        if state.seeks_reward() {
            let (who, figures) = tuned::header(state, side, palette);
            badge(ui, &who);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let text = RichText::new(figures.unwrap_or_default())
                    .size(size::SMALL)
                    .color(palette.text_quiet);
                ui.add(egui::Label::new(text).truncate());
            });
            return;
        }
        let (text, color, hover) = match (side, state.snapshot()) {
            (Side::Exact, _) => (
                "exact".to_owned(),
                palette.exact,
                "Drawn from the closed form of the posterior.".to_owned(),
            ),
            (Side::Learned, Some(snapshot)) => (
                format!("learned · step {}", format::count(snapshot.step)),
                palette.learned,
                "Drawn by the average of the weights so far, about once a second.".to_owned(),
            ),
            (Side::Learned, None) => (
                "learned".to_owned(),
                palette.text_quiet,
                "Nothing is learned yet.".to_owned(),
            ),
        };
        badge(ui, &Badge { text, color, hover });
        if side == Side::Exact || state.snapshot().is_none() {
            return;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some(stats) = &state.answers.main.stats {
                let text = format!(
                    "sliced W2 {} · floor {}",
                    format::fixed(stats.sliced_w2, 3),
                    format::fixed(stats.floor, 3)
                );
                let text = RichText::new(text)
                    .size(size::SMALL)
                    .color(palette.text_quiet);
                let hover = "Distance of these draws to exact ones, beside that of two exact samples, world units.";
                ui.add(egui::Label::new(text).truncate()).on_hover_text(hover);
            }
        });
    });
}

fn describe(response: &Response, state: &State, side: Side) {
    response.widget_info(|| {
        let name = match side {
            Side::Exact => "World and exact draws",
            Side::Learned => "Learned draws",
        };
        let mut info = WidgetInfo::labeled(Role::Canvas, true, name);
        info.current_text_value = Some(format!(
            "t = {:.3}, x_t at {}",
            state.session.t,
            format::point(state.x_t())
        ));
        info
    });
}

/// One sentence where nothing was learned yet.
fn nothing_yet(ui: &mut Ui, state: &State, rect: Rect, palette: &Palette) {
    let text = if state.is_shown_learning() {
        "The first look at the network is on its way."
    } else if state.seeks_reward() {
        "Choose a reward and press Start: the checkpoint's velocity learns to follow it."
    } else {
        "Press Start: a network learns to draw what x_t could become in this world."
    };
    let font = tokens::body_font();
    let width = (rect.width() - 60.0).clamp(60.0, 290.0);
    let galley = ui
        .painter()
        .layout(text.to_owned(), font, palette.text, width);
    let area = Rect::from_center_size(rect.center(), galley.size());
    let response = ui.allocate_rect(area, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    // Readable over whatever is below.
    let ground = tokens::faded(palette.canvas, 0.85);
    let radius = f32::from(size::RADIUS);
    ui.painter()
        .rect_filled(area.expand2(vec2(14.0, 10.0)), radius, ground);
    ui.painter().galley(area.min, galley, palette.text);
}

/// Everything between the grid and the handles, the lowest first.
fn layers(
    painter: &Painter,
    state: &mut State,
    projection: &Projection,
    side: Side,
    palette: &Palette,
) {
    let show = state.session.show;
    let paints = state.device.is_some();
    let layer = Layer::Panel(side.canvas());
    let scene = state.answers.scene.clone();
    // Closed forms of the world on the canvas say nothing about a network that learns another.
    let learned = state.snapshot().is_some();
    let is_of_world = side == Side::Exact || learned && !state.runs_elsewhere();
    if show.density && paints {
        if show.edit && (side == Side::Exact || is_of_world) {
            let data = &state.world.mixture;
            paint::heat(painter, projection, data, palette.heat, layer);
        } else if let Some(scene) = scene.as_ref().filter(|_| is_of_world) {
            paint::heat(painter, projection, &scene.marginal, palette.heat, layer);
        }
    }
    if let Some(scene) = scene.as_ref().filter(|_| is_of_world && show.path)
        && state.session.carry
    {
        marks::path(painter, projection, scene, state.session.t, palette);
    }
    let (set, color) = match side {
        Side::Exact => (&state.answers.overlay, palette.exact),
        Side::Learned => (&state.answers.main, palette.learned),
    };
    let has_draws = side == Side::Exact || learned;
    if show.draws
        && has_draws
        && let Some(answer) = &set.draws
        && let Some(buffer) = &answer.points
    {
        match state.session.style {
            DrawStyle::Points => {
                let count = answer.request.draws;
                paint::points(painter, projection, buffer, count, color, layer);
            }
            DrawStyle::Density => paint::density(painter, projection, buffer, color, layer),
        }
    }
    let Some(scene) = scene.as_ref().filter(|_| show.contours && is_of_world) else {
        return;
    };
    if !paint::suits_device(&scene.posterior) {
        contours::show(painter, projection, scene, &mut state.contours, palette);
    } else if paints {
        let posterior = (&scene.posterior, scene.levels);
        paint::contours(
            painter,
            projection,
            posterior.0,
            posterior.1,
            palette.exact,
            layer,
        );
    }
}
