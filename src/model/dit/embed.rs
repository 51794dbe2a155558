//! What enters the transformer: patches, their positions, times.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::DitConfig;
use super::weights::Source;
use crate::model::Dual;

/// A convolution whose kernel is its stride, as a linear layer over the numbers of a patch: channel, row, column.
#[derive(Module, Debug)]
pub struct Patches {
    proj: Linear,
    #[module(skip)]
    patch: usize,
}

impl Patches {
    pub(super) fn read<E>(
        config: &DitConfig,
        name: &str,
        source: &mut Source<'_, E>,
    ) -> Result<Self, E> {
        let (p, d) = (config.patch_size, config.hidden_size);
        let weight_name = format!("{name}.proj.weight");
        let weight = source.values(&weight_name, &[d, config.in_channels, p, p])?;
        let bias = source.param(&format!("{name}.proj.bias"), [d])?;
        Ok(Self {
            proj: Linear {
                weight: source.weight(weight, config.patch_numbers(), d),
                bias: Some(bias),
            },
            patch: p,
        })
    }

    pub(super) fn write(&self, config: &DitConfig, name: &str, out: &mut super::weights::Sink) {
        let p = self.patch;
        let shape = vec![config.hidden_size, config.in_channels, p, p];
        out.linear(&format!("{name}.proj"), &self.proj);
        out.reshape_last_weight(shape);
    }

    /// `[B, C, H, W]` to `[B, tokens, hidden]`, row by row.
    pub fn forward(&self, x: Dual<4>) -> Dual<3> {
        let [b, c, height, width] = x.value.dims();
        let p = self.patch;
        let (rows, columns) = (height / p, width / p);
        x.linearly(|part| {
            part.reshape([b, c, rows, p, columns, p])
                .permute([0, 2, 4, 1, 3, 5])
                .reshape([b, rows * columns, c * p * p])
        })
        .linear(&self.proj)
    }
}

/// `[B, tokens, p * p * channels]`, a patch being its row, its column, then the channel, to `[B, channels, H, W]`.
pub fn unpatchify(tokens: Dual<3>, config: &DitConfig) -> Dual<4> {
    let b = tokens.value.dims()[0];
    let (g, p, c) = (config.grid(), config.patch_size, config.out_channels());
    tokens.linearly(|part| {
        part.reshape([b, g, g, p, p, c])
            .permute([0, 5, 1, 3, 2, 4])
            .reshape([b, c, g * p, g * p])
            // With `learn_sigma` the other half is a variance that nobody asks for.
            .narrow(1, 0, config.in_channels)
    })
}

/// The fixed 2D sine-cosine positions, `[tokens][hidden]`: sines, then cosines of the column in the first half, of the
/// row in the second, with frequencies from 1 down to nearly 1/10,000.
pub fn positions(config: &DitConfig) -> Vec<f32> {
    let (grid, width) = (config.grid(), config.hidden_size);
    let quarter = width / 4;
    let mut out = Vec::with_capacity(config.tokens() * width);
    for token in 0..config.tokens() {
        for place in [token % grid, token / grid] {
            let phase = |j: usize| place as f64 / 10_000_f64.powf(j as f64 / quarter as f64);
            out.extend((0..quarter).map(|j| phase(j).sin() as f32));
            out.extend((0..quarter).map(|j| phase(j).cos() as f32));
        }
    }
    out
}

/// The angular frequencies of a time's features, `[1, 128]`: from 1 down to nearly 1/10,000.
pub fn frequencies(device: &Device, dtype: DType) -> Tensor<2> {
    let half = DitConfig::TIME_FEATURES / 2;
    let values: Vec<f64> = (0..half)
        .map(|j| (-(10_000_f64.ln()) * j as f64 / half as f64).exp())
        .collect();
    Tensor::from_data(TensorData::new(values, [1, half]), (device, dtype))
}

/// A time, as 256 sinusoidal features through linear, SiLU, linear.
#[derive(Module, Debug)]
pub struct TimeEmbedder {
    first: Linear,
    second: Linear,
}

impl TimeEmbedder {
    pub(super) fn read<E>(
        config: &DitConfig,
        name: &str,
        source: &mut Source<'_, E>,
    ) -> Result<Self, E> {
        let d = config.hidden_size;
        Ok(Self {
            first: source.linear(&format!("{name}.mlp.0"), DitConfig::TIME_FEATURES, d)?,
            second: source.linear(&format!("{name}.mlp.2"), d, d)?,
        })
    }

    pub(super) fn write(&self, name: &str, out: &mut super::weights::Sink) {
        out.linear(&format!("{name}.mlp.0"), &self.first);
        out.linear(&format!("{name}.mlp.2"), &self.second);
    }

    /// `[B]` to `[B, hidden]`.
    pub fn forward(&self, time: Dual<1>, frequencies: &Tensor<2>) -> Dual<2> {
        let [sin, cos] = time.column().fourier(frequencies);
        Dual::cat(vec![cos, sin], 1)
            .linear(&self.first)
            .silu()
            .linear(&self.second)
    }
}

/// Row `index` of a table, for tables of embeddings.
pub fn rows(table: &Param<Tensor<2>>, index: Tensor<1, burn::tensor::Int>) -> Dual<2> {
    Dual::constant(table.val().select(0, index))
}
