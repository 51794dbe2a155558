//! A small residual network that says which class an image is of: the judge of generated images, and the features in
//! which their distributions are compared.

mod batch_norm;
mod ensemble;
mod native;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::silu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{WeightValues, Weights, weights_of};

pub(crate) use batch_norm::{BATCH, Statistics, fold, pooled};
use batch_norm::{EPSILON, flat, over_images, scaled};
pub(crate) use native::ClassifierPart;
pub use native::NativeClassifier;

/// Channels of one group of the normalisation.
const GROUP: usize = 8;

/// How a [`Classifier`] is kept in bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormKind {
    /// Over groups of channels of an image (arXiv 1803.08494).
    #[default]
    Group,
    /// Over 16 images while it learns (arXiv 1502.03167); then folded into a scale and a shift of each channel, which is what
    /// a classifier holds.
    Batch,
}

/// Shape of a [`Classifier`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels, rows and columns of an image.
    pub image: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Stride of the first convolution.
    pub stem_stride: usize,
    /// Width and number of residual blocks of each stage; every stage but the first halves rows and columns.
    pub stages: Vec<(usize, usize)>,
    /// Whether what is seen in an image is the mean of it and its mirror image, left and right. While weights are learned
    /// each is seen by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
    /// Whether its stages are a chain, each with the largest of each four numbers behind its first convolution (the layout
    /// of arXiv 2404.00498), where others have a stride from the second stage on and ways around every two convolutions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pooled: bool,
    /// Its norms.
    #[serde(default, skip_serializing_if = "is_group")]
    pub norm: NormKind,
    /// Further networks that look at the same pictures, an ensemble with this one: their features stand behind its own, and
    /// what is judged is the mean of their logits. They learn alone; [`Self::ensemble`] puts them together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Self>,
}

// What serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_group(norm: &NormKind) -> bool {
    *norm == NormKind::Group
}

impl ClassifierConfig {
    /// Digits and other 28x28 grey images.
    pub fn mnist() -> Self {
        Self {
            image: [1, 28, 28],
            classes: 10,
            stem_stride: 2,
            stages: vec![(24, 1), (48, 1)],
            mirrored: false,
            pooled: false,
            norm: NormKind::Group,
            others: Vec::new(),
        }
    }

    /// Half-formed digits, for [`super::StateClassifier::shape_for`]: under noise it takes more to tell them apart.
    pub fn mnist_states() -> Self {
        Self {
            stages: vec![(32, 1), (64, 2)],
            ..Self::mnist()
        }
    }

    /// 32x32 colour photos.
    pub fn photos() -> Self {
        Self {
            image: [3, 32, 32],
            classes: 10,
            stem_stride: 1,
            stages: vec![(64, 1), (256, 1), (256, 1)],
            mirrored: true,
            pooled: true,
            norm: NormKind::Batch,
            others: Vec::new(),
        }
    }

    /// Half-formed pictures that are no digits, of any size: a chain that pools wants sizes that it can halve evenly.
    pub fn photos_states() -> Self {
        Self {
            stages: vec![(32, 1), (96, 1), (192, 1), (384, 1)],
            pooled: false,
            ..Self::photos()
        }
    }

    /// The same, seeing every image as it is alone.
    #[must_use]
    pub fn unmirrored(&self) -> Self {
        Self {
            mirrored: false,
            ..self.clone()
        }
    }

