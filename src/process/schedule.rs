//! Noise schedule, conversions between velocity, score and denoiser, and time grids (methods.md 1).

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A time that a person gave lies outside the process.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("t = {0} is outside the process: give a number from 0 (noise) to 1 (data)")]
pub struct TimeError(pub f64);

/// Accepts `t` in `[0, 1]`; everything else, NaN included, is refused with a message for the person who gave it.
///
/// # Errors
/// [`TimeError`] when `t` is not in `[0, 1]`.
pub fn valid_time(t: f64) -> Result<f64, TimeError> {
    if (0.0..=1.0).contains(&t) {
        Ok(t)
    } else {
        Err(TimeError(t))
    }
}

/// `x_t = (1 - t) x_0 + t x_1`.
pub fn interpolate(x_0: [f64; 2], x_1: [f64; 2], t: f64) -> [f64; 2] {
    std::array::from_fn(|i| (1.0 - t) * x_0[i] + t * x_1[i])
}

/// `D_t(x) = E[x_1 | x_t = x] = x + (1 - t) b_t(x)`.
pub fn denoiser_from_velocity(x: [f64; 2], b: [f64; 2], t: f64) -> [f64; 2] {
    std::array::from_fn(|i| x[i] + (1.0 - t) * b[i])
}

/// `s_t(x) = (t b_t(x) - x) / (1 - t)`. Not finite at `t = 1`, where a mixture's own score must be asked instead.
pub fn score_from_velocity(x: [f64; 2], b: [f64; 2], t: f64) -> [f64; 2] {
    std::array::from_fn(|i| (t * b[i] - x[i]) / (1.0 - t))
}

/// Drift `2 b - x / t` of the memoryless SDE, as published: the diffusion may be capped, this drift never is.
///
/// Not finite at `t = 0`; runs start at `t = 0.01`.
pub fn memoryless_drift(x: [f64; 2], b: [f64; 2], t: f64) -> [f64; 2] {
    std::array::from_fn(|i| 2.0 * b[i] - x[i] / t)
}

/// `steps + 1` evenly spaced times; the first is exactly `start`, the last exactly `end`.
pub fn uniform_grid(start: f64, end: f64, steps: usize) -> Vec<f64> {
    let count = steps.max(1);
    (0..=count)
        .map(|i| {
            if i == count {
                end
            } else {
                start + (end - start) * (i as f64 / count as f64)
            }
        })
        .collect()
}

/// The memoryless diffusion `sigma_t^2 = 2 clamp(1/t - 1, 0, cap)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigmaSchedule {
    /// Largest value of `(1 - t) / t` that is used; `None` leaves it free.
    pub cap: Option<f64>,
}

impl SigmaSchedule {
    /// Cap 25, as in the published code.
    pub const PUBLISHED: Self = Self { cap: Some(25.0) };
    /// No cap: infinite at `t = 0`.
    pub const UNCAPPED: Self = Self { cap: None };

    /// `sigma_t^2 / 2`.
    pub fn half_sigma_sq(&self, t: f64) -> f64 {
        (1.0 / t - 1.0).clamp(0.0, self.cap.unwrap_or(f64::INFINITY).max(0.0))
    }

    /// `sigma_t^2`.
    pub fn sigma_sq(&self, t: f64) -> f64 {
        2.0 * self.half_sigma_sq(t)
    }

    /// `sigma_t`.
    pub fn sigma(&self, t: f64) -> f64 {
        self.sigma_sq(t).sqrt()
    }

    /// Drift `b + sigma_t^2 / 2 * s_t` that goes with *this* diffusion, capped alike; finite at `t = 1`.
    pub fn sde_drift<const D: usize>(&self, x: [f64; D], b: [f64; D], t: f64) -> [f64; D] {
        // score * (1 - t), so that the ratio below stays finite at both ends.
        let ratio = self.cap.map_or(1.0 / t, |cap| {
            if (1.0 / t - 1.0) <= cap {
                1.0 / t
            } else {
                cap / (1.0 - t)
            }
        });
        std::array::from_fn(|i| b[i] + ratio * (t * b[i] - x[i]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_denoiser_and_the_score_agree_with_their_definitions() {
        // E[x1|x] = x + (1-t) b and score = -(x - t E[x1|x]) / (1-t)^2 are two ways to say the same thing.
        let (x, b, t) = ([0.3, -1.2], [1.7, 0.4], 0.37);
        let d = denoiser_from_velocity(x, b, t);
        let s = score_from_velocity(x, b, t);
        for i in 0..2 {
            let expected = -(x[i] - t * d[i]) / ((1.0 - t) * (1.0 - t));
            assert!((s[i] - expected).abs() < 1e-13);
        }
    }

    #[test]
    fn the_uncapped_sde_drift_is_twice_the_velocity_minus_x_over_t() {
        let (x, b) = ([0.3, -1.2], [1.7, 0.4]);
        for t in [0.001, 0.3, 0.99, 1.0] {
            let ours = SigmaSchedule::UNCAPPED.sde_drift(x, b, t);
            let published = memoryless_drift(x, b, t);
            for i in 0..2 {
                assert!((ours[i] - published[i]).abs() <= 1e-12 * (1.0 + published[i].abs()));
            }
        }
    }

    #[test]
    fn the_capped_sde_drift_is_velocity_plus_half_sigma_squared_score() {
        let (x, b) = ([0.3, -1.2], [1.7, 0.4]);
        for t in [0.001, 0.02, 0.3, 0.99] {
            let schedule = SigmaSchedule::PUBLISHED;
            let drift = schedule.sde_drift(x, b, t);
            let score = score_from_velocity(x, b, t);
            for i in 0..2 {
                let expected = b[i] + schedule.half_sigma_sq(t) * score[i];
                assert!((drift[i] - expected).abs() <= 1e-11 * (1.0 + expected.abs()));
            }
        }
    }

    #[test]
    fn sigma_is_capped_early_and_zero_at_the_data() {
        assert_eq!(SigmaSchedule::PUBLISHED.sigma_sq(0.01), 50.0);
        assert_eq!(SigmaSchedule::PUBLISHED.sigma_sq(0.0), 50.0);
        assert_eq!(SigmaSchedule::PUBLISHED.sigma_sq(0.5), 2.0);
        assert_eq!(SigmaSchedule::UNCAPPED.sigma_sq(1.0), 0.0);
    }

    #[test]
    fn a_grid_meets_both_ends_exactly() {
        let grid = uniform_grid(0.01, 1.0, 250);
        assert_eq!(grid.len(), 251);
        assert_eq!((grid[0], grid[250]), (0.01, 1.0));
        assert!(grid.windows(2).all(|w| w[1] > w[0]));
    }

    #[test]
    fn a_time_outside_the_process_is_refused_by_name() {
        for t in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let message = valid_time(t).unwrap_err().to_string();
            assert!(message.contains("from 0 (noise) to 1 (data)"), "{message}");
        }
        assert_eq!(valid_time(0.0), Ok(0.0));
        assert_eq!(valid_time(1.0), Ok(1.0));
    }
}
