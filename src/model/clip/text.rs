//! The text tower. Field names are those of Hugging Face's files.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::layers::{Layer, only_before};
use super::{ClipTextConfig, Encoder, Positions, direction};

/// See [`ClipTextConfig`] for its shape.
#[derive(Module, Debug)]
pub struct ClipTexts {
    text_model: Tower,
    text_projection: Linear,
    #[module(skip)]
    config: ClipTextConfig,
}

#[derive(Module, Debug)]
struct Tower {
    embeddings: Embeddings,
    encoder: Encoder,
    final_layer_norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Embeddings {
    token_embedding: Embedding,
    position_embedding: Positions,
}

impl ClipTextConfig {
    /// The network with fresh random weights.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn init(&self, device: &Device) -> Result<ClipTexts, String> {
        self.validate()?;
        let (d, layer) = (self.hidden_size, self.layer());
        let layers = (0..self.num_hidden_layers)
            .map(|_| Layer::new(&layer, device))
            .collect();
        let positions = Tensor::zeros([self.max_position_embeddings, d], device);
        Ok(ClipTexts {
            text_model: Tower {
                embeddings: Embeddings {
                    token_embedding: EmbeddingConfig::new(self.vocab_size, d).init(device),
                    position_embedding: Positions {
                        weight: Param::from_tensor(positions),
                    },
                },
                encoder: Encoder { layers },
                final_layer_norm: layer.norm(device),
            },
            text_projection: LinearConfig::new(d, self.projection_dim)
                .with_bias(false)
                .init(device),
            config: self.clone(),
        })
    }
}

impl ClipTexts {
    /// Its shape.
    pub const fn config(&self) -> &ClipTextConfig {
        &self.config
    }

    /// Where a text lies among pictures and other texts: a direction of length 1, `[1, projection_dim]`.
    ///
    /// # Errors
    /// When there are no pieces, too many, or some that the tower does not know.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor<2>, String> {
        let most = self.config.max_position_embeddings;
        if ids.is_empty() || ids.len() > most {
            return Err(format!(
                "a text of {} pieces; 1 to {most} are possible",
                ids.len()
            ));
        }
        if let Some(id) = ids
            .iter()
            .find(|id| **id as usize >= self.config.vocab_size)
        {
            let known = self.config.vocab_size;
            return Err(format!(
                "piece {id} is not one of the {known} that the text tower knows"
            ));
        }
        let Tower {
            embeddings,
            encoder,
            final_layer_norm,
        } = &self.text_model;
        let (d, tokens) = (self.config.hidden_size, ids.len());
        let positions = embeddings.position_embedding.weight.val();
        let device = positions.device();
        let numbers: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
        let words = Tensor::<2, Int>::from_data(TensorData::new(numbers, [1, tokens]), &device);
        let words = embeddings.token_embedding.forward(words);
        let mut h = words + positions.narrow(0, 0, tokens).unsqueeze();
        let mask = only_before(tokens, &device);
        for layer in &encoder.layers {
            h = layer.forward(h, Some(&mask));
        }
        let end = h.narrow(1, self.config.end(ids), 1).reshape([1, d]);
        let embedding = self.text_projection.forward(final_layer_norm.forward(end));
        Ok(direction(embedding))
    }
}
