//! What pictures go through first: the middle square, resized, as bytes less 127 over 128.

use burn::tensor::Tensor;

use crate::model::clip::{resampled, resizing};

/// Pictures `[B, C, H, W]`, grey or colour, -1 black and 1 white, as `[B, 3, size, size]` for the network: the shorter side
/// resized (bicubic, averaging where it shrinks), the middle of the longer one, normalised as in its training. By a
/// matrix for each side, so that gradients go through.
pub fn prepared(pictures: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = pictures.dims();
    let short = height.min(width);
    let x = resampled(pictures, size, |from| {
        let to = size * from / short;
        let first = (to - size) / 2;
        resizing(from, to, first..first + size)
    });
    // (byte - 127) / 128.
    (x * 127.5 + 0.5) / 128.0
}
