//! Everything that decides what fine-tuning produces, apart from the model and the reward.

use serde::{Deserialize, Serialize};

use super::super::optimizer::{AdamConfig, RateCourse};
use super::super::recipe::Recipe;
use super::super::rules;
use super::super::trainer::TrainError;
use crate::model::simd::TILE;

/// What the velocity is tuned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The tilted target `p exp r / Z`.
    Tilt,
    /// The highest reward, whatever becomes of the data: for comparison, since it collapses.
    Maximise,
}

/// How the pull of the reward on a state is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// `E[e J' grad r]`, through the map's derivative, as published.
    Gradient,
    /// `Cov(e, x_1)`, without derivatives.
    GradientFree,
    /// The second before `t = 0.6`, the first after.
    Mix,
}

impl Pull {
    /// Whether derivatives are used at `t`.
    pub fn differentiates(self, t: f32) -> bool {
        match self {
            Self::Gradient => true,
            Self::GradientFree => false,
            Self::Mix => t >= 0.6,
        }
    }

    /// The first time that is learned. The factor `(1 - t) / t` of the gradient form has no bound at 0.
    pub(super) fn first_time(self) -> f32 {
        match self {
            Self::Gradient => 0.01,
            Self::GradientFree | Self::Mix => 0.0,
        }
    }
}

/// What is taken off the reward before its exponential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// `ln E exp r` over the data.
    Constant,
    /// The same near noise, rising with `t` to the reward of the clean sample behind the state where that is higher.
    State,
}

/// A recipe of fine-tuning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuneRecipe {
    /// What the velocity is tuned to.
    pub objective: Objective,
    /// Root seed: data, noise and times.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// States of a step.
    pub batch: usize,
    /// Posterior draws a state.
    pub draws: usize,
    /// How the pull of the reward is estimated.
    pub pull: Pull,
    /// What is taken off the reward.
    pub baseline: Baseline,
    /// Share of the states that are made from data drawn again by `exp r`.
    pub tilted_share: f32,
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

impl Default for FinetuneRecipe {
    fn default() -> Self {
        Self {
            objective: Objective::Tilt,
            seed: 0,
            steps: 1000,
            batch: 1024,
            draws: 4,
            pull: Pull::Mix,
            baseline: Baseline::State,
            tilted_share: 0.5,
            rate: 5e-4,
            warm_up: 50,
            rate_floor: 0.0,
            adam: AdamConfig {
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                // The weights start where they should be, not at 0.
                weight_decay: 0.0,
                clip: 10.0,
            },
            ema_limit: 0.995,
        }
    }
}

impl FinetuneRecipe {
    /// Refuses what cannot be run.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] naming the field.
    pub fn validate(&self) -> Result<(), TrainError> {
        let rules = [
            (
                "steps",
                (1..=u64::from(u32::MAX)).contains(&self.steps),
                "at least 1",
            ),
            (
                "batch",
                (1..=Recipe::MAX_BATCH).contains(&self.batch),
                "1 to 1048576",
            ),
            (
                "draws",
                (2..=TILE).contains(&self.draws),
                "2 to 64: a covariance needs two",
            ),
            rules::share("tilted_share", self.tilted_share.into()),
        ];
        let of_all = rules::rates(self.rate, self.rate_floor, self.ema_limit);
        let clip = rules::clip("adam.clip", self.adam.clip);
        rules::check(rules.into_iter().chain(of_all).chain([clip]))
    }

    /// States that share a time: their draws fill a tile of the network's kernel.
    pub(super) fn group(&self) -> usize {
        TILE / self.draws
    }

    /// The course of the learning rate.
    pub(super) fn course(&self) -> RateCourse {
        RateCourse {
            peak: self.rate,
            warm_up: self.warm_up,
            steps: self.steps,
            floor: self.rate_floor,
        }
    }
}
