//! One run that learns pictures: its preparation, its threads, its curves and the looks at what it has learned.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use super::training_message::{RunId, TrainPhase, TrainSaved};
use super::training_picture_learner::PictureLearner;
use super::training_pictures::{
    FolderTraining, PictureGoal, PictureGrid, PicturePoint, PictureReport, PictureRequest,
    kept_folder,
};
use super::training_run::{cores, pace, pool};

/// Between two looks at the network, at least.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// Looks take no more than one part in so many of the time.
const LOOK_SHARE: u32 = 6;
/// Between keeping the run on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Longest description of a kept run that is read.
const MAX_KEPT_BYTES: u64 = 1 << 16;
/// Points of the curves that are kept.
const MOST_POINTS: usize = 2048;
/// The rate is a mean over so many reports.
const PACE_MARKS: usize = 100;

/// A run.
pub(super) struct PictureRun {
    pub id: RunId,
    pub phase: TrainPhase,
    /// When it was last reported.
    pub told: Instant,
    goal: PictureGoal,
    shape: [usize; 3],
    /// Absent until everything is there to learn from.
    learner: Option<PictureLearner>,
    stage: Option<String>,
    /// Whether it goes on with what `keep` holds.
    taken_up: bool,
    keep: Option<PathBuf>,
    kept: Instant,
    not_kept: Option<String>,
    pace: (usize, f64),
    pool: Arc<ThreadPool>,
    curve: Vec<PicturePoint>,
    samples: Option<Arc<PictureGrid>>,
    beside: Option<Arc<PictureGrid>>,
    looked: Option<Instant>,
    look_cost: Duration,
    marks: VecDeque<(Instant, u64)>,
}

impl PictureRun {
    /// A run at its beginning. Nothing is read yet.
    pub fn new(id: RunId, request: PictureRequest) -> Result<Self, (RunId, String)> {
        let shape = match &request.goal {
            PictureGoal::Folder(folder) => folder.shape(),
            PictureGoal::Reward(tuning) => tuning.model.shape(),
        };
        let pace = pace(request.share, cores());
        Ok(Self {
            id,
            phase: TrainPhase::Running,
            told: Instant::now(),
            goal: request.goal,
            shape,
            learner: None,
            stage: Some("Starting".to_owned()),
            taken_up: false,
            keep: request.keep,
            kept: Instant::now(),
            not_kept: None,
            pool: pool(pace.0).map_err(|e| (id, e))?,
            pace,
            curve: Vec::new(),
            samples: None,
            beside: None,
            looked: None,
            look_cost: Duration::ZERO,
            marks: VecDeque::new(),
        })
    }

    /// The run on a folder that a file keeps.
    pub fn take_up(id: RunId, path: PathBuf, share: f64) -> Result<Self, (RunId, String)> {
        let folder = read_kept(&path).map_err(|e| (id, e))?;
        let request = PictureRequest {
            goal: PictureGoal::Folder(folder),
            share,
            keep: Some(path),
        };
        let run = Self::new(id, request)?;
        Ok(Self {
            taken_up: true,
            ..run
        })
    }

    /// Keeps everything that the rest of the run depends on.
    pub fn keep(&mut self) {
        self.kept = Instant::now();
        if let (Some(path), Some(learner)) = (&self.keep, &self.learner)
            && !matches!(self.phase, TrainPhase::Failed(_))
            && learner.steps_done() > 0
        {
            // Training goes on without.
            self.not_kept = learner.keep(path, &self.goal).err();
        }
    }

    /// Whether it has nothing to learn from yet.
    pub fn is_bare(&self) -> bool {
        self.learner.is_none()
    }

