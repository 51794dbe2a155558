//! Against torch's layers in float64: `tests/reference/efficientnet.py`.

use burn::tensor::Device;

use super::*;
use crate::checkpoint::read_efficientnet;
use crate::model::judge::{PictureJudge, Seen};
use crate::model::streams::numbers;
use crate::model::{WeightValues, Weights};

#[derive(serde::Deserialize)]
struct Reference {
    names: Vec<String>,
    small: Vec<Case>,
    large: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    key: u32,
    shape: [usize; 3],
    label: usize,
    features: Vec<f64>,
    logs: Vec<f64>,
    best: usize,
    log: f64,
    slopes: Vec<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/reference/efficientnet.json")).unwrap()
}

fn picture(case: &Case) -> Vec<f32> {
    let [channels, rows, columns] = case.shape;
    let (down, across) = (rows / 4 + 1, columns / 4 + 1);
    let coarse = numbers(case.key, channels * down * across);
    let noise = numbers(case.key + 1, channels * rows * columns);
    let value = |at: usize| {
        let (channel, y, x) = (
            at / (rows * columns),
            at / columns % rows / 4,
            at % columns / 4,
        );
        0.8 * coarse[(channel * down + y) * across + x] + 0.2 * noise[at]
    };
    (0..noise.len()).map(|at| value(at) as f32).collect()
}

fn small() -> EfficientNetConfig {
    let stage = |[repeats, kernel, stride, expansion, width]: [usize; 5]| Stage {
        repeats,
        kernel,
        stride,
        expansion,
        width,
    };
    EfficientNetConfig {
        image_size: 24,
        stem: 8,
        stages: [[1, 3, 1, 1, 8], [2, 3, 2, 3, 12], [1, 5, 2, 3, 16]]
            .map(stage)
            .to_vec(),
        head: 20,
        classes: 5,
    }
}

/// The weights that the script makes.
pub(crate) fn made(wanted: Vec<(String, Vec<usize>)>) -> Weights {
    let one = |(key, (name, shape)): (usize, (String, Vec<usize>))| {
        let inputs: usize = shape[1..].iter().product();
        let scaled = |v: f64| {
            if shape.len() > 1 {
                v * 1.7 / (inputs as f64).sqrt()
            } else if name.ends_with("running_var") {
                1.0 + 0.5 * v
            } else if name.ends_with(".weight") {
                1.5 + 0.5 * v
            } else {
                0.3 * v
            }
        };
        let drawn = numbers(key as u32, shape.iter().product());
        let values = drawn.into_iter().map(|v| scaled(v) as f32).collect();
        (name, WeightValues { shape, values })
    };
    wanted.into_iter().enumerate().map(one).collect()
}

/// Compares what a network sees and its slopes, relative to the largest number of each.
fn compare(judge: &ImageNetJudge, cases: &[Case], tolerance: f64) {
    for case in cases {
        let picture = picture(case);
        let mut gradient = vec![0.0; picture.len()];
        let mut cotangent = |_: &Seen, _: usize, slopes: &mut Seen| {
            slopes.log_probabilities[case.label] = 1.0;
        };
        let seen = judge.pullback(&picture, case.shape, &mut cotangent, &mut gradient);
        assert_eq!(seen, judge.see(&picture, case.shape));
        let best = seen.log_probabilities.iter().copied().enumerate();
        let best = best.fold((0, f32::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a });
        assert_eq!(best.0, case.best, "{:?}", case.shape);
        let few: Vec<f32> = gradient.iter().copied().step_by(97).collect();
        for (what, own, expected) in [
            ("features", &seen.features, &case.features),
            ("logs", &seen.log_probabilities, &case.logs),
            ("slopes", &few, &case.slopes),
        ] {
            let largest = expected.iter().fold(1e-9_f64, |a, b| a.max(b.abs()));
            for (at, (own, expected)) in own.iter().zip(expected).enumerate() {
                let apart = (f64::from(*own) - expected).abs() / largest;
                let shape = case.shape;
                assert!(
                    apart < tolerance,
                    "{what} {at} of {shape:?}: {own} {expected}"
                );
            }
        }
        let own = f64::from(seen.log_probabilities[case.label]);
        assert!((own - case.log).abs() < tolerance * case.log.abs().max(1.0));
    }
}

#[test]
fn features_classes_and_slopes_are_those_of_the_reference() {
    let reference = reference();
    let device = Device::flex();
    let fresh = small().init(&device);
    let wanted = fresh.wanted();
    let names: Vec<&String> = wanted.iter().map(|(name, _)| name).collect();
    assert_eq!(names, reference.names.iter().collect::<Vec<_>>());
    let net = fresh.with_weights(made(wanted)).unwrap();
    // f32 over a dozen layers.
    compare(&ImageNetJudge::new(net, &device), &reference.small, 2e-4);
}

#[test]
#[ignore = "needs the file that scripts/fetch-rewards brings: FORESIGHT_IMAGENET names it"]
fn the_published_weights_see_what_they_see_in_the_reference() {
    let path = std::env::var_os("FORESIGHT_IMAGENET").expect("the .pth file");
    let device = Device::flex();
    let net = read_efficientnet(path.as_ref(), &device).unwrap();
    let begun = std::time::Instant::now();
    compare(
        &ImageNetJudge::new(net, &device),
        &reference().large,
        // f32 over fifty layers.
        2e-3,
    );
    eprintln!("three pictures seen twice in {:?}", begun.elapsed());
}
