//! What goes into the engine and what comes out. Every request describes its work whole: the engine keeps no hidden state between requests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{Checkpoint, DecoderKind};
use crate::gpu::PointBuffer;
use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::{Mixture, World};
use crate::model::FusedMlp;

use super::batch::{BatchAnswer, BatchRequest};
use super::images::{LoadedImages, WallAnswer, WallRequest};
use super::images_more::{
    AgainAnswer, AgainRequest, GroupsAnswer, GroupsRequest, ImageCurvesAnswer, ImageCurvesRequest,
    PicturesRequest,
};
use super::images_open::OpenImages;
use super::steer_message::{
    BudgetAnswer, BudgetRequest, LensAnswer, LensRequest, ScoreCurvesAnswer, ScoresAnswer,
    ScoresRequest, SteerAnswer, SteerRequest, TraceAnswer, TraceRequest,
};
use super::studio_message::{StudioAnswer, StudioRequest};
use super::training_message::{RunId, TrainReport, TrainSaved};
use super::training_pictures::PictureReport;

/// A number that names one request; larger is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Where work of one kind waits. One request waits for each slot: the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Closed forms for the picture: posterior, mean, path, velocity field.
    Scene,
    /// The draws.
    Draws,
    /// The second set of draws.
    Overlay,
    /// Curves against `t`.
    Diversity,
    /// The futures of the particle under the lens.
    Lens,
    /// Scores at the clock's time.
    Scores,
    /// Methods that run side by side.
    Steer,
    /// The wall of pictures.
    Wall,
    /// Steered pictures.
    Studio,
    /// Opening a checkpoint.
    Open,
    /// Opening the map of pictures that a session names.
    OpenImages,
    /// Writing draws to a file.
    Export,
    /// The value along a trajectory.
    Trace,
    /// Scores against `t`.
    ScoreCurves,
    /// Methods at equal compute.
    Budget,
    /// A picture made again.
    Again,
    /// Groups of similar pictures.
    Groups,
    /// Diversity of pictures against `t`.
    ImageCurves,
    /// Steered pictures in the background.
    Batch,
}

impl Slot {
    /// All slots, the most urgent first.
    pub const ALL: [Slot; 19] = [
        Slot::Scene,
        Slot::Draws,
        Slot::Overlay,
        Slot::Lens,
        Slot::Scores,
        Slot::Wall,
        Slot::Again,
        Slot::Groups,
        Slot::Studio,
        Slot::Steer,
        Slot::Open,
        Slot::OpenImages,
        Slot::Export,
        Slot::Trace,
        Slot::ScoreCurves,
        Slot::Diversity,
        Slot::ImageCurves,
        Slot::Budget,
        Slot::Batch,
    ];
}

/// A model that is ready to draw.
#[derive(Clone)]
pub struct LoadedModel {
    /// Card, hash and sizes, as the file says.
    pub checkpoint: Arc<Checkpoint>,
    /// The network.
    pub network: FusedMlp,
    /// What to call it: `three.safetensors`.
    pub name: String,
    /// Where it came from; `None` for a shipped one, and for one that is being trained.
    pub path: Option<PathBuf>,
}

impl LoadedModel {
    /// Whether it was read from a file, shipped or not; else it is a moment of a training run.
    pub fn has_file(&self) -> bool {
        self.checkpoint.bytes > 0
    }
}

/// Where the mathematics of a request ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compute {
    /// The device that paints the window.
    Shared,
    /// The processor.
    Cpu,
}

/// Draws from `p(x_1 | x_t)`.
#[derive(Clone)]
pub struct DrawRequest {
    /// The world, for closed forms and the exact source.
    pub world: Arc<World>,
    /// The model, for learned sources; for `Glass` and `Sde` its velocity is used where there is one, else the exact one.
    pub model: Option<Arc<LoadedModel>>,
    /// How to look ahead.
    pub source: Source,
    /// Time of the state, in [0, 1].
    pub t: f64,
    /// The state, world coordinates.
    pub x_t: [f64; 2],
    /// Root of the noise; the same seed gives the same draws whatever their number.
    pub seed: u64,
    /// How many.
    pub draws: u32,
}