    /// Reads or makes what is learned from. `told` is given each stage's report and says whether to go on.
    pub fn prepare(&mut self, told: &mut dyn FnMut(&PictureReport) -> bool) {
        let (pool, goal) = (self.pool.clone(), self.goal.clone());
        let kept = self.keep.clone().filter(|_| self.taken_up);
        // Of the thread that reports; the work itself is the pool's.
        let (send, receive) = std::sync::mpsc::channel::<String>();
        let going = std::sync::atomic::AtomicBool::new(true);
        let prepared = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                pool.install(|| {
                    PictureLearner::prepare(&goal, kept.as_deref(), &mut |stage| {
                        // Nobody listens only where the run is given up.
                        let _ = send.send(stage);
                        going.load(std::sync::atomic::Ordering::Relaxed)
                    })
                })
            });
            while !worker.is_finished() {
                if let Ok(stage) = receive.recv_timeout(Duration::from_millis(100)) {
                    let newest = receive.try_iter().last().unwrap_or(stage);
                    self.stage = Some(newest);
                }
                if !told(&self.report()) {
                    going.store(false, std::sync::atomic::Ordering::Relaxed);
                }
            }
            worker.join()
        });
        self.stage = None;
        match prepared {
            Ok(Ok(Some(learner))) => {
                if learner.finished() {
                    self.phase = TrainPhase::Finished;
                }
                self.learner = Some(learner);
                self.kept = Instant::now();
            }
            Ok(Ok(None)) => self.phase = TrainPhase::Stopped,
            Ok(Err(message)) => self.phase = TrainPhase::Failed(message),
            Err(_) => {
                self.phase = TrainPhase::Failed(
                    "The pictures could not be prepared inside the program. The session is kept; start again with other settings."
                        .to_owned(),
                );
            }
        }
    }

    /// Steps for about so long, or until `wanted` says no; then a look where one is due.
    pub fn work(&mut self, slice: Duration, wanted: &(dyn Fn() -> bool + Sync)) {
        let (pool, begun) = (self.pool.clone(), Instant::now());
        let Some(learner) = &mut self.learner else {
            return;
        };
        if self.beside.is_none() {
            let made = pool.install(|| learner.beside(wanted));
            self.beside = made.map(Arc::new);
            if self.beside.is_none() || self.samples.is_some() {
                return;
            }
            // Before the first step both are the same pictures.
            if matches!(learner, PictureLearner::Velocity { .. }) {
                self.samples.clone_from(&self.beside);
                self.looked = Some(Instant::now());
                self.point();
            }
            return;
        }
        let result = pool.install(|| {
            while !learner.finished() {
                learner.advance()?;
                if begun.elapsed() >= slice || !wanted() {
                    break;
                }
            }
            Ok::<(), String>(())
        });
        if let Err(e) = result {
            self.close(TrainPhase::Failed(e));
            return;
        }
        if learner.finished() {
            self.close(TrainPhase::Finished);
            return;
        }
        let pause = BETWEEN_LOOKS.max(self.look_cost * LOOK_SHARE);
        if self.looked.is_none_or(|at| at.elapsed() >= pause) {
            self.look(wanted);
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
        self.pace = pace;
        self.marks.clear();
    }

    /// Goes on after a pause.
    pub fn resume(&mut self) {
        if self.phase == TrainPhase::Paused {
            self.phase = TrainPhase::Running;
            self.marks.clear();
        }
    }

    /// Rests or ends; what was learned is looked at once more.
    pub fn close(&mut self, phase: TrainPhase) {
        if !self.phase.is_open() {
            return;
        }
        // A diverged network is not looked at again.
        if self.phase == TrainPhase::Running && !matches!(phase, TrainPhase::Failed(_)) {
            self.look(&|| true);
        }
        self.phase = phase;
        self.keep();
    }

    fn look(&mut self, wanted: &(dyn Fn() -> bool + Sync)) {
        let Some(learner) = &self.learner else { return };
        let step = learner.steps_done();
        if self.samples.as_ref().is_some_and(|s| s.step == step) {
            return;
        }
        let begun = Instant::now();
        let Some(grid) = self.pool.install(|| learner.look(wanted)) else {
            return;
        };
        self.samples = Some(Arc::new(grid));
        self.look_cost = begun.elapsed();
        self.looked = Some(Instant::now());
        self.point();
    }

    /// Adds a point to the curves.
    fn point(&mut self) {
        let Some(learner) = &self.learner else { return };
        let Some(loss) = learner.losses() else { return };
        let step = learner.steps_done();
        let fresh = self.samples.as_ref().filter(|s| s.step == step);
        let tunes = self.goal.tuning().is_some();
        let point = PicturePoint {
            step,
            loss,
            reward: fresh.filter(|_| tunes).map(|s| s.figures.reward),
            entropy: fresh.and_then(|s| s.figures.entropy),
        };
        match self.curve.last_mut() {
            Some(last) if last.step == step => {
                last.reward = point.reward.or(last.reward);
                last.entropy = point.entropy.or(last.entropy);
            }
            _ => self.curve.push(point),
        }
        if self.curve.len() > MOST_POINTS {
            let mut k = 0;
            self.curve.retain(|point| {
                k += 1;
                point.reward.is_some() || k % 2 == 0
            });
        }
    }

    /// Writes the averaged network.
    pub fn save(&self, path: PathBuf) -> TrainSaved {
        let (step, result) = match &self.learner {
            Some(learner) => (learner.steps_done(), learner.save(&path)),
            None => (0, Err("there is nothing to save yet".to_owned())),
        };
        TrainSaved {
            run: self.id,
            step,
            path,
            result,
        }
    }

    fn rate(&self) -> f64 {
        match (self.marks.front(), self.marks.back()) {
            (Some((from, first)), Some((to, last))) if last > first => {
                (last - first) as f64 / (*to - *from).as_secs_f64().max(1e-9)
            }
            _ => 0.0,
        }
    }

    /// The run as it is now.
    pub fn report(&mut self) -> PictureReport {
        let step = self.learner.as_ref().map_or(0, PictureLearner::steps_done);
        if self.phase == TrainPhase::Running && self.learner.is_some() {
            // A step may take longer than the time between two reports.
            if self.marks.back().is_none_or(|(_, last)| *last != step) {
                self.marks.push_back((Instant::now(), step));
            }
            if self.marks.len() > PACE_MARKS {
                self.marks.pop_front();
            }
            self.point();
        }
        self.told = Instant::now();
        let rate = self.rate();
        let rest = self.goal.steps().saturating_sub(step);
        let left = (rate > 0.0 && self.phase.is_open())
            .then(|| Duration::from_secs_f64(rest as f64 / rate));
        PictureReport {
            run: self.id,
            goal: self.goal.clone(),
            shape: self.shape,
            phase: self.phase.clone(),
            stage: self.stage.clone(),
            step,
            loss: self.learner.as_ref().and_then(PictureLearner::losses),
            rate,
            left,
            pace: self.pace,
            curve: Arc::new(self.curve.clone()),
            samples: self.samples.clone(),
            beside: self.beside.clone(),
            target_reward: self
                .learner
                .as_ref()
                .and_then(PictureLearner::target_reward),
            not_kept: self.not_kept.clone(),
        }
    }
}

/// Which folder the run in a file learns.
fn read_kept(path: &Path) -> Result<FolderTraining, String> {
    let beside = kept_folder(path);
    let wrong = |why: &dyn std::fmt::Display| {
        format!(
            "{}: the kept run cannot be taken up ({why}). Start again",
            beside.display()
        )
    };
    let bytes = std::fs::metadata(&beside).map_err(|e| wrong(&e))?.len();
    if bytes > MAX_KEPT_BYTES {
        return Err(wrong(&format!("it has {bytes} bytes")));
    }
    let text = std::fs::read_to_string(&beside).map_err(|e| wrong(&e))?;
    serde_json::from_str(&text).map_err(|e| wrong(&e))
}
