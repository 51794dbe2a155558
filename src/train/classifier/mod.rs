//! Training of the classifiers that judge generated images.

mod batch;
mod engines;
#[cfg(test)]
mod native_tests;
mod run;
#[cfg(test)]
pub(crate) mod test_bars;
mod whiten;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use self::batch::{clean, half_formed};
use super::images::ImageSet;
use super::rules;
use crate::model::{Classifier, ClassifierConfig, ImageJudge};
use crate::process::{Address, Purpose};

pub use run::{ClassifierDiverged, ClassifierRunError, ClassifierTrainer};

/// Images of one batch when nothing is learned.
const JUDGED_AT_ONCE: usize = 256;

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
    /// Decay of the weights: decoupled with AdamW, part of the gradient with `momentum`.
    pub weight_decay: f64,
    /// Of descent with Nesterov's momentum; without it the optimizer is AdamW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Whether the first layer whitens what it sees and does not learn (arXiv 2404.00498, section 3.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whitened: bool,
    /// Share of the target that goes to all classes.
    pub smoothing: f64,
    /// Images are moved by up to this many pixels.
    pub shift: usize,
    /// Whether they are mirrored, left and right.
    pub mirror: bool,
    /// Longest memory of the moving average of the weights, which is what is kept; 0 for the weights themselves.
    #[serde(default)]
    pub ema_limit: f64,
    /// Share of the images of a step into which a piece of another is put, with its share of the target (CutMix, arXiv
    /// 1905.04899).
    #[serde(default, skip_serializing_if = "is_none")]
    pub cut_mix: f64,
    /// Root of the noise.
    pub seed: u64,
    /// What it began with, where that was no random network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_with: Option<BegunWith>,
    /// Whether it learns which class half-formed pictures become, `x_t = (1 - t) noise + t picture`, told `t` as one more
    /// channel.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_states: bool,
}

/// A classifier that another began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BegunWith {
    /// SHA-256 of its file.
    pub hash: String,
    /// How long it had been trained, where that is known.
    pub hours: Option<f64>,
}

// What serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(share: &f64) -> bool {
    *share == 0.0
}

impl ClassifierRecipe {
    /// Digits: no mirror, small shifts.
    pub fn mnist() -> Self {
        Self {
            epochs: 8,
            batch: 128,
            rate: 3e-3,
            weight_decay: 0.05,
            momentum: None,
            whitened: false,
            smoothing: 0.05,
            shift: 2,
            mirror: false,
            ema_limit: 0.999,
            cut_mix: 0.0,
            seed: 1,
            begun_with: None,
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
            epochs: 20,
            rate: 0.12,
            weight_decay: 1e-3,
            momentum: Some(0.9),
            whitened: true,
            smoothing: 0.1,
            shift: 2,
            mirror: true,
            seed: 3,
            ..Self::mnist()
        }
    }

