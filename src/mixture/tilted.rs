//! Tilted targets, exactly: `p(x_1) exp r(x_1) / Z`, its value function and its gradient (methods.md 2).
//!
//! Whatever reward is quadratic, or is the logarithm of a sum of Gaussians, keeps every posterior a Gaussian mixture:
//! the same closed forms hold with other weights, means and covariances.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::velocity::{LN_TAU, ModeAt};
use super::{Cov2, Mixture, Mode, Point};

/// Smallest share that a mode of the target is given: mode `k` stays mode `k`.
const MIN_SHARE: f64 = 1e-300;

/// One Gaussian bump of a reward: `weight N(x; mean, cov)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bump {
    /// Its factor, above 0.
    pub weight: f64,
    /// Its centre.
    pub mean: Point,
    /// Its covariance.
    pub cov: Cov2,
}

impl Bump {
    /// `ln (weight N(x; mean, cov))`.
    pub fn log_density(&self, x: Point) -> f64 {
        let d = [x[0] - self.mean[0], x[1] - self.mean[1]];
        self.weight.ln() - LN_TAU - 0.5 * (self.cov.det().ln() + self.cov.inverse().quadratic(d))
    }
}

/// A factor `exp r(x_1)` under which mixtures stay mixtures.
#[derive(Debug, Clone, PartialEq)]
pub enum Tilt {
    /// `exp(-x'Ax / 2 + b'x + c)`.
    Quadratic {
        /// `A`.
        a: Cov2,
        /// `b`.
        b: Point,
        /// `c`.
        c: f64,
    },
    /// `sum_j c_j N(x; nu_j, L_j)`.
    Bumps(Vec<Bump>),
}

/// Why there is no tilted target.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TiltError {
    /// The reward grows faster than the mode's density falls.
    #[error(
        "the reward outgrows mode {}: p(x) exp r(x) has no finite integral. Lower lambda or narrow the mode",
        mode + 1
    )]
    Unbounded {
        /// Which mode, from 0.
        mode: usize,
    },
    /// A number of the reward is not finite or a bump is not a Gaussian.
    #[error(
        "the reward is not usable: every number must be finite, every bump's weight and variance above 0"
    )]
    NotFinite,
}

/// A mixture and the factor it is tilted by.
#[derive(Debug, Clone, PartialEq)]
pub struct TiltedMixture {
    base: Mixture,
    tilt: Tilt,
}

impl TiltedMixture {
    /// Checks that the tilted density can be normalised.
    ///
    /// # Errors
    /// [`TiltError`] where `S_k^-1 + A` is not positive definite for a mode, or a number is not usable.
    pub fn new(base: Mixture, tilt: Tilt) -> Result<Self, TiltError> {
        match &tilt {
            Tilt::Quadratic { a, b, c } => {
                if !(a.is_finite() && b.iter().all(|v| v.is_finite()) && c.is_finite()) {
                    return Err(TiltError::NotFinite);
                }
                let outgrown = |mode: &Mode| !mode.cov.inverse().plus(*a).is_positive_definite();
                if let Some(mode) = base.modes().iter().position(outgrown) {
                    return Err(TiltError::Unbounded { mode });
                }
            }
            Tilt::Bumps(bumps) => {
                let usable = |bump: &Bump| {
                    bump.weight > 0.0
                        && bump.weight.is_finite()
                        && bump.mean.iter().all(|v| v.is_finite())
                        && bump.cov.is_positive_definite()
                };
                if bumps.is_empty() || !bumps.iter().all(usable) {
                    return Err(TiltError::NotFinite);
                }
            }
        }
        Ok(Self { base, tilt })
    }

    /// The world before the tilt.
    pub fn base(&self) -> &Mixture {
        &self.base
    }

    /// The factor.
    pub fn tilt(&self) -> &Tilt {
        &self.tilt
    }

    /// `ln Z = ln E[exp r(x_1)]`, which is also `V_0`.
    pub fn log_normaliser(&self) -> f64 {
        self.at(0.0).eval([0.0; 2]).value
    }

