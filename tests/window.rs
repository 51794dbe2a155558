//! The window by role, label and key, without a graphics device: panels and shortcuts, no pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{DroppedFile, Key, Modifiers, accesskit::Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use foresight::lookahead::Source;
use foresight::session::{Session, Steering, Workspace, WorldRef};
use foresight::steer::{Method, SteerPlan};
use foresight::ui::{App, AppOptions};

type Window = Harness<'static, App>;

fn window() -> Window {
    window_of(Session::default())
}

fn window_of(session: Session) -> Window {
    let mut window = Harness::builder()
        .with_size(vec2(1280.0, 800.0))
        .with_step_dt(1.0 / 60.0)
        .build_eframe(|cc| App::new(cc, AppOptions::for_session(session)));
    window.run_steps(4);
    window
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(3);
}

fn tap(window: &mut Window, key: Key) {
    press(window, Modifiers::NONE, key);
}

/// Steps until a label is there: figures come from the engine's own thread.
fn wait_for(window: &mut Window, label: &str) {
    let begun = std::time::Instant::now();
    while window.query_by_label(label).is_none() {
        assert!(begun.elapsed().as_secs() < 300, "'{label}' did not come");
        std::thread::sleep(std::time::Duration::from_millis(5));
        window.step();
    }
}

fn time(window: &Window) -> f64 {
    window.state().session().t
}

#[test]
fn space_plays_and_pauses() {
    let mut window = window();
    let begin = time(&window);
    tap(&mut window, Key::Space);
    assert!(window.state().is_playing());
    window.run_steps(30);
    assert!(time(&window) > begin + 0.02, "{}", time(&window));
    tap(&mut window, Key::Space);
    assert!(!window.state().is_playing());
    let stopped = time(&window);
    window.run_steps(10);
    assert_eq!(time(&window), stopped);
}

#[test]
fn arrows_home_and_end_step_the_clock_also_while_a_button_has_the_focus() {
    let mut window = window();
    tap(&mut window, Key::ArrowRight);
    assert!((time(&window) - 0.34).abs() < 1e-9);
    press(&mut window, Modifiers::SHIFT, Key::ArrowLeft);
    assert!((time(&window) - 0.24).abs() < 1e-9);
    window.get_by_label("edit").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    assert!((time(&window) - 0.25).abs() < 1e-9);
    assert!(window.get_by_label("edit").is_focused(), "the focus stays");
    tap(&mut window, Key::End);
    assert_eq!(time(&window), 1.0);
    tap(&mut window, Key::Home);
    assert_eq!(time(&window), 0.0);
}

#[test]
fn dragging_the_timeline_moves_the_clock() {
    let mut window = window();
    let track = window.get_by_label("Time t, 0 noise, 1 data").rect();
    let y = track.center().y;
    window.drag_at(eframe::egui::pos2(track.lerp_inside(vec2(0.33, 0.5)).x, y));
    window.run_steps(2);
    let to = eframe::egui::pos2(track.lerp_inside(vec2(0.75, 0.5)).x, y);
    window.hover_at(to);
    window.run_steps(2);
    window.drop_at(to);
    window.run_steps(2);
    assert!((time(&window) - 0.75).abs() < 0.02, "{}", time(&window));
}

#[test]
fn a_screen_reader_can_set_the_clock() {
    let mut window = window();
    window
        .get_by_label("Time t, 0 noise, 1 data")
        .set_value_accesskit(0.6);
    window.run_steps(3);
    assert!((time(&window) - 0.6).abs() < 1e-9);
}

#[test]
fn dragging_x_t_places_it_and_the_arrow_keys_move_it() {
    let mut window = window();
    let handle = window.get_by_label("State x_t").rect().center();
    window.drag_at(handle);
    window.run_steps(2);
    let to = handle + vec2(60.0, -40.0);
    window.hover_at(to);
    window.run_steps(2);
    window.drop_at(to);
    window.run_steps(2);
    let placed = window.state().session().anchor;
    assert!(placed.x[0] > -0.6 && placed.x[1] > -0.8, "{placed:?}");
    assert_eq!(placed.t, time(&window));
    window.get_by_label("State x_t").focus();
    window.run_steps(3);
    tap(&mut window, Key::ArrowRight);
    let moved = window.state().session().anchor;
    assert!(moved.x[0] > placed.x[0], "{moved:?}");
    assert_eq!(moved.t, placed.t, "the clock stays while x_t has the focus");
}

