//! The classifier's own kernels beside burn's graph.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::test_bars::{bars, small_classifier};
use super::whiten::whiten;
use crate::model::simd::Buffer;
use crate::model::{ClassifierConfig, NativeClassifier, NormKind, weights_of, with_weights};
use crate::train::image::{flat_numbers, named_gradients};
use crate::train::{ClassifierRecipe, ClassifierTrainer};

/// Shapes with everything in them: a stride in front, maps that fill no tile, blocks with and without a way around.
fn shapes() -> [ClassifierConfig; 3] {
    let shape = |image, stem_stride, stages| ClassifierConfig {
        image,
        classes: 3,
        stem_stride,
        stages,
        mirrored: false,
        pooled: false,
        norm: NormKind::Group,
        others: Vec::new(),
    };
    [
        shape([1, 14, 14], 2, vec![(8, 2), (24, 1)]),
        shape([3, 16, 16], 1, vec![(16, 1), (8, 1), (16, 1)]),
        ClassifierConfig {
            pooled: true,
            ..shape([3, 16, 8], 1, vec![(16, 1), (24, 2)])
        },
    ]
}

#[test]
fn values_and_gradients_are_those_of_the_graph() {
    for config in shapes() {
        the_same_as_the_graph(&config, false);
        let config = ClassifierConfig {
            norm: NormKind::Batch,
            ..config
        };
        the_same_as_the_graph(&config, false);
        the_same_as_the_graph(&config, true);
    }
}

/// `learns`: batch norm looks over the images.
fn the_same_as_the_graph(config: &ClassifierConfig, learns: bool) {
    let device = Device::flex();
    let learning = device.clone().autodiff();
    let net = config.init(&learning);
    // Nothing at its beginning: norms begin as ones and zeros.
    let mut weights = config.fresh(5);
    for (i, weight) in weights.values_mut().enumerate() {
        for (k, v) in weight.values.iter_mut().enumerate() {
            *v += 0.1 * ((i * 31 + k) as f32 * 0.7).sin();
        }
    }
    let net = with_weights(net, &weights).unwrap();
    let n = 22;
    let numbers: usize = config.image.iter().product();
    let images: Vec<f32> = (0..n * numbers)
        .map(|k| (k as f32 * 0.37).sin() + 0.3 * (k as f32 * 0.011).cos())
        .collect();
    let [c, h, w] = config.image;
    let x = Tensor::<4>::from_data(TensorData::new(images.clone(), [n, c, h, w]), &learning);
    let logits = if learns {
        net.logits_learning(x, None)
    } else {
        net.logits(x)
    };
    let wanted: Vec<f32> = logits.clone().inner().into_data().try_into_vec().unwrap();
    // Minus the logarithm of the probability of class `i % 3`.
    let mask: Vec<f32> = (0..n * 3)
        .map(|k| if k / 3 % 3 == k % 3 { -1.0 } else { 0.0 })
        .collect();
    let mask = Tensor::<2>::from_data(TensorData::new(mask, [n, 3]), &learning);
    let slopes = (log_softmax(logits, 1) * mask).sum().backward();
    let gradients = named_gradients(&net, &slopes);

    let mut native = if learns {
        NativeClassifier::learning(config)
    } else {
        NativeClassifier::new(config)
    };
    let flat = native.gather(&weights);
    native.load(flat.as_slice());
    assert_eq!(native.scatter(flat.as_slice()), weights);
    let found = native.logits(&images);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 2e-4, "{found} {wanted}");
    }
    if !learns {
        let alone = native.logits(&images[21 * numbers..]);
        assert_eq!(alone, found[21 * 3..]);
    }

    let cotangent = |i: usize, logits: &mut [f32]| {
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = logits.iter().map(|l| (l - most).exp()).sum();
        let loss = sum.ln() + most - logits[i % 3];
        for (k, l) in logits.iter_mut().enumerate() {
            *l = (*l - most).exp() / sum - if k == i % 3 { 1.0 } else { 0.0 };
        }
        f64::from(loss)
    };
    let (mut parts, mut gradient) = (Vec::new(), Buffer::default());
    gradient.clone_from(&flat);
    for _ in 0..2 {
        let told = native.gradient(&images, &cotangent, &mut parts, &mut gradient);
        assert_eq!(told.len(), n);
    }
    for (name, own) in native.scatter(gradient.as_slice()) {
        if learns && name == "stem.bias" {
            // Batch norm takes it out again.
            continue;
        }
        let wanted = flat_numbers(&gradients[&name]);
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| v * v).sum::<f32>().sqrt();
        let of_all = norm(&mut wanted.iter().copied());
        let gap = norm(&mut own.values.iter().zip(&wanted).map(|(a, b)| a - b));
        assert!(
            of_all > 0.0 && gap < 1e-4 * of_all,
            "{name}: {gap} of {of_all}"
        );
    }
}

