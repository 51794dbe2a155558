//! The transformer on the processor: value, derivative along a direction, gradients.
//!
//! The same network as [`super::Dit`]: tokens side by side in tiles of vector registers, nothing rearranged on the way.
//! Of few tokens a tile holds whole images, and the batch is shared out among the cores; of many an image has several
//! tiles, and attention alone looks across them. The result of an image does not depend on those beside it, nor on the
//! number of cores.

mod attention;
mod cohort;
mod gradient;
mod kernels;
mod march;
mod params;
mod pass;
mod pull;
mod rate;
mod read;
mod room;
mod spread;
#[cfg(test)]
mod tests;
mod tile;
mod times;
mod wide;

use rayon::prelude::*;

use cohort::Cohort;
pub(crate) use gradient::Along;
use kernels::Kernels;
pub(crate) use params::FlatLayout;
use params::Layers;
use pass::{Keep, Pass};
pub(super) use room::room_bytes;
use room::{Room, Rooms};
use spread::First;

use super::{Dit, DitConfig, Through};
use crate::model::images::{Judge, draw_then_pull};
use crate::model::simd::{Buffer, TILE};
use crate::model::{BurnImageMap, ImageMap, ImageRows, Precision};

/// A Meta Flow Map of images on the processor.
pub struct NativeDit {
    config: DitConfig,
    layers: Layers,
    /// `[tiles of an image][hidden][TILE]`: each token's position.
    positions: Buffer,
    kernels: Kernels,
    /// Rooms for values, and for gradients with respect to the states.
    rooms: [Rooms; 2],
}

/// Most tokens of an image: each meets every other.
const MOST_TOKENS: usize = 16 * TILE;

impl NativeDit {
    /// Whether networks of this shape are at home here: values, and gradients with respect to the states.
    pub fn supports(config: &DitConfig) -> bool {
        let tokens = config.tokens();
        let is_wide = tokens.is_multiple_of(TILE) && tokens <= MOST_TOKENS;
        (Self::learns(config) || is_wide) && !config.use_joint_attention && !config.qk_norm
    }

    /// Whether it has gradients with respect to the weights and derivatives along a direction too.
    pub fn learns(config: &DitConfig) -> bool {
        let tokens = config.tokens();
        let is_narrow = tokens >= 4 && TILE.is_multiple_of(tokens);
        is_narrow && !config.use_joint_attention && !config.qk_norm
    }

    /// Takes over the weights of a network; `None` where its shape is not supported.
    pub fn new(dit: &Dit) -> Option<Self> {
        Self::supports(dit.config()).then(|| Self::taking(dit.clone()))
    }

    /// Takes over the weights of a network of a supported shape, which is freed block after block: the weights are never
    /// there twice.
    pub(crate) fn taking(dit: Dit) -> Self {
        let mut native = Self::empty(dit.config());
        dit.hand_over(|weight| {
            if weight.name == "pos_embed" {
                native.place(&weight.values);
            } else {
                native.layers.take(weight);
            }
        });
        native
    }

    /// A network whose weights are still to come, with the usual positions; `config` must be supported.
    pub(crate) fn empty(config: &DitConfig) -> Self {
        let layout = FlatLayout::new(config);
        let mut native = Self {
            layers: Layers::new(config, &layout),
            positions: Buffer::zeroed(config.hidden_size * config.tokens().next_multiple_of(TILE)),
            kernels: Kernels::new(),
            rooms: [Rooms::default(), Rooms::default()],
            config: config.clone(),
        };
        native.place(&super::embed::positions(config));
        native
    }

    fn place(&mut self, positions: &[f32]) {
        let (tokens, width) = (self.config.tokens(), self.config.hidden_size);
        for (f, row) in self
            .positions
            .as_mut_slice()
            .chunks_exact_mut(TILE)
            .enumerate()
        {
            for (l, v) in row.iter_mut().enumerate() {
                let (tile, f) = (f / width, f % width);
                *v = positions[(tile * TILE + l) % tokens * width + f];
            }
        }
    }

    /// Takes over the weights of a flat buffer.
    pub(crate) fn load(&mut self, flat: &[f32]) {
        self.layers.load(flat);
    }

    fn numbers(&self) -> usize {
        self.config.state().iter().product()
    }

