//! ImageReward on plain numbers.

use std::sync::Arc;

use burn::module::Module as _;
use burn::tensor::Device;

use super::{Blip, BlipConfig, WordPieces};
use crate::model::clip::ClipHead;
use crate::model::judge::{Asked, PictureJudge, Seen};
use crate::model::{Misfit, Weights};

/// Both towers, the vocabulary and the head, opened once for all prompts.
pub struct ImageReward {
    /// Ready for a graph of what goes in.
    net: Blip,
    words: WordPieces,
    head: ClipHead,
    device: Device,
}

impl ImageReward {
    /// What its authors take from the last layer's number, and divide by: scores of their data have mean 0 and deviation 1.
    const MEAN: f64 = 0.167_173_628_300_524_26;
    const DEVIATION: f64 = 1.033_339_496_605_407_2;

    /// Of a network without weights on `device`, not an autodiff one, and the tensors of its file.
    ///
    /// # Errors
    /// What is missing, unexpected or of another shape, in the towers or in the head.
    pub fn new(
        fresh: Blip,
        weights: Weights,
        words: WordPieces,
        device: &Device,
    ) -> Result<Self, String> {
        let of_head = weights.iter().filter_map(|(name, weight)| {
            let name = name.strip_prefix("mlp.")?;
            Some((name.to_owned(), weight.clone()))
        });
        let mut head = ClipHead::of(&of_head.collect())?;
        let (wanted, found) = (fresh.config().texts.width, head.direction.len());
        if wanted != found {
            return Err(format!(
                "its head takes {found} numbers, the text tower has {wanted}"
            ));
        }
        for v in &mut head.direction {
            *v = (f64::from(*v) / Self::DEVIATION) as f32;
        }
        head.offset = ((f64::from(head.offset) - Self::MEAN) / Self::DEVIATION) as f32;
        let net = fresh
            .with_weights(weights)
            .map_err(|misfit: Misfit| misfit.to_string())?;
        Ok(Self::of(net, words, head, device))
    }

    /// Of parts that fit each other.
    pub(super) fn of(net: Blip, words: WordPieces, head: ClipHead, device: &Device) -> Self {
        Self {
            net: net.no_grad().train(),
            words,
            head,
            device: device.clone(),
        }
    }

    /// The network's shape.
    pub const fn config(&self) -> &BlipConfig {
        self.net.config()
    }

    /// The score itself, as a function of what a judge sees.
    pub fn head(&self) -> &ClipHead {
        &self.head
    }
}

/// ImageReward for one prompt. What it sees of a picture is what the text's first token has become; it knows no classes.
pub struct ImageRewardJudge {
    of: Arc<ImageReward>,
    ids: Vec<u32>,
}

impl ImageRewardJudge {
    /// Reads a prompt.
    ///
    /// # Errors
    /// When it has too many pieces, or some that the network does not know.
    pub fn new(of: Arc<ImageReward>, prompt: &str) -> Result<Self, String> {
        let ids = of.words.ids(prompt)?;
        let known = of.net.config().vocabulary;
        if let Some(id) = ids.iter().find(|id| **id as usize >= known) {
            return Err(format!(
                "piece {id} of the vocabulary is not one of the {known} that the text tower knows: choose vocab.txt of bert-base-uncased"
            ));
        }
        Ok(Self { of, ids })
    }

    /// The network that it asks.
    pub fn network(&self) -> &ImageReward {
        &self.of
    }

    fn asked(&self, shape: [usize; 3]) -> Asked<'_> {
        Asked {
            shape,
            classes: 0,
            width: self.of.net.config().texts.width,
            // One picture at a time, as for CLIP.
            at_once: 1,
            device: &self.of.device,
            is_tracked: true,
        }
    }
}

impl PictureJudge for ImageRewardJudge {
    fn classes(&self) -> usize {
        0
    }

    fn see(&self, pictures: &[f32], shape: [usize; 3]) -> Seen {
        let look = |pictures| (self.of.net.features(pictures, &self.ids), None);
        self.asked(shape).see(pictures, &look)
    }

    fn pullback(
        &self,
        pictures: &[f32],
        shape: [usize; 3],
        cotangent: &mut dyn FnMut(&Seen, usize, &mut Seen),
        gradients: &mut [f32],
    ) -> Seen {
        let look = |pictures| (self.of.net.features(pictures, &self.ids), None);
        self.asked(shape)
            .pullback(pictures, &look, cotangent, gradients)
    }
}
