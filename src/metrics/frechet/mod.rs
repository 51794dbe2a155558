//! Frechet distance between two sets of feature vectors, as if each were a Gaussian.
//!
//! It is called FID only in the features of one particular network (Heusel et al., 2017, Inception); in those of our own
//! classifiers its figures can be compared with one another and with nothing else.

mod classes;
mod eigen;

use rayon::prelude::*;

pub use classes::FeatureClasses;
pub(crate) use eigen::eigen;
use eigen::{eigenvalues, square_root};

/// Mean and covariance of feature vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMoments {
    /// How many vectors.
    pub count: usize,
    /// `[F]`.
    pub mean: Vec<f64>,
    /// `[F][F]`, unbiased (`count - 1`); NaN with fewer than two vectors.
    pub covariance: Vec<f64>,
}

/// Vectors that are summed one after the other: the order of sums does not depend on the threads.
const BLOCK: usize = 1024;

impl FeatureMoments {
    /// Of `features`, `[count][width]`.
    ///
    /// # Panics
    /// When `features` is no whole number of vectors.
    pub fn of(features: &[f32], width: usize) -> Self {
        assert!(
            width > 0 && features.len().is_multiple_of(width),
            "whole vectors"
        );
        let count = features.len() / width;
        let mut mean = vec![0.0; width];
        for row in features.chunks_exact(width) {
            for (sum, v) in mean.iter_mut().zip(row) {
                *sum += f64::from(*v);
            }
        }
        for v in &mut mean {
            *v /= count as f64;
        }
        let parts: Vec<Vec<f64>> = features
            .par_chunks(BLOCK * width)
            .map(|block| {
                let mut sum = vec![0.0; width * width];
                let mut centred = vec![0.0; width];
                for row in block.chunks_exact(width) {
                    for ((c, v), m) in centred.iter_mut().zip(row).zip(&mean) {
                        *c = f64::from(*v) - m;
                    }
                    for (i, sums) in sum.chunks_exact_mut(width).enumerate() {
                        let left = centred[i];
                        for (sum, right) in sums.iter_mut().zip(&centred) {
                            *sum += left * right;
                        }
                    }
                }
                sum
            })
            .collect();
        let share = if count > 1 {
            1.0 / (count as f64 - 1.0)
        } else {
            f64::NAN
        };
        let covariance = (0..width * width)
            .map(|k| share * parts.iter().map(|part| part[k]).sum::<f64>())
            .collect();
        Self {
            count,
            mean,
            covariance,
        }
    }
}

/// `|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2)`: squared, as FID is. NaN where a moment is none.
///
/// # Panics
/// When the two have features of different widths.
pub fn frechet_distance(a: &FeatureMoments, b: &FeatureMoments) -> f64 {
    let n = a.mean.len();
    assert_eq!(n, b.mean.len(), "features of one width");
    let all = [&a.mean, &a.covariance, &b.mean, &b.covariance];
    if all.iter().any(|v| v.iter().any(|x| !x.is_finite())) {
        return f64::NAN;
    }
    let apart: f64 = a
        .mean
        .iter()
        .zip(&b.mean)
        .map(|(x, y)| (x - y).powi(2))
        .sum();
    let trace = |m: &[f64]| (0..n).map(|i| m[i * n + i]).sum::<f64>();
    let root = square_root(&a.covariance, n);
    let mut product = multiply(&multiply(&root, &b.covariance, n), &root, n);
    // It is symmetric but for rounding.
    for i in 0..n {
        for j in 0..i {
            let mean = f64::midpoint(product[i * n + j], product[j * n + i]);
            product[i * n + j] = mean;
            product[j * n + i] = mean;
        }
    }
    let shared: f64 = eigenvalues(product, n)
        .into_iter()
        .map(|v| v.max(0.0).sqrt())
        .sum();
    // Below zero by rounding alone.
    (apart + trace(&a.covariance) + trace(&b.covariance) - 2.0 * shared).max(0.0)
}

