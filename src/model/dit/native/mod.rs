//! The transformer on the processor: value, derivative along a direction, gradients.
//!
//! The same network as [`super::Dit`], for shapes of few tokens: whole images side by side in a tile of vector
//! registers, nothing rearranged on the way, the batch shared out among the cores. The result of an image does not
//! depend on those beside it, nor on the number of cores.

mod attention;
mod cohort;
mod gradient;
mod kernels;
mod march;
mod params;
mod pass;
mod read;
mod spread;
#[cfg(test)]
mod tests;
mod tile;

use rayon::prelude::*;

use cohort::{COHORT, Cohort};
pub(crate) use gradient::Along;
use kernels::Kernels;
pub(crate) use params::FlatLayout;
use params::Layers;
use pass::Pass;
use spread::First;

use super::{Dit, DitConfig};
use crate::model::simd::{Buffer, TILE};
use crate::model::{ImageMap, ImageRows};

/// A Meta Flow Map of images on the processor.
pub struct NativeDit {
    config: DitConfig,
    layers: Layers,
    /// `[hidden][TILE]`: each token's position.
    positions: Buffer,
    kernels: Kernels,
}

impl NativeDit {
    /// Whether networks of this shape are at home here.
    pub fn supports(config: &DitConfig) -> bool {
        let tokens = config.tokens();
        tokens >= 4
            && TILE.is_multiple_of(tokens)
            && !config.use_joint_attention
            && !config.qk_norm
            && !config.learn_sigma
            && !config.is_zero_data
            && config.model_guidance_x_cond_ws.is_empty()
    }

    /// Takes over the weights of a network; `None` where its shape is not supported.
    pub fn new(dit: &Dit) -> Option<Self> {
        let config = dit.config();
        if !Self::supports(config) {
            return None;
        }
        let weights = dit.weights();
        let mut native = Self::empty(config);
        let layout = FlatLayout::new(config);
        native.load(layout.gather(&weights).as_slice());
        if let Some(positions) = weights.iter().find(|w| w.name == "pos_embed") {
            native.place(&positions.values);
        }
        Some(native)
    }

    /// A network of zeros with the usual positions; `config` must be supported.
    pub(crate) fn empty(config: &DitConfig) -> Self {
        let layout = FlatLayout::new(config);
        let mut native = Self {
            layers: Layers::new(config, &layout),
            positions: Buffer::zeroed(config.hidden_size * TILE),
            kernels: Kernels::new(),
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
                *v = positions[l % tokens * width + f];
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

    /// Images of a tile.
    fn per_tile(&self) -> usize {
        TILE / self.config.tokens()
    }

    /// Rows of a piece of work: whole tiles, so that a few images still keep every core busy.
    fn piece(&self, rows: usize) -> usize {
        let share = rows.div_ceil(rayon::current_num_threads().max(1)).max(1);
        share.next_multiple_of(self.per_tile()).min(COHORT)
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

    /// What the network puts out as velocities.
    fn as_velocity(&self, s: f32, x: &[f32], out: &mut [f32]) {
        if let Some((per, _)) = self.per_rest(s) {
            for (v, x) in out.iter_mut().zip(x) {
                *v = (*v - x) * per;
            }
        }
    }

    /// Fills the tile with the patches of images `first..first + count`.
    fn patches(&self, images: &[f32], count: usize, tile: &mut [f32]) {
        let (tokens, numbers) = (self.config.tokens(), self.numbers());
        for (i, image) in images.chunks_exact(numbers).take(count).enumerate() {
            self.each_number(|token, input, _, at| {
                tile[input * TILE + i * tokens + token] = image[at];
            });
        }
    }

    /// `(token, number of the patch as it goes in, as it comes out, place in the image)`.
    fn each_number(&self, mut work: impl FnMut(usize, usize, usize, usize)) {
        let c = &self.config;
        let (grid, p, size, channels) = (c.grid(), c.patch_size, c.input_size, c.in_channels);
        for channel in 0..channels {
            for row in 0..size {
                for column in 0..size {
                    let token = row / p * grid + column / p;
                    let within = row % p * p + column % p;
                    let at = (channel * size + row) * size + column;
                    work(
                        token,
                        channel * p * p + within,
                        within * channels + channel,
                        at,
                    );
                }
            }
        }
    }

    /// Fills the tiles with images from `at` on of the cohort that begins at row `first`, and passes them through; gives
    /// the tiles in use.
    fn forward<'p>(
        &self,
        passes: &'p mut [Pass],
        cohort: &Cohort,
        rows: &ImageRows<'_>,
        (first, at): (usize, usize),
    ) -> &'p mut [Pass] {
        let numbers = self.numbers();
        let used = passes
            .len()
            .min((cohort.count - at).div_ceil(self.per_tile()));
        let passes = &mut passes[..used];
        for (i, pass) in passes.iter_mut().enumerate() {
            pass.first = First(at + i * self.per_tile());
            let count = self.images(pass, cohort);
            let span = (first + pass.first.0) * numbers..(first + pass.first.0 + count) * numbers;
            self.patches(&rows.x[span.clone()], count, pass.x.as_mut_slice());
            self.patches(&rows.x_t[span], count, pass.x_cond.as_mut_slice());
        }
        let positions = self.positions.as_slice();
        march::forward(self.kernels, &self.layers, cohort, positions, passes);
        passes
    }

    /// Images of a tile that are there.
    fn images(&self, pass: &Pass, cohort: &Cohort) -> usize {
        self.per_tile().min(cohort.count - pass.first.0)
    }

    /// Tiles that go in step.
    fn step(&self, keep: bool) -> Vec<Pass> {
        let pass = || Pass::new(&self.config, keep);
        (0..march::STEP).map(|_| pass()).collect()
    }

    /// The velocity of image `i` of a tile, which is row `row`.
    fn velocity(&self, pass: &Pass, i: usize, rows: &ImageRows<'_>, row: usize, out: &mut [f32]) {
        let numbers = self.numbers();
        self.read(pass.out.as_slice(), i, out);
        let x = &rows.x[row * numbers..(row + 1) * numbers];
        self.as_velocity(rows.s[row], x, out);
    }

    /// Reads image `i` of a tile of the last layer's patches.
    fn read(&self, tile: &[f32], i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, _, output, at| {
            image[at] = tile[output * TILE + i * tokens + token];
        });
    }

