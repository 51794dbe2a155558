//! The classifier on the processor's vector units, without a graph: what it says, and the gradient of its weights.
//!
//! The same network as [`Classifier`](super::Classifier); images pass a few at a time, each by itself, and the gradient is
//! added up in an order that depends on the batch alone, not on the number of cores.

mod conv;
mod judging;
mod norm;
mod passes;
mod pool;

use pulp::Arch;
use rayon::prelude::*;

use self::conv::{Columns, Conv, ConvShape};
use self::norm::{Kept, Norm, Over};
use super::{BATCH, ClassifierConfig, NormKind};
use crate::model::simd::Buffer;
use crate::model::{WeightValues, Weights};

/// Images that pass together: enough for the smallest maps to fill a tile.
const UNIT: usize = 4;
/// Images that share a gradient.
const PART: usize = BATCH;
/// Of an image.
const MOST_PIXELS: usize = 64 * 64;

#[derive(Debug)]
struct Block {
    norm_1: Norm,
    conv_1: Conv,
    norm_2: Norm,
    conv_2: Conv,
    skip: Option<Conv>,
    /// Whether the signal goes around too.
    around: bool,
    /// Whether the largest of each four numbers is what the first convolution gives on.
    pooled: bool,
}

/// A classifier whose weights lie in one flat buffer.
#[derive(Debug)]
pub struct NativeClassifier {
    config: ClassifierConfig,
    /// Images that pass together.
    unit: usize,
    arch: Arch,
    stem: Conv,
    blocks: Vec<Block>,
    last: Norm,
    /// Where the head's weights lie, `[width][classes]`; its bias is behind them.
    head: usize,
    len: usize,
    flat: Buffer,
}

/// How a weight lies in the flat buffer.
enum Lies<'a> {
    Conv(&'a Conv),
    Plain(usize, Vec<usize>),
}

/// Room of one thread, and the gradient of its images.
#[derive(Debug)]
pub(crate) struct ClassifierPart {
    room: Room,
    gradient: Buffer,
}

#[derive(Debug)]
struct Room {
    image: Vec<f32>,
    /// Between the blocks, without a border.
    flow: [Vec<f32>; 2],
    within: Vec<f32>,
    /// Of each block, then the last.
    kept: Vec<Kept>,
    d_active: Vec<f32>,
    /// Of a first convolution before the largest are chosen, and for each block which these were.
    wide: Vec<f32>,
    chosen: Vec<Vec<u8>>,
    columns: Columns,
    features: Vec<f32>,
    logits: Vec<f32>,
    /// Of what is wanted by the features beside the logits.
    d_features: Vec<f32>,
    /// As `image`, within its border.
    d_image: Vec<f32>,
}

impl NativeClassifier {
    /// Whether a classifier of this shape is small enough: several images are in memory at once, each with everything that
    /// the layers made of it.
    pub fn takes(config: &ClassifierConfig) -> bool {
        config.image[1] * config.image[2] <= MOST_PIXELS
    }

    /// Of that shape; everything zero until [`Self::load`].
    pub fn new(config: &ClassifierConfig) -> Self {
        let over = match config.norm {
            NormKind::Group => Over::Group,
            NormKind::Batch => Over::Nothing,
        };
        Self::of(config, over, UNIT)
    }

    /// The same as it is while it learns: batch norm looks over the images that pass together.
    pub(crate) fn learning(config: &ClassifierConfig) -> Self {
        match config.norm {
            NormKind::Group => Self::new(config),
            NormKind::Batch => Self::of(config, Over::Images, BATCH),
        }
    }

    fn of(config: &ClassifierConfig, over: Over, unit: usize) -> Self {
        let [channels, rows, columns] = config.image;
        let mut len = 0_usize;
        let conv = |len: &mut usize, shape, has_bias| {
            let conv = Conv::new(shape, *len, has_bias, unit);
            *len += conv.len();
            conv
        };
        let norm = |len: &mut usize, width, size| {
            let norm = Norm {
                over,
                at: *len,
                width,
                size,
            };
            *len += norm.len();
            norm
        };
        let first = config.first();
        let shape = |from, to, taps, stride, size| ConvShape {
            from,
            to,
            taps,
            stride,
            size,
        };
        let of_stem = shape(channels, first, 3, config.stem_stride, [rows, columns]);
        let stem = conv(&mut len, of_stem, true);
        let (mut width, mut size, mut blocks) = (first, of_stem.out(), Vec::new());
        for (stage, (to, count)) in config.stages.iter().enumerate() {
            for block in 0..*count {
                let (pooled, stride) = (config.pools(block), config.stride(stage, block));
                let (to, outer) = (*to, shape(width, *to, 3, stride, size));
                let halved = |[rows, columns]: [usize; 2]| [rows / 2, columns / 2];
                let inner = if pooled {
                    halved(outer.out())
                } else {
                    outer.out()
                };
                blocks.push(Block {
                    norm_1: norm(&mut len, width, size),
                    conv_1: conv(&mut len, outer, false),
                    norm_2: norm(&mut len, to, inner),
                    conv_2: conv(&mut len, shape(to, to, 3, 1, inner), false),
                    around: !config.pooled,
                    pooled,
                    skip: (!config.pooled && (width != to || stride != 1))
                        .then(|| conv(&mut len, ConvShape { taps: 1, ..outer }, false)),
                });
                (width, size) = (to, inner);
            }
        }
        let last = norm(&mut len, width, size);
        let head = len;
        len += (width + 1) * config.classes;
        Self {
            config: config.clone(),
            unit,
            arch: Arch::new(),
            stem,
            blocks,
            last,
            head,
            len,
            flat: Buffer::zeroed(len),
        }
    }

