//! The decoder on plain numbers: what commands and rewards of pictures ask, whatever computes it.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};

use super::tiles::{Tiles, cut, joined, side, step};
use super::{Vae, VaeConfig};
use crate::model::{Memory, Pass, Taesd};

/// Bytes of a picture as wide as the finest layers that are alive at once, in such pictures, and what a graph keeps.
/// Measured on the processor, with the autoencoder of Stable Diffusion and pictures of 256 x 256.
const ALIVE: u64 = 11;
const KEPT: u64 = 67;
/// Width of the small decoder's layers.
const PREVIEW_WIDTH: u64 = 64;

/// What decodes.
enum Network {
    Full(Box<Vae>),
    Preview(Box<Taesd>),
}

impl Network {
    fn decode(&self, z: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Full(vae) => vae.decode(z),
            Self::Preview(taesd) => taesd.decode(z),
        }
    }
}

/// Pictures of latents, one at a time, so that the memory is that of one, or of one tile of it.
pub struct LatentDecoder {
    still: Network,
    /// The same with a graph for what goes in.
    tracked: Network,
    device: Device,
    latent: [usize; 3],
    picture: [usize; 3],
    /// Rows and columns of latents that are decoded at a time.
    tile: usize,
}

impl LatentDecoder {
    /// Takes a network that lies on `device`, not an autodiff one, for latents `[C, H, W]`; `None` where these have
    /// other channels than the network's.
    pub fn new(vae: Vae, config: &VaeConfig, latent: [usize; 3], device: &Device) -> Option<Self> {
        let shape = (config.latent_channels, config.out_channels, config.factor());
        let tracked = Network::Full(Box::new(vae.clone().no_grad().train()));
        Self::of(Network::Full(Box::new(vae)), tracked, shape, latent, device)
    }

    /// The same with the small decoder for previews.
    pub fn preview(taesd: Taesd, latent: [usize; 3], device: &Device) -> Option<Self> {
        let shape = (
            taesd.latent_channels(),
            taesd.out_channels(),
            taesd.factor(),
        );
        let tracked = Network::Preview(Box::new(taesd.clone().no_grad().train()));
        Self::of(
            Network::Preview(Box::new(taesd)),
            tracked,
            shape,
            latent,
            device,
        )
    }

    fn of(
        still: Network,
        tracked: Network,
        (channels, out, factor): (usize, usize, usize),
        latent: [usize; 3],
        device: &Device,
    ) -> Option<Self> {
        let [c, rows, columns] = latent;
        (c == channels).then(|| Self {
            still,
            tracked,
            device: device.clone(),
            latent,
            picture: [out, factor * rows, factor * columns],
            tile: usize::MAX,
        })
    }

