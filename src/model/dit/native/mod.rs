//! The transformer on the processor: value, derivative along a direction, gradients.
//!
//! The same network as [`super::Dit`], for shapes of few tokens: whole images side by side in a tile of vector
//! registers, nothing rearranged on the way, the batch shared out among the cores. The result of an image does not
//! depend on those beside it, nor on the number of cores.

mod attention;
mod cohort;
mod kernels;
mod params;
mod spread;
#[cfg(test)]
mod tests;
mod tile;

use rayon::prelude::*;

use cohort::{COHORT, Cohort, CohortGradient, CohortTangent};
use kernels::Kernels;
pub(crate) use params::FlatLayout;
use params::Layers;
use spread::First;
use tile::Pass;

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

/// One direction of derivatives for all rows of a question.
#[derive(Clone, Copy)]
pub(crate) struct Along<'a> {
    /// How fast `s` and `u` move.
    pub(crate) times: (f32, f32),
    /// How `x` moves, `[B][C H W]`; `None` where it does not.
    pub(crate) x: Option<&'a [f32]>,
    /// The first row whose derivative is asked for.
    pub(crate) from: usize,
}

/// Turns an image's `v` (first) into the gradient with respect to it; the derivative along the direction comes second,
/// zeros where none was asked for. Gives the item's share of the loss and its plain error.
pub(crate) type Cotangent<'a> = &'a (dyn Fn(usize, &mut [f32], &[f32]) -> [f64; 2] + Sync);

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
                tile[input * TILE + i * tokens + token] = image[at]
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

    fn forward(
        &self,
        pass: &mut Pass,
        cohort: &Cohort,
        rows: &ImageRows<'_>,
        (first, at): (usize, usize),
    ) {
        let numbers = self.numbers();
        let count = self.per_tile().min(cohort.count - at);
        let span = (first + at) * numbers..(first + at + count) * numbers;
        self.patches(&rows.x[span.clone()], count, pass.x.as_mut_slice());
        self.patches(&rows.x_t[span], count, pass.x_cond.as_mut_slice());
        pass.forward(
            self.kernels,
            &self.layers,
            cohort,
            self.positions.as_slice(),
            First(at),
        );
    }

    /// Reads image `i` of a tile of the last layer's patches.
    fn read(&self, tile: &[f32], i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, _, output, at| {
            image[at] = tile[output * TILE + i * tokens + token]
        });
    }

    /// Writes image `i` of a tile of the last layer's patches.
    fn write(&self, image: &[f32], i: usize, tile: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, _, output, at| {
            tile[output * TILE + i * tokens + token] = image[at]
        });
    }

    /// Reads image `i` of a tile of patches in the order of the first layer.
    fn read_input(&self, tile: &[f32], i: usize, image: &mut [f32]) {
        let tokens = self.config.tokens();
        self.each_number(|token, input, _, at| image[at] = tile[input * TILE + i * tokens + token]);
    }

    /// The derivatives of the rows of one tile along `along`, in velocities, `[images][C H W]`.
    fn derivative(
        &self,
        pass: &mut Pass,
        (cohort, turns): (&Cohort, &CohortTangent),
        rows: &ImageRows<'_>,
        along: Along<'_>,
        (first, at): (usize, usize),
        out: &mut [f32],
    ) {
        let numbers = self.numbers();
        let count = self.per_tile().min(cohort.count - at);
        let span = (first + at) * numbers..(first + at + count) * numbers;
        match along.x {
            Some(x) => self.patches(&x[span.clone()], count, pass.d_x.as_mut_slice()),
            None => pass.d_x.as_mut_slice().fill(0.0),
        }
        pass.tangent(self.kernels, &self.layers, (cohort, turns), First(at));
        let mut value = vec![0.0; numbers];
        for (i, out) in out.chunks_exact_mut(numbers).take(count).enumerate() {
            self.read(pass.d_out.as_slice(), i, out);
            let row = first + at + i;
            let Some((per, slope)) = self.per_rest(rows.s[row]) else {
                continue;
            };
            self.read(pass.out.as_slice(), i, &mut value);
            let span = row * numbers..(row + 1) * numbers;
            let (x, moved) = (&rows.x[span.clone()], along.x.map(|x| &x[span]));
            let slope = slope * along.times.0;
            for (j, out) in out.iter_mut().enumerate() {
                let dx = moved.map_or(0.0, |x| x[j]);
                *out = (*out - dx) * per + (value[j] - x[j]) * slope;
            }
        }
    }

    /// `v` into `out` and its derivative along a direction into `d_out`, `[B][C H W]` each.
    pub(crate) fn velocity_along(
        &self,
        rows: &ImageRows<'_>,
        along: Along<'_>,
        out: &mut [f32],
        d_out: &mut [f32],
    ) {
        let (numbers, piece) = (self.numbers(), self.piece(rows.len()));
        out.par_chunks_mut(piece * numbers)
            .zip(d_out.par_chunks_mut(piece * numbers))
            .enumerate()
            .for_each_init(
                || {
                    (
                        Cohort::new(&self.config),
                        CohortTangent::new(&self.config),
                        Pass::new(&self.config, true),
                    )
                },
                |(cohort, turns, pass), (i, (out, d_out))| {
                    let first = i * piece;
                    let count = out.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    cohort.tangent(k, &self.config, layers, along.times, turns);
                    for at in (0..count).step_by(self.per_tile()) {
                        self.forward(pass, cohort, rows, (first, at));
                        let end = (at + self.per_tile()).min(count);
                        let span = at * numbers..end * numbers;
                        for (j, out) in out[span.clone()].chunks_exact_mut(numbers).enumerate() {
                            self.read(pass.out.as_slice(), j, out);
                            let row = first + at + j;
                            let x = &rows.x[row * numbers..(row + 1) * numbers];
                            self.as_velocity(rows.s[row], x, out);
                        }
                        self.derivative(
                            pass,
                            (cohort, turns),
                            rows,
                            along,
                            (first, at),
                            &mut d_out[span],
                        );
                    }
                },
            );
    }

    /// The gradient with respect to all weights, in the order of [`FlatLayout`], for the cotangents that `cotangent`
    /// makes; the items' losses. `parts` is room, of which the first is the result.
    pub(crate) fn gradient(
        &self,
        rows: &ImageRows<'_>,
        along: Option<Along<'_>>,
        cotangent: Cotangent<'_>,
        parts: &mut Vec<Buffer>,
        len: usize,
    ) -> Vec<[f64; 2]> {
        let numbers = self.numbers();
        let (n, per) = (rows.len(), self.per_tile());
        // Pieces of a fixed size: sums do not depend on the number of cores.
        let pieces = n.div_ceil(COHORT);
        parts.resize_with(pieces, || Buffer::zeroed(len));
        let losses: Vec<Vec<[f64; 2]>> = parts
            .par_iter_mut()
            .enumerate()
            .map(|(i, gradient)| {
                let gradient = gradient.as_mut_slice();
                gradient.fill(0.0);
                let config = &self.config;
                let (mut cohort, mut pass) = (Cohort::new(config), Pass::new(config, true));
                let mut turns = CohortTangent::new(config);
                let mut vectors = CohortGradient::new(config);
                vectors.clear();
                let (k, layers) = (self.kernels, &self.layers);
                let first = i * COHORT;
                let count = COHORT.min(n - first);
                cohort.forward(k, config, layers, rows, (first, count));
                let moving = along.filter(|along| along.from < first + count);
                if let Some(along) = moving {
                    cohort.tangent(k, config, layers, along.times, &mut turns);
                }
                let (mut v, mut dv) = (vec![0.0; numbers], vec![0.0; per * numbers]);
                let mut losses = Vec::with_capacity(count);
                for at in (0..count).step_by(per) {
                    self.forward(&mut pass, &cohort, rows, (first, at));
                    let images = per.min(count - at);
                    dv.fill(0.0);
                    if let Some(along) = moving.filter(|along| along.from < first + at + images) {
                        self.derivative(
                            &mut pass,
                            (&cohort, &turns),
                            rows,
                            along,
                            (first, at),
                            &mut dv,
                        );
                    }
                    // Lanes of images that are not there have no part in the gradient.
                    pass.d_out.as_mut_slice().fill(0.0);
                    for j in 0..images {
                        let row = first + at + j;
                        self.read(pass.out.as_slice(), j, &mut v);
                        let x = &rows.x[row * numbers..(row + 1) * numbers];
                        self.as_velocity(rows.s[row], x, &mut v);
                        losses.push(cotangent(row, &mut v, &dv[j * numbers..(j + 1) * numbers]));
                        if let Some((per, _)) = self.per_rest(rows.s[row]) {
                            v.iter_mut().for_each(|v| *v *= per);
                        }
                        self.write(&v, j, pass.d_out.as_mut_slice());
                    }
                    pass.backward(
                        k,
                        layers,
                        &cohort,
                        Some((&mut vectors, gradient)),
                        First(at),
                    );
                }
                cohort.backward(k, config, layers, &mut vectors, gradient);
                losses
            })
            .collect();
        let (sum, rest) = parts.split_at_mut(1);
        if let Some(sum) = sum.first_mut() {
            sum.as_mut_slice()
                .par_chunks_mut(1 << 14)
                .enumerate()
                .for_each(|(i, sum)| {
                    for part in rest.iter() {
                        let part = &part.as_slice()[i << 14..];
                        for (sum, v) in sum.iter_mut().zip(part) {
                            *sum += v;
                        }
                    }
                });
        }
        losses.into_iter().flatten().collect()
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
                || (Cohort::new(&self.config), Pass::new(&self.config, false)),
                |(cohort, pass), (i, out)| {
                    let first = i * piece;
                    let count = out.len() / numbers;
                    cohort.forward(
                        self.kernels,
                        &self.config,
                        &self.layers,
                        rows,
                        (first, count),
                    );
                    for (tile, out) in out.chunks_mut(self.per_tile() * numbers).enumerate() {
                        let at = tile * self.per_tile();
                        self.forward(pass, cohort, rows, (first, at));
                        for (j, out) in out.chunks_exact_mut(numbers).enumerate() {
                            self.read(pass.out.as_slice(), j, out);
                            let row = first + at + j;
                            let x = &rows.x[row * numbers..(row + 1) * numbers];
                            self.as_velocity(rows.s[row], x, out);
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
                || (Cohort::new(&self.config), Pass::new(&self.config, true)),
                |(cohort, pass), (i, (x, x_t))| {
                    let first = i * piece;
                    let count = x.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    let mut image = vec![0.0; numbers];
                    for at in (0..count).step_by(self.per_tile()) {
                        self.forward(pass, cohort, rows, (first, at));
                        let images = self.per_tile().min(count - at);
                        pass.d_out.as_mut_slice().fill(0.0);
                        for j in 0..images {
                            let row = first + at + j;
                            let per = self.per_rest(rows.s[row]).map_or(1.0, |(per, _)| per);
                            let from = &cotangent[row * numbers..(row + 1) * numbers];
                            for (to, from) in image.iter_mut().zip(from) {
                                *to = from * per;
                            }
                            self.write(&image, j, pass.d_out.as_mut_slice());
                        }
                        pass.backward(k, layers, cohort, None, First(at));
                        for j in 0..images {
                            let row = first + at + j;
                            let span = (at + j) * numbers..(at + j + 1) * numbers;
                            self.read_input(pass.d_x.as_slice(), j, &mut x[span.clone()]);
                            self.read_input(pass.d_x_cond.as_slice(), j, &mut x_t[span.clone()]);
                            if let Some((per, _)) = self.per_rest(rows.s[row]) {
                                let from = &cotangent[row * numbers..(row + 1) * numbers];
                                for (to, from) in x[span].iter_mut().zip(from) {
                                    *to -= per * from;
                                }
                            }
                        }
                    }
                },
            );
    }
}
