//! A mixture of Gaussians as plain numbers, ready for the shaders.

use std::f64::consts::TAU;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// The most components that are painted.
pub const MAX_GAUSSIANS: usize = 4096;

/// Components whose middle is asked for the mixture's peak; more are sampled evenly.
const PEAK_PROBES: usize = 64;

/// One weighted component `w N(m, C)` in 2D.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// `w`, above 0.
    pub weight: f32,
    /// `m`, in world coordinates.
    pub mean: [f32; 2],
    /// `C^-1` as xx, xy, yy.
    pub inverse: [f32; 3],
    /// `-ln(2 pi) - 0.5 ln det C`, so that the log density is this minus half the Mahalanobis
    /// distance squared.
    pub log_normaliser: f32,
}

impl Gaussian {
    /// From a covariance `C` given as xx, xy, yy, which must be positive definite.
    pub fn from_covariance(weight: f64, mean: [f64; 2], covariance: [f64; 3]) -> Self {
        let [xx, xy, yy] = covariance;
        let det = xx * yy - xy * xy;
        Self {
            weight: weight as f32,
            mean: mean.map(|v| v as f32),
            inverse: [(yy / det) as f32, (-xy / det) as f32, (xx / det) as f32],
            log_normaliser: (-TAU.ln() - 0.5 * det.ln()) as f32,
        }
    }

    /// `ln(w N(x))`.
    fn log_density(&self, x: [f32; 2]) -> f32 {
        let (dx, dy) = (x[0] - self.mean[0], x[1] - self.mean[1]);
        let [xx, xy, yy] = self.inverse;
        self.weight.ln() + self.log_normaliser
            - 0.5 * (xx * dx * dx + 2.0 * xy * dx * dy + yy * dy * dy)
    }

    fn is_paintable(&self) -> bool {
        let [xx, xy, yy] = self.inverse;
        self.weight > 0.0
            && self.log_normaliser.is_finite()
            && self.mean.iter().all(|v| v.is_finite())
            && xx * yy > xy * xy
            && (xx + yy).is_finite()
    }
}

/// `Term` of the shaders.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
struct Term {
    mean: [f32; 2],
    inverse_xx: f32,
    inverse_xy: f32,
    inverse_yy: f32,
    /// `ln w` and the normaliser.
    log_scale: f32,
    /// Smallest eigenvalue of the inverse: the log density falls off at least this fast.
    slowest: f32,
    unused: f32,
}

/// A mixture for painting, packed once and shared by reference. Equal numbers have the same key,
/// so what was computed for them on the device is kept.
#[derive(Clone, Debug)]
pub struct Gaussians {
    terms: Vec<Term>,
    log_peak: f32,
    key: u64,
}

impl Gaussians {
    /// Packs components. Those that are not numbers, not positive or not positive definite are
    /// left out, and so are those beyond [`MAX_GAUSSIANS`] (the lightest).
    pub fn new(components: &[Gaussian]) -> Arc<Self> {
        let mut kept: Vec<_> = components
            .iter()
            .filter(|g| g.is_paintable())
            .copied()
            .collect();
        if kept.len() > MAX_GAUSSIANS {
            kept.sort_by(|a, b| b.weight.total_cmp(&a.weight));
            kept.truncate(MAX_GAUSSIANS);
        }
        let terms: Vec<_> = kept
            .iter()
            .map(|g| {
                let [xx, xy, yy] = g.inverse;
                let (mid, half) = (0.5 * (xx + yy), 0.5 * (xx - yy));
                Term {
                    mean: g.mean,
                    inverse_xx: xx,
                    inverse_xy: xy,
                    inverse_yy: yy,
                    log_scale: g.weight.ln() + g.log_normaliser,
                    slowest: (mid - half.hypot(xy)).max(0.0),
                    unused: 0.0,
                }
            })
            .collect();
        let mut hasher = DefaultHasher::new();
        bytemuck::cast_slice::<_, u8>(&terms).hash(&mut hasher);
        let log_peak = log_peak(&kept);
        Arc::new(Self {
            terms,
            log_peak,
            key: hasher.finish(),
        })
    }