    /// Every weight by the name that it has in a [`Classifier`](super::Classifier).
    fn places(&self) -> Vec<(String, Lies<'_>)> {
        let mut all = Vec::new();
        let norm = |all: &mut Vec<_>, name: String, norm: &Norm| {
            for (i, part) in ["gamma", "beta"].into_iter().enumerate() {
                let lies = Lies::Plain(norm.at + i * norm.width, vec![norm.width]);
                all.push((format!("{name}.{part}"), lies));
            }
        };
        all.push(("stem.weight".to_owned(), Lies::Conv(&self.stem)));
        let bias = Lies::Plain(self.stem.bias_at(), vec![self.stem.shape.to]);
        all.push(("stem.bias".to_owned(), bias));
        for (i, block) in self.blocks.iter().enumerate() {
            norm(&mut all, format!("blocks.{i}.norm_1"), &block.norm_1);
            norm(&mut all, format!("blocks.{i}.norm_2"), &block.norm_2);
            let convs = [
                ("conv_1", Some(&block.conv_1)),
                ("conv_2", Some(&block.conv_2)),
                ("skip", block.skip.as_ref()),
            ];
            for (name, conv) in convs {
                let lies = conv.map(Lies::Conv);
                all.extend(lies.map(|lies| (format!("blocks.{i}.{name}.weight"), lies)));
            }
        }
        norm(&mut all, "norm".to_owned(), &self.last);
        let (width, classes) = (self.last.width, self.config.classes);
        let bias = self.head + width * classes;
        all.push((
            "head.weight".to_owned(),
            Lies::Plain(self.head, vec![width, classes]),
        ));
        all.push(("head.bias".to_owned(), Lies::Plain(bias, vec![classes])));
        all
    }

    /// Where the weights of that name lie in a flat buffer.
    pub(crate) fn place(&self, name: &str) -> Option<std::ops::Range<usize>> {
        let mut places = self.places().into_iter();
        let (_, lies) = places.find(|(own, _)| own == name)?;
        Some(match lies {
            Lies::Conv(conv) => conv.at..conv.at + conv.shape.sees() * conv.shape.row(),
            Lies::Plain(at, shape) => at..at + shape.iter().product::<usize>(),
        })
    }

    /// The flat buffer of these weights.
    ///
    /// # Panics
    /// When they are not those of a classifier of this shape.
    pub(crate) fn gather(&self, weights: &Weights) -> Buffer {
        let mut buffer = Buffer::zeroed(self.len);
        let flat = buffer.as_mut_slice();
        for (name, lies) in self.places() {
            let values = &weights[&name].values;
            match lies {
                Lies::Conv(conv) => {
                    let (sees, row) = (conv.shape.sees(), conv.shape.row());
                    for (to, own) in values.chunks_exact(sees).enumerate() {
                        for (k, value) in own.iter().enumerate() {
                            flat[conv.at + k * row + to] = *value;
                        }
                    }
                }
                Lies::Plain(at, _) => flat[at..at + values.len()].copy_from_slice(values),
            }
        }
        buffer
    }

