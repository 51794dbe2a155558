//! Draws from the posterior of many states at one time, and gradients of their rewards by the state.

use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::{
    GlassCoefficients, Mixture, Point, PosteriorAt, PosteriorScratch, glass_coefficients,
};
use crate::model::{GuidedMlp, Rows};
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::Reward;

use super::flow::{BaseAt, ExactFlow, to_f32, to_f64, transposed};
use super::run::SteerError;

/// A source of draws, prepared for one time.
pub(super) struct DrawsAt<'a> {
    kind: Kind<'a>,
    t: f64,
    seed: u64,
    /// Step of the run; part of every draw's address.
    step: u32,
}

enum Kind<'a> {
    /// The closed form: draws, no gradient.
    Exact(PosteriorAt),
    /// The GLASS ODE of the exact velocity: draws and gradients.
    Glass(ExactFlow),
    /// The same of a learned velocity: draws and gradients.
    LearnedGlass(&'a GuidedMlp, Vec<GlassCoefficients>),
    /// A Meta Flow Map, composed this many times: draws and gradients.
    Map(&'a GuidedMlp, u32),
    /// Ancestral steps of the memoryless SDE.
    Sde(Vec<(Ancestral, BaseAt<'a>)>),
}

/// `x' = keep x + pull D + spread eps`: the exact transition of the memoryless process given `x_1 = D` (methods.md 5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ancestral {
    pub keep: f64,
    pub pull: f64,
    pub spread: f64,
}

impl Ancestral {
    pub fn new(now: f64, next: f64) -> Self {
        let rho = now * (1.0 - next) / ((1.0 - now) * next);
        let keep = rho * (1.0 - next) / (1.0 - now);
        Self {
            keep,
            pull: next - keep * now,
            spread: (1.0 - next) * (1.0 - rho * rho).max(0.0).sqrt(),
        }
    }

    pub fn step(&self, x: Point, x_1: Point, noise: Point) -> Point {
        std::array::from_fn(|i| self.keep * x[i] + self.pull * x_1[i] + self.spread * noise[i])
    }
}

impl<'a> DrawsAt<'a> {
    pub fn new(
        source: Source,
        world: &Mixture,
        model: Option<&'a GuidedMlp>,
        t: f64,
        (seed, step): (u64, u32),
    ) -> Result<Self, SteerError> {
        let network = || {
            let model = model.ok_or(SteerError::NoModel(source))?;
            if model.is_map() {
                Ok(model)
            } else {
                Err(SteerError::VelocityOnly(source))
            }
        };
        let kind = match source {
            Source::Exact => Kind::Exact(world.posterior_at(t)),
            Source::OneStep => Kind::Map(network()?, 1),
            Source::KStep(k) => Kind::Map(network()?, k),
            Source::Glass(steps) => match model {
                None => Kind::Glass(ExactFlow::glass(world, t, steps)),
                Some(net) => {
                    let half = |i: u32| f64::from(i) / f64::from(2 * steps);
                    let all = (0..2 * steps).map(|i| glass_coefficients(half(i), t));
                    Kind::LearnedGlass(net, all.collect())
                }
            },
            Source::Sde(steps) => {
                // Finer near noise, where the process moves fastest.
                let power = 1.0 + (1.0 - t) * (1.0 - t);
                let time = |i: u32| {
                    let share = f64::from(i) / f64::from(steps);
                    t + (1.0 - t) * share.powf(power)
                };
                let all = (0..steps).map(|i| {
                    let next = if i + 1 == steps { 1.0 } else { time(i + 1) };
                    (
                        Ancestral::new(time(i), next),
                        BaseAt::new(world, model, time(i)),
                    )
                });
                Kind::Sde(all.collect())
            }
        };
        Ok(Self {
            kind,
            t,
            seed,
            step,
        })
    }

    fn address(&self, purpose: Purpose, particle: u32) -> Address {
        Address::new(self.seed, purpose, particle).at_step(self.step)
    }

    /// Base noise of the draws: item `i` of particle `ids[p]` stays the same however many are drawn.
    fn noise(&self, ids: &[u32], n: usize, out: &mut [[f32; 2]]) {
        for (id, out) in ids.iter().zip(out.chunks_exact_mut(n)) {
            normal_pairs(self.address(Purpose::PosteriorDraw, *id), 0, out);
        }
    }

    /// `out[p n + i]` = draw `i` from `p(x_1 | x_t = x[p])`, shape `[P n, 2]`.
    pub fn draw(
        &self,
        ids: &[u32],
        x: &[Point],
        n: usize,
        out: &mut [[f32; 2]],
        counters: &mut Counters,
    ) {
        match &self.kind {
            Kind::Exact(posterior) => {
                counters.network_forward += out.len() as u64;
                let mut scratch = PosteriorScratch::default();
                for ((id, x), out) in ids.iter().zip(x).zip(out.chunks_exact_mut(n)) {
                    let address = self.address(Purpose::PosteriorDraw, *id);
                    posterior.sample_into(*x, address, 0, &mut scratch, out);
                }
            }
            Kind::Glass(flow) => {
                counters.network_forward += out.len() as u64 * flow.evaluations();
                self.noise(ids, n, out);
                for (x, out) in x.iter().zip(out.chunks_exact_mut(n)) {
                    for out in out {
                        *out = to_f32(flow.run(to_f64(*out), *x));
                    }
                }
            }
            Kind::LearnedGlass(net, stages) => {
                counters.network_forward += (out.len() * stages.len()) as u64;
                self.noise(ids, n, out);
                learned_glass(net, stages, x, n, out);
            }
            Kind::Map(net, k) => {
                counters.network_forward += out.len() as u64 * u64::from(*k);
                self.noise(ids, n, out);
                let x_t: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                for step in 0..*k {
                    net.flow_map(self.jump(&x_t, n, step, *k), out);
                }
            }
            Kind::Sde(steps) => self.roll_out(steps, ids, x, n, out, counters),
        }
    }

    fn jump<'x>(&self, x_t: &'x [[f32; 2]], n: usize, step: u32, k: u32) -> Rows<'x> {
        let at = |step: u32| (f64::from(step) / f64::from(k)) as f32;
        Rows {
            s: at(step),
            u: at(step + 1),
            t: self.t as f32,
            x_t,
            group: n,
        }
    }

    fn roll_out(
        &self,
        steps: &[(Ancestral, BaseAt<'_>)],
        ids: &[u32],
        x: &[Point],
        n: usize,
        out: &mut [[f32; 2]],
        counters: &mut Counters,
    ) {
        // One row of noise a draw: draw i's steps are items i S .. i S + S.
        let mut noise = vec![[0.0; 2]; out.len() * steps.len()];
        for (id, noise) in ids.iter().zip(noise.chunks_exact_mut(n * steps.len())) {
            normal_pairs(self.address(Purpose::RolloutStep, *id), 0, noise);
        }
        let mut state: Vec<Point> = x.iter().flat_map(|x| std::iter::repeat_n(*x, n)).collect();
        let mut now = self.t;
        for (k, (step, base)) in steps.iter().enumerate() {
            let mut moved = state.clone();
            base.eval(&state, counters, |i, b| {
                let x = state[i];
                let mean = std::array::from_fn(|d| x[d] + (1.0 - now) * b[d]);
                moved[i] = step.step(x, mean, to_f64(noise[i * steps.len() + k]));
            });
            state = moved;
            // The next step's time, recovered from this one's share of the data: keep t + pull = t'.
            now = step.keep * now + step.pull;
        }
        for (out, x) in out.iter_mut().zip(state) {
            *out = to_f32(x);
        }
    }

    /// Draws, and for each draw `i` of each state `take(p n + i, x_1, r(x_1), d r(x_1) / d x_t)`.
    pub fn draw_with_gradient(
        &self,
        ids: &[u32],
        x: &[Point],
        n: usize,
        reward: &Reward,
        counters: &mut Counters,
        mut take: impl FnMut(usize, Point, f64, Point),
    ) -> Result<(), SteerError> {
        let rows = x.len() * n;
        counters.reward += rows as u64;
        counters.reward_gradient += rows as u64;
        let mut noise = vec![[0.0; 2]; rows];
        self.noise(ids, n, &mut noise);
        match &self.kind {
            Kind::Glass(flow) => {
                counters.network_forward += rows as u64 * flow.evaluations();
                counters.network_backward += rows as u64 * flow.evaluations();
                for (row, eps) in noise.into_iter().enumerate() {
                    let x_t = x[row / n];
                    let (end, d) = flow.run_with_jacobian(to_f64(eps), x_t, [[0.0; 2]; 2]);
                    let (score, gradient) = reward.score_and_gradient(end);
                    take(row, end, score, transposed(&d, gradient));
                }
                Ok(())
            }
            Kind::LearnedGlass(net, stages) => {
                let evaluations = (rows * stages.len()) as u64;
                counters.network_forward += evaluations;
                counters.network_backward += evaluations;
                let glass = LearnedGlass::new(net, stages, x, n);
                let (ends, gradients) = glass.with_gradient(stages, noise, reward);
                for (row, (end, gradient)) in ends.into_iter().zip(gradients).enumerate() {
                    let end = to_f64(end);
                    take(row, end, reward.score(end), gradient);
                }
                Ok(())
            }
            Kind::Map(net, k) => {
                counters.network_forward += rows as u64 * u64::from(*k);
                counters.network_backward += rows as u64 * u64::from(*k);
                let x_t: Vec<[f32; 2]> = x.iter().map(|x| to_f32(*x)).collect();
                let mut states = vec![noise];
                for step in 0..k - 1 {
                    let mut next = states[step as usize].clone();
                    net.flow_map(self.jump(&x_t, n, step, *k), &mut next);
                    states.push(next);
                }
                // Backward through the jumps: (c, gradient by x_t so far).
                let mut carried = vec![([0.0_f32; 2], [0.0_f64; 2]); rows];
                let mut ends = vec![([0.0; 2], 0.0); rows];
                for step in (0..*k).rev() {
                    let jump = self.jump(&x_t, n, step, *k);
                    let h = jump.u - jump.s;
                    let from = &states[step as usize];
                    let is_last = step + 1 == *k;
                    let end = |i: usize, v: [f32; 2]| -> Point {
                        std::array::from_fn(|d| f64::from(from[i][d]) + f64::from(h * v[d]))
                    };
                    let incoming = carried.clone();
                    let cotangent = |i: usize, v: [f32; 2]| {
                        if is_last {
                            to_f32(reward.gradient(end(i, v)))
                        } else {
                            incoming[i].0
                        }
                    };
                    net.velocity_with_pullback(jump, from, &cotangent, |i, v, [by_x, by_x_t]| {
                        let c = cotangent(i, v);
                        if is_last {
                            let end = end(i, v);
                            ends[i] = (end, reward.score(end));
                        }
                        let (carry, total) = &mut carried[i];
                        for d in 0..2 {
                            carry[d] = c[d] + h * by_x[d];
                            total[d] += f64::from(h * by_x_t[d]);
                        }
                    });
                }
                for (row, ((end, score), (_, gradient))) in
                    ends.into_iter().zip(carried).enumerate()
                {
                    take(row, end, score, gradient);
                }
                Ok(())
            }
            _ => Err(SteerError::NoGradient),
        }
    }
}

/// Midpoint steps of the GLASS ODE with a learned velocity; stages come in pairs, first and middle.
fn learned_glass(
    net: &GuidedMlp,
    stages: &[GlassCoefficients],
    x: &[Point],
    n: usize,
    inner: &mut [[f32; 2]],
) {
    let glass = LearnedGlass::new(net, stages, x, n);
    for [first, middle] in stages.as_chunks::<2>().0 {
        let half_way = glass.stage(first, inner, inner, 0.5 * glass.h);
        let end = glass.stage(middle, &half_way, inner, glass.h);
        inner.copy_from_slice(&end);
    }
}

/// The GLASS ODE of a network under the states of a call, stage by stage.
struct LearnedGlass<'a> {
    net: &'a GuidedMlp,
    /// One step of the inner time.
    h: f32,
    x_t: Vec<[f32; 2]>,
    /// Draws per state.
    n: usize,
}

impl<'a> LearnedGlass<'a> {
    fn new(net: &'a GuidedMlp, stages: &[GlassCoefficients], x: &[Point], n: usize) -> Self {
        Self {
            net,
            h: 2.0 / stages.len() as f32,
            x_t: x.iter().map(|x| to_f32(*x)).collect(),
            n,
        }
    }

    fn x_star(&self, c: &GlassCoefficients, at: &[[f32; 2]]) -> Vec<[f32; 2]> {
        at.iter()
            .enumerate()
            .map(|(i, inner)| c.x_star_f32(*inner, self.x_t[i / self.n]))
            .collect()
    }

    /// `from + h u(at)`.
    fn stage(
        &self,
        c: &GlassCoefficients,
        at: &[[f32; 2]],
        from: &[[f32; 2]],
        h: f32,
    ) -> Vec<[f32; 2]> {
        let mut b = self.x_star(c, at);
        self.net.velocity(Rows::marginal(c.t_star as f32), &mut b);
        for (i, b) in b.iter_mut().enumerate() {
            let u = c.velocity_f32(at[i], self.x_t[i / self.n], *b);
            *b = [from[i][0] + h * u[0], from[i][1] + h * u[1]];
        }
        b
    }

    /// `h c' du/d at` for cotangents `c`; what belongs to `x_t` is added to `by_x_t`.
    fn pulled(
        &self,
        c: &GlassCoefficients,
        at: &[[f32; 2]],
        cotangent: &[[f32; 2]],
        h: f32,
        by_x_t: &mut [Point],
    ) -> Vec<[f32; 2]> {
        let (u_b, u_inner, u_cond) = (c.u_b as f32, c.u_inner as f32, c.u_cond as f32);
        let (inner, cond) = (c.x_star_inner as f32, c.x_star_cond as f32);
        let mut out = vec![[0.0; 2]; at.len()];
        self.net.velocity_with_pullback(
            Rows::marginal(c.t_star as f32),
            &self.x_star(c, at),
            &|i, _| cotangent[i].map(|v| h * u_b * v),
            |i, _, [by_x_star, _]| {
                for d in 0..2 {
                    let v = h * cotangent[i][d];
                    out[i][d] = u_inner * v + inner * by_x_star[d];
                    by_x_t[i][d] += f64::from(u_cond * v + cond * by_x_star[d]);
                }
            },
        );
        out
    }

    /// Forward with every stage kept, then back: ends, and the gradients of their rewards by `x_t`.
    fn with_gradient(
        &self,
        stages: &[GlassCoefficients],
        noise: Vec<[f32; 2]>,
        reward: &Reward,
    ) -> (Vec<[f32; 2]>, Vec<Point>) {
        let pairs = stages.as_chunks::<2>().0;
        let mut path = Vec::with_capacity(pairs.len());
        let mut now = noise;
        for [first, middle] in pairs {
            let half_way = self.stage(first, &now, &now, 0.5 * self.h);
            let next = self.stage(middle, &half_way, &now, self.h);
            path.push((std::mem::replace(&mut now, next), half_way));
        }
        let mut by_x_t = vec![[0.0; 2]; now.len()];
        let gradient = |end: &[f32; 2]| to_f32(reward.gradient(to_f64(*end)));
        let mut cotangent: Vec<[f32; 2]> = now.iter().map(gradient).collect();
        for ([first, middle], (start, half_way)) in pairs.iter().zip(&path).rev() {
            let by_half = self.pulled(middle, half_way, &cotangent, self.h, &mut by_x_t);
            let by_start = self.pulled(first, start, &by_half, 0.5 * self.h, &mut by_x_t);
            for (c, (a, b)) in cotangent.iter_mut().zip(by_half.iter().zip(&by_start)) {
                *c = std::array::from_fn(|d| c[d] + a[d] + b[d]);
            }
        }
        (now, by_x_t)
    }
}
