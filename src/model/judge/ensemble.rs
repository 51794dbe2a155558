//! What the networks of a judge see together.

use super::slopes::normalise;
use super::{ImageJudge, Seen};

impl ImageJudge {
    /// [`PictureJudge::see`](super::PictureJudge::see) of images of its own shape.
    ///
    /// # Panics
    /// When they are no whole number of images.
    pub fn see(&self, images: &[f32]) -> Seen {
        if let [one] = &self.members[..] {
            return one.see(images);
        }
        let each = self.members.iter().map(|member| member.see(images));
        together(&each.collect::<Vec<_>>())
    }

    /// [`PictureJudge::pullback`](super::PictureJudge::pullback) of images of its own shape. An ensemble looks twice: what
    /// is wanted of one network depends on what the others see.
    ///
    /// # Panics
    /// When `images` are no whole number of images, or `gradients` has another size.
    pub fn pullback(
        &self,
        images: &[f32],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        if let [one] = &self.members[..] {
            return one.pullback(images, cotangent, gradients);
        }
        let each: Vec<Seen> = self.members.iter().map(|m| m.see(images)).collect();
        let all = together(&each);
        let mut wanted: Vec<Seen> = each.iter().map(Seen::zeros_like).collect();
        for item in 0..all.len() {
            let seen = all.row(item);
            let mut weights = seen.zeros_like();
            cotangent(&seen, item, &mut weights);
            share(&seen, &weights, item, &mut wanted);
        }
        gradients.fill(0.0);
        let mut own = vec![0.0; gradients.len()];
        for (member, wanted) in self.members.iter().zip(&wanted) {
            let mut told = |_: &Seen, item: usize, to: &mut Seen| *to = wanted.row(item);
            member.pullback(images, &mut told, &mut own);
            gradients.iter_mut().zip(&own).for_each(|(to, d)| *to += d);
        }
        all
    }
}

impl Seen {
    /// How many images were seen.
    fn len(&self) -> usize {
        self.features.len() / self.width.max(1)
    }

    /// What was seen in one of them.
    fn row(&self, item: usize) -> Self {
        let of = |values: &[f32], width: usize| values[item * width..(item + 1) * width].to_vec();
        Self {
            log_probabilities: of(&self.log_probabilities, self.classes),
            features: of(&self.features, self.width),
            ..*self
        }
    }
}

/// What several networks see in the same images as what one sees: their features behind one another, and the mean of their
/// logits, of which the logarithms of their probabilities differ by a number an image.
fn together(each: &[Seen]) -> Seen {
    let classes = each.first().map_or(0, |seen| seen.classes);
    let mut all = Seen {
        classes,
        width: each.iter().map(|seen| seen.width).sum(),
        ..Seen::default()
    };
    let share = 1.0 / each.len() as f32;
    for item in 0..each.first().map_or(0, Seen::len) {
        let mut logits = vec![0.0; classes];
        for seen in each {
            let seen = seen.row(item);
            all.features.extend(seen.features);
            let logs = seen.log_probabilities.iter();
            logits
                .iter_mut()
                .zip(logs)
                .for_each(|(to, l)| *to += share * l);
        }
        normalise(&mut logits);
        all.log_probabilities.extend(logits);
    }
    all
}

