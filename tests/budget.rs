//! Equal compute in the background: rows come one by one, urgent requests go first, cancelling is quick.

use std::sync::Arc;
use std::time::{Duration, Instant};

use foresight::engine::{
    BudgetAnswer, BudgetRequest, Command, DrawRequest, Engine, Event, RequestId, Slot,
    SteerRequest, SteerStage,
};
use foresight::lookahead::Source;
use foresight::mixture::{Preset, World};
use foresight::session::{ComputeChoice, Steering};
use foresight::steer::{Method, SteerPlan};

/// No test waits longer than this for one event.
const PATIENCE: Duration = Duration::from_mins(5);

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

fn request(budgets: &[u64], seeds: u64, particles: u32) -> BudgetRequest {
    let plan = |method| SteerPlan {
        steps: 10,
        ..SteerPlan::new(method)
    };
    BudgetRequest {
        stage: SteerStage {
            world: Arc::new(World::preset(Preset::Two)),
            model: None,
            reward: "measurement:0.3,1,0.5,0.5".parse().unwrap(),
        },
        plans: vec![plan(Method::MfmGf), plan(Method::Dps), plan(Method::Tds)],
        budgets: budgets.to_vec(),
        seeds: (0..seeds).collect(),
        particles,
    }
}

/// Drains events until `found` gives something.
fn wait<T>(engine: &Engine, mut found: impl FnMut(&Event) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        for event in engine.events() {
            if let Some(value) = found(&event) {
                return value;
            }
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the event did not come; busy: {:?}",
            engine.busy()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn complete(engine: &Engine, id: RequestId) -> Arc<BudgetAnswer> {
    wait(engine, |event| match event {
        Event::Budget(got, answer) if *got == id && answer.complete => Some(answer.clone()),
        _ => None,
    })
}

#[test]
fn rows_grow_to_all_runs_with_the_floor_and_what_is_left_out() {
    let engine = engine();
    let id = engine.submit(Command::Budget(request(&[400, 20, 100], 2, 256)));
    let answer = complete(&engine, id);
    // MFM-GF takes 10 (1 + 2 N): 20 is too little for it.
    assert_eq!((answer.total, answer.rows.len()), (16, 16));
    assert_eq!(answer.left_out.len(), 1);
    assert!(answer.left_out[0].reason.contains("too small"));
    assert!(answer.floor.is_some_and(|f| f.sliced_w2 > 0.0));
    assert!(answer.target_mean_reward.is_some_and(f64::is_finite));
    for row in &answer.rows {
        assert!(row.evaluations <= row.budget as f64 && row.evaluations > 0.6 * row.budget as f64);
        assert!(row.sliced_w2.is_finite() && row.plan.particles == 256);
    }
    assert!(engine.busy().is_empty());
}

#[test]
fn urgent_requests_are_answered_while_rows_are_computed() {
    let engine = engine();
    let id = engine.submit(Command::Budget(request(&[2_000], 500, 4096)));
    wait(&engine, |event| match event {
        Event::Budget(got, answer) if *got == id && !answer.rows.is_empty() => Some(()),
        _ => None,
    });
    for k in 0..10 {
        let draws = engine.submit(Command::Draws(DrawRequest {
            world: Arc::new(World::preset(Preset::Two)),
            model: None,
            source: Source::Exact,
            t: 0.1 * f64::from(k),
            x_t: [0.3, -0.2],
            seed: 5,
            draws: 1024,
        }));
        wait(&engine, |event| match event {
            Event::Draws(got, ..) if *got == draws => Some(()),
            Event::Budget(_, answer) => {
                assert!(!answer.complete, "the rows were meant to take minutes");
                None
            }
            _ => None,
        });
    }
    let steer = engine.submit(Command::Steer(SteerRequest {
        stage: request(&[1], 1, 1).stage,
        plans: Steering::default().plans(3, 64),
        preview: false,
    }));
    wait(&engine, |event| match event {
        Event::Steer(got, answer) if *got == steer && answer.complete => Some(()),
        _ => None,
    });
    assert!(engine.busy().contains(&Slot::Budget));
    let told = wait(&engine, |event| match event {
        Event::Progress(got, Slot::Budget, progress) if *got == id => Some(progress.clone()),
        _ => None,
    });
    assert!(told.label.contains("of 1500 runs"), "{}", told.label);
    assert!(told.fraction.is_some_and(|f| f < 0.9));
    engine.cancel(Slot::Budget);
    wait(&engine, |event| {
        matches!(event, Event::Cancelled(got, Slot::Budget) if *got == id).then_some(())
    });
    assert!(engine.busy().is_empty());
}

#[test]
fn a_newer_request_stops_the_older_one_and_gives_its_own_rows() {
    let engine = engine();
    let old = engine.submit(Command::Budget(request(&[2_000], 500, 4096)));
    wait(&engine, |event| {
        matches!(event, Event::Budget(got, _) if *got == old).then_some(())
    });
    let new = engine.submit(Command::Budget(request(&[100], 1, 64)));
    let answer = wait(&engine, |event| match event {
        Event::Budget(got, answer) if *got == new && answer.complete => Some(answer.clone()),
        Event::Failed(_, slot, message) => panic!("{slot:?} failed: {message}"),
        _ => None,
    });
    assert_eq!(answer.rows.len(), 3);
}

#[test]
fn rows_are_the_same_numbers_each_time() {
    let engine = engine();
    let rows = |asked: BudgetRequest| {
        let id = engine.submit(Command::Budget(asked));
        let answer = complete(&engine, id);
        let numbers = |r: &foresight::steer::GridRow| (r.evaluations, r.sliced_w2, r.mean_reward);
        answer.rows.iter().map(numbers).collect::<Vec<_>>()
    };
    let both = rows(request(&[100, 200], 1, 64));
    assert_eq!(rows(request(&[200], 1, 64)), both[3..]);
}

#[test]
fn nothing_to_compare_is_said() {
    let engine = engine();
    let id = engine.submit(Command::Budget(request(&[], 1, 64)));
    let message = wait(&engine, |event| match event {
        Event::Failed(got, Slot::Budget, message) if *got == id => Some(message.clone()),
        _ => None,
    });
    assert!(message.contains("one budget"), "{message}");
}
