//! Runs whose matrix products are halves, beside the same in f32.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};

use super::loss::loss;
use super::optimizer::{NamedGradients, Optimizer, named_gradients};
use super::scaling::{LossScale, Scaling};
use super::tests::{bars, recipe};
use super::*;
use crate::model::{Dit, Precision, weights_of};

/// A flat gradient of the first batch, all parameters after one another.
fn gradient(recipe: &ImageRecipe, scale: f32) -> Vec<f32> {
    let device = Device::flex();
    let graph = device.clone().autodiff();
    let net = Dit::lively(&recipe.model, 3, &graph);
    let batch = ImageBatch::at(recipe, &bars(32), 0, (0, recipe.micro_batch), &graph);
    let narrow = net.clone().with_products_in(recipe.precision);
    let scaled = loss(&narrow, None, &batch, recipe).weighted * scale;
    let named = named_gradients(&net, &scaled.backward());
    let values = named.into_values();
    values
        .flat_map(|g| (g / scale).into_data().try_to_vec::<f32>().unwrap())
        .collect()
}

#[test]
fn gradients_through_halves_are_those_of_f32_to_a_hundredth() {
    for consistency in [
        ImageConsistency::MeanFlow,
        ImageConsistency::Lagrangian,
        ImageConsistency::Progressive,
    ] {
        let exact = gradient(&recipe(consistency), 1.0);
        let size: f32 = exact.iter().map(|g| g * g).sum::<f32>().sqrt();
        // Eleven bits and eight.
        for (precision, bar) in [(Precision::F16, 1e-2), (Precision::Bf16, 8e-2)] {
            let recipe = ImageRecipe {
                precision,
                ..recipe(consistency)
            };
            let found = gradient(&recipe, 1024.0);
            assert_eq!(found.len(), exact.len());
            let apart = found.iter().zip(&exact).map(|(a, b)| (a - b) * (a - b));
            let apart = apart.sum::<f32>().sqrt() / size;
            println!("{consistency:?} {precision}: {apart:.1e}");
            assert!(apart < bar, "{consistency:?} {precision}: {apart}");
            assert!(apart > 1e-6, "{precision} changes nothing: is it used?");
        }
    }
}

#[test]
fn a_step_with_an_infinite_gradient_changes_nothing_but_the_scale() {
    let device = Device::flex();
    let recipe = recipe(ImageConsistency::MeanFlow);
    let mut net = Dit::lively(&recipe.model, 3, &device.clone().autodiff());
    let mut optimizer = Optimizer::default();
    let mut scaling = Scaling::new(LossScale::default(), &device);
    let gradients = |broken: Option<f32>| -> NamedGradients {
        let weights = weights_of(&net.valid());
        let learned = weights.into_iter().filter(|(name, _)| name != "positions");
        let mut given: NamedGradients = learned
            .map(|(name, w)| (name, Tensor::ones([w.values.len()], &device)))
            .collect();
        if let Some(broken) = broken {
            let one = Tensor::from_floats([broken], &device);
            let bias = given.get_mut("final_layer.linear.bias").unwrap();
            *bias = bias.clone().slice_assign(burn::tensor::s![3..4], one);
        }
        given
    };
    let kinds = [None, Some(f32::INFINITY), Some(f32::NAN), None].map(&gradients);
    let mut before = weights_of(&net.valid());
    let mut moments = Vec::new();
    for (step, (given, taken)) in kinds
        .into_iter()
        .zip([true, false, false, true])
        .enumerate()
    {
        let options = recipe.step_options(step as u64);
        net = optimizer.step(net, given, 1.0, options, Some(&mut scaling));
        let after = weights_of(&net.valid());
        assert_eq!(after != before, taken, "step {step}");
        let kept = optimizer.moments.values();
        let now: Vec<f32> = kept
            .flat_map(|m| m.square.clone().into_data().try_to_vec::<f32>().unwrap())
            .collect();
        assert!(now.iter().all(|v| v.is_finite()));
        assert_eq!(now != moments, taken, "step {step}");
        (before, moments) = (after, now);
    }
    let state = scaling.state();
    assert_eq!((state.skipped, state.steady), (2.0, 1.0));
    assert_eq!(state.factor, LossScale::default().factor / 4.0);
}

#[test]
fn a_run_in_halves_learns_recovers_from_overflow_and_is_taken_up_where_it_stopped() {
    let (device, data) = (Device::flex(), bars(32));
    let recipe = ImageRecipe {
        precision: Precision::F16,
        rate: 1e-2,
        guided_share: 0.0,
        diagonal_share: 0.75,
        ..recipe(ImageConsistency::MeanFlow)
    };
    let mut run = ImageTrainer::new(recipe, &device).unwrap();
    // So large that the gradients are beyond a half.
    let mut state = run.state();
    state.scale = Some(LossScale {
        factor: 16_777_216.0,
        ..LossScale::default()
    });
    run.restore(0, &state).unwrap();
    let step = |run: &mut ImageTrainer| run.advance(&data, true).unwrap().unwrap();
    let first = step(&mut run).weighted;
    for _ in 0..19 {
        step(&mut run);
    }
    let scale = run.loss_scale().unwrap();
    assert!(scale.skipped >= 1.0 && scale.skipped < 15.0, "{scale:?}");
    assert!(scale.factor < 16_777_216.0 && !scale.is_least());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    run.save(&path).unwrap();
    let mut again = ImageTrainer::resume(&path, &device).unwrap();
    assert_eq!(again.loss_scale(), run.loss_scale());
    let mut last = 0.0;
    for _ in 0..20 {
        last = step(&mut run).weighted;
        assert_eq!(step(&mut again).weighted, last);
    }
    assert!(last < 0.8 * first, "{first} {last}");
    assert_eq!(weights_of(&again.averaged()), weights_of(&run.averaged()));
}
