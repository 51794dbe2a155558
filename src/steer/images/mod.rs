//! Steering of pictures: the same three choices as in 2D, asked of a map of images on plain numbers.
//!
//! Formulas, defaults and the diffusion are those of [`SteerPlan`](super::SteerPlan); what is new here is how many
//! states of many numbers are asked at once. The velocity and the draws are told the same class and the same guidance
//! scale, so what is tilted is the map's own law of that class. Noise is addressed by particle, step and draw: particle
//! 7 is the same picture whatever is steered beside it.

#[cfg(test)]
mod class_first_tests;
mod frame;
mod kept;
mod look;
mod plan;
mod run;
mod start;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
mod weighed;

pub use frame::{ImageFrame, ImageWatch};
pub use plan::ImagePlan;
pub use run::{ImageRun, ImageScene, steer_images, steer_images_from};
pub use start::ImageStart;
