//! Steered pictures: several ways at once, on one clock.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::FeatureClasses;
use crate::model::{ImageJudge, Judged, Wanted};
use crate::reward::picture::{PictureParts, PictureScore};
use crate::session::StoredPicture;
use crate::steer::SteerError;
use crate::steer::images::{
    ImageFrame, ImageRun, ImageScene, ImageStart, ImageWatch, steer_images_from,
};

use super::images_rewards::{SecondKind, second_scores};
use super::message::{Event, RequestId, Slot};
use super::picture_view::PictureView;
use super::studio_message::{StudioAnswer, StudioPanel, StudioRequest, StudioRun};
use super::studio_preview::preview_runs;
use super::worker::{Job, JobError, JobResult, Worker};

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

/// What all panels are scored with.
struct Measures {
    reward: Arc<dyn PictureScore>,
    judge: Option<Arc<ImageJudge>>,
    typical: Option<FeatureClasses>,
}

/// Puts frames on the shelf, where the worker finds them.
struct Shelving<'a> {
    view: &'a PictureView,
    shelf: &'a Mutex<StudioRun>,
    wanted: &'a Wanted,
    begun: Instant,
}

impl ImageWatch for Shelving<'_> {
    fn keep_going(&mut self, fraction: f32) -> bool {
        lock(self.shelf).fraction = fraction;
        self.wanted.still()
    }

    fn frame(&mut self, frame: &Arc<ImageFrame>) {
        let view = self.view;
        let mut shown = None;
        if view.is_latent() {
            let Some(quick) = view.quick_while(&frame.mean, &|| self.wanted.still()) else {
                return;
            };
            shown = Some(StoredPicture::rounded(&quick));
        }
        let mut shelf = lock(self.shelf);
        shelf.elapsed = self.begun.elapsed();
        shelf.counters = frame.counters;
        shelf.frames.push(frame.clone());
        shelf.shown.extend(shown.map(Arc::from));
    }
}

pub(super) fn lock(shelf: &Mutex<StudioRun>) -> MutexGuard<'_, StudioRun> {
    // Plain data that is valid between any two statements.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scores of pictures.
fn scores(score: &dyn PictureScore, pictures: &[f32], count: usize) -> Vec<f64> {
    let mut scores = vec![0.0; count];
    score.score(pictures, &mut scores);
    scores.into_iter().map(f64::from).collect()
}