    /// Length of a feature vector.
    pub fn features(&self) -> usize {
        let own = self.stages.last().map_or(0, |(width, _)| *width);
        own + self.others.iter().map(Self::features).sum::<usize>()
    }

    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<String> {
        let [channels, rows, columns] = self.image;
        let halvings = self.stages.len().saturating_sub(usize::from(!self.pooled)) as u32;
        let smallest = self.stem_stride.max(1) << halvings.min(16);
        let fine = (1..=4).contains(&channels)
            && (8..=512).contains(&rows)
            && (8..=512).contains(&columns)
            && (2..=1000).contains(&self.classes)
            && (1..=4).contains(&self.stem_stride)
            && (1..=6).contains(&self.stages.len())
            && smallest <= rows.min(columns)
            && (!self.pooled || rows.is_multiple_of(smallest) && columns.is_multiple_of(smallest))
            && self.stages.iter().all(|(width, blocks)| {
                width % GROUP == 0 && (GROUP..=1024).contains(width) && (1..=16).contains(blocks)
            });
        if fine {
            return self.discord();
        }
        Some(format!(
            "a classifier of {self:?} is not possible: widths are multiples of {GROUP} up to 1024, images 8 to 512 pixels \
             wide with 1 to 4 channels, to be halved evenly where it pools"
        ))
    }

    /// Random weights to begin with, those of burn's own beginning in law: uniform up to one over the root of what an
    /// output sees. The same seed gives the same ones, whoever else draws numbers at the time.
    pub fn fresh(&self, seed: u64) -> Weights {
        let mut weights = weights_of(&self.init(&Device::flex()));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sees = |name: &String| {
            let of = weights.get(&name.replace("bias", "weight"));
            match of.map(|weight| &weight.shape[..]) {
                Some([_, from, rows, columns]) => from * rows * columns,
                Some([from, _]) => *from,
                // Of a norm: ones and zeros.
                _ => 0,
            }
        };
        let seen: Vec<usize> = weights.keys().map(sees).collect();
        for (weight, sees) in weights.values_mut().zip(seen) {
            if sees > 0 {
                let reach = 1.0 / (sees as f32).sqrt();
                let values = weight.values.iter_mut();
                values.for_each(|v| *v = rng.random_range(-reach..=reach));
            }
        }
        if self.pooled {
            let of_blocks = weights.iter_mut().filter(|(name, _)| name.contains("conv"));
            for (_, weight) in of_blocks {
                give_on(weight);
            }
        }
        weights
    }

    /// Channels of the first layer.
    fn first(&self) -> usize {
        let widest = self.stages.first().map_or(GROUP, |(width, _)| *width);
        if self.pooled {
            widest.div_ceil(2 * GROUP) * GROUP
        } else {
            widest
        }
    }

    /// Whether block `block` of a stage chooses the largest of each four numbers.
    fn pools(&self, block: usize) -> bool {
        self.pooled && block == 0
    }

    fn stride(&self, stage: usize, block: usize) -> usize {
        if !self.pooled && stage > 0 && block == 0 {
            2
        } else {
            1
        }
    }

    /// The network with random weights; of an ensemble the first.
    pub fn init(&self, device: &Device) -> Classifier {
        let first = self.first();
        let stem = Conv2dConfig::new([self.image[0], first], [3, 3])
            .with_stride([self.stem_stride; 2])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(device);
        let (mut blocks, mut width) = (Vec::new(), first);
        for (stage, (to, count)) in self.stages.iter().enumerate() {
            for block in 0..*count {
                let like = BlockShape {
                    stride: self.stride(stage, block),
                    around: !self.pooled,
                    pooled: self.pools(block),
                };
                blocks.push(Block::new([width, *to], like, device));
                width = *to;
            }
        }
        Classifier {
            stem,
            blocks,
            norm: GroupNormConfig::new(width / GROUP, width).init(device),
            head: LinearConfig::new(width, self.classes).init(device),
            mirrored: self.mirrored,
            is_batch: self.norm == NormKind::Batch,
        }
    }
}

/// A convolution of 3 x 3 that gives on what comes in, as far as it has outputs; outputs beyond stay as they are.
fn give_on(weight: &mut WeightValues) {
    let [_, from, rows, columns] = weight.shape[..] else {
        return;
    };
    let (sees, plane) = (from * rows * columns, rows * columns);
    let outputs = weight.values.chunks_exact_mut(sees).take(from);
    for (channel, values) in outputs.enumerate() {
        values.fill(0.0);
        values[channel * plane + plane / 2] = 1.0;
    }
}

