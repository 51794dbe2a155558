//! One fine-tuning run: it can be stepped, watched, stopped, saved and taken up again.

use rayon::prelude::*;

use super::super::batch::Batch;
use super::super::layout::Layout;
use super::super::native::{Consistency, LossPlan, NativeNet};
use super::super::optimizer::{OptimizerState, ema_decay};
use super::super::trainer::TrainError;
use super::draws::{Group, Lesson};
use super::maximise;
use super::recipe::{FinetuneRecipe, Objective};
use super::states::{Pool, States};
use crate::checkpoint::{Architecture, Checkpoint, CheckpointCard, FORMAT, Tuned};
use crate::mixture::World;
use crate::model::simd::Buffer;
use crate::model::{DenseLayer, FusedMlp, GuidedMlp, MlpConfig, ModelError};
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::{Reward, RewardError, TiltedTarget};

/// The squared error itself: a weight that looked at a draw's luck would bias the fixed point.
const PLAIN: LossPlan = LossPlan {
    consistency: Consistency::Eulerian,
    weight_floor: 1.0,
    diagonal_power: 0.0,
    consistency_power: 0.0,
};

/// What a step of fine-tuning measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FinetuneLoss {
    /// Mean of `|e (b_phi - b) - sigma_t^2 / 2 h|^2`. Most of it is the draws' own noise, which stays. For
    /// [`Objective::Maximise`] the mean reward at the predicted ends, negated.
    pub error: f64,
    /// Mean of `e`; 1 with a constant baseline and states from the data. 0 for [`Objective::Maximise`].
    pub hold: f64,
    /// Share of the batch that its weights `e` amount to: `(sum e)^2 / (n sum e^2)`.
    pub effective: f64,
    /// Norm of the gradient.
    pub norm: f64,
    /// 1 when the gradient was longer than the optimiser's limit and was scaled; a share once averaged.
    pub clipped: f64,
    /// Draws of the step at which the reward has no finite value: nothing is wanted there.
    pub without_reward: u64,
}

/// The frozen Meta Flow Map.
#[derive(Debug)]
pub(super) struct Parent {
    /// SHA-256 of its file.
    pub hash: String,
    /// What it was trained on.
    pub world: World,
    pub network: FusedMlp,
    pub map: GuidedMlp,
}

/// A fine-tuning run.
#[derive(Debug)]
pub struct Finetuner {
    pub(super) parent: Parent,
    pub(super) reward: Reward,
    pub(super) recipe: FinetuneRecipe,
    pub(super) state: OptimizerState,
    /// Steps done.
    pub(super) step: u64,
    pub(super) smooth: FinetuneLoss,
    layout: Layout,
    pool: Pool,
    net: NativeNet,
    gradient: Buffer,
}

impl Finetuner {
    /// A run at its beginning: the tuned velocity is the checkpoint's own.
    ///
    /// # Errors
    /// A recipe or a reward that cannot be used, or a checkpoint that is itself a tuned velocity.
    pub fn new(
        checkpoint: &Checkpoint,
        reward: &Reward,
        recipe: FinetuneRecipe,
    ) -> Result<Self, TrainError> {
        let Architecture::Mlp(config) = &checkpoint.card.architecture;
        let layout = Layout::new(config);
        let state = OptimizerState::new(layout.import(&checkpoint.layers));
        Self::from_state(checkpoint, reward, recipe, layout, state)
    }

