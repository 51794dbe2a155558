//! The numbers that BRISQUE describes a picture with, and their derivatives (Mittal, Moorthy and Bovik, 2012), as the PyPI
//! package `brisque` computes them.
//!
//! Grey values lose their local mean and are divided by their local deviation; how these and the products of neighbours
//! are spread is described by asymmetric generalised Gaussians, at the picture's own size and at half of it. The shape of
//! a generalised Gaussian is found where a ratio of moments has its value: what tables look up is solved here, so that it
//! has a slope. Shapes end at 10 and at 0.2, as in the tables; beyond, the package's own search gives arbitrary numbers.

mod spread;

use std::sync::Arc;

use super::light::Slope;
use super::measure::Bands;
use crate::model::BrisqueModel;

use spread::Spread;

/// Of red, green and blue.
const GREY: [f64; 3] = [0.2125, 0.7154, 0.0721];
/// Pixels of the local window, and its deviation.
const WINDOW: usize = 7;
const DEVIATION: f64 = 7.0 / 6.0;
/// Added to the local deviation.
const LEAST: f64 = 1.0 / 255.0;
/// Half a step of Keys' cubic with a = -3/4, as OpenCV halves pictures.
const HALVING: [f64; 4] = [-0.09375, 0.59375, 0.59375, -0.09375];
/// Numbers of one scale.
const OF_SCALE: usize = BrisqueModel::FEATURES / 2;

/// BRISQUE of pictures of one size.
pub(super) struct Brisque {
    model: Arc<BrisqueModel>,
    shape: [usize; 3],
    scales: [Scale; 2],
    /// To half the size.
    halves: [Bands; 2],
}

impl Brisque {
    /// Least height and width: half of it must hold more than the local window.
    pub const LEAST_SIDE: usize = 16;

    /// Of pictures `[C, H, W]` of at least [`Self::LEAST_SIDE`] rows and columns.
    pub fn new(model: Arc<BrisqueModel>, shape: [usize; 3]) -> Self {
        let [_, rows, columns] = shape;
        // As OpenCV rounds half a number of pixels: to the even one.
        let half = |side: usize| side / 2 + usize::from(side % 4 == 3);
        let halving = |side| Bands::held(side, half(side), &HALVING, |k| 2 * k as isize - 1);
        Self {
            model,
            shape,
            scales: [
                Scale::new(rows, columns),
                Scale::new(half(rows), half(columns)),
            ],
            halves: [halving(rows), halving(columns)],
        }
    }

    /// Of numbers from 0 to 1, `[C][H][W]`: 0 is best and 100 bad.
    pub fn score(&self, unit: &[f64], slope: Option<Slope<'_>>) -> f64 {
        let area = self.shape[1] * self.shape[2];
        let shares = shares(self.shape[0]);
        let grey = grey(unit, self.shape);
        let [down, across] = &self.halves;
        let half = Bands::plane(down, across, &grey);
        let [whole_scale, half_scale] = &self.scales;
        let (whole_seen, half_seen) = (whole_scale.see(&grey), half_scale.see(&half));
        let mut features = [0.0; BrisqueModel::FEATURES];
        features[..OF_SCALE].copy_from_slice(&whole_seen.features());
        features[OF_SCALE..].copy_from_slice(&half_seen.features());
        let (score, slopes) = self.model.score(&features);
        if let Some(Slope { weight, into }) = slope {
            let mut by_grey = whole_scale.back(&grey, &whole_seen, &slopes[..OF_SCALE]);
            let by_half = half_scale.back(&half, &half_seen, &slopes[OF_SCALE..]);
            let more = Bands::plane_back(down, across, &by_half);
            for (to, more) in by_grey.iter_mut().zip(more) {
                *to += more;
            }
            for (at, to) in into.iter_mut().enumerate() {
                *to += weight * shares[at / area] * by_grey[at % area];
            }
        }
        score
    }

    /// The 36 numbers.
    #[cfg(test)]
    pub fn features(&self, grey: &[f64]) -> Vec<f64> {
        let half = Bands::plane(&self.halves[0], &self.halves[1], grey);
        let whole = self.scales[0].see(grey).features();
        let half = self.scales[1].see(&half).features();
        whole.into_iter().chain(half).collect()
    }
}

/// How much each channel counts.
fn shares(channels: usize) -> &'static [f64] {
    if channels == 3 { &GREY } else { &[1.0] }
}

/// Grey values, `[H][W]`.
fn grey(unit: &[f64], [channels, rows, columns]: [usize; 3]) -> Vec<f64> {
    let area = rows * columns;
    let at = |at: usize| {
        let shares = shares(channels).iter().enumerate();
        shares.map(|(c, share)| share * unit[c * area + at]).sum()
    };
    (0..area).map(at).collect()
}

/// One scale: planes of one size.
struct Scale {
    columns: usize,
    /// The local window, rows and columns.
    window: [Bands; 2],
}

/// What a scale sees in a plane.
struct Seen {
    /// Grey values without their local mean, over their local deviation.
    normal: Vec<f64>,
    /// Their local mean.
    mean: Vec<f64>,
    /// Squared local deviation, with the sign that rounding gives.
    square: Vec<f64>,
    /// Spread of `normal` and of its products with neighbours.
    spreads: [Spread; 5],
}

