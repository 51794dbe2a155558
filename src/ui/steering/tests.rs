//! The panels with real answers of the engine, by role and label.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, OutputCommand, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::engine::{
    Command, Engine, Event, ScoresRequest, SteerAnswer, SteerRequest, SteerStage, TraceRequest,
};
use crate::mixture::{Preset, World};
use crate::session::{ComputeChoice, Session, Workspace};
use crate::steer::{Method, SteerPlan};
use crate::ui::state::State;
use crate::ui::tokens;

use super::{budget, lessons, scores, stage};

fn session() -> Session {
    let mut session = Session {
        workspace: Workspace::Steering,
        world: crate::session::WorldRef::Preset("two".into()),
        ..Session::default()
    };
    let plan = |method, draws| SteerPlan {
        steps: 30,
        draws,
        ..SteerPlan::new(method)
    };
    session.steering.reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
    session.steering.panels = vec![
        plan(Method::Dps, 1),
        plan(Method::MfmGf, 4),
        plan(Method::MfmGf, 32),
        plan(Method::Tds, 1),
    ];
    session.steering.particles = 256;
    session.steering.t = 1.0;
    session.steering.selected = Some(7);
    session
}

fn wait<T>(engine: &Engine, mut of: impl FnMut(Event) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        for event in engine.events() {
            if let Event::Failed(_, slot, why) = &event {
                panic!("{slot:?}: {why}");
            }
            if let Some(found) = of(event) {
                return found;
            }
        }
        assert!(begun.elapsed() < Duration::from_mins(5));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What the engine answers about a session's comparison.
fn fill(state: &mut State, engine: &Engine) -> Arc<SteerAnswer> {
    let steering = &state.session.steering;
    engine.submit(Command::Steer(SteerRequest {
        stage: SteerStage {
            world: Arc::new(World::preset(Preset::Two)),
            model: None,
            reward: steering.reward.clone(),
        },
        plans: steering.plans(state.session.seed, steering.particles),
        preview: false,
    }));
    let runs = wait(engine, |event| match event {
        Event::Steer(_, runs) if runs.complete => Some(runs),
        _ => None,
    });
    engine.submit(Command::Scores(ScoresRequest {
        runs: runs.clone(),
        t: steering.t,
    }));
    state.steering.scores = Some(wait(engine, |event| match event {
        Event::Scores(_, scores) => Some(scores),
        _ => None,
    }));
    engine.submit(Command::ScoreCurves(runs.clone()));
    state.steering.curves = Some(wait(engine, |event| match event {
        Event::ScoreCurves(_, curves) if curves.complete => Some(curves),
        _ => None,
    }));
    engine.submit(Command::Trace(TraceRequest {
        runs: runs.clone(),
        particle: 7,
    }));
    state.steering.trace = Some(wait(engine, |event| match event {
        Event::Trace(_, trace) if trace.complete => Some(trace),
        _ => None,
    }));
    state.steering.runs = Some(runs.clone());
    runs
}

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

type Show = fn(&mut egui::Ui, &mut State);

/// A panel of the least width that the window gives it.
fn panel(show: Show, fill_in: impl FnOnce(&mut State)) -> Harness<'static, State> {
    panel_of(vec2(380.0, 760.0), show, fill_in)
}

fn panel_of(
    size: egui::Vec2,
    show: Show,
    fill_in: impl FnOnce(&mut State),
) -> Harness<'static, State> {
    let ctx = egui::Context::default();
    tokens::install(&ctx);
    let mut state = State::new(&ctx, None, session(), None);
    fill_in(&mut state);
    let mut harness = Harness::builder().with_size(size).build_ui_state(
        move |ui, state: &mut State| {
            tokens::install(ui.ctx());
            show(ui, state);
        },
        state,
    );
    harness.run_steps(3);
    harness
}

#[test]
fn above_narrow_methods_nothing_lies_on_something_else() {
    let methods = [
        Method::Dps,
        Method::MfmG,
        Method::MfmGf,
        Method::Exact,
        Method::Tds,
        Method::BestOfN,
    ];
    // The room that windows of 900, 1000 and 1280 points leave.
    for (width, count) in [(304.0, 4), (418.0, 6), (418.0, 4), (640.0, 6)] {
        let harness = panel_of(vec2(width, 500.0), stage::show, |state| {
            let plans = methods.iter().take(count).map(|method| SteerPlan {
                draws: 1024,
                ..SteerPlan::new(*method)
            });
            state.session.steering.panels = plans.collect();
        });
        let mut rects: Vec<(String, egui::Rect)> = Vec::new();
        let titles = methods.map(|method| method.card().title);
        let of = |what: &str| titles.map(|title| format!("{what} of {title}"));
        let close = titles.map(|title| format!("Close {title}"));
        let plain = ["ODE", "SDE", "exact"].map(str::to_owned);
        let names = [of("Options"), of("Draws"), close, titles.map(str::to_owned)];
        for name in names.iter().flatten().chain(&plain) {
            let found = harness.query_all_by_label(name);
            rects.extend(found.map(|node| (name.clone(), node.rect())));
        }
        assert!(rects.len() > 4 * count, "{rects:?}");
        for (k, (name, rect)) in rects.iter().enumerate() {
            for (other, beside) in &rects[..k] {
                let both = rect.shrink(0.5).intersect(beside.shrink(0.5));
                assert!(!both.is_positive(), "{width}: {name} on {other}");
            }
            assert!(rect.right() <= width, "{width}: {name} is cut off");
        }
    }
}