    /// `1 / max(1 - s, least)` and its slope, where images are predicted.
    fn per_rest(&self, s: f32) -> Option<(f32, f32)> {
        let rest = 1.0 - s;
        let per = 1.0 / rest.max(DitConfig::LEAST_REST);
        let slope = if rest > DitConfig::LEAST_REST {
            per * per
        } else {
            0.0
        };
        self.config.predicts_image.then_some((per, slope))
    }

    /// How fast the velocity grows with what the network puts out.
    fn slope(&self, s: f32) -> f32 {
        let sign = if self.config.is_zero_data { -1.0 } else { 1.0 };
        self.per_rest(s).map_or(sign, |(per, _)| per)
    }

    /// What the network puts out as velocities.
    fn as_velocity(&self, s: f32, x: &[f32], out: &mut [f32]) {
        if let Some((per, _)) = self.per_rest(s) {
            for (v, x) in out.iter_mut().zip(x) {
                *v = (*v - x) * per;
            }
        } else if self.config.is_zero_data {
            for v in out {
                *v = -*v;
            }
        }
    }

    /// Fills tile `which` of an image, or of all of them, with the patches of the first `count` images.
    fn patches(&self, images: &[f32], count: usize, which: usize, tile: &mut [f32]) {
        let (tokens, numbers) = (self.config.tokens(), self.numbers());
        for (i, image) in images.chunks_exact(numbers).take(count).enumerate() {
            self.each_number(which, |token, input, _, at| {
                tile[input * TILE + i * tokens + token] = image[at];
            });
        }
    }

    /// `(token of tile `which`, number of the patch as it goes in, as it comes out, place in the image)`.
    fn each_number(&self, which: usize, mut work: impl FnMut(usize, usize, usize, usize)) {
        let c = &self.config;
        let (grid, p, size, channels) = (c.grid(), c.patch_size, c.input_size, c.in_channels);
        for channel in 0..channels {
            for row in 0..size {
                for column in 0..size {
                    let token = row / p * grid + column / p;
                    if token / TILE != which {
                        continue;
                    }
                    let within = row % p * p + column % p;
                    let at = (channel * size + row) * size + column;
                    work(
                        token % TILE,
                        channel * p * p + within,
                        within * c.out_channels() + channel,
                        at,
                    );
                }
            }
        }
    }

    /// Fills tiles, those of `passes` from `from` on, with images from `at` on of the cohort that begins at row `first`,
    /// and passes them through; gives the tiles in use.
    fn forward<'p>(
        &self,
        passes: &'p mut Vec<Pass>,
        (keep, from): (Keep, usize),
        cohort: &Cohort,
        rows: &ImageRows<'_>,
        (first, at): (usize, usize),
    ) -> &'p mut [Pass] {
        let numbers = self.numbers();
        let tiles = self.config.tiles();
        let left = (cohort.count - at).div_ceil(self.config.per_tile()) * tiles;
        let until = from + left.min(self.config.tiles_in_step());
        if passes.len() < until {
            passes.resize_with(until, || Pass::new(&self.config, keep));
        }
        let passes = &mut passes[from..until];
        for (i, pass) in passes.iter_mut().enumerate() {
            pass.first = First(at + i / tiles * self.config.per_tile());
            pass.tile = i % tiles;
            let count = self.images(pass, cohort);
            pass.holds(count);
            let span = (first + pass.first.0) * numbers..(first + pass.first.0 + count) * numbers;
            let (x, x_t) = (&rows.x[span.clone()], &rows.x_t[span]);
            self.patches(x, count, pass.tile, pass.x.as_mut_slice());
            self.patches(x_t, count, pass.tile, pass.x_cond.as_mut_slice());
        }
        let (k, positions) = (self.kernels, self.positions.as_slice());
        if tiles > 1 {
            wide::forward(k, &self.layers, cohort, positions, passes);
        } else {
            march::forward(k, &self.layers, cohort, positions, passes);
        }
        passes
    }

    /// Images of a tile that are there.
    fn images(&self, pass: &Pass, cohort: &Cohort) -> usize {
        self.config.per_tile().min(cohort.count - pass.first.0)
    }

    /// The velocity of image `i` of a tile that holds it whole, which is row `row`.
    fn velocity(&self, pass: &Pass, i: usize, rows: &ImageRows<'_>, row: usize, out: &mut [f32]) {
        self.read(pass, i, out);
        self.finish(rows, row, out);
    }

    /// What was read of all tiles of an image as its velocity.
    fn finish(&self, rows: &ImageRows<'_>, row: usize, out: &mut [f32]) {
        let numbers = self.numbers();
        let x = &rows.x[row * numbers..(row + 1) * numbers];
        self.as_velocity(rows.s[row], x, out);
    }

    /// Reads image `i` of what the last layer put out, as far as the tile holds it.
    fn read(&self, pass: &Pass, i: usize, image: &mut [f32]) {
        self.read_patches(pass.tile, pass.out.as_slice(), i, image);
    }

    /// The same of its derivative.
    fn read_along(&self, pass: &Pass, i: usize, image: &mut [f32]) {
        self.read_patches(pass.tile, pass.d_out.as_slice(), i, image);
    }

    fn read_patches(&self, which: usize, tile: &[f32], i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(which, |token, _, output, at| {
            image[at] = tile[output * TILE + i * tokens + token];
        });
    }

    /// Writes image `i` of the gradient with respect to what the last layer put out, as far as the tile holds it.
    fn write(&self, image: &[f32], i: usize, pass: &mut Pass) {
        let tokens = self.config.tokens();
        let tile = pass.d_out.as_mut_slice();
        self.each_number(pass.tile, |token, _, output, at| {
            tile[output * TILE + i * tokens + token] = image[at];
        });
    }

    /// Reads image `i` of a tile of patches in the order of the first layer, as far as it holds it.
    fn read_input(&self, (which, tile): (usize, &[f32]), i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(which, |token, input, _, at| {
            image[at] = tile[input * TILE + i * tokens + token];
        });
    }
}

