//! The autoencoder between pictures and latents: `AutoencoderKL` of the diffusers library, of which the ImageNet models
//! use `sd-vae-ft-mse`. Parameters carry the names of diffusers' files, so that these are read as they are.
//!
//! Latents are divided by [`VaeConfig::scaling_factor`] on the way to pixels and multiplied by it on the way back. All
//! of it is plain burn, so gradients go through where the device tracks them.

mod blocks;
mod config;
#[cfg(test)]
mod library_tests;
mod plain;
mod pulled;
#[cfg(test)]
mod tests;
mod tiles;
mod weights;

use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};

pub(super) use blocks::doubled;
use blocks::{Middle, Scale, Step, conv, norm};
pub use config::VaeConfig;
pub use plain::LatentDecoder;

use super::side_by_side::Going;

/// Pictures to latents.
#[derive(Module, Debug)]
struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<Scale>,
    mid_block: Middle,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// Latents to pictures.
#[derive(Module, Debug)]
struct Decoder {
    conv_in: Conv2d,
    mid_block: Middle,
    up_blocks: Vec<Scale>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// See [`VaeConfig`] for its shape.
#[derive(Module, Debug)]
pub struct Vae {
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Conv2d,
    post_quant_conv: Conv2d,
    #[module(skip)]
    scaling_factor: f64,
}

impl VaeConfig {
    /// The network with fresh random weights.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn init(&self, device: &Device) -> Result<Vae, String> {
        self.validate()?;
        let (groups, latent) = (self.norm_num_groups, self.latent_channels);
        let widths = &self.block_out_channels;
        // Checked: there is at least one.
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let edges = widths.len() - 1;
        let mut down_blocks = Vec::with_capacity(widths.len());
        let mut from = first;
        for (i, to) in widths.iter().enumerate() {
            let layers = self.layers_per_block;
            down_blocks.push(Scale::down([from, *to], layers, groups, i < edges, device));
            from = *to;
        }
        let mut up_blocks = Vec::with_capacity(widths.len());
        let mut from = last;
        for (i, to) in widths.iter().rev().enumerate() {
            let layers = self.layers_per_block + 1;
            up_blocks.push(Scale::up([from, *to], layers, groups, i < edges, device));
            from = *to;
        }
        Ok(Vae {
            encoder: Encoder {
                conv_in: conv([self.in_channels, first], 3, device),
                down_blocks,
                mid_block: Middle::new(last, groups, device),
                conv_norm_out: norm(last, groups, device),
                conv_out: conv([last, 2 * latent], 3, device),
            },
            decoder: Decoder {
                conv_in: conv([latent, last], 3, device),
                mid_block: Middle::new(last, groups, device),
                up_blocks,
                conv_norm_out: norm(first, groups, device),
                conv_out: conv([first, self.out_channels], 3, device),
            },
            quant_conv: conv([2 * latent, 2 * latent], 1, device),
            post_quant_conv: conv([latent, latent], 1, device),
            scaling_factor: self.scaling_factor,
        })
    }
}

/// What an encoder says of pictures: a Gaussian for every latent number, in the units that the models work in.
#[derive(Debug, Clone)]
pub struct LatentGaussian {
    /// Its means, `[B, latent, h, w]`.
    pub mean: Tensor<4>,
    /// Its standard deviations, alike.
    pub deviation: Tensor<4>,
}

impl Vae {
    /// Channels of the layers that see every pixel.
    fn finest_width(&self) -> u64 {
        self.decoder.conv_norm_out.num_channels as u64
    }

    /// Pictures of latents.
    ///
    /// # Shapes
    /// `z`: `[B, latent, h, w]`, scaled; the result `[B, C, H, W]`, -1 black and 1 white, not clamped.
    pub fn decode(&self, z: Tensor<4>) -> Tensor<4> {
        self.decoding().iter().fold(z, |h, step| step(h))
    }

    /// The steps of [`Self::decode`], in their order.
    fn decoding(&self) -> Vec<Step<'_>> {
        let d = &self.decoder;
        let mut steps: Vec<Step<'_>> = vec![Box::new(|z| {
            let z = self.post_quant_conv.forward(z / self.scaling_factor);
            d.conv_in.forward(z)
        })];
        steps.extend(d.mid_block.steps());
        steps.extend(d.up_blocks.iter().flat_map(Scale::steps));
        steps.push(Box::new(|h| {
            d.conv_out.forward(silu(d.conv_norm_out.forward(h)))
        }));
        steps
    }

    /// Latents of pictures, with what the encoder is unsure of.
    ///
    /// # Shapes
    /// `x`: `[B, C, H, W]` in [-1, 1], `H` and `W` multiples of [`VaeConfig::factor`].
    pub fn encode(&self, x: Tensor<4>) -> LatentGaussian {
        self.gaussian(self.encoding().iter().fold(x, |h, step| step(h)))
    }

    /// The same in overlapping tiles of `tile` rows and columns of latents, a multiple of four: less memory, and latents
    /// that differ a little from those of the whole. `None` once `going` says that nobody waits any more.
    pub fn encode_tiled(
        &self,
        x: Tensor<4>,
        tile: usize,
        going: Going<'_>,
    ) -> Option<LatentGaussian> {
        let tile = tiles::side(tile);
        let pixels = tile.saturating_mul(1 << (self.encoder.down_blocks.len() - 1));
        let [_, _, rows, columns] = x.dims();
        let steps = self.encoding();
        let moments = if rows.max(columns) <= pixels {
            through(&steps, x, going)?
        } else {
            let pieces = tiles::mapped(tiles::cut(&x, pixels), |x| through(&steps, x, going))?;
            tiles::joined(pieces, tile)
        };
        Some(self.gaussian(moments))
    }

    /// The steps from pictures to means and logarithms of variances, `[B, 2 latent, h, w]`.
    fn encoding(&self) -> Vec<Step<'_>> {
        let e = &self.encoder;
        let mut steps: Vec<Step<'_>> = vec![Box::new(|x| e.conv_in.forward(x))];
        steps.extend(e.down_blocks.iter().flat_map(Scale::steps));
        steps.extend(e.mid_block.steps());
        steps.push(Box::new(|h| {
            let h = e.conv_out.forward(silu(e.conv_norm_out.forward(h)));
            self.quant_conv.forward(h)
        }));
        steps
    }

    fn gaussian(&self, moments: Tensor<4>) -> LatentGaussian {
        let latent = moments.dims()[1] / 2;
        let mean = moments.clone().narrow(1, 0, latent);
        // The reference holds the logarithm of the variance to this range.
        let log_variance = moments.narrow(1, latent, latent).clamp(-30.0, 20.0);
        LatentGaussian {
            mean: mean * self.scaling_factor,
            deviation: (log_variance * 0.5).exp() * self.scaling_factor,
        }
    }
}

/// What the steps make of `x`; `None` once `going` says that nobody waits for it any more.
fn through(steps: &[Step<'_>], x: Tensor<4>, going: Going<'_>) -> Option<Tensor<4>> {
    steps.iter().try_fold(x, |h, step| going().then(|| step(h)))
}
