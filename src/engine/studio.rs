//! Steered pictures: several ways at once, on one clock.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::Judged;
use crate::reward::picture::{PictureParts, PictureScore};
use crate::session::StoredPicture;
use crate::steer::SteerError;
use crate::steer::images::{ImageFrame, ImageRun, ImageScene, ImageWatch, steer_images_from};

use super::images_fallback::Asked;
use super::images_rewards::{SecondKind, second_scores};
use super::message::{Event, RequestId, Slot};
use super::picture_view::PictureView;
use super::studio_message::{StudioRequest, StudioRun};
use super::studio_runs::{Order, Runs};
use super::worker::{Job, JobError, JobResult, Worker, cause_of};

/// How often the window is shown what the runs have reached.
const BETWEEN_FRAMES: Duration = Duration::from_millis(60);
/// How often the worker looks up while the runs' threads work.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// Numbers that finished runs may keep for going back to them: 128 MiB.
const KEPT_NUMBERS: usize = 32 << 20;

/// Finished runs, the newest last: going back to one, or changing another, does not make it again.
#[derive(Default)]
pub(super) struct StudioMemo(Vec<(Arc<StudioRequest>, usize, StudioRun)>);

impl StudioMemo {
    fn find(&mut self, request: &StudioRequest, panel: usize) -> Option<StudioRun> {
        let same = |(of, index, _): &(Arc<StudioRequest>, usize, StudioRun)| {
            request.same_panel(panel, of, *index)
        };
        let found = self.0.iter().position(same)?;
        let entry = self.0.remove(found);
        let run = entry.2.clone();
        self.0.push(entry);
        Some(run)
    }

    fn keep(&mut self, request: &Arc<StudioRequest>, panel: usize, run: &StudioRun) {
        if self.find(request, panel).is_some() {
            return;
        }
        self.0.push((request.clone(), panel, run.clone()));
        let total = |memo: &Self| memo.0.iter().map(|(.., run)| run.size()).sum::<usize>();
        while total(self) > KEPT_NUMBERS && self.0.len() > 1 {
            self.0.remove(0);
        }
    }
}

/// Puts frames on the shelf, where the worker finds them.
struct Shelving<'a> {
    runs: &'a Runs,
    panel: usize,
    begun: Instant,
}

impl ImageWatch for Shelving<'_> {
    fn keep_going(&mut self, fraction: f32) -> bool {
        self.runs.shelf(self.panel).fraction = fraction;
        self.runs.are_wanted()
    }

    fn frame(&mut self, frame: &Arc<ImageFrame>) {
        let view = &self.runs.asked.view;
        let mut shown = None;
        if view.is_latent() {
            let wanted = || self.runs.are_wanted();
            let Some(quick) = view.quick_while(&frame.mean, &wanted) else {
                return;
            };
            shown = Some(StoredPicture::rounded(&quick));
        }
        let mut shelf = self.runs.shelf(self.panel);
        shelf.elapsed = self.begun.elapsed();
        shelf.counters = frame.counters;
        shelf.frames.push(frame.clone());
        shelf.shown.extend(shown.map(Arc::from));
    }
}

/// Scores of pictures.
fn scores(score: &dyn PictureScore, pictures: &[f32], count: usize) -> Vec<f64> {
    let mut scores = vec![0.0; count];
    score.score(pictures, &mut scores);
    scores.into_iter().map(f64::from).collect()
}

impl Worker {
    pub fn studio(&mut self, id: RequestId, request: StudioRequest) -> JobResult {
        let mut job = Job::new(id, Slot::Studio, "steering pictures");
        self.let_runs_leave(&mut job)?;
        let order = Arc::new(self.order(&job, request)?);
        let asked = self.asked_now(&order.request.model);
        let runs = self.made(&mut job, &order, asked)?;
        for (panel, run) in runs.reached().iter().enumerate() {
            if run.trouble.is_none() {
                self.studio_memo.keep(&order.request, panel, run);
            }
        }
        Ok(())
    }

    /// A request with all that its runs need.
    pub fn order(&mut self, job: &Job, request: StudioRequest) -> Result<Order, JobError> {
        let failed = |e: &dyn std::fmt::Display| JobError::Failed(e.to_string());
        let judge = self.judge(&request.model);
        let typical = judge.and_then(|judge| judge.typical().cloned());
        let judge = judge.map(|judge| judge.network().clone());
        let parts = PictureParts {
            judge: judge.clone(),
            references: request.references.clone(),
            scorers: request.scorers().map_err(|e| failed(&e))?,
        };
        let bound = request.measure.bind(request.model.shape(), &parts);
        Ok(Order {
            measure: bound.map_err(|e| failed(&e))?,
            typical,
            start: self.start_of(job, &request.model, request.start.clone())?,
            parts,
            request: Arc::new(request),
        })
    }

