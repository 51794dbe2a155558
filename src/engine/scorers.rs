//! Files that others publish, opened for the rewards that ask them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use burn::tensor::Device;

use crate::checkpoint::{CheckpointError, read_aesthetic_head, read_brisque, read_efficientnet};
use crate::model::{BrisqueModel, ClipHead, ClipJudge, ImageNetJudge, PromptScoreKind};
use crate::reward::picture::{PictureReward, PictureScorers, ScorerFile, ScorerFiles};

mod prompts;

pub use prompts::open_prompt_judge;
pub(super) use prompts::{opened_blip, opened_tower};
use prompts::{read_prompts, tower};

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
static AESTHETIC_HEAD: Slot<ClipHead> = Mutex::new(None);

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

/// What is kept of a file as a person or the usual place has it, if it is there already; never waits for one that is being
/// read.
fn opened_as<T, A>(
    slot: &Slot<T>,
    file: ScorerFile,
    files: &ScorerFiles,
    of: impl FnOnce(&T) -> A,
) -> Option<A> {
    let kept = slot.try_lock().ok()?;
    let kept = kept.as_ref()?;
    let meant = match files.of(file) {
        Some(path) => path == kept.path,
        None => kept.path.ends_with(file.fetched()),
    };
    meant.then(|| of(&kept.value))
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
    let terms = reward.terms().iter();
    let needed = terms.flat_map(|weighted| weighted.term.kind().needs.files);
    let mut scorers = PictureScorers::default();
    // Texts first: their towers are gone before those of pictures are read.
    read_prompts(reward, files, &mut scorers)?;
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
            // With its prompts.
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
    use crate::checkpoint::brisque_folder;

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
    fn a_file_that_a_person_points_at_comes_before_one_that_was_fetched() {
        let mut files = ScorerFiles::default();
        files.point(ScorerFile::Brisque, "here/svm.txt".into());
        let path = scorer_path(ScorerFile::Brisque, &files);
        assert_eq!(path.as_deref(), Some(Path::new("here/svm.txt")));
    }
}
