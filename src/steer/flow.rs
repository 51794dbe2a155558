//! The deterministic pieces of a run at one time: velocities, flow maps, and gradients pulled back through them.

use crate::metrics::Counters;
use crate::mixture::{
    GlassCoefficients, Matrix2, Mixture, Point, VelocityAt, VelocityJacobianAt, glass_coefficients,
};
use crate::model::{GuidedMlp, Rows};

/// `M' v`.
pub(super) fn transposed(m: &Matrix2, v: Point) -> Point {
    [
        m[0][0] * v[0] + m[1][0] * v[1],
        m[0][1] * v[0] + m[1][1] * v[1],
    ]
}

pub(super) fn to_f32(x: Point) -> [f32; 2] {
    x.map(|v| v as f32)
}

pub(super) fn to_f64(x: [f32; 2]) -> Point {
    x.map(f64::from)
}

/// The marginal velocity `b_t` at one time, exact or learned.
pub(super) enum BaseAt<'a> {
    Exact(VelocityAt, VelocityJacobianAt),
    Learned(&'a GuidedMlp, f32),
}

impl<'a> BaseAt<'a> {
    pub fn new(world: &Mixture, model: Option<&'a GuidedMlp>, t: f64) -> Self {
        match model {
            Some(net) => Self::Learned(net, t as f32),
            None => Self::Exact(world.velocity_field(t), world.velocity_jacobian_field(t)),
        }
    }

    /// `take(i, b_t(x[i]))`.
    pub fn eval(&self, x: &[Point], counters: &mut Counters, mut take: impl FnMut(usize, Point)) {
        counters.network_forward += x.len() as u64;
        match self {
            Self::Exact(field, _) => {
                for (i, x) in x.iter().enumerate() {
                    take(i, field.eval(*x));
                }
            }
            Self::Learned(net, t) => {
                let mut rows: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                net.velocity(Rows::marginal(*t), &mut rows);
                for (i, v) in rows.into_iter().enumerate() {
                    take(i, to_f64(v));
                }
            }
        }
    }

    /// `take(i, b, c' db/dx)` with `c = cotangent(i, b)`.
    pub fn pullback(
        &self,
        x: &[Point],
        counters: &mut Counters,
        cotangent: &dyn Fn(usize, Point) -> Point,
        mut take: impl FnMut(usize, Point, Point),
    ) {
        counters.network_forward += x.len() as u64;
        counters.network_backward += x.len() as u64;
        match self {
            Self::Exact(_, field) => {
                for (i, x) in x.iter().enumerate() {
                    let (b, jacobian) = field.eval(*x);
                    take(i, b, transposed(&jacobian, cotangent(i, b)));
                }
            }
            Self::Learned(net, t) => {
                let rows: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                net.velocity_with_pullback(
                    Rows::marginal(*t),
                    &rows,
                    &|i, v| to_f32(cotangent(i, to_f64(v))),
                    |i, v, [by_x, _]| take(i, to_f64(v), to_f64(by_x)),
                );
            }
        }
    }
}

/// An ODE of the exact mixture prepared for many starts: midpoint steps, with forward sensitivities where asked.
pub(super) struct ExactFlow {
    h: f64,
    /// First and middle stage of every step.
    stages: Vec<[Stage; 2]>,
}

struct Stage {
    c: GlassCoefficients,
    velocity: VelocityAt,
    jacobian: VelocityJacobianAt,
}

impl Stage {
    fn new(world: &Mixture, c: GlassCoefficients) -> Self {
        Self {
            velocity: world.velocity_field(c.t_star),
            jacobian: world.velocity_jacobian_field(c.t_star),
            c,
        }
    }

    fn eval(&self, inner: Point, x_t: Point) -> Point {
        let b = self.velocity.eval(self.c.x_star(inner, x_t));
        self.c.velocity(inner, x_t, b)
    }