/// What is wanted of an image that all of them see as `seen`, as what is wanted of each.
fn share(seen: &Seen, weights: &Seen, item: usize, wanted: &mut [Seen]) {
    let members = wanted.len() as f32;
    let sum: f32 = weights.log_probabilities.iter().sum();
    let mut first = 0;
    for to in wanted {
        // Of the logarithm of a softmax of a mean: what is wanted, less its sum times the probability.
        let logs = &mut to.log_probabilities[item * seen.classes..(item + 1) * seen.classes];
        let told = weights
            .log_probabilities
            .iter()
            .zip(&seen.log_probabilities);
        for (to, (wanted, p)) in logs.iter_mut().zip(told) {
            *to = (wanted - sum * p.exp()) / members;
        }
        let width = to.width;
        to.features[item * width..(item + 1) * width]
            .copy_from_slice(&weights.features[first..first + width]);
        first += width;
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::{ClassifierConfig, NormKind};

    /// Two networks of unlike shape, the second seeing mirror images too.
    fn networks() -> [(ClassifierConfig, crate::model::Weights); 2] {
        let of = |stages: &[(usize, usize)], mirrored, pooled, seed| {
            let config = ClassifierConfig {
                image: [1, 12, 12],
                classes: 3,
                stem_stride: 1,
                stages: stages.to_vec(),
                mirrored,
                pooled,
                norm: NormKind::Batch,
                ..ClassifierConfig::mnist()
            };
            let weights = config.fresh(seed);
            (config, weights)
        };
        [
            of(&[(8, 1), (16, 1)], false, false, 3),
            of(&[(16, 1), (24, 1)], true, true, 4),
        ]
    }

    fn judge(networks: &[(ClassifierConfig, crate::model::Weights)]) -> ImageJudge {
        let all = ClassifierConfig::ensemble(networks.to_vec());
        let (config, weights) = all.unwrap().unwrap();
        ImageJudge::with(config, &weights, &Device::flex()).unwrap()
    }

    fn pictures(n: usize) -> Vec<f32> {
        (0..n * 144)
            .map(|k| (k as f32 * 0.37).sin() * (k as f32 * 0.011).cos())
            .collect()
    }

    #[test]
    fn an_ensemble_sees_what_its_networks_see_and_says_the_mean_of_their_logits() {
        let networks = networks();
        let images = pictures(5);
        let both = judge(&networks).see(&images);
        let [one, other] = networks.map(|network| judge(&[network]).see(&images));
        assert_eq!((both.width, both.len()), (16 + 24, 5));
        for item in 0..5 {
            let [all, one, other] = [&both, &one, &other].map(|seen| seen.row(item));
            assert_eq!(all.features, [one.features, other.features].concat());
            let logs = one.log_probabilities.iter().zip(&other.log_probabilities);
            let mean: Vec<f64> = logs.map(|(a, b)| f64::from(a + b) / 2.0).collect();
            let sum = mean.iter().map(|l| l.exp()).sum::<f64>().ln();
            for (l, wanted) in all.log_probabilities.iter().zip(&mean) {
                assert!((f64::from(*l) - (wanted - sum)).abs() < 1e-6);
            }
        }
        assert_eq!(judge(&self::networks()).see(&[]).len(), 0);
    }

    #[test]
    fn the_pullback_of_an_ensemble_is_the_slope_of_what_it_sees_whatever_the_batch() {
        let judge = judge(&networks());
        let images = pictures(3);
        let value = |seen: &Seen| {
            let of = |at: usize| f64::from(seen.features[at]);
            f64::from(seen.log_probabilities[1]) + 2.0 * of(4) - of(30)
        };
        let mut asked = |_: &Seen, _: usize, to: &mut Seen| {
            to.log_probabilities[1] = 1.0;
            (to.features[4], to.features[30]) = (2.0, -1.0);
        };
        let mut gradients = vec![0.0; images.len()];
        let seen = judge.pullback(&images, &mut asked, &mut gradients);
        assert_eq!(seen, judge.see(&images));
        let mut alone = vec![0.0; 144];
        let one = judge.pullback(&images[288..], &mut asked, &mut alone);
        assert_eq!((&one, &alone[..]), (&seen.row(2), &gradients[288..]));
        let (h, mut largest) = (1e-2_f32, 0.0_f64);
        for at in (288..432).step_by(5) {
            let moved = |by: f32| {
                let mut images = images.clone();
                images[at] += by;
                value(&judge.see(&images[288..]))
            };
            let difference = (moved(h) - moved(-h)) / f64::from(2.0 * h);
            let slope = f64::from(gradients[at]);
            assert!((difference - slope).abs() < 2e-4, "{difference} {slope}");
            largest = largest.max(slope.abs());
        }
        assert!(largest > 1e-3, "{largest}");
    }
}
