//! Where the files are that turn latents into pictures.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Files that others publish and that decode the latents of a map. A map of pixels needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderFiles {
    /// The autoencoder, such as sd-vae-ft-mse.
    pub full: Option<PathBuf>,
    /// The small decoder, such as taesd: shown until the autoencoder is done, or in its place.
    pub preview: Option<PathBuf>,
}

impl DecoderFiles {
    /// Whether none is named.
    pub const fn is_empty(&self) -> bool {
        self.full.is_none() && self.preview.is_none()
    }

    /// The same, and where one is not named that of `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let either = |a: &Option<PathBuf>, b: &Option<PathBuf>| a.clone().or_else(|| b.clone());
        Self {
            full: either(&self.full, &other.full),
            preview: either(&self.preview, &other.preview),
        }
    }

    /// All that are named.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.full, &self.preview]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}
