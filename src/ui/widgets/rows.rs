//! Headings and rows of the side panels.

use std::time::Duration;

use eframe::egui::{
    self, Align, Label, Layout, Response, RichText, Sense, TextStyle, TextWrapMode, Ui, WidgetText,
    vec2,
};

use crate::ui::tokens::{self, duration, size, space};

use super::{Slid, slider};

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
        vec2(ui.available_width(), height),
        Layout::left_to_right(Align::Center),
        |ui| {
            ui.set_min_height(height);
            ui.label(RichText::new(title).size(size::SMALL).color(quiet));
            ui.with_layout(Layout::right_to_left(Align::Center), right);
        },
    );
    let result = ui.push_id(title, content).inner;
    ui.add_space(space::SECTION);
    result
}

/// The heading of a panel that can be dragged by it, with something at its right end. The response is the grip's.
pub fn panel_header(
    ui: &mut Ui,
    title: &str,
    height: f32,
    right: impl FnOnce(&mut Ui),
) -> Response {
    ui.horizontal(|ui| {
        ui.set_min_height(height);
        let text = RichText::new(title)
            .font(tokens::heading_font())
            .color(tokens::palette(ui).text_strong);
        let heading = ui.add(Label::new(text).selectable(false));
        let end = ui.available_rect_before_wrap().right() - 10.0;
        let area = egui::Rect::from_min_max(heading.rect.min, egui::pos2(end, heading.rect.max.y));
        let grip = ui.interact(area, ui.scope_id().with("grip"), Sense::drag());
        ui.with_layout(Layout::right_to_left(Align::Center), right);
        grip
    })
    .inner
}

/// Text that acts when clicked.
pub fn link(ui: &mut Ui, text: &str) -> Response {
    let color = tokens::palette(ui).learned;
    let text = RichText::new(text).size(size::SMALL).color(color);
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = size::SMALL + 4.0;
        // Where several stand in a row one goes to the next line, never a part of it.
        let button = egui::Button::new(text).frame(false);
        ui.add(button.wrap_mode(TextWrapMode::Extend))
            .on_hover_cursor(egui::CursorIcon::PointingHand)
    })
    .inner
}

/// A [`link`] that copies what `what` gives, and says so for a while.
pub fn copy_link(ui: &mut Ui, text: &str, what: impl FnOnce() -> String) {
    let id = ui.scope_id().with(text);
    let now = ui.input(|i| i.time);
    let copied: Option<f64> = ui.data(|data| data.get_temp(id));
    let left = copied.map(|at| at + duration::COPIED.as_secs_f64() - now);
    if let Some(left) = left.filter(|left| *left > 0.0) {
        ui.ctx()
            .request_repaint_after(Duration::from_secs_f64(left));
        let quiet = tokens::palette(ui).text_quiet;
        ui.label(RichText::new("Copied").size(size::SMALL).color(quiet));
    } else if link(ui, text).clicked() {
        ui.ctx().copy_text(what());
        ui.data_mut(|data| data.insert_temp(id, now));
        ui.ctx().request_repaint();
    }
}

/// A shortcut's keys, faint, at the right end of a row.
pub fn key_hint(ui: &mut Ui, keys: &str) {
    let faint = tokens::palette(ui).text_faint;
    ui.label(RichText::new(keys).size(size::TICK).color(faint));
}

/// Width of the names beside values.
const NAMES: f32 = 104.0;

/// A name at the left, a value at the right. A value that does not fit beside the names of other rows begins further
/// left; one for which a whole row is too narrow is wrapped.
pub fn value_row(ui: &mut Ui, name: &str, value: impl Into<WidgetText>) {
    let palette = tokens::palette(ui);
    let value: WidgetText = value.into();
    ui.horizontal_top(|ui| {
        let name = RichText::new(name)
            .size(size::SMALL)
            .color(palette.text_quiet);
        let width = |ui: &Ui, text: WidgetText| {
            let galley = text.into_galley(
                ui,
                Some(TextWrapMode::Extend),
                f32::INFINITY,
                TextStyle::Body,
            );
            galley.size().x.ceil()
        };
        let room = ui.available_width() - ui.spacing().item_spacing.x;
        let left = room - width(ui, value.clone());
        let least = width(ui, name.clone().into());
        let names = if left >= least {
            NAMES.min(left).max(least)
        } else {
            NAMES
        };
        ui.allocate_ui_with_layout(
            vec2(names, size::SMALL + 5.0),
            Layout::left_to_right(Align::Min),
            |ui| {
                ui.set_min_width(names);
                ui.label(name);
            },
        );
        ui.add(
            Label::new(value)
                .wrap()
                .selectable(true)
                .sense(Sense::hover()),
        );
    });
}

/// A slider across the row with its value at the right.
pub fn slider_row(
    ui: &mut Ui,
    name: &str,
    value: &str,
    position: f64,
    arrows_taken: &mut bool,
) -> (Response, Option<Slid>) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        let room = (ui.available_width() - 52.0).max(40.0);
        let answer = ui
            .allocate_ui(vec2(room, 20.0), |ui| {
                ui.set_width(room);
                slider(ui, name, value, position, arrows_taken)
            })
            .inner;
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(value).size(size::SMALL).color(palette.text));
        });
        answer
    })
    .inner
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    use super::*;

    #[test]
    fn a_value_stays_on_one_line_while_the_row_is_wide_enough() {
        let rows = [
            ("mean", "\u{2212}20.16 ± 5.96"),
            ("typical", "\u{2212}11.9\u{2009}→\u{2009}\u{2212}12.1"),
            ("made as", "steered picture 10"),
            ("seed of the draws", "1234567890"),
        ];
        // As wide as the side panels are at first.
        let mut is_installed = false;
        let show = move |ui: &mut Ui| {
            if !std::mem::replace(&mut is_installed, true) {
                // The fonts are there from the next frame on.
                tokens::install(ui.ctx());
                ui.ctx().request_repaint();
                return;
            }
            ui.set_width(size::SIDE - 40.0);
            for (name, value) in rows {
                value_row(ui, name, value);
            }
            value_row(
                ui,
                "path",
                "a name that is far too long for any row ".repeat(4),
            );
        };
        let mut window = Harness::new_ui(show);
        window.run();
        for (_, value) in rows {
            let height = window.get_by_label(value).rect().height();
            assert!(height < 1.5 * size::BODY, "{value}: {height}");
        }
        let long = window.get_by_label_contains("far too long").rect();
        assert!(long.height() > 3.0 * size::BODY, "it is wrapped");
    }
}
