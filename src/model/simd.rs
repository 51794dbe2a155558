//! The vector kernels behind the CPU network: one blocked matrix product and the activation.
//!
//! Rows (batch items) are handled in tiles of [`TILE`], stored `[feature][row]`: a vector register holds the same
//! feature of neighbouring rows, a weight is broadcast to all of them, and several outputs are accumulated in
//! registers per pass. What a layer writes is laid out as the next layer reads it, so nothing is rearranged on the
//! way. A lane never meets another lane, and sums always run over the inputs in order: the result of a row does not
//! depend on which rows stand beside it. `pulp` picks the instruction set (AVX-512, AVX2, NEON) when the program runs.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

/// Rows of one tile. A whole number of vectors on every instruction set.
pub(crate) const TILE: usize = 64;
/// Outputs whose weights are stored side by side.
pub(crate) const BLOCK: usize = 8;

/// One cache line of numbers: buffers made of these start on a line, so no vector straddles two.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A zeroed buffer of `f32` that starts on a cache line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// At least `len` zeros (rounded up to a whole line).
    pub(crate) fn zeroed(len: usize) -> Self {
        Self(vec![Line([0.0; 16]); len.div_ceil(16)])
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }

    /// The numbers.
    pub(crate) fn as_slice(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }

    /// The numbers.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// A matrix `[outputs][inputs]` stored for [`product`]: blocks of [`BLOCK`] outputs, within a block input by input.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    blocks: Vec<[f32; BLOCK]>,
    /// Added to every output; padded to whole blocks.
    bias: Vec<f32>,
}

impl Packed {
    /// Room for a matrix; everything zero.
    pub(crate) fn zeroed(outputs: usize, inputs: usize) -> Self {
        let blocks = outputs.div_ceil(BLOCK);
        Self {
            outputs,
            inputs,
            blocks: vec![[0.0; BLOCK]; blocks * inputs],
            bias: vec![0.0; blocks * BLOCK],
        }
    }

    /// The same without room for the weights, which [`Self::fill`] makes when they come.
    pub(crate) fn hollow(outputs: usize, inputs: usize) -> Self {
        Self {
            inputs,
            ..Self::zeroed(outputs, 0)
        }
    }

    /// Stores `weight(output, input)` and, where given, `bias`.
    pub(crate) fn fill(&mut self, weight: impl Fn(usize, usize) -> f32, bias: Option<&[f32]>) {
        let len = self.outputs.div_ceil(BLOCK) * self.inputs;
        self.blocks.resize(len, [0.0; BLOCK]);
        for (b, block) in self.blocks.chunks_exact_mut(self.inputs).enumerate() {
            let outputs = (self.outputs - b * BLOCK).min(BLOCK);
            for (k, lane) in block.iter_mut().enumerate() {
                for (i, w) in lane[..outputs].iter_mut().enumerate() {
                    *w = weight(b * BLOCK + i, k);
                }
            }
        }
        if let Some(bias) = bias {
            self.set_bias(bias);
        }
    }

    /// Stores what is added to the outputs.
    pub(crate) fn set_bias(&mut self, bias: &[f32]) {
        self.bias[..self.outputs].copy_from_slice(&bias[..self.outputs]);
    }

    /// Bytes that it takes.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.blocks[..]) + size_of_val(&self.bias[..])
    }
}

/// How a product ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    Added,
    /// Derivatives have none.
    Left,
}

/// What happens to the results of a product while they are still near.
pub(crate) trait Finish<S: Simd> {
    /// Changes some outputs' rows in place; `at` is the index of the first vector within the whole result.
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]);
}

/// Leaves the results as they are.
pub(crate) struct Plain;

impl<S: Simd> Finish<S> for Plain {
    #[inline(always)]
    fn take(&mut self, _: S, _: usize, _: &mut [S::f32s]) {}
}

/// The activation.
pub(crate) struct Silu;

