//! Tilted targets where no closed form exists: `p(x_1) exp r(x_1)` on a grid.
//!
//! Sums over an even grid (the trapezoid rule) converge exponentially for smooth integrands: at spacing `h` a Gaussian of
//! standard deviation `s` is integrated up to a relative `2 exp(-2 pi^2 s^2 / h^2)`. The grid is halved until every
//! second node already gives the same normaliser, mean and spread, so the sum over all nodes is far better than that.
//! A kink or a jump of the reward leaves an error of the order of `h^2` or `h`; [`Quadrature::error`] bounds it.

use rayon::prelude::*;

use super::{Reward, RewardError, Shape};
use crate::mixture::{DensityField, Mixture, Point};

/// Standard deviations of every mode that the first box holds: the posterior of any state of a run lies inside.
const REACH: f64 = 7.0;
/// Nodes along the longer side while the box is looked for.
const SCOUT: usize = 96;
/// How often a side of the box may move out by half the box.
const GROWTHS: usize = 12;
/// Share of the mass that may lie at a side of the box.
const AT_BORDER: f64 = 1e-10;
/// Sizes of grid that are tried, nodes along the longer side.
const SIZES: [usize; 4] = [128, 256, 512, 1024];
/// Relative difference between all nodes and every second one at which the grid is fine enough.
const CONVERGED: f64 = 1e-6;
/// The same at the largest grid, for rewards with kinks and jumps, or as fine as its spacing.
const TOLERATED: f64 = 0.02;
/// Nodes of a tile that share one list of modes.
const TILE: usize = 16;

/// `ln p(x) + r(x)` at the nodes of an even grid.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// The first node.
    pub origin: Point,
    /// Spacing.
    pub h: f64,
    /// Nodes along x and y.
    pub size: [usize; 2],
    /// `ln p + r`, row by row.
    pub log: Vec<f64>,
    /// Largest of them.
    pub max: f64,
    /// `exp(log - max)`.
    pub weight: Vec<f64>,
}

/// What is asked of a grid before it is trusted.
#[derive(Debug, Clone, Copy)]
struct Moments {
    log_total: f64,
    mean: Point,
    /// Variances along x and y.
    spread: Point,
}

impl Grid {
    fn new(field: &DensityField, reward: &Reward, low: Point, h: f64, size: [usize; 2]) -> Self {
        let [nx, ny] = size;
        let mut log = vec![0.0; nx * ny];
        log.par_chunks_mut(nx * TILE)
            .enumerate()
            .for_each(|(band, rows)| {
                let first = band * TILE;
                let height = rows.len() / nx;
                for left in (0..nx).step_by(TILE) {
                    let width = TILE.min(nx - left);
                    let half = [0.5 * (width - 1) as f64, 0.5 * (height - 1) as f64];
                    let centre = [
                        low[0] + h * (left as f64 + half[0]),
                        low[1] + h * (first as f64 + half[1]),
                    ];
                    let near = field.near(centre, h * half[0].hypot(half[1]));
                    for j in 0..height {
                        for i in left..left + width {
                            let x = [low[0] + h * i as f64, low[1] + h * (first + j) as f64];
                            rows[j * nx + i] = integrand(&near, reward, x);
                        }
                    }
                }
            });
        Self::from_log(low, h, size, log)
    }

    fn from_log(origin: Point, h: f64, size: [usize; 2], log: Vec<f64>) -> Self {
        let max = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = log.par_iter().map(|log| (log - max).exp()).collect();
        Self {
            origin,
            h,
            size,
            log,
            max,
            weight,
        }
    }

    /// Every `stride`-th node.
    fn thinned(&self, stride: usize) -> Self {
        let size = self.size.map(|n| n.div_ceil(stride));
        let rows = (0..self.size[1]).step_by(stride);
        let log = rows
            .flat_map(|j| (0..self.size[0]).step_by(stride).map(move |i| (i, j)))
            .map(|(i, j)| self.log[j * self.size[0] + i])
            .collect();
        Self::from_log(self.origin, self.h * stride as f64, size, log)
    }

    /// The node in column `i` and row `j`.
    pub fn node(&self, i: usize, j: usize) -> Point {
        [
            self.origin[0] + self.h * i as f64,
            self.origin[1] + self.h * j as f64,
        ]
    }

    /// `ln` of the integral.
    pub fn log_total(&self) -> f64 {
        let total: f64 = self.weight.iter().sum();
        self.max + (total * self.h * self.h).ln()
    }

