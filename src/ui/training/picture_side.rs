//! What is chosen for a run that learns pictures.

use std::path::PathBuf;

use eframe::egui::{self, ComboBox, RichText, Role, TextEdit, Ui, WidgetInfo};

use crate::reward::picture::{PictureKind, PictureReward, PictureRewardError};
use crate::session::Training;
use crate::ui::errands::Pick;
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{check_row, count_slider, link, section};

/// Shows the sections.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.seeks_folder() {
        folder(ui, state);
    } else {
        reward(ui, state);
    }
}

fn small(ui: &mut Ui, text: &str) {
    let quiet = tokens::palette(ui).text_quiet;
    let text = RichText::new(text).size(size::SMALL).color(quiet);
    ui.add(egui::Label::new(text).wrap());
}

fn folder(ui: &mut Ui, state: &mut State) {
    section(ui, "Pictures", |ui| {
        let training = &mut state.session.training;
        let mut text = training
            .folder
            .as_ref()
            .map_or_else(String::new, |path| path.display().to_string());
        let edit = TextEdit::singleline(&mut text)
            .desired_width(f32::INFINITY)
            .hint_text("a folder or an archive");
        let response = ui.add(edit);
        response.widget_info(|| {
            let mut info = WidgetInfo::text_edit(true, "", &text, "a folder or an archive");
            info.label = Some("Folder of pictures".to_owned());
            info
        });
        if response.changed() {
            let text = text.trim();
            training.folder = (!text.is_empty()).then(|| PathBuf::from(text));
        }
        ui.horizontal(|ui| {
            if link(ui, "Choose a folder…").clicked() {
                state.pick(Pick::Folder);
            }
            if link(ui, "an archive…").clicked() {
                state.pick(Pick::Archive);
            }
        });
        small(
            ui,
            "A folder of class folders with PNG or JPEG files, a .zip or .tar.xz of one, or MNIST's files. Drop it on the window, too.",
        );
        let colour = &mut state.session.training.folder_colour;
        check_row(ui, colour, "In colour, 32 x 32", "")
            .on_hover_text("Without, pictures are taken in grey, 28 x 28.");
    });
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    let training = &mut session.training;
    count_slider(
        ui,
        "Steps",
        &mut training.folder_steps,
        100..=100_000,
        arrows_taken,
    );
    ui.add_space(space::ROW);
    count_slider(
        ui,
        "Pictures of a step",
        &mut training.folder_batch,
        Training::FOLDER_BATCHES,
        arrows_taken,
    );
    ui.add_space(space::ROW);
    small(
        ui,
        "A small network of 1.5 million weights. How long it takes is told after the first steps; shapes come after about a thousand, and pictures that please after many thousands.",
    );
    ui.add_space(space::SECTION);
}

fn reward(ui: &mut Ui, state: &mut State) {
    section(ui, "Map", |ui| match state.tunable_images() {
        Ok(model) => {
            let text = RichText::new(format!("{} · {}", model.name, model.short_hash()));
            ui.add(egui::Label::new(text).truncate());
        }
        Err(why) => {
            let note = tokens::palette(ui).note;
            let text = RichText::new(why).size(size::SMALL).color(note);
            ui.add(egui::Label::new(text).wrap());
        }
    });
    section(ui, "Reward", |ui| typed(ui, state));
    let State {
        session,
        arrows_taken,
        ..
    } = state;
    let training = &mut session.training;
    check_row(
        ui,
        &mut training.picture_maximise,
        "Maximise it instead",
        "",
    )
    .on_hover_text(
        "The highest reward, whatever becomes of the pictures: it collapses. For comparison.",
    );
    ui.add_space(space::ROW);
    count_slider(
        ui,
        "Steps",
        &mut training.picture_steps,
        20..=5_000,
        arrows_taken,
    );
    ui.add_space(space::SECTION);
}

/// The reward as text, what is wrong with it, and what there is.
fn typed(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    let text = &mut state.session.training.picture_reward;
    let edit = TextEdit::multiline(text)
        .font(egui::TextStyle::Monospace)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text("class:0@4");
    let response = ui
        .add(edit)
        .on_hover_text("Terms with their strength behind @, as in class:3@4 + thickness@2.");
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, "", text.as_str(), "class:0@4");
        info.label = Some("Reward of pictures".to_owned());
        info
    });
    if response.changed() {
        *text = text.replace('\n', " ");
        let most = (0..=Training::MAX_REWARD)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(most.unwrap_or(0));
    }
    let parsed: Result<PictureReward, PictureRewardError> = text.parse();
    if let Err(trouble) = parsed {
        let trouble = RichText::new(trouble.to_string())
            .size(size::SMALL)
            .color(palette.error);
        ui.add(egui::Label::new(trouble).wrap());
    }
    let quiet = palette.text_quiet;
    let combo = ComboBox::from_id_salt("reward of pictures")
        .width(ui.available_width())
        .selected_text(RichText::new("Choose a reward").color(quiet))
        .show_ui(ui, |ui| {
            // A reference picture is chosen in Images alone.
            for kind in PictureKind::ALL.iter().filter(|k| !k.needs.reference) {
                let hover = format!("Rewards {}. {}.", kind.what, kind.unit);
                let entry = ui.selectable_label(false, kind.title).on_hover_text(hover);
                if entry.clicked() {
                    *text = format!("{}@2", kind.usual());
                }
            }
        });
    combo
        .response
        .widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Choose a reward"));
}
