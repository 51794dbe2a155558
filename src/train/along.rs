//! The network along `u`: value and derivative in one pass, and the gradient of both by the weights.
//!
//! The Lagrangian loss trains a derivative, so its gradient goes back through the tangent too. With `h = silu(z)` and
//! `h' = silu'(z) z'` the cotangents of `z` and `z'` are `silu'(z) g + silu''(z) z' g'` and `silu'(z) g'`.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use pulp::Simd;

use super::native::NativeNet;
use super::outer::{add_outer, add_outer_without_bias, transposed_len};
use crate::model::MlpConfig;
use crate::model::simd::{
    BLOCK, Buffer, Finish, Plain, TILE, affine, linear, silu_slope_and_curve,
};

/// Per-thread room for one tile, and what the forward pass leaves there for the backward pass. All `[features][TILE]`.
pub(super) struct AlongEnd {
    /// The network's inputs; to be filled before [`AlongEnd::forward`].
    pub input: Buffer,
    /// Their derivative by `u`: zero but for `u` and its features, which are to be filled.
    pub input_tangent: Buffer,
    active: Vec<Buffer>,
    active_tangent: Vec<Buffer>,
    slope: Vec<Buffer>,
    /// `silu''(z) z'`.
    curve: Vec<Buffer>,
    /// `v`.
    pub out: Buffer,
    /// `d/du v`.
    pub out_tangent: Buffer,
    /// Cotangents of a layer's results and of their tangents, two of each to take turns.
    delta: [Buffer; 2],
    delta_tangent: [Buffer; 2],
    transposed: Buffer,
}

impl AlongEnd {
    pub fn new(config: &MlpConfig) -> Self {
        let wide = config.hidden.max(config.inputs()).next_multiple_of(16);
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        let layers = || (0..config.layers).map(|_| tile(config.hidden)).collect();
        Self {
            input: tile(config.inputs()),
            input_tangent: tile(config.inputs()),
            active: layers(),
            active_tangent: layers(),
            slope: layers(),
            curve: layers(),
            out: tile(BLOCK),
            out_tangent: tile(BLOCK),
            delta: [tile(wide), tile(wide)],
            delta_tangent: [tile(wide), tile(wide)],
            transposed: Buffer::zeroed(transposed_len(wide)),
        }
    }

    /// Value and derivative of the inputs that were filled in.
    #[inline(always)]
    pub fn forward<S: Simd>(&mut self, simd: S, net: &NativeNet) {
        let mut from = self.input.as_slice();
        let mut from_tangent = self.input_tangent.as_slice();
        let layers = self.active.iter_mut().zip(&mut self.active_tangent);
        let kept = self.slope.iter_mut().zip(&mut self.curve);
        for ((matrix, (active, tangent)), (slope, curve)) in
            net.forward.iter().zip(layers).zip(kept)
        {
            let slope = S::as_mut_simd_f32s(slope.as_mut_slice()).0;
            let curve = S::as_mut_simd_f32s(curve.as_mut_slice()).0;
            let (to, to_tangent) = (active.as_mut_slice(), tangent.as_mut_slice());
            let mut bend = Bend::<S> { slope, curve };
            affine(simd, matrix, from, to, &mut bend);
            let mut lean = Lean::<S> {
                slope: bend.slope,
                curve: bend.curve,
            };
            linear(simd, matrix, from_tangent, to_tangent, &mut lean);
            (from, from_tangent) = (to, to_tangent);
        }
        let last = &net.forward[net.config.layers];
        affine(simd, last, from, self.out.as_mut_slice(), &mut Plain);
        let out_tangent = self.out_tangent.as_mut_slice();
        linear(simd, last, from_tangent, out_tangent, &mut Plain);
    }

    /// Adds the gradient by every weight of `delta . (v + jump d/du v)`, `delta` in rows of [`TILE`].
    #[inline(always)]
    pub fn backward<S: Simd>(
        &mut self,
        simd: S,
        net: &NativeNet,
        delta: &[f32],
        jump: &[f32; TILE],
        gradient: &mut [f32],
    ) {
        let [from, to] = &mut self.delta;
        let [from_tangent, to_tangent] = &mut self.delta_tangent;
        let (mut from, mut to) = (from.as_mut_slice(), to.as_mut_slice());
        let (mut from_tangent, mut to_tangent) =
            (from_tangent.as_mut_slice(), to_tangent.as_mut_slice());
        from[..2 * TILE].copy_from_slice(&delta[..2 * TILE]);
        for (i, v) in from_tangent[..2 * TILE].iter_mut().enumerate() {
            *v = jump[i % TILE] * delta[i];
        }
        let transposed = self.transposed.as_mut_slice();
        for (l, slot) in net.layout.slots.iter().enumerate().rev() {
            let (below, below_tangent) = if l == 0 {
                (self.input.as_slice(), self.input_tangent.as_slice())
            } else {
                (
                    self.active[l - 1].as_slice(),
                    self.active_tangent[l - 1].as_slice(),
                )
            };
            add_outer(simd, slot, from, below, transposed, gradient);
            add_outer_without_bias(
                simd,
                slot,
                from_tangent,
                below_tangent,
                transposed,
                gradient,
            );
            if l > 0 {
                let slope = S::as_simd_f32s(self.slope[l - 1].as_slice()).0;
                let curve = S::as_simd_f32s(self.curve[l - 1].as_slice()).0;
                let matrix = &net.backward[l - 1];
                linear(simd, matrix, from_tangent, to_tangent, &mut Plain);
                let tangents = S::as_mut_simd_f32s(&mut *to_tangent).0;
                let mut join = Join::<S> {
                    slope,
                    curve,
                    tangents,
                };
                linear(simd, matrix, from, to, &mut join);
                std::mem::swap(&mut from, &mut to);
                std::mem::swap(&mut from_tangent, &mut to_tangent);
            }
        }
    }
}

/// Applies the activation; keeps its slope and its second derivative.
struct Bend<'a, S: Simd> {
    slope: &'a mut [S::f32s],
    curve: &'a mut [S::f32s],
}

impl<S: Simd> Finish<S> for Bend<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        let kept = self.slope[at..].iter_mut().zip(&mut self.curve[at..]);
        for (value, (slope, curve)) in values.iter_mut().zip(kept) {
            (*value, *slope, *curve) = silu_slope_and_curve(simd, *value);
        }
    }
}

/// From `z'` to `h'`; the second derivative becomes `silu''(z) z'`.
struct Lean<'a, S: Simd> {
    slope: &'a [S::f32s],
    curve: &'a mut [S::f32s],
}

impl<S: Simd> Finish<S> for Lean<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        let kept = self.slope[at..].iter().zip(&mut self.curve[at..]);
        for (value, (slope, curve)) in values.iter_mut().zip(kept) {
            *curve = simd.mul_f32s(*curve, *value);
            *value = simd.mul_f32s(*value, *slope);
        }
    }
}

/// From the cotangents of `h` (the values) and of `h'` to those of `z` and `z'`.
struct Join<'a, S: Simd> {
    slope: &'a [S::f32s],
    curve: &'a [S::f32s],
    tangents: &'a mut [S::f32s],
}

impl<S: Simd> Finish<S> for Join<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        let kept = self.slope[at..].iter().zip(&self.curve[at..]);
        let both = values.iter_mut().zip(&mut self.tangents[at..]);
        for ((value, tangent), (slope, curve)) in both.zip(kept) {
            let bent = simd.mul_f32s(*curve, *tangent);
            *value = simd.mul_add_f32s(*value, *slope, bent);
            *tangent = simd.mul_f32s(*tangent, *slope);
        }
    }
}
