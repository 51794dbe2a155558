//! Times as vectors: waves, then two layers.

use super::kernels::{Bias, Kernels, Lane, lanes, lanes_mut};
use super::params::Linear;
use crate::model::DitConfig;
use crate::model::simd::{Buffer, TILE};

/// A two-layer embedder's path: features, the first layer's output, after SiLU, its slope.
pub(super) struct TimePath {
    pub(super) features: Buffer,
    pub(super) active: Buffer,
    pub(super) slope: Buffer,
}

/// `frequency` of each pair of features.
fn frequency(j: usize) -> f32 {
    let half = DitConfig::TIME_FEATURES / 2;
    (-(10_000_f64.ln()) * j as f64 / half as f64).exp() as f32
}

/// The vectors of some times.
pub(super) fn embed(
    k: Kernels,
    layers: &[Linear; 2],
    (time, count): (&Lane, usize),
    path: &mut TimePath,
    out: &mut [f32],
) {
    let added = (Bias::Added, count);
    let half = DitConfig::TIME_FEATURES / 2;
    let (cos, sin) = path.features.as_mut_slice().split_at_mut(half * TILE);
    for (j, (cos, sin)) in lanes_mut(cos).iter_mut().zip(lanes_mut(sin)).enumerate() {
        let frequency = frequency(j);
        for l in 0..TILE {
            // Neighbours mostly have the same time.
            (sin[l], cos[l]) = if l > 0 && time[l] == time[l - 1] {
                (sin[l - 1], cos[l - 1])
            } else {
                (frequency * time[l]).sin_cos()
            };
        }
    }
    // The first layer's output lies in `out` for a moment.
    k.product(&layers[0], added, path.features.as_slice(), out);
    k.silu(out, path.active.as_mut_slice(), path.slope.as_mut_slice());
    k.product(&layers[1], added, path.active.as_slice(), out);
}

/// The features' derivatives: of the cosines the sines, with their frequencies.
pub(super) fn turn_features(features: &[f32], by: f32, out: &mut [f32]) {
    let half = DitConfig::TIME_FEATURES / 2 * TILE;
    let (cos, sin) = features.split_at(half);
    let (d_cos, d_sin) = out.split_at_mut(half);
    let rows = lanes(cos).iter().zip(lanes(sin));
    let outs = lanes_mut(d_cos).iter_mut().zip(lanes_mut(d_sin));
    for (j, ((cos, sin), (d_cos, d_sin))) in rows.zip(outs).enumerate() {
        let by = by * frequency(j);
        for l in 0..TILE {
            d_cos[l] = -by * sin[l];
            d_sin[l] = by * cos[l];
        }
    }
}

/// Adds the gradients of an embedder's layers, from that with respect to its vectors.
pub(super) fn back_through(
    k: Kernels,
    layers: &[Linear; 2],
    path: &TimePath,
    delta: &[f32],
    hidden: &mut [f32],
    transposed: &mut [f32],
    gradient: &mut [f32],
) {
    k.outer(
        &layers[1],
        delta,
        path.active.as_slice(),
        transposed,
        gradient,
    );
    k.back(&layers[1], TILE, delta, hidden);
    k.multiply(hidden, path.slope.as_slice());
    k.outer(
        &layers[0],
        hidden,
        path.features.as_slice(),
        transposed,
        gradient,
    );
}
