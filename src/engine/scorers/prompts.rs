//! Judges of pictures for a prompt: what reads the prompt is opened for each, what looks at pictures once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use burn::tensor::Device;

use super::{Slot, lock, opened, opened_as, scorer_path, stamp, wanted_scorer};
use crate::checkpoint::{read_clip, read_clip_texts, read_image_reward};
use crate::mixture::shortened;
use crate::model::{
    BlipConfig, ClipConfig, ClipHead, ClipJudge, ImageReward, ImageRewardJudge, PictureJudge,
    PromptScoreKind,
};
use crate::reward::picture::{
    PictureReward, PictureScorers, PictureTerm, Prompt, PromptHead, ScorerFile, ScorerFiles,
};

static CLIP_LARGE: Slot<ClipJudge> = Mutex::new(None);
static PICK_SCORE: Slot<ClipJudge> = Mutex::new(None);
static HPS: Slot<ClipJudge> = Mutex::new(None);
static IMAGE_REWARD: Slot<ImageReward> = Mutex::new(None);

/// A prompt, and the file whose text tower read it.
struct KeptPrompt {
    path: PathBuf,
    stamp: Option<(u64, SystemTime)>,
    read: PromptHead,
}

/// Prompts that were read last: a text tower takes seconds to open and is not kept.
static PROMPTS: Mutex<Vec<KeptPrompt>> = Mutex::new(Vec::new());
/// How many are kept.
const MOST_PROMPTS: usize = 64;

/// Where the tower of a judge is kept.
const fn slot_of(judge: PromptScoreKind) -> &'static Slot<ClipJudge> {
    match judge {
        PromptScoreKind::Clip => &CLIP_LARGE,
        PromptScoreKind::Pick => &PICK_SCORE,
        PromptScoreKind::Hps => &HPS,
    }
}

/// The shape of the tower that a judge would ask, where it is open. Does not wait for one that is being read.
pub fn opened_tower(judge: PromptScoreKind, files: &ScorerFiles) -> Option<ClipConfig> {
    let file = ScorerFile::of_judge(judge);
    opened_as(slot_of(judge), file, files, |tower| tower.config().clone())
}

/// The same of ImageReward.
pub fn opened_blip(files: &ScorerFiles) -> Option<BlipConfig> {
    let of = |judge: &ImageReward| judge.config().clone();
    opened_as(&IMAGE_REWARD, ScorerFile::ImageReward, files, of)
}

/// CLIP's image tower of a file. Several judges may be told the same file: each has its own way with pictures.
pub(super) fn tower(judge: PromptScoreKind, path: &Path) -> Result<Arc<ClipJudge>, String> {
    let read = |path: &Path| {
        let device = Device::flex();
        read_clip(path, &device).map(|net| ClipJudge::new(net, judge.fit(), &device))
    };
    opened(slot_of(judge), path, read)
}

/// A prompt as the text tower of a file reads it.
fn prompt_head(
    judge: PromptScoreKind,
    prompt: &Prompt,
    path: &Path,
) -> Result<Arc<ClipHead>, String> {
    let stamp = stamp(path);
    let mut kept = lock(&PROMPTS);
    let found = kept.iter().find(|kept| {
        let read = &kept.read;
        kept.path == path && kept.stamp == stamp && (read.judge, &read.prompt) == (judge, prompt)
    });
    if let Some(found) = found {
        return Ok(found.read.head.clone());
    }
    let (texts, scale) = read_clip_texts(path, &Device::flex()).map_err(|e| e.to_string())?;
    let head = judge.head(&texts, scale, prompt.text());
    let term = || PictureTerm::Prompt(judge, prompt.clone());
    let head = head.map_err(|reason| refused(&term(), &reason))?;
    let head = Arc::new(head);
    if kept.len() >= MOST_PROMPTS {
        kept.remove(0);
    }
    kept.push(KeptPrompt {
        path: path.to_owned(),
        stamp,
        read: PromptHead {
            judge,
            prompt: prompt.clone(),
            head: head.clone(),
        },
    });
    Ok(head)
}

/// What is wrong with a prompt, with its term.
fn refused(term: &PictureTerm, reason: &str) -> String {
    format!("'{}': {reason}", shortened(&term.to_string(), 60))
}

