//! The value and draws of a tilted target that is known on a grid.

use rayon::prelude::*;

use super::quadrature::{Grid, Quadrature};
use crate::mixture::{Point, VelocityAt};
use crate::process::{Address, uniforms};

/// A grid serves while the posterior is at least this many spacings wide: its trapezoid error is then below 1e-9.
const SPACINGS: f64 = 1.5;
/// Weights this many nats below the largest are left out of the quick sum.
const PRUNED: f64 = 60.0;
/// The quick sum is trusted down to this many nats: what was left out is then below 1e-10 of it.
const TRUSTED: f64 = 25.0;
/// Spacing of the local nodes, in standard deviations of `p(x_t | x_1)` as a function of `x_1`.
const LOCAL_STEP: f64 = 0.6;
/// Closer to the data than this, the value is the reward.
const AT_DATA: f64 = 1e-6;

/// `V_t` at one time, by quadrature.
#[derive(Debug)]
pub(super) struct QuadratureAt<'a> {
    of: &'a Quadrature,
    t: f64,
    base: VelocityAt,
    /// The coarsest grid that serves at this time, and the first and last column that counts in each row.
    grid: Option<(&'a Grid, Vec<(usize, usize)>)>,
}

impl<'a> QuadratureAt<'a> {
    pub fn new(of: &'a Quadrature, t: f64) -> Self {
        let t = t.clamp(0.0, 1.0);
        let serves = |grid: &&Grid| 1.0 - t >= SPACINGS * grid.h * t;
        let grid = of.grids.iter().rev().find(serves).map(|grid| {
            let least = (-PRUNED).exp();
            let range = |row: &[f64]| {
                let counts = |w: &f64| *w > least;
                match (row.iter().position(counts), row.iter().rposition(counts)) {
                    (Some(first), Some(last)) => (first, last + 1),
                    _ => (0, 0),
                }
            };
            let rows = grid.weight.chunks_exact(grid.size[0]);
            (grid, rows.map(range).collect())
        });
        Self {
            of,
            t,
            base: of.world.velocity_field(t),
            grid,
        }
    }

    /// `(V_t(x), grad V_t(x))`. At the data the reward and its gradient.
    pub fn value_and_gradient(&self, x: Point) -> (f64, Point) {
        let left = 1.0 - self.t;
        if left < AT_DATA {
            return self.of.reward.score_and_gradient(x);
        }
        let (log_p, b) = self.base.eval_with_log_density(x);
        let (log_tilted, moved) = match &self.grid {
            Some((grid, ranges)) => {
                let (log, mean) = self
                    .quick(grid, ranges, x)
                    .unwrap_or_else(|| self.careful(grid, x));
                (log, std::array::from_fn(|d| mean[d] - x[d]))
            }
            None => self.local(x),
        };
        if log_tilted == f64::NEG_INFINITY {
            return (log_tilted, [0.0; 2]);
        }
        // grad V = t / (1 - t)^2 (tilted mean - mean), both counted from x: mean - x = (1 - t) b.
        let scale = self.t / (left * left);
        (
            log_tilted - log_p,
            std::array::from_fn(|d| scale * (moved[d] - left * b[d])),
        )
    }

    /// `ln` of a cell's area times the factor of `N(x; t z, (1 - t)^2 I)`.
    fn log_scale(&self, area: f64) -> f64 {
        area.ln() - std::f64::consts::TAU.ln() - 2.0 * (1.0 - self.t).ln()
    }

    /// Sums weights times `N(x; t z, (1-t)^2)`, which is a product over the axes: no exponential a node. `None` where
    /// too little is left of the sum to trust it.
    fn quick(&self, grid: &Grid, ranges: &[(usize, usize)], x: Point) -> Option<(f64, Point)> {
        let scale = 1.0 / (1.0 - self.t);
        let axis = |d: usize| {
            let exponent = |i: usize| {
                let z = grid.origin[d] + grid.h * i as f64;
                let u = scale * (x[d] - self.t * z);
                -0.5 * u * u
            };
            let max = (0..grid.size[d])
                .map(exponent)
                .fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = (0..grid.size[d])
                .map(|i| (exponent(i) - max).exp())
                .collect();
            (max, weights)
        };
        let ((max_x, along), (max_y, across)) = (axis(0), axis(1));
        let columns: Vec<f64> = (0..grid.size[0]).map(|i| i as f64).collect();
        let (mut total, mut sum) = (0.0, [0.0; 2]);
        for (j, (row, (first, last))) in grid
            .weight
            .chunks_exact(grid.size[0])
            .zip(ranges)
            .enumerate()
        {
            if across[j] < 1e-30 || first == last {
                continue;
            }
            let range = *first..*last;
            let (in_row, moment) =
                products(&row[range.clone()], &along[range.clone()], &columns[range]);
            total += across[j] * in_row;
            sum[0] += across[j] * moment;
            sum[1] += across[j] * in_row * j as f64;
        }
        if total < (-TRUSTED).exp() {
            return None;
        }
        let log = grid.max + total.ln() + max_x + max_y + self.log_scale(grid.h * grid.h);
        let mean = std::array::from_fn(|d| grid.origin[d] + grid.h * sum[d] / total);
        Some((log, mean))
    }

