//! What the frozen map's draws teach about a state.

use super::recipe::Pull;
use super::states::score;
use crate::model::{GuidedMlp, Rows};
use crate::reward::Reward;

/// What is taught about one state: its error is `hold (b_phi - b) - push`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Lesson {
    /// Mean of `e = exp(r - c)`.
    pub hold: f64,
    /// `sigma_t^2 / 2` times the mean of the gradient of `e` by `x_t`.
    pub push: [f64; 2],
    /// Draws at which the reward has no finite value; their `e` is 0.
    pub without_reward: u32,
}

/// Draws of one network call: `n` from each state of a group that shares its time.
pub(super) struct Group<'a> {
    pub map: &'a GuidedMlp,
    pub reward: &'a Reward,
    pub t: f32,
    pub x_t: &'a [[f32; 2]],
    pub baseline: &'a [f64],
    pub draws: usize,
}

impl Group<'_> {
    /// The lessons from base noise `eps` `[states * draws, 2]`, which is used up.
    pub fn lessons(&self, pull: Pull, eps: &mut [[f32; 2]]) -> Vec<Lesson> {
        if pull.differentiates(self.t) {
            self.by_gradient(eps)
        } else {
            self.by_covariance(eps)
        }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            s: 0.0,
            u: 1.0,
            t: self.t,
            x_t: self.x_t,
            group: self.draws,
        }
    }

    /// `exp(r - c)` of a draw that belongs to row `row`, and whether there is a reward.
    fn weight(&self, row: usize, x_1: [f32; 2]) -> (f64, bool) {
        let score = score(self.reward, x_1);
        let weight = (score - self.baseline[row / self.draws]).exp();
        (weight, score > f64::NEG_INFINITY)
    }

    /// `sigma_t^2 / 2 E[h] = Cov(e, x_1) / (1 - t)`, by the unbiased sample covariance.
    fn by_covariance(&self, eps: &mut [[f32; 2]]) -> Vec<Lesson> {
        self.map.flow_map(self.rows(), eps);
        let n = self.draws as f64;
        let scale = 1.0 / ((n - 1.0) * f64::from(1.0 - self.t));
        eps.chunks_exact(self.draws)
            .enumerate()
            .map(|(state, x_1)| {
                let mut lesson = Lesson::default();
                let mut mean = [0.0; 2];
                let weights: Vec<f64> = x_1
                    .iter()
                    .map(|x| {
                        let (weight, found) = self.weight(state * self.draws, *x);
                        lesson.hold += weight / n;
                        lesson.without_reward += u32::from(!found);
                        for d in 0..2 {
                            mean[d] += f64::from(x[d]) / n;
                        }
                        weight
                    })
                    .collect();
                for (x, weight) in x_1.iter().zip(weights) {
                    for d in 0..2 {
                        lesson.push[d] +=
                            scale * (weight - lesson.hold) * (f64::from(x[d]) - mean[d]);
                    }
                }
                lesson
            })
            .collect()
    }

    /// `sigma_t^2 / 2 E[h]` with `h = e J' grad r`, one backward pass a draw.
    fn by_gradient(&self, eps: &[[f32; 2]]) -> Vec<Lesson> {
        let end = |row: usize, v: [f32; 2]| [eps[row][0] + v[0], eps[row][1] + v[1]];
        let cotangent = |row: usize, v: [f32; 2]| {
            let gradient = self.reward.gradient(end(row, v).map(f64::from));
            gradient.map(|g| if g.is_finite() { g as f32 } else { 0.0 })
        };
        let n = self.draws as f64;
        let t = f64::from(self.t);
        let half_sigma_sq = (1.0 - t) / t;
        let mut lessons = vec![Lesson::default(); self.x_t.len()];
        self.map
            .velocity_with_pullback(self.rows(), eps, &cotangent, |row, v, [_, by_x_t]| {
                let (weight, found) = self.weight(row, end(row, v));
                let lesson = &mut lessons[row / self.draws];
                lesson.hold += weight / n;
                lesson.without_reward += u32::from(!found);
                for (push, pulled) in lesson.push.iter_mut().zip(by_x_t) {
                    *push += half_sigma_sq * weight * f64::from(pulled) / n;
                }
            });
        lessons
    }
}
