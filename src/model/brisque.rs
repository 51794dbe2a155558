//! BRISQUE's regression: a quality from 36 numbers that describe a picture, learned from what people said of distorted
//! photos (Mittal, Moorthy and Bovik, 2012). 0 is best and 100 bad.

/// Support vectors with a Gaussian kernel, and the ranges that the numbers are brought from.
#[derive(Debug, Clone, PartialEq)]
pub struct BrisqueModel {
    /// Of the kernel: `exp(-gamma |x - s|^2)`.
    pub gamma: f64,
    /// What is taken from the sum.
    pub rho: f64,
    /// Support vectors and their weights.
    pub vectors: Vec<(f64, [f64; BrisqueModel::FEATURES])>,
    /// Least and most of every number where it was learned: brought to -1 and 1.
    pub ranges: [(f64, f64); BrisqueModel::FEATURES],
}

impl BrisqueModel {
    /// Numbers that describe a picture: 18 at each of two scales.
    pub const FEATURES: usize = 36;

    /// The quality, less is better, and its derivatives by the 36 numbers.
    pub fn score(&self, features: &[f64; Self::FEATURES]) -> (f64, [f64; BrisqueModel::FEATURES]) {
        let mut scaled = [0.0; Self::FEATURES];
        for ((to, feature), (least, most)) in scaled.iter_mut().zip(features).zip(&self.ranges) {
            *to = -1.0 + 2.0 * (feature - least) / (most - least);
        }
        let (mut sum, mut slopes) = (-self.rho, [0.0; Self::FEATURES]);
        for (weight, vector) in &self.vectors {
            let apart = |at: usize| scaled[at] - vector[at];
            let squares: f64 = (0..Self::FEATURES).map(|at| apart(at).powi(2)).sum();
            let value = weight * (-self.gamma * squares).exp();
            sum += value;
            for (at, slope) in slopes.iter_mut().enumerate() {
                *slope -= 2.0 * self.gamma * value * apart(at);
            }
        }
        for (slope, (least, most)) in slopes.iter_mut().zip(&self.ranges) {
            *slope *= 2.0 / (most - least);
        }
        (sum, slopes)
    }
}
