//! Rewards of pictures on plain numbers.
//!
//! A [`PictureReward`] is what a person chose, as text and in sessions: a weighted sum of terms. [`PictureReward::bind`]
//! gives it what it refers to, a classifier and reference pictures, and makes the [`PictureScore`] of it.

mod bind;
mod brisque;
mod colour;
mod counted;
mod decoded;
mod error;
mod files;
mod judged;
mod kind;
mod light;
mod measure;
mod prompt;
mod score;
mod spec;
mod stroke;
mod term;
#[cfg(test)]
mod tests;

pub use crate::model::{IMAGENET_CLASSES, imagenet_class_name, imagenet_class_names};
pub use bind::{PictureParts, PictureScorers, PromptHead, ReferencePicture};
pub use decoded::DecodedScore;
pub use error::PictureRewardError;
pub use files::{ScorerFile, ScorerFiles};
pub use kind::{Needs, PictureKind};
pub use prompt::Prompt;
pub use spec::{PictureReward, WeightedTerm};
pub use term::PictureTerm;

/// A reward of pictures whose every part is at hand. Pictures are `[n][C H W]`, -1 black and 1 white. What every
/// formula calls `r` has the strength inside. The score of a picture does not depend on the pictures beside it.
pub trait PictureScore: Send + Sync {
    /// `[C, H, W]` of the pictures that it scores.
    fn shape(&self) -> [usize; 3];

    /// Scores of `pictures` into `scores`, `[n]`.
    fn score(&self, pictures: &[f32], scores: &mut [f32]);

    /// Scores and their gradients, `[n]` and `[n][C H W]`.
    ///
    /// # Panics
    /// May panic where [`Self::without_gradient`] names a part.
    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]);

    /// The part that has no gradient, by name, if there is one: such a reward can be searched with, not followed.
    fn without_gradient(&self) -> Option<&str>;
}
