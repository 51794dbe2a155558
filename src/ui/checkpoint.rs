//! The card of the loaded checkpoint: what the file says, and what was found in it.

use eframe::egui::{RichText, ScrollArea, Ui};

use crate::checkpoint::Architecture;
use crate::engine::LoadedModel;

use super::errands::Pick;
use super::format;
use super::state::State;
use super::tokens::{self, size, space};
use super::widgets::{link, section, section_with, value_row};

/// Shows the card.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            if let Some(model) = state.model.current.clone() {
                card(ui, state, &model);
            } else {
                let quiet = tokens::palette(ui).text_quiet;
                ui.label(RichText::new("No checkpoint is loaded for this world.").color(quiet));
                ui.add_space(space::SECTION);
            }
            section(ui, "Open another", |ui| {
                if ui.button("Open checkpoint…").clicked() {
                    state.pick(Pick::Checkpoint);
                }
                let quiet = tokens::palette(ui).text_faint;
                ui.label(
                    RichText::new("or drop a .safetensors file on the window")
                        .size(size::SMALL)
                        .color(quiet),
                );
                recent(ui, state);
            });
        });
}

fn card(ui: &mut Ui, state: &State, model: &LoadedModel) {
    let checkpoint = &model.checkpoint;
    let card = &checkpoint.card;
    let palette = tokens::palette(ui);
    let copy = |ui: &mut Ui| {
        if link(ui, "copy hash")
            .on_hover_text(&checkpoint.hash)
            .clicked()
        {
            ui.ctx().copy_text(checkpoint.hash.clone());
        }
    };
    section_with(ui, "File", copy, |ui| {
        ui.label(
            RichText::new(&model.name)
                .font(tokens::strong_font())
                .color(palette.text_strong),
        );
        match &model.path {
            Some(path) => value_row(ui, "path", path.display().to_string()),
            None => value_row(ui, "path", "shipped with the program"),
        }
        value_row(ui, "size", format::bytes(checkpoint.bytes));
        let hash = format!("{}…", first(&checkpoint.hash, 16));
        value_row(ui, "sha256", RichText::new(hash).monospace());
    });
    section(ui, "World it was trained on", |ui| {
        value_row(
            ui,
            "name",
            format!("{} ({})", card.world.title, card.world.name),
        );
        let modes = card.world.mixture.modes().len();
        value_row(ui, "modes", format::count(modes as u64));
        value_row(
            ui,
            "fingerprint",
            RichText::new(first(&state.model.trained_on, 16)).monospace(),
        );
        if state.model.trained_on == state.fingerprint {
            value_row(
                ui,
                "shown",
                RichText::new("the same world").color(palette.good),
            );
        } else {
            value_row(
                ui,
                "shown",
                RichText::new("another world").color(palette.note),
            );
        }
    });
    section(ui, "Network", |ui| {
        match &card.architecture {
            Architecture::Mlp(config) => {
                value_row(ui, "architecture", "MLP, Meta Flow Map in 2D");
                value_row(
                    ui,
                    "layers",
                    format!("{} hidden of {}", config.layers, config.hidden),
                );
            }
        }
        value_row(ui, "weights", format::count(checkpoint.parameters as u64));
        value_row(ui, "numbers", checkpoint.dtype.clone());
    });
    section(ui, "Training", |ui| {
        for (name, text) in [
            ("steps", format::count(card.steps)),
            ("seed", card.seed.to_string()),
            ("code version", card.code_version.clone()),
        ] {
            value_row(ui, name, RichText::new(text).size(size::SMALL));
        }
        recipe(ui, "", &card.recipe);
    });
}

/// Field by field where it is a table, the inner ones as `outer inner`; else as it is.
fn recipe(ui: &mut Ui, prefix: &str, recipe: &serde_json::Value) {
    let Some(fields) = recipe.as_object() else {
        if !recipe.is_null() {
            value_row(ui, "recipe", recipe.to_string());
        }
        return;
    };
    for (name, value) in fields {
        let name = format!("{prefix}{}", name.replace('_', " "));
        let text = match value {
            serde_json::Value::Object(_) => {
                recipe_inner(ui, &name, value);
                continue;
            }
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => short_number(number),
            other => other.to_string(),
        };
        // The card says these itself.
        if prefix.is_empty() && (name == "steps" || name == "seed") {
            continue;
        }
        value_row(ui, &name, RichText::new(text).size(size::SMALL));
    }
}

fn recipe_inner(ui: &mut Ui, name: &str, value: &serde_json::Value) {
    recipe(ui, &format!("{name} "), value);
}

/// Without the digits that a conversion from f32 adds.
fn short_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => (value as f32).to_string(),
        _ => number.to_string(),
    }
}

fn first(text: &str, n: usize) -> String {
    text.chars().take(n).collect()
}

fn recent(ui: &mut Ui, state: &mut State) {
    let paths: Vec<_> = state
        .recent
        .iter()
        .map(std::path::Path::to_path_buf)
        .collect();
    if paths.is_empty() {
        return;
    }
    let quiet = tokens::palette(ui).text_quiet;
    ui.add_space(space::ROW);
    ui.label(RichText::new("Recent files").size(size::SMALL).color(quiet));
    for path in paths {
        if link(ui, &super::state::file_name(&path))
            .on_hover_text(path.display().to_string())
            .clicked()
        {
            state.open_file(path);
        }
    }
}
