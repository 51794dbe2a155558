//! The gallery, exported pictures, groups, curves and replay, with a small network that knows nothing, without a
//! graphics device.

mod pictures;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{DroppedFile, Key, Modifiers, PointerButton, Pos2, accesskit::Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::cli::{ExportArgs, ReplayArgs, run_export, run_replay};
use foresight::lookahead::Source;
use foresight::session::{
    CheckpointRef, Images, Middle, Picture, PictureSettings, Session, StoredPicture, StudioShow,
    WallOrder, Workspace, encode_png, enlarged,
};
use foresight::ui::{App, AppOptions};

use pictures::{Window, map, wait_until};

fn session(map: &Path) -> Session {
    Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map.to_owned()),
            draws: 16,
            ..Images::default()
        },
        ..Session::default()
    }
}

fn window_of(session: Session) -> Window {
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, AppOptions::for_session(session)));
    window.run_steps(4);
    settle(&mut window);
    window
}

fn settle(window: &mut Window) {
    wait_until(window, "the window did not come to rest", |window| {
        window.state().is_settled()
    });
    window.run_steps(3);
}

fn images(window: &Window) -> &Images {
    &window.state().session().images
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(3);
}

fn tap(window: &mut Window, key: Key) {
    press(window, Modifiers::NONE, key);
}

fn has_text(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn choose(window: &mut Window, tab: &str) {
    window
        .get_by_role_and_label(Role::Tab, tab)
        .click_accesskit();
    window.run_steps(3);
}

/// Selects draw 0 of the wall by the keyboard.
fn select_first(window: &mut Window) {
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    tap(window, Key::ArrowRight);
    assert_eq!(images(window).selected, Some(0));
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

fn drop_file(window: &mut Window, path: &Path) {
    let file = Arc::new(Dropped(path.to_owned()));
    window.input_mut().dropped_files.push(file);
    window.run_steps(2);
}

#[test]
fn a_starred_draw_is_made_again_in_the_gallery_removed_and_brought_back() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    select_first(&mut window);
    tap(&mut window, Key::S);
    assert!(images(&window).kept[0].starred && images(&window).kept[0].made.is_some());
    // Every draw is another, so that the same picture again says something.
    let first = images(&window).kept[0].picture.clone();
    tap(&mut window, Key::ArrowRight);
    tap(&mut window, Key::S);
    assert_ne!(images(&window).kept[1].picture, first);
    tap(&mut window, Key::S);
    assert_eq!(images(&window).kept.len(), 1);
    choose(&mut window, "Gallery");
    assert_eq!(images(&window).middle, Middle::Gallery);
    window.get_by_label("Gallery of 1 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    assert!(
        has_text(&window, "seed of the draws"),
        "its settings are shown"
    );
    window.get_by_label_contains("Make again").click_accesskit();
    wait_until(&mut window, "it was not made again", |window| {
        has_text(window, "Made again: the same, every byte")
    });
    window.check_accessibility();
    window.get_by_label("Gallery of 1 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::S);
    assert!(!images(&window).kept[0].starred, "S takes the star alone");
    tap(&mut window, Key::Delete);
    assert!(images(&window).kept.is_empty());
    assert!(has_text(&window, "Nothing was kept yet"));
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).kept.len(), 1);
}

