//! Big latents in overlapping tiles, so that the memory is that of one: cut, each tile on its own, and blended where they
//! overlap, as diffusers does it (`tiled_decode`, `tiled_encode`). What looks across a tile's edge, attention and norms,
//! sees that tile alone, so that the result is near that of the whole and not the same.

use burn::tensor::{Tensor, TensorData};

/// A grid of tiles, row by row.
pub type Tiles = Vec<Vec<Tensor<4>>>;

/// What becomes of each tile, up to the first of which nothing does.
pub fn mapped(tiles: Tiles, f: impl Fn(Tensor<4>) -> Option<Tensor<4>>) -> Option<Tiles> {
    let row = |row: Vec<Tensor<4>>| row.into_iter().map(&f).collect();
    tiles.into_iter().map(row).collect()
}

/// How much of a tile its neighbour has again: one part in this.
const OVERLAP: usize = 4;

/// A side that can be used: so long that overlaps are whole latents.
pub const fn side(asked: usize) -> usize {
    let parts = asked / OVERLAP;
    OVERLAP * if parts == 0 { 1 } else { parts }
}

/// From one tile to the next.
pub const fn step(side: usize) -> usize {
    side - side / OVERLAP
}

/// Tiles of `side` rows and columns, a quarter of which the next has again; the last ones are what is left.
pub fn cut(x: &Tensor<4>, side: usize) -> Tiles {
    let [_, _, rows, columns] = x.dims();
    let starts = |all: usize| (0..all).step_by(step(side));
    starts(rows)
        .map(|row| {
            let strip = x.clone().narrow(2, row, side.min(rows - row));
            starts(columns)
                .map(|column| strip.clone().narrow(3, column, side.min(columns - column)))
                .collect()
        })
        .collect()
}

/// Tiles of at most `side` rows and columns as one, each blended into the one above and the one on its left.
pub fn joined(tiles: Tiles, side: usize) -> Tensor<4> {
    let (blend, keep) = (side / OVERLAP, step(side));
    let mut above: Vec<Tensor<4>> = Vec::new();
    let mut strips = Vec::with_capacity(tiles.len());
    for row in tiles {
        let mut blended: Vec<Tensor<4>> = Vec::with_capacity(row.len());
        for (column, tile) in row.into_iter().enumerate() {
            let mut tile = tile;
            if let Some(before) = above.get(column) {
                tile = over(before, tile, 2, blend);
            }
            if let Some(before) = blended.last() {
                tile = over(before, tile, 3, blend);
            }
            blended.push(tile);
        }
        let kept = blended.iter().map(|tile| {
            let [_, _, rows, columns] = tile.dims();
            let tile = tile.clone().narrow(2, 0, keep.min(rows));
            tile.narrow(3, 0, keep.min(columns))
        });
        strips.push(Tensor::cat(kept.collect(), 3));
        above = blended;
    }
    Tensor::cat(strips, 2)
}

/// A tile of which the first `blend` places along `dim` pass from the last ones of the tile before.
fn over(before: &Tensor<4>, tile: Tensor<4>, dim: usize, blend: usize) -> Tensor<4> {
    let (had, has) = (before.dims()[dim], tile.dims()[dim]);
    let blend = blend.min(had).min(has);
    if blend == 0 {
        return tile;
    }
    let share: Vec<f32> = (0..blend).map(|k| k as f32 / blend as f32).collect();
    let mut shape = [1; 4];
    shape[dim] = blend;
    let share = Tensor::<4>::from_data(TensorData::new(share, shape), &tile.device());
    let old = before.clone().narrow(dim, had - blend, blend);
    let new = tile.clone().narrow(dim, 0, blend);
    let mixed = old.clone() + (new - old) * share;
    if blend == has {
        return mixed;
    }
    Tensor::cat(vec![mixed, tile.narrow(dim, blend, has - blend)], dim)
}
