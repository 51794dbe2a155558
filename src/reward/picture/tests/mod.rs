//! Rewards of pictures: slopes by central differences, orders as a person would have them, numbers that can be counted.

mod orders;

use std::sync::{Arc, OnceLock};

use super::*;
use crate::checkpoint::shipped_classifier;
use crate::model::streams::{numbers, processor};
use crate::model::{
    BrisqueModel, ClipConfig, ClipHead, ClipJudge, EfficientNetConfig, Fit, ImageJudge,
    ImageNetJudge, ImageRewardJudge, PromptScoreKind, Stage, made_efficientnet, made_image_reward,
};
use crate::process::{Address, Purpose, normal_pairs};

const DIGIT: [usize; 3] = [1, 28, 28];
const PHOTO: [usize; 3] = [3, 18, 16];

/// The shipped classifier of digits.
fn judge() -> Arc<ImageJudge> {
    static JUDGE: OnceLock<Arc<ImageJudge>> = OnceLock::new();
    let open = || Arc::new(shipped_classifier([1, 28, 28]).unwrap().unwrap().1);
    JUDGE.get_or_init(open).clone()
}

/// Smooth random pictures: a few waves each, with numbers within [-1, 1].
fn smooth(shape: [usize; 3], count: usize, seed: u64) -> Vec<f32> {
    let [channels, rows, columns] = shape;
    let mut draws = vec![[0.0_f32; 2]; count * channels * 8];
    normal_pairs(Address::new(seed, Purpose::Test, 0), 0, &mut draws);
    let mut pictures = Vec::new();
    for plane in draws.chunks_exact(8) {
        for y in 0..rows {
            for x in 0..columns {
                let (x, y) = (x as f32 / columns as f32, y as f32 / rows as f32);
                let wave = |(k, d): (usize, &[f32; 2])| {
                    let along = (1.0 + k as f32 * 0.5) * (d[0] * x + d[1] * y) * 4.0;
                    (along + d[0] * 3.0).sin()
                };
                let sum: f32 = plane.iter().enumerate().map(wave).sum();
                pictures.push((sum * 0.35).tanh());
            }
        }
    }
    pictures
}

/// Small networks with weights that are random once for all tests.
fn networks() -> &'static PictureScorers {
    static NETWORKS: OnceLock<PictureScorers> = OnceLock::new();
    NETWORKS.get_or_init(|| {
        let device = processor();
        let lite = EfficientNetConfig {
            image_size: 20,
            stem: 6,
            stages: vec![Stage {
                repeats: 2,
                kernel: 3,
                stride: 2,
                expansion: 2,
                width: 8,
            }],
            head: 24,
            classes: 1000,
        };
        let tower = ClipConfig {
            image_size: 16,
            patch_size: 8,
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            projection_dim: 12,
            ..ClipConfig::default()
        };
        let head = |key: u32, scale: f64, offset: f32| ClipHead {
            direction: numbers(key, 12)
                .iter()
                .map(|v| (scale * v) as f32)
                .collect(),
            offset,
        };
        let tower = |fit: Fit| {
            let tower = tower.init(&device).unwrap();
            Some(Arc::new(ClipJudge::new(tower, fit, &device)))
        };
        let prompts = PromptScoreKind::ALL.map(|judge| PromptHead {
            judge,
            prompt: Prompt::usual(),
            head: Arc::new(head(40 + judge as u32, f64::from(judge.scale(None)), 0.0)),
        });
        let lite = lite.init(&device);
        let weights = made_efficientnet(lite.wanted());
        let lite = lite.with_weights(weights).unwrap();
        let read = ImageRewardJudge::new(Arc::new(made_image_reward()), Prompt::usual().text());
        PictureScorers {
            brisque: None,
            imagenet: Some(Arc::new(ImageNetJudge::new(lite, &device))),
            clip: tower(Fit::Crop),
            aesthetic_head: Some(Arc::new(head(31, 1.0, 5.0))),
            pick: tower(Fit::Crop),
            hps: tower(Fit::Pad),
            prompts: prompts.to_vec(),
            image_rewards: vec![(Prompt::usual(), Arc::new(read.unwrap()))],
        }
    })
}

/// Of every file something small.
fn scorers() -> PictureScorers {
    let vector = |key: u32| {
        let values = numbers(key, BrisqueModel::FEATURES);
        let mut vector = [0.0; BrisqueModel::FEATURES];
        vector.copy_from_slice(&values);
        (values[0] * 100.0, vector)
    };
    let brisque = BrisqueModel {
        gamma: 0.05,
        rho: -50.0,
        vectors: (1..9).map(vector).collect(),
        ranges: [(-0.5, 1.5); BrisqueModel::FEATURES],
    };
    PictureScorers {
        brisque: Some(Arc::new(brisque)),
        ..networks().clone()
    }
}

fn parts(shape: [usize; 3]) -> PictureParts {
    let [_, rows, columns] = shape;
    let mask = (0..rows * columns).map(|at| {
        if at % columns < columns / 3 {
            1.0
        } else {
            0.25
        }
    });
    PictureParts {
        judge: Some(judge()),
        references: vec![ReferencePicture {
            picture: smooth(shape, 1, 91).into(),
            mask: Some(mask.collect()),
        }],
        scorers: scorers(),
    }
}