fn multiply(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    out.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        for k in 0..n {
            let left = a[i * n + k];
            for (out, right) in row.iter_mut().zip(&b[k * n..(k + 1) * n]) {
                *out += left * right;
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Address, Purpose, normal_pairs};

    fn gaussian(mean: &[f64], covariance: &[f64]) -> FeatureMoments {
        FeatureMoments {
            count: 100,
            mean: mean.to_vec(),
            covariance: covariance.to_vec(),
        }
    }

    #[test]
    fn gaussians_on_the_axes_have_their_closed_form() {
        // sum (m - m')^2 + (sd - sd')^2.
        let a = gaussian(&[1.0, -2.0], &[4.0, 0.0, 0.0, 0.25]);
        let b = gaussian(&[0.0, 1.0], &[1.0, 0.0, 0.0, 2.25]);
        let expected = 1.0 + 9.0 + 1.0 + 1.0;
        assert!((frechet_distance(&a, &b) - expected).abs() < 1e-12);
        assert!(frechet_distance(&a, &a).abs() < 1e-12);
    }

    #[test]
    fn tilted_gaussians_have_the_closed_form_of_two_dimensions() {
        // tr (A B)^1/2 = sqrt(tr(A B) + 2 sqrt(det A det B)) for 2x2.
        let (a, b) = ([2.0, 0.7, 0.7, 1.0], [0.6, -0.3, -0.3, 1.5]);
        let det = |m: &[f64; 4]| m[0] * m[3] - m[1] * m[2];
        let trace_product = a[0] * b[0] + a[1] * b[2] + a[2] * b[1] + a[3] * b[3];
        let shared = (trace_product + 2.0 * (det(&a) * det(&b)).sqrt()).sqrt();
        let expected = 3.0 + 2.1 - 2.0 * shared;
        let got = frechet_distance(&gaussian(&[0.0; 2], &a), &gaussian(&[0.0; 2], &b));
        assert!((got - expected).abs() < 1e-12, "{got} {expected}");
    }

    #[test]
    fn a_scaled_copy_in_many_dimensions_has_its_closed_form() {
        // S and c^2 S commute: the distance is (1 - c)^2 tr S, whatever S, singular ones included.
        let (n, rank, c) = (40, 25, 0.6);
        let mut s = vec![0.0; n * n];
        let mut normals = vec![[0.0_f32; 2]; n * rank / 2];
        normal_pairs(Address::new(1, Purpose::Test, 0), 0, &mut normals);
        let factor = normals.as_flattened();
        for i in 0..n {
            for j in 0..n {
                s[i * n + j] = (0..rank)
                    .map(|k| f64::from(factor[i * rank + k]) * f64::from(factor[j * rank + k]))
                    .sum();
            }
        }
        let scaled: Vec<f64> = s.iter().map(|v| c * c * v).collect();
        let trace: f64 = (0..n).map(|i| s[i * n + i]).sum();
        let zeros = vec![0.0; n];
        let got = frechet_distance(&gaussian(&zeros, &s), &gaussian(&zeros, &scaled));
        let expected = (1.0 - c) * (1.0 - c) * trace;
        // Roots of eigenvalues that are 0 but for rounding cost about 1e-7 each.
        assert!((got - expected).abs() < 1e-5 * trace, "{got} {expected}");
    }

    #[test]
    fn moments_of_a_sample_are_those_of_its_law_and_the_distance_is_theirs() {
        // x = (z1, 3 + z1 + z2): mean (0, 3), covariance [[1, 1], [1, 2]].
        let sample = |state| {
            let mut z = vec![[0.0_f32; 2]; 20_000];
            normal_pairs(Address::new(2, Purpose::Test, state), 0, &mut z);
            z
        };
        let tilted: Vec<f32> = sample(0)
            .iter()
            .flat_map(|z| [z[0], 3.0 + z[0] + z[1]])
            .collect();
        let a = FeatureMoments::of(&tilted, 2);
        for (got, expected) in a
            .mean
            .iter()
            .chain(&a.covariance)
            .zip([0.0, 3.0, 1.0, 1.0, 1.0, 2.0])
        {
            // Three standard errors of the largest.
            assert!((got - expected).abs() < 0.06, "{a:?}");
        }
        let b = FeatureMoments::of(sample(1).as_flattened(), 2);
        // Against N(0, I): 9 + 3 + 2 - 2 (sum of the roots of [[1, 1], [1, 2]]'s eigenvalues) = 14 - 2 sqrt(5).
        let expected = 14.0 - 2.0 * 5.0_f64.sqrt();
        assert!((frechet_distance(&a, &b) - expected).abs() < 0.2);
        let again = FeatureMoments::of(&tilted, 2);
        assert_eq!(again, a, "whatever the threads");
    }

    #[test]
    fn what_has_no_moments_has_no_distance() {
        let one = FeatureMoments::of(&[1.0, 2.0], 2);
        assert!(one.covariance[0].is_nan());
        let fine = gaussian(&[0.0; 2], &[1.0, 0.0, 0.0, 1.0]);
        assert!(frechet_distance(&one, &fine).is_nan());
    }
}
