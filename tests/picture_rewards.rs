//! Rewards in the Images workspace by role, label and key, with a small network that knows nothing.

mod pictures;

use std::path::Path;

use eframe::egui::{Key, Modifiers, accesskit::Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use foresight::reward::picture::ScorerFile;
use foresight::session::{
    CheckpointRef, FreePart, Images, Rewarding, Session, WallOrder, Workspace,
};
use foresight::ui::{App, AppOptions};

use pictures::{Window, map, wait_until};

fn session(map: &Path, reward: &str) -> Session {
    Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map.to_owned()),
            draws: 16,
            rewarding: Rewarding {
                reward: reward.parse().expect("a sound reward"),
                ..Rewarding::default()
            },
            ..Images::default()
        },
        ..Session::default()
    }
}

/// A window at rest with the map and a reward.
fn settled(map: &Path, reward: &str) -> Window {
    window_of(session(map, reward))
}

/// A window at rest.
fn window_of(session: Session) -> Window {
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 1400.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, AppOptions::for_session(session)));
    window.run_steps(4);
    settle(&mut window);
    window
}

fn settle(window: &mut Window) {
    wait_until(window, "no rest", |window| window.state().is_settled());
    window.run_steps(2);
}

fn images(window: &Window) -> &Images {
    &window.state().session().images
}

fn reward(window: &Window) -> String {
    images(window).rewarding.reward.to_string()
}

fn has_text(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn click(window: &mut Window, role: Role, name: &str) {
    window.get_by_role_and_label(role, name).click_accesskit();
    window.run_steps(3);
}

fn undo(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.run_steps(3);
}

#[test]
fn a_reward_is_scored_over_the_wall_and_every_control_has_a_name() {
    let (_folder, path) = map();
    let window = settled(&path, "class:3@2 + thickness - brightness@0.5");
    assert!(has_text(&window, "Reward of 16 draws, "));
    for text in ["value", "draws in effect", "typical"] {
        assert!(has_text(&window, text), "{text}");
    }
    window.get_by_label("Strength of Class");
    window.get_by_label("Remove Stroke thickness");
    window.check_accessibility();
}

#[test]
fn terms_are_added_weighed_turned_round_taken_out_and_taken_back() {
    let (_folder, path) = map();
    let mut window = settled(&path, "none");
    click(&mut window, Role::ComboBox, "Add a reward");
    window.get_by_label("Brightness").click_accesskit();
    window.run_steps(3);
    assert_eq!(reward(&window), "brightness");
    wait_until(&mut window, "no scores", |window| {
        has_text(window, "Reward of 16 draws, ")
    });
    let before = window.state().session().images.seed;
    // Long enough for the edit to be a step of undo.
    window.run_steps(90);
    click(&mut window, Role::CheckBox, "Less of Brightness");
    assert_eq!(reward(&window), "-brightness");
    window.get_by_label("Strength of Brightness").focus();
    window.run_steps(2);
    window.key_press(Key::ArrowRight);
    window.run_steps(3);
    let stronger = images(&window).rewarding.reward.terms()[0].strength;
    assert!(stronger > 1.0, "{stronger}");
    window.run_steps(90);
    click(&mut window, Role::Button, "Remove Brightness");
    assert_eq!(reward(&window), "none");
    window.run_steps(90);
    assert!(!has_text(&window, "Reward of 16 draws, "));
    undo(&mut window);
    assert!(reward(&window).starts_with("-brightness@"));
    undo(&mut window);
    assert_eq!(reward(&window), "brightness");
    undo(&mut window);
    assert_eq!(reward(&window), "none");
    assert_eq!(images(&window).seed, before);
    settle(&mut window);
}

#[test]
fn the_wall_stands_by_reward() {
    let (_folder, path) = map();
    let mut window = settled(&path, "brightness");
    window.get_by_label("by reward").click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).order, WallOrder::Reward);
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    window.key_press(Key::ArrowRight);
    window.run_steps(3);
    let best = images(&window).selected.expect("one is selected");
    let text = |window: &Window| {
        let wall = window.get_by_label("Wall of 16 pictures");
        wall.accesskit_node().value().unwrap_or_default()
    };
    let first = text(&window);
    assert!(first.contains(&format!("noise {best}")), "{first}");
    let score = |text: &str| -> f64 {
        let (_, score) = text.rsplit_once("reward ").expect("a reward");
        score.replace('\u{2212}', "-").parse().expect("a number")
    };
    for _ in 0..15 {
        let here = score(&text(&window));
        window.key_press(Key::ArrowRight);
        window.run_steps(2);
        assert!(score(&text(&window)) <= here);
    }
}

