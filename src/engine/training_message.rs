//! What is said to the training thread and what it says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::mixture::World;
use crate::reward::{Reward, TiltedTarget};
use crate::session::{TrainLoss, TrainTeacher, Training};
use crate::train::finetune::{FinetuneLoss, FinetuneRecipe};
use crate::train::{Consistency, Recipe, StepLoss, Teacher};

use super::message::LoadedModel;
use super::training_pictures::PictureRequest;

/// A number that names one run; larger is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// A velocity that is tuned toward a reward.
#[derive(Clone)]
pub struct Tuning {
    /// The Meta Flow Map that is tuned; it stays as it is and draws.
    pub model: Arc<LoadedModel>,
    /// What is rewarded.
    pub reward: Reward,
    /// How.
    pub recipe: FinetuneRecipe,
}

impl std::fmt::Debug for Tuning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tuning")
            .field("model", &self.model.name)
            .field("reward", &self.reward)
            .field("recipe", &self.recipe)
            .finish()
    }
}

impl PartialEq for Tuning {
    fn eq(&self, other: &Self) -> bool {
        self.model.checkpoint.hash == other.model.checkpoint.hash
            && (&self.reward, &self.recipe) == (&other.reward, &other.recipe)
    }
}

/// What a run is for.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainGoal {
    /// A Meta Flow Map of a world.
    Map(Recipe),
    /// A velocity whose samples follow the world tilted by a reward (methods.md, MFM-FT).
    Reward(Box<Tuning>),
}

impl TrainGoal {
    /// Steps in all.
    pub fn steps(&self) -> u64 {
        match self {
            Self::Map(recipe) => recipe.steps,
            Self::Reward(tuning) => tuning.recipe.steps,
        }
    }

    /// The tuning, if it is one.
    pub fn tuning(&self) -> Option<&Tuning> {
        match self {
            Self::Map(_) => None,
            Self::Reward(tuning) => Some(tuning),
        }
    }
}

/// A run from its beginning.
#[derive(Clone, Debug)]
pub struct TrainRequest {
    /// What is learned; for a reward, what the model was trained on.
    pub world: Arc<World>,
    /// What for, and how.
    pub goal: TrainGoal,
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
    /// Begins a run that learns pictures; the one before it ends.
    StartPictures(Box<PictureRequest>),
    /// Takes up the run on a folder that is kept in a file, and goes on with it.
    TakeUpPictures {
        /// The file, in which it is kept from then on.
        path: PathBuf,
        /// Share of the processor's time.
        share: f64,
    },
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

/// Losses, means over about the last hundred steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrainLosses {
    /// Of a map.
    Map(StepLoss),
    /// Of a tuned velocity.
    Tuned(FinetuneLoss),
}

/// What a look at the averaged network found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrainCheck {
    /// Of a map.
    Map(MapCheck),
    /// Of a tuned velocity.
    Tuned(TunedCheck),
}

/// A look at a map. Distances are sliced W2 to the exact posterior in the world's standard deviations, means over fixed
/// states at a few times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapCheck {
    /// Losses on items that no step sees.
    pub held_out: StepLoss,
    /// Distance of draws in one network call.
    pub one_step: f64,
    /// Distance of draws in four.
    pub four_step: f64,
    /// Distance of a second exact sample of the same size.
    pub floor: f64,
}

/// A look at samples of a velocity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TunedCheck {
    /// Sliced W2 to the tilted target, world units.
    pub distance: f64,
    /// The same of two exact samples of that size.
    pub floor: f64,
    /// Mean reward of the samples.
    pub mean_reward: f64,
    /// Mean reward of the target.
    pub target_mean_reward: f64,
}

/// Samples from the same noise by other means.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// What made them, for a person.
    pub name: String,
    /// `[N, 2]`, world units.
    pub samples: Arc<Vec<[f32; 2]>>,
    /// How far they are; `None` where the target is not known.
    pub check: Option<TunedCheck>,
}

/// What the samples of a tuned velocity stand beside.
#[derive(Clone)]
pub struct TrainBeside {
    /// The tilted target, where it can be normalised.
    pub target: Option<Arc<TiltedTarget>>,
    /// Samples of it; none where it is not known.
    pub exact: Arc<Vec<[f32; 2]>>,
    /// Of the velocity as it was.
    pub untuned: Sampled,
    /// Of steering at inference.
    pub steered: Sampled,
}

/// A point of the curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainPoint {
    /// Steps done.
    pub step: u64,
    /// Time spent on the run, over all sittings, seconds.
    pub secs: f64,
    /// Losses.
    pub loss: TrainLosses,
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
    /// How good it is, where that can be told.
    pub check: Option<TrainCheck>,
    /// Samples of a tuned velocity.
    pub samples: Option<Arc<Vec<[f32; 2]>>>,
}

/// A run as it is now.
#[derive(Clone)]
pub struct TrainReport {
    /// Which run.
    pub run: RunId,
    /// What it learns.
    pub world: Arc<World>,
    /// What for, and how.
    pub goal: TrainGoal,
    /// Where it is.
    pub phase: TrainPhase,
    /// Steps done.
    pub step: u64,
    /// Losses.
    pub loss: TrainLosses,
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
    /// What samples of a tuned velocity stand beside.
    pub beside: Option<Arc<TrainBeside>>,
    /// Why the run is not kept on disk, if it is not.
    pub not_kept: Option<String>,
}

impl TrainReport {
    /// Share of the steps that is done.
    pub fn fraction(&self) -> f32 {
        (self.step as f64 / self.goal.steps().max(1) as f64) as f32
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

/// The recipe of fine-tuning that a session asks for.
pub fn finetune_recipe_of(training: &Training) -> FinetuneRecipe {
    let base = FinetuneRecipe::default();
    FinetuneRecipe {
        steps: u64::from(training.tune_steps),
        seed: training.seed,
        batch: base.batch / 2,
        warm_up: base.warm_up.min(u64::from(training.tune_steps) / 10),
        ..base
    }
}

/// The recipe that a session asks for.
pub fn recipe_of(training: &Training) -> Recipe {
    let base = match training.loss {
        TrainLoss::Eulerian => Recipe::of(Consistency::Eulerian),
        TrainLoss::Lagrangian => Recipe::of(Consistency::Lagrangian),
        TrainLoss::Semigroup => Recipe::of(Consistency::Semigroup),
    };
    Recipe {
        consistency: match training.loss {
            TrainLoss::Eulerian => Consistency::Eulerian,
            TrainLoss::Lagrangian => Consistency::Lagrangian,
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
