//! A mode as it looks at time `t`, and the weighted means over modes that every field is made of.

use std::borrow::Borrow;

use rayon::prelude::*;

use super::{Cov2, Mode, Point};

/// Modes whose log-weight lies this far below the largest add less than one part in 10^17 and are skipped.
const NEGLIGIBLE_NATS: f64 = 40.0;

/// What one mode needs at one `t`, with `C = t^2 S + (1 - t)^2 I` (methods.md 2).
///
/// In 2D the adjugate is linear and `S adj(S) = det(S) I`, so `C^-1` and `S C^-1` are sums of positive terms over
/// `det C`: nothing cancels, however close `t` is to either end.
#[derive(Debug, Clone, Copy)]
pub(super) struct ModeAt {
    /// `ln w - ln det(C) / 2 - ln 2 pi`.
    pub log_scale: f64,
    /// `t mu`.
    pub centre: Point,
    /// `C^-1`.
    pub precision: Cov2,
    /// `mu`.
    pub mean: Point,
    /// `S C^-1`.
    pub shrink: Cov2,
    /// `(t S - (1 - t) I) C^-1`.
    pub velocity_gain: Cov2,
}

impl ModeAt {
    /// `t` must lie in `[0, 1]`.
    #[inline]
    pub fn new(mode: &Mode, t: f64) -> Self {
        let s = &mode.cov;
        let (signal, noise) = (t * t, (1.0 - t) * (1.0 - t));
        let det_s = s.det();
        let det = signal * signal * det_s + signal * noise * s.trace() + noise * noise;
        let precision = s
            .adjugate()
            .scaled(signal)
            .plus_identity(noise)
            .scaled(1.0 / det);
        let shrink = s
            .scaled(noise)
            .plus_identity(signal * det_s)
            .scaled(1.0 / det);
        Self {
            log_scale: mode.weight.ln() - 0.5 * det.ln() - LN_TAU,
            centre: [t * mode.mean[0], t * mode.mean[1]],
            precision,
            mean: mode.mean,
            shrink,
            velocity_gain: shrink.scaled(t).plus(precision.scaled(t - 1.0)),
        }
    }

    /// `x - t mu`.
    #[inline]
    pub fn offset(&self, x: Point) -> Point {
        [x[0] - self.centre[0], x[1] - self.centre[1]]
    }

    /// `ln w N(x; t mu, C)`.
    #[inline]
    pub fn log_weight(&self, x: Point) -> f64 {
        self.log_scale - 0.5 * self.precision.quadratic(self.offset(x))
    }

    /// `mu + (t S - (1 - t) I) C^-1 (x - t mu)`.
    #[inline]
    pub fn velocity(&self, offset: Point) -> Point {
        let turn = self.velocity_gain.mul(offset);
        [self.mean[0] + turn[0], self.mean[1] + turn[1]]
    }
}

/// `ln 2 pi`.
pub(super) const LN_TAU: f64 = 1.837_877_066_409_345_3;

/// `(ln p_t(x), sum_k g_k term_k(x - t mu_k))` in one pass, with a running maximum and without allocation.
#[inline]
pub(super) fn weighted_mean<M: Borrow<ModeAt>>(
    modes: impl Iterator<Item = M>,
    x: Point,
    term: impl Fn(&ModeAt, Point) -> Point,
) -> (f64, Point) {
    let (mut max, mut total, mut sum) = (f64::NEG_INFINITY, 0.0, [0.0; 2]);
    for mode in modes {
        let mode = mode.borrow();
        let offset = mode.offset(x);
        let log_weight = mode.log_scale - 0.5 * mode.precision.quadratic(offset);
        if log_weight > max {
            let keep = (max - log_weight).exp();
            let value = term(mode, offset);
            total = total * keep + 1.0;
            sum = [sum[0] * keep + value[0], sum[1] * keep + value[1]];
            max = log_weight;
        } else if log_weight > max - NEGLIGIBLE_NATS {
            let weight = (log_weight - max).exp();
            let value = term(mode, offset);
            total += weight;
            sum = [sum[0] + weight * value[0], sum[1] + weight * value[1]];
        }
    }
    (max + f64::ln(total), [sum[0] / total, sum[1] / total])
}

/// The exact marginal velocity `b_t` at one `t`, ready for many `x`. Made by [`super::Mixture::velocity_field`].
#[derive(Debug, Clone)]
pub struct VelocityAt {
    modes: Vec<ModeAt>,
}

impl VelocityAt {
    pub(super) fn new(modes: &[Mode], t: f64) -> Self {
        Self {
            modes: modes.iter().map(|mode| ModeAt::new(mode, t)).collect(),
        }
    }

    /// `b_t(x)`.
    #[inline]
    pub fn eval(&self, x: Point) -> Point {
        weighted_mean(self.modes.iter(), x, ModeAt::velocity).1
    }

    /// `(ln p_t(x), b_t(x))` for the price of one.
    #[inline]
    pub fn eval_with_log_density(&self, x: Point) -> (f64, Point) {
        weighted_mean(self.modes.iter(), x, ModeAt::velocity)
    }

    /// `out[i] = b_t(x[i])`, in f64 inside; spread over threads when there are many.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn eval_into(&self, x: &[[f32; 2]], out: &mut [[f32; 2]]) {
        assert_eq!(x.len(), out.len(), "one velocity for each point");
        map_points(x, out, |x| self.eval(x));
    }
}

/// Points that one thread takes at a time; fewer than two such pieces stay on the calling thread.
const PIECE: usize = 1024;

/// `out[i] = f(x[i])` through f64, in parallel for large batches.
pub(super) fn map_points(x: &[[f32; 2]], out: &mut [[f32; 2]], f: impl Fn(Point) -> Point + Sync) {
    let piece = |x: &[[f32; 2]], out: &mut [[f32; 2]]| {
        for (x, out) in x.iter().zip(out) {
            *out = f(x.map(f64::from)).map(|v| v as f32);
        }
    };
    if x.len() < 2 * PIECE {
        piece(x, out);
    } else {
        x.par_chunks(PIECE)
            .zip(out.par_chunks_mut(PIECE))
            .for_each(|(x, out)| piece(x, out));
    }
}
