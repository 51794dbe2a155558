//! Plain reward maximisation, for comparison: as for worlds, the velocity is pushed up the gradient of `r` at the end
//! that it predicts, `r(x_t + (1 - t) b_phi)`, at states of its own samples. Nothing holds it to the data, so that the
//! samples end where the reward is highest.

use rayon::prelude::*;

use super::draws::Lessons;
use super::recipe::ImageTuneRecipe;
use super::states::States;
use crate::model::{ImageMap, ImageRows};
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::picture::PictureScore;

/// Euler steps of the samples whose states are taught.
const STEPS: u32 = 8;

/// States of one step, what is taught there and the velocity that it is taught against: state `i` stands after step
/// `i mod 8` of a sample of its own.
pub(super) fn lessons(
    step: u32,
    recipe: &ImageTuneRecipe,
    reward: &dyn PictureScore,
    now: &dyn ImageMap,
) -> (States, Lessons, Vec<f32>) {
    let n = recipe.batch;
    let size: usize = reward.shape().iter().product();
    let mut x = vec![0.0; n * size];
    x.par_chunks_mut(size).enumerate().for_each(|(i, x)| {
        let pairs = size.div_ceil(2);
        let mut noise = vec![[0.0_f32; 2]; pairs];
        let address = Address::new(recipe.seed, Purpose::TrainNoise, step);
        normal_pairs(address, i * pairs, &mut noise);
        x.copy_from_slice(&noise.as_flattened()[..size]);
    });
    let stage = |i: usize| i as u32 % STEPS;
    let classes = now.config().label_dim;
    // Neighbours are at different stages, and classes go round more slowly, so that every class is taught at all.
    let label: Vec<u32> = (0..n)
        .map(|i| {
            recipe
                .class
                .label(i / STEPS as usize + step as usize, classes)
        })
        .collect();
    let h = 1.0 / STEPS as f32;
    let mut b = vec![0.0; n * size];
    for k in 0..STEPS {
        let going: Vec<usize> = (0..n).filter(|i| stage(*i) >= k).collect();
        let v = marginal(now, &going, (k as f32 * h, recipe.guidance), &label, &x);
        for (row, i) in going.iter().enumerate() {
            let span = i * size..(i + 1) * size;
            let v = &v[row * size..(row + 1) * size];
            if stage(*i) == k {
                b[span].copy_from_slice(v);
            } else {
                for (x, v) in x[span].iter_mut().zip(v) {
                    *x += h * v;
                }
            }
        }
    }
    let t: Vec<f32> = (0..n).map(|i| stage(i) as f32 * h).collect();
    let ends: Vec<f32> = (0..n * size)
        .map(|k| x[k] + (1.0 - t[k / size]) * b[k])
        .collect();
    let (mut scores, mut push) = (vec![0.0; n], vec![0.0; n * size]);
    reward.gradient(&ends, &mut scores, &mut push);
    for (k, push) in push.iter_mut().enumerate() {
        *push = if push.is_finite() {
            (1.0 - t[k / size]) * *push
        } else {
            0.0
        };
    }
    let found: Vec<f64> = scores.iter().map(|r| f64::from(*r)).collect();
    let finite = found.iter().filter(|r| r.is_finite());
    let count = finite.clone().count();
    let lessons = Lessons {
        hold: vec![1.0; n],
        push,
        reward: finite.sum::<f64>() / count.max(1) as f64,
        without_reward: (n - count) as u64,
    };
    let states = States {
        t,
        x_t: x,
        label,
        baseline: vec![0.0; n],
    };
    (states, lessons, b)
}

/// `v(t, t, x; 0, 0)` of some of the rows at one time.
fn marginal(
    map: &dyn ImageMap,
    which: &[usize],
    (t, guidance): (f32, f32),
    label: &[u32],
    x: &[f32],
) -> Vec<f32> {
    let size = x.len() / label.len();
    let rows = which.len();
    let x: Vec<f32> = which
        .iter()
        .flat_map(|i| x[i * size..(i + 1) * size].to_vec())
        .collect();
    let label: Vec<u32> = which.iter().map(|i| label[*i]).collect();
    let times = vec![t; rows];
    let mut v = vec![0.0; rows * size];
    let asked = ImageRows {
        s: &times,
        u: &times,
        x: &x,
        t: &vec![0.0; rows],
        x_t: &vec![0.0; rows * size],
        label: &label,
        guidance: &vec![guidance; rows],
    };
    map.average_velocity(&asked, &mut v);
    v
}
