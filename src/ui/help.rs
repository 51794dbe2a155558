//! All shortcuts, from the table that also makes them work.

use eframe::egui::{
    self, Align, Align2, Context, Layout, Margin, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2,
};

use super::shortcuts::{GESTURES, Group, SHORTCUTS, written};
use super::state::State;
use super::tokens::{self, size};

const COLUMN: f32 = 400.0;
const KEYS: f32 = 150.0;
const ROW: f32 = 21.0;
/// Of everything in two columns.
const HEIGHT: f32 = 745.0;
const GUTTER: f32 = 28.0;

/// Shows the shortcuts while [`State::help_open`].
pub fn show(ctx: &Context, state: &mut State) {
    if !state.help_open {
        return;
    }
    let mut open = true;
    let room = ctx.content_rect().size() - vec2(80.0, 120.0);
    let wide = room.x > 2.0 * COLUMN + GUTTER;
    let window = egui::Window::new("Keyboard and pointer")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .order(egui::Order::Foreground);
    let window = if wide && room.y > HEIGHT {
        window.auto_sized()
    } else {
        window
            .vscroll(true)
            .default_height(room.y)
            .max_height(room.y)
    };
    window.show(ctx, |ui| {
        let margin = Margin {
            left: 8,
            right: 20,
            top: 0,
            bottom: 4,
        };
        egui::Frame::new()
            .inner_margin(margin)
            .show(ui, |ui| content(ui, wide));
    });
    state.help_open = open;
}

fn content(ui: &mut Ui, wide: bool) {
    ui.spacing_mut().item_spacing = vec2(0.0, 1.0);
    if wide {
        ui.horizontal_top(|ui| {
            column(
                ui,
                &[Group::Time, Group::Canvas, Group::Steering, Group::Training],
            );
            ui.add_space(GUTTER);
            column(ui, &[Group::Draws, Group::Images, Group::Program]);
        });
    } else {
        column(
            ui,
            &[
                Group::Time,
                Group::Draws,
                Group::Canvas,
                Group::Steering,
                Group::Training,
                Group::Images,
                Group::Program,
            ],
        );
    }
    let width = if wide { 2.0 * COLUMN + GUTTER } else { COLUMN };
    heading(ui, "Pointer");
    for (gesture, does) in GESTURES {
        row(ui, width, gesture, does);
    }
    ui.add_space(10.0);
    let faint = tokens::palette(ui).text_faint;
    let text =
        "Tab walks through every control. Esc closes this or cancels what runs; it never quits.";
    ui.label(RichText::new(text).size(size::SMALL).color(faint));
}

fn heading(ui: &mut Ui, title: &str) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.add_space(12.0);
    ui.label(RichText::new(title).size(size::SMALL).color(quiet));
    ui.add_space(3.0);
}

fn column(ui: &mut Ui, groups: &[Group]) {
    let ctx = ui.ctx().clone();
    ui.allocate_ui_with_layout(vec2(COLUMN, 0.0), Layout::top_down(Align::Min), |ui| {
        ui.set_width(COLUMN);
        for group in groups {
            heading(ui, group.title());
            for shortcut in SHORTCUTS.iter().filter(|s| s.group == *group) {
                let keys: Vec<String> = shortcut.keys.iter().map(|k| written(&ctx, *k)).collect();
                row(ui, COLUMN, &keys.join(", "), shortcut.does);
            }
        }
    });
}

fn row(ui: &mut Ui, width: f32, keys: &str, does: &str) {
    let palette = tokens::palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{keys}: {does}")));
    let painter = ui.painter();
    let left = rect.left_center();
    painter.text(
        left,
        Align2::LEFT_CENTER,
        keys,
        tokens::strong_font(),
        palette.text_strong,
    );
    let place = pos2(rect.left() + KEYS, rect.center().y);
    // Never over the column beside it.
    let mut font = tokens::body_font();
    let mut galley = painter.layout_no_wrap(does.to_owned(), font.clone(), palette.text);
    let room = width - KEYS;
    if galley.size().x > room {
        font.size *= room / galley.size().x;
        galley = painter.layout_no_wrap(does.to_owned(), font, palette.text);
    }
    let place = Align2::LEFT_CENTER.anchor_size(place, galley.size());
    painter.galley(place.min, galley, palette.text);
}
