//! How the states of a map are shown: as they are where they are pictures; where they are latents decoded, or in false
//! colours as long as nothing decodes them.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;

use crate::checkpoint::read_latent_decoder;
use crate::model::{Going, LatentDecoder, Memory, Pass, Wanted};
use crate::reward::picture::{DecodedScore, PictureScore};
use crate::session::{DecoderFiles, StoredPicture};

/// What a picture on screen is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownAs {
    /// The state itself: the map makes pictures.
    Pixels,
    /// A latent, decoded by the autoencoder.
    Decoded,
    /// A latent, decoded by the small decoder: less detail.
    Preview,
    /// A latent as it is: three of its numbers as red, green and blue.
    FalseColours,
}

/// Latents of about unit variance in false colours: so many standard deviations are black or full.
const DEVIATIONS: f32 = 3.0;

/// How the states of a map become pictures.
pub struct PictureView {
    state: [usize; 3],
    shape: [usize; 3],
    /// What makes the pictures that are kept: the autoencoder; without one the small decoder.
    best: Option<Arc<LatentDecoder>>,
    /// What is shown until then, where there are both.
    quick: Option<Arc<LatentDecoder>>,
}

impl PictureView {
    /// Why latents that nothing decodes have no reward.
    pub const UNREWARDED: &str = "This map makes latents, and rewards are of pictures: name the autoencoder that decodes them";

    /// Of states `[C, H, W]` without a decoder: grey and colours as they are, anything else in false colours.
    pub fn bare(state: [usize; 3]) -> Self {
        let shape = if is_pixels(state) {
            state
        } else {
            [3, state[1], state[2]]
        };
        Self {
            state,
            shape,
            best: None,
            quick: None,
        }
    }

    /// Of latents `[C, H, W]` with the decoders of files, read to `device`. Maps of pixels look at no file.
    ///
    /// # Errors
    /// When a file cannot be read, is none of a decoder, one of other latents, or when both are of the same kind; the
    /// message says what to do.
    pub fn open(state: [usize; 3], files: &DecoderFiles, device: &Device) -> Result<Self, String> {
        if is_pixels(state) {
            return Ok(Self::bare(state));
        }
        let read = |path: &Option<PathBuf>| {
            let read = |path: &PathBuf| {
                let decoder = read_latent_decoder(path, state, device);
                decoder.map(Arc::new).map_err(|e| e.to_string())
            };
            path.as_ref().map(read).transpose()
        };
        let (full, preview) = (read(&files.full)?, read(&files.preview)?);
        let wrong = |path: &Option<PathBuf>, what: &str| {
            let path = path.as_ref().map(|path| path.display().to_string());
            Err(format!("{}: {what}", path.unwrap_or_default()))
        };
        if full.as_ref().is_some_and(|full| full.is_preview()) {
            return wrong(
                &files.full,
                "this is a small decoder for previews: name it as the preview, and the autoencoder as the decoder",
            );
        }
        if preview.as_ref().is_some_and(|small| !small.is_preview()) {
            return wrong(
                &files.preview,
                "this is a full autoencoder: name it as the decoder, and a small one (taesd) as the preview",
            );
        }
        Self::of(state, full, preview).ok_or_else(|| {
            "the decoder and its preview make pictures of different sizes: leave one out".to_owned()
        })
    }

    /// How many pictures that are kept are made side by side.
    pub fn at_once(&self) -> usize {
        let best = self.best.as_ref();
        best.map_or(1, |decoder| decoder.at_once(Pass::Forward))
    }

    /// About what making pictures that are kept takes, or going back through them.
    pub fn memory(&self, pass: Pass) -> Memory {
        let best = self.best.as_ref();
        best.map_or_else(Memory::default, |decoder| decoder.memory(pass))
    }

    /// With decoders that are there; `None` where they do not fit each other.
    pub fn of(
        state: [usize; 3],
        full: Option<Arc<LatentDecoder>>,
        preview: Option<Arc<LatentDecoder>>,
    ) -> Option<Self> {
        let (best, quick) = match (full, preview) {
            (Some(full), quick) => (full, quick),
            (None, Some(preview)) => (preview, None),
            (None, None) => return Some(Self::bare(state)),
        };
        let shape = best.picture();
        let fits = best.latent() == state
            && is_pixels(shape)
            && quick
                .as_ref()
                .is_none_or(|quick| quick.picture() == shape && quick.latent() == state);
        fits.then_some(Self {
            state,
            shape,
            best: Some(best),
            quick,
        })
    }

    /// Channels, rows and columns of what is shown.
    pub const fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// How many numbers are shown.
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether what is shown is not the state itself.
    pub const fn is_latent(&self) -> bool {
        !is_pixels(self.state)
    }

