//! All pictures of the Studio on one texture, made again when the clock shows others.

use std::sync::Arc;

use eframe::egui::{Context, Rect, TextureId};

use crate::engine::StudioAnswer;
use crate::steer::images::ImageFrame;
use crate::ui::images::atlas::Atlas;
use crate::ui::images::view::{Tile, to_bytes};

/// What is kept between frames.
#[derive(Default)]
pub struct StudioView {
    atlas: Atlas,
    tiles: Vec<Tile>,
    /// The frame of each row, and whether its noisy states are shown.
    of: (Vec<Option<Arc<ImageFrame>>>, bool),
    revision: u64,
    /// Particles of a row.
    across: usize,
    /// Whether the wipe had room below the rows.
    pub has_band: bool,
}

fn same(a: &[Option<Arc<ImageFrame>>], b: &[Option<Arc<ImageFrame>>]) -> bool {
    let pair = |(a, b): (&Option<Arc<ImageFrame>>, &Option<Arc<ImageFrame>>)| match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
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
            .map(|run| ImageFrame::at(&run.frames, t).map(|(_, frame)| frame.clone()))
            .collect();
        self.across = answer.request.particles.len();
        if self.revision == 0 || self.of.1 != states || !same(&self.of.0, &frames) {
            self.revision += 1;
            let numbers = answer.request.model.numbers();
            self.tiles.clear();
            for frame in &frames {
                for particle in 0..self.across {
                    let picture = frame.as_ref().and_then(|frame| {
                        if states {
                            frame.state(particle)
                        } else {
                            frame.expected(particle)
                        }
                    });
                    let picture = picture.filter(|picture| picture.len() == numbers);
                    self.tiles.push(Tile {
                        pixels: picture.map(to_bytes).unwrap_or_default(),
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
