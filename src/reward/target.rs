//! The tilted target `p(x_1) exp r(x_1) / Z` and its value, however they can be had.

use crate::mixture::{Mixture, Point, TiltedMixture};
use crate::process::{Address, Purpose};

use super::{Reward, RewardError};

/// Draws behind the density levels.
const LEVEL_DRAWS: usize = 4096;

/// How a target and its value are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// In closed form.
    ClosedForm,
    /// By quadrature, with about this many cells along each axis.
    Quadrature {
        /// Cells along an axis.
        cells: u32,
    },
}

/// The tilted target of a world and a reward, ready to sample, paint and compare with.
#[derive(Debug, Clone)]
pub struct TiltedTarget {
    tilted: TiltedMixture,
    target: Mixture,
    levels: [f64; 3],
}

impl TiltedTarget {
    /// Prepares the target.
    ///
    /// # Errors
    /// When the tilted density cannot be normalised.
    pub fn new(world: &Mixture, reward: &Reward) -> Result<Self, RewardError> {
        let tilted = reward.tilted(world)?;
        let target = tilted.target();
        let mut draws = vec![[0.0; 2]; LEVEL_DRAWS];
        target.sample_into(Address::new(0, Purpose::Floor, 0), 0, &mut draws);
        let mut densities: Vec<f64> = draws
            .iter()
            .map(|x| target.log_density(x.map(f64::from)).exp())
            .collect();
        densities.sort_by(f64::total_cmp);
        let at = |mass: f64| densities[((1.0 - mass) * (LEVEL_DRAWS - 1) as f64) as usize];
        Ok(Self {
            tilted,
            target,
            levels: [at(0.5), at(0.8), at(0.95)],
        })
    }

    /// How it is computed.
    pub fn how(&self) -> Exactness {
        Exactness::ClosedForm
    }

    /// The target as a mixture, where it is one.
    pub fn mixture(&self) -> Option<&Mixture> {
        Some(&self.target)
    }

    /// Normalised density of the target.
    pub fn density(&self, x: Point) -> f64 {
        self.target.log_density(x).exp()
    }

    /// Density levels whose regions hold 50, 80 and 95 % of the target.
    pub fn levels(&self) -> [f64; 3] {
        self.levels
    }

    /// `ln E exp r(x_1)`.
    pub fn log_normaliser(&self) -> f64 {
        self.tilted.log_normaliser()
    }

    /// `out[i]` = draw `first + i` of the target at an address.
    pub fn sample_into(&self, address: Address, first: usize, out: &mut [[f32; 2]]) {
        self.target.sample_into(address, first, out);
    }

    /// `V_t(x)` and its gradient.
    pub fn value_and_gradient(&self, t: f64, x: Point) -> (f64, Point) {
        let at = self.tilted.at(t);
        (at.eval(x).value, at.gradient(x))
    }
}
