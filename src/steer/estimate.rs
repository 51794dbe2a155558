//! One look ahead from many states at one time: the value's gradient, the value, or the best future.

use rayon::prelude::*;

use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::Point;
use crate::model::GuidedMlp;
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::{Reward, TargetAt, TiltedTarget};

use super::diamond::Diamond;
use super::draws::DrawsAt;
use super::flow::{BaseAt, MapAt, to_f64};
use super::log_mean::LogMean;
use super::plan::{ControlForm, SteerPlan};
use super::registry::{Estimator, Lookahead, Scheme};
use super::run::{Progress, SteerError, SteerScene};

/// States that one thread takes at a time: a tile of the network's kernel or more.
const CHUNK: usize = 64;
/// The same where a device takes the rows: it wants many at once.
const CHUNK_FOR_DEVICE: usize = 1024;
/// Draws between two looks at whether the run is still wanted.
const ROWS_PER_LOOK: usize = 65_536;

/// What looking ahead from one state gave.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    /// `b_t(x)`, where asked.
    pub velocity: Point,
    /// Estimate of `grad V_t(x)`.
    pub gradient: Point,
    /// Estimate of `V_t(x)`, or the reward of the point looked at.
    pub value: f64,
    /// A future: the best draw, one draw, or the flow map's end.
    pub pick: Point,
}

/// A look, prepared for one time.
pub(super) struct Look<'a> {
    pub(super) plan: &'a SteerPlan,
    pub(super) t: f64,
    pub(super) step: u32,
    pub(super) lookahead: Lookahead,
    pub(super) estimator: Estimator,
    /// Damped where the plan says so.
    pub(super) reward: Reward,
    pub(super) base: BaseAt<'a>,
    pub(super) draws: Option<DrawsAt<'a>>,
    pub(super) target: Option<TargetAt<'a>>,
    pub(super) map: Option<MapAt<'a>>,
    pub(super) diamond: Option<Diamond<'a>>,
    chunk_states: usize,
}

/// Where posterior draws come from. A fine-tuned velocity has no map, and its posterior is not the world's: its own
/// GLASS ODE stands in for what is not named.
fn source_of(plan: &SteerPlan, scene: &SteerScene<'_>, differentiated: bool) -> Source {
    let is_map = scene.model.is_some_and(GuidedMlp::is_map);
    match plan.draws_source(is_map, differentiated) {
        Source::Exact if scene.model.is_some() && plan.source.is_none() => {
            Source::Glass(plan.rollout_steps)
        }
        source => source,
    }
}

impl<'a> Look<'a> {
    /// `step` names the noise. `target` is what [`exact_target`] gave for the run.
    pub fn new(
        plan: &'a SteerPlan,
        scene: &SteerScene<'a>,
        target: Option<&'a TiltedTarget>,
        t: f64,
        step: u32,
    ) -> Result<Self, SteerError> {
        let card = plan.method.card();
        let (lookahead, mut estimator) = (card.lookahead, card.estimator);
        if estimator == Estimator::Mix {
            estimator = if plan.is_gradient_free_at(t) {
                Estimator::GradientFree
            } else {
                Estimator::Gradient
            };
        }
        let is_draws = matches!(
            lookahead,
            Lookahead::Posterior | Lookahead::SdeRollout | Lookahead::GlassRollout
        );
        let differentiated = estimator == Estimator::Gradient;
        let draws = if is_draws {
            let source = source_of(plan, scene, differentiated);
            // Where the closed form was asked for and a map must be differentiated, the map is of the exact velocity.
            let model = scene
                .model
                .filter(|_| !differentiated || plan.source != Some(Source::Exact));
            Some(DrawsAt::new(
                source,
                scene.world,
                model,
                t,
                (plan.seed, step),
            )?)
        } else {
            None
        };
        if matches!(lookahead, Lookahead::FlowMap | Lookahead::Renoised)
            && scene.model.is_some_and(|model| !model.is_map())
        {
            return Err(SteerError::NoFlowMap);
        }
        let map_steps = 2 * plan.rollout_steps;
        let map_from = match lookahead {
            Lookahead::FlowMap => Some(t),
            Lookahead::Renoised => Some(Diamond::earlier_time(plan, t)),
            _ => None,
        };
        Ok(Self {
            plan,
            t,
            step,
            lookahead,
            estimator,
            reward: damped(scene.reward, plan.damping, t)?,
            base: BaseAt::new(scene.world, scene.model, t),
            draws,
            target: target.map(|target| target.at(t)),
            map: map_from.map(|from| MapAt::new(scene.world, scene.model, (from, 1.0), map_steps)),
            diamond: (lookahead == Lookahead::Renoised).then(|| Diamond::new(plan, scene, t)),
            chunk_states: if scene.model.is_some_and(GuidedMlp::has_device) {
                CHUNK_FOR_DEVICE
            } else {
                CHUNK
            },
        })
    }

