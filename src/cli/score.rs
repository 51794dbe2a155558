//! `foresight score`: how well pictures go with a prompt.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::picture_file::{picture, print_scores};
use crate::engine::{open_prompt_judge, scorer_path};
use crate::model::{ClipHead, PictureJudge, PromptScoreKind};
use crate::reward::picture::{PictureTerm, Prompt, ScorerFiles};

/// `foresight score`
#[derive(Debug, Clone, Args)]
pub struct ScoreArgs {
    /// Pictures (PNG or JPEG).
    #[arg(required = true)]
    pub pictures: Vec<PathBuf>,
    /// By whose judgement.
    #[arg(long = "with", value_enum)]
    pub judge: JudgeArg,
    /// The file that its authors publish; without it the command looks where rewards do, and says which.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// What the pictures should show.
    #[arg(long, value_parser = Prompt::new)]
    pub prompt: Prompt,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// Published judges of a picture and a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JudgeArg {
    /// 100 times the cosine of any whole CLIP, in Hugging Face's or OpenCLIP's layout.
    Clip,
    /// PickScore, tuned on choices between pictures of one prompt.
    Pickscore,
    /// HPSv2.1, tuned on preferences between pictures of one prompt.
    Hps,
    /// ImageReward, tuned on comparisons of pictures of one prompt.
    Imagereward,
}

impl ScoreArgs {
    /// The reward whose score it is.
    fn term(&self) -> PictureTerm {
        let prompt = self.prompt.clone();
        match self.judge {
            JudgeArg::Clip => PictureTerm::Prompt(PromptScoreKind::Clip, prompt),
            JudgeArg::Pickscore => PictureTerm::Prompt(PromptScoreKind::Pick, prompt),
            JudgeArg::Hps => PictureTerm::Prompt(PromptScoreKind::Hps, prompt),
            JudgeArg::Imagereward => PictureTerm::ImageReward(prompt),
        }
    }

    /// Where its file is.
    ///
    /// # Errors
    /// Where nobody says and it was not fetched, naming it and where it comes from.
    fn files(&self) -> Result<ScorerFiles, String> {
        let mut files = ScorerFiles::default();
        for file in self.term().kind().needs.files {
            if let Some(path) = &self.model {
                files.point(*file, path.clone());
            } else if scorer_path(*file, &files).is_none() {
                let (what, from) = (file.what(), file.from());
                return Err(format!("give --model FILE: {what}; it comes {from}"));
            }
        }
        Ok(files)
    }
}

/// The score of a picture `[C][H][W]`, -1 black and 1 white; grey or colour, of any size.
fn score(judge: &dyn PictureJudge, head: &ClipHead, picture: &[f32], shape: [usize; 3]) -> f32 {
    head.score(&judge.see(picture, shape).features)
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &ScoreArgs) -> Result<(), String> {
    // What is wrong with a picture is said before gigabytes are read.
    let pictures = args.pictures.iter().map(|path| picture(path));
    let pictures: Vec<_> = pictures.collect::<Result<_, _>>()?;
    let (judge, head) = open_prompt_judge(&args.term(), &args.files()?)?;
    let scores: Vec<(String, f32)> = args
        .pictures
        .iter()
        .zip(pictures)
        .map(|(path, (values, shape))| {
            let name = path.display().to_string();
            (name, score(&*judge, &head, &values, shape))
        })
        .collect();
    print_scores(&scores, 5, args.json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::clip_folder;
    use crate::engine::open_scorers;
    use crate::reward::picture::{PictureParts, PictureReward};

    fn args(judge: JudgeArg, model: PathBuf) -> ScoreArgs {
        ScoreArgs {
            pictures: Vec::new(),
            judge,
            model: Some(model),
            prompt: Prompt::new("a red fox").unwrap(),
            json: false,
        }
    }

    #[test]
    fn a_missing_file_is_named_with_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        for (judge, part) in [
            (JudgeArg::Clip, "openai/clip-vit-large-patch14"),
            (JudgeArg::Pickscore, "yuvalkirstain/PickScore_v1"),
            (
                JudgeArg::Hps,
                "HPS_v2.1_compressed.pt (2 GB); it comes from xswu/HPSv2",
            ),
            (JudgeArg::Imagereward, "vocab.txt of bert-base-uncased"),
        ] {
            let args = args(judge, folder.path().join("gone.pt"));
            let message = open_prompt_judge(&args.term(), &args.files().unwrap());
            let message = message.err().unwrap();
            assert!(
                message.contains("gone.pt") && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn a_reward_of_a_prompt_is_the_score_of_this_command() {
        let folder = clip_folder();
        let shape = [3, 20, 31];
        let picture: Vec<f32> = (0..3 * 20 * 31).map(|k| (k as f32 * 0.37).sin()).collect();
        let mut found = Vec::new();
        for (judge, name, unit) in [
            (JudgeArg::Clip, "clip", 1.0),
            (JudgeArg::Pickscore, "pickscore", 1.0),
            (JudgeArg::Hps, "hps", 0.01),
        ] {
            let args = args(judge, folder.path().join("model.safetensors"));
            let files = args.files().unwrap();
            let (tower, head) = open_prompt_judge(&args.term(), &files).unwrap();
            let alone = score(&*tower, &head, &picture, shape);
            let reward: PictureReward = format!("{name}(\"a red fox\")@2").parse().unwrap();
            let parts = PictureParts {
                scorers: open_scorers(&reward, &files).unwrap(),
                ..PictureParts::default()
            };
            let mut rewarded = [0.0];
            let bound = reward.bind(shape, &parts).unwrap();
            bound.score(&picture, &mut rewarded);
            let back = rewarded[0] * unit / 2.0;
            // The rounding of f32 alone.
            assert!(
                (back - alone).abs() < 1e-6 * alone.abs().max(unit),
                "{back} {alone}"
            );
            found.push(alone);
        }
        // 100 and exp 4 times the same cosine; that of another way to make it square.
        assert!((found[0] / found[1] - 100.0 / 4.0_f32.exp()).abs() < 1e-4);
        assert!((found[0] / 100.0 - found[2]).abs() > 1e-4, "{found:?}");
    }
}