impl<S: Simd> Finish<S> for Silu {
    #[inline(always)]
    fn take(&mut self, simd: S, _: usize, values: &mut [S::f32s]) {
        for value in values {
            *value = silu(simd, *value);
        }
    }
}

/// `output = finish(weight * input + bias)` for one tile: `input` is `[inputs][TILE]`, `output` `[outputs][TILE]`.
#[inline(always)]
pub(crate) fn affine<S: Simd>(
    simd: S,
    matrix: &Packed,
    input: &[f32],
    output: &mut [f32],
    finish: &mut impl Finish<S>,
) {
    product(simd, (matrix, Bias::Added), TILE, input, output, finish);
}

/// [`affine`] without the bias, as derivatives go.
#[inline(always)]
pub(crate) fn linear<S: Simd>(
    simd: S,
    matrix: &Packed,
    input: &[f32],
    output: &mut [f32],
    finish: &mut impl Finish<S>,
) {
    product(simd, (matrix, Bias::Left), TILE, input, output, finish);
}

/// `output = weight' * input` for a tile of which only the first `rows` matter: `input` is `[outputs][TILE]`, `output`
/// `[inputs][TILE]`. From the same numbers as [`affine`], so that a matrix is kept once for both ways.
#[inline(always)]
pub(crate) fn transposed_rows<S: Simd>(
    simd: S,
    matrix: &Packed,
    rows: usize,
    input: &[f32],
    output: &mut [f32],
) {
    let vectors = const { TILE / S::F32_LANES };
    let live = rows.div_ceil(S::F32_LANES).min(vectors);
    let (input, _) = S::as_simd_f32s(&input[..matrix.outputs * TILE]);
    let (output, _) = S::as_mut_simd_f32s(&mut output[..matrix.inputs * TILE]);
    // As many accumulators as in `product`.
    let mut at = if const { S::REGISTER_COUNT >= 32 } {
        columns::<S, 8>(simd, matrix, 0, live, input, output)
    } else {
        columns::<S, 4>(simd, matrix, 0, live, input, output)
    };
    at = columns::<S, 4>(simd, matrix, at, live, input, output);
    columns::<S, 1>(simd, matrix, at, live, input, output);
}

/// The columns from `at` on, `R` at a time while there are so many; gives the first that is left.
#[inline(always)]
fn columns<S: Simd, const R: usize>(
    simd: S,
    matrix: &Packed,
    mut at: usize,
    live: usize,
    input: &[S::f32s],
    output: &mut [S::f32s],
) -> usize {
    while at + R <= matrix.inputs {
        let mut v = 0;
        while v + 2 <= live {
            column_piece::<S, R, 2>(simd, matrix, (at, v), input, output);
            v += 2;
        }
        while v < live {
            column_piece::<S, R, 1>(simd, matrix, (at, v), input, output);
            v += 1;
        }
        at += R;
    }
    at
}

#[inline(always)]
fn column_piece<S: Simd, const R: usize, const V: usize>(
    simd: S,
    matrix: &Packed,
    (at, v): (usize, usize),
    input: &[S::f32s],
    output: &mut [S::f32s],
) {
    let vectors = const { TILE / S::F32_LANES };
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
    let blocks = matrix.blocks.chunks_exact(matrix.inputs);
    for (block, x) in blocks.zip(input.chunks(BLOCK * vectors)) {
        let w = &block[at..at + R];
        for (j, x) in x.chunks_exact(vectors).enumerate() {
            let x = &x[v..v + V];
            for i in 0..R {
                let w = simd.splat_f32s(w[i][j]);
                for l in 0..V {
                    acc[i][l] = simd.mul_add_f32s(w, x[l], acc[i][l]);
                }
            }
        }
    }
    for i in 0..R {
        let to = (at + i) * vectors + v;
        output[to..to + V].copy_from_slice(&acc[i]);
    }
}

