//! Labelled pictures to train on: MNIST's files, a folder of class folders, or an archive of one.
//!
//! Nothing is written to disk, so that a name in an archive is a name and nothing else. Sizes are checked before
//! memory is taken for them, and the order is that of the sorted names, whatever the order in the file.

mod archive;
mod error;
mod folder;
mod gather;
mod idx;
mod picture;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::DataError;
pub use picture::{is_picture, read_picture, read_whole_picture};

use super::ImageSet;

/// A data set and what was left out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The pictures, sorted by class and name; classes are sorted by name.
    pub images: ImageSet,
    /// Files that are no pictures, or of another part.
    pub skipped: usize,
}

/// Which part of a data set is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What lies under a folder `train`, or under none of the names below; `train-*` of MNIST.
    Train,
    /// What lies under a folder `test`, `val`, `valid` or `validation`; `t10k-*` of MNIST.
    Test,
}

impl Part {
    /// The part that a folder of this name, above the class folders, stands for.
    fn of_folder(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "test" | "testing" | "val" | "valid" | "validation" => Some(Self::Test),
            _ => None,
        }
    }
}

/// How a data set is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataPlan {
    /// Height and width that pictures are brought to: the shorter side is resized, the longer one cropped around its
    /// middle.
    pub size: usize,
    /// 1, grey, or 3, colours.
    pub channels: usize,
    /// Which part is read.
    pub part: Part,
    /// The most pictures; more is an error.
    pub most_images: usize,
    /// The most bytes of pixels in memory; more is an error.
    pub most_bytes: usize,
}

impl DataPlan {
    /// Pictures of this size, at most two million and 4 GiB of them.
    pub const fn new(size: usize, channels: usize, part: Part) -> Self {
        Self {
            size,
            channels,
            part,
            most_images: 2_000_000,
            most_bytes: 4 << 30,
        }
    }

    /// Bytes of one picture.
    const fn item(&self) -> usize {
        self.size * self.size * self.channels
    }

    fn check(&self) -> Result<(), DataError> {
        if (1..=1024).contains(&self.size) && matches!(self.channels, 1 | 3) {
            Ok(())
        } else {
            Err(DataError::Plan {
                size: self.size,
                channels: self.channels,
            })
        }
    }
}

/// The most classes.
const MOST_CLASSES: usize = 10_000;

/// Is told how many pictures there are so far and says whether to go on.
pub type Watch<'a> = &'a mut dyn FnMut(usize) -> bool;

impl ImageSet {
    /// Reads a folder with MNIST's files, a folder of class folders of PNG and JPEG files, or a `.tar`, `.tar.xz` or
    /// `.zip` of one. Folders `train`, `test`, ... may lie above the class folders.
    ///
    /// # Errors
    /// With the path, the cause and what to do.
    pub fn open(path: &Path, plan: &DataPlan, watch: Watch<'_>) -> Result<Opened, DataError> {
        plan.check()?;
        let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
        if metadata.is_dir() {
            match idx::find(path, plan.part) {
                Some((images, labels)) => {
                    let images = idx::read(&images, &labels, plan)?;
                    Ok(Opened { images, skipped: 0 })
                }
                None => folder::read(path, plan, watch),
            }
        } else if metadata.is_file() {
            archive::read(path, plan, watch)
        } else {
            Err(DataError::Unknown {
                path: path.display().to_string(),
            })
        }
    }

    /// Item `i` as numbers in [-1, 1], `[C, H, W]`.
    pub fn write_into(&self, i: usize, out: &mut [f32]) {
        for (out, byte) in out.iter_mut().zip(self.image(i)) {
            *out = f32::from(*byte) / 127.5 - 1.0;
        }
    }

    /// Pictures of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for label in &self.labels {
            counts[usize::from(*label)] += 1;
        }
        counts
    }
}

/// MNIST's files of one part, in their own size.
///
/// # Errors
/// As [`ImageSet::open`].
pub fn read_idx(images: &Path, labels: &Path) -> Result<ImageSet, DataError> {
    idx::read_pair(images, labels, usize::MAX, 4 << 30)
}