fn bound(text: &str, shape: [usize; 3]) -> Arc<dyn PictureScore> {
    let reward: PictureReward = text.parse().unwrap();
    reward.bind(shape, &parts(shape)).unwrap()
}

fn score_of(score: &dyn PictureScore, picture: &[f32]) -> f32 {
    let mut scores = [0.0];
    score.score(picture, &mut scores);
    scores[0]
}

/// Every kind at strength 1, where it can be on pictures of a shape.
fn rewards(shape: [usize; 3], smooth: bool) -> Vec<(String, Arc<dyn PictureScore>)> {
    let kinds = PictureKind::ALL.iter().filter(|kind| {
        (shape[0] == 3 || !kind.needs.colour)
            && (shape == DIGIT || !kind.needs.judge)
            && (kind.gradient || !smooth)
    });
    let texts = kinds.map(|kind| kind.usual().to_string());
    texts
        .map(|text| (text.clone(), bound(&text, shape)))
        .collect()
}

#[test]
fn every_gradient_is_the_slope_of_its_score() {
    for shape in [DIGIT, PHOTO] {
        let numbers: usize = shape.iter().product();
        let pictures = smooth(shape, 2, 7);
        let mut all = rewards(shape, true);
        // It counts the numbers on each side of 0 and jumps where one crosses: its slope is that between two jumps, and is
        // tried in steps of 1e-6 in f64, in its own tests.
        all.retain(|(name, _)| name != "brisque");
        let sum = "brightness@0.5 - contrast@2 + masked:1@3 - edges";
        all.push((sum.to_owned(), bound(sum, shape)));
        for (name, score) in all {
            let (mut scores, mut gradients) = ([0.0; 2], vec![0.0; 2 * numbers]);
            score.gradient(&pictures, &mut scores, &mut gradients);
            let largest = gradients.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!(largest > 1e-4, "{name} of {shape:?} has no slope");
            let h = 4e-3_f32;
            let (mut checked, mut apart) = (0, 0.0_f32);
            for at in (0..2 * numbers).step_by(23) {
                let moved = |by: f32| {
                    let mut pictures = pictures.clone();
                    pictures[at] += by;
                    let item = at / numbers;
                    let picture = &pictures[item * numbers..(item + 1) * numbers];
                    score_of(&*score, picture)
                };
                let difference = (moved(h) - moved(-h)) / (2.0 * h);
                apart = apart.max((difference - gradients[at]).abs());
                checked += 1;
            }
            assert!(checked > 50);
            // Scores are f32 numbers of up to about 50: a difference is good to 1e-3; and third derivatives.
            let allowed = 1.5e-3 + 0.02 * largest;
            assert!(apart < allowed, "{name} of {shape:?}: {apart} of {largest}");
        }
    }
}

#[test]
fn a_score_is_the_same_to_the_last_bit_alone_among_others_and_with_its_gradient() {
    for shape in [DIGIT, PHOTO] {
        let numbers: usize = shape.iter().product();
        let pictures = smooth(shape, 5, 3);
        for (name, score) in rewards(shape, false) {
            let mut together = [0.0; 5];
            score.score(&pictures, &mut together);
            for (item, expected) in together.iter().enumerate() {
                let picture = &pictures[item * numbers..(item + 1) * numbers];
                assert_eq!(score_of(&*score, picture), *expected, "{name}");
            }
            assert!(together.iter().all(|score| score.is_finite()), "{name}");
            if score.without_gradient().is_some() {
                continue;
            }
            let (mut scores, mut gradients) = ([0.0; 5], vec![0.0; 5 * numbers]);
            score.gradient(&pictures, &mut scores, &mut gradients);
            assert_eq!(scores, together, "{name}");
            let last = &pictures[4 * numbers..];
            let (mut one, mut gradient) = ([0.0], vec![0.0; numbers]);
            score.gradient(last, &mut one, &mut gradient);
            assert_eq!(gradient, gradients[4 * numbers..], "{name}");
        }
    }
}

#[test]
fn strengths_and_signs_are_inside_the_score() {
    let picture = smooth(DIGIT, 1, 5);
    let of = |text: &str| f64::from(score_of(&*bound(text, DIGIT), &picture));
    let sum = of("class:3@5 + thickness@2 - brightness@0.5");
    let parts = 5.0 * of("class:3") + 2.0 * of("thickness") - 0.5 * of("brightness");
    assert!(
        (sum - parts).abs() < 1e-4 * parts.abs().max(1.0),
        "{sum} {parts}"
    );
    assert_eq!(of("none"), 0.0);
    assert_eq!(of("brightness@0"), 0.0);
}

#[test]
fn a_reward_without_a_gradient_names_the_part() {
    let score = bound("brightness + holes@2 + bytes", DIGIT);
    assert_eq!(score.without_gradient(), Some("holes"));
    assert_eq!(bound("brightness", DIGIT).without_gradient(), None);
}