/// [`affine`] or [`linear`] for a tile of which only the first `rows` matter; the others hold anything afterwards.
#[inline(always)]
pub(crate) fn product<S: Simd>(
    simd: S,
    (matrix, bias): (&Packed, Bias),
    rows: usize,
    input: &[f32],
    output: &mut [f32],
    finish: &mut impl Finish<S>,
) {
    let bias_share = match bias {
        Bias::Added => 1.0,
        Bias::Left => 0.0,
    };
    let vectors = const { TILE / S::F32_LANES };
    let live = rows.div_ceil(S::F32_LANES).min(vectors);
    let (input, _) = S::as_simd_f32s(&input[..matrix.inputs * TILE]);
    let (output, _) = S::as_mut_simd_f32s(&mut output[..matrix.outputs * TILE]);
    let blocks = matrix.blocks.chunks_exact(matrix.inputs);
    for (b, (block, bias)) in blocks.zip(matrix.bias.as_chunks::<BLOCK>().0).enumerate() {
        let bias = &bias.map(|bias| bias * bias_share);
        let at = b * BLOCK * vectors;
        let outputs = (matrix.outputs - b * BLOCK).min(BLOCK);
        let output = &mut output[at..at + outputs * vectors];
        // Accumulators fill the registers: 8 x 2 or 8 x 3 of 32, 4 x 2 of 16.
        if outputs <= 2 {
            pass::<S, 2, 2>(simd, block, bias, 0, live, input, output);
        } else if const { S::REGISTER_COUNT >= 32 } {
            pass::<S, 8, 2>(simd, block, bias, 0, live, input, output);
        } else {
            let (low, high) = output.split_at_mut((4 * vectors).min(outputs * vectors));
            pass::<S, 4, 2>(simd, block, bias, 0, live, input, low);
            pass::<S, 4, 2>(simd, block, bias, 4, live, input, high);
        }
        finish.take(simd, at, output);
    }
}

/// Outputs `offset..offset + R` of a block, `V` vectors of rows at a time, then one by one up to `live`; `output`
/// holds those outputs that exist.
#[inline(always)]
fn pass<S: Simd, const R: usize, const V: usize>(
    simd: S,
    block: &[[f32; BLOCK]],
    bias: &[f32; BLOCK],
    offset: usize,
    live: usize,
    input: &[S::f32s],
    output: &mut [S::f32s],
) {
    let mut v = 0;
    while v + V <= live {
        piece::<S, R, V>(simd, block, bias, offset, v, input, output);
        v += V;
    }
    while v < live {
        piece::<S, R, 1>(simd, block, bias, offset, v, input, output);
        v += 1;
    }
}

#[inline(always)]
fn piece<S: Simd, const R: usize, const V: usize>(
    simd: S,
    block: &[[f32; BLOCK]],
    bias: &[f32; BLOCK],
    offset: usize,
    v: usize,
    input: &[S::f32s],
    output: &mut [S::f32s],
) {
    let vectors = const { TILE / S::F32_LANES };
    let mut acc = [[simd.splat_f32s(0.0); V]; R];
    for i in 0..R {
        acc[i] = [simd.splat_f32s(bias[offset + i]); V];
    }
    for (w, x) in block.iter().zip(input.chunks_exact(vectors)) {
        let x = &x[v..v + V];
        for i in 0..R {
            let w = simd.splat_f32s(w[offset + i]);
            for j in 0..V {
                acc[i][j] = simd.mul_add_f32s(w, x[j], acc[i][j]);
            }
        }
    }
    // A loop of fixed length, so that the accumulators never need an address.
    for i in 0..R {
        if let Some(row) = output.get_mut(i * vectors + v..i * vectors + v + V) {
            row.copy_from_slice(&acc[i]);
        }
    }
}

