//! The `MetaFlowMap` trait and the networks. Must not know files or screens.
//!
//! Shape letters, fixed here: `B` batch, `N` draws per state, `C H W` image, `D` state dimension (2 in these worlds),
//! `K` steps.

mod activation;
mod blip;
mod brisque;
mod classifier;
mod clip;
mod config;
pub(crate) mod dit;
mod dual;
mod efficientnet;
mod fused;
mod fused_vjp;
mod imagenet;
mod images;
mod judge;
mod map;
mod memory;
mod mlp;
mod on_device;
pub(crate) mod outer;
mod precision;
mod side_by_side;
pub(crate) mod simd;
mod state_classifier;
#[cfg(test)]
pub(crate) mod streams;
mod taesd;
mod vae;
mod velocity_only;
mod weights;

#[cfg(test)]
pub(crate) use blip::tests::made as made_image_reward;
pub use blip::{Blip, BlipConfig, BlipTower, ImageReward, ImageRewardJudge, WordPieces};
pub use brisque::BrisqueModel;
pub(crate) use classifier::{BATCH, ClassifierPart, Statistics, fold, pooled};
pub use classifier::{Classifier, ClassifierConfig, NativeClassifier, NormKind};
pub use clip::{
    Cleaning, ClipConfig, ClipHead, ClipImages, ClipJudge, ClipLayout, ClipTextConfig, ClipTexts,
    ClipTokens, Fit, OpenClipHints, PromptScoreKind, TensorShapes, clip_shapes,
};
pub use config::{DenseLayer, MlpConfig, ModelError, STATE, check_layers};
pub use dit::{Backward, Dit, DitConfig, GUIDANCE, NativeDit, Pass, ReadWeight, Through, Weight};
pub use dual::Dual;
#[cfg(test)]
pub(crate) use efficientnet::tests::made as made_efficientnet;
pub use efficientnet::{EfficientNet, EfficientNetConfig, ImageNetJudge, Stage};
pub use fused::FusedMlp;
pub use fused_vjp::{GuidedMlp, Rows};
pub use imagenet::{
    IMAGENET_CLASSES, imagenet_class_name, imagenet_class_names, imagenet_class_of,
};
pub use images::{BurnImageMap, ImageMap, ImageRows};
pub use judge::{ImageJudge, Judged, PictureJudge, Seen};
pub use map::{Condition, MetaFlowMap};
pub use memory::{Memory, free_memory};
pub use mlp::Mlp;
pub use on_device::RowsOnDevice;
pub use precision::Precision;
pub use side_by_side::{Going, Wanted};
pub(crate) use state_classifier::class_at;
#[cfg(test)]
pub(crate) use state_classifier::tests::made as made_state_classifier;
pub use state_classifier::{ClassFirst, StateClassifier};
pub use taesd::Taesd;
pub use vae::{LatentDecoder, LatentGaussian, Vae, VaeConfig};
pub use velocity_only::VelocityOnly;
pub use weights::{Misfit, WeightValues, Weights, taking_weights, weights_of, with_weights};