#[test]
fn a_key_removes_what_is_shown_alone_and_the_next_picture_takes_its_place() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    select_first(&mut window);
    tap(&mut window, Key::S);
    for _ in 0..2 {
        tap(&mut window, Key::ArrowRight);
        tap(&mut window, Key::S);
    }
    let kept = images(&window).kept.clone();
    assert_eq!(kept.len(), 3);
    choose(&mut window, "Gallery");
    window.get_by_label("Gallery of 3 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    // The newest stands first. Its star is taken, and it is no longer shown: Delete is not for it.
    tap(&mut window, Key::S);
    assert!(!images(&window).kept[2].starred);
    window.get_by_label("stars only").click_accesskit();
    window.run_steps(3);
    assert!(
        has_text(&window, "Select a picture to see how it was made"),
        "what is not shown is not selected"
    );
    tap(&mut window, Key::Delete);
    assert_eq!(images(&window).kept.len(), 3);
    window.get_by_label("Gallery of 2 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    tap(&mut window, Key::Delete);
    tap(&mut window, Key::Delete);
    let left = &images(&window).kept;
    assert_eq!(left.len(), 1, "after one was removed the next was selected");
    assert_eq!(left[0].picture, kept[2].picture);
}

#[test]
fn going_on_from_a_draw_puts_it_in_the_gallery_and_its_wall_comes_back() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    select_first(&mut window);
    tap(&mut window, Key::B);
    assert!(matches!(images(&window).picture, Picture::Stored { .. }));
    assert_eq!(images(&window).kept.len(), 1);
    assert!(!images(&window).kept[0].starred);
    tap(&mut window, Key::R);
    settle(&mut window);
    assert_eq!(images(&window).seed, 2);
    choose(&mut window, "Gallery");
    window.get_by_label("Gallery of 1 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    window
        .get_by_label_contains("Restore its wall")
        .click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).picture, Picture::Generated { seed: 1 });
    assert_eq!(
        (images(&window).seed, images(&window).selected),
        (1, Some(0))
    );
    assert_eq!(images(&window).middle, Middle::Wall);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).seed, 2, "undo brings back all of it");
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(images(&window).seed, 1);
}

/// A PNG as the window exports it, of a draw that the map makes, with other settings than those of `session`.
fn exported(folder: &Path, map: &Path) -> (PathBuf, Images) {
    let mut there = session(map);
    there.images.t = 0.6;
    there.images.seed = 5;
    there.images.class = Some(7);
    let mut window = window_of(there);
    select_first(&mut window);
    tap(&mut window, Key::S);
    let kept = images(&window).kept[0].clone();
    let settings = PictureSettings::of(&kept).expect("it can be made again");
    let bytes = encode_png(&enlarged(&kept.picture, 4), Some(&settings.to_ron()));
    let file = folder.join("nine.png");
    std::fs::write(&file, bytes.expect("a small picture")).expect("a file for the test");
    (file, images(&window).clone())
}

#[test]
fn a_dropped_export_is_looked_into_restored_and_taken_back() {
    let (folder, path) = map();
    let (file, there) = exported(folder.path(), &path);
    let mut window = window_of(session(&path));
    drop_file(&mut window, &file);
    wait_until(&mut window, "nothing was asked", |window| {
        has_text(window, "nine.png says how it was made")
    });
    window.get_by_label("Inspect").click_accesskit();
    window.run_steps(3);
    assert!(has_text(&window, "picture behind") && has_text(&window, "0.6"));
    assert_eq!(images(&window).t, 0.3, "looking changes nothing");
    window.get_by_label("Restore").click_accesskit();
    window.run_steps(3);
    let now = images(&window);
    assert_eq!((now.t, now.seed, now.class), (0.6, 5, Some(7)));
    assert_eq!(now.checkpoint, CheckpointRef::File(path));
    assert_eq!(now.selected, there.selected);
    settle(&mut window);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).t, 0.3);
    drop_file(&mut window, &file);
    wait_until(&mut window, "nothing was asked again", |window| {
        has_text(window, "nine.png says how it was made")
    });
    tap(&mut window, Key::Escape);
    assert!(!has_text(&window, "nine.png says how it was made"));
}

#[test]
fn hostile_settings_in_a_dropped_picture_end_in_a_message() {
    let (folder, path) = map();
    let (file, _) = exported(folder.path(), &path);
    let good = std::fs::read(&file).expect("written a moment ago");
    let chunk = good
        .windows(4)
        .position(|w| w == b"iTXt")
        .expect("its settings");
    let mut long = good.clone();
    long[chunk - 4] = 0x7f;
    let mut wrong = good.clone();
    wrong[chunk + 40] ^= 1;
    let pixel = StoredPicture::from_bytes(1, 1, &[0]).expect("one pixel");
    let picture = enlarged(&pixel, 1);
    let bomb = encode_png(&picture, Some(&"[".repeat(900_000))).expect("a small picture");
    let mut window = window_of(session(&path));
    let before = images(&window).clone();
    for (name, bytes) in [("long.png", long), ("wrong.png", wrong), ("bomb.png", bomb)] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).expect("a file for the test");
        drop_file(&mut window, &file);
        wait_until(&mut window, name, |window| has_text(window, name));
        assert_eq!(*images(&window), before, "{name}");
    }
}