    /// What the pictures of [`Self::best`] are.
    pub fn seen(&self) -> ShownAs {
        match &self.best {
            _ if !self.is_latent() => ShownAs::Pixels,
            None => ShownAs::FalseColours,
            Some(best) if best.is_preview() => ShownAs::Preview,
            Some(_) => ShownAs::Decoded,
        }
    }

    /// What the pictures of [`Self::quick`] are.
    pub fn seen_at_once(&self) -> ShownAs {
        match &self.quick {
            _ if !self.is_latent() => ShownAs::Pixels,
            Some(_) => ShownAs::Preview,
            None => ShownAs::FalseColours,
        }
    }

    /// What decodes; `None` where nothing is to be decoded, or nothing can.
    pub const fn decoder(&self) -> Option<&Arc<LatentDecoder>> {
        self.best.as_ref()
    }

    /// States `[n][c h w]` as they are shown at once, `[n][C H W]`.
    pub fn quick<'a>(&self, states: &'a [f32]) -> Cow<'a, [f32]> {
        // Always wanted, so they are there.
        self.quick_while(states, &|| true).unwrap_or_default()
    }

    /// The same; `None` once `going` says that nobody waits any more.
    pub fn quick_while<'a>(&self, states: &'a [f32], going: Going<'_>) -> Option<Cow<'a, [f32]>> {
        self.made(self.quick.as_deref(), states, going)
    }

    /// States `[n][c h w]` as they are kept, `[n][C H W]`.
    pub fn best<'a>(&self, states: &'a [f32]) -> Cow<'a, [f32]> {
        // As above.
        self.best_while(states, &|| true).unwrap_or_default()
    }

    /// The same; `None` once `going` says that nobody waits any more.
    pub fn best_while<'a>(&self, states: &'a [f32], going: Going<'_>) -> Option<Cow<'a, [f32]>> {
        self.made(self.best.as_deref(), states, going)
    }

    fn made<'a>(
        &self,
        decoder: Option<&LatentDecoder>,
        states: &'a [f32],
        going: Going<'_>,
    ) -> Option<Cow<'a, [f32]>> {
        match decoder {
            _ if !self.is_latent() => Some(Cow::Borrowed(states)),
            Some(decoder) => decoder.decode_while(states, going).map(Cow::Owned),
            None => Some(Cow::Owned(self.false_colours(states))),
        }
    }

    /// Whether the only decoder is a large one, so that it pays to see half the resolution first.
    pub fn has_halves(&self) -> bool {
        let [_, rows, columns] = self.state;
        self.seen() == ShownAs::Decoded
            && self.quick.is_none()
            && rows.is_multiple_of(2)
            && columns.is_multiple_of(2)
    }

    /// A state `[c h w]` decoded at half the resolution, `[C H W]`; `None` without [`Self::has_halves`], and once `going` says
    /// that nobody waits any more.
    pub fn half(&self, state: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
        let best = self.best.as_ref().filter(|_| self.has_halves())?;
        best.decode_half(state, going)
    }

    /// Noisy states `[n][c h w]` as they are shown, `[n][C H W]`: nothing decodes noise, so latents are in false colours.
    pub fn noisy<'a>(&self, states: &'a [f32]) -> Cow<'a, [f32]> {
        if self.is_latent() {
            Cow::Owned(self.false_colours(states))
        } else {
            Cow::Borrowed(states)
        }
    }

    fn false_colours(&self, states: &[f32]) -> Vec<f32> {
        let [c, h, w] = self.state;
        let [_, rows, columns] = self.shape;
        let (down, across) = (rows / h.max(1), columns / w.max(1));
        let mut out = Vec::with_capacity(states.len() / (c * h * w).max(1) * 3 * rows * columns);
        for state in states.chunks_exact((c * h * w).max(1)) {
            for colour in 0..3 {
                let plane = &state[colour.min(c - 1) * h * w..][..h * w];
                for y in 0..rows {
                    let row = &plane[y / down.max(1) * w..][..w];
                    out.extend((0..columns).map(|x| row[x / across.max(1)] / DEVIATIONS));
                }
            }
        }
        out
    }

    /// The state that a picture `[C][H][W]` is.
    ///
    /// # Errors
    /// When nothing here makes latents of pictures; the message says what to do.
    pub fn state_of(&self, picture: &[f32]) -> Result<Vec<f32>, String> {
        // Always wanted, so it is there.
        let state = self.state_of_while(picture, &|| true)?;
        Ok(state.unwrap_or_default())
    }

    /// The same; `None` once `going` says that nobody waits any more.
    ///
    /// # Errors
    /// As [`Self::state_of`].
    pub fn state_of_while(
        &self,
        picture: &[f32],
        going: Going<'_>,
    ) -> Result<Option<Vec<f32>>, String> {
        if !self.is_latent() {
            return Ok(Some(picture.to_vec()));
        }
        match self.best.as_ref().filter(|best| best.encodes()) {
            Some(best) => Ok(best.encode_while(picture, going)),
            None => Err(
                "A picture becomes a latent by the autoencoder's encoder: name the full autoencoder as the decoder of this map"
                    .to_owned(),
            ),
        }
    }

    /// A reward of what is shown, asked of states.
    ///
    /// # Errors
    /// When nothing decodes the latents, or the reward is of other pictures.
    pub fn reward(&self, score: Arc<dyn PictureScore>) -> Result<Arc<dyn PictureScore>, String> {
        self.reward_while(score, &Wanted::default())
    }

    /// The same for who may stop waiting: from then on scores of decoded latents come soon and are no numbers.
    ///
    /// # Errors
    /// As [`Self::reward`].
    pub fn reward_while(
        &self,
        score: Arc<dyn PictureScore>,
        wanted: &Wanted,
    ) -> Result<Arc<dyn PictureScore>, String> {
        if !self.is_latent() {
            return Ok(score);
        }
        let Some(decoder) = &self.best else {
            return Err(Self::UNREWARDED.to_owned());
        };
        let of = score.shape();
        let decoded = DecodedScore::new(decoder.clone(), score);
        decoded.map_or_else(
            || {
                Err(format!(
                    "the reward is of pictures of {of:?}, the decoder makes others"
                ))
            },
            |score| Ok(Arc::new(score.wanted(wanted.clone())) as Arc<dyn PictureScore>),
        )
    }
}

