//! Runs that learn pictures: tuned toward a reward, trained on a folder, one at a time with those of worlds.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::images_tests::loaded as bare;
use super::*;
use crate::checkpoint::{FORMAT, ImageCard, open_image_map, write_image_map};
use crate::mixture::{Preset, World};
use crate::model::{Dit, DitConfig, MlpConfig};
use crate::train::Recipe;
use crate::train::finetune_images::ImageTuneRecipe;

const PATIENCE: Duration = Duration::from_mins(5);

fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
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

fn report(engine: &Engine, mut is: impl FnMut(&PictureReport) -> bool) -> Arc<PictureReport> {
    wait(engine, |event| match event {
        Event::TrainingPictures(report) if is(&report) => Some(report),
        Event::TrainRefused(_, message) => panic!("refused: {message}"),
        _ => None,
    })
}

fn save(engine: &Engine, path: &Path) {
    engine.train(TrainCommand::Save(path.to_owned()));
    wait(engine, |event| match event {
        Event::TrainSaved(saved) => {
            assert_eq!(saved.result, Ok(()));
            Some(())
        }
        _ => None,
    });
}

/// A tiny map of digits in a file.
fn loaded(folder: &Path) -> Arc<LoadedImages> {
    let path = folder.join("tiny.safetensors");
    let config = DitConfig {
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        ..DitConfig::digits()
    };
    let card = ImageCard {
        format: FORMAT,
        model: config.clone(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        data: "a test".into(),
        recipe: serde_json::Value::Null,
        seed: 1,
        steps: 0,
        code_version: "0".into(),
        licence: "none".into(),
        hours: None,
        hardware: None,
        figures: std::collections::BTreeMap::new(),
        tuned: None,
    };
    let net = Dit::lively(&config, 3, &Device::flex());
    write_image_map(&path, &card, &net).unwrap();
    let (card, map) = open_image_map(&path).unwrap();
    Arc::new(LoadedImages {
        path: Some(path),
        ..bare(map, card)
    })
}

fn tuning(model: Arc<LoadedImages>, steps: u64) -> PictureGoal {
    PictureGoal::Reward(Box::new(PictureTuning {
        model,
        reward: "brightness@2".parse().unwrap(),
        files: crate::reward::picture::ScorerFiles::default(),
        recipe: ImageTuneRecipe {
            steps,
            batch: 6,
            micro_batch: 3,
            draws: 4,
            pool: 16,
            pool_jumps: 1,
            warm_up: 1,
            rate: 2e-3,
            ema_limit: 0.5,
            ..ImageTuneRecipe::default()
        },
    }))
}

fn start(engine: &Engine, goal: PictureGoal) -> RunId {
    let request = PictureRequest {
        goal,
        share: 1.0,
        keep: None,
    };
    engine.train(TrainCommand::StartPictures(Box::new(request)))
}

#[test]
fn a_velocity_of_pictures_is_tuned_shown_beside_its_map_and_saved() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let run = start(&engine, tuning(loaded(folder.path()), 30));
    let done = report(&engine, |r| r.phase == TrainPhase::Finished);
    assert_eq!((done.run, done.step, done.shape), (run, 30, [1, 28, 28]));
    let (samples, beside) = (
        done.samples.as_ref().unwrap(),
        done.beside.as_ref().unwrap(),
    );
    assert_eq!((samples.step, beside.step), (30, 0));
    assert_eq!(samples.pictures.len(), beside.pictures.len());
    // From the same noise: what differs was learned.
    assert_ne!(samples.pictures, beside.pictures);
    assert!(!done.curve.is_empty() && done.curve.is_sorted_by_key(|p| p.step));
    assert!(done.curve.last().unwrap().reward.is_some());

    let path = folder.path().join("tuned.safetensors");
    save(&engine, &path);
    let (card, map) = open_image_map(&path).unwrap();
    assert!(!map.has_jumps());
    assert_eq!(card.tuned.unwrap().reward, "brightness@2");
}

