//! Training of the classifiers that judge generated images.

use burn::module::Module as _;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::images::ImageSet;
use super::optimizer::RateCourse;
use crate::model::{Classifier, ClassifierConfig};
use crate::process::{Address, Purpose, normal_pairs};

/// Images of one batch when nothing is learned.
const JUDGED_AT_ONCE: usize = 256;
/// The golden section: its multiples are spread evenly over `[0, 1)`.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// Below it a state is taken for that of `t = 0`.
const LEAST_TIME: f32 = 0.01;

/// How a classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierRecipe {
    /// Times each image is seen.
    pub epochs: u32,
    /// Images of a step.
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Decoupled decay of the weights.
    pub weight_decay: f64,
    /// Share of the target that goes to all classes.
    pub smoothing: f64,
    /// Images are moved by up to this many pixels.
    pub shift: usize,
    /// Whether they are mirrored, left and right.
    pub mirror: bool,
    /// Root of the noise.
    pub seed: u64,
    /// Whether it learns which class half-formed pictures become, `x_t = (1 - t) noise + t picture`, told `t` as one more
    /// channel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_states: bool,
}

impl ClassifierRecipe {
    /// Digits: no mirror, small shifts.
    pub fn mnist() -> Self {
        Self {
            epochs: 8,
            batch: 128,
            rate: 3e-3,
            weight_decay: 0.05,
            smoothing: 0.05,
            shift: 2,
            mirror: false,
            seed: 1,
            of_states: false,
        }
    }

    /// Half-formed digits. What it says must be probabilities, so nothing is smoothed, and of the pictures as they are.
    pub fn mnist_states() -> Self {
        Self {
            epochs: 12,
            smoothing: 0.0,
            shift: 0,
            of_states: true,
            ..Self::mnist()
        }
    }

    /// Photos.
    pub fn photos() -> Self {
        Self {
            epochs: 40,
            rate: 2e-3,
            shift: 4,
            mirror: true,
            ..Self::mnist()
        }
    }
}

/// What one pass over the data gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Which, from 1.
    pub epoch: u32,
    /// Mean training loss, nats.
    pub loss: f64,
    /// Share of held-out images put in their class.
    pub accuracy: f64,
}

