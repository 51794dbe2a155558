//! Rewards of what a latent decodes to.

use std::sync::Arc;

use crate::model::{LatentDecoder, Pass, Wanted};

use super::PictureScore;

/// A reward of pictures, asked of their latents: `r(D(z))` and its gradient through the decoder `D`.
pub struct DecodedScore {
    decoder: Arc<LatentDecoder>,
    of_picture: Arc<dyn PictureScore>,
    wanted: Wanted,
}

impl DecodedScore {
    /// `None` where the reward scores pictures of another shape than the decoder makes.
    pub fn new(decoder: Arc<LatentDecoder>, of_picture: Arc<dyn PictureScore>) -> Option<Self> {
        (of_picture.shape() == decoder.picture()).then_some(Self {
            decoder,
            of_picture,
            wanted: Wanted::default(),
        })
    }

    /// The same for who may stop waiting: from then on scores come soon and are no numbers.
    #[must_use]
    pub fn wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// What `work` makes of each latent, side by side.
    fn each<T: Send>(
        &self,
        pass: Pass,
        latents: &[f32],
        work: impl Fn(&[f32]) -> Option<T> + Sync,
    ) -> Option<Vec<T>> {
        let numbers = self.decoder.latent().iter().product();
        let latents: Vec<&[f32]> = latents.chunks_exact(numbers).collect();
        let going = || self.wanted.still();
        self.decoder
            .side_by_side((pass, latents.len()), &going, |item| work(latents[item]))
    }
}

impl PictureScore for DecodedScore {
    fn shape(&self) -> [usize; 3] {
        self.decoder.latent()
    }

    fn score(&self, latents: &[f32], scores: &mut [f32]) {
        // Each for itself: a picture has many more numbers than its latent.
        let found = self.each(Pass::Forward, latents, |latent| {
            let picture = self.decoder.decoded(latent, &|| self.wanted.still())?;
            let mut score = [0.0];
            self.of_picture.score(&picture, &mut score);
            Some(score[0])
        });
        match found {
            Some(found) => scores.copy_from_slice(&found),
            None => scores.fill(f32::NAN),
        }
    }

    fn gradient(&self, latents: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        let going = || self.wanted.still();
        let found = self.each(Pass::Gradient, latents, |latent| {
            let picture = self.decoder.decoded(latent, &going)?;
            let (mut score, mut by_picture) = ([0.0], vec![0.0; picture.len()]);
            self.of_picture
                .gradient(&picture, &mut score, &mut by_picture);
            let by_latent = self.decoder.pulled(latent, &by_picture, &going)?;
            Some((score[0], by_latent))
        });
        let Some(found) = found else {
            scores.fill(f32::NAN);
            gradients.fill(f32::NAN);
            return;
        };
        let numbers = self.decoder.latent().iter().product::<usize>().max(1);
        let rows = scores.iter_mut().zip(gradients.chunks_exact_mut(numbers));
        for ((score, gradient), (of_latent, by_latent)) in rows.zip(found) {
            *score = of_latent;
            gradient.copy_from_slice(&by_latent);
        }
    }

    fn without_gradient(&self) -> Option<&str> {
        self.of_picture.without_gradient()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::picture::{PictureParts, PictureReward};

    fn score(text: &str) -> DecodedScore {
        let decoder = Arc::new(LatentDecoder::small());
        let reward: PictureReward = text.parse().unwrap();
        let bound = reward.bind(decoder.picture(), &PictureParts::default());
        DecodedScore::new(decoder, bound.unwrap()).unwrap()
    }

    fn latents() -> Vec<f32> {
        (0..128).map(|i| (1.7 * i as f32).sin()).collect()
    }

    #[test]
    fn the_gradient_through_the_decoder_is_that_of_central_differences() {
        let score = score("warmth@2 - brightness@1");
        assert_eq!((score.shape(), score.without_gradient()), ([4, 4, 4], None));
        let latents = latents();
        let (mut scores, mut gradients) = ([0.0; 2], vec![0.0; 128]);
        score.gradient(&latents, &mut scores, &mut gradients);
        let mut alone = [0.0; 2];
        score.score(&latents, &mut alone);
        assert_eq!(alone, scores);
        // Along a direction, so that single precision is enough.
        let direction: Vec<f32> = (0..64).map(|i| (0.9 * i as f32).cos()).collect();
        let at = |step: f32| {
            let moved = latents[64..].iter().zip(&direction);
            let moved: Vec<f32> = moved.map(|(z, d)| z + step * d).collect();
            let mut one = [0.0];
            score.score(&moved, &mut one);
            f64::from(one[0])
        };
        let step = 0.02;
        let slope = (at(step) - at(-step)) / f64::from(2.0 * step);
        let along = gradients[64..].iter().zip(&direction);
        let along: f64 = along.map(|(g, d)| f64::from(g * d)).sum();
        assert!(slope.abs() > 0.05, "{slope}");
        assert!(
            (along - slope).abs() < 0.01 * slope.abs(),
            "{along} {slope}"
        );
    }

    #[test]
    fn what_nobody_waits_for_is_no_number() {
        let wanted = Wanted::default();
        let score = score("warmth@2").wanted(wanted.clone());
        let (latents, mut scores) = (latents(), [0.0; 2]);
        score.score(&latents, &mut scores);
        assert!(scores.iter().all(|score| score.is_finite()));
        wanted.withdraw();
        score.score(&latents, &mut scores);
        assert!(scores.iter().all(|score| score.is_nan()));
        let mut gradients = vec![0.0; 128];
        score.gradient(&latents, &mut scores, &mut gradients);
        assert!(gradients.iter().all(|v| v.is_nan()));
    }

    #[test]
    fn a_reward_of_other_pictures_does_not_fit() {
        let reward: PictureReward = "brightness@1".parse().unwrap();
        let other = reward.bind([3, 4, 4], &PictureParts::default()).unwrap();
        assert!(DecodedScore::new(Arc::new(LatentDecoder::small()), other).is_none());
    }
}
