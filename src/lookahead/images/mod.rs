//! Looking ahead with a map of images on plain numbers, and making images from noise.
//!
//! The same sources as in 2D ([`super::Source`]) but the closed form, which images do not have. Noise is addressed, so
//! item 17 is the same image whatever is drawn with it; a network call on 32 rows counts 32.

mod asked;
mod draw;
mod first_class;
mod generate;
mod noise;
mod running;
mod state;
mod tensor;
#[cfg(test)]
mod tests;

pub(crate) use asked::{Asked, check_class, numbers};
pub use draw::{ImageQuestion, draw_images};
pub(crate) use first_class::{class_picks, draw_classes};
pub use generate::{ImageSampler, ParseSamplerError, generate_images};
pub(crate) use noise::image_noise;
pub use running::RunningImage;
pub use state::{mean_image, noised_image};
pub use tensor::draw_images_on_device;
