//! How far a feature vector is from what its class usually looks like.

use serde::{Deserialize, Serialize};

use super::FeatureMoments;
use super::eigen::inverse_root;

/// Classes as Gaussians that share a covariance (Lee et al., 2018): a classifier alone is sure of much that is like
/// nothing it has seen, of noise for one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FeatureClasses {
    /// `[classes][F]`; NaN for a class without vectors.
    means: Vec<f64>,
    /// Symmetric root of the inverse of the covariance within classes, `[F][F]`.
    whitening: Vec<f64>,
    width: usize,
}

/// As it is written: in single precision, which is more than it is known to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    width: usize,
    means: Vec<f32>,
    whitening: Vec<f32>,
}

impl From<FeatureClasses> for Written {
    fn from(classes: FeatureClasses) -> Self {
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
        Self {
            width: classes.width,
            means: single(&classes.means),
            whitening: single(&classes.whitening),
        }
    }
}

impl TryFrom<Written> for FeatureClasses {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let width = written.width;
        let fits = (1..=1024).contains(&width)
            && written.whitening.len() == width * width
            && !written.means.is_empty()
            && written.means.len().is_multiple_of(width);
        if !fits {
            return Err(format!("no classes of features of {width} numbers"));
        }
        let double = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        Ok(Self {
            means: double(written.means),
            whitening: double(written.whitening),
            width,
        })
    }
}

impl FeatureClasses {
    /// Length of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.means.len() / self.width.max(1)
    }

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
        let known = FeatureClasses::of(&features, 2, &labels, 2);
        let text = serde_json::to_string(&known).unwrap();
        let back: FeatureClasses = serde_json::from_str(&text).unwrap();
        assert_eq!((back.width(), back.classes()), (2, 2));
        let far = |classes: &FeatureClasses| classes.distance_squared(&[2.0, 3.0], 0);
        assert!((far(&back) - far(&known)).abs() < 1e-5);
        let wrong = r#"{"width": 2, "means": [0.0], "whitening": [1.0]}"#;
        assert!(serde_json::from_str::<FeatureClasses>(wrong).is_err());
    }
}
