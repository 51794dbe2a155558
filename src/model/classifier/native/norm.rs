//! Norms and the activation behind them on the processor.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use pulp::{Arch, Scalar, Simd, WithSimd};

use super::super::{EPSILON, GROUP};
use crate::model::simd::silu_and_slope;

/// Over what a norm takes mean and spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// A group of channels of an image.
    Group,
    /// A channel of all images that pass together.
    Images,
    /// Nothing: what batch norm becomes once it is learned, a scale and a shift.
    Nothing,
}

/// `silu(gamma (x - mean) / spread + beta)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    pub(super) over: Over,
    /// Where `gamma` lies among all weights; `beta` is behind it.
    pub(super) at: usize,
    pub(super) width: usize,
    /// Rows and columns.
    pub(super) size: [usize; 2],
}

/// What a norm gave for a unit of images, and what its gradient needs.
#[derive(Debug)]
pub(super) struct Kept {
    /// Images of the unit that count.
    live: usize,
    /// `(x - mean) / spread`, `[U][width][rows columns]`.
    unit: Vec<f32>,
    /// Slope of the activation; the backward pass uses it up.
    slope: Vec<f32>,
    /// `1 / spread`: `[U][groups]`, or of each channel of all images.
    per: Vec<f32>,
    /// Of each channel of all images, where that is what they are over: mean and variance.
    pub(super) means: Vec<f32>,
    pub(super) variances: Vec<f32>,
    /// What is given on, within a border of zeros: `[U][width][rows + 2][columns + 2]`.
    pub(super) active: Vec<f32>,
    line: Vec<f32>,
}

impl Norm {
    /// Numbers of `gamma` and `beta`.
    pub(super) fn len(&self) -> usize {
        2 * self.width
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Numbers of a channel with its border.
    pub(super) fn plane(&self) -> usize {
        (self.size[0] + 2) * (self.size[1] + 2)
    }

    /// For `unit` images that pass together.
    pub(super) fn room(&self, unit: usize) -> Kept {
        let all = unit * self.width * self.pixels();
        Kept {
            live: unit,
            unit: vec![0.0; all],
            slope: vec![0.0; all],
            per: vec![0.0; (unit * self.width / GROUP).max(self.width)],
            means: vec![0.0; self.width],
            variances: vec![0.0; self.width],
            active: vec![0.0; unit * self.width * self.plane()],
            line: vec![0.0; self.pixels()],
        }
    }

    /// Of the first `live` images of `x`.
    pub(super) fn forward(
        &self,
        arch: Arch,
        (flat, x): (&[f32], &[f32]),
        live: usize,
        kept: &mut Kept,
    ) {
        kept.live = live;
        arch.dispatch(Forward(self, flat, x, kept));
    }

    /// From the gradient of `active`, with its border: that of `gamma` and `beta` is added where it is wanted, that of `x`
    /// put into `d_x` or added.
    pub(super) fn backward(
        &self,
        arch: Arch,
        (flat, d_active): (&[f32], &[f32]),
        kept: &mut Kept,
        gradient: Option<&mut [f32]>,
        (d_x, add): (&mut [f32], bool),
    ) {
        arch.dispatch(BackwardPass {
            norm: self,
            flat,
            d_active,
            kept,
            gradient,
            d_x,
            add,
        });
    }

    /// Where group `number`, counted over all images, lies without a border.
    #[inline(always)]
    fn span(&self, number: usize) -> std::ops::Range<usize> {
        let len = GROUP * self.pixels();
        number * len..(number + 1) * len
    }

    /// Mean and variance of each channel over the images that count.
    #[inline(always)]
    fn look_over_images(&self, x: &[f32], kept: &mut Kept) {
        let pixels = self.pixels();
        let scale = 1.0 / (kept.live * pixels) as f32;
        for channel in 0..self.width {
            let planes = (0..kept.live).map(|image| {
                let at = (image * self.width + channel) * pixels;
                &x[at..at + pixels]
            });
            let mean: f32 = planes.clone().map(|x| scale * sum(x, x, |x, _| x)).sum();
            let square = |x: &[f32]| scale * sum(x, x, |x, _| (x - mean) * (x - mean));
            let variance: f32 = planes.map(square).sum();
            kept.means[channel] = mean;
            kept.variances[channel] = variance;
            kept.per[channel] = 1.0 / (variance + EPSILON).sqrt();
        }
    }

    /// The rows of channel `number`, counted over all images, within its border.
    #[inline(always)]
    fn inner(&self, number: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        let [rows, columns] = self.size;
        let first = number * self.plane() + columns + 3;
        (0..rows).map(move |row| {
            let at = first + row * (columns + 2);
            at..at + columns
        })
    }
}

struct Forward<'a>(&'a Norm, &'a [f32], &'a [f32], &'a mut Kept);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(norm, flat, x, kept) = self;
        let (pixels, groups) = (norm.pixels(), norm.width / GROUP);
        let (gamma, beta) = flat[norm.at..norm.at + norm.len()].split_at(norm.width);
        if norm.over == Over::Images {
            norm.look_over_images(x, kept);
        }
        for number in 0..kept.live * groups {
            let span = norm.span(number);
            let (x, unit) = (&x[span.clone()], &mut kept.unit[span.clone()]);
            if norm.over == Over::Group {
                let scale = 1.0 / x.len() as f32;
                let mean = scale * sum(x, x, |x, _| x);
                let square = scale * sum(x, x, |x, _| (x - mean) * (x - mean));
                let per = 1.0 / (square + EPSILON).sqrt();
                kept.per[number] = per;
                for (unit, x) in unit.iter_mut().zip(x) {
                    *unit = (x - mean) * per;
                }
            } else {
                let channels = unit.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels));
                for (c, (unit, x)) in channels.enumerate() {
                    let channel = number % groups * GROUP + c;
                    let (mean, per) = match norm.over {
                        Over::Images => (kept.means[channel], kept.per[channel]),
                        _ => (0.0, 1.0),
                    };
                    for (unit, x) in unit.iter_mut().zip(x) {
                        *unit = (x - mean) * per;
                    }
                }
            }
            let channels = unit
                .chunks_exact(pixels)
                .zip(kept.slope[span].chunks_exact_mut(pixels));
            for (c, (unit, slope)) in channels.enumerate() {
                let channel = number % groups * GROUP + c;
                let (gamma, beta) = (gamma[channel], beta[channel]);
                for (z, unit) in slope.iter_mut().zip(unit) {
                    *z = gamma * unit + beta;
                }
                let (z, z_rest) = S::as_mut_simd_f32s(slope);
                let (y, y_rest) = S::as_mut_simd_f32s(&mut kept.line);
                for (z, y) in z.iter_mut().zip(y) {
                    (*y, *z) = silu_and_slope(simd, *z);
                }
                for (z, y) in z_rest.iter_mut().zip(y_rest) {
                    (*y, *z) = silu_and_slope(Scalar::new(), *z);
                }
                let rows = norm.inner(number * GROUP + c);
                for (row, line) in rows.zip(kept.line.chunks_exact(norm.size[1])) {
                    kept.active[row].copy_from_slice(line);
                }
            }
        }
    }
}