    pub(super) fn from_state(
        checkpoint: &Checkpoint,
        reward: &Reward,
        recipe: FinetuneRecipe,
        layout: Layout,
        state: OptimizerState,
    ) -> Result<Self, TrainError> {
        recipe.validate()?;
        let network = checkpoint
            .fused()
            .map_err(|e| TrainError::Parent(e.to_string()))?;
        if !network.is_map() {
            return Err(TrainError::Parent(
                "it is a fine-tuned velocity, whose jumps are no flow map. Fine-tune the model it came from, toward both rewards"
                    .into(),
            ));
        }
        let world = checkpoint.card.world.clone();
        match TiltedTarget::new(&world.mixture, reward) {
            // Too fine for a grid is fine for a network to try.
            Ok(_) | Err(RewardError::TooFine(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let pool = Pool::new(&world.mixture, reward, recipe.seed)
            .ok_or_else(|| RewardError::NowhereFinite(reward.to_string()))?;
        Ok(Self {
            net: NativeNet::new(network.config(), &layout),
            gradient: Buffer::zeroed(layout.len),
            parent: Parent {
                hash: checkpoint.hash.clone(),
                world,
                map: GuidedMlp::new(&network),
                network,
            },
            reward: reward.clone(),
            recipe,
            state,
            step: 0,
            smooth: FinetuneLoss::default(),
            layout,
            pool,
        })
    }

    /// The world of the model that is tuned.
    pub fn world(&self) -> &World {
        &self.parent.world
    }

    /// The reward.
    pub fn reward(&self) -> &Reward {
        &self.reward
    }

    /// The recipe.
    pub fn recipe(&self) -> &FinetuneRecipe {
        &self.recipe
    }

    /// Steps done.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.step >= self.recipe.steps
    }

    /// The last losses, averaged over about a hundred steps.
    pub fn loss(&self) -> FinetuneLoss {
        self.smooth
    }

    /// How many of 65,536 world samples count under `exp r`: with a handful, the reward is too strong for these data.
    pub fn effective_samples(&self) -> f64 {
        self.pool.effective
    }

    /// One step.
    ///
    /// # Errors
    /// [`TrainError::Diverged`]; the weights are then as before the step.
    pub fn advance(&mut self) -> Result<FinetuneLoss, TrainError> {
        let (batch, mut loss) = match self.recipe.objective {
            Objective::Tilt => self.tilted_batch(),
            Objective::Maximise => {
                let now = self.network_of(&self.state.weights)?;
                maximise::batch(self.step as u32, &self.recipe, &self.reward, &now)
            }
        };
        self.net.load(self.state.weights.as_slice());
        let measured = self.net.step(&batch, &PLAIN, &mut self.gradient);
        if self.recipe.objective == Objective::Tilt {
            loss.error = measured.weighted;
        }
        let rate = self.recipe.course().at(self.step);
        let decay = ema_decay(self.step, self.recipe.ema_limit);
        let adam = &self.recipe.adam;
        loss.norm = self
            .state
            .update(&self.gradient, adam, rate, decay, self.step);
        if !loss.norm.is_finite() {
            return Err(TrainError::Diverged {
                step: self.step,
                rate: self.recipe.rate,
            });
        }
        loss.clipped = f64::from(u8::from(loss.norm > adam.clip));
        self.smooth = smoothed(self.smooth, loss, self.step);
        self.step += 1;
        Ok(loss)
    }

    /// The lessons of all states of a step, in their order.
    pub(super) fn lessons(&self, step: u32, states: &States) -> Vec<Lesson> {
        let (group, draws) = (self.recipe.group(), self.recipe.draws);
        let mut eps = vec![[0.0; 2]; states.t.len() * draws];
        let address = Address::new(self.recipe.seed, Purpose::TrainNoise, step);
        normal_pairs(address.at_step(1), 0, &mut eps);
        eps.par_chunks_mut(group * draws)
            .enumerate()
            .flat_map_iter(|(g, eps)| {
                let range = g * group..g * group + eps.len() / draws;
                let group = Group {
                    map: &self.parent.map,
                    reward: &self.reward,
                    t: states.t[range.start],
                    x_t: &states.x_t[range.clone()],
                    baseline: &states.baseline[range],
                    draws,
                };
                group.lessons(self.recipe.pull, eps)
            })
            .collect()
    }

    /// States and what they are taught, as the regression takes it: `hold b_phi` toward `hold b + push`.
    fn tilted_batch(&self) -> (Batch, FinetuneLoss) {
        // Recipes are refused when they have more than u32::MAX steps.
        let step = self.step as u32;
        let world = &self.parent.world.mixture;
        let states = States::at(step, &self.recipe, world, &self.reward, &self.pool);
        let lessons = self.lessons(step, &states);
        let group = self.recipe.group();
        let mut base = vec![[0.0; 2]; states.t.len()];
        base.par_chunks_mut(group)
            .zip(states.x_t.par_chunks(group))
            .zip(states.t.par_chunks(group))
            .for_each(|((b, x), t)| {
                let t = t[0];
                let network = &self.parent.network;
                network.velocity_into(t, t, 0.0, [0.0; 2], x, b);
            });
        let n = states.t.len();
        let sum = |f: fn(&Lesson) -> f64| lessons.iter().map(f).sum::<f64>();
        let (total, squares) = (sum(|l| l.hold), sum(|l| l.hold * l.hold));
        let loss = FinetuneLoss {
            hold: total / n as f64,
            effective: if squares > 0.0 {
                total * total / (n as f64 * squares)
            } else {
                0.0
            },
            without_reward: lessons.iter().map(|l| u64::from(l.without_reward)).sum(),
            ..FinetuneLoss::default()
        };
        let velocity = lessons.iter().zip(&base).map(|(lesson, b)| {
            std::array::from_fn(|d| (lesson.hold * f64::from(b[d]) + lesson.push[d]) as f32)
        });
        let batch = Batch {
            velocity: velocity.collect(),
            hold: lessons.iter().map(|l| l.hold as f32).collect(),
            s: states.t.clone(),
            u: states.t,
            t: vec![0.0; n],
            x: states.x_t,
            x_t: vec![[0.0; 2]; n],
            middle: Vec::new(),
        };
        (batch, loss)
    }

    fn config(&self) -> &MlpConfig {
        self.parent.network.config()
    }

    fn network_of(&self, weights: &Buffer) -> Result<FusedMlp, ModelError> {
        let layers = self.layout.export(weights.as_slice());
        Ok(FusedMlp::new(self.config(), layers)?.velocity_only())
    }

    /// The averaged weights, which are what a checkpoint holds.
    pub fn layers(&self) -> Vec<DenseLayer> {
        self.layout.export(self.state.average.as_slice())
    }

    /// The averaged tuned velocity `v(t, t, x; 0, 0)`, ready to move samples. It is no flow map.
    ///
    /// # Errors
    /// When a weight is not finite.
    pub fn network(&self) -> Result<FusedMlp, ModelError> {
        self.network_of(&self.state.average)
    }

    /// The card of a checkpoint of [`Finetuner::layers`]: parent, reward and recipe. Its world is the tilted target
    /// where that has a closed form, so that whatever compares the model with its world compares it with what it was
    /// tuned to; else it is the parent's.
    pub fn card(&self) -> CheckpointCard {
        let parent = &self.parent;
        let target = match self.recipe.objective {
            Objective::Tilt => TiltedTarget::new(&parent.world.mixture, &self.reward)
                .ok()
                .and_then(|target| target.mixture().cloned()),
            Objective::Maximise => None,
        };
        let tuned = Tuned {
            parent: parent.hash.clone(),
            parent_world: parent.world.name.clone(),
            reward: self.reward.to_string(),
            world_is_target: target.is_some(),
        };
        let world = match target {
            Some(mixture) => World {
                name: format!("{}-tilted", parent.world.name),
                title: format!("{}, tilted", parent.world.title),
                mixture,
            },
            None => parent.world.clone(),
        };
        CheckpointCard {
            format: FORMAT,
            architecture: Architecture::Mlp(*self.config()),
            world,
            // A recipe of numbers and names always serialises.
            recipe: serde_json::to_value(self.recipe).unwrap_or_default(),
            seed: self.recipe.seed,
            steps: self.step,
            code_version: env!("CARGO_PKG_VERSION").into(),
            tuned: Some(tuned),
        }
    }
}

/// A running mean over about a hundred steps; counts are added up.
fn smoothed(old: FinetuneLoss, new: FinetuneLoss, step: u64) -> FinetuneLoss {
    let follow = 1.0 / (step + 1).min(100) as f64;
    let mix = |old: f64, new: f64| old + follow * (new - old);
    FinetuneLoss {
        error: mix(old.error, new.error),
        hold: mix(old.hold, new.hold),
        effective: mix(old.effective, new.effective),
        norm: mix(old.norm, new.norm),
        clipped: mix(old.clipped, new.clipped),
        without_reward: old.without_reward + new.without_reward,
    }
}
