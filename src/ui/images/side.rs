//! Right of the wall: the map, the picture behind the state, the draws, their shares.

use eframe::egui::{Button, Label, ProgressBar, RichText, ScrollArea, Ui, vec2};

use crate::engine::{ShownAs, Slot};
use crate::session::{CheckpointRef, Picture};
use crate::ui::errands::Pick;
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{link, notice, section, section_with, spinner};

use super::paint::{self, Brush};
use super::view::Plate;
use super::{classes, decoders, futures, plates, reward, shares};

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            let undecoded = state.images.model.as_ref();
            let undecoded = undecoded.is_some_and(|m| m.view.seen() == ShownAs::FalseColours);
            if undecoded {
                // What is wanted first.
                map(ui, state);
            }
            if state.images.model.is_some() {
                picture(ui, state);
                reward::section(ui, state);
                shares::section(ui, state);
                futures::show(ui, state);
            }
            if !undecoded {
                map(ui, state);
            }
        });
}

/// The picture behind `x_t`.
fn picture(ui: &mut Ui, state: &mut State) {
    section(ui, "Picture behind the state", |ui| {
        ui.horizontal(|ui| {
            let side = plates::THUMBNAIL;
            let (rect, _) = ui.allocate_exact_size(vec2(side, side), eframe::egui::Sense::hover());
            plates::paint(ui, state, Plate::Clean, rect.shrink(1.0));
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 3.0;
                origin(ui, state);
                ui.horizontal(|ui| {
                    if link(ui, "another")
                        .on_hover_text("Let the map make another picture of the class")
                        .clicked()
                    {
                        state.another_picture();
                    }
                    if link(ui, "from a file…")
                        .on_hover_text("Or drop a picture on the window: it is cropped and resized")
                        .clicked()
                    {
                        state.pick(Pick::Picture);
                    }
                    let paints = state.images.brush.is_some();
                    if link(ui, if paints { "done" } else { "paint" })
                        .on_hover_text("Paint on the picture, or rub out parts of it")
                        .clicked()
                    {
                        state.images.brush = (!paints).then(Brush::default);
                    }
                });
                let runs = matches!(state.session.images.picture, Picture::Running { .. });
                let (text, hover) = if runs {
                    ("noise the finished picture", "x_t = (1 - t) noise + t picture")
                } else {
                    (
                        "take it as it forms",
                        "x_t becomes the state of the map's own generation at t, instead of a noised picture",
                    )
                };
                if link(ui, text).on_hover_text(hover).clicked() {
                    state.run_or_noise();
                }
            });
        });
        paint::tools(ui, state);
        ui.add_space(2.0);
        classes::show(ui, state);
    });
}

fn origin(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let images = &state.session.images;
    let class = images.class.map_or_else(
        || "picture".to_owned(),
        |class| shares::word(&state.images.class_name(class as usize)),
    );
    let (name, text) = match &images.picture {
        Picture::Generated { seed } => (format!("A generated {class}"), format!("seed {seed}")),
        Picture::Running { seed, steps } => {
            let name = format!("A {class} as it forms");
            (name, format!("{steps} steps, seed {seed}"))
        }
        Picture::Stored { from, .. } => ("Taken from".to_owned(), from.clone()),
    };
    ui.add(
        Label::new(
            RichText::new(name)
                .font(tokens::strong_font())
                .color(palette.text_strong),
        )
        .truncate(),
    );
    let text = RichText::new(text)
        .size(size::SMALL)
        .color(palette.text_quiet);
    ui.add(Label::new(text).truncate());
}

pub(super) fn map(ui: &mut Ui, state: &mut State) {
    section_with(
        ui,
        "Map",
        |_| {},
        |ui| {
            let palette = tokens::palette(ui);
            if let Some(model) = state.images.model.clone() {
                let name = RichText::new(&model.name)
                    .font(tokens::strong_font())
                    .color(palette.text_strong);
                ui.add(Label::new(name).truncate())
                    .on_hover_text(&model.card.data);
                let text = format!(
                    "learned · {} weights · {}",
                    format::count(model.parameters),
                    model.short_hash()
                );
                let text = RichText::new(text)
                    .size(size::SMALL)
                    .color(palette.text_quiet);
                ui.add(Label::new(text).truncate())
                    .on_hover_text(format!("sha256 {}", model.hash));
                decoders::show(ui, state, &model);
            }
            loading(ui, state);
            notice(ui, &mut state.notices, Place::Model);
            let keys = keys_of(ui.ctx(), Action::Open);
            let button = Button::new("Open map…")
                .right_text(
                    RichText::new(keys)
                        .size(size::TICK)
                        .color(palette.text_faint),
                )
                .min_size(vec2(ui.available_width(), size::CONTROL));
            if ui.add(button).clicked() {
                state.pick(Pick::Checkpoint);
            }
            let from_file = matches!(state.session.images.checkpoint, CheckpointRef::File(_));
            if from_file && link(ui, "use the shipped one").clicked() {
                state.use_shipped_images();
            }
        },
    );
}

fn loading(ui: &mut Ui, state: &State) {
    let progress = state
        .answers
        .progress_of(Slot::OpenImages)
        .or_else(|| state.answers.progress_of(Slot::Open));
    let opening = state.model.loading_label();
    let Some(label) = state.images.loading_label().or(opening) else {
        return;
    };
    ui.horizontal(|ui| {
        spinner(ui, 12.0);
        let text = progress.map_or(label, |p| p.label.clone());
        ui.add(Label::new(RichText::new(text).size(size::SMALL)).truncate());
    });
    if let Some(fraction) = progress.and_then(|p| p.fraction) {
        ui.add(ProgressBar::new(fraction).desired_height(4.0));
    }
}
