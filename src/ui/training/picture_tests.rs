//! Learning pictures in the window, by role and label.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;

use super::tests::{Window, click, wait, window_of};
use crate::engine::TrainPhase;
use crate::session::{TrainFor, Workspace};
use crate::ui::shortcuts::Action;

fn pictures(folder: &std::path::Path) {
    for (class, shade) in [("bright", 220), ("dark", 60)] {
        let of = folder.join(class);
        std::fs::create_dir_all(&of).unwrap();
        for k in 0..4 {
            let picture = image::GrayImage::from_pixel(28, 28, image::Luma([shade + 4 * k]));
            picture.save(of.join(format!("{k}.png"))).unwrap();
        }
    }
}

#[test]
fn a_folder_is_learned_and_opened_in_images() {
    let folder = tempfile::tempdir().unwrap();
    pictures(folder.path());
    let own = tempfile::tempdir().unwrap();
    let kept_in = own.path().to_owned();
    let mut window = window_of(|state| {
        state.keep_files_in(Some(kept_in));
        state.session.training.folder_batch = 8;
        state.session.training.folder_steps = 4;
    });
    click(&mut window, "The pictures of a folder");
    window.get_by_label("Folder of pictures");
    window.get_by_label_contains("Choose a folder of pictures and press Start");
    click(&mut window, "Start");
    window.get_by_label_contains("Choose a folder of pictures first");
    let chosen = folder.path().to_owned();
    window.state_mut().open_file(chosen);
    window.run_steps(2);
    click(&mut window, "Start");
    wait(&mut window, "the end of the run", |s| {
        s.run_phase() == Some(TrainPhase::Finished)
    });
    assert_eq!(window.get_all_by_label("36 pictures").count(), 2);
    window.get_by_label("Save as…");
    click(&mut window, "Open in Images");
    wait(&mut window, "the map", |s| {
        s.session.workspace == Workspace::Images && s.images.model.is_some()
    });
    let model = window.state().images.model.clone().unwrap();
    assert_eq!(model.card.classes, ["bright", "dark"]);
    assert!(model.path.as_ref().unwrap().starts_with(own.path()));
}

#[test]
fn a_mistyped_folder_ends_no_run_and_a_start_says_which_it_ends() {
    let mut window = window_of(|_| {});
    click(&mut window, "Start");
    wait(&mut window, "steps", |s| s.snapshot().is_some());
    click(&mut window, "Pause");
    wait(&mut window, "a pause", |s| {
        s.run_phase() == Some(TrainPhase::Paused)
    });
    click(&mut window, "The pictures of a folder");
    window.get_by_label_contains("Start ends it");
    window.state_mut().session.training.folder = Some("/nowhere/at/all".into());
    click(&mut window, "Start");
    window.get_by_label_contains("there is no such folder");
    click(&mut window, "The world on the canvas");
    assert_eq!(window.state().run_phase(), Some(TrainPhase::Paused));
    click(&mut window, "Resume");
    wait(&mut window, "more steps", |s| {
        s.run_phase() == Some(TrainPhase::Running)
    });
    click(&mut window, "Stop");
    wait(&mut window, "the end", |s| {
        s.run_phase() == Some(TrainPhase::Stopped)
    });
}

#[test]
fn a_message_stands_by_the_kind_of_run_that_it_is_about() {
    let mut window = window_of(|state| state.session.training.learns = TrainFor::Folder);
    window.state_mut().perform(Action::Train);
    window.run_steps(3);
    let is_said = |window: &Window| {
        let mut found = window.query_all_by_label_contains("Choose a folder of pictures first");
        found.next().is_some()
    };
    assert!(is_said(&window));
    click(&mut window, "The world on the canvas");
    assert!(!is_said(&window));
    click(&mut window, "The pictures of a folder");
    assert!(is_said(&window), "nothing was done about it");
    click(&mut window, "Dismiss message");
    click(&mut window, "The world on the canvas");
    click(&mut window, "The pictures of a folder");
    assert!(!is_said(&window));
}

#[test]
fn a_reward_of_pictures_is_written_by_a_click() {
    let mut window = window_of(|state| {
        state.session.training.learns = TrainFor::PictureReward;
        "class:0@".clone_into(&mut state.session.training.picture_reward);
    });
    window.get_by_label("Reward of pictures");
    window
        .get_by_role_and_label(Role::ComboBox, "Choose a reward")
        .click_accesskit();
    window.run_steps(3);
    window.get_by_label("Stroke thickness").click_accesskit();
    window.run_steps(3);
    assert_eq!(
        window.state().session.training.picture_reward,
        "thickness@2"
    );
}