/// Trains on `data` and judges on `held_out` after each epoch; the same seed and device give the same weights.
///
/// `watch` is told the share done and the epoch if one is complete; it answers whether to go on. `None`: stopped.
pub fn train_classifier(
    config: &ClassifierConfig,
    recipe: &ClassifierRecipe,
    data: &ImageSet,
    held_out: &ImageSet,
    device: &Device,
    watch: &mut dyn FnMut(f64, Option<Epoch>) -> bool,
) -> Option<Classifier> {
    let learning = device.clone().autodiff();
    device.seed(recipe.seed);
    let mut net = config.init(&learning);
    let mut optimizer = AdamWConfig::new()
        .with_weight_decay(recipe.weight_decay as f32)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init();
    let criterion = CrossEntropyLossConfig::new()
        .with_smoothing((recipe.smoothing > 0.0).then_some(recipe.smoothing as f32))
        .init(&learning);
    let batches = data.len() / recipe.batch;
    let total = u64::from(recipe.epochs) * batches as u64;
    let course = RateCourse {
        peak: recipe.rate,
        warm_up: (total / 20).max(1),
        steps: total,
        floor: 0.01,
    };
    for epoch in 0..recipe.epochs {
        let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
        rng.set_stream(u64::from(epoch) + 1);
        let order = shuffled(data.len(), &mut rng);
        let mut losses = 0.0;
        for (step, which) in order.chunks_exact(recipe.batch).enumerate() {
            let mut values = moved(data, which, recipe, &mut rng);
            if recipe.of_states {
                let address = Address::new(recipe.seed, Purpose::TrainNoise, epoch);
                let first = step * recipe.batch;
                values = half_formed(&values, data.shape, (address, first));
            }
            let x = tensor(values, which.len(), config.image, &learning);
            let labels: Vec<i32> = which.iter().map(|i| i32::from(data.labels[*i])).collect();
            let labels = TensorData::new(labels, [which.len()]);
            let labels = Tensor::<1, Int>::from_data(labels, &learning);
            let loss = criterion.forward(net.logits(x), labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            losses += f64::from(scalar(loss));
            let at = u64::from(epoch) * batches as u64 + step as u64;
            net = optimizer.step(course.at(at), net, gradients);
            if !watch((at + 1) as f64 / total as f64, None) {
                return None;
            }
        }
        let told = Epoch {
            epoch: epoch + 1,
            loss: losses / batches.max(1) as f64,
            accuracy: if recipe.of_states {
                state_accuracy(&net.valid(), config, held_out, device).0
            } else {
                accuracy(&net.valid(), held_out, device)
            },
        };
        if !watch(f64::from(epoch + 1) / f64::from(recipe.epochs), Some(told)) {
            return None;
        }
    }
    Some(net.valid())
}

/// Share of the images that the classifier puts in their class.
pub fn accuracy(net: &Classifier, images: &ImageSet, device: &Device) -> f64 {
    let all: Vec<usize> = (0..images.len()).collect();
    let mut right = 0_usize;
    for which in all.chunks(JUDGED_AT_ONCE) {
        let best = net.logits(images.tensor(which, device)).argmax(1);
        let best: Vec<i32> = best
            .into_data()
            .convert::<i32>()
            .try_into_vec()
            .unwrap_or_default();
        right += which
            .iter()
            .zip(best)
            .filter(|(i, best)| i32::from(images.labels[**i]) == *best)
            .count();
    }
    right as f64 / images.len().max(1) as f64
}

/// Share of half-formed held-out images, at times spread evenly from 0 to 1, that the classifier puts in their class, and
/// the mean of `-log p(class | x_t)`, nats.
pub fn state_accuracy(
    net: &Classifier,
    config: &ClassifierConfig,
    images: &ImageSet,
    device: &Device,
) -> (f64, f64) {
    let all: Vec<usize> = (0..images.len()).collect();
    let (mut right, mut lost) = (0_usize, 0.0);
    for which in all.chunks(JUDGED_AT_ONCE) {
        let mut values = vec![0.0; which.len() * images.stride()];
        for (i, out) in which.iter().zip(values.chunks_exact_mut(images.stride())) {
            images.write_into(*i, out);
        }
        let address = Address::new(0, Purpose::EvalState, 0);
        let values = half_formed(&values, images.shape, (address, which[0]));
        let logits = net.logits(tensor(values, which.len(), config.image, device));
        let logs: Vec<f32> = log_softmax(logits, 1)
            .into_data()
            .convert::<f32>()
            .try_into_vec()
            .unwrap_or_default();
        for (i, logs) in which.iter().zip(logs.chunks_exact(config.classes)) {
            let own = logs[usize::from(images.labels[*i])];
            right += usize::from(logs.iter().all(|other| *other <= own));
            lost -= f64::from(own);
        }
    }
    let n = images.len().max(1) as f64;
    (right as f64 / n, lost / n)
}

/// States `x_t` of clean images, `[n][C H W]`, with their times as one more channel: `[n][(C + 1) H W]`. Items `first..` of
/// an address have times spread evenly in whatever order they come (by the golden section); where `t < 0.01` a state is 0
/// and carries nothing, as a map sees it at `t = 0`.
fn half_formed(
    images: &[f32],
    [channels, rows, columns]: [usize; 3],
    (address, first): (Address, usize),
) -> Vec<f32> {
    let (size, plane) = (channels * rows * columns, rows * columns);
    let mut values = vec![0.0; images.len() / size * (size + plane)];
    values
        .par_chunks_mut(size + plane)
        .zip(images.par_chunks(size))
        .enumerate()
        .for_each(|(i, (out, image))| {
            let item = first + i;
            let t = (item as f64 * GOLDEN).fract() as f32;
            if t < LEAST_TIME {
                return;
            }
            let mut noise = vec![[0.0_f32; 2]; size.div_ceil(2)];
            normal_pairs(address, item * size.div_ceil(2), &mut noise);
            let (state, time) = out.split_at_mut(size);
            for ((x, clean), eps) in state.iter_mut().zip(image).zip(noise.as_flattened()) {
                *x = (1.0 - t) * eps + t * clean;
            }
            time.fill(t);
        });
    values
}

fn tensor(
    values: Vec<f32>,
    n: usize,
    [channels, rows, columns]: [usize; 3],
    device: &Device,
) -> Tensor<4> {
    Tensor::from_data(
        TensorData::new(values, [n, channels, rows, columns]),
        device,
    )
}

fn scalar(loss: Tensor<1>) -> f32 {
    let values: Vec<f32> = loss
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default();
    values.first().copied().unwrap_or(f32::NAN)
}

fn shuffled(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

/// A batch, each image moved a little (black comes in) and perhaps mirrored.
fn moved(
    data: &ImageSet,
    which: &[usize],
    recipe: &ClassifierRecipe,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let [channels, rows, columns] = data.shape;
    let reach = recipe.shift as i64;
    let mut values = vec![-1.0_f32; which.len() * data.stride()];
    for (i, out) in which.iter().zip(values.chunks_exact_mut(data.stride())) {
        let image = data.image(*i);
        let (down, right) = (
            rng.random_range(-reach..=reach),
            rng.random_range(-reach..=reach),
        );
        let mirror = recipe.mirror && rng.random_range(0..2) == 1;
        for c in 0..channels {
            for row in 0..rows {
                for column in 0..columns {
                    let from_row = row as i64 - down;
                    let mut from = column as i64 - right;
                    if mirror {
                        from = columns as i64 - 1 - from;
                    }
                    if (0..rows as i64).contains(&from_row) && (0..columns as i64).contains(&from) {
                        let at = (c * rows + from_row as usize) * columns + from as usize;
                        out[(c * rows + row) * columns + column] =
                            f32::from(image[at]) / 127.5 - 1.0;
                    }
                }
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bars that lie or stand: a problem of two classes.
    fn bars(n: usize) -> ImageSet {
        let mut pixels = Vec::new();
        let mut labels = Vec::new();
        for i in 0..n {
            let (lies, at) = (i % 2 == 0, 2 + (i / 2) % 4);
            for row in 0..8 {
                for column in 0..8 {
                    let on = if lies { row == at } else { column == at };
                    pixels.push(if on { 255 } else { 0 });
                }
            }
            labels.push(u16::from(lies));
        }
        ImageSet {
            shape: [1, 8, 8],
            pixels,
            labels,
            classes: vec!["stands".into(), "lies".into()],
        }
    }

    #[test]
    fn a_classifier_of_states_learns_what_the_noise_leaves_and_the_same_seed_gives_the_same_one() {
        let device = Device::flex();
        let config = ClassifierConfig {
            image: [2, 8, 8],
            classes: 2,
            stem_stride: 1,
            stages: vec![(8, 1)],
        };
        let recipe = ClassifierRecipe {
            epochs: 24,
            batch: 16,
            rate: 1e-2,
            ..ClassifierRecipe::mnist_states()
        };
        let data = bars(128);
        let train =
            || train_classifier(&config, &recipe, &data, &data, &device, &mut |_, _| true).unwrap();
        let net = train();
        let (right, lost) = state_accuracy(&net, &config, &data, &device);
        // Chance is 0.5 and ln 2 = 0.693; where t is small nobody can tell.
        assert!(right > 0.65 && lost < 0.62, "{right} {lost}");
        assert_eq!(
            crate::model::weights_of(&net),
            crate::model::weights_of(&train())
        );
    }

    #[test]
    fn half_formed_pictures_are_on_the_line_from_noise_and_carry_their_times() {
        let images: Vec<f32> = (0..4 * 64).map(|k| (k as f32 * 0.1).sin()).collect();
        let address = Address::new(1, Purpose::EvalState, 0);
        let states = half_formed(&images, [1, 8, 8], (address, 0));
        assert_eq!(states.len(), 4 * 128);
        // The first has t = 0 and carries nothing.
        assert!(states[..128].iter().all(|v| *v == 0.0));
        for (item, state) in states.chunks_exact(128).enumerate().skip(1) {
            let t = (item as f64 * GOLDEN).fract() as f32;
            assert!(state[64..].iter().all(|v| *v == t));
            let mut noise = [[0.0_f32; 2]; 32];
            normal_pairs(address, item * 32, &mut noise);
            let clean = &images[item * 64..(item + 1) * 64];
            for ((x, clean), eps) in state.iter().zip(clean).zip(noise.as_flattened()) {
                assert_eq!(*x, (1.0 - t) * eps + t * clean);
            }
        }
        // An item is the same whatever stands before it.
        let last = half_formed(&images[3 * 64..], [1, 8, 8], (address, 3));
        assert_eq!(last, states[3 * 128..]);
    }

    #[test]
    fn a_classifier_learns_bars_and_the_same_seed_gives_the_same_one() {
        let device = Device::flex();
        let config = ClassifierConfig {
            image: [1, 8, 8],
            classes: 2,
            stem_stride: 1,
            stages: vec![(8, 1)],
        };
        let recipe = ClassifierRecipe {
            epochs: 4,
            batch: 16,
            shift: 1,
            rate: 1e-2,
            ..ClassifierRecipe::mnist()
        };
        let data = bars(128);
        let train = || {
            let mut last = 0.0;
            let net = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, epoch| {
                last = epoch.map_or(last, |e| e.accuracy);
                true
            });
            (net.unwrap(), last)
        };
        let (first, accuracy) = train();
        // Chance is 0.5.
        assert!(accuracy > 0.95, "{accuracy}");
        let weights = crate::model::weights_of(&first);
        assert_eq!(weights, crate::model::weights_of(&train().0));
        let stopped = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, _| false);
        assert!(stopped.is_none());
    }
}
