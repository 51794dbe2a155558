//! The Studio by role, label and key, with a small network that knows nothing, without a graphics device.

mod pictures;

use std::path::Path;

use eframe::egui::{Key, Modifiers, accesskit::Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::cli::{BatchArgs, run_batch};
use foresight::session::{
    CheckpointRef, Images, Made, Middle, Rewarding, Session, Studio, StudioShow, StudioStart,
    Workspace, read_settings,
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
fn in_the_smallest_window_nothing_lies_under_the_settings() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    window.set_size(vec2(1024.0, 640.0));
    start(&mut window);
    settle(&mut window, "no pictures");
    window.run_steps(4);
    let settings = window.get_by_label("Queue").rect().left();
    for label in ["Export", "smooth", "noisy state", "2 rows of 3 pictures"] {
        let right = window.get_by_label(label).rect().right();
        assert!(
            right < settings,
            "{label} ends at {right}, behind {settings}"
        );
    }
}

#[test]
fn the_middle_stays_where_it_is_between_wall_and_studio() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    start(&mut window);
    settle(&mut window, "no pictures");
    for size in [
        vec2(1280.0, 800.0),
        vec2(1024.0, 640.0),
        vec2(1600.0, 1000.0),
    ] {
        let mut seen = Vec::new();
        for middle in ["Studio", "Wall"] {
            window.set_size(size);
            window
                .get_by_role_and_label(Role::Tab, middle)
                .click_accesskit();
            window.run_steps(6);
            let tabs = ["Images", "Wall", "Studio", "Gallery", "Diversity"];
            seen.push(tabs.map(|tab| window.get_by_role_and_label(Role::Tab, tab).rect()));
        }
        assert_eq!(seen[0], seen[1], "{size}");
    }
}

#[test]
fn every_section_of_the_settings_has_the_same_width() {
    let (_folder, path) = map();
    let window = opened(session(&path));
    let right = |role, label: &str| {
        let all = window.query_all_by_role_and_label(role, label);
        all.map(|node| node.rect().right()).fold(0.0, f32::max)
    };
    let edge = right(Role::Button, "Start");
    assert!((right(Role::ComboBox, "Method") - edge).abs() < 0.1);
    assert!((right(Role::Slider, "Side by side") - edge).abs() < 0.1);
    assert!(window.get_by_label("clip").rect().right() < edge + 0.1);
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
fn every_setting_of_the_studio_is_a_step_of_undo() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    start(&mut window);
    settle(&mut window, "no pictures");
    let acts: [fn(&mut Window); 4] = [
        |window| click(window, "methods"),
        |window| {
            let row = window.get_by_role_and_label(Role::CheckBox, "DPS");
            row.click_accesskit();
        },
        |window| click(window, "SDE"),
        |window| {
            let pictures = window.get_by_label("Side by side, type a number");
            pictures.set_value_accesskit(2.0);
        },
    ];
    for (index, act) in acts.into_iter().enumerate() {
        // The picture that a run is known by is a part of this, and comes when the run is done.
        let before = studio(&window).clone();
        act(&mut window);
        // Long enough for it to be a step of its own.
        window.run_steps(90);
        settle(&mut window, "no pictures of the edit");
        let after = studio(&window).clone();
        assert_ne!(before, after, "edit {index}");
        press(&mut window, Modifiers::COMMAND, Key::Z);
        settle(&mut window, "no pictures of the edit taken back");
        assert_eq!(*studio(&window), before, "edit {index}");
        press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
        settle(&mut window, "no pictures of the edit made again");
        assert_eq!(*studio(&window), after, "edit {index}");
    }
    settle(&mut window, "no pictures of the settings");
    window.get_by_label("4 rows of 2 pictures");
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
    assert_eq!(studio(&window).t, 1.0, "what it became is shown");
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

/// Stars the selected picture by its key.
fn star(window: &mut Window) {
    window.get_by_label("2 rows of 3 pictures").focus();
    window.run_steps(3);
    press(window, Modifiers::NONE, Key::S);
}

#[test]
fn a_starred_picture_is_in_the_gallery_made_again_and_brings_its_run_back() {
    let (_folder, path) = map();
    let mut window = opened(session(&path));
    start(&mut window);
    settle(&mut window, "no pictures");
    star(&mut window);
    let kept = window.state().session().images.kept.clone();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].starred && kept[0].reward.is_some());
    let Some(Made::Steered(recipe)) = &kept[0].made else {
        panic!("no steered picture");
    };
    assert_eq!(recipe.settings, studio(&window).settings);
    star(&mut window);
    assert!(window.state().session().images.kept.is_empty(), "taken off");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    // Other settings, then the gallery.
    press(&mut window, Modifiers::NONE, Key::R);
    settle(&mut window, "no pictures of other noise");
    assert_eq!(studio(&window).settings.plan.seed, 2);
    click(&mut window, "Gallery");
    window.get_by_label("Gallery of 1 pictures").focus();
    window.run_steps(3);
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    assert!(has_text(&window, "class:3@2 + brightness"));
    click(&mut window, "Make again");
    wait_until(&mut window, "it was not made again", |window| {
        has_text(window, "Made again: the same, every byte")
    });
    window.check_accessibility();
    click(&mut window, "Restore its run");
    settle(&mut window, "no pictures of the run");
    assert_eq!(window.state().session().images.middle, Middle::Studio);
    assert_eq!(studio(&window).settings, recipe.settings);
    window.get_by_label("2 rows of 3 pictures");
    assert_eq!(studio(&window).node, Some(0), "it was a run of the lineage");
}

