//! How a map of images is trained.

use serde::{Deserialize, Deserializer, Serialize};

use super::optimizer::StepOptions;
use crate::model::{DitConfig, Precision};
use crate::train::{TimeLaw, ema_decay, rules};

/// What jumps are trained to agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageConsistency {
    /// MeanFlow: the jump's derivative along the data's own direction.
    MeanFlow,
    /// Eulerian self-distillation: along the velocity that the network itself has on the diagonal.
    Eulerian,
    /// Lagrangian self-distillation: the end of the jump moves with the network's velocity there.
    Lagrangian,
    /// Progressive self-distillation: two jumps made one after the other.
    Progressive,
    /// Distillation of another map, which stays as it is: the end that it reaches in several equal jumps. What is taught
    /// has no noise of its own, and one jump learns what the other map needs several for.
    Distilled {
        /// How many jumps the other map makes.
        pieces: u32,
    },
}

/// Which map another one learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaughtBy {
    /// SHA-256 of its file.
    pub hash: String,
    /// Steps that it was trained for.
    pub steps: u64,
    /// How long that took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
}

/// What changes once a run has come some way: classes are learned soon, draws that are told none and that are made in
/// one step take longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LateShares {
    /// First step that they hold for.
    pub from: u64,
    /// Share of the items whose class is left out.
    pub label_dropout: f64,
    /// Probability that an item off the diagonal spans the whole way.
    pub whole: f32,
}

/// Everything that decides a run but the images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    /// The network.
    pub model: DitConfig,
    /// Steps in all.
    pub steps: u64,
    /// Items of a step.
    pub batch: usize,
    /// Items that are in memory at once; the gradient is the mean over all.
    pub micro_batch: usize,
    /// Root of weights, data and noise.
    pub seed: u64,
    /// Share of the items with `s = u`, once jumps are learned.
    pub diagonal_share: f64,
    /// Step at which jumps and guidance begin to be learned; until then every item has `s = u` and the scale 1. What a
    /// jump is taught comes from the network itself, which has to know velocities first.
    pub jumps_from: u64,
    /// What the other items are trained to agree with.
    pub consistency: ImageConsistency,
    /// Law of `t`.
    pub times: TimeLaw,
    /// Share of the items whose class is left out.
    pub label_dropout: f64,
    /// Other shares for later parts of the run, in the order of their steps.
    #[serde(default, deserialize_with = "one_or_many")]
    pub late: Vec<LateShares>,
    /// Share of the labelled items that are taught with the model's guidance scale instead of 1; needs a scale in
    /// `model.model_guidance_class_ws`.
    pub guided_share: f64,
    /// Whether images are mirrored, left and right.
    pub mirror: bool,
    /// `c` of the loss weight `(|err|^2 + c)^-p`, with the mean over the numbers of an image as `|err|^2`.
    pub weight_floor: f64,
    /// `p` on the diagonal.
    pub diagonal_power: f64,
    /// `p` off it.
    pub consistency_power: f64,
    /// Highest learning rate.
    pub rate: f64,
    /// Steps of warm-up.
    pub warm_up: u64,
    /// Share of the steps, the last ones, over which the rate falls in a line; it is constant before, so that a run can
    /// be made longer when it is taken up again.
    pub decay_share: f64,
    /// Share of the rate that is left at the end.
    pub rate_floor: f64,
    /// Decoupled decay of the weights.
    pub weight_decay: f64,
    /// Largest norm of the gradient that is let through unscaled.
    pub clip: f64,
    /// Longest memory of the moving average.
    pub ema_limit: f64,
    /// The type that matrix products are made in.
    #[serde(default)]
    pub precision: Precision,
    /// Which map it begins as and learns from, where jumps are distilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher: Option<TaughtBy>,
}

impl ImageRecipe {
    /// 28x28 digits.
    pub fn digits() -> Self {
        Self {
            model: DitConfig::digits(),
            steps: 35_000,
            batch: 128,
            micro_batch: 128,
            seed: 1,
            diagonal_share: 0.5,
            jumps_from: 8_000,
            consistency: ImageConsistency::MeanFlow,
            times: TimeLaw {
                power: 2.0,
                unconditional: 0.1,
                whole: 0.1,
            },
            label_dropout: 0.2,
            late: vec![
                LateShares {
                    from: 13_000,
                    label_dropout: 0.5,
                    whole: 0.3,
                },
                LateShares {
                    from: 18_000,
                    label_dropout: 0.8,
                    whole: 0.3,
                },
            ],
            guided_share: 0.5,
            mirror: false,
            weight_floor: 0.01,
            diagonal_power: 0.5,
            consistency_power: 1.0,
            rate: 6e-4,
            warm_up: 500,
            decay_share: 0.2,
            rate_floor: 0.02,
            weight_decay: 0.0,
            clip: 1.5,
            ema_limit: 0.999,
            precision: Precision::F32,
            teacher: None,
        }
    }

