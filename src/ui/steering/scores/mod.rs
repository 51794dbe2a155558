//! To be written.

use eframe::egui::Ui;

use crate::ui::state::State;

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    let _ = (ui, state);
}
