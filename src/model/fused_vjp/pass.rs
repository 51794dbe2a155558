//! One tile of rows through the network and, where asked, back.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use pulp::{Simd, WithSimd};

use super::{Inner, OWN, Rows};
use crate::model::config::STATE;
use crate::model::simd::{BLOCK, Buffer, Finish, Plain, TILE, affine, linear, silu_and_slope};

/// Room for one tile.
pub(super) struct Scratch {
    /// Slopes of the activations, layer by layer; empty without a backward pass.
    slope: Vec<Buffer>,
    ping: Buffer,
    pong: Buffer,
}

impl Scratch {
    pub fn new(net: &Inner, backward: bool) -> Self {
        let wide = net.hidden.max(BLOCK);
        let slopes = if backward { net.forward.len() } else { 0 };
        Self {
            slope: (0..slopes).map(|_| Buffer::zeroed(wide * TILE)).collect(),
            ping: Buffer::zeroed(wide * TILE),
            pong: Buffer::zeroed(wide * TILE),
        }
    }
}

/// One tile through the network and, where asked, back.
pub(super) struct Pass<'a, P> {
    pub net: &'a Inner,
    pub bias: &'a [f32],
    pub rows: Rows<'a>,
    pub first: usize,
    pub x: &'a mut [[f32; 2]],
    pub cotangent: Option<&'a dyn Fn(usize, [f32; 2]) -> [f32; 2]>,
    pub scratch: &'a mut Scratch,
    pub put: &'a mut P,
}

/// The activation; its slope is kept where there is room for it.
struct Activate<'a, S: Simd>(Option<&'a mut [S::f32s]>);

impl<S: Simd> Finish<S> for Activate<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        match &mut self.0 {
            Some(slopes) => {
                for (value, slope) in values.iter_mut().zip(&mut slopes[at..]) {
                    (*value, *slope) = silu_and_slope(simd, *value);
                }
            }
            None => {
                for value in values {
                    *value = silu_and_slope(simd, *value).0;
                }
            }
        }
    }
}

/// Multiplies by the slopes of the activation.
struct TimesSlope<'a, S: Simd>(&'a [S::f32s]);

impl<S: Simd> Finish<S> for TimesSlope<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        for (value, slope) in values.iter_mut().zip(&self.0[at..]) {
            *value = simd.mul_f32s(*value, *slope);
        }
    }
}

impl<P: FnMut(&mut [f32; 2], [f32; 2], [[f32; 2]; 2])> WithSimd for Pass<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            net,
            bias,
            rows,
            first,
            x,
            cotangent,
            scratch,
            put,
        } = self;
        let Scratch { slope, ping, pong } = scratch;
        // Rows beyond the last are zeros; nothing of theirs is read.
        let mut own = [[0.0_f32; TILE]; OWN];
        for (i, x) in x.iter().enumerate() {
            let x_t = rows.under(first + i);
            own[0][i] = x[0];
            own[1][i] = x[1];
            own[2][i] = x_t[0];
            own[3][i] = x_t[1];
        }
        let (mut from, mut to) = (ping.as_mut_slice(), pong.as_mut_slice());
        first_layer(simd, net, bias, &own, from);
        let keep = |slope: &mut [Buffer], layer: usize, from: &mut [f32]| {
            let values = &mut S::as_mut_simd_f32s(from).0[..net.hidden * TILE / S::F32_LANES];
            let slopes = slope
                .get_mut(layer)
                .map(|s| S::as_mut_simd_f32s(s.as_mut_slice()).0);
            Activate::<S>(slopes).take(simd, 0, values);
        };
        keep(slope, 0, from);
        let last = net.forward.len() - 1;
        for (i, matrix) in net.forward.iter().enumerate() {
            if i < last {
                let slopes = slope
                    .get_mut(i + 1)
                    .map(|s| S::as_mut_simd_f32s(s.as_mut_slice()).0);
                affine(simd, matrix, from, to, &mut Activate::<S>(slopes));
            } else {
                affine(simd, matrix, from, to, &mut Plain);
            }
            std::mem::swap(&mut from, &mut to);
        }
        let v: [[f32; 2]; TILE] = std::array::from_fn(|i| [from[i], from[TILE + i]]);
        let Some(cotangent) = cotangent else {
            for (row, v) in x.iter_mut().zip(v) {
                put(row, v, [[0.0; 2]; 2]);
            }
            return;
        };
        from[..STATE * TILE].fill(0.0);
        for i in 0..x.len() {
            let c = cotangent(first + i, v[i]);
            from[i] = c[0];
            from[TILE + i] = c[1];
        }
        for (matrix, slope) in net.backward.iter().zip(&*slope).rev() {
            let mut finish = TimesSlope::<S>(S::as_simd_f32s(slope.as_slice()).0);
            linear(simd, matrix, from, to, &mut finish);
            std::mem::swap(&mut from, &mut to);
        }
        linear(simd, &net.to_inputs, from, to, &mut Plain);
        for (i, row) in x.iter_mut().enumerate() {
            let pulled = std::array::from_fn(|d| to[d * TILE + i]);
            let [a, b, c, d]: [f32; OWN] = pulled;
            put(row, v[i], [[a, b], [c, d]]);
        }
    }
}

/// `bias + W_x x + W_{x_t} x_t`, before the activation.
#[inline(always)]
fn first_layer<S: Simd>(
    simd: S,
    net: &Inner,
    bias: &[f32],
    own: &[[f32; TILE]; OWN],
    out: &mut [f32],
) {
    let own: [&[S::f32s]; OWN] = std::array::from_fn(|d| S::as_simd_f32s(&own[d]).0);
    let width = own[0].len();
    let out = S::as_mut_simd_f32s(out).0;
    for (j, (out, bias)) in out.chunks_exact_mut(width).zip(bias).enumerate() {
        let weights: [S::f32s; OWN] = std::array::from_fn(|d| simd.splat_f32s(net.own[d][j]));
        for (i, out) in out.iter_mut().enumerate() {
            let mut z = simd.splat_f32s(*bias);
            for d in 0..OWN {
                z = simd.mul_add_f32s(weights[d], own[d][i], z);
            }
            *out = z;
        }
    }
}
