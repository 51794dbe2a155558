//! The run: how far it is, and what a person can do with it.

use std::sync::Arc;
use std::time::Duration;

use eframe::egui::{self, CornerRadius, Margin, ProgressBar, RichText, Stroke, Ui, vec2};

use crate::engine::{PictureReport, TrainPhase, TrainReport};
use crate::ui::errands::Pick;
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{key_hint, link, section_with};

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Train);
    section_with(
        ui,
        "Training",
        |ui| key_hint(ui, &keys),
        |ui| {
            kept(ui, state);
            progress(ui, state);
            buttons(ui, state);
            results(ui, state);
            remarks(ui, state);
        },
    );
}

/// The run that the last window left.
fn kept(ui: &mut Ui, state: &mut State) {
    let kept = if state.learns_pictures() {
        state.training.pictures.kept.is_some() && state.seeks_folder()
    } else {
        state.training.kept.is_some()
    };
    if !kept {
        return;
    }
    let palette = tokens::palette(ui);
    egui::Frame::new()
        .fill(tokens::faded(palette.learned, 0.10))
        .stroke(Stroke::new(1.0, tokens::faded(palette.learned, 0.45)))
        .corner_radius(CornerRadius::same(size::RADIUS))
        .inner_margin(Margin::symmetric(10, 7))
        .show(ui, |ui| {
            let text = "A run was kept when the window was closed. A new one takes its place.";
            let text = RichText::new(text)
                .size(size::SMALL)
                .color(palette.text_strong);
            ui.add(egui::Label::new(text).wrap());
            ui.horizontal(|ui| {
                if link(ui, "Go on with it").clicked() {
                    if state.learns_pictures() {
                        state.take_up_pictures();
                    } else {
                        state.take_up_training();
                    }
                }
                if link(ui, "Delete it").clicked() {
                    if state.learns_pictures() {
                        state.forget_kept_pictures();
                    } else {
                        state.forget_kept_run();
                    }
                }
            });
        });
    ui.add_space(4.0);
}

/// What is said of a run, whatever it learns.
pub struct Shown {
    /// Where it is.
    pub phase: TrainPhase,
    /// What is made before the first step.
    pub stage: Option<String>,
    /// Share of the steps that is done.
    pub fraction: f32,
    /// Steps done, and steps in all.
    pub steps: (u64, u64),
    /// Time left, where it can be told.
    pub left: Option<Duration>,
    /// Steps a second; 0 while it is not known.
    pub rate: f64,
    /// Threads at work, and the share of the time in which they work.
    pub pace: (usize, f64),
}

/// The run of the kind that the workspace shows.
pub fn shown(state: &State) -> Option<Shown> {
    let pictures = state.picture_run().map(pictures_shown);
    pictures.or_else(|| state.shown_run().map(world_shown))
}

/// The run that goes on, wherever it is shown; else the one that is shown.
pub fn newest(state: &State) -> Option<Shown> {
    let runs = |shown: &Shown| shown.phase == TrainPhase::Running;
    let pictures = state.training.pictures.report.as_ref().map(pictures_shown);
    let world = state.training.report.as_ref().map(world_shown);
    pictures
        .filter(runs)
        .or_else(|| world.filter(runs))
        .or_else(|| shown(state))
}

fn world_shown(report: &Arc<TrainReport>) -> Shown {
    Shown {
        phase: report.phase.clone(),
        stage: None,
        fraction: report.fraction(),
        steps: (report.step, report.goal.steps()),
        left: report.left,
        rate: report.rate,
        pace: report.pace,
    }
}

fn pictures_shown(report: &Arc<PictureReport>) -> Shown {
    Shown {
        phase: report.phase.clone(),
        stage: report.stage.clone(),
        fraction: report.fraction(),
        steps: (report.step, report.goal.steps()),
        left: report.left,
        rate: report.rate,
        pace: report.pace,
    }
}

