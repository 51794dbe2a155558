//! Why a data set was refused: always the path, the cause, and what to do.

use std::io;
use std::path::Path;

use crate::mixture::shortened;

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system could not open or read it.
    #[error("{path}: {source}. Check that it exists and can be read")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The pictures asked for cannot be.
    #[error(
        "pictures of {size} x {size} with {channels} channels: 1 to 1024 and 1 or 3 are possible"
    )]
    Plan {
        /// Height and width.
        size: usize,
        /// Channels.
        channels: usize,
    },
    /// Neither a folder nor an archive that is known.
    #[error(
        "{path} is no data set. Give a folder with MNIST's files, a folder of class folders of PNG or JPEG files, or a .tar, .tar.xz or .zip of one"
    )]
    Unknown {
        /// What was given.
        path: String,
    },
    /// An archive that does not hold together.
    #[error(
        "{path}: the archive is damaged or is not one to read: {reason}. Fetch it again, or unpack it and give the folder"
    )]
    Archive {
        /// The archive.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A name in an archive that leads out of it.
    #[error("{path}: the entry {entry} leads out of the archive. Do not use this archive")]
    Traversal {
        /// The archive.
        path: String,
        /// The name.
        entry: String,
    },
    /// A picture that cannot be read.
    #[error("{path}: {entry}: {reason}. Remove or replace this picture")]
    Picture {
        /// The folder or archive.
        path: String,
        /// The file within.
        entry: String,
        /// What is wrong.
        reason: String,
    },
    /// A file of MNIST's kind that does not hold together.
    #[error("{path}: {reason}. Fetch the file again")]
    Idx {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// More than is read.
    #[error("{path} holds more than {most} {what}. Take a part of it, or a smaller size")]
    TooMuch {
        /// The data set.
        path: String,
        /// Of what.
        what: &'static str,
        /// How many are read.
        most: usize,
    },
    /// No pictures.
    #[error(
        "{path} holds no pictures of the {part} part ({skipped} other files). PNG and JPEG files are read, in one folder for each class"
    )]
    Nothing {
        /// The data set.
        path: String,
        /// The part that was asked for.
        part: &'static str,
        /// Files that are no pictures, or of another part.
        skipped: usize,
    },
    /// No longer wanted.
    #[error("cancelled")]
    Cancelled,
}

impl DataError {
    /// What the system said about a path.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }

    /// An archive that does not hold together.
    pub(super) fn archive(path: &str, reason: impl ToString) -> Self {
        Self::Archive {
            path: path.to_owned(),
            reason: plain(&reason.to_string()),
        }
    }
}

/// Text from a file, cut and without what a terminal would obey.
pub fn plain(text: &str) -> String {
    let plain: String = shortened(text, 200)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    plain
}
