//! What a judge sees of images as logarithms, and how that changes with their pixels.

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

use super::{Engine, ImageJudge, Member};
use crate::model::Classifier;

/// What a judge sees in images, a row each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Number of classes.
    pub classes: usize,
    /// Length of a feature vector.
    pub width: usize,
    /// Logarithms of the probabilities, `[n][classes]`: finite where the probability itself is 0 in f32.
    pub log_probabilities: Vec<f32>,
    /// What the last layer sees, `[n][width]`.
    pub features: Vec<f32>,
}

impl Seen {
    /// Zeros of the same sizes: what a [`ImageJudge::pullback`] is told.
    #[must_use]
    pub fn zeros_like(&self) -> Self {
        Self {
            log_probabilities: vec![0.0; self.log_probabilities.len()],
            features: vec![0.0; self.features.len()],
            ..*self
        }
    }
}

fn numbers_of<const D: usize>(tensor: Tensor<D>, expected: usize) -> Vec<f32> {
    let values: Vec<f32> = tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default();
    if values.len() == expected {
        values
    } else {
        // A device that gave nothing back must not pass for an opinion.
        vec![f32::NAN; expected]
    }
}

/// Who says which class a picture is of, and what it sees in it.
pub trait PictureJudge: Send + Sync {
    /// How many classes it knows; 0 where it only sees.
    fn classes(&self) -> usize;

    /// What is seen in `pictures`, `[n][C H W]`, -1 black and 1 white, each as if it were alone.
    fn see(&self, pictures: &[f32], shape: [usize; 3]) -> Seen;

    /// What is seen in `pictures`, and the gradient with respect to their pixels of any function of it: `cotangent` is
    /// given what is seen in one picture, the picture's number, and zeros of the same sizes, in which it leaves the
    /// function's derivatives. `gradients`: `[n][C H W]`.
    fn pullback(
        &self,
        pictures: &[f32],
        shape: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen;
}

/// A network's look at pictures: features `[B, F]`, and logits `[B, classes]` where it knows classes.
type Look<'a> = &'a dyn Fn(Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>);

/// What a network is asked with.
pub struct Asked<'a> {
    /// `[C, H, W]` of the pictures.
    pub shape: [usize; 3],
    /// Classes that it knows.
    pub classes: usize,
    /// Length of a feature vector.
    pub width: usize,
    /// Pictures that are in memory at once.
    pub at_once: usize,
    /// Where it lies.
    pub device: &'a Device,
    /// Whether it is ready for a graph even where none is wanted. Without one some layers are computed otherwise, and what
    /// is seen would depend in its last bit on whether a gradient was asked for.
    pub is_tracked: bool,
}

