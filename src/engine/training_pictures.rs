//! What is said of runs that learn pictures: maps trained on a folder, and velocities tuned toward a reward.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::DitConfig;
use crate::reward::picture::{PictureReward, ScorerFiles};
use crate::train::StepLoss;
use crate::train::finetune::FinetuneLoss;
use crate::train::finetune_images::{ImageTuneRecipe, PictureFigures};
use crate::train::image::ImageRecipe;

use super::images::LoadedImages;
use super::training_message::{RunId, TrainPhase};

/// A velocity of pictures that is tuned toward a reward.
#[derive(Clone)]
pub struct PictureTuning {
    /// The map that is tuned; it stays as it is and draws.
    pub model: Arc<LoadedImages>,
    /// What is rewarded.
    pub reward: PictureReward,
    /// Where the files are that it may ask.
    pub files: ScorerFiles,
    /// How.
    pub recipe: ImageTuneRecipe,
}

/// A map of the pictures of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderTraining {
    /// A folder of class folders, an archive of one, or MNIST's files.
    pub path: PathBuf,
    /// Whether the pictures have colours: 32 x 32 pixels of three channels, else 28 x 28 of one.
    pub colour: bool,
    /// Steps in all.
    pub steps: u64,
    /// Items of a step.
    pub batch: usize,
    /// Root seed.
    pub seed: u64,
}

impl FolderTraining {
    /// Height and width of the pictures, and their channels.
    pub fn shape(&self) -> [usize; 3] {
        if self.colour {
            [3, 32, 32]
        } else {
            [1, 28, 28]
        }
    }

    /// How a map of so many classes is trained: a network of 1.5 million parameters and 16 patches, which two processor
    /// cores can teach while a person waits.
    pub fn recipe(&self, classes: usize) -> ImageRecipe {
        let [in_channels, input_size, _] = self.shape();
        let base = ImageRecipe::digits();
        ImageRecipe {
            model: DitConfig {
                input_size,
                in_channels,
                patch_size: input_size / 4,
                hidden_size: 128,
                depth: 4,
                num_heads: 4,
                encoder_depth: 3,
                label_dim: classes.max(1),
                ..base.model.clone()
            },
            steps: self.steps,
            batch: self.batch,
            micro_batch: self.batch,
            seed: self.seed,
            // What a jump is taught comes from the network itself, which has to know velocities first.
            jumps_from: self.steps / 3,
            warm_up: base.warm_up.min(self.steps / 10),
            mirror: false,
            ..base
        }
    }
}

/// What a run is for.
#[derive(Clone)]
pub enum PictureGoal {
    /// A Meta Flow Map of the pictures of a folder.
    Folder(FolderTraining),
    /// A velocity whose samples follow a reward.
    Reward(Box<PictureTuning>),
}

impl PictureGoal {
    /// Steps in all.
    pub fn steps(&self) -> u64 {
        match self {
            Self::Folder(folder) => folder.steps,
            Self::Reward(tuning) => tuning.recipe.steps,
        }
    }

    /// The tuning, if it is one.
    pub fn tuning(&self) -> Option<&PictureTuning> {
        match self {
            Self::Folder(_) => None,
            Self::Reward(tuning) => Some(tuning),
        }
    }
}

impl PartialEq for PictureGoal {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(a), Self::Folder(b)) => a == b,
            (Self::Reward(a), Self::Reward(b)) => {
                a.model.hash == b.model.hash && (&a.reward, a.recipe) == (&b.reward, b.recipe)
            }
            _ => false,
        }
    }
}

impl std::fmt::Debug for PictureGoal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            Self::Reward(tuning) => f
                .debug_struct("Reward")
                .field("model", &tuning.model.name)
                .field("reward", &tuning.reward.to_string())
                .finish_non_exhaustive(),
        }
    }
}

/// A run from its beginning.
#[derive(Clone, Debug)]
pub struct PictureRequest {
    /// What for, and how.
    pub goal: PictureGoal,
    /// Share of the processor's time, above 0, at most 1.
    pub share: f64,
    /// Where a run on a folder is kept while it is under way, so that it can be taken up again.
    pub keep: Option<PathBuf>,
}

/// The file beside a kept run that says which folder it learns.
pub fn kept_folder(kept: &Path) -> PathBuf {
    let mut name = kept.file_name().unwrap_or_default().to_owned();
    name.push(".json");
    kept.with_file_name(name)
}

/// Losses, means over some of the last steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PictureLosses {
    /// Of a map.
    Map(StepLoss),
    /// Of a tuned velocity.
    Tuned(FinetuneLoss),
}

/// A point of the curves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PicturePoint {
    /// Steps done.
    pub step: u64,
    /// Losses.
    pub loss: PictureLosses,
    /// Mean reward of the samples of a tuned velocity, where there was a look.
    pub reward: Option<f64>,
    /// Entropy of their classes, bits, where a classifier knows them.
    pub entropy: Option<f64>,
}

/// Pictures from the same noise whoever makes them.
#[derive(Clone, Debug)]
pub struct PictureGrid {
    /// Steps done.
    pub step: u64,
    /// `[n][C H W]`, -1 black and 1 white.
    pub pictures: Arc<Vec<f32>>,
    /// What they amount to; the reward of a map's pictures is 0.
    pub figures: PictureFigures,
}

/// A run as it is now.
#[derive(Clone)]
pub struct PictureReport {
    /// Which run.
    pub run: RunId,
    /// What for, and how.
    pub goal: PictureGoal,
    /// `[C, H, W]`.
    pub shape: [usize; 3],
    /// Where it is.
    pub phase: TrainPhase,
    /// What is made before the first step.
    pub stage: Option<String>,
    /// Steps done.
    pub step: u64,
    /// Losses; `None` before the first step.
    pub loss: Option<PictureLosses>,
    /// Steps a second, rests included; 0 while it is not known.
    pub rate: f64,
    /// Time left, where it can be told.
    pub left: Option<Duration>,
    /// Threads at work, and the share of the time in which they work.
    pub pace: (usize, f64),
    /// The curves, rising steps.
    pub curve: Arc<Vec<PicturePoint>>,
    /// The newest look.
    pub samples: Option<Arc<PictureGrid>>,
    /// What stands beside: the map's own pictures from the same noise, or real ones.
    pub beside: Option<Arc<PictureGrid>>,
    /// Mean reward of the tilted target, as far as the map's own pictures tell.
    pub target_reward: Option<f64>,
    /// Why the run is not kept on disk, if it is not.
    pub not_kept: Option<String>,
}

impl PictureReport {
    /// Share of the steps that is done.
    pub fn fraction(&self) -> f32 {
        (self.step as f64 / self.goal.steps().max(1) as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_for_a_folder_can_be_run_on_the_processors_kernel() {
        for colour in [false, true] {
            let folder = FolderTraining {
                path: "pictures".into(),
                colour,
                steps: 3000,
                batch: 64,
                seed: 0,
            };
            let recipe = folder.recipe(3);
            assert_eq!(recipe.fault(), None);
            assert_eq!(recipe.model.state(), folder.shape());
            assert!(crate::model::NativeDit::learns(&recipe.model));
            // What the side panel says.
            let millions = recipe.model.parameters() as f64 / 1e6;
            assert!((1.45..1.6).contains(&millions), "{millions}");
        }
    }
}
