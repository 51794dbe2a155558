//! OpenCLIP's names for the same weights, and what its files say beside them.

use serde::Deserialize;

use crate::model::{WeightValues, Weights};

/// By whose names a file's weights go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipLayout {
    /// Those of the transformers library.
    HuggingFace,
    /// Those of OpenCLIP, and of OpenAI before it.
    OpenClip,
}

impl ClipLayout {
    /// A tensor that every image tower of this layout has, and nothing else.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::HuggingFace => "vision_model.embeddings.class_embedding",
            Self::OpenClip => "visual.class_embedding",
        }
    }

    /// Hugging Face's name of a tensor of a file. Queries, keys and values that lie in one tensor go by `in_proj`.
    pub fn translated(self, name: &str) -> String {
        match self {
            Self::HuggingFace => name.to_owned(),
            Self::OpenClip => translated(name).unwrap_or_else(|| name.to_owned()),
        }
    }

    /// Whether a tensor by Hugging Face's name is kept with rows and columns exchanged.
    pub fn is_exchanged(self, name: &str) -> bool {
        self == Self::OpenClip && name.ends_with("_projection.weight")
    }

    /// Weights by translated names as Hugging Face's files have them.
    pub fn arranged(self, weights: Weights) -> Weights {
        let mut arranged = Weights::new();
        for (name, weight) in weights {
            if let Some((layer, kind)) = name.rsplit_once(".in_proj_") {
                for (which, part) in ["q_proj", "k_proj", "v_proj"].iter().zip(thirds(weight)) {
                    arranged.insert(format!("{layer}.{which}.{kind}"), part);
                }
            } else if self.is_exchanged(&name) {
                arranged.insert(name, weight.transposed());
            } else {
                arranged.insert(name, weight);
            }
        }
        arranged
    }
}

/// One tensor of three, cut along its rows. One that cannot be cut stays whole in the first, whose shape is then told.
fn thirds(weight: WeightValues) -> Vec<WeightValues> {
    let rows = weight.shape.first().copied().unwrap_or(0);
    if weight.values.is_empty() || !rows.is_multiple_of(3) {
        return vec![weight];
    }
    let mut shape = weight.shape;
    shape[0] = rows / 3;
    let part = |values: &[f32]| WeightValues {
        shape: shape.clone(),
        values: values.to_vec(),
    };
    weight
        .values
        .chunks_exact(weight.values.len() / 3)
        .map(part)
        .collect()
}

/// Hugging Face's name of one of OpenCLIP's.
fn translated(name: &str) -> Option<String> {
    // Text towers that can be exchanged go by a name of their own.
    let name = name.strip_prefix("text.").unwrap_or(name);
    let whole = match name {
        "visual.class_embedding" => "vision_model.embeddings.class_embedding",
        "visual.conv1.weight" => "vision_model.embeddings.patch_embedding.weight",
        "visual.positional_embedding" => "vision_model.embeddings.position_embedding.weight",
        "visual.proj" => "visual_projection.weight",
        "token_embedding.weight" => "text_model.embeddings.token_embedding.weight",
        "positional_embedding" => "text_model.embeddings.position_embedding.weight",
        "text_projection" => "text_projection.weight",
        _ => "",
    };
    if !whole.is_empty() {
        return Some(whole.to_owned());
    }
    for (theirs, ours) in [
        ("visual.ln_pre.", "vision_model.pre_layrnorm."),
        ("visual.ln_post.", "vision_model.post_layernorm."),
        ("ln_final.", "text_model.final_layer_norm."),
    ] {
        if let Some(rest) = name.strip_prefix(theirs) {
            return Some(format!("{ours}{rest}"));
        }
    }
    let (tower, rest) = match name.strip_prefix("visual.transformer.resblocks.") {
        Some(rest) => ("vision_model", rest),
        None => ("text_model", name.strip_prefix("transformer.resblocks.")?),
    };
    let (number, part) = rest.split_once('.')?;
    let part = [
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("attn.", "self_attn."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ]
    .iter()
    .find_map(|(theirs, ours)| Some(format!("{ours}{}", part.strip_prefix(theirs)?)))?;
    Some(format!("{tower}.encoder.layers.{number}.{part}"))
}

/// What weights do not say of themselves, from OpenCLIP's `open_clip_config.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenClipHints {
    /// Whether the GELU is OpenAI's approximation.
    pub quick_gelu: bool,
    /// Numbers of an attention head of the image tower.
    pub head_width: Option<usize>,
    /// Attention heads of the text tower.
    pub text_heads: Option<usize>,
}

impl OpenClipHints {
    /// Reads the file, whose fields may lie under `model_cfg`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Outer {
            model_cfg: Option<Fields>,
            #[serde(flatten)]
            fields: Fields,
        }
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Fields {
            quick_gelu: bool,
            vision_cfg: Vision,
            text_cfg: Text,
        }
        #[derive(Deserialize, Default)]
        struct Vision {
            head_width: Option<usize>,
        }
        #[derive(Deserialize, Default)]
        struct Text {
            heads: Option<usize>,
        }
        let outer: Outer = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let fields = outer.model_cfg.unwrap_or(outer.fields);
        Ok(Self {
            quick_gelu: fields.quick_gelu,
            head_width: fields.vision_cfg.head_width,
            text_heads: fields.text_cfg.heads,
        })
    }
}
