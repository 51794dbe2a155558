//! What CLIP's pictures go through first: one side to the tower's size (bicubic, averaging where it shrinks), the other
//! cut or filled up, and CLIP's means and deviations. Both sizes change by a matrix each, so that gradients
//! go through and the same pixels count as in Pillow's `resize`, of which this is the arithmetic without its rounding to
//! bytes.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

/// Of red, green and blue, white being 1.
const MEANS: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const DEVIATIONS: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// How a picture that is not square becomes so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The shorter side to the tower's size, and the middle of the longer one.
    #[default]
    Crop,
    /// The longer side to the tower's size, and black on both sides of the shorter one.
    Pad,
}

impl Fit {
    /// Pictures `[B, C, H, W]`, grey or colour, -1 black and 1 white, as a tower of `[B, 3, size, size]` wants them.
    pub fn prepared(self, pictures: Tensor<4>, size: usize) -> Tensor<4> {
        prepared(pictures, size, self)
    }
}

fn prepared(pictures: Tensor<4>, size: usize, fit: Fit) -> Tensor<4> {
    let device = pictures.device();
    let [_, _, height, width] = pictures.dims();
    // Black is 0 from here on, so that what no pixel reaches is black.
    let x = resampled((pictures + 1.0) * 0.5, size, |from| {
        fitted(from, height, width, size, fit)
    });
    let three = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
    (x - three(MEANS)) / three(DEVIATIONS)
}

/// Pictures `[B, C, H, W]`, grey or colour, as colour `[B, 3, size, size]`, by a matrix for each side, so that gradients go
/// through: `mixed` gives that of a side of so many pixels, `[size][pixels]`.
pub(in crate::model) fn resampled(
    pictures: Tensor<4>,
    size: usize,
    mixed: impl Fn(usize) -> Vec<f32>,
) -> Tensor<4> {
    let device = pictures.device();
    let [batch, channels, height, width] = pictures.dims();
    let matrix =
        |from: usize| Tensor::<2>::from_data(TensorData::new(mixed(from), [size, from]), &device);
    let down = matrix(height).reshape([1, 1, size, height]);
    let across = matrix(width).transpose().reshape([1, 1, width, size]);
    let (down, across) = (
        down.expand([batch, channels, size, height]),
        across.expand([batch, channels, width, size]),
    );
    let x = down.matmul(pictures.matmul(across));
    // Grey pictures have three alike; of others the first three count.
    if channels < 3 {
        x.narrow(1, 0, 1).expand([batch, 3, size, size])
    } else {
        x.narrow(1, 0, 3)
    }
}

/// How `size` places are mixed of the `from` ones of one side of a picture, `[size][from]`.
fn fitted(from: usize, height: usize, width: usize, size: usize, fit: Fit) -> Vec<f32> {
    let (short, long) = (height.min(width), height.max(width));
    match fit {
        Fit::Crop => {
            // As torchvision rounds.
            let to = if from == short {
                size
            } else {
                size * from / short
            };
            let first = (to - size) / 2;
            resizing(from, to, first..first + size)
        }
        Fit::Pad => {
            // As Python rounds; a side of less than half a pixel keeps one.
            let to = (from as f64 * size as f64 / long as f64).round_ties_even();
            let to = (to as usize).clamp(1, size);
            let first = (size - to) / 2;
            let mut rows = vec![0.0; size * from];
            rows[first * from..(first + to) * from].copy_from_slice(&resizing(from, to, 0..to));
            rows
        }
    }
}

/// How the places `wanted` of `to` ones are mixed of `from` ones, `[wanted][from]`: Keys' cubic with a = -1/2, as wide as
/// the shrinking asks.
pub fn resizing(from: usize, to: usize, wanted: Range<usize>) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    let wide = scale.max(1.0);
    let mut matrix = vec![0.0; wanted.len() * from];
    for (place, row) in wanted.zip(matrix.chunks_exact_mut(from)) {
        let centre = (place as f64 + 0.5) * scale;
        let first = (centre - 2.0 * wide + 0.5).max(0.0) as usize;
        let end = ((centre + 2.0 * wide + 0.5) as usize).min(from);
        let weights: Vec<f64> = (first..end)
            .map(|x| cubic((x as f64 - centre + 0.5) / wide))
            .collect();
        let sum: f64 = weights.iter().sum();
        for (x, weight) in (first..end).zip(weights) {
            row[x] = (weight / sum) as f32;
        }
    }
    matrix
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
