//! A run from noise to pictures: the loop over time, its counters, progress and cancelling.

use std::ops::Range;
use std::sync::Arc;

use crate::lookahead::images::{check_class, image_noise, numbers};
use crate::metrics::Counters;
use crate::model::ImageMap;
use crate::process::{Address, Purpose, SigmaSchedule};
use crate::reward::picture::PictureScore;
use crate::steer::particles::{choose, softmax};
use crate::steer::registry::{Estimator, Scheme};
use crate::steer::{Flow, Renormalise, Resampling, SteerError};

use super::frame::{ImageFrame, ImageWatch};
use super::look::{Estimates, Look};
use super::plan::ImagePlan;
use super::start::ImageStart;

/// Finished pictures that Best-of-N chooses from at once.
const CANDIDATES_AT_ONCE: usize = 256;

/// What is steered, and by what.
#[derive(Clone, Copy)]
pub struct ImageScene<'a> {
    /// Moves and draws.
    pub map: &'a dyn ImageMap,
    /// What is rewarded, the strength inside.
    pub reward: &'a dyn PictureScore,
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRun {
    /// The pictures `[P][C H W]`, -1 black and 1 white, equally weighted.
    pub pictures: Vec<f32>,
    /// Every step, if the plan keeps them; the last is the pictures.
    pub frames: Vec<Arc<ImageFrame>>,
    /// Rewards of the pictures, `[P]`. Not among what was asked for, unless the method chose by them.
    pub rewards: Vec<f64>,
    /// Pictures that are not finite numbers.
    pub non_finite: u64,
    /// What was asked for, everything together.
    pub counters: Counters,
}

/// Where a run stands; carries the watcher through it.
pub(super) struct Progress<'w> {
    watch: &'w mut dyn ImageWatch,
    /// Share of the whole that was done before, and the share that this part is.
    part: (f32, f32),
    step: u32,
    steps: u32,
    /// Network rows of the step in hand: done, and in all.
    rows: (usize, usize),
}

impl<'w> Progress<'w> {
    /// Of `steps` steps that are this part of the whole.
    pub fn new(watch: &'w mut dyn ImageWatch, part: (f32, f32), steps: u32) -> Self {
        Self {
            watch,
            part,
            step: 0,
            steps,
            rows: (0, 1),
        }
    }

    /// A step of so many network rows begins.
    pub fn expect(&mut self, rows: usize) {
        self.rows = (0, rows.max(1));
    }

    /// Some are done.
    pub fn did(&mut self, rows: usize) {
        self.rows.0 += rows;
    }

    /// Asks whether to go on.
    pub fn look(&mut self) -> Result<(), SteerError> {
        let within = self.rows.0 as f32 / self.rows.1.max(1) as f32;
        let share = (self.step as f32 + within.min(1.0)) / self.steps.max(1) as f32;
        let fraction = self.part.0 + self.part.1 * share.min(1.0);
        if self.watch.keep_going(fraction) {
            Ok(())
        } else {
            Err(SteerError::Cancelled)
        }
    }
}

/// The state of a run.
struct Runner<'a, 'w> {
    plan: &'a ImagePlan,
    scene: ImageScene<'a>,
    /// The class as the map counts them.
    label: u32,
    grid: Vec<f64>,
    /// Number of the first step in the plan's own grid.
    first_step: u32,
    ids: Vec<u32>,
    x: Vec<f32>,
    numbers: usize,
    counters: Counters,
    /// What the frames say instead: the cost of all among which these were chosen.
    charged: Option<Counters>,
    frames: Vec<Arc<ImageFrame>>,
    /// Whether the frames are shown and kept.
    is_shown: bool,
    progress: Progress<'w>,
}

