//! The left panel: what is looked at, by which model, in which way.

mod draws;
mod lookahead;
mod model;
mod world;

use eframe::egui::{ScrollArea, Ui};

use super::state::State;
use super::tokens::space;

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            if !(state.is_train() && state.learns_pictures()) {
                world::show(ui, state);
            }
            if state.is_steering() {
                super::steering::side::show(ui, state);
                model::show(ui, state);
                return;
            }
            if state.is_train() {
                super::training::side::show(ui, state);
                return;
            }
            model::show(ui, state);
            lookahead::show(ui, state);
            draws::show(ui, state);
        });
}