    /// Looks ahead from every particle. `ids` name their noise.
    pub fn estimate(
        &self,
        ids: &[u32],
        x: &[Point],
        progress: &mut Progress<'_>,
    ) -> Result<(Vec<Estimate>, Counters), SteerError> {
        let mut out = vec![Estimate::default(); x.len()];
        let mut counters = Counters::default();
        let rows = self.draws_per_state().max(1);
        let chunk = self.chunk_states;
        let group = (ROWS_PER_LOOK / rows)
            .next_multiple_of(chunk)
            .max(2 * chunk);
        for (index, out) in out.chunks_mut(group).enumerate() {
            let from = index * group;
            progress.look(from as f32 / x.len() as f32)?;
            let parts: Vec<Result<Counters, SteerError>> = out
                .par_chunks_mut(chunk)
                .enumerate()
                .map(|(c, out)| {
                    let first = from + c * chunk;
                    let range = first..first + out.len();
                    self.chunk(&ids[range.clone()], &x[range], out)
                })
                .collect();
            for part in parts {
                counters += part?;
            }
        }
        Ok((out, counters))
    }

    /// Looks ahead from one particle alone.
    pub fn one(&self, id: u32, x: Point) -> Result<Estimate, SteerError> {
        let mut out = [Estimate::default()];
        self.chunk(&[id], &[x], &mut out)?;
        Ok(out[0])
    }

    /// The futures that particle `id` looks at from `x`: its draws, the cloud around the mean, or the one point that
    /// stands for all; empty for lookaheads that look at none.
    pub fn futures(&self, id: u32, x: Point) -> Vec<[f32; 2]> {
        let n = self.plan.draws as usize;
        let mut none = Counters::default();
        if let Some(draws) = &self.draws {
            let mut futures = vec![[0.0; 2]; n];
            draws.draw(&[id], &[x], n, &mut futures, &mut none);
            return futures;
        }
        let mut point = x;
        match (self.lookahead, &self.map) {
            (Lookahead::Tweedie | Lookahead::Gaussian, _) => {
                let left = 1.0 - self.t;
                self.base.eval(&[x], &mut none, |_, b| {
                    point = std::array::from_fn(|d| x[d] + left * b[d]);
                });
            }
            (Lookahead::FlowMap, Some(map)) => map.eval(&[x], &mut none, |_, end| point = end),
            _ => return Vec::new(),
        }
        if self.lookahead != Lookahead::Gaussian {
            return vec![point.map(|v| v as f32)];
        }
        let (noise, spread) = self.cloud(id);
        noise
            .into_iter()
            .map(|eps| std::array::from_fn(|d| (point[d] + spread * f64::from(eps[d])) as f32))
            .collect()
    }

    /// Noise and spread of LGD's cloud around the mean: variance `(1-t)^2 / (t^2 + (1-t)^2)`.
    fn cloud(&self, id: u32) -> (Vec<[f32; 2]>, f64) {
        let left = 1.0 - self.t;
        let mut noise = vec![[0.0; 2]; self.plan.draws as usize];
        let address = Address::new(self.plan.seed, Purpose::PosteriorDraw, id);
        normal_pairs(address.at_step(self.step), 0, &mut noise);
        (noise, left / self.t.hypot(left))
    }

    fn draws_per_state(&self) -> usize {
        match self.lookahead {
            Lookahead::Nothing
            | Lookahead::Tweedie
            | Lookahead::ClosedForm
            | Lookahead::FlowMap => 1,
            _ => self.plan.draws as usize,
        }
    }