    /// How many components are painted.
    pub fn len(&self) -> usize {
        self.terms.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The largest log density at any component's middle (of up to 64 of them): what a heat map
    /// takes as its brightest. The true peak lies a little above where components overlap.
    pub fn log_peak(&self) -> f32 {
        self.log_peak
    }

    /// Equal for equal components.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// For a storage buffer; one clear term if there are none, since a binding cannot be empty.
    pub(super) fn bytes(&self) -> Vec<u8> {
        if self.terms.is_empty() {
            return vec![0; size_of::<Term>()];
        }
        bytemuck::cast_slice(&self.terms).to_vec()
    }

    /// A world rectangle outside which the density is below `exp(log_density)` everywhere. None if
    /// it is below it everywhere.
    pub(super) fn bounds(&self, log_density: f32) -> Option<([f32; 2], [f32; 2])> {
        let share = (self.terms.len() as f32).ln();
        let mut bounds: Option<([f32; 2], [f32; 2])> = None;
        for term in &self.terms {
            // Somewhere above the level, some component is above the level divided by their count.
            let reach = 2.0 * (term.log_scale + share - log_density);
            if reach.is_nan() || reach <= 0.0 {
                continue;
            }
            let det = term.inverse_xx * term.inverse_yy - term.inverse_xy * term.inverse_xy;
            let half = [
                (reach * term.inverse_yy / det).sqrt(),
                (reach * term.inverse_xx / det).sqrt(),
            ];
            let low = [term.mean[0] - half[0], term.mean[1] - half[1]];
            let high = [term.mean[0] + half[0], term.mean[1] + half[1]];
            bounds = Some(match bounds {
                None => (low, high),
                Some((a, b)) => (
                    [a[0].min(low[0]), a[1].min(low[1])],
                    [b[0].max(high[0]), b[1].max(high[1])],
                ),
            });
        }
        bounds
    }
}

fn log_peak(components: &[Gaussian]) -> f32 {
    let stride = components.len().div_ceil(PEAK_PROBES).max(1);
    components
        .iter()
        .step_by(stride)
        .map(|probe| {
            let logs = components.iter().map(|g| g.log_density(probe.mean));
            let most = logs.clone().fold(f32::NEG_INFINITY, f32::max);
            most + logs.map(|l| (l - most).exp()).sum::<f32>().ln()
        })
        .fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_one_gaussian_is_its_normaliser_and_rubbish_is_left_out() {
        let one = Gaussian::from_covariance(1.0, [1.0, 2.0], [0.5, 0.1, 0.3]);
        let packed = Gaussians::new(&[one]);
        assert!((packed.log_peak() - one.log_normaliser).abs() < 1e-6);
        let bad = [
            Gaussian { weight: 0.0, ..one },
            Gaussian {
                weight: f32::NAN,
                ..one
            },
            Gaussian {
                mean: [f32::INFINITY, 0.0],
                ..one
            },
            Gaussian {
                inverse: [1.0, 2.0, 1.0],
                ..one
            },
        ];
        assert!(Gaussians::new(&bad).is_empty());
        assert_eq!(Gaussians::new(&[one]).key(), packed.key());
    }

    #[test]
    fn the_bounds_of_a_level_hold_the_ellipse_of_that_level() {
        let g = Gaussian::from_covariance(1.0, [1.0, 2.0], [4.0, 0.0, 1.0]);
        let packed = Gaussians::new(&[g]);
        // Two standard deviations out.
        let (low, high) = packed.bounds(g.log_normaliser - 2.0).expect("reached");
        assert!(
            (low[0] + 3.0).abs() < 1e-4 && (high[0] - 5.0).abs() < 1e-4,
            "{low:?} {high:?}"
        );
        assert!(
            (low[1] - 0.0).abs() < 1e-4 && (high[1] - 4.0).abs() < 1e-4,
            "{low:?} {high:?}"
        );
        assert!(packed.bounds(g.log_normaliser + 1.0).is_none());
    }
}