    /// One with random weights: latents of 4 x 4 x 4, colour of 8 x 8.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        let config = VaeConfig {
            block_out_channels: vec![8, 16],
            layers_per_block: 1,
            norm_num_groups: 4,
            ..VaeConfig::stable_diffusion()
        };
        let device = Device::flex();
        device.seed(5);
        let vae = config.init(&device).unwrap();
        Self::new(vae, &config, [4, 4, 4], &device).unwrap()
    }

    /// In overlapping tiles of that many rows and columns of latents, a multiple of four: less memory, and pictures that
    /// differ a little from those of the whole.
    #[must_use]
    pub fn tiled(mut self, tile: usize) -> Self {
        self.tile = side(tile);
        self
    }

    /// Whether it only makes previews.
    pub const fn is_preview(&self) -> bool {
        matches!(self.still, Network::Preview(_))
    }

    /// Channels, rows and columns of a picture.
    pub const fn picture(&self) -> [usize; 3] {
        self.picture
    }

    /// Channels, rows and columns of a latent.
    pub const fn latent(&self) -> [usize; 3] {
        self.latent
    }

    /// About what a picture takes, or its gradient; pictures are made one by one.
    pub fn memory(&self, pass: Pass) -> Memory {
        let (parameters, width) = match &self.still {
            Network::Full(vae) => (vae.num_params(), vae.finest_width()),
            Network::Preview(taesd) => (taesd.num_params(), PREVIEW_WIDTH),
        };
        let side = self.sides().1 as u64;
        let most = (self.picture[1] * self.picture[2]) as u64;
        let times = match pass {
            Pass::Forward => ALIVE,
            Pass::Gradient => KEPT,
        };
        Memory {
            weights: 4 * parameters as u64,
            working: 4 * times * width * most.min(side * side),
        }
    }

    fn tensor(values: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, c, h, w]), device)
    }

    /// Rows and columns of a tile of latents and of its picture.
    fn sides(&self) -> (usize, usize) {
        let [_, rows, columns] = self.latent;
        let side = self.tile.min(rows.max(columns));
        (side, side * self.picture[1] / rows.max(1))
    }

    /// The latents in tiles; one where it is whole.
    fn tiles(&self, z: &[f32]) -> Tiles {
        let z = Self::tensor(z, self.latent, &self.device);
        if self.tile < self.latent[1].max(self.latent[2]) {
            cut(&z, self.sides().0)
        } else {
            vec![vec![z]]
        }
    }

    /// The pictures of tiles as one.
    fn joined(&self, pictures: Tiles) -> Tensor<4> {
        if let [row] = &pictures[..]
            && let [whole] = &row[..]
        {
            return whole.clone();
        }
        joined(pictures, self.sides().1)
    }

    /// The pictures `[n][C H W]` of the latents `z`, `[n][c h w]`.
    pub fn decode(&self, z: &[f32]) -> Vec<f32> {
        let numbers = self.latent.iter().product();
        z.chunks_exact(numbers)
            .flat_map(|z| {
                let pictures = mapped(self.tiles(z), |z| self.still.decode(z));
                list(self.joined(pictures))
            })
            .collect()
    }

    /// The picture `[C][H W]` of a latent `[c][h w]` at half the resolution, each pixel four times: a quarter of the time,
    /// and about what the whole shows. `None` where the latent has no half, or the decoder is small anyway.
    pub fn decode_half(&self, z: &[f32]) -> Option<Vec<f32>> {
        let ([channels, rows, columns], [colours, height, width]) = (self.latent, self.picture);
        let halves = rows.is_multiple_of(2) && columns.is_multiple_of(2);
        if self.is_preview() || !halves || z.len() != channels * rows * columns {
            return None;
        }
        let (down, across) = (rows / 2, columns / 2);
        let mut means = vec![0.0; z.len() / 4];
        for (row, values) in z.chunks_exact(columns).enumerate() {
            // Channels have even rows, so that pairs of rows never cross them.
            let to = &mut means[row / 2 * across..][..across];
            for (mean, pair) in to.iter_mut().zip(values.chunks_exact(2)) {
                *mean += 0.25 * (pair[0] + pair[1]);
            }
        }
        let means = Self::tensor(&means, [channels, down, across], &self.device);
        let small = list(self.still.decode(means));
        let narrow = width / 2;
        let mut picture = Vec::with_capacity(colours * height * width);
        for row in small.chunks_exact(narrow) {
            let first = picture.len();
            picture.extend(row.iter().flat_map(|v| [*v; 2]));
            picture.extend_from_within(first..);
        }
        Some(picture)
    }

    /// The latents `[n][c h w]` of the pictures `[n][C H W]`: the encoder's means. The small decoder has no encoder.
    pub fn encode(&self, pictures: &[f32]) -> Option<Vec<f32>> {
        let Network::Full(vae) = &self.still else {
            return None;
        };
        let pictures = pictures.chunks_exact(self.picture.iter().product());
        let latents = pictures
            .map(|picture| Self::tensor(picture, self.picture, &self.device))
            .flat_map(|picture| list(vae.encode_tiled(picture, self.tile).mean));
        Some(latents.collect())
    }

    /// The gradient of `sum(cotangent * decode(z))` with respect to `z`: `cotangent` `[n][C H W]`, the rest `[n][c h w]`.
    pub fn pullback(&self, z: &[f32], cotangent: &[f32]) -> Vec<f32> {
        let pixels = self.picture.iter().product();
        let latents = z.chunks_exact(self.latent.iter().product());
        latents
            .zip(cotangent.chunks_exact(pixels))
            .flat_map(|(z, cotangent)| self.pulled(z, cotangent))
            .collect()
    }

    /// First through the blending, then through the decoder tile by tile: only one tile's graph is held.
    fn pulled(&self, z: &[f32], cotangent: &[f32]) -> Vec<f32> {
        let device = self.device.clone().autodiff();
        let tiles = self.tiles(z);
        let whole = tiles.len() == 1 && tiles[0].len() == 1;
        let cotangents: Vec<Vec<Vec<f32>>> = if whole {
            vec![vec![cotangent.to_vec()]]
        } else {
            let pictures = mapped(tiles.clone(), |z| {
                let picture = self.still.decode(z);
                let shape = picture.dims();
                Tensor::from_data(TensorData::new(list(picture), shape), &device).require_grad()
            });
            let weight = Self::tensor(cotangent, self.picture, &device);
            let gradients = (self.joined(pictures.clone()) * weight).sum().backward();
            let of = |picture: &Tensor<4>| {
                let numbers = picture.dims().iter().product();
                // What is cut off and never blended has none.
                let gradient = picture.grad(&gradients);
                gradient.map_or_else(|| vec![0.0; numbers], list)
            };
            pictures
                .iter()
                .map(|row| row.iter().map(of).collect())
                .collect()
        };
        let [c, h, w] = self.latent;
        let step = step(self.sides().0);
        let mut gradient = vec![0.0; c * h * w];
        for (i, (row, cotangents)) in tiles.into_iter().zip(cotangents).enumerate() {
            for (j, (z, cotangent)) in row.into_iter().zip(cotangents).enumerate() {
                let [_, _, rows, columns] = z.dims();
                let pulled = self.pulled_tile(z, &cotangent, &device);
                // Row by row to where the tile was cut from.
                for (k, values) in pulled.chunks_exact(columns).enumerate() {
                    let (channel, y) = (k / rows, k % rows);
                    let first = (channel * h + i * step + y) * w + j * step;
                    for (sum, v) in gradient[first..first + columns].iter_mut().zip(values) {
                        *sum += v;
                    }
                }
            }
        }
        gradient
    }

    fn pulled_tile(&self, z: Tensor<4>, cotangent: &[f32], device: &Device) -> Vec<f32> {
        let [_, c, h, w] = z.dims();
        let numbers = c * h * w;
        let z_in = Self::tensor(&list(z), [c, h, w], device).require_grad();
        let picture = self.tracked.decode(z_in.clone());
        let shape = picture.dims();
        let data = TensorData::new(cotangent.to_vec(), shape);
        let sum = (picture * Tensor::<4>::from_data(data, device)).sum();
        let gradient = z_in.grad(&sum.backward());
        // A decoder that does not look at its latents has none.
        gradient.map_or_else(|| vec![0.0; numbers], list)
    }
}

fn mapped(tiles: Tiles, f: impl Fn(Tensor<4>) -> Tensor<4>) -> Tiles {
    let row = |row: Vec<Tensor<4>>| row.into_iter().map(&f).collect();
    tiles.into_iter().map(row).collect()
}

fn list(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}