struct BackwardPass<'a> {
    norm: &'a Norm,
    flat: &'a [f32],
    d_active: &'a [f32],
    kept: &'a mut Kept,
    gradient: Option<&'a mut [f32]>,
    d_x: &'a mut [f32],
    add: bool,
}

impl WithSimd for BackwardPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            norm,
            flat,
            d_active,
            kept,
            mut gradient,
            d_x,
            add,
        } = self;
        let (pixels, groups) = (norm.pixels(), norm.width / GROUP);
        let gamma = &flat[norm.at..norm.at + norm.width];
        let keep = if add { 1.0 } else { 0.0 };
        for number in 0..kept.live * groups {
            let span = norm.span(number);
            // The slope becomes the gradient of `unit`.
            let (unit, d) = (&kept.unit[span.clone()], &mut kept.slope[span.clone()]);
            let channels = unit.chunks_exact(pixels).zip(d.chunks_exact_mut(pixels));
            for (c, (unit, d)) in channels.enumerate() {
                let rows = norm.inner(number * GROUP + c);
                for (row, d) in rows.zip(d.chunks_exact_mut(norm.size[1])) {
                    for (d, from) in d.iter_mut().zip(&d_active[row]) {
                        *d *= from;
                    }
                }
                let channel = number % groups * GROUP + c;
                if let Some(gradient) = gradient.as_deref_mut() {
                    gradient[norm.at + channel] += sum(d, unit, |d, unit| d * unit);
                    gradient[norm.at + norm.width + channel] += sum(d, d, |d, _| d);
                }
                for d in d {
                    *d *= gamma[channel];
                }
            }
            let (unit, d) = (&kept.unit[span.clone()], &kept.slope[span.clone()]);
            let (mean, along, per) = match norm.over {
                Over::Group => {
                    let scale = 1.0 / d.len() as f32;
                    let mean = scale * sum(d, d, |d, _| d);
                    (
                        mean,
                        scale * sum(d, unit, |d, unit| d * unit),
                        kept.per[number],
                    )
                }
                Over::Nothing => (0.0, 0.0, 1.0),
                // Below, when all images are known.
                Over::Images => continue,
            };
            for ((d_x, d), unit) in d_x[span].iter_mut().zip(d).zip(unit) {
                *d_x = keep * *d_x + (d - mean - unit * along) * per;
            }
        }
        if norm.over != Over::Images {
            return;
        }
        let scale = 1.0 / (kept.live * pixels) as f32;
        for channel in 0..norm.width {
            let of_image = |image: usize| {
                let at = (image * norm.width + channel) * pixels;
                at..at + pixels
            };
            let (mut mean, mut along) = (0.0, 0.0);
            for span in (0..kept.live).map(of_image) {
                let (unit, d) = (&kept.unit[span.clone()], &kept.slope[span]);
                mean += scale * sum(d, d, |d, _| d);
                along += scale * sum(d, unit, |d, unit| d * unit);
            }
            let per = kept.per[channel];
            for span in (0..kept.live).map(of_image) {
                let (unit, d) = (&kept.unit[span.clone()], &kept.slope[span.clone()]);
                for ((d_x, d), unit) in d_x[span].iter_mut().zip(d).zip(unit) {
                    *d_x = keep * *d_x + (d - mean - unit * along) * per;
                }
            }
        }
    }
}

/// The sum of `of(a, b)`, in an order that vectors can follow.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    const WIDE: usize = 64;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += of(*a, *b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| of(*a, *b));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}