/// ImageReward for a prompt.
fn image_reward(prompt: &Prompt, path: &Path) -> Result<Arc<ImageRewardJudge>, String> {
    let read = |path: &Path| read_image_reward(path, &Device::flex());
    let network = opened(&IMAGE_REWARD, path, read)?;
    let judge = ImageRewardJudge::new(network, prompt.text());
    let judge =
        judge.map_err(|reason| refused(&PictureTerm::ImageReward(prompt.clone()), &reason))?;
    Ok(Arc::new(judge))
}

/// Who judges pictures for the prompt of a term: who looks, and the score as a function of what it sees.
///
/// # Errors
/// When the file is not there, with where it comes from, or cannot be read; or when the prompt is too long, or the term has
/// none.
pub fn open_prompt_judge(
    term: &PictureTerm,
    files: &ScorerFiles,
) -> Result<(Arc<dyn PictureJudge>, ClipHead), String> {
    match term {
        PictureTerm::Prompt(judge, prompt) => {
            let path = wanted_scorer(ScorerFile::of_judge(*judge), files)?;
            // The text tower is gone before that of pictures is read.
            let head = prompt_head(*judge, prompt, &path)?;
            Ok((tower(*judge, &path)?, (*head).clone()))
        }
        PictureTerm::ImageReward(prompt) => {
            let path = wanted_scorer(ScorerFile::ImageReward, files)?;
            let judge = image_reward(prompt, &path)?;
            let head = judge.network().head().clone();
            Ok((judge, head))
        }
        other => Err(refused(other, "it has no prompt")),
    }
}

/// Reads the prompts of a reward whose files are somewhere.
///
/// # Errors
/// When a file cannot be read or a prompt is too long.
pub(super) fn read_prompts(
    reward: &PictureReward,
    files: &ScorerFiles,
    scorers: &mut PictureScorers,
) -> Result<(), String> {
    for weighted in reward.terms() {
        let (file, prompt) = match &weighted.term {
            PictureTerm::Prompt(judge, prompt) => (ScorerFile::of_judge(*judge), prompt),
            PictureTerm::ImageReward(prompt) => (ScorerFile::ImageReward, prompt),
            _ => continue,
        };
        if scorer_path(file, files).is_none() {
            continue;
        }
        let path = wanted_scorer(file, files)?;
        let prompt = prompt.clone();
        if let PictureTerm::Prompt(judge, _) = weighted.term {
            let head = prompt_head(judge, &prompt, &path)?;
            scorers.prompts.push(PromptHead {
                judge,
                prompt,
                head,
            });
        } else {
            let judge = image_reward(&prompt, &path)?;
            scorers.image_rewards.push((prompt, judge));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::clip_folder;
    use crate::engine::open_scorers;

    #[test]
    fn prompts_are_read_by_the_tower_of_their_file_and_named_where_they_cannot_be() {
        let folder = clip_folder();
        let mut files = ScorerFiles::default();
        let path = folder.path().join("model.safetensors");
        for file in [
            ScorerFile::ClipLarge,
            ScorerFile::PickScore,
            ScorerFile::Hps,
        ] {
            files.point(file, path.clone());
        }
        let text =
            "clip(\"a red fox\")@5 - hps(\"a cat\") + clip(\"a cat\") + pickscore(\"a cat\")";
        let reward: PictureReward = text.parse().unwrap();
        let scorers = open_scorers(&reward, &files).unwrap();
        assert_eq!(scorers.prompts.len(), 4);
        let again = open_scorers(&reward, &files).unwrap();
        for (a, b) in scorers.prompts.iter().zip(&again.prompts) {
            assert!(Arc::ptr_eq(&a.head, &b.head), "read twice");
        }
        // 100 times the direction of length 1; the file's own scale, exp 4; and 1.
        for (read, scale) in scorers
            .prompts
            .iter()
            .zip([100.0, 1.0, 100.0, 4.0_f32.exp()])
        {
            let squares: f32 = read.head.direction.iter().map(|v| v * v).sum();
            assert!(
                (squares.sqrt() / scale - 1.0).abs() < 1e-4,
                "{squares} {scale}"
            );
        }
        let long: PictureReward = format!("clip(\"{}\")", "fox ".repeat(76)).parse().unwrap();
        let message = open_scorers(&long, &files).err().unwrap();
        for part in [
            "'clip(\"fox fox",
            "76 pieces of words",
            "reads 75: shorten it",
        ] {
            assert!(message.contains(part), "{message}");
        }
        files.point(ScorerFile::Hps, folder.path().join("gone.pt"));
        let message = open_scorers(&reward, &files).err().unwrap();
        for part in [
            "gone.pt is not there",
            "HPS_v2.1_compressed.pt",
            "xswu/HPSv2",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
