//! `foresight score`: how well pictures go with a prompt.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, ValueEnum};

use super::picture_file::{picture, print_scores};
use crate::checkpoint::{ClipPair, read_clip_pair};
use crate::model::{PromptScore, PromptScoreKind};

/// `foresight score`
#[derive(Debug, Clone, Args)]
pub struct ScoreArgs {
    /// Pictures (PNG or JPEG).
    #[arg(required = true)]
    pub pictures: Vec<PathBuf>,
    /// By whose judgement.
    #[arg(long = "with", value_enum)]
    pub judge: JudgeArg,
    /// The file that its authors publish; without it the command says which.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// What the pictures should show.
    #[arg(long)]
    pub prompt: String,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// Published judges of a picture and a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JudgeArg {
    /// 100 times the cosine of any CLIP.
    Clip,
    /// PickScore, tuned on choices between pictures of one prompt.
    Pickscore,
    /// HPSv2.1, tuned on preferences between pictures of one prompt.
    Hps,
}

impl JudgeArg {
    /// Its score.
    pub const fn kind(self) -> PromptScoreKind {
        match self {
            Self::Clip => PromptScoreKind::Clip,
            Self::Pickscore => PromptScoreKind::Pick,
            Self::Hps => PromptScoreKind::Hps,
        }
    }

    /// Which file it wants and where that comes from.
    pub const fn wants(self) -> &'static str {
        match self {
            Self::Clip => {
                "model.safetensors of openai/clip-vit-large-patch14, with the config.json beside it; any whole CLIP in \
                 Hugging Face's or OpenCLIP's layout will do"
            }
            Self::Pickscore => {
                "model.safetensors of yuvalkirstain/PickScore_v1, with the config.json beside it (4 GB)"
            }
            Self::Hps => "HPS_v2.1_compressed.pt of xswu/HPSv2 (2 GB)",
        }
    }

    /// The file that was given, if it is there.
    ///
    /// # Errors
    /// Saying which file is wanted and where it comes from.
    fn file(self, given: Option<&Path>) -> Result<&Path, String> {
        let wanted = self.wants();
        let path = given.ok_or_else(|| format!("give --model FILE: {wanted}, on Hugging Face"))?;
        if path.is_file() {
            return Ok(path);
        }
        let name = path.display();
        Err(format!(
            "{name} is not there. Wanted is {wanted}, on Hugging Face"
        ))
    }
}

/// Opens a judge for one prompt.
///
/// # Errors
/// With a message for the person.
pub fn open_judge(
    judge: JudgeArg,
    model: Option<&Path>,
    prompt: &str,
    device: &Device,
) -> Result<PromptScore, String> {
    let path = judge.file(model)?;
    let ClipPair {
        images,
        texts,
        logit_scale,
    } = read_clip_pair(path, device).map_err(|e| e.to_string())?;
    PromptScore::new(images, &texts, judge.kind(), logit_scale, prompt, device)
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &ScoreArgs) -> Result<(), String> {
    // What is wrong with a picture is said before gigabytes are read.
    let pictures = args.pictures.iter().map(|path| picture(path));
    let pictures: Vec<_> = pictures.collect::<Result<_, _>>()?;
    let judge = open_judge(
        args.judge,
        args.model.as_deref(),
        &args.prompt,
        &Device::flex(),
    )?;
    let scores: Vec<(String, f32)> = args
        .pictures
        .iter()
        .zip(pictures)
        .map(|(path, (values, shape))| {
            let name = path.display().to_string();
            (name, judge.score(&values, shape))
        })
        .collect();
    print_scores(&scores, 5, args.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        for (judge, part) in [
            (JudgeArg::Clip, "openai/clip-vit-large-patch14"),
            (JudgeArg::Pickscore, "yuvalkirstain/PickScore_v1"),
            (JudgeArg::Hps, "HPS_v2.1_compressed.pt of xswu/HPSv2"),
        ] {
            let without = judge.file(None).unwrap_err();
            assert!(
                without.contains("--model") && without.contains(part),
                "{without}"
            );
            let gone = folder.path().join("gone.pt");
            let message = judge.file(Some(&gone)).unwrap_err();
            assert!(
                message.contains("gone.pt") && message.contains(part),
                "{message}"
            );
        }
    }
}
