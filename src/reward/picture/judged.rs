//! What a classifier says, as rewards.

use std::sync::Arc;

use crate::model::{ImageJudge, Seen};

/// The terms of a reward that ask the classifier: it is asked once for all of them.
pub(super) struct JudgedTerms {
    judge: Arc<ImageJudge>,
    /// Classes and their weights.
    classes: Vec<(usize, f64)>,
}

impl JudgedTerms {
    pub fn new(judge: Arc<ImageJudge>) -> Self {
        Self {
            judge,
            classes: Vec::new(),
        }
    }

    /// `weight ln p(class | x)`.
    pub fn add_class(&mut self, class: usize, weight: f64) {
        self.classes.push((class, weight));
    }

    /// Adds to `scores`, `[n]`.
    pub fn score(&self, pictures: &[f32], scores: &mut [f64]) {
        let seen = self.judge.see(pictures);
        for (item, score) in scores.iter_mut().enumerate() {
            *score += self.value(&seen, item, None);
        }
    }

    /// Adds to `scores`, `[n]`, and writes `gradients`, `[n][C H W]`.
    pub fn gradient(&self, pictures: &[f32], scores: &mut [f64], gradients: &mut [f32]) {
        let mut cotangent = |seen: &Seen, first: usize, slopes: &mut Seen| {
            let items = seen.features.len() / seen.width.max(1);
            for item in 0..items {
                scores[first + item] += self.value(seen, item, Some(&mut *slopes));
            }
        };
        self.judge.pullback(pictures, &mut cotangent, gradients);
    }

    /// The sum of all terms of one image, and its derivatives.
    fn value(&self, seen: &Seen, item: usize, mut slopes: Option<&mut Seen>) -> f64 {
        let mut sum = 0.0;
        for (class, weight) in &self.classes {
            let at = item * seen.classes + class;
            sum += weight * f64::from(seen.log_probabilities[at]);
            if let Some(slopes) = &mut slopes {
                slopes.log_probabilities[at] += *weight as f32;
            }
        }
        sum
    }
}
