//! The classifier's own kernels beside burn's graph.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::simd::Buffer;
use crate::model::{ClassifierConfig, NativeClassifier, weights_of, with_weights};
use crate::train::image::{flat_numbers, named_gradients};
use crate::train::{ClassifierRecipe, ClassifierTrainer, ImageSet};

/// Shapes with everything in them: a stride in front, maps that fill no tile, blocks with and without a way around.
fn shapes() -> [ClassifierConfig; 2] {
    let shape = |image, stem_stride, stages| ClassifierConfig {
        image,
        classes: 3,
        stem_stride,
        stages,
    };
    [
        shape([1, 14, 14], 2, vec![(8, 2), (24, 1)]),
        shape([3, 16, 16], 1, vec![(16, 1), (8, 1), (16, 1)]),
    ]
}

#[test]
fn values_and_gradients_are_those_of_the_graph() {
    let device = Device::flex();
    for config in shapes() {
        device.seed(5);
        let learning = device.clone().autodiff();
        let net = config.init(&learning);
        // Nothing at its beginning: norms begin as ones and zeros.
        let mut weights = weights_of(&net);
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
        let logits = net.logits(x);
        let wanted: Vec<f32> = logits.clone().inner().into_data().try_into_vec().unwrap();
        // Minus the logarithm of the probability of class `i % 3`.
        let mask: Vec<f32> = (0..n * 3)
            .map(|k| if k / 3 % 3 == k % 3 { -1.0 } else { 0.0 })
            .collect();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [n, 3]), &learning);
        let slopes = (log_softmax(logits, 1) * mask).sum().backward();
        let gradients = named_gradients(&net, &slopes);

        let mut native = NativeClassifier::new(&config);
        let flat = native.gather(&weights);
        native.load(flat.as_slice());
        assert_eq!(native.scatter(flat.as_slice()), weights);
        let found = native.logits(&images);
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 2e-4, "{found} {wanted}");
        }
        let alone = native.logits(&images[21 * numbers..]);
        assert_eq!(alone, found[21 * 3..]);

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
}

/// Bars that lie or stand, in two classes.
fn bars() -> ImageSet {
    let pixels = (0..64 * 64).map(|k: usize| {
        let (item, row, column) = (k / 64, k / 8 % 8, k % 8);
        let along = if item % 2 == 0 { row } else { column };
        if along == 2 + item / 2 % 4 { 255 } else { 0 }
    });
    ImageSet {
        shape: [1, 8, 8],
        pixels: pixels.collect(),
        labels: (0..64).map(|item| item % 2).collect(),
        classes: vec!["lies".into(), "stands".into()],
    }
}

fn small() -> (ClassifierConfig, ClassifierRecipe) {
    let config = ClassifierConfig {
        image: [1, 8, 8],
        classes: 2,
        stem_stride: 1,
        stages: vec![(8, 1)],
    };
    let recipe = ClassifierRecipe {
        epochs: 2,
        batch: 20,
        shift: 1,
        mirror: true,
        ..ClassifierRecipe::mnist()
    };
    (config, recipe)
}

#[test]
fn a_run_on_the_own_kernels_goes_where_one_through_burn_goes() {
    let (config, recipe) = small();
    let data = bars();
    let run = |native| {
        let (config, recipe) = (config.clone(), recipe.clone());
        let mut run = ClassifierTrainer::start(config, recipe, &Device::flex(), native);
        let mut losses = Vec::new();
        run.advance_all(&data, &data, &mut |_, epoch| {
            losses.extend(epoch.map(|e| e.loss));
            true
        });
        (losses, weights_of(&run.network()))
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
    let (config, recipe) = small();
    let data = bars();
    for native in [true, false] {
        let fresh =
            || ClassifierTrainer::start(config.clone(), recipe.clone(), &Device::flex(), native);
        let mut whole = fresh();
        let mut epochs = Vec::new();
        whole.advance_all(&data, &data, &mut |_, epoch| {
            epochs.extend(epoch);
            true
        });
        // In the middle of an epoch.
        let mut begun = fresh();
        let reached = begun.advance_all(&data, &data, &mut |run, _| run.steps_done() < 5);
        assert!(!reached);
        begun.save(&path).unwrap();
        let mut again = ClassifierTrainer::taken_up(&path, &Device::flex(), native).unwrap();
        assert_eq!(again.steps_done(), 5);
        let mut last = None;
        again.advance_all(&data, &data, &mut |_, epoch| {
            last = epoch.or(last);
            true
        });
        assert_eq!(last, epochs.last().copied());
        assert_eq!(weights_of(&again.network()), weights_of(&whole.network()));
    }
    std::fs::write(&path, b"no such thing").unwrap();
    let refused = ClassifierTrainer::resume(&path, &Device::flex());
    let message = refused.err().unwrap().to_string();
    assert!(
        message.contains("run.part") && message.contains("--resume"),
        "{message}"
    );
}
