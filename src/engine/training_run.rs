//! One run: its trainer, its threads, its curves and the looks at what it has learned.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::checkpoint::Checkpoint;
use crate::mixture::World;
use crate::train::{TrainError, Trainer};

use super::message::LoadedModel;
use super::training_curve;
use super::training_learner::Learner;
use super::training_message::{
    RunId, TrainBeside, TrainCheck, TrainGoal, TrainPhase, TrainPoint, TrainReport, TrainRequest,
    TrainSaved, TrainSnapshot,
};

/// Between two looks at the network, at least.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Judging takes no more than one part in so many of the time.
const JUDGE_SHARE: u32 = 8;
/// Between keeping the run on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_secs(20);
/// Points of the curves that are kept.
const MOST_POINTS: usize = 2048;
/// The rate is a mean over so many reports.
const PACE_MARKS: usize = 40;

/// Threads and the share of the time in which they work, for a share of `cores` processors.
pub(super) fn pace(share: f64, cores: usize) -> (usize, f64) {
    let wanted = share.clamp(0.01, 1.0) * cores as f64;
    let threads = (wanted.round() as usize).clamp(1, cores);
    (threads, (wanted / threads as f64).min(1.0))
}

/// Processors.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Leaves out every other point between looks, then every other point, so that so many are left.
fn thin(curve: &mut Vec<TrainPoint>, most: usize) {
    if curve.len() <= most {
        return;
    }
    let mut k = 0;
    curve.retain(|point| {
        k += 1;
        point.check.is_some() || k % 2 == 0
    });
    if curve.len() > most {
        let mut k = 0;
        curve.retain(|_| {
            k += 1;
            k % 2 == 0
        });
    }
}

/// A run.
pub(super) struct Run {
    pub id: RunId,
    pub phase: TrainPhase,
    /// When it was last reported.
    pub told: Instant,
    world: Arc<World>,
    goal: TrainGoal,
    learner: Learner,
    beside: Option<Arc<TrainBeside>>,
    share: f64,
    pace: (usize, f64),
    pool: Arc<ThreadPool>,
    keep: Option<PathBuf>,
    kept: Instant,
    not_kept: Option<String>,
    curve: Vec<TrainPoint>,
    snapshot: Option<Arc<TrainSnapshot>>,
    looked: Option<Instant>,
    judged: Option<Instant>,
    judge_cost: Duration,
    /// Time on the run before the last pause, and since when it goes on.
    spent: Duration,
    since: Instant,
    marks: VecDeque<(Instant, u64)>,
}

/// Threads of a run.
pub(super) fn pool(threads: usize) -> Result<Arc<ThreadPool>, String> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|k| format!("foresight-train-{k}"))
        .build()
        .map(Arc::new)
        .map_err(|e| format!("the threads for training did not start: {e}"))
}

impl Run {
    /// A run at its beginning.
    pub fn new(id: RunId, request: TrainRequest) -> Result<Self, (RunId, String)> {
        let learner = Learner::new(&request.world, &request.goal).map_err(|e| (id, e))?;
        let goal = (learner, request.goal);
        Self::with(id, goal, request.world, request.share, request.keep).map_err(|e| (id, e))
    }

    /// The run that a file keeps.
    pub fn take_up(id: RunId, path: &Path, share: f64) -> Result<Self, (RunId, String)> {
        let trainer = Trainer::resume(path).map_err(|e| (id, e.to_string()))?;
        let world = Arc::new(trainer.world().clone());
        let goal = TrainGoal::Map(*trainer.recipe());
        let goal = (Learner::Map(Box::new(trainer)), goal);
        let mut run =
            Self::with(id, goal, world, share, Some(path.to_owned())).map_err(|e| (id, e))?;
        run.curve = training_curve::read(path, run.learner.steps_done());
        let spent = run.curve.last().map_or(0.0, |point| point.secs);
        run.spent = Duration::try_from_secs_f64(spent).unwrap_or_default();
        run.look(true, &|| true);
        Ok(run)
    }

    fn with(
        id: RunId,
        (learner, goal): (Learner, TrainGoal),
        world: Arc<World>,
        share: f64,
        keep: Option<PathBuf>,
    ) -> Result<Self, String> {
        let pace = pace(share, cores());
        let now = Instant::now();
        Ok(Self {
            id,
            phase: if learner.finished() {
                TrainPhase::Finished
            } else {
                TrainPhase::Running
            },
            told: now,
            world,
            goal,
            learner,
            beside: None,
            share,
            pool: pool(pace.0)?,
            pace,
            keep,
            kept: now,
            not_kept: None,
            curve: Vec::new(),
            snapshot: None,
            looked: None,
            judged: None,
            judge_cost: Duration::ZERO,
            spent: Duration::ZERO,
            since: now,
            marks: VecDeque::new(),
        })
    }

