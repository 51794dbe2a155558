//! Which images count as some class.

use crate::metrics::FeatureClasses;
use crate::model::Judged;

/// Rounding between two batches of one image.
const SLACK: f64 = 1.001;

/// Accepts images that the judge is sure of and that look to it like what it was trained on.
pub(super) struct Acceptance {
    classes: FeatureClasses,
    /// Largest squared distance.
    reach: f64,
    confidence: f64,
}

impl Acceptance {
    /// Learns from real images, judged, what is typical.
    pub fn new(real: &Judged, labels: &[u16], confidence: f64, typical: f64) -> Self {
        let classes = FeatureClasses::of(&real.features, real.width, labels, real.classes);
        let mut distances: Vec<f64> = real
            .features
            .chunks_exact(real.width)
            .zip(labels)
            .map(|(feature, label)| classes.distance_squared(feature, usize::from(*label)))
            .collect();
        distances.sort_unstable_by(f64::total_cmp);
        let last = (typical * distances.len() as f64).ceil() as usize;
        let reach = distances.get(last.saturating_sub(1));
        Self {
            classes,
            reach: SLACK * reach.copied().unwrap_or(0.0),
            confidence,
        }
    }

    /// 1 for each image that counts as some class.
    pub fn accepted(&self, judged: &Judged) -> Vec<f64> {
        judged
            .best()
            .zip(judged.features.chunks_exact(judged.width.max(1)))
            .map(|((class, p), feature)| {
                let sure = f64::from(p) >= self.confidence;
                let typical = self.classes.distance_squared(feature, class) <= self.reach;
                f64::from(sure && typical)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sure_but_like_nothing_seen_is_not_accepted() {
        // Two classes at 0 and 10 with values -1, 0, 1 around.
        let around = [-1.0, 0.0, 1.0];
        let features: Vec<f32> = (0..60)
            .map(|i| around[i % 3] + 10.0 * (i % 2) as f32)
            .collect();
        let labels: Vec<u16> = (0..60).map(|i| (i % 2) as u16).collect();
        let judged = |features: &[f32], p: &[f32]| Judged {
            classes: 2,
            width: 1,
            probabilities: p.iter().flat_map(|p| [1.0 - p, *p]).collect(),
            features: features.to_vec(),
        };
        let real = judged(&features, &[0.5; 60]);
        let acceptance = Acceptance::new(&real, &labels, 0.8, 0.99);
        // Sure and typical; sure of the other class; unsure; sure and far from everything.
        let asked = judged(&[0.5, 0.5, 0.5, 40.0], &[0.1, 0.9, 0.4, 0.9]);
        assert_eq!(acceptance.accepted(&asked), [1.0, 0.0, 0.0, 0.0]);
    }
}
