//! What the draws say, beside what is true.

mod curves;
mod figures;
mod modes;
pub(in crate::ui) mod names;
mod plot;

use eframe::egui::{RichText, ScrollArea, Ui};

use crate::engine::Slot;

use super::format;
use super::state::{Place, State};
use super::tokens::{self, size, space};
use super::widgets;

/// Shows the panel below its heading.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            widgets::notice(ui, &mut state.notices, Place::Diversity);
            let modes = state.world.mixture.modes().len();
            match state.answers.main.stats.clone() {
                Some(stats) if stats.occupancy.len() == modes => {
                    modes::show(ui, state, &stats);
                    figures::show(ui, state, &stats);
                }
                _ => waiting(ui, "The figures come with the first draws."),
            }
            progress(ui, state);
            match state.answers.diversity.clone() {
                Some(answer) if answer.points.len() > 1 => {
                    ui.scope(|ui| {
                        if !state.are_current(&answer.request) {
                            // Of before: new ones are on their way.
                            ui.multiply_opacity(0.5);
                        }
                        curves::show(ui, state, &answer);
                    });
                }
                _ => waiting(ui, "The curves against t are on their way."),
            }
            ui.add_space(space::ROW);
        });
}

fn waiting(ui: &mut Ui, text: &str) {
    let faint = tokens::palette(ui).text_faint;
    ui.label(RichText::new(text).size(size::SMALL).color(faint));
    ui.add_space(space::SECTION);
}

/// Curves that are still computed, or were cancelled.
fn progress(ui: &mut Ui, state: &mut State) {
    let quiet = tokens::palette(ui).text_quiet;
    if state.answers.diversity_cancelled {
        ui.horizontal(|ui| {
            ui.label(
                RichText::new("Curves cancelled.")
                    .size(size::SMALL)
                    .color(quiet),
            );
            if widgets::link(ui, "compute them").clicked() {
                state.ask_curves_again();
            }
        });
        return;
    }
    let Some(progress) = state.answers.progress_of(Slot::Diversity) else {
        return;
    };
    let share = progress.fraction.unwrap_or(0.0);
    let mut text = format!("curves, {:.0} %", share * 100.0);
    if let Some(left) = progress.left {
        text = format!("{text}, {}", format::left(left));
    }
    ui.label(RichText::new(text).size(size::SMALL).color(quiet));
}