fn progress(ui: &mut Ui, state: &State) {
    let Some(report) = shown(state) else {
        return;
    };
    let palette = tokens::palette(ui);
    let small = |text: String| RichText::new(text).size(size::SMALL);
    ui.spacing_mut().item_spacing.y = 4.0;
    let color = match report.phase {
        TrainPhase::Running => palette.learned,
        TrainPhase::Finished => palette.good,
        TrainPhase::Failed(_) => palette.error,
        _ => palette.text_faint,
    };
    ui.add(
        ProgressBar::new(report.fraction)
            .desired_width(ui.available_width())
            .desired_height(6.0)
            .fill(color),
    );
    ui.horizontal(|ui| {
        let steps = format!(
            "step {} of {}",
            format::count(report.steps.0),
            format::count(report.steps.1)
        );
        let steps = report.stage.clone().unwrap_or(steps);
        ui.label(small(steps).color(palette.text));
        let right = match (&report.phase, report.left) {
            (TrainPhase::Running, Some(left)) => format::left(left),
            (TrainPhase::Running, None) if report.stage.is_some() => String::new(),
            (TrainPhase::Running, None) => "starting".to_owned(),
            (TrainPhase::Paused, _) => "paused".to_owned(),
            (TrainPhase::Stopped, _) => "stopped".to_owned(),
            (TrainPhase::Finished, _) => "done".to_owned(),
            (TrainPhase::Failed(_), _) => "failed".to_owned(),
        };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.label(small(right).color(palette.text_quiet));
        });
    });
}

fn buttons(ui: &mut Ui, state: &mut State) {
    let phase = state.run_phase();
    let awaited = state.is_training_awaited();
    ui.horizontal(|ui| {
        let half = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
        let button = |ui: &mut Ui, text: &str, hover: &str| {
            let button = egui::Button::new(text).min_size(vec2(half, size::CONTROL + 2.0));
            ui.add(button).on_hover_text(hover).clicked()
        };
        match phase {
            _ if awaited => {
                ui.add_enabled_ui(false, |ui| button(ui, "Starting", ""));
            }
            Some(TrainPhase::Running) => {
                if button(ui, "Pause", "Rest; Resume goes on from here.") {
                    state.pause_training();
                }
                if button(ui, "Stop", "End here. What was learned stays.") {
                    state.stop_training();
                }
            }
            Some(TrainPhase::Paused) => {
                if button(ui, "Resume", "Go on from here.") {
                    state.resume_training();
                }
                if button(ui, "Stop", "End here. What was learned stays.") {
                    state.stop_training();
                }
            }
            _ => {
                let hover = if state.learns_pictures() {
                    "Begin with what is chosen below; the run before it ends."
                } else {
                    "Begin with what is on the canvas; the run before it ends."
                };
                if button(ui, "Start", hover) {
                    state.start_training();
                }
            }
        }
    });
    let other = state.other_run().filter(|_| !awaited);
    if let Some(other) = other.filter(|_| !phase.is_some_and(|phase| phase.is_open())) {
        let note = tokens::palette(ui).note;
        let text = "A run of another kind is not done: Start ends it.";
        let text = RichText::new(text).size(size::SMALL).color(note);
        ui.add(egui::Label::new(text).wrap());
        if link(ui, "Show it").clicked() {
            state.session.training.learns = other;
        }
    }
}

/// What was learned, as a file or in the other workspace.
fn results(ui: &mut Ui, state: &mut State) {
    let of_pictures = state.picture_run().is_some_and(|r| r.step > 0);
    if state.snapshot().is_none() && !of_pictures {
        return;
    }
    ui.horizontal(|ui| {
        let room = ui.available_width() - ui.spacing().item_spacing.x;
        ui.spacing_mut().button_padding.x = 4.0;
        let button = |text: &str, share: f32| {
            egui::Button::new(text).min_size(vec2(share * room, size::CONTROL))
        };
        let save = ui.add(button("Save as…", 0.4));
        if save
            .on_hover_text("Write the network as it is now to a checkpoint.")
            .clicked()
        {
            state.pick(Pick::SaveModel);
        }
        let (name, hover) = if of_pictures {
            (
                "Open in Images",
                "Draw with the network as it is now in the Images workspace.",
            )
        } else {
            (
                "Open in Posterior",
                "Draw with the network as it is now in the Posterior workspace.",
            )
        };
        let open = ui.add(button(name, 0.6));
        if open.on_hover_text(hover).clicked() {
            if of_pictures {
                state.open_trained_pictures();
            } else {
                state.open_trained();
            }
        }
    });
}

fn remarks(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let Some(report) = shown(state) else {
        return;
    };
    let note = |ui: &mut Ui, text: &str| {
        let text = RichText::new(text).size(size::SMALL).color(palette.note);
        ui.add(egui::Label::new(text).wrap());
    };
    if report.phase.is_open() && state.settings_changed() {
        note(ui, "Changed settings count from the next start.");
        if link(ui, "Start again with them").clicked() {
            state.start_training();
        }
    }
    let not_kept = if state.learns_pictures() {
        state.picture_run().and_then(|r| r.not_kept.clone())
    } else {
        let world = state.shown_run();
        world.and_then(|r| r.not_kept.clone())
    };
    if let Some(why) = not_kept {
        note(ui, &format!("The run is not kept on disk: {why}"));
    }
}
