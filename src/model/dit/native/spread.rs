//! Vectors of images over the tokens of a tile: modulation, gates, and their transposes.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use super::kernels::{Kernels, lanes, lanes_mut};

/// The image of the cohort that the tile begins with.
#[derive(Clone, Copy)]
pub(super) struct First(pub(super) usize);

/// `a (one + scale) + shift`, the latter two one number an image; put into `out` or added.
pub(super) fn modulate(
    k: Kernels,
    (a, one): (&[f32], f32),
    [shift, scale]: [&[f32]; 2],
    (First(first), tokens): (First, usize),
    out: &mut [f32],
    add: bool,
) {
    k.run(
        #[inline(always)]
        || {
            let rows = lanes(a).iter().zip(lanes(shift)).zip(lanes(scale));
            for (out, ((a, shift), scale)) in lanes_mut(out).iter_mut().zip(rows) {
                let chunks = out.chunks_exact_mut(tokens).zip(a.chunks_exact(tokens));
                for (i, (out, a)) in chunks.enumerate() {
                    let (shift, scale) = (shift[first + i], one + scale[first + i]);
                    for (out, a) in out.iter_mut().zip(a) {
                        *out = if add { *out } else { 0.0 } + a * scale + shift;
                    }
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
    (First(first), tokens): (First, usize),
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
                let chunks = out
                    .chunks_exact_mut(tokens)
                    .zip(d.chunks_exact(tokens))
                    .zip(unit.chunks_exact(tokens));
                for (i, ((out, d), unit)) in chunks.enumerate() {
                    let scale = 1.0 + scale[first + i];
                    let (d_shift, d_scale) = (d_shift[first + i], d_scale[first + i]);
                    for ((out, d), unit) in out.iter_mut().zip(d).zip(unit) {
                        *out = d * scale + unit * d_scale + d_shift;
                    }
                }
            }
        },
    );
}

/// `out = gate a`, the gate one number an image; put into `out` or added.
pub(super) fn gate(
    k: Kernels,
    a: &[f32],
    gate: &[f32],
    (First(first), tokens): (First, usize),
    out: &mut [f32],
    add: bool,
) {
    k.run(
        #[inline(always)]
        || {
            let rows = lanes(a).iter().zip(lanes(gate));
            for (out, (a, gate)) in lanes_mut(out).iter_mut().zip(rows) {
                let chunks = out.chunks_exact_mut(tokens).zip(a.chunks_exact(tokens));
                for (i, (out, a)) in chunks.enumerate() {
                    let gate = gate[first + i];
                    for (out, a) in out.iter_mut().zip(a) {
                        *out = if add { *out } else { 0.0 } + a * gate;
                    }
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
    (First(first), tokens): (First, usize),
) {
    k.run(
        #[inline(always)]
        || {
            for (out, by) in lanes_mut(out).iter_mut().zip(lanes(by)) {
                for (i, out) in out.chunks_exact_mut(tokens).enumerate() {
                    let by = one + by[first + i];
                    out.iter_mut().for_each(|v| *v *= by);
                }
            }
        },
    );
}

/// Sums `a (b)` over the tokens of each image, into the image's column.
pub(super) fn gather(
    k: Kernels,
    a: &[f32],
    b: Option<&[f32]>,
    (First(first), tokens): (First, usize),
    out: &mut [f32],
) {
    k.run(
        #[inline(always)]
        || {
            for (f, (out, a)) in lanes_mut(out).iter_mut().zip(lanes(a)).enumerate() {
                let mut row = *a;
                if let Some(b) = b {
                    for (v, b) in row.iter_mut().zip(&lanes(b)[f]) {
                        *v *= b;
                    }
                }
                for (i, part) in row.chunks_exact(tokens).enumerate() {
                    out[first + i] += sum(part);
                }
            }
        },
    );
}

/// In four parts, so that they go side by side.
#[inline(always)]
fn sum(part: &[f32]) -> f32 {
    let mut sums = [0.0; 4];
    for chunk in part.as_chunks::<4>().0 {
        for (sum, v) in sums.iter_mut().zip(chunk) {
            *sum += v;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}
