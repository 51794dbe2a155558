//! The shape of CLIP's text tower, under the names of Hugging Face's `config.json`.

use serde::{Deserialize, Serialize};

use super::config::{QUICK, tower, validate_layers, within};
use super::layers::LayerShape;

/// Shape of the tower. Fields that a file leaves out have Hugging Face's defaults, those of ViT-B/32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
    /// Pieces of words that it knows, markers included.
    pub vocab_size: usize,
    /// The most of them that a text may have, markers included.
    pub max_position_embeddings: usize,
    /// Width of a token.
    pub hidden_size: usize,
    /// Width of the layers' inner layer.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Attention heads of each layer.
    pub num_attention_heads: usize,
    /// Numbers of an embedding.
    pub projection_dim: usize,
    /// `quick_gelu`, or `gelu` in the towers of OpenCLIP.
    pub hidden_act: String,
    /// Of every norm.
    pub layer_norm_eps: f64,
    /// The marker at which a text is read off. 2 in files from before 2023, which is not so: they mean the greatest
    /// number in the text.
    pub eos_token_id: u32,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            max_position_embeddings: 77,
            hidden_size: 512,
            intermediate_size: 2_048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            projection_dim: 512,
            hidden_act: QUICK.into(),
            layer_norm_eps: 1e-5,
            eos_token_id: 49_407,
        }
    }
}

impl ClipTextConfig {
    /// Reads Hugging Face's `config.json`, of a whole CLIP or of its text tower.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let (mut config, shared) = tower::<Self>(text, "text_config")?;
        config.projection_dim = shared.unwrap_or(config.projection_dim);
        config.validate()?;
        Ok(config)
    }

    /// Refuses shapes that cannot be or that would ask for absurd memory.
    ///
    /// # Errors
    /// What is wrong, by field.
    pub fn validate(&self) -> Result<(), String> {
        within(&[
            ("vocab_size", self.vocab_size, 1 << 20),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                1_024,
            ),
            ("projection_dim", self.projection_dim, 4_096),
        ])?;
        if self.max_position_embeddings < 3 {
            return Err(
                "`max_position_embeddings` must leave room for a word and two markers".into(),
            );
        }
        validate_layers(&self.layer(), self.num_hidden_layers, &self.hidden_act)
    }

    /// What its layers share.
    pub(super) fn layer(&self) -> LayerShape {
        LayerShape {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            quick: self.hidden_act == QUICK,
            epsilon: self.layer_norm_eps,
        }
    }

    /// Where a text of these pieces is read off.
    pub(super) fn end(&self, ids: &[u32]) -> usize {
        let first_of = |id: u32| ids.iter().position(|other| *other == id);
        let marker = if self.eos_token_id == 2 {
            ids.iter().copied().max()
        } else {
            Some(self.eos_token_id)
        };
        // As in the reference: the first piece where there is no marker.
        marker.and_then(first_of).unwrap_or(0)
    }
}
