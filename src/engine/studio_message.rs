//! What the engine is asked about steered pictures, and what it answers.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Counters;
use crate::model::Judged;
use crate::reward::picture::{PictureReward, ReferencePicture};
use crate::steer::images::{ImageFrame, ImagePlan, ImageStart};

use super::images::LoadedImages;

/// One way to make the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioPanel {
    /// How, with every step kept.
    pub plan: ImagePlan,
    /// What is followed; the strength may differ from panel to panel.
    pub reward: PictureReward,
}

/// Several ways at once, of the same particles.
#[derive(Clone)]
pub struct StudioRequest {
    /// The map.
    pub model: Arc<LoadedImages>,
    /// One run each.
    pub panels: Vec<StudioPanel>,
    /// Where all begin.
    pub start: ImageStart,
    /// Which particles.
    pub particles: Range<u32>,
    /// What all are scored with at the end.
    pub measure: PictureReward,
    /// Another score that is only looked at.
    pub second: Option<PictureReward>,
    /// Pictures that the rewards refer to.
    pub references: Vec<ReferencePicture>,
}

impl StudioRequest {
    /// Whether panel `a` of this request gives the same as panel `b` of another.
    pub fn same_panel(&self, a: usize, other: &Self, b: usize) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
            && self.panels.get(a).is_some()
            && self.panels.get(a) == other.panels.get(b)
            && self.start == other.start
            && self.particles == other.particles
            && self.measure == other.measure
            && self.second == other.second
            && self.references == other.references
    }
}

/// One panel's run so far.
#[derive(Clone, Debug, Default)]
pub struct StudioRun {
    /// The steps so far, the start first; the last is the pictures once the run is done.
    pub frames: Vec<Arc<ImageFrame>>,
    /// Scores of the finished pictures by the request's measure; empty before.
    pub rewards: Vec<f64>,
    /// The same by its second score; empty without one.
    pub second: Vec<f64>,
    /// What the classifier says of the finished pictures, where there is one.
    pub judged: Option<Judged>,
    /// What was asked for until now.
    pub counters: Counters,
    /// Pictures that are not finite numbers.
    pub non_finite: u64,
    /// Share done.
    pub fraction: f32,
    /// Whether it is at its end.
    pub done: bool,
    /// Why there are no pictures; the text says what to do.
    pub trouble: Option<String>,
    /// Time spent.
    pub elapsed: Duration,
}

impl StudioRun {
    /// The latest time that is there.
    pub fn reached(&self) -> f64 {
        self.frames.last().map_or(0.0, |frame| frame.t)
    }

    /// Numbers that its frames hold.
    pub(super) fn size(&self) -> usize {
        self.frames.iter().map(|f| f.x.len() + f.mean.len()).sum()
    }
}

/// The runs of a [`StudioRequest`], growing.
#[derive(Clone)]
pub struct StudioAnswer {
    /// The request.
    pub request: Arc<StudioRequest>,
    /// One a panel.
    pub panels: Vec<StudioRun>,
    /// Whether all are at their ends.
    pub complete: bool,
}

impl StudioAnswer {
    /// The latest time that every panel without trouble has reached.
    pub fn reached(&self) -> f64 {
        let sound = self.panels.iter().filter(|panel| panel.trouble.is_none());
        sound.map(StudioRun::reached).fold(1.0, f64::min)
    }
}
