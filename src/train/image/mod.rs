//! Training of Meta Flow Maps of images, on any burn device.
//!
//! The losses are those of the 2D trainer (methods.md 4) with the velocity taken from data; derivatives along the flow
//! come from [`crate::model::Dual`]. On the processor, networks of few tokens are trained by their own kernel. Through
//! burn, matrix products may be made in halves, with weights, sums and the optimizer in f32. Noise is addressed by step
//! and item, so that a resumed run sees what an uninterrupted one would have seen.

mod batch;
mod loss;
mod native;
mod optimizer;
mod recipe;
mod resume;
mod scaling;
mod state;
mod through_burn;
mod trainer;

#[cfg(test)]
mod mixed_tests;
#[cfg(test)]
mod tests;

pub use batch::{ImageBatch, PlainBatch};
pub use loss::{ImageLoss, loss};
pub(super) use optimizer::{
    NamedGradients, Optimizer, StepOptions, add_gradients, named_gradients,
    numbers as flat_numbers, with_values,
};
pub use recipe::{ImageConsistency, ImageRecipe, LateShares, TaughtBy};
pub use scaling::LossScale;
pub(super) use state::{State, read_state, write_state};
pub use trainer::{ImageTrainError, ImageTrainer};