#[test]
fn a_picture_on_its_way_is_refused_and_a_step_that_was_passed_is_kept() {
    let (_folder, path) = map();
    let mut window = opened(long(&path));
    start(&mut window);
    wait_until(&mut window, "no step of the steered picture", |window| {
        has_text(window, "Go on from its state at t = ")
    });
    let kept = |window: &Window| window.state().session().images.kept.clone();
    // The clock stands at the data, where nothing is yet.
    star(&mut window);
    assert!(has_text(&window, "still on its way"));
    assert!(kept(&window).is_empty());
    press(&mut window, Modifiers::NONE, Key::Enter);
    assert_eq!(studio(&window).lineage.len(), 1, "no branch of it either");
    let clock = "Time t, 0 noise, 1 data";
    window.get_by_label(clock).set_value_accesskit(0.0);
    window.run_steps(3);
    star(&mut window);
    let first = kept(&window)[0].t;
    assert!(first < 0.1, "the beginning, not {first}");
    window.get_by_label(clock).set_value_accesskit(1.0);
    wait_until(&mut window, "no second step", |window| {
        !has_text(window, &format!("Go on from its state at t = {first:.3}"))
    });
    press(&mut window, Modifiers::NONE, Key::Escape);
    wait_until(&mut window, "it was not cancelled", |window| {
        has_text(window, "Cancelled.")
    });
    settle(&mut window, "no rest");
    // What a run has reached that was called off is all that comes of it.
    star(&mut window);
    let kept = kept(&window);
    assert_eq!(kept.len(), 2);
    assert!(kept[1].starred && (first..1.0).contains(&kept[1].t));
    assert!(!has_text(&window, "still on its way"));
}

/// A session whose pictures take a while.
fn long(map: &Path) -> Session {
    let mut session = session(map);
    session.images.studio.settings.plan.steps = 250;
    session.images.studio.settings.plan.draws = 256;
    session
}

/// A window with `seeds` seeds in the queue.
fn queued(session: Session, seeds: u32) -> Window {
    let mut window = opened(session);
    window
        .get_by_label("Seeds to queue")
        .set_value_accesskit(f64::from(seeds));
    window.run_steps(3);
    click(&mut window, "Queue");
    window
}

fn kept_by_batch(window: &Window) -> usize {
    let kept = &window.state().session().images.kept;
    kept.iter().filter(|kept| kept.by_batch).count()
}

#[test]
fn a_queue_is_made_while_one_works_elsewhere_and_undo_takes_no_picture_back() {
    let (_folder, path) = map();
    // All of it is waited for.
    let mut session = long(&path);
    session.images.studio.settings.plan.draws = 16;
    let mut window = queued(session, 3);
    assert_eq!(window.state().session().images.batch.entries.len(), 1);
    assert!(has_text(&window, "seeds 1 to 3"));
    // Somewhere else.
    press(&mut window, Modifiers::COMMAND, Key::Num1);
    wait_until(&mut window, "the batch is not done", |window| {
        kept_by_batch(window) == 3
    });
    settle(&mut window, "no rest");
    assert!(window.state().session().images.batch.entries.is_empty());
    let seeds = |window: &Window| -> Vec<u64> {
        let kept = &window.state().session().images.kept;
        kept.iter().map(|kept| kept.seed).collect()
    };
    assert_eq!(seeds(&window), [1, 2, 3]);
    let kept = &window.state().session().images.kept;
    assert_ne!(kept[0].picture, kept[1].picture, "each seed is another");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(seeds(&window), [1, 2, 3], "what was made is no edit");
    assert!(window.state().session().images.batch.entries.is_empty());
}

