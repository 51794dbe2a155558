//! Paint callbacks over the device's buffers, and the pipelines for `shaders/*.wgsl`.
//!
//! Each callback is a small struct of plain numbers: a [`ViewId`], a [`Camera`], what to paint and
//! in which colours. `paint_callback(rect)` turns it into a shape for `ui.painter().add(..)`. World
//! coordinates throughout; y points up. Must not know models.
//!
//! Before anything is painted, [`install`] tells the renderer's resources the target format, once.
//! Pipelines are made on first use. egui blends in gamma space on a target that is not
//! sRGB-encoded, and so do we: colours are `[r, g, b, a]` in gamma space, alpha not multiplied in.

mod camera;
mod contours;
mod draw_density;
mod gaussians;
mod mixture_density;
mod picture_tiles;
mod pipeline;
mod points;
mod ramp;

pub use camera::Camera;
pub use contours::{ContourLevel, Contours};
pub use draw_density::DrawDensity;
pub use gaussians::{Gaussian, Gaussians, MAX_GAUSSIANS};
pub use mixture_density::MixtureDensity;
pub use picture_tiles::{PictureTile, PictureTiles};
pub use pipeline::{ViewId, install, install_in};
pub use points::Points;
pub use ramp::Ramp;

#[cfg(test)]
mod tests;