    fn moments(&self) -> Moments {
        let mut total = 0.0;
        let (mut sum, mut squares) = ([0.0; 2], [0.0; 2]);
        for (j, row) in self.weight.chunks_exact(self.size[0]).enumerate() {
            let (mut in_row, mut along, mut square) = (0.0, 0.0, 0.0);
            for (i, w) in row.iter().enumerate() {
                let x = i as f64;
                in_row += w;
                along += w * x;
                square += w * x * x;
            }
            let y = j as f64;
            total += in_row;
            sum = [sum[0] + along, sum[1] + y * in_row];
            squares = [squares[0] + square, squares[1] + y * y * in_row];
        }
        let mean = sum.map(|v| v / total);
        Moments {
            log_total: self.max + (total * self.h * self.h).ln(),
            mean: std::array::from_fn(|d| self.origin[d] + self.h * mean[d]),
            spread: std::array::from_fn(|d| {
                self.h * self.h * (squares[d] / total - mean[d] * mean[d]).max(0.0)
            }),
        }
    }

    /// Share of the mass in the outermost nodes at the left, right, lower and upper side.
    fn at_sides(&self) -> [f64; 4] {
        let [nx, ny] = self.size;
        let row = |j: usize| self.weight[j * nx..(j + 1) * nx].iter().sum::<f64>();
        let column = |i: usize| self.weight.iter().skip(i).step_by(nx).sum::<f64>();
        let total: f64 = self.weight.iter().sum();
        [column(0), column(nx - 1), row(0), row(ny - 1)].map(|side| side / total)
    }
}

/// How far apart two grids' answers are, in units of the target's own spread.
fn apart(a: &Moments, b: &Moments) -> f64 {
    let mut worst = (a.log_total - b.log_total).abs();
    for d in 0..2 {
        worst = worst
            .max((a.mean[d] - b.mean[d]).abs() / a.spread[d].sqrt())
            .max((a.spread[d] - b.spread[d]).abs() / a.spread[d]);
    }
    // A target that lies in one node has no spread: it is not resolved.
    if worst.is_finite() {
        worst
    } else {
        f64::INFINITY
    }
}

fn integrand(field: &DensityField, reward: &Reward, x: Point) -> f64 {
    let r = reward.score(x);
    if r == f64::NEG_INFINITY {
        // No value, or one that is too large to be a number: the first counts for nothing, the second for too much.
        match reward.shape() {
            Shape::Expression(expression) if expression.is_unbounded(x) => f64::INFINITY,
            _ => r,
        }
    } else {
        field.log_density(x) + r
    }
}

/// A tilted target on a grid. Made once for a world and a reward.
#[derive(Debug)]
pub(super) struct Quadrature {
    pub world: Mixture,
    pub reward: Reward,
    /// `ln p_1`.
    pub field: DensityField,
    /// The grid, then coarser ones that give the same integrals: cheaper where the integrand is wide.
    pub grids: Vec<Grid>,
    /// `ln E exp r(x_1)`.
    pub log_normaliser: f64,
    /// Relative difference between all nodes and every second one: for smooth rewards far above the error.
    pub error: f64,
}

impl Quadrature {
    /// Finds the box, then the spacing.
    ///
    /// # Errors
    /// Where the reward outgrows the world, has no value anywhere on it, or is finer than any grid.
    pub fn new(world: &Mixture, reward: &Reward) -> Result<Self, RewardError> {
        let field = world.density_field();
        let (low, high) = find_box(world, &field, reward)?;
        let long = (high[0] - low[0]).max(high[1] - low[1]);
        let mut result = None;
        for cells in SIZES {
            let h = long / cells as f64;
            let size = std::array::from_fn(|d| ((high[d] - low[d]) / h).ceil() as usize + 1);
            let fine = Grid::new(&field, reward, low, h, size);
            if fine.max == f64::INFINITY {
                return Err(RewardError::Outgrows(reward.to_string()));
            }
            let half = fine.thinned(2);
            let error = apart(&fine.moments(), &half.moments());
            let done = error < CONVERGED;
            result = Some((fine, half, error));
            if done {
                break;
            }
        }
        // At least one size is tried.
        let Some((fine, half, error)) = result else {
            return Err(RewardError::TooFine(reward.to_string()));
        };
        if error > TOLERATED {
            return Err(RewardError::TooFine(reward.to_string()));
        }
        let log_normaliser = fine.log_total();
        let moments = fine.moments();
        let mut grids = vec![fine];
        let mut next = half;
        while next.size.iter().all(|n| *n >= 16) && apart(&moments, &next.moments()) < CONVERGED {
            let coarser = next.thinned(2);
            grids.push(std::mem::replace(&mut next, coarser));
        }
        Ok(Self {
            world: world.clone(),
            reward: reward.clone(),
            field,
            grids,
            log_normaliser,
            error,
        })
    }

