//! The engine under a storm of requests: latest wins, memory stays flat, nothing deadlocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use foresight::engine::{
    Command, DiversityRequest, DrawRequest, Engine, Event, RequestId, SceneRequest, Slot,
};
use foresight::lookahead::Source;
use foresight::mixture::{Preset, World};
use foresight::session::ComputeChoice;

/// No test waits longer than this for one event.
const PATIENCE: Duration = Duration::from_mins(5);

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

fn draws(world: &Arc<World>, source: Source, t: f64, draws: u32) -> Command {
    Command::Draws(DrawRequest {
        world: world.clone(),
        model: None,
        source,
        t,
        x_t: [0.3, -0.2],
        seed: 5,
        draws,
    })
}

fn curves(world: &Arc<World>, source: Source) -> Command {
    Command::Diversity(DiversityRequest {
        world: world.clone(),
        model: None,
        source,
        anchor_t: 0.3,
        anchor_x: [0.3, -0.2],
        carry: true,
        seed: 5,
        draws: 1024,
    })
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

/// Resident memory of this process in bytes, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[test]
fn ten_thousand_scrubs_during_a_long_job_end_with_the_last_one_and_flat_memory() {
    let world = Arc::new(World::preset(Preset::Ring8));
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    let engine = Engine::start(
        None,
        ComputeChoice::Cpu,
        Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }),
    );
    engine.submit(curves(&world, Source::Sde(4000)));
    wait(&engine, |event| {
        matches!(event, Event::Progress(_, Slot::Diversity, _)).then_some(())
    });
    let before = resident_bytes();
    let mut last = RequestId(0);
    for k in 0..10_000 {
        last = engine.submit(draws(&world, Source::Exact, f64::from(k) / 10_000.0, 4096));
        if k % 100 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let answer = wait(&engine, |event| match event {
        Event::Draws(id, Slot::Draws, answer) if *id == last => Some(answer.clone()),
        _ => None,
    });
    assert_eq!(answer.request.t, 0.9999);
    assert_eq!(answer.host.len(), 4096);
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        // One answer is 32 kB; ten thousand of them would be 320 MB.
        assert!(
            after.saturating_sub(before) < 64 << 20,
            "memory grew from {before} to {after} bytes"
        );
    }
    assert!(wakes.load(Ordering::Relaxed) > 0);
    engine.cancel(Slot::Diversity);
    wait(&engine, |event| {
        matches!(event, Event::Cancelled(_, Slot::Diversity)).then_some(())
    });
    assert!(engine.busy().is_empty());
}

#[test]
fn draws_come_while_a_long_job_runs_and_the_long_job_still_ends() {
    let world = Arc::new(World::preset(Preset::Two));
    let engine = engine();
    let long = engine.submit(curves(&world, Source::Glass(64)));
    let short = engine.submit(draws(&world, Source::Exact, 0.5, 512));
    let mut order = Vec::new();
    wait(&engine, |event| {
        match event {
            Event::Draws(id, ..) if *id == short => order.push("draws"),
            Event::Diversity(id, answer) if *id == long && answer.complete => order.push("curves"),
            _ => {}
        }
        (order.len() == 2).then_some(())
    });
    assert_eq!(order, ["draws", "curves"]);
}

#[test]
fn cancelling_a_request_that_still_waits_says_so_too() {
    let world = Arc::new(World::preset(Preset::Two));
    let engine = engine();
    engine.submit(draws(&world, Source::Sde(4096), 0.3, 100_000));
    let id = engine.submit(curves(&world, Source::Exact));
    engine.cancel_all();
    wait(&engine, |event| {
        matches!(event, Event::Cancelled(got, Slot::Diversity) if *got == id).then_some(())
    });
}

#[test]
fn a_newer_request_cancels_the_one_that_runs() {
    let world = Arc::new(World::preset(Preset::Two));
    let engine = engine();
    let older = engine.submit(draws(&world, Source::Sde(4096), 0.3, 200_000));
    std::thread::sleep(Duration::from_millis(50));
    let newer = engine.submit(draws(&world, Source::Exact, 0.3, 64));
    wait(&engine, |event| {
        assert!(!matches!(event, Event::Draws(id, ..) if *id == older));
        matches!(event, Event::Draws(id, ..) if *id == newer).then_some(())
    });
}

#[test]
fn a_failed_request_says_why_and_the_engine_goes_on() {
    let world = Arc::new(World::preset(Preset::Two));
    let engine = engine();
    let id = engine.submit(draws(&world, Source::OneStep, 0.3, 64));
    let message = wait(&engine, |event| match event {
        Event::Failed(got, Slot::Draws, message) if *got == id => Some(message.clone()),
        _ => None,
    });
    assert!(message.contains("checkpoint"), "{message}");
    let id = engine.submit(Command::Open("no/such/file.safetensors".into()));
    let message = wait(&engine, |event| match event {
        Event::Failed(got, Slot::Open, message) if *got == id => Some(message.clone()),
        _ => None,
    });
    assert!(message.contains("no/such/file.safetensors"), "{message}");
    let id = engine.submit(draws(&world, Source::Exact, 0.3, 64));
    wait(&engine, |event| {
        matches!(event, Event::Draws(got, ..) if *got == id).then_some(())
    });
}

#[test]
fn the_scene_carries_x_t_along_the_flow_and_agrees_with_the_closed_form() {
    let world = Arc::new(World::preset(Preset::Three));
    let engine = engine();
    let id = engine.submit(Command::Scene(SceneRequest {
        world: world.clone(),
        anchor_t: 0.33,
        anchor_x: [-0.6, -0.8],
        t: 0.6,
        carry: true,
        field: Some([[-4.0, -4.0], [4.0, 4.0]]),
    }));
    let scene = wait(&engine, |event| match event {
        Event::Scene(got, scene) if *got == id => Some(scene.clone()),
        _ => None,
    });
    assert_ne!(scene.x_t, [-0.6, -0.8]);
    assert_eq!(scene.denoised, world.mixture.denoiser(0.6, scene.x_t));
    assert!(scene.levels[0] > scene.levels[1] && scene.levels[1] > scene.levels[2]);
    assert!(scene.field.len() > 100);
}

#[test]
fn the_same_seed_gives_the_same_draws_whatever_their_number() {
    let world = Arc::new(World::preset(Preset::Ring8));
    let engine = engine();
    let mut sets = Vec::new();
    for n in [64, 40_000] {
        let id = engine.submit(draws(&world, Source::Glass(4), 0.4, n));
        sets.push(wait(&engine, |event| match event {
            Event::Draws(got, _, answer) if *got == id => Some(answer.host.clone()),
            _ => None,
        }));
    }
    assert_eq!(sets[0][..], sets[1][..64]);
}
