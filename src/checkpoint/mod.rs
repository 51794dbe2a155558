//! Model files: read, write, inspect. Must not know screens.
//!
//! A model is a safetensors file: f32 tensors `layers.{i}.weight` `[outputs, inputs]` and `layers.{i}.bias`
//! `[outputs]`, and under the metadata key `foresight` a JSON [`CheckpointCard`].

mod card;
mod classifier;
mod decode;
mod dit;
mod error;
mod header;
mod image;
mod inspect;
mod limits;
mod open;
mod ours;
mod recipe;

pub use card::{Architecture, Checkpoint, CheckpointCard, FORMAT, Tuned};
pub use classifier::{
    ClassifierCard, DIGITS_CLASSIFIER, halved, open_classifier, read_classifier, write_classifier,
};
pub use dit::{TensorFile, read_dit};
pub use error::{CheckpointError, LayoutDifferences};
pub use header::{HeaderError, TensorEntry};
pub use image::{
    ImageCard, TunedImages, as_tuned, image_map_from_bytes, open_image_map, read_image_map,
    read_shipped_image_map, shipped_image_map, write_image_map,
};
pub use inspect::{Inspection, ModelCard, ModelKind, inspect, model_kind};

pub(crate) use open::sha256_hex;
pub(crate) use ours::write_whole;
