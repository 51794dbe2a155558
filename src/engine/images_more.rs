//! What else is asked about pictures: groups of a wall, curves against `t`, a picture made again, files.

use std::path::PathBuf;
use std::sync::Arc;

use crate::metrics::{Clusters, ScoreFigures};
use crate::reward::picture::ScorerFiles;
use crate::session::{KeptPicture, Likeness, Made, SheetCell, StoredPicture};

use super::images::{LoadedImages, WallAnswer, WallFigures, WallRequest};
use super::studio_film::SteeringFilm;

/// Which pictures of a wall are alike.
#[derive(Clone)]
pub struct GroupsRequest {
    /// The wall, whole.
    pub wall: Arc<WallAnswer>,
    /// By what.
    pub likeness: Likeness,
}

/// Groups of a wall.
#[derive(Clone)]
pub struct GroupsAnswer {
    /// The request.
    pub request: Arc<GroupsRequest>,
    /// Group of each picture, the largest first.
    pub clusters: Clusters,
    /// Likeliest class of the pictures of each group and its share among them; `None` without a classifier.
    pub mostly: Vec<Option<(usize, f64)>>,
    /// By what they were compared in the end: pixels where there is no classifier.
    pub likeness: Likeness,
}

/// How different the draws are, against `t`, of one way to look ahead.
#[derive(Clone)]
pub struct ImageCurvesRequest {
    /// The wall: its time is not looked at, and `draws` are made at each time.
    pub wall: WallRequest,
}

impl ImageCurvesRequest {
    /// Whether both ask for the same curves.
    pub fn same(&self, other: &Self) -> bool {
        let mut wall = other.wall.clone();
        wall.t = self.wall.t;
        self.wall.same(&wall)
    }
}

/// One time of the curves.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageCurvePoint {
    /// Time.
    pub t: f64,
    /// What the draws there say together; without their pictures.
    pub figures: WallFigures,
    /// What the reward says of them; `None` where nothing is rewarded.
    pub scores: Option<ScoreFigures>,
}

/// Curves of one way to look ahead; grow while they are computed.
#[derive(Clone)]
pub struct ImageCurvesAnswer {
    /// The request.
    pub request: Arc<ImageCurvesRequest>,
    /// The points so far, rising `t`.
    pub points: Vec<ImageCurvePoint>,
    /// Evaluations of the network for one draw.
    pub evaluations: f64,
    /// Whether all times are there.
    pub complete: bool,
}

/// A kept picture, made again.
#[derive(Clone)]
pub struct AgainRequest {
    /// The map.
    pub model: Arc<LoadedImages>,
    /// What makes it.
    pub made: Made,
    /// Where the files are that its reward may ask.
    pub files: ScorerFiles,
}

/// The picture as it is now.
#[derive(Clone)]
pub struct AgainAnswer {
    /// The request.
    pub request: Arc<AgainRequest>,
    /// The picture, rounded to 8 bits.
    pub picture: StoredPicture,
}

/// What is written of pictures.
#[derive(Clone)]
pub enum PicturesExport {
    /// One picture as PNG, each pixel `scale` times as wide; with the settings that make it again, or without.
    Picture {
        /// The picture.
        kept: Box<KeptPicture>,
        /// Enlargement.
        scale: u32,
        /// Whether the settings are in the file.
        settings: bool,
    },
    /// A contact sheet as PNG.
    Sheet(Vec<SheetCell>),
    /// The wall, or one draw of it, while `t` goes from 0 to 1: a GIF, or numbered PNG files.
    Scrub {
        /// The wall; its time is not looked at.
        wall: WallRequest,
        /// One draw alone.
        item: Option<u32>,
        /// How many times, 2 to 1,000.
        frames: u32,
    },
    /// Steered runs step by step: a GIF, or numbered PNG files.
    Steering(SteeringFilm),
    /// The wall as NPZ or safetensors.
    Arrays(Arc<WallAnswer>),
}

/// Pictures to a file; the ending of its name decides the format.
#[derive(Clone)]
pub struct PicturesRequest {
    /// What is written.
    pub what: PicturesExport,
    /// Where.
    pub path: PathBuf,
}