#[test]
fn a_question_mark_shows_the_shortcuts_and_esc_hides_them() {
    let mut window = window();
    press(&mut window, Modifiers::SHIFT, Key::Questionmark);
    assert!(window.state().is_help_open());
    window.get_by_label("R: redraw with new noise");
    tap(&mut window, Key::Escape);
    assert!(!window.state().is_help_open());
}

#[test]
fn esc_never_quits() {
    let mut window = window();
    for _ in 0..5 {
        tap(&mut window, Key::Escape);
    }
    let closing = window
        .output()
        .viewport_output
        .values()
        .flat_map(|viewport| &viewport.commands)
        .any(|command| matches!(command, eframe::egui::ViewportCommand::Close));
    assert!(!closing);
    window.get_by_label("What x_t could still become");
}

#[test]
fn a_preset_switches_the_world() {
    let mut window = window();
    window
        .get_by_role_and_label(Role::ComboBox, "World")
        .click();
    window.run_steps(4);
    window.get_by_label("Ring of eight").click();
    window.run_steps(4);
    assert_eq!(
        window.state().session().world,
        WorldRef::Preset("ring8".into())
    );
    wait_for(&mut window, "Share of upper right");
}

#[test]
fn esc_closes_a_list_before_it_cancels_anything() {
    let mut window = window();
    tap(&mut window, Key::Space);
    window
        .get_by_role_and_label(Role::ComboBox, "World")
        .click();
    window.run_steps(4);
    window.get_by_label("Ring of eight");
    tap(&mut window, Key::Escape);
    assert!(window.query_by_label("Ring of eight").is_none());
    assert!(window.state().is_playing());
    tap(&mut window, Key::Escape);
    assert!(!window.state().is_playing());
}

#[test]
fn keys_choose_sources_noise_and_layers() {
    let mut window = window();
    tap(&mut window, Key::Num5);
    assert_eq!(window.state().session().source, Source::Exact);
    tap(&mut window, Key::Num4);
    assert!(matches!(window.state().session().source, Source::Sde(_)));
    let before = window.state().session().clone();
    tap(&mut window, Key::R);
    assert_eq!(window.state().session().seed, before.seed + 1);
    tap(&mut window, Key::V);
    tap(&mut window, Key::C);
    let show = window.state().session().show;
    assert_eq!(show.velocity, !before.show.velocity);
    assert_eq!(show.contours, !before.show.contours);
    tap(&mut window, Key::O);
    assert!(window.state().session().overlay.is_some());
}

#[test]
fn a_mode_is_added_deleted_and_brought_back() {
    let mut window = window();
    let modes = |window: &Window| {
        let world = window
            .state()
            .session()
            .world
            .resolve()
            .expect("a valid world");
        world.mixture.modes().len()
    };
    tap(&mut window, Key::E);
    window.get_by_label("Add a mode").click_accesskit();
    window.run_steps(4);
    assert_eq!(modes(&window), 4);
    tap(&mut window, Key::Delete);
    assert_eq!(modes(&window), 3);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(modes(&window), 4);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(modes(&window), 3);
    assert_eq!(
        window.state().session().world,
        WorldRef::Preset("three".into()),
        "undo leads back to the preset itself"
    );
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(modes(&window), 4);
}

#[test]
fn the_hint_is_shown_until_it_is_dismissed() {
    let mut window = window();
    let hint =
        "Drag the point. Drag the time bar. Each dot is a clean sample it could still become.";
    window.get_by_label(hint);
    window.get_by_label("Dismiss the hint").click_accesskit();
    window.run_steps(3);
    assert!(window.query_by_label(hint).is_none());
}

#[test]
fn every_control_has_a_name() {
    let mut window = window_of(Session {
        overlay: Some(Source::Exact),
        ..Session::default()
    });
    tap(&mut window, Key::E);
    window.get_by_label("Checkpoint").click_accesskit();
    window.run_steps(3);
    window.check_accessibility();
    press(&mut window, Modifiers::SHIFT, Key::Questionmark);
    window.check_accessibility();
}

