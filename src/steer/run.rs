//! A run from noise to samples: the loop over time, its counters, progress and cancelling.

use crate::lookahead::{LookaheadError, Source};
use crate::metrics::Counters;
use crate::mixture::{Mixture, Point};
use crate::model::GuidedMlp;
use crate::process::{Address, Purpose, SigmaSchedule, normal_pairs};
use crate::reward::{Reward, RewardError, TiltedTarget};

use super::estimate::{Estimate, Look, exact_target};
use super::flow::{MapAt, to_f64};
use super::frame::{Frame, KeptFrame};
use super::particles::run_weighted;
use super::plan::{ControlForm, Flow, Renormalise, SteerPlan};
use super::registry::Scheme;
use super::search::{run_best_of, run_search};

/// Why there are no samples.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SteerError {
    /// The run was no longer wanted.
    #[error("cancelled")]
    Cancelled,
    /// An option lies outside what is allowed.
    #[error("{name} is {value}: give {want}")]
    Plan {
        /// Which option.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        want: &'static str,
    },
    /// A learned source without a model.
    #[error(
        "the draws '{0}' need a checkpoint: give one, or choose glass, sde or exact, which work on the world alone"
    )]
    NoModel(Source),
    /// A fine-tuned velocity asked for the draws of a flow map.
    #[error(
        "the draws '{0}' need a flow map, and this checkpoint is a fine-tuned velocity: choose glass or sde, which follow it"
    )]
    VelocityOnly(Source),
    /// The same of a map of pictures, whose draws are one-step alone.
    #[error(
        "this method looks at draws of a flow map, and this map of pictures is a tuned velocity, which has none: choose dps, lgd or best-of-n"
    )]
    NoPictureDraws,
    /// A fine-tuned velocity asked for a method that jumps.
    #[error(
        "this method jumps with a flow map, and this checkpoint is a fine-tuned velocity: choose one that does not, such as mfm-gf"
    )]
    NoFlowMap,
    /// The draws cannot be differentiated.
    #[error("MFM-G needs draws it can differentiate: one-step, k-step or glass")]
    NoGradient,
    /// A reward of pictures with a part that cannot be differentiated, and a method that follows gradients.
    #[error(
        "{method} follows the gradient of the reward, and '{part}' has none: choose mfm-gf, search or best-of-n, which need none, or leave that part out"
    )]
    NoRewardGradient {
        /// The part, by name.
        part: String,
        /// The method's title.
        method: &'static str,
    },
    /// A reward for pictures of another size.
    #[error(
        "the map makes pictures of {of_map:?} numbers and the reward scores {of_reward:?}: bind the reward to this map"
    )]
    PictureSize {
        /// `[C, H, W]` of the map.
        of_map: [usize; 3],
        /// `[C, H, W]` of the reward.
        of_reward: [usize; 3],
    },
    /// A class or a guidance scale that the map does not know.
    #[error(transparent)]
    Question(LookaheadError),
    /// A fault of the program.
    #[error("this run failed inside the program; the others go on. Change an option to try again")]
    Panicked,
    /// The reward's target cannot be normalised, or not be computed.
    #[error(transparent)]
    Reward(#[from] RewardError),
}

impl From<LookaheadError> for SteerError {
    fn from(error: LookaheadError) -> Self {
        match error {
            LookaheadError::Cancelled => Self::Cancelled,
            error => Self::Question(error),
        }
    }
}

/// What is steered.
#[derive(Clone, Copy)]
pub struct SteerScene<'a> {
    /// The clean data, for the closed forms; with a checkpoint, what it was trained on.
    pub world: &'a Mixture,
    /// What is rewarded.
    pub reward: &'a Reward,
    /// The network that moves and draws; `None`: the exact velocity and posterior do.
    pub model: Option<&'a GuidedMlp>,
}

