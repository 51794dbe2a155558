//! The decoder on plain numbers: what commands and rewards of pictures ask, whatever computes it.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Vae, VaeConfig};

/// Pictures of latents, one at a time, so that the memory is that of one.
pub struct LatentDecoder {
    still: Vae,
    /// The same with a graph for what goes in.
    tracked: Vae,
    device: Device,
    latent: [usize; 3],
    picture: [usize; 3],
}

impl LatentDecoder {
    /// Takes a network that lies on `device`, not an autodiff one, for latents `[C, H, W]`; `None` where these have
    /// other channels than the network's.
    pub fn new(vae: Vae, config: &VaeConfig, latent: [usize; 3], device: &Device) -> Option<Self> {
        let [channels, rows, columns] = latent;
        let factor = config.factor();
        (channels == config.latent_channels).then(|| Self {
            tracked: vae.clone().no_grad().train(),
            still: vae,
            device: device.clone(),
            latent,
            picture: [config.out_channels, factor * rows, factor * columns],
        })
    }

    /// Channels, rows and columns of a picture.
    pub const fn picture(&self) -> [usize; 3] {
        self.picture
    }

    /// Channels, rows and columns of a latent.
    pub const fn latent(&self) -> [usize; 3] {
        self.latent
    }

    fn tensor(numbers: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(numbers.to_vec(), [1, c, h, w]), device)
    }

    /// The pictures `[n][C H W]` of the latents `z`, `[n][c h w]`.
    pub fn decode(&self, z: &[f32]) -> Vec<f32> {
        let numbers = self.latent.iter().product();
        z.chunks_exact(numbers)
            .flat_map(|z| {
                list(
                    self.still
                        .decode(Self::tensor(z, self.latent, &self.device)),
                )
            })
            .collect()
    }

    /// The latents `[n][c h w]` of the pictures `[n][C H W]`: the encoder's means.
    pub fn encode(&self, pictures: &[f32]) -> Vec<f32> {
        let numbers = self.picture.iter().product();
        let pictures = pictures.chunks_exact(numbers);
        pictures
            .map(|picture| Self::tensor(picture, self.picture, &self.device))
            .flat_map(|picture| list(self.still.encode(picture).mean))
            .collect()
    }

    /// The gradient of `sum(cotangent * decode(z))` with respect to `z`: `cotangent` `[n][C H W]`, the rest `[n][c h w]`.
    pub fn pullback(&self, z: &[f32], cotangent: &[f32]) -> Vec<f32> {
        let device = self.device.clone().autodiff();
        let [c, h, w] = self.picture;
        let latents = z.chunks_exact(self.latent.iter().product());
        latents
            .zip(cotangent.chunks_exact(c * h * w))
            .flat_map(|(z, cotangent)| {
                let z_in = Self::tensor(z, self.latent, &device).require_grad();
                let weight = Self::tensor(cotangent, self.picture, &device);
                let sum = (self.tracked.decode(z_in.clone()) * weight).sum();
                let gradient = z_in.grad(&sum.backward());
                // A decoder that does not look at its latents has none.
                gradient.map_or_else(|| vec![0.0; z.len()], list)
            })
            .collect()
    }
}

fn list(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}