/// Rows `first..first + count`, of images of so many numbers.
fn part<'a>(rows: &ImageRows<'a>, first: usize, count: usize, numbers: usize) -> ImageRows<'a> {
    let own = first..first + count;
    let image = first * numbers..(first + count) * numbers;
    ImageRows {
        s: &rows.s[own.clone()],
        u: &rows.u[own.clone()],
        x: &rows.x[image.clone()],
        t: &rows.t[own.clone()],
        x_t: &rows.x_t[image],
        label: &rows.label[own.clone()],
        guidance: &rows.guidance[own],
    }
}

impl ImageMap for NativeDit {
    fn config(&self) -> &DitConfig {
        &self.config
    }

    fn through(&self, _: Precision) -> Through {
        Through::OwnKernels
    }

    fn rows_at_once(&self) -> usize {
        self.config.rows_at_once(true)
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        let (numbers, piece) = (self.numbers(), self.config.piece(rows.len()));
        out.par_chunks_mut(piece * numbers)
            .enumerate()
            .for_each(|(i, out)| {
                let (mut cohort, mut passes) = self.rooms[0].take(&self.config);
                let first = i * piece;
                let count = out.len() / numbers;
                let (k, layers) = (self.kernels, &self.layers);
                cohort.forward(k, &self.config, layers, rows, (first, count));
                for at in (0..count).step_by(self.config.in_step()) {
                    let span = (first, at);
                    let keep = (Keep::Nothing, 0);
                    for pass in self.forward(&mut passes, keep, &cohort, rows, span) {
                        for j in 0..self.images(pass, &cohort) {
                            let i = pass.first.0 + j;
                            self.read(pass, j, &mut out[i * numbers..(i + 1) * numbers]);
                        }
                    }
                }
                for (i, out) in out.chunks_exact_mut(numbers).enumerate() {
                    self.finish(rows, first + i, out);
                }
                self.rooms[0].give_back((cohort, passes));
            });
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        self.pull_within(BurnImageMap::GRAPH_BYTES, rows, cotangent, x, x_t);
    }

    fn keeps_draws(&self) -> bool {
        true
    }

    fn draw_and_pull(
        &self,
        rows: &ImageRows<'_>,
        x: &mut [f32],
        by_state: &mut [f32],
        judge: Judge<'_>,
    ) -> bool {
        if rows.t.len() > self.config.rows_within(BurnImageMap::GRAPH_BYTES) {
            return draw_then_pull(self, rows, x, by_state, judge);
        }
        self.draw_and_pull_kept(rows, x, by_state, judge)
    }
}
