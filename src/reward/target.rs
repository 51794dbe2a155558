//! The tilted target `p(x_1) exp r(x_1) / Z` and its value, however they can be had.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::mixture::{Mixture, Point, TiltedAt, TiltedMixture};
use crate::process::{Address, Purpose};

use super::quadrature::Quadrature;
use super::quadrature_value::{GridSampler, QuadratureAt};
use super::{Reward, RewardError};

/// Draws behind the density levels of a closed form.
const LEVEL_DRAWS: usize = 4096;
/// Targets on a grid that are kept: a run, its scores and the lens ask for the same one.
const KEPT: usize = 2;

/// How a target and its value are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// In closed form.
    ClosedForm,
    /// By quadrature, with this many cells along the longer side.
    Quadrature {
        /// Cells along that side.
        cells: u32,
    },
}

/// The tilted target of a world and a reward, ready to sample, paint and compare with. Cheap to clone where it is a
/// grid.
#[derive(Debug, Clone)]
pub struct TiltedTarget {
    kind: Kind,
    /// Made when they are asked for.
    levels: OnceLock<[f64; 3]>,
}

#[derive(Debug, Clone)]
enum Kind {
    Closed {
        tilted: TiltedMixture,
        target: Mixture,
    },
    Grid(Arc<OnGrid>),
}

#[derive(Debug)]
struct OnGrid {
    quadrature: Quadrature,
    sampler: GridSampler,
}

/// A target on a grid, or why there is none, as it was found last.
struct Kept {
    world: Mixture,
    reward: Reward,
    grid: Result<Arc<OnGrid>, RewardError>,
}

impl TiltedTarget {
    /// Prepares the target: in closed form where there is one, else on a grid (some milliseconds to a tenth of a
    /// second; the last ones are kept, so that asking again is free).
    ///
    /// # Errors
    /// When the tilted density cannot be normalised, or is finer than any grid.
    pub fn new(world: &Mixture, reward: &Reward) -> Result<Self, RewardError> {
        match reward.tilted(world) {
            Ok(tilted) => Ok(Self {
                kind: Kind::Closed {
                    target: tilted.target(),
                    tilted,
                },
                levels: OnceLock::new(),
            }),
            Err(RewardError::NoClosedForm(_)) => Self::on_grid(world, reward),
            Err(error) => Err(error),
        }
    }

    /// By quadrature, whether there is a closed form or not.
    ///
    /// # Errors
    /// As for [`TiltedTarget::new`].
    pub fn on_grid(world: &Mixture, reward: &Reward) -> Result<Self, RewardError> {
        static KEEP: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
        // Plain data that is valid between any two statements.
        let keep = || KEEP.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |kept: &&Kept| kept.reward == *reward && kept.world == *world;
        let found = keep().iter().find(same).map(|kept| kept.grid.clone());
        let grid = if let Some(grid) = found {
            grid?
        } else {
            // Not under the lock: the work is spread over threads that may want it too.
            let grid = Quadrature::new(world, reward).map(|quadrature| {
                Arc::new(OnGrid {
                    sampler: GridSampler::new(&quadrature.grids[0]),
                    quadrature,
                })
            });
            let mut kept = keep();
            kept.truncate(KEPT - 1);
            kept.insert(
                0,
                Kept {
                    world: world.clone(),
                    reward: reward.clone(),
                    grid: grid.clone(),
                },
            );
            grid?
        };
        Ok(Self {
            kind: Kind::Grid(grid),
            levels: OnceLock::new(),
        })
    }

    /// How it is computed.
    pub fn how(&self) -> Exactness {
        match &self.kind {
            Kind::Closed { .. } => Exactness::ClosedForm,
            Kind::Grid(grid) => Exactness::Quadrature {
                cells: grid.quadrature.cells(),
            },
        }
    }

    /// A bound on the relative error of normaliser, mean and spread: 0 in closed form.
    pub fn error(&self) -> f64 {
        match &self.kind {
            Kind::Closed { .. } => 0.0,
            Kind::Grid(grid) => grid.quadrature.error,
        }
    }

    /// The target as a mixture, where it is one.
    pub fn mixture(&self) -> Option<&Mixture> {
        match &self.kind {
            Kind::Closed { target, .. } => Some(target),
            Kind::Grid(_) => None,
        }
    }

    /// Normalised density of the target.
    pub fn density(&self, x: Point) -> f64 {
        match &self.kind {
            Kind::Closed { target, .. } => target.log_density(x).exp(),
            Kind::Grid(grid) => grid.quadrature.density(x),
        }
    }

    /// Density levels whose regions hold 50, 80 and 95 % of the target.
    pub fn levels(&self) -> [f64; 3] {
        *self.levels.get_or_init(|| match &self.kind {
            Kind::Closed { target, .. } => closed_levels(target),
            Kind::Grid(grid) => grid.quadrature.levels([0.5, 0.8, 0.95]),
        })
    }

    /// `ln E exp r(x_1)`.
    pub fn log_normaliser(&self) -> f64 {
        match &self.kind {
            Kind::Closed { tilted, .. } => tilted.log_normaliser(),
            Kind::Grid(grid) => grid.quadrature.log_normaliser,
        }
    }

    /// `out[i]` = draw `first + i` of the target at an address.
    pub fn sample_into(&self, address: Address, first: usize, out: &mut [[f32; 2]]) {
        match &self.kind {
            Kind::Closed { target, .. } => target.sample_into(address, first, out),
            Kind::Grid(grid) => {
                let nodes = &grid.quadrature.grids[0];
                grid.sampler.sample_into(nodes, address, first, out);
            }
        }
    }

    /// Value and gradient at one time, prepared for many states.
    pub fn at(&self, t: f64) -> TargetAt<'_> {
        TargetAt(match &self.kind {
            Kind::Closed { tilted, .. } => At::Closed(tilted.at(t)),
            Kind::Grid(grid) => At::Grid(QuadratureAt::new(&grid.quadrature, t)),
        })
    }

    /// `V_t(x)` and its gradient.
    pub fn value_and_gradient(&self, t: f64, x: Point) -> (f64, Point) {
        self.at(t).value_and_gradient(x)
    }
}

/// Levels of a mixture, from draws.
fn closed_levels(target: &Mixture) -> [f64; 3] {
    let mut draws = vec![[0.0; 2]; LEVEL_DRAWS];
    target.sample_into(Address::new(0, Purpose::Floor, 0), 0, &mut draws);
    let mut densities: Vec<f64> = draws
        .iter()
        .map(|x| target.log_density(x.map(f64::from)).exp())
        .collect();
    densities.sort_by(f64::total_cmp);
    let at = |mass: f64| densities[((1.0 - mass) * (LEVEL_DRAWS - 1) as f64) as usize];
    [at(0.5), at(0.8), at(0.95)]
}

/// `V_t` at one time. Made by [`TiltedTarget::at`].
#[derive(Debug)]
pub struct TargetAt<'a>(At<'a>);

#[derive(Debug)]
enum At<'a> {
    Closed(TiltedAt),
    Grid(QuadratureAt<'a>),
}

impl TargetAt<'_> {
    /// `V_t(x)` and its gradient.
    pub fn value_and_gradient(&self, x: Point) -> (f64, Point) {
        match &self.0 {
            At::Closed(at) => {
                let state = at.eval(x);
                (state.value, at.gradient_of(&state))
            }
            At::Grid(at) => at.value_and_gradient(x),
        }
    }
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