    /// Writes image `i` of a tile of the last layer's patches.
    fn write(&self, image: &[f32], i: usize, tile: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, _, output, at| {
            tile[output * TILE + i * tokens + token] = image[at];
        });
    }

    /// Reads image `i` of a tile of patches in the order of the first layer.
    fn read_input(&self, tile: &[f32], i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, input, _, at| image[at] = tile[input * TILE + i * tokens + token]);
    }
}

impl ImageMap for NativeDit {
    fn config(&self) -> &DitConfig {
        &self.config
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        let (numbers, piece) = (self.numbers(), self.piece(rows.len()));
        out.par_chunks_mut(piece * numbers)
            .enumerate()
            .for_each_init(
                || (Cohort::new(&self.config), self.step(false)),
                |(cohort, passes), (i, out)| {
                    let first = i * piece;
                    let count = out.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    for at in (0..count).step_by(passes.len() * self.per_tile()) {
                        for pass in self.forward(passes, cohort, rows, (first, at)) {
                            for j in 0..self.images(pass, cohort) {
                                let i = pass.first.0 + j;
                                let out = &mut out[i * numbers..(i + 1) * numbers];
                                self.velocity(pass, j, rows, first + i, out);
                            }
                        }
                    }
                },
            );
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        let (numbers, piece) = (self.numbers(), self.piece(rows.len()));
        x.par_chunks_mut(piece * numbers)
            .zip(x_t.par_chunks_mut(piece * numbers))
            .enumerate()
            .for_each_init(
                || (Cohort::new(&self.config), self.step(true)),
                |(cohort, passes), (i, (x, x_t))| {
                    let first = i * piece;
                    let count = x.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    let mut image = vec![0.0; numbers];
                    for at in (0..count).step_by(passes.len() * self.per_tile()) {
                        let passes = self.forward(passes, cohort, rows, (first, at));
                        for pass in &mut *passes {
                            pass.d_out.as_mut_slice().fill(0.0);
                            for j in 0..self.images(pass, cohort) {
                                let row = first + pass.first.0 + j;
                                let per = self.per_rest(rows.s[row]).map_or(1.0, |(per, _)| per);
                                let from = &cotangent[row * numbers..(row + 1) * numbers];
                                for (to, from) in image.iter_mut().zip(from) {
                                    *to = from * per;
                                }
                                self.write(&image, j, pass.d_out.as_mut_slice());
                            }
                        }
                        march::backward(k, layers, cohort, None, passes);
                        for pass in passes {
                            for j in 0..self.images(pass, cohort) {
                                let i = pass.first.0 + j;
                                let span = i * numbers..(i + 1) * numbers;
                                self.read_input(pass.d_x.as_slice(), j, &mut x[span.clone()]);
                                self.read_input(
                                    pass.d_x_cond.as_slice(),
                                    j,
                                    &mut x_t[span.clone()],
                                );
                                let row = first + i;
                                if let Some((per, _)) = self.per_rest(rows.s[row]) {
                                    let from = &cotangent[row * numbers..(row + 1) * numbers];
                                    for (to, from) in x[span].iter_mut().zip(from) {
                                        *to -= per * from;
                                    }
                                }
                            }
                        }
                    }
                },
            );
    }
}
