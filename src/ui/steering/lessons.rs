//! To be written.

use eframe::egui::Ui;

use crate::ui::state::State;

/// The items of the menu "Lessons".
pub fn menu(ui: &mut Ui, state: &mut State) {
    let _ = (ui, state);
}

/// What the open session's lesson says, above the panels; nothing without a lesson.
pub fn banner(ui: &mut Ui, state: &mut State) {
    let _ = (ui, state);
}
