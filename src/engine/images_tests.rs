//! Walls by the whole engine, with a small random network.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use super::{
    Command, Engine, Event, LoadedImages, PictureView, RequestId, WallAnswer, WallRequest,
};
use crate::checkpoint::{FORMAT, ImageCard};
use crate::lookahead::Source;
use crate::model::{BurnImageMap, Dit, DitConfig, ImageMap};
use crate::session::{ComputeChoice, DecoderFiles, Picture, StoredPicture};

pub(super) fn model() -> Arc<LoadedImages> {
    let config = DitConfig {
        input_size: 8,
        patch_size: 4,
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        label_dim: 3,
        ..DitConfig::digits()
    };
    let device = Device::flex();
    let card = ImageCard {
        format: FORMAT,
        model: config.clone(),
        classes: vec!["a".into(), "b".into(), "c".into()],
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
    let map = BurnImageMap::new(Dit::lively(&config, 3, &device), &device);
    Arc::new(loaded(Arc::new(map), card))
}

/// A map that came from nowhere, shown without a decoder.
pub(super) fn loaded(map: Arc<dyn ImageMap>, card: ImageCard) -> LoadedImages {
    let view = PictureView::bare(map.config().state());
    LoadedImages {
        map,
        card: Arc::new(card),
        name: "test.safetensors".into(),
        path: None,
        hash: "0123456789".into(),
        parameters: 1,
        view: Arc::new(view),
        decoders: DecoderFiles::default(),
        trouble: None,
    }
}

pub(super) fn request(model: &Arc<LoadedImages>, draws: u32) -> WallRequest {
    WallRequest {
        model: model.clone(),
        picture: Picture::Generated { seed: 5 },
        class: Some(1),
        noise: 2,
        t: 0.4,
        tell_class: false,
        guidance: 1.0,
        source: Source::OneStep,
        seed: 9,
        draws,
        files: crate::reward::picture::ScorerFiles::default(),
        rewarding: crate::session::Rewarding::default(),
    }
}

pub(super) fn engine() -> Engine {
    Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}))
}

