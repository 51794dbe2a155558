//! What the runs at equal compute are: budgets, seeds, particles.

use eframe::egui::{self, Id, RichText, Ui};

use crate::steer::{Knob, SteerPlan};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::steering::scores::chips;
use crate::ui::tokens::{self, size};

use super::summary::names;

/// The budgets to choose from, evaluations a sample.
const BUDGETS: [u64; 8] = [50, 100, 200, 400, 1_000, 3_000, 10_000, 30_000];

/// What is chosen; kept by the window while it is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    budgets: [bool; BUDGETS.len()],
    seeds: u32,
    particles: u32,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            budgets: BUDGETS.map(|budget| (400..=10_000).contains(&budget)),
            seeds: 3,
            particles: 1024,
        }
    }
}

impl Choice {
    fn budgets(&self) -> Vec<u64> {
        let chosen = BUDGETS.iter().zip(self.budgets);
        chosen.filter(|(_, on)| *on).map(|(b, _)| *b).collect()
    }

    fn runs(&self, methods: usize) -> u64 {
        self.budgets().len() as u64 * u64::from(self.seeds) * methods as u64
    }
}

/// Shows the choices and the button that starts the runs, or calls them off.
pub fn show(ui: &mut Ui, state: &mut State) {
    let id = Id::unique("equal compute choices");
    let mut choice: Choice = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let running = state.is_budget_running();
    ui.add_enabled_ui(!running, |ui| {
        label(ui, "Budgets, evaluations a sample").on_hover_text(
            "An evaluation is a network call forward or backward, a reward or a reward gradient; every draw counts.",
        );
        budgets(ui, &mut choice);
        let seeds = [1, 2, 3, 4, 5].map(|n| (n, n.to_string()));
        let seeds = seeds.each_ref().map(|(n, text)| {
            let hover = "Error bars are standard errors over the seeds: one seed has none.";
            (*n, text.as_str(), hover)
        });
        beside(ui, "Seeds", &mut choice.seeds, &seeds);
        let particles = [256, 1024, 4096].map(|n| (n, format::count(u64::from(n))));
        let particles = particles.each_ref().map(|(n, text)| {
            let hover = "Samples of each run. More of them lower the floor.";
            (*n, text.as_str(), hover)
        });
        beside(ui, "Particles", &mut choice.particles, &particles);
    });
    ui.data_mut(|data| data.insert_temp(id, choice));
    ui.add_space(2.0);
    let plans = state.budget_plans(choice.particles);
    note(ui, &what_changes(&plans));
    ui.add_space(4.0);
    if running {
        progress(ui, state);
        return;
    }
    let runs = choice.runs(plans.len());
    // What a budget is too small or too large for is found when the runs begin.
    let text = format!("Start up to {} runs", format::count(runs));
    let start = ui.add_enabled(runs > 0, egui::Button::new(text));
    let start = start
        .on_disabled_hover_text("Choose at least one budget.")
        .on_hover_text("A method that cannot spend a budget is left out there, and named.");
    if start.clicked() {
        state.start_budget(choice.budgets(), choice.seeds, choice.particles);
    }
}

fn label(ui: &mut Ui, text: &str) -> egui::Response {
    let quiet = tokens::palette(ui).text_quiet;
    ui.label(RichText::new(text).size(size::SMALL).color(quiet))
}

/// A name with its choices on one row.
fn beside(ui: &mut Ui, name: &str, chosen: &mut u32, choices: &[(u32, &str, &str)]) {
    ui.horizontal(|ui| {
        let quiet = tokens::palette(ui).text_quiet;
        let text = RichText::new(name).size(size::SMALL).color(quiet);
        let room = egui::vec2(62.0, size::CONTROL);
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        ui.allocate_ui_with_layout(room, layout, |ui| {
            ui.set_min_width(room.x);
            ui.label(text);
        });
        chips(ui, chosen, choices);
    });
}

fn note(ui: &mut Ui, text: &str) {
    let faint = tokens::palette(ui).text_faint;
    let text = RichText::new(text).size(size::TICK).color(faint);
    ui.add(egui::Label::new(text).wrap());
}

fn budgets(ui: &mut Ui, choice: &mut Choice) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
        ui.spacing_mut().button_padding = egui::vec2(6.0, 2.0);
        ui.spacing_mut().interact_size.y = 22.0;
        for (budget, on) in BUDGETS.iter().zip(&mut choice.budgets) {
            let text = RichText::new(format::count(*budget)).size(size::SMALL);
            if ui.add(egui::Button::selectable(*on, text)).clicked() {
                *on ^= true;
            }
        }
    });
}

/// In words, which option of which method the budget decides.
fn what_changes(plans: &[SteerPlan]) -> String {
    let names = names(plans);
    let of = |knob: Knob| -> Vec<&str> {
        plans
            .iter()
            .zip(&names)
            .filter(|(plan, _)| Knob::of(plan.method) == knob)
            .map(|(_, name)| name.as_str())
            .collect()
    };
    let (draws, steps) = (of(Knob::Draws), of(Knob::Steps));
    let mut text = String::from("The budget sets ");
    if !draws.is_empty() {
        text = format!("{text}the draws of {}", draws.join(", "));
    }
    if !steps.is_empty() {
        let and = if draws.is_empty() { "" } else { " and " };
        text = format!("{text}{and}the steps of {}", steps.join(", "));
    }
    format!("{text}. The rest is as in the panels.")
}

fn progress(ui: &mut Ui, state: &mut State) {
    let quiet = tokens::palette(ui).text_quiet;
    let progress = state.budget_progress().cloned();
    ui.horizontal(|ui| {
        let fraction = progress.as_ref().and_then(|p| p.fraction).unwrap_or(0.0);
        let room = (ui.available_width() - 80.0).max(60.0);
        ui.add(
            egui::ProgressBar::new(fraction)
                .desired_width(room)
                .desired_height(6.0),
        );
        if ui.button("Cancel").clicked() {
            state.cancel_budget();
        }
    });
    let text = match progress {
        Some(progress) => {
            let left = progress
                .left
                .map(|left| format!(", {}", format::left(left)));
            format!("{}{}", progress.label, left.unwrap_or_default())
        }
        None => "Waiting for the engine".to_owned(),
    };
    ui.label(RichText::new(text).size(size::SMALL).color(quiet));
}
