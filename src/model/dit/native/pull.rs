//! Gradients with respect to the states.

use rayon::prelude::*;

use super::cohort::Cohort;
use super::pass::{Keep, Pass};
use super::{NativeDit, Room, march, part, wide};
use crate::model::ImageRows;
use crate::model::images::{Judge, whole_way};

/// A piece of rows on its way: its room, and how many tiles of that are in use.
struct Held {
    room: Room,
    tiles: usize,
}

impl NativeDit {
    /// [`crate::model::ImageMap::pullback`], keeping at most `bytes` at once where one tile allows it.
    pub(super) fn pull_within(
        &self,
        bytes: u64,
        rows: &ImageRows<'_>,
        cotangent: &[f32],
        x: &mut [f32],
        x_t: &mut [f32],
    ) {
        let numbers = self.numbers();
        let at_once = self.config.rows_within(bytes).min(rows.len().max(1));
        let parts = x
            .chunks_mut(at_once * numbers)
            .zip(x_t.chunks_mut(at_once * numbers));
        for (i, (x, x_t)) in parts.enumerate() {
            let (first, count) = (i * at_once, x.len() / numbers);
            let span = first * numbers..(first + count) * numbers;
            let rows = part(rows, first, count, numbers);
            self.pull(&rows, &cotangent[span], x, x_t);
        }
    }

    fn pull(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        // Values that nobody asked for take no room to speak of.
        let held = self.hold(rows, &mut vec![0.0; x.len()]);
        self.pull_held(rows, held, cotangent, x, x_t);
    }

    /// [`crate::model::ImageMap::draw_and_pull`] that keeps what the draws leave behind until they are judged.
    pub(super) fn draw_and_pull_kept(
        &self,
        rows: &ImageRows<'_>,
        x: &mut [f32],
        by_state: &mut [f32],
        judge: Judge<'_>,
    ) -> bool {
        let ([s, u], noise) = (&whole_way(rows.t.len()), x.to_vec());
        let whole = ImageRows {
            s,
            u,
            x: &noise,
            ..*rows
        };
        let mut v = vec![0.0; x.len()];
        let held = self.hold(&whole, &mut v);
        for (x, v) in x.iter_mut().zip(&v) {
            *x += v;
        }
        let judged = judge(x);
        if let Some(cotangent) = &judged {
            self.pull_held(&whole, held, cotangent, &mut v, by_state);
        }
        judged.is_some()
    }

    /// Velocities into `out`, and what their gradients need, piece by piece.
    fn hold(&self, rows: &ImageRows<'_>, out: &mut [f32]) -> Vec<Held> {
        let (numbers, piece) = (self.numbers(), self.config.piece(rows.len()));
        let pieces = out.par_chunks_mut(piece * numbers).enumerate();
        let held = pieces.map(|(i, out)| {
            let (mut cohort, mut passes) = self.rooms[1].take(&self.config);
            let (first, count) = (i * piece, out.len() / numbers);
            let (k, layers) = (self.kernels, &self.layers);
            cohort.forward(k, &self.config, layers, rows, (first, count));
            let mut tiles = 0;
            for at in (0..count).step_by(self.config.in_step()) {
                let keep = (Keep::ForStates, tiles);
                let used = self.forward(&mut passes, keep, &cohort, rows, (first, at));
                tiles += used.len();
                for pass in used {
                    for j in 0..self.images(pass, &cohort) {
                        let i = pass.first.0 + j;
                        self.read(pass, j, &mut out[i * numbers..(i + 1) * numbers]);
                    }
                }
            }
            for (i, out) in out.chunks_exact_mut(numbers).enumerate() {
                self.finish(rows, first + i, out);
            }
            Held {
                room: (cohort, passes),
                tiles,
            }
        });
        held.collect()
    }

    /// The gradients of the same rows.
    fn pull_held(
        &self,
        rows: &ImageRows<'_>,
        held: Vec<Held>,
        cotangent: &[f32],
        x: &mut [f32],
        x_t: &mut [f32],
    ) {
        let (numbers, piece) = (self.numbers(), self.config.piece(rows.len()));
        x.par_chunks_mut(piece * numbers)
            .zip(x_t.par_chunks_mut(piece * numbers))
            .zip(held)
            .enumerate()
            .for_each(|(i, ((x, x_t), Held { mut room, tiles }))| {
                let (cohort, passes) = &mut room;
                for passes in passes[..tiles].chunks_mut(self.config.tiles_in_step()) {
                    self.back(
                        cohort,
                        passes,
                        rows,
                        (cotangent, i * piece),
                        [&mut *x, &mut *x_t],
                    );
                }
                for (j, x) in x.chunks_exact_mut(numbers).enumerate() {
                    let row = i * piece + j;
                    if let Some((per, _)) = self.per_rest(rows.s[row]) {
                        let from = &cotangent[row * numbers..(row + 1) * numbers];
                        for (to, from) in x.iter_mut().zip(from) {
                            *to -= per * from;
                        }
                    }
                }
                self.rooms[1].give_back(room);
            });
    }

    /// Back through tiles that go in step, of a cohort that begins at row `first`.
    fn back(
        &self,
        cohort: &Cohort,
        passes: &mut [Pass],
        rows: &ImageRows<'_>,
        (cotangent, first): (&[f32], usize),
        [x, x_t]: [&mut [f32]; 2],
    ) {
        let numbers = self.numbers();
        let mut image = vec![0.0; numbers];
        for pass in &mut *passes {
            pass.d_out.as_mut_slice().fill(0.0);
            for j in 0..self.images(pass, cohort) {
                let row = first + pass.first.0 + j;
                let slope = self.slope(rows.s[row]);
                let from = &cotangent[row * numbers..(row + 1) * numbers];
                for (to, from) in image.iter_mut().zip(from) {
                    *to = from * slope;
                }
                self.write(&image, j, pass);
            }
        }
        let (k, layers) = (self.kernels, &self.layers);
        if self.config.tiles() > 1 {
            wide::backward(k, layers, cohort, passes);
        } else {
            march::backward(k, layers, cohort, None, passes);
        }
        for pass in passes {
            for j in 0..self.images(pass, cohort) {
                let i = pass.first.0 + j;
                let span = i * numbers..(i + 1) * numbers;
                let (x, x_t) = (&mut x[span.clone()], &mut x_t[span]);
                self.read_input((pass.tile, pass.d_x.as_slice()), j, x);
                self.read_input((pass.tile, pass.d_x_cond.as_slice()), j, x_t);
            }
        }
    }
}