#[test]
fn an_alt_click_chooses_the_picture_to_compare_with() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    let at = window.get_by_label("Wall of 16 pictures").rect().center() + vec2(20.0, 20.0);
    let click = |window: &mut Window, at: Pos2, modifiers: Modifiers| {
        window.hover_at(at);
        window.step();
        window.event(eframe::egui::Event::ModifiersChanged(modifiers));
        for pressed in [true, false] {
            window.event(eframe::egui::Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers,
            });
            window.step();
        }
        window.event(eframe::egui::Event::ModifiersChanged(Modifiers::NONE));
        window.run_steps(3);
    };
    click(&mut window, at, Modifiers::ALT);
    assert!(images(&window).compare.is_some());
    assert_eq!(images(&window).selected, None, "it selects nothing");
    window.hover_at(at - vec2(120.0, 120.0));
    window.run_steps(30);
    assert!(has_text(&window, "differs by"));
    click(&mut window, at, Modifiers::ALT);
    assert_eq!(images(&window).compare, None, "once more takes it back");
}

#[test]
fn groups_say_their_shares_and_every_picture_stays() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    window.get_by_label("groups").click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).order, WallOrder::Groups);
    settle(&mut window);
    window.get_by_label("Wall of 16 pictures");
    window.get_by_label("pixels").click_accesskit();
    window.run_steps(3);
    settle(&mut window);
    window.check_accessibility();
}

#[test]
fn curves_against_t_come_for_the_chosen_lookahead_and_those_beside_it() {
    let (_folder, path) = map();
    let mut session = session(&path);
    session.images.source = Source::KStep(2);
    session.images.middle = Middle::Diversity;
    let mut window = window_of(session);
    for title in ["Distance in pixels", "Distance in features"] {
        window.get_by_role_and_label(Role::Figure, title);
    }
    assert!(has_text(&window, "2 evaluations") && has_text(&window, "1 evaluation"));
    // The cost is named whether the curves were asked for or not.
    assert!(has_text(&window, "16 evaluations") && has_text(&window, "32 evaluations"));
    assert!(has_text(&window, "32 draws at each time"));
    window.check_accessibility();
    let before = images(&window).t;
    tap(&mut window, Key::ArrowRight);
    assert!(images(&window).t > before);
    settle(&mut window);
}

#[test]
fn the_state_of_a_running_generation_is_one_click_and_one_step_of_undo() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    window.get_by_label("take it as it forms").click_accesskit();
    window.run_steps(3);
    let running = Picture::Running { seed: 1, steps: 8 };
    assert_eq!(images(&window).picture, running);
    settle(&mut window);
    assert!(has_text(&window, "8 steps, seed 1"));
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).picture, Picture::Generated { seed: 1 });
}

/// Every file of a folder by its path in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder that was written") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it lies there").to_owned();
                found.insert(name, std::fs::read(path).expect("a readable file"));
            }
        }
    }
    found
}

/// What a session leaves; the same twice.
fn replayed(session: &Session) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("s.ron");
    session.save(&file).expect("a file for the test");
    let run = |name: &str| {
        let args = ReplayArgs {
            session: file.clone(),
            out: folder.path().join(name),
        };
        run_replay(&args).expect("it can be made again");
        files(&args.out)
    };
    let (one, two) = (run("one"), run("two"));
    assert!(one == two, "twice the same bytes");
    one
}

fn figures(files: &BTreeMap<PathBuf, Vec<u8>>) -> serde_json::Value {
    serde_json::from_slice(&files[Path::new("figures.json")]).expect("JSON")
}

