//! Files that others publish, opened for the rewards that ask them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use burn::tensor::Device;

use crate::checkpoint::{
    CheckpointError, read_aesthetic_head, read_brisque, read_clip, read_clip_texts,
    read_efficientnet, read_image_reward,
};
use crate::mixture::shortened;
use crate::model::{
    BrisqueModel, ClipHead, ClipJudge, ImageNetJudge, ImageReward, ImageRewardJudge, PictureJudge,
    PromptScoreKind,
};
use crate::reward::picture::{
    PictureReward, PictureScorers, PictureTerm, Prompt, PromptHead, ScorerFile, ScorerFiles,
};

/// Names the folder that `scripts/fetch-rewards` fills, where it is another than usual.
const FOLDER_VARIABLE: &str = "FORESIGHT_REWARDS";

/// The folder that `scripts/fetch-rewards` fills: `rewards` in the program's cache.
pub fn fetched_rewards() -> Option<PathBuf> {
    let said = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from);
    said.or_else(|| {
        let places = directories::ProjectDirs::from("", "", "foresight")?;
        Some(places.cache_dir().join("rewards"))
    })
}

/// Where a file is: where a person said, or where it was fetched to. `None` where it is not.
pub fn scorer_path(file: ScorerFile, files: &ScorerFiles) -> Option<PathBuf> {
    if let Some(path) = files.of(file) {
        return Some(path.to_owned());
    }
    let path = fetched_rewards()?.join(file.fetched());
    path.exists().then_some(path)
}

/// What was read last, with where it was read and what the file was like: it is read once, whoever asks.
struct Kept<T> {
    path: PathBuf,
    stamp: Option<(u64, SystemTime)>,
    value: Arc<T>,
}

type Slot<T> = Mutex<Option<Kept<T>>>;

static BRISQUE: Slot<BrisqueModel> = Mutex::new(None);
static EFFICIENT_NET: Slot<ImageNetJudge> = Mutex::new(None);
static CLIP_LARGE: Slot<ClipJudge> = Mutex::new(None);
static PICK_SCORE: Slot<ClipJudge> = Mutex::new(None);
static HPS: Slot<ClipJudge> = Mutex::new(None);
static IMAGE_REWARD: Slot<ImageReward> = Mutex::new(None);
static AESTHETIC_HEAD: Slot<ClipHead> = Mutex::new(None);

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

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole or not there.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// The value of a file, read where it was not or where the file has changed.
fn opened<T>(
    slot: &Slot<T>,
    path: &Path,
    read: impl FnOnce(&Path) -> Result<T, CheckpointError>,
) -> Result<Arc<T>, String> {
    let stamp = stamp(path);
    let mut kept = lock(slot);
    if let Some(kept) = &*kept
        && kept.path == path
        && kept.stamp == stamp
    {
        return Ok(kept.value.clone());
    }
    // The old one first: both at once may not fit.
    *kept = None;
    let value = Arc::new(read(path).map_err(|e| e.to_string())?);
    *kept = Some(Kept {
        path: path.to_owned(),
        stamp,
        value: value.clone(),
    });
    Ok(value)
}

