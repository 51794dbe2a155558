//! The learned sources on any burn device: the plain path.
//!
//! Slower than [`super::draw`] on a processor, where the fused kernel is at home, but it runs
//! wherever burn runs, and the result stays there.

use burn::tensor::{Device, Tensor, TensorData};

use crate::metrics::Counters;
use crate::mixture::glass_coefficients;
use crate::model::{Condition, MetaFlowMap, Mlp};
use crate::process::{Purpose, normal_pairs};

use super::draw::{LookaheadError, NoiseKey};
use super::rollout::{SdeGrid, sde_coefficients};
use super::source::Source;

/// Rows of one network call at most.
const CHUNK: usize = 65_536;
/// Rows of one network call at least: shapes come in few sizes, since each is compiled once.
const LEAST: usize = 256;

/// Draws `count` items of `noise` from `p(x_1 | x_t)` with a network on a burn device, shape `[N, 2]`.
///
/// The same noise as [`super::draw`], so the same draws up to rounding.
///
/// # Errors
/// When `watch` says no, or for the exact source, which has no network.
pub fn draw_on_device(
    source: Source,
    network: &Mlp,
    (t, x_t): (f64, [f64; 2]),
    noise: NoiseKey,
    count: usize,
    device: &Device,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Tensor<2>, LookaheadError> {
    let mut parts = Vec::new();
    let mut first = 0;
    while first < count {
        let rows = (count - first).min(CHUNK);
        let padded = rows.next_power_of_two().max(LEAST);
        let mut call = Call {
            network,
            t,
            x_t,
            noise,
            first,
            rows: padded,
            device,
            counters,
            watch: &mut |inner| watch((first as f32 + inner * rows as f32) / count as f32),
        };
        let part = match source {
            Source::OneStep => call.flow(1)?,
            Source::KStep(k) => call.flow(k)?,
            Source::Glass(steps) => call.glass(steps)?,
            Source::Sde(steps) => call.sde(steps)?,
            Source::Exact => return Err(LookaheadError::NoModel(source)),
        };
        parts.push(part.slice([0..rows, 0..2]));
        first += rows;
    }
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Ok(Tensor::cat(parts, 0)),
    }
}

/// One chunk of rows under one `(t, x_t)`.
struct Call<'a> {
    network: &'a Mlp,
    t: f64,
    x_t: [f64; 2],
    noise: NoiseKey,
    first: usize,
    rows: usize,
    device: &'a Device,
    counters: &'a mut Counters,
    watch: &'a mut dyn FnMut(f32) -> bool,
}

impl Call<'_> {
    fn column(&self, value: f64) -> Tensor<1> {
        Tensor::full([self.rows], value, self.device)
    }

    fn row(&self, point: [f64; 2]) -> Tensor<2> {
        let row = TensorData::new(vec![point[0] as f32, point[1] as f32], [1, 2]);
        Tensor::<2>::from_data(row, self.device).expand([self.rows, 2])
    }

    fn normals(&self, purpose: Purpose, step: u32) -> Tensor<2> {
        let mut pairs = vec![[0.0f32; 2]; self.rows];
        normal_pairs(self.noise.address(purpose, step), self.first, &mut pairs);
        let data = TensorData::new(pairs.as_flattened().to_vec(), [self.rows, 2]);
        Tensor::from_data(data, self.device)
    }

    fn go_on(&mut self, step: u32, steps: u32) -> Result<(), LookaheadError> {
        if (self.watch)(step as f32 / steps as f32) {
            Ok(())
        } else {
            Err(LookaheadError::Cancelled)
        }
    }

    /// `b_t(x) = v(t, t, x; 0, 0)`.
    fn marginal_velocity(&mut self, t: f64, x: Tensor<2>) -> Tensor<2> {
        self.counters.network_forward += self.rows as u64;
        let condition = Condition {
            t: self.column(0.0),
            x_t: self.row([0.0; 2]),
            label: None,
            guidance_scale: None,
        };
        self.network
            .average_velocity(self.column(t), self.column(t), x, &condition)
    }

    fn flow(&mut self, k: u32) -> Result<Tensor<2>, LookaheadError> {
        let mut x = self.normals(Purpose::PosteriorDraw, 0);
        let condition = Condition {
            t: self.column(self.t),
            x_t: self.row(self.x_t),
            label: None,
            guidance_scale: None,
        };
        for step in 0..k {
            self.go_on(step, k)?;
            let s = self.column(f64::from(step) / f64::from(k));
            let u = self.column(f64::from(step + 1) / f64::from(k));
            x = self.network.flow_map(s, u, x, &condition);
            self.counters.network_forward += self.rows as u64;
        }
        Ok(x)
    }

    fn glass(&mut self, steps: u32) -> Result<Tensor<2>, LookaheadError> {
        let mut inner = self.normals(Purpose::PosteriorDraw, 0);
        let h = 1.0 / f64::from(steps);
        for step in 0..steps {
            self.go_on(step, steps)?;
            let s = f64::from(step) * h;
            let mid = inner.clone() + self.glass_velocity(s, inner.clone()) * (0.5 * h);
            inner = inner + self.glass_velocity(s + 0.5 * h, mid) * h;
        }
        Ok(inner)
    }

    fn glass_velocity(&mut self, s: f64, inner: Tensor<2>) -> Tensor<2> {
        let c = glass_coefficients(s, self.t);
        let condition = self.row(self.x_t);
        let state = inner.clone() * c.x_star_inner + condition.clone() * c.x_star_cond;
        let b = self.marginal_velocity(c.t_star, state);
        inner * c.u_inner + condition * c.u_cond + b * c.u_b
    }

    fn sde(&mut self, steps: u32) -> Result<Tensor<2>, LookaheadError> {
        let mut x = self.row(self.x_t);
        let grid = SdeGrid::new(self.t, steps);
        for step in 0..steps {
            self.go_on(step, steps)?;
            let (now, next) = (grid.time(step), grid.time(step + 1));
            if next <= now {
                continue;
            }
            let c = sde_coefficients(now, next);
            let b = self.marginal_velocity(now, x.clone());
            let noise = self.normals(Purpose::RolloutStep, step);
            x = x * c.keep + b * c.velocity + noise * c.spread;
        }
        Ok(x)
    }
}