/// Closed forms for the picture.
#[derive(Clone)]
pub struct SceneRequest {
    /// The world.
    pub world: Arc<World>,
    /// Where `x_t` was placed: the path goes through here.
    pub anchor_t: f64,
    /// World coordinates of the placement.
    pub anchor_x: [f64; 2],
    /// The clock.
    pub t: f64,
    /// Whether `x_t` follows the path.
    pub carry: bool,
    /// Corners of the plane in view, `[min, max]`, for the velocity field; `None` where no arrows are shown.
    pub field: Option<[[f64; 2]; 2]>,
}

/// Curves against `t`, along the path or at the fixed `x_t`.
#[derive(Clone)]
pub struct DiversityRequest {
    /// The world.
    pub world: Arc<World>,
    /// The model, if one is loaded.
    pub model: Option<Arc<LoadedModel>>,
    /// How to look ahead.
    pub source: Source,
    /// Where `x_t` was placed.
    pub anchor_t: f64,
    /// World coordinates of the placement.
    pub anchor_x: [f64; 2],
    /// Whether `x_t` follows the path.
    pub carry: bool,
    /// Root of the noise.
    pub seed: u64,
    /// Draws at each time.
    pub draws: u32,
}

/// Writing draws to a file; the ending of its name decides the format (csv, npz, safetensors).
#[derive(Clone)]
pub struct ExportRequest {
    /// What to draw.
    pub draws: DrawRequest,
    /// Where to write.
    pub path: PathBuf,
}

/// What the engine is asked to do.
#[derive(Clone)]
pub enum Command {
    /// See [`SceneRequest`].
    Scene(SceneRequest),
    /// The draws.
    Draws(DrawRequest),
    /// The second set of draws.
    Overlay(DrawRequest),
    /// See [`DiversityRequest`].
    Diversity(DiversityRequest),
    /// Open a checkpoint file, of whatever kind.
    Open(PathBuf),
    /// Open a map of pictures.
    OpenImages(OpenImages),
    /// See [`WallRequest`].
    Wall(WallRequest),
    /// See [`StudioRequest`].
    Studio(StudioRequest),
    /// See [`ExportRequest`].
    Export(ExportRequest),
    /// See [`PicturesRequest`].
    ExportPictures(PicturesRequest),
    /// See [`GroupsRequest`].
    Groups(GroupsRequest),
    /// See [`ImageCurvesRequest`].
    ImageCurves(ImageCurvesRequest),
    /// See [`AgainRequest`].
    Again(AgainRequest),
    /// See [`SteerRequest`].
    Steer(SteerRequest),
    /// See [`ScoresRequest`].
    Scores(ScoresRequest),
    /// Scores of finished runs against `t`.
    ScoreCurves(Arc<SteerAnswer>),
    /// See [`LensRequest`].
    Lens(LensRequest),
    /// See [`TraceRequest`].
    Trace(TraceRequest),
    /// See [`BudgetRequest`].
    Budget(BudgetRequest),
    /// See [`BatchRequest`].
    Batch(BatchRequest),
}

impl Command {
    /// The slot in which the command waits.
    pub fn slot(&self) -> Slot {
        match self {
            Self::Scene(_) => Slot::Scene,
            Self::Draws(_) => Slot::Draws,
            Self::Overlay(_) => Slot::Overlay,
            Self::Diversity(_) => Slot::Diversity,
            Self::Open(_) => Slot::Open,
            Self::OpenImages(_) => Slot::OpenImages,
            Self::Wall(_) => Slot::Wall,
            Self::Studio(_) => Slot::Studio,
            Self::Export(_) | Self::ExportPictures(_) => Slot::Export,
            Self::Groups(_) => Slot::Groups,
            Self::ImageCurves(_) => Slot::ImageCurves,
            Self::Again(_) => Slot::Again,
            Self::Steer(_) => Slot::Steer,
            Self::Scores(_) => Slot::Scores,
            Self::ScoreCurves(_) => Slot::ScoreCurves,
            Self::Lens(_) => Slot::Lens,
            Self::Trace(_) => Slot::Trace,
            Self::Budget(_) => Slot::Budget,
            Self::Batch(_) => Slot::Batch,
        }
    }
}