impl Asked<'_> {
    /// See [`PictureJudge::see`].
    ///
    /// # Panics
    /// When they are no whole number of pictures.
    pub fn see(&self, pictures: &[f32], look: Look<'_>) -> Seen {
        let [c, h, w] = self.shape;
        let numbers = c * h * w;
        assert!(pictures.len().is_multiple_of(numbers), "whole images");
        let mut seen = self.nothing();
        let device = if self.is_tracked {
            self.device.clone().autodiff()
        } else {
            self.device.clone()
        };
        for chunk in pictures.chunks(self.at_once * numbers) {
            let n = chunk.len() / numbers;
            let data = TensorData::new(chunk.to_vec(), [n, c, h, w]);
            let (features, logits) = look(Tensor::from_data(data, &device));
            append(&mut seen, features, logits, n);
        }
        seen
    }

    /// See [`PictureJudge::pullback`]. Each picture has a graph of its own: together, the order of sums would depend on
    /// how many there are.
    ///
    /// # Panics
    /// When `pictures` are no whole number of pictures, or `gradients` has another size.
    pub fn pullback(
        &self,
        pictures: &[f32],
        look: Look<'_>,
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let [c, h, w] = self.shape;
        let numbers = c * h * w;
        assert!(pictures.len().is_multiple_of(numbers), "whole images");
        assert_eq!(pictures.len(), gradients.len(), "a gradient a number");
        let learning = self.device.clone().autodiff();
        let mut all = self.nothing();
        let pictures = pictures.chunks_exact(numbers);
        let rows = pictures.zip(gradients.chunks_exact_mut(numbers));
        for (item, (picture, to)) in rows.enumerate() {
            let data = TensorData::new(picture.to_vec(), [1, c, h, w]);
            let x = Tensor::<4>::from_data(data, &learning).require_grad();
            let (features, logits) = look(x.clone());
            let mut seen = self.nothing();
            let seen_logits = logits.clone().map(Tensor::inner);
            append(&mut seen, features.clone().inner(), seen_logits, 1);
            let mut weights = seen.zeros_like();
            cotangent(&seen, item, &mut weights);
            let row = |values: Vec<f32>| {
                let width = values.len();
                Tensor::<2>::from_data(TensorData::new(values, [1, width]), &learning)
            };
            let mut sum = (features * row(weights.features)).sum();
            if let Some(logits) = logits {
                sum = sum + (log_softmax(logits, 1) * row(weights.log_probabilities)).sum();
            }
            let slopes = sum.backward();
            match x.grad(&slopes) {
                Some(gradient) => to.copy_from_slice(&numbers_of(gradient, numbers)),
                None => to.fill(0.0),
            }
            all.log_probabilities.extend(seen.log_probabilities);
            all.features.extend(seen.features);
        }
        all
    }

    fn nothing(&self) -> Seen {
        Seen {
            classes: self.classes,
            width: self.width,
            ..Seen::default()
        }
    }
}

fn append(seen: &mut Seen, features: Tensor<2>, logits: Option<Tensor<2>>, n: usize) {
    let (width, classes) = (seen.width, seen.classes);
    seen.features.extend(numbers_of(features, n * width));
    if let Some(logits) = logits {
        let logs = numbers_of(log_softmax(logits, 1), n * classes);
        seen.log_probabilities.extend(logs);
    }
}

fn look(net: &Classifier, pictures: Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>) {
    let features = net.features(pictures);
    let logits = net.classified(features.clone());
    (features, Some(logits))
}

impl Member {
    fn asked(&self) -> Asked<'_> {
        Asked {
            shape: self.config.image,
            classes: self.config.classes,
            width: self.config.features(),
            at_once: Self::CHUNK,
            device: &self.device,
            is_tracked: false,
        }
    }

    /// See [`ImageJudge::see`].
    pub(super) fn see(&self, images: &[f32]) -> Seen {
        match &self.engine {
            Engine::Native(net) => self.seen(net.see(images)),
            Engine::Burn { net, .. } => self.asked().see(images, &|images| look(net, images)),
        }
    }

    /// Features and logits as what is seen.
    fn seen(&self, (features, mut logits): (Vec<f32>, Vec<f32>)) -> Seen {
        let classes = self.config.classes;
        logits.chunks_exact_mut(classes).for_each(normalise);
        Seen {
            classes,
            width: self.config.features(),
            log_probabilities: logits,
            features,
        }
    }

    /// See [`ImageJudge::pullback`].
    pub(super) fn pullback(
        &self,
        images: &[f32],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let net = match &self.engine {
            Engine::Native(net) => net,
            Engine::Burn { tracked, .. } => {
                let look = |images| look(tracked, images);
                return self.asked().pullback(images, &look, cotangent, gradients);
            }
        };
        let mut by_logits =
            |item: usize,
             (features, logits): (&[f32], &[f32]),
             (by_features, by_logits): (&mut [f32], &mut [f32])| {
                let seen = self.seen((features.to_vec(), logits.to_vec()));
                let mut weights = seen.zeros_like();
                cotangent(&seen, item, &mut weights);
                by_features.copy_from_slice(&weights.features);
                // Of `log softmax`: what is wanted, less its sum times the probability.
                let sum: f32 = weights.log_probabilities.iter().sum();
                let told = weights.log_probabilities.iter();
                for ((to, wanted), p) in by_logits.iter_mut().zip(told).zip(&seen.log_probabilities)
                {
                    *to = wanted - sum * p.exp();
                }
            };
        let seen = net.pullback(images, &mut by_logits, gradients);
        self.seen(seen)
    }
}

