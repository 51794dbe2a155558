//! What the autoencoder is built of. Field names are those of diffusers' files.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::{Device, Tensor};

/// Of every norm.
const EPSILON: f64 = 1e-6;

/// One of the steps that the whole is made of, so that between two of them it can be asked whether to go on.
pub type Step<'a> = Box<dyn Fn(Tensor<4>) -> Tensor<4> + 'a>;

/// A convolution that keeps rows and columns.
pub fn conv(channels: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    let edge = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_padding(PaddingConfig2d::Explicit(edge, edge, edge, edge))
        .init(device)
}

/// A group normalisation.
pub fn norm(channels: usize, groups: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(groups, channels)
        .with_epsilon(EPSILON)
        .init(device)
}

/// Two convolutions around which the signal may go.
#[derive(Module, Debug)]
pub struct Residual {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    /// Where the width changes.
    conv_shortcut: Option<Conv2d>,
}

impl Residual {
    fn new([from, to]: [usize; 2], groups: usize, device: &Device) -> Self {
        Self {
            norm1: norm(from, groups, device),
            conv1: conv([from, to], 3, device),
            norm2: norm(to, groups, device),
            conv2: conv([to, to], 3, device),
            conv_shortcut: (from != to).then(|| conv([from, to], 1, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = self.conv1.forward(silu(self.norm1.forward(x.clone())));
        let h = self.conv2.forward(silu(self.norm2.forward(h)));
        let around = match &self.conv_shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        around + h
    }
}

/// Attention of one head between all places.
#[derive(Module, Debug)]
pub struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Vec<Linear>,
}

impl Attention {
    fn new(width: usize, groups: usize, device: &Device) -> Self {
        let linear = || LinearConfig::new(width, width).init(device);
        Self {
            group_norm: norm(width, groups, device),
            to_q: linear(),
            to_k: linear(),
            to_v: linear(),
            to_out: vec![linear()],
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, width, rows, columns] = x.dims();
        let places = self
            .group_norm
            .forward(x.clone())
            .reshape([batch, width, rows * columns])
            .swap_dims(1, 2);
        let q = self.to_q.forward(places.clone()) * (width as f64).powf(-0.5);
        let k = self.to_k.forward(places.clone());
        let v = self.to_v.forward(places);
        let mut h = softmax(q.matmul(k.swap_dims(1, 2)), 2).matmul(v);
        for out in &self.to_out {
            h = out.forward(h);
        }
        x + h.swap_dims(1, 2).reshape([batch, width, rows, columns])
    }
}

/// The coarsest stage: two residual blocks around attention.
#[derive(Module, Debug)]
pub struct Middle {
    attentions: Vec<Attention>,
    resnets: Vec<Residual>,
}

impl Middle {
    /// Of that width.
    pub fn new(width: usize, groups: usize, device: &Device) -> Self {
        let residual = || Residual::new([width, width], groups, device);
        Self {
            attentions: vec![Attention::new(width, groups, device)],
            resnets: vec![residual(), residual()],
        }
    }

    /// What it does, in its order; each keeps its shape.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        for (i, residual) in self.resnets.iter().enumerate() {
            if let Some(attention) = i.checked_sub(1).and_then(|i| self.attentions.get(i)) {
                steps.push(Box::new(|h| attention.forward(h)));
            }
            steps.push(Box::new(|h| residual.forward(h)));
        }
        steps
    }
}

/// A convolution that also halves rows and columns, or comes after they were doubled.
#[derive(Module, Debug)]
pub struct Resampler {
    conv: Conv2d,
}

/// One stage: residual blocks, then perhaps a change of size.
#[derive(Module, Debug)]
pub struct Scale {
    resnets: Vec<Residual>,
    downsamplers: Option<Vec<Resampler>>,
    upsamplers: Option<Vec<Resampler>>,
}

impl Scale {
    /// A stage toward latents.
    pub fn down(
        [from, to]: [usize; 2],
        layers: usize,
        groups: usize,
        halves: bool,
        device: &Device,
    ) -> Self {
        let conv = || Resampler {
            conv: Conv2dConfig::new([to, to], [3, 3])
                .with_stride([2, 2])
                .init(device),
        };
        Self {
            downsamplers: halves.then(|| vec![conv()]),
            upsamplers: None,
            resnets: residuals([from, to], layers, groups, device),
        }
    }

    /// A stage toward pixels.
    pub fn up(
        [from, to]: [usize; 2],
        layers: usize,
        groups: usize,
        doubles: bool,
        device: &Device,
    ) -> Self {
        let conv = || Resampler {
            conv: conv([to, to], 3, device),
        };
        Self {
            downsamplers: None,
            upsamplers: doubles.then(|| vec![conv()]),
            resnets: residuals([from, to], layers, groups, device),
        }
    }

    /// What it does, in its order: `[B, from, H, W]` to `[B, to, ...]` of the same, half or twice the size.
    pub fn steps(&self) -> Vec<Step<'_>> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        for residual in &self.resnets {
            steps.push(Box::new(|h| residual.forward(h)));
        }
        for down in self.downsamplers.iter().flatten() {
            // A row below and a column to the right, as the reference has it.
            steps.push(Box::new(|h| down.conv.forward(h.pad((0, 1, 0, 1), 0.0))));
        }
        for up in self.upsamplers.iter().flatten() {
            steps.push(Box::new(|h| up.conv.forward(doubled(h))));
        }
        steps
    }
}

fn residuals(
    [from, to]: [usize; 2],
    layers: usize,
    groups: usize,
    device: &Device,
) -> Vec<Residual> {
    (0..layers)
        .map(|i| Residual::new([if i == 0 { from } else { to }, to], groups, device))
        .collect()
}

/// Every number four times.
pub fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [batch, width, rows, columns] = x.dims();
    x.reshape([batch, width, rows, 1, columns, 1])
        .expand([batch, width, rows, 2, columns, 2])
        .reshape([batch, width, 2 * rows, 2 * columns])
}