    /// The velocity and its total derivative along `d_inner = d inner / d x_t`.
    fn eval_with_jacobian(&self, inner: Point, x_t: Point, d_inner: &Matrix2) -> (Point, Matrix2) {
        let c = &self.c;
        let (b, slope) = self.jacobian.eval(c.x_star(inner, x_t));
        // d x* = x_star_inner dI + x_star_cond 1.
        let mut d_star = d_inner.map(|row| row.map(|v| c.x_star_inner * v));
        d_star[0][0] += c.x_star_cond;
        d_star[1][1] += c.x_star_cond;
        let mut d = [[0.0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                let own = if i == j { c.u_cond } else { 0.0 };
                d[i][j] = own
                    + c.u_inner * d_inner[i][j]
                    + c.u_b * (slope[i][0] * d_star[0][j] + slope[i][1] * d_star[1][j]);
            }
        }
        (c.velocity(inner, x_t, b), d)
    }
}

impl ExactFlow {
    /// The GLASS ODE from noise to `p(x_1 | x_t)`, in `steps` midpoint steps.
    pub fn glass(world: &Mixture, t: f64, steps: u32) -> Self {
        let h = 1.0 / f64::from(steps);
        let stage = |s: f64| Stage::new(world, glass_coefficients(s, t));
        let stages = (0..steps).map(|i| {
            let s = f64::from(i) * h;
            [stage(s), stage(s + 0.5 * h)]
        });
        Self {
            h,
            stages: stages.collect(),
        }
    }

    /// The probability-flow ODE between two times.
    pub fn deterministic(world: &Mixture, from: f64, to: f64, steps: u32) -> Self {
        let h = (to - from) / f64::from(steps);
        let stage = |t_star: f64| {
            let c = GlassCoefficients {
                t_star,
                x_star_inner: 1.0,
                x_star_cond: 0.0,
                u_inner: 0.0,
                u_cond: 0.0,
                u_b: 1.0,
            };
            Stage::new(world, c)
        };
        let stages = (0..steps).map(|i| {
            let t = from + f64::from(i) * h;
            [stage(t), stage(t + 0.5 * h)]
        });
        Self {
            h,
            stages: stages.collect(),
        }
    }

    /// Velocities asked per start.
    pub fn evaluations(&self) -> u64 {
        2 * self.stages.len() as u64
    }

    pub fn run(&self, start: Point, x_t: Point) -> Point {
        let mut x = start;
        for [first, middle] in &self.stages {
            let k = first.eval(x, x_t);
            let mid = std::array::from_fn(|i| x[i] + 0.5 * self.h * k[i]);
            let k = middle.eval(mid, x_t);
            x = std::array::from_fn(|i| x[i] + self.h * k[i]);
        }
        x
    }

    /// The end and its derivative: by `x_t` when `d_start` is 0, by the start when it is the identity.
    pub fn run_with_jacobian(
        &self,
        start: Point,
        x_t: Point,
        d_start: Matrix2,
    ) -> (Point, Matrix2) {
        let (mut x, mut d) = (start, d_start);
        let along = |d: &Matrix2, h: f64, k: &Matrix2| -> Matrix2 {
            std::array::from_fn(|i| std::array::from_fn(|j| d[i][j] + h * k[i][j]))
        };
        for [first, middle] in &self.stages {
            let (k, dk) = first.eval_with_jacobian(x, x_t, &d);
            let mid = std::array::from_fn(|i| x[i] + 0.5 * self.h * k[i]);
            let (k, dk) = middle.eval_with_jacobian(mid, x_t, &along(&d, 0.5 * self.h, &dk));
            x = std::array::from_fn(|i| x[i] + self.h * k[i]);
            d = along(&d, self.h, &dk);
        }
        (x, d)
    }
}

/// The identity.
pub(super) const IDENTITY: Matrix2 = [[1.0, 0.0], [0.0, 1.0]];

/// The deterministic flow map `X_{s,u}` of the marginal flow, exact or learned (a Meta Flow Map at `t_cond = 0`).
pub(super) enum MapAt<'a> {
    Exact(ExactFlow),
    Learned(&'a GuidedMlp, [f32; 2]),
}