#[test]
fn a_reference_is_the_picture_behind_the_state_or_a_draw() {
    let (_folder, path) = map();
    let mut window = settled(&path, "none");
    click(&mut window, Role::ComboBox, "Add a reward");
    window.get_by_label("Keep a part").click_accesskit();
    window.run_steps(3);
    assert_eq!(reward(&window), "masked:1");
    let first = images(&window).rewarding.references[0].clone();
    assert_eq!(first.from, "the picture behind x_t");
    settle(&mut window);
    assert!(has_text(&window, "Reward of 16 draws, "));
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    window.key_press(Key::ArrowRight);
    window.run_steps(3);
    click(&mut window, Role::Button, "selected");
    let now = &images(&window).rewarding.references;
    assert_eq!(now.len(), 1);
    assert_eq!(now[0].from, "draw 0 at t = 0.300");
    settle(&mut window);
    window.check_accessibility();
}

#[test]
fn a_reward_that_cannot_be_is_said_and_the_wall_stays() {
    let (_folder, path) = map();
    let window = settled(&path, "brightness + similar:3");
    assert!(has_text(&window, "needs reference picture 3"));
    window.get_by_label("Wall of 16 pictures");
    assert!(!has_text(&window, "Reward of 16 draws, "));
}

#[test]
fn a_mask_is_painted_inverted_cleared_and_taken_back() {
    let (_folder, path) = map();
    let mut window = settled(&path, "none");
    click(&mut window, Role::ComboBox, "Add a reward");
    window.get_by_label("Keep a part").click_accesskit();
    window.run_steps(90);
    let free = |window: &Window| images(window).rewarding.references[0].free.clone();
    let share = |window: &Window| free(window).mask(28).iter().sum::<f32>() / 784.0;
    assert_eq!(free(&window), FreePart::Lower);
    click(&mut window, Role::Button, "paint mask");
    // A stroke over the upper half frees a part of it.
    let canvas = window.get_by_label("Mask to paint").rect();
    let at = |x, y| canvas.lerp_inside(vec2(x, y));
    window.drag_at(at(0.2, 0.25));
    window.run_steps(2);
    window.hover_at(at(0.8, 0.25));
    window.run_steps(2);
    window.drop_at(at(0.8, 0.25));
    window.run_steps(2);
    let painted = share(&window);
    assert!(matches!(free(&window), FreePart::Painted(_)));
    assert!((0.55..0.75).contains(&painted), "{painted}");
    // What is kept is painted with the other end of the brush.
    window.get_by_label("keep").click_accesskit();
    window.run_steps(2);
    window.drag_at(at(0.5, 0.8));
    window.run_steps(2);
    window.drop_at(at(0.5, 0.8));
    window.run_steps(2);
    let less = share(&window);
    assert!(less < painted, "{less} of {painted}");
    click(&mut window, Role::Button, "invert");
    assert!((share(&window) + less - 1.0).abs() < 1e-6);
    click(&mut window, Role::Button, "clear");
    assert_eq!(share(&window), 0.0);
    window.check_accessibility();
    for expected in [1.0 - less, less, painted, 0.5] {
        undo(&mut window);
        assert!((share(&window) - expected).abs() < 1e-6, "{expected}");
    }
    assert_eq!(free(&window), FreePart::Lower);
    click(&mut window, Role::Button, "done");
    assert!(window.query_by_label("Mask to paint").is_none());
}

