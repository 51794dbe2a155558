//! Evaluations of maps whose figures are known.

use burn::tensor::Device;

use super::*;
use crate::metrics::Counters;
use crate::model::{BurnImageMap, Dit, DitConfig, ImageJudge, ImageMap, ImageRows};
use crate::train::classifier::test_bars::{SIDE, bars, small_classifier};
use crate::train::image::ImageRecipe;
use crate::train::{ClassifierRecipe, train_classifier};

const STRIDE: usize = SIDE * SIDE;

fn config() -> DitConfig {
    DitConfig {
        input_size: SIDE,
        patch_size: 4,
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        label_dim: 2,
        ..DitConfig::digits()
    }
}

fn judge() -> ImageJudge {
    let device = Device::flex();
    let config = small_classifier();
    let recipe = ClassifierRecipe {
        epochs: 6,
        batch: 16,
        shift: 0,
        rate: 1e-2,
        // Of eight, the one whose features see best where a bar is; of three it is next to nothing.
        seed: 4,
        ..ClassifierRecipe::mnist()
    };
    let data = bars(96, 0);
    let net = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, _| true);
    let net = net.unwrap().unwrap();
    ImageJudge::new(net, config, &device)
}

fn plan() -> ImageEvalPlan {
    ImageEvalPlan {
        steps: vec![1, 4],
        samples: 40,
        states: 6,
        draws: 8,
        rollout_steps: 4,
        loss_items: 64,
        ..ImageEvalPlan::default()
    }
}

fn evaluate(
    map: &dyn ImageMap,
    judge: &ImageJudge,
    watch: &mut dyn FnMut(f64) -> bool,
) -> Result<ImageEvalReport, ImageEvalError> {
    let (training, held_out) = (bars(96, 0), bars(48, 0));
    let data = ImageEvalData {
        held_out: &held_out,
        training: &training,
    };
    evaluate_images(map, judge, data, &ImageRecipe::digits(), &plan(), watch)
}

/// A map that knows the answer: the velocity that carries every state to a bar of its class, exactly, in any number of
/// steps. Without a class it carries to the bars that lie.
struct Straight(DitConfig);

impl ImageMap for Straight {
    fn config(&self) -> &DitConfig {
        &self.0
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        let aims = bars(2, 0);
        for (i, out) in out.chunks_exact_mut(STRIDE).enumerate() {
            // Image 0 lies and has class 1.
            let aim = usize::from(rows.label[i] == 0);
            let mut image = [0.0; STRIDE];
            aims.write_into(aim, &mut image);
            let rest = (1.0 - rows.s[i]).max(1e-3);
            for ((v, x), aim) in out.iter_mut().zip(&rows.x[i * STRIDE..]).zip(image) {
                *v = (aim - x) / rest;
            }
        }
    }

    fn pullback(&self, _: &ImageRows<'_>, _: &[f32], _: &mut [f32], _: &mut [f32]) {}
}

#[test]
fn a_map_that_always_arrives_is_accepted_and_its_labels_are_those_of_its_rollouts() {
    let judge = judge();
    let mut last = 0.0;
    let report = evaluate(&Straight(config()), &judge, &mut |share| {
        let rose = share >= last;
        last = share;
        rose
    })
    .unwrap();
    // Two scales; the flow in 1 and 4 steps and the kernel in 4.
    assert_eq!(report.samples.len(), 6);
    for s in &report.samples {
        assert_eq!((s.accepted.mean, s.accepted.count), (1.0, 40), "{s:?}");
        // One bar of six in each class.
        assert!(s.frechet > 1.5 * report.real.frechet, "{report}");
    }
    // Three times and all; two sources, the rollouts and the mean.
    assert_eq!(report.posterior.len(), 16);
    for p in &report.posterior {
        assert_eq!(p.some_class.mean, 1.0, "{report}");
        assert!(p.label_tv.is_none_or(|tv| tv.mean == 0.0));
    }
    assert_eq!(report.real.accepted.mean, 1.0);
    // A straight way is the same in one jump and in two.
    assert!(report.losses.jumps < 1e-4, "{:?}", report.losses);
    assert!(report.losses.diagonal > 0.01);
    let expected = 40 * 2 * 9 + 6 * (8 * (5 + 4) + 1) + 64 * 4;
    assert_eq!(report.counters.network_forward, expected);
    assert!(last > 0.9 && report.counters.total() == expected);
}

#[test]
fn a_network_that_learned_nothing_is_not_accepted() {
    let device = Device::flex();
    let map = BurnImageMap::new(Dit::lively(&config(), 1, &device), &device);
    let judge = judge();
    let report = evaluate(&map, &judge, &mut |_| true).unwrap();
    let one = &report.samples[0];
    assert!(one.accepted.mean < 0.9, "{report}");
    assert!(one.frechet > report.real.frechet);
    assert!(report.passed(), "there are no bars for bars");
    let lines = report.lines();
    assert_eq!(lines.len(), 6 * 2 + 16 + 12 + 5);
    assert!(lines.iter().all(|l| l.value.is_finite()), "{lines:?}");
    let text = report.to_string();
    for part in ["not FID", "(floor)", "real images", "flow:4", "kernel:4"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_evaluation_that_is_not_wanted_stops_and_one_of_another_kind_is_refused() {
    let judge = judge();
    let stopped = evaluate(&Straight(config()), &judge, &mut |share| share < 0.3);
    assert_eq!(stopped, Err(ImageEvalError::Cancelled));
    let larger = DitConfig {
        input_size: 12,
        ..config()
    };
    let message = evaluate(&Straight(larger), &judge, &mut |_| true)
        .unwrap_err()
        .to_string();
    assert!(message.contains("[1, 12, 12]"), "{message}");
}

#[test]
fn the_bars_of_the_shipped_digits_name_what_is_missed() {
    let share = |mean| Share {
        mean,
        error: 0.01,
        count: 100,
    };
    let sample = |steps: u32, guidance, mean| SampleFigures {
        sampler: format!("flow:{steps}"),
        steps,
        guidance,
        accepted: share(mean),
        frechet: 1.0,
    };
    let at = |t, confident, tv| PosteriorFigures {
        t,
        source: "one-step".into(),
        some_class: share(confident),
        label_tv: Some(share(tv)),
    };
    let mut report = ImageEvalReport {
        plan: ImageEvalPlan {
            times: vec![0.2, 0.4],
            ..ImageEvalPlan::default()
        },
        samples: vec![
            sample(1, 1.0, 0.5),
            sample(4, 1.0, 0.5),
            sample(1, 2.5, 0.96),
            sample(4, 2.5, 0.96),
        ],
        posterior: vec![
            at(Some(0.2), 0.95, 0.2),
            at(Some(0.4), 0.8, 0.2),
            at(None, 0.9, 0.08),
        ],
        real: RealImages {
            accepted: share(1.0),
            some_class: share(1.0),
            frechet: 0.0,
        },
        losses: HeldOutLosses {
            diagonal: 0.1,
            jumps: 0.1,
            items: 1,
        },
        counters: Counters::default(),
        verdicts: Vec::new(),
    };
    report.judge([1, 28, 28]);
    let passed: Vec<bool> = report.verdicts.iter().map(|v| v.passed).collect();
    assert_eq!(passed, [true, false, true, false, true], "{report}");
    assert!(!report.passed());
    report.judge([3, 32, 32]);
    assert!(report.passed());
    report.samples.clear();
    report.judge([3, 32, 32]);
    assert!(!report.passed(), "what was not measured is not met");
}
