//! AdamW and descent with momentum, gradient clipping, the learning rate's course and the moving average of the weights.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::simd::Buffer;

/// Numbers that one task updates; sums of squares are taken per piece and added in order.
const PIECE: usize = 4096;

/// Linear warm-up, then half a cosine down to `floor` times the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateCourse {
    /// Highest learning rate.
    pub peak: f64,
    /// Steps of warm-up.
    pub warm_up: u64,
    /// Steps in all.
    pub steps: u64,
    /// Share of the peak that is left at the end.
    pub floor: f64,
}

impl RateCourse {
    /// Learning rate of step `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let span = self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let done = ((step - self.warm_up) as f64 / span).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// Decay of the moving average at step `step` (from 0): `min(limit, (1 + step) / (10 + step))`, so that it forgets
/// the first weights soon and remembers long later.
pub fn ema_decay(step: u64, limit: f64) -> f64 {
    ((1 + step) as f64 / (10 + step) as f64).min(limit)
}

/// Constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Memory of the mean.
    pub beta_1: f64,
    /// Memory of the square.
    pub beta_2: f64,
    /// Added to the root of the square.
    pub epsilon: f64,
    /// Decoupled decay of the weights.
    pub weight_decay: f64,
    /// Largest norm of the gradient that is let through unscaled.
    pub clip: f64,
}

/// Constants of descent with momentum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DescentConfig {
    /// Share of the velocity that is left after a step.
    pub(crate) momentum: f64,
    /// Added to the gradient, times the weights.
    pub(crate) weight_decay: f64,
    /// Largest norm of the gradient that is let through unscaled.
    pub(crate) clip: f64,
}

/// Weights, moments and moving average.
#[derive(Debug, Clone)]
pub(crate) struct OptimizerState {
    pub(crate) weights: Buffer,
    pub(crate) mean: Buffer,
    pub(crate) square: Buffer,
    pub(crate) average: Buffer,
}

impl OptimizerState {
    pub(crate) fn new(weights: Buffer) -> Self {
        let zeros = Buffer::zeroed(weights.as_slice().len());
        Self {
            mean: zeros.clone(),
            square: zeros,
            average: weights.clone(),
            weights,
        }
    }

    /// One step along `gradient`; gives back the gradient's norm before clipping. `step` counts from 0.
    ///
    /// Nothing changes when the norm is not finite.
    pub(crate) fn update(
        &mut self,
        gradient: &Buffer,
        config: &AdamConfig,
        rate: f64,
        decay: f64,
        step: u64,
    ) -> f64 {
        let gradient = gradient.as_slice();
        let (norm, scale) = clipped(gradient, config.clip);
        let Some(scale) = scale else {
            return norm;
        };
        let power = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let (b1, b2) = (config.beta_1 as f32, config.beta_2 as f32);
        let step_size = (rate / (1.0 - config.beta_1.powi(power))) as f32;
        let root_2 = (1.0 / (1.0 - config.beta_2.powi(power)).sqrt()) as f32;
        let (epsilon, keep) = (
            config.epsilon as f32,
            (1.0 - rate * config.weight_decay) as f32,
        );
        let follow = (1.0 - decay) as f32;
        let pieces = self
            .weights
            .as_mut_slice()
            .par_chunks_mut(PIECE)
            .zip(self.mean.as_mut_slice().par_chunks_mut(PIECE))
            .zip(self.square.as_mut_slice().par_chunks_mut(PIECE))
            .zip(self.average.as_mut_slice().par_chunks_mut(PIECE))
            .zip(gradient.par_chunks(PIECE));
        pieces.for_each(|((((w, m), v), a), g)| {
            for ((((w, m), v), a), g) in w.iter_mut().zip(m).zip(v).zip(a).zip(g) {
                let g = g * scale;
                *m = b1 * *m + (1.0 - b1) * g;
                *v = b2 * *v + (1.0 - b2) * g * g;
                *w = *w * keep - step_size * *m / (v.sqrt() * root_2 + epsilon);
                *a += follow * (*w - *a);
            }
        });
        norm
    }

    /// The same by descent with Nesterov's momentum, as PyTorch's SGD has it: no dampening, and the decay is added to the
    /// gradient. `mean` holds the velocity.
    pub(crate) fn descend(
        &mut self,
        gradient: &Buffer,
        config: &DescentConfig,
        rate: f64,
        decay: f64,
    ) -> f64 {
        let gradient = gradient.as_slice();
        let (norm, scale) = clipped(gradient, config.clip);
        let Some(scale) = scale else {
            return norm;
        };
        let (momentum, rate) = (config.momentum as f32, rate as f32);
        let (shrink, follow) = (config.weight_decay as f32, (1.0 - decay) as f32);
        let pieces = self
            .weights
            .as_mut_slice()
            .par_chunks_mut(PIECE)
            .zip(self.mean.as_mut_slice().par_chunks_mut(PIECE))
            .zip(self.average.as_mut_slice().par_chunks_mut(PIECE))
            .zip(gradient.par_chunks(PIECE));
        pieces.for_each(|(((w, m), a), g)| {
            for (((w, m), a), g) in w.iter_mut().zip(m).zip(a).zip(g) {
                let g = g * scale + shrink * *w;
                *m = momentum * *m + g;
                *w -= rate * (g + momentum * *m);
                *a += follow * (*w - *a);
            }
        });
        norm
    }
}

