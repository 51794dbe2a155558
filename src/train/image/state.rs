//! What the rest of a run depends on, by the names of the parameters, wherever it is computed.

use std::collections::BTreeMap;

use super::scaling::LossScale;
use crate::model::Weights;

/// Weights and what the optimizer remembers of each: mean and square of the gradients, average of the weights.
#[derive(Default)]
pub(super) struct State {
    pub(super) weights: Weights,
    pub(super) moments: BTreeMap<String, [Vec<f32>; 3]>,
    /// Where loss scaling stands, in runs that have it.
    pub(super) scale: Option<LossScale>,
    /// The map that jumps are learned from, in runs that distil one.
    pub(super) teacher: Option<Weights>,
}
