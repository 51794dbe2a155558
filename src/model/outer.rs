//! The gradient of a linear layer's weights: the sum over rows of output gradient times input.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

use super::simd::TILE;

/// Extra room after a transposed row, so that rows do not all fall on the same few cache sets.
const SKEW: usize = 16;

/// Shape of a weight and of its gradient: `[outputs][stride]`, of which `inputs` in each row are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OuterShape {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// A whole number of vectors on every instruction set.
    pub(crate) stride: usize,
}

/// Numbers that [`add_outer`] needs for a layer of this stride.
pub(crate) const fn transposed_len(stride: usize) -> usize {
    TILE * (stride + SKEW)
}

/// `weight += delta x input^T` and the row sums of `delta` to `bias`, for one tile.
///
/// `delta` is `[outputs][TILE]`, `input` `[inputs][TILE]`; `transposed` is room of [`transposed_len`].
#[inline(always)]
pub(crate) fn add_outer<S: Simd>(
    simd: S,
    slot: OuterShape,
    delta: &[f32],
    input: &[f32],
    transposed: &mut [f32],
    weight: &mut [f32],
    bias: Option<&mut [f32]>,
) {
    let width = slot.stride + SKEW;
    transpose(slot, width, input, transposed);
    let transposed = &transposed[..TILE * width];
    let (delta, _) = delta[..slot.outputs * TILE].as_chunks::<TILE>();

    // A tangent knows no bias.
    for (bias, row) in bias.into_iter().flatten().zip(delta) {
        let (row, _) = S::as_simd_f32s(row);
        let mut sum = simd.splat_f32s(0.0);
        for v in row {
            sum = simd.add_f32s(sum, *v);
        }
        *bias += simd.reduce_sum_f32s(sum);
    }
    // Accumulators fill the registers: 8 x 2 of 32, 4 x 2 of 16.
    if const { S::REGISTER_COUNT >= 32 } {
        blocks::<S, 8>(simd, slot.stride, width, delta, transposed, weight);
    } else {
        blocks::<S, 4>(simd, slot.stride, width, delta, transposed, weight);
    }
}

/// `[inputs][TILE]` to `[TILE][width]`; columns from `inputs` to the stride are zeroed.
#[inline(always)]
fn transpose(slot: OuterShape, width: usize, input: &[f32], transposed: &mut [f32]) {
    let (input, _) = input[..slot.inputs * TILE].as_chunks::<TILE>();
    for (r, row) in transposed.chunks_exact_mut(width).take(TILE).enumerate() {
        for (to, from) in row.iter_mut().zip(input) {
            *to = from[r];
        }
        row[slot.inputs..slot.stride].fill(0.0);
    }
}

#[inline(always)]
fn blocks<S: Simd, const R: usize>(
    simd: S,
    stride: usize,
    width: usize,
    delta: &[[f32; TILE]],
    transposed: &[f32],
    weight: &mut [f32],
) {
    let (whole, rest) = delta.as_chunks::<R>();
    let (whole_weight, rest_weight) = weight.split_at_mut(whole.len() * R * stride);
    for (delta, weight) in whole.iter().zip(whole_weight.chunks_exact_mut(R * stride)) {
        columns::<S, R>(simd, stride, width, delta, transposed, weight);
    }
    for (delta, weight) in rest.iter().zip(rest_weight.chunks_exact_mut(stride)) {
        columns::<S, 1>(
            simd,
            stride,
            width,
            std::array::from_ref(delta),
            transposed,
            weight,
        );
    }
}

/// `R` rows of the weight gradient, two vectors of columns at a time.
#[inline(always)]
fn columns<S: Simd, const R: usize>(
    simd: S,
    stride: usize,
    width: usize,
    delta: &[[f32; TILE]; R],
    transposed: &[f32],
    weight: &mut [f32],
) {
    let count = stride / S::F32_LANES;
    let mut c = 0;
    while c + 2 <= count {
        panel::<S, R, 2>(
            simd,
            stride,
            width,
            c * S::F32_LANES,
            delta,
            transposed,
            weight,
        );
        c += 2;
    }
    if c < count {
        panel::<S, R, 1>(
            simd,
            stride,
            width,
            c * S::F32_LANES,
            delta,
            transposed,
            weight,
        );
    }
}

#[inline(always)]
fn panel<S: Simd, const R: usize, const V: usize>(
    simd: S,
    stride: usize,
    width: usize,
    column: usize,
    delta: &[[f32; TILE]; R],
    transposed: &[f32],
    weight: &mut [f32],
) {
    let span = V * S::F32_LANES;
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
    for (r, row) in transposed.chunks_exact(width).enumerate().take(TILE) {
        let (x, _) = S::as_simd_f32s(&row[column..column + span]);
        for i in 0..R {
            let d = simd.splat_f32s(delta[i][r]);
            for j in 0..V {
                acc[i][j] = simd.mul_add_f32s(d, x[j], acc[i][j]);
            }
        }
    }
    for i in 0..R {
        let row = &mut weight[i * stride + column..i * stride + column + span];
        let (row, _) = S::as_mut_simd_f32s(row);
        for j in 0..V {
            row[j] = simd.add_f32s(row[j], acc[i][j]);
        }
    }
}
