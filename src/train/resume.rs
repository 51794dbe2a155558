//! The state of an unfinished run in a file, so that it can be taken up again.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::native::StepLoss;
use super::optimizer::OptimizerState;
use super::recipe::Recipe;
use super::trainer::{TrainError, Trainer};
use crate::checkpoint::write_whole;
use crate::mixture::World;
use crate::model::MlpConfig;
use crate::model::simd::Buffer;

/// Largest file that is taken for a run.
const MAX_BYTES: u64 = 512 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainNote {
    world: World,
    recipe: Recipe,
    step: u64,
    loss: [f64; 3],
}

/// What stands beside the numbers of an unfinished run.
pub(super) trait Note: Serialize + DeserializeOwned {
    /// The key of the file's metadata that holds it.
    const KEY: &'static str;
    /// Where the numbers of the network lie; its recipe was found to be sound.
    type Layout;
    /// The layout and its length in numbers.
    ///
    /// # Errors
    /// When the recipe cannot be run.
    fn checked_layout(&self) -> Result<(Self::Layout, usize), TrainError>;
}

/// The layout of a network of a 2D world, and its length.
///
/// # Errors
/// When there is no such network.
pub(super) fn world_layout(model: &MlpConfig) -> Result<(Layout, usize), TrainError> {
    model.validate()?;
    let layout = Layout::new(model);
    let len = layout.len;
    Ok((layout, len))
}

impl Note for TrainNote {
    const KEY: &'static str = "foresight-run";

    type Layout = Layout;

    fn checked_layout(&self) -> Result<(Layout, usize), TrainError> {
        self.recipe.validate()?;
        world_layout(&self.recipe.model)
    }
}

/// Writes an unfinished run: its note, weights, moments and average.
///
/// # Errors
/// [`TrainError::State`] when the file cannot be written.
pub(super) fn write_run<N: Note>(
    path: &Path,
    note: &N,
    state: &OptimizerState,
) -> Result<(), TrainError> {
    let fail = |reason: String| TrainError::State {
        path: path.to_owned(),
        reason,
    };
    let text = serde_json::to_string(note).map_err(|e| fail(e.to_string()))?;
    let data: Vec<(&str, Vec<u8>)> = [
        ("weights", &state.weights),
        ("mean", &state.mean),
        ("square", &state.square),
        ("average", &state.average),
    ]
    .map(|(name, buffer)| {
        (
            name,
            buffer
                .as_slice()
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect(),
        )
    })
    .into();
    let mut views = Vec::new();
    for (name, bytes) in &data {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)
            .map_err(|e| fail(e.to_string()))?;
        views.push((*name, view));
    }
    let note = HashMap::from([(N::KEY.to_owned(), text)]);
    let bytes = safetensors::serialize(views, Some(note)).map_err(|e| fail(e.to_string()))?;
    write_whole(path, &bytes).map_err(|e| {
        fail(format!(
            "could not be written: {e}. Check the folder and its free space"
        ))
    })
}

/// Reads what [`write_run`] left.
///
/// # Errors
/// [`TrainError::State`] when the file is damaged or not such a run.
pub(super) fn read_run<N: Note>(path: &Path) -> Result<(N, N::Layout, OptimizerState), TrainError> {
    let fail = |reason: String| TrainError::State {
        path: path.to_owned(),
        reason,
    };
    let damaged = |what: &dyn std::fmt::Display| {
        fail(format!(
            "this is not an unfinished run, or it is damaged ({what}): delete it and start again"
        ))
    };
    let size = std::fs::metadata(path)
        .map_err(|e| fail(e.to_string()))?
        .len();
    if size > MAX_BYTES {
        return Err(damaged(&format!("it has {size} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
    let text = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(N::KEY))
        .ok_or_else(|| damaged(&"no note"))?;
    let note: N = serde_json::from_str(text).map_err(|e| damaged(&e))?;
    let (layout, len) = note.checked_layout()?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
    // The file holds four buffers of this length, so a recipe that asks for more is not believed.
    if len as u64 > size {
        return Err(damaged(&"the network is larger than the file"));
    }
    let read = |name: &str| {
        let view = tensors.tensor(name).map_err(|e| damaged(&e))?;
        let mut buffer = Buffer::zeroed(len);
        let values = view.data().as_chunks::<4>().0;
        if view.dtype() != Dtype::F32 || values.len() != buffer.as_slice().len() {
            return Err(damaged(&format!("{name} has the wrong size or type")));
        }
        for (to, from) in buffer.as_mut_slice().iter_mut().zip(values) {
            *to = f32::from_le_bytes(*from);
            if !to.is_finite() {
                return Err(damaged(&format!(
                    "{name} holds a number that is not finite"
                )));
            }
        }
        Ok(buffer)
    };
    let state = OptimizerState {
        weights: read("weights")?,
        mean: read("mean")?,
        square: read("square")?,
        average: read("average")?,
    };
    Ok((note, layout, state))
}

impl Trainer {
    /// Writes everything that the rest of the run depends on: weights, moments, average, step, recipe, world.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let note = TrainNote {
            world: self.world.clone(),
            recipe: self.recipe,
            step: self.step,
            loss: [
                self.smooth.weighted,
                self.smooth.diagonal,
                self.smooth.consistency,
            ],
        };
        write_run(path, &note, &self.state)
    }

    /// Takes up the run that [`Trainer::save`] left. What follows is the same as if it had never stopped.
    ///
    /// # Errors
    /// [`TrainError::State`] when the file is damaged or not a run.
    pub fn resume(path: &Path) -> Result<Self, TrainError> {
        let (note, layout, state) = read_run::<TrainNote>(path)?;
        let mut trainer = Self::from_state(note.world, note.recipe, layout, state);
        trainer.step = note.step;
        let [weighted, diagonal, consistency] = note.loss;
        trainer.smooth = StepLoss {
            weighted,
            diagonal,
            consistency,
        };
        Ok(trainer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;

    fn recipe() -> Recipe {
        let model = MlpConfig {
            hidden: 16,
            layers: 2,
            frequencies: 2,
            ..MlpConfig::default()
        };
        Recipe {
            model,
            steps: 40,
            batch: 96,
            warm_up: 5,
            ..Recipe::default()
        }
    }

    #[test]
    fn a_run_that_was_stopped_and_taken_up_ends_as_one_that_never_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.part");
        let mut whole = Trainer::new(World::preset(Preset::Two), recipe()).unwrap();
        let mut curve = Vec::new();
        while !whole.finished() {
            curve.push(whole.advance().unwrap());
        }
        let mut half = Trainer::new(World::preset(Preset::Two), recipe()).unwrap();
        half.run(|_, p| p.step < 17).unwrap();
        half.save(&path).unwrap();
        let mut half = Trainer::resume(&path).unwrap();
        assert_eq!(half.steps_done(), 17);
        while !half.finished() {
            let step = half.steps_done() as usize;
            assert_eq!(half.advance().unwrap(), curve[step]);
        }
        assert_eq!(half.layers(), whole.layers());
    }

    #[test]
    fn a_damaged_run_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.part");
        Trainer::new(World::preset(Preset::Two), recipe())
            .unwrap()
            .save(&path)
            .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let message = Trainer::resume(&path).unwrap_err().to_string();
            assert!(
                message.contains("run.part") && message.contains("start again"),
                "{message}"
            );
        }
    }
}
