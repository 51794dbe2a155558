//! Measurements of a picture compared with those of a reference: `-mean w (A x - A y)^2`, `A` acting on rows and columns.

use super::light::Slope;

/// A linear map of a line of numbers whose rows are short: where each begins, and its weights.
pub(super) struct Bands {
    rows: Vec<(usize, Vec<f64>)>,
    /// Numbers that go in.
    width: usize,
}

impl Bands {
    /// What goes in comes out.
    pub fn identity(width: usize) -> Self {
        Self::averages(width, 1)
    }

    /// Means of blocks of `block`; the last one may be shorter.
    pub fn averages(width: usize, block: usize) -> Self {
        let row = |from: usize| {
            let length = block.min(width - from);
            (from, vec![1.0 / length as f64; length])
        };
        let rows = (0..width).step_by(block).map(row).collect();
        Self { rows, width }
    }

    /// Gaussian means of standard deviation `sd`, of what is there.
    pub fn gaussian(width: usize, sd: f64) -> Self {
        let reach = (3.0 * sd).ceil() as usize;
        let row = |at: usize| {
            let (from, to) = (at.saturating_sub(reach), (at + reach).min(width - 1));
            let weight = |k: usize| (-0.5 * ((k as f64 - at as f64) / sd).powi(2)).exp();
            let weights: Vec<f64> = (from..=to).map(weight).collect();
            let total: f64 = weights.iter().sum();
            (from, weights.into_iter().map(|w| w / total).collect())
        };
        let rows = (0..width).map(row).collect();
        Self { rows, width }
    }

    /// Applied to each of `planes` of `[height][width]`: along the columns' direction, then transposed, `[len][height]`.
    fn across(&self, plane: &[f64], height: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.rows.len() * height];
        for (y, line) in plane.chunks_exact(self.width).enumerate() {
            for (k, (from, weights)) in self.rows.iter().enumerate() {
                let part = &line[*from..from + weights.len()];
                out[k * height + y] = weights.iter().zip(part).map(|(w, v)| w * v).sum();
            }
        }
        out
    }

    /// The transpose of [`Self::across`]: of `[len][height]`, `[height][width]`.
    fn back(&self, turned: &[f64], height: usize) -> Vec<f64> {
        let mut out = vec![0.0; height * self.width];
        for (y, line) in out.chunks_exact_mut(self.width).enumerate() {
            for (k, (from, weights)) in self.rows.iter().enumerate() {
                let v = turned[k * height + y];
                for (to, w) in line[*from..].iter_mut().zip(weights) {
                    *to += w * v;
                }
            }
        }
        out
    }
}

/// A measurement of planes of one size, and what it gave of a reference.
pub(super) struct Measured {
    down: Bands,
    across: Bands,
    /// Weight of each number of a measured plane; all 1 where there are none.
    weights: Option<Vec<f64>>,
    /// Of all planes.
    target: Vec<f64>,
}

impl Measured {
    /// Of `reference`, planes of `down` by `across`, one after the other, 0 black to 1 white.
    pub fn new(down: Bands, across: Bands, weights: Option<Vec<f64>>, reference: &[f64]) -> Self {
        let mut measured = Self {
            down,
            across,
            weights,
            target: Vec::new(),
        };
        measured.target = measured.of(reference);
        measured
    }

    fn area(&self) -> usize {
        self.down.width * self.across.width
    }

    fn of(&self, planes: &[f64]) -> Vec<f64> {
        let planes = planes.chunks_exact(self.area());
        let one = |plane| {
            let turned = self.across.across(plane, self.down.width);
            self.down.across(&turned, self.across.rows.len())
        };
        planes.flat_map(one).collect()
    }

    /// Minus the mean of the squared differences from the reference; 0 where nothing is measured.
    pub fn match_of(&self, planes: &[f64], slope: Option<Slope<'_>>) -> f64 {
        let seen = self.of(planes);
        let measured = self.down.rows.len() * self.across.rows.len();
        let weight = |at: usize| self.weights.as_ref().map_or(1.0, |w| w[at % measured]);
        let total: f64 = (0..seen.len()).map(weight).sum();
        if total <= 0.0 {
            return 0.0;
        }
        let apart: Vec<f64> = seen.iter().zip(&self.target).map(|(a, b)| a - b).collect();
        let squares = apart.iter().enumerate().map(|(at, d)| weight(at) * d * d);
        let value = -squares.sum::<f64>() / total;
        if let Some(slope) = slope {
            let along = |(at, d): (usize, &f64)| -2.0 * slope.weight * weight(at) * d / total;
            let along: Vec<f64> = apart.iter().enumerate().map(along).collect();
            let into = slope.into.chunks_exact_mut(self.area());
            for (along, into) in along.chunks_exact(measured).zip(into) {
                let turned = self.down.back(along, self.across.rows.len());
                let back = self.across.back(&turned, self.down.width);
                for (to, v) in into.iter_mut().zip(back) {
                    *to += v;
                }
            }
        }
        value
    }
}
