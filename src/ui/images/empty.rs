//! Before there is a map of pictures: what to open, or how to train one.

use eframe::egui::{Align, Label, Layout, RichText, Ui, UiBuilder, vec2};

use crate::ui::errands::Pick;
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{notice, spinner};

const TRAIN: &str = "foresight train --images digits --data DIR --out digits.safetensors";

/// Shows it in the middle.
pub fn show(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let area = ui.available_rect_before_wrap();
    let width = area.width().min(460.0);
    let middle = eframe::egui::Rect::from_center_size(area.center(), vec2(width, 226.0));
    let builder = UiBuilder::new()
        .max_rect(middle)
        .layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        if let Some(label) = state.images.loading_label() {
            ui.add_space(60.0);
            spinner(ui, 22.0);
            ui.label(RichText::new(label).color(palette.text_quiet));
            return;
        }
        notice(ui, &mut state.notices, Place::Images);
        ui.label(
            RichText::new("No map of pictures is open")
                .font(tokens::heading_font())
                .color(palette.text_strong),
        );
        ui.add_space(6.0);
        let text = "Open a .safetensors file that foresight train --images wrote, or drop it here. To train one on digits";
        ui.add(Label::new(RichText::new(text).color(palette.text_quiet)).wrap());
        ui.add_space(4.0);
        let command = RichText::new(TRAIN)
            .monospace()
            .size(size::MONO)
            .color(palette.text);
        ui.add(Label::new(command).selectable(true).wrap());
        ui.add_space(14.0);
        if ui.button("Open map…").clicked() {
            state.pick(Pick::Checkpoint);
        }
        ui.add_space(6.0);
        // Also where opening it was called off.
        if ui.button("Open the shipped map").clicked() {
            state.use_shipped_images();
        }
    });
    ui.advance_cursor_after_rect(area);
}
