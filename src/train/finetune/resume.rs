//! The state of an unfinished fine-tuning run in a file, so that it can be taken up again.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::layout::Layout;
use super::super::resume::{Note, read_run, world_layout, write_run};
use super::super::trainer::TrainError;
use super::recipe::FinetuneRecipe;
use super::tuner::{FinetuneLoss, Finetuner};
use crate::checkpoint::Checkpoint;
use crate::model::MlpConfig;
use crate::reward::Reward;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TuneNote {
    /// SHA-256 of the frozen map; the file itself must be given again.
    parent: String,
    model: MlpConfig,
    reward: String,
    recipe: FinetuneRecipe,
    step: u64,
    loss: [f64; 5],
    without_reward: u64,
}

impl Note for TuneNote {
    const KEY: &'static str = "foresight-finetune-run";

    type Layout = Layout;

    fn checked_layout(&self) -> Result<(Layout, usize), TrainError> {
        self.recipe.validate()?;
        world_layout(&self.model)
    }
}

impl Finetuner {
    /// Writes everything that the rest of the run depends on but the frozen map.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let loss = self.smooth;
        let note = TuneNote {
            parent: self.parent.hash.clone(),
            model: *self.parent.network.config(),
            reward: self.reward.to_string(),
            recipe: self.recipe,
            step: self.step,
            loss: [
                loss.error,
                loss.hold,
                loss.effective,
                loss.norm,
                loss.clipped,
            ],
            without_reward: loss.without_reward,
        };
        write_run(path, &note, &self.state)
    }

    /// Takes up the run that [`Finetuner::save`] left. What follows is the same as if it had never stopped.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file is damaged, not such a run, or one of another model.
    pub fn resume(path: &Path, checkpoint: &Checkpoint) -> Result<Self, TrainError> {
        let fail = |reason: String| TrainError::State {
            path: path.to_owned(),
            reason,
        };
        let (note, layout, state) = read_run::<TuneNote>(path)?;
        if note.parent != checkpoint.hash {
            return Err(fail(
                "this run tunes another model: give the checkpoint that it was started with, or start again".into(),
            ));
        }
        let reward: Reward = note.reward.parse().map_err(|e| {
            fail(format!(
                "the run is damaged ({e}): delete it and start again"
            ))
        })?;
        let mut tuner = Self::from_state(checkpoint, &reward, note.recipe, layout, state)?;
        let [error, hold, effective, norm, clipped] = note.loss;
        tuner.step = note.step;
        tuner.smooth = FinetuneLoss {
            error,
            hold,
            effective,
            norm,
            clipped,
            without_reward: note.without_reward,
        };
        Ok(tuner)
    }
}
