//! How the states of a map are shown: as they are, or decoded where they are latents.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::pictures::OpenMap;
use crate::checkpoint::read_vae;
use crate::model::LatentDecoder;
use crate::reward::picture::{DecodedScore, PictureScore};

/// How the states of a map become pictures.
pub(super) struct Shown {
    state: [usize; 3],
    decoder: Option<Arc<LatentDecoder>>,
}

impl Shown {
    /// Of a map, with the autoencoder of a file where one is given.
    ///
    /// # Errors
    /// With a message for the person: when the file is none, or one of other latents, or when the map makes pixels.
    pub fn open(map: &OpenMap, vae: Option<&Path>) -> Result<Self, String> {
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
        let device = Device::flex();
        let (config, vae) = read_vae(path, &device).map_err(|e| e.to_string())?;
        let decoder = LatentDecoder::new(vae, &config, state, &device).ok_or_else(|| {
            format!(
                "{} decodes latents of {} channels; the model makes {}",
                path.display(),
                config.latent_channels,
                state[0]
            )
        })?;
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

    /// Says so.
    pub fn note(&self) {
        if self.is_false_colour() {
            say!("note: these are latents, shown in false colours; --vae FILE decodes them");
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
    pub fn state_of(&self, picture: Vec<f32>) -> Vec<f32> {
        match &self.decoder {
            Some(decoder) => decoder.encode(&picture),
            None => picture,
        }
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
