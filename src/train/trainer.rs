//! The optimisation loop: one object that can be stepped, watched, stopped, saved and taken up again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::batch::BatchPlan;
use super::layout::Layout;
use super::native::{NativeNet, StepLoss};
use super::optimizer::{OptimizerState, ema_decay};
use super::recipe::Recipe;
use crate::mixture::World;
use crate::model::simd::Buffer;
use crate::model::{DenseLayer, FusedMlp, ModelError};
use crate::reward::RewardError;

/// Tells the seed of held-out items from that of the steps.
const HELD_OUT: u64 = 0x5eed_0f4e_1d00_0007;

/// What can go wrong in training.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A field of the recipe is out of range.
    #[error("the recipe's `{field}` must be {want}")]
    Recipe {
        /// The field.
        field: &'static str,
        /// What it may be.
        want: &'static str,
    },
    /// The network's shape is wrong.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model to fine-tune cannot be.
    #[error("this model cannot be fine-tuned: {0}")]
    Parent(String),
    /// The reward to fine-tune toward cannot be used.
    #[error(transparent)]
    Reward(#[from] RewardError),
    /// The loss or the gradient is no longer a number.
    #[error(
        "training diverged at step {step}: the gradient is not finite; lower the learning rate (now {rate})"
    )]
    Diverged {
        /// Where.
        step: u64,
        /// Highest learning rate of the recipe.
        rate: f64,
    },
    /// The work was no longer wanted.
    #[error("cancelled")]
    Cancelled,
    /// The state to take up again cannot be read or written.
    #[error("{}: {reason}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Loss, averaged over about the last hundred steps.
    pub loss: StepLoss,
    /// Steps a second in this sitting.
    pub rate: f64,
    /// Time left at that rate.
    pub left: Duration,
}

/// A training run.
#[derive(Debug)]
pub struct Trainer {
    pub(super) world: World,
    pub(super) recipe: Recipe,
    pub(super) layout: Layout,
    pub(super) state: OptimizerState,
    /// Steps done.
    pub(super) step: u64,
    pub(super) smooth: StepLoss,
    net: NativeNet,
    gradient: Buffer,
}

impl Trainer {
    /// A run at its beginning.
    ///
    /// # Errors
    /// What [`Recipe::validate`] refuses.
    pub fn new(world: World, recipe: Recipe) -> Result<Self, TrainError> {
        recipe.validate()?;
        let layout = Layout::new(&recipe.model);
        let state = OptimizerState::new(layout.initial(recipe.seed));
        Ok(Self::from_state(world, recipe, layout, state))
    }

    pub(super) fn from_state(
        world: World,
        recipe: Recipe,
        layout: Layout,
        state: OptimizerState,
    ) -> Self {
        Self {
            net: NativeNet::new(&recipe.model, &layout),
            gradient: Buffer::zeroed(layout.len),
            world,
            recipe,
            layout,
            state,
            step: 0,
            smooth: StepLoss::default(),
        }
    }

    /// The world it learns.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Its recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Losses, averaged over about the last hundred steps.
    pub fn loss(&self) -> StepLoss {
        self.smooth
    }

    /// Losses of the averaged network on so many items that no step sees: the same ones whenever it is asked.
    pub fn held_out_loss(&mut self, items: usize) -> StepLoss {
        let recipe = &self.recipe;
        let plan = BatchPlan {
            world: &self.world.mixture,
            // Steps draw from the recipe's own seed.
            seed: recipe.seed ^ HELD_OUT,
            size: items,
            diagonal: (items as f64 * recipe.diagonal_share).round() as usize,
            times: recipe.times,
            teacher: recipe.teacher,
        };
        self.net.load(self.state.average.as_slice());
        // The gradient is made along the way; the next step overwrites it.
        self.net
            .step(&plan.at(0), &recipe.loss(), &mut self.gradient)
    }

    /// Whether all steps are done.
    pub fn finished(&self) -> bool {
        self.step >= self.recipe.steps
    }

    /// One step.
    ///
    /// # Errors
    /// [`TrainError::Diverged`]; the weights are then as before the step.
    pub fn advance(&mut self) -> Result<StepLoss, TrainError> {
        let recipe = &self.recipe;
        let plan = BatchPlan {
            world: &self.world.mixture,
            seed: recipe.seed,
            size: recipe.batch,
            diagonal: recipe.diagonal(),
            times: recipe.times,
            teacher: recipe.teacher,
        };
        // Recipes are refused when they have more than u32::MAX steps.
        let batch = plan.at(self.step as u32);
        self.net.load(self.state.weights.as_slice());
        let loss = self.net.step(&batch, &recipe.loss(), &mut self.gradient);
        let rate = recipe.course().at(self.step);
        let decay = ema_decay(self.step, recipe.ema_limit);
        let norm = self
            .state
            .update(&self.gradient, &recipe.adam, rate, decay, self.step);
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                step: self.step,
                rate: recipe.rate,
            });
        }
        self.smooth = smoothed(self.smooth, loss, self.step);
        self.step += 1;
        Ok(loss)
    }

    /// Steps until the end or until `watch` says false; it is asked after every step.
    ///
    /// # Errors
    /// [`TrainError::Diverged`].
    pub fn run(
        &mut self,
        mut watch: impl FnMut(&Self, &Progress) -> bool,
    ) -> Result<(), TrainError> {
        let (begun, from) = (Instant::now(), self.step);
        while !self.finished() {
            self.advance()?;
            let elapsed = begun.elapsed().as_secs_f64();
            let rate = (self.step - from) as f64 / elapsed.max(1e-9);
            let progress = Progress {
                step: self.step,
                steps: self.recipe.steps,
                loss: self.smooth,
                rate,
                left: Duration::from_secs_f64((self.recipe.steps - self.step) as f64 / rate),
            };
            if !watch(self, &progress) {
                break;
            }
        }
        Ok(())
    }

    /// The averaged weights, which are what a checkpoint holds.
    pub fn layers(&self) -> Vec<DenseLayer> {
        self.layout.export(self.state.average.as_slice())
    }

    /// The averaged network, ready to draw with.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn fused(&self) -> Result<FusedMlp, ModelError> {
        FusedMlp::new(&self.recipe.model, self.layers())
    }
}

