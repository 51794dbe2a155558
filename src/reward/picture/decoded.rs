//! Rewards of what a latent decodes to.

use std::sync::Arc;

use crate::model::LatentDecoder;

use super::PictureScore;

/// A reward of pictures, asked of their latents: `r(D(z))` and its gradient through the decoder `D`.
pub struct DecodedScore {
    decoder: Arc<LatentDecoder>,
    of_picture: Arc<dyn PictureScore>,
}

impl DecodedScore {
    /// `None` where the reward scores pictures of another shape than the decoder makes.
    pub fn new(decoder: Arc<LatentDecoder>, of_picture: Arc<dyn PictureScore>) -> Option<Self> {
        (of_picture.shape() == decoder.picture()).then_some(Self {
            decoder,
            of_picture,
        })
    }

    fn numbers(&self) -> [usize; 2] {
        [self.decoder.latent(), self.decoder.picture()].map(|shape| shape.iter().product())
    }
}

impl PictureScore for DecodedScore {
    fn shape(&self) -> [usize; 3] {
        self.decoder.latent()
    }

    fn score(&self, latents: &[f32], scores: &mut [f32]) {
        // One at a time: a picture has many more numbers than its latent.
        let latents = latents.chunks_exact(self.numbers()[0]);
        for (latent, score) in latents.zip(scores.chunks_exact_mut(1)) {
            let picture = self.decoder.decode(latent);
            self.of_picture.score(&picture, score);
        }
    }

    fn gradient(&self, latents: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        let [latent_numbers, picture_numbers] = self.numbers();
        let mut by_picture = vec![0.0; picture_numbers];
        let rows = latents
            .chunks_exact(latent_numbers)
            .zip(gradients.chunks_exact_mut(latent_numbers));
        for ((latent, gradient), score) in rows.zip(scores.chunks_exact_mut(1)) {
            let picture = self.decoder.decode(latent);
            self.of_picture.gradient(&picture, score, &mut by_picture);
            gradient.copy_from_slice(&self.decoder.pullback(latent, &by_picture));
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
    fn a_reward_of_other_pictures_does_not_fit() {
        let reward: PictureReward = "brightness@1".parse().unwrap();
        let other = reward.bind([3, 4, 4], &PictureParts::default()).unwrap();
        assert!(DecodedScore::new(Arc::new(LatentDecoder::small()), other).is_none());
    }
}
