//! The wall as it is shown: the newest pictures, and where those are still on their way the ones before.

use std::sync::Arc;

use eframe::egui::{Context, Painter, Rect, TextureHandle, TextureId};

use crate::engine::{WallAnswer, WallRequest};
use crate::gpu::PictureBuffer;
use crate::render::{PictureTile, PictureTiles, ViewId};
use crate::session::{Images, StoredPicture};

use super::atlas::plate;
use super::zoom::Zoom;

/// One slot of the wall.
#[derive(Clone, Default)]
pub struct Tile {
    /// `[C][H][W]`, 0 black; empty where nothing was drawn yet.
    pub pixels: Vec<u8>,
    /// The same where it is painted from; `None` where there is no graphics device.
    pub(super) painted: Option<(PictureBuffer, u32)>,
    /// What the classifier says; empty where there is none.
    pub probabilities: Vec<f32>,
    /// What the reward says; `None` where nothing is rewarded.
    pub reward: Option<f32>,
    /// A second score that the reward does not know.
    pub second: Option<f32>,
    /// Of which wall it is.
    pub(super) of: Option<Arc<WallRequest>>,
    /// Whether it is of the state that is shown.
    pub fresh: bool,
}

impl Tile {
    /// The likeliest class and its probability.
    pub fn likeliest(&self) -> Option<(usize, f32)> {
        self.probabilities
            .iter()
            .copied()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// Pictures beside the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plate {
    /// The picture behind the state.
    Clean,
    /// The noisy state.
    State,
    /// The mean of the draws.
    Mean,
    /// Their standard deviation.
    Deviation,
}

/// What is kept between frames.
#[derive(Default)]
pub struct View {
    /// One a slot.
    pub tiles: Vec<Tile>,
    /// The newest answer: its state is shown at once.
    pub newest: Option<Arc<WallAnswer>>,
    /// The newest answer that has draws: its figures are shown.
    pub drawn: Option<Arc<WallAnswer>>,
    /// Which part of the wall is shown.
    pub zoom: Zoom,
    plates: Vec<(Plate, Arc<WallAnswer>, bool, TextureHandle)>,
    /// The picture that is painted on.
    painted: Option<(StoredPicture, bool, TextureHandle)>,
    /// Of kept pictures, smoothed or not; the last few.
    kept: Vec<(StoredPicture, bool, TextureHandle)>,
}

/// Textures of kept pictures: twice as many as can be kept at once.
const KEPT_TEXTURES: usize = 2 * Images::MAX_KEPT;

impl View {
    /// `[C, H, W]` of the pictures.
    pub fn shape(&self) -> [usize; 3] {
        self.newest
            .as_ref()
            .map_or([1, 1, 1], |answer| answer.request.model.shape())
    }

    /// Takes in an answer; the wall has `slots` slots.
    pub fn take(&mut self, answer: &Arc<WallAnswer>, slots: usize) {
        self.newest = Some(answer.clone());
        self.tiles.resize_with(slots, Tile::default);
        if answer.is_empty() {
            return;
        }
        let scores = answer.scores();
        let second = scores.and_then(|scores| scores.second.as_ref());
        let request = &answer.request;
        for (item, tile) in self.tiles.iter_mut().enumerate() {
            let Some(picture) = answer.picture(item) else {
                let same = |of: &Arc<WallRequest>| of.same_question(request);
                tile.fresh = tile.of.as_ref().is_some_and(same);
                continue;
            };
            *tile = Tile {
                // Another reward of the same pictures leaves them where they are.
                painted: answer.painted.place(item).map(|(b, at)| (b.clone(), at)),
                pixels: StoredPicture::rounded(picture),
                reward: scores.and_then(|scores| scores.scores.get(item).copied()),
                second: second.and_then(|second| second.scores.get(item).copied()),
                probabilities: answer.probabilities(item).to_vec(),
                of: Some(request.clone()),
                fresh: true,
            };
        }
        self.drawn = Some(answer.clone());
    }

    /// The picture behind the newest state, `[C][H][W]`, 0 black; empty where there is none.
    pub fn clean_bytes(&self) -> Vec<u8> {
        let newest = self.newest.as_ref();
        newest.map_or_else(Vec::new, |answer| StoredPicture::rounded(&answer.clean))
    }

    /// The tile that is this picture, byte for byte.
    pub fn find(&self, picture: &StoredPicture) -> Option<usize> {
        let bytes = picture.bytes();
        self.tiles.iter().position(|tile| tile.pixels == bytes)
    }

