//! All shortcuts, from the table that also makes them work.

use eframe::egui::{self, Align2, Context, Grid, Margin, RichText, Ui};

use super::shortcuts::{GESTURES, Group, SHORTCUTS, written};
use super::state::State;
use super::tokens::{self, size};

/// Shows the shortcuts while [`State::help_open`].
pub fn show(ctx: &Context, state: &mut State) {
    if !state.help_open {
        return;
    }
    let mut open = true;
    egui::Window::new("Keyboard and pointer")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, egui::Vec2::ZERO)
        .order(egui::Order::Foreground)
        .max_height(ctx.content_rect().height() - 96.0)
        .vscroll(true)
        .show(ctx, |ui| {
            egui::Frame::new()
                .inner_margin(Margin {
                    left: 4,
                    right: 16,
                    top: 8,
                    bottom: 4,
                })
                .show(ui, content);
        });
    state.help_open = open;
}

fn content(ui: &mut Ui) {
    ui.horizontal_top(|ui| {
        ui.vertical(|ui| {
            group(ui, Group::Time);
            group(ui, Group::Canvas);
        });
        ui.add_space(40.0);
        ui.vertical(|ui| {
            group(ui, Group::Draws);
            group(ui, Group::Program);
        });
    });
    heading(ui, "Pointer");
    Grid::new("gestures")
        .num_columns(2)
        .spacing([24.0, 7.0])
        .show(ui, |ui| {
            for (gesture, does) in GESTURES {
                keys(ui, gesture);
                ui.label(*does);
                ui.end_row();
            }
        });
    ui.add_space(10.0);
    let faint = tokens::palette(ui).text_faint;
    ui.label(
        RichText::new("Tab walks through every control. Esc closes this or cancels what runs; it never quits.")
            .size(size::SMALL)
            .color(faint),
    );
}

fn heading(ui: &mut Ui, title: &str) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.add_space(10.0);
    ui.label(RichText::new(title).size(size::SMALL).color(quiet));
    ui.add_space(2.0);
}

fn keys(ui: &mut Ui, text: &str) {
    let strong = tokens::palette(ui).text_strong;
    ui.label(
        RichText::new(text)
            .font(tokens::strong_font())
            .color(strong),
    );
}

fn group(ui: &mut Ui, group: Group) {
    heading(ui, group.title());
    let ctx = ui.ctx().clone();
    Grid::new(group.title())
        .num_columns(2)
        .spacing([24.0, 7.0])
        .show(ui, |ui| {
            for shortcut in SHORTCUTS.iter().filter(|s| s.group == group) {
                let names: Vec<String> = shortcut.keys.iter().map(|k| written(&ctx, k)).collect();
                keys(ui, &names.join("  or  "));
                ui.label(shortcut.does);
                ui.end_row();
            }
        });
}
