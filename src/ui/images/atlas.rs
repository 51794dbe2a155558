//! Pictures as textures: those of the Studio on a few large ones, plates and thumbnails each on one of its own. The wall
//! needs none: it is painted from where it was computed.

use eframe::egui::{
    Color32, ColorImage, Context, Rect, TextureHandle, TextureId, TextureOptions, pos2,
};

use crate::ui::tokens;

use super::view::Tile;

/// No texture is wider, whatever the device can.
const MAX_SIDE: usize = 4096;

/// Enlarged at most so many times before the upload, and the most pixels of all pages together then.
const MAX_ZOOM: usize = 4;
const MAX_PIXELS: usize = 4 << 20;

/// Tiles on pages. Sharp tiles are enlarged by a whole factor beforehand: blended from there to their size on screen,
/// all their pixels look alike, which the nearest pixel alone does not give.
/// Around each tile its edge is repeated, so that smoothing does not mix neighbours.
#[derive(Default)]
pub struct Atlas {
    pages: Vec<TextureHandle>,
    /// Revision, enlargement (0 where smooth) and number of the tiles that are on the pages.
    of: Option<(u64, usize, usize)>,
    columns: usize,
    rows: usize,
    /// Of a tile on its page.
    side: usize,
}

/// How many times sharp tiles are enlarged that are painted `scale` physical pixels a pixel.
fn zoom(scale: f32, side: usize, count: usize) -> usize {
    let wanted = (scale.ceil() as usize).clamp(1, MAX_ZOOM);
    let fits = |zoom: &usize| count * (side * zoom + 2).pow(2) <= MAX_PIXELS;
    (1..=wanted).rev().find(fits).unwrap_or(1)
}

fn options(smooth: bool) -> TextureOptions {
    if smooth {
        TextureOptions::LINEAR
    } else {
        TextureOptions::NEAREST
    }
}

/// The colour of a pixel of `[C][H][W]` bytes; black where there is none.
fn color(pixels: &[u8], area: usize, at: usize) -> Color32 {
    let channel = |c: usize| pixels.get(c * area + at).copied().unwrap_or(0);
    tokens::pixel(if pixels.len() == area {
        [channel(0); 3]
    } else {
        [channel(0), channel(1), channel(2)]
    })
}

impl Atlas {
    /// Uploads the tiles, unless they are there already.
    pub fn update(
        &mut self,
        ctx: &Context,
        tiles: &[Tile],
        [_, side, _]: [usize; 3],
        revision: u64,
        (smooth, scale): (bool, f32),
    ) {
        let zoom = if smooth {
            1
        } else {
            zoom(scale, side, tiles.len())
        };
        let of = Some((revision, if smooth { 0 } else { zoom }, tiles.len()));
        if self.of == of {
            return;
        }
        self.of = of;
        self.side = side * zoom;
        let cell = self.side + 2;
        let limit = ctx.input(|i| i.max_texture_side).min(MAX_SIDE);
        let across = (limit / cell).max(1);
        self.columns = across.min((tiles.len() as f64).sqrt().ceil().max(1.0) as usize);
        self.rows = across.min(tiles.len().div_ceil(self.columns).max(1));
        let per_page = self.columns * self.rows;
        self.pages.truncate(tiles.len().div_ceil(per_page));
        for (page, tiles) in tiles.chunks(per_page).enumerate() {
            let image = self.page(tiles, side, zoom);
            let options = options(smooth || zoom > 1);
            if let Some(handle) = self.pages.get_mut(page) {
                handle.set(image, options);
            } else {
                let name = format!("wall {page}");
                self.pages.push(ctx.load_texture(name, image, options));
            }
        }
    }

    fn page(&self, tiles: &[Tile], side: usize, zoom: usize) -> ColorImage {
        let cell = self.side + 2;
        let (width, height) = (self.columns * cell, self.rows * cell);
        let area = side * side;
        let mut colors = vec![tokens::pixel([0; 3]); width * height];
        for (index, tile) in tiles.iter().enumerate() {
            let (left, top) = (index % self.columns * cell, index / self.columns * cell);
            for y in 0..cell {
                let from = ((y.max(1) - 1) / zoom).min(side - 1);
                let row = &mut colors[(top + y) * width + left..][..cell];
                for (x, color_out) in row.iter_mut().enumerate() {
                    let at = from * side + ((x.max(1) - 1) / zoom).min(side - 1);
                    *color_out = color(&tile.pixels, area, at);
                }
            }
        }
        ColorImage::new([width, height], colors)
    }

    /// The texture of a tile and where it lies on it.
    pub fn place(&self, item: usize) -> Option<(TextureId, Rect)> {
        let per_page = self.columns * self.rows;
        let page = self.pages.get(item.checked_div(per_page)?)?;
        let on_page = item % per_page;
        let cell = (self.side + 2) as f32;
        let [width, height] = [self.columns as f32 * cell, self.rows as f32 * cell];
        let left = (on_page % self.columns) as f32 * cell + 1.0;
        let top = (on_page / self.columns) as f32 * cell + 1.0;
        let side = self.side as f32;
        let uv = Rect::from_min_max(
            pos2(left / width, top / height),
            pos2((left + side) / width, (top + side) / height),
        );
        Some((page.id(), uv))
    }
}

/// One picture, `[C][H][W]` bytes, as a texture of its own.
pub fn plate(
    ctx: &Context,
    bytes: &[u8],
    [_, height, width]: [usize; 3],
    smooth: bool,
) -> TextureHandle {
    let area = height * width;
    let colors = (0..area).map(|at| color(bytes, area, at)).collect();
    let image = ColorImage::new([width, height], colors);
    ctx.load_texture("picture", image, options(smooth))
}

/// The whole of a texture.
pub fn whole() -> Rect {
    Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tiles_are_enlarged_and_a_thousand_stay_small() {
        assert_eq!(zoom(2.4, 28, 64), 3);
        assert_eq!(zoom(9.0, 28, 16), 4);
        assert_eq!(zoom(0.7, 28, 1024), 1);
        assert_eq!(zoom(3.0, 256, 1024), 1);
    }
}
