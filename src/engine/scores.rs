//! How far the particles of every panel are from where exact steering would be, at any time.

use std::sync::Arc;

use crate::model::GuidedMlp;
use crate::steer::{
    Floor, KeptFrame, SteerError, SteerPlan, SteerScene, TargetSample, gradient_error,
};

use super::message::{Event, RequestId, Slot};
use super::steer_message::{
    PanelRun, PanelScore, ScoreCurvesAnswer, ScoresAnswer, ScoresRequest, SteerAnswer,
};
use super::worker::{Job, JobError, JobResult, Worker};

/// Particles behind a score while the clock moves, and at its end. Distances cost their square.
const LIVE_PARTICLES: usize = 1024;
const FINAL_PARTICLES: usize = 4096;
/// Particles behind the error of the value's gradient.
const GRADIENT_PARTICLES: usize = 32;
/// Draws of those together: gradients of long rollouts are shown for few particles.
const GRADIENT_DRAWS: usize = 2048;
/// Times of the curves.
const CURVE_TIMES: usize = 25;
/// Particles behind each point of them: as many as behind a live score, or the two would disagree.
const CURVE_PARTICLES: usize = LIVE_PARTICLES;
/// Pairs of exact samples behind a floor.
const FLOOR_REPEATS: usize = 6;
/// Noise of the target's samples.
const TARGET_SEED: u64 = 0x5eed;

/// Samples of the last target.
pub(super) struct SampleMemo {
    runs: Arc<super::steer_message::SteerRequest>,
    sample: Arc<TargetSample>,
}

/// The target at one time, with its floor.
struct Goal {
    t: f64,
    world: crate::mixture::Mixture,
    sample: TargetSample,
    floor: Floor,
}

impl Worker {
    fn target_sample(&mut self, runs: &SteerAnswer) -> Result<Arc<TargetSample>, JobError> {
        if let Some(memo) = &self.sample_memo
            && same_stage(&memo.runs, &runs.request)
        {
            return Ok(memo.sample.clone());
        }
        let stage = &runs.request.stage;
        let sample = TargetSample::new(
            &stage.world.mixture,
            &stage.reward,
            FINAL_PARTICLES,
            TARGET_SEED,
        )
        .map_err(|e| JobError::Failed(e.to_string()))?;
        let sample = Arc::new(sample);
        self.sample_memo = Some(SampleMemo {
            runs: runs.request.clone(),
            sample: sample.clone(),
        });
        Ok(sample)
    }

    fn goal(&mut self, runs: &SteerAnswer, t: f64, particles: usize) -> Result<Goal, JobError> {
        let sample = self.target_sample(runs)?;
        let stage = &runs.request.stage;
        let sample = if t < 1.0 {
            sample.noised(&stage.world.mixture, &stage.reward, t, TARGET_SEED)
        } else {
            TargetSample::clone(&sample)
        };
        let world = stage.world.mixture.marginal(t);
        Ok(Goal {
            t,
            floor: sample.floor(&world, particles, FLOOR_REPEATS),
            world,
            sample,
        })
    }

    pub fn scores(&mut self, id: RequestId, request: ScoresRequest) -> JobResult {
        let job = Job::new(id, Slot::Scores, "scores");
        let runs = request.runs.clone();
        let most = if runs.complete && request.t >= 1.0 {
            FINAL_PARTICLES
        } else {
            LIVE_PARTICLES
        };
        let particles = runs
            .request
            .plans
            .iter()
            .map(|plan| plan.particles as usize)
            .min()
            .unwrap_or(0)
            .min(most);
        // Everything is compared at one time: that of the latest step at or before the clock.
        let t = runs
            .panels
            .iter()
            .filter_map(|panel| KeptFrame::at(&panel.frames, request.t))
            .map(|(_, frame)| frame.t)
            .fold(0.0, f64::max);
        let goal = self.goal(&runs, t, particles)?;
        let network = self.guided(&runs.request.stage)?;
        let mut panels = Vec::with_capacity(runs.panels.len());
        for (panel, plan) in runs.panels.iter().zip(&runs.request.plans) {
            if !self.look_up(&job, None) {
                return Err(JobError::Cancelled);
            }
            // Grids differ between methods: each panel is held against the target of its own time.
            let own = match KeptFrame::at(&panel.frames, request.t) {
                Some((_, frame)) if frame.t != goal.t => {
                    Some(self.goal(&runs, frame.t, particles)?)
                }
                _ => None,
            };
            let goal = own.as_ref().unwrap_or(&goal);
            panels.push(score_panel(
                &runs,
                (panel, plan),
                request.t,
                goal,
                particles,
                Gradients::Of(network.as_ref()),
            ));
        }
        self.post(Event::Scores(
            id,
            Arc::new(ScoresAnswer {
                request: Arc::new(request),
                panels,
                floor: goal.floor,
                particles,
            }),
        ));
        Ok(())
    }

