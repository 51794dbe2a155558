//! What is said to the training thread and what it says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::mixture::World;
use crate::session::{TrainLoss, TrainTeacher, Training};
use crate::train::{Consistency, Recipe, StepLoss, Teacher};

use super::message::LoadedModel;

/// A number that names one run; larger is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A run from its beginning.
#[derive(Clone, Debug)]
pub struct TrainRequest {
    /// What is learned.
    pub world: Arc<World>,
    /// How.
    pub recipe: Recipe,
    /// Share of the processor's time, above 0, at most 1.
    pub share: f64,
    /// Where the run is kept while it is under way, so that it can be taken up again.
    pub keep: Option<PathBuf>,
}

/// What the training thread is told.
#[derive(Clone, Debug)]
pub enum TrainCommand {
    /// Begins a run; the one before it ends.
    Start(Box<TrainRequest>),
    /// Takes up the run that is kept in a file, and goes on with it.
    TakeUp {
        /// The file, in which it is kept from then on.
        path: PathBuf,
        /// Share of the processor's time.
        share: f64,
    },
    /// Rests after the step under way.
    Pause,
    /// Goes on.
    Resume,
    /// Ends the run where it is; what it learned stays.
    Stop,
    /// Another share of the processor's time.
    Share(f64),
    /// Writes the averaged network as a checkpoint.
    Save(PathBuf),
}

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainPhase {
    /// It learns.
    Running,
    /// It rests and can go on.
    Paused,
    /// A person ended it.
    Stopped,
    /// All steps are done.
    Finished,
    /// It could not go on; the text says what to do.
    Failed(String),
}

impl TrainPhase {
    /// Whether steps are still to come.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What a look at the averaged network found. Distances are sliced W2 to the exact posterior in the world's standard
/// deviations, means over fixed states at a few times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainCheck {
    /// Losses on items that no step sees.
    pub held_out: StepLoss,
    /// Distance of draws in one network call.
    pub one_step: f64,
    /// Distance of draws in four.
    pub four_step: f64,
    /// Distance of a second exact sample of the same size.
    pub floor: f64,
}

/// A point of the curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainPoint {
    /// Steps done.
    pub step: u64,
    /// Time spent on the run in this sitting, seconds.
    pub secs: f64,
    /// Losses, means over about the last hundred steps.
    pub loss: StepLoss,
    /// Steps a second.
    pub rate: f64,
    /// What a look at the network found, where there was one.
    pub check: Option<TrainCheck>,
}

/// The averaged network after some step.
#[derive(Clone)]
pub struct TrainSnapshot {
    /// Steps done.
    pub step: u64,
    /// The network, with a card, without a file.
    pub model: Arc<LoadedModel>,
    /// How good it is.
    pub check: TrainCheck,
}

/// A run as it is now.
#[derive(Clone)]
pub struct TrainReport {
    /// Which run.
    pub run: RunId,
    /// What it learns.
    pub world: Arc<World>,
    /// How.
    pub recipe: Recipe,
    /// Where it is.
    pub phase: TrainPhase,
    /// Steps done.
    pub step: u64,
    /// Losses, means over about the last hundred steps.
    pub loss: StepLoss,
    /// Steps a second, rests included; 0 while it is not known.
    pub rate: f64,
    /// Time left, where it can be told.
    pub left: Option<Duration>,
    /// Threads at work, and the share of the time in which they work.
    pub pace: (usize, f64),
    /// The curves, rising steps.
    pub curve: Arc<Vec<TrainPoint>>,
    /// The newest look at the network.
    pub snapshot: Option<Arc<TrainSnapshot>>,
    /// Why the run is not kept on disk, if it is not.
    pub not_kept: Option<String>,
}

impl TrainReport {
    /// Share of the steps that is done.
    pub fn fraction(&self) -> f32 {
        (self.step as f64 / self.recipe.steps.max(1) as f64) as f32
    }
}

/// A checkpoint was written, or was not.
#[derive(Clone, Debug)]
pub struct TrainSaved {
    /// Of which run.
    pub run: RunId,
    /// After which step.
    pub step: u64,
    /// Where.
    pub path: PathBuf,
    /// Why not.
    pub result: Result<(), String>,
}

/// The recipe that a session asks for.
pub fn recipe_of(training: &Training) -> Recipe {
    let base = match training.loss {
        TrainLoss::Eulerian => Recipe::default(),
        TrainLoss::Semigroup => Recipe::semigroup(),
    };
    Recipe {
        consistency: match training.loss {
            TrainLoss::Eulerian => Consistency::Eulerian,
            TrainLoss::Semigroup => Consistency::Semigroup,
        },
        teacher: match training.teacher {
            TrainTeacher::Exact => Teacher::Exact,
            TrainTeacher::Data => Teacher::Data,
        },
        steps: u64::from(training.steps),
        batch: training.batch as usize,
        seed: training.seed,
        // Short runs begin quickly too.
        warm_up: base.warm_up.min(u64::from(training.steps) / 10),
        ..base
    }
}
