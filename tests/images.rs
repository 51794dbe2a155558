//! The Images workspace by role, label and key, with a small network that knows nothing, without a graphics device.

#[path = "images/latents.rs"]
mod latents;
mod pictures;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{
    DroppedFile, Event, Key, Modifiers, PointerButton, Pos2, accesskit::Role, vec2,
};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::session::{CheckpointRef, Images, Picture, Session, WallOrder, Workspace};
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
    window
}

fn settled(map: &Path) -> Window {
    let mut window = window_of(session(map));
    wait_until(&mut window, "the wall did not come", |window| {
        window.state().is_settled()
    });
    window.run_steps(2);
    window
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

/// A file that is dropped on the window.
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

fn has_text(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

#[test]
fn without_a_choice_the_shipped_digits_open_and_come_to_rest() {
    let mut window = window_of(Session::default());
    press(&mut window, Modifiers::COMMAND, Key::Num4);
    assert_eq!(window.state().session().workspace, Workspace::Images);
    wait_until(&mut window, "the shipped map did not open", |window| {
        has_text(window, "Wall of 64 pictures")
    });
    wait_until(&mut window, "no rest", |window| window.state().is_settled());
}

#[test]
fn a_dropped_map_opens_in_its_workspace() {
    let (_folder, path) = map();
    let mut window = window_of(Session::default());
    drop_file(&mut window, &path);
    wait_until(&mut window, "the map did not open", |window| {
        has_text(window, "Wall of 64 pictures")
    });
    assert_eq!(window.state().session().workspace, Workspace::Images);
    assert_eq!(images(&window).checkpoint, CheckpointRef::File(path));
}

#[test]
fn a_file_that_is_no_map_is_named_and_asked_for_once() {
    let (folder, _path) = map();
    let broken = folder.path().join("broken.safetensors");
    std::fs::write(&broken, "nothing of the kind").expect("a file for the test");
    let mut window = window_of(session(&broken));
    wait_until(&mut window, "no message", |window| {
        has_text(window, "broken.safetensors")
    });
    wait_until(&mut window, "no rest", |window| window.state().is_settled());
    window
        .get_by_label("Open the shipped map")
        .click_accesskit();
    wait_until(&mut window, "the shipped map did not open", |window| {
        has_text(window, "Wall of 16 pictures")
    });
    assert!(!has_text(&window, "broken.safetensors"));
    wait_until(&mut window, "no rest", |window| window.state().is_settled());
}

#[test]
fn the_wall_says_its_shares_and_every_control_has_a_name() {
    let (_folder, path) = map();
    let window = settled(&path);
    window.get_by_label("Wall of 16 pictures");
    assert!(has_text(&window, "Noisy state, x_t at t = 0.300"));
    assert!(has_text(&window, "mean of 16 draws"));
    assert!(has_text(&window, "Shares: "));
    window.check_accessibility();
}

#[test]
fn arrows_move_the_selection_while_the_wall_has_the_focus() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    assert_eq!(images(&window).selected, Some(0));
    tap(&mut window, Key::ArrowRight);
    tap(&mut window, Key::ArrowDown);
    let below = images(&window).selected.expect("still selected");
    assert!(below > 2, "{below}");
    tap(&mut window, Key::ArrowUp);
    assert_eq!(images(&window).selected, Some(1));
    assert_eq!(images(&window).t, 0.3, "the clock stays");
    tap(&mut window, Key::Escape);
    assert_eq!(images(&window).selected, None);
}

/// Presses and releases the button in one frame, as where frames are slow.
fn click_at_once(window: &mut Window, at: Pos2) {
    for pressed in [true, false] {
        window.event(Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
    }
}

#[test]
fn a_key_in_the_frame_of_a_click_or_in_the_next_is_for_what_was_clicked() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    let at = window.get_by_label("Wall of 16 pictures").rect().center() + vec2(20.0, 20.0);
    window.hover_at(at);
    window.run_steps(2);
    click_at_once(&mut window, at);
    window.key_press(Key::S);
    window.run_steps(3);
    let clicked = images(&window).selected.expect("a selected draw");
    assert_eq!(images(&window).kept.len(), 1);
    assert_eq!(images(&window).kept[0].item, clicked);

    // Somewhere else has the focus, so that it is new again.
    window.get_by_label("Time t, 0 noise, 1 data").focus();
    // Long enough that two clicks are no double one.
    window.run_steps(60);
    click_at_once(&mut window, at);
    window.step();
    // The strip of what was kept has moved the wall.
    let clicked = images(&window).selected.expect("a selected draw");
    assert!(clicked >= 2, "{clicked}");
    window.key_press(Key::ArrowLeft);
    window.run_steps(3);
    assert_eq!(images(&window).selected, Some(clicked - 1));
    assert_eq!(images(&window).t, 0.3, "the clock stays");
    tap(&mut window, Key::ArrowLeft);
    let selected = images(&window).selected;
    assert_eq!(selected, Some(clicked - 2), "it kept the focus");
    tap(&mut window, Key::End);
    assert_eq!(images(&window).t, 1.0, "the ends are the clock's");
}

#[test]
fn a_draw_is_kept_gone_on_from_and_taken_back() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    window.get_by_label("Wall of 16 pictures").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    tap(&mut window, Key::S);
    assert_eq!(images(&window).kept.len(), 1);
    assert_eq!(images(&window).kept[0].item, 0);
    window.get_by_label("Kept picture 1");
    tap(&mut window, Key::S);
    assert!(images(&window).kept.is_empty(), "the star is taken off");
    tap(&mut window, Key::B);
    assert!(matches!(images(&window).picture, Picture::Stored { .. }));
    assert!(has_text(&window, "draw 0 at t = 0.300"));
    wait_until(&mut window, "no wall of the branch", |window| {
        window.state().is_settled()
    });
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).picture, Picture::Generated { seed: 1 });
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert!(matches!(images(&window).picture, Picture::Stored { .. }));
}