    /// The weights of a flat buffer, by name.
    pub(crate) fn scatter(&self, flat: &[f32]) -> Weights {
        let of = |lies: Lies<'_>| match lies {
            Lies::Conv(conv) => {
                let shape = conv.shape;
                let (sees, row) = (shape.sees(), shape.row());
                WeightValues {
                    shape: vec![shape.to, shape.from, shape.taps, shape.taps],
                    values: (0..shape.to * sees)
                        .map(|i| flat[conv.at + i % sees * row + i / sees])
                        .collect(),
                }
            }
            Lies::Plain(at, shape) => WeightValues {
                values: flat[at..at + shape.iter().product::<usize>()].to_vec(),
                shape,
            },
        };
        let places = self.places().into_iter();
        places.map(|(name, lies)| (name, of(lies))).collect()
    }

    /// Of that shape, with these weights.
    ///
    /// # Panics
    /// When they are not those of a classifier of this shape.
    pub fn with(config: &ClassifierConfig, weights: &Weights) -> Self {
        let mut net = Self::new(config);
        let flat = net.gather(weights);
        net.load(flat.as_slice());
        net
    }

    /// Takes over the weights of a flat buffer.
    pub(crate) fn load(&mut self, flat: &[f32]) {
        self.flat.as_mut_slice()[..self.len].copy_from_slice(&flat[..self.len]);
        let mut convs = vec![&mut self.stem];
        for block in &mut self.blocks {
            convs.extend([&mut block.conv_1, &mut block.conv_2]);
            convs.extend(&mut block.skip);
        }
        convs.into_par_iter().for_each(|conv| conv.load(flat));
    }

    /// The gradient of a sum over images, put into `gradient`. `cotangent` is told an image's number and logits, which it
    /// replaces by the gradient with respect to them; what it gives back comes back, one an image. `parts` keeps room from
    /// one call to the next.
    ///
    /// # Panics
    /// When `images` are no whole number of images.
    pub(crate) fn gradient(
        &self,
        images: &[f32],
        cotangent: &(dyn Fn(usize, &mut [f32]) -> f64 + Sync),
        parts: &mut Vec<ClassifierPart>,
        gradient: &mut Buffer,
    ) -> Vec<f64> {
        let (numbers, classes) = (self.numbers(), self.config.classes);
        assert!(images.len().is_multiple_of(numbers), "whole images");
        let n = images.len() / numbers;
        parts.truncate(n.div_ceil(PART));
        parts.resize_with(n.div_ceil(PART), || ClassifierPart {
            room: self.room(),
            gradient: Buffer::zeroed(self.len),
        });
        let told: Vec<Vec<f64>> = parts
            .par_iter_mut()
            .zip(images.par_chunks(PART * numbers))
            .enumerate()
            .map(|(p, (part, images))| {
                let ClassifierPart { room, gradient } = part;
                gradient.as_mut_slice().fill(0.0);
                let mut told = Vec::new();
                for images in images.chunks(self.unit * numbers) {
                    self.forward(images, room);
                    let live = images.len() / numbers;
                    let (logits, none) = room.logits.split_at_mut(live * classes);
                    for logits in logits.chunks_exact_mut(classes) {
                        told.push(cotangent(p * PART + told.len(), logits));
                    }
                    none.fill(0.0);
                    self.backward(room, Some(gradient.as_mut_slice()), false);
                }
                told
            })
            .collect();
        let sums = gradient.as_mut_slice()[..self.len].par_chunks_mut(1 << 14);
        sums.enumerate().for_each(|(i, sums)| {
            sums.fill(0.0);
            for part in &*parts {
                let own = &part.gradient.as_slice()[i << 14..];
                for (sum, own) in sums.iter_mut().zip(own) {
                    *sum += own;
                }
            }
        });
        told.concat()
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.config.classes
    }

    fn numbers(&self) -> usize {
        self.config.image.iter().product()
    }

    fn norms(&self) -> impl Iterator<Item = &Norm> {
        let of_blocks = self.blocks.iter().flat_map(|b| [&b.norm_1, &b.norm_2]);
        of_blocks.chain([&self.last])
    }

    fn convs(&self) -> impl Iterator<Item = &Conv> {
        let of_blocks = self.blocks.iter();
        let of_blocks = of_blocks.flat_map(|b| [Some(&b.conv_1), Some(&b.conv_2), b.skip.as_ref()]);
        of_blocks.flatten().chain([&self.stem])
    }

    fn room(&self) -> Room {
        let most = |of: fn(&Norm) -> usize| self.norms().map(of).max().unwrap_or(0);
        let flow = vec![0.0; self.unit * most(|norm| norm.width * norm.size[0] * norm.size[1])];
        let [channels, rows, columns] = self.config.image;
        let sees = self.convs().map(|conv| conv.shape.sees()).max();
        let to = self.convs().map(|conv| conv.shape.to).max();
        let outs = |block: &Block| {
            block.conv_1.shape.to * block.conv_1.shape.out().iter().product::<usize>()
        };
        let wide = self.blocks.iter().filter(|block| block.pooled).map(outs);
        let pooled = self
            .blocks
            .iter()
            .map(|block| if block.pooled { outs(block) / 4 } else { 0 });
        Room {
            d_image: vec![0.0; self.unit * channels * (rows + 2) * (columns + 2)],
            image: vec![0.0; self.unit * channels * (rows + 2) * (columns + 2)],
            within: flow.clone(),
            flow: [flow.clone(), flow],
            wide: vec![0.0; self.unit * wide.max().unwrap_or(0)],
            chosen: pooled.map(|len| vec![0; self.unit * len]).collect(),
            kept: self.norms().map(|norm| norm.room(self.unit)).collect(),
            d_active: vec![0.0; self.unit * most(|norm| norm.width * norm.plane())],
            columns: Columns::new(sees.unwrap_or(0), to.unwrap_or(0)),
            features: vec![0.0; self.unit * self.last.width],
            d_features: vec![0.0; self.unit * self.last.width],
            logits: vec![0.0; self.unit * self.config.classes],
        }
    }
}
