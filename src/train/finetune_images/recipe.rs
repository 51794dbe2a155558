//! Everything that decides what fine-tuning of images produces, apart from the map and the reward.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::finetune::{Baseline, Objective};
use super::super::optimizer::{AdamConfig, RateCourse};
use super::super::rules;
use super::super::trainer::TrainError;

/// Under which classes the velocity is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TunedClass {
    /// None: the map of all pictures.
    None,
    /// Every class, an equal share of the states each.
    Each,
    /// One class, by number.
    Only(u32),
}

impl fmt::Display for TunedClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Each => f.write_str("each"),
            Self::Only(class) => write!(f, "{class}"),
        }
    }
}

impl FromStr for TunedClass {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "each" => Ok(Self::Each),
            _ => text
                .parse()
                .map(Self::Only)
                .map_err(|_| format!("'{text}' is no class: write none, each or a number")),
        }
    }
}

impl TunedClass {
    /// The label of item `i`.
    pub fn label(self, i: usize, classes: usize) -> u32 {
        match self {
            Self::None => classes as u32,
            Self::Each => (i % classes) as u32,
            Self::Only(class) => class,
        }
    }
}

/// A recipe of fine-tuning of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTuneRecipe {
    /// What the velocity is tuned to.
    pub objective: Objective,
    /// Root seed: pictures, noise and times.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// States of a step.
    pub batch: usize,
    /// States that one core is given at a time; the gradient is the mean over all.
    pub micro_batch: usize,
    /// Posterior draws a state.
    pub draws: usize,
    /// Jumps in which each of them is made: more where those of one are unclear to the reward.
    pub jumps: u32,
    /// What is taken off the reward.
    pub baseline: Baseline,
    /// Share of the states that are made from pictures drawn again by `exp r`.
    pub tilted_share: f32,
    /// Under which classes the velocity is tuned.
    pub class: TunedClass,
    /// Guidance scale of the class: 1 or one that the map was trained with; 1 without class.
    pub guidance: f32,
    /// Clean pictures behind the states and the baseline.
    pub pool: usize,
    /// Jumps in which the map makes each of them, where they do not come from data.
    pub pool_jumps: u32,
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

impl Default for ImageTuneRecipe {
    fn default() -> Self {
        Self {
            objective: Objective::Tilt,
            seed: 0,
            steps: 400,
            batch: 32,
            micro_batch: 16,
            draws: 8,
            jumps: 1,
            baseline: Baseline::State,
            tilted_share: 0.5,
            class: TunedClass::None,
            guidance: 1.0,
            pool: 1024,
            pool_jumps: 4,
            rate: 2e-4,
            warm_up: 20,
            rate_floor: 0.05,
            adam: AdamConfig {
                beta_1: 0.9,
                beta_2: 0.99,
                epsilon: 1e-8,
                // The weights start where they should be, not at 0.
                weight_decay: 0.0,
                clip: 10.0,
            },
            ema_limit: 0.98,
        }
    }
}

impl ImageTuneRecipe {
    /// Refuses what cannot be run.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] naming the field.
    pub fn validate(&self) -> Result<(), TrainError> {
        let rules = [
            (
                "steps",
                (1..=u64::from(u32::MAX) - 1).contains(&self.steps),
                "at least 1",
            ),
            ("batch", (1..=65_536).contains(&self.batch), "1 to 65536"),
            (
                "micro_batch",
                (1..=self.batch).contains(&self.micro_batch),
                "1 to batch",
            ),
            (
                "draws",
                (2..=1024).contains(&self.draws),
                "2 to 1024: a covariance needs two",
            ),
            ("jumps", (1..=64).contains(&self.jumps), "1 to 64"),
            rules::share("tilted_share", self.tilted_share.into()),
            ("guidance", self.guidance.is_finite(), "a number"),
            ("pool", (16..=65_536).contains(&self.pool), "16 to 65536"),
            (
                "pool_jumps",
                (1..=256).contains(&self.pool_jumps),
                "1 to 256",
            ),
        ];
        let of_all = rules::rates(self.rate, self.rate_floor, self.ema_limit);
        let clip = rules::clip("adam.clip", self.adam.clip);
        rules::check(rules.into_iter().chain(of_all).chain([clip]))
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