    /// The tilted target `p(x_1) exp r(x_1) / Z`: a mixture again, to be sampled and scored exactly.
    ///
    /// A quadratic reward keeps mode `k` mode `k`; with `J` bumps mode `k` becomes modes `k J .. k J + J`.
    #[must_use]
    pub fn target(&self) -> Mixture {
        // At t = 0 the posterior is the prior: the pairs there are the target's modes.
        self.at(0.0).tilted_posterior([0.0; 2])
    }

    /// Everything at one time `t` (clamped to `[0, 1]`), prepared for many states.
    pub fn at(&self, t: f64) -> TiltedAt {
        let t = t.clamp(0.0, 1.0);
        let modes = self.base.modes().iter().map(|mode| {
            let at = ModeAt::new(mode, t);
            let cov = at.shrink.scaled((1.0 - t) * (1.0 - t));
            let pairs = match &self.tilt {
                Tilt::Quadratic { a, b, c } => vec![Pair::quadratic(cov, *a, *b, *c)],
                Tilt::Bumps(bumps) => bumps.iter().map(|bump| Pair::bump(cov, bump)).collect(),
            };
            TiltedMode { at, pairs }
        });
        TiltedAt {
            t,
            modes: modes.collect(),
        }
    }
}

/// A mode's posterior `N(m, P)` times one factor `exp(-x'Ax/2 + b'x + c)`; a bump is such a factor as well.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// `A`.
    a: Cov2,
    /// `b - A anchor`, for offsets from `anchor`.
    b: Point,
    /// Where the factor is written about: 0 for a quadratic, its centre for a bump (no cancellation far from 0).
    anchor: Point,
    /// `c - ln det(I + P A) / 2`.
    log_scale: f64,
    /// `P* = (P^-1 + A)^-1`.
    cov: Cov2,
    /// What the exponent loses per squared `q` (quadratic) or squared offset (bump).
    shape: Shape,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Quadratic,
    /// `(P + L)^-1` and the gain `P (P + L)^-1 = P* L^-1`.
    Bump {
        precision: Cov2,
    },
}

impl Pair {
    fn quadratic(p: Cov2, a: Cov2, b: Point, c: f64) -> Self {
        let (cov, det) = combined(p, a);
        Self {
            a,
            b,
            anchor: [0.0; 2],
            log_scale: c - 0.5 * det.ln(),
            cov,
            shape: Shape::Quadratic,
        }
    }

    fn bump(p: Cov2, bump: &Bump) -> Self {
        let sum = p.plus(bump.cov);
        let a = bump.cov.inverse();
        Self {
            a,
            b: [0.0; 2],
            anchor: bump.mean,
            log_scale: bump.weight.ln() - LN_TAU - 0.5 * sum.det().ln(),
            cov: combined(p, a).0,
            shape: Shape::Bump {
                precision: sum.inverse(),
            },
        }
    }

    /// `(z, m*)` for a mode's posterior mean `m`: the log of the factor's expectation and the tilted mean.
    #[inline]
    fn eval(&self, m: Point) -> (f64, Point) {
        let d = [m[0] - self.anchor[0], m[1] - self.anchor[1]];
        let pull = self.a.mul(d);
        let q = [self.b[0] - pull[0], self.b[1] - pull[1]];
        let step = self.cov.mul(q);
        let mean = [m[0] + step[0], m[1] + step[1]];
        let z = match self.shape {
            Shape::Quadratic => {
                self.log_scale
                    + self.b[0] * d[0]
                    + self.b[1] * d[1]
                    + 0.5 * (q[0] * step[0] + q[1] * step[1] - self.a.quadratic(d))
            }
            Shape::Bump { precision } => self.log_scale - 0.5 * precision.quadratic(d),
        };
        (z, mean)
    }
}

/// `((P^-1 + A)^-1, det(I + P A))`, finite for singular `P` too.
fn combined(p: Cov2, a: Cov2) -> (Cov2, f64) {
    // In 2D det(I + PA) = 1 + tr(PA) + det P det A, and (I + PA)^-1 P = (P + det P adj(A)) / det(I + PA).
    let trace = p.xx * a.xx + 2.0 * p.xy * a.xy + p.yy * a.yy;
    let det = 1.0 + trace + p.det() * a.det();
    let cov = p.plus(a.adjugate().scaled(p.det())).scaled(1.0 / det);
    (cov, det)
}