/// What a set of draws says, beside the closed form. Arrays over modes follow the world's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrawStats {
    /// How many draws these figures used (the first ones).
    pub draws: usize,
    /// Share of draws nearest to each mode.
    pub occupancy: Vec<f64>,
    /// The same for exact draws of the same number.
    pub occupancy_exact: Vec<f64>,
    /// Mean of the draws.
    pub mean: [f64; 2],
    /// Exact posterior mean.
    pub mean_exact: [f64; 2],
    /// Covariance of the draws: xx, xy, yy.
    pub covariance: [f64; 3],
    /// Exact posterior covariance.
    pub covariance_exact: [f64; 3],
    /// Mean pairwise distance.
    pub pairwise: f64,
    /// The same for exact draws of the same number.
    pub pairwise_exact: f64,
    /// Entropy of the occupancy, nats.
    pub entropy: f64,
    /// The same for exact draws.
    pub entropy_exact: f64,
    /// Sliced W2 to exact draws of the same number.
    pub sliced_w2: f64,
    /// Sliced W2 between two independent exact sets of the same number.
    pub floor: f64,
}

/// Draws, ready to paint.
#[derive(Clone)]
pub struct DrawAnswer {
    /// The request.
    pub request: Arc<DrawRequest>,
    /// All draws, on the device that paints; `None` where the engine has no such device (command line, tests).
    pub points: Option<PointBuffer>,
    /// The first draws (at most [`Self::HOST_DRAWS`]), for hovering and statistics; all of them where `points` is `None`.
    pub host: Arc<Vec<[f32; 2]>>,
    /// Where it ran.
    pub compute: Compute,
    /// From the start of the work to the draws on the device.
    pub elapsed: Duration,
    /// Function evaluations spent.
    pub counters: Counters,
}

impl DrawAnswer {
    /// The most draws that are kept beside those on the device.
    pub const HOST_DRAWS: usize = 4096;
}

/// Closed forms for the picture, see [`SceneRequest`].
#[derive(Clone)]
pub struct SceneAnswer {
    /// The request.
    pub request: Arc<SceneRequest>,
    /// The state at the clock's time.
    pub x_t: [f64; 2],
    /// `p_t`.
    pub marginal: Mixture,
    /// `p(x_1 | x_t)`.
    pub posterior: Mixture,
    /// Density levels whose regions hold 50, 80 and 95 % of the posterior.
    pub levels: [f64; 3],
    /// The denoised mean `E[x_1 | x_t]`.
    pub denoised: [f64; 2],
    /// The probability-flow path through the anchor: `(t, x)` with rising `t`, from 0 to 1.
    pub path: Vec<(f64, [f64; 2])>,
    /// Arrows: position and velocity.
    pub field: Vec<([f64; 2], [f64; 2])>,
}

/// One time of the curves.
#[derive(Clone, Debug, PartialEq)]
pub struct DiversityPoint {
    /// Time.
    pub t: f64,
    /// The state there.
    pub x_t: [f64; 2],
    /// The figures.
    pub stats: DrawStats,
}

/// Curves against `t`; grows while it is computed.
#[derive(Clone)]
pub struct DiversityAnswer {
    /// The request.
    pub request: Arc<DiversityRequest>,
    /// The points so far, rising `t`.
    pub points: Vec<DiversityPoint>,
    /// Whether all times are there.
    pub complete: bool,
}

