//! Batch norm: what it does while a classifier learns, and what is left of it then.

use burn::module::Param;
use burn::nn::GroupNorm;
use burn::tensor::Tensor;

use crate::model::Weights;

/// Of every norm, as burn has it.
pub(super) const EPSILON: f32 = 1e-5;
/// Images over which batch norm looks while it learns, whatever a step has ("ghost batch norm", arXiv 1705.08741).
pub(crate) const BATCH: usize = 16;

/// Mean and variance of each channel before each norm, in the order that the signal takes.
pub(crate) type Statistics = Vec<[Vec<f32>; 2]>;

/// Each channel without its mean over these images and by its spread; mean and variance.
pub(super) fn over_images(x: Tensor<4>, epsilon: f64) -> (Tensor<4>, [Tensor<2>; 2]) {
    let [n, width, rows, columns] = x.dims();
    let of_channels = x.swap_dims(0, 1).reshape([width, n * rows * columns]);
    let mean = of_channels.clone().mean_dim(1);
    let away = of_channels - mean.clone();
    let variance = (away.clone() * away.clone()).mean_dim(1);
    let unit = away / (variance.clone() + epsilon).sqrt();
    let unit = unit.reshape([width, n, rows, columns]).swap_dims(0, 1);
    (unit, [mean, variance])
}

pub(super) fn flat(tensor: &Tensor<2>) -> Vec<f32> {
    let data = tensor.clone().into_data().convert::<f32>();
    data.try_into_vec().unwrap_or_default()
}

/// A scale and a shift of each channel.
pub(super) fn scaled(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let [_, width, ..] = x.dims();
    let of = |param: &Option<Param<Tensor<1>>>| {
        let param = param.as_ref().map(Param::val);
        param.map(|values| values.reshape([1, width, 1, 1]))
    };
    match (of(&norm.gamma), of(&norm.beta)) {
        (Some(gamma), Some(beta)) => x * gamma + beta,
        _ => x,
    }
}

/// What was seen of parts of equal size as what would be seen of all.
pub(crate) fn pooled(parts: &[Statistics]) -> Statistics {
    let Some(first) = parts.first() else {
        return Vec::new();
    };
    let share = 1.0 / parts.len() as f32;
    let norms = first.iter().enumerate();
    norms
        .map(|(norm, [means, _])| {
            let of_channel = |channel: usize| {
                let seen = parts.iter().map(|part| &part[norm]);
                let mean: f32 = seen.clone().map(|[means, _]| share * means[channel]).sum();
                let within = |[means, variances]: &[Vec<f32>; 2]| {
                    share * (variances[channel] + (means[channel] - mean).powi(2))
                };
                (mean, seen.map(within).sum::<f32>())
            };
            let (means, variances) = (0..means.len()).map(of_channel).unzip();
            [means, variances]
        })
        .collect()
}

/// Folds what batch norm saw on its way into its scales and shifts, as [`Classifier`] wants them.
pub(crate) fn fold(weights: &mut Weights, seen: &[[Vec<f32>; 2]]) {
    let blocks = (seen.len() - 1) / 2;
    let names = (0..blocks).flat_map(|i| [1, 2].map(|k| format!("blocks.{i}.norm_{k}")));
    for (name, [means, variances]) in names.chain(["norm".to_owned()]).zip(seen) {
        let mut of = |part: &str| weights.remove(&format!("{name}.{part}"));
        let (Some(mut gamma), Some(mut beta)) = (of("gamma"), of("beta")) else {
            continue;
        };
        let channels = gamma.values.iter_mut().zip(&mut beta.values);
        for ((gamma, beta), (mean, variance)) in channels.zip(means.iter().zip(variances)) {
            *gamma /= (variance + EPSILON).sqrt();
            *beta -= mean * *gamma;
        }
        weights.insert(format!("{name}.gamma"), gamma);
        weights.insert(format!("{name}.beta"), beta);
    }
}