#[derive(Debug, Clone)]
struct TiltedMode {
    at: ModeAt,
    pairs: Vec<Pair>,
}

/// What the closed forms say about one state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiltedState {
    /// `V_t(x) = ln E[exp r(x_1) | x_t = x]`.
    pub value: f64,
    /// `E[x_1 | x_t = x]`.
    pub mean: Point,
    /// The same under the posterior times `exp r`.
    pub tilted_mean: Point,
}

/// The tilted posterior at one time, ready for many `x`. Made by [`TiltedMixture::at`].
#[derive(Debug, Clone)]
pub struct TiltedAt {
    t: f64,
    modes: Vec<TiltedMode>,
}

impl TiltedAt {
    /// Value, mean and tilted mean at `x`. Does not allocate.
    pub fn eval(&self, x: Point) -> TiltedState {
        let (mut plain, mut tilted) = (Sum::default(), Sum::default());
        for mode in &self.modes {
            let log_weight = mode.at.log_weight(x);
            let m = self.posterior_mean(&mode.at, x);
            plain.add(log_weight, m);
            for pair in &mode.pairs {
                let (z, mean) = pair.eval(m);
                tilted.add(log_weight + z, mean);
            }
        }
        TiltedState {
            value: tilted.log_total() - plain.log_total(),
            mean: plain.mean(),
            tilted_mean: tilted.mean(),
        }
    }

    /// `grad V_t(x) = t / (1 - t)^2 (tilted mean - mean)`; at `t = 1` not finite, where it is the reward's own.
    pub fn gradient(&self, x: Point) -> Point {
        self.gradient_of(&self.eval(x))
    }

    /// The same of a state already looked at.
    pub fn gradient_of(&self, state: &TiltedState) -> Point {
        let scale = self.t / ((1.0 - self.t) * (1.0 - self.t));
        std::array::from_fn(|i| scale * (state.tilted_mean[i] - state.mean[i]))
    }

    /// `p(x_1 | x_t = x) exp r(x_1)`, normalised.
    #[must_use]
    pub fn tilted_posterior(&self, x: Point) -> Mixture {
        let mut logs = Vec::new();
        let mut modes = Vec::new();
        for mode in &self.modes {
            let log_weight = mode.at.log_weight(x);
            let m = self.posterior_mean(&mode.at, x);
            for pair in &mode.pairs {
                let (z, mean) = pair.eval(m);
                logs.push(log_weight + z);
                modes.push(Mode {
                    weight: 0.0,
                    mean,
                    // The same guard as the plain posterior's: at t = 1 it is a point.
                    cov: pair.cov.plus_identity(1e-18),
                });
            }
        }
        let max = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logs.iter().map(|log| (log - max).exp()).sum();
        for (mode, log) in modes.iter_mut().zip(logs) {
            mode.weight = ((log - max).exp() / total).max(MIN_SHARE);
        }
        Mixture::from_computed(modes)
    }

    #[inline]
    fn posterior_mean(&self, mode: &ModeAt, x: Point) -> Point {
        let pull = mode.shrink.mul(mode.offset(x));
        [
            mode.mean[0] + self.t * pull[0],
            mode.mean[1] + self.t * pull[1],
        ]
    }
}

/// A weighted mean with weights given as logarithms.
struct Sum {
    max: f64,
    total: f64,
    moment: Point,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            max: f64::NEG_INFINITY,
            total: 0.0,
            moment: [0.0; 2],
        }
    }
}

impl Sum {
    #[inline]
    fn add(&mut self, log_weight: f64, value: Point) {
        if log_weight > self.max {
            let keep = (self.max - log_weight).exp();
            self.total = self.total * keep + 1.0;
            self.moment = [
                self.moment[0] * keep + value[0],
                self.moment[1] * keep + value[1],
            ];
            self.max = log_weight;
        } else {
            let weight = (log_weight - self.max).exp();
            self.total += weight;
            self.moment = [
                self.moment[0] + weight * value[0],
                self.moment[1] + weight * value[1],
            ];
        }
    }

    fn log_total(&self) -> f64 {
        self.max + self.total.ln()
    }

    fn mean(&self) -> Point {
        self.moment.map(|v| v / self.total)
    }
}

#[cfg(test)]
#[path = "tilted_tests.rs"]
mod tests;
