//! What the engine is asked about steered pictures, and what it answers.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Counters;
use crate::model::Judged;
use crate::reward::picture::{PictureReward, PictureScorers, ReferencePicture, ScorerFiles};
use crate::steer::images::{ImageFrame, ImagePlan, ImageStart};

use super::images::LoadedImages;
use super::images_rewards::SecondKind;
use super::message::Compute;
use super::scorers::open_scorers;

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
    /// Pictures that the rewards refer to.
    pub references: Vec<ReferencePicture>,
    /// Where the files are that they may ask.
    pub files: ScorerFiles,
}

impl StudioRequest {
    /// What its rewards ask of files, read.
    pub(super) fn scorers(&self) -> Result<PictureScorers, String> {
        let rewards = self.panels.iter().map(|panel| &panel.reward);
        let mut scorers = open_scorers(&self.measure, &self.files)?;
        for reward in rewards {
            scorers = scorers.or(open_scorers(reward, &self.files)?);
        }
        Ok(scorers)
    }

    /// Whether panel `a` of this request gives the same as panel `b` of another.
    pub fn same_panel(&self, a: usize, other: &Self, b: usize) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
            && self.panels.get(a).is_some()
            && self.panels.get(a) == other.panels.get(b)
            && self.start == other.start
            && self.particles == other.particles
            && self.measure == other.measure
            && self.references == other.references
            && self.files == other.files
    }
}

/// What a step of a run under way looks like becoming, decoded roughly.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Which step.
    pub number: usize,
    /// `[P][C H W]`, 0 black.
    pub pictures: Arc<[u8]>,
}

/// One panel's run so far.
#[derive(Clone, Debug, Default)]
pub struct StudioRun {
    /// The steps so far, the start first; the last is the pictures once the run is done.
    pub frames: Vec<Arc<ImageFrame>>,
    /// Of latents: what the states of each step look like becoming, `[P][C H W]`, 0 black; empty where the map makes
    /// pictures. The finished ones are decoded as they are kept, those before them as soon as can be.
    pub shown: Vec<Arc<[u8]>>,
    /// While it runs, where only a large decoder is at hand: what the states of a step look like becoming, at half the
    /// resolution, `[P][C H W]`. Never kept.
    pub preview: Option<Preview>,
    /// Scores of the finished pictures by the request's measure; empty before.
    pub rewards: Vec<f64>,
    /// Of the finished pictures, a score that the reward does not know; empty before.
    pub second: Vec<f64>,
    /// What that score looks at.
    pub second_kind: Option<SecondKind>,
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

    /// The preview that stands for a step, where there is one: that of the newest step that was decoded, until the run
    /// is done.
    pub fn preview_of(&self, number: usize) -> Option<&Arc<[u8]>> {
        let preview = self.preview.as_ref().filter(|_| !self.done)?;
        (preview.number <= number).then_some(&preview.pictures)
    }

    /// Whether its reward is above that of `base`, its second score clearly below: the reward is exploited.
    pub fn exploits(&self, base: &Self) -> bool {
        /// Standard errors by which the second score must be lower.
        const CLEAR: f64 = 2.0;
        let gain = paired(&self.rewards, &base.rewards);
        let second = paired(&self.second, &base.second);
        match (gain, second) {
            (Some((gain, _)), Some((second, error))) => gain > 0.0 && -second > CLEAR * error,
            _ => false,
        }
    }

    /// Numbers that its frames hold.
    pub(super) fn size(&self) -> usize {
        let frames = self.frames.iter().map(|f| f.x.len() + f.mean.len());
        let shown = self.shown.iter().map(|bytes| bytes.len() / 4);
        frames.chain(shown).sum()
    }
}

/// Mean of the differences of pictures of the same noise, and its standard error; `None` for fewer than two.
fn paired(of: &[f64], base: &[f64]) -> Option<(f64, f64)> {
    if of.len() != base.len() || of.len() < 2 {
        return None;
    }
    let n = of.len() as f64;
    let each = || of.iter().zip(base).map(|(a, b)| a - b);
    let mean = each().sum::<f64>() / n;
    let squares: f64 = each().map(|d| (d - mean).powi(2)).sum();
    Some((mean, (squares / (n - 1.0) / n).sqrt()))
}

/// The runs of a [`StudioRequest`], growing.
#[derive(Clone)]
pub struct StudioAnswer {
    /// The request.
    pub request: Arc<StudioRequest>,
    /// One a panel.
    pub panels: Vec<StudioRun>,
    /// Where the map is asked.
    pub compute: Compute,
    /// Why latents are no longer decoded on their way; their steps are in false colours, and the ends are decoded all the
    /// same.
    pub unseen: Option<String>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_is_exploited_where_it_rises_and_the_second_score_clearly_falls() {
        let run = |rewards: &[f64], second: &[f64]| StudioRun {
            rewards: rewards.to_vec(),
            second: second.to_vec(),
            ..StudioRun::default()
        };
        let base = run(&[0.0, 1.0, 0.5], &[5.0, 6.0, 7.0]);
        assert!(run(&[2.0, 3.0, 2.5], &[3.0, 4.1, 5.0]).exploits(&base));
        assert!(!run(&[2.0, 3.0, 2.5], &[5.5, 4.0, 8.0]).exploits(&base));
        assert!(!run(&[-2.0, -3.0, 0.0], &[3.0, 4.1, 5.0]).exploits(&base));
        assert!(!run(&[2.0], &[3.0]).exploits(&run(&[0.0], &[5.0])));
    }
}