/// What a norm makes of what comes in.
type Normed<'a> = &'a mut dyn FnMut(&GroupNorm, Tensor<4>) -> Tensor<4>;

/// Two convolutions around which the signal may go.
#[derive(Module, Debug)]
pub struct Block {
    norm_1: GroupNorm,
    conv_1: Conv2d,
    norm_2: GroupNorm,
    conv_2: Conv2d,
    /// Where width or size change.
    skip: Option<Conv2d>,
    around: bool,
    pooled: bool,
}

/// What a [`Block`] is like.
#[derive(Clone, Copy)]
struct BlockShape {
    stride: usize,
    /// Whether the signal goes around too.
    around: bool,
    /// Whether the largest of each four numbers is what the first convolution gives on.
    pooled: bool,
}

impl Block {
    fn new([from, to]: [usize; 2], like: BlockShape, device: &Device) -> Self {
        let stride = like.stride;
        let conv = |from, stride| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_stride([stride; 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device)
        };
        Self {
            norm_1: GroupNormConfig::new(from / GROUP, from).init(device),
            conv_1: conv(from, stride),
            norm_2: GroupNormConfig::new(to / GROUP, to).init(device),
            conv_2: conv(to, 1),
            around: like.around,
            pooled: like.pooled,
            skip: (like.around && (from != to || stride != 1)).then(|| {
                Conv2dConfig::new([from, to], [1, 1])
                    .with_stride([stride; 2])
                    .with_bias(false)
                    .init(device)
            }),
        }
    }

    fn forward(&self, x: Tensor<4>, normed: Normed<'_>) -> Tensor<4> {
        let h = silu(normed(&self.norm_1, x.clone()));
        let around = match &self.skip {
            Some(skip) => skip.forward(h.clone()),
            None => x,
        };
        let mut h = self.conv_1.forward(h);
        if self.pooled {
            h = max_pool2d(h, MaxPoolOptions::new([2, 2]));
        }
        let h = self.conv_2.forward(silu(normed(&self.norm_2, h)));
        if self.around { around + h } else { h }
    }
}

/// See [`ClassifierConfig`] for its shape.
#[derive(Module, Debug)]
pub struct Classifier {
    stem: Conv2d,
    blocks: Vec<Block>,
    norm: GroupNorm,
    head: Linear,
    mirrored: bool,
    /// Whether the norms are a scale and a shift of each channel.
    is_batch: bool,
}

impl Classifier {
    /// What it sees: the last layer's activations, averaged over the image.
    ///
    /// # Shapes
    /// `x`: `[B, C, H, W]` in [-1, 1]; the result `[B, F]`.
    pub fn features(&self, x: Tensor<4>) -> Tensor<2> {
        if self.mirrored {
            return (self.features_of(x.clone()) + self.features_of(x.flip([3]))) / 2.0;
        }
        self.features_of(x)
    }

    fn features_of(&self, x: Tensor<4>) -> Tensor<2> {
        let is_batch = self.is_batch;
        self.features_by(x, &mut |norm, x| {
            if is_batch {
                scaled(norm, x)
            } else {
                norm.forward(x)
            }
        })
    }

    /// The logits of a batch while the network learns: batch norm looks over [`BATCH`] images at a time, and what it sees is
    /// added to `seen` where that is wanted, which is for no more than these.
    pub(crate) fn logits_learning(
        &self,
        x: Tensor<4>,
        mut seen: Option<&mut Statistics>,
    ) -> Tensor<2> {
        let is_batch = self.is_batch;
        let features = self.features_by(x, &mut |norm, x| {
            if !is_batch {
                return norm.forward(x);
            }
            let images = x.split(BATCH, 0).into_iter().map(|x| {
                let (unit, figures) = over_images(x, norm.epsilon);
                if let Some(seen) = seen.as_deref_mut() {
                    seen.push(figures.map(|figure| flat(&figure)));
                }
                unit
            });
            scaled(norm, Tensor::cat(images.collect(), 0))
        });
        self.classified(features)
    }