    /// Makes what is ordered where it is asked; on the processor where the device fails.
    pub fn made(
        &mut self,
        job: &mut Job,
        order: &Arc<Order>,
        asked: Asked,
    ) -> Result<Arc<Runs>, JobError> {
        let model = &order.request.model;
        let known = (0..order.request.panels.len())
            .map(|panel| self.studio_memo.find(&order.request, panel))
            .map(Option::unwrap_or_default)
            .collect();
        let mut runs = Runs::new(order, asked, known).map_err(JobError::Failed)?;
        while let Some(why) = self.watch_runs(job, &runs)? {
            self.leave_device(model, &why);
            // What is left of the job takes another time.
            job.started = Instant::now();
            let before = runs.as_before();
            runs = Runs::new(order, Asked::here(model), before).map_err(JobError::Failed)?;
        }
        Ok(runs)
    }

    /// Begins what is missing of the runs and tells how far they are, to their end: or until the device fails that they
    /// ask, then with why.
    fn watch_runs(&mut self, job: &Job, runs: &Arc<Runs>) -> Result<Option<String>, JobError> {
        let watched = self.watch_device();
        let threads = Runs::begin(runs, run_on_shelf);
        let mut told = (Instant::now(), None);
        loop {
            let is_wanted = self.look_up(job, runs.fraction());
            let seen = runs.seen();
            let is_done = seen.iter().all(|run| run.done);
            if let Some(why) = watched.error().filter(|_| is_done) {
                runs.broke(&why);
            }
            let broken = runs.broken();
            if !is_wanted || broken.is_some() {
                runs.call_off();
                self.leaving.let_go(threads);
                return if is_wanted {
                    Ok(broken)
                } else {
                    Err(JobError::Cancelled)
                };
            }
            let is_new = told.0.elapsed() >= BETWEEN_FRAMES && told.1.as_ref() != Some(&seen);
            if is_done || is_new {
                self.post(Event::Studio(job.id, Arc::new(runs.answer())));
                told = (Instant::now(), Some(seen));
            }
            if is_done {
                return Ok(None);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Waits until no run that was called off is in its last call any more: two would take twice the memory.
    pub fn let_runs_leave(&mut self, job: &mut Job) -> JobResult {
        if !self.leaving.are_at_work() {
            return Ok(());
        }
        let waiting = "waiting for the last call of the run before".to_owned();
        let label = std::mem::replace(&mut job.label, waiting);
        while self.leaving.are_at_work() {
            if !self.look_up(job, None) {
                return Err(JobError::Cancelled);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        job.label = label;
        job.started = Instant::now();
        Ok(())
    }
}

/// One run from its start to its end, told on the shelf. A panic ends the run, not the others.
fn run_on_shelf(runs: &Runs, panel: usize) {
    let begun = Instant::now();
    let (order, view) = (&*runs.order, &*runs.asked.view);
    let request = &*order.request;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let plan = &request.panels[panel].plan;
        let scene = ImageScene {
            map: &*runs.asked.map,
            reward: &*runs.rewards[panel],
        };
        let mut watch = Shelving { runs, panel, begun };
        let particles = request.particles.clone();
        let run = steer_images_from(scene, plan, &order.start, particles, &mut watch)?;
        let pictures = finished(view, &run, runs)?;
        let scored = measured(order, &pictures, run.rewards.len());
        if view.is_latent()
            && let Some(last) = runs.shelf(panel).shown.last_mut()
        {
            *last = StoredPicture::rounded(&pictures).into();
        }
        Ok((run, scored))
    }));
    let result = result.unwrap_or_else(|panic| {
        let cause = cause_of(&*panic);
        tracing::error!("a steered run panicked: {cause}");
        runs.broke(cause);
        Err(SteerError::Panicked)
    });
    let mut shelf = runs.shelf(panel);
    shelf.elapsed = begun.elapsed();
    shelf.done = true;
    shelf.preview = None;
    match result {
        Ok((run, scored)) => {
            shelf.fraction = 1.0;
            shelf.counters = run.counters;
            shelf.non_finite = run.non_finite;
            shelf.rewards = scored.rewards;
            shelf.second = scored.second;
            shelf.second_kind = Some(scored.kind);
            shelf.judged = scored.judged;
        }
        Err(error) => shelf.trouble = Some(error.to_string()),
    }
}

/// The finished pictures of a run, `[P][C H W]`, decoded where that is to be.
fn finished<'a>(
    view: &PictureView,
    run: &'a ImageRun,
    runs: &Runs,
) -> Result<Cow<'a, [f32]>, SteerError> {
    if !view.is_latent() {
        return Ok(Cow::Borrowed(&run.pictures));
    }
    let pictures = view.best_while(&run.pictures, &|| runs.are_wanted());
    pictures.ok_or(SteerError::Cancelled)
}

/// What is said of finished pictures.
struct Scored {
    rewards: Vec<f64>,
    second: Vec<f64>,
    kind: SecondKind,
    judged: Option<Judged>,
}

fn measured(order: &Order, pictures: &[f32], count: usize) -> Scored {
    let judge = order.parts.judge.as_ref();
    let judged = judge.map(|judge| judge.judge(pictures));
    let (measure, typical) = (&order.request.measure, order.typical.as_ref());
    let (kind, second) = second_scores(measure, pictures, count, judged.as_ref(), typical);
    Scored {
        rewards: scores(&*order.measure, pictures, count),
        second: second.into_iter().map(f64::from).collect(),
        kind,
        judged,
    }
}
