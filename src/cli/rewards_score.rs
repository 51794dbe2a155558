//! `foresight rewards PICTURES --reward REWARD`: what a reward says of pictures in files, each at its own size.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::picture_file::print_scores;
use super::pictures::judge_for;
use super::scorers::ScorerOptions;
use crate::engine::open_scorers;
use crate::reward::picture::{PictureParts, PictureReward, PictureScorers};
use crate::train::read_whole_picture;

/// Pictures that are scored.
#[derive(Debug, Clone, Default, Args)]
pub struct ScoredPictures {
    /// Pictures to score, PNG or JPEG, at most 512 pixels wide and high.
    #[arg(requires = "reward", conflicts_with = "typical")]
    pub pictures: Vec<PathBuf>,
    /// What to score them with. Terms that compare with a reference picture belong to 'foresight futures' and 'foresight
    /// steer'.
    #[arg(
        long,
        allow_hyphen_values = true,
        value_name = "REWARD",
        requires = "pictures"
    )]
    pub reward: Option<PictureReward>,
    /// A classifier of such pictures; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE", requires = "reward")]
    pub classifier: Option<PathBuf>,
    /// Where the files are that the reward asks.
    #[command(flatten)]
    pub scorers: ScorerOptions,
}

impl ScoredPictures {
    /// Prints a score a picture.
    ///
    /// # Errors
    /// With a message for the person.
    pub(super) fn tell(&self, reward: &PictureReward, as_json: bool) -> Result<(), String> {
        let scorers = open_scorers(reward, &self.scorers.files())?;
        let mut scores = Vec::new();
        for path in &self.pictures {
            let score = self.score(reward, &scorers, path)?;
            scores.push((path.display().to_string(), score));
        }
        print_scores(&scores, 4, as_json)
    }

    fn score(
        &self,
        reward: &PictureReward,
        scorers: &PictureScorers,
        path: &Path,
    ) -> Result<f32, String> {
        let (shape, bytes) = read_whole_picture(path)?;
        let picture: Vec<f32> = bytes.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
        let judge = judge_for(self.classifier.as_deref(), shape, None)?;
        let parts = PictureParts {
            judge: judge.map(|(_, judge)| Arc::new(judge)),
            scorers: scorers.clone(),
            ..PictureParts::default()
        };
        let bound = reward.bind(shape, &parts);
        let bound = bound.map_err(|e| format!("{}: {e}", path.display()))?;
        let mut scores = [0.0];
        bound.score(&picture, &mut scores);
        Ok(scores[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_scored_at_its_own_size_and_one_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let colours = image::RgbImage::from_fn(9, 5, |x, _| image::Rgb([255, 0, x as u8 * 28]));
        colours.save(&path).unwrap();
        let (shape, bytes) = read_whole_picture(&path).unwrap();
        assert_eq!((shape, bytes.len()), ([3, 5, 9], 3 * 45));
        assert!(bytes[..45].iter().all(|v| *v == 255) && bytes[47] == 0);
        let score = |reward: &str| {
            let reward: PictureReward = reward.parse().unwrap();
            ScoredPictures::default().score(&reward, &PictureScorers::default(), &path)
        };
        assert!(score("warmth").unwrap() > 0.0);
        let message = score("class:3").unwrap_err();
        assert!(
            message.contains("p.png: 'class:3' needs a classifier"),
            "{message}"
        );
    }
}
