//! What pictures go through first: the middle square, resized, as bytes less 127 over 128.

use burn::tensor::{Tensor, TensorData};

use crate::model::clip::resizing;

/// Pictures `[B, C, H, W]`, grey or colour, -1 black and 1 white, as `[B, 3, size, size]` for the network: the shorter side
/// resized (bicubic, averaging where it shrinks), the middle of the longer one, normalised as in its training. By a
/// matrix for each side, so that gradients go through.
pub fn prepared(pictures: Tensor<4>, size: usize) -> Tensor<4> {
    let device = pictures.device();
    let [batch, channels, height, width] = pictures.dims();
    let short = height.min(width);
    let matrix = |from: usize| {
        let to = size * from / short;
        let first = (to - size) / 2;
        let rows = resizing(from, to, first..first + size);
        Tensor::<2>::from_data(TensorData::new(rows, [size, from]), &device)
    };
    let down = matrix(height).reshape([1, 1, size, height]);
    let across = matrix(width).transpose().reshape([1, 1, width, size]);
    let (down, across) = (
        down.expand([batch, channels, size, height]),
        across.expand([batch, channels, width, size]),
    );
    let x = down.matmul(pictures.matmul(across));
    // Grey pictures have three alike; of others the first three count.
    let x = if channels < 3 {
        x.narrow(1, 0, 1).expand([batch, 3, size, size])
    } else {
        x.narrow(1, 0, 3)
    };
    // (byte - 127) / 128.
    (x * 127.5 + 0.5) / 128.0
}
