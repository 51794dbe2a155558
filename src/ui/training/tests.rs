//! The workspace with the engine's own training thread, by role and label.

use std::time::{Duration, Instant};

use eframe::egui::{self, OutputCommand, Panel, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::engine::TrainPhase;
use crate::mixture::World;
use crate::session::{CheckpointRef, Session, Training, Workspace, WorldRef};
use crate::ui::shortcuts::Action;
use crate::ui::state::State;
use crate::ui::tokens;

use super::{curves, header, show, side};

pub(super) type Window = Harness<'static, State>;

fn session() -> Session {
    Session {
        workspace: Workspace::Train,
        world: WorldRef::Preset("two".into()),
        draws: 256,
        training: Training {
            steps: 100_000,
            batch: 32,
            share: 1.0,
            ..Training::default()
        },
        ..Session::default()
    }
}

pub(super) fn window_of(fill_in: impl FnOnce(&mut State)) -> Window {
    let ctx = egui::Context::default();
    tokens::install(&ctx);
    let mut state = State::new(&ctx, None, session(), None);
    fill_in(&mut state);
    let mut window = Harness::builder()
        .with_size(vec2(1100.0, 1500.0))
        .build_ui_state(
            |ui, state: &mut State| {
                tokens::install(ui.ctx());
                let ctx = ui.ctx().clone();
                state.begin_frame(&ctx);
                Panel::left("side")
                    .exact_size(280.0)
                    .show(ui, |ui| side::show(ui, state));
                Panel::bottom("curves").exact_size(260.0).show(ui, |ui| {
                    curves::header(ui, state, false);
                    curves::show(ui, state);
                });
                header(ui, state);
                show(ui, state);
                state.end_frame(&ctx);
            },
            state,
        );
    window.run_steps(3);
    window
}

fn window() -> Window {
    window_of(|_| {})
}

pub(super) fn wait(window: &mut Window, what: &str, is: impl Fn(&State) -> bool) {
    let begun = Instant::now();
    while !is(window.state()) {
        assert!(
            begun.elapsed() < Duration::from_mins(5),
            "{what} did not come"
        );
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    }
    window.run_steps(2);
}

fn phase(state: &State) -> Option<TrainPhase> {
    state.training.report.as_ref().map(|r| r.phase.clone())
}

fn step(state: &State) -> u64 {
    state.training.report.as_ref().map_or(0, |r| r.step)
}

pub(super) fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    window.run_steps(2);
}

#[test]
fn before_the_first_run_one_sentence_says_what_to_do() {
    let window = window();
    window.get_by_label_contains("Press Start: a network learns");
    window.get_by_label_contains("drawn here while a network learns");
    assert!(window.query_by_label("Save as…").is_none());
}

#[test]
fn a_run_is_started_paused_resumed_saved_and_opened_in_posterior() {
    let folder = tempfile::tempdir().unwrap();
    let kept_in = folder.path().to_owned();
    let mut window = window_of(|state| state.keep_files_in(Some(kept_in)));
    click(&mut window, "Start");
    wait(&mut window, "the first look", |s| s.snapshot().is_some());
    // The network's draws and the exact ones, from the same state and noise.
    wait(&mut window, "the draws", |s| {
        let sets = [&s.answers.main, &s.answers.overlay].map(|set| set.draws.as_ref());
        let [Some(learned), Some(exact)] = sets else {
            return false;
        };
        let (a, b) = (&learned.request, &exact.request);
        assert_eq!((a.t, a.x_t, a.seed, a.draws), (b.t, b.x_t, b.seed, b.draws));
        a.model.is_some() && b.model.is_none()
    });
    click(&mut window, "Pause");
    wait(&mut window, "the pause", |s| {
        phase(s) == Some(TrainPhase::Paused)
    });
    let rested = step(window.state());
    click(&mut window, "Resume");
    wait(&mut window, "further steps", |s| step(s) > rested);
    // Esc takes nothing away that was learned.
    window.state_mut().perform(Action::Cancel);
    wait(&mut window, "the pause", |s| {
        phase(s) == Some(TrainPhase::Paused)
    });
    let path = folder.path().join("mine.safetensors");
    window.state_mut().save_trained(path.clone());
    // The window hears of a file after it is there.
    wait(&mut window, "the file", |s| {
        s.recent.iter().any(|kept| kept == path)
    });
    click(&mut window, "Open in Posterior");
    wait(&mut window, "the model", |s| {
        s.model
            .current
            .as_ref()
            .is_some_and(|m| m.path.as_deref() == Some(&*path))
    });
    let session = &window.state().session;
    assert_eq!(session.workspace, Workspace::Posterior);
    assert_eq!(session.checkpoint, CheckpointRef::File(path));
    // Without a file of its own name it is kept in the folder of the window's own files.
    window.state_mut().show_workspace(Workspace::Train);
    window.state_mut().resume_training();
    let rested = step(window.state());
    wait(&mut window, "further steps", |s| step(s) > rested);
    click(&mut window, "Open in Posterior");
    wait(&mut window, "the newer model", |s| {
        let path = s.model.current.as_ref().and_then(|m| m.path.clone());
        path.is_some_and(|p| p.starts_with(folder.path().join("trained")))
    });
}