    /// The same pictures for a map that begins as another one of shape `model` and teaches its jumps what that one reaches
    /// in four; velocities go on learning from the data.
    #[must_use]
    pub fn distilling(self, model: DitConfig, teacher: TaughtBy) -> Self {
        let guided_share = if model.model_guidance_class_ws.is_empty() {
            0.0
        } else {
            0.5
        };
        Self {
            model,
            guided_share,
            steps: 5_000,
            diagonal_share: 0.25,
            jumps_from: 0,
            consistency: ImageConsistency::Distilled { pieces: 4 },
            consistency_power: 0.5,
            times: TimeLaw {
                whole: 0.5,
                ..self.times
            },
            label_dropout: 0.8,
            late: Vec::new(),
            rate: 3e-4,
            warm_up: 200,
            decay_share: 0.5,
            teacher: Some(teacher),
            ..self
        }
    }

    /// 32x32 photos.
    pub fn photos() -> Self {
        Self {
            model: DitConfig::photos_coarse(),
            steps: 200_000,
            batch: 256,
            micro_batch: 256,
            jumps_from: 60_000,
            late: Vec::new(),
            decay_share: 0.25,
            rate: 3e-4,
            warm_up: 1000,
            mirror: true,
            ema_limit: 0.9999,
            ..Self::digits()
        }
    }

    /// What is wrong with it, if anything: the field and what it may be.
    pub fn fault(&self) -> Option<String> {
        if let Err(error) = self.model.validate() {
            return Some(error.to_string());
        }
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let rules = [
            (
                "steps",
                (1..=u64::from(u32::MAX)).contains(&self.steps),
                "at least 1",
            ),
            ("batch", (1..=65_536).contains(&self.batch), "1 to 65536"),
            (
                "micro_batch",
                (1..=self.batch).contains(&self.micro_batch)
                    && self.batch.is_multiple_of(self.micro_batch),
                "a divisor of batch",
            ),
            rules::share("diagonal_share", self.diagonal_share),
            rules::share("label_dropout", self.label_dropout),
            (
                "late",
                self.late.is_sorted_by(|a, b| a.from < b.from)
                    && self
                        .late
                        .iter()
                        .all(|late| share(late.label_dropout) && share(late.whole.into())),
                "shares from 0 to 1, in the order of their steps",
            ),
            (
                "guided_share",
                share(self.guided_share)
                    && (self.guided_share == 0.0 || !self.model.model_guidance_class_ws.is_empty()),
                "0 to 1, and 0 for a model without guidance scales",
            ),
            (
                "consistency",
                match self.consistency {
                    ImageConsistency::Distilled { pieces } => (2..=64).contains(&pieces),
                    _ => true,
                },
                "distilled from 2 to 64 pieces, or another loss",
            ),
            rules::share("decay_share", self.decay_share),
            rules::share("weight_decay", self.weight_decay),
            rules::clip("clip", self.clip),
        ];
        let weights = rules::weights(
            self.weight_floor,
            self.diagonal_power,
            self.consistency_power,
        );
        let of_all = rules::rates(self.rate, self.rate_floor, self.ema_limit);
        let rules = rules.into_iter().chain(rules::times(&self.times));
        rules::broken(rules.chain(weights).chain(of_all))
            .map(|(name, _, want)| format!("{name} of the recipe must be {want}"))
    }

    /// Learning rate of a step: a warm-up, a plain, a slope.
    pub(super) fn rate_at(&self, step: u64) -> f64 {
        let (step, steps) = (step as f64, self.steps as f64);
        let warm = ((step + 1.0) / self.warm_up.max(1) as f64).min(1.0);
        let slope = (self.decay_share * steps).max(1.0);
        let left = ((steps - step) / slope).clamp(0.0, 1.0);
        self.rate * warm * (self.rate_floor + (1.0 - self.rate_floor) * left)
    }

