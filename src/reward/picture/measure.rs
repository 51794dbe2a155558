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

    /// Weights about each place, nothing beyond the ends.
    pub fn window(width: usize, weights: &[f64]) -> Self {
        let reach = weights.len() / 2;
        let row = |at: usize| {
            let from = at.saturating_sub(reach);
            let first = from + reach - at;
            let end = weights.len().min(width + reach - at);
            (from, weights[first..end].to_vec())
        };
        let rows = (0..width).map(row).collect();
        Self { rows, width }
    }

    /// `count` rows, each of weights that stand at `first(row)`, which may lie outside: there the last number counts.
    pub fn held(
        width: usize,
        count: usize,
        weights: &[f64],
        first: impl Fn(usize) -> isize,
    ) -> Self {
        let row = |k: usize| {
            let place = |at: usize| (first(k) + at as isize).clamp(0, width as isize - 1) as usize;
            let (from, last) = (place(0), place(weights.len() - 1));
            let mut row = vec![0.0; last + 1 - from];
            for (at, weight) in weights.iter().enumerate() {
                row[place(at) - from] += weight;
            }
            (from, row)
        };
        let rows = (0..count).map(row).collect();
        Self { rows, width }
    }

    /// How many numbers come out.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Both ways over a plane of as many rows as `down` takes and as many columns as `across` takes.
    pub fn plane(down: &Self, across: &Self, plane: &[f64]) -> Vec<f64> {
        let turned = across.across(plane, down.width);
        down.across(&turned, across.len())
    }

    /// The transpose of [`Self::plane`].
    pub fn plane_back(down: &Self, across: &Self, plane: &[f64]) -> Vec<f64> {
        let turned = down.back(plane, across.len());
        across.back(&turned, down.width)
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
        planes
            .flat_map(|plane| Bands::plane(&self.down, &self.across, plane))
            .collect()
    }

    /// Minus the mean of the squared differences from the reference; 0 where nothing is measured.
    pub fn match_of(&self, planes: &[f64], slope: Option<Slope<'_>>) -> f64 {
        let seen = self.of(planes);
        let measured = self.down.len() * self.across.len();
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
                let back = Bands::plane_back(&self.down, &self.across, along);
                for (to, v) in into.iter_mut().zip(back) {
                    *to += v;
                }
            }
        }
        value
    }
}
