//! A run on the processor's own kernel.

use rayon::prelude::*;

use super::batch::PlainBatch;
use super::optimizer::{BETA_1, BETA_2, EPSILON, StepOptions};
use super::recipe::{ImageConsistency, ImageRecipe};
use super::state::State;
use crate::model::dit::native::{Along, FlatLayout};
use crate::model::simd::Buffer;
use crate::model::{
    Dit, DitConfig, ImageMap as _, ImageRows, NativeDit, Weights, weights_of, with_weights,
};
use crate::train::{ImageSet, StepLoss};

/// Numbers of one piece of the optimizer's work.
const CHUNK: usize = 1 << 14;

/// Weights, moments and average in flat buffers, and the network that computes with them.
pub(super) struct NativeRun {
    net: NativeDit,
    /// The map that jumps are learned from.
    teacher: Option<NativeDit>,
    layout: FlatLayout,
    weights: Buffer,
    mean: Buffer,
    square: Buffer,
    /// Moving average of the weights; `None` before the first step.
    average: Option<Buffer>,
    gradient: Buffer,
    parts: Vec<Buffer>,
}

impl NativeRun {
    pub(super) fn new(dit: &Dit, teacher: Option<&Dit>) -> Option<Self> {
        if !NativeDit::learns(dit.config()) {
            return None;
        }
        let net = NativeDit::new(dit)?;
        let teacher = match teacher {
            Some(teacher) => Some(NativeDit::new(teacher)?),
            None => None,
        };
        let layout = FlatLayout::new(dit.config());
        let zeros = || Buffer::zeroed(layout.len());
        Some(Self {
            weights: layout.gather(&dit.weights()),
            mean: zeros(),
            square: zeros(),
            average: None,
            gradient: zeros(),
            parts: Vec::new(),
            net,
            teacher,
            layout,
        })
    }

    /// One step.
    pub(super) fn advance(&mut self, recipe: &ImageRecipe, data: &ImageSet, step: u64) -> StepLoss {
        let parts = recipe.batch / recipe.micro_batch;
        let mut sums = StepLoss::default();
        self.gradient.as_mut_slice().fill(0.0);
        for part in 0..parts {
            let range = (part * recipe.micro_batch, recipe.micro_batch);
            let batch = PlainBatch::at(recipe, data, step as u32, range);
            let loss = self.add_gradient(recipe, &batch);
            let share = 1.0 / parts as f64;
            sums.weighted += share * loss.weighted;
            sums.diagonal += share * loss.diagonal;
            sums.consistency += share * loss.consistency;
        }
        let options = recipe.step_options(step);
        self.update(options, 1.0 / parts as f64);
        sums
    }

    /// Adds a batch's gradient.
    fn add_gradient(&mut self, recipe: &ImageRecipe, batch: &PlainBatch) -> StepLoss {
        let (target, along) = self.target(recipe, batch);
        let n = batch.s.len();
        let numbers = batch.x.len() / n.max(1);
        let rows = rows_of(batch);
        let fused = along.is_some();
        let direction = along.as_deref().map(|x| Along {
            times: (1.0, 0.0),
            x: Some(x),
            from: batch.diagonal,
        });
        let cotangent = |row: usize, v: &mut [f32], dv: &[f32]| {
            let target = &target[row * numbers..(row + 1) * numbers];
            let diagonal = row < batch.diagonal;
            // The derivative of the jump, where it is made on the way.
            let jump = if fused && !diagonal {
                batch.u[row] - batch.s[row]
            } else {
                0.0
            };
            let mut squared = 0.0_f32;
            for ((v, target), dv) in v.iter_mut().zip(target).zip(dv) {
                *v -= target + jump * dv;
                squared += *v * *v;
            }
            let squared = f64::from(squared) / numbers as f64;
            let power = if diagonal {
                recipe.diagonal_power
            } else {
                recipe.consistency_power
            };
            let weight = (squared + recipe.weight_floor).powf(-power);
            let scale = (2.0 * weight / (numbers * n) as f64) as f32;
            for v in v {
                *v *= scale;
            }
            [weight * squared, squared]
        };
        let len = self.layout.len();
        let items = self
            .net
            .gradient(&rows, direction, &cotangent, &mut self.parts, len);
        if let Some(part) = self.parts.first() {
            let part = part.as_slice();
            let sum = self.gradient.as_mut_slice().par_chunks_mut(CHUNK);
            sum.zip(part.par_chunks(CHUNK)).for_each(|(sum, part)| {
                for (sum, v) in sum.iter_mut().zip(part) {
                    *sum += v;
                }
            });
        }
        let mean = |items: &[[f64; 2]]| {
            // NaN where there is none, as through burn.
            items.iter().map(|item| item[1]).sum::<f64>() / items.len() as f64
        };
        StepLoss {
            weighted: items.iter().map(|item| item[0]).sum::<f64>() / n as f64,
            diagonal: mean(&items[..batch.diagonal]),
            consistency: mean(&items[batch.diagonal..]),
        }
    }

