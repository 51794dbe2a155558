//! Steered drifts as the authors' code defines them, with the folder's reward, noise and classes.
//!
//! `sigma_t^2 = 2 clamp(1 / (t + 1e-8) - 1, 0, 25)`; base velocity `v = v(t, t, x; 0, 0)`; ODE drift
//! `v + sigma^2 / 2 g`, SDE drift `2 v - x / t + sigma^2 g`. Reward `-10 mean((z - target)^2)`.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use super::{Numbers, column};
use crate::lookahead::{marginal_condition, posterior_draws};
use crate::model::{Condition, Dit, MetaFlowMap};

/// The drift called `how`: `iwae_ode`, `sne_sde`, `dps_ode`, `iwae_ode_renorm`, ... `dit` and the device of `numbers`
/// must be those of autodiff.
pub fn drift(how: &str, dit: &Dit, numbers: &mut Numbers) -> Result<Tensor<4>, String> {
    let device = numbers.device.clone();
    let x = numbers.images("steer_x")?;
    let items = x.dims()[0];
    let t = numbers.times("steer_t", items)?;
    if t.contains(&0.0) {
        return Err(format!("{}: tensor steer_t must be above 0", numbers.path));
    }
    let target = numbers.images("reward_target")?;
    let condition = numbers.condition_at(&t, x.clone())?;
    let image = |values: &[f32]| column(values, &device).reshape([items, 1, 1, 1]);
    let half_variance: Vec<f32> = t
        .iter()
        .map(|t| (1.0 / (f64::from(*t) + 1e-8) - 1.0).clamp(0.0, 25.0) as f32)
        .collect();
    let base = Base {
        dit,
        condition: &condition,
    };
    // sigma^2 / 2 times the gradient of the value.
    let control = if how.starts_with("sne") {
        let draws = base.draws(x.clone(), &numbers.images("mc_eps")?)?;
        let [count, c, h, w] = draws.dims();
        let n = count / items;
        let weights = softmax(reward(draws.clone(), target).reshape([items, n]), 1);
        let draws = draws.reshape([items, n, c * h * w]);
        let tilted = (draws.clone() * weights.reshape([items, n, 1])).sum_dim(1);
        let left: Vec<f32> = t.iter().map(|t| (1.0 - t).max(1e-3)).collect();
        (tilted - draws.mean_dim(1)).reshape([items, c, h, w]) / image(&left)
    } else {
        let moved = x.clone().require_grad();
        let value = if how.starts_with("iwae") {
            let draws = base.draws(moved.clone(), &numbers.images("mc_eps")?)?;
            let n = draws.dims()[0] / items;
            let rewards = reward(draws, target).reshape([items, n]);
            let top = rewards.clone().detach().max_dim(1);
            (rewards - top.clone()).exp().sum_dim(1).log() + top
        } else {
            let left: Vec<f32> = t.iter().map(|t| 1.0 - t).collect();
            let ahead = moved.clone() + image(&left) * base.velocity(&t, moved.clone());
            reward(ahead, target).reshape([items, 1])
        };
        let gradients = value.sum().backward();
        let gradient = moved
            .grad(&gradients)
            .ok_or("the reward does not depend on the state")?;
        gradient.autodiff() * image(&half_variance)
    };
    let velocity = base.velocity(&t, x.clone());
    let control = if how.ends_with("renorm") {
        control.clone() * (norm(velocity.clone()) / norm(control).clamp_min(1e-12))
    } else {
        control
    };
    Ok(if how.contains("sde") {
        velocity * 2.0 - x / image(&t) + control * 2.0
    } else {
        velocity + control
    })
}

/// The network under the folder's classes and guidance scales.
struct Base<'a> {
    dit: &'a Dit,
    condition: &'a Condition<4>,
}

impl Base<'_> {
    fn velocity(&self, t: &[f32], x: Tensor<4>) -> Tensor<4> {
        let time = column(t, &x.device());
        let condition = Condition {
            label: self.condition.label.clone(),
            guidance_scale: self.condition.guidance_scale.clone(),
            ..marginal_condition(&x)
        };
        self.dit.average_velocity(time.clone(), time, x, &condition)
    }

    /// One-step draws given `x`; those of one state are adjacent in `eps`.
    fn draws(&self, x: Tensor<4>, eps: &Tensor<4>) -> Result<Tensor<4>, String> {
        let [items, c, h, w] = x.dims();
        let count = eps.dims()[0];
        if !count.is_multiple_of(items) {
            return Err(format!(
                "tensor mc_eps has {count} draws for {items} states"
            ));
        }
        let n = count / items;
        let condition = &self.condition;
        let repeated = |values: &Tensor<1>| {
            let column = values.clone().reshape([items, 1]);
            column.expand([items, n]).reshape([count])
        };
        let condition = Condition {
            t: repeated(&condition.t),
            x_t: x
                .reshape([items, 1, c, h, w])
                .expand([items, n, c, h, w])
                .reshape([count, c, h, w]),
            label: condition.label.as_ref().map(|labels| {
                let column = labels.clone().reshape([items, 1]);
                column.expand([items, n]).reshape([count])
            }),
            guidance_scale: condition.guidance_scale.as_ref().map(repeated),
        };
        Ok(posterior_draws(self.dit, eps.clone(), &condition, 1))
    }
}

fn reward(z: Tensor<4>, target: Tensor<4>) -> Tensor<1> {
    let [items, c, h, w] = z.dims();
    let error = (z - target).square().reshape([items, c * h * w]);
    error.mean_dim(1).reshape([items]) * -10.0
}

/// The length of each item, `[B, 1, 1, 1]`.
fn norm(x: Tensor<4>) -> Tensor<4> {
    let [items, c, h, w] = x.dims();
    let squares = x.square().reshape([items, c * h * w]).sum_dim(1);
    squares.sqrt().reshape([items, 1, 1, 1])
}
