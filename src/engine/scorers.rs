//! Files that others publish, opened for the rewards that ask them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use burn::tensor::Device;

use crate::checkpoint::{
    CheckpointError, read_aesthetic_head, read_brisque, read_clip, read_efficientnet,
};
use crate::model::{AestheticHead, BrisqueModel, ClipJudge, ImageNetJudge};
use crate::reward::picture::{PictureReward, PictureScorers, ScorerFile, ScorerFiles};

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
static AESTHETIC_HEAD: Slot<AestheticHead> = Mutex::new(None);

fn lock<T>(slot: &Slot<T>) -> MutexGuard<'_, Option<Kept<T>>> {
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

/// What a reward asks of files, read. What is nowhere is left out, and named where the reward is bound.
///
/// # Errors
/// When a file that is there cannot be read; the message names it.
pub fn open_scorers(reward: &PictureReward, files: &ScorerFiles) -> Result<PictureScorers, String> {
    let terms = reward.terms().iter();
    let needed = terms.flat_map(|weighted| weighted.term.kind().needs.files);
    let mut scorers = PictureScorers::default();
    for file in needed {
        let Some(path) = scorer_path(*file, files) else {
            continue;
        };
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
                let read = |path: &Path| {
                    let device = Device::flex();
                    read_clip(path, &device).map(|net| ClipJudge::new(net, &device))
                };
                scorers.clip = Some(opened(&CLIP_LARGE, &path, read)?);
            }
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
