//! What was asked about steering, and what is wanted now. Only differences are submitted, and of a comparison only
//! the methods that changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui;

use crate::engine::{
    BudgetRequest, Command, LensRequest, PanelRun, RequestId, ScoresRequest, Slot, SteerAnswer,
    SteerRequest, SteerStage, TraceRequest,
};
use crate::steer::{KeptFrame, SteerPlan};
use crate::ui::tokens::duration;

use super::asks::same_model;
use super::{Place, State};

/// While something is dragged: the most steps, and the fewest particles.
const PREVIEW_STEPS: u32 = 24;
const PREVIEW_LEAST: f64 = 64.0;
/// Particle-steps a second of a method that was never timed.
const UNTIMED: f64 = 40_000.0;
/// The slots of this workspace that follow the session. The equal-compute grid is asked for by hand.
const SLOTS: [Slot; 5] = [
    Slot::Steer,
    Slot::Scores,
    Slot::Lens,
    Slot::Trace,
    Slot::ScoreCurves,
];
/// Slots of the wall of pictures and of what is shown in its place.
const IMAGE_SLOTS: [Slot; 5] = [
    Slot::Wall,
    Slot::Studio,
    Slot::Again,
    Slot::Groups,
    Slot::ImageCurves,
];
/// The slots of the other workspace.
const POSTERIOR_SLOTS: [Slot; 4] = [Slot::Scene, Slot::Draws, Slot::Overlay, Slot::Diversity];

/// Which frame of each panel, of which runs: while this is the same, so is what is seen.
struct Moment {
    runs: Arc<SteerRequest>,
    steps: Vec<usize>,
    at_end: bool,
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.runs, &other.runs)
            && self.steps == other.steps
            && self.at_end == other.at_end
    }
}

/// The runs that are under way.
struct Ongoing {
    id: RequestId,
    full: Arc<SteerRequest>,
    /// Finished runs that are the same as before; the others are in the request.
    kept: Vec<Option<PanelRun>>,
}

/// The last request of each kind.
#[derive(Default)]
pub struct SteerAsks {
    steer: Option<SteerRequest>,
    steer_since: f64,
    ongoing: Option<Ongoing>,
    resting: Option<(SteerRequest, f64)>,
    scores: Option<(Moment, f64)>,
    lens: Option<(Moment, u32)>,
    trace: Option<(Arc<SteerRequest>, u32)>,
    curves: Option<Arc<SteerRequest>>,
    /// Particle-steps a second, by method and options.
    pace: BTreeMap<String, f64>,
}

fn same_stage(a: &SteerStage, b: &SteerStage) -> bool {
    a.reward == b.reward
        && same_model(a.model.as_ref(), b.model.as_ref())
        && (Arc::ptr_eq(&a.world, &b.world) || a.world.mixture == b.world.mixture)
}

fn same_steer(a: &SteerRequest, b: &SteerRequest) -> bool {
    a.preview == b.preview && a.plans == b.plans && same_stage(&a.stage, &b.stage)
}

fn pace_key(plan: &SteerPlan, learned: bool) -> String {
    format!(
        "{} {:?} {} {:?} {} {learned}",
        plan.method, plan.flow, plan.draws, plan.source, plan.rollout_steps
    )
}

fn moment(runs: &SteerAnswer, t: f64) -> Moment {
    let steps = runs
        .panels
        .iter()
        .map(|panel| KeptFrame::at(&panel.frames, t).map_or(usize::MAX, |(step, _)| step));
    Moment {
        runs: runs.request.clone(),
        steps: steps.collect(),
        at_end: runs.complete && t >= 1.0,
    }
}

fn is_of(asked: Option<&Arc<SteerRequest>>, runs: &SteerAnswer) -> bool {
    asked.is_some_and(|asked| Arc::ptr_eq(asked, &runs.request))
}

impl State {
    /// `None` while the model is on its way.
    fn wanted_steer(&self) -> Option<SteerRequest> {
        let steering = &self.session.steering;
        if steering.learned && self.model.is_loading() && self.model.current.is_none() {
            return None;
        }
        let model = self.model.current.clone().filter(|_| steering.learned);
        let mut plans = steering.plans(self.session.seed, steering.particles);
        if self.dragging {
            for plan in &mut plans {
                self.make_preview(plan, model.is_some());
            }
        }
        Some(SteerRequest {
            stage: SteerStage {
                world: self.world.clone(),
                model,
                reward: steering.reward.clone(),
            },
            plans,
            preview: self.dragging,
        })
    }

