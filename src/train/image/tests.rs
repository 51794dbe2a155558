//! Runs of a tiny network on bars that lie or stand.

use burn::tensor::Device;

use super::*;
use crate::model::{Condition, DitConfig, Dual, MetaFlowMap as _, weights_of};
use crate::train::ImageSet;

pub(super) fn bars(n: usize) -> ImageSet {
    let mut pixels = Vec::new();
    for i in 0..n {
        let at = 2 + (i / 2) % 4;
        for row in 0..8 {
            for column in 0..8 {
                let on = if i % 2 == 0 { row == at } else { column == at };
                pixels.push(if on { 255 } else { 0 });
            }
        }
    }
    ImageSet {
        shape: [1, 8, 8],
        pixels,
        labels: (0..n).map(|i| u16::from(i % 2 == 0)).collect(),
        classes: vec!["stands".into(), "lies".into()],
    }
}

pub(super) fn recipe(consistency: ImageConsistency) -> ImageRecipe {
    ImageRecipe {
        model: DitConfig::tiny(2),
        steps: 60,
        batch: 16,
        micro_batch: 8,
        warm_up: 5,
        jumps_from: 0,
        rate: 3e-3,
        consistency,
        ..ImageRecipe::digits()
    }
}

#[test]
fn a_resumed_run_gives_the_losses_and_weights_of_an_uninterrupted_one() {
    let (device, data) = (Device::flex(), bars(32));
    let steps = |run: &mut ImageTrainer, n: usize| -> Vec<f64> {
        (0..n)
            .map(|_| run.advance(&data, true).unwrap().unwrap().weighted)
            .collect()
    };
    let recipe = recipe(ImageConsistency::MeanFlow);
    let mut whole = ImageTrainer::new(recipe.clone(), &device).unwrap();
    whole.check(&data).unwrap();
    let expected = steps(&mut whole, 5);
    let mut first = ImageTrainer::new(recipe, &device).unwrap();
    let mut losses = steps(&mut first, 2);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.part");
    first.save(&path).unwrap();
    drop(first);
    let mut second = ImageTrainer::resume(&path, &device).unwrap();
    losses.extend(steps(&mut second, 3));
    assert_eq!(losses, expected);
    assert_eq!(
        weights_of(&second.averaged()),
        weights_of(&whole.averaged())
    );

    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 9, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(ImageTrainer::resume(&path, &device).is_err(), "{cut}");
    }
}

/// Losses and weights of a few steps from a network of which every weight is alive.
fn few_steps(recipe: &ImageRecipe, native: bool) -> (Vec<crate::train::StepLoss>, Vec<f32>) {
    let (device, data) = (Device::flex(), bars(32));
    let lively = |seed| weights_of(&crate::model::Dit::lively(&recipe.model, seed, &device));
    let distils = matches!(recipe.consistency, ImageConsistency::Distilled { .. });
    let teacher = distils.then(|| lively(4));
    let mut run = ImageTrainer::start(recipe.clone(), teacher, &device, native).unwrap();
    let state = super::state::State {
        weights: lively(3),
        ..Default::default()
    };
    run.restore(0, &state).unwrap();
    let losses = (0..4).map(|_| run.advance(&data, true).unwrap().unwrap());
    let losses = losses.collect();
    let weights = weights_of(&run.averaged());
    (
        losses,
        weights.into_values().flat_map(|w| w.values).collect(),
    )
}

#[test]
fn the_processors_kernel_takes_the_steps_that_burn_takes() {
    for (consistency, predicts_image) in [
        (ImageConsistency::MeanFlow, true),
        (ImageConsistency::MeanFlow, false),
        (ImageConsistency::Eulerian, true),
        (ImageConsistency::Lagrangian, true),
        (ImageConsistency::Progressive, true),
        (ImageConsistency::Distilled { pieces: 3 }, true),
    ] {
        let mut recipe = recipe(consistency);
        recipe.model.predicts_image = predicts_image;
        // Adam's first steps depend on the signs of gradients near 0 only: a low rate keeps rounding small.
        recipe.rate = 1e-4;
        let (ours, our_weights) = few_steps(&recipe, true);
        let (theirs, their_weights) = few_steps(&recipe, false);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for (a, b) in [
                (ours.weighted, theirs.weighted),
                (ours.diagonal, theirs.diagonal),
                (ours.consistency, theirs.consistency),
            ] {
                assert!((a - b).abs() < 1e-3 * b.abs(), "{consistency:?}: {a} {b}");
            }
        }
        let apart = our_weights
            .iter()
            .zip(&their_weights)
            .map(|(a, b)| f64::from((a - b).abs()))
            .sum::<f64>()
            / our_weights.len() as f64;
        // Four steps of a warm-up of five: up to 1e-4 each.
        assert!(apart < 1e-6, "{consistency:?}: {apart}");
    }
}

