//! Runs on the training thread: started, paused, resumed, stopped, saved, kept, taken up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::checkpoint::Checkpoint;
use crate::lookahead::Source;
use crate::mixture::{Preset, World};
use crate::model::MlpConfig;
use crate::train::Recipe;
use crate::train::finetune::FinetuneRecipe;

const PATIENCE: Duration = Duration::from_mins(5);

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

fn request(preset: Preset, steps: u64) -> TrainRequest {
    TrainRequest {
        world: Arc::new(World::preset(preset)),
        goal: TrainGoal::Map(Recipe {
            model: MlpConfig {
                hidden: 32,
                layers: 2,
                frequencies: 4,
                ..MlpConfig::default()
            },
            steps,
            batch: 64,
            rate: 3e-3,
            ..Recipe::default()
        }),
        share: 1.0,
        keep: None,
    }
}

fn start(engine: &Engine, request: TrainRequest) -> RunId {
    engine.train(TrainCommand::Start(Box::new(request)))
}

fn wait<T>(engine: &Engine, mut of: impl FnMut(Event) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        for event in engine.events() {
            if let Some(found) = of(event) {
                return found;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "the event did not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn report(engine: &Engine, mut is: impl FnMut(&TrainReport) -> bool) -> Arc<TrainReport> {
    wait(engine, |event| match event {
        Event::Training(report) if is(&report) => Some(report),
        _ => None,
    })
}

fn map_check(check: Option<TrainCheck>) -> MapCheck {
    match check {
        Some(TrainCheck::Map(check)) => check,
        other => panic!("a look at a map, not {other:?}"),
    }
}

const LONG: u64 = 10_000_000;

#[test]
fn a_run_pauses_resumes_stops_and_is_saved_as_a_checkpoint_of_its_world() {
    let engine = engine();
    start(&engine, request(Preset::Two, LONG));
    let learning = report(&engine, |r| r.step > 20 && r.snapshot.is_some());
    assert_eq!(learning.phase, TrainPhase::Running);
    assert!(learning.curve.is_sorted_by_key(|p| p.step));
    engine.train(TrainCommand::Pause);
    let paused = report(&engine, |r| r.phase == TrainPhase::Paused);
    let looked = paused.snapshot.as_ref().unwrap();
    assert_eq!(
        looked.step, paused.step,
        "a pause shows what was learned until then"
    );
    let check = map_check(looked.check);
    assert!(check.one_step > check.floor);
    std::thread::sleep(Duration::from_millis(60));
    assert!(
        !engine
            .events()
            .iter()
            .any(|e| matches!(e, Event::Training(r) if r.step > paused.step)),
        "nothing is learned in a pause"
    );
    engine.train(TrainCommand::Resume);
    report(&engine, |r| r.step > paused.step + 20);
    engine.train(TrainCommand::Stop);
    let stopped = report(&engine, |r| r.phase == TrainPhase::Stopped);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.safetensors");
    engine.train(TrainCommand::Save(path.clone()));
    let saved = wait(&engine, |event| match event {
        Event::TrainSaved(saved) => Some(saved),
        _ => None,
    });
    assert_eq!((&saved.result, saved.step), (&Ok(()), stopped.step));
    let read = Checkpoint::read(&path).unwrap();
    assert_eq!(read.card.world, World::preset(Preset::Two));
    assert_eq!(read.card.steps, stopped.step);
    assert_eq!(
        read.layers,
        stopped.snapshot.as_ref().unwrap().model.checkpoint.layers
    );
    // What cannot be written is said.
    engine.train(TrainCommand::Save(path.join("under/a/file.safetensors")));
    wait(&engine, |event| match event {
        Event::TrainSaved(saved) => saved.result.clone().err(),
        _ => None,
    });
}

#[test]
fn of_runs_that_are_started_at_once_the_last_is_learned_and_a_bad_one_is_refused() {
    let engine = engine();
    for _ in 0..20 {
        start(&engine, request(Preset::Two, LONG));
    }
    let last = start(&engine, request(Preset::Ring8, LONG));
    let learning = report(&engine, |r| r.run == last && r.step > 5);
    assert_eq!(learning.world.name, "ring8");
    let mut bad = request(Preset::Two, LONG);
    let TrainGoal::Map(recipe) = &mut bad.goal else {
        panic!("a run of a map");
    };
    recipe.batch = 0;
    let refused = start(&engine, bad);
    let (run, why) = wait(&engine, |event| match event {
        Event::TrainRefused(run, why) => Some((run, why)),
        _ => None,
    });
    assert_eq!(run, refused);
    assert!(why.contains("batch"), "{why}");
    report(&engine, |r| r.run == last && r.step > learning.step);
}

#[test]
fn a_run_ends_by_itself_nearer_to_the_exact_posterior_than_it_began() {
    let engine = engine();
    start(&engine, request(Preset::Two, 3000));
    let done = report(&engine, |r| r.phase == TrainPhase::Finished);
    assert_eq!((done.step, done.fraction()), (3000, 1.0));
    let looks: Vec<_> = done
        .curve
        .iter()
        .filter(|p| p.check.is_some())
        .map(|p| map_check(p.check))
        .collect();
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    assert!(
        last.one_step < 0.7 * first.one_step && last.held_out.diagonal < first.held_out.diagonal,
        "{first:?} {last:?}"
    );
}

#[test]
fn a_run_is_kept_when_the_engine_goes_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.part");
    let first = engine();
    start(
        &first,
        TrainRequest {
            keep: Some(path.clone()),
            ..request(Preset::Two, LONG)
        },
    );
    let before = report(&first, |r| r.step > 10);
    drop(first);
    let second = engine();
    second.train(TrainCommand::TakeUp {
        path: path.clone(),
        share: 0.5,
    });
    let after = report(&second, |_| true);
    assert!(after.step >= before.step, "{} {}", after.step, before.step);
    assert_eq!(after.world.mixture, before.world.mixture);
    assert!(after.snapshot.is_some());
    // The curves go on, too.
    assert_eq!(after.curve.first(), before.curve.first());
    report(&second, |r| r.step > after.step);
    second.train(TrainCommand::TakeUp {
        path: folder.path().join("nothing"),
        share: 0.5,
    });
    wait(&second, |event| match event {
        Event::TrainRefused(_, why) => Some(why),
        _ => None,
    });
}

#[test]
fn draws_are_answered_while_a_network_learns() {
    let engine = engine();
    start(&engine, request(Preset::Two, LONG));
    let learning = report(&engine, |r| r.snapshot.is_some());
    let snapshot = learning.snapshot.as_ref().unwrap();
    for seed in 0..20 {
        let id = engine.submit(Command::Draws(DrawRequest {
            world: learning.world.clone(),
            model: Some(snapshot.model.clone()),
            source: Source::OneStep,
            t: 0.4,
            x_t: [0.2, 0.1],
            seed,
            draws: 512,
        }));
        let answer = wait(&engine, |event| match event {
            Event::Draws(found, _, answer) if found == id => Some(answer),
            _ => None,
        });
        assert_eq!(answer.host.len(), 512);
    }
    report(&engine, |r| r.step > learning.step);
}

#[test]
fn a_velocity_is_tuned_toward_a_reward_beside_its_target_and_beside_steering() {
    let engine = engine();
    let model = load_shipped(Preset::Two).unwrap().unwrap();
    let tuning = Tuning {
        reward: "measurement:0.3,1,0.5,0.5".parse().unwrap(),
        recipe: FinetuneRecipe {
            steps: 60,
            batch: 64,
            rate: 2e-3,
            warm_up: 5,
            ..FinetuneRecipe::default()
        },
        model: Arc::new(model),
    };
    let parent = tuning.model.checkpoint.hash.clone();
    start(
        &engine,
        TrainRequest {
            goal: TrainGoal::Reward(Box::new(tuning)),
            ..request(Preset::Two, 1)
        },
    );
    let done = report(&engine, |r| r.phase == TrainPhase::Finished);
    assert_eq!(done.step, 60);
    let tuned = |check: Option<TrainCheck>| match check {
        Some(TrainCheck::Tuned(check)) => check,
        other => panic!("a look at a tuned velocity, not {other:?}"),
    };
    let snapshot = done.snapshot.as_ref().unwrap();
    let beside = done.beside.as_ref().unwrap();
    let last = tuned(snapshot.check);
    let before = beside.untuned.check.unwrap();
    let steered = beside.steered.check.unwrap();
    // After so few steps it is on its way; steering at inference is there.
    assert!(last.distance < before.distance, "{last:?} {before:?}");
    assert!(last.mean_reward > before.mean_reward, "{last:?} {before:?}");
    assert!(steered.distance < 0.5 * before.distance, "{steered:?}");
    let counts = [
        &beside.exact,
        &beside.untuned.samples,
        &beside.steered.samples,
    ]
    .map(|s| s.len());
    assert_eq!(counts, [1024; 3]);
    assert_eq!(snapshot.samples.as_ref().unwrap().len(), 1024);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.safetensors");
    engine.train(TrainCommand::Save(path.clone()));
    wait(&engine, |event| match event {
        Event::TrainSaved(saved) => {
            assert_eq!(saved.result, Ok(()));
            Some(())
        }
        _ => None,
    });
    let card = Checkpoint::read(&path).unwrap().card;
    assert_eq!(card.tuned.unwrap().parent, parent);
}
