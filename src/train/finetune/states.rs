//! Off-policy states: where and when the velocity is taught.

use super::recipe::{Baseline, FinetuneRecipe};
use crate::mixture::Mixture;
use crate::process::{Address, Purpose, normal_pairs, uniforms};
use crate::reward::Reward;

/// World samples behind the baseline and the states that are drawn by `exp r`.
const POOL: usize = 1 << 16;
/// `Address::state` of the pool; steps are below it.
const POOL_STATE: u32 = u32::MAX;
/// Farthest time that is learned: beyond it a draw is the state, up to rounding.
const LAST_TIME: f32 = 0.999;

/// World samples, their rewards, and the law of drawing them again.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    points: Vec<[f32; 2]>,
    scores: Vec<f64>,
    /// Running sums of `exp r`, the last one 1.
    cumulative: Vec<f64>,
    /// `ln E exp r`.
    pub log_mean: f64,
    /// How many of the samples count: `(sum w)^2 / sum w^2`.
    pub effective: f64,
}

impl Pool {
    /// `None` when the reward has no finite value at any sample.
    pub fn new(world: &Mixture, reward: &Reward, seed: u64) -> Option<Self> {
        let mut points = vec![[0.0; 2]; POOL];
        let address = Address::new(seed, Purpose::TrainData, POOL_STATE);
        world.sample_into(address, 0, &mut points);
        let scores: Vec<f64> = points.iter().map(|x| score(reward, *x)).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if max == f64::NEG_INFINITY {
            return None;
        }
        let weights: Vec<f64> = scores.iter().map(|r| (r - max).exp()).collect();
        let total: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let mut sum = 0.0;
        let cumulative = weights
            .iter()
            .map(|w| {
                sum += w / total;
                sum
            })
            .collect();
        Some(Self {
            points,
            scores,
            cumulative,
            log_mean: max + (total / POOL as f64).ln(),
            effective: total * total / squares,
        })
    }

    /// The sample at a uniform number, drawn by `exp r`, and its reward.
    fn tilted(&self, uniform: f32) -> ([f32; 2], f64) {
        let at = self
            .cumulative
            .partition_point(|sum| *sum < f64::from(uniform));
        let at = at.min(self.points.len() - 1);
        (self.points[at], self.scores[at])
    }
}

/// `r(x)`; where it has no finite value nothing is wanted.
pub(super) fn score(reward: &Reward, x: [f32; 2]) -> f64 {
    let score = reward.score(x.map(f64::from));
    if score.is_finite() {
        score
    } else {
        f64::NEG_INFINITY
    }
}

/// States of one step. Neighbours `[g * group, (g + 1) * group)` share their time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct States {
    pub t: Vec<f32>,
    pub x_t: Vec<[f32; 2]>,
    /// What is taken off the rewards of each state's draws.
    pub baseline: Vec<f64>,
}

impl States {
    /// The states of one step: the same whenever and wherever they are asked.
    pub fn at(
        step: u32,
        recipe: &FinetuneRecipe,
        world: &Mixture,
        reward: &Reward,
        pool: &Pool,
    ) -> Self {
        let (n, group) = (recipe.batch, recipe.group());
        let groups = n.div_ceil(group);
        let numbers = |part: u32, count: usize| {
            let mut out = vec![0.0; count];
            let address = Address::new(recipe.seed, Purpose::TrainTime, step);
            uniforms(address.at_step(part), 0, &mut out);
            out
        };
        let (within, from, pick) = (numbers(0, groups), numbers(1, n), numbers(2, n));
        let mut x_1 = vec![[0.0; 2]; n];
        let address = Address::new(recipe.seed, Purpose::TrainData, step);
        world.sample_into(address, 0, &mut x_1);
        let mut x_0 = vec![[0.0; 2]; n];
        let address = Address::new(recipe.seed, Purpose::TrainNoise, step);
        normal_pairs(address, 0, &mut x_0);

        let first = recipe.pull.first_time();
        let mut states = Self::default();
        for i in 0..n {
            let share = ((i / group) as f32 + within[i / group]) / groups as f32;
            let t = first + (LAST_TIME - first) * share;
            let (x_1, score) = if from[i] < recipe.tilted_share {
                pool.tilted(pick[i])
            } else {
                (x_1[i], score(reward, x_1[i]))
            };
            states.t.push(t);
            states
                .x_t
                .push(std::array::from_fn(|d| (1.0 - t) * x_0[i][d] + t * x_1[d]));
            states.baseline.push(match recipe.baseline {
                Baseline::Constant => pool.log_mean,
                Baseline::State => {
                    // How much of the clean sample the state tells.
                    let told = f64::from(t * t / (t * t + (1.0 - t) * (1.0 - t)));
                    pool.log_mean + told * (score - pool.log_mean).max(0.0)
                }
            });
        }
        states
    }
}
