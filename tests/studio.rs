//! The Studio by role, label and key, with a small network that was never trained, without a graphics device.

mod pictures;

use std::path::Path;

use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::session::{
    CheckpointRef, Images, Middle, Rewarding, Session, Studio, StudioShow, StudioStart, Workspace,
};
use foresight::ui::{App, AppOptions};

use pictures::{Window, map, wait_until};

/// A session with a reward and a short run, not started.
fn session(map: &Path) -> Session {
    let mut studio = Studio {
        pictures: 3,
        ..Studio::default()
    };
    studio.settings.plan.steps = 4;
    studio.settings.plan.draws = 2;
    Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map.to_owned()),
            middle: Middle::Studio,
            rewarding: Rewarding {
                reward: "class:3@2 + brightness".parse().expect("a reward"),
                ..Rewarding::default()
            },
            studio,
            ..Images::default()
        },
        ..Session::default()
    }
}

fn has_text(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn window_of(session: Session) -> Window {
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, AppOptions::for_session(session)));
    window.run_steps(4);
    window
}

fn opened(session: Session) -> Window {
    let mut window = window_of(session);
    wait_until(&mut window, "the map did not open", |window| {
        has_text(window, "Lineage")
    });
    window
}

fn settle(window: &mut Window, what: &str) {
    wait_until(window, what, |window| window.state().is_settled());
}

fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click_accesskit();
    window.run_steps(3);
}

/// One of two buttons of the same name does what the other does.
fn start(window: &mut Window) {
    let found = window.query_all_by_label("Start").next();
    found.expect("a button that starts").click_accesskit();
    window.run_steps(3);
}

fn studio(window: &Window) -> &Studio {
    &window.state().session().images.studio
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(3);
}

#[test]
fn nothing_is_steered_before_start_and_then_there_are_two_rows_and_a_run() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    window.get_by_label("Nothing is steered yet");
    window.check_accessibility();
    start(&mut window);
    settle(&mut window, "no pictures");
    window.get_by_label("2 rows of 3 pictures");
    window.get_by_label("Run 1, MFM-GF, from noise, seed 1");
    assert_eq!(studio(&window).lineage.len(), 1);
    assert!(studio(&window).lineage[0].thumbnail.is_some());
    assert!(studio(&window).shown);
    window.check_accessibility();
    // The same settings are no new run.
    start(&mut window);
    settle(&mut window, "no pictures again");
    assert_eq!(studio(&window).lineage.len(), 1);
}

#[test]
fn strips_come_by_themselves_once_pictures_were_asked_for() {
    let (_folder, path) = map();
    let mut session = session(&path);
    session.images.studio.shown = true;
    let mut window = window_of(session);
    settle(
        &mut window,
        "a session that was started makes its pictures again",
    );
    window.get_by_label("2 rows of 3 pictures");
    for (name, rows, show) in [
        ("strength", 6, StudioShow::Strength),
        ("draws", 7, StudioShow::Draws),
        ("methods", 5, StudioShow::Methods),
    ] {
        click(&mut window, name);
        assert_eq!(studio(&window).show, show);
        settle(&mut window, name);
        window.get_by_label(&format!("{rows} rows of 3 pictures"));
        window.check_accessibility();
    }
}

#[test]
fn a_state_is_branched_from_gone_back_from_and_taken_back() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    start(&mut window);
    settle(&mut window, "no pictures");
    window
        .get_by_label("Time t, 0 noise, 1 data")
        .set_value_accesskit(0.6);
    window.run_steps(3);
    let go_on = "Go on from its state at t = 0.505";
    click(&mut window, go_on);
    settle(&mut window, "no pictures of the branch");
    assert_eq!(studio(&window).lineage.len(), 2);
    assert_eq!(studio(&window).lineage[1].parent, Some(0));
    assert!(matches!(
        studio(&window).settings.start,
        StudioStart::State { .. }
    ));
    click(&mut window, "Noise it again to t = 0.50");
    settle(&mut window, "no pictures of the second branch");
    assert_eq!(studio(&window).lineage[2].parent, Some(1));
    click(&mut window, "Run 1, MFM-GF, from noise, seed 1");
    settle(&mut window, "no pictures of the first run");
    assert_eq!(studio(&window).settings.start, StudioStart::Noise);
    assert_eq!(studio(&window).node, Some(0));
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(studio(&window).node, Some(2));
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(studio(&window).lineage.len(), 2);
    settle(&mut window, "no pictures after undo");
}

#[test]
fn escape_cancels_and_the_wipe_moves_by_keys() {
    let (_folder, path) = map();
    let mut session = session(&path);
    session.images.studio.settings.plan.steps = 250;
    session.images.studio.settings.plan.draws = 64;
    let mut window = opened(session);
    start(&mut window);
    wait_until(&mut window, "no pictures on the way", |window| {
        has_text(window, "2 rows of 3 pictures")
    });
    press(&mut window, Modifiers::NONE, Key::Escape);
    wait_until(&mut window, "it was not cancelled", |window| {
        has_text(window, "Cancelled.")
    });
    settle(&mut window, "no rest");
    window.get_by_label("Wipe between base and steered").focus();
    window.run_steps(3);
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    assert!((studio(&window).wipe - 0.55).abs() < 1e-9);
}
