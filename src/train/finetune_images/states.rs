//! Off-policy states: where and when the velocity is taught.

use rayon::prelude::*;

use super::super::finetune::Baseline;
use super::pool::Pool;
use super::recipe::ImageTuneRecipe;
use crate::process::{Address, Purpose, normal_pairs, uniforms};

/// Farthest time that is learned: beyond it a draw is the state, up to the map's own error.
pub(super) const LAST_TIME: f32 = 0.98;
/// Times are this power of evenly spread numbers.
const TIME_POWER: f32 = 1.5;
/// Error of a learned draw, a pixel.
const DRAW_ERROR: f64 = 0.1;

/// States of one step, a row each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct States {
    pub t: Vec<f32>,
    /// `[B][C H W]`.
    pub x_t: Vec<f32>,
    pub label: Vec<u32>,
    /// What is taken off the rewards of each state's draws.
    pub baseline: Vec<f64>,
}

impl States {
    /// The states of one step: the same whenever and wherever they are asked.
    pub fn at(step: u32, recipe: &ImageTuneRecipe, pool: &Pool) -> Self {
        let n = recipe.batch;
        let size = pool.pictures.len() / pool.len();
        let numbers = |part: u32| {
            let mut out = vec![0.0; n];
            let address = Address::new(recipe.seed, Purpose::TrainTime, step);
            uniforms(address.at_step(part), 0, &mut out);
            out
        };
        let (within, from, pick) = (numbers(0), numbers(1), numbers(2));
        let picked: Vec<usize> = (0..n)
            .map(|i| {
                if from[i] < recipe.tilted_share {
                    pool.tilted(pick[i])
                } else {
                    pool.plain(pick[i])
                }
            })
            .collect();
        let t: Vec<f32> = (0..n)
            .map(|i| LAST_TIME * ((i as f32 + within[i]) / n as f32).powf(TIME_POWER))
            .collect();
        let mut x_t = vec![0.0; n * size];
        x_t.par_chunks_mut(size).enumerate().for_each(|(i, x_t)| {
            let pairs = size.div_ceil(2);
            let mut noise = vec![[0.0_f32; 2]; pairs];
            let address = Address::new(recipe.seed, Purpose::TrainNoise, step);
            normal_pairs(address, i * pairs, &mut noise);
            let clean = &pool.pictures[picked[i] * size..(picked[i] + 1) * size];
            for ((x, noise), clean) in x_t.iter_mut().zip(noise.as_flattened()).zip(clean) {
                *x = (1.0 - t[i]) * noise + t[i] * clean;
            }
        });
        let baseline = |i: usize| match recipe.baseline {
            Baseline::Constant => pool.log_mean,
            Baseline::State => {
                // How much of the clean picture the state tells.
                let t = f64::from(t[i]);
                let told = t * t / (t * t + (1.0 - t) * (1.0 - t));
                pool.log_mean + told * (pool.scores[picked[i]] - pool.log_mean).max(0.0)
            }
        };
        Self {
            baseline: (0..n).map(baseline).collect(),
            label: picked.iter().map(|i| pool.labels[*i]).collect(),
            t,
            x_t,
        }
    }

    /// Weight of the squared error at `t`.
    pub fn weight(t: f32) -> f64 {
        let rest = f64::from(1.0 - t);
        rest * rest / (rest * rest + DRAW_ERROR * DRAW_ERROR)
    }
}