    fn chunk(
        &self,
        ids: &[u32],
        x: &[Point],
        out: &mut [Estimate],
    ) -> Result<Counters, SteerError> {
        let mut counters = Counters::default();
        let counts = &mut counters;
        // Search and value SMC step through a future, flow-map control through the map.
        let wants_velocity = match self.estimator {
            Estimator::Best | Estimator::Value => self.draws.is_none(),
            _ => self.plan.method.card().scheme != Scheme::Control,
        };
        match self.lookahead {
            Lookahead::Tweedie => {
                self.tweedie(x, out, counts);
                return Ok(counters);
            }
            Lookahead::Gaussian => {
                self.gaussian(ids, x, out, counts);
                return Ok(counters);
            }
            Lookahead::Nothing => {}
            Lookahead::ClosedForm => {
                if let Some(target) = &self.target {
                    for (x, out) in x.iter().zip(&mut *out) {
                        (out.value, out.gradient) = target.value_and_gradient(*x);
                    }
                }
            }
            Lookahead::FlowMap => self.flow_map(x, out, counts),
            Lookahead::Renoised => self.renoised(ids, x, out, counts),
            Lookahead::Posterior | Lookahead::SdeRollout | Lookahead::GlassRollout => {
                self.posterior(ids, x, out, counts)?;
            }
        }
        if wants_velocity {
            self.base.eval(x, counts, |i, b| out[i].velocity = b);
        }
        if self.estimator == Estimator::GradientFree && !self.plan.control_variate {
            // The draws' weighted mean stands in the gradient's place until the velocity is there.
            for (x, out) in x.iter().zip(out) {
                let left = 1.0 - self.t;
                let mean = std::array::from_fn(|d| x[d] + left * out.velocity[d]);
                if out.value > f64::NEG_INFINITY {
                    out.gradient = self.gradient_of_means(out.gradient, mean);
                }
            }
        }
        Ok(counters)
    }

    /// `grad V = t / (1 - t)^2 (tilted mean - mean)`.
    fn gradient_of_means(&self, tilted: Point, mean: Point) -> Point {
        let scale = self.t / ((1.0 - self.t) * (1.0 - self.t));
        std::array::from_fn(|i| scale * (tilted[i] - mean[i]))
    }

    /// DPS: the reward at the posterior's mean `D = x + (1 - t) b`.
    fn tweedie(&self, x: &[Point], out: &mut [Estimate], counts: &mut Counters) {
        let left = 1.0 - self.t;
        let mean = |i: usize, b: Point| -> Point { std::array::from_fn(|d| x[i][d] + left * b[d]) };
        counts.reward += x.len() as u64;
        if self.estimator == Estimator::Value {
            self.base.eval(x, counts, |i, b| {
                out[i].velocity = b;
                out[i].value = self.reward.score(mean(i, b));
            });
            return;
        }
        counts.reward_gradient += x.len() as u64;
        let cotangent = |i: usize, b: Point| self.reward.gradient(mean(i, b));
        self.base.pullback(x, counts, &cotangent, |i, b, pulled| {
            let (value, c) = self.reward.score_and_gradient(mean(i, b));
            out[i].velocity = b;
            out[i].value = value;
            out[i].gradient = std::array::from_fn(|d| c[d] + left * pulled[d]);
        });
    }

    /// LGD: Gaussian draws around the mean; the gradient goes through the mean.
    fn gaussian(&self, ids: &[u32], x: &[Point], out: &mut [Estimate], counts: &mut Counters) {
        let (left, n) = (1.0 - self.t, self.plan.draws as usize);
        counts.reward += (x.len() * n) as u64;
        counts.reward_gradient += (x.len() * n) as u64;
        let weigh = |i: usize, b: Point| -> (f64, Point) {
            let (noise, spread) = self.cloud(ids[i]);
            let mut mean = LogMean::default();
            for eps in noise {
                let z = std::array::from_fn(|d| x[i][d] + left * b[d] + spread * f64::from(eps[d]));
                let (score, gradient) = self.reward.score_and_gradient(z);
                mean.add(score, gradient);
            }
            (mean.value(), mean.mean())
        };
        // The pullback asks once for each row and hands the rows over afterwards, in order.
        let weighed = std::sync::Mutex::new(vec![(0.0, [0.0; 2]); x.len()]);
        let cotangent = |i: usize, b: Point| {
            let (value, c) = weigh(i, b);
            // Only this thread holds the lock, and nothing in it can panic.
            if let Ok(mut all) = weighed.lock() {
                all[i] = (value, c);
            }
            c
        };
        self.base.pullback(x, counts, &cotangent, |i, b, pulled| {
            out[i].velocity = b;
            out[i].gradient = pulled;
        });
        let weighed = weighed.into_inner().unwrap_or_default();
        for (out, (value, c)) in out.iter_mut().zip(weighed) {
            out.value = value;
            out.gradient = std::array::from_fn(|d| c[d] + left * out.gradient[d]);
        }
    }

