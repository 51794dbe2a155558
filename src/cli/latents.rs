//! How the states of a map are shown: as they are, or decoded where they are latents.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::pictures::OpenMap;
use crate::checkpoint::read_latent_decoder;
use crate::engine::{PictureView, ShownAs};
use crate::model::{LatentDecoder, Memory, Pass};
use crate::reward::picture::PictureScore;

/// How the states of a map become pictures.
pub(super) struct Shown(PictureView);

impl Shown {
    /// Of a map, with the autoencoder or the small decoder of a file where one is given, in tiles of `tile` latents a
    /// side where that is asked.
    ///
    /// # Errors
    /// With a message for the person: when the file is none, or one of other latents, or when the map makes pixels.
    pub fn open(map: &OpenMap, vae: Option<&Path>, tile: Option<u32>) -> Result<Self, String> {
        let state = map.shape();
        let bare = PictureView::bare(state);
        let Some(path) = vae else {
            return Ok(Self(bare));
        };
        if !bare.is_latent() {
            return Err(format!(
                "the map makes pictures of {state:?}, not latents: leave --vae out"
            ));
        }
        let mut decoder =
            read_latent_decoder(path, state, &Device::flex()).map_err(|e| e.to_string())?;
        if let Some(tile) = tile {
            decoder = decoder.tiled(tile as usize);
        }
        Self::of(state, decoder)
            .ok_or_else(|| format!("{}: it makes no grey or colour pictures", path.display()))
    }

    fn of(state: [usize; 3], decoder: LatentDecoder) -> Option<Self> {
        PictureView::of(state, Some(Arc::new(decoder)), None).map(Self)
    }

    /// Channels, rows and columns of what is shown.
    pub fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    /// Whether latents are shown as they are, in false colours.
    pub fn is_false_colour(&self) -> bool {
        self.0.seen() == ShownAs::FalseColours
    }

    /// Whether they are decoded by the small decoder.
    pub fn is_preview(&self) -> bool {
        self.0.seen() == ShownAs::Preview
    }

    /// What showing a state takes, or going back through it.
    pub fn memory(&self, pass: Pass) -> Memory {
        self.0.memory(pass)
    }

    /// Says what is not seen as it should be.
    pub fn note(&self) {
        if self.is_false_colour() {
            say!("note: these are latents, shown in false colours; --vae FILE decodes them");
        }
        if self.is_preview() {
            say!(
                "note: this is a preview by the small decoder; the full autoencoder shows more detail"
            );
        }
    }

    /// States `[n][c h w]` as they are shown, `[n][C H W]`.
    pub fn of_states<'a>(&self, states: &'a [f32]) -> Cow<'a, [f32]> {
        self.0.best(states)
    }

    /// The state that a picture `[C][H][W]` is.
    ///
    /// # Errors
    /// When nothing makes latents of pictures here.
    pub fn state_of(&self, picture: &[f32]) -> Result<Vec<f32>, String> {
        self.0.state_of(picture).map_err(|_| {
            "only the full autoencoder makes latents of pictures: give it with --vae FILE"
                .to_owned()
        })
    }

    /// A reward of what is shown, asked of states.
    ///
    /// # Errors
    /// When nothing decodes the states, or the reward is of other pictures.
    pub fn reward(&self, score: Arc<dyn PictureScore>) -> Result<Arc<dyn PictureScore>, String> {
        self.0.reward(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BurnImageMap, Dit, DitConfig};
    use crate::reward::picture::{PictureParts, PictureReward};
    use crate::steer::Method;
    use crate::steer::images::{ImagePlan, ImageScene, steer_images};

    #[test]
    fn latents_are_steered_toward_a_reward_of_what_they_decode_to() {
        let model = DitConfig {
            input_size: 4,
            patch_size: 2,
            in_channels: 4,
            hidden_size: 24,
            depth: 1,
            num_heads: 2,
            encoder_depth: 0,
            label_dim: 2,
            predicts_image: false,
            ..DitConfig::digits()
        };
        let device = Device::flex();
        let map = BurnImageMap::new(Dit::lively(&model, 3, &device), &device);
        let shown = Shown::of([4, 4, 4], LatentDecoder::small()).unwrap();
        let reward: PictureReward = "brightness@4".parse().unwrap();
        let bound = reward.bind(shown.shape(), &PictureParts::default());
        let reward = shown.reward(bound.unwrap()).unwrap();
        let scene = ImageScene {
            map: &map,
            reward: &*reward,
        };
        let mean = |method| {
            let plan = ImagePlan {
                steps: 10,
                draws: 4,
                seed: 7,
                ..ImagePlan::new(method)
            };
            let run = steer_images(scene, &plan, 0..6, &mut |_: f32| true).unwrap();
            assert_eq!(run.pictures.len(), 6 * 64);
            run.rewards.iter().sum::<f64>() / 6.0
        };
        let [base, free, through] = [Method::Base, Method::MfmGf, Method::MfmG].map(mean);
        assert!(free > base && through > base, "{base} {free} {through}");
    }
}