fn small() -> (ClassifierConfig, ClassifierRecipe) {
    let recipe = ClassifierRecipe {
        epochs: 2,
        batch: 20,
        shift: 1,
        mirror: true,
        cut_mix: 0.5,
        ..ClassifierRecipe::mnist()
    };
    let config = ClassifierConfig {
        mirrored: true,
        ..small_classifier()
    };
    (config, recipe)
}

#[test]
fn a_run_on_the_own_kernels_goes_where_one_through_burn_goes() {
    let (config, recipe) = small();
    let data = bars(64, 0);
    let run = |native| {
        let (config, recipe) = (config.clone(), recipe.clone());
        let mut run = ClassifierTrainer::start(config, recipe, &Device::flex(), native);
        let mut losses = Vec::new();
        run.advance_all(&data, &data, &mut |_, epoch| {
            losses.extend(epoch.map(|e| e.loss));
            true
        })
        .unwrap();
        (losses, weights_of(&run.network(&data)))
    };
    let ((own, weights), (other, others)) = (run(true), run(false));
    assert_eq!(own.len(), 2);
    for (own, other) in own.iter().zip(&other) {
        assert!((own - other).abs() < 1e-4, "{own} {other}");
    }
    for (name, own) in weights {
        for (a, b) in own.values.iter().zip(&others[&name].values) {
            assert!((a - b).abs() < 2e-3, "{name}: {a} {b}");
        }
    }
}

#[test]
fn a_run_that_is_taken_up_ends_as_one_that_was_not_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    let data = bars(64, 0);
    for (native, momentum) in [
        (true, None),
        (true, Some(0.9)),
        (false, None),
        (false, Some(0.9)),
    ] {
        let (config, recipe) = small();
        let recipe = ClassifierRecipe {
            momentum,
            whitened: momentum.is_some(),
            ..recipe
        };
        let fresh =
            || ClassifierTrainer::start(config.clone(), recipe.clone(), &Device::flex(), native);
        let mut whole = fresh();
        let mut epochs = Vec::new();
        whole
            .advance_all(&data, &data, &mut |_, epoch| {
                epochs.extend(epoch);
                true
            })
            .unwrap();
        // In the middle of an epoch.
        let mut begun = fresh();
        let reached = begun.advance_all(&data, &data, &mut |run, _| run.steps_done() < 5);
        assert_eq!(reached, Ok(false));
        begun.save(&path).unwrap();
        let mut again = ClassifierTrainer::taken_up(&path, &Device::flex(), native).unwrap();
        assert_eq!(again.steps_done(), 5);
        let mut last = None;
        again
            .advance_all(&data, &data, &mut |_, epoch| {
                last = epoch.or(last);
                true
            })
            .unwrap();
        assert_eq!(last, epochs.last().copied());
        assert_eq!(
            weights_of(&again.network(&data)),
            weights_of(&whole.network(&data))
        );
    }
    std::fs::write(&path, b"no such thing").unwrap();
    let refused = ClassifierTrainer::resume(&path, &Device::flex());
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("run.part"), "{message}");
}