/// CLIP's image tower of a file. Several judges may be told the same file: each has its own way with pictures.
fn tower(judge: PromptScoreKind, path: &Path) -> Result<Arc<ClipJudge>, String> {
    let slot = match judge {
        PromptScoreKind::Clip => &CLIP_LARGE,
        PromptScoreKind::Pick => &PICK_SCORE,
        PromptScoreKind::Hps => &HPS,
    };
    let read = |path: &Path| {
        let device = Device::flex();
        read_clip(path, &device).map(|net| ClipJudge::new(net, judge.fit(), &device))
    };
    opened(slot, path, read)
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

/// CLIP's image tower.
///
/// # Errors
/// When the file is not there, with where it comes from, or cannot be read.
pub fn open_clip(files: &ScorerFiles) -> Result<Arc<ClipJudge>, String> {
    let path = wanted_scorer(ScorerFile::ClipLarge, files)?;
    tower(PromptScoreKind::Clip, &path)
}

/// LAION's aesthetic head.
///
/// # Errors
/// As [`open_clip`].
pub fn open_aesthetic_head(files: &ScorerFiles) -> Result<Arc<ClipHead>, String> {
    let path = wanted_scorer(ScorerFile::AestheticHead, files)?;
    opened(&AESTHETIC_HEAD, &path, read_aesthetic_head)
}

/// Where a file is that somebody wants now.
///
/// # Errors
/// Where it is not, saying which it is and where it comes from.
fn wanted_scorer(file: ScorerFile, files: &ScorerFiles) -> Result<PathBuf, String> {
    let (what, from) = (file.what(), file.from());
    match scorer_path(file, files) {
        Some(path) if path.exists() => Ok(path),
        Some(path) => Err(format!(
            "{} is not there. Wanted is {what}; it comes {from}",
            path.display()
        )),
        None => Err(format!(
            "{what} is not there: it comes {from}. Point at it with --{}",
            file.option()
        )),
    }
}

/// What a reward asks of files, read. What is nowhere is left out, and named where the reward is bound.
///
/// # Errors
/// When a file that is there cannot be read; the message names it.
pub fn open_scorers(reward: &PictureReward, files: &ScorerFiles) -> Result<PictureScorers, String> {
    let terms = || reward.terms().iter().map(|weighted| &weighted.term);
    let needed = terms().flat_map(|term| term.kind().needs.files);
    let mut scorers = PictureScorers::default();
    // Texts first: their towers are gone before those of pictures are read.
    for term in terms() {
        if let PictureTerm::ImageReward(prompt) = term
            && scorer_path(ScorerFile::ImageReward, files).is_some()
        {
            let path = wanted_scorer(ScorerFile::ImageReward, files)?;
            let judge = image_reward(prompt, &path)?;
            scorers.image_rewards.push((prompt.clone(), judge));
        }
        let PictureTerm::Prompt(judge, prompt) = term else {
            continue;
        };
        let file = ScorerFile::of_judge(*judge);
        if scorer_path(file, files).is_some() {
            let path = wanted_scorer(file, files)?;
            scorers.prompts.push(PromptHead {
                judge: *judge,
                prompt: prompt.clone(),
                head: prompt_head(*judge, prompt, &path)?,
            });
        }
    }
    for file in needed {
        if scorer_path(*file, files).is_none() {
            continue;
        }
        let path = wanted_scorer(*file, files)?;
        match file {
            ScorerFile::Brisque => {
                scorers.brisque = Some(opened(&BRISQUE, &path, read_brisque)?);
            }
            ScorerFile::EfficientNet => {
                let read = |path: &Path| {
                    let device = Device::flex();
                    read_efficientnet(path, &device).map(|net| ImageNetJudge::new(net, &device))
                };
                scorers.imagenet = Some(opened(&EFFICIENT_NET, &path, read)?);
            }
            ScorerFile::ClipLarge => {
                scorers.clip = Some(tower(PromptScoreKind::Clip, &path)?);
            }
            ScorerFile::PickScore => {
                scorers.pick = Some(tower(PromptScoreKind::Pick, &path)?);
            }
            ScorerFile::Hps => scorers.hps = Some(tower(PromptScoreKind::Hps, &path)?),
            // For each prompt, above.
            ScorerFile::ImageReward => {}
            ScorerFile::AestheticHead => {
                let head = opened(&AESTHETIC_HEAD, &path, read_aesthetic_head)?;
                scorers.aesthetic_head = Some(head);
            }
        }
    }
    Ok(scorers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{brisque_folder, clip_folder};

    #[test]
    fn a_file_is_read_once_and_again_when_it_has_changed() {
        let text = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nrho -3\nSV\n1 1:0.5\n";
        let folder = brisque_folder(text, [vec![-1.0; 36], vec![1.0; 36]]);
        let reward: PictureReward = "brisque@2 + brightness".parse().unwrap();
        let mut files = ScorerFiles::default();
        let path = folder.path().join("svm.txt");
        files.point(ScorerFile::Brisque, path.clone());
        let open = || open_scorers(&reward, &files).unwrap().brisque.unwrap();
        let first = open();
        assert!(Arc::ptr_eq(&first, &open()));
        std::fs::write(&path, format!("{text}2 2:0.5\n")).unwrap();
        assert_eq!(open().vectors.len(), 2);
        std::fs::write(&path, "hello").unwrap();
        let message = open_scorers(&reward, &files).err().unwrap();
        assert!(message.contains("svm.txt: line 1"), "{message}");
        let other: PictureReward = "brightness".parse().unwrap();
        assert!(open_scorers(&other, &files).unwrap().brisque.is_none());
    }

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

    #[test]
    fn a_file_that_a_person_points_at_comes_before_one_that_was_fetched() {
        let mut files = ScorerFiles::default();
        files.point(ScorerFile::Brisque, "here/svm.txt".into());
        let path = scorer_path(ScorerFile::Brisque, &files);
        assert_eq!(path.as_deref(), Some(Path::new("here/svm.txt")));
    }
}