/// All answers to a request, or why there is none.
pub(super) fn answers(
    engine: &Engine,
    request: WallRequest,
) -> Result<Vec<Arc<WallAnswer>>, String> {
    let asked: RequestId = engine.submit(Command::Wall(request));
    let (begun, mut all) = (Instant::now(), Vec::new());
    loop {
        assert!(begun.elapsed() < Duration::from_mins(5), "no answer");
        for event in engine.events() {
            match event {
                Event::Wall(id, answer) if id == asked => {
                    let complete = answer.complete;
                    all.push(answer);
                    if complete {
                        return Ok(all);
                    }
                }
                Event::Failed(id, _, message) if id == asked => return Err(message),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Another batch size rounds differently in the last bits.
fn close(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
}

pub(super) fn last(engine: &Engine, request: WallRequest) -> Arc<WallAnswer> {
    answers(engine, request).unwrap().pop().unwrap()
}

#[test]
fn a_draw_is_the_same_whatever_the_number_and_whatever_was_drawn_before() {
    let model = model();
    let (one, other) = (engine(), engine());
    let few = last(&one, request(&model, 16));
    let grown = last(&one, request(&model, 40));
    let whole = last(&other, request(&model, 40));
    assert_eq!((few.len(), grown.len(), whole.len()), (16, 40, 40));
    assert_eq!(grown.drawn, 24, "the first ones are not drawn again");
    assert_eq!(few.pictures[..], grown.pictures[..16 * 64]);
    assert!(close(&grown.pictures, &whole.pictures));
    let fewer = last(&one, request(&model, 20));
    assert_eq!(fewer.pictures[..], grown.pictures[..20 * 64]);
    assert_eq!(fewer.drawn, 0);
}

#[test]
fn the_state_moves_on_a_line_from_its_noise_to_the_picture() {
    let model = model();
    let engine = engine();
    let at = |t: f64| {
        let answer = last(
            &engine,
            WallRequest {
                t,
                ..request(&model, 16)
            },
        );
        (answer.clean.clone(), answer.x_t.clone())
    };
    let ((clean, noise), (_, middle), (_, end)) = (at(0.0), at(0.5), at(1.0));
    for i in 0..64 {
        assert!((middle[i] - f32::midpoint(noise[i], clean[i])).abs() < 1e-5);
        assert!((end[i] - clean[i]).abs() < 1e-6);
    }
}

#[test]
fn the_class_guidance_and_seed_matter_only_where_they_should() {
    let model = model();
    let engine = engine();
    let plain = last(&engine, request(&model, 16));
    let untold = last(
        &engine,
        WallRequest {
            guidance: 2.5,
            ..request(&model, 16)
        },
    );
    assert!(
        close(&plain.pictures, &untold.pictures),
        "draws that are not told the class are not guided by it"
    );
    let told = last(
        &engine,
        WallRequest {
            tell_class: true,
            guidance: 2.5,
            ..request(&model, 16)
        },
    );
    assert_eq!(plain.x_t, told.x_t);
    assert!(!close(&plain.pictures, &told.pictures));
    let redrawn = last(
        &engine,
        WallRequest {
            seed: 10,
            ..request(&model, 16)
        },
    );
    assert_eq!(plain.x_t, redrawn.x_t);
    assert!(!close(&plain.pictures, &redrawn.pictures));
}

#[test]
fn a_picture_of_another_size_is_refused_with_both_sizes_and_the_next_wall_comes() {
    let model = model();
    let engine = engine();
    let picture = StoredPicture::from_bytes(3, 2, &[7; 12]).unwrap();
    let wrong = WallRequest {
        picture: Picture::Stored {
            picture,
            from: "elsewhere".into(),
        },
        ..request(&model, 16)
    };
    let message = answers(&engine, wrong).err().unwrap();
    assert!(
        message.contains("3 channels of 2 x 2") && message.contains("8 x 8"),
        "{message}"
    );
    let exact = WallRequest {
        source: Source::Exact,
        ..request(&model, 16)
    };
    assert!(answers(&engine, exact).is_err());
    assert_eq!(last(&engine, request(&model, 16)).len(), 16);
}

#[test]
fn figures_agree_with_the_pictures_and_other_pictures_have_no_judge() {
    let model = model();
    let answer = last(&engine(), request(&model, 33));
    let mean: f32 = (0..33).map(|i| answer.picture(i).unwrap()[5]).sum::<f32>() / 33.0;
    assert!((answer.figures.mean[5] - mean).abs() < 1e-5);
    assert!(answer.figures.judged.is_none() && answer.figures.shares.is_empty());
    assert!(answer.picture(33).is_none());
}

#[test]
fn the_shipped_classifier_judges_maps_of_digits_alone() {
    let digits = |classes: &[&str]| {
        let model = model();
        let mut card = (*model.card).clone();
        card.classes = classes.iter().map(|&c| c.to_owned()).collect();
        let config = DitConfig {
            hidden_size: 24,
            depth: 2,
            num_heads: 2,
            encoder_depth: 1,
            ..DitConfig::digits()
        };
        let device = Device::flex();
        let map = BurnImageMap::new(Dit::lively(&config, 3, &device), &device);
        Arc::new(loaded(Arc::new(map), card))
    };
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let answer = last(&engine(), request(&digits(&names), 16));
    assert_eq!(answer.figures.shares.len(), 10);
    assert!((answer.figures.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!(answer.probabilities(15).len(), 10);
    let clothes = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let answer = last(&engine(), request(&digits(&clothes), 16));
    assert!(answer.figures.judged.is_none());
}

#[test]
fn another_reward_of_the_same_wall_draws_nothing_and_scores_every_picture() {
    let model = model();
    let engine = engine();
    let asked = |reward: &str, draws| WallRequest {
        rewarding: crate::session::Rewarding {
            reward: reward.parse().unwrap(),
            ..crate::session::Rewarding::default()
        },
        ..request(&model, draws)
    };
    let last = |request| last(&engine, request);
    let plain = last(request(&model, 24));
    assert!(plain.rewarded.is_none() && plain.drawn == 24);
    let bright = last(asked("brightness", 24));
    assert_eq!((bright.drawn, &bright.pictures), (0, &plain.pictures));
    let of = |answer: &WallAnswer| answer.scores().unwrap().scores.clone();
    for (item, score) in of(&bright).iter().enumerate() {
        let picture = bright.picture(item).unwrap();
        let light = picture.iter().map(|v| (v + 1.0) / 2.0).sum::<f32>() / 64.0;
        assert!((score - light / 0.05).abs() < 1e-3, "{score} {light}");
    }
    let darker = last(asked("-brightness@2", 24));
    for (a, b) in of(&bright).iter().zip(of(&darker)) {
        assert!((2.0 * a + b).abs() < 1e-4);
    }
    let scores = bright.scores().unwrap();
    assert!(scores.figures.value >= scores.figures.mean);
    assert!(scores.second.is_some());
    // More draws: the first keep their scores.
    let more = last(asked("brightness", 32));
    assert_eq!((more.drawn, &of(&more)[..24]), (8, &of(&bright)[..]));
    // No classifier knows these pictures: the wall is there all the same.
    let judged = last(asked("class:1", 24));
    assert_eq!(judged.len(), 24);
    assert!(
        judged
            .rewarded
            .clone()
            .unwrap()
            .unwrap_err()
            .contains("classifier")
    );
}
