//! The Train workspace: a network that learns the world on the canvas, beside what is exact.
//!
//! [`plane`] is one of the two canvases, [`side`] the left panel, [`curves`] the panel below. The run itself is on the
//! engine's training thread; what it says is kept in `ui::state`.

pub mod csv;
pub mod curves;
mod picture_curves;
mod picture_side;
#[cfg(test)]
mod picture_tests;
mod pictures;
mod plane;
mod run;
pub mod side;
#[cfg(test)]
mod tests;
mod tuned;

use eframe::egui::{self, Rect, Response, RichText, Ui, UiBuilder, vec2};

use crate::engine::TrainPhase;
use crate::ui::canvas::legend::{self, Sign};
use crate::ui::format;
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets;

use plane::Side;

pub use pictures::PictureView;
pub use tuned::Picture;

/// Between the canvases.
const GAP: f32 = 10.0;
/// Below the canvases, for the legend.
const LEGEND: f32 = 24.0;

/// The heading. Its response can be dragged to move the panel.
pub fn header(ui: &mut Ui, state: &mut State) -> Response {
    let palette = tokens::palette(ui);
    widgets::panel_header(ui, "What the network has learned", size::CONTROL, |ui| {
        if state.runs_elsewhere() {
            elsewhere(ui, state);
            return;
        }
        let text = RichText::new(summary(state, run::shown(state)))
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.add(egui::Label::new(text).truncate());
    })
}

/// Where the run is that goes on, wherever it is shown, or else the one that is shown; in a few words, empty before the
/// first.
pub fn newest_run(state: &State) -> String {
    summary(state, run::newest(state))
}

fn summary(state: &State, run: Option<run::Shown>) -> String {
    if state.is_training_awaited() {
        return "starting".to_owned();
    }
    let Some(report) = run else {
        return String::new();
    };
    if let Some(stage) = report.stage {
        // Amid other words.
        let mut letters = stage.chars();
        let first = letters.next().map(|c| c.to_lowercase().to_string());
        return first.unwrap_or_default() + letters.as_str();
    }
    let steps = format!(
        "step {} of {}",
        format::count(report.steps.0),
        format::count(report.steps.1)
    );
    match &report.phase {
        TrainPhase::Running => match report.left {
            Some(left) => format!("{steps}, {}", format::left(left)),
            None => steps,
        },
        TrainPhase::Paused => format!("paused at {steps}"),
        TrainPhase::Stopped => format!("stopped at {steps}"),
        TrainPhase::Finished => format!("done, {} steps", format::count(report.steps.0)),
        TrainPhase::Failed(_) => format!("failed at {steps}"),
    }
}

/// Both canvases, and the legend below.
pub fn show(ui: &mut Ui, state: &mut State) {
    for place in [Place::Training, Place::Canvas] {
        if widgets::notice(ui, &mut state.notices, place) {
            ui.add_space(4.0);
        }
    }
    if state.learns_pictures() {
        pictures::show(ui, state);
        return;
    }
    let room = ui.available_rect_before_wrap();
    let (planes, below) = room.split_top_bottom_at_y(room.bottom() - LEGEND);
    let [learned, exact] = halves(planes);
    if learned.width() < 80.0 || learned.height() < plane::HEADER + 60.0 {
        return;
    }
    let view = state.session.view;
    for (side, rect) in [(Side::Learned, learned), (Side::Exact, exact)] {
        let builder = UiBuilder::new().max_rect(rect).id_salt(side);
        let mut ui = ui.new_child(builder);
        plane::show(&mut ui, state, side, rect, view);
    }
    tuned::take_moved(state);
    if state.session.view != view {
        ui.ctx().request_repaint();
    }
    let below = below.with_min_y(below.top() + 4.0);
    let mut line = ui.new_child(UiBuilder::new().max_rect(below).id_salt("legend"));
    legend_line(&mut line, state);
    ui.advance_cursor_after_rect(room);
}

/// Side by side, or one above the other where that makes them larger.
fn halves(room: Rect) -> [Rect; 2] {
    let beside = vec2((room.width() - GAP) / 2.0, room.height()).floor();
    let above = vec2(room.width(), (room.height() - GAP) / 2.0).floor();
    let shorter = |size: egui::Vec2| size.x.min(size.y - plane::HEADER);
    let (size, offset) = if shorter(beside) >= shorter(above) {
        (beside, vec2(beside.x + GAP, 0.0))
    } else {
        (above, vec2(0.0, above.y + GAP))
    };
    let first = Rect::from_min_size(room.min.round(), size);
    [first, first.translate(offset)]
}

/// The run keeps its own world: said where the canvas shows another. In the heading, so that the canvases stay where
/// they are while a mode is dragged.
fn elsewhere(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let open = state
        .training
        .report
        .as_ref()
        .is_some_and(|r| r.phase.is_open());
    let (text, again) = if open {
        (
            "The run learns the world as it was when it began",
            "Start again with this one",
        )
    } else {
        (
            "The network learned another world than this one",
            "Learn this one",
        )
    };
    // From right to left.
    if widgets::link(ui, "Show its world").clicked() {
        state.show_run_world();
    }
    if widgets::link(ui, again).clicked() {
        state.start_training();
    }
    let text = RichText::new(text).size(size::SMALL).color(palette.note);
    ui.add(egui::Label::new(text).truncate());
}

fn legend_line(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let show = state.session.show;
    let mut entries = Vec::new();
    if state.seeks_reward() {
        tuned::legend(state, &mut entries, palette);
        legend::line(ui, &entries);
        return;
    }
    if state.snapshot().is_some() {
        entries.push((Sign::Dot(palette.learned), "learned draws".to_owned()));
    }
    entries.push((Sign::Dot(palette.exact), "exact draws".to_owned()));
    if show.contours {
        let text = "exact posterior: 50, 80, 95 %".to_owned();
        entries.push((Sign::Line(palette.exact), text));
    }
    if show.density {
        let what = if show.edit {
            "density of the data"
        } else {
            "density of p_t"
        };
        entries.push((Sign::Square(palette.heat), what.to_owned()));
    }
    if show.path && state.session.carry {
        entries.push((Sign::Dashes(palette.flow), "path of x_t".to_owned()));
    }
    legend::line(ui, &entries);
}
