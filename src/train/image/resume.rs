//! The state of an unfinished run in a file.

use std::path::Path;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::recipe::ImageRecipe;
use super::scaling::LossScale;
use super::state::{State, read_state, write_state};
use super::trainer::{ImageTrainError, ImageTrainer};

/// Metadata key of the note below.
const KEY: &str = "foresight-image-run";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    recipe: ImageRecipe,
    step: u64,
    /// Time that the steps took, over all sittings.
    #[serde(default)]
    seconds: f64,
    /// Of runs whose products are f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale: Option<LossScale>,
}

impl ImageTrainer {
    /// Writes everything that the rest of the run depends on, whole or not at all.
    ///
    /// # Errors
    /// [`ImageTrainError::State`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ImageTrainError> {
        let state = self.state();
        let note = Note {
            recipe: self.recipe.clone(),
            step: self.step,
            seconds: self.seconds,
            scale: state.scale,
        };
        write_state(path, KEY, &note, state).map_err(|reason| ImageTrainError::State {
            path: path.to_owned(),
            reason,
        })
    }

    /// Takes an unfinished run up where [`Self::save`] left it.
    ///
    /// # Errors
    /// [`ImageTrainError::State`] when the file is not such a state.
    pub fn resume(path: &Path, device: &Device) -> Result<Self, ImageTrainError> {
        let fail = |reason: String| ImageTrainError::State {
            path: path.to_owned(),
            reason: format!("{reason}. Start again without --resume"),
        };
        let (note, mut state): (Note, State) = read_state(path, KEY).map_err(fail)?;
        state.scale = note.scale;
        let mut run = match state.teacher.take() {
            Some(teacher) => Self::distilling(note.recipe, teacher, device)?,
            None => Self::new(note.recipe, device)?,
        };
        run.restore(note.step, &state).map_err(fail)?;
        run.seconds = note.seconds;
        Ok(run)
    }
}