#[test]
fn what_is_missing_is_named() {
    let nothing = PictureParts::default();
    let short = PictureParts {
        references: vec![ReferencePicture {
            picture: vec![0.0; 4].into(),
            mask: None,
        }],
        ..parts(DIGIT)
    };
    let unmasked = PictureParts {
        references: vec![ReferencePicture {
            picture: smooth(DIGIT, 1, 1).into(),
            mask: None,
        }],
        ..parts(DIGIT)
    };
    let mut other_head = parts(PHOTO);
    other_head.scorers.aesthetic_head = Some(Arc::new(ClipHead {
        direction: vec![1.0; 3],
        offset: 0.0,
    }));
    for (text, shape, parts, hint) in [
        ("class:3", DIGIT, &nothing, "'class:3' needs a classifier"),
        ("class:3", PHOTO, &parts(DIGIT), "needs a classifier"),
        (
            "class:10",
            DIGIT,
            &parts(DIGIT),
            "the classifier knows 10 classes",
        ),
        ("similar", DIGIT, &short, "has 4 numbers in place of 784"),
        (
            "blurred:2",
            DIGIT,
            &short,
            "needs reference picture 2, and there are 1",
        ),
        ("masked", DIGIT, &unmasked, "needs a mask"),
        (
            "brightness + warmth",
            DIGIT,
            &nothing,
            "'warmth' looks at colours",
        ),
        (
            "brisque",
            DIGIT,
            &nothing,
            "'brisque' needs svm.txt, with normalize.pickle beside it: it comes from the PyPI package brisque",
        ),
        (
            "brisque",
            [1, 15, 40],
            &parts(DIGIT),
            "at least 16 x 16 pixels",
        ),
        (
            "imagenet:3",
            PHOTO,
            &nothing,
            "'imagenet:3' needs EfficientNet-lite0's weights",
        ),
        (
            "imagenet-similar",
            PHOTO,
            &nothing,
            "needs reference picture 1",
        ),
        (
            "aesthetic",
            PHOTO,
            &nothing,
            "'aesthetic' needs CLIP ViT-L/14",
        ),
        (
            "aesthetic",
            PHOTO,
            &other_head,
            "embeddings have 12 numbers and the head wants 3",
        ),
        (
            "clip(\"a red fox\")",
            PHOTO,
            &nothing,
            "'clip(\"a red fox\")' needs CLIP ViT-L/14",
        ),
        (
            "pickscore(\"a red fox\")",
            PHOTO,
            &nothing,
            "from yuvalkirstain/PickScore_v1 on Hugging Face",
        ),
        ("hps(\"a red fox\")", PHOTO, &nothing, "or with --hps"),
        ("brightness", [4, 8, 8], &nothing, "4 channels of 8 x 8"),
        ("brightness", [1, 8, 4096], &nothing, "8 x 4096"),
    ] {
        let reward: PictureReward = text.parse().unwrap();
        let message = reward.bind(shape, parts).err().unwrap().to_string();
        assert!(message.contains(hint), "{text}: {message}");
    }
}

#[test]
fn a_measured_reference_is_best_and_what_the_mask_leaves_free_does_not_matter() {
    for shape in [DIGIT, PHOTO] {
        let [channels, rows, columns] = shape;
        let reference = smooth(shape, 1, 91);
        let other = smooth(shape, 1, 92);
        let mut names = vec!["blurred", "downsampled", "masked"];
        names.extend((channels == 3).then_some("grey"));
        for name in names {
            let score = bound(name, shape);
            assert_eq!(score_of(&*score, &reference), 0.0, "{name}");
            assert!(score_of(&*score, &other) < -0.5, "{name}");
        }
        let free: Vec<f32> = (0..rows * columns)
            .map(|at| f32::from(u8::from(at % columns >= columns / 2)))
            .collect();
        let parts = PictureParts {
            judge: None,
            scorers: PictureScorers::default(),
            references: vec![ReferencePicture {
                picture: reference.clone().into(),
                mask: Some(free.clone().into()),
            }],
        };
        let reward: PictureReward = "masked@4".parse().unwrap();
        let score = reward.bind(shape, &parts).unwrap();
        let chosen = |at: usize| {
            if free[at % free.len()] > 0.5 {
                other[at]
            } else {
                reference[at]
            }
        };
        let mixed: Vec<f32> = (0..other.len()).map(chosen).collect();
        assert_eq!(score_of(&*score, &mixed), 0.0);
        let (mut scores, mut gradient) = ([0.0], vec![0.0; other.len()]);
        score.gradient(&other, &mut scores, &mut gradient);
        for (at, slope) in gradient.iter().enumerate() {
            assert_eq!(*slope == 0.0, free[at % free.len()] > 0.5, "{at}");
        }
    }
    // Grey alone does not see colours of the same light.
    let score = bound("grey", PHOTO);
    let mut tinted = smooth(PHOTO, 1, 91);
    let area = PHOTO[1] * PHOTO[2];
    for at in 0..area {
        tinted[at] += 0.114 * 0.5;
        tinted[2 * area + at] -= 0.299 * 0.5;
    }
    assert!(score_of(&*score, &tinted).abs() < 1e-6);
}