impl Worker {
    pub fn studio(&mut self, id: RequestId, request: StudioRequest) -> JobResult {
        let job = Job::new(id, Slot::Studio, "steering pictures");
        let failed = |e: &dyn std::fmt::Display| JobError::Failed(e.to_string());
        let judge = self.judge(&request.model);
        let typical = judge.and_then(|judge| judge.typical().cloned());
        let judge = judge.map(|judge| judge.network().clone());
        let parts = PictureParts {
            judge: judge.clone(),
            references: request.references.clone(),
            scorers: request.scorers().map_err(|e| failed(&e))?,
        };
        let shape = request.model.shape();
        let bound = request.measure.bind(shape, &parts);
        let measures = Measures {
            reward: bound.map_err(|e| failed(&e))?,
            judge,
            typical,
        };
        let (map, view) = self.asked_now(&request.model)?;
        let wanted = Wanted::default();
        let of_states = |panel: &StudioPanel| {
            let reward = panel.reward.bind(shape, &parts);
            view.reward_while(reward.map_err(|e| e.to_string())?, &wanted)
        };
        let rewards: Result<Vec<_>, String> = request.panels.iter().map(of_states).collect();
        let rewards = rewards.map_err(JobError::Failed)?;
        let start = self.start_of(&job, &request.model, request.start.clone())?;
        let request = Arc::new(request);
        let known: Vec<Option<StudioRun>> = (0..request.panels.len())
            .map(|panel| self.studio_memo.find(&request, panel))
            .collect();
        let shelves: Vec<Mutex<StudioRun>> = known
            .iter()
            .map(|known| Mutex::new(known.clone().unwrap_or_default()))
            .collect();
        let answer = |complete| StudioAnswer {
            request: request.clone(),
            panels: shelves.iter().map(|shelf| lock(shelf).clone()).collect(),
            complete,
        };
        std::thread::scope(|scope| {
            for (panel, reward) in rewards.iter().enumerate() {
                if known[panel].is_none() {
                    let (request, shelf) = (&*request, &shelves[panel]);
                    let (measures, wanted) = (&measures, &wanted);
                    let (reward, view, start) = (&**reward, &*view, &start);
                    let scene = ImageScene { map: &*map, reward };
                    scope.spawn(move || {
                        let run = (request, panel, start);
                        run_on_shelf(run, (scene, view), measures, shelf, wanted);
                    });
                }
            }
            if view.has_halves() {
                scope.spawn(|| preview_runs(&view, &shelves, &wanted));
            }
            let mut shown = Instant::now();
            loop {
                let done = shelves.iter().all(|shelf| lock(shelf).done);
                let fraction = shelves.iter().map(|s| lock(s).fraction).sum::<f32>()
                    / shelves.len().max(1) as f32;
                if !self.look_up(&job, fraction) {
                    wanted.withdraw();
                    return Err(JobError::Cancelled);
                }
                if done || shown.elapsed() >= BETWEEN_FRAMES {
                    shown = Instant::now();
                    self.post(Event::Studio(id, Arc::new(answer(done))));
                }
                if done {
                    return Ok(());
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
        })?;
        for (panel, shelf) in shelves.iter().enumerate() {
            let run = lock(shelf);
            if run.trouble.is_none() {
                self.studio_memo.keep(&request, panel, &run);
            }
        }
        Ok(())
    }
}

/// One run from its start to its end, told on the shelf. A panic ends the run, not the others.
fn run_on_shelf(
    (request, panel, start): (&StudioRequest, usize, &ImageStart),
    (scene, view): (ImageScene<'_>, &PictureView),
    measures: &Measures,
    shelf: &Mutex<StudioRun>,
    wanted: &Wanted,
) {
    let begun = Instant::now();
    let mut watch = Shelving {
        view,
        shelf,
        wanted,
        begun,
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (plan, particles) = (&request.panels[panel].plan, request.particles.clone());
        let run = steer_images_from(scene, plan, start, particles, &mut watch)?;
        let pictures = finished(view, &run, wanted)?;
        let scored = measured(request, measures, &pictures, run.rewards.len());
        if view.is_latent()
            && let Some(last) = lock(shelf).shown.last_mut()
        {
            *last = StoredPicture::rounded(&pictures).into();
        }
        Ok((run, scored))
    }));
    let mut shelf = lock(shelf);
    shelf.elapsed = begun.elapsed();
    shelf.done = true;
    shelf.preview = None;
    match result.unwrap_or(Err(SteerError::Panicked)) {
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
    wanted: &Wanted,
) -> Result<Cow<'a, [f32]>, SteerError> {
    if !view.is_latent() {
        return Ok(Cow::Borrowed(&run.pictures));
    }
    let pictures = view.best_while(&run.pictures, &|| wanted.still());
    pictures.ok_or(SteerError::Cancelled)
}

/// What is said of finished pictures.
struct Scored {
    rewards: Vec<f64>,
    second: Vec<f64>,
    kind: SecondKind,
    judged: Option<Judged>,
}

fn measured(
    request: &StudioRequest,
    measures: &Measures,
    pictures: &[f32],
    count: usize,
) -> Scored {
    let judged = measures.judge.as_ref().map(|judge| judge.judge(pictures));
    let typical = measures.typical.as_ref();
    let (kind, second) = second_scores(&request.measure, pictures, count, judged.as_ref(), typical);
    Scored {
        rewards: scores(&*measures.reward, pictures, count),
        second: second.into_iter().map(f64::from).collect(),
        kind,
        judged,
    }
}