#[test]
fn the_pictures_of_a_session_are_made_again_without_a_window() {
    let (folder, path) = map();
    let (_, mut there) = exported(folder.path(), &path);
    there.order = WallOrder::Groups;
    there.middle = Middle::Diversity;
    let files = replayed(&Session {
        images: there,
        ..session(&path)
    });
    for name in [
        "wall.png",
        "wall.npz",
        "x_t.png",
        "mean.png",
        "deviation.png",
    ] {
        assert!(files.contains_key(Path::new(name)), "{name}");
    }
    let figures = figures(&files);
    assert_eq!(figures["kept"][0]["made_again"]["same"], true);
    assert_eq!(
        figures["groups"]["group_of_each_draw"]
            .as_array()
            .map(Vec::len),
        Some(16)
    );
    assert_eq!(figures["against_t"][0]["evaluations_per_draw"], 1.0);
    assert!(files.contains_key(Path::new("kept/001.png")));
}

/// A session with a short run in the Studio.
fn steering(map: &Path) -> Session {
    let mut session = session(map);
    let images = &mut session.images;
    images.middle = Middle::Studio;
    images.rewarding.reward = "brightness@20".parse().expect("a reward");
    images.studio.shown = true;
    images.studio.pictures = 2;
    images.studio.t = 1.0;
    images.studio.settings.plan.steps = 3;
    images.studio.settings.plan.draws = 2;
    session
}

#[test]
fn the_studio_is_made_again_without_a_window_and_its_picture_restores_it_in_one() {
    let (folder, path) = map();
    let mut there = steering(&path);
    there.images.studio.show = StudioShow::Methods;
    there.images.studio.settings.plan.seed = 11;
    let files = replayed(&there);
    for name in ["studio.png", "steering.gif", "studio/5-02.png"] {
        assert!(files.contains_key(Path::new(name)), "{name}");
    }
    let said = figures(&files);
    let rows = said["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0]["title"], "Base");
    assert_eq!(rows[1]["of_each_picture"].as_array().map(Vec::len), Some(2));
    assert_eq!(rows[2]["value_against_t"].as_array().map(Vec::len), Some(4));
    // The file lies beside the map that its settings name.
    let file = folder.path().join("steered.png");
    std::fs::write(&file, &files[Path::new("studio/2-02.png")]).expect("a file for the test");
    let mut here = session(&path);
    here.images.t = 0.7;
    let mut window = window_of(here);
    drop_file(&mut window, &file);
    wait_until(&mut window, "nothing was asked", |window| {
        has_text(window, "bring back its run")
    });
    window.get_by_label("Inspect").click_accesskit();
    window.run_steps(3);
    assert!(has_text(&window, "brightness@20") && has_text(&window, "11"));
    window.get_by_label("Restore").click_accesskit();
    window.run_steps(3);
    settle(&mut window);
    let now = images(&window);
    assert_eq!(now.middle, Middle::Studio);
    assert_eq!(now.studio.settings.plan.seed, 11);
    assert_eq!(now.studio.settings.first, 1, "the second picture");
    assert_eq!(now.rewarding.reward.to_string(), "brightness@20");
    assert_eq!(now.studio.lineage.len(), 1);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).t, 0.7);
    assert_eq!(images(&window).middle, Middle::Wall);
}

#[test]
fn the_studio_is_exported_as_the_window_shows_it() {
    let (folder, path) = map();
    let file = folder.path().join("s.ron");
    steering(&path).save(&file).expect("a file for the test");
    let export = |item, scrub, out: &str| {
        let out = folder.path().join(out);
        let args = ExportArgs {
            session: file.clone(),
            item,
            scrub,
            frames: 61,
            scale: 2,
            without_settings: false,
            out: out.clone(),
        };
        run_export(&args).map(|()| out)
    };
    let one = export(Some(1), false, "one.png").expect("one picture");
    let settings = foresight::session::read_settings(&one).expect("a PNG file");
    let made = settings.expect("its settings").made;
    assert!(
        made.steered()
            .is_some_and(|recipe| recipe.settings.first == 1)
    );
    let moving = export(None, false, "run.gif").expect("a moving picture");
    assert!(std::fs::metadata(moving).is_ok_and(|file| file.len() > 1_000));
    export(Some(0), true, "steps.png").expect("a file a step");
    // Three steps and the end.
    assert!(folder.path().join("steps-0004.png").exists());
    assert!(!folder.path().join("steps-0005.png").exists());
    let message = export(None, false, "a.npz").expect_err("no arrays");
    assert!(message.contains("foresight steer"), "{message}");
    let message = export(Some(9), false, "nine.png").expect_err("no such picture");
    assert!(message.contains("0 to 1"), "{message}");
}