    /// So few steps and particles that the run keeps up with the hand.
    fn make_preview(&self, plan: &mut SteerPlan, learned: bool) {
        let pace = self.steer_asks.pace.get(&pace_key(plan, learned));
        plan.steps = plan.steps.min(PREVIEW_STEPS);
        let affordable = pace.copied().unwrap_or(UNTIMED) * duration::STEER_PREVIEW.as_secs_f64()
            / f64::from(plan.steps);
        // In powers of two: the particles do not flicker as the pace varies.
        let count = 2f64.powf(affordable.max(PREVIEW_LEAST).log2().floor());
        plan.particles = plan.particles.min(count as u32);
    }

    pub(super) fn submit_steering(&mut self, ctx: &egui::Context) {
        self.submit_runs(ctx);
        let Some(runs) = self.steering.runs.clone() else {
            return;
        };
        if runs.panels.iter().all(|panel| panel.frames.is_empty()) {
            return;
        }
        self.submit_lens(&runs);
        self.submit_scores(ctx, &runs);
        if runs.complete && !runs.request.preview {
            self.submit_curves_and_trace(&runs);
        }
    }

    fn submit_runs(&mut self, ctx: &egui::Context) {
        let Some(wanted) = self.wanted_steer() else {
            return;
        };
        let asked = self.steer_asks.steer.as_ref();
        if asked.is_some_and(|asked| same_steer(asked, &wanted)) {
            self.steer_asks.resting = None;
            return;
        }
        let was_preview = asked.is_some_and(|asked| asked.preview);
        if wanted.preview {
            // If each preview replaced the last, a slow device would never finish any.
            let young = self.time - self.steer_asks.steer_since < duration::PATIENCE.as_secs_f64();
            if was_preview && young && self.asks.is_waiting(Slot::Steer) {
                return;
            }
        } else if asked.is_some() && !was_preview {
            let rested = match &self.steer_asks.resting {
                Some((resting, since)) if same_steer(resting, &wanted) => self.time - since,
                _ => {
                    self.steer_asks.resting = Some((wanted.clone(), self.time));
                    0.0
                }
            };
            let debounce = duration::DEBOUNCE.as_secs_f64();
            if rested < debounce {
                ctx.request_repaint_after_secs((debounce - rested) as f32 + 0.001);
                return;
            }
        }
        self.start_runs(wanted);
    }