#[test]
fn escape_lets_the_queue_wait_and_it_is_reordered_cancelled_and_brought_back() {
    let (_folder, path) = map();
    let mut window = opened(long(&path));
    click(&mut window, "Queue");
    wait_until(&mut window, "it did not begin", |window| {
        has_text(window, "queue, picture")
    });
    press(&mut window, Modifiers::NONE, Key::Escape);
    wait_until(&mut window, "it did not stop", |window| {
        window.state().session().images.batch.paused && window.state().is_settled()
    });
    assert_eq!(window.state().session().images.batch.entries.len(), 1);
    press(&mut window, Modifiers::NONE, Key::R);
    press(&mut window, Modifiers::NONE, Key::Escape);
    settle(&mut window, "no rest");
    click(&mut window, "Queue");
    window.check_accessibility();
    let seeds = |window: &Window| -> Vec<u64> {
        let entries = &window.state().session().images.batch.entries;
        let seed = |entry: &foresight::session::BatchEntry| entry.recipe.settings.plan.seed;
        entries.iter().map(|entry| seed(entry)).collect()
    };
    assert_eq!(seeds(&window), [1, 2]);
    let name = "MFM-GF, 250 steps, 256 draws, toward class:3@2 + brightness";
    let sooner = &format!("Sooner: {name}");
    let found = window.query_all_by_label(sooner).last();
    found.expect("the second entry").click_accesskit();
    window.run_steps(3);
    assert_eq!(seeds(&window), [2, 1]);
    let out = &format!("Take out of the queue: {name}");
    let found = window.query_all_by_label(out).next();
    found.expect("the first entry").click_accesskit();
    window.run_steps(3);
    assert_eq!(seeds(&window), [1]);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(seeds(&window), [2, 1]);
    click(&mut window, "cancel all");
    assert!(seeds(&window).is_empty());
    settle(&mut window, "nothing is left to make");
}

#[test]
fn a_half_done_queue_goes_on_after_a_restart_and_without_a_window() {
    let (folder, path) = map();
    // All of it is made twice.
    let mut session = long(&path);
    session.images.studio.settings.plan.draws = 16;
    let mut window = queued(session, 4);
    wait_until(&mut window, "no picture", |window| {
        kept_by_batch(window) > 0
    });
    // As a program that is killed leaves it.
    let mut left = window.state().session().clone();
    drop(window);
    let done = left.images.kept.len();
    left.images.batch.paused = true;
    let entries = left.images.batch.entries.len();
    assert_eq!(entries, 1, "too fast to be left half done");
    let waits = window_of(left.clone());
    assert_eq!(kept_by_batch(&waits), done, "it waits as it did");
    drop(waits);
    left.images.batch.paused = false;
    let file = folder.path().join("left.ron");
    left.save(&file).expect("a file for the test");
    let mut window = window_of(left);
    wait_until(&mut window, "it does not go on", |window| {
        kept_by_batch(window) == 4
    });
    let made = window.state().session().images.kept.clone();
    drop(window);
    let args = BatchArgs {
        session: file,
        out: folder.path().join("out"),
    };
    run_batch(&args).expect("it can be made");
    let after = Session::load(&args.out.join("session.ron")).expect("it was written");
    assert_eq!(after.images.kept, made, "the same pictures");
    assert!(after.images.batch.entries.is_empty());
    let first = format!("001-seed{}.png", done + 1);
    let settings = read_settings(&args.out.join(first)).expect("a picture with settings");
    assert_eq!(
        settings.map(|s| s.made),
        made[done].made.clone().map(stripped)
    );
}

/// As in an exported file: the folder of the map stays at home.
fn stripped(mut made: Made) -> Made {
    if let CheckpointRef::File(path) = made.checkpoint_mut() {
        *path = path.file_name().map(Into::into).unwrap_or_default();
    }
    made
}
