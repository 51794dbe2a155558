//! Ways to files: one picture, a sheet, a scrub, a steered run, arrays.

use eframe::egui::{
    Button, PopupCloseBehavior, RichText, Ui,
    containers::menu::{MenuButton, MenuConfig},
};

use crate::session::Middle;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::check_row;

/// Width of the menu.
const WIDTH: f32 = 290.0;
/// Enlargements that are offered.
const SCALES: [u32; 4] = [1, 4, 8, 16];

/// The menu of the row above the middle.
pub fn menu(ui: &mut Ui, state: &mut State) {
    let button = Button::new(RichText::new("Export").size(size::SMALL)).frame_when_inactive(false);
    // The options below the ways are set before one of them is taken.
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let menu = MenuButton::from_button(button).config(config);
    menu.ui(ui, |ui| items(ui, state));
}

fn items(ui: &mut Ui, state: &mut State) {
    ui.set_width(WIDTH);
    let in_gallery = state.session.images.middle == Middle::Gallery;
    if in_gallery {
        let entry = state.gallery_entry().map(|(_, kept)| kept.clone());
        if item(ui, entry.is_some(), "Selected picture…", "png")
            && let Some(kept) = entry
        {
            state.export_picture(kept);
        }
        let shown = state.session.images.gallery();
        if item(ui, !shown.is_empty(), "Gallery as contact sheet…", "png") {
            state.export_gallery_sheet(&shown);
        }
    } else if state.session.images.middle == Middle::Studio {
        let shown = state.images.studio.answer.is_some();
        if item(ui, shown, "Selected picture…", "png") {
            state.export_steered();
        }
        if item(ui, shown, "Pictures as contact sheet…", "png") {
            state.export_studio_sheet();
        }
        if item(ui, shown, "Steering, step by step…", "gif, png") {
            state.export_steering(false);
        }
        let text = "Steering of the selected picture…";
        if item(ui, shown, text, "gif, png") {
            state.export_steering(true);
        }
    } else {
        let selected = state.session.images.selected;
        let drawn = state.images.view.drawn.is_some();
        if item(ui, selected.is_some(), "Selected picture…", "png") {
            state.export_selected();
        }
        if item(ui, drawn, "Wall as contact sheet…", "png") {
            state.export_wall_sheet();
        }
        if item(ui, drawn, "Scrub of the wall…", "gif, png") {
            state.export_scrub(None);
        }
        if item(
            ui,
            selected.is_some(),
            "Scrub of the selected picture…",
            "gif, png",
        ) {
            state.export_scrub(selected);
        }
        if item(ui, drawn, "Wall as arrays…", "npz, safetensors") {
            state.export_arrays();
        }
    }
    ui.separator();
    let options = &mut state.images.exports.options;
    check_row(
        ui,
        &mut options.settings,
        "With the settings that make it again",
        "",
    )
    .on_hover_text("In the file of one picture, as text. Without them it is a plain picture.");
    ui.horizontal(|ui| {
        let quiet = tokens::palette(ui).text_quiet;
        ui.label(
            RichText::new("one picture enlarged")
                .size(size::SMALL)
                .color(quiet),
        );
        for scale in SCALES {
            let text = RichText::new(format!("{scale}×")).size(size::SMALL);
            if ui.selectable_label(options.scale == scale, text).clicked() {
                options.scale = scale;
            }
        }
    });
}

fn item(ui: &mut Ui, possible: bool, text: &str, endings: &str) -> bool {
    let faint = tokens::palette(ui).text_faint;
    let right = RichText::new(endings).size(size::TICK).color(faint);
    let clicked = ui
        .add_enabled(possible, Button::new(text).right_text(right))
        .clicked();
    if clicked {
        ui.close();
    }
    clicked
}