/// Who looks on: told how far the run is, shown its frames, and asked whether to go on.
pub trait Watch {
    /// Whether the run is still wanted; `fraction` of it is done.
    fn keep_going(&mut self, fraction: f32) -> bool;
    /// The particles after each step, and before the first.
    fn frame(&mut self, frame: &Frame<'_>) {
        let _ = frame;
    }
}

impl<F: FnMut(f32) -> bool> Watch for F {
    fn keep_going(&mut self, fraction: f32) -> bool {
        self(fraction)
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct SteerRun {
    /// The samples `[P, 2]`, equally weighted. A particle that became non-finite is among them as it is.
    pub samples: Vec<[f32; 2]>,
    /// Particles that became non-finite on the way, those that resampling replaced included.
    pub non_finite: u64,
    /// What was asked for, everything together.
    pub counters: Counters,
    /// Effective share of the particles after each step, for weighted methods.
    pub ess: Vec<f64>,
    /// How often populations were resampled.
    pub resamplings: u32,
    /// Every step, if the plan keeps them.
    pub frames: Vec<KeptFrame>,
}

/// Where a run stands; carries the watcher through it.
pub(super) struct Progress<'w> {
    watch: &'w mut dyn Watch,
    step: u32,
    steps: u32,
}

impl Progress<'_> {
    /// Asks whether to go on; `within` the current step.
    pub fn look(&mut self, within: f32) -> Result<(), SteerError> {
        let fraction = (self.step as f32 + within) / self.steps.max(1) as f32;
        if self.watch.keep_going(fraction.min(1.0)) {
            Ok(())
        } else {
            Err(SteerError::Cancelled)
        }
    }
}

/// Whether a particle is no longer a finite sample: samples and frames are f32.
pub(super) fn is_lost(x: &Point) -> bool {
    !x.iter().all(|v| (*v as f32).is_finite())
}

/// The state that all schemes share.
pub(super) struct Runner<'a, 'w> {
    pub plan: &'a SteerPlan,
    pub scene: SteerScene<'a>,
    pub grid: Vec<f64>,
    pub ids: Vec<u32>,
    pub x: Vec<Point>,
    pub counters: Counters,
    pub non_finite: u64,
    pub ess: Vec<f64>,
    pub resamplings: u32,
    frames: Vec<KeptFrame>,
    lost: Vec<bool>,
    /// What the exact method follows; made at the first look.
    target: Option<TiltedTarget>,
    pub progress: Progress<'w>,
}

impl<'a, 'w> Runner<'a, 'w> {
    /// Particles named by `ids`, at their starting noise.
    pub fn new(
        plan: &'a SteerPlan,
        scene: SteerScene<'a>,
        ids: Vec<u32>,
        watch: &'w mut dyn Watch,
    ) -> Self {
        let mut runner = Self {
            plan,
            scene,
            grid: plan.grid(),
            x: Vec::new(),
            counters: Counters::default(),
            non_finite: 0,
            ess: Vec::new(),
            resamplings: 0,
            frames: Vec::new(),
            lost: vec![false; ids.len()],
            target: None,
            progress: Progress {
                watch,
                step: 0,
                steps: plan.steps,
            },
            ids,
        };
        runner.x = runner.noise(Purpose::Prior, 0);
        runner
    }

    /// One pair of normals a particle, named by its number.
    pub fn noise(&self, purpose: Purpose, step: u32) -> Vec<Point> {
        let address = Address::new(self.plan.seed, purpose, 0).at_step(step);
        let count = self.ids.iter().max().map_or(0, |last| *last as usize + 1);
        let mut noise = vec![[0.0; 2]; count];
        normal_pairs(address, 0, &mut noise);
        self.ids
            .iter()
            .map(|id| to_f64(noise[*id as usize]))
            .collect()
    }

    /// Looks ahead from all particles at grid point `k`.
    pub fn look(&mut self, k: usize) -> Result<Vec<Estimate>, SteerError> {
        if self.target.is_none() {
            self.target = exact_target(self.plan, &self.scene)?;
        }
        let target = self.target.as_ref();
        let look = Look::new(self.plan, &self.scene, target, self.grid[k], k as u32)?;
        let (estimates, counters) = look.estimate(&self.ids, &self.x, &mut self.progress)?;
        self.counters += counters;
        Ok(estimates)
    }