/// Whether pictures of that shape cannot be shown and kept.
pub(super) fn is_unfit(shape: [usize; 3]) -> bool {
    let [_, h, w] = shape;
    !(is_pixels(shape) && h == w && (1..=StoredPicture::MAX_SIDE as usize).contains(&h))
}

const fn is_pixels([channels, ..]: [usize; 3]) -> bool {
    matches!(channels, 1 | 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latents() -> Vec<f32> {
        (0..128).map(|i| (1.3 * i as f32).sin()).collect()
    }

    #[test]
    fn latents_are_shown_decoded_and_without_a_decoder_in_false_colours() {
        let decoder = Arc::new(LatentDecoder::small());
        let view = PictureView::of([4, 4, 4], Some(decoder), None).unwrap();
        assert_eq!((view.shape(), view.seen()), ([3, 8, 8], ShownAs::Decoded));
        assert_eq!(view.seen_at_once(), ShownAs::FalseColours);
        let latents = latents();
        let (two, second) = (view.best(&latents), view.best(&latents[64..]));
        assert_eq!(two.len(), 2 * 3 * 8 * 8);
        assert_eq!(two[192..], *second);
        assert_eq!(view.state_of(&second).unwrap().len(), 64);
        // At once: a pixel of the latent is two by two of the picture's.
        let quick = view.quick(&latents);
        assert_eq!(quick.len(), two.len());
        assert_eq!((quick[0], quick[1]), (quick[8], quick[9]));
        assert_eq!(quick[64], latents[16] / DEVIATIONS);
        let bare = PictureView::bare([4, 4, 4]);
        assert_eq!(
            (bare.shape(), bare.seen()),
            ([3, 4, 4], ShownAs::FalseColours)
        );
        assert_eq!(
            bare.best(&latents)[..2],
            [latents[0] / 3.0, latents[1] / 3.0]
        );
        assert!(bare.state_of(&second).unwrap_err().contains("autoencoder"));
    }

    #[test]
    fn pixels_are_as_they_are_and_only_decoded_latents_are_rewarded() {
        use crate::reward::picture::{PictureParts, PictureReward};
        let pixels = PictureView::bare([1, 8, 8]);
        let picture = vec![0.5; 64];
        assert!(matches!(pixels.best(&picture), Cow::Borrowed(_)));
        assert_eq!(pixels.state_of(&picture).unwrap(), picture);
        let reward: PictureReward = "brightness@4".parse().unwrap();
        let bind = |shape| reward.bind(shape, &PictureParts::default()).unwrap();
        assert_eq!(pixels.reward(bind([1, 8, 8])).unwrap().shape(), [1, 8, 8]);
        let decoder = Arc::new(LatentDecoder::small());
        let view = PictureView::of([4, 4, 4], Some(decoder), None).unwrap();
        assert_eq!(view.reward(bind([3, 8, 8])).unwrap().shape(), [4, 4, 4]);
        let other = view.reward(bind([3, 4, 4])).err().unwrap();
        assert!(other.contains("the decoder makes others"), "{other}");
        let bare = PictureView::bare([4, 4, 4]);
        let message = bare.reward(bind([3, 4, 4])).err().unwrap();
        assert!(message.contains("name the autoencoder"), "{message}");
    }
}
