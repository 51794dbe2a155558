//! How far a feature vector is from what its class usually looks like.

use super::FeatureMoments;
use super::eigen::inverse_root;

/// Classes as Gaussians that share a covariance (Lee et al., 2018): a classifier alone is sure of much that is like
/// nothing it has seen, of noise for one.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureClasses {
    /// `[classes][F]`; NaN for a class without vectors.
    means: Vec<f64>,
    /// Symmetric root of the inverse of the covariance within classes, `[F][F]`.
    whitening: Vec<f64>,
    width: usize,
}

impl FeatureClasses {
    /// Of `features`, `[count][width]`, with a class each.
    ///
    /// # Panics
    /// When a class is not below `classes`, or the two are not as many.
    pub fn of(features: &[f32], width: usize, labels: &[u16], classes: usize) -> Self {
        assert_eq!(features.len(), labels.len() * width, "a class a vector");
        let mut means = vec![0.0; classes * width];
        let mut counts = vec![0.0; classes];
        for (row, label) in features.chunks_exact(width).zip(labels) {
            let class = usize::from(*label);
            counts[class] += 1.0;
            for (sum, v) in means[class * width..].iter_mut().zip(row) {
                *sum += f64::from(*v);
            }
        }
        for (mean, count) in means.chunks_exact_mut(width).zip(&counts) {
            for v in mean {
                *v /= count;
            }
        }
        let centred: Vec<f32> = features
            .chunks_exact(width)
            .zip(labels)
            .flat_map(|(row, label)| {
                let mean = &means[usize::from(*label) * width..];
                row.iter()
                    .zip(mean)
                    .map(|(v, m)| (f64::from(*v) - m) as f32)
            })
            .collect();
        let within = FeatureMoments::of(&centred, width).covariance;
        Self {
            whitening: inverse_root(&within, width),
            means,
            width,
        }
    }

    /// Squared Mahalanobis distance of a vector from the mean of `class`; NaN for a class without vectors.
    pub fn distance_squared(&self, feature: &[f32], class: usize) -> f64 {
        let mean = &self.means[class * self.width..(class + 1) * self.width];
        self.whitening
            .chunks_exact(self.width)
            .map(|row| {
                let along: f64 = row
                    .iter()
                    .zip(feature)
                    .zip(mean)
                    .map(|((w, v), m)| w * (f64::from(*v) - m))
                    .sum();
                along * along
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Address, Purpose, normal_pairs};

    #[test]
    fn distances_are_in_standard_deviations_of_the_class_whatever_the_axes() {
        // Two classes at (0, 0) and (10, 0) of x = (2 z1, z1 + z2): covariance [[4, 2], [2, 2]].
        let n = 40_000;
        let mut z = vec![[0.0_f32; 2]; n];
        normal_pairs(Address::new(3, Purpose::Test, 0), 0, &mut z);
        let labels: Vec<u16> = (0..n).map(|i| (i % 2) as u16).collect();
        let features: Vec<f32> = z
            .iter()
            .zip(&labels)
            .flat_map(|(z, label)| [2.0 * z[0] + 10.0 * f32::from(*label), z[0] + z[1]])
            .collect();
        let classes = FeatureClasses::of(&features, 2, &labels, 3);
        // (2, 1) is z = (1, 0); (2, 3) is z = (1, 2).
        for (point, class, expected) in [
            ([2.0, 1.0], 0, 1.0),
            ([2.0, 3.0], 0, 5.0),
            ([12.0, 3.0], 1, 5.0),
        ] {
            let got = classes.distance_squared(&point, class);
            // The covariance is known to about 1 %.
            assert!((got - expected).abs() < 0.04 * expected, "{got} {expected}");
        }
        assert!(classes.distance_squared(&[0.0, 0.0], 2).is_nan());
    }
}
