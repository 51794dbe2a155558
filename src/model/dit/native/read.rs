//! What a layer reads: tokens brought to a norm, then modulated. Before attention, before the small network, and before the
//! last layer.

use super::kernels::{Kernels, Lane};
use super::spread::{First, gather, modulate, modulate_slope, spread_multiply};
use crate::model::simd::{Buffer, TILE};

/// The image that a tile begins with, and an image's tokens.
pub(super) type At = (First, usize);

/// One layer's reading of one tile, kept for its derivatives.
pub(super) struct Read {
    /// The normalised tokens, and `1 / spread`.
    unit: Buffer,
    per: Lane,
}

impl Read {
    /// Room for tokens of as many features as `unit` holds of a tile.
    pub fn new(unit: Buffer) -> Self {
        let per = [0.0; TILE];
        Self { unit, per }
    }

    /// Bytes of its room.
    pub fn bytes(&self) -> usize {
        self.unit.bytes()
    }

    /// Reads the tokens `h` into `out`.
    pub fn forward(
        &mut self,
        k: Kernels,
        h: &[f32],
        [shift, scale]: [&[f32]; 2],
        at: At,
        out: &mut [f32],
    ) {
        k.norm(h, self.unit.as_mut_slice(), &mut self.per);
        let unit = (self.unit.as_slice(), 1.0);
        modulate(k, unit, [shift, scale], at, out, false);
    }

    /// Along a direction `d_h` of the tokens and `turns` of shift and scale, into `out`; `room` is as large.
    pub fn tangent(
        &self,
        k: Kernels,
        d_h: &[f32],
        (scale, turns): (&[f32], [&[f32]; 2]),
        at: At,
        [room, out]: [&mut [f32]; 2],
    ) {
        let unit = self.unit.as_slice();
        k.norm_slope(d_h, unit, &self.per, room, false);
        modulate_slope(k, (room, unit), (scale, turns), at, out);
    }

    /// From the gradient `d` with respect to what is read, which is used up, to that with respect to the tokens, put into
    /// `h` or added; and to those with respect to shift and scale, where these are wanted.
    pub fn backward(
        &self,
        k: Kernels,
        d: &mut [f32],
        scale: &[f32],
        at: At,
        to: Option<[&mut [f32]; 2]>,
        (h, add): (&mut [f32], bool),
    ) {
        let unit = self.unit.as_slice();
        if let Some([d_shift, d_scale]) = to {
            gather(k, d, None, at, d_shift);
            gather(k, d, Some(unit), at, d_scale);
        }
        spread_multiply(k, d, (scale, 1.0), at);
        k.norm_slope(d, unit, &self.per, h, add);
    }
}
