//! An exported picture was dropped on the window: whether it is looked into, restored, or noised.

use eframe::egui::{self, Align2, Context, Label, RichText, vec2};

use crate::ui::state::{State, file_name};
use crate::ui::tokens::{self, space};

use super::details;

/// Asks, while a picture waits for an answer.
pub fn show(ctx: &Context, state: &mut State) {
    let Some(dropped) = &state.images.dropped else {
        return;
    };
    let name = file_name(&dropped.path);
    let (settings, inspected) = (dropped.settings.clone(), dropped.inspected);
    let (mut open, mut inspect, mut restore, mut noise) = (true, false, false, false);
    egui::Window::new("A picture with its settings")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, vec2(0.0, 0.0))
        .order(egui::Order::Foreground)
        .show(ctx, |ui| {
            ui.set_width(400.0);
            let palette = tokens::palette(ui);
            let is_steered = settings.made.steered().is_some();
            let what = if is_steered { "its run" } else { "its wall" };
            let question = if inspected {
                format!("Bring back {what}?")
            } else {
                format!("Look into it, or bring back {what}?")
            };
            let text = format!("{name} says how it was made. {question}");
            ui.add(Label::new(RichText::new(text).color(palette.text)).wrap());
            if inspected {
                ui.add_space(6.0);
                details::settings(ui, state, settings.label.as_deref(), Some(&settings.made));
            }
            ui.add_space(space::HEADING);
            ui.horizontal(|ui| {
                if !inspected {
                    inspect = ui.button("Inspect").clicked();
                }
                restore = ui
                    .button("Restore")
                    .on_hover_text(
                        "The wall or the run as it was. Undo brings back what is there now",
                    )
                    .clicked();
                noise = ui
                    .button("Noise the picture")
                    .on_hover_text("Takes the picture alone, as one from any file")
                    .clicked();
            });
        });
    if inspect && let Some(dropped) = &mut state.images.dropped {
        dropped.inspected = true;
        // It has grown: the next frame puts it into the middle again.
        ctx.request_repaint();
    }
    if restore {
        state.restore_dropped();
    } else if noise {
        state.noise_dropped();
    } else if !open {
        state.images.dropped = None;
    }
}