    /// Cells along the longer side.
    pub fn cells(&self) -> u32 {
        (self.grids[0].size[0].max(self.grids[0].size[1]) - 1) as u32
    }

    /// Normalised density, from the reward itself and not from the grid.
    pub fn density(&self, x: Point) -> f64 {
        (integrand(&self.field, &self.reward, x) - self.log_normaliser).exp()
    }

    /// Density levels whose regions hold these shares of the target.
    pub fn levels(&self, shares: [f64; 3]) -> [f64; 3] {
        // Some thousand nodes where the mass is tell the levels to a few per cent.
        let enough = |grid: &&Grid| grid.weight.iter().filter(|w| **w > 0.05).count() >= 2000;
        let grid = self
            .grids
            .iter()
            .rev()
            .find(enough)
            .unwrap_or(&self.grids[0]);
        let mut sorted: Vec<f64> = grid.weight.iter().copied().filter(|w| *w > 1e-9).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let total: f64 = sorted.iter().sum();
        shares.map(|share| {
            let mut sum = 0.0;
            let level = sorted.iter().find(|weight| {
                sum += **weight;
                sum >= share * total
            });
            level.copied().unwrap_or(0.0) * (grid.max - self.log_normaliser).exp()
        })
    }
}

/// A box outside of which there is nothing: the world's own, moved out where the reward pulls mass there.
fn find_box(
    world: &Mixture,
    field: &DensityField,
    reward: &Reward,
) -> Result<(Point, Point), RewardError> {
    let edge = |sign: f64| -> Point {
        let values = |d: usize| {
            world.modes().iter().map(move |mode| {
                let variance = if d == 0 { mode.cov.xx } else { mode.cov.yy };
                sign * mode.mean[d] + REACH * variance.sqrt()
            })
        };
        std::array::from_fn(|d| sign * values(d).fold(f64::NEG_INFINITY, f64::max))
    };
    let (mut low, mut high) = (edge(-1.0), edge(1.0));
    for _ in 0..=GROWTHS {
        let long = (high[0] - low[0]).max(high[1] - low[1]);
        let h = long / SCOUT as f64;
        let size = std::array::from_fn(|d| ((high[d] - low[d]) / h).ceil() as usize + 1);
        let grid = Grid::new(field, reward, low, h, size);
        if grid.max == f64::INFINITY {
            return Err(RewardError::Outgrows(reward.to_string()));
        }
        if grid.max == f64::NEG_INFINITY {
            return Err(RewardError::NowhereFinite(reward.to_string()));
        }
        let [left, right, down, up] = grid.at_sides().map(|side| side > AT_BORDER);
        if !(left || right || down || up) {
            return if grows_beyond(field, reward, (low, high), grid.max) {
                Err(RewardError::Outgrows(reward.to_string()))
            } else {
                Ok((low, high))
            };
        }
        let (width, height) = (0.5 * (high[0] - low[0]), 0.5 * (high[1] - low[1]));
        low[0] -= if left { width } else { 0.0 };
        high[0] += if right { width } else { 0.0 };
        low[1] -= if down { height } else { 0.0 };
        high[1] += if up { height } else { 0.0 };
    }
    Err(RewardError::Outgrows(reward.to_string()))
}

/// Whether the integrand, small at the border of the box, becomes large again far out.
fn grows_beyond(
    field: &DensityField,
    reward: &Reward,
    (low, high): (Point, Point),
    max: f64,
) -> bool {
    let centre: Point = std::array::from_fn(|d| 0.5 * (low[d] + high[d]));
    let radius = 0.5 * (high[0] - low[0]).hypot(high[1] - low[1]);
    (0..64).any(|k| {
        let (sin, cos) = (f64::from(k) * std::f64::consts::TAU / 64.0).sin_cos();
        [1.0, 1.3, 1.7, 2.5, 4.0, 8.0, 20.0, 60.0, 300.0, 3000.0]
            .into_iter()
            .any(|far| {
                let x = [
                    centre[0] + far * radius * cos,
                    centre[1] + far * radius * sin,
                ];
                integrand(field, reward, x) > max - 20.0
            })
    })
}