/// How far a long job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing, for a person: "reading three.safetensors".
    pub label: String,
    /// Share done, in [0, 1], where it is known.
    pub fraction: Option<f32>,
    /// Time left, where it can be told.
    pub left: Option<Duration>,
}

/// What the engine found out about the places where it can compute.
#[derive(Clone, Debug, PartialEq)]
pub struct ComputeReport {
    /// What is used now.
    pub active: Compute,
    /// Time of 4,096 one-step draws on the processor.
    pub cpu: Option<Duration>,
    /// The same on the device that paints.
    pub shared: Option<Duration>,
    /// Time until the first draw on the device that paints (compiling included).
    pub shared_first: Option<Duration>,
    /// What went wrong with the shared device, if it did.
    pub trouble: Option<String>,
    /// Why pictures, or what decodes them, stay on the processor though the shared device was chosen; the newest reason.
    pub pictures: Option<String>,
}

/// What comes out of the engine.
#[derive(Clone)]
pub enum Event {
    /// Closed forms.
    Scene(RequestId, Arc<SceneAnswer>),
    /// Draws of `Slot::Draws` or `Slot::Overlay`.
    Draws(RequestId, Slot, Arc<DrawAnswer>),
    /// Figures of the draws with the same id.
    Stats(RequestId, Slot, Arc<DrawStats>),
    /// Curves, growing.
    Diversity(RequestId, Arc<DiversityAnswer>),
    /// A checkpoint is open.
    Opened(RequestId, Arc<LoadedModel>),
    /// A map of pictures is open, asked for in `Slot::Open` or `Slot::OpenImages`.
    OpenedImages(RequestId, Slot, Arc<LoadedImages>),
    /// The file that was to be opened decodes latents: it is for a map, not by itself.
    FoundDecoder(RequestId, PathBuf, DecoderKind),
    /// Pictures of the wall, growing.
    Wall(RequestId, Arc<WallAnswer>),
    /// Steered pictures, growing.
    Studio(RequestId, Arc<StudioAnswer>),
    /// Draws were written; how many.
    Exported(RequestId, PathBuf, usize),
    /// Pictures were written; what, in words.
    Written(RequestId, String),
    /// Groups of a wall.
    Groups(RequestId, Arc<GroupsAnswer>),
    /// Diversity of pictures against `t`, growing.
    ImageCurves(RequestId, Arc<ImageCurvesAnswer>),
    /// A picture made again.
    Again(RequestId, Arc<AgainAnswer>),
    /// Runs side by side, growing.
    Steer(RequestId, Arc<SteerAnswer>),
    /// Scores at one time.
    Scores(RequestId, Arc<ScoresAnswer>),
    /// Scores against `t`, growing.
    ScoreCurves(RequestId, Arc<ScoreCurvesAnswer>),
    /// Futures of one particle.
    Lens(RequestId, Arc<LensAnswer>),
    /// The value along a trajectory, growing.
    Trace(RequestId, Arc<TraceAnswer>),
    /// Methods at equal compute, growing.
    Budget(RequestId, Arc<BudgetAnswer>),
    /// Steered pictures in the background, growing.
    Batch(RequestId, Arc<BatchAnswer>),
    /// Progress of a long job.
    Progress(RequestId, Slot, Progress),
    /// A request failed; the message says what to do.
    Failed(RequestId, Slot, String),
    /// A request was cancelled (by Esc; a newer request replaces silently).
    Cancelled(RequestId, Slot),
    /// Where the engine computes, after each change.
    Compute(ComputeReport),
    /// A training run, about ten times a second while it learns.
    Training(Arc<TrainReport>),
    /// The run of pictures as it is now.
    TrainingPictures(Arc<PictureReport>),
    /// A checkpoint of a training run was written, or was not.
    TrainSaved(Arc<TrainSaved>),
    /// A run could not begin; the message says what to do.
    TrainRefused(RunId, String),
}
