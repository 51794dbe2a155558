//! Errors on held-out images, which need no classifier.

use super::ImageEvalError;
use super::report::HeldOutLosses;
use super::run::Run;
use crate::model::ImageRows;
use crate::train::ImageSet;
use crate::train::image::{ImageRecipe, PlainBatch};

/// Rows of one call.
const CHUNK: usize = 64;

impl Run<'_> {
    /// Errors on held-out images, with class dropout as in training and without guidance.
    pub(super) fn losses(
        &mut self,
        held_out: &ImageSet,
        recipe: &ImageRecipe,
    ) -> Result<HeldOutLosses, ImageEvalError> {
        let recipe = ImageRecipe {
            model: self.map.config().clone(),
            seed: self.plan.seed,
            batch: 2 * CHUNK,
            micro_batch: 2 * CHUNK,
            diagonal_share: 0.5,
            jumps_from: 0,
            guided_share: 0.0,
            mirror: false,
            ..recipe.clone()
        };
        let steps = self.plan.loss_items.div_ceil(CHUNK);
        let (mut diagonal, mut jumps) = (0.0, 0.0);
        for step in 0..steps {
            self.go_on(self.counters.network_forward as f64 / self.total)?;
            let batch = PlainBatch::at(&recipe, held_out, step as u32, (0, 2 * CHUNK));
            let half = batch.diagonal;
            let velocity = self.velocity(&batch, 0..half, &batch.s, &batch.u, &batch.x);
            let stride = held_out.stride();
            diagonal += mean_square(&velocity, &batch.direction[..half * stride]);
            jumps += self.jump_error(&batch, half..2 * CHUNK, stride);
        }
        Ok(HeldOutLosses {
            diagonal: diagonal / steps as f64,
            jumps: jumps / steps as f64,
            items: steps * CHUNK,
        })
    }

    /// `v(s, u, x)` of some items of a batch; `s`, `u` and `x` are those of the whole batch.
    fn velocity(
        &mut self,
        batch: &PlainBatch,
        items: std::ops::Range<usize>,
        s: &[f32],
        u: &[f32],
        x: &[f32],
    ) -> Vec<f32> {
        let stride = x.len() / s.len();
        let numbers = items.start * stride..items.end * stride;
        let rows = ImageRows {
            s: &s[items.clone()],
            u: &u[items.clone()],
            x: &x[numbers.clone()],
            t: &batch.t[items.clone()],
            x_t: &batch.x_t[numbers.clone()],
            label: &batch.label[items.clone()],
            guidance: &batch.guidance[items],
        };
        let mut out = vec![0.0; numbers.len()];
        self.map.average_velocity(&rows, &mut out);
        self.counters.network_forward += rows.len() as u64;
        out
    }

    /// How far a jump is from the same made in two.
    fn jump_error(
        &mut self,
        batch: &PlainBatch,
        items: std::ops::Range<usize>,
        stride: usize,
    ) -> f64 {
        let g = &batch.middle;
        let middle: Vec<f32> = (0..g.len())
            .map(|i| batch.s[i] + g[i] * (batch.u[i] - batch.s[i]))
            .collect();
        let whole = self.velocity(batch, items.clone(), &batch.s, &batch.u, &batch.x);
        let first = self.velocity(batch, items.clone(), &batch.s, &middle, &batch.x);
        let mut x = batch.x.clone();
        let from = items.start * stride;
        for (k, v) in first.iter().enumerate() {
            let i = items.start + k / stride;
            x[from + k] += (middle[i] - batch.s[i]) * v;
        }
        let second = self.velocity(batch, items.clone(), &middle, &batch.u, &x);
        let two: Vec<f32> = first
            .iter()
            .zip(&second)
            .enumerate()
            .map(|(k, (first, second))| {
                let g = g[items.start + k / stride];
                g * first + (1.0 - g) * second
            })
            .collect();
        mean_square(&whole, &two)
    }
}

fn mean_square(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum / a.len() as f64
}
