//! What the rest of a run depends on, by the names of the parameters, wherever it is computed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::scaling::LossScale;
use crate::checkpoint::write_whole;
use crate::model::{WeightValues, Weights};

/// What the optimizer remembers of a parameter.
const KINDS: [&str; 3] = ["mean", "square", "average"];
/// Largest file that is taken for a run.
const MAX_BYTES: u64 = 4 << 30;

/// Weights and what the optimizer remembers of each: mean and square of the gradients, average of the weights.
#[derive(Default)]
pub(in crate::train) struct State {
    pub(in crate::train) weights: Weights,
    pub(in crate::train) moments: BTreeMap<String, [Vec<f32>; 3]>,
    /// Where loss scaling stands, in runs that have it.
    pub(in crate::train) scale: Option<LossScale>,
    /// The map that jumps are learned from, in runs that distil one.
    pub(in crate::train) teacher: Option<Weights>,
}

/// Writes a state with a note beside it, whole or not at all. Where loss scaling stands is for the note.
pub(in crate::train) fn write_state(
    path: &Path,
    key: &str,
    note: &impl Serialize,
    state: State,
) -> Result<(), String> {
    let mut parts: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut keep = |name: String, shape: Vec<usize>, values: &[f32]| {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        parts.push((name, shape, bytes));
    };
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
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| e.to_string())?;
        views.push((name.as_str(), view));
    }
    let note = serde_json::to_string(note).map_err(|e| e.to_string())?;
    let metadata = HashMap::from([(key.to_owned(), note)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())?;
    write_whole(path, &bytes).map_err(|e| e.to_string())
}

/// Reads what [`write_state`] wrote.
///
/// # Errors
/// What is wrong with the file, without its path.
pub(in crate::train) fn read_state<N: DeserializeOwned>(
    path: &Path,
    key: &str,
) -> Result<(N, State), String> {
    let held = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if held > MAX_BYTES {
        return Err(format!("{held} bytes are too many"));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| e.to_string())?;
    let note = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(key))
        .ok_or("this is not an unfinished run of this kind")?;
    let note = serde_json::from_str(note).map_err(|e| e.to_string())?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
    let floats_of = |name: &str| {
        let view = file.tensor(name).map_err(|e| e.to_string())?;
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor {name} is not of type F32"));
        }
        Ok((view.shape().to_vec(), floats(view.data())))
    };
    let mut state = State::default();
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
                    return Err(format!("the moments of {own} do not fit"));
                }
            }
            state.moments.insert(own.to_owned(), moments);
        }
        let weight = WeightValues { shape, values };
        state.weights.insert(own.to_owned(), weight);
    }
    Ok((note, state))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
