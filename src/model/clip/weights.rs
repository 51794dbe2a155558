//! Weights of both towers under Hugging Face's names.

use burn::module::Module;

use super::{ClipImages, ClipTexts};
use crate::model::{Misfit, WeightValues, Weights, taking_weights, weights_of};

impl ClipImages {
    /// The tower with the weights of a file, by Hugging Face's names. Those of the text tower are left aside.
    ///
    /// # Errors
    /// [`Misfit`] naming every parameter and weight that does not fit.
    pub fn with_weights(self, weights: Weights) -> Result<Self, Misfit> {
        filled(self, weights, Self::takes)
    }

    /// All weights by Hugging Face's names.
    pub fn weights(&self) -> Weights {
        named(self)
    }

    /// Numbers in all tensors of the weights.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }

    /// Whether a tensor of a file is one of the image tower's weights.
    pub fn takes(name: &str) -> bool {
        is_of(name, &["vision_model.", "visual_projection."])
    }
}

impl ClipTexts {
    /// The tower with the weights of a file, by Hugging Face's names. Those of the image tower are left aside.
    ///
    /// # Errors
    /// [`Misfit`] naming every parameter and weight that does not fit.
    pub fn with_weights(self, weights: Weights) -> Result<Self, Misfit> {
        filled(self, weights, Self::takes)
    }

    /// All weights by Hugging Face's names.
    pub fn weights(&self) -> Weights {
        named(self)
    }

    /// Numbers in all tensors of the weights.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }

    /// Whether a tensor of a file is one of the text tower's weights.
    pub fn takes(name: &str) -> bool {
        is_of(name, &["text_model.", "text_projection."])
    }
}

fn is_of(name: &str, tower: &[&str]) -> bool {
    // A table of 0, 1, 2, ... that older files have.
    tower.iter().any(|first| name.starts_with(first)) && !name.ends_with("position_ids")
}

fn filled<M: Module>(
    tower: M,
    weights: Weights,
    takes: impl Fn(&str) -> bool,
) -> Result<M, Misfit> {
    let ours: Weights = weights
        .into_iter()
        .filter(|(name, _)| takes(name))
        .map(|(name, weight)| {
            let weight = exchanged(&name, weight);
            (ours(&name), weight)
        })
        .collect();
    taking_weights(tower, ours).map_err(|misfit| Misfit {
        missing: misfit.missing.iter().map(|name| theirs(name)).collect(),
        unexpected: misfit.unexpected.iter().map(|name| theirs(name)).collect(),
        shapes: misfit.shapes.iter().map(|text| theirs(text)).collect(),
    })
}

fn named<M: Module>(tower: &M) -> Weights {
    let all = weights_of(tower);
    all.into_iter()
        .map(|(name, weight)| (theirs(&name), exchanged(&name, weight)))
        .collect()
}

/// The matrices of linear layers with rows and columns exchanged, as burn keeps them.
fn exchanged(name: &str, weight: WeightValues) -> WeightValues {
    let linear = [".self_attn.", ".mlp.fc", "_projection."]
        .iter()
        .any(|part| name.contains(part));
    if linear { weight.transposed() } else { weight }
}

/// Whether a parameter belongs to a norm, whose two burn calls by other names.
fn is_norm(name: &str) -> bool {
    let layer = name.rsplit('.').nth(1);
    layer.is_some_and(|layer| layer.contains("norm") || layer.contains("layrnorm"))
}

fn ours(name: &str) -> String {
    if !is_norm(name) {
        return name.to_owned();
    }
    match (name.strip_suffix(".weight"), name.strip_suffix(".bias")) {
        (Some(layer), _) => format!("{layer}.gamma"),
        (_, Some(layer)) => format!("{layer}.beta"),
        _ => name.to_owned(),
    }
}

/// A parameter's name as files have it; messages keep what else they say.
fn theirs(name: &str) -> String {
    name.replace(".gamma", ".weight").replace(".beta", ".bias")
}
