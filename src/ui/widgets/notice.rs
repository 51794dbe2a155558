//! A message where the person acted, with a way to put it away.

use eframe::egui::{self, CornerRadius, Margin, RichText, Stroke, Ui};

use crate::ui::state::{Notices, Place, Tone};
use crate::ui::tokens::{self, size};

/// Shows the message of a place, if there is one. Gives whether it did.
pub fn notice(ui: &mut Ui, notices: &mut Notices, place: Place) -> bool {
    let Some(notice) = notices.at(place) else {
        return false;
    };
    let palette = tokens::palette(ui);
    let color = match notice.tone {
        Tone::Error => palette.error,
        Tone::Note => palette.note,
        Tone::Done => palette.good,
    };
    let mut close = false;
    egui::Frame::new()
        .fill(tokens::faded(color, 0.10))
        .stroke(Stroke::new(1.0, tokens::faded(color, 0.45)))
        .corner_radius(CornerRadius::same(size::RADIUS))
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let room = ui.available_width() - 28.0;
                ui.allocate_ui_with_layout(
                    egui::vec2(room, 0.0),
                    egui::Layout::top_down(egui::Align::Min),
                    |ui| {
                        ui.set_width(room);
                        let text = RichText::new(&notice.text)
                            .size(size::SMALL)
                            .color(palette.text_strong);
                        ui.add(egui::Label::new(text).wrap().selectable(true));
                    },
                );
                close = close_button(ui, "Dismiss message");
            });
        });
    if close {
        notices.clear(place);
    }
    true
}

/// A small arrow that points in a direction.
pub fn arrow_button(ui: &mut Ui, toward: egui::Vec2, possible: bool, name: &str) -> bool {
    let sense = if possible {
        egui::Sense::click()
    } else {
        egui::Sense::hover()
    };
    let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(18.0), sense);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, possible, name));
    let palette = tokens::palette(ui);
    let color = if possible {
        ui.style().interact(&response).fg_stroke.color
    } else {
        tokens::faded(palette.text_faint, 0.5)
    };
    let painter = ui.painter();
    if response.has_focus() {
        let stroke = Stroke::new(1.5, palette.focus);
        let radius = CornerRadius::same(size::RADIUS);
        painter.rect_stroke(rect, radius, stroke, egui::StrokeKind::Inside);
    }
    let tip = rect.center() + toward * 3.0;
    for side in [-4.0, 4.0] {
        let end = tip - toward * 5.0 + toward.rot90() * side;
        painter.line_segment([tip, end], Stroke::new(1.4, color));
    }
    possible && response.on_hover_text(name).clicked()
}

/// A small cross.
pub fn close_button(ui: &mut Ui, name: &str) -> bool {
    let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(18.0), egui::Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
    let visuals = ui.style().interact(&response);
    let arm = egui::Vec2::splat(4.0);
    let flipped = egui::vec2(arm.x, -arm.y);
    let stroke = Stroke::new(1.4, visuals.fg_stroke.color);
    let painter = ui.painter();
    if response.has_focus() {
        painter.rect_stroke(
            rect,
            CornerRadius::same(size::RADIUS),
            Stroke::new(1.5, tokens::palette(ui).focus),
            egui::StrokeKind::Inside,
        );
    }
    painter.line_segment([rect.center() - arm, rect.center() + arm], stroke);
    painter.line_segment([rect.center() - flipped, rect.center() + flipped], stroke);
    response.on_hover_text(name).clicked()
}
