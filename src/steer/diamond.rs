//! Weighted Diamond Maps: a posterior from any flow map, without training (methods.md 5).

use super::estimate::{Estimate, Look};
use super::flow::{BaseAt, to_f64};
use super::log_mean::LogMean;
use super::plan::{DiamondWeights, SteerPlan};
use super::run::SteerScene;
use crate::metrics::Counters;
use crate::mixture::{Mixture, Point};
use crate::process::{Address, Purpose, normal_pairs, score_from_velocity};

/// The earlier time of Weighted Diamond Maps.
pub(super) struct Diamond<'a> {
    /// `t'`.
    earlier: f64,
    /// `a = t' / t`.
    keep: f64,
    /// Standard deviation of the noise added.
    spread: f64,
    base: BaseAt<'a>,
    /// For `ln p_{t'}`; `None` with a checkpoint, where the trapezoid stands in.
    world: Option<&'a Mixture>,
}

impl<'a> Diamond<'a> {
    /// `t' = t / (t + sqrt(snr) (1 - t))`.
    pub fn earlier_time(plan: &SteerPlan, t: f64) -> f64 {
        t / (t + plan.diamond_snr.sqrt() * (1.0 - t))
    }

    /// At time `t` of the run.
    pub fn new(plan: &SteerPlan, scene: &SteerScene<'a>, t: f64) -> Self {
        let earlier = Self::earlier_time(plan, t);
        let keep = earlier / t;
        let variance = (1.0 - earlier).powi(2) - (keep * (1.0 - t)).powi(2);
        Self {
            earlier,
            keep,
            spread: variance.max(0.0).sqrt(),
            base: BaseAt::new(scene.world, scene.model, earlier),
            world: scene.model.is_none().then_some(scene.world),
        }
    }
}

impl Look<'_> {
    /// Weighted Diamond Maps (methods.md 5).
    pub(super) fn renoised(
        &self,
        ids: &[u32],
        x: &[Point],
        out: &mut [Estimate],
        counts: &mut Counters,
    ) {
        let (Some(map), Some(diamond)) = (&self.map, &self.diamond) else {
            return;
        };
        let (t, left, n) = (self.t, 1.0 - self.t, self.plan.draws as usize);
        let (a, earlier) = (diamond.keep, diamond.earlier);
        counts.reward += (x.len() * n) as u64;
        counts.reward_gradient += (x.len() * n) as u64;
        let mut noise = vec![[0.0; 2]; x.len() * n];
        for (id, noise) in ids.iter().zip(noise.chunks_exact_mut(n)) {
            let address = Address::new(self.plan.seed, Purpose::PosteriorDraw, *id);
            normal_pairs(address.at_step(self.step), 0, noise);
        }
        let y: Vec<Point> = noise
            .iter()
            .enumerate()
            .map(|(row, eps)| {
                let x = x[row / n];
                std::array::from_fn(|d| a * x[d] + diamond.spread * f64::from(eps[d]))
            })
            .collect();
        let score_at = |states: &[Point], counts: &mut Counters| {
            let mut scores = vec![[0.0; 2]; states.len()];
            diamond.base.eval(states, counts, |i, b| {
                scores[i] = score_from_velocity(states[i], b, earlier);
            });
            scores
        };
        let scores_y = score_at(&y, counts);
        let scores_x = match diamond.world {
            Some(_) => Vec::new(),
            None => score_at(x, counts),
        };
        let marginal = diamond.world.map(|world| world.velocity_field(earlier));
        // Toward the point where the terms of z are steepest: r(z) - |x - t z|^2 / (2 (1-t)^2).
        let cotangent = |row: usize, z: Point| -> Point {
            let x = x[row / n];
            let g = self.reward.gradient(z);
            std::array::from_fn(|d| g[d] + t * (x[d] - t * z[d]) / (left * left))
        };
        let mut means = vec![(LogMean::default(), LogMean::default()); x.len()];
        map.pullback(&y, counts, &cotangent, |row, z, pulled| {
            let (p, x) = (row / n, x[row / n]);
            let r = self.reward.score(z);
            let miss: Point = std::array::from_fn(|d| x[d] - t * z[d]);
            let eps = to_f64(noise[row]);
            let log_p = match &marginal {
                Some(field) => field.eval_with_log_density(y[row]).0,
                None => (0..2)
                    .map(|d| 0.5 * (scores_x[p][d] + scores_y[row][d]) * (y[row][d] - x[d]))
                    .sum(),
            };
            let rest = log_p + 0.5 * (eps[0] * eps[0] + eps[1] * eps[1])
                - 0.5 * (miss[0] * miss[0] + miss[1] * miss[1]) / (left * left);
            let term = std::array::from_fn(|d| {
                a * pulled[d] - miss[d] / (left * left) + a * scores_y[row][d]
            });
            let weight = match self.plan.diamond_weights {
                DiamondWeights::Full => r + rest,
                DiamondWeights::RewardOnly => r,
            };
            means[p].0.add(weight, term);
            means[p].1.add(rest, [0.0; 2]);
        });
        self.base.eval(x, counts, |i, b| {
            let own = score_from_velocity(x[i], b, t);
            let mean = means[i].0.mean();
            // Where no future has a reward there is nowhere to go.
            if !means[i].0.is_empty() {
                out[i].gradient = std::array::from_fn(|d| mean[d] - own[d]);
            }
            out[i].value = means[i].0.value() - means[i].1.value();
        });
    }
}