#[test]
fn a_double_click_goes_on_from_a_picture_and_a_click_selects_it() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    let wall = window.get_by_label("Wall of 16 pictures").rect();
    window.hover_at(wall.center() + vec2(20.0, 20.0));
    window.run_steps(2);
    let at = wall.center() + vec2(20.0, 20.0);
    for _ in 0..2 {
        for pressed in [true, false] {
            window.event(eframe::egui::Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
            window.step();
        }
    }
    window.run_steps(2);
    assert!(matches!(images(&window).picture, Picture::Stored { .. }));
}

#[test]
fn classes_noise_and_order_are_one_click_or_key() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    window
        .get_by_role_and_label(Role::RadioButton, "Class 7")
        .click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).class, Some(7));
    window
        .get_by_role_and_label(Role::RadioButton, "Any class")
        .click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).class, None);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(images(&window).class, Some(7));
    let seed = images(&window).seed;
    tap(&mut window, Key::R);
    assert_eq!(images(&window).seed, seed + 1);
    tap(&mut window, Key::D);
    assert!(images(&window).smooth);
    tap(&mut window, Key::Num2);
    assert_eq!(images(&window).source.to_string(), "k-step:4");
    wait_until(&mut window, "no wall", |window| window.state().is_settled());
    window.get_by_label("by label").click_accesskit();
    window.run_steps(3);
    assert_eq!(images(&window).order, WallOrder::Label);
}

/// What a person does, and its name.
type Act = (&'static str, fn(&mut Window));

#[test]
fn every_edit_of_the_wall_is_a_step_of_undo() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    let undo = Modifiers::COMMAND;
    let redo = Modifiers::COMMAND | Modifiers::SHIFT;
    let acts: [Act; 7] = [
        ("other noise", |window| tap(window, Key::R)),
        ("other noise in x_t", |window| {
            window
                .get_by_label("Seed of the noise in x_t")
                .set_value_accesskit(7.0);
        }),
        ("a lookahead", |window| tap(window, Key::Num2)),
        ("a class that is told", |window| {
            window
                .get_by_label("Tell the draws the class")
                .click_accesskit();
        }),
        ("more pictures", |window| {
            window
                .get_by_label("Pictures, type a number")
                .set_value_accesskit(20.0);
        }),
        ("an order", |window| {
            window.get_by_label("by label").click_accesskit();
        }),
        ("another picture", |window| {
            window.get_by_label("another").click_accesskit();
        }),
    ];
    let first = images(&window).clone();
    for (name, act) in acts {
        let before = images(&window).clone();
        act(&mut window);
        // Long enough for it to be a step of its own.
        window.run_steps(90);
        let after = images(&window).clone();
        assert_ne!(before, after, "{name}");
        press(&mut window, undo, Key::Z);
        assert_eq!(*images(&window), before, "{name}");
        press(&mut window, redo, Key::Z);
        assert_eq!(*images(&window), after, "{name}");
    }
    for _ in 0..acts.len() {
        press(&mut window, undo, Key::Z);
    }
    assert_eq!(*images(&window), first, "each was one step");
    wait_until(&mut window, "no wall", |window| window.state().is_settled());
}

#[test]
fn the_clock_of_the_wall_is_its_own() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    let before = window.state().session().t;
    tap(&mut window, Key::ArrowRight);
    assert!((images(&window).t - 0.31).abs() < 1e-9);
    window
        .get_by_label("Time t, 0 noise, 1 data")
        .set_value_accesskit(0.6);
    window.run_steps(3);
    assert!((images(&window).t - 0.6).abs() < 1e-9);
    tap(&mut window, Key::Space);
    assert!(window.state().is_playing());
    window.run_steps(20);
    assert!(images(&window).t > 0.6);
    tap(&mut window, Key::Space);
    assert_eq!(window.state().session().t, before);
}

#[test]
fn a_dropped_picture_is_noised_and_hostile_ones_are_named() {
    let (folder, path) = map();
    let mut window = settled(&path);
    let before = images(&window).picture.clone();
    // A PNG header that claims 60,000 x 60,000 pixels, its checksum right.
    let mut bomb = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    bomb.extend([0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 0, 0, 0, 0]);
    bomb.extend(crc32(&bomb[12..29]).to_be_bytes());
    for (name, contents) in [
        ("bomb.png", bomb),
        ("text.png", b"no picture at all".to_vec()),
        ("empty.jpg", Vec::new()),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, contents).expect("a file for the test");
        drop_file(&mut window, &file);
        wait_until(&mut window, name, |window| has_text(window, name));
        assert_eq!(images(&window).picture, before, "{name}");
    }
    let file = folder.path().join("good.png");
    let picture = image::RgbImage::from_fn(120, 60, |x, y| image::Rgb([x as u8 * 2, y as u8, 9]));
    picture.save(&file).expect("a file for the test");
    drop_file(&mut window, &file);
    wait_until(&mut window, "the picture was not taken", |window| {
        matches!(images(window).picture, Picture::Stored { .. })
    });
    assert!(has_text(&window, "good.png"));
    wait_until(&mut window, "no wall of it", |window| {
        window.state().is_settled()
    });
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[test]
fn a_window_at_rest_asks_for_no_frame() {
    let (_folder, path) = map();
    let mut window = settled(&path);
    window.run_steps(60);
    let wait = window
        .output()
        .viewport_output
        .values()
        .map(|viewport| viewport.repaint_delay)
        .min()
        .expect("a window");
    assert!(wait.as_secs() >= 1, "{wait:?}");
}
