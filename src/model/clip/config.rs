//! The shape of CLIP's image tower, under the names of Hugging Face's `config.json`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layers::LayerShape;
use crate::model::{Memory, Pass};

/// Shape of the tower. Fields that a file leaves out have Hugging Face's defaults, those of ViT-B/32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipConfig {
    /// Rows and columns of a prepared picture.
    pub image_size: usize,
    /// Rows and columns of a patch.
    pub patch_size: usize,
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
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 32,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            projection_dim: 512,
            hidden_act: "quick_gelu".into(),
            layer_norm_eps: 1e-5,
        }
    }
}

/// One tower of Hugging Face's `config.json`, below `key` or alone, and the numbers of an embedding where both share
/// them.
pub(super) fn tower<T: DeserializeOwned>(
    text: &str,
    key: &str,
) -> Result<(T, Option<usize>), String> {
    let mut whole: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|e| e.to_string())?;
    let shared = match whole.get("projection_dim") {
        None | Some(serde_json::Value::Null) => None,
        Some(numbers) => {
            let numbers = usize::deserialize(numbers);
            Some(numbers.map_err(|e| format!("`projection_dim`: {e}"))?)
        }
    };
    let own = match whole.remove(key) {
        None | Some(serde_json::Value::Null) => whole.into(),
        Some(tower) => tower,
    };
    let config = serde_json::from_value(own).map_err(|e| e.to_string())?;
    Ok((config, shared))
}

impl ClipConfig {
    /// ViT-L/14, the tower that LAION's aesthetic head was trained on: 304 million parameters.
    pub fn large() -> Self {
        Self {
            patch_size: 14,
            hidden_size: 1024,
            intermediate_size: 4096,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            projection_dim: 768,
            ..Self::default()
        }
    }

    /// ViT-H/14, the tower of PickScore and of HPSv2.1: 632 million parameters.
    pub fn huge() -> Self {
        Self {
            patch_size: 14,
            hidden_size: 1280,
            intermediate_size: 5120,
            num_hidden_layers: 32,
            num_attention_heads: 16,
            projection_dim: 1024,
            hidden_act: "gelu".into(),
            ..Self::default()
        }
    }

    /// Reads Hugging Face's `config.json`, of a whole CLIP or of its image tower.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let (mut config, shared) = tower::<Self>(text, "vision_config")?;
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
            ("image_size", self.image_size, 1_024),
            ("patch_size", self.patch_size, 64),
            ("projection_dim", self.projection_dim, 4_096),
        ])?;
        if !self.image_size.is_multiple_of(self.patch_size) {
            return Err("`patch_size` must divide `image_size`".into());
        }
        validate_layers(&self.layer(), self.num_hidden_layers, &self.hidden_act)
    }

    /// About what a picture takes, or its gradient, in f32; pictures are looked at one by one.
    pub fn memory(&self, pass: Pass) -> Memory {
        self.layer()
            .memory(self.num_hidden_layers, self.tokens(), pass)
    }

    /// Tokens of a picture: its patches and one for the whole.
    pub const fn tokens(&self) -> usize {
        let side = self.image_size / self.patch_size;
        side * side + 1
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
}

/// The name of OpenAI's approximation of the GELU.
pub(super) const QUICK: &str = "quick_gelu";

/// Refuses what is not between 1 and the most that is possible, by field.
pub(super) fn within(fields: &[(&str, usize, usize)]) -> Result<(), String> {
    for (field, value, most) in fields {
        if !(1..=*most).contains(value) {
            return Err(format!("`{field}` is {value}; 1 to {most} is possible"));
        }
    }
    Ok(())
}

/// The same of what towers of pictures and of texts have alike.
pub(super) fn validate_layers(shape: &LayerShape, layers: usize, act: &str) -> Result<(), String> {
    within(&[
        ("hidden_size", shape.width, 4_096),
        ("intermediate_size", shape.inner, 16_384),
        ("num_hidden_layers", layers, 64),
        ("num_attention_heads", shape.heads, 64),
    ])?;
    if !shape.width.is_multiple_of(shape.heads) {
        return Err("`num_attention_heads` must divide `hidden_size`".into());
    }
    if !matches!(act, QUICK | "gelu") {
        return Err("`hidden_act` must be quick_gelu or gelu".into());
    }
    if shape.epsilon > 0.0 && shape.epsilon < 1.0 {
        Ok(())
    } else {
        Err("`layer_norm_eps` must be between 0 and 1".into())
    }
}