    /// What each item is taught. Where the derivative of the jump along `x` is made together with the gradient, `x`'s
    /// direction comes second and the target is without it.
    fn target(&self, recipe: &ImageRecipe, batch: &PlainBatch) -> (Vec<f32>, Option<Vec<f32>>) {
        let n = batch.s.len();
        let numbers = batch.x.len() / n.max(1);
        let mut target = batch.direction.clone();
        self.guide(recipe, batch, &mut target);
        let off = batch.diagonal..n;
        if off.is_empty() {
            return (target, None);
        }
        let own = |v: &[f32]| v[off.clone()].to_vec();
        let images = off.start * numbers..n * numbers;
        let (s, u, t) = (own(&batch.s), own(&batch.u), own(&batch.t));
        let rows = ImageRows {
            s: &s,
            u: &u,
            x: &batch.x[images.clone()],
            t: &t,
            x_t: &batch.x_t[images.clone()],
            label: &batch.label[off.clone()],
            guidance: &batch.guidance[off.clone()],
        };
        let velocity = |rows: &ImageRows<'_>| {
            let mut v = vec![0.0; rows.len() * numbers];
            self.net.average_velocity(rows, &mut v);
            v
        };
        let taught = &mut target[images];
        match recipe.consistency {
            ImageConsistency::MeanFlow => (),
            ImageConsistency::Eulerian => {
                taught.copy_from_slice(&velocity(&ImageRows { u: &s, ..rows }));
            }
            ImageConsistency::Lagrangian => {
                let (mut v, mut dv) = (vec![0.0; taught.len()], vec![0.0; taught.len()]);
                let along = Along {
                    times: (0.0, 1.0),
                    x: None,
                    from: 0,
                };
                self.net.velocity_along(&rows, along, &mut v, &mut dv);
                let jump = |i: usize| u[i / numbers] - s[i / numbers];
                let end: Vec<f32> = (0..v.len()).map(|i| rows.x[i] + jump(i) * v[i]).collect();
                let there = velocity(&ImageRows {
                    s: &u,
                    x: &end,
                    ..rows
                });
                for (i, taught) in taught.iter_mut().enumerate() {
                    *taught = there[i] - jump(i) * dv[i];
                }
            }
            ImageConsistency::Progressive => {
                let g = own(&batch.middle);
                let w: Vec<f32> = (0..s.len()).map(|i| s[i] + g[i] * (u[i] - s[i])).collect();
                let first = velocity(&ImageRows { u: &w, ..rows });
                let half = |i: usize| w[i / numbers] - s[i / numbers];
                let there: Vec<f32> = (0..first.len())
                    .map(|i| rows.x[i] + half(i) * first[i])
                    .collect();
                let second = velocity(&ImageRows {
                    s: &w,
                    x: &there,
                    ..rows
                });
                for (i, taught) in taught.iter_mut().enumerate() {
                    let g = g[i / numbers];
                    *taught = first[i] * g + second[i] * (1.0 - g);
                }
            }
            ImageConsistency::Distilled { pieces } => {
                let teacher = self.teacher.as_ref().unwrap_or(&self.net);
                let share = 1.0 / pieces as f32;
                let piece: Vec<f32> = s.iter().zip(&u).map(|(s, u)| (u - s) * share).collect();
                let at = |k: u32| -> Vec<f32> {
                    let from = s.iter().zip(&piece);
                    from.map(|(s, piece)| s + piece * k as f32).collect()
                };
                let mut there = rows.x.to_vec();
                let mut v = vec![0.0; there.len()];
                taught.fill(0.0);
                for k in 0..pieces {
                    let jump = ImageRows {
                        s: &at(k),
                        u: &at(k + 1),
                        x: &there,
                        ..rows
                    };
                    teacher.average_velocity(&jump, &mut v);
                    for (i, v) in v.iter().enumerate() {
                        there[i] += piece[i / numbers] * v;
                        taught[i] += share * v;
                    }
                }
            }
        }
        let fused = matches!(
            recipe.consistency,
            ImageConsistency::MeanFlow | ImageConsistency::Eulerian
        );
        let along = fused.then(|| target.clone());
        (target, along)
    }

    /// Folds guidance into the data's velocities: `v_null + w (v - v_null)` where the item is told a scale `w`.
    fn guide(&self, recipe: &ImageRecipe, batch: &PlainBatch, velocity: &mut [f32]) {
        let numbers = velocity.len() / batch.s.len().max(1);
        let told: Vec<usize> = (0..batch.s.len())
            .filter(|i| batch.guidance[*i] != 1.0)
            .collect();
        if told.is_empty() {
            return;
        }
        let column = |v: &[f32]| told.iter().map(|i| v[*i]).collect::<Vec<f32>>();
        let images = |v: &[f32]| {
            told.iter()
                .flat_map(|i| v[i * numbers..(i + 1) * numbers].to_vec())
                .collect::<Vec<f32>>()
        };
        let (s, t) = (column(&batch.s), column(&batch.t));
        let (x, x_t) = (images(&batch.x), images(&batch.x_t));
        let rows = ImageRows {
            s: &s,
            u: &s,
            x: &x,
            t: &t,
            x_t: &x_t,
            label: &vec![recipe.model.label_dim as u32; told.len()],
            guidance: &vec![1.0; told.len()],
        };
        let mut none = vec![0.0; x.len()];
        self.net.average_velocity(&rows, &mut none);
        for (i, none) in told.iter().zip(none.chunks_exact(numbers)) {
            let w = batch.guidance[*i];
            for (v, none) in velocity[i * numbers..(i + 1) * numbers]
                .iter_mut()
                .zip(none)
            {
                *v = none + w * (*v - none);
            }
        }
    }

    /// AdamW with the gradient times `scale`, and the average.
    fn update(&mut self, o: StepOptions, scale: f64) {
        // In pieces of a fixed size: the sum does not depend on the number of cores.
        let squares: Vec<f64> = self
            .gradient
            .as_slice()
            .par_chunks(CHUNK)
            .map(|part| part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum())
            .collect();
        let norm = squares.iter().sum::<f64>().sqrt() * scale;
        let factor = ((o.clip / (norm + 1e-12)).min(1.0) * scale) as f32;
        let taken = (o.step + 1).min(1_000_000) as i32;
        let lift_1 = (1.0 / (1.0 - BETA_1.powi(taken))) as f32;
        let lift_2 = (1.0 / (1.0 - BETA_2.powi(taken))) as f32;
        let (beta_1, beta_2) = (BETA_1 as f32, BETA_2 as f32);
        let (rate, decay, keep) = (o.rate as f32, o.weight_decay as f32, o.ema_decay as f32);
        let fresh = self.average.is_none();
        let len = self.layout.len();
        let average = self.average.get_or_insert_with(|| Buffer::zeroed(len));
        let rows = self.weights.as_mut_slice().par_chunks_mut(CHUNK);
        rows.zip(self.mean.as_mut_slice().par_chunks_mut(CHUNK))
            .zip(self.square.as_mut_slice().par_chunks_mut(CHUNK))
            .zip(average.as_mut_slice().par_chunks_mut(CHUNK))
            .zip(self.gradient.as_slice().par_chunks(CHUNK))
            .for_each(|((((weights, mean), square), average), gradient)| {
                for i in 0..weights.len() {
                    let g = gradient[i] * factor;
                    mean[i] = beta_1 * mean[i] + (1.0 - beta_1) * g;
                    square[i] = beta_2 * square[i] + (1.0 - beta_2) * g * g;
                    let pull = mean[i] * lift_1 / ((square[i] * lift_2).sqrt() + EPSILON as f32);
                    weights[i] -= rate * (pull + weights[i] * decay);
                    average[i] = if fresh {
                        weights[i]
                    } else {
                        keep * average[i] + (1.0 - keep) * weights[i]
                    };
                }
            });
        self.net.load(self.weights.as_slice());
    }

    /// The averaged network.
    pub(super) fn averaged(&self, config: &DitConfig) -> Dit {
        let flat = self.average.as_ref().unwrap_or(&self.weights);
        self.as_dit(config, flat.as_slice())
    }

    fn as_dit(&self, config: &DitConfig, flat: &[f32]) -> Dit {
        self.layout.network(config, flat)
    }

    pub(super) fn state(&self, config: &DitConfig) -> State {
        let named = |flat: &Buffer| weights_of(&self.as_dit(config, flat.as_slice()));
        let mut state = State {
            weights: named(&self.weights),
            ..State::default()
        };
        if let Some(average) = &self.average {
            let all = [named(&self.mean), named(&self.square), named(average)];
            for name in state.weights.keys().filter(|name| *name != "positions") {
                let values = |of: &Weights| of[name].values.clone();
                let moments = [values(&all[0]), values(&all[1]), values(&all[2])];
                state.moments.insert(name.clone(), moments);
            }
        }
        state
    }

    /// Takes over a state; `like` is a network of the run's shape.
    pub(super) fn restore(&mut self, like: &Dit, state: &State) -> Result<(), String> {
        let flat = |weights: &Weights| {
            let dit = with_weights(like.clone(), weights).map_err(|e| e.to_string())?;
            Ok::<_, String>(self.layout.gather(&dit.weights()))
        };
        let weights = flat(&state.weights)?;
        if !state.moments.is_empty() {
            let kind = |i: usize| {
                let mut all = state.weights.clone();
                for (name, weight) in &mut all {
                    weight.values = match state.moments.get(name) {
                        Some(moments) => moments[i].clone(),
                        None => vec![0.0; weight.values.len()],
                    };
                }
                flat(&all)
            };
            let (mean, square, average) = (kind(0)?, kind(1)?, kind(2)?);
            (self.mean, self.square, self.average) = (mean, square, Some(average));
        }
        self.net.load(weights.as_slice());
        self.weights = weights;
        Ok(())
    }
}

fn rows_of(batch: &PlainBatch) -> ImageRows<'_> {
    ImageRows {
        s: &batch.s,
        u: &batch.u,
        x: &batch.x,
        t: &batch.t,
        x_t: &batch.x_t,
        label: &batch.label,
        guidance: &batch.guidance,
    }
}
