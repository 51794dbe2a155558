//! The left panel: what is looked at, by which model, in which way.

mod draws;
mod lookahead;
mod model;
mod world;

use eframe::egui::{ScrollArea, Ui};

use super::state::State;

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            world::show(ui, state);
            model::show(ui, state);
            lookahead::show(ui, state);
            draws::show(ui, state);
        });
}
