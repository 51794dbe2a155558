//! What the Train workspace trains, and how: the world and the draws' seed are the session's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrainFor {
    /// A map that draws what a state could become in the world on the canvas.
    #[default]
    World,
    /// A velocity whose samples follow the Steering workspace's reward.
    Reward,
    /// A map of the pictures of a folder.
    Folder,
    /// A velocity of the Images workspace's map, whose pictures follow a reward.
    PictureReward,
}

/// What the samples of a tuned velocity stand beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TunedBeside {
    /// The exact tilted target.
    #[default]
    Exact,
    /// Steering at inference.
    Steered,
    /// The velocity as it was.
    Before,
}

/// What jumps are trained to agree with (methods.md 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrainLoss {
    /// The jump's derivative along the velocity: ESD with the exact velocity, MeanFlow with samples alone.
    #[default]
    Eulerian,
    /// The end of the jump moves with the velocity there: LSD.
    Lagrangian,
    /// Two jumps made one after the other: PSD.
    Semigroup,
}

/// Where velocities come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrainTeacher {
    /// The closed form of the world.
    #[default]
    Exact,
    /// Samples alone, as with real data.
    Data,
}

/// A training run as it would begin now, and how the network is looked at while it learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// What a run is for.
    pub learns: TrainFor,
    /// What jumps agree with.
    pub loss: TrainLoss,
    /// Where velocities come from.
    pub teacher: TrainTeacher,
    /// Steps in all.
    pub steps: u32,
    /// Items of a step.
    pub batch: u32,
    /// Root seed of weights, items and noise.
    pub seed: u64,
    /// Share of the processor's time that training may take, above 0, at most 1.
    pub share: f64,
    /// Network calls behind each draw that is shown.
    pub calls: u32,
    /// Steps of a run toward a reward.
    pub tune_steps: u32,
    /// What stands beside its samples.
    pub beside: TunedBeside,
    /// The pictures that a map learns: a folder of class folders, an archive of one, or MNIST's files.
    pub folder: Option<PathBuf>,
    /// Whether they are taken in colour.
    pub folder_colour: bool,
    /// Steps of a run on a folder.
    pub folder_steps: u32,
    /// Pictures of a step of it.
    pub folder_batch: u32,
    /// What pictures are rewarded for, as on the command line.
    pub picture_reward: String,
    /// Steps of a run toward it.
    pub picture_steps: u32,
    /// Whether it is maximised instead, which collapses.
    pub picture_maximise: bool,
}

impl Default for Training {
    /// A network that draws well after a minute or two of one core.
    fn default() -> Self {
        Self {
            learns: TrainFor::default(),
            loss: TrainLoss::default(),
            teacher: TrainTeacher::default(),
            steps: 6_000,
            batch: 512,
            seed: 0,
            share: 0.5,
            calls: 1,
            tune_steps: 1_500,
            beside: TunedBeside::default(),
            folder: None,
            folder_colour: false,
            folder_steps: 3_000,
            folder_batch: 64,
            picture_reward: "class:0@4".to_owned(),
            picture_steps: 300,
            picture_maximise: false,
        }
    }
}

impl Training {
    /// Most steps of a run in the window.
    pub const MAX_STEPS: u32 = 1_000_000;
    /// Fewest and most items of a step in the window.
    pub const BATCHES: std::ops::RangeInclusive<u32> = 32..=8_192;
    /// Fewest and most pictures of a step in the window.
    pub const FOLDER_BATCHES: std::ops::RangeInclusive<u32> = 8..=512;
    /// Longest reward of pictures.
    pub const MAX_REWARD: usize = 2_000;
    /// Smallest share of the processor's time.
    pub const LEAST_SHARE: f64 = 0.05;
    /// Most network calls behind a draw.
    pub const MAX_CALLS: u32 = 16;

    /// What is wrong with it: the field, its value, and what is accepted.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let rules = [
            (
                "training.steps",
                (1..=Self::MAX_STEPS).contains(&self.steps),
                self.steps.to_string(),
                "1 to 1,000,000 are possible in the window",
            ),
            (
                "training.tune_steps",
                (1..=Self::MAX_STEPS).contains(&self.tune_steps),
                self.tune_steps.to_string(),
                "1 to 1,000,000 are possible in the window",
            ),
            (
                "training.batch",
                Self::BATCHES.contains(&self.batch),
                self.batch.to_string(),
                "32 to 8,192 are possible in the window",
            ),
            (
                "training.folder_steps",
                (1..=Self::MAX_STEPS).contains(&self.folder_steps),
                self.folder_steps.to_string(),
                "1 to 1,000,000 are possible in the window",
            ),
            (
                "training.folder_batch",
                Self::FOLDER_BATCHES.contains(&self.folder_batch),
                self.folder_batch.to_string(),
                "8 to 512 are possible in the window",
            ),
            (
                "training.picture_steps",
                (1..=Self::MAX_STEPS).contains(&self.picture_steps),
                self.picture_steps.to_string(),
                "1 to 1,000,000 are possible in the window",
            ),
            (
                "training.picture_reward",
                self.picture_reward.len() <= Self::MAX_REWARD,
                format!("{} letters", self.picture_reward.len()),
                "at most 2,000 are possible",
            ),
            (
                "training.share",
                (Self::LEAST_SHARE..=1.0).contains(&self.share),
                self.share.to_string(),
                "0.05 to 1 are possible",
            ),
            (
                "training.calls",
                (1..=Self::MAX_CALLS).contains(&self.calls),
                self.calls.to_string(),
                "1 to 16 are possible",
            ),
        ];
        let broken = rules.into_iter().find(|(_, holds, ..)| !holds);
        broken.map(|(field, _, value, expected)| (field, value, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_is_possible_and_what_is_not_is_named() {
        assert_eq!(Training::default().fault(), None);
        let fault = |edit: fn(&mut Training)| {
            let mut training = Training::default();
            edit(&mut training);
            training.fault().unwrap().0
        };
        assert_eq!(fault(|t| t.steps = 0), "training.steps");
        assert_eq!(fault(|t| t.batch = 1 << 30), "training.batch");
        assert_eq!(fault(|t| t.share = f64::NAN), "training.share");
        assert_eq!(fault(|t| t.calls = 0), "training.calls");
    }
}
