//! The 2D network in burn: the plain path, on any device, and the one that is differentiated.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{DenseLayer, MlpConfig, ModelError, check_layers};
use super::map::{Condition, MetaFlowMap};

/// A Meta Flow Map of a 2D world; see [`MlpConfig`] for its shape.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    #[module(skip)]
    config: MlpConfig,
}

impl MlpConfig {
    /// The network with fresh random weights.
    pub fn init(&self, device: &Device) -> Mlp {
        let layers = self
            .shapes()
            .into_iter()
            .map(|(i, o)| LinearConfig::new(i, o).init(device))
            .collect();
        Mlp {
            layers,
            config: *self,
        }
    }
}

impl Mlp {
    /// The network with these weights.
    ///
    /// # Errors
    /// When they are not what `config` asks for, or not finite.
    pub fn from_layers(
        config: &MlpConfig,
        layers: &[DenseLayer],
        device: &Device,
    ) -> Result<Self, ModelError> {
        check_layers(config, layers)?;
        let layers = layers
            .iter()
            .map(|layer| {
                let weight = TensorData::new(layer.weight.clone(), [layer.outputs, layer.inputs]);
                let bias = TensorData::new(layer.bias.clone(), [layer.outputs]);
                Linear {
                    // burn keeps weights as [inputs, outputs].
                    weight: Param::from_tensor(Tensor::<2>::from_data(weight, device).transpose()),
                    bias: Some(Param::from_tensor(Tensor::<1>::from_data(bias, device))),
                }
            })
            .collect();
        Ok(Self {
            layers,
            config: *config,
        })
    }

    /// The network's shape.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// The layers, first to last.
    pub fn linears(&self) -> &[Linear] {
        &self.layers
    }

    /// The angular frequencies as a row, `[1, F]`.
    pub fn frequencies(&self, device: &Device) -> Tensor<2> {
        let table = self.config.frequency_table();
        let shape = [1, table.len()];
        Tensor::from_data(TensorData::new(table, shape), device)
    }

    /// What enters the first layer, `[B, inputs]`.
    fn embed(
        &self,
        s: Tensor<1>,
        u: Tensor<1>,
        x: Tensor<2>,
        condition: &Condition<2>,
    ) -> Tensor<2> {
        let rows = s.dims()[0];
        let frequencies = self.frequencies(&x.device());
        let times = [s, u, condition.t.clone()].map(|time| time.reshape([rows, 1]));
        let scale = self.config.input_scale;
        let mut parts = vec![x * scale, condition.x_t.clone() * scale];
        parts.extend(times.clone());
        for time in times {
            let phase = time * frequencies.clone();
            parts.extend([phase.clone().sin(), phase.cos()]);
        }
        Tensor::cat(parts, 1)
    }
}

impl MetaFlowMap<2> for Mlp {
    /// # Shapes
    /// `s`, `u`: `[B]`; `x` and the result: `[B, 2]`.
    fn average_velocity(
        &self,
        s: Tensor<1>,
        u: Tensor<1>,
        x: Tensor<2>,
        condition: &Condition<2>,
    ) -> Tensor<2> {
        let mut h = self.embed(s, u, x, condition);
        for (i, layer) in self.layers.iter().enumerate() {
            h = layer.forward(h);
            if i + 1 < self.layers.len() {
                h = silu(h);
            }
        }
        h
    }
}