    /// What the optimizer is told at a step.
    pub(super) fn step_options(&self, step: u64) -> StepOptions {
        StepOptions {
            step,
            rate: self.rate_at(step),
            weight_decay: self.weight_decay,
            clip: self.clip,
            ema_decay: ema_decay(step, self.ema_limit),
            momentum: None,
        }
    }

    /// Share of the items with `s = u` at a step.
    pub(super) fn diagonal_share_at(&self, step: u64) -> f64 {
        if step < self.jumps_from {
            1.0
        } else {
            self.diagonal_share
        }
    }

    /// Share of the items whose class is left out at a step.
    pub(super) fn label_dropout_at(&self, step: u64) -> f64 {
        self.late_at(step)
            .map_or(self.label_dropout, |late| late.label_dropout)
    }

    /// Probability at a step that an item off the diagonal spans the whole way.
    pub(super) fn whole_at(&self, step: u64) -> f32 {
        self.late_at(step)
            .map_or(self.times.whole, |late| late.whole)
    }

    fn late_at(&self, step: u64) -> Option<LateShares> {
        let begun = self.late.iter().rev().find(|late| step >= late.from);
        begun.copied()
    }

    /// Share of the labelled items that are taught guidance at a step.
    pub(super) fn guided_share_at(&self, step: u64) -> f64 {
        if step < self.jumps_from {
            0.0
        } else {
            self.guided_share
        }
    }

    /// The scale that guided items are told.
    pub(super) fn guidance(&self) -> f32 {
        self.model
            .model_guidance_class_ws
            .first()
            .copied()
            .unwrap_or(1.0)
    }
}

/// Reads the later parts of a run; a recipe that was written while there could be only one holds it, or null.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<LateShares>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(Option<LateShares>),
        Many(Vec<LateShares>),
    }
    Ok(match Written::deserialize(from)? {
        Written::One(one) => one.into_iter().collect(),
        Written::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_can_run_and_faults_are_named() {
        assert_eq!(ImageRecipe::digits().fault(), None);
        assert_eq!(ImageRecipe::photos().fault(), None);
        let wrong = |edit: fn(&mut ImageRecipe)| {
            let mut recipe = ImageRecipe::digits();
            edit(&mut recipe);
            recipe.fault().unwrap()
        };
        assert!(wrong(|r| r.micro_batch = 100).contains("micro_batch"));
        assert!(wrong(|r| r.rate = f64::NAN).contains("rate"));
        assert!(
            wrong(|r| {
                r.late = vec![LateShares {
                    from: 1,
                    label_dropout: 1.5,
                    whole: 0.1,
                }];
            })
            .contains("late")
        );
        assert!(wrong(|r| r.model.model_guidance_class_ws.clear()).contains("guided_share"));
    }

    #[test]
    fn shares_change_at_their_steps_and_older_recipes_are_read() {
        let late = |from, label_dropout, whole| LateShares {
            from,
            label_dropout,
            whole,
        };
        let mut recipe = ImageRecipe::digits();
        recipe.late = vec![late(100, 0.6, 0.4), late(200, 0.8, 0.5)];
        let at =
            |recipe: &ImageRecipe, step| (recipe.label_dropout_at(step), recipe.whole_at(step));
        assert_eq!(at(&recipe, 99), (0.2, 0.1));
        assert_eq!(at(&recipe, 100), (0.6, 0.4));
        assert_eq!(at(&recipe, 200), (0.8, 0.5));

        let json = serde_json::to_value(&recipe).unwrap();
        let read = |late: Option<serde_json::Value>| -> ImageRecipe {
            let mut json = json.clone();
            let fields = json.as_object_mut().unwrap();
            match late {
                Some(late) => fields.insert("late".into(), late),
                None => fields.remove("late"),
            };
            serde_json::from_value(json).unwrap()
        };
        assert_eq!(read(Some(json["late"].clone())), recipe);
        assert_eq!(at(&read(None), 300), (0.2, 0.1));
        assert_eq!(at(&read(Some(serde_json::Value::Null)), 300), (0.2, 0.1));
        let one = json["late"][0].clone();
        assert_eq!(at(&read(Some(one)), 300), (0.6, 0.4));

        recipe.late.reverse();
        assert!(recipe.fault().unwrap().contains("late"));
    }
}
