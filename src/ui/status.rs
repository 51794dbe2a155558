//! The last line: where things run, how long they take, what is under way.

use eframe::egui::{Align, Color32, Layout, RichText, Sense, Ui, vec2};

use crate::engine::{Compute, Slot};
use crate::lookahead::Source;

use super::format;
use super::shortcuts::{Action, keys_of};
use super::state::State;
use super::tokens::{self, Palette, size};
use super::training;

/// Shows the bar.
pub fn show(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 20.0;
        device(ui, state, palette);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            activity(ui, state, palette);
            learning(ui, state, palette);
            let seed = if state.is_studio() {
                state.session.images.studio.settings.plan.seed
            } else if state.is_images() {
                state.session.images.seed
            } else {
                state.session.seed
            };
            let seed = format!("seed {seed}");
            quiet(ui, &seed, palette).on_hover_text("R draws from the next seed");
            quiet(ui, &format!("frame {:.1} ms", state.frame_ms), palette)
                .on_hover_text("Processor time of the last frame of the window");
            if state.is_steering() {
                comparison(ui, state, palette);
            } else if state.is_images() {
                wall(ui, state, palette);
            } else if let Some(answer) = &state.answers.main.draws {
                let text = format!(
                    "{} draws in {}",
                    format::count(u64::from(answer.request.draws)),
                    format::duration(answer.elapsed)
                );
                let calls = format::count(answer.counters.network_forward);
                quiet(ui, &text, palette)
                    .on_hover_text(format!("{calls} evaluations of the network"));
            }
        });
    });
}

/// A run goes on in every workspace.
fn learning(ui: &mut Ui, state: &State, palette: &Palette) {
    if !state.is_learning() {
        return;
    }
    let mut text = format!("training {}", training::newest_run(state));
    if let Some(rate) = training::side::rate(state) {
        text = format!("{text}, {rate}");
    }
    let text = RichText::new(text).size(size::SMALL).color(palette.text);
    ui.label(text);
}

/// How long the methods took.
fn comparison(ui: &mut Ui, state: &State, palette: &Palette) {
    let Some(runs) = state.steering.runs.as_ref().filter(|runs| runs.complete) else {
        return;
    };
    let slowest = runs.panels.iter().map(|panel| panel.elapsed).max();
    let methods = match runs.panels.len() {
        1 => "1 method".to_owned(),
        n => format!("{n} methods"),
    };
    let text = format!(
        "{methods} in {}",
        format::duration(slowest.unwrap_or_default())
    );
    quiet(ui, &text, palette).on_hover_text("Time of the slowest; all run at once");
}

/// How long the wall took.
fn wall(ui: &mut Ui, state: &State, palette: &Palette) {
    let Some(drawn) = &state.images.view.drawn else {
        return;
    };
    if drawn.drawn == 0 {
        return;
    }
    let text = format!(
        "{} pictures in {}",
        format::count(u64::from(drawn.drawn)),
        format::duration(drawn.elapsed)
    );
    let calls = format::count(drawn.counters.network_forward);
    quiet(ui, &text, palette).on_hover_text(format!("{calls} evaluations of the network"));
}

fn quiet(ui: &mut Ui, text: &str, palette: &Palette) -> eframe::egui::Response {
    ui.label(
        RichText::new(text)
            .size(size::SMALL)
            .color(palette.text_quiet),
    )
}

fn dot(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.0, color);
}

/// Window and model on one device, or not, and why.
fn device(ui: &mut Ui, state: &State, palette: &Palette) {
    let (color, text, hover) = device_text(state, palette);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        dot(ui, color);
        ui.label(RichText::new(text).size(size::SMALL).color(color))
            .on_hover_text(hover);
    });
}

fn device_text(state: &State, palette: &Palette) -> (Color32, String, String) {
    let Some(adapter) = &state.adapter else {
        return (
            palette.text_quiet,
            "no graphics device: maths on the processor".to_owned(),
            String::new(),
        );
    };
    let name = shortened(&adapter.name);
    let place = format!("{name}, {}", capitalised(&adapter.backend));
    let mut hover = format!("{}\n{}", adapter.name, adapter.driver);
    if let Some(report) = &state.answers.compute {
        for (what, time) in [("processor", report.cpu), ("shared device", report.shared)] {
            if let Some(time) = time {
                hover = format!(
                    "{hover}\n4,096 one-step draws on the {what}: {}",
                    format::duration(time)
                );
            }
        }
        if let Some(why) = report.pictures.as_ref().filter(|_| state.is_images()) {
            hover = format!("{hover}\n{why}");
        }
        if let Some(trouble) = &report.trouble {
            return (palette.error, trouble.clone(), hover);
        }
    }
    // Of what is shown: before, nothing has left the processor.
    let of_pictures = if state.is_studio() {
        let runs = state.images.studio.answer.as_ref();
        runs.map_or(Compute::Cpu, |runs| runs.compute)
    } else {
        let wall = state.images.view.drawn.as_ref();
        wall.map_or(Compute::Cpu, |wall| wall.compute)
    };
    let active = if state.is_images() {
        of_pictures
    } else {
        state.answers.active_compute()
    };
    match (adapter.is_software, active) {
        (false, Compute::Shared) => (
            palette.good,
            format!("one device: window and model on {place}"),
            hover,
        ),
        (false, Compute::Cpu) => (
            palette.text_quiet,
            format!("window on {place}; model on the processor"),
            hover,
        ),
        (true, Compute::Shared) => (
            palette.note,
            format!("software adapter: window and model on {place}"),
            hover,
        ),
        (true, Compute::Cpu) => (
            palette.note,
            format!("software adapter: window on {place}; model on the processor"),
            hover,
        ),
    }
}

/// Without what stands in brackets at the end.
fn shortened(name: &str) -> String {
    name.split(" (").next().unwrap_or(name).to_owned()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

fn drawing(state: &State, source: Source) -> String {
    let count = format::count(u64::from(state.session.draws));
    format!("{count} draws, {}", source.short())
}

fn activity(ui: &mut Ui, state: &State, palette: &Palette) {
    if !state.is_busy() {
        if !state.is_learning() {
            quiet(ui, "idle", palette);
        }
        return;
    }
    let keys = keys_of(ui.ctx(), Action::Cancel);
    let text = match state.answers.progress() {
        Some((slot, progress)) => {
            let mut text = match slot {
                Slot::Diversity => "curves".to_owned(),
                Slot::Draws => drawing(state, state.source()),
                Slot::Overlay => drawing(state, state.overlay().unwrap_or(state.source())),
                _ => progress.label.clone(),
            };
            if let Some(share) = progress.fraction {
                text = format!("{text}, {:.0} %", share * 100.0);
            }
            if let Some(left) = progress.left {
                text = format!("{text}, {}", format::left(left));
            }
            format!("{text} · {keys} cancels")
        }
        None => "busy".to_owned(),
    };
    ui.label(RichText::new(text).size(size::SMALL).color(palette.text));
}