    pub fn score_curves(&mut self, id: RequestId, runs: &Arc<SteerAnswer>) -> JobResult {
        let job = Job::new(id, Slot::ScoreCurves, "scores against t");
        let mut panels: Vec<Vec<PanelScore>> = vec![Vec::new(); runs.panels.len()];
        let mut floors: Vec<(f64, Floor)> = Vec::new();
        let order = super::diversity::coarse_to_fine(CURVE_TIMES);
        for (done, index) in order.into_iter().enumerate() {
            let clock = index as f64 / (CURVE_TIMES - 1) as f64;
            for (p, (panel, plan)) in runs.panels.iter().zip(&runs.request.plans).enumerate() {
                if !self.look_up(&job, done as f32 / CURVE_TIMES as f32) {
                    return Err(JobError::Cancelled);
                }
                let Some((_, frame)) = KeptFrame::at(&panel.frames, clock) else {
                    continue;
                };
                let particles = frame.x.len().min(CURVE_PARTICLES);
                let goal = self.goal(runs, frame.t, particles)?;
                let at = floors.partition_point(|(t, _)| *t < frame.t);
                if floors.get(at).is_none_or(|(t, _)| *t != frame.t) {
                    floors.insert(at, (frame.t, goal.floor));
                }
                let score = score_panel(
                    runs,
                    (panel, plan),
                    clock,
                    &goal,
                    particles,
                    Gradients::Skipped,
                );
                if let Some(score) = score {
                    let at = panels[p].partition_point(|s| s.t < score.t);
                    if panels[p].get(at).is_none_or(|s| s.t != score.t) {
                        panels[p].insert(at, score);
                    }
                }
            }
            let complete = done + 1 == CURVE_TIMES;
            if complete || done % 4 == 3 {
                self.post(Event::ScoreCurves(
                    id,
                    Arc::new(ScoreCurvesAnswer {
                        runs: runs.clone(),
                        panels: panels.clone(),
                        floors: floors.clone(),
                        complete,
                    }),
                ));
            }
        }
        Ok(())
    }
}

fn same_stage(
    a: &super::steer_message::SteerRequest,
    b: &super::steer_message::SteerRequest,
) -> bool {
    a.stage.reward == b.stage.reward
        && (Arc::ptr_eq(&a.stage.world, &b.stage.world)
            || a.stage.world.mixture == b.stage.world.mixture)
}

/// Whether the error of the value's gradient is asked for, and with which network.
#[derive(Clone, Copy)]
enum Gradients<'a> {
    Skipped,
    Of(Option<&'a GuidedMlp>),
}

fn score_panel(
    runs: &SteerAnswer,
    (panel, plan): (&PanelRun, &SteerPlan),
    clock: f64,
    goal: &Goal,
    particles: usize,
    gradients: Gradients<'_>,
) -> Option<PanelScore> {
    let (step, frame) = KeptFrame::at(&panel.frames, clock)?;
    let stage = &runs.request.stage;
    let sample = frame.equally_weighted(plan);
    let sample = &sample[..sample.len().min(particles)];
    let score = goal.sample.score(&goal.world, &stage.reward, sample);
    let counters = if panel.done && step + 1 == panel.frames.len() {
        panel.counters
    } else {
        frame.counters
    };
    let gradient_error = match gradients {
        Gradients::Skipped => None,
        Gradients::Of(network) => {
            relative_gradient_error(plan, stage.scene(network), step, frame).unwrap_or_default()
        }
    };
    Some(PanelScore {
        step,
        t: frame.t,
        score,
        ess: frame.ess,
        gradient_error,
        counters,
        evaluations_per_sample: counters.total() as f64 / frame.x.len().max(1) as f64,
    })
}

fn relative_gradient_error(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    step: usize,
    frame: &KeptFrame,
) -> Result<Option<f64>, SteerError> {
    if !plan.method.card().estimates_a_gradient() || step >= plan.steps as usize {
        return Ok(None);
    }
    let most = (GRADIENT_DRAWS / plan.draws.max(1) as usize).clamp(4, GRADIENT_PARTICLES);
    let particles = &frame.x[..frame.x.len().min(most)];
    let error = gradient_error(plan, scene, step as u32, particles)?;
    Ok(error
        .filter(|(_, size)| *size > 0.0)
        .map(|(error, size)| (error / size).sqrt()))
}