    /// The same in logarithms, node by node: for states far from all that is rewarded.
    fn careful(&self, grid: &Grid, x: Point) -> (f64, Point) {
        let scale = 1.0 / (1.0 - self.t);
        let square = |d: usize, i: usize| {
            let z = grid.origin[d] + grid.h * i as f64;
            let u = scale * (x[d] - self.t * z);
            0.5 * u * u
        };
        let along: Vec<f64> = (0..grid.size[0]).map(|i| square(0, i)).collect();
        let mut sum = LogSum::default();
        for (j, row) in grid.log.chunks_exact(grid.size[0]).enumerate() {
            let across = square(1, j);
            for (i, log) in row.iter().enumerate() {
                sum.add(log - along[i] - across, || grid.node(i, j));
            }
        }
        (sum.log() + self.log_scale(grid.h * grid.h), sum.mean())
    }

    /// The posterior is narrower than the grid's spacing: nodes of its own, around its tilted mode.
    fn local(&self, x: Point) -> (f64, Point) {
        let width = (1.0 - self.t) / self.t;
        // In units of `width` around `x / t`: phi(u) = ln p + r - |u|^2 / 2.
        let at = |u: Point| -> Point { std::array::from_fn(|d| x[d] / self.t + width * u[d]) };
        let centre = self.tilted_mode(width, &at);
        let mut reach = 6.0;
        loop {
            let field = self.of.field.near(at(centre), 1.5 * reach * width);
            let nodes = (reach / LOCAL_STEP) as i32;
            let (mut all, mut rim) = (LogSum::default(), LogSum::default());
            for j in -nodes..=nodes {
                for i in -nodes..=nodes {
                    let u = [
                        centre[0] + LOCAL_STEP * f64::from(i),
                        centre[1] + LOCAL_STEP * f64::from(j),
                    ];
                    let z = at(u);
                    let log = self.of.reward.score(z) + field.log_density(z)
                        - 0.5 * (u[0] * u[0] + u[1] * u[1]);
                    let moved = || std::array::from_fn(|d| z[d] - x[d]);
                    all.add(log, moved);
                    if i.abs().max(j.abs()) == nodes {
                        rim.add(log, moved);
                    }
                }
            }
            // Wider than expected: the reward bends the other way.
            if rim.log() > all.log() - 16.0 && reach < 40.0 {
                reach *= 2.0;
                continue;
            }
            let area = (LOCAL_STEP * width) * (LOCAL_STEP * width);
            return (all.log() + self.log_scale(area), all.mean());
        }
    }

    /// Climbs from `x / t` to where the local integrand is largest, or most of the way.
    fn tilted_mode(&self, width: f64, at: &impl Fn(Point) -> Point) -> Point {
        let phi = |u: Point| {
            let z = at(u);
            let (r, by_r) = self.of.reward.score_and_gradient(z);
            let (log_p, by_p) = self.of.field.log_density_and_score(z);
            let slope: Point = std::array::from_fn(|d| width * (by_r[d] + by_p[d]) - u[d]);
            (r + log_p - 0.5 * (u[0] * u[0] + u[1] * u[1]), slope)
        };
        let mut u = [0.0; 2];
        let (mut height, mut slope) = phi(u);
        let mut step = 0.7;
        for _ in 0..60 {
            let next: Point = std::array::from_fn(|d| u[d] + step * slope[d]);
            let (higher, steeper) = phi(next);
            if higher >= height {
                (u, height, slope) = (next, higher, steeper);
                step = f64::min(2.0 * step, 0.7);
            } else {
                step *= 0.4;
            }
            if step * slope[0].hypot(slope[1]) < 0.1 {
                break;
            }
        }
        u
    }
}

/// `(sum w a, sum w a i)`, in four lanes that the compiler keeps in registers.
fn products(weights: &[f64], along: &[f64], columns: &[f64]) -> (f64, f64) {
    let (mut total, mut moment) = ([0.0; 4], [0.0; 4]);
    let whole = weights.len() / 4 * 4;
    for k in (0..whole).step_by(4) {
        let (w, a, c) = (&weights[k..k + 4], &along[k..k + 4], &columns[k..k + 4]);
        for lane in 0..4 {
            let product = w[lane] * a[lane];
            total[lane] += product;
            moment[lane] += product * c[lane];
        }
    }
    let (mut in_row, mut first) = (total.iter().sum::<f64>(), moment.iter().sum::<f64>());
    for k in whole..weights.len() {
        let product = weights[k] * along[k];
        in_row += product;
        first += product * columns[k];
    }
    (in_row, first)
}

