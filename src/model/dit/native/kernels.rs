//! The operations of the transformer on one tile, each compiled for the instruction set at hand.
//!
//! A tile is [`TILE`] tokens side by side, stored `[feature][token]` as in [`crate::model::simd`]: the tokens of an
//! image follow each other, then those of the next image.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use pulp::{Arch, Simd, WithSimd};

use super::params::Linear;
use crate::model::outer::{OuterShape, add_outer};
pub(super) use crate::model::simd::Bias;
use crate::model::simd::{
    Finish, Packed, Plain, TILE, exp, gelu_and_slope, product, transposed_rows,
};

/// Of every norm.
const EPSILON: f32 = 1e-6;

/// One number for each token of a tile.
pub(super) type Lane = [f32; TILE];

/// The features of a tile.
#[inline(always)]
pub(super) fn lanes(tile: &[f32]) -> &[Lane] {
    tile.as_chunks().0
}

/// The features of a tile, to write to.
#[inline(always)]
pub(super) fn lanes_mut(tile: &mut [f32]) -> &mut [Lane] {
    tile.as_chunks_mut().0
}

/// Which product of a matrix.
pub(super) enum Way<'a> {
    /// `W input (+ b)`.
    Plain(Bias),
    /// `gelu(W input + b)`, and the slopes of the activation.
    Gelu(&'a mut [f32]),
    /// `W' input`.
    Back,
}

/// A product of a tile of which the first `live` lanes matter.
pub(super) struct Product<'a> {
    pub(super) matrix: &'a Packed,
    pub(super) way: Way<'a>,
    pub(super) live: usize,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            matrix,
            way,
            live,
            input,
            output,
        } = self;
        match way {
            Way::Plain(bias) => product(simd, (matrix, bias), live, input, output, &mut Plain),
            Way::Gelu(slope) => {
                let mut finish = Gelu::<S>(S::as_mut_simd_f32s(slope).0);
                product(
                    simd,
                    (matrix, Bias::Added),
                    live,
                    input,
                    output,
                    &mut finish,
                );
            }
            Way::Back => transposed_rows(simd, matrix, live, input, output),
        }
    }
}

/// The activation; its slope is kept.
struct Gelu<'a, S: Simd>(&'a mut [S::f32s]);

impl<S: Simd> Finish<S> for Gelu<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        for (value, slope) in values.iter_mut().zip(&mut self.0[at..]) {
            (*value, *slope) = gelu_and_slope(simd, *value);
        }
    }
}

struct Outer<'a> {
    shape: OuterShape,
    delta: &'a [f32],
    input: &'a [f32],
    transposed: &'a mut [f32],
    weight: &'a mut [f32],
    bias: &'a mut [f32],
}

impl WithSimd for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            shape,
            delta,
            input,
            transposed,
            weight,
            bias,
        } = self;
        add_outer(simd, shape, delta, input, transposed, weight, Some(bias));
    }
}

/// The operations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels(Arch);

impl Kernels {
    pub(super) fn new() -> Self {
        Self(Arch::new())
    }

    /// Runs work that is written in vectors.
    #[inline]
    pub(super) fn with<W: WithSimd>(self, work: W) -> W::Output {
        self.0.dispatch(work)
    }