#[test]
fn the_gallery_is_exported_as_it_is_arranged() {
    let (folder, path) = map();
    let mut window = window_of(session(&path));
    select_first(&mut window);
    tap(&mut window, Key::S);
    tap(&mut window, Key::ArrowRight);
    tap(&mut window, Key::S);
    let mut there = window.state().session().clone();
    there.images.middle = Middle::Gallery;
    let file = folder.path().join("s.ron");
    there.save(&file).expect("a file for the test");
    let export = |item, out: &str| {
        let out = folder.path().join(out);
        let args = ExportArgs {
            session: file.clone(),
            item,
            scrub: false,
            frames: 61,
            scale: 1,
            without_settings: false,
            out: out.clone(),
        };
        run_export(&args).map(|()| out)
    };
    // The newest first.
    let one = export(Some(0), "one.png").expect("one picture");
    let pixels = image::open(one).expect("a PNG file").into_luma8();
    assert_eq!(pixels.into_raw(), there.images.kept[1].picture.bytes());
    let sheet = export(None, "sheet.png").expect("a sheet");
    let sheet = image::open(sheet).expect("a PNG file");
    assert!(sheet.width() > 2 * 112, "two pictures side by side");
    let message = export(Some(2), "none.png").expect_err("no third picture");
    assert!(message.contains("0 to 1"), "{message}");
    let message = export(None, "all.gif").expect_err("nothing that moves");
    assert!(message.contains(".png"), "{message}");
}

#[test]
fn the_menu_of_ways_to_files_is_narrow_and_stays_open_while_its_options_are_set() {
    let (_folder, path) = map();
    let mut window = window_of(session(&path));
    window.get_by_label("Export").click_accesskit();
    window.run_steps(30);
    let sheet = "Wall as contact sheet…";
    let width = |window: &Window| {
        let item = window.query_all_by_label_contains(sheet).next();
        item.map(|item| item.rect().width())
    };
    assert!(width(&window).is_some_and(|width| width < 320.0));
    let settings = window.get_by_label("With the settings that make it again");
    let at = settings.rect().center();
    for pressed in [true, false] {
        window.hover_at(at);
        window.event(eframe::egui::Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        window.run_steps(2);
    }
    window.run_steps(30);
    assert!(width(&window).is_some(), "it is open");
    window.check_accessibility();
}

#[test]
fn draws_and_steered_samples_are_made_again_without_a_window() {
    let posterior = Session {
        draws: 256,
        overlay: Some(Source::Exact),
        ..Session::default()
    };
    let files = replayed(&posterior);
    assert!(
        files.contains_key(Path::new("draws.npz")) && files.contains_key(Path::new("overlay.npz"))
    );
    let said = figures(&files);
    assert_eq!(said["against_t"].as_array().map(Vec::len), Some(33));
    assert!(said["main"]["figures"]["sliced_w2"].is_number());

    let mut steering = Session {
        workspace: Workspace::Steering,
        ..Session::default()
    };
    steering.steering.particles = 64;
    for plan in &mut steering.steering.panels {
        plan.steps = 8;
    }
    let files = replayed(&steering);
    let said = figures(&files);
    assert_eq!(said["methods"].as_array().map(Vec::len), Some(4));
    assert!(said["methods"][0]["score"]["sliced_w2"].is_number());
    assert!(
        files.contains_key(Path::new("4-exact.npz")),
        "{:?}",
        files.keys()
    );

    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("train.ron");
    let train = Session {
        workspace: Workspace::Train,
        ..Session::default()
    };
    train.save(&file).expect("a file for the test");
    let message = run_replay(&ReplayArgs {
        session: file,
        out: folder.path().join("out"),
    })
    .expect_err("a training has nothing to make again");
    assert!(message.contains("foresight train"), "{message}");
}
