//! Methods by budgets by seeds: what is run, and the rows that come out.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::super::frame::Frame;
use super::super::plan::SteerPlan;
use super::super::run::{SteerError, SteerScene, Watch, run};
use super::super::score::{Floor, TargetSample};
use super::cost::Cost;
use crate::metrics::Counters;

/// Samples behind a row's scores: the first ones. Distances cost their square.
pub const SCORED: usize = 4096;
/// Pairs of exact samples behind the floor.
const FLOOR_REPEATS: usize = 8;
/// Noise of the target's samples, the same for every row.
const TARGET_SEED: u64 = 0x5eed;

/// One finished run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridRow {
    /// Which of the methods asked for, from 0.
    pub method: usize,
    /// The evaluations a sample that were asked for; 0 where the plan was given whole.
    pub budget: u64,
    /// The evaluations a sample that were spent.
    pub evaluations: f64,
    /// The plan that ran: seed, draws and steps included.
    pub plan: SteerPlan,
    /// What was asked for.
    pub counters: Counters,
    /// Sliced W2 to the target.
    pub sliced_w2: f64,
    /// Squared MMD to the target.
    pub mmd_squared: f64,
    /// Total variation of mode shares.
    pub tv: f64,
    /// Mean reward.
    pub mean_reward: f64,
    /// Its standard error.
    pub mean_reward_error: f64,
    /// Particles that became non-finite.
    pub non_finite: u64,
    /// Time spent.
    pub seconds: f64,
}

/// One run that is still to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct GridRun {
    /// Which of the methods asked for, from 0.
    pub method: usize,
    /// The evaluations a sample that were asked for; 0 where the plan was given whole.
    pub budget: u64,
    /// The evaluations a sample that it will spend.
    pub evaluations: u64,
    /// What runs.
    pub plan: SteerPlan,
}

/// A method that cannot be run at a budget, or at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which of the methods asked for, from 0.
    pub method: usize,
    /// The evaluations a sample that were asked for; 0 where the plan was given whole.
    pub budget: u64,
    /// Why, and what to do.
    pub reason: String,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Every option but the draws (or steps), which the budget decides, the seed and the particles.
    pub methods: Vec<SteerPlan>,
    /// Evaluations a sample.
    pub budgets: Vec<u64>,
    /// One run for each.
    pub seeds: Vec<u64>,
    /// Particles of every run.
    pub particles: u32,
}

impl Grid {
    /// The runs, cheap budgets first and every method once before the next seed, and what is left out.
    ///
    /// # Errors
    /// [`SteerError::Cancelled`] when `watch` says no.
    pub fn lay_out(
        &self,
        scene: SteerScene<'_>,
        watch: &mut dyn Watch,
    ) -> Result<(Vec<GridRun>, Vec<LeftOut>), SteerError> {
        let mut costs = Vec::with_capacity(self.methods.len());
        for plan in &self.methods {
            let plan = SteerPlan {
                particles: self.particles,
                keep_trajectory: false,
                ..plan.clone()
            };
            let cost = match Cost::measure(&plan, scene, &mut |_: f32| watch.keep_going(0.0)) {
                Err(SteerError::Cancelled) => return Err(SteerError::Cancelled),
                cost => cost.map_err(|e| e.to_string()),
            };
            costs.push((plan, cost));
        }
        let mut budgets = self.budgets.clone();
        budgets.sort_unstable();
        let (mut runs, mut left_out) = (Vec::new(), Vec::new());
        for budget in budgets {
            let mut possible = Vec::new();
            for (method, (plan, cost)) in costs.iter().enumerate() {
                let found = cost.clone().and_then(|cost| {
                    let plan = cost.plan_for(plan, budget).map_err(|e| e.to_string())?;
                    plan.validate().map_err(|e| e.to_string())?;
                    Ok(GridRun {
                        method,
                        budget,
                        evaluations: cost.at(match cost.knob {
                            super::Knob::Draws => plan.draws,
                            super::Knob::Steps => plan.steps,
                        }),
                        plan,
                    })
                });
                match found {
                    Ok(run) => possible.push(run),
                    Err(reason) => left_out.push(LeftOut {
                        method,
                        budget,
                        reason,
                    }),
                }
            }
            for seed in &self.seeds {
                runs.extend(possible.iter().map(|run| {
                    let mut run = run.clone();
                    run.plan.seed = *seed;
                    run
                }));
            }
        }
        Ok((runs, left_out))
    }
}