/// The norm of a gradient and what it is scaled by; nothing where the norm is not finite.
fn clipped(gradient: &[f32], most: f64) -> (f64, Option<f32>) {
    let squares: Vec<f64> = gradient
        .par_chunks(PIECE)
        .map(|g| g.iter().map(|g| f64::from(*g) * f64::from(*g)).sum())
        .collect();
    let norm = squares.iter().sum::<f64>().sqrt();
    let scale = if norm > most { most / norm } else { 1.0 };
    (norm, norm.is_finite().then_some(scale as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_then_falls_along_a_cosine() {
        let course = RateCourse {
            peak: 1e-3,
            warm_up: 200,
            steps: 5000,
            floor: 0.0,
        };
        assert!((course.at(0) - 5e-6).abs() < 1e-12);
        assert!((course.at(199) - 1e-3).abs() < 1e-12);
        assert!((course.at(2600) - 5e-4).abs() < 1e-6);
        assert!(course.at(4999) < 1e-9);
        assert_eq!(course.at(9999), 0.0);
    }

    #[test]
    fn the_average_forgets_early_and_remembers_late() {
        assert!((ema_decay(0, 0.999) - 0.1).abs() < 1e-12);
        assert_eq!(ema_decay(100_000, 0.999), 0.999);
    }

    #[test]
    fn descent_takes_the_steps_of_nesterovs_momentum() {
        let config = DescentConfig {
            momentum: 0.5,
            weight_decay: 0.1,
            clip: 10.0,
        };
        let mut weights = Buffer::zeroed(1);
        weights.as_mut_slice()[0] = 2.0;
        let mut gradient = weights.clone();
        gradient.as_mut_slice()[0] = 1.0;
        let mut state = OptimizerState::new(weights);
        // g = 1 + 0.2, v = 1.2; w = 2 - 0.1 (1.2 + 0.6).
        assert_eq!(state.descend(&gradient, &config, 0.1, 0.5), 1.0);
        assert!((state.weights.as_slice()[0] - 1.82).abs() < 1e-6);
        assert!((state.average.as_slice()[0] - 1.91).abs() < 1e-6);
        // g = 1.182, v = 1.782; w = 1.82 - 0.1 (1.182 + 0.891).
        state.descend(&gradient, &config, 0.1, 0.5);
        assert!((state.weights.as_slice()[0] - 1.6127).abs() < 1e-6);
        // A gradient of norm 20 is halved: g = 10.16127, v = 11.05227.
        gradient.as_mut_slice()[0] = 20.0;
        assert_eq!(state.descend(&gradient, &config, 0.1, 0.5), 20.0);
        assert!((state.weights.as_slice()[0] - 0.043_959_5).abs() < 1e-5);
        gradient.as_mut_slice()[0] = f32::INFINITY;
        assert_eq!(state.descend(&gradient, &config, 0.1, 0.5), f64::INFINITY);
        assert!((state.weights.as_slice()[0] - 0.043_959_5).abs() < 1e-5);
    }

    #[test]
    fn adam_finds_the_minimum_of_a_bowl_and_a_broken_gradient_changes_nothing() {
        let config = AdamConfig {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: 1.5,
        };
        let mut weights = Buffer::zeroed(16);
        weights.as_mut_slice()[0] = 3.0;
        let mut state = OptimizerState::new(weights);
        let mut gradient = Buffer::zeroed(16);
        for step in 0..2000 {
            for (g, w) in gradient
                .as_mut_slice()
                .iter_mut()
                .zip(state.weights.as_slice())
            {
                *g = w - 1.0;
            }
            state.update(&gradient, &config, 1e-2, 0.9, step);
        }
        assert!(
            state
                .weights
                .as_slice()
                .iter()
                .all(|w| (w - 1.0).abs() < 1e-2)
        );
        assert!(
            state
                .average
                .as_slice()
                .iter()
                .all(|w| (w - 1.0).abs() < 1e-2)
        );
        let before = state.weights.as_slice().to_vec();
        gradient.as_mut_slice()[3] = f32::NAN;
        assert!(state.update(&gradient, &config, 1e-2, 0.9, 2000).is_nan());
        assert_eq!(state.weights.as_slice(), before);
    }
}
