//! Shapes of ImageReward's two towers.

use crate::model::clip::LayerShape;

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

    /// ImageReward 1.0: ViT-L/16, and BERT-base that also looks at the picture. Some 446 million parameters.
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