fn names_from_the_top(harness: &Harness<'_, State>, names: &[&str]) -> Vec<String> {
    let mut found: Vec<(f32, String)> = names
        .iter()
        .filter_map(|name| {
            // The legend has the name too; the table stands above it.
            let top = harness
                .query_all_by_label(name)
                .map(|node| node.rect().top())
                .fold(f32::INFINITY, f32::min);
            top.is_finite().then(|| (top, (*name).to_owned()))
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn the_table_is_ordered_by_a_click_and_reversed_by_another() {
    let engine = engine();
    let mut harness = panel(scores::show, |state| {
        fill(state, &engine);
    });
    let names = ["DPS", "MFM-GF 4", "MFM-GF 32", "TDS"];
    assert_eq!(names_from_the_top(&harness, &names), names);
    let w2: Vec<f64> = {
        let scores = harness.state().steering.scores.as_ref().unwrap();
        let of = |p: &Option<crate::engine::PanelScore>| p.as_ref().unwrap().score.sliced_w2;
        scores.panels.iter().map(of).collect()
    };
    let mut best: Vec<usize> = (0..4).collect();
    best.sort_by(|a, b| w2[*a].total_cmp(&w2[*b]));
    let mut expected: Vec<&str> = best.iter().map(|k| names[*k]).collect();
    harness.get_by_label("Order by sliced W2").click();
    harness.run_steps(3);
    assert_eq!(names_from_the_top(&harness, &names), expected);
    harness.get_by_label("Order by sliced W2").click();
    harness.run_steps(3);
    expected.reverse();
    assert_eq!(names_from_the_top(&harness, &names), expected);
}

#[test]
fn the_table_goes_to_the_clipboard_with_floor_exact_time_and_seed() {
    let engine = engine();
    let mut harness = panel(scores::show, |state| {
        fill(state, &engine);
    });
    harness.get_by_label("Copy as CSV").click();
    harness.run_steps(1);
    let mut text = None;
    for _ in 0..3 {
        let output = harness.output().platform_output.commands.clone();
        text = text.or(output.into_iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text),
            _ => None,
        }));
        harness.step();
    }
    let text = text.unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 5);
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    for (row, name) in lines[1..]
        .iter()
        .zip(["DPS", "MFM-GF 4", "MFM-GF 32", "TDS"])
    {
        assert_eq!((row.len(), row[0]), (lines[0].len(), name));
        for filled in ["sliced_w2_floor", "exact_mean_reward", "share_left"] {
            assert!(
                row[column(filled)].parse::<f64>().is_ok(),
                "{filled}: {row:?}"
            );
        }
        assert_eq!(row[column("t")], "1");
        assert_eq!(row[column("seed")], "3");
    }
}

#[test]
fn without_runs_and_without_a_particle_the_panels_say_what_is_missing() {
    let harness = panel(scores::show, |_| {});
    harness.get_by_label_contains("press Space");
    let engine = engine();
    let mut harness = panel(scores::show, |state| {
        fill(state, &engine);
        state.session.steering.selected = None;
    });
    harness.get_by_label("Value").click();
    harness.run_steps(3);
    harness.get_by_label_contains("Select a particle to see its value");
    let harness = panel(budget::show, |_| {});
    harness.get_by_label_contains("Start the runs");
    harness.get_by_label_contains("the draws of MFM-GF and the steps of DPS, TDS");
}

#[test]
fn a_lesson_shows_its_words_until_they_are_put_away() {
    let mut harness = panel(lessons::banner, |state| {
        state.session.lesson = Some(crate::session::Lesson {
            title: "A title".into(),
            text: "What to do.".into(),
        });
    });
    harness.get_by_label("A title");
    harness.get_by_label("Close lesson").click();
    harness.run_steps(3);
    assert!(harness.query_by_label("A title").is_none());
    assert!(harness.state().session.lesson.is_some(), "saving keeps it");
}

#[test]
fn the_menu_opens_a_lesson() {
    let mut harness = panel(lessons::menu, |_| {});
    harness.get_by_label("6  Search is greedy").click();
    harness.run_steps(3);
    let session = &harness.state().session;
    assert_eq!(session.steering.panels[0].method, Method::Search);
    assert_eq!(session.lesson.as_ref().unwrap().title, "Search is greedy");
}
