//! Plain reward maximisation, for comparison: the velocity is pushed up the gradient of `r` at the end that it
//! predicts, `r(x_t + (1 - t) b_phi)`, at states of its own samples. Nothing holds it to the data, so the samples end
//! where the reward is highest (methods.md calls this what fine-tuning is not).

use rayon::prelude::*;

use super::super::batch::Batch;
use super::recipe::FinetuneRecipe;
use super::states::score;
use super::tuner::FinetuneLoss;
use crate::model::FusedMlp;
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::Reward;

/// Euler steps of the samples whose states are taught.
const STEPS: u32 = 8;

/// The batch of one step: state `i` stands after step `i mod 8` of a sample of its own.
pub(super) fn batch(
    step: u32,
    recipe: &FinetuneRecipe,
    reward: &Reward,
    now: &FusedMlp,
) -> (Batch, FinetuneLoss) {
    let n = recipe.batch;
    let mut x = vec![[0.0; 2]; n];
    normal_pairs(
        Address::new(recipe.seed, Purpose::TrainNoise, step),
        0,
        &mut x,
    );
    let stage = |i: usize| i as u32 % STEPS;
    let (h, mut b) = (1.0 / STEPS as f32, vec![[0.0; 2]; n]);
    for k in 0..STEPS {
        let t = k as f32 * h;
        let mut v = vec![[0.0; 2]; n];
        now.velocity_into(t, t, 0.0, [0.0; 2], &x, &mut v);
        for (i, v) in v.into_iter().enumerate() {
            if stage(i) == k {
                b[i] = v;
            } else if stage(i) > k {
                x[i] = [x[i][0] + h * v[0], x[i][1] + h * v[1]];
            }
        }
    }
    let times: Vec<f32> = (0..n).map(|i| stage(i) as f32 * h).collect();
    let lessons: Vec<([f32; 2], f64)> = (0..n)
        .into_par_iter()
        .with_min_len(64)
        .map(|i| {
            let left = 1.0 - times[i];
            let end: [f32; 2] = std::array::from_fn(|d| x[i][d] + left * b[i][d]);
            let gradient = reward.gradient(end.map(f64::from));
            let target = std::array::from_fn(|d| {
                let push = left * gradient[d] as f32;
                b[i][d] + if push.is_finite() { push } else { 0.0 }
            });
            (target, score(reward, end))
        })
        .collect();
    let found = lessons.iter().filter(|l| l.1 > f64::NEG_INFINITY);
    let (count, sum) = found.fold((0, 0.0), |(count, sum), l| (count + 1, sum + l.1));
    let loss = FinetuneLoss {
        error: -sum / f64::from(count.max(1)),
        effective: 1.0,
        without_reward: (n - count as usize) as u64,
        ..FinetuneLoss::default()
    };
    let batch = Batch {
        s: times.clone(),
        u: times,
        t: vec![0.0; n],
        x,
        x_t: vec![[0.0; 2]; n],
        velocity: lessons.into_iter().map(|l| l.0).collect(),
        ..Batch::default()
    };
    (batch, loss)
}
