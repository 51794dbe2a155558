//! Derivatives along a direction, and gradients of the weights.

use rayon::prelude::*;

use super::cohort::{COHORT, Cohort, CohortGradient, CohortTangent};
use super::pass::{Keep, Pass};
use super::{NativeDit, march};
use crate::model::ImageRows;
use crate::model::simd::Buffer;

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
    /// The derivatives of the images of some tiles along `along`, in velocities, to `out`, one after the other.
    fn derivative(
        &self,
        passes: &mut [Pass],
        (cohort, turns): (&Cohort, &CohortTangent),
        rows: &ImageRows<'_>,
        along: Along<'_>,
        first: usize,
        out: &mut [f32],
    ) {
        let numbers = self.numbers();
        for pass in &mut *passes {
            let (at, count) = (first + pass.first.0, self.images(pass, cohort));
            let to = pass.d_x.as_mut_slice();
            match along.x {
                Some(x) => self.patches(&x[at * numbers..(at + count) * numbers], count, 0, to),
                None => to.fill(0.0),
            }
        }
        march::tangent(self.kernels, &self.layers, (cohort, turns), passes);
        let mut value = vec![0.0; numbers];
        let mut outs = out.chunks_exact_mut(numbers);
        for pass in passes {
            for (i, out) in (0..self.images(pass, cohort)).zip(&mut outs) {
                self.read_along(pass, i, out);
                let row = first + pass.first.0 + i;
                let Some((per, slope)) = self.per_rest(rows.s[row]) else {
                    let slope = self.slope(rows.s[row]);
                    for v in out {
                        *v *= slope;
                    }
                    continue;
                };
                self.read(pass, i, &mut value);
                let span = row * numbers..(row + 1) * numbers;
                let (x, moved) = (&rows.x[span.clone()], along.x.map(|x| &x[span]));
                let slope = slope * along.times.0;
                for (j, out) in out.iter_mut().enumerate() {
                    let dx = moved.map_or(0.0, |x| x[j]);
                    *out = (*out - dx) * per + (value[j] - x[j]) * slope;
                }
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
        let (numbers, piece) = (self.numbers(), self.config.piece(rows.len()));
        out.par_chunks_mut(piece * numbers)
            .zip(d_out.par_chunks_mut(piece * numbers))
            .enumerate()
            .for_each_init(
                || {
                    let turns = CohortTangent::new(&self.config);
                    (Cohort::new(&self.config), turns, Vec::new())
                },
                |(cohort, turns, passes), (i, (out, d_out))| {
                    let first = i * piece;
                    let count = out.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    cohort.tangent(k, &self.config, layers, along.times, turns);
                    for at in (0..count).step_by(march::STEP * self.config.per_tile()) {
                        let passes =
                            self.forward(passes, (Keep::All, 0), cohort, rows, (first, at));
                        for pass in &*passes {
                            for j in 0..self.images(pass, cohort) {
                                let i = pass.first.0 + j;
                                let out = &mut out[i * numbers..(i + 1) * numbers];
                                self.velocity(pass, j, rows, first + i, out);
                            }
                        }
                        let d_out = &mut d_out[at * numbers..];
                        self.derivative(passes, (cohort, turns), rows, along, first, d_out);
                    }
                },
            );
    }

    /// The gradient with respect to all weights, in the order of [`super::FlatLayout`], for the cotangents that
    /// `cotangent` makes; the items' losses. `parts` is room of `len` numbers each, of which the first is the result.
    pub(crate) fn gradient(
        &self,
        rows: &ImageRows<'_>,
        along: Option<Along<'_>>,
        cotangent: Cotangent<'_>,
        parts: &mut Vec<Buffer>,
        len: usize,
    ) -> Vec<[f64; 2]> {
        let n = rows.len();
        // Pieces of a fixed size: sums do not depend on the number of cores.
        let pieces = n.div_ceil(COHORT);
        parts.resize_with(pieces, || Buffer::zeroed(len));
        let losses: Vec<Vec<[f64; 2]>> = parts
            .par_iter_mut()
            .enumerate()
            .map(|(i, gradient)| {
                let gradient = gradient.as_mut_slice();
                gradient.fill(0.0);
                let first = i * COHORT;
                self.piece_gradient(
                    rows,
                    along,
                    cotangent,
                    (first, COHORT.min(n - first)),
                    gradient,
                )
            })
            .collect();
        let (sum, rest) = parts.split_at_mut(1.min(pieces));
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

    fn piece_gradient(
        &self,
        rows: &ImageRows<'_>,
        along: Option<Along<'_>>,
        cotangent: Cotangent<'_>,
        (first, count): (usize, usize),
        gradient: &mut [f32],
    ) -> Vec<[f64; 2]> {
        let (config, numbers) = (&self.config, self.numbers());
        let (mut cohort, mut passes) = (Cohort::new(config), Vec::new());
        let mut turns = CohortTangent::new(config);
        let mut vectors = CohortGradient::new(config);
        vectors.clear();
        let (k, layers) = (self.kernels, &self.layers);
        cohort.forward(k, config, layers, rows, (first, count));
        let moving = along.filter(|along| along.from < first + count);
        if let Some(along) = moving {
            cohort.tangent(k, config, layers, along.times, &mut turns);
        }
        let step = march::STEP * self.config.per_tile();
        let (mut v, mut dv) = (vec![0.0; numbers], vec![0.0; step * numbers]);
        let mut losses = Vec::with_capacity(count);
        for at in (0..count).step_by(step) {
            let passes = self.forward(&mut passes, (Keep::All, 0), &cohort, rows, (first, at));
            dv.fill(0.0);
            let until = first + count.min(at + step);
            if let Some(along) = moving.filter(|along| along.from < until) {
                // Tiles before the first that moves are left alone.
                let still = along.from.saturating_sub(first + at) / self.config.per_tile();
                let dv = &mut dv[still * self.config.per_tile() * numbers..];
                self.derivative(
                    &mut passes[still..],
                    (&cohort, &turns),
                    rows,
                    along,
                    first,
                    dv,
                );
            }
            for pass in &mut *passes {
                // Lanes of images that are not there have no part in the gradient.
                pass.d_out.as_mut_slice().fill(0.0);
                for j in 0..self.images(pass, &cohort) {
                    let i = pass.first.0 + j;
                    let row = first + i;
                    self.velocity(pass, j, rows, row, &mut v);
                    let dv = &dv[(i - at) * numbers..(i - at + 1) * numbers];
                    losses.push(cotangent(row, &mut v, dv));
                    let slope = self.slope(rows.s[row]);
                    for v in &mut v {
                        *v *= slope;
                    }
                    self.write(&v, j, pass);
                }
            }
            march::backward(
                k,
                layers,
                &cohort,
                Some((&mut vectors, &mut *gradient)),
                passes,
            );
        }
        cohort.backward(k, config, layers, &mut vectors, gradient);
        losses
    }
}