#[test]
fn tab_reaches_the_clock_and_x_t() {
    let mut window = window();
    let mut reached = Vec::new();
    for _ in 0..120 {
        tap(&mut window, Key::Tab);
        for name in ["State x_t", "Time t, 0 noise, 1 data", "Play", "Draws"] {
            let focused = window
                .query_all_by_label(name)
                .any(|node| node.accesskit_node().is_focused());
            if focused && !reached.contains(&name) {
                reached.push(name);
            }
        }
    }
    assert_eq!(reached.len(), 4, "{reached:?}");
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

fn wait_for_text(window: &mut Window, text: &str) {
    let begun = std::time::Instant::now();
    while window.query_all_by_label_contains(text).next().is_none() {
        assert!(begun.elapsed().as_secs() < 300, "'{text}' did not come");
        std::thread::sleep(std::time::Duration::from_millis(5));
        window.step();
    }
}

#[test]
fn dropped_points_become_a_world_with_a_bandwidth() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("flock.csv");
    std::fs::write(&path, "x,y\n0,0\n1,2\n-1,2\n").expect("a file for the test");
    let mut window = window();
    drop_file(&mut window, &path);
    wait_for_text(&mut window, "Bandwidth");
    let world = window
        .state()
        .session()
        .world
        .resolve()
        .expect("a valid world");
    assert_eq!(
        (world.name.as_str(), world.mixture.modes().len()),
        ("flock", 3)
    );
}

#[test]
fn bad_files_say_what_is_wrong_and_the_last_good_state_stays() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut window = window();
    let before = window.state().session().clone();
    for (name, contents, part) in [
        ("words.csv", "x,y\n0,zero\n", "words.csv"),
        ("broken.ron", "(mixture: nonsense", "broken.ron"),
        ("short.safetensors", "abc", "short.safetensors"),
        ("notes.txt", "hello", "notes.txt"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, contents).expect("a file for the test");
        drop_file(&mut window, &path);
        wait_for_text(&mut window, part);
        assert_eq!(*window.state().session(), before, "{name}");
    }
}

/// A comparison that is computed in a moment.
fn small_comparison(panels: Vec<SteerPlan>) -> Session {
    Session {
        workspace: Workspace::Steering,
        steering: Steering {
            panels: panels
                .into_iter()
                .map(|plan| SteerPlan { steps: 20, ..plan })
                .collect(),
            particles: 32,
            ..Steering::default()
        },
        ..Session::default()
    }
}

fn two_methods() -> Session {
    small_comparison(vec![
        SteerPlan::new(Method::Dps),
        SteerPlan {
            draws: 8,
            ..SteerPlan::new(Method::MfmGf)
        },
    ])
}

