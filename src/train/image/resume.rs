//! The state of an unfinished run in a file.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::optimizer::Moments;
use super::recipe::ImageRecipe;
use super::trainer::{ImageTrainError, ImageTrainer};
use crate::checkpoint::write_whole;
use crate::model::{WeightValues, Weights, weights_of, with_weights};

/// Metadata key of the note below.
const KEY: &str = "foresight-image-run";
/// Largest file that is taken for a run.
const MAX_BYTES: u64 = 4 << 30;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    recipe: ImageRecipe,
    step: u64,
}

fn numbers(tensor: &Tensor<1>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default()
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
        for (name, weight) in weights_of(&self.net.valid()) {
            keep(format!("weights.{name}"), weight.shape, &weight.values);
        }
        for (name, moments) in &self.optimizer.moments {
            for (kind, tensor) in [
                ("mean", &moments.mean),
                ("square", &moments.square),
                ("average", &moments.average),
            ] {
                let values = numbers(tensor);
                keep(format!("{kind}.{name}"), vec![values.len()], &values);
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
        let mut run = Self::new(note.recipe, device)?;
        run.step = note.step;
        let mut weights = Weights::new();
        let flat = |kind: &str, name: &str| -> Result<Tensor<1>, ImageTrainError> {
            let view = file
                .tensor(&format!("{kind}.{name}"))
                .map_err(|e| fail(e.to_string()))?;
            let values = floats(view.data());
            let count = values.len();
            Ok(Tensor::from_data(TensorData::new(values, [count]), device))
        };
        for name in file.names() {
            let Some(own) = name.strip_prefix("weights.") else {
                continue;
            };
            let view = file.tensor(name).map_err(|e| fail(e.to_string()))?;
            if view.dtype() != Dtype::F32 {
                return Err(fail(format!("tensor {name} is not of type F32")));
            }
            weights.insert(
                own.to_owned(),
                WeightValues {
                    shape: view.shape().to_vec(),
                    values: floats(view.data()),
                },
            );
            if file.tensor(&format!("mean.{own}")).is_ok() {
                let moments = Moments {
                    mean: flat("mean", own)?,
                    square: flat("square", own)?,
                    average: flat("average", own)?,
                };
                let count = weights[own].values.len();
                if [&moments.mean, &moments.square, &moments.average]
                    .iter()
                    .any(|t| t.dims() != [count])
                {
                    return Err(fail(format!("the moments of {own} do not fit")));
                }
                run.optimizer.moments.insert(own.to_owned(), moments);
            }
        }
        run.net = with_weights(run.net, &weights).map_err(|e| fail(e.to_string()))?;
        Ok(run)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
