//! Weights under diffusers' names, today's and those before version 0.17.

use burn::module::Module as _;

use super::Vae;
use crate::model::{Misfit, WeightValues, Weights, taking_weights, weights_of};

impl Vae {
    /// The autoencoder with the weights of a file, by diffusers' names.
    ///
    /// # Errors
    /// [`Misfit`] naming every parameter and weight that does not fit.
    pub fn with_weights(self, weights: Weights) -> Result<Self, Misfit> {
        let ours: Weights = weights
            .into_iter()
            .map(|(name, weight)| arriving(&name, weight))
            .collect();
        taking_weights(self, ours).map_err(|misfit| Misfit {
            missing: misfit.missing.iter().map(|name| theirs(name)).collect(),
            unexpected: misfit.unexpected.iter().map(|name| theirs(name)).collect(),
            shapes: misfit.shapes.iter().map(|text| theirs(text)).collect(),
        })
    }

    /// All weights by diffusers' names.
    pub fn weights(&self) -> Weights {
        let all = weights_of(self);
        all.into_iter()
            .map(|(name, weight)| {
                let weight = if is_linear(&name) {
                    weight.transposed()
                } else {
                    weight
                };
                (theirs(&name), weight)
            })
            .collect()
    }

    /// Numbers in all tensors of the weights.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }
}

/// Whether a parameter is the matrix of a linear layer, which burn keeps transposed.
fn is_linear(name: &str) -> bool {
    name.contains(".attentions.") && name.contains(".to_") && name.ends_with(".weight")
}

/// Whether a parameter belongs to a norm, whose two burn calls by other names.
fn is_norm(name: &str) -> bool {
    name.rsplit('.')
        .nth(1)
        .is_some_and(|layer| layer.contains("norm"))
}

/// A weight of a file under its parameter's name.
fn arriving(name: &str, mut weight: WeightValues) -> (String, WeightValues) {
    let mut name = name.to_owned();
    if name.contains(".attentions.") {
        for (old, new) in [
            (".query.", ".to_q."),
            (".key.", ".to_k."),
            (".value.", ".to_v."),
            (".proj_attn.", ".to_out.0."),
        ] {
            name = name.replace(old, new);
        }
    }
    if is_norm(&name) {
        if let Some(layer) = name.strip_suffix(".weight") {
            name = format!("{layer}.gamma");
        } else if let Some(layer) = name.strip_suffix(".bias") {
            name = format!("{layer}.beta");
        }
    }
    if is_linear(&name) {
        // Stored as convolutions of one pixel in the oldest files.
        if let [outputs, inputs, 1, 1] = weight.shape[..] {
            weight.shape = vec![outputs, inputs];
        }
        weight = weight.transposed();
    }
    (name, weight)
}

/// A parameter's name as files have it; messages keep what else they say.
fn theirs(name: &str) -> String {
    name.replace(".gamma", ".weight").replace(".beta", ".bias")
}
