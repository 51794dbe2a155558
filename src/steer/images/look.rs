//! One look ahead from many pictures at one time: the value's gradient, the value, or the best future (methods.md 5).

use crate::lookahead::images::{Asked, class_picks, image_noise, numbers};
use crate::metrics::Counters;
use crate::process::{Address, Purpose};
use crate::steer::SteerError;
use crate::steer::registry::{Estimator, Lookahead};

use super::plan::ImagePlan;
use super::run::{ImageScene, Progress};
use super::weighed::{Judged, add_by_state, weigh};

/// Numbers of draws that are in memory at once.
const NUMBERS_AT_ONCE: usize = 1 << 22;

/// What looking ahead gave; what was not asked for is empty.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    /// `b_t(x)`, `[P][C H W]`.
    pub velocity: Vec<f32>,
    /// What each state looks like becoming, `[P][C H W]`.
    pub mean: Vec<f32>,
    /// Estimate of `grad V_t(x)`, `[P][C H W]`.
    pub gradient: Vec<f32>,
    /// Estimate of `V_t(x)`, `[P]`.
    pub values: Vec<f64>,
    /// What was asked for.
    pub counters: Counters,
}

/// A look, prepared for one time.
pub(super) struct Look<'a> {
    pub plan: &'a ImagePlan,
    pub scene: ImageScene<'a>,
    /// The class as the map counts them.
    pub label: u32,
    pub t: f64,
    /// Names the noise of the draws.
    pub step: u32,
}

