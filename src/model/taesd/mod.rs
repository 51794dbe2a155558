//! A decoder of latents that is small and quick: TAESD, distilled from the autoencoder of Stable Diffusion (`madebyollin/
//! taesd`, 1.2 million parameters), for previews. It takes latents as the models have them, without a scale.
//!
//! Plain burn, so gradients go through where the device tracks them.

mod weights;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::vae::doubled;

/// The decoder. Its shape is read off its weights.
#[derive(Module, Debug)]
pub struct Taesd {
    first: Conv2d,
    stages: Vec<Stage>,
    last: Conv2d,
    #[module(skip)]
    latent_channels: usize,
    #[module(skip)]
    out_channels: usize,
}

/// Blocks, and in all but the last stage a doubling of rows and columns and what comes after it.
#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<Block>,
    after: Option<Conv2d>,
}

/// Three convolutions around which the signal goes.
#[derive(Module, Debug)]
struct Block {
    conv: Vec<Conv2d>,
}

fn conv(channels: [usize; 2], bias: bool, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(bias)
        .init(device)
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut h = x.clone();
        for (i, conv) in self.conv.iter().enumerate() {
            h = conv.forward(if i == 0 { h } else { relu(h) });
        }
        relu(h + x)
    }
}

impl Taesd {
    /// A fresh one of these sizes.
    fn new(latent: usize, width: usize, out: usize, blocks: &[usize], device: &Device) -> Self {
        let block = || Block {
            conv: (0..3).map(|_| conv([width, width], true, device)).collect(),
        };
        let stage = |(i, count): (usize, &usize)| Stage {
            blocks: (0..*count).map(|_| block()).collect(),
            after: (i + 1 < blocks.len()).then(|| conv([width, width], false, device)),
        };
        Self {
            first: conv([latent, width], true, device),
            stages: blocks.iter().enumerate().map(stage).collect(),
            last: conv([width, out], true, device),
            latent_channels: latent,
            out_channels: out,
        }
    }

    /// Channels of a latent.
    pub const fn latent_channels(&self) -> usize {
        self.latent_channels
    }

    /// Channels of a picture.
    pub const fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Pixels along a side for one latent number.
    pub const fn factor(&self) -> usize {
        1 << (self.stages.len() - 1)
    }

    /// Pictures of latents.
    ///
    /// # Shapes
    /// `z`: `[B, latent, h, w]`, scaled; the result `[B, C, H, W]`, -1 black and 1 white, not clamped.
    pub fn decode(&self, z: Tensor<4>) -> Tensor<4> {
        // Latents beyond 3 are held back smoothly.
        let mut h = relu(self.first.forward((z / 3.0).tanh() * 3.0));
        for stage in &self.stages {
            for block in &stage.blocks {
                h = block.forward(h);
            }
            if let Some(after) = &stage.after {
                h = after.forward(doubled(h));
            }
        }
        self.last.forward(h) * 2.0 - 1.0
    }
}
