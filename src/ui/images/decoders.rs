//! What decodes the latents of a map, in its section.

use std::path::PathBuf;

use eframe::egui::{Align, Label, Layout, RichText, Ui, vec2};

use crate::checkpoint::DecoderKind;
use crate::engine::{LoadedImages, ShownAs};
use crate::ui::state::{State, file_name};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{close_button, link};

/// Width of a row's name.
const NAME: f32 = 62.0;

/// What a decoder is, on screen.
struct Row {
    kind: DecoderKind,
    name: &'static str,
    what: &'static str,
    hover: &'static str,
}

const ROWS: [Row; 2] = [
    Row {
        kind: DecoderKind::Full,
        name: "Decoder",
        what: "autoencoder…",
        hover: "The autoencoder that turns latents into pictures and back: sd-vae-ft-mse's diffusion_pytorch_model.safetensors, at huggingface.co/stabilityai/sd-vae-ft-mse. Or drop it on the window",
    },
    Row {
        kind: DecoderKind::Preview,
        name: "Preview",
        what: "small decoder…",
        hover: "The small decoder that is shown until the autoencoder is done: taesd_decoder.pth, at github.com/madebyollin/taesd. Or drop it on the window",
    },
];

/// Shows the rows of a map of latents; nothing for one of pictures.
pub fn show(ui: &mut Ui, state: &mut State, model: &LoadedImages) {
    if !model.view.is_latent() {
        return;
    }
    for row in &ROWS {
        let files = &state.session.images.decoders;
        let file = match row.kind {
            DecoderKind::Full => files.full.clone(),
            DecoderKind::Preview => files.preview.clone(),
        };
        decoder(ui, state, row, file);
    }
    let [c, h, w] = model.map.config().state();
    let said = match model.view.seen() {
        ShownAs::FalseColours => "in false colours: nothing decodes them",
        ShownAs::Preview => "decoded as a preview",
        ShownAs::Decoded | ShownAs::Pixels => "decoded",
    };
    let text = format!("Latents of {c} x {h} x {w}, {said}");
    let quiet = tokens::palette(ui).text_quiet;
    ui.add(Label::new(RichText::new(text).size(size::SMALL).color(quiet)).wrap());
}

fn decoder(ui: &mut Ui, state: &mut State, row: &Row, file: Option<PathBuf>) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        let name = RichText::new(row.name)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.allocate_ui_with_layout(
            vec2(NAME, size::SMALL + 5.0),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_width(NAME);
                ui.label(name);
            },
        );
        let Some(path) = file else {
            if link(ui, row.what).on_hover_text(row.hover).clicked() {
                state.pick_decoder(row.kind);
            }
            return;
        };
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if close_button(ui, &format!("Decode without {}", file_name(&path))) {
                state.drop_decoder(row.kind);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let text = RichText::new(file_name(&path)).size(size::SMALL);
                ui.add(Label::new(text).truncate())
                    .on_hover_text(path.display().to_string());
            });
        });
    });
}
