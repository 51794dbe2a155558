//! Steered pictures from their recipes by the whole engine: made again, and in the background.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::images_more_tests::{ask, digits};
use super::images_tests::engine;
use super::{
    AgainRequest, BatchAnswer, BatchRequest, Command, Engine, Event, LoadedImages, StudioAnswer,
    StudioPanel, StudioRequest, WallRequest,
};
use crate::reward::picture::ScorerFiles;
use crate::session::{
    CheckpointRef, Images, Made, SteeredRecipe, StoredPicture, StoredState, StudioStart,
};
use crate::steer::Method;
use crate::steer::images::ImagePlan;

const REWARD: &str = "brightness@20 - edges@2";

fn plan(method: Method) -> ImagePlan {
    ImagePlan {
        steps: 5,
        draws: 4,
        seed: 3,
        class: Some(2),
        keep_frames: true,
        ..ImagePlan::new(method)
    }
}

fn studio(engine: &Engine, model: &Arc<LoadedImages>, start: &StudioStart) -> Arc<StudioAnswer> {
    let reward: crate::reward::picture::PictureReward = REWARD.parse().unwrap();
    let methods = [Method::MfmGf, Method::MfmG, Method::Search, Method::BestOfN];
    let request = StudioRequest {
        model: model.clone(),
        panels: methods
            .into_iter()
            .map(|method| StudioPanel {
                plan: plan(method),
                reward: reward.clone(),
            })
            .collect(),
        start: start.image_start().unwrap(),
        particles: 2..5,
        measure: reward,
        references: Vec::new(),
        files: ScorerFiles::default(),
    };
    ask(engine, Command::Studio(request), |event| match event {
        Event::Studio(_, answer) if answer.complete => Some(answer),
        _ => None,
    })
    .unwrap()
}

fn recipe(
    model: &LoadedImages,
    method: Method,
    start: &StudioStart,
    at: (u32, f64),
) -> SteeredRecipe {
    SteeredRecipe::new(
        (CheckpointRef::Shipped, model.hash.clone()),
        (&plan(method), start),
        (&REWARD.parse().unwrap(), &[]),
        at,
    )
}

fn again(engine: &Engine, model: &Arc<LoadedImages>, recipe: SteeredRecipe) -> StoredPicture {
    let request = AgainRequest {
        model: model.clone(),
        made: Made::Steered(Box::new(recipe)),
        files: ScorerFiles::default(),
    };
    let answer = ask(engine, Command::Again(request), |event| match event {
        Event::Again(_, answer) => Some(answer),
        _ => None,
    });
    answer.unwrap().picture.clone()
}

#[test]
fn a_steered_picture_made_again_alone_is_the_same_to_the_byte() {
    let model = digits();
    let noise = StudioStart::Noise;
    let runs = studio(&engine(), &model, &noise);
    let state = runs.panels[0].frames[2].state(1).unwrap().to_vec();
    let branched = StudioStart::State {
        t: runs.panels[0].frames[2].t,
        x: StoredState::new(&state),
    };
    for start in [noise, branched] {
        let runs = studio(&engine(), &model, &start);
        for (panel, asked) in runs.panels.iter().zip(&runs.request.panels) {
            let method = asked.plan.method;
            for frame in [&panel.frames[1], panel.frames.last().unwrap()] {
                let kept = StoredPicture::new(1, 28, frame.expected(1).unwrap()).unwrap();
                // Particle 3 is the second of those that ran together.
                let recipe = recipe(&model, method, &start, (3, frame.t));
                let now = again(&engine(), &model, recipe.clone());
                assert_eq!(now, kept, "{method} at {}", frame.t);
                let other = recipe.reseeded(1);
                let is_same = again(&engine(), &model, other) == kept;
                assert!(!is_same || start != StudioStart::Noise, "{method}");
            }
        }
    }
}

fn batch(model: &Arc<LoadedImages>, steps: u32, seeds: u32) -> BatchRequest {
    let mut recipe = recipe(model, Method::MfmGf, &StudioStart::Noise, (0, 1.0));
    recipe.settings.plan.steps = steps;
    BatchRequest {
        model: Some(model.clone()),
        recipe,
        numbers: 1..seeds,
        of: seeds,
        files: ScorerFiles::default(),
        decoders: crate::session::DecoderFiles::default(),
    }
}

fn finished(engine: &Engine, request: BatchRequest) -> Result<Arc<BatchAnswer>, String> {
    ask(engine, Command::Batch(request), |event| match event {
        Event::Batch(_, answer) if answer.complete => Some(answer),
        _ => None,
    })
}

#[test]
fn a_batch_makes_one_picture_a_seed_and_each_is_that_of_its_recipe() {
    let (model, engine) = (digits(), engine());
    let request = batch(&model, 4, 4);
    let answer = finished(&engine, request.clone()).unwrap();
    let numbers: Vec<u32> = answer.pictures.iter().map(|p| p.number).collect();
    assert_eq!(numbers, [1, 2, 3], "what was made before is left out");
    for made in &answer.pictures {
        let recipe = request.recipe.reseeded(made.number);
        assert_eq!(made.picture, Some(again(&engine, &model, recipe)));
        assert!(made.reward.is_some());
    }
    assert_ne!(answer.pictures[0].picture, answer.pictures[1].picture);
}

#[test]
fn a_batch_that_cannot_be_says_why() {
    let (model, engine) = (digits(), engine());
    let mut request = batch(&model, 4, 3);
    request.recipe.settings.plan.class = Some(77);
    let message = finished(&engine, request).err().unwrap();
    assert!(message.contains("no class 77"), "{message}");
    // The file that an entry names may have become another one.
    let mut request = batch(&model, 4, 3);
    request.model = None;
    let message = finished(&engine, request).err().unwrap();
    assert!(message.contains("another map"), "{message}");
}

#[test]
fn what_a_person_asks_for_goes_before_a_batch() {
    let (model, engine) = (digits(), engine());
    let id = engine.submit(Command::Batch(batch(&model, 250, 100)));
    let wall = Images {
        class: Some(1),
        ..Images::default()
    };
    let asked = engine.submit(Command::Wall(WallRequest::of(model, &wall, 16)));
    let begun = Instant::now();
    let mut has_wall = false;
    while !has_wall {
        assert!(begun.elapsed() < Duration::from_mins(5), "no wall");
        for event in engine.events() {
            match event {
                Event::Wall(got, answer) => has_wall |= got == asked && answer.complete,
                Event::Batch(got, answer) => {
                    assert!(got == id && !answer.complete, "too fast to be overtaken");
                }
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(engine.busy().contains(&super::Slot::Batch), "it goes on");
    engine.cancel(super::Slot::Batch);
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_mins(5), "it did not end");
        let ended = |event: &Event| matches!(event, Event::Cancelled(got, _) if *got == id);
        if engine.events().iter().any(ended) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