#[test]
fn the_curves_go_to_the_clipboard() {
    let mut window = window();
    click(&mut window, "Start");
    wait(&mut window, "a look", |s| s.snapshot().is_some());
    window.get_by_label("Copy as CSV").click();
    let mut text = None;
    for _ in 0..3 {
        window.step();
        let commands = window.output().platform_output.commands.clone();
        text = text.or(commands.into_iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text),
            _ => None,
        }));
    }
    let text = text.unwrap();
    assert!(
        text.starts_with("step,seconds,") && text.lines().count() > 1,
        "{text}"
    );
}

#[test]
fn the_run_keeps_its_world_while_the_canvas_is_edited() {
    let mut window = window();
    click(&mut window, "Start");
    wait(&mut window, "a look", |s| s.snapshot().is_some());
    assert!(
        window
            .query_by_label_contains("as it was when it began")
            .is_none()
    );
    window.state_mut().add_mode([1.0, 2.0]);
    window.run_steps(2);
    window.get_by_label_contains("as it was when it began");
    let modes = |world: &World| world.mixture.modes().len();
    assert_eq!(
        modes(&window.state().training.report.as_ref().unwrap().world),
        2
    );
    click(&mut window, "Start again with this one");
    wait(&mut window, "the new run", |s| {
        modes(&s.training.report.as_ref().unwrap().world) == 3
    });
    assert!(!window.state().runs_elsewhere());
    window.state_mut().session.training.batch = 64;
    window.run_steps(2);
    window.get_by_label_contains("count from the next start");
}

#[test]
fn a_run_that_the_last_window_left_is_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    let kept_in = || Some(folder.path().to_owned());
    let mut first = window_of(|state| state.keep_files_in(kept_in()));
    assert!(first.query_by_label("Go on with it").is_none());
    first.state_mut().add_mode([1.0, 2.0]);
    click(&mut first, "Start");
    wait(&mut first, "steps", |s| step(s) > 3);
    let done = step(first.state());
    drop(first);
    let mut second = window_of(|state| state.keep_files_in(kept_in()));
    click(&mut second, "Go on with it");
    wait(&mut second, "the run", |s| step(s) >= done);
    assert_eq!(
        second.state().world.mixture.modes().len(),
        3,
        "its world is shown"
    );
    assert!(second.query_by_label("Go on with it").is_none());
}

#[test]
fn a_reward_is_learned_beside_its_target_and_beside_steering() {
    let mut window = window_of(|state| {
        state.session.training.tune_steps = 20_000;
        state.session.steering.reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
    });
    click(&mut window, "A reward");
    window.get_by_label_contains("Choose a reward and press Start");
    wait(&mut window, "the checkpoint", |s| s.tunable().is_ok());
    click(&mut window, "Start");
    wait(&mut window, "a look", |s| s.snapshot().is_some());
    window.get_by_label("exact target");
    click(&mut window, "Steering at inference");
    // Above the canvas and in the legend.
    let named = window.query_all_by_label("MFM-GF, 16 draws");
    assert!(named.count() > 0);
    window.get_by_label_contains("tuned · step");
    // The run of a reward is nothing that the world's canvases show, with none of its words and buttons.
    click(&mut window, "The world on the canvas");
    assert!(window.state().snapshot().is_none());
    window.get_by_label_contains("Press Start: a network learns");
    window.get_by_label_contains("Losses and distances to the exact posteriors are drawn here");
    window.get_by_label("Start");
    assert!(window.query_by_label("Pause").is_none());
    window.get_by_label_contains("A run of another kind is not done");
    click(&mut window, "Show it");
    window.get_by_label_contains("tuned · step");
    click(&mut window, "Stop");
    wait(&mut window, "the end", |s| {
        s.run_phase() == Some(TrainPhase::Stopped)
    });
}
