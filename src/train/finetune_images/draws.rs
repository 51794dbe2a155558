//! What the frozen map's draws teach about a state.

use rayon::prelude::*;

use super::pool::finite_scores;
use super::states::States;
use crate::lookahead::images::{class_picks, draw_classes};
use crate::model::{ImageMap, ImageRows};
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::picture::PictureScore;

/// Draws of one network call, at most: memory is bounded whatever the recipe.
const MOST_ROWS: usize = 512;

/// What is taught about the states of a step: the error of one is `hold (b_phi - b) - push`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lessons {
    /// Mean of `e = exp(r - c)`, `[B]`.
    pub hold: Vec<f64>,
    /// `sigma_t^2 / 2` times the mean of the gradient of `e` by `x_t`, `[B][C H W]`.
    pub push: Vec<f32>,
    /// Mean reward of the draws that have one.
    pub reward: f64,
    /// Draws at which the reward has no finite value; their `e` is 0.
    pub without_reward: u64,
}

/// How draws are made.
pub(super) struct Drawing<'a> {
    pub map: &'a dyn ImageMap,
    pub reward: &'a dyn PictureScore,
    pub draws: usize,
    pub jumps: u32,
    pub guidance: f32,
    pub seed: u64,
}

impl Drawing<'_> {
    /// The lessons of all states, in their order, from draws of their own noise.
    pub fn lessons(&self, step: u32, states: &States) -> Lessons {
        let n = states.t.len();
        let size = states.x_t.len() / n.max(1);
        let mut all = Lessons {
            push: vec![0.0; n * size],
            ..Lessons::default()
        };
        let (mut sum, mut found) = (0.0, 0_u64);
        let group = (MOST_ROWS / self.draws).max(1);
        for first in (0..n).step_by(group) {
            let count = group.min(n - first);
            let pictures = self.drawn(step, states, (first, count));
            let scores = finite_scores(self.reward, &pictures);
            for score in &scores {
                if *score > f64::NEG_INFINITY {
                    (sum, found) = (sum + score, found + 1);
                } else {
                    all.without_reward += 1;
                }
            }
            let push = &mut all.push[first * size..(first + count) * size];
            let drawn = pictures.par_chunks(self.draws * size);
            let hold: Vec<f64> = push
                .par_chunks_mut(size)
                .zip(drawn)
                .enumerate()
                .map(|(i, (push, pictures))| {
                    let state = first + i;
                    let scores = &scores[i * self.draws..(i + 1) * self.draws];
                    let weights: Vec<f64> = scores
                        .iter()
                        .map(|score| (score - states.baseline[state]).exp())
                        .collect();
                    covariance(&weights, pictures, states.t[state], push)
                })
                .collect();
            all.hold.extend(hold);
        }
        all.reward = sum / found.max(1) as f64;
        all
    }

    /// Draws of `count` states from `first` on, `[count][draws][C H W]`.
    fn drawn(&self, step: u32, states: &States, (first, count): (usize, usize)) -> Vec<f32> {
        let size = states.x_t.len() / states.t.len();
        let rows = count * self.draws;
        let each = |i: usize| first + i / self.draws;
        let mut eps = vec![0.0; rows * size];
        let mut x_t = vec![0.0; rows * size];
        eps.par_chunks_mut(size)
            .zip(x_t.par_chunks_mut(size))
            .enumerate()
            .for_each(|(i, (eps, x_t))| {
                let pairs = size.div_ceil(2);
                let mut noise = vec![[0.0_f32; 2]; pairs];
                let address = Address::new(self.seed, Purpose::TrainNoise, step).at_step(1);
                normal_pairs(address, (first * self.draws + i) * pairs, &mut noise);
                eps.copy_from_slice(&noise.as_flattened()[..size]);
                // At t = 0 the state carries nothing, and the map was taught with zeros there.
                if states.t[each(i)] > 0.0 {
                    x_t.copy_from_slice(&states.x_t[each(i) * size..(each(i) + 1) * size]);
                }
            });
        let t: Vec<f32> = (0..rows).map(|i| states.t[each(i)]).collect();
        let mut label: Vec<u32> = (0..rows).map(|i| states.label[each(i)]).collect();
        if let Some(classes) = self.map.state_classifier() {
            let mut picks = vec![0.0; rows];
            let address = Address::new(self.seed, Purpose::FirstClass, step).at_step(1);
            class_picks(address, first * self.draws, &mut picks);
            let none = self.map.config().label_dim as u32;
            draw_classes(classes, (&t, &x_t), &picks, none, &mut label);
        }
        let guidance = vec![self.guidance; rows];
        let mut v = vec![0.0; eps.len()];
        let time = |jump: u32| jump as f32 / self.jumps as f32;
        for jump in 0..self.jumps {
            let (s, u) = (vec![time(jump); rows], vec![time(jump + 1); rows]);
            let asked = ImageRows {
                s: &s,
                u: &u,
                x: &eps,
                t: &t,
                x_t: &x_t,
                label: &label,
                guidance: &guidance,
            };
            self.map.average_velocity(&asked, &mut v);
            let long = time(jump + 1) - time(jump);
            for (x, v) in eps.iter_mut().zip(&v) {
                *x += long * v;
            }
        }
        eps
    }
}

/// `Cov(e, x_1) / (1 - t)` into `push`, by the unbiased sample covariance; gives the mean of `e`.
fn covariance(weights: &[f64], pictures: &[f32], t: f32, push: &mut [f32]) -> f64 {
    let n = weights.len() as f64;
    let hold = weights.iter().sum::<f64>() / n;
    let scale = 1.0 / ((n - 1.0) * f64::from(1.0 - t));
    push.fill(0.0);
    // The weights' deviations sum to 0, so that the draws' mean need not be taken off.
    for (weight, picture) in weights.iter().zip(pictures.chunks_exact(push.len())) {
        let by = (scale * (weight - hold)) as f32;
        for (push, x) in push.iter_mut().zip(picture) {
            *push += by * x;
        }
    }
    hold
}