    fn flow_map(&self, x: &[Point], out: &mut [Estimate], counts: &mut Counters) {
        let Some(map) = &self.map else { return };
        counts.reward += x.len() as u64;
        counts.reward_gradient += x.len() as u64;
        if self.plan.control == ControlForm::Euclidean && self.estimator == Estimator::Gradient {
            // Without the Jacobian the network need not be differentiated.
            let scheme = self.plan.method.card().scheme;
            if scheme == Scheme::Control {
                map.eval(x, counts, |i, end| {
                    let (value, gradient) = self.reward.score_and_gradient(end);
                    out[i].value = value;
                    out[i].gradient = gradient;
                    out[i].pick = end;
                });
                return;
            }
        }
        let cotangent = |_: usize, end: Point| self.reward.gradient(end);
        map.pullback(x, counts, &cotangent, |i, end, pulled| {
            out[i].value = self.reward.score(end);
            out[i].gradient = pulled;
            out[i].pick = end;
        });
    }

    fn posterior(
        &self,
        ids: &[u32],
        x: &[Point],
        out: &mut [Estimate],
        counts: &mut Counters,
    ) -> Result<(), SteerError> {
        let Some(draws) = &self.draws else {
            return Ok(());
        };
        let n = self.plan.draws as usize;
        if self.estimator == Estimator::Gradient {
            let mut means = vec![LogMean::default(); x.len()];
            draws.draw_with_gradient(
                ids,
                x,
                n,
                &self.reward,
                counts,
                |row, _, score, gradient| {
                    means[row / n].add(score, gradient);
                },
            )?;
            for (out, mean) in out.iter_mut().zip(means) {
                out.value = mean.value();
                out.gradient = mean.mean();
            }
            return Ok(());
        }
        // A value's own future is one draw more, which its estimate does not see.
        let extra = usize::from(self.estimator == Estimator::Value);
        let mut futures = vec![[0.0; 2]; x.len() * (n + extra)];
        draws.draw(ids, x, n + extra, &mut futures, counts);
        counts.reward += (x.len() * n) as u64;
        for (out, futures) in out.iter_mut().zip(futures.chunks_exact(n + extra)) {
            let mut weighted = LogMean::default();
            let mut plain = [0.0; 2];
            let mut best = f64::NEG_INFINITY;
            // Kept where no future has a reward at all.
            out.pick = to_f64(futures[0]);
            for future in &futures[..n] {
                let future = to_f64(*future);
                let score = self.reward.score(future);
                weighted.add(score, future);
                plain = [plain[0] + future[0], plain[1] + future[1]];
                if score > best && self.estimator == Estimator::Best {
                    best = score;
                    out.pick = future;
                }
            }
            if extra == 1 {
                out.pick = to_f64(futures[n]);
            }
            out.value = if self.estimator == Estimator::Best {
                best
            } else {
                weighted.value()
            };
            if self.estimator == Estimator::GradientFree && !self.plan.control_variate {
                out.gradient = weighted.mean();
            } else if n > 1 && !weighted.is_empty() {
                let mean = plain.map(|v| v / n as f64);
                out.gradient = self.gradient_of_means(weighted.mean(), mean);
            }
        }
        Ok(())
    }
}

/// The target itself, for the method that follows it; made once for a run.
pub(super) fn exact_target(
    plan: &SteerPlan,
    scene: &SteerScene<'_>,
) -> Result<Option<TiltedTarget>, SteerError> {
    match plan.method.card().lookahead {
        Lookahead::ClosedForm => Ok(Some(TiltedTarget::new(scene.world, scene.reward)?)),
        _ => Ok(None),
    }
}

/// The reward at damped strength: `lambda_t = lambda / (1 + 2 lambda s^2 (1-t)^2 / ((1-t)^2 + t^2 s^2))`.
fn damped(reward: &Reward, damping: Option<f64>, t: f64) -> Result<Reward, SteerError> {
    let Some(sd) = damping else {
        return Ok(reward.clone());
    };
    let (noise, signal) = ((1.0 - t) * (1.0 - t), t * t * sd * sd);
    let spread = sd * sd * noise / (noise + signal);
    let factor = 1.0 / (1.0 + 2.0 * reward.curvature() * spread);
    Ok(reward.with_lambda(reward.lambda() * factor)?)
}
