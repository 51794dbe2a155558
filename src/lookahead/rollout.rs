//! Lookahead by integration: the GLASS ODE and the memoryless SDE.

use rayon::prelude::*;

use crate::metrics::Counters;
use crate::mixture::glass_coefficients;
use crate::process::{Purpose, normal_pairs};

use super::draw::{LookaheadError, NoiseKey, Velocity};

/// Integrates the GLASS ODE (methods: folded form, no `1/(1-s)`) with `steps` midpoint steps.
///
/// `inner` holds the base noise and receives the draws, `[N, 2]`.
pub(super) fn glass(
    velocity: Velocity<'_>,
    steps: u32,
    t: f64,
    x_t: [f64; 2],
    inner: &mut [[f32; 2]],
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<(), LookaheadError> {
    let mut state = vec![[0.0f32; 2]; inner.len()];
    let mut b = vec![[0.0f32; 2]; inner.len()];
    let mut mid = vec![[0.0f32; 2]; inner.len()];
    let h = 1.0 / f64::from(steps);
    for step in 0..steps {
        if !watch(step as f32 / steps as f32) {
            return Err(LookaheadError::Cancelled);
        }
        let s = f64::from(step) * h;
        // mid = inner + h/2 u_s(inner)
        mid.copy_from_slice(inner);
        glass_step(
            velocity,
            s,
            0.5 * h,
            t,
            x_t,
            inner,
            &mut mid,
            &mut state,
            &mut b,
            counters,
        );
        let from = mid.clone();
        glass_step(
            velocity,
            s + 0.5 * h,
            h,
            t,
            x_t,
            &from,
            inner,
            &mut state,
            &mut b,
            counters,
        );
    }
    Ok(())
}

/// `to += h * u_s(from; t, x_t)`.
fn glass_step(
    velocity: Velocity<'_>,
    s: f64,
    h: f64,
    t: f64,
    x_t: [f64; 2],
    from: &[[f32; 2]],
    to: &mut [[f32; 2]],
    state: &mut [[f32; 2]],
    b: &mut [[f32; 2]],
    counters: &mut Counters,
) {
    let c = glass_coefficients(s, t);
    state
        .par_iter_mut()
        .zip(from)
        .with_min_len(2048)
        .for_each(|(state, from)| {
            for axis in 0..2 {
                state[axis] =
                    (c.x_star_inner * f64::from(from[axis]) + c.x_star_cond * x_t[axis]) as f32;
            }
        });
    velocity.eval(c.t_star, state, b, counters);
    to.par_iter_mut()
        .zip(from)
        .zip(&*b)
        .with_min_len(2048)
        .for_each(|((to, from), b)| {
            for axis in 0..2 {
                let u = c.u_inner * f64::from(from[axis])
                    + c.u_cond * x_t[axis]
                    + c.u_b * f64::from(b[axis]);
                to[axis] += (h * u) as f32;
            }
        });
}

/// Rolls the memoryless SDE out from `t` to 1 in `steps` ancestral steps.
///
/// Each step is the exact Gaussian transition of the process (methods, particle methods) with the
/// posterior draw replaced by the posterior mean `D_t(x)`: first-order accurate like
/// Euler-Maruyama, but finite at `t = 0` and stable for any step, so no cap is needed. The grid is
/// finer near noise, where the process moves fastest.
pub(super) fn sde(
    velocity: Velocity<'_>,
    steps: u32,
    t: f64,
    x_t: [f64; 2],
    (key, first): (NoiseKey, usize),
    x: &mut [[f32; 2]],
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<(), LookaheadError> {
    x.fill([x_t[0] as f32, x_t[1] as f32]);
    let mut b = vec![[0.0f32; 2]; x.len()];
    let mut noise = vec![[0.0f32; 2]; x.len()];
    let grid = SdeGrid::new(t, steps);
    for step in 0..steps {
        if !watch(step as f32 / steps as f32) {
            return Err(LookaheadError::Cancelled);
        }
        let (now, next) = (grid.time(step), grid.time(step + 1));
        if next <= now {
            continue;
        }
        velocity.eval(now, x, &mut b, counters);
        normal_pairs(key.address(Purpose::RolloutStep, step), first, &mut noise);
        let c = sde_coefficients(now, next);
        x.par_iter_mut()
            .zip(&b)
            .zip(&noise)
            .with_min_len(2048)
            .for_each(|((x, b), noise)| {
                for axis in 0..2 {
                    x[axis] = (c.keep * f64::from(x[axis])
                        + c.velocity * f64::from(b[axis])
                        + c.spread * f64::from(noise[axis])) as f32;
                }
            });
    }
    Ok(())
}

/// The times of a rollout from `t` to 1: finer near noise, where the process moves fastest.
pub(super) struct SdeGrid {
    t: f64,
    steps: u32,
    power: f64,
}

impl SdeGrid {
    pub fn new(t: f64, steps: u32) -> Self {
        let power = 1.0 + (1.0 - t) * (1.0 - t);
        Self { t, steps, power }
    }

    /// Time of grid point `k`, `0..=steps`.
    pub fn time(&self, k: u32) -> f64 {
        if k == self.steps {
            return 1.0;
        }
        let share = f64::from(k) / f64::from(self.steps);
        self.t + (1.0 - self.t) * share.powf(self.power)
    }
}

/// `x' = keep x + velocity b + spread eps`.
pub(super) struct SdeStep {
    pub keep: f64,
    pub velocity: f64,
    pub spread: f64,
}

/// The ancestral step from `now` to `next`, with `D = x + (1 - now) b` put in.
pub(super) fn sde_coefficients(now: f64, next: f64) -> SdeStep {
    let rho = now * (1.0 - next) / ((1.0 - now) * next);
    let gamma = rho * (1.0 - next) / (1.0 - now);
    let to_data = next - gamma * now;
    SdeStep {
        keep: gamma + to_data,
        velocity: to_data * (1.0 - now),
        spread: (1.0 - next) * (1.0 - rho * rho).max(0.0).sqrt(),
    }
}