    /// Another share of the processor's time.
    pub fn set_share(&mut self, share: f64) {
        let pace = pace(share, cores());
        if pace.0 != self.pace.0 {
            match pool(pace.0) {
                Ok(pool) => self.pool = pool,
                Err(e) => {
                    tracing::warn!("{e}; the threads stay as they are");
                    return;
                }
            }
        }
        self.share = share;
        self.pace = pace;
        self.marks.clear();
    }

    /// Steps for about so long, or until `wanted` says no; then whatever is due.
    pub fn work(&mut self, slice: Duration, wanted: &(dyn Fn() -> bool + Sync)) {
        let (pool, begun) = (self.pool.clone(), Instant::now());
        if self.beside.is_none() {
            let learner = &self.learner;
            self.beside = pool.install(|| learner.beside(wanted)).map(Arc::new);
        }
        let learner = &mut self.learner;
        let result = pool.install(|| {
            while !learner.finished() {
                learner.advance()?;
                if begun.elapsed() >= slice || !wanted() {
                    break;
                }
            }
            Ok::<(), TrainError>(())
        });
        if let Err(e) = result {
            self.close(TrainPhase::Failed(e.to_string()));
            return;
        }
        if self.learner.finished() {
            self.close(TrainPhase::Finished);
            return;
        }
        let is_due = |since: Option<Instant>, pause: Duration| {
            since.is_none_or(|at| at.elapsed() >= BETWEEN_LOOKS.max(pause))
        };
        if is_due(self.looked, Duration::ZERO) {
            let judged = is_due(self.judged, self.judge_cost * JUDGE_SHARE);
            self.look(judged, wanted);
        }
        if self.kept.elapsed() >= KEEP_EVERY {
            self.keep();
        }
    }

    /// How long to rest after so much work.
    pub fn rest_after(&self, work: Duration) -> Duration {
        if self.phase != TrainPhase::Running {
            return Duration::ZERO;
        }
        work.mul_f64((1.0 - self.pace.1) / self.pace.1)
    }

    /// Goes on after a pause.
    pub fn resume(&mut self) {
        if self.phase == TrainPhase::Paused {
            self.phase = TrainPhase::Running;
            self.since = Instant::now();
            self.marks.clear();
        }
    }

    /// Rests or ends.
    pub fn close(&mut self, phase: TrainPhase) {
        if self.phase == TrainPhase::Running {
            self.spent += self.since.elapsed();
            // A diverged network is not looked at again.
            if !matches!(phase, TrainPhase::Failed(_)) {
                self.look(true, &|| true);
            }
        }
        self.phase = phase;
        self.keep();
    }

    /// Keeps everything that the rest of the run depends on.
    pub fn keep(&mut self) {
        self.kept = Instant::now();
        if let Some(path) = &self.keep
            && !matches!(self.phase, TrainPhase::Failed(_))
        {
            // Training goes on without.
            self.not_kept = self.learner.keep(path).err();
            if self.not_kept.is_none()
                && let Err(e) = training_curve::write(path, &self.curve)
            {
                // Only the curves begin anew when it is taken up.
                tracing::warn!("the curves are not kept: {e}");
            }
        }
    }

    /// Looks at the averaged network: held-out losses, distances, a copy to draw with.
    fn look(&mut self, judged: bool, wanted: &(dyn Fn() -> bool + Sync)) {
        let begun = Instant::now();
        let pool = self.pool.clone();
        let step = self.learner.steps_done();
        let is_known = |s: &Arc<TrainSnapshot>| s.step == step && (s.check.is_some() || !judged);
        if self.snapshot.as_ref().is_some_and(is_known) {
            return;
        }
        let learner = &mut self.learner;
        let Some(look) = pool.install(|| learner.look(judged, wanted)) else {
            return;
        };
        let layers = self.learner.layers();
        let parameters = layers.iter().map(|l| l.weight.len() + l.bias.len()).sum();
        let model = LoadedModel {
            checkpoint: Arc::new(Checkpoint {
                card: self.learner.card(),
                layers,
                hash: format!("run {} step {step}", self.id.0),
                bytes: 0,
                dtype: "F32".into(),
                parameters,
            }),
            network: look.network,
            name: format!("{} after {step} steps", self.world.name),
            path: None,
        };
        self.snapshot = Some(Arc::new(TrainSnapshot {
            step,
            model: Arc::new(model),
            check: look.check,
            samples: look.samples,
        }));
        if look.check.is_some() {
            self.point(look.check);
        }
        self.looked = Some(Instant::now());
        if judged {
            self.judge_cost = begun.elapsed();
            self.judged = self.looked;
        }
    }

