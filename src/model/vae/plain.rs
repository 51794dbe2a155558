//! The decoder on plain numbers: what commands and rewards of pictures ask, whatever computes it.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};

use super::blocks::Step;
use super::tiles::{Tiles, cut, joined, mapped, side};
use super::{Vae, VaeConfig, through};
use crate::model::side_by_side::{Going, at_once, side_by_side};
use crate::model::{Memory, Pass, Taesd};

/// Bytes of a picture as wide as the finest layers that are alive at once, in such pictures, and what a graph keeps.
/// Measured on the processor, with the autoencoder of Stable Diffusion and pictures of 256 x 256.
const ALIVE: u64 = 11;
const KEPT: u64 = 67;
/// Width of the small decoder's layers.
const PREVIEW_WIDTH: u64 = 64;

/// What decodes.
pub(super) enum Network {
    Full(Box<Vae>),
    Preview(Box<Taesd>),
}

impl Network {
    /// What it does with latents, in its order; the small one is quick enough to be one step.
    pub(super) fn steps(&self) -> Vec<Step<'_>> {
        match self {
            Self::Full(vae) => vae.decoding(),
            Self::Preview(taesd) => vec![Box::new(|z| taesd.decode(z))],
        }
    }
}

/// Pictures of latents, each for itself, so that the memory is that of one, or of one tile of it, times the few that are
/// made side by side.
pub struct LatentDecoder {
    pub(super) still: Network,
    /// The same with a graph for what goes in.
    pub(super) tracked: Network,
    pub(super) device: Device,
    pub(super) latent: [usize; 3],
    pub(super) picture: [usize; 3],
    /// Rows and columns of latents that are decoded at a time.
    tile: usize,
    /// The most pictures that are made side by side: a graphics chip works on one with all it has.
    threads: usize,
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
            threads: if *device == Device::flex() {
                usize::MAX
            } else {
                1
            },
        })
    }

    /// One with random weights: latents of 4 x 4 x 4, colour of 8 x 8.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        let config = VaeConfig::tiny();
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

    /// Makes at most so many pictures side by side.
    #[cfg(test)]
    pub(super) fn threaded(mut self, threads: usize) -> Self {
        self.threads = threads;
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

    /// About what pictures take, or their gradients, as many as are made side by side.
    pub fn memory(&self, pass: Pass) -> Memory {
        let parameters = match &self.still {
            Network::Full(vae) => vae.num_params(),
            Network::Preview(taesd) => taesd.num_params(),
        };
        Memory {
            weights: 4 * parameters as u64,
            working: self.at_once(pass) as u64 * self.working(pass),
        }
    }

    /// How many pictures are made side by side where nothing else needs cores and memory.
    pub fn at_once(&self, pass: Pass) -> usize {
        at_once(self.working(pass)).min(self.threads)
    }

    /// Bytes that are alive while one picture is made, or its gradient.
    fn working(&self, pass: Pass) -> u64 {
        let width = match &self.still {
            Network::Full(vae) => vae.finest_width(),
            Network::Preview(_) => PREVIEW_WIDTH,
        };
        let side = self.sides().1 as u64;
        let most = (self.picture[1] * self.picture[2]) as u64;
        let times = match pass {
            Pass::Forward => ALIVE,
            Pass::Gradient => KEPT,
        };
        4 * times * width * most.min(side * side)
    }

    pub(super) fn tensor(values: &[f32], [c, h, w]: [usize; 3], device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, c, h, w]), device)
    }

    /// Rows and columns of a tile of latents and of its picture.
    pub(super) fn sides(&self) -> (usize, usize) {
        let [_, rows, columns] = self.latent;
        let side = self.tile.min(rows.max(columns));
        (side, side * self.picture[1] / rows.max(1))
    }

    /// The latents in tiles; one where it is whole.
    pub(super) fn tiles(&self, z: &[f32]) -> Tiles {
        let z = Self::tensor(z, self.latent, &self.device);
        if self.tile < self.latent[1].max(self.latent[2]) {
            cut(&z, self.sides().0)
        } else {
            vec![vec![z]]
        }
    }

    /// The pictures of tiles as one.
    pub(super) fn joined(&self, pictures: Tiles) -> Tensor<4> {
        if let [row] = &pictures[..]
            && let [whole] = &row[..]
        {
            return whole.clone();
        }
        joined(pictures, self.sides().1)
    }

    /// What is made of `count` pictures, each for itself, side by side where cores and memory allow it. `work` is given a
    /// picture's number, and decodes by [`Self::decoded`] and [`Self::pulled`] alone. `None` once `going` says that nobody
    /// waits any more.
    pub fn side_by_side<T: Send>(
        &self,
        (pass, count): (Pass, usize),
        going: Going<'_>,
        work: impl Fn(usize) -> Option<T> + Sync,
    ) -> Option<Vec<T>> {
        side_by_side(count, self.working(pass), self.threads, going, work)
    }

    /// The pictures `[n][C H W]` of the latents `z`, `[n][c h w]`.
    pub fn decode(&self, z: &[f32]) -> Vec<f32> {
        // Always wanted, so it is there.
        self.decode_while(z, &|| true).unwrap_or_default()
    }

    /// The same; `None` once `going`, which is asked between the layers, says that nobody waits any more.
    pub fn decode_while(&self, z: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
        let latents: Vec<&[f32]> = z.chunks_exact(self.latent.iter().product()).collect();
        let asked = (Pass::Forward, latents.len());
        let pictures = self.side_by_side(asked, going, |item| self.decoded(latents[item], going));
        pictures.map(|pictures| pictures.concat())
    }

    /// One picture, without waiting for a turn.
    pub fn decoded(&self, z: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
        let steps = self.still.steps();
        let pictures = mapped(self.tiles(z), |z| through(&steps, z, going))?;
        Some(list(self.joined(pictures)))
    }

    /// The picture `[C][H W]` of a latent `[c][h w]` at half the resolution, each pixel four times: a quarter of the time,
    /// and about what the whole shows. `None` where the latent has no half, or the decoder is small
    /// anyway, and once `going` says that nobody waits any more.
    pub fn decode_half(&self, z: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
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
        let quarter = self.working(Pass::Forward) / 4;
        let small = side_by_side(1, quarter, 1, going, |_| {
            through(&self.still.steps(), means.clone(), going)
        });
        let small = list(small?.pop()?);
        let narrow = width / 2;
        let mut picture = Vec::with_capacity(colours * height * width);
        for row in small.chunks_exact(narrow) {
            let first = picture.len();
            picture.extend(row.iter().flat_map(|v| [*v; 2]));
            picture.extend_from_within(first..);
        }
        Some(picture)
    }

    /// Whether it makes latents of pictures too: the small decoder has no encoder.
    pub const fn encodes(&self) -> bool {
        matches!(self.still, Network::Full(_))
    }

    /// The latents `[n][c h w]` of the pictures `[n][C H W]`: the encoder's means. `None` without an encoder, and once
    /// `going` says that nobody waits any more.
    pub fn encode_while(&self, pictures: &[f32], going: Going<'_>) -> Option<Vec<f32>> {
        let Network::Full(vae) = &self.still else {
            return None;
        };
        let numbers = self.picture.iter().product();
        let pictures: Vec<&[f32]> = pictures.chunks_exact(numbers).collect();
        let asked = (Pass::Forward, pictures.len());
        let latents = self.side_by_side(asked, going, |item| {
            let picture = Self::tensor(pictures[item], self.picture, &self.device);
            Some(list(vae.encode_tiled(picture, self.tile, going)?.mean))
        });
        latents.map(|latents| latents.concat())
    }
}

pub(super) fn list(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap_or_default()
}