impl<'a, 'w> Runner<'a, 'w> {
    fn new(
        scene: ImageScene<'a>,
        plan: &'a ImagePlan,
        start: &ImageStart,
        ids: Vec<u32>,
        (watch, part): (&'w mut dyn ImageWatch, (f32, f32)),
    ) -> Self {
        let (grid, first_step) = start.grid(plan);
        let numbers = numbers(scene.map);
        let none = scene.map.config().label_dim as u32;
        Self {
            plan,
            scene,
            label: plan.class.unwrap_or(none),
            first_step,
            x: start.states(plan.seed, &ids, numbers),
            numbers,
            counters: Counters::default(),
            charged: None,
            frames: Vec::new(),
            is_shown: true,
            progress: Progress::new(watch, part, (grid.len() - 1) as u32),
            grid,
            ids,
        }
    }

    /// Number of step `k` of this run in the plan's grid: what its noise is named by.
    fn named(&self, k: usize) -> u32 {
        self.first_step + k as u32
    }

    fn look(&mut self, k: usize) -> Result<Estimates, SteerError> {
        let look = Look {
            plan: self.plan,
            scene: self.scene,
            label: self.label,
            t: self.grid[k],
            step: self.named(k),
        };
        let estimates = look.estimate(&self.ids, &self.x, &mut self.progress)?;
        self.counters += estimates.counters;
        Ok(estimates)
    }

    /// Shows the pictures at grid point `k`.
    fn show(&mut self, k: usize, mean: Vec<f32>, values: Vec<f64>) {
        if !self.is_shown {
            return;
        }
        let frame = Arc::new(ImageFrame {
            step: self.named(k),
            t: self.grid[k],
            x: self.x.clone(),
            mean,
            values,
            counters: self.charged.unwrap_or(self.counters),
        });
        self.progress.watch.frame(&frame);
        if self.plan.keep_frames {
            self.frames.push(frame);
        }
    }

    /// Noise of step `k`, one picture a particle.
    fn step_noise(&self, k: usize) -> Vec<f32> {
        let address = Address::new(self.plan.seed, Purpose::SamplerStep, 0).at_step(self.named(k));
        let mut noise = vec![0.0; self.x.len()];
        for (id, noise) in self.ids.iter().zip(noise.chunks_exact_mut(self.numbers)) {
            image_noise(address, *id as usize, self.numbers, noise);
        }
        noise
    }

    /// From the first time to the last.
    fn walk(&mut self) -> Result<(), SteerError> {
        let last = self.grid.len() - 1;
        for k in 0..last {
            let (t, next) = (self.grid[k], self.grid[k + 1]);
            self.progress.step = k as u32;
            let mut estimates = self.look(k)?;
            let mean = std::mem::take(&mut estimates.mean);
            let values = std::mem::take(&mut estimates.values);
            if self.plan.method.card().scheme == Scheme::Search {
                let before = self.x.clone();
                self.search_step(&mean, (t, next), k);
                let after = std::mem::replace(&mut self.x, before);
                self.show(k, mean, values);
                self.x = after;
            } else {
                self.show(k, mean, values);
                self.guided_step(&estimates, (t, next), k);
            }
        }
        self.progress.step = last as u32;
        self.progress.expect(1);
        self.progress.look()
    }

    /// One Euler (-Maruyama) step of all particles, as in 2D.
    fn guided_step(&mut self, estimates: &Estimates, (t, next): (f64, f64), k: usize) {
        let (plan, dt) = (self.plan, next - t);
        let noise = (plan.flow == Flow::Sde).then(|| self.step_noise(k));
        // Gradient-free steering is (tilted mean - mean) / (1 - t), without sigma: no cap holds it back (methods.md 5).
        let is_free = plan.estimator_at(t) == Estimator::GradientFree;
        let (factor, size) = match plan.flow {
            Flow::Ode if is_free => (SigmaSchedule::UNCAPPED.half_sigma_sq(t), 0.0),
            Flow::Ode => (plan.schedule.half_sigma_sq(t), 0.0),
            Flow::Sde => (
                plan.schedule.sigma_sq(t),
                plan.schedule.sigma(t) * dt.sqrt(),
            ),
        };
        let factor = factor * plan.guidance;
        for p in 0..self.ids.len() {
            let span = p * self.numbers..(p + 1) * self.numbers;
            let x = &mut self.x[span.clone()];
            let drift = |x: f32, b: f32| match plan.flow {
                Flow::Ode => f64::from(b),
                Flow::Sde => plan.schedule.sde_drift([f64::from(x)], [f64::from(b)], t)[0],
            };
            let base: Vec<f64> = x
                .iter()
                .zip(&estimates.velocity[span.clone()])
                .map(|(x, b)| drift(*x, *b))
                .collect();
            let gradient = estimates.gradient.get(span.clone()).unwrap_or_default();
            let push: Vec<f64> = gradient.iter().map(|g| factor * f64::from(*g)).collect();
            let factor = if plan.renormalise == Renormalise::Off {
                1.0
            } else {
                plan.renormalise.factor(length(&push), length(&base))
            };
            for (i, (x, base)) in x.iter_mut().zip(&base).enumerate() {
                let push = push.get(i).map_or(0.0, |push| factor * push);
                let noise = noise.as_ref().map_or(0.0, |n| f64::from(n[span.start + i]));
                *x = (f64::from(*x) + dt * (base + push) + size * noise) as f32;
            }
        }
    }

    /// To the best future, noised again (SDE) or carried on its own noise (ODE).
    fn search_step(&mut self, best: &[f32], (t, next): (f64, f64), k: usize) {
        let noise = (self.plan.flow == Flow::Sde).then(|| self.step_noise(k));
        for (i, (x, best)) in self.x.iter_mut().zip(best).enumerate() {
            let best = f64::from(*best);
            let own = match &noise {
                Some(noise) => f64::from(noise[i]),
                None => (f64::from(*x) - t * best) / (1.0 - t),
            };
            *x = (next * best + (1.0 - next) * own) as f32;
        }
    }

    fn rewards(&self) -> Vec<f64> {
        let mut scores = vec![0.0; self.ids.len()];
        self.scene.reward.score(&self.x, &mut scores);
        scores.into_iter().map(f64::from).collect()
    }

    /// The pictures as they are.
    fn finish(mut self) -> ImageRun {
        let rewards = self.rewards();
        let last = self.grid.len() - 1;
        self.show(last, self.x.clone(), rewards.clone());
        let lost = |x: &&[f32]| !x.iter().all(|v| v.is_finite());
        ImageRun {
            non_finite: self.x.chunks_exact(self.numbers).filter(lost).count() as u64,
            pictures: self.x,
            frames: self.frames,
            rewards,
            counters: self.counters,
        }
    }
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Steers `particles` from noise to pictures.
///
/// Particle `i` is the same picture whatever the range, as far as the map gives the same row in every batch.
///
/// # Errors
/// A plan that cannot be run, a reward without a gradient where one is needed, a class or scale that the map does not
/// know, or when `watch` says no.
pub fn steer_images(
    scene: ImageScene<'_>,
    plan: &ImagePlan,
    particles: Range<u32>,
    watch: &mut dyn ImageWatch,
) -> Result<ImageRun, SteerError> {
    steer_images_from(scene, plan, &ImageStart::Noise, particles, watch)
}

/// The same from elsewhere on the way.
///
/// # Errors
/// As [`steer_images`], and a start that is no picture of the map's size between the times 0 and 1.
pub fn steer_images_from(
    scene: ImageScene<'_>,
    plan: &ImagePlan,
    start: &ImageStart,
    particles: Range<u32>,
    watch: &mut dyn ImageWatch,
) -> Result<ImageRun, SteerError> {
    plan.check(scene.map, scene.reward)?;
    start.check(numbers(scene.map))?;
    if let Some(class) = plan.class {
        let classes = scene.map.config().label_dim;
        if class as usize >= classes {
            return Err(crate::lookahead::LookaheadError::Class {
                label: class,
                classes,
            }
            .into());
        }
        check_class(scene.map, class, plan.class_guidance)?;
    }
    let is_sound = particles.len() <= ImagePlan::MAX_PARTICLES as usize
        && particles.end <= ImagePlan::LAST_PARTICLE;
    if particles.is_empty() || !is_sound {
        return Err(SteerError::Plan {
            name: "particles",
            value: format!("{}, up to number {}", particles.len(), particles.end),
            want: "1 to 4096, numbered below 262144",
        });
    }
    if plan.chooses_at_the_end() {
        return best_of(scene, plan, start, particles, watch);
    }
    let mut runner = Runner::new(scene, plan, start, particles.collect(), (watch, (0.0, 1.0)));
    runner.walk()?;
    Ok(runner.finish())
}

/// Finishes N pictures for each one that is kept: particle `p` is chosen among base particles `p N .. p N + N`.
fn best_of(
    scene: ImageScene<'_>,
    plan: &ImagePlan,
    start: &ImageStart,
    particles: Range<u32>,
    watch: &mut dyn ImageWatch,
) -> Result<ImageRun, SteerError> {
    let n = plan.draws;
    let is_soft = plan.method.card().scheme == Scheme::SoftBestOf;
    let (count, at_once) = (particles.len(), CANDIDATES_AT_ONCE.div_ceil(n as usize));
    // The last part walks the chosen ones once more to be seen, where somebody wants to see them.
    let walks = count as f32 * (n as f32 + if plan.keep_frames { 1.0 } else { 0.0 });
    let all: Vec<u32> = particles.collect();
    let mut chosen = Vec::with_capacity(count);
    let (mut pictures, mut rewards) = (Vec::new(), Vec::new());
    let mut counters = Counters::default();
    for (g, group) in all.chunks(at_once).enumerate() {
        let ids = group.iter().flat_map(|p| p * n..(p + 1) * n).collect();
        let done = (g * at_once) as f32 * n as f32 / walks;
        let share = group.len() as f32 * n as f32 / walks;
        let mut runner = Runner::new(scene, plan, start, ids, (&mut *watch, (done, share)));
        runner.is_shown = false;
        runner.walk()?;
        counters += runner.counters;
        let scores = runner.rewards();
        counters.reward += scores.len() as u64;
        let sound = |i: usize| {
            let picture = &runner.x[i * runner.numbers..(i + 1) * runner.numbers];
            // What is lost is never the best, whatever a reward says of infinity.
            scores[i].is_finite() && picture.iter().all(|v| v.is_finite())
        };
        let scores: Vec<f64> = (0..scores.len())
            .map(|i| {
                if sound(i) {
                    scores[i]
                } else {
                    f64::NEG_INFINITY
                }
            })
            .collect();
        for (i, (particle, scores)) in group
            .iter()
            .zip(scores.chunks_exact(n as usize))
            .enumerate()
        {
            let pick = if is_soft {
                let address = Address::new(plan.seed, Purpose::Resample, *particle);
                choose(&softmax(scores), 1, Resampling::Multinomial, address)[0]
            } else {
                let better = |best: usize, i: usize| {
                    if scores[i] > scores[best] { i } else { best }
                };
                (0..scores.len()).fold(0, better)
            };
            let at = i * n as usize + pick;
            chosen.push(particle * n + pick as u32);
            rewards.push(scores[pick]);
            pictures.extend_from_slice(&runner.x[at * runner.numbers..(at + 1) * runner.numbers]);
        }
    }
    let mut frames = Vec::new();
    if plan.keep_frames {
        let done = (count as u32 * n) as f32 / walks;
        let part = (done, (1.0 - done).max(0.0));
        let mut runner = Runner::new(scene, plan, start, chosen, (&mut *watch, part));
        runner.charged = Some(counters);
        // The same noise gives the same paths; their cost was counted with the others.
        runner.walk()?;
        let shown = runner.finish();
        frames = shown.frames;
        pictures = shown.pictures;
    }
    let numbers = numbers(scene.map);
    let lost = |x: &&[f32]| !x.iter().all(|v| v.is_finite());
    let non_finite = pictures.chunks_exact(numbers).filter(lost).count() as u64;
    Ok(ImageRun {
        pictures,
        frames,
        rewards,
        non_finite,
        counters,
    })
}