    /// `r(x)` of the particles as they are.
    pub fn rewards(&mut self) -> Vec<f64> {
        self.counters.reward += self.x.len() as u64;
        self.x.iter().map(|x| self.scene.reward.score(*x)).collect()
    }

    /// Shows the particles at grid point `k` and counts those newly lost. `weighing`: their effective share and the
    /// logarithms of their weights, for weighted methods.
    pub fn show(&mut self, k: usize, weighing: Option<(f64, &[f64])>) -> Result<(), SteerError> {
        for (x, lost) in self.x.iter().zip(&mut self.lost) {
            let gone = is_lost(x);
            self.non_finite += u64::from(gone && !*lost);
            *lost = gone;
        }
        self.progress.step = k as u32;
        let ess = weighing.map(|(ess, _)| ess);
        let frame = Frame {
            step: k as u32,
            t: self.grid[k],
            x: &self.x,
            ess,
            ancestors: None,
            log_weights: weighing.map(|(_, weights)| weights),
            counters: self.counters,
        };
        self.progress.watch.frame(&frame);
        if self.plan.keep_trajectory {
            self.frames.push(KeptFrame::of(&frame));
        }
        self.ess.extend(ess);
        self.progress.look(0.0)
    }

    /// Notes that the particles at grid point `k` were drawn anew from those just shown, and keeps what they and their
    /// weights are now.
    pub fn note_ancestors(&mut self, k: usize, ancestors: &[u32], log_weights: &[f64]) {
        let frame = Frame {
            step: k as u32,
            t: self.grid[k],
            x: &self.x,
            ess: None,
            ancestors: Some(ancestors),
            log_weights: Some(log_weights),
            counters: self.counters,
        };
        if let Some(last) = self.frames.last_mut() {
            last.drawn_anew(&frame);
        }
        self.progress.watch.frame(&frame);
        self.lost = self.x.iter().map(is_lost).collect();
    }

    pub fn finish(self) -> SteerRun {
        SteerRun {
            samples: self.x.iter().map(|x| x.map(|v| v as f32)).collect(),
            non_finite: self.non_finite,
            counters: self.counters,
            ess: self.ess,
            resamplings: self.resamplings,
            frames: self.frames,
        }
    }
}

/// Runs a plan.
///
/// The samples follow the tilted target as far as the method does. Draws that ran in one batch count each.
///
/// # Errors
/// A plan that cannot be run, a missing model or closed form, or when `watch` says no.
pub fn run(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    watch: &mut dyn Watch,
) -> Result<SteerRun, SteerError> {
    plan.validate()?;
    match plan.method.card().scheme {
        Scheme::Guided | Scheme::Control => {
            let runner = Runner::new(plan, scene, (0..plan.particles).collect(), watch);
            run_guided(runner)
        }
        Scheme::Twisted | Scheme::Potential | Scheme::ValueSmc | Scheme::Tilting => {
            run_weighted(plan, scene, watch)
        }
        Scheme::BestOf | Scheme::SoftBestOf => run_best_of(plan, scene, watch),
        Scheme::Search => run_search(plan, scene, watch),
    }
}

/// Every particle by itself, from the first time to the last.
pub(super) fn run_guided(mut runner: Runner<'_, '_>) -> Result<SteerRun, SteerError> {
    runner.show(0, None)?;
    let last = runner.grid.len() - 2;
    for k in 0..=last {
        let (t, next) = (runner.grid[k], runner.grid[k + 1]);
        if k == last && runner.plan.stops_early().is_some() {
            jump(&mut runner, (t, next))?;
            runner.show(k + 1, None)?;
            break;
        }
        let estimates = runner.look(k)?;
        match runner.plan.method.card().scheme {
            Scheme::Control => control_step(&mut runner, &estimates, (t, next)),
            _ => guided_step(&mut runner, &estimates, (t, next), k),
        }
        runner.show(k + 1, None)?;
    }
    Ok(runner.finish())
}

