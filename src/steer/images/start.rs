//! Where a run begins: in noise, or on the way of another.

use std::sync::Arc;

use crate::lookahead::{NoiseKey, noised_image};
use crate::process::{Address, Purpose};
use crate::steer::SteerError;

use super::plan::ImagePlan;
use crate::lookahead::images::image_noise;

/// Where the particles begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ImageStart {
    /// In noise of their own, at the plan's first time.
    #[default]
    Noise,
    /// In a picture, `[C][H][W]`, noised to a time with noise of their own.
    Renoised {
        /// The time, between 0 and 1.
        t: f64,
        /// The picture.
        picture: Arc<[f32]>,
    },
    /// In one state of another run, the same for all: a run with the same plan and particle goes on as that one did.
    State {
        /// Its time, between 0 and 1.
        t: f64,
        /// The state, `[C][H][W]`.
        x: Arc<[f32]>,
    },
}

impl ImageStart {
    /// The time, where it is not the plan's.
    pub fn t(&self) -> Option<f64> {
        match self {
            Self::Noise => None,
            Self::Renoised { t, .. } | Self::State { t, .. } => Some(*t),
        }
    }

    /// Refuses what no particle can begin in.
    pub(super) fn check(&self, numbers: usize) -> Result<(), SteerError> {
        let (t, values) = match self {
            Self::Noise => return Ok(()),
            Self::Renoised { t, picture } => (*t, picture),
            Self::State { t, x } => (*t, x),
        };
        let inside = t > 0.0 && t < 1.0;
        if !inside {
            return Err(SteerError::Plan {
                name: "time of the branch",
                value: t.to_string(),
                want: "a time between 0 and 1",
            });
        }
        if values.len() != numbers || !values.iter().all(|v| v.is_finite()) {
            return Err(SteerError::Plan {
                name: "the branch",
                value: format!("a picture of {} numbers", values.len()),
                want: "a picture of the map's size in finite numbers",
            });
        }
        Ok(())
    }

    /// The times of a run that begins here, and the number of its first step in the plan's grid: that step's noise is
    /// the one that the plan would have used there.
    pub(super) fn grid(&self, plan: &ImagePlan) -> (Vec<f64>, u32) {
        let grid = plan.grid();
        let Some(t) = self.t() else {
            return (grid, 0);
        };
        let after = grid.partition_point(|at| *at <= t + 1e-9);
        let mut times = vec![t];
        times.extend_from_slice(&grid[after..]);
        (times, after.saturating_sub(1) as u32)
    }

    /// The states of particles `ids` there, `[ids][numbers]`.
    pub(super) fn states(&self, seed: u64, ids: &[u32], numbers: usize) -> Vec<f32> {
        let mut states = vec![0.0; ids.len() * numbers];
        for (id, state) in ids.iter().zip(states.chunks_exact_mut(numbers)) {
            match self {
                Self::Noise => {
                    let address = Address::new(seed, Purpose::Prior, 0);
                    image_noise(address, *id as usize, numbers, state);
                }
                Self::Renoised { t, picture } => {
                    let key = NoiseKey { seed, state: *id };
                    state.copy_from_slice(&noised_image(picture, *t, key));
                }
                Self::State { x, .. } => state.copy_from_slice(x),
            }
        }
        states
    }
}
