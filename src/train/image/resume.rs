//! The state of an unfinished run in a file.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::recipe::ImageRecipe;
use super::scaling::LossScale;
use super::state::State;
use super::trainer::{ImageTrainError, ImageTrainer};
use crate::checkpoint::write_whole;
use crate::model::WeightValues;

/// Metadata key of the note below.
const KEY: &str = "foresight-image-run";
/// What the optimizer remembers of a parameter.
const KINDS: [&str; 3] = ["mean", "square", "average"];
/// Largest file that is taken for a run.
const MAX_BYTES: u64 = 4 << 30;

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
        let fail = |reason: String| ImageTrainError::State {
            path: path.to_owned(),
            reason,
        };
        let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut keep = |name: String, shape: Vec<usize>, values: &[f32]| {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            parts.push((name, shape, bytes));
        };
        let state = self.state();
        for (name, weight) in state.weights {
            keep(format!("weights.{name}"), weight.shape, &weight.values);
        }
        for (name, weight) in state.teacher.into_iter().flatten() {
            keep(format!("teacher.{name}"), weight.shape, &weight.values);
        }
        for (name, moments) in &state.moments {
            for (kind, values) in KINDS.iter().zip(moments) {
                keep(format!("{kind}.{name}"), vec![values.len()], values);
            }
        }
        let mut views = Vec::with_capacity(parts.len());
        for (name, shape, bytes) in &parts {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
                .map_err(|e| fail(e.to_string()))?;
            views.push((name.as_str(), view));
        }
        let note = Note {
            recipe: self.recipe.clone(),
            step: self.step,
            seconds: self.seconds,
            scale: state.scale,
        };
        let note = serde_json::to_string(&note).map_err(|e| fail(e.to_string()))?;
        let metadata = HashMap::from([(KEY.to_owned(), note)]);
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| fail(e.to_string()))?;
        write_whole(path, &bytes).map_err(|e| fail(e.to_string()))
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
        let held = std::fs::metadata(path)
            .map_err(|e| fail(e.to_string()))?
            .len();
        if held > MAX_BYTES {
            return Err(fail(format!("{held} bytes are too many")));
        }
        let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(e.to_string()))?;
        let note = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get(KEY))
            .ok_or_else(|| fail("this is not an unfinished run of images".into()))?;
        let note: Note = serde_json::from_str(note).map_err(|e| fail(e.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(e.to_string()))?;
        let floats_of = |name: &str| {
            let view = file.tensor(name).map_err(|e| fail(e.to_string()))?;
            if view.dtype() != Dtype::F32 {
                return Err(fail(format!("tensor {name} is not of type F32")));
            }
            Ok((view.shape().to_vec(), floats(view.data())))
        };
        let mut state = State {
            scale: note.scale,
            ..State::default()
        };
        for name in file.names() {
            if let Some(own) = name.strip_prefix("teacher.") {
                let (shape, values) = floats_of(name)?;
                let teacher = state.teacher.get_or_insert_default();
                teacher.insert(own.to_owned(), WeightValues { shape, values });
            }
            let Some(own) = name.strip_prefix("weights.") else {
                continue;
            };
            let (shape, values) = floats_of(name)?;
            if file.tensor(&format!("mean.{own}")).is_ok() {
                let mut moments = [Vec::new(), Vec::new(), Vec::new()];
                for (kind, to) in KINDS.iter().zip(&mut moments) {
                    *to = floats_of(&format!("{kind}.{own}"))?.1;
                    if to.len() != values.len() {
                        return Err(fail(format!("the moments of {own} do not fit")));
                    }
                }
                state.moments.insert(own.to_owned(), moments);
            }
            let weight = WeightValues { shape, values };
            state.weights.insert(own.to_owned(), weight);
        }
        let mut run = match state.teacher.take() {
            Some(teacher) => Self::distilling(note.recipe, teacher, device)?,
            None => Self::new(note.recipe, device)?,
        };
        run.restore(note.step, &state).map_err(fail)?;
        run.seconds = note.seconds;
        Ok(run)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
