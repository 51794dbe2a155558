//! All pictures of the Studio on one texture, made again when the clock shows others.

use std::sync::Arc;

use eframe::egui::{Context, Rect, TextureId};

use crate::engine::StudioAnswer;
use crate::steer::images::ImageFrame;
use crate::ui::images::atlas::Atlas;
use crate::ui::images::view::Tile;

/// What is kept between frames.
#[derive(Default)]
pub struct StudioView {
    atlas: Atlas,
    tiles: Vec<Tile>,
    /// The frame of each row, and whether its noisy states are shown.
    of: (Vec<Option<Shown>>, bool),
    revision: u64,
    /// Particles of a row.
    across: usize,
    /// Whether the wipe had room below the rows.
    pub has_band: bool,
}

/// A frame, and what it was decoded to where it is of latents.
type Shown = (Arc<ImageFrame>, Option<Arc<[u8]>>);

fn same(a: &[Option<Shown>], b: &[Option<Shown>]) -> bool {
    let pair = |(a, b): (&Option<Shown>, &Option<Shown>)| match (a, b) {
        (Some((a, of_a)), Some((b, of_b))) => {
            let decoded = |bytes: &Option<Arc<[u8]>>| bytes.as_ref().map(Arc::as_ptr);
            Arc::ptr_eq(a, b) && decoded(of_a) == decoded(of_b)
        }
        (None, None) => true,
        _ => false,
    };
    a.len() == b.len() && a.iter().zip(b).all(pair)
}

impl StudioView {
    /// Uploads the pictures of the answer at time `t`, unless they are there; `scale` in physical pixels a pixel.
    pub fn prepare(
        &mut self,
        ctx: &Context,
        answer: &StudioAnswer,
        (t, states): (f64, bool),
        (smooth, scale): (bool, f32),
    ) {
        let frames: Vec<_> = answer
            .panels
            .iter()
            .map(|run| {
                let (number, frame) = ImageFrame::at(&run.frames, t)?;
                let shown = run.preview_of(number).or(run.shown.get(number));
                Some((frame.clone(), shown.cloned()))
            })
            .collect();
        self.across = answer.request.particles.len();
        if self.revision == 0 || self.of.1 != states || !same(&self.of.0, &frames) {
            self.revision += 1;
            self.tiles.clear();
            for row in 0..frames.len() {
                for particle in 0..self.across {
                    let picture = answer.bytes((row, particle), t, states);
                    self.tiles.push(Tile {
                        pixels: picture.unwrap_or_default(),
                        fresh: true,
                        ..Tile::default()
                    });
                }
            }
            self.of = (frames, states);
        }
        let shape = answer.request.model.shape();
        self.atlas
            .update(ctx, &self.tiles, shape, self.revision, (smooth, scale));
    }

    /// The texture of a picture and where it lies on it; `None` where there is none yet.
    pub fn place(&self, row: usize, particle: usize) -> Option<(TextureId, Rect)> {
        let item = row * self.across + particle;
        let tile = self.tiles.get(item).filter(|_| particle < self.across)?;
        (!tile.pixels.is_empty())
            .then(|| self.atlas.place(item))
            .flatten()
    }
}
