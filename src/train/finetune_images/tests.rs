//! Closed forms where there are any, a tiny random network elsewhere.

use std::sync::Arc;

use burn::tensor::Device;

use super::draws::{Drawing, Lessons};
use super::states::States;
use super::*;
use crate::checkpoint::{FORMAT, ImageCard};
use crate::lookahead::{ImageSampler, NoiseKey, generate_images};
use crate::metrics::Counters;
use crate::model::{Dit, DitConfig, ImageMap, ImageRows};
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::picture::PictureScore;
use crate::train::finetune::Objective;

pub(super) const SIZE: usize = 64;

fn config() -> DitConfig {
    DitConfig::tiny(2)
}

pub(super) fn parent() -> TuneParent {
    let card = ImageCard {
        format: FORMAT,
        model: config(),
        classes: vec!["a".into(), "b".into()],
        data: "a test".into(),
        recipe: serde_json::Value::Null,
        seed: 1,
        steps: 7,
        code_version: "0".into(),
        licence: "none".into(),
        hours: None,
        hardware: None,
        figures: std::collections::BTreeMap::new(),
        tuned: None,
    };
    let net = Dit::lively(&config(), 3, &Device::flex());
    TuneParent::new("ab".repeat(32), card, net)
}

pub(super) fn recipe() -> ImageTuneRecipe {
    ImageTuneRecipe {
        steps: 12,
        batch: 12,
        micro_batch: 5,
        pool: 64,
        pool_jumps: 2,
        warm_up: 2,
        ..ImageTuneRecipe::default()
    }
}

fn stream(key: u32, count: usize) -> Vec<f32> {
    let mut pairs = vec![[0.0; 2]; count.div_ceil(2)];
    normal_pairs(Address::new(5, Purpose::Test, key), 0, &mut pairs);
    pairs.as_flattened()[..count].to_vec()
}

/// `r(x) = a'x - k |x - c|^2 / 2`.
pub(super) struct Quadratic {
    pub(super) a: Vec<f32>,
    pub(super) k: f32,
    pub(super) c: f32,
    pub(super) blind: bool,
}

pub(super) fn linear(strength: f32) -> Arc<Quadratic> {
    let a = stream(40, SIZE).into_iter().map(|v| strength * v).collect();
    Arc::new(Quadratic {
        a,
        k: 0.0,
        c: 0.0,
        blind: false,
    })
}

impl PictureScore for Quadratic {
    fn shape(&self) -> [usize; 3] {
        [1, 8, 8]
    }

    fn score(&self, pictures: &[f32], scores: &mut [f32]) {
        for (score, x) in scores.iter_mut().zip(pictures.chunks_exact(SIZE)) {
            *score = x
                .iter()
                .zip(&self.a)
                .map(|(x, a)| a * x - 0.5 * self.k * (x - self.c) * (x - self.c))
                .sum();
        }
    }

    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        self.score(pictures, scores);
        for (i, (g, x)) in gradients.iter_mut().zip(pictures).enumerate() {
            *g = self.a[i % SIZE] - self.k * (x - self.c);
        }
    }

    fn without_gradient(&self) -> Option<&str> {
        self.blind.then_some("test")
    }
}

pub(super) fn tuner(reward: Arc<Quadratic>, recipe: ImageTuneRecipe) -> ImageTuner {
    ImageTuner::new(&parent(), (reward, "r"), None, recipe, &mut |_| true).unwrap()
}

/// Pictures from one Gaussian: `x_1 ~ N(mu, sd^2 I)`, whose posterior is a Gaussian too.
struct Gaussian {
    config: DitConfig,
    mu: f32,
    sd: f32,
}

impl Gaussian {
    /// Gain and spread of the posterior at `t`.
    fn posterior(&self, t: f32) -> (f32, f32) {
        let variance = self.sd * self.sd;
        let total = t * t * variance + (1.0 - t) * (1.0 - t);
        let gain = t * variance / total;
        (gain, ((1.0 - t) * (1.0 - t) * variance / total).sqrt())
    }
}

impl ImageMap for Gaussian {
    fn config(&self) -> &DitConfig {
        &self.config
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        for (k, out) in out.iter_mut().enumerate() {
            let t = rows.t[k / SIZE];
            let (gain, spread) = self.posterior(t);
            let mean = self.mu + gain * (rows.x_t[k] - t * self.mu);
            // The jump from 0 to 1.
            *out = mean + spread * rows.x[k] - rows.x[k];
        }
    }

    fn pullback(&self, _: &ImageRows<'_>, _: &[f32], _: &mut [f32], _: &mut [f32]) {
        unreachable!("the covariance form asks for no derivative");
    }
}

