//! What the engine is asked about steering, and what it answers. As in [`super::message`], every request describes
//! its work whole.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Counters;
use crate::mixture::World;
use crate::reward::{Reward, TiltedTarget};
use crate::steer::{Floor, GridRow, KeptFrame, LeftOut, Probe, SteerPlan, SteerScore};

use super::message::LoadedModel;

/// What is steered; shared by all requests.
#[derive(Clone)]
pub struct SteerStage {
    /// The world, for closed forms and scores.
    pub world: Arc<World>,
    /// The network that moves and draws; `None`: the closed forms do.
    pub model: Option<Arc<LoadedModel>>,
    /// What is rewarded.
    pub reward: Reward,
}

/// Several methods at once, on one clock.
#[derive(Clone)]
pub struct SteerRequest {
    /// What is steered.
    pub stage: SteerStage,
    /// One run a panel, with `keep_trajectory`.
    pub plans: Vec<SteerPlan>,
    /// Whether it is the quick version shown while something is dragged.
    pub preview: bool,
}

/// One panel's run so far.
#[derive(Clone, Debug, Default)]
pub struct PanelRun {
    /// The steps so far, the start first.
    pub frames: Vec<Arc<KeptFrame>>,
    /// What was asked for until now.
    pub counters: Counters,
    /// Particles that became non-finite until now.
    pub non_finite: u64,
    /// Share done.
    pub fraction: f32,
    /// Whether it is at its end.
    pub done: bool,
    /// Why there are no samples; the text says what to do.
    pub trouble: Option<String>,
    /// Time spent.
    pub elapsed: Duration,
}

impl PanelRun {
    /// The latest time that is there; 1 when done.
    pub fn reached(&self) -> f64 {
        self.frames.last().map_or(0.0, |frame| frame.t)
    }
}

/// The runs of a [`SteerRequest`], growing.
#[derive(Clone)]
pub struct SteerAnswer {
    /// The request.
    pub request: Arc<SteerRequest>,
    /// The exact tilted target, or why there is none.
    pub target: Result<Arc<TiltedTarget>, String>,
    /// One for each plan.
    pub panels: Vec<PanelRun>,
    /// Whether all are at their ends.
    pub complete: bool,
}

impl SteerAnswer {
    /// The latest time that every panel without trouble has reached.
    pub fn reached(&self) -> f64 {
        self.panels
            .iter()
            .filter(|panel| panel.trouble.is_none())
            .map(PanelRun::reached)
            .fold(1.0, f64::min)
    }
}

/// Scores of all panels at one position of the clock.
#[derive(Clone)]
pub struct ScoresRequest {
    /// The runs, as far as they were.
    pub runs: Arc<SteerAnswer>,
    /// The clock.
    pub t: f64,
}

/// One panel at one time, beside where the exact process would be: the noised target `p_t exp V_t / Z`.
#[derive(Clone, Debug)]
pub struct PanelScore {
    /// The frame that was scored.
    pub step: usize,
    /// Its time.
    pub t: f64,
    /// Distances, mode shares and rewards; rewards are those of the particles where they are now.
    pub score: SteerScore,
    /// Effective share of the particles, for weighted methods.
    pub ess: Option<f64>,
    /// Root mean square of the value gradient's error over that of the gradient; `None` without an exact value, at the
    /// data, or for methods that estimate none.
    pub gradient_error: Option<f64>,
    /// What was asked for until then.
    pub counters: Counters,
    /// The same a particle.
    pub evaluations_per_sample: f64,
}

/// Answer to a [`ScoresRequest`].
#[derive(Clone)]
pub struct ScoresAnswer {
    /// The request.
    pub request: Arc<ScoresRequest>,
    /// One a panel; `None` where the panel has no frame, or there is no target.
    pub panels: Vec<Option<PanelScore>>,
    /// What two exact samples of that size differ by.
    pub floor: Floor,
    /// Particles behind each score (the first ones of each panel).
    pub particles: usize,
}

/// Scores against `t`, for finished runs: grows, coarse to fine.
#[derive(Clone)]
pub struct ScoreCurvesAnswer {
    /// The runs.
    pub runs: Arc<SteerAnswer>,
    /// For each panel its scores, rising `t`.
    pub panels: Vec<Vec<PanelScore>>,
    /// Whether all times are there.
    pub complete: bool,
}

/// The futures that one particle sees at the clock's time, in every panel.
#[derive(Clone)]
pub struct LensRequest {
    /// The runs.
    pub runs: Arc<SteerAnswer>,
    /// The clock.
    pub t: f64,
    /// Which particle.
    pub particle: u32,
}

/// Answer to a [`LensRequest`].
#[derive(Clone)]
pub struct LensAnswer {
    /// The request.
    pub request: Arc<LensRequest>,
    /// One a panel; `None` at the data or where there is no frame.
    pub panels: Vec<Option<Probe>>,
}

/// The value along one particle's trajectory, in every panel.
#[derive(Clone)]
pub struct TraceRequest {
    /// The runs, finished.
    pub runs: Arc<SteerAnswer>,
    /// Which particle of the last frame.
    pub particle: u32,
}

/// One time of a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TracePoint {
    /// The time.
    pub t: f64,
    /// Where the particle's line of descent was.
    pub x: [f32; 2],
    /// The method's estimate of `V_t(x)`; `None` for methods that have none.
    pub value: Option<f64>,
    /// `V_t(x)` exactly.
    pub exact: Option<f64>,
}

/// Answer to a [`TraceRequest`], growing.
#[derive(Clone)]
pub struct TraceAnswer {
    /// The request.
    pub request: Arc<TraceRequest>,
    /// One a panel, rising `t`.
    pub panels: Vec<Vec<TracePoint>>,
    /// Whether all is there.
    pub complete: bool,
}

/// Methods at equal numbers of function evaluations.
#[derive(Clone)]
pub struct BudgetRequest {
    /// What is steered.
    pub stage: SteerStage,
    /// The methods, with every option but the number of draws (or steps), which the budget decides.
    pub plans: Vec<SteerPlan>,
    /// Evaluations a sample.
    pub budgets: Vec<u64>,
    /// One run for each.
    pub seeds: Vec<u64>,
    /// Particles of every run.
    pub particles: u32,
}

/// Answer to a [`BudgetRequest`], growing.
#[derive(Clone)]
pub struct BudgetAnswer {
    /// The request.
    pub request: Arc<BudgetRequest>,
    /// What is finished, cheap budgets first.
    pub rows: Vec<GridRow>,
    /// Methods that a budget is too small or too large for, or that cannot run here at all.
    pub left_out: Vec<LeftOut>,
    /// Runs in all, without those left out; 0 until it is known.
    pub total: usize,
    /// What two exact samples of that size differ by.
    pub floor: Option<Floor>,
    /// Mean reward of the exact target.
    pub target_mean_reward: Option<f64>,
    /// Whether all is there.
    pub complete: bool,
}
