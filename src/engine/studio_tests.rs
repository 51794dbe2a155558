//! Steered pictures by the whole engine, with a small random network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::images_tests::model;
use super::{
    Command, Engine, Event, LoadedImages, RequestId, Slot, StudioAnswer, StudioPanel, StudioRequest,
};
use crate::session::ComputeChoice;
use crate::steer::Method;
use crate::steer::images::{ImagePlan, ImageStart};

pub(super) fn request(model: &Arc<LoadedImages>, methods: &[Method], steps: u32) -> StudioRequest {
    let reward: crate::reward::picture::PictureReward = "brightness@3".parse().unwrap();
    StudioRequest {
        model: model.clone(),
        panels: methods
            .iter()
            .map(|method| StudioPanel {
                plan: ImagePlan {
                    steps,
                    draws: 4,
                    keep_frames: true,
                    ..ImagePlan::new(*method)
                },
                reward: reward.clone(),
            })
            .collect(),
        start: ImageStart::Noise,
        particles: 0..3,
        measure: reward,
        references: Vec::new(),
        files: crate::reward::picture::ScorerFiles::default(),
    }
}

pub(super) fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

/// What ends a request: its complete answer, why it failed, or `None` where it was cancelled.
pub(super) fn end(engine: &Engine, asked: RequestId) -> Option<Result<Arc<StudioAnswer>, String>> {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_mins(5), "no answer");
        for event in engine.events() {
            match event {
                Event::Studio(id, answer) if id == asked && answer.complete => {
                    return Some(Ok(answer));
                }
                Event::Failed(id, _, message) if id == asked => return Some(Err(message)),
                Event::Cancelled(id, Slot::Studio) if id == asked => return None,
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn finished(engine: &Engine, request: StudioRequest) -> Arc<StudioAnswer> {
    let id = engine.submit(Command::Studio(request));
    end(engine, id).unwrap().unwrap()
}

#[test]
fn panels_come_with_frames_scores_and_costs_and_the_same_request_gives_the_same() {
    let model = model();
    let one = engine();
    let methods = [Method::Base, Method::MfmGf, Method::MfmG];
    let answer = finished(&one, request(&model, &methods, 6));
    assert_eq!(answer.panels.len(), 3);
    for panel in &answer.panels {
        assert!(panel.done && panel.trouble.is_none());
        assert_eq!(panel.frames.len(), 7);
        assert_eq!((panel.rewards.len(), panel.second.len()), (3, 3));
        // At the data the value is the reward.
        assert!((panel.rewards[0] - panel.frames[6].values[0]).abs() < 1e-3);
    }
    assert_eq!(answer.panels[0].counters.network_forward, 3 * 6);
    assert!(answer.panels[1].counters.reward > 0 && answer.reached() == 1.0);
    let again = finished(&engine(), request(&model, &methods, 6));
    for (a, b) in answer.panels.iter().zip(&again.panels) {
        assert_eq!(a.frames, b.frames);
    }
    // A changed panel leaves the others as they were.
    let mut changed = request(&model, &methods, 6);
    changed.panels[2].plan.draws = 2;
    let changed = finished(&one, changed);
    for panel in 0..2 {
        let frames = |answer: &StudioAnswer| answer.panels[panel].frames.clone();
        let (before, after) = (frames(&answer), frames(&changed));
        let same = before.iter().zip(&after).all(|(a, b)| Arc::ptr_eq(a, b));
        assert!(same, "it was kept");
    }
    assert_ne!(answer.panels[2].frames, changed.panels[2].frames);
}

#[test]
fn what_cannot_be_steered_says_why_and_the_others_go_on() {
    let model = model();
    let engine = engine();
    let mut wrong = request(&model, &[Method::Base, Method::MfmGf], 3);
    wrong.panels[1].plan.class = Some(77);
    let answer = finished(&engine, wrong);
    assert!(answer.panels[0].trouble.is_none());
    let trouble = answer.panels[1].trouble.as_ref().unwrap();
    assert!(trouble.contains("no class 77"), "{trouble}");
    // The map of this test has no classifier.
    let mut judged = request(&model, &[Method::Base], 3);
    judged.measure = "class:1".parse().unwrap();
    let id = engine.submit(Command::Studio(judged));
    let message = end(&engine, id).unwrap().err().unwrap();
    assert!(message.contains("class"), "{message}");
}

#[test]
fn a_run_that_is_cancelled_stops_and_the_next_one_comes() {
    let model = model();
    let engine = engine();
    let id = engine.submit(Command::Studio(request(&model, &[Method::MfmG], 900)));
    let begun = Instant::now();
    let mut has_frames = false;
    while !has_frames {
        assert!(begun.elapsed() < Duration::from_mins(5), "no frames");
        for event in engine.events() {
            if let Event::Studio(_, answer) = event {
                assert!(!answer.complete, "too fast to be cancelled");
                has_frames |= answer.panels[0].frames.len() > 1;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.cancel(Slot::Studio);
    assert!(end(&engine, id).is_none());
    // The newest replaces what runs, without a word about the older one.
    engine.submit(Command::Studio(request(&model, &[Method::MfmG], 900)));
    let answer = finished(&engine, request(&model, &[Method::Base], 2));
    assert_eq!(answer.panels.len(), 1);
}
