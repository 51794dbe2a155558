//! A reward of pictures on the command line: its options, and what it says of draws.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::scorers::ScorerOptions;
use crate::engine::{open_scorers, typical_digits, wall_scores};
use crate::model::ImageJudge;
use crate::reward::picture::{PictureParts, PictureReward, PictureScore, ReferencePicture};
use crate::session::{FreePart, ParseMaskError};
use crate::train::{is_picture, read_picture};

/// Options of a reward of pictures.
#[derive(Debug, Clone, Default, Args)]
pub struct RewardOptions {
    /// Score the pictures: a sum of terms as in 'class:3@5 + thickness@2 - brightness@0.5'. 'foresight rewards' lists
    /// them.
    #[arg(long, allow_hyphen_values = true, value_name = "REWARD")]
    pub reward: Option<PictureReward>,
    /// A reference picture for terms that need one, PNG or JPEG; the first is number 1.
    #[arg(long, value_name = "PICTURE", requires = "reward")]
    pub reference: Vec<PathBuf>,
    /// What 'masked' leaves free of every reference picture: lower, upper, left, right, middle, around, a mask that was
    /// painted in the window as 'painted(28:112,5,...)', or a PNG or JPEG file that is light where it is free.
    #[arg(long, default_value = "lower", value_name = "PART|PICTURE")]
    pub free: FreeArg,
    /// Where the files are that it asks.
    #[command(flatten)]
    pub scorers: ScorerOptions,
}

/// What is left free: a part by its name or its text, or a file with a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreeArg {
    /// A part.
    Part(FreePart),
    /// A picture: light where it is free.
    File(PathBuf),
}

impl Default for FreeArg {
    fn default() -> Self {
        Self::Part(FreePart::default())
    }
}

impl FromStr for FreeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_picture(text) {
            return Ok(Self::File(text.into()));
        }
        let part = text.parse().map(Self::Part);
        part.map_err(|e: ParseMaskError| match e {
            ParseMaskError::Part(_) => format!("{e}, and PNG or JPEG files"),
            _ => e.to_string(),
        })
    }
}

impl FreeArg {
    /// The mask for square pictures of this side, `[side][side]`.
    ///
    /// # Errors
    /// With the path of a file that cannot be read.
    fn mask(&self, side: usize) -> Result<Vec<f32>, String> {
        match self {
            Self::Part(part) => Ok(part.mask(side)),
            Self::File(path) => {
                let bytes = read_picture(path, side, 1)?;
                let free = bytes.iter().map(|v| f32::from(u8::from(*v > 127)));
                Ok(free.collect())
            }
        }
    }
}

impl RewardOptions {
    /// The reward with all that it refers to; `None` where none is given.
    ///
    /// # Errors
    /// With a message for the person, naming the file or the term that cannot be.
    pub fn bind(
        &self,
        shape: [usize; 3],
        judge: Option<&Arc<ImageJudge>>,
    ) -> Result<Option<Arc<dyn PictureScore>>, String> {
        let Some(reward) = &self.reward else {
            return Ok(None);
        };
        let [channels, side, _] = shape;
        let mut parts = PictureParts {
            judge: judge.cloned(),
            scorers: open_scorers(reward, &self.scorers.files())?,
            ..PictureParts::default()
        };
        let mask: Arc<[f32]> = self.free.mask(side)?.into();
        for path in &self.reference {
            let bytes = read_picture(path, side, channels)?;
            let picture: Vec<f32> = bytes.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
            parts.references.push(ReferencePicture {
                picture: picture.into(),
                mask: Some(mask.clone()),
            });
        }
        reward
            .bind(shape, &parts)
            .map(Some)
            .map_err(|e| e.to_string())
    }