/// A sum of exponentials and the mean of points under them.
#[derive(Default)]
struct LogSum {
    max: Option<f64>,
    total: f64,
    moment: Point,
}

impl LogSum {
    fn add(&mut self, log: f64, point: impl FnOnce() -> Point) {
        if log == f64::NEG_INFINITY {
            return;
        }
        let max = self.max.unwrap_or(f64::NEG_INFINITY);
        if log > max {
            let keep = (max - log).exp();
            self.total *= keep;
            self.moment = self.moment.map(|v| v * keep);
            self.max = Some(log);
        } else if log < max - 45.0 {
            return;
        }
        let weight = (log - max.max(log)).exp();
        let point = point();
        self.total += weight;
        self.moment = [
            self.moment[0] + weight * point[0],
            self.moment[1] + weight * point[1],
        ];
    }

    fn log(&self) -> f64 {
        self.max
            .map_or(f64::NEG_INFINITY, |max| max + self.total.ln())
    }

    fn mean(&self) -> Point {
        self.moment.map(|v| v / self.total)
    }
}

/// Draws of a target on a grid: a cell by its mass, then a place in it.
///
/// A cell's mass is its node's plus the curvature around it (`h^2 / 24` of the Laplacian), the density inside falls
/// exponentially with the node's own slope: mean and variance of the draws are right up to the order of `(h / s)^4` for
/// a target of scale `s`, which is below 1e-3 of them at the spacings that are accepted.
#[derive(Debug)]
pub(super) struct GridSampler {
    cumulated: Vec<f64>,
}

impl GridSampler {
    pub fn new(grid: &Grid) -> Self {
        let [nx, ny] = grid.size;
        let mut sum = 0.0;
        let mut cumulated = Vec::with_capacity(nx * ny);
        for j in 0..ny {
            for i in 0..nx {
                let at = |i: usize, j: usize| grid.weight[j * nx + i];
                let own = at(i, j);
                let inside = i > 0 && j > 0 && i + 1 < nx && j + 1 < ny;
                // Around a node without mass there is none: a reward's own border stays one.
                let bend = if inside && own > 0.0 {
                    at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1) - 4.0 * own
                } else {
                    0.0
                };
                sum += (own + bend / 24.0).max(0.0);
                cumulated.push(sum);
            }
        }
        Self { cumulated }
    }

    /// `out[i]` = draw `first + i` at an address.
    pub fn sample_into(&self, grid: &Grid, address: Address, first: usize, out: &mut [[f32; 2]]) {
        const CHUNK: usize = 1024;
        let [nx, ny] = grid.size;
        let total = self.cumulated.last().copied().unwrap_or(0.0);
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(c, out)| {
            let mut u = vec![0.0_f32; 4 * out.len()];
            uniforms(address.component(), 4 * (first + c * CHUNK), &mut u);
            for (out, u) in out.iter_mut().zip(u.chunks_exact(4)) {
                // Two uniforms: one has 23 bits, and there may be a million cells.
                let fine = f64::from(u[0]) + (f64::from(u[1]) - 0.5) / f64::from(1 << 23);
                let cell = self
                    .cumulated
                    .partition_point(|sum| *sum <= fine * total)
                    .min(self.cumulated.len() - 1);
                let (i, j) = (cell % nx, cell / nx);
                let slope = |low: usize, high: usize| {
                    let rise = 0.5 * (grid.log[high] - grid.log[low]);
                    if rise.is_finite() { rise } else { 0.0 }
                };
                let rise = [
                    if i > 0 && i + 1 < nx {
                        slope(cell - 1, cell + 1)
                    } else {
                        0.0
                    },
                    if j > 0 && j + 1 < ny {
                        slope(cell - nx, cell + nx)
                    } else {
                        0.0
                    },
                ];
                let node = grid.node(i, j);
                *out = std::array::from_fn(|d| {
                    (node[d] + grid.h * place(f64::from(u[2 + d]), rise[d])) as f32
                });
            }
        });
    }
}

/// The place in `[-1/2, 1/2]` whose share is `u` under a density that grows like `exp(rise x)`.
fn place(u: f64, rise: f64) -> f64 {
    let rise = rise.clamp(-30.0, 30.0);
    if rise.abs() < 1e-3 {
        // ln(1 + u (e^g - 1)) / g to the first order.
        return u - 0.5 + 0.5 * rise * u * (1.0 - u);
    }
    (u * rise.exp_m1()).ln_1p() / rise - 0.5
}
