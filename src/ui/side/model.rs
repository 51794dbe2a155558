//! Which network answers "learned".

use eframe::egui::{self, RichText, Ui};

use crate::engine::Slot;
use crate::session::CheckpointRef;
use crate::ui::errands::Pick;
use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::{Place, State};
use crate::ui::tokens::{self, size};
use crate::ui::widgets::{link, notice, section_with, spinner};

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State) {
    let has_model = state.model.current.is_some();
    let mut details = false;
    let right = |ui: &mut Ui| {
        if has_model {
            details = link(ui, "details")
                .on_hover_text("What the checkpoint says about itself")
                .clicked();
        }
    };
    section_with(ui, "Model", right, |ui| {
        summary(ui, state);
        loading(ui, state);
        notice(ui, &mut state.notices, Place::Model);
        mismatch(ui, state);
        open_row(ui, state);
    });
    if details {
        state.show_details = true;
    }
}

fn summary(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let Some(model) = &state.model.current else {
        if !state.model.is_loading() {
            ui.label(
                RichText::new("None for this world")
                    .font(tokens::strong_font())
                    .color(palette.text_strong),
            );
            let text = "Exact draws are shown. Open a checkpoint, or train one: foresight train";
            ui.add(
                egui::Label::new(
                    RichText::new(text)
                        .size(size::SMALL)
                        .color(palette.text_quiet),
                )
                .wrap(),
            );
        }
        return;
    };
    let name = RichText::new(&model.name)
        .font(tokens::strong_font())
        .color(palette.text_strong);
    ui.add(egui::Label::new(name).truncate());
    let checkpoint = &model.checkpoint;
    let text = format!(
        "learned · {} weights · {}",
        format::count(checkpoint.parameters as u64),
        checkpoint.short_hash()
    );
    ui.add(
        egui::Label::new(
            RichText::new(text)
                .size(size::SMALL)
                .color(palette.text_quiet),
        )
        .truncate(),
    );
}

fn loading(ui: &mut Ui, state: &State) {
    let Some(label) = state.model.loading_label() else {
        return;
    };
    let progress = state.answers.progress_of(Slot::Open);
    let fraction = progress.and_then(|p| p.fraction);
    let text = progress.map_or(label, |p| p.label.clone());
    ui.horizontal(|ui| {
        spinner(ui, 12.0);
        let text = RichText::new(text).size(size::SMALL);
        ui.add(egui::Label::new(text).truncate());
    });
    if let Some(fraction) = fraction {
        ui.add(egui::ProgressBar::new(fraction).desired_height(4.0));
    }
}

/// The model was trained on another world than the one shown.
fn mismatch(ui: &mut Ui, state: &State) {
    let Some(model) = &state.model.current else {
        return;
    };
    if state.model.trained_on == state.fingerprint {
        return;
    }
    let palette = tokens::palette(ui);
    let trained = &model.checkpoint.card.world.name;
    let shown = if state.is_edited() {
        "the edited world"
    } else {
        "the world shown"
    };
    let text = format!("The model was trained on \u{201c}{trained}\u{201d}; exact shows {shown}.");
    let text = RichText::new(text).size(size::SMALL).color(palette.note);
    ui.add(egui::Label::new(text).wrap());
}

fn open_row(ui: &mut Ui, state: &mut State) {
    let keys = keys_of(ui.ctx(), Action::Open);
    let faint = tokens::palette(ui).text_faint;
    let button = egui::Button::new("Open checkpoint…")
        .right_text(RichText::new(keys).size(size::TICK).color(faint))
        .min_size(egui::vec2(ui.available_width(), size::CONTROL));
    if ui.add(button).clicked() {
        state.pick(Pick::Checkpoint);
    }
    let from_file = matches!(state.session.checkpoint, CheckpointRef::File(_));
    if state.recent.is_empty() && !from_file {
        return;
    }
    ui.horizontal(|ui| {
        recent(ui, state);
        if from_file && state.preset().is_some() && link(ui, "use the shipped one").clicked() {
            state.use_shipped_checkpoint();
        }
    });
}

fn recent(ui: &mut Ui, state: &mut State) {
    if state.recent.is_empty() {
        return;
    }
    let text = RichText::new("Recent").size(size::SMALL);
    ui.menu_button(text, |ui| {
        ui.set_min_width(220.0);
        let paths: Vec<_> = state
            .recent
            .iter()
            .map(std::path::Path::to_path_buf)
            .collect();
        for path in paths {
            let name = crate::ui::state::file_name(&path);
            if ui
                .button(name)
                .on_hover_text(path.display().to_string())
                .clicked()
            {
                state.open_file(path);
                ui.close();
            }
        }
    });
}