/// What rows are scored against; the same for all.
pub struct Judge<'a> {
    /// What is steered.
    pub scene: SteerScene<'a>,
    /// Samples behind every score.
    pub scored: usize,
    /// What two exact samples of that size differ by.
    pub floor: Floor,
    /// Mean reward of the target.
    pub target_mean_reward: f64,
    /// Whether that mean is in closed form; otherwise it is over samples of the target.
    pub target_mean_reward_is_closed: bool,
    /// Whether the target is exact; otherwise it is estimated from weighted samples of the world.
    pub exact_target: bool,
    /// How that mean is known, for a person.
    pub how_the_mean_is_known: String,
    target: TargetSample,
}

impl<'a> Judge<'a> {
    /// Prepares the target for runs of this many particles.
    ///
    /// # Errors
    /// When the tilted density cannot be normalised.
    pub fn new(scene: SteerScene<'a>, particles: u32) -> Result<Self, SteerError> {
        let scored = (particles as usize).min(SCORED);
        let target = TargetSample::new(scene.world, scene.reward, scored, TARGET_SEED)?;
        // Any two points: what the score says of the target does not depend on them.
        let about = target.score(scene.world, scene.reward, &[[0.0; 2]; 2]);
        Ok(Self {
            scene,
            scored,
            floor: target.floor(scene.world, scored, FLOOR_REPEATS),
            target_mean_reward: about.target_mean_reward,
            target_mean_reward_is_closed: about.target_mean_reward_is_closed,
            exact_target: about.exact_target,
            how_the_mean_is_known: about.how_the_mean_is_known(),
            target,
        })
    }

    /// One run, from noise to its scores. The numbers depend on the run alone.
    ///
    /// # Errors
    /// What [`run`] says.
    pub fn run(&self, asked: &GridRun, watch: &mut dyn Watch) -> Result<GridRow, SteerError> {
        let begun = Instant::now();
        let done = run(&asked.plan, self.scene, watch)?;
        let seconds = begun.elapsed().as_secs_f64();
        let scored = &done.samples[..done.samples.len().min(self.scored)];
        let score = self
            .target
            .score(self.scene.world, self.scene.reward, scored);
        Ok(GridRow {
            method: asked.method,
            budget: asked.budget,
            evaluations: done.counters.total() as f64 / done.samples.len() as f64,
            plan: asked.plan.clone(),
            counters: done.counters,
            sliced_w2: score.sliced_w2,
            mmd_squared: score.mmd_squared,
            tv: score.tv,
            mean_reward: score.mean_reward,
            mean_reward_error: score.mean_reward_error,
            non_finite: done.non_finite,
            seconds,
        })
    }
}

/// Runs one after the other. `watch` is told the share of all evaluations; `keep` gets each row as it is there and
/// says whether to go on. Gives what could not be run.
///
/// # Errors
/// [`SteerError::Cancelled`] when `watch` or `keep` says no.
pub fn run_grid(
    runs: &[GridRun],
    judge: &Judge<'_>,
    watch: &mut dyn Watch,
    keep: &mut dyn FnMut(GridRow) -> bool,
) -> Result<Vec<LeftOut>, SteerError> {
    let total: f64 = runs.iter().map(work).sum();
    let (mut before, mut left_out) = (0.0, Vec::new());
    for asked in runs {
        let share = work(asked) / total.max(1.0);
        let mut part = Part {
            watch,
            before,
            share,
            reached: 0.0,
        };
        match judge.run(asked, &mut part) {
            Ok(row) => {
                if !keep(row) {
                    return Err(SteerError::Cancelled);
                }
            }
            Err(SteerError::Cancelled) => return Err(SteerError::Cancelled),
            Err(error) => left_out.push(LeftOut {
                method: asked.method,
                budget: asked.budget,
                reason: error.to_string(),
            }),
        }
        before += share;
    }
    Ok(left_out)
}

/// Evaluations of a whole run; a run that counts none still takes time.
fn work(run: &GridRun) -> f64 {
    f64::from(run.plan.particles) * run.evaluations.max(1) as f64
}

/// One run of many, to whoever watches them all.
struct Part<'w> {
    watch: &'w mut dyn Watch,
    before: f64,
    share: f64,
    /// Progress does not go back: particle filters look twice within a step.
    reached: f32,
}

impl Watch for Part<'_> {
    fn keep_going(&mut self, fraction: f32) -> bool {
        self.reached = self.reached.max(fraction);
        let all = self.before + self.share * f64::from(self.reached);
        self.watch.keep_going(all as f32)
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.watch.frame(frame);
    }
}
