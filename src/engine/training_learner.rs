//! What a run steps: a map that learns a world, or a velocity that is tuned toward a reward.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{Architecture, CheckpointCard, FORMAT};
use crate::mixture::World;
use crate::model::{DenseLayer, FusedMlp};
use crate::train::finetune::Finetuner;
use crate::train::{EvalPlan, TrainError, Trainer, evaluate};

use super::training_message::{MapCheck, TrainBeside, TrainCheck, TrainGoal, TrainLosses};
use super::training_tuned::Judge;

/// Items of the held-out losses.
const HELD_OUT: usize = 512;

/// What a look at the averaged network found.
pub(super) struct Look {
    pub network: FusedMlp,
    pub check: Option<TrainCheck>,
    /// Samples of a tuned velocity.
    pub samples: Option<Arc<Vec<[f32; 2]>>>,
}

/// What is trained.
pub(super) enum Learner {
    /// A Meta Flow Map of a world.
    Map(Box<Trainer>),
    /// A velocity, who judges its samples, and the map that stays as it is.
    Velocity(Box<Finetuner>, Judge, FusedMlp),
}

impl Learner {
    /// A run at its beginning.
    pub fn new(world: &World, goal: &TrainGoal) -> Result<Self, String> {
        match goal {
            TrainGoal::Map(recipe) => Trainer::new(world.clone(), *recipe)
                .map(|trainer| Self::Map(Box::new(trainer)))
                .map_err(|e| e.to_string()),
            TrainGoal::Reward(tuning) => {
                let tuner = Finetuner::new(&tuning.model.checkpoint, &tuning.reward, tuning.recipe)
                    .map_err(|e| e.to_string())?;
                let judge = Judge::new(&tuner);
                let map = tuning.model.network.clone();
                Ok(Self::Velocity(Box::new(tuner), judge, map))
            }
        }
    }

    /// What the samples of a tuned velocity stand beside, made once.
    pub fn beside(&self, wanted: &(dyn Fn() -> bool + Sync)) -> Option<TrainBeside> {
        match self {
            Self::Map(_) => None,
            Self::Velocity(tuner, judge, map) => judge.beside(tuner, map, wanted),
        }
    }

    pub fn advance(&mut self) -> Result<(), TrainError> {
        match self {
            Self::Map(trainer) => trainer.advance().map(drop),
            Self::Velocity(tuner, ..) => tuner.advance().map(drop),
        }
    }

    pub fn steps_done(&self) -> u64 {
        match self {
            Self::Map(trainer) => trainer.steps_done(),
            Self::Velocity(tuner, ..) => tuner.steps_done(),
        }
    }

    pub fn finished(&self) -> bool {
        match self {
            Self::Map(trainer) => trainer.finished(),
            Self::Velocity(tuner, ..) => tuner.is_done(),
        }
    }

    pub fn losses(&self) -> TrainLosses {
        match self {
            Self::Map(trainer) => TrainLosses::Map(trainer.loss()),
            Self::Velocity(tuner, ..) => TrainLosses::Tuned(tuner.loss()),
        }
    }

    pub fn layers(&self) -> Vec<DenseLayer> {
        match self {
            Self::Map(trainer) => trainer.layers(),
            Self::Velocity(tuner, ..) => tuner.layers(),
        }
    }

    pub fn card(&self) -> CheckpointCard {
        match self {
            Self::Map(trainer) => map_card(trainer),
            Self::Velocity(tuner, ..) => tuner.card(),
        }
    }

    /// Writes what the rest of the run depends on. A tuned velocity is not kept: it needs its map to go on, and is
    /// made again in a minute.
    pub fn keep(&self, path: &Path) -> Result<(), String> {
        match self {
            Self::Map(trainer) => trainer.save(path).map_err(|e| e.to_string()),
            Self::Velocity(..) => Ok(()),
        }
    }

    /// Looks at the averaged network; `None` when `wanted` says no, or when a weight is not finite: the next step then
    /// ends the run with a message. Without `judged` a map is only copied, which costs little, and a velocity not looked at.
    pub fn look(&mut self, judged: bool, wanted: &(dyn Fn() -> bool + Sync)) -> Option<Look> {
        match self {
            Self::Map(trainer) => {
                let network = trainer.fused().ok()?;
                if !judged {
                    return Some(Look {
                        network,
                        check: None,
                        samples: None,
                    });
                }
                let held_out = trainer.held_out_loss(HELD_OUT);
                let report = evaluate(&network, trainer.world(), &plan(), |_| wanted())?;
                let mean = report.mean;
                let check = MapCheck {
                    held_out,
                    one_step: mean.one_step.sliced_w2_in_sd,
                    four_step: mean.four_step.sliced_w2_in_sd,
                    floor: mean.floor.sliced_w2_in_sd,
                };
                Some(Look {
                    network,
                    check: Some(TrainCheck::Map(check)),
                    samples: None,
                })
            }
            // Its samples are what costs.
            Self::Velocity(..) if !judged => None,
            Self::Velocity(tuner, judge, _) => {
                let network = tuner.network().ok()?;
                let tuned = judge.look(tuner, &network, wanted)?;
                Some(Look {
                    network,
                    check: tuned.check.map(TrainCheck::Tuned),
                    samples: Some(tuned.samples),
                })
            }
        }
    }
}

fn map_card(trainer: &Trainer) -> CheckpointCard {
    let recipe = trainer.recipe();
    CheckpointCard {
        format: FORMAT,
        architecture: Architecture::Mlp(recipe.model),
        world: trainer.world().clone(),
        // Plain data with string keys: there is no way to fail on it.
        recipe: serde_json::to_value(recipe).unwrap_or_default(),
        seed: recipe.seed,
        steps: trainer.steps_done(),
        code_version: env!("CARGO_PKG_VERSION").into(),
        tuned: None,
    }
}

/// Fixed states at a few times.
fn plan() -> EvalPlan {
    EvalPlan {
        times: vec![0.2, 0.5, 0.8],
        states: 3,
        draws: 512,
        projections: 32,
        mmd_draws: 16,
        seed: 2027,
    }
}