    /// Runs `work` with the instruction set at hand.
    #[inline]
    pub(super) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        self.0.dispatch(work)
    }

    /// `output = W input (+ b)`, in the first `live` lanes.
    pub(super) fn product(
        self,
        layer: &Linear,
        (bias, live): (Bias, usize),
        input: &[f32],
        output: &mut [f32],
    ) {
        self.0.dispatch(Product {
            matrix: &layer.matrix,
            way: Way::Plain(bias),
            live,
            input,
            output,
        });
    }

    /// `output = W' input`, in the first `live` lanes.
    pub(super) fn back(self, layer: &Linear, live: usize, input: &[f32], output: &mut [f32]) {
        self.0.dispatch(Product {
            matrix: &layer.matrix,
            way: Way::Back,
            live,
            input,
            output,
        });
    }

    /// `output = gelu(W input + b)`, and the slopes of the activation, in the first `live` lanes.
    pub(super) fn gelu_product(
        self,
        layer: &Linear,
        live: usize,
        input: &[f32],
        output: &mut [f32],
        slope: &mut [f32],
    ) {
        self.0.dispatch(Product {
            matrix: &layer.matrix,
            way: Way::Gelu(slope),
            live,
            input,
            output,
        });
    }

    /// Adds the gradient of a layer's weight and bias.
    pub(super) fn outer(
        self,
        layer: &Linear,
        delta: &[f32],
        input: &[f32],
        transposed: &mut [f32],
        gradient: &mut [f32],
    ) {
        let slot = &layer.slot;
        let (low, high) = gradient.split_at_mut(slot.bias_at);
        self.0.dispatch(Outer {
            shape: OuterShape {
                inputs: slot.inputs,
                outputs: slot.outputs,
                stride: slot.stride,
            },
            delta,
            input,
            transposed,
            weight: &mut low[slot.at..slot.at + slot.outputs * slot.stride],
            bias: &mut high[..slot.outputs],
        });
    }

    /// `unit = (x - mean) / spread` over the features; `per` becomes `1 / spread`.
    pub(super) fn norm(self, x: &[f32], unit: &mut [f32], per: &mut Lane) {
        self.run(
            #[inline(always)]
            || {
                let (x, unit) = (lanes(x), lanes_mut(unit));
                let scale = 1.0 / x.len() as f32;
                let mut mean = [0.0; TILE];
                for row in x {
                    for l in 0..TILE {
                        mean[l] += row[l];
                    }
                }
                for mean in &mut mean {
                    *mean *= scale;
                }
                let mut square = [0.0_f32; TILE];
                for (unit, row) in unit.iter_mut().zip(x) {
                    for l in 0..TILE {
                        unit[l] = row[l] - mean[l];
                        square[l] += unit[l] * unit[l];
                    }
                }
                for l in 0..TILE {
                    per[l] = 1.0 / (square[l] * scale + EPSILON).sqrt();
                }
                for unit in unit {
                    for l in 0..TILE {
                        unit[l] *= per[l];
                    }
                }
            },
        );
    }

    /// The derivative of [`Self::norm`] along `d`, which is also its transpose: `(d - mean(d) - unit mean(unit d)) per`,
    /// added to `out` or put there.
    pub(super) fn norm_slope(
        self,
        d: &[f32],
        unit: &[f32],
        per: &Lane,
        out: &mut [f32],
        add: bool,
    ) {
        self.run(
            #[inline(always)]
            || {
                let (d, unit, out) = (lanes(d), lanes(unit), lanes_mut(out));
                let scale = 1.0 / d.len() as f32;
                let (mut mean, mut along) = ([0.0; TILE], [0.0; TILE]);
                for (d, unit) in d.iter().zip(unit) {
                    for l in 0..TILE {
                        mean[l] += d[l];
                        along[l] += d[l] * unit[l];
                    }
                }
                for l in 0..TILE {
                    mean[l] *= scale;
                    along[l] *= scale;
                }
                let keep = if add { 1.0 } else { 0.0 };
                for ((out, d), unit) in out.iter_mut().zip(d).zip(unit) {
                    for l in 0..TILE {
                        out[l] = keep * out[l] + (d[l] - mean[l] - unit[l] * along[l]) * per[l];
                    }
                }
            },
        );
    }

    /// `out += a`.
    pub(super) fn add(self, out: &mut [f32], a: &[f32]) {
        self.run(
            #[inline(always)]
            || {
                for (out, a) in out.iter_mut().zip(a) {
                    *out += a;
                }
            },
        );
    }

    /// `out *= a`.
    pub(super) fn multiply(self, out: &mut [f32], a: &[f32]) {
        self.run(
            #[inline(always)]
            || {
                for (out, a) in out.iter_mut().zip(a) {
                    *out *= a;
                }
            },
        );
    }

    /// `y = silu(x)` and its slope.
    pub(super) fn silu(self, x: &[f32], y: &mut [f32], slope: &mut [f32]) {
        struct Work<'a>(&'a [f32], &'a mut [f32], &'a mut [f32]);
        impl WithSimd for Work<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let x = S::as_simd_f32s(self.0).0;
                let y = S::as_mut_simd_f32s(self.1).0;
                let slope = S::as_mut_simd_f32s(self.2).0;
                for ((x, y), slope) in x.iter().zip(y).zip(slope) {
                    (*y, *slope) = crate::model::simd::silu_and_slope(simd, *x);
                }
            }
        }
        self.0.dispatch(Work(x, y, slope));
    }

    /// Softmax over the first index of `[count][width]`, in place.
    pub(super) fn softmax(self, scores: &mut [f32], width: usize) {
        struct Work<'a>(&'a mut [f32], usize);
        impl WithSimd for Work<'_> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self(scores, width) = self;
                let mut c = 0;
                while c + S::F32_LANES <= width {
                    column(simd, scores, width, c);
                    c += S::F32_LANES;
                }
                // Narrower than a vector: one by one.
                for c in c..width {
                    column(pulp::Scalar::new(), scores, width, c);
                }
            }
        }
        #[inline(always)]
        fn column<S: Simd>(simd: S, scores: &mut [f32], width: usize, c: usize) {
            let span = c..c + S::F32_LANES;
            let mut most = simd.splat_f32s(f32::MIN);
            for row in scores.chunks_exact(width) {
                most = simd.max_f32s(most, S::as_simd_f32s(&row[span.clone()]).0[0]);
            }
            let mut sum = simd.splat_f32s(0.0);
            for row in scores.chunks_exact_mut(width) {
                let v = &mut S::as_mut_simd_f32s(&mut row[span.clone()]).0[0];
                *v = exp(simd, simd.sub_f32s(*v, most));
                sum = simd.add_f32s(sum, *v);
            }
            let per = simd.div_f32s(simd.splat_f32s(1.0), sum);
            for row in scores.chunks_exact_mut(width) {
                let v = &mut S::as_mut_simd_f32s(&mut row[span.clone()]).0[0];
                *v = simd.mul_f32s(*v, per);
            }
        }
        self.0.dispatch(Work(scores, width));
    }
}