#[test]
fn a_distilled_run_begins_as_its_teacher_and_its_jumps_come_nearer_to_several_of_it() {
    let (device, data) = (Device::flex(), bars(32));
    let mut recipe = recipe(ImageConsistency::Distilled { pieces: 4 });
    (recipe.diagonal_share, recipe.steps, recipe.rate) = (0.0, 240, 6e-3);
    let teacher = crate::model::Dit::lively(&recipe.model, 4, &device);
    let weights = weights_of(&teacher);
    assert!(ImageTrainer::new(recipe.clone(), &device).is_err());
    let mut run = ImageTrainer::distilling(recipe.clone(), weights.clone(), &device).unwrap();
    assert_eq!(weights_of(&run.averaged()), weights);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.part");
    let mut losses = Vec::new();
    while !run.is_done() {
        losses.push(run.advance(&data, true).unwrap().unwrap().consistency);
        if run.steps_done() == 30 {
            // The teacher goes into the file, too.
            run.save(&path).unwrap();
            run = ImageTrainer::resume(&path, &device).unwrap();
        }
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[220..]));
    assert!(last < 0.7 * first, "{first} {last}");
}

#[test]
fn a_run_goes_on_through_burn_where_the_processors_kernel_left_it() {
    let (device, data) = (Device::flex(), bars(32));
    let recipe = recipe(ImageConsistency::MeanFlow);
    let mut native = ImageTrainer::new(recipe.clone(), &device).unwrap();
    for _ in 0..3 {
        native.advance(&data, false).unwrap();
    }
    let mut burn = ImageTrainer::through_burn(recipe, &device).unwrap();
    burn.restore(native.steps_done(), &native.state()).unwrap();
    for _ in 0..2 {
        let ours = native.advance(&data, true).unwrap().unwrap().weighted;
        let theirs = burn.advance(&data, true).unwrap().unwrap().weighted;
        assert!((ours - theirs).abs() < 1e-3 * theirs, "{ours} {theirs}");
    }
}

#[test]
fn micro_batches_give_the_gradient_of_the_whole_batch() {
    let (device, data) = (Device::flex(), bars(32));
    let mut recipe = recipe(ImageConsistency::Progressive);
    recipe.diagonal_share = 1.0;
    let after = |micro: usize| {
        let recipe = ImageRecipe {
            micro_batch: micro,
            ..recipe.clone()
        };
        let mut run = ImageTrainer::new(recipe, &device).unwrap();
        run.advance(&data, true).unwrap().unwrap()
    };
    let (whole, parts) = (after(16), after(4));
    // The same items in both: only the order of sums differs.
    assert!((whole.weighted - parts.weighted).abs() < 1e-5 * whole.weighted);
}

#[test]
fn every_consistency_loss_learns() {
    let (device, data) = (Device::flex(), bars(32));
    for consistency in [
        ImageConsistency::MeanFlow,
        ImageConsistency::Eulerian,
        ImageConsistency::Lagrangian,
        ImageConsistency::Progressive,
    ] {
        let mut recipe = ImageRecipe {
            // Guidance would raise the error of a network that has not learned yet.
            guided_share: 0.0,
            diagonal_share: 0.75,
            rate: 1e-2,
            steps: 150,
            ..recipe(consistency)
        };
        // The bars below are of velocities put out as they are.
        recipe.model.predicts_image = false;
        let mut run = ImageTrainer::new(recipe, &device).unwrap();
        let mut losses = Vec::new();
        while !run.is_done() {
            losses.push(run.advance(&data, true).unwrap().unwrap());
        }
        let mean = |of: &[crate::train::StepLoss]| {
            of.iter().map(|l| l.diagonal).sum::<f64>() / of.len() as f64
        };
        let last = mean(&losses[130..]);
        // A network of zeros has an error of about 1.75 here (noise 1, bars 0.75). What learns from its own jumps is
        // pulled about by them while the network is this raw.
        let bar = if consistency == ImageConsistency::MeanFlow {
            1.0
        } else {
            1.6
        };
        assert!(last < bar, "{consistency:?}: {last}");
        assert!(losses.iter().all(|l| l.consistency.is_finite()));
    }
}

#[test]
fn the_lagrangian_target_is_the_end_velocity_less_what_the_jump_itself_turns() {
    // d/du X_{s,u} = v + (u - s) dv/du, by differences of the map itself.
    let device = Device::flex();
    let data = bars(8);
    let recipe = recipe(ImageConsistency::Lagrangian);
    let mut run = ImageTrainer::new(recipe.clone(), &device).unwrap();
    for _ in 0..20 {
        run.advance(&data, false).unwrap();
    }
    let net = run.averaged();
    let batch = ImageBatch::at(&recipe, &data, 3, (0, 8), &device);
    let condition = Condition {
        t: batch.t.clone(),
        x_t: batch.x_t.clone(),
        label: Some(batch.label.clone()),
        guidance_scale: Some(batch.guidance.clone()),
    };
    let (s, u, x) = (batch.s, batch.u, batch.x);
    let h = 2e-2;
    let map = |u| net.flow_map(s.clone(), u, x.clone(), &condition);
    let difference = (map(u.clone() + h) - map(u.clone() - h)) / (2.0 * h);
    let moved = net.velocity(
        Dual::constant(s.clone()),
        Dual::moving(u.clone(), u.ones_like()),
        Dual::constant(x.clone()),
        &condition,
    );
    let jump = (u.clone() - s.clone()).reshape([8, 1, 1, 1]);
    let along = moved.value.clone() + jump * moved.derivative();
    let apart = (along.clone() - difference).abs().max();
    let size = along.abs().max();
    let number =
        |t: burn::tensor::Tensor<1>| -> f32 { t.into_data().try_to_vec::<f32>().unwrap()[0] };
    // Central differences of f32 at h = 0.02.
    assert!(number(apart) < 2e-2 * number(size));
}
