//! The interpolant, `sigma_t`, conversions, time grids and addressed noise. Must not know networks, files or screens.
//!
//! Conventions (methods.md 1): `t = 0` is noise, `t = 1` is data, `x_t = (1 - t) x_0 + t x_1` with `x_0 ~ N(0, I)`.

mod noise;
mod schedule;

pub use noise::{Address, Purpose, normal_pairs, uniforms};
pub use schedule::{
    SigmaSchedule, TimeError, denoiser_from_velocity, interpolate, memoryless_drift,
    score_from_velocity, uniform_grid, valid_time,
};
