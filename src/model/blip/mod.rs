//! ImageReward (arXiv 2304.05977): how well people would like a picture for a prompt. A tower of pictures (ViT), a tower of
//! texts (BERT) each layer of which also looks at the picture, and an affine function of what its first token has become.
//!
//! Layers of pictures are CLIP's, with other names. All of it is plain burn, the preparation of the picture included, so
//! gradients go through where the device tracks them.

mod bert;
mod config;
mod judge;
#[cfg(test)]
pub(super) mod tests;
mod weights;
mod words;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::clip::{Fit, Layer};
use bert::TextLayer;
pub use config::{BlipConfig, BlipTower};
pub use judge::{ImageReward, ImageRewardJudge};
pub use words::WordPieces;

/// See [`BlipConfig`] for its shape.
#[derive(Module, Debug)]
pub struct Blip {
    pictures: PictureTower,
    texts: TextTower,
    #[module(skip)]
    config: BlipConfig,
}

/// Patches, one token for the whole, and the positions of all.
#[derive(Module, Debug)]
struct PictureTower {
    patches: Conv2d,
    whole: Param<Tensor<3>>,
    positions: Param<Tensor<3>>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct TextTower {
    words: Embedding,
    positions: Param<Tensor<2>>,
    norm: LayerNorm,
    layers: Vec<TextLayer>,
}

impl BlipConfig {
    /// The network with fresh random weights.
    pub fn init(&self, device: &Device) -> Blip {
        let (d, p, layer) = (self.pictures.width, self.patch_size, self.layer());
        let zeros = |shape| Param::from_tensor(Tensor::<3>::zeros(shape, device));
        let layers = (0..self.pictures.layers).map(|_| Layer::new(&layer, device));
        let width = self.texts.width;
        let more = (0..self.texts.layers).map(|_| TextLayer::new(&self.texts, d, device));
        Blip {
            pictures: PictureTower {
                patches: Conv2dConfig::new([3, d], [p, p])
                    .with_stride([p, p])
                    .init(device),
                whole: zeros([1, 1, d]),
                positions: zeros([1, self.tokens(), d]),
                layers: layers.collect(),
                norm: layer.norm(device),
            },
            texts: TextTower {
                words: EmbeddingConfig::new(self.vocabulary, width).init(device),
                positions: Param::from_tensor(Tensor::zeros([self.places, width], device)),
                norm: bert_norm(width, device),
                layers: more.collect(),
            },
            config: self.clone(),
        }
    }
}

/// BERT's norm over a token.
fn bert_norm(width: usize, device: &Device) -> LayerNorm {
    LayerNormConfig::new(width).with_epsilon(1e-12).init(device)
}

impl Blip {
    /// Its shape.
    pub const fn config(&self) -> &BlipConfig {
        &self.config
    }

    /// What the first token of a text has become when all have looked at the picture.
    ///
    /// # Shapes
    /// `pictures`: `[B, C, H, W]` of any size, grey or colour, -1 black and 1 white: the middle square is resized as for
    /// CLIP. `ids` are pieces of one text with both markers, known and at most as many as there are places. The result
    /// `[B, texts.width]`.
    pub fn features(&self, pictures: Tensor<4>, ids: &[u32]) -> Tensor<2> {
        let pixels = Fit::Crop.prepared(pictures, self.config.image_size);
        self.read(ids, self.look(pixels))
    }

    /// `[B, 3, image_size, image_size]`, normalised, as tokens `[B, tokens, pictures.width]`.
    fn look(&self, pixels: Tensor<4>) -> Tensor<3> {
        let tower = &self.pictures;
        let d = self.config.pictures.width;
        let patches = tower.patches.forward(pixels);
        let [batch, ..] = patches.dims();
        let patches = patches.reshape([batch, d, self.config.tokens() - 1]);
        let whole = tower.whole.val().expand([batch, 1, d]);
        let tokens = Tensor::cat(vec![whole, patches.swap_dims(1, 2)], 1);
        let mut h = tokens + tower.positions.val();
        for layer in &tower.layers {
            h = layer.forward(h, None);
        }
        tower.norm.forward(h)
    }

    fn read(&self, ids: &[u32], picture: Tensor<3>) -> Tensor<2> {
        let tower = &self.texts;
        let (tokens, width) = (ids.len(), self.config.texts.width);
        let [batch, ..] = picture.dims();
        let positions = tower.positions.val();
        let numbers: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
        let data = TensorData::new(numbers, [1, tokens]);
        let words = Tensor::<2, Int>::from_data(data, &positions.device());
        let words = tower.words.forward(words);
        let h = tower
            .norm
            .forward(words + positions.narrow(0, 0, tokens).unsqueeze());
        let mut h = h.expand([batch, tokens, width]);
        for layer in &tower.layers {
            h = layer.forward(h, picture.clone());
        }
        h.narrow(1, 0, 1).reshape([batch, width])
    }
}
