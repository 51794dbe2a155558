//! The engine's steering jobs, without a window: what the Steering workspace asks for and what it gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foresight::engine::{
    Command, Engine, Event, LensRequest, RequestId, ScoresRequest, Slot, SteerAnswer, SteerRequest,
    SteerStage, TraceRequest,
};
use foresight::mixture::{Preset, World};
use foresight::session::ComputeChoice;
use foresight::steer::{Method, SteerPlan, SteerScene, run};

const PATIENCE: Duration = Duration::from_mins(5);

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

fn stage() -> SteerStage {
    SteerStage {
        world: Arc::new(World::preset(Preset::Two)),
        model: None,
        reward: "measurement:0.3,1,0.5,0.5".parse().unwrap(),
    }
}

fn plan(method: Method, steps: u32, particles: u32) -> SteerPlan {
    SteerPlan {
        steps,
        particles,
        draws: 16,
        keep_trajectory: true,
        ..SteerPlan::new(method)
    }
}

fn request(plans: Vec<SteerPlan>) -> SteerRequest {
    SteerRequest {
        stage: stage(),
        plans,
        preview: false,
    }
}

/// Waits for the event that `pick` wants; a failure of any request ends the test.
fn wait<T>(engine: &Engine, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        for event in engine.events() {
            if let Event::Failed(_, slot, message) = &event {
                panic!("{slot:?}: {message}");
            }
            if let Some(found) = pick(event) {
                return found;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no answer");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn complete(engine: &Engine, id: RequestId) -> Arc<SteerAnswer> {
    wait(engine, |event| match event {
        Event::Steer(from, answer) if from == id && answer.complete => Some(answer),
        _ => None,
    })
}

#[test]
fn panels_run_side_by_side_and_give_what_each_gives_alone() {
    let engine = engine();
    let methods = [
        Method::Dps,
        Method::MfmGf,
        Method::ValueSmc,
        Method::BestOfN,
        Method::Search,
        Method::Exact,
    ];
    let plans: Vec<SteerPlan> = methods.map(|m| plan(m, 12, 64)).to_vec();
    let id = engine.submit(Command::Steer(request(plans.clone())));
    let answer = complete(&engine, id);
    let (stage, target) = (stage(), answer.target.as_ref().unwrap());
    assert!(target.mixture().is_some());
    for (plan, panel) in plans.iter().zip(&answer.panels) {
        let scene = SteerScene {
            world: &stage.world.mixture,
            reward: &stage.reward,
            model: None,
        };
        let alone = run(plan, scene, &mut |_: f32| true).unwrap();
        assert!(panel.done && panel.trouble.is_none());
        assert_eq!(panel.counters, alone.counters, "{}", plan.method);
        assert_eq!(panel.frames.len(), 13, "{}", plan.method);
        let kept: Vec<_> = panel.frames.iter().map(|f| (**f).clone()).collect();
        assert_eq!(kept, alone.frames, "{}", plan.method);
        assert_eq!(panel.frames[12].x, alone.samples, "{}", plan.method);
    }
}

#[test]
fn a_newer_comparison_replaces_the_running_one_and_cancelling_keeps_the_engine_alive() {
    let engine = engine();
    let long = request(vec![plan(Method::MfmG, 1000, 2048); 2]);
    let first = engine.submit(Command::Steer(long.clone()));
    wait(&engine, |event| {
        matches!(event, Event::Steer(id, _) if id == first).then_some(())
    });
    let second = engine.submit(Command::Steer(request(vec![plan(Method::Base, 5, 16)])));
    wait(&engine, |event| match event {
        Event::Steer(from, answer) if answer.complete => {
            assert_eq!(from, second, "the long one ran to its end");
            Some(())
        }
        _ => None,
    });
    let third = engine.submit(Command::Steer(long));
    wait(&engine, |event| {
        matches!(event, Event::Steer(id, _) if id == third).then_some(())
    });
    engine.cancel(Slot::Steer);
    wait(&engine, |event| {
        matches!(event, Event::Cancelled(id, Slot::Steer) if id == third).then_some(())
    });
    assert!(engine.busy().is_empty());
}

#[test]
fn scores_at_the_start_and_the_end_tell_exact_steering_from_dps() {
    let engine = engine();
    let mut exact = plan(Method::Exact, 100, 1024);
    exact.flow = foresight::steer::Flow::Sde;
    let plans = vec![exact, plan(Method::Dps, 100, 1024)];
    let id = engine.submit(Command::Steer(request(plans)));
    let runs = complete(&engine, id);
    let at = |t: f64| {
        let runs = runs.clone();
        let id = engine.submit(Command::Scores(ScoresRequest { runs, t }));
        wait(&engine, |event| match event {
            Event::Scores(from, scores) if from == id => Some(scores),
            _ => None,
        })
    };
    // The start is the same noise for all, and near what the exact process is there. In the middle and at the end DPS
    // is far off, and the exact value within what two samples of this size differ by (a quarter more, for the steps).
    for (t, apart) in [(0.0, false), (0.5, true), (1.0, true)] {
        let scores = at(t);
        let [Some(exact), Some(dps)] = &scores.panels[..] else {
            panic!("both panels have a score");
        };
        assert!((exact.t - t).abs() < 0.011, "{} at {t}", exact.t);
        let floor = scores.floor;
        assert!(
            exact.score.mmd_squared < 1.25 * floor.mmd_squared_max.max(2e-3),
            "{t}"
        );
        assert_eq!(dps.score.mmd_squared > 2e-2, apart, "{t}");
        if t < 1.0 {
            assert!(exact.gradient_error.unwrap() < 1e-9);
            assert!(t == 0.0 || dps.gradient_error.unwrap() > 0.05);
        } else {
            assert_eq!(exact.gradient_error, None);
        }
    }
    let id = engine.submit(Command::ScoreCurves(runs.clone()));
    let curves = wait(&engine, |event| match event {
        Event::ScoreCurves(from, curves) if from == id && curves.complete => Some(curves),
        _ => None,
    });
    for panel in &curves.panels {
        assert!(panel.len() >= 20 && panel.windows(2).all(|w| w[0].t < w[1].t));
    }
}

#[test]
fn the_lens_shows_the_futures_that_the_run_saw_and_the_trace_its_values() {
    let engine = engine();
    let plans = vec![
        plan(Method::MfmGf, 40, 32),
        plan(Method::ValueSmc, 40, 32),
        plan(Method::Base, 40, 32),
    ];
    let id = engine.submit(Command::Steer(request(plans)));
    let runs = complete(&engine, id);
    let id = engine.submit(Command::Lens(LensRequest {
        runs: runs.clone(),
        t: 0.4,
        particle: 7,
    }));
    let lens = wait(&engine, |event| match event {
        Event::Lens(from, lens) if from == id => Some(lens),
        _ => None,
    });
    let futures: Vec<usize> = lens
        .panels
        .iter()
        .map(|panel| panel.as_ref().unwrap().futures.len())
        .collect();
    assert_eq!(futures, [16, 16, 0]);
    let id = engine.submit(Command::Trace(TraceRequest { runs, particle: 7 }));
    let trace = wait(&engine, |event| match event {
        Event::Trace(from, trace) if from == id && trace.complete => Some(trace),
        _ => None,
    });
    for (p, points) in trace.panels.iter().enumerate() {
        assert_eq!(points.len(), 40);
        assert!(points.windows(2).all(|w| w[0].t < w[1].t));
        assert!(points.iter().all(|point| point.exact.is_some()));
        assert_eq!(points[0].value.is_some(), p < 2);
    }
    // Late, little is open: the estimate is near the exact value (methods.md 2).
    let last = trace.panels[0].last().unwrap();
    assert!((last.value.unwrap() - last.exact.unwrap()).abs() < 0.05);
}

#[test]
fn an_impossible_plan_is_refused_with_its_option() {
    let engine = engine();
    let id = engine.submit(Command::Steer(request(vec![plan(Method::Dps, 0, 16)])));
    let begun = Instant::now();
    let message = loop {
        let failed = engine.events().into_iter().find_map(|event| match event {
            Event::Failed(from, Slot::Steer, message) if from == id => Some(message),
            _ => None,
        });
        if let Some(message) = failed {
            break message;
        }
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(message.contains("steps"), "{message}");
}
