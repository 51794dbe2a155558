//! Shapes of ImageReward's two towers.

use crate::model::clip::LayerShape;
use crate::model::{Memory, Pass};

/// One tower.
#[derive(Debug, Clone, PartialEq)]
pub struct BlipTower {
    /// Width of a token.
    pub width: usize,
    /// Width of the layers' inner layer.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads of each layer.
    pub heads: usize,
}

/// Both towers. The published one has no file that says them: all copies are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct BlipConfig {
    /// Rows and columns of a prepared picture.
    pub image_size: usize,
    /// Rows and columns of a patch.
    pub patch_size: usize,
    /// Of pictures.
    pub pictures: BlipTower,
    /// Of texts.
    pub texts: BlipTower,
    /// Pieces of words that it knows.
    pub vocabulary: usize,
    /// Pieces that a text could have; ImageReward reads [`Self::MOST`].
    pub places: usize,
}

impl BlipConfig {
    /// The most pieces of a text, both markers included, as ImageReward cuts it.
    pub const MOST: usize = 35;

    /// ImageReward 1.0: ViT-L/16, and BERT-base that also looks at the picture. 445 million parameters.
    pub fn published() -> Self {
        Self {
            image_size: 224,
            patch_size: 16,
            pictures: BlipTower {
                width: 1024,
                inner: 4096,
                layers: 24,
                heads: 16,
            },
            texts: BlipTower {
                width: 768,
                inner: 3072,
                layers: 12,
                heads: 12,
            },
            // BERT's, and two markers for other uses of BLIP.
            vocabulary: 30_524,
            places: 512,
        }
    }

    /// Tokens of a picture: its patches and one for the whole.
    pub const fn tokens(&self) -> usize {
        let side = self.image_size / self.patch_size;
        side * side + 1
    }

    /// About what a picture takes with a prompt, or its gradient, in f32; pictures are looked at one by one.
    pub fn memory(&self, pass: Pass) -> Memory {
        let pictures = self
            .layer()
            .memory(self.pictures.layers, self.tokens(), pass);
        let [width, layers, vocabulary, seen] = [
            self.texts.width,
            self.texts.layers,
            self.vocabulary,
            self.pictures.width,
        ]
        .map(|n| n as u64);
        let texts = LayerShape {
            width: self.texts.width,
            inner: self.texts.inner,
            heads: self.texts.heads,
            ..self.layer()
        };
        let texts = texts.memory(self.texts.layers, Self::MOST, pass);
        // What each layer of texts has to look at the picture with, and the words.
        let looks = layers * 2 * width * (width + seen) + vocabulary * width;
        // Keys and values of the picture's tokens.
        let graphs = if pass == Pass::Gradient { layers } else { 1 };
        let keys = graphs * 4 * self.tokens() as u64 * width;
        Memory {
            weights: pictures.weights + texts.weights + 4 * looks,
            working: pictures.working + texts.working + 4 * keys,
        }
    }

    /// What the layers of the pictures' tower share.
    pub(super) fn layer(&self) -> LayerShape {
        LayerShape {
            width: self.pictures.width,
            inner: self.pictures.inner,
            heads: self.pictures.heads,
            quick: false,
            epsilon: 1e-6,
        }
    }
}