fn wait_until(window: &mut Window, what: &str, done: impl Fn(&Window) -> bool) {
    let begun = std::time::Instant::now();
    while !done(window) {
        assert!(begun.elapsed().as_secs() < 300, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
        window.step();
    }
}

fn methods(window: &Window) -> Vec<Method> {
    let panels = &window.state().session().steering.panels;
    panels.iter().map(|plan| plan.method).collect()
}

#[test]
fn keys_and_tabs_switch_the_workspace() {
    let mut window = window();
    press(&mut window, Modifiers::COMMAND, Key::Num2);
    assert_eq!(window.state().session().workspace, Workspace::Steering);
    window.get_by_label("Methods side by side");
    window.get_by_label("Equal compute");
    window
        .get_by_role_and_label(Role::Tab, "Posterior")
        .click_accesskit();
    window.run_steps(3);
    assert_eq!(window.state().session().workspace, Workspace::Posterior);
    window.get_by_label("What x_t could still become");
}

#[test]
fn a_method_is_added_and_closed() {
    let mut window = window_of(two_methods());
    window.get_by_label("Add a method").click_accesskit();
    window.run_steps(4);
    window.get_by_label("LGD").click();
    window.run_steps(4);
    assert_eq!(methods(&window), [Method::Dps, Method::MfmGf, Method::Lgd]);
    window.get_by_label("Particles of LGD");
    window.get_by_label("Close DPS").click_accesskit();
    window.run_steps(4);
    assert_eq!(methods(&window), [Method::MfmGf, Method::Lgd]);
}

#[test]
fn one_draw_of_mfm_gf_is_warned_of_and_mended_with_one_click() {
    let mut window = window_of(small_comparison(vec![SteerPlan {
        draws: 1,
        ..SteerPlan::new(Method::MfmGf)
    }]));
    wait_for_text(&mut window, "does not steer");
    window.get_by_label("Use MFM-G").click_accesskit();
    window.run_steps(4);
    assert_eq!(methods(&window), [Method::MfmG]);
    assert!(
        window
            .query_all_by_label_contains("does not steer")
            .next()
            .is_none()
    );
}

#[test]
fn space_plays_the_comparison_from_noise_and_waits_for_what_is_computed() {
    let mut session = two_methods();
    session.steering.t = 0.7;
    let mut window = window_of(session);
    wait_until(&mut window, "the runs did not finish", |window| {
        window.state().is_settled()
    });
    tap(&mut window, Key::Space);
    assert!(window.state().is_playing());
    let begin = window.state().clock();
    assert!(begin < 0.1, "from noise: {begin}");
    window.run_steps(30);
    let moved = window.state().clock();
    assert!(moved > begin + 0.02, "{moved}");
    tap(&mut window, Key::Space);
    tap(&mut window, Key::Home);
    tap(&mut window, Key::ArrowRight);
    let first = window.state().clock();
    tap(&mut window, Key::ArrowRight);
    let second = window.state().clock();
    // From the start at 0.01 by twentieths of the rest.
    assert!((first - 0.01).abs() < 1e-9, "{first}");
    assert!((second - 0.0595).abs() < 1e-9, "{second}");
    tap(&mut window, Key::ArrowLeft);
    assert_eq!(window.state().clock(), first);
    assert_eq!(time(&window), 0.33, "the other workspace's clock stays");
}

#[test]
fn esc_in_the_comparison_cancels_and_clears_but_never_quits() {
    let mut session = two_methods();
    session.steering.selected = Some(3);
    let mut window = window_of(session);
    for _ in 0..5 {
        tap(&mut window, Key::Escape);
    }
    assert_eq!(window.state().session().steering.selected, None);
    let closing = window
        .output()
        .viewport_output
        .values()
        .flat_map(|viewport| &viewport.commands)
        .any(|command| matches!(command, eframe::egui::ViewportCommand::Close));
    assert!(!closing);
    window.get_by_label("Methods side by side");
}

#[test]
fn dragging_the_reward_previews_and_release_computes_it_whole() {
    let mut session = two_methods();
    session.steering.particles = 512;
    let mut window = window_of(session);
    wait_until(&mut window, "the runs did not finish", |window| {
        window.state().is_settled()
    });
    let before = window.state().session().steering.reward.clone();
    let handle = window.get_by_label("Observed value").rect().center();
    window.drag_at(handle);
    window.run_steps(2);
    window.hover_at(handle + vec2(30.0, 20.0));
    window.run_steps(2);
    wait_for_text(&mut window, "preview");
    window.drop_at(handle + vec2(30.0, 20.0));
    window.run_steps(2);
    assert_ne!(window.state().session().steering.reward, before);
    wait_until(&mut window, "the whole runs did not come", |window| {
        window.state().is_settled()
    });
    assert!(
        window
            .query_all_by_label_contains("preview")
            .next()
            .is_none()
    );
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(window.state().session().steering.reward, before);
}

#[test]
fn every_control_of_the_comparison_has_a_name() {
    let mut window = window_of(two_methods());
    window.check_accessibility();
    window.get_by_label("Options of DPS").click();
    window.run_steps(4);
    window.check_accessibility();
}

#[test]
fn esc_keeps_what_a_cancelled_run_has_computed_and_says_so() {
    let mut session = Session {
        workspace: Workspace::Steering,
        ..Session::default()
    };
    session.steering.particles = 8192;
    session.steering.t = 1.0;
    let mut window = window_of(session);
    wait_for_text(&mut window, "computed to t");
    tap(&mut window, Key::Escape);
    wait_for_text(&mut window, "Cancelled at t");
    let seed = window.state().session().seed;
    tap(&mut window, Key::R);
    assert_eq!(window.state().session().seed, seed + 1);
    wait_for_text(&mut window, "computed to t");
    tap(&mut window, Key::Escape);
    wait_for_text(&mut window, "Cancelled at t");
}
