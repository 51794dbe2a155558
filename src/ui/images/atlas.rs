//! Pictures as textures: all tiles of a wall on a few large ones.

use eframe::egui::{
    Color32, ColorImage, Context, Mesh, Rect, Shape, TextureHandle, TextureId, TextureOptions, pos2,
};

use crate::ui::tokens;

use super::view::Tile;

/// No texture is wider, whatever the device can.
const MAX_SIDE: usize = 4096;

/// Tiles on pages. Around each tile its edge is repeated, so that smoothing does not mix neighbours.
#[derive(Default)]
pub struct Atlas {
    pages: Vec<TextureHandle>,
    /// Revision, smoothness and number of the tiles that are on the pages.
    of: Option<(u64, bool, usize)>,
    columns: usize,
    rows: usize,
    side: usize,
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
        smooth: bool,
    ) {
        let of = Some((revision, smooth, tiles.len()));
        if self.of == of {
            return;
        }
        self.of = of;
        self.side = side;
        let cell = side + 2;
        let limit = ctx.input(|i| i.max_texture_side).min(MAX_SIDE);
        let across = (limit / cell).max(1);
        self.columns = across.min((tiles.len() as f64).sqrt().ceil().max(1.0) as usize);
        self.rows = across.min(tiles.len().div_ceil(self.columns).max(1));
        let per_page = self.columns * self.rows;
        self.pages.truncate(tiles.len().div_ceil(per_page));
        for (page, tiles) in tiles.chunks(per_page).enumerate() {
            let image = self.page(tiles, cell);
            match self.pages.get_mut(page) {
                Some(handle) => handle.set(image, options(smooth)),
                None => {
                    let name = format!("wall {page}");
                    self.pages
                        .push(ctx.load_texture(name, image, options(smooth)));
                }
            }
        }
    }

    fn page(&self, tiles: &[Tile], cell: usize) -> ColorImage {
        let (width, height) = (self.columns * cell, self.rows * cell);
        let (side, area) = (self.side, self.side * self.side);
        let mut colors = vec![tokens::pixel([0; 3]); width * height];
        for (index, tile) in tiles.iter().enumerate() {
            let (left, top) = (index % self.columns * cell, index / self.columns * cell);
            for y in 0..cell {
                let from = (y.max(1) - 1).min(side - 1);
                let row = &mut colors[(top + y) * width + left..][..cell];
                for (x, color_out) in row.iter_mut().enumerate() {
                    let at = from * side + (x.max(1) - 1).min(side - 1);
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

    /// Many tiles as few shapes, each `(tile, where, tint)`.
    pub fn shapes(&self, tiles: impl Iterator<Item = (usize, Rect, Color32)>) -> Vec<Shape> {
        let mut meshes: Vec<Mesh> = self
            .pages
            .iter()
            .map(|page| Mesh::with_texture(page.id()))
            .collect();
        for (item, rect, tint) in tiles {
            if let Some((texture, uv)) = self.place(item)
                && let Some(mesh) = meshes.iter_mut().find(|m| m.texture_id == texture)
            {
                mesh.add_rect_with_uv(rect, uv, tint);
            }
        }
        meshes
            .into_iter()
            .filter(|mesh| !mesh.is_empty())
            .map(Shape::mesh)
            .collect()
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