    /// What is wrong with it, if anything: the field and what it may be.
    pub fn fault(&self) -> Option<String> {
        let rules = [
            (
                "epochs",
                (1..=100_000).contains(&self.epochs),
                "1 to 100000",
            ),
            ("batch", (1..=65_536).contains(&self.batch), "1 to 65536"),
            rules::share("weight_decay", self.weight_decay),
            (
                "momentum",
                self.momentum.is_none_or(|m| (0.0..1.0).contains(&m)),
                "0 up to, but not, 1",
            ),
            rules::share("smoothing", self.smoothing),
            rules::share("cut_mix", self.cut_mix),
            ("shift", self.shift <= 64, "at most 64"),
        ];
        let of_all = rules::rates(self.rate, 0.0, self.ema_limit);
        rules::broken(rules.into_iter().chain(of_all))
            .map(|(name, _, want)| format!("{name} of the recipe must be {want}"))
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
///
/// # Errors
/// When a loss is not finite.
pub fn train_classifier(
    config: &ClassifierConfig,
    recipe: &ClassifierRecipe,
    data: &ImageSet,
    held_out: &ImageSet,
    device: &Device,
    watch: &mut dyn FnMut(f64, Option<Epoch>) -> bool,
) -> Result<Option<Classifier>, ClassifierDiverged> {
    let mut run = ClassifierTrainer::new(config.clone(), recipe.clone(), device);
    let goes_on = run.advance_all(data, held_out, &mut |run, epoch| {
        watch(run.share_done(data), epoch)
    })?;
    Ok(goes_on.then(|| run.network(data)))
}

/// Says of images, `[n][C H W]`, the logarithms of the classes' probabilities up to a constant an image, `[n][classes]`.
type Says<'a> = &'a dyn Fn(Vec<f32>) -> Vec<f32>;

/// Share of the images that the classifier puts in their class.
pub fn accuracy(judge: &ImageJudge, images: &ImageSet) -> f64 {
    let says = |values: Vec<f32>| judge.see(&values).log_probabilities;
    judged(images, |which| clean(images, which), &says).0
}

/// Share of half-formed held-out images, at times spread evenly from 0 to 1, that the classifier puts in their class, and
/// the mean of `-log p(class | x_t)`, nats.
pub fn state_accuracy(
    net: &Classifier,
    config: &ClassifierConfig,
    images: &ImageSet,
    device: &Device,
) -> (f64, f64) {
    let judge = ImageJudge::new(net.clone(), config.clone(), device);
    let says = |values: Vec<f32>| judge.see(&values).log_probabilities;
    judged(images, |which| states(images, which), &says)
}

/// Half-formed held-out images, the same whenever they are asked for.
fn states(images: &ImageSet, which: &[usize]) -> Vec<f32> {
    let address = Address::new(0, Purpose::EvalState, 0);
    let first = which.first().copied().unwrap_or(0);
    half_formed(&clean(images, which), images.shape, (address, first))
}

/// Share of the images of which their own class is the likeliest, and the mean of `-log p(class)`, nats.
fn judged(images: &ImageSet, shown: impl Fn(&[usize]) -> Vec<f32>, says: Says<'_>) -> (f64, f64) {
    let all: Vec<usize> = (0..images.len()).collect();
    let (mut right, mut lost) = (0_usize, 0.0);
    for which in all.chunks(JUDGED_AT_ONCE) {
        let logits = says(shown(which));
        let classes = logits.len() / which.len();
        for (i, logits) in which.iter().zip(logits.chunks_exact(classes.max(1))) {
            let own = logits[usize::from(images.labels[*i])];
            right += usize::from(logits.iter().all(|other| *other <= own));
            let sum: f64 = logits.iter().map(|l| f64::from(l - own).exp()).sum();
            lost += sum.ln();
        }
    }
    let n = images.len().max(1) as f64;
    (right as f64 / n, lost / n)
}

fn tensor(values: Vec<f32>, [channels, rows, columns]: [usize; 3], device: &Device) -> Tensor<4> {
    let n = values.len() / (channels * rows * columns);
    let data = TensorData::new(values, [n, channels, rows, columns]);
    Tensor::from_data(data, device)
}

#[cfg(test)]
mod tests {
    use super::batch::GOLDEN;
    use super::test_bars::{bars, small_classifier};
    use super::*;
    use crate::process::normal_pairs;

    #[test]
    fn a_classifier_of_states_learns_what_the_noise_leaves_and_the_same_seed_gives_the_same_one() {
        let device = Device::flex();
        let config = ClassifierConfig {
            image: [2, 8, 8],
            ..small_classifier()
        };
        let recipe = ClassifierRecipe {
            epochs: 24,
            batch: 16,
            rate: 1e-2,
            ..ClassifierRecipe::mnist_states()
        };
        let data = bars(128, 0);
        let train = || {
            let net = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, _| true);
            net.unwrap().unwrap()
        };
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
        let config = small_classifier();
        let recipe = ClassifierRecipe {
            epochs: 4,
            batch: 16,
            shift: 1,
            rate: 1e-2,
            ..ClassifierRecipe::mnist()
        };
        let data = bars(128, 0);
        let train = || {
            let mut last = 0.0;
            let net = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, epoch| {
                last = epoch.map_or(last, |e| e.accuracy);
                true
            });
            (net.unwrap().unwrap(), last)
        };
        let (first, accuracy) = train();
        // Chance is 0.5.
        assert!(accuracy > 0.95, "{accuracy}");
        let weights = crate::model::weights_of(&first);
        assert_eq!(weights, crate::model::weights_of(&train().0));
        let stopped = train_classifier(&config, &recipe, &data, &data, &device, &mut |_, _| false);
        assert!(stopped.unwrap().is_none());
        // Wherever it learns, a run that has lost its numbers says so.
        for native in [true, false] {
            let recipe = ClassifierRecipe {
                rate: 1e30,
                ..recipe.clone()
            };
            let mut run = ClassifierTrainer::start(config.clone(), recipe, &device, native);
            let lost = run.advance_all(&data, &data, &mut |_, _| true).unwrap_err();
            assert_eq!(lost.step, run.steps_done());
            assert!(lost.to_string().contains("not finite"), "{lost}");
        }
    }
}
