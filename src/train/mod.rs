//! Training of Meta Flow Maps and their evaluation against exact posteriors. Must not know screens.
//!
//! [`Trainer`] runs a [`Recipe`] on a world; [`evaluate`] says how good the result is. [`image`] and [`image_eval`] are the
//! same for images.

mod along;
mod batch;
mod classifier;
mod data;
mod eval;
pub mod finetune;
pub mod finetune_images;
pub mod image;
pub mod image_eval;
mod images;
pub mod jvp;
mod layout;
mod native;
#[cfg(test)]
mod native_tests;
mod optimizer;
mod outer;
mod recipe;
pub mod reference;
mod resume;
mod rules;
mod tile;
mod trainer;

pub use batch::{Batch, BatchPlan, Teacher, TimeLaw};
pub use classifier::{
    BegunWith, ClassifierDiverged, ClassifierRecipe, ClassifierRunError, ClassifierTrainer, Epoch,
    accuracy, state_accuracy, train_classifier,
};
pub use data::{DataError, DataPlan, Opened, Part, is_picture, read_picture, read_whole_picture};
pub use eval::{
    EvalPlan, EvalReport, EvalRow, Figures, MODE_WEIGHT_BAR, SLICED_W2_BAR, Verdict, evaluate,
};
pub use images::ImageSet;
pub use native::{Consistency, LossPlan, StepLoss};
pub use optimizer::{AdamConfig, RateCourse, ema_decay};
pub use recipe::Recipe;
pub use trainer::{Progress, TrainError, Trainer};