#[test]
fn the_fixed_point_of_the_lessons_is_the_tilted_drift_in_closed_form() {
    let map = Gaussian {
        config: config(),
        mu: -0.4,
        sd: 0.6,
    };
    let reward = linear(0.15);
    for t in [0.1_f32, 0.4, 0.8] {
        // One state over and over.
        let repeats = 6000;
        let states = States {
            t: vec![t; repeats],
            x_t: stream(41, SIZE).repeat(repeats),
            label: vec![2; repeats],
            baseline: vec![0.7; repeats],
        };
        let drawing = Drawing {
            map: &map,
            reward: &*reward,
            draws: 8,
            jumps: 1,
            guidance: 1.0,
            seed: 3,
        };
        let lessons = drawing.lessons(5, &states);
        let hold: f64 = lessons.hold.iter().sum();
        let (_, spread) = map.posterior(t);
        let (mut apart, mut size) = (0.0_f64, 0.0_f64);
        for d in 0..SIZE {
            let push: f64 = lessons
                .push
                .iter()
                .skip(d)
                .step_by(SIZE)
                .map(|v| f64::from(*v))
                .sum();
            // (tilted mean - mean) / (1 - t), the tilted mean being the mean plus P a.
            let exact = f64::from(spread * spread * reward.a[d] / (1.0 - t));
            apart += (push / hold - exact).powi(2);
            size += exact * exact;
        }
        // 48,000 draws in 64 dimensions: the standard error is about 4 % of the pull, once its spread is counted in.
        assert!(apart < 0.02 * size, "t {t}: {apart} of {size}");
    }
}

/// The potential whose gradient the update is: `mean weight (hold |v - b|^2 - 2 push'(v - b)) / numbers`.
fn potential(net: &dyn ImageMap, states: &States, lessons: &Lessons, base: &[f32]) -> f64 {
    let n = states.t.len();
    let mut v = vec![0.0; base.len()];
    let rows = ImageRows {
        s: &states.t,
        u: &states.t,
        x: &states.x_t,
        t: &vec![0.0; n],
        x_t: &vec![0.0; base.len()],
        label: &states.label,
        guidance: &vec![1.0; n],
    };
    net.average_velocity(&rows, &mut v);
    (0..v.len())
        .map(|k| {
            let (i, off) = (k / SIZE, f64::from(v[k] - base[k]));
            let value = lessons.hold[i] * off * off - 2.0 * f64::from(lessons.push[k]) * off;
            States::weight(states.t[i]) * value / (SIZE * n) as f64
        })
        .sum()
}

#[test]
fn the_update_is_the_gradient_of_its_potential_by_differences() {
    let mut tuner = tuner(linear(0.3), recipe());
    for _ in 0..3 {
        tuner.advance().unwrap();
    }
    let states = States::at(9, &tuner.recipe, &tuner.pool);
    let lessons = tuner.drawing().lessons(9, &states);
    let base = tuner.base_velocity(&states);
    tuner.add_gradients(&states, &lessons, &base);
    let weights = tuner.state.weights.clone();
    let gradient = tuner.gradient.as_slice().to_vec();
    // Along the gradient itself, and along noise.
    let noise = stream(42, gradient.len());
    for direction in [&gradient, &noise] {
        let length = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
        let h = 5e-3 / length;
        let mut at = |h: f32| {
            let mut moved = weights.clone();
            for (w, d) in moved.as_mut_slice().iter_mut().zip(direction) {
                *w += h * d;
            }
            tuner.net.load(moved.as_slice());
            potential(tuner.net.map(), &states, &lessons, &base)
        };
        let difference = (at(h) - at(-h)) / f64::from(2.0 * h);
        let along: f64 = gradient
            .iter()
            .zip(direction)
            .map(|(g, d)| f64::from(g * d))
            .sum();
        // Central differences in f32.
        let size = f64::from(length)
            * gradient
                .iter()
                .map(|g| f64::from(g * g))
                .sum::<f64>()
                .sqrt();
        assert!(
            (difference - along).abs() < 5e-3 * size,
            "{difference} {along} of {size}"
        );
    }
}