    /// Asks for the runs that are not there yet.
    fn start_runs(&mut self, wanted: SteerRequest) {
        self.steer_asks.steer = Some(wanted.clone());
        self.steer_asks.steer_since = self.time;
        self.steer_asks.resting = None;
        self.steering.stopped = false;
        self.steering.arriving = None;
        self.notices.clear(Place::Steering);
        let kept: Vec<Option<PanelRun>> = wanted
            .plans
            .iter()
            .map(|plan| self.finished_run(&wanted.stage, plan))
            .collect();
        let full = Arc::new(wanted);
        let missing: Vec<SteerPlan> = full
            .plans
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| kept.is_none())
            .map(|(plan, _)| plan.clone())
            .collect();
        if missing.is_empty() {
            // A panel was closed, or two changed places.
            if let Some(runs) = &self.steering.runs {
                self.steering.runs = Some(Arc::new(SteerAnswer {
                    request: full,
                    target: runs.target.clone(),
                    panels: kept.into_iter().flatten().collect(),
                    complete: true,
                }));
            }
            self.engine.cancel(Slot::Steer);
            self.asks.close(Slot::Steer);
            self.steer_asks.ongoing = None;
            return;
        }
        let request = SteerRequest {
            plans: missing,
            ..SteerRequest::clone(&full)
        };
        let id = self.engine.submit(Command::Steer(request));
        self.asks.note(Slot::Steer, id);
        self.steer_asks.ongoing = Some(Ongoing { id, full, kept });
    }

    /// The same run, if it is there already: its numbers would be the same.
    fn finished_run(&self, stage: &SteerStage, plan: &SteerPlan) -> Option<PanelRun> {
        let runs = self.steering.runs.as_ref()?;
        if !same_stage(&runs.request.stage, stage) {
            return None;
        }
        let index = runs.request.plans.iter().position(|p| p == plan)?;
        let panel = runs.panels.get(index)?;
        (panel.done && panel.trouble.is_none()).then(|| panel.clone())
    }

    /// Takes in runs; out-of-date ones are left out.
    pub(super) fn take_runs(&mut self, id: RequestId, answer: &SteerAnswer) {
        let Some(ongoing) = self.steer_asks.ongoing.as_ref().filter(|o| o.id == id) else {
            return;
        };
        let mut new = answer.panels.iter();
        let panels = ongoing
            .kept
            .iter()
            .map(|kept| match kept {
                Some(panel) => panel.clone(),
                None => new.next().cloned().unwrap_or_default(),
            })
            .collect();
        let merged = Arc::new(SteerAnswer {
            request: ongoing.full.clone(),
            target: answer.target.clone(),
            panels,
            complete: answer.complete,
        });
        self.learn_pace(answer);
        let merged_reached = merged.reached();
        let preview_stays = self.steering.runs.as_ref().is_some_and(|shown| {
            shown.request.preview
                && !merged.request.preview
                && merged_reached < self.session.steering.t
                && shown.panels.len() == merged.panels.len()
                && same_stage(&shown.request.stage, &merged.request.stage)
        });
        if preview_stays && !merged.complete {
            self.steering.arriving = Some(merged);
        } else {
            self.steering.arriving = None;
            self.steering.runs = Some(merged);
        }
        if answer.complete {
            self.answered(Slot::Steer, id);
        }
    }

    fn learn_pace(&mut self, answer: &SteerAnswer) {
        let learned = answer.request.stage.model.is_some();
        for (panel, plan) in answer.panels.iter().zip(&answer.request.plans) {
            let (Some(last), secs) = (panel.frames.last(), panel.elapsed.as_secs_f64()) else {
                continue;
            };
            if panel.frames.len() > 2 && secs > 0.0 {
                let done = (panel.frames.len() - 1) as f64 * last.x.len() as f64;
                let pace = done / secs.max(1e-3);
                self.steer_asks.pace.insert(pace_key(plan, learned), pace);
            }
        }
    }

    /// The runs were cancelled: what is there stays.
    pub(super) fn runs_stopped(&mut self, id: RequestId) {
        if self
            .steer_asks
            .ongoing
            .take_if(|ongoing| ongoing.id == id)
            .is_none()
        {
            return;
        }
        self.steering.stopped = true;
        if let Some(arriving) = self.steering.arriving.take() {
            self.steering.runs = Some(arriving);
        }
        let text = format!(
            "Cancelled at t = {:.2}. What was computed stays; R runs again with the next seed.",
            self.steering_reached()
        );
        self.notices.done(Place::Steering, text);
    }

    fn submit_lens(&mut self, runs: &Arc<SteerAnswer>) {
        let Some(particle) = self.session.steering.selected else {
            self.steer_asks.lens = None;
            self.steering.lens = None;
            self.steering.trace = None;
            return;
        };
        let t = self.steering_shown();
        let key = (moment(runs, t), particle);
        if self.steer_asks.lens.as_ref() == Some(&key) || self.asks.is_waiting(Slot::Lens) {
            return;
        }
        let request = LensRequest {
            runs: runs.clone(),
            t,
            particle,
        };
        let id = self.engine.submit(Command::Lens(request));
        self.asks.note(Slot::Lens, id);
        self.steer_asks.lens = Some(key);
    }

    fn submit_scores(&mut self, ctx: &egui::Context, runs: &Arc<SteerAnswer>) {
        if runs.target.is_err() {
            return;
        }
        let t = self.steering_shown();
        let key = moment(runs, t);
        let last = self.steer_asks.scores.as_ref();
        if last.is_some_and(|(last, _)| *last == key) || self.asks.is_waiting(Slot::Scores) {
            return;
        }
        let pause = duration::BETWEEN_SCORES.as_secs_f64();
        let waited = last.map_or(pause, |(_, at)| self.time - at);
        if self.in_motion() && waited < pause {
            ctx.request_repaint_after_secs((pause - waited) as f32 + 0.001);
            return;
        }
        let request = ScoresRequest {
            runs: runs.clone(),
            t,
        };
        let id = self.engine.submit(Command::Scores(request));
        self.asks.note(Slot::Scores, id);
        self.steer_asks.scores = Some((key, self.time));
    }

    fn submit_curves_and_trace(&mut self, runs: &Arc<SteerAnswer>) {
        if !is_of(self.steer_asks.curves.as_ref(), runs) && runs.target.is_ok() {
            let id = self.engine.submit(Command::ScoreCurves(runs.clone()));
            self.asks.note(Slot::ScoreCurves, id);
            self.steer_asks.curves = Some(runs.request.clone());
        }
        let Some(particle) = self.session.steering.selected else {
            self.steer_asks.trace = None;
            return;
        };
        if !self.is_traced(runs, particle) {
            let request = TraceRequest {
                runs: runs.clone(),
                particle,
            };
            let id = self.engine.submit(Command::Trace(request));
            self.asks.note(Slot::Trace, id);
            self.steer_asks.trace = Some((runs.request.clone(), particle));
        }
    }

    fn is_traced(&self, runs: &SteerAnswer, particle: u32) -> bool {
        let asked = self.steer_asks.trace.as_ref();
        asked.is_some_and(|(asked, p)| *p == particle && is_of(Some(asked), runs))
    }

    /// Whether everything about steering that is wanted was asked for; answers are another question.
    pub(super) fn steering_is_asked(&self) -> bool {
        let asked = self.steer_asks.steer.as_ref();
        let same = match (asked, self.wanted_steer()) {
            (Some(asked), Some(wanted)) => same_steer(asked, &wanted),
            _ => false,
        };
        let Some(runs) = &self.steering.runs else {
            // Failed runs leave nothing behind.
            return same && self.notices.at(Place::Steering).is_some();
        };
        let now = moment(runs, self.steering_shown());
        let scored = runs.target.is_err()
            || self.steer_asks.scores.as_ref().map(|(m, _)| m) == Some(&now)
                && (!runs.complete || is_of(self.steer_asks.curves.as_ref(), runs));
        let looked = self.session.steering.selected.is_none_or(|particle| {
            let lens = self.steer_asks.lens.as_ref();
            lens.is_some_and(|(at, p)| *at == now && *p == particle)
                && (!runs.complete || self.is_traced(runs, particle))
        });
        same && scored && looked && (runs.complete || self.steering.stopped)
    }

    /// The same comparison is computed again, also where it was cancelled.
    pub(super) fn forget_steering(&mut self) {
        self.steer_asks.steer = None;
        self.steer_asks.resting = None;
    }

    /// What the other workspace asked for is no longer wanted.
    pub(super) fn leave_workspace(&mut self, to: crate::session::Workspace) {
        let kept: &[Slot] = match to {
            crate::session::Workspace::Posterior | crate::session::Workspace::Train => {
                &POSTERIOR_SLOTS
            }
            crate::session::Workspace::Steering => &SLOTS,
            crate::session::Workspace::Images => &IMAGE_SLOTS,
        };
        let all = SLOTS.iter().chain(&POSTERIOR_SLOTS).chain(&IMAGE_SLOTS);
        for slot in all.copied() {
            if kept.contains(&slot) || !self.asks.is_waiting(slot) {
                continue;
            }
            match slot {
                Slot::Steer => self.forget_steering(),
                Slot::Scores => self.steer_asks.scores = None,
                Slot::Lens => self.steer_asks.lens = None,
                Slot::Trace => self.steer_asks.trace = None,
                Slot::ScoreCurves => self.steer_asks.curves = None,
                Slot::Wall | Slot::Again | Slot::Groups | Slot::ImageCurves => self.forget_wall(),
                Slot::Studio => self.forget_studio(),
                _ => self.asks.forget(),
            }
            self.engine.cancel(slot);
            self.asks.close(slot);
        }
        if self.steer_asks.steer.is_none() {
            self.steer_asks.ongoing = None;
        }
    }

    /// Runs methods at equal compute, in the background; replaces a grid that runs already.
    pub fn ask_budget(&mut self, request: BudgetRequest) {
        let id = self.engine.submit(Command::Budget(request));
        self.asks.note(Slot::Budget, id);
    }

    /// Ends a grid that runs; the rows that are there stay.
    pub fn cancel_budget(&mut self) {
        self.engine.cancel(Slot::Budget);
    }

    /// Whether work of a slot was asked for and is not there yet.
    pub fn is_waiting(&self, slot: Slot) -> bool {
        self.asks.is_waiting(slot)
    }

    /// What is steered now: for panels that ask for runs of their own.
    pub fn steer_stage(&self) -> Option<SteerStage> {
        self.wanted_steer().map(|request| request.stage)
    }
}
