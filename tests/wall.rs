//! The wall of pictures in a window that paints, software or not. A file of its own: what the process writes to the
//! device is counted.

mod pictures;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eframe::egui::{Event, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::gpu::{SharedDevice, uploads};
use foresight::session::{CheckpointRef, Images, Session, WallOrder, Workspace};
use foresight::ui::{App, AppOptions};

use pictures::{Window, map, wait_until};

/// What is written to the device is counted for the whole process: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn shared() -> Option<Arc<SharedDevice>> {
    SharedDevice::headless()
        .inspect_err(|error| println!("skipped: {error}"))
        .ok()
}

fn window(map: &Path) -> Option<Window> {
    let shared = shared()?;
    let session = Session {
        workspace: Workspace::Images,
        images: Images {
            checkpoint: CheckpointRef::File(map.to_owned()),
            draws: 16,
            ..Images::default()
        },
        ..Session::default()
    };
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_step_dt(1.0 / 60.0)
        .wgpu_setup(shared.existing_setup())
        .build_eframe(|cc| App::new(cc, AppOptions::for_session(session)));
    rest(&mut window);
    Some(window)
}

/// Until everything is there, shown and no longer animated.
fn rest(window: &mut Window) {
    wait_until(window, "no rest", |window| window.state().is_settled());
    window.run_steps(60);
}

fn paint(window: &mut Window) -> Vec<u8> {
    window.render().expect("a picture of the window").into_raw()
}

#[test]
fn a_wall_at_rest_writes_nothing_and_another_order_no_picture() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, path) = map();
    let Some(mut window) = window(&path) else {
        return;
    };
    let picture = paint(&mut window);
    let before = uploads();
    assert!(before.pictures > 0, "the wall was uploaded");
    for _ in 0..5 {
        window.step();
        let output = window.output();
        let delta = &output.textures_delta;
        assert!(delta.set.is_empty() && delta.free.is_empty(), "no texture");
        let waits = output.viewport_output.values().map(|v| v.repaint_delay);
        let wait = waits.min().expect("a window");
        assert!(wait >= Duration::from_secs(1), "a frame in {wait:?}");
        assert_eq!(paint(&mut window), picture, "the same picture");
    }
    assert_eq!(uploads(), before, "nothing was written");

    window.get_by_label("by confidence").click_accesskit();
    rest(&mut window);
    assert_eq!(window.state().session().images.order, WallOrder::Confidence);
    let sorted = paint(&mut window);
    assert_ne!(sorted, picture, "the tiles stand elsewhere");
    let now = uploads();
    assert_eq!(now.pictures, before.pictures, "no picture was written");
    assert!(now.lists > before.lists, "where they stand was");

    window.get_by_label("smooth").click_accesskit();
    rest(&mut window);
    assert_ne!(paint(&mut window), sorted, "blended");
    assert_eq!(uploads().pictures, before.pictures);

    // Enlarged under the pointer, and back.
    let middle = window.get_by_label("Wall of 16 pictures").rect().center();
    let still = paint(&mut window);
    window.hover_at(middle);
    window.run_steps(2);
    window.event(Event::Zoom(3.0));
    window.run_steps(2);
    window.event(Event::PointerGone);
    rest(&mut window);
    assert_ne!(paint(&mut window), still, "enlarged");
    assert_eq!(uploads().pictures, before.pictures);
    window.get_by_label("Show the whole wall").click_accesskit();
    rest(&mut window);
    window.event(Event::PointerGone);
    rest(&mut window);
    assert_eq!(paint(&mut window), still, "as before");

    // Another time is other pictures.
    let wall = window.get_by_label("Time t, 0 noise, 1 data");
    wall.set_value_accesskit(0.6);
    window.run_steps(3);
    rest(&mut window);
    assert!(uploads().pictures > before.pictures);
}
