//! Rows of the options.

use std::ops::RangeInclusive;

use eframe::egui::{self, Align, DragValue, Layout, Response, RichText, Ui, WidgetInfo, vec2};

use crate::ui::tokens::{self, size};

/// Width of the names.
const NAMES: f32 = 122.0;

/// A name, and what stands beside it; both say more on hovering.
pub fn row(ui: &mut Ui, name: &str, hover: &str, content: impl FnOnce(&mut Ui)) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.horizontal(|ui| {
        let text = RichText::new(name).size(size::SMALL).color(quiet);
        let label = ui
            .allocate_ui_with_layout(
                vec2(NAMES, 22.0),
                Layout::left_to_right(Align::Center),
                |ui| {
                    ui.set_min_width(NAMES);
                    ui.add(egui::Label::new(text).sense(egui::Sense::hover()))
                },
            )
            .inner;
        label.on_hover_text(hover);
        ui.horizontal_wrapped(content).response.on_hover_text(hover);
    });
}

/// A number to drag or type.
pub fn number<N: egui::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    hover: &str,
    value: &mut N,
    range: RangeInclusive<N>,
    speed: f64,
) {
    row(ui, name, hover, |ui| {
        let response = ui.add(
            DragValue::new(value)
                .range(range)
                .speed(speed)
                .max_decimals(4),
        );
        named(&response, name, value.to_f64());
    });
}

/// Tells assistive technology what a number is.
pub fn named(response: &Response, name: &str, value: f64) {
    response.widget_info(|| {
        let mut info = WidgetInfo::drag_value(true, value);
        info.label = Some(name.to_owned());
        info
    });
}

/// One of several, each a word. Gives whether it changed.
pub fn choice<T: PartialEq + Copy>(
    ui: &mut Ui,
    value: &mut T,
    options: &[(T, &str, &str)],
) -> bool {
    let before = *value;
    for (option, name, hover) in options {
        let text = RichText::new(*name).size(size::SMALL);
        let mut response = ui.selectable_label(*value == *option, text);
        if !hover.is_empty() {
            response = response.on_hover_text(*hover);
        }
        if response.clicked() {
            *value = *option;
        }
    }
    *value != before
}