/// `e^y` to about 1e-7 relative, for `y` in `[-87, 88]` (clamped there).
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    // Adding 1.5 * 2^23 leaves the rounded number in the low bits; shifted, those are an exponent.
    const ROUND: f32 = 12_582_912.0;
    let y = simd.min_f32s(
        simd.max_f32s(y, simd.splat_f32s(-87.0)),
        simd.splat_f32s(88.0),
    );
    let shifted = simd.mul_add_f32s(
        y,
        simd.splat_f32s(std::f32::consts::LOG2_E),
        simd.splat_f32s(ROUND),
    );
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    // ln 2 in two parts, so that the product with n is exact (Cody and Waite).
    let r = simd.mul_add_f32s(n, simd.splat_f32s(-0.693_359_4), y);
    let r = simd.mul_add_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    // Cephes' polynomial of expf.
    let mut p = simd.splat_f32s(1.987_569_2e-4);
    for c in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = simd.mul_add_f32s(p, r, simd.splat_f32s(c));
    }
    let p = simd.mul_add_f32s(
        p,
        simd.mul_f32s(r, r),
        simd.add_f32s(r, simd.splat_f32s(1.0)),
    );
    let exponent =
        simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent))
}

/// `silu(z) = z / (1 + e^-z)`.
#[inline(always)]
pub(crate) fn silu<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    let e = exp(simd, simd.neg_f32s(z));
    simd.div_f32s(z, simd.add_f32s(e, simd.splat_f32s(1.0)))
}

/// `silu(z)` and its derivative `sigma + silu (1 - sigma)`.
#[inline(always)]
pub(crate) fn silu_and_slope<S: Simd>(simd: S, z: S::f32s) -> (S::f32s, S::f32s) {
    let one = simd.splat_f32s(1.0);
    let sigma = simd.div_f32s(one, simd.add_f32s(exp(simd, simd.neg_f32s(z)), one));
    let value = simd.mul_f32s(z, sigma);
    let slope = simd.mul_add_f32s(value, simd.sub_f32s(one, sigma), sigma);
    (value, slope)
}

/// GELU in its form with the hyperbolic tangent, `x sigma(2 z)` with `z = c (x + a x^3)`, and its derivative.
#[inline(always)]
pub(crate) fn gelu_and_slope<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    const C: f32 = 1.595_769;
    const A: f32 = 0.044_715;
    let one = simd.splat_f32s(1.0);
    let square = simd.mul_f32s(x, x);
    let rise = simd.mul_add_f32s(square, simd.splat_f32s(A), one);
    let twice_z = simd.mul_f32s(simd.mul_f32s(x, simd.splat_f32s(C)), rise);
    let e = exp(simd, simd.neg_f32s(twice_z));
    let sigma = simd.div_f32s(one, simd.add_f32s(one, e));
    let inner = simd.mul_add_f32s(square, simd.splat_f32s(3.0 * A), one);
    let turn = simd.mul_f32s(sigma, simd.sub_f32s(one, sigma));
    let along = simd.mul_f32s(simd.mul_f32s(x, simd.splat_f32s(C)), inner);
    (
        simd.mul_f32s(x, sigma),
        simd.mul_add_f32s(turn, along, sigma),
    )
}

/// `silu(z)`, its derivative, and its second derivative `(1 - sigma) (2 sigma + silu (1 - 2 sigma))`.
#[inline(always)]
pub(crate) fn silu_slope_and_curve<S: Simd>(simd: S, z: S::f32s) -> (S::f32s, S::f32s, S::f32s) {
    let one = simd.splat_f32s(1.0);
    let sigma = simd.div_f32s(one, simd.add_f32s(exp(simd, simd.neg_f32s(z)), one));
    let rest = simd.sub_f32s(one, sigma);
    let value = simd.mul_f32s(z, sigma);
    let slope = simd.mul_add_f32s(value, rest, sigma);
    let bend = simd.mul_add_f32s(
        value,
        simd.sub_f32s(rest, sigma),
        simd.add_f32s(sigma, sigma),
    );
    (value, slope, simd.mul_f32s(rest, bend))
}

/// The tile as vectors.
#[inline(always)]
pub(crate) fn vectors<S: Simd>(tile: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(tile).0
}