impl<'a> MapAt<'a> {
    pub fn new(
        world: &Mixture,
        model: Option<&'a GuidedMlp>,
        (from, to): (f64, f64),
        steps: u32,
    ) -> Self {
        match model {
            Some(net) => Self::Learned(net, [from as f32, to as f32]),
            None => Self::Exact(ExactFlow::deterministic(world, from, to, steps)),
        }
    }

    /// `take(i, X(x[i]))`.
    pub fn eval(&self, x: &[Point], counters: &mut Counters, mut take: impl FnMut(usize, Point)) {
        match self {
            Self::Exact(flow) => {
                counters.network_forward += x.len() as u64 * flow.evaluations();
                for (i, x) in x.iter().enumerate() {
                    take(i, flow.run(*x, [0.0; 2]));
                }
            }
            Self::Learned(net, [s, u]) => {
                counters.network_forward += x.len() as u64;
                let mut rows: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                net.flow_map(Rows::unconditional(*s, *u), &mut rows);
                for (i, x) in rows.into_iter().enumerate() {
                    take(i, to_f64(x));
                }
            }
        }
    }

    /// `take(i, X, c' dX/dx)` with `c = cotangent(i, X)`.
    pub fn pullback(
        &self,
        x: &[Point],
        counters: &mut Counters,
        cotangent: &dyn Fn(usize, Point) -> Point,
        mut take: impl FnMut(usize, Point, Point),
    ) {
        match self {
            Self::Exact(flow) => {
                counters.network_forward += x.len() as u64 * flow.evaluations();
                counters.network_backward += x.len() as u64 * flow.evaluations();
                for (i, x) in x.iter().enumerate() {
                    let (end, d) = flow.run_with_jacobian(*x, [0.0; 2], IDENTITY);
                    take(i, end, transposed(&d, cotangent(i, end)));
                }
            }
            Self::Learned(net, [s, u]) => {
                counters.network_forward += x.len() as u64;
                counters.network_backward += x.len() as u64;
                let h = f64::from(u - s);
                let rows: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                let end = |i: usize, v: [f32; 2]| -> Point {
                    std::array::from_fn(|d| x[i][d] + h * f64::from(v[d]))
                };
                net.velocity_with_pullback(
                    Rows::unconditional(*s, *u),
                    &rows,
                    &|i, v| to_f32(cotangent(i, end(i, v))),
                    |i, v, [by_x, _]| {
                        let end = end(i, v);
                        let c = cotangent(i, end);
                        take(
                            i,
                            end,
                            std::array::from_fn(|d| c[d] + h * f64::from(by_x[d])),
                        );
                    },
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;

    #[test]
    fn sensitivities_are_the_slopes_of_the_flows() {
        let world = Preset::Ring8.mixture();
        let (eps, x, h) = ([0.4, -1.1], [0.6, 0.3], 1e-5);
        let glass = ExactFlow::glass(&world, 0.35, 16);
        let map = ExactFlow::deterministic(&world, 0.35, 1.0, 16);
        let (_, by_cond) = glass.run_with_jacobian(eps, x, [[0.0; 2]; 2]);
        let (_, by_start) = map.run_with_jacobian(x, [0.0; 2], IDENTITY);
        for j in 0..2 {
            let moved = |by: f64| {
                let mut y = x;
                y[j] += by;
                (glass.run(eps, y), map.run(y, [0.0; 2]))
            };
            let (up, down) = (moved(h), moved(-h));
            for i in 0..2 {
                // Second-order differences: h^2 times the third derivative.
                let slope = (up.0[i] - down.0[i]) / (2.0 * h);
                let apart = (by_cond[i][j] - slope).abs();
                assert!(apart < 1e-5 * (1.0 + slope.abs()), "{apart}, {slope}");
                let slope = (up.1[i] - down.1[i]) / (2.0 * h);
                let apart = (by_start[i][j] - slope).abs();
                assert!(apart < 1e-5 * (1.0 + slope.abs()), "{apart}, {slope}");
            }
        }
    }
}
