//! Looking ahead with a map of images, on whatever device its tensors live.

use burn::tensor::Tensor;

use crate::mixture::glass_coefficients;
use crate::model::{Condition, MetaFlowMap};

/// `eps`, `[B, C, H, W]`, carried from 0 to 1 by `steps` jumps over `linspace(0, 1, steps + 1)`: one draw from
/// `p(x_1 | x_t)` an item. `steps` network calls, all under the same condition.
pub fn posterior_draws(
    map: &impl MetaFlowMap<4>,
    eps: Tensor<4>,
    condition: &Condition<4>,
    steps: usize,
) -> Tensor<4> {
    let time = |step: usize| {
        let part = step as f64 / steps as f64;
        condition.t.zeros_like() + part
    };
    (0..steps).fold(eps, |x, step| {
        map.flow_map(time(step), time(step + 1), x, condition)
    })
}

/// The conditional velocity `u_s(I_s; t, x_t)` by GLASS (methods.md 3), from the map's own marginal velocity: asked
/// without class and with guidance scale 1, at `t = 0` and zeros for the conditioning state. One network call.
///
/// `s` and `t` are the times of each item; `inner` and `x_t`: `[B, C, H, W]`.
pub fn glass_velocity(
    map: &impl MetaFlowMap<4>,
    (s, inner): (&[f64], Tensor<4>),
    (t, x_t): (&[f64], Tensor<4>),
) -> Tensor<4> {
    let device = inner.device();
    let items = s.len();
    let coefficients: Vec<_> = s
        .iter()
        .zip(t)
        .map(|(s, t)| glass_coefficients(*s, *t))
        .collect();
    let each = |pick: fn(&crate::mixture::GlassCoefficients) -> f64| {
        let values: Vec<f32> = coefficients.iter().map(|c| pick(c) as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device)
    };
    let image = |values: Tensor<1>| values.reshape([items, 1, 1, 1]);
    let x_star = inner.clone() * image(each(|c| c.x_star_inner))
        + x_t.clone() * image(each(|c| c.x_star_cond));
    let t_star = each(|c| c.t_star);
    let marginal = marginal_condition(&x_star);
    let b = map.average_velocity(t_star.clone(), t_star, x_star, &marginal);
    inner * image(each(|c| c.u_inner))
        + x_t * image(each(|c| c.u_cond))
        + b * image(each(|c| c.u_b))
}

/// The condition that carries nothing, for states like `x`.
pub fn marginal_condition(x: &Tensor<4>) -> Condition<4> {
    Condition {
        t: Tensor::zeros([x.dims()[0]], (&x.device(), x.dtype())),
        x_t: x.zeros_like(),
        label: None,
        guidance_scale: None,
    }
}