#[test]
fn a_folder_of_pictures_becomes_a_map() {
    let folder = tempfile::tempdir().unwrap();
    for (class, shade) in [("bright", 220), ("dark", 60)] {
        let of = folder.path().join("set").join(class);
        std::fs::create_dir_all(&of).unwrap();
        for k in 0..4 {
            let picture = image::GrayImage::from_pixel(28, 28, image::Luma([shade + 4 * k]));
            picture.save(of.join(format!("{k}.png"))).unwrap();
        }
    }
    let engine = engine();
    start(
        &engine,
        PictureGoal::Folder(FolderTraining {
            path: folder.path().join("set"),
            colour: false,
            steps: 6,
            batch: 8,
            seed: 0,
        }),
    );
    let done = report(&engine, |r| r.phase == TrainPhase::Finished);
    assert!(matches!(done.loss, Some(PictureLosses::Map(loss)) if loss.diagonal > 0.0));
    let real = done.beside.as_ref().unwrap();
    // Of each class in turn.
    let shade = |v: u8| f32::from(v) / 127.5 - 1.0;
    assert_eq!(real.pictures[0], shade(220));
    assert_eq!(real.pictures[28 * 28], shade(60));
    let path = folder.path().join("mine.safetensors");
    save(&engine, &path);
    let (card, map) = open_image_map(&path).unwrap();
    assert!(map.has_jumps());
    assert_eq!(card.classes, ["bright", "dark"]);

    start(
        &engine,
        PictureGoal::Folder(FolderTraining {
            path: folder.path().join("nowhere"),
            colour: false,
            steps: 6,
            batch: 8,
            seed: 0,
        }),
    );
    let failed = report(&engine, |r| matches!(r.phase, TrainPhase::Failed(_)));
    let TrainPhase::Failed(message) = &failed.phase else {
        unreachable!("it was waited for");
    };
    assert!(message.contains("nowhere"), "{message}");
}

#[test]
fn a_run_on_a_folder_is_kept_and_taken_up_by_the_next_window() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    for (class, shade) in [("bright", 220), ("dark", 60)] {
        std::fs::create_dir_all(set.join(class)).unwrap();
        let picture = image::GrayImage::from_pixel(28, 28, image::Luma([shade]));
        picture.save(set.join(class).join("0.png")).unwrap();
    }
    let path = folder.path().join("pictures.part");
    let goal = PictureGoal::Folder(FolderTraining {
        path: set,
        colour: false,
        steps: 10_000_000,
        batch: 8,
        seed: 0,
    });
    let first = engine();
    let request = PictureRequest {
        goal: goal.clone(),
        share: 1.0,
        keep: Some(path.clone()),
    };
    first.train(TrainCommand::StartPictures(Box::new(request)));
    let before = report(&first, |r| r.step > 2);
    drop(first);
    let second = engine();
    let share = 1.0;
    second.train(TrainCommand::TakeUpPictures {
        path: path.clone(),
        share,
    });
    let after = report(&second, |r| r.step > 0);
    assert!(after.step >= before.step);
    assert_eq!(after.goal, goal);
    report(&second, |r| r.step > after.step);
    drop(second);

    let third = engine();
    std::fs::write(kept_folder(&path), "{}").unwrap();
    third.train(TrainCommand::TakeUpPictures { path, share });
    wait(&third, |event| match event {
        Event::TrainRefused(_, why) => {
            assert!(why.contains("Start again"), "{why}");
            Some(())
        }
        _ => None,
    });
}

#[test]
fn one_run_goes_at_a_time_whatever_it_learns() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine();
    let world = TrainRequest {
        world: Arc::new(World::preset(Preset::Two)),
        goal: TrainGoal::Map(Recipe {
            model: MlpConfig {
                hidden: 16,
                layers: 2,
                frequencies: 2,
                ..MlpConfig::default()
            },
            steps: 10_000_000,
            batch: 64,
            ..Recipe::default()
        }),
        share: 1.0,
        keep: None,
    };
    let first = engine.train(TrainCommand::Start(Box::new(world.clone())));
    let of_world = |is: fn(&TrainReport) -> bool| {
        wait(&engine, |event| match event {
            Event::Training(report) if is(&report) => Some(report.run),
            _ => None,
        })
    };
    assert_eq!(of_world(|r| r.step > 0), first);
    let second = start(&engine, tuning(loaded(folder.path()), 10_000_000));
    assert_eq!(of_world(|r| r.phase == TrainPhase::Stopped), first);
    assert!(second > first);
    report(&engine, |r| r.step > 0);
    engine.train(TrainCommand::Pause);
    let rested = report(&engine, |r| r.phase == TrainPhase::Paused).step;
    engine.train(TrainCommand::Resume);
    report(&engine, |r| r.step > rested);
    // And back: the run of pictures says that it ended.
    let third = engine.train(TrainCommand::Start(Box::new(world)));
    assert_eq!(
        report(&engine, |r| r.phase == TrainPhase::Stopped).run,
        second
    );
    assert_eq!(of_world(|r| r.phase == TrainPhase::Running), third);
}
