//! CLIP: the tower of pictures, the tower of texts with its words, and what is judged by them: LAION's aesthetic head
//! and scores of pictures for a prompt. Parameters carry the names of Hugging Face's files; those of OpenCLIP's are
//! translated (`open_clip`).
//!
//! All of it is plain burn, the preparation of the picture included, so gradients go through where the device tracks
//! them.

mod config;
mod head;
mod judge;
mod layers;
mod open_clip;
mod prepare;
mod prompt;
mod shapes;
#[cfg(test)]
mod tests;
mod text;
mod text_config;
#[cfg(test)]
mod token_tests;
mod tokens;
mod weights;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

pub use config::ClipConfig;
pub use head::ClipHead;
pub use judge::ClipJudge;
pub(super) use layers::{Layer, LayerShape};
pub use open_clip::{ClipLayout, OpenClipHints};
pub use prepare::Fit;
pub(super) use prepare::{resampled, resizing};
pub use prompt::PromptScoreKind;
pub use shapes::{TensorShapes, clip_shapes};
pub use text::ClipTexts;
pub use text_config::ClipTextConfig;
pub use tokens::{Cleaning, ClipTokens};

/// See [`ClipConfig`] for its shape.
#[derive(Module, Debug)]
pub struct ClipImages {
    vision_model: Tower,
    visual_projection: Linear,
    #[module(skip)]
    config: ClipConfig,
}

#[derive(Module, Debug)]
struct Tower {
    embeddings: Embeddings,
    /// Its name is misspelt in every file.
    pre_layrnorm: LayerNorm,
    encoder: Encoder,
    post_layernorm: LayerNorm,
}

#[derive(Module, Debug)]
struct Encoder {
    layers: Vec<Layer>,
}

/// Patches, one token for the whole, and the positions of all.
#[derive(Module, Debug)]
// The names of the files.
#[allow(clippy::struct_field_names)]
struct Embeddings {
    class_embedding: Param<Tensor<1>>,
    patch_embedding: Conv2d,
    position_embedding: Positions,
}

#[derive(Module, Debug)]
struct Positions {
    weight: Param<Tensor<2>>,
}

impl ClipConfig {
    /// The network with fresh random weights.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn init(&self, device: &Device) -> Result<ClipImages, String> {
        self.validate()?;
        let (d, p, layer) = (self.hidden_size, self.patch_size, self.layer());
        let zeros = |shape| Param::from_tensor(Tensor::<2>::zeros(shape, device));
        let layers = (0..self.num_hidden_layers)
            .map(|_| Layer::new(&layer, device))
            .collect();
        Ok(ClipImages {
            vision_model: Tower {
                embeddings: Embeddings {
                    class_embedding: Param::from_tensor(Tensor::zeros([d], device)),
                    patch_embedding: Conv2dConfig::new([3, d], [p, p])
                        .with_stride([p, p])
                        .with_bias(false)
                        .init(device),
                    position_embedding: Positions {
                        weight: zeros([self.tokens(), d]),
                    },
                },
                pre_layrnorm: layer.norm(device),
                encoder: Encoder { layers },
                post_layernorm: layer.norm(device),
            },
            visual_projection: LinearConfig::new(d, self.projection_dim)
                .with_bias(false)
                .init(device),
            config: self.clone(),
        })
    }
}

impl ClipImages {
    /// Its shape.
    pub const fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Where pictures lie among texts and other pictures: directions of length 1.
    ///
    /// # Shapes
    /// `pictures`: `[B, C, H, W]` of any size, grey or colour, -1 black and 1 white; the result
    /// `[B, projection_dim]`.
    pub fn embed(&self, pictures: Tensor<4>) -> Tensor<2> {
        self.embed_as(pictures, Fit::Crop)
    }

    /// The same of pictures that are made square in a certain way.
    pub fn embed_as(&self, pictures: Tensor<4>, fit: Fit) -> Tensor<2> {
        self.embed_prepared(fit.prepared(pictures, self.config.image_size))
    }

    /// The same of pictures that are prepared: `[B, 3, image_size, image_size]`, normalised.
    fn embed_prepared(&self, pixels: Tensor<4>) -> Tensor<2> {
        let Tower {
            embeddings,
            pre_layrnorm,
            encoder,
            post_layernorm,
        } = &self.vision_model;
        let d = self.config.hidden_size;
        let patches = embeddings.patch_embedding.forward(pixels);
        let [batch, ..] = patches.dims();
        let patches = patches.reshape([batch, d, self.config.tokens() - 1]);
        let whole = embeddings.class_embedding.val().reshape([1, 1, d]);
        let tokens = Tensor::cat(
            vec![whole.expand([batch, 1, d]), patches.swap_dims(1, 2)],
            1,
        );
        let positions = embeddings.position_embedding.weight.val();
        let mut h = pre_layrnorm.forward(tokens + positions.unsqueeze());
        for layer in &encoder.layers {
            h = layer.forward(h, None);
        }
        let whole = h.narrow(1, 0, 1).reshape([batch, d]);
        let embedding = self
            .visual_projection
            .forward(post_layernorm.forward(whole));
        direction(embedding)
    }
}

/// Rows brought to length 1.
fn direction(rows: Tensor<2>) -> Tensor<2> {
    let length = rows.clone().square().sum_dim(1).sqrt();
    rows / length.clamp_min(1e-12)
}
