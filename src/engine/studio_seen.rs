//! What is seen of steered runs: pictures as they are, and where a map makes latents what these were decoded to.

use std::sync::Arc;

use crate::session::StoredPicture;
use crate::steer::images::ImageFrame;

use super::picture_view::PictureView;
use super::studio_message::{StudioAnswer, StudioRun};

/// The frames of one run, as they are looked at.
#[derive(Clone)]
pub struct SeenRun {
    /// The steps, the start first.
    pub frames: Vec<Arc<ImageFrame>>,
    /// Of latents: what the states of each step look like becoming, `[P][C H W]`, 0 black; empty where the map makes
    /// pictures.
    pub shown: Vec<Arc<[u8]>>,
    /// How states are shown.
    pub view: Arc<PictureView>,
}

impl SeenRun {
    /// Steps whose states are pictures `[C, H, W]`.
    pub fn of_pictures(frames: Vec<Arc<ImageFrame>>, shape: [usize; 3]) -> Self {
        Self {
            frames,
            shown: Vec::new(),
            view: Arc::new(PictureView::bare(shape)),
        }
    }

    /// A picture of the last step that is not later than `t`, `[C][H][W]`, 0 black: the noisy state, or what it looks like
    /// becoming.
    pub fn bytes(&self, particle: usize, t: f64, states: bool) -> Option<Vec<u8>> {
        seen((&self.frames, &self.shown, &self.view), particle, t, states)
    }
}

/// The steps of a run, what was decoded of them, and how states are shown.
type Run<'a> = (&'a [Arc<ImageFrame>], &'a [Arc<[u8]>], &'a PictureView);

fn seen((frames, shown, view): Run<'_>, particle: usize, t: f64, states: bool) -> Option<Vec<u8>> {
    let (number, frame) = ImageFrame::at(frames, t)?;
    let bytes = if states {
        StoredPicture::rounded(&view.noisy(frame.state(particle)?))
    } else if view.is_latent() {
        let numbers = view.numbers();
        let all = shown.get(number)?;
        all.get(particle * numbers..(particle + 1) * numbers)?
            .to_vec()
    } else {
        StoredPicture::rounded(frame.expected(particle)?)
    };
    (bytes.len() == view.numbers()).then_some(bytes)
}

impl StudioAnswer {
    /// A picture of a row and a particle as it is shown at time `t`, `[C][H][W]`, 0 black: the noisy state, or what it
    /// looks like becoming, of a run under way as roughly as it is decoded. `None` where it is not there.
    pub fn bytes(&self, (row, particle): (usize, usize), t: f64, states: bool) -> Option<Vec<u8>> {
        let view = &self.request.model.view;
        let run = self.panels.get(row)?;
        let (number, _) = ImageFrame::at(&run.frames, t)?;
        if let Some(preview) = run.preview_of(number).filter(|_| !states) {
            let numbers = view.numbers();
            let bytes = preview.get(particle * numbers..(particle + 1) * numbers);
            return bytes.map(<[u8]>::to_vec);
        }
        self.kept_bytes((row, particle), t, states)
    }

    fn kept_bytes(&self, (row, particle): (usize, usize), t: f64, states: bool) -> Option<Vec<u8>> {
        let view = &self.request.model.view;
        let StudioRun { frames, shown, .. } = self.panels.get(row)?;
        seen((frames, shown, view), particle, t, states)
    }

    /// What it looks like becoming, as it is kept: never a preview.
    pub fn stored(&self, cell: (usize, usize), t: f64) -> Option<StoredPicture> {
        let [c, h, _] = self.request.model.shape();
        StoredPicture::from_bytes(c as u32, h as u32, &self.kept_bytes(cell, t, false)?)
    }

    /// A row's steps, as they are looked at.
    pub fn seen(&self, row: usize) -> Option<SeenRun> {
        let run = self.panels.get(row)?;
        Some(SeenRun {
            frames: run.frames.clone(),
            shown: run.shown.clone(),
            view: self.request.model.view.clone(),
        })
    }
}
