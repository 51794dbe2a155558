//! Looks at edges and strokes: functions of the light of neighbouring pixels, 0 black to 1 white.

use super::light::{Slope, soft_root};

/// A plane of so many columns.
#[derive(Clone, Copy)]
pub(super) struct Plane<'a> {
    numbers: &'a [f64],
    columns: usize,
}

impl<'a> Plane<'a> {
    pub fn new(numbers: &'a [f64], columns: usize) -> Self {
        Self { numbers, columns }
    }

    /// The steps to the right and down from a pixel; 0 at the border.
    fn steps(&self, at: usize) -> [f64; 2] {
        let to = |next: Option<usize>| next.map_or(0.0, |n| self.numbers[n] - self.numbers[at]);
        self.next(at).map(to)
    }

    /// The pixels to the right and below.
    fn next(&self, at: usize) -> [Option<usize>; 2] {
        let right = (at % self.columns + 1 < self.columns).then_some(at + 1);
        let below = at + self.columns;
        [right, (below < self.numbers.len()).then_some(below)]
    }

    /// Sum over all pixels of a function of the squared step, which gives its derivative too; derivatives of the sum are
    /// added to `slope`.
    fn over_steps(self, of: impl Fn(f64) -> (f64, f64), mut slope: Option<Slope<'_>>) -> f64 {
        let mut sum = 0.0;
        for at in 0..self.numbers.len() {
            let steps = self.steps(at);
            let (value, by_square) = of(steps[0] * steps[0] + steps[1] * steps[1]);
            sum += value;
            let Some(slope) = &mut slope else {
                continue;
            };
            for (next, step) in self.next(at).into_iter().zip(steps) {
                if let Some(next) = next {
                    let along = slope.weight * by_square * 2.0 * step;
                    slope.into[next] += along;
                    slope.into[at] -= along;
                }
            }
        }
        sum
    }

    /// Thickness of light strokes on dark, in pixels: twice the area of the light over the length of its outline, which
    /// is the total variation. A stroke of width `w` and length `l` has the area `w l` and an outline of about `2 l`;
    /// how soft its edge is does not matter.
    pub fn thickness(self, slope: Option<Slope<'_>>) -> f64 {
        /// Where the root of a squared step turns smooth.
        const SOFT: f64 = 0.02;
        /// Outline of a picture that has none, in pixels: a black one has no thickness.
        const LEAST: f64 = 1.0;
        let area: f64 = self.numbers.iter().sum();
        let outline = LEAST + self.over_steps(|square| soft_root(square, SOFT), None);
        let thickness = 2.0 * area / outline;
        if let Some(slope) = slope {
            for to in slope.into.iter_mut() {
                *to += slope.weight * 2.0 / outline;
            }
            let of_outline = Slope {
                weight: -slope.weight * thickness / outline,
                into: slope.into,
            };
            self.over_steps(|square| soft_root(square, SOFT), Some(of_outline));
        }
        thickness
    }

    /// Share of the pixels at an edge: a step of a tenth of the way from black to white counts half.
    pub fn edges(self, slope: Option<Slope<'_>>) -> f64 {
        /// The square of such a step.
        const HALF: f64 = 0.1 * 0.1;
        let n = self.numbers.len().max(1) as f64;
        let share = |square: f64| {
            let whole = square + HALF;
            (square / whole, HALF / (whole * whole))
        };
        let slope = slope.map(|slope| Slope {
            weight: slope.weight / n,
            ..slope
        });
        self.over_steps(share, slope) / n
    }

    /// Each pixel's Laplacian; neighbours beyond the border are as the pixel itself.
    fn laplacian(self) -> Vec<f64> {
        let mut sums = vec![0.0; self.numbers.len()];
        for at in 0..self.numbers.len() {
            for (next, step) in self.next(at).into_iter().zip(self.steps(at)) {
                if let Some(next) = next {
                    sums[at] += step;
                    sums[next] -= step;
                }
            }
        }
        sums
    }

    /// Root mean square of the Laplacian.
    pub fn sharpness(self, slope: Option<Slope<'_>>) -> f64 {
        /// Where the root turns smooth: far below what is seen.
        const SOFT: f64 = 0.002;
        let n = self.numbers.len().max(1) as f64;
        let laplacian = self.laplacian();
        let square = laplacian.iter().map(|v| v * v).sum::<f64>() / n;
        let (root, by_square) = soft_root(square, SOFT);
        if let Some(slope) = slope {
            // The Laplacian is its own transpose.
            let twice = Plane::new(&laplacian, self.columns).laplacian();
            for (to, v) in slope.into.iter_mut().zip(twice) {
                *to += slope.weight * by_square * 2.0 * v / n;
            }
        }
        root
    }
}