/// One Euler (-Maruyama) step of all particles.
fn guided_step(
    runner: &mut Runner<'_, '_>,
    estimates: &[Estimate],
    (t, next): (f64, f64),
    k: usize,
) {
    let dt = next - t;
    let plan = runner.plan;
    match plan.flow {
        Flow::Ode => {
            // Gradient-free steering is (tilted mean - mean) / (1 - t), without sigma: no cap holds it back (methods.md 5).
            let schedule = if plan.is_gradient_free_at(t) {
                SigmaSchedule::UNCAPPED
            } else {
                plan.schedule
            };
            let factor = schedule.half_sigma_sq(t);
            for (x, estimate) in runner.x.iter_mut().zip(estimates) {
                let steering = steering(plan, factor, estimate, estimate.velocity);
                for d in 0..2 {
                    x[d] += dt * (estimate.velocity[d] + steering[d]);
                }
            }
        }
        Flow::Sde => {
            let noise = runner.noise(Purpose::SamplerStep, k as u32);
            let size = plan.schedule.sigma(t) * dt.sqrt();
            for ((x, estimate), noise) in runner.x.iter_mut().zip(estimates).zip(noise) {
                let base = plan.schedule.sde_drift(*x, estimate.velocity, t);
                let steering = steering(plan, plan.schedule.sigma_sq(t), estimate, base);
                for d in 0..2 {
                    x[d] += dt * (base[d] + steering[d]) + size * noise[d];
                }
            }
        }
    }
}

/// `factor grad V`, times the plan's guidance and renormalised where the plan says so.
pub(super) fn steering(plan: &SteerPlan, factor: f64, estimate: &Estimate, base: Point) -> Point {
    let factor = factor * plan.guidance;
    let steering = estimate.gradient.map(|g| factor * g);
    if plan.renormalise == Renormalise::Off {
        return steering;
    }
    let size = |v: Point| v[0].hypot(v[1]);
    let factor = plan.renormalise.factor(size(steering), size(base));
    steering.map(|v| v * factor)
}

/// One unguided jump of the flow map: the end of an early stop.
fn jump(runner: &mut Runner<'_, '_>, times: (f64, f64)) -> Result<(), SteerError> {
    runner.progress.look(0.0)?;
    let steps = 2 * runner.plan.rollout_steps;
    let map = MapAt::new(runner.scene.world, runner.scene.model, times, steps);
    let mut ends = runner.x.clone();
    map.eval(&runner.x, &mut runner.counters, |i, end| ends[i] = end);
    runner.x = ends;
    Ok(())
}

/// Flow-map reward guidance: `X_{t,t'}(x) + dt grad_x r(X_{t,1}(x))`, or without the Jacobian
/// `x + dt v + (1-t) t' grad r`, `v` the average velocity to the data.
fn control_step(runner: &mut Runner<'_, '_>, estimates: &[Estimate], (t, next): (f64, f64)) {
    let (dt, scale) = (next - t, runner.plan.guidance);
    match runner.plan.control {
        ControlForm::Jacobian => {
            let map = MapAt::new(runner.scene.world, runner.scene.model, (t, next), 1);
            let mut moved = runner.x.clone();
            map.eval(&runner.x, &mut runner.counters, |i, x| {
                moved[i] = std::array::from_fn(|d| x[d] + dt * scale * estimates[i].gradient[d]);
            });
            runner.x = moved;
        }
        ControlForm::Euclidean => {
            for (x, estimate) in runner.x.iter_mut().zip(estimates) {
                // As published, the push is not multiplied by dt: this form is for few steps.
                let push = (1.0 - t) * next * scale;
                *x = std::array::from_fn(|d| {
                    let v = (estimate.pick[d] - x[d]) / (1.0 - t);
                    x[d] + dt * v + push * estimate.gradient[d]
                });
            }
        }
    }
}
