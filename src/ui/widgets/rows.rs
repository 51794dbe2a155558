//! Headings and rows of the side panels.

use eframe::egui::{
    self, Align, Label, Layout, Response, RichText, Sense, Slider, Ui, WidgetInfo, WidgetText,
};

use crate::ui::tokens::{self, size, space};

/// A section's quiet heading, then its content.
pub fn section<R>(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    section_with(ui, title, |_| {}, content)
}

/// A section with something at the right end of its heading.
pub fn section_with<R>(
    ui: &mut Ui,
    title: &str,
    right: impl FnOnce(&mut Ui),
    content: impl FnOnce(&mut Ui) -> R,
) -> R {
    let quiet = tokens::palette(ui).text_quiet;
    let height = size::SMALL + 6.0;
    ui.allocate_ui_with_layout(
        egui::vec2(ui.available_width(), height),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.set_min_height(height);
            ui.label(RichText::new(title).size(size::SMALL).color(quiet));
            ui.with_layout(Layout::right_to_left(Align::Center), right);
        },
    );
    ui.add_space(space::HEADING - space::ROW + 2.0);
    let result = ui.push_id(title, content).inner;
    ui.add_space(space::SECTION);
    result
}

/// Text that acts when clicked.
pub fn link(ui: &mut Ui, text: &str) -> Response {
    let color = tokens::palette(ui).learned;
    let text = RichText::new(text).size(size::SMALL).color(color);
    ui.add(
        egui::Button::new(text)
            .frame(false)
            .min_size(egui::vec2(0.0, 18.0)),
    )
    .on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// A shortcut's keys, faint, at the right end of a row.
pub fn key_hint(ui: &mut Ui, keys: &str) {
    let faint = tokens::palette(ui).text_faint;
    ui.label(RichText::new(keys).size(size::TICK).color(faint));
}

/// One choice of several, with its key at the right.
pub fn radio_row(ui: &mut Ui, selected: bool, enabled: bool, text: &str, keys: &str) -> Response {
    row(
        ui,
        |ui| ui.add_enabled(enabled, egui::RadioButton::new(selected, text)),
        keys,
    )
}

/// Something that is on or off, with its key at the right.
pub fn check_row(ui: &mut Ui, on: &mut bool, text: &str, keys: &str) -> Response {
    row(ui, |ui| ui.checkbox(on, text), keys)
}

fn row(ui: &mut Ui, main: impl FnOnce(&mut Ui) -> Response, keys: &str) -> Response {
    ui.allocate_ui_with_layout(
        egui::vec2(ui.available_width(), size::CONTROL - 2.0),
        Layout::left_to_right(Align::Center),
        |ui| {
            let response = main(ui);
            if !keys.is_empty() {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    key_hint(ui, keys)
                });
            }
            response
        },
    )
    .inner
}

/// A name at the left, a value at the right.
pub fn value_row(ui: &mut Ui, name: &str, value: impl Into<WidgetText>) {
    let palette = tokens::palette(ui);
    ui.horizontal_top(|ui| {
        let name = RichText::new(name)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.allocate_ui_with_layout(
            egui::vec2(96.0, size::SMALL + 5.0),
            Layout::left_to_right(Align::Min),
            |ui| {
                ui.set_min_width(96.0);
                ui.label(name);
            },
        );
        let value: WidgetText = value.into();
        ui.add(
            Label::new(value)
                .wrap()
                .selectable(true)
                .sense(Sense::hover()),
        );
    });
}

/// A slider across the row with its value at the right; keeps the arrow keys while it has the focus.
pub fn slider_row(
    ui: &mut Ui,
    name: &str,
    slider: Slider<'_>,
    value: &str,
    arrows_taken: &mut bool,
) -> Response {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        let value_width = 44.0;
        ui.spacing_mut().slider_width =
            (ui.available_width() - value_width - space::ITEM).max(40.0);
        let response = ui.add(slider.show_value(false));
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(egui::Role::Slider, ui.is_enabled(), name);
            info.current_text_value = Some(value.to_owned());
            info
        });
        if response.has_focus() {
            *arrows_taken = true;
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(value).size(size::SMALL).color(palette.text));
        });
        response
    })
    .inner
}
