//! What a device can take over from the processor's kernel.

use super::Rows;

/// A device that takes over what needs no derivative.
pub trait RowsOnDevice: std::fmt::Debug + Send + Sync {
    /// `x <- x + delta v(x)` row by row, under the states of `rows`; `bias` is [`super::FusedMlp::conditioned_bias`] of its
    /// times at `x_t = 0`. `false`, with `x` as it was, where the device failed.
    fn jump(&self, bias: &[f32], delta: f32, rows: Rows<'_>, x: &mut [[f32; 2]]) -> bool;
}