#[test]
fn momentum_and_a_whitened_first_layer_go_alike_on_both_engines() {
    let (config, recipe) = small();
    let recipe = ClassifierRecipe {
        rate: 0.05,
        weight_decay: 0.01,
        momentum: Some(0.9),
        whitened: true,
        ..recipe
    };
    let data = bars(64, 0);
    let run = |native, steps| {
        let (config, recipe) = (config.clone(), recipe.clone());
        let mut run = ClassifierTrainer::start(config, recipe, &Device::flex(), native);
        run.advance_all(&data, &data, &mut |run, _| run.steps_done() < steps)
            .unwrap();
        run
    };
    let (own, other) = (run(true, 6).averaged(), run(false, 6).averaged());
    for (name, own) in &own {
        for (a, b) in own.values.iter().zip(&other[name].values) {
            assert!((a - b).abs() < 2e-3, "{name}: {a} {b}");
        }
    }
    let mut first = config.fresh(recipe.seed);
    assert_ne!(own["stem.weight"], first["stem.weight"]);
    whiten(&mut first, &data);
    assert_eq!(own["stem.weight"], first["stem.weight"], "it stays");
    assert_ne!(own["head.weight"], first["head.weight"], "the rest learns");
    // Elsewhere a run may be taken up too, though burn remembers nothing of what stays.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.part");
    let burn = run(false, 4);
    burn.save(&path).unwrap();
    let again = ClassifierTrainer::taken_up(&path, &Device::flex(), true).unwrap();
    assert_eq!(again.averaged(), burn.averaged());
}

#[test]
fn a_run_begins_with_the_weights_that_it_is_given() {
    let (config, recipe) = small();
    let (device, data) = (Device::flex(), bars(64, 0));
    let mut first = ClassifierTrainer::new(config.clone(), recipe.clone(), &device);
    first.advance_all(&data, &data, &mut |_, _| true).unwrap();
    let weights = first.averaged();
    let other = ClassifierRecipe {
        rate: 1e-4,
        ..recipe
    };
    let begun = ClassifierTrainer::beginning_with(config.clone(), other.clone(), &weights, &device);
    let mut begun = begun.unwrap();
    assert_eq!(begun.averaged(), weights);
    begun.advance_all(&data, &data, &mut |_, _| true).unwrap();
    assert_ne!(begun.averaged(), weights);
    let wider = ClassifierConfig {
        stages: vec![(16, 1)],
        ..config
    };
    let refused = ClassifierTrainer::beginning_with(wider, other, &weights, &device);
    assert!(refused.is_err());
}

#[test]
fn batch_norm_learns_alike_on_both_engines_and_is_folded_into_what_is_kept() {
    let (config, recipe) = small();
    let config = ClassifierConfig {
        norm: NormKind::Batch,
        ..config
    };
    // More than batch norm looks over, and not a multiple.
    let recipe = ClassifierRecipe {
        batch: 24,
        epochs: 4,
        ..recipe
    };
    let data = bars(64, 0);
    let run = |native| {
        let (config, recipe) = (config.clone(), recipe.clone());
        let mut run = ClassifierTrainer::start(config, recipe, &Device::flex(), native);
        let mut last = None;
        run.advance_all(&data, &data, &mut |_, epoch| {
            last = epoch.or(last);
            true
        })
        .unwrap();
        (last.unwrap(), run)
    };
    let ((own, native), (other, burn)) = (run(true), run(false));
    assert!((own.loss - other.loss).abs() < 1e-3, "{own:?} {other:?}");
    let others = burn.averaged();
    for (name, own) in native.averaged() {
        if name == "stem.bias" {
            // Batch norm takes it out again: it goes where rounding sends it.
            continue;
        }
        for (a, b) in own.values.iter().zip(&others[&name].values) {
            assert!((a - b).abs() < 5e-3, "{name}: {a} {b}");
        }
    }
    // Folded, it says what it said while it learned, of images that it saw together.
    let images: Vec<f32> = (0..16)
        .flat_map(|i| {
            let mut image = vec![0.0; 64];
            data.write_into(i * 4, &mut image);
            image
        })
        .collect();
    let alone = config.unmirrored();
    let mut learning = NativeClassifier::learning(&alone);
    learning.load(learning.gather(&native.averaged()).as_slice());
    let said = learning.logits(&images);
    let mut weights = native.averaged();
    crate::model::fold(&mut weights, &learning.statistics(&images));
    let folded = NativeClassifier::with(&alone, &weights).logits(&images);
    for (a, b) in said.iter().zip(&folded) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}