#[test]
fn a_run_goes_most_of_the_way_to_the_drift_that_the_draws_ask_for() {
    let recipe = ImageTuneRecipe {
        steps: 300,
        batch: 48,
        micro_batch: 24,
        draws: 16,
        rate: 3e-3,
        pool: 256,
        ema_limit: 0.95,
        ..recipe()
    };
    let mut tuner = tuner(linear(0.15), recipe);
    // What is wanted at states that no step sees: many draws a state.
    let some = ImageTuneRecipe {
        batch: 12,
        ..recipe
    };
    let states = States::at(u32::MAX - 7, &some, &tuner.pool);
    let many = Drawing {
        draws: 16_384,
        ..tuner.drawing()
    };
    let wanted = many.lessons(1, &states);
    let base = tuner.base_velocity(&states);
    let residual = |tuner: &ImageTuner| {
        let n = states.t.len();
        let mut v = vec![0.0; base.len()];
        let rows = ImageRows {
            s: &states.t,
            u: &states.t,
            x: &states.x_t,
            t: &vec![0.0; n],
            x_t: &vec![0.0; base.len()],
            label: &states.label,
            guidance: &vec![1.0; n],
        };
        tuner.velocity().average_velocity(&rows, &mut v);
        let (mut apart, mut size) = (0.0, 0.0);
        for k in 0..v.len() {
            let i = k / SIZE;
            let pull = f64::from(wanted.push[k]) / wanted.hold[i];
            let weight = States::weight(states.t[i]);
            apart += weight * (f64::from(v[k] - base[k]) - pull).powi(2);
            size += weight * pull * pull;
        }
        apart / size
    };
    let before = residual(&tuner);
    while !tuner.is_done() {
        tuner.advance().unwrap();
    }
    let after = residual(&tuner);
    // So few steps of so small a network do not arrive.
    println!("share of the pull that is missing: {before:.3} before, {after:.3} after");
    assert!(
        (before - 1.0).abs() < 1e-3 && after < 0.5,
        "{before} {after}"
    );
}

#[test]
fn without_a_reward_the_velocity_stays_where_it_is() {
    let mut tuner = tuner(linear(0.0), recipe());
    for _ in 0..4 {
        let loss = tuner.advance().unwrap();
        assert!(loss.error < 1e-4, "{}", loss.error);
        assert!((loss.hold - 1.0).abs() < 1e-6 && (loss.effective - 1.0).abs() < 1e-6);
    }
}

#[test]
fn maximisation_collapses_and_tuning_does_not() {
    let bowl = Arc::new(Quadratic {
        a: vec![0.0; SIZE],
        k: 0.3,
        c: 0.8,
        blind: false,
    });
    let after = |objective| {
        let recipe = ImageTuneRecipe {
            objective,
            steps: 150,
            batch: 32,
            rate: 3e-3,
            ema_limit: 0.9,
            ..recipe()
        };
        let mut tuner = tuner(bowl.clone(), recipe);
        while !tuner.is_done() {
            tuner.advance().unwrap();
        }
        let figures = |map: &dyn ImageMap| {
            let noise = NoiseKey { seed: 2, state: 0 };
            let asked: (&[u32], f32) = (&[2; 64], 1.0);
            let sampler = ImageSampler::Flow(16);
            let mut spent = Counters::default();
            let made =
                generate_images(map, sampler, asked, noise, 0, &mut spent, &mut |_| true).unwrap();
            PictureFigures::new(&made, &*bowl, None, None)
        };
        assert_eq!(
            tuner.card().tuned.unwrap().maximised,
            objective == Objective::Maximise
        );
        (figures(&*tuner.base()), figures(&*tuner.velocity()))
    };
    let (before, tilted) = after(Objective::Tilt);
    let (_, most) = after(Objective::Maximise);
    println!("{before:?}\n{tilted:?}\n{most:?}");
    assert!(tilted.reward > before.reward && most.reward > tilted.reward);
    assert!(most.pairwise < 0.5 * tilted.pairwise);
}

#[test]
fn states_are_spread_over_time_and_follow_the_reward_where_asked() {
    let tuner = tuner(linear(1.0), recipe());
    let at = |share: f32, step: u32| {
        let recipe = ImageTuneRecipe {
            batch: 400,
            tilted_share: share,
            ..recipe()
        };
        States::at(step, &recipe, &tuner.pool)
    };
    assert_eq!(at(0.5, 7), at(0.5, 7));
    assert_ne!(at(0.5, 7).x_t, at(0.5, 8).x_t);
    let states = at(0.5, 7);
    assert!(states.t.is_sorted());
    // Half of them before 0.98 * 0.5^1.5.
    assert!((states.t[200] - 0.346).abs() < 0.01);
    let late = |share| {
        let states = at(share, 3);
        let rows = states.x_t.chunks_exact(SIZE).skip(380);
        let mut scores = vec![0.0; 20];
        linear(1.0).score(&rows.flatten().copied().collect::<Vec<_>>(), &mut scores);
        scores.iter().sum::<f32>() / 20.0
    };
    assert!(late(1.0) > late(0.0) + 1.0);
}
