//! Gradients with respect to the states.

use rayon::prelude::*;

use super::cohort::Cohort;
use super::pass::Keep;
use super::{NativeDit, march, part, wide};
use crate::model::ImageRows;

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
        let at_once = self.rows_within(bytes).min(rows.len().max(1));
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
        let (numbers, piece) = (self.numbers(), self.piece(rows.len()));
        x.par_chunks_mut(piece * numbers)
            .zip(x_t.par_chunks_mut(piece * numbers))
            .enumerate()
            .for_each_init(
                || (Cohort::new(&self.config), Vec::new()),
                |(cohort, passes), (i, (x, x_t))| {
                    let first = i * piece;
                    let count = x.len() / numbers;
                    let (k, layers) = (self.kernels, &self.layers);
                    cohort.forward(k, &self.config, layers, rows, (first, count));
                    let mut image = vec![0.0; numbers];
                    for at in (0..count).step_by(self.in_step()) {
                        let keep = Keep::ForStates;
                        let passes = self.forward(passes, keep, cohort, rows, (first, at));
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
                        if self.tiles() > 1 {
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
                    for (i, x) in x.chunks_exact_mut(numbers).enumerate() {
                        let row = first + i;
                        if let Some((per, _)) = self.per_rest(rows.s[row]) {
                            let from = &cotangent[row * numbers..(row + 1) * numbers];
                            for (to, from) in x.iter_mut().zip(from) {
                                *to -= per * from;
                            }
                        }
                    }
                },
            );
    }
}