    /// Writes the averaged network.
    pub fn save(&self, path: PathBuf) -> TrainSaved {
        let result = Checkpoint::write(&path, &self.learner.card(), &self.learner.layers())
            .map(drop)
            .map_err(|e| e.to_string());
        TrainSaved {
            run: self.id,
            step: self.learner.steps_done(),
            path,
            result,
        }
    }

    fn secs(&self) -> f64 {
        let now = if self.phase == TrainPhase::Running {
            self.since.elapsed()
        } else {
            Duration::ZERO
        };
        (self.spent + now).as_secs_f64()
    }

    fn rate(&self) -> f64 {
        match (self.marks.front(), self.marks.back()) {
            (Some((from, first)), Some((to, last))) if last > first => {
                (last - first) as f64 / (*to - *from).as_secs_f64().max(1e-9)
            }
            _ => 0.0,
        }
    }

    /// Adds a point to the curves.
    fn point(&mut self, check: Option<TrainCheck>) {
        let step = self.learner.steps_done();
        let point = TrainPoint {
            step,
            secs: self.secs(),
            loss: self.learner.losses(),
            rate: self.rate(),
            check,
        };
        match self.curve.last_mut() {
            Some(last) if last.step == step => last.check = check.or(last.check),
            _ => self.curve.push(point),
        }
        thin(&mut self.curve, MOST_POINTS);
    }

    /// The run as it is now.
    pub fn report(&mut self) -> TrainReport {
        let step = self.learner.steps_done();
        if self.phase == TrainPhase::Running {
            self.marks.push_back((Instant::now(), step));
            if self.marks.len() > PACE_MARKS {
                self.marks.pop_front();
            }
            if step > 0 {
                self.point(None);
            }
        }
        self.told = Instant::now();
        let rate = self.rate();
        let left = (rate > 0.0 && self.phase.is_open())
            .then(|| Duration::from_secs_f64((self.goal.steps() - step) as f64 / rate));
        TrainReport {
            run: self.id,
            world: self.world.clone(),
            goal: self.goal.clone(),
            phase: self.phase.clone(),
            step,
            loss: self.learner.losses(),
            rate,
            left,
            pace: self.pace,
            curve: Arc::new(self.curve.clone()),
            snapshot: self.snapshot.clone(),
            beside: self.beside.clone(),
            not_kept: self.not_kept.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{MapCheck, TrainLosses};
    use crate::train::StepLoss;

    #[test]
    fn a_share_is_threads_first_and_rests_for_what_is_left() {
        assert_eq!(pace(0.5, 16), (8, 1.0));
        assert_eq!(pace(0.5, 2), (1, 1.0));
        assert_eq!(pace(0.5, 1), (1, 0.5));
        assert_eq!(pace(1.0, 12), (12, 1.0));
        let (threads, duty) = pace(0.05, 4);
        assert!(threads == 1 && (duty - 0.2).abs() < 1e-12);
        for cores in 1..9 {
            for percent in 5..=100 {
                let share = f64::from(percent) / 100.0;
                let (threads, duty) = pace(share, cores);
                assert!(threads as f64 * duty <= share * cores as f64 + 1e-9);
            }
        }
    }

    #[test]
    fn long_curves_lose_points_between_looks_first() {
        let check = TrainCheck::Map(MapCheck {
            held_out: StepLoss::default(),
            one_step: 0.1,
            four_step: 0.1,
            floor: 0.1,
        });
        let mut curve: Vec<TrainPoint> = (0..1000)
            .map(|k| TrainPoint {
                step: k,
                secs: 0.0,
                loss: TrainLosses::Map(StepLoss::default()),
                rate: 0.0,
                check: (k % 10 == 0).then_some(check),
            })
            .collect();
        thin(&mut curve, 800);
        assert!(curve.len() <= 800);
        assert_eq!(curve.iter().filter(|p| p.check.is_some()).count(), 100);
        assert!(curve.is_sorted_by_key(|p| p.step));
        thin(&mut curve, 50);
        assert!(curve.len() <= 275);
    }
}
