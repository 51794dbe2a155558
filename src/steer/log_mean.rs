//! Log-mean-exp with weighted means: what every self-normalised estimate is made of.

use crate::mixture::Point;

/// Log-mean-exp of scores and the mean of points under their softmax, in one pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogMean {
    max: f64,
    total: f64,
    sum: Point,
    count: u32,
}

impl Default for LogMean {
    fn default() -> Self {
        Self {
            max: f64::NEG_INFINITY,
            total: 0.0,
            sum: [0.0; 2],
            count: 0,
        }
    }
}

impl LogMean {
    #[inline]
    pub fn add(&mut self, score: f64, point: Point) {
        self.count += 1;
        // What must never be counts among the draws and weighs nothing.
        if score == f64::NEG_INFINITY {
            return;
        }
        if score > self.max {
            let keep = (self.max - score).exp();
            self.total *= keep;
            self.sum = self.sum.map(|v| v * keep);
            self.max = score;
        }
        // A score that is not a number spoils the sums, and so is seen.
        let weight = (score - self.max).exp();
        self.total += weight;
        self.sum = [
            self.sum[0] + weight * point[0],
            self.sum[1] + weight * point[1],
        ];
    }

    /// Whether every score was negative infinity: then there is no mean to go to.
    pub fn is_empty(&self) -> bool {
        self.total == 0.0
    }

    /// Negative infinity where every score is.
    pub fn value(&self) -> f64 {
        self.max + (self.total / f64::from(self.count)).ln()
    }

    /// 0 where every score is negative infinity.
    pub fn mean(&self) -> Point {
        if self.is_empty() {
            return [0.0; 2];
        }
        self.sum.map(|v| v / self.total)
    }
}
