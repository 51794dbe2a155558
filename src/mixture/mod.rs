//! Gaussian mixtures and every closed form. Must not know networks or screens.
//!
//! A [`Mixture`] is a clean-data distribution `p_1 = sum_k w_k N(mu_k, S_k)` in the plane, and everything the app
//! calls *exact* is computed here in f64 (methods.md 2 and 3): density of `p_t`, posterior, velocity, score, denoiser,
//! the GLASS velocity, tilted targets and values, and exact samples. A [`World`] is a mixture with a name; worlds come from [`Preset`]s, RON files
//! and point clouds. A tilted target is a mixture again, made from the same parts.

mod cov;
mod density;
mod distribution;
mod error;
mod exact;
mod glass;
mod import;
mod posterior_at;
mod presets;
mod sample;
mod tilted;
mod velocity;
mod world;

#[cfg(test)]
mod reference;

/// A point or a vector of the plane, in world units.
pub type Point = [f64; 2];

pub use cov::Cov2;
pub use density::DensityField;
pub use distribution::{Mixture, Mode};
pub(crate) use error::shortened;
pub use error::{MixtureError, ModeProblem, RowProblem};
pub use glass::{GlassCoefficients, GlassField, glass_coefficients};
pub use import::{DEFAULT_BANDWIDTH, PointCloud};
pub use posterior_at::{Matrix2, PosteriorAt, PosteriorScratch, VelocityJacobianAt};
pub use presets::Preset;
pub use tilted::{Bump, Tilt, TiltError, TiltedAt, TiltedMixture, TiltedState};
pub use velocity::VelocityAt;
pub use world::World;