impl Look<'_> {
    /// Looks ahead from particles `ids` at `x`, `[ids][C H W]`.
    pub fn estimate(
        &self,
        ids: &[u32],
        x: &[f32],
        progress: &mut Progress<'_>,
    ) -> Result<Estimates, SteerError> {
        let mut out = Estimates {
            values: vec![f64::NAN; ids.len()],
            ..Estimates::default()
        };
        let estimator = self.plan.estimator_at(self.t);
        progress.expect(self.rows(estimator, ids.len()));
        if estimator == Estimator::Best {
            self.best(ids, x, &mut out, progress)?;
            return Ok(out);
        }
        self.velocity(x, &mut out, progress)?;
        match (self.plan.method.card().lookahead, estimator) {
            (Lookahead::Posterior, Estimator::Gradient) => {
                self.through_draws(ids, x, &mut out, progress)?;
            }
            (Lookahead::Posterior, _) => self.weighted(ids, x, &mut out, progress)?,
            (Lookahead::Tweedie | Lookahead::Gaussian, _) => {
                self.through_mean(ids, x, &mut out, progress)?;
            }
            _ => self.observe(&mut out),
        }
        Ok(out)
    }

    /// Network rows of one look, and one for each gradient of the reward, which may go through a decoder: how far it is,
    /// is told by them.
    fn rows(&self, estimator: Estimator, particles: usize) -> usize {
        let n = self.plan.draws as usize;
        let each = match (self.plan.method.card().lookahead, estimator) {
            (Lookahead::Posterior, Estimator::Gradient) => 1 + 4 * n,
            (Lookahead::Posterior, Estimator::Best) => n,
            (Lookahead::Posterior, _) => 1 + n,
            (Lookahead::Gaussian, _) => 4 + n,
            (Lookahead::Tweedie, _) => 5,
            _ => 1,
        };
        each * particles
    }

    pub(super) fn numbers(&self) -> usize {
        numbers(self.scene.map)
    }

    /// Rows that are told nothing of a state: the marginal flow of the class.
    fn marginal(&self, rows: usize) -> Asked<'_> {
        let guidance = self.plan.class.map_or(1.0, |_| self.plan.class_guidance);
        Asked::marginal(self.scene.map, vec![self.label; rows], guidance)
    }

    /// `b_t` and `D_t = x + (1 - t) b_t`.
    fn velocity(
        &self,
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let numbers = self.numbers();
        let at_once = self.scene.map.rows_at_once() * numbers;
        out.velocity = vec![0.0; x.len()];
        for (x, v) in x.chunks(at_once).zip(out.velocity.chunks_mut(at_once)) {
            progress.look()?;
            let rows = x.len() / numbers;
            let asked = self.marginal(rows);
            asked.velocity((self.t, self.t), x, v, &mut out.counters);
            progress.did(rows);
        }
        let left = 1.0 - self.t;
        let mean = |(x, b): (&f32, &f32)| (f64::from(*x) + left * f64::from(*b)) as f32;
        out.mean = x.iter().zip(&out.velocity).map(mean).collect();
        Ok(())
    }

    /// Unsteered: the reward of the mean is told to whoever looks on, and nobody is charged for it.
    fn observe(&self, out: &mut Estimates) {
        let mut scores = vec![0.0; out.values.len()];
        self.scene.reward.score(&out.mean, &mut scores);
        out.values = scores.into_iter().map(f64::from).collect();
    }

    /// DPS and LGD: the gradient of the reward at the mean, or of the log-mean-exp over a Gaussian cloud around it of
    /// variance `(1-t)^2 / (t^2 + (1-t)^2)`, through the mean.
    fn through_mean(
        &self,
        ids: &[u32],
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let (numbers, left) = (self.numbers(), 1.0 - self.t);
        let is_cloud = self.plan.method.card().lookahead == Lookahead::Gaussian;
        let n = if is_cloud {
            self.plan.draws as usize
        } else {
            1
        };
        let spread = left / self.t.hypot(left);
        out.gradient = vec![0.0; x.len()];
        let group = (NUMBERS_AT_ONCE / (n * numbers)).clamp(1, self.scene.map.rows_at_once());
        for (g, ids) in ids.chunks(group).enumerate() {
            let span = g * group * numbers..(g * group + ids.len()) * numbers;
            progress.look()?;
            let mut points = vec![0.0; ids.len() * n * numbers];
            let means = out.mean[span.clone()].chunks_exact(numbers);
            for ((id, mean), points) in ids
                .iter()
                .zip(means)
                .zip(points.chunks_exact_mut(n * numbers))
            {
                if is_cloud {
                    image_noise(self.noise(*id), 0, numbers, points);
                }
                for point in points.chunks_exact_mut(numbers) {
                    for (point, mean) in point.iter_mut().zip(mean) {
                        let cloud = if is_cloud {
                            spread * f64::from(*point)
                        } else {
                            0.0
                        };
                        *point = (f64::from(*mean) + cloud) as f32;
                    }
                }
            }
            let judged = self.weighted_gradients(&points, n, &mut out.counters, progress)?;
            let (values, c) = (judged.values, judged.cotangent);
            // Summed over the draws: the cotangent of the mean.
            let mut cotangent = vec![0.0_f32; ids.len() * numbers];
            add_by_state(&c, (0, n), numbers, &mut cotangent);
            out.values[g * group..g * group + ids.len()].copy_from_slice(&values);
            progress.look()?;
            let gradient = &mut out.gradient[span.clone()];
            let mut unused = vec![0.0; gradient.len()];
            self.marginal(ids.len()).pullback(
                (self.t, self.t),
                (&x[span], &cotangent),
                (gradient, &mut unused),
                &mut out.counters,
            );
            progress.did(3 * ids.len());
            for (gradient, c) in gradient.iter_mut().zip(&cotangent) {
                *gradient = (f64::from(*c) + left * f64::from(*gradient)) as f32;
            }
        }
        Ok(())
    }

    /// Judges `n` points each of some states.
    pub(super) fn weighted_gradients(
        &self,
        points: &[f32],
        n: usize,
        counters: &mut Counters,
        progress: &mut Progress<'_>,
    ) -> Result<Judged, SteerError> {
        let numbers = self.numbers();
        let rows = points.len() / numbers;
        let (mut scores, mut gradients) = (vec![0.0; rows], vec![0.0; points.len()]);
        // Not fewer than can be judged side by side.
        let at_once = self.scene.map.rows_at_once();
        let at_once = at_once.max(rayon::current_num_threads());
        let parts = points
            .chunks(at_once * numbers)
            .zip(scores.chunks_mut(at_once))
            .zip(gradients.chunks_mut(at_once * numbers));
        for ((points, scores), gradients) in parts {
            progress.look()?;
            self.scene.reward.gradient(points, scores, gradients);
            progress.did(scores.len());
        }
        counters.reward += rows as u64;
        counters.reward_gradient += rows as u64;
        let mut values = Vec::with_capacity(rows / n);
        let mut excess = Vec::with_capacity(rows);
        let even = 1.0 / n as f64;
        for (scores, gradients) in scores
            .chunks_exact(n)
            .zip(gradients.chunks_exact_mut(n * numbers))
        {
            let (value, weights) = weigh(scores);
            values.push(value);
            let is_finite = value > f64::NEG_INFINITY;
            for (weight, gradient) in weights.iter().zip(gradients.chunks_exact_mut(numbers)) {
                excess.push(if is_finite { weight - even } else { 0.0 });
                for g in gradient {
                    *g = if is_finite {
                        (weight * f64::from(*g)) as f32
                    } else {
                        0.0
                    };
                }
            }
        }
        Ok(Judged {
            values,
            excess,
            cotangent: gradients,
        })
    }

    pub(super) fn noise(&self, particle: u32) -> Address {
        Address::new(self.plan.seed, Purpose::PosteriorDraw, particle).at_step(self.step)
    }

    /// Hands over groups of particles that fit into memory: `(first, their draws and the noise that they began as)`.
    fn draws(
        &self,
        ids: &[u32],
        x: &[f32],
        counters: &mut Counters,
        progress: &mut Progress<'_>,
        mut take: impl FnMut(Group<'_>, &mut Counters, &mut Progress<'_>) -> Result<(), SteerError>,
    ) -> Result<(), SteerError> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let at_once = self.scene.map.rows_at_once();
        let group = (NUMBERS_AT_ONCE / (n * numbers)).max(1);
        for (g, ids) in ids.chunks(group).enumerate() {
            let first = g * group;
            let states = &x[first * numbers..(first + ids.len()) * numbers];
            let mut noise = vec![0.0; ids.len() * n * numbers];
            for (id, noise) in ids.iter().zip(noise.chunks_exact_mut(n * numbers)) {
                image_noise(self.noise(*id), 0, numbers, noise);
            }
            let mut futures = noise.clone();
            for (c, chunk) in futures.chunks_mut(at_once * numbers).enumerate() {
                progress.look()?;
                let rows = chunk.len() / numbers;
                let told = self.told((ids, states), (c * at_once, rows));
                told.flow(1, chunk, counters, &mut |_| true)?;
                progress.did(rows);
            }
            let group = Group {
                first,
                ids,
                states,
                noise,
                futures,
            };
            take(group, counters, progress)?;
        }
        Ok(())
    }

    /// Draws `from..from + rows` of these particles' states, as the map is told them.
    pub(super) fn told(
        &self,
        (ids, states): (&[u32], &[f32]),
        (from, rows): (usize, usize),
    ) -> Asked<'_> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let mut x_t = Vec::with_capacity(rows * numbers);
        for row in from..from + rows {
            x_t.extend_from_slice(&states[row / n * numbers..(row / n + 1) * numbers]);
        }
        let picks = |u: &mut [f32]| {
            for (u, row) in u.chunks_mut(1).zip(from..) {
                class_picks(self.noise(ids[row / n]), row % n, u);
            }
        };
        self.marginal(rows).given(self.t, &x_t, picks)
    }

    /// MFM-G: `grad V = sum_i w_i grad_x r(X_{0,1}(eps_i; t, x))`, through the map and the reward; where draws begin with
    /// classes, `sum_i (w_i - 1/N) grad_x log p(c_i | x)` comes to it.
    fn through_draws(
        &self,
        ids: &[u32],
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let at_once = self.scene.map.rows_at_once();
        if self.scene.map.keeps_draws() && n <= at_once {
            return self.through_kept_draws(ids, x, out, progress);
        }
        let mut gradient = vec![0.0_f32; x.len()];
        let values = &mut out.values;
        self.draws(
            ids,
            x,
            &mut out.counters,
            progress,
            |group, counters, progress| {
                let judged = self.weighted_gradients(&group.futures, n, counters, progress)?;
                values[group.first..group.first + group.ids.len()].copy_from_slice(&judged.values);
                let pieces = judged.cotangent.chunks(at_once * numbers);
                let pieces = pieces.zip(group.noise.chunks(at_once * numbers));
                for (c, (cotangent, noise)) in pieces.enumerate() {
                    progress.look()?;
                    let rows = noise.len() / numbers;
                    let told = self.told((group.ids, group.states), (c * at_once, rows));
                    let (mut unused, mut by_state) =
                        (vec![0.0; noise.len()], vec![0.0; noise.len()]);
                    told.pullback(
                        (0.0, 1.0),
                        (noise, cotangent),
                        (&mut unused, &mut by_state),
                        counters,
                    );
                    progress.did(2 * rows);
                    let first = c * at_once;
                    told.pull_classes(&judged.excess[first..first + rows], &mut by_state);
                    let to = &mut gradient[group.first * numbers..];
                    add_by_state(&by_state, (first, n), numbers, to);
                }
                Ok(())
            },
        )?;
        out.gradient = gradient;
        Ok(())
    }

    /// MFM-GF: `grad V = t / (1-t)^2 (weighted mean - mean)` of the draws; without the control variate the mean is the
    /// denoiser.
    fn weighted(
        &self,
        ids: &[u32],
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let scale = self.t / ((1.0 - self.t) * (1.0 - self.t));
        let mut gradient = vec![0.0_f32; x.len()];
        let Estimates {
            mean,
            values,
            counters,
            ..
        } = out;
        self.draws(ids, x, counters, progress, |group, counters, _| {
            let scores = self.scores(&group.futures, counters);
            let futures = group.futures.chunks_exact(n * numbers);
            for (p, (scores, futures)) in scores.chunks_exact(n).zip(futures).enumerate() {
                let particle = group.first + p;
                let (value, weights) = weigh(scores);
                values[particle] = value;
                if value == f64::NEG_INFINITY || (n == 1 && self.plan.control_variate) {
                    continue;
                }
                let span = particle * numbers..(particle + 1) * numbers;
                let (to, expected) = (&mut gradient[span.clone()], &mean[span]);
                let even = 1.0 / n as f64;
                for (i, (to, expected)) in to.iter_mut().zip(expected).enumerate() {
                    let (mut tilted, mut plain) = (0.0, 0.0);
                    for (weight, future) in weights.iter().zip(futures.chunks_exact(numbers)) {
                        tilted += weight * f64::from(future[i]);
                        plain += even * f64::from(future[i]);
                    }
                    let from = if self.plan.control_variate {
                        plain
                    } else {
                        f64::from(*expected)
                    };
                    *to = (scale * (tilted - from)) as f32;
                }
            }
            Ok(())
        })?;
        out.gradient = gradient;
        Ok(())
    }

    /// The search: the best of each state's futures, in place of the mean.
    fn best(
        &self,
        ids: &[u32],
        x: &[f32],
        out: &mut Estimates,
        progress: &mut Progress<'_>,
    ) -> Result<(), SteerError> {
        let (numbers, n) = (self.numbers(), self.plan.draws as usize);
        let (mut picks, mut values) = (vec![0.0_f32; x.len()], vec![0.0; ids.len()]);
        self.draws(ids, x, &mut out.counters, progress, |group, counters, _| {
            let scores = self.scores(&group.futures, counters);
            let futures = group.futures.chunks_exact(n * numbers);
            for (p, (scores, futures)) in scores.chunks_exact(n).zip(futures).enumerate() {
                let particle = group.first + p;
                // The first is kept where no future has a reward at all.
                let better = |best: usize, i: usize| {
                    if scores[i] > scores[best] || scores[best].is_nan() {
                        i
                    } else {
                        best
                    }
                };
                let best = (0..n).fold(0, better);
                values[particle] = f64::from(scores[best]);
                picks[particle * numbers..(particle + 1) * numbers]
                    .copy_from_slice(&futures[best * numbers..(best + 1) * numbers]);
            }
            Ok(())
        })?;
        (out.mean, out.values) = (picks, values);
        Ok(())
    }

    fn scores(&self, pictures: &[f32], counters: &mut Counters) -> Vec<f32> {
        let mut scores = vec![0.0; pictures.len() / self.numbers()];
        self.scene.reward.score(pictures, &mut scores);
        counters.reward += scores.len() as u64;
        scores
    }
}

/// The draws of some particles.
struct Group<'a> {
    /// Number of the first among those looked at.
    first: usize,
    ids: &'a [u32],
    /// `[particles][C H W]`.
    states: &'a [f32],
    /// `[particles][N][C H W]`.
    noise: Vec<f32>,
    /// `[particles][N][C H W]`.
    futures: Vec<f32>,
}