/// Where the neighbour of each product lies: rows down, columns across; the first is none.
const NEIGHBOURS: [(usize, isize); 5] = [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1)];

impl Seen {
    /// Shape and variance of the values; shape, mean and both variances of each product.
    fn features(&self) -> [f64; OF_SCALE] {
        let mut features = [0.0; OF_SCALE];
        let [own, products @ ..] = &self.spreads;
        features[0] = own.shape;
        features[1] = f64::midpoint(own.left.square, own.right.square);
        for (to, spread) in features[2..].chunks_exact_mut(4).zip(products) {
            to[0] = spread.shape;
            to[1] = spread.mean();
            to[2] = spread.left.square;
            to[3] = spread.right.square;
        }
        features
    }
}

impl Scale {
    fn new(rows: usize, columns: usize) -> Self {
        let middle = (WINDOW / 2) as f64;
        let weight = |k: usize| (-0.5 * ((k as f64 - middle) / DEVIATION).powi(2)).exp();
        let weights: Vec<f64> = (0..WINDOW).map(weight).collect();
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.into_iter().map(|w| w / total).collect();
        Self {
            columns,
            window: [rows, columns].map(|side| Bands::window(side, &weights)),
        }
    }

    fn local(&self, plane: &[f64]) -> Vec<f64> {
        Bands::plane(&self.window[0], &self.window[1], plane)
    }

    fn see(&self, plane: &[f64]) -> Seen {
        let mean = self.local(plane);
        let squares: Vec<f64> = plane.iter().map(|v| v * v).collect();
        let square: Vec<f64> = self
            .local(&squares)
            .iter()
            .zip(&mean)
            .map(|(square, mean)| square - mean * mean)
            .collect();
        let normal: Vec<f64> = (0..plane.len())
            .map(|at| (plane[at] - mean[at]) / (square[at].abs().sqrt() + LEAST))
            .collect();
        let spreads = NEIGHBOURS.map(|to| {
            let places = self.places(normal.len(), to);
            let products = places.map(|(a, b)| product(&normal, a, b));
            Spread::of(&products.collect::<Vec<_>>())
        });
        Seen {
            normal,
            mean,
            square,
            spreads,
        }
    }

    /// Places and those of their neighbours, where both are.
    fn places(
        &self,
        count: usize,
        (down, across): (usize, isize),
    ) -> impl Iterator<Item = (usize, usize)> {
        let columns = self.columns;
        (0..count - down * columns).filter_map(move |at| {
            let column = (at % columns).checked_add_signed(across)?;
            (column < columns).then_some((at, at - at % columns + column + down * columns))
        })
    }

    /// Derivatives by the plane of a function with these derivatives by the numbers.
    fn back(&self, plane: &[f64], seen: &Seen, by_features: &[f64]) -> Vec<f64> {
        let normal = &seen.normal;
        let mut by_normal = vec![0.0; normal.len()];
        for (kind, (spread, to)) in seen.spreads.iter().zip(NEIGHBOURS).enumerate() {
            let own = kind == 0;
            let of = if own { 0 } else { 4 * kind - 2 };
            let slopes = if own {
                let variance = 0.5 * by_features[1];
                [by_features[0], 0.0, variance, variance]
            } else {
                [0, 1, 2, 3].map(|k| by_features[of + k])
            };
            let slope = spread.slope(slopes);
            for (a, b) in self.places(normal.len(), to) {
                let along = slope.at(product(normal, a, b));
                if own {
                    by_normal[a] += along;
                } else {
                    by_normal[a] += along * normal[b];
                    by_normal[b] += along * normal[a];
                }
            }
        }
        // Through the division, the deviation and both local means.
        let (mut by_plane, mut by_mean, mut by_squares) = (
            vec![0.0; plane.len()],
            vec![0.0; plane.len()],
            vec![0.0; plane.len()],
        );
        for at in 0..plane.len() {
            let deviation = seen.square[at].abs().sqrt();
            let along = by_normal[at] / (deviation + LEAST);
            by_plane[at] += along;
            by_mean[at] -= along;
            // Where nothing varies the deviation has its least value, and no slope.
            if deviation > 1e-9 {
                let by_square = -along * normal[at] * 0.5 * seen.square[at].signum() / deviation;
                by_squares[at] += by_square;
                by_mean[at] -= 2.0 * seen.mean[at] * by_square;
            }
        }
        // The window is as wide to both sides: its transpose is itself.
        let (by_mean, by_squares) = (self.local(&by_mean), self.local(&by_squares));
        for at in 0..plane.len() {
            by_plane[at] += by_mean[at] + 2.0 * plane[at] * by_squares[at];
        }
        by_plane
    }
}

/// A value, or its product with a neighbour.
fn product(normal: &[f64], a: usize, b: usize) -> f64 {
    if a == b {
        normal[a]
    } else {
        normal[a] * normal[b]
    }
}

#[cfg(test)]
mod tests;