    /// What the bound reward says of pictures, `[n][C H W]`.
    pub fn report(
        &self,
        score: &dyn PictureScore,
        judge: Option<&Arc<ImageJudge>>,
        pictures: &[f32],
    ) -> Option<RewardReport> {
        let reward = self.reward.as_ref()?;
        let numbers: usize = score.shape().iter().product();
        let mut scores = vec![0.0; pictures.len() / numbers];
        score.score(pictures, &mut scores);
        let judged = judge.map(|judge| judge.judge(pictures));
        // What is typical is known of the shipped classifier alone.
        let typical = judged.as_ref().and_then(|judged| {
            typical_digits().filter(|typical| {
                typical.width() == judged.width && typical.classes() == judged.classes
            })
        });
        let said = wall_scores(scores, reward, pictures, judged.as_ref(), typical.as_ref())?;
        Some(RewardReport {
            reward: reward.to_string(),
            mean: said.figures.mean,
            deviation: said.figures.deviation,
            value: said.figures.value,
            value_error: said.figures.value_error,
            ess: said.figures.ess,
            second: said.second.map(|second| Second {
                name: second.kind.name(),
                falls: second.falls(),
                all: second.all,
                best_quarter: second.best,
                error: second.error,
                scores: second.scores,
            }),
            scores: said.scores,
        })
    }
}

/// What a reward says of draws.
#[derive(Debug, Serialize)]
pub struct RewardReport {
    /// The reward.
    pub reward: String,
    /// Mean of the scores.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// `ln mean exp r`.
    pub value: f64,
    /// Its standard error.
    pub value_error: f64,
    /// Effective sample size of `exp r`.
    pub ess: f64,
    /// A score that the reward does not know.
    pub second: Option<Second>,
    /// Of each draw.
    pub scores: Vec<f32>,
}

/// A second score.
#[derive(Debug, Serialize)]
pub struct Second {
    /// What more of it means.
    pub name: &'static str,
    /// Whether the draws with the most reward score clearly less than all do.
    pub falls: bool,
    /// Mean over all draws.
    pub all: f64,
    /// Mean over the quarter with the most reward.
    pub best_quarter: f64,
    /// Standard error of the difference.
    pub error: f64,
    /// Of each draw.
    pub scores: Vec<f32>,
}

impl RewardReport {
    /// Prints it as lines.
    pub fn tell(&self) {
        say!(
            "reward {}: mean {:.3}, deviation {:.3}; value {:.3} ± {:.3}; {:.1} of {} draws in effect",
            self.reward,
            self.mean,
            self.deviation,
            self.value,
            self.value_error,
            self.ess,
            self.scores.len()
        );
        if let Some(second) = &self.second {
            say!(
                "{}: {:.3} over all draws, {:.3} over the quarter with the most reward{}",
                second.name,
                second.all,
                second.best_quarter,
                if second.falls {
                    ": the reward rises where this falls, so it may be exploited"
                } else {
                    ""
                }
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reward_on_the_command_line_scores_every_picture() {
        let options = RewardOptions {
            reward: Some("brightness - contrast@0.5".parse().unwrap()),
            ..RewardOptions::default()
        };
        let score = options.bind([1, 4, 4], None).unwrap().unwrap();
        let pictures: Vec<f32> = (0..10 * 16).map(|k| (k as f32 * 0.3).sin()).collect();
        let report = options.report(&*score, None, &pictures).unwrap();
        assert_eq!(report.scores.len(), 10);
        assert!(report.value >= report.mean && report.ess <= 10.0);
        assert_eq!(report.second.unwrap().name, "like others");
        let masked = RewardOptions {
            reward: Some("masked".parse().unwrap()),
            ..RewardOptions::default()
        };
        let error = masked.bind([1, 4, 4], None).err().unwrap();
        assert!(error.contains("needs reference picture 1"), "{error}");
    }

    #[test]
    fn a_mask_comes_by_name_as_text_or_from_a_file() {
        let around = FreeArg::Part(FreePart::Around);
        assert_eq!("around".parse(), Ok(around));
        let error = "half".parse::<FreeArg>().unwrap_err();
        assert!(error.contains("PNG or JPEG files"), "{error}");
        let painted: FreeArg = "painted(4:4,2,10)".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let light = |k: u32| u8::from((4..6).contains(&k)) * 255;
        let bytes: Vec<u8> = (0..16).map(light).collect();
        image::save_buffer(&path, &bytes, 4, 4, image::ColorType::L8).unwrap();
        let file: FreeArg = path.to_str().unwrap().parse().unwrap();
        assert_eq!(file.mask(4), painted.mask(4));
        assert_eq!(file.mask(4).unwrap().iter().sum::<f32>(), 2.0);
        let missing: FreeArg = "no such.png".parse().unwrap();
        assert!(missing.mask(4).unwrap_err().contains("no such.png"));
    }
}
