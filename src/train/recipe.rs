//! Everything that decides what a training run produces, apart from the world.

use serde::{Deserialize, Serialize};

use super::batch::{Teacher, TimeLaw};
use super::native::{Consistency, LossPlan};
use super::optimizer::{AdamConfig, RateCourse};
use super::rules;
use super::trainer::TrainError;
use crate::model::MlpConfig;

/// A training recipe; the default is the one that the shipped checkpoints were made with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The network.
    pub model: MlpConfig,
    /// Root seed: weights, data, noise and times.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Items of a step.
    pub batch: usize,
    /// Share of the items on the diagonal `s = u`.
    pub diagonal_share: f64,
    /// Where velocities come from.
    pub teacher: Teacher,
    /// What jumps must agree with.
    pub consistency: Consistency,
    /// Law of the times.
    pub times: TimeLaw,
    /// `c` of the adaptive weight `1 / (|err|^2 + c)^p`.
    pub weight_floor: f32,
    /// `p` on the diagonal.
    pub diagonal_power: f32,
    /// `p` off it.
    pub consistency_power: f32,
    /// Highest learning rate.
    pub rate: f64,
    /// Steps of linear warm-up.
    pub warm_up: u64,
    /// Share of the learning rate that is left at the end.
    pub rate_floor: f64,
    /// The optimiser.
    pub adam: AdamConfig,
    /// Longest memory of the weights' moving average.
    pub ema_limit: f64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            model: MlpConfig::default(),
            seed: 0,
            steps: 30_000,
            batch: 1024,
            diagonal_share: 0.25,
            teacher: Teacher::Exact,
            consistency: Consistency::Eulerian,
            times: TimeLaw {
                power: 1.5,
                unconditional: 0.1,
                whole: 0.0,
            },
            weight_floor: 0.01,
            diagonal_power: 0.5,
            consistency_power: 0.5,
            rate: 1e-3,
            warm_up: 200,
            rate_floor: 0.0,
            adam: AdamConfig {
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.01,
                clip: 1.5,
            },
            ema_limit: 0.999,
        }
    }
}

impl Recipe {
    /// The recipe with the semigroup loss. It learns from its own jumps alone off the diagonal, so it needs a firmer
    /// hold there: with a quarter of the batch on the diagonal it diverged on every world tried, with half on some.
    pub fn semigroup() -> Self {
        Self {
            consistency: Consistency::Semigroup,
            diagonal_share: 0.75,
            ..Self::default()
        }
    }

    /// The recipe that suits a consistency term. The Lagrangian loss too learns from the network's own velocity at the end
    /// of a jump: with three quarters of the batch on the diagonal it was the best of the three after 1,000 steps on
    /// ring8, with half it hardly learned, with a quarter it diverged.
    pub fn of(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Eulerian => Self::default(),
            Consistency::Lagrangian => Self {
                consistency,
                ..Self::semigroup()
            },
            Consistency::Semigroup => Self::semigroup(),
        }
    }

    /// Largest batch that is accepted.
    pub const MAX_BATCH: usize = 1 << 20;

    /// Refuses what cannot be run.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] naming the field, or what is wrong with the network.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.model.validate()?;
        let rules = [
            (
                "steps",
                (1..=u64::from(u32::MAX)).contains(&self.steps),
                "at least 1",
            ),
            (
                "batch",
                (1..=Self::MAX_BATCH).contains(&self.batch),
                "1 to 1048576",
            ),
            rules::share("diagonal_share", self.diagonal_share),
        ];
        let weights = rules::weights(
            self.weight_floor.into(),
            self.diagonal_power.into(),
            self.consistency_power.into(),
        );
        let of_all = rules::rates(self.rate, self.rate_floor, self.ema_limit);
        let rules = rules.into_iter().chain(rules::times(&self.times));
        let clip = rules::clip("adam.clip", self.adam.clip);
        rules::check(rules.chain(weights).chain(of_all).chain([clip]))
    }

    /// Items of a step on the diagonal.
    pub fn diagonal(&self) -> usize {
        ((self.batch as f64 * self.diagonal_share).round() as usize).min(self.batch)
    }

    /// The course of the learning rate.
    pub fn course(&self) -> RateCourse {
        RateCourse {
            peak: self.rate,
            warm_up: self.warm_up,
            steps: self.steps,
            floor: self.rate_floor,
        }
    }

    /// The loss.
    pub fn loss(&self) -> LossPlan {
        LossPlan {
            consistency: self.consistency,
            weight_floor: self.weight_floor,
            diagonal_power: self.diagonal_power,
            consistency_power: self.consistency_power,
        }
    }
}