/// Logits become logarithms of probabilities.
pub(super) fn normalise(logits: &mut [f32]) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - most).exp()).sum();
    for l in logits {
        // In this order: what is left of far numbers is exact.
        *l = (*l - most) - sum.ln();
    }
}

/// Of its own shape alone.
impl PictureJudge for ImageJudge {
    fn classes(&self) -> usize {
        self.config.classes
    }

    fn see(&self, pictures: &[f32], _: [usize; 3]) -> Seen {
        self.see(pictures)
    }

    fn pullback(
        &self,
        pictures: &[f32],
        _: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        self.pullback(pictures, cotangent, gradients)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::{ClassifierConfig, NormKind, with_weights};

    fn judge(image: [usize; 3], native: bool, mirrored: bool) -> ImageJudge {
        judge_with(NormKind::Group, image, native, mirrored)
    }

    fn judge_with(norm: NormKind, image: [usize; 3], native: bool, mirrored: bool) -> ImageJudge {
        let device = Device::flex();
        let config = ClassifierConfig {
            image,
            classes: 3,
            stem_stride: 2,
            stages: vec![(8, 1), (16, 1)],
            mirrored,
            pooled: false,
            norm,
            others: Vec::new(),
        };
        let net = with_weights(config.init(&device), &config.fresh(3)).unwrap();
        ImageJudge {
            members: vec![Member::on(net, config.clone(), &device, native)],
            config,
        }
    }

    #[test]
    fn the_own_kernels_see_and_pull_what_the_graph_does() {
        for mirrored in [false, true] {
            let [own, other] = [true, false].map(|native| judge([3, 16, 12], native, mirrored));
            the_same_of_both(&own, &other);
            let picture = pictures(1, 3 * 16 * 12);
            let mut mirror = picture.clone();
            mirror.chunks_exact_mut(12).for_each(<[f32]>::reverse);
            let [seen, other] = [picture, mirror].map(|picture| own.see(&picture));
            assert_eq!(seen == other, mirrored);
        }
        let [own, other] =
            [true, false].map(|native| judge_with(NormKind::Batch, [3, 16, 12], native, true));
        the_same_of_both(&own, &other);
    }

    fn the_same_of_both(own: &ImageJudge, other: &ImageJudge) {
        // More than one wave, and a unit that is not full.
        let (n, numbers) = (35, 3 * 16 * 12);
        let images = pictures(n, numbers);
        let asked = |judge: &ImageJudge| {
            let mut gradients = vec![0.0; images.len()];
            let mut both = |seen: &Seen, item: usize, weights: &mut Seen| {
                weights.log_probabilities[item % 3] = 1.0 + seen.features[0];
                weights.log_probabilities[0] -= 0.5;
                weights.features[item % 16] = 2.0;
            };
            let seen = judge.pullback(&images, &mut both, &mut gradients);
            (seen, gradients)
        };
        let ((seen, gradients), (wanted, slopes)) = (asked(own), asked(other));
        let close = |a: &[f32], b: &[f32], by: f32| {
            assert_eq!(a.len(), b.len());
            let size = b.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < by * size, "{a} {b} of {size}");
            }
        };
        close(&seen.features, &wanted.features, 1e-5);
        close(&seen.log_probabilities, &wanted.log_probabilities, 1e-5);
        close(&gradients, &slopes, 1e-4);
    }

    #[test]
    fn far_logits_keep_finite_logarithms() {
        let mut logits = [500.0, -500.0, 499.0];
        normalise(&mut logits);
        assert!(logits.iter().all(|l| l.is_finite()));
        let sum: f32 = logits.iter().map(|l| l.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    /// Smooth pictures, each another.
    fn pictures(n: usize, numbers: usize) -> Vec<f32> {
        (0..n * numbers)
            .map(|k| (k as f32 * 0.37).sin() * (k as f32 * 0.011).cos())
            .collect()
    }

    #[test]
    fn what_is_seen_of_an_image_is_the_same_to_the_last_bit_whatever_the_batch() {
        for native in [true, false] {
            // The outputs of one image end where tiles do, or do not.
            for image in [[3, 16, 16], [3, 14, 18]] {
                the_same_whatever_the_batch(&judge(image, native, true));
            }
        }
    }

    fn the_same_whatever_the_batch(judge: &ImageJudge) {
        let (n, numbers) = (37, judge.config.image.iter().product());
        let images = pictures(n, numbers);
        let all = judge.see(&images);
        let mut gradients = vec![0.0; images.len()];
        let mut both = |seen: &Seen, _: usize, weights: &mut Seen| {
            assert_eq!(seen.features.len(), seen.width);
            weights.log_probabilities[1] = 1.0;
        };
        let pulled = judge.pullback(&images, &mut both, &mut gradients);
        for item in [0, 5, 31, 32, 36] {
            let image = &images[item * numbers..(item + 1) * numbers];
            let one = judge.see(image);
            let mut gradient = vec![0.0; numbers];
            let tracked = judge.pullback(image, &mut both, &mut gradient);
            assert_eq!(one.features, all.features[item * 16..(item + 1) * 16]);
            let logs = &all.log_probabilities[item * 3..(item + 1) * 3];
            assert_eq!(one.log_probabilities, logs);
            assert_eq!(tracked, one, "with a graph and without");
            assert_eq!(
                tracked.features,
                pulled.features[item * 16..(item + 1) * 16]
            );
            assert_eq!(gradient, gradients[item * numbers..(item + 1) * numbers]);
        }
    }

    #[test]
    fn the_pullback_is_the_slope_of_what_is_seen() {
        for native in [true, false] {
            the_slope_of_what_is_seen(&judge([1, 12, 12], native, false));
        }
    }

    fn the_slope_of_what_is_seen(judge: &ImageJudge) {
        let numbers = 144;
        let images = pictures(2, numbers);
        // Some function of both: a weighted sum, another for each image.
        let value = |seen: &Seen, item: usize| -> f64 {
            let logs = &seen.log_probabilities[item * 3..(item + 1) * 3];
            let features = &seen.features[item * 16..(item + 1) * 16];
            f64::from(logs[item + 1]) + 3.0 * f64::from(features[4] - features[9])
        };
        let mut gradients = vec![0.0; images.len()];
        let mut weights = |_: &Seen, item: usize, weights: &mut Seen| {
            weights.log_probabilities[item + 1] = 1.0;
            (weights.features[4], weights.features[9]) = (3.0, -3.0);
        };
        let seen = judge.pullback(&images, &mut weights, &mut gradients);
        assert_eq!(seen, judge.see(&images));
        let h = 1e-2_f32;
        let mut largest = 0.0_f64;
        for at in (0..numbers).step_by(7) {
            for item in 0..2 {
                let moved = |by: f32| {
                    let mut images = images.clone();
                    images[item * numbers + at] += by;
                    value(&judge.see(&images), item)
                };
                let difference = (moved(h) - moved(-h)) / f64::from(2.0 * h);
                let slope = f64::from(gradients[item * numbers + at]);
                // Central differences of f32 numbers of about 1, of a network whose weights are others each time.
                assert!((difference - slope).abs() < 5e-4, "{difference} {slope}");
                largest = largest.max(slope.abs());
            }
        }
        assert!(largest > 1e-3, "{largest}");
    }
}