    fn features_by(&self, x: Tensor<4>, normed: Normed<'_>) -> Tensor<2> {
        let mut h = self.stem.forward(x);
        for block in &self.blocks {
            h = block.forward(h, normed);
        }
        let h = silu(normed(&self.norm, h));
        let [batch, width, rows, columns] = h.dims();
        h.reshape([batch, width, rows * columns])
            .mean_dim(2)
            .reshape([batch, width])
    }

    /// Logarithms of the classes' probabilities, up to a constant an image.
    ///
    /// # Shapes
    /// `x`: `[B, C, H, W]` in [-1, 1]; the result `[B, classes]`.
    pub fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        self.classified(self.features(x))
    }

    /// The same of what [`Self::features`] saw, `[B, F]`.
    pub fn classified(&self, features: Tensor<2>) -> Tensor<2> {
        self.head.forward(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn shapes_are_what_the_configuration_says() {
        let device = Device::flex();
        for config in [ClassifierConfig::mnist(), ClassifierConfig::photos()] {
            assert_eq!(config.fault(), None);
            let [channels, rows, columns] = config.image;
            let x =
                Tensor::<4>::random([2, channels, rows, columns], Distribution::Default, &device);
            let net = config.init(&device);
            assert_eq!(net.features(x.clone()).dims(), [2, config.features()]);
            assert_eq!(net.logits(x).dims(), [2, config.classes]);
        }
    }

    #[test]
    fn a_seed_gives_weights_as_wide_as_burn_s_own_and_norms_begin_as_nothing() {
        let config = ClassifierConfig::mnist();
        let weights = config.fresh(2);
        assert_eq!(weights, config.fresh(2));
        assert_ne!(weights, config.fresh(3));
        let own = weights_of(&config.init(&Device::flex()));
        assert_eq!(own.len(), weights.len());
        for (name, weight) in &weights {
            let values = &weight.values;
            let most = |values: &[f32]| values.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
            if name.contains("norm") {
                let wanted = if name.ends_with("gamma") { 1.0 } else { 0.0 };
                assert!(values.iter().all(|v| *v == wanted), "{name}");
            } else if values.len() > 100 {
                let (a, b) = (most(values), most(&own[name].values));
                assert!((a / b - 1.0).abs() < 0.05, "{name}: {a} {b}");
            } else {
                assert!(most(values) > 0.0, "{name}");
            }
        }
    }

    #[test]
    fn a_chain_begins_by_giving_on_what_comes_in() {
        let weights = ClassifierConfig::photos().fresh(1);
        let first = &weights["blocks.0.conv_1.weight"];
        assert_eq!(first.shape, [64, 32, 3, 3]);
        let ones = first.values[..32 * 288].iter().filter(|v| **v != 0.0);
        assert_eq!(ones.clone().count(), 32);
        assert!(ones.sum::<f32>() == 32.0 && first.values[4] == 1.0);
        assert!(first.values[32 * 288..].iter().any(|v| *v < 0.0));
    }

    #[test]
    fn an_impossible_shape_is_refused() {
        let mut config = ClassifierConfig::mnist();
        config.stages = vec![(7, 1)];
        assert!(config.fault().unwrap().contains("multiples of 8"));
        config.stages = vec![(8, 1); 6];
        config.stem_stride = 4;
        assert!(config.fault().is_some());
        let mut config = ClassifierConfig::photos();
        config.image = [3, 36, 32];
        assert!(config.fault().unwrap().contains("halved"));
        config.pooled = false;
        assert_eq!(config.fault(), None);
        let mut config = ClassifierConfig::photos_states();
        config.image = [4, 28, 30];
        assert_eq!(config.fault(), None);
    }
}
