//! What networks say of pictures, as rewards.

use std::sync::Arc;

use crate::model::{ClipHead, PictureJudge, Seen};

/// The terms of a reward that ask one network: it is asked once for all of them.
pub(super) struct JudgedTerms {
    judge: Arc<dyn PictureJudge>,
    /// `[C, H, W]` of the pictures.
    shape: [usize; 3],
    /// Classes and their weights.
    classes: Vec<(usize, f64)>,
    /// Features of unit length, and how much the cosine with them weighs.
    similar: Vec<(Vec<f64>, f64)>,
    /// Affine functions of the features, and their weights.
    affine: Vec<(ClipHead, f64)>,
}

impl JudgedTerms {
    pub fn new(judge: Arc<dyn PictureJudge>, shape: [usize; 3]) -> Self {
        Self {
            judge,
            shape,
            affine: Vec::new(),
            classes: Vec::new(),
            similar: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.similar.is_empty() && self.affine.is_empty()
    }

    /// How many classes the classifier knows.
    pub fn known(&self) -> usize {
        self.judge.classes()
    }

    /// `weight ln p(class | x)`.
    pub fn add_class(&mut self, class: usize, weight: f64) {
        self.classes.push((class, weight));
    }

    /// `weight cos(features of x, features of the reference)`.
    pub fn add_similar(&mut self, reference: &[f32], weight: f64) {
        let seen = self.judge.see(reference, self.shape);
        self.similar.push((direction(&seen.features).0, weight));
    }

    /// `weight (direction . features of x + offset)`.
    pub fn add_affine(&mut self, head: ClipHead, weight: f64) {
        self.affine.push((head, weight));
    }

    /// Adds to `scores`, `[n]`.
    pub fn score(&self, pictures: &[f32], scores: &mut [f64]) {
        let seen = self.judge.see(pictures, self.shape);
        for (item, score) in scores.iter_mut().enumerate() {
            *score += self.value(&seen, item, None);
        }
    }

    /// Adds to `scores`, `[n]`, and writes `gradients`, `[n][C H W]`.
    pub fn gradient(&self, pictures: &[f32], scores: &mut [f64], gradients: &mut [f32]) {
        let mut cotangent = |seen: &Seen, item: usize, slopes: &mut Seen| {
            scores[item] += self.value(seen, 0, Some(slopes));
        };
        self.judge
            .pullback(pictures, self.shape, &mut cotangent, gradients);
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
        let span = item * seen.width..(item + 1) * seen.width;
        for (head, weight) in &self.affine {
            sum += weight * f64::from(head.score(&seen.features[span.clone()]));
            if let Some(slopes) = &mut slopes {
                let to = slopes.features[span.clone()].iter_mut();
                for (to, along) in to.zip(&head.direction) {
                    *to += (weight * f64::from(*along)) as f32;
                }
            }
        }
        if self.similar.is_empty() {
            return sum;
        }
        let (own, length) = direction(&seen.features[span.clone()]);
        for (reference, weight) in &self.similar {
            let cosine: f64 = own.iter().zip(reference).map(|(a, b)| a * b).sum();
            sum += weight * cosine;
            if let Some(slopes) = &mut slopes {
                let to = slopes.features[span.clone()].iter_mut();
                for (to, (a, b)) in to.zip(own.iter().zip(reference)) {
                    *to += (weight * (b - cosine * a) / length) as f32;
                }
            }
        }
        sum
    }
}

/// A vector of unit length, and how long it was.
fn direction(vector: &[f32]) -> (Vec<f64>, f64) {
    /// Added to the squared length: a vector of zeros has no direction.
    const LEAST: f64 = 1e-12;
    let squares: f64 = vector.iter().map(|v| f64::from(*v).powi(2)).sum();
    let length = (squares + LEAST).sqrt();
    let unit = vector.iter().map(|v| f64::from(*v) / length);
    (unit.collect(), length)
}