    /// How many tiles are of the state that is shown.
    pub fn fresh(&self) -> usize {
        self.tiles.iter().filter(|tile| tile.fresh).count()
    }

    /// Paints tiles, each `(tile, where, opacity)`, from where they were computed; nothing is uploaded where nothing
    /// changed. `layer` tells those apart that are painted in one frame. Nothing outside `area` is painted over.
    pub fn paint(
        &self,
        painter: &Painter,
        layer: &str,
        tiles: impl Iterator<Item = (usize, Rect, f32)>,
        (area, smooth): (Rect, bool),
    ) {
        let tile = |(item, rect, opacity): (usize, Rect, f32)| {
            let (pictures, at) = self.tiles.get(item)?.painted.as_ref()?;
            Some(PictureTile {
                pictures: pictures.clone(),
                item: *at,
                rect,
                opacity,
            })
        };
        let tiles: Vec<PictureTile> = tiles.filter_map(tile).collect();
        if tiles.is_empty() {
            return;
        }
        let tiles = PictureTiles {
            view: ViewId::named(layer),
            shape: self.shape(),
            tiles,
            smooth,
        };
        painter.add(tiles.paint_callback(area));
    }

    /// The texture of the picture that is painted on, made again when it changes.
    pub fn painted(&mut self, ctx: &Context, picture: &StoredPicture, smooth: bool) -> TextureId {
        if let Some((of, smoothed, handle)) = &self.painted
            && of == picture
            && *smoothed == smooth
        {
            return handle.id();
        }
        let side = picture.side as usize;
        let shape = [picture.channels as usize, side, side];
        let handle = plate(ctx, &picture.bytes(), shape, smooth);
        let id = handle.id();
        self.painted = Some((picture.clone(), smooth, handle));
        id
    }

    /// The texture of a kept picture, made once.
    pub fn kept(&mut self, ctx: &Context, picture: &StoredPicture, smooth: bool) -> TextureId {
        let same = |(of, smoothed, _): &&(StoredPicture, bool, TextureHandle)| {
            of == picture && *smoothed == smooth
        };
        if let Some((.., handle)) = self.kept.iter().find(same) {
            return handle.id();
        }
        let side = picture.side as usize;
        let shape = [picture.channels as usize, side, side];
        let handle = plate(ctx, &picture.bytes(), shape, smooth);
        let id = handle.id();
        if self.kept.len() >= KEPT_TEXTURES {
            drop(self.kept.remove(0));
        }
        self.kept.push((picture.clone(), smooth, handle));
        id
    }

    /// A picture beside the wall as a texture; the deviation is scaled so that its largest number is white.
    pub fn plate(&mut self, ctx: &Context, which: Plate, smooth: bool) -> Option<TextureHandle> {
        let of_draws = matches!(which, Plate::Mean | Plate::Deviation);
        let answer = if of_draws { &self.drawn } else { &self.newest }.clone()?;
        let found = self.plates.iter().position(|(plate, of, smoothed, _)| {
            *plate == which && Arc::ptr_eq(of, &answer) && *smoothed == smooth
        });
        if let Some(index) = found {
            return Some(self.plates[index].3.clone());
        }
        let bytes = match which {
            Plate::Clean => StoredPicture::rounded(&answer.clean),
            Plate::State => StoredPicture::rounded(&answer.x_t),
            Plate::Mean => StoredPicture::rounded(&answer.figures.mean),
            Plate::Deviation => {
                let most = most(&answer.figures.deviation).max(f32::MIN_POSITIVE);
                let deviation = answer.figures.deviation.iter();
                deviation.map(|d| (d / most * 255.0) as u8).collect()
            }
        };
        let handle = plate(ctx, &bytes, answer.request.model.shape(), smooth);
        self.plates.retain(|(plate, ..)| *plate != which);
        self.plates.push((which, answer, smooth, handle.clone()));
        Some(handle)
    }

    /// The largest standard deviation of a pixel, 0 black to 1 white.
    pub fn most_deviation(&self) -> Option<f32> {
        let drawn = self.drawn.as_ref()?;
        // From -1..1 to 0..1.
        Some(most(&drawn.figures.deviation) / 2.0)
    }
}

fn most(values: &[f32]) -> f32 {
    values.iter().copied().fold(0.0, f32::max)
}
