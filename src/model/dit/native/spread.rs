//! Vectors of images over the tokens of a tile: modulation, gates, and their transposes.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use super::kernels::{Kernels, Lane, lanes, lanes_mut};
use crate::model::simd::TILE;

/// The image of the cohort that the tile begins with.
#[derive(Clone, Copy)]
pub(super) struct First(pub(super) usize);

/// Each image's number over its tokens. Lengths are constants inside, so that each arm is a few whole vectors.
#[inline(always)]
fn spread(row: &Lane, First(first): First, tokens: usize) -> Lane {
    #[inline(always)]
    fn by<const T: usize>(row: &Lane, first: usize) -> Lane {
        let mut out = [0.0; TILE];
        for i in 0..TILE / T {
            let v = row[first + i];
            for l in 0..T {
                out[i * T + l] = v;
            }
        }
        out
    }
    match tokens {
        4 => by::<4>(row, first),
        8 => by::<8>(row, first),
        16 => by::<16>(row, first),
        32 => by::<32>(row, first),
        _ => by::<TILE>(row, first),
    }
}

/// Adds the sum over each image's tokens to the image's number.
#[inline(always)]
fn collect(row: &Lane, First(first): First, tokens: usize, out: &mut Lane) {
    #[inline(always)]
    fn by<const T: usize>(row: &Lane, first: usize, out: &mut Lane) {
        for i in 0..TILE / T {
            // In four parts, so that they go side by side.
            let mut sums = [0.0; 4];
            for l in 0..T / 4 {
                for j in 0..4 {
                    sums[j] += row[i * T + 4 * l + j];
                }
            }
            out[first + i] += (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
    }
    match tokens {
        4 => by::<4>(row, first, out),
        8 => by::<8>(row, first, out),
        16 => by::<16>(row, first, out),
        32 => by::<32>(row, first, out),
        _ => by::<TILE>(row, first, out),
    }
}

/// `a (one + scale) + shift`, the latter two one number an image; put into `out` or added.
pub(super) fn modulate(
    k: Kernels,
    (a, one): (&[f32], f32),
    [shift, scale]: [&[f32]; 2],
    (first, tokens): (First, usize),
    out: &mut [f32],
    add: bool,
) {
    k.run(
        #[inline(always)]
        || {
            let keep = if add { 1.0 } else { 0.0 };
            let rows = lanes(a).iter().zip(lanes(shift)).zip(lanes(scale));
            for (out, ((a, shift), scale)) in lanes_mut(out).iter_mut().zip(rows) {
                let shift = spread(shift, first, tokens);
                let scale = spread(scale, first, tokens);
                for l in 0..TILE {
                    out[l] = keep * out[l] + a[l] * (one + scale[l]) + shift[l];
                }
            }
        },
    );
}

/// The derivative of [`modulate`]: `d (1 + scale) + unit d_scale + d_shift`.
pub(super) fn modulate_slope(
    k: Kernels,
    (d, unit): (&[f32], &[f32]),
    (scale, [d_shift, d_scale]): (&[f32], [&[f32]; 2]),
    (first, tokens): (First, usize),
    out: &mut [f32],
) {
    k.run(
        #[inline(always)]
        || {
            let turns = lanes(d_shift).iter().zip(lanes(d_scale));
            let rows = lanes(d)
                .iter()
                .zip(lanes(unit))
                .zip(lanes(scale))
                .zip(turns);
            for (out, (((d, unit), scale), (d_shift, d_scale))) in
                lanes_mut(out).iter_mut().zip(rows)
            {
                let scale = spread(scale, first, tokens);
                let d_shift = spread(d_shift, first, tokens);
                let d_scale = spread(d_scale, first, tokens);
                for l in 0..TILE {
                    out[l] = d[l] * (1.0 + scale[l]) + unit[l] * d_scale[l] + d_shift[l];
                }
            }
        },
    );
}

/// `out += gate a`, the gate one number an image.
pub(super) fn add_gated(
    k: Kernels,
    a: &[f32],
    gate: &[f32],
    (first, tokens): (First, usize),
    out: &mut [f32],
) {
    k.run(
        #[inline(always)]
        || {
            let rows = lanes(a).iter().zip(lanes(gate));
            for (out, (a, gate)) in lanes_mut(out).iter_mut().zip(rows) {
                let gate = spread(gate, first, tokens);
                for l in 0..TILE {
                    out[l] += a[l] * gate[l];
                }
            }
        },
    );
}

/// `out *= one + by`, `by` one number an image.
pub(super) fn spread_multiply(
    k: Kernels,
    out: &mut [f32],
    (by, one): (&[f32], f32),
    (first, tokens): (First, usize),
) {
    k.run(
        #[inline(always)]
        || {
            for (out, by) in lanes_mut(out).iter_mut().zip(lanes(by)) {
                let by = spread(by, first, tokens);
                for l in 0..TILE {
                    out[l] *= one + by[l];
                }
            }
        },
    );
}

/// Sums `a`, or `a b`, over the tokens of each image, into the image's column.
pub(super) fn gather(
    k: Kernels,
    a: &[f32],
    b: Option<&[f32]>,
    (first, tokens): (First, usize),
    out: &mut [f32],
) {
    k.run(
        #[inline(always)]
        || match b {
            None => {
                for (out, a) in lanes_mut(out).iter_mut().zip(lanes(a)) {
                    collect(a, first, tokens, out);
                }
            }
            Some(b) => {
                for ((out, a), b) in lanes_mut(out).iter_mut().zip(lanes(a)).zip(lanes(b)) {
                    let mut row = [0.0; TILE];
                    for l in 0..TILE {
                        row[l] = a[l] * b[l];
                    }
                    collect(&row, first, tokens, out);
                }
            }
        },
    );
}