/// A running mean over about a hundred steps.
fn smoothed(old: StepLoss, new: StepLoss, step: u64) -> StepLoss {
    let follow = 1.0 / (step + 1).min(100) as f64;
    let mix = |old: f64, new: f64| old + follow * (new - old);
    StepLoss {
        weighted: mix(old.weighted, new.weighted),
        diagonal: mix(old.diagonal, new.diagonal),
        consistency: mix(old.consistency, new.consistency),
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Teacher;
    use super::super::native::Consistency;
    use super::*;
    use crate::mixture::Preset;
    use crate::model::MlpConfig;

    fn small() -> Recipe {
        let model = MlpConfig {
            hidden: 48,
            layers: 2,
            frequencies: 4,
            frequency_max: 6.0,
            ..MlpConfig::default()
        };
        Recipe {
            model,
            steps: 1000,
            batch: 128,
            rate: 3e-3,
            warm_up: 20,
            ..Recipe::default()
        }
    }

    #[test]
    fn every_loss_teaches_the_velocity_from_either_teacher() {
        for (consistency, teacher) in [
            (Consistency::Eulerian, Teacher::Exact),
            (Consistency::Eulerian, Teacher::Data),
            (Consistency::Lagrangian, Teacher::Exact),
            (Consistency::Lagrangian, Teacher::Data),
            (Consistency::Semigroup, Teacher::Exact),
            (Consistency::Semigroup, Teacher::Data),
        ] {
            let recipe = Recipe {
                consistency,
                teacher,
                diagonal_share: Recipe::of(consistency).diagonal_share,
                ..small()
            };
            let world = World::preset(Preset::Two);
            let mut trainer = Trainer::new(world.clone(), recipe).unwrap();
            trainer.run(|_, _| true).unwrap();
            assert!(trainer.finished());
            // Against the exact velocity at items that the run has not seen.
            let fresh = BatchPlan {
                world: &world.mixture,
                seed: 99,
                size: 200,
                diagonal: 200,
                times: recipe.times,
                teacher: Teacher::Exact,
            }
            .at(0);
            let network = trainer.fused().unwrap();
            let (mut error, mut size) = (0.0, 0.0);
            for i in 0..200 {
                let (s, t) = (fresh.s[i], fresh.t[i]);
                let mut v = [[0.0; 2]];
                network.velocity_into(s, s, t, fresh.x_t[i], &fresh.x[i..=i], &mut v);
                for (ours, exact) in v[0].iter().zip(fresh.velocity[i]) {
                    error += (ours - exact).powi(2);
                    size += exact.powi(2);
                }
            }
            // An untrained network is off by the whole size.
            assert!(
                error < 0.25 * size,
                "{consistency:?} {teacher:?}: {error} of {size}"
            );
        }
    }

    #[test]
    fn the_held_out_loss_falls_and_asking_for_it_changes_nothing() {
        let run = |ask: bool| {
            let mut trainer = Trainer::new(World::preset(Preset::Two), small()).unwrap();
            let first = trainer.held_out_loss(256);
            trainer.run(|_, p| p.step < 150).unwrap();
            if ask {
                assert_eq!(trainer.held_out_loss(256), trainer.held_out_loss(256));
            }
            trainer.run(|_, p| p.step < 160).unwrap();
            (first, trainer.held_out_loss(256), trainer.layers())
        };
        let (first, last, asked) = run(true);
        assert!(last.diagonal < 0.7 * first.diagonal, "{first:?} {last:?}");
        assert_eq!(asked, run(false).2);
    }

    #[test]
    fn a_run_can_be_stopped_after_any_step() {
        let mut trainer = Trainer::new(World::preset(Preset::Two), small()).unwrap();
        trainer.run(|_, p| p.step < 3).unwrap();
        assert_eq!((trainer.steps_done(), trainer.finished()), (3, false));
    }

    #[test]
    fn a_rate_that_is_too_high_ends_in_a_message_and_not_in_broken_weights() {
        let recipe = Recipe {
            rate: 1.0,
            warm_up: 0,
            adam: super::super::AdamConfig {
                clip: 1e30,
                ..small().adam
            },
            ..small()
        };
        let mut trainer = Trainer::new(World::preset(Preset::Two), recipe).unwrap();
        if let Err(error) = trainer.run(|_, _| true) {
            assert!(
                error.to_string().contains("lower the learning rate"),
                "{error}"
            );
        }
        trainer.fused().unwrap();
    }

    #[test]
    fn a_recipe_that_cannot_be_run_is_refused_by_the_name_of_the_field() {
        for (recipe, field) in [
            (
                Recipe {
                    batch: 0,
                    ..small()
                },
                "batch",
            ),
            (
                Recipe {
                    steps: 0,
                    ..small()
                },
                "steps",
            ),
            (
                Recipe {
                    rate: f64::NAN,
                    ..small()
                },
                "rate",
            ),
            (
                Recipe {
                    diagonal_share: 1.5,
                    ..small()
                },
                "diagonal_share",
            ),
        ] {
            let message = Trainer::new(World::preset(Preset::Two), recipe)
                .unwrap_err()
                .to_string();
            assert!(message.contains(field), "{message}");
        }
    }
}
