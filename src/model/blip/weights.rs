//! Weights under the names of ImageReward's file.

use burn::module::Module as _;

use super::Blip;
use crate::model::{Misfit, WeightValues, Weights, with_weights};

const PICTURES: &str = "blip.visual_encoder.";
const TEXTS: &str = "blip.text_encoder.";

/// Parts of names, theirs and ours. Each is replaced where it stands.
const PARTS: [(&str, &str); 16] = [
    ("blip.visual_encoder.patch_embed.proj.", "pictures.patches."),
    ("blip.visual_encoder.cls_token", "pictures.whole"),
    ("blip.visual_encoder.pos_embed", "pictures.positions"),
    ("blip.visual_encoder.norm.", "pictures.norm."),
    ("blip.visual_encoder.blocks.", "pictures.layers."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".attn.proj.", ".self_attn.out_proj."),
    (
        "blip.text_encoder.embeddings.word_embeddings.",
        "texts.words.",
    ),
    (
        "blip.text_encoder.embeddings.position_embeddings.weight",
        "texts.positions",
    ),
    ("blip.text_encoder.embeddings.LayerNorm.", "texts.norm."),
    ("blip.text_encoder.encoder.layer.", "texts.layers."),
    (".intermediate.dense.", ".wide."),
    (".attention.", ".words."),
    (".crossattention.", ".picture."),
    (".self.", "."),
];

impl Blip {
    /// Whether a tensor of a file is one of the towers' weights.
    pub fn takes(name: &str) -> bool {
        let of = [PICTURES, TEXTS]
            .iter()
            .any(|tower| name.starts_with(tower));
        // A table of 0, 1, 2, ...
        of && !name.ends_with("position_ids")
    }

    /// The network with the weights of a file. Others are left aside.
    ///
    /// # Errors
    /// [`Misfit`] naming every parameter and weight that does not fit: by our names where theirs are in three parts.
    pub fn with_weights(self, weights: Weights) -> Result<Self, Misfit> {
        let mut ours = Weights::new();
        for (name, weight) in weights {
            if !Self::takes(&name) {
                continue;
            }
            if let Some(kind) = name.rsplit('.').next()
                && let Some(layer) = name.strip_suffix(&format!(".attn.qkv.{kind}"))
            {
                // Three layers in one.
                let layer = translated(&format!("{layer}."));
                for (part, weight) in ["q_proj", "k_proj", "v_proj"].iter().zip(thirds(weight)) {
                    let name = format!("{layer}self_attn.{part}.{kind}");
                    let weight = exchanged(&name, weight);
                    ours.insert(name, weight);
                }
                continue;
            }
            let name = translated(&name);
            let weight = exchanged(&name, weight);
            ours.insert(name, weight);
        }
        with_weights(self, &ours)
    }

    /// Numbers in all tensors of the weights.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }
}

/// Our name of one of theirs.
fn translated(name: &str) -> String {
    let mut name = name.to_owned();
    for (theirs, ours) in PARTS {
        name = name.replace(theirs, ours);
    }
    // What follows the attention, and what follows the inner layer, are both called output.
    for part in [".words", ".picture"] {
        name = name.replace(&format!("{part}.output.dense."), &format!("{part}.out."));
        name = name.replace(
            &format!("{part}.output.LayerNorm."),
            &format!("{part}.norm."),
        );
    }
    name = name.replace(".output.dense.", ".narrow.");
    name = name.replace(".output.LayerNorm.", ".norm.");
    if !is_norm(&name) {
        return name;
    }
    match (name.strip_suffix(".weight"), name.strip_suffix(".bias")) {
        (Some(layer), _) => format!("{layer}.gamma"),
        (_, Some(layer)) => format!("{layer}.beta"),
        _ => name,
    }
}

fn is_norm(name: &str) -> bool {
    let layer = name.rsplit('.').nth(1);
    layer.is_some_and(|layer| layer.contains("norm"))
}

/// The matrices of linear layers with rows and columns exchanged, as burn keeps them.
fn exchanged(name: &str, weight: WeightValues) -> WeightValues {
    let linear = name.contains(".layers.") && name.ends_with(".weight");
    if linear { weight.transposed() } else { weight }
}

/// The queries', the keys' and the values' part; as it is where it has none.
fn thirds(weight: WeightValues) -> Vec<WeightValues> {
    let rows = weight.shape.first().copied().unwrap_or(0);
    if rows == 0 || !rows.is_multiple_of(3) || weight.values.is_empty() {
        return vec![weight];
    }
    let mut shape = weight.shape;
    shape[0] = rows / 3;
    let values = weight.values.chunks_exact(weight.values.len() / 3);
    values
        .map(|values| WeightValues {
            shape: shape.clone(),
            values: values.to_vec(),
        })
        .collect()
}