#[test]
fn a_prompt_is_applied_when_it_is_whole_and_refused_with_the_reason() {
    let (folder, path) = map();
    let mut session = session(&path, "clip(\"a red fox\")@2 - hps(\"a cat\")");
    for file in ScorerFile::ALL {
        let place = folder.path().join(file.fetched());
        session.images.files.point(file, place);
    }
    let mut window = window_of(session);
    // The file is named, with where it comes from.
    assert!(has_text(&window, "is not there. Wanted is CLIP ViT-L/14"));
    assert!(has_text(&window, "openai/clip-vit-large-patch14"));
    assert!(has_text(&window, "xswu/HPSv2"), "of the second term, too");
    assert_eq!(
        window.get_all_by_label("Point at it").count(),
        2,
        "each beside its term"
    );
    window.check_accessibility();
    let field = |window: &Window| {
        let field = window.get_by_label("Prompt of CLIP score");
        field.accesskit_node().value().unwrap_or_default()
    };
    let typed = |window: &mut Window, text: &str| {
        let field = window.get_by_label("Prompt of CLIP score");
        field.focus();
        window.run_steps(2);
        window.key_press_modifiers(Modifiers::COMMAND, Key::A);
        window.run_steps(2);
        let field = window.get_by_label("Prompt of CLIP score");
        field.type_text(text);
        window.run_steps(2);
    };
    let before = "clip(\"a red fox\")@2 - hps(\"a cat\")";
    let fox = "a \"red\" fox \\ in snow";
    typed(&mut window, fox);
    assert_eq!(field(&window), fox);
    assert_eq!(reward(&window), before, "not with each key");
    window.key_press(Key::Escape);
    window.run_steps(3);
    assert_eq!(reward(&window), before, "taken back");
    assert_eq!(field(&window), "a red fox");
    typed(&mut window, fox);
    window.key_press(Key::Enter);
    window.run_steps(3);
    let quoted = "clip(\"a \\\"red\\\" fox \\\\ in snow\")@2 - hps(\"a cat\")";
    assert_eq!(reward(&window), quoted);
    window.run_steps(90);
    typed(&mut window, " \n ");
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    assert!(has_text(&window, "the prompt is empty"));
    assert_eq!(reward(&window), quoted);
    undo(&mut window);
    assert_eq!(reward(&window), before);
    assert_eq!(field(&window), "a red fox");
    settle(&mut window);
}

/// BRISQUE's files with one support vector, of the form of the PyPI package.
fn write_brisque(folder: &Path) {
    let vector: Vec<String> = (1..=36).map(|k| format!(" {k}:0.1")).collect();
    let vector = vector.concat();
    let text =
        format!("svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nrho -50\nSV\n100{vector}\n");
    let mut pickle = vec![0x80, 4, b'}', b'('];
    for (name, number) in [(b"min_", -1.0_f64), (b"max_", 5.0)] {
        pickle.extend([0x8c, 4]);
        pickle.extend(name);
        pickle.extend(b"](");
        for _ in 0..36 {
            pickle.push(b'G');
            pickle.extend(number.to_be_bytes());
        }
        pickle.push(b'e');
    }
    pickle.extend(b"u.");
    std::fs::write(folder.join("normalize.pickle"), pickle).expect("a file for the test");
    std::fs::write(folder.join("svm.txt"), text).expect("a file for the test");
}

#[test]
fn a_reward_whose_file_is_missing_says_where_it_comes_from_and_works_once_it_is_there() {
    let (folder, path) = map();
    let mut session = session(&path, "none");
    for file in ScorerFile::ALL {
        let place = folder.path().join(file.fetched());
        session.images.files.point(file, place);
    }
    let place = folder.path().join("svm.txt");
    session.images.files.point(ScorerFile::Brisque, place);
    let mut window = window_of(session);
    click(&mut window, Role::ComboBox, "Add a reward");
    let missing = "Not found. It comes from the PyPI package brisque";
    assert!(has_text(&window, missing));
    assert!(has_text(&window, "openai/clip-vit-large-patch14"));
    let title = "Undistorted (BRISQUE)";
    let is_disabled = window.get_by_label(title).accesskit_node().is_disabled();
    assert!(is_disabled);
    write_brisque(folder.path());
    wait_until(&mut window, "the file is not found", |window| {
        !has_text(window, missing)
    });
    window.get_by_label(title).click_accesskit();
    window.run_steps(3);
    assert_eq!(reward(&window), "brisque");
    wait_until(&mut window, "no scores", |window| {
        has_text(window, "Reward of 16 draws, ")
    });
    settle(&mut window);
}
