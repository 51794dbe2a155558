//! The state of an unfinished run in a file, so that it can be taken up again.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::finetune::FinetuneLoss;
use super::super::resume::{Note, read_run, write_run};
use super::super::trainer::TrainError;
use super::recipe::ImageTuneRecipe;
use super::tuner::{ImageTuner, TuneParent};
use crate::model::DitConfig;
use crate::model::dit::native::FlatLayout;
use crate::reward::picture::PictureScore;
use crate::train::ImageSet;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TuneNote {
    /// SHA-256 of the frozen map; the file itself must be given again.
    parent: String,
    model: DitConfig,
    reward: String,
    recipe: ImageTuneRecipe,
    step: u64,
    /// As bits: text would round them.
    loss: [u64; 6],
    without_reward: u64,
    /// Of the pictures behind the states, where they come from data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<u64>,
}

impl Note for TuneNote {
    const KEY: &'static str = "foresight-image-tune-run";

    type Layout = ();

    fn checked_layout(&self) -> Result<((), usize), TrainError> {
        self.recipe.validate()?;
        self.model.validate()?;
        Ok(((), FlatLayout::new(&self.model).len()))
    }
}

impl ImageTuner {
    /// Writes everything that the rest of the run depends on but the frozen map and the data.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let loss = self.smooth;
        let note = TuneNote {
            parent: self.parent_hash.clone(),
            model: self.model().clone(),
            reward: self.text.clone(),
            recipe: self.recipe,
            step: self.step,
            loss: [
                loss.error,
                loss.hold,
                loss.effective,
                loss.norm,
                loss.clipped,
                self.reward_mean,
            ]
            .map(f64::to_bits),
            without_reward: loss.without_reward,
            data: self.from_data.then(|| self.pool.fingerprint()),
        };
        write_run(path, &note, &self.state)
    }

    /// Takes up the run that [`Self::save`] left, with the same map, reward and data. What follows is the same as if it
    /// had never stopped.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file is damaged, not such a run, or one with another map, reward or data.
    pub fn resume(
        path: &Path,
        parent: &TuneParent,
        (reward, text): (Arc<dyn PictureScore>, &str),
        data: Option<&ImageSet>,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, TrainError> {
        let fail = |reason: String| TrainError::State {
            path: path.to_owned(),
            reason,
        };
        let (note, (), state) = read_run::<TuneNote>(path)?;
        if note.parent != parent.hash || note.model != parent.card.model {
            return Err(fail(
                "this run tunes another model: give the checkpoint that it was started with, or start again".into(),
            ));
        }
        if note.reward != text {
            return Err(fail(format!(
                "this run tunes toward '{}', not toward '{text}': give that reward, or start again",
                note.reward
            )));
        }
        let mut tuner = Self::from_state(parent, (reward, text), data, note.recipe, state, watch)?;
        if note.data != data.map(|_| tuner.pool.fingerprint()) {
            return Err(fail(
                "this run was started with other pictures: give the same --data as then, or none if there was none".into(),
            ));
        }
        let [error, hold, effective, norm, clipped, reward_mean] = note.loss.map(f64::from_bits);
        tuner.step = note.step;
        tuner.reward_mean = reward_mean;
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
