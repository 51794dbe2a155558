//! Model files: read, write, inspect. Must not know screens.
//!
//! A model is a safetensors file: f32 tensors `layers.{i}.weight` `[outputs, inputs]` and `layers.{i}.bias`
//! `[outputs]`, and under the metadata key `foresight` a JSON [`CheckpointCard`]. Networks of other programs are read
//! from safetensors and from PyTorch's files, of which nothing is ever run.

mod brisque;
mod card;
mod classifier;
mod clip;
mod copies;
mod decode;
mod dit;
mod dmf;
mod efficientnet;
mod error;
mod header;
mod image;
mod image_reward;
mod inspect;
mod limits;
mod open;
mod ours;
mod pytorch;
mod recipe;
mod shape_file;
mod states;
mod tensor_file;
mod vae;

pub use brisque::read_brisque;
#[cfg(test)]
pub(crate) use brisque::tests::folder as brisque_folder;
pub use card::{Architecture, Checkpoint, CheckpointCard, FORMAT, Tuned};
pub use classifier::{
    ClassifierCard, DIGITS_CLASSIFIER, PHOTOS_CLASSIFIER, halved, open_classifier, read_classifier,
    shipped_classifier, write_classifier,
};
#[cfg(test)]
pub(crate) use clip::tests::folder as clip_folder;
pub use clip::{read_aesthetic_head, read_clip, read_clip_texts};
pub use dit::read_dit;
pub use efficientnet::read_efficientnet;
pub use error::{CheckpointError, LayoutDifferences};
pub use header::{HeaderError, TensorEntry};
pub use image::{
    ImageCard, TunedImages, as_tuned, image_map_from_bytes, open_image_map, read_image_map,
    read_image_map_in, read_shipped_image_map, read_shipped_image_map_on, read_shipped_states,
    read_states, shipped_image_map, write_image_map, write_image_map_with,
};
pub use image_reward::read_image_reward;
pub use inspect::{Inspection, ModelCard, ModelKind, inspect, model_kind};
pub use pytorch::PyTorchError;
pub use shape_file::{read_dit_config, shape_file_beside};
pub use states::{StateWeights, beginning_with_classes};
pub use tensor_file::TensorFile;
#[cfg(test)]
pub(crate) use vae::tests::write_small as write_small_vae;
pub use vae::{DecoderKind, latent_decoder_kind, read_latent_decoder, read_taesd, read_vae};

pub(crate) use open::sha256_hex;
pub(crate) use ours::write_whole;
