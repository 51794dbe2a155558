//! All weights of the network in one flat buffer, so that an optimiser sees a single vector.

use crate::model::simd::Buffer;
use crate::model::{DenseLayer, MlpConfig};
use crate::process::{Address, Purpose, uniforms};

/// Numbers to a cache line; rows of weights start on one.
const LINE: usize = 16;

/// Where one layer lies in the flat buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Distance between rows: `inputs` rounded up to a whole line; what lies between stays zero.
    pub(crate) stride: usize,
    pub(crate) weight_at: usize,
    pub(crate) bias_at: usize,
}

impl Slot {
    /// The weights, `[outputs][stride]`, and the bias, `[outputs]`.
    pub(crate) fn split<'a>(&self, flat: &'a [f32]) -> (&'a [f32], &'a [f32]) {
        (
            &flat[self.weight_at..self.weight_at + self.outputs * self.stride],
            &flat[self.bias_at..self.bias_at + self.outputs],
        )
    }

    /// The same, to write to.
    pub(crate) fn split_mut<'a>(&self, flat: &'a mut [f32]) -> (&'a mut [f32], &'a mut [f32]) {
        let (weights, rest) = flat[self.weight_at..].split_at_mut(self.bias_at - self.weight_at);
        (
            &mut weights[..self.outputs * self.stride],
            &mut rest[..self.outputs],
        )
    }
}

/// Places of all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) slots: Vec<Slot>,
    pub(crate) len: usize,
}

impl Layout {
    pub(crate) fn new(config: &MlpConfig) -> Self {
        let mut len = 0;
        let slots = config
            .shapes()
            .into_iter()
            .map(|(inputs, outputs)| {
                let stride = inputs.next_multiple_of(LINE);
                let weight_at = len;
                let bias_at = weight_at + outputs * stride;
                len = bias_at + outputs.next_multiple_of(LINE);
                Slot {
                    inputs,
                    outputs,
                    stride,
                    weight_at,
                    bias_at,
                }
            })
            .collect();
        Self { slots, len }
    }

    /// Weights and biases uniform in `+-1 / sqrt(inputs)`, PyTorch's default for linear layers.
    pub(crate) fn initial(&self, seed: u64) -> Buffer {
        let mut flat = Buffer::zeroed(self.len);
        for (i, slot) in self.slots.iter().enumerate() {
            let bound = 1.0 / (slot.inputs as f32).sqrt();
            let address = Address::new(seed, Purpose::Init, i as u32);
            let mut numbers = vec![0.0; slot.outputs * (slot.inputs + 1)];
            uniforms(address, 0, &mut numbers);
            for n in &mut numbers {
                *n = (2.0 * *n - 1.0) * bound;
            }
            let (weight, bias) = slot.split_mut(flat.as_mut_slice());
            let (from_weight, from_bias) = numbers.split_at(slot.outputs * slot.inputs);
            for (row, from) in weight
                .chunks_exact_mut(slot.stride)
                .zip(from_weight.chunks_exact(slot.inputs))
            {
                row[..slot.inputs].copy_from_slice(from);
            }
            bias.copy_from_slice(from_bias);
        }
        flat
    }

    /// Plain layers in one buffer; the reverse of [`Self::export`]. The layers are those of the network that this is
    /// the layout of.
    pub(crate) fn import(&self, layers: &[DenseLayer]) -> Buffer {
        let mut flat = Buffer::zeroed(self.len);
        for (slot, layer) in self.slots.iter().zip(layers) {
            let (weight, bias) = slot.split_mut(flat.as_mut_slice());
            for (row, from) in weight
                .chunks_exact_mut(slot.stride)
                .zip(layer.weight.chunks_exact(slot.inputs))
            {
                row[..slot.inputs].copy_from_slice(from);
            }
            bias.copy_from_slice(&layer.bias);
        }
        flat
    }

    /// The layers as plain numbers.
    pub(crate) fn export(&self, flat: &[f32]) -> Vec<DenseLayer> {
        self.slots
            .iter()
            .map(|slot| {
                let (weight, bias) = slot.split(flat);
                DenseLayer {
                    inputs: slot.inputs,
                    outputs: slot.outputs,
                    weight: weight
                        .chunks_exact(slot.stride)
                        .flat_map(|row| row[..slot.inputs].to_vec())
                        .collect(),
                    bias: bias.to_vec(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_exported_and_drawn_from_its_layers_range() {
        let config = MlpConfig {
            hidden: 24,
            layers: 2,
            frequencies: 3,
            ..MlpConfig::default()
        };
        let layout = Layout::new(&config);
        let flat = layout.initial(3);
        let layers = layout.export(flat.as_slice());
        assert_eq!(
            layers
                .iter()
                .map(|l| l.weight.len() + l.bias.len())
                .sum::<usize>(),
            config.parameters()
        );
        assert_eq!(layout.import(&layers).as_slice(), flat.as_slice());
        // The second row of the first layer starts after the first row's padding.
        assert_eq!(
            layers[0].weight[layers[0].inputs],
            flat.as_slice()[layout.slots[0].stride]
        );
        assert!(
            layers[1]
                .weight
                .iter()
                .all(|w| w.abs() < 1.0 / 24.0_f32.sqrt())
        );
    }
}
