//! How the states of a map are shown: as they are, or decoded where they are latents.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::pictures::OpenMap;
use crate::checkpoint::read_latent_decoder;
use crate::model::{LatentDecoder, Memory, Pass};
use crate::reward::picture::{DecodedScore, PictureScore};

/// How the states of a map become pictures.
pub(super) struct Shown {
    state: [usize; 3],
    decoder: Option<Arc<LatentDecoder>>,
}

impl Shown {
    /// Of a map, with the autoencoder or the small decoder of a file where one is given, in tiles of `tile` latents a
    /// side where that is asked.
    ///
    /// # Errors
    /// With a message for the person: when the file is none, or one of other latents, or when the map makes pixels.
    pub fn open(map: &OpenMap, vae: Option<&Path>, tile: Option<u32>) -> Result<Self, String> {
        let state = map.shape();
        let Some(path) = vae else {
            return Ok(Self {
                state,
                decoder: None,
            });
        };
        if matches!(state[0], 1 | 3) {
            return Err(format!(
                "the map makes pictures of {state:?}, not latents: leave --vae out"
            ));
        }
        let mut decoder =
            read_latent_decoder(path, state, &Device::flex()).map_err(|e| e.to_string())?;
        if let Some(tile) = tile {
            decoder = decoder.tiled(tile as usize);
        }
        Ok(Self {
            state,
            decoder: Some(Arc::new(decoder)),
        })
    }

    /// Channels, rows and columns of what is shown.
    pub fn shape(&self) -> [usize; 3] {
        self.decoder
            .as_ref()
            .map_or(self.state, |decoder| decoder.picture())
    }

    /// Whether latents are shown as they are, in false colours.
    pub fn is_false_colour(&self) -> bool {
        !matches!(self.shape()[0], 1 | 3)
    }

    /// Whether they are decoded by the small decoder.
    pub fn is_preview(&self) -> bool {
        self.decoder
            .as_ref()
            .is_some_and(|decoder| decoder.is_preview())
    }

    /// What showing a state takes, or going back through it.
    pub fn memory(&self, pass: Pass) -> Memory {
        let decoder = self.decoder.as_ref();
        decoder.map_or_else(Memory::default, |decoder| decoder.memory(pass))
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
    pub fn of<'a>(&self, states: &'a [f32]) -> Cow<'a, [f32]> {
        match &self.decoder {
            Some(decoder) => Cow::Owned(decoder.decode(states)),
            None => Cow::Borrowed(states),
        }
    }

    /// The state that a picture `[C][H][W]` is.
    ///
    /// # Errors
    /// When the decoder has no encoder beside it.
    pub fn state_of(&self, picture: Vec<f32>) -> Result<Vec<f32>, String> {
        let Some(decoder) = &self.decoder else {
            return Ok(picture);
        };
        decoder.encode(&picture).ok_or_else(|| {
            "the small decoder makes no latents of pictures: give the full autoencoder with --vae".into()
        })
    }

    /// A reward of what is shown, asked of states.
    ///
    /// # Errors
    /// When the reward is of other pictures.
    pub fn reward(&self, score: Arc<dyn PictureScore>) -> Result<Arc<dyn PictureScore>, String> {
        let Some(decoder) = &self.decoder else {
            return Ok(score);
        };
        let of = score.shape();
        let decoded = DecodedScore::new(decoder.clone(), score);
        decoded.map_or_else(
            || {
                Err(format!(
                    "the reward is of pictures of {of:?}, the decoder makes others"
                ))
            },
            |score| Ok(Arc::new(score) as Arc<dyn PictureScore>),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BurnImageMap, Dit, DitConfig};
    use crate::reward::picture::{PictureParts, PictureReward};
    use crate::steer::Method;
    use crate::steer::images::{ImagePlan, ImageScene, steer_images};

    fn decoded() -> Shown {
        Shown {
            state: [4, 4, 4],
            decoder: Some(Arc::new(LatentDecoder::small())),
        }
    }

    #[test]
    fn latents_are_shown_decoded_and_without_a_decoder_in_false_colours() {
        let shown = decoded();
        assert_eq!((shown.shape(), shown.is_false_colour()), ([3, 8, 8], false));
        let latents: Vec<f32> = (0..128).map(|i| (1.3 * i as f32).sin()).collect();
        let (two, second) = (shown.of(&latents), shown.of(&latents[64..]));
        assert_eq!(two.len(), 2 * 3 * 8 * 8);
        assert_eq!(two[192..], *second);
        assert_eq!(shown.state_of(second.into_owned()).unwrap().len(), 64);
        let bare = Shown {
            state: [4, 4, 4],
            decoder: None,
        };
        assert!(bare.is_false_colour());
        assert_eq!(*bare.of(&latents), latents[..]);
    }

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
        let shown = decoded();
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
