//! The wall of pictures in a window that paints, software or not. A file of its own: what the process writes to the
//! device is counted.

mod pictures;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eframe::egui::{self, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use foresight::engine::{Command, Compute, Engine, Event, OpenImages, WallAnswer, WallRequest};
use foresight::gpu::{SharedDevice, uploads};
use foresight::lookahead::Source;
use foresight::session::{ComputeChoice, Images, Rewarding, Session, WallOrder, Workspace};
use foresight::ui::{App, AppOptions};

use pictures::{Window, map, wait_until};

/// What is written to the device is counted for the whole process: one test at a time.
static ONE: Mutex<()> = Mutex::new(());

fn shared() -> Option<Arc<SharedDevice>> {
    SharedDevice::headless()
        .inspect_err(|error| println!("skipped: {error}"))
        .ok()
}

/// The shipped map: one that knows nothing draws the same picture again and again.
fn window() -> Option<Window> {
    let shared = shared()?;
    let session = Session {
        workspace: Workspace::Images,
        images: Images {
            draws: 16,
            rewarding: Rewarding {
                reward: "brightness".parse().expect("a sound reward"),
                ..Rewarding::default()
            },
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

/// The pixels of the wall: elsewhere the window says how long a frame took.
fn paint(window: &mut Window) -> Vec<u8> {
    let wall = window.get_by_label("Wall of 16 pictures").rect();
    let whole = window.render().expect("a picture of the window");
    let [x, y, width, height] =
        [wall.left(), wall.top(), wall.width(), wall.height()].map(|v| v as u32);
    image::imageops::crop_imm(&whole, x, y, width, height)
        .to_image()
        .into_raw()
}

#[test]
fn a_wall_at_rest_writes_nothing_and_another_order_no_picture() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut window) = window() else {
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
        assert!(paint(&mut window) == picture, "the same picture");
    }
    assert_eq!(uploads(), before, "nothing was written");

    window.get_by_label("by reward").click_accesskit();
    rest(&mut window);
    assert_eq!(window.state().session().images.order, WallOrder::Reward);
    let sorted = paint(&mut window);
    assert!(sorted != picture, "the tiles stand elsewhere");
    let now = uploads();
    assert_eq!(now.pictures, before.pictures, "no picture was written");
    assert!(now.lists > before.lists, "where they stand was");

    window.get_by_label("smooth").click_accesskit();
    rest(&mut window);
    assert!(paint(&mut window) != sorted, "blended");
    assert_eq!(uploads().pictures, before.pictures);

    // Enlarged under the pointer, and back.
    let middle = window.get_by_label("Wall of 16 pictures").rect().center();
    let still = paint(&mut window);
    window.hover_at(middle);
    window.run_steps(2);
    window.event(egui::Event::Zoom(3.0));
    window.run_steps(2);
    window.event(egui::Event::PointerGone);
    rest(&mut window);
    assert!(paint(&mut window) != still, "enlarged");
    assert_eq!(uploads().pictures, before.pictures);
    window.get_by_label("Show the whole wall").click_accesskit();
    rest(&mut window);
    window.event(egui::Event::PointerGone);
    rest(&mut window);
    assert!(paint(&mut window) == still, "as before");

    // Another time is other pictures.
    let wall = window.get_by_label("Time t, 0 noise, 1 data");
    wall.set_value_accesskit(0.6);
    window.run_steps(3);
    rest(&mut window);
    assert!(uploads().pictures > before.pictures);
}

/// Walls of 12 pictures of a map by an engine on `choice`, one for each lookahead.
fn walls(shared: &Arc<SharedDevice>, map: &Path, choice: ComputeChoice) -> Vec<Arc<WallAnswer>> {
    let engine = Engine::start(Some(shared.clone()), choice, Arc::new(|| {}));
    let begun = Instant::now();
    let mut waiting = VecDeque::new();
    let mut next = || loop {
        assert!(begun.elapsed() < Duration::from_mins(5), "no answer");
        if let Some(event) = waiting.pop_front() {
            return event;
        }
        waiting.extend(engine.events());
        std::thread::sleep(Duration::from_millis(2));
    };
    engine.submit(Command::OpenImages(OpenImages::of(Some(map))));
    let model = loop {
        if let Event::OpenedImages(_, _, model) = next() {
            break model;
        }
    };
    let mut wall = |source| {
        let images = Images {
            source,
            ..Images::default()
        };
        engine.submit(Command::Wall(WallRequest::of(model.clone(), &images, 12)));
        loop {
            match next() {
                Event::Wall(_, answer) if answer.complete => return answer,
                Event::Failed(_, _, message) => panic!("{message}"),
                _ => {}
            }
        }
    };
    vec![wall(Source::OneStep), wall(Source::KStep(2))]
}

#[test]
fn a_map_on_the_shared_device_draws_the_processors_wall_and_uploads_no_picture() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_folder, path) = map();
    let Some(shared) = shared() else {
        return;
    };
    let begin = uploads().pictures;
    let on_cpu = walls(&shared, &path, ComputeChoice::Cpu);
    let uploaded = uploads().pictures;
    assert!(uploaded > begin, "draws of the processor are uploaded");
    let on_shared = walls(&shared, &path, ComputeChoice::Shared);
    assert_eq!(uploads().pictures, uploaded, "draws of the device are not");
    for (a, b) in on_cpu.iter().zip(&on_shared) {
        assert_eq!((a.compute, b.compute), (Compute::Cpu, Compute::Shared));
        assert_eq!((a.painted.len(), b.painted.len()), (12, 12));
        let alike = |(a, b): (&f32, &f32)| (a - b).abs() < 0.05;
        let [first, second] = [a.picture(0), a.picture(1)].map(|p| p.expect("it is there"));
        assert!(
            !first.iter().zip(second).all(alike),
            "all draws are the same"
        );
        let most = a.pictures.iter().zip(&*b.pictures);
        let most = most.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // f32 sums in another order through four layers.
        assert!(most < 2e-3, "{most}");
        for answer in [a, b] {
            // What is painted from is what was answered.
            for item in 0..12 {
                let (buffer, at) = answer.painted.place(item).expect("it is there");
                let all = buffer
                    .read(&shared, buffer.len())
                    .expect("a working device");
                let from = at as usize * buffer.numbers();
                let painted = &all[from..from + buffer.numbers()];
                assert_eq!(Some(painted), answer.picture(item));
            }
            assert!(answer.painted.place(12).is_none());
        }
    }
}
