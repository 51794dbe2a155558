//! The network's weights in the order that the fused kernel reads them.

use super::GpuError;

/// Width of the hidden layers; the kernel is written for it.
pub(super) const HIDDEN: usize = 256;
/// Invocations that share the rows of a group; each computes four neurons.
const LANES: usize = 64;

/// One dense layer as plain numbers: `(inputs, outputs, weight, bias)`, the weight row by row as
/// `[outputs][inputs]`.
pub type LayerSlices<'a> = (usize, usize, &'a [f32], &'a [f32]);

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Header {
    hidden_to_hidden: u32,
    out_bias: [f32; 2],
    unused: u32,
}

/// The weights in the kernel's order; see `shaders/fused_mlp.wgsl`.
pub(super) struct Packed {
    pub header: Header,
    pub hidden: Vec<f32>,
    pub small: Vec<f32>,
}

impl Packed {
    pub(super) fn new(layers: &[LayerSlices<'_>], x_scale: f32) -> Result<Self, GpuError> {
        let [first, hidden @ .., last] = layers else {
            return Err(GpuError::Network(format!(
                "{} layers; at least 2 are needed",
                layers.len()
            )));
        };
        for (i, (inputs, outputs, weight, bias)) in layers.iter().enumerate() {
            if inputs.checked_mul(*outputs) != Some(weight.len()) || bias.len() != *outputs {
                return Err(GpuError::Network(format!(
                    "layer {i} says {inputs} to {outputs} but brings {} weights and {} biases",
                    weight.len(),
                    bias.len()
                )));
            }
        }
        if first.0 < 2
            || first.1 != HIDDEN
            || hidden
                .iter()
                .any(|layer| (layer.0, layer.1) != (HIDDEN, HIDDEN))
            || (last.0, last.1) != (HIDDEN, 2)
        {
            let shapes: Vec<_> = layers.iter().map(|layer| (layer.0, layer.1)).collect();
            return Err(GpuError::Network(format!(
                "layers {shapes:?}; it knows 2 inputs or more, hidden layers of {HIDDEN} and 2 outputs"
            )));
        }
        // Columns of `x`, then of `x_t`; a network without the latter gets zeros.
        let column = |c: usize| -> Vec<f32> {
            let weights: Vec<f32> = first
                .2
                .chunks_exact(first.0)
                .map(|row| row.get(c).map_or(0.0, |w| w * x_scale))
                .collect();
            by_lane(&weights)
        };
        let mut small = column(0);
        small.extend(column(1));
        for k in 0..HIDDEN {
            small.extend([last.2[k], last.2[HIDDEN + k]]);
        }
        let mut packed_hidden = Vec::with_capacity(hidden.len() * HIDDEN * HIDDEN);
        for (_, _, weight, bias) in hidden {
            small.extend(by_lane(bias));
            for k in 0..HIDDEN {
                let column: Vec<f32> = weight.chunks_exact(HIDDEN).map(|row| row[k]).collect();
                packed_hidden.extend(by_lane(&column));
            }
        }
        small.extend(column(2));
        small.extend(column(3));
        if packed_hidden.is_empty() {
            // A binding cannot be empty.
            packed_hidden.extend([0.0; 4]);
        }
        Ok(Self {
            header: Header {
                hidden_to_hidden: hidden.len() as u32,
                out_bias: [last.3[0], last.3[1]],
                unused: 0,
            },
            hidden: packed_hidden,
            small,
        })
    }
}

/// `[256]` by neuron to `[64][4]` by lane: lane `n` owns the neurons `n + 64 j`.
pub(super) fn by_lane(values: &[f32]) -> Vec<f32> {
    let stride = values.len() / 4;
    (0..stride)
        .flat_map(|n| (0..4).map(move |j| values[n + LANES * j]))
        .collect()
}
