//! The shape of the 2D network, its weights as plain numbers, and what can be wrong with them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Dimension of a 2D world's states.
pub const STATE: usize = 2;

/// Shape of the 2D network: inputs `x`, `x_t`, `s`, `u`, `t` and Fourier features of the three times, `layers` hidden
/// layers of `hidden` SiLU units, two outputs (methods.md 4).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Units of each hidden layer.
    pub hidden: usize,
    /// Hidden layers.
    pub layers: usize,
    /// Fourier frequencies of each time.
    pub frequencies: usize,
    /// Lowest angular frequency.
    pub frequency_min: f32,
    /// Highest angular frequency.
    pub frequency_max: f32,
    /// Factor on `x` and `x_t` before they enter.
    pub input_scale: f32,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            hidden: 256,
            layers: 4,
            frequencies: 16,
            frequency_min: 0.8,
            frequency_max: 36.0,
            input_scale: 0.5,
        }
    }
}

impl MlpConfig {
    /// Widest layer that is accepted from a file.
    pub const MAX_HIDDEN: usize = 8192;
    /// Most layers that are accepted from a file.
    pub const MAX_LAYERS: usize = 64;
    /// Most frequencies that are accepted from a file.
    pub const MAX_FREQUENCIES: usize = 1024;

    /// Refuses shapes that cannot be or that would ask for absurd memory.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the field at fault.
    pub fn validate(&self) -> Result<(), ModelError> {
        let refuse = |field: &'static str, value: String, want: &'static str| {
            Err(ModelError::Config { field, value, want })
        };
        if !(1..=Self::MAX_HIDDEN).contains(&self.hidden) {
            return refuse("hidden", self.hidden.to_string(), "1 to 8192");
        }
        if !(1..=Self::MAX_LAYERS).contains(&self.layers) {
            return refuse("layers", self.layers.to_string(), "1 to 64");
        }
        if !(1..=Self::MAX_FREQUENCIES).contains(&self.frequencies) {
            return refuse("frequencies", self.frequencies.to_string(), "1 to 1024");
        }
        if !(self.frequency_min > 0.0 && self.frequency_min <= self.frequency_max) {
            return refuse(
                "frequency_min",
                self.frequency_min.to_string(),
                "above 0 and at most frequency_max",
            );
        }
        if self.frequency_max.is_nan() || self.frequency_max > 1e4 {
            return refuse(
                "frequency_max",
                self.frequency_max.to_string(),
                "at most 10000",
            );
        }
        if !(self.input_scale > 0.0 && self.input_scale <= 1e4) {
            return refuse(
                "input_scale",
                self.input_scale.to_string(),
                "above 0 and at most 10000",
            );
        }
        Ok(())
    }

    /// Numbers that enter the first layer: `x` (2), `x_t` (2), `s`, `u`, `t`, then sines and cosines of each time.
    pub const fn inputs(&self) -> usize {
        2 * STATE + 3 + 6 * self.frequencies
    }

    /// `(inputs, outputs)` of every layer, first to last.
    pub fn shapes(&self) -> Vec<(usize, usize)> {
        let mut shapes = vec![(self.inputs(), self.hidden)];
        shapes.extend(std::iter::repeat_n(
            (self.hidden, self.hidden),
            self.layers - 1,
        ));
        shapes.push((self.hidden, STATE));
        shapes
    }

    /// Weights and biases together.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(i, o)| (i + 1) * o).sum()
    }

    /// The angular frequencies, log-spaced from `frequency_min` to `frequency_max`.
    pub fn frequency_table(&self) -> Vec<f32> {
        let ratio = f64::from(self.frequency_max) / f64::from(self.frequency_min);
        let last = (self.frequencies - 1).max(1) as f64;
        (0..self.frequencies)
            .map(|j| (f64::from(self.frequency_min) * ratio.powf(j as f64 / last)) as f32)
            .collect()
    }
}

/// One linear layer as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLayer {
    /// Columns of `weight`.
    pub inputs: usize,
    /// Rows of `weight`.
    pub outputs: usize,
    /// Row-major `[outputs][inputs]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// What can be wrong with a network's shape or weights.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A field of the configuration is out of range.
    #[error("the network's `{field}` is {value}; it must be {want}")]
    Config {
        /// The field.
        field: &'static str,
        /// What it was.
        value: String,
        /// What it may be.
        want: &'static str,
    },
    /// The number of layers is not the configuration's.
    #[error("the network has {found} layers, but its configuration asks for {expected}")]
    LayerCount {
        /// Layers found.
        found: usize,
        /// Layers expected.
        expected: usize,
    },
    /// A layer has the wrong shape.
    #[error(
        "layer {layer} is {found:?} (inputs, outputs), but the configuration asks for {expected:?}"
    )]
    LayerShape {
        /// Which layer.
        layer: usize,
        /// Shape found.
        found: (usize, usize),
        /// Shape expected.
        expected: (usize, usize),
    },
    /// A weight is infinite or not a number.
    #[error(
        "layer {layer} holds a weight that is not finite: the file is damaged or its training diverged"
    )]
    NotFinite {
        /// Which layer.
        layer: usize,
    },
}

/// Checks that `layers` are what `config` asks for, and finite.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_layers(config: &MlpConfig, layers: &[DenseLayer]) -> Result<(), ModelError> {
    config.validate()?;
    let shapes = config.shapes();
    if layers.len() != shapes.len() {
        return Err(ModelError::LayerCount {
            found: layers.len(),
            expected: shapes.len(),
        });
    }
    for (i, (layer, expected)) in layers.iter().zip(shapes).enumerate() {
        let found = (layer.inputs, layer.outputs);
        let whole =
            layer.weight.len() == layer.inputs * layer.outputs && layer.bias.len() == layer.outputs;
        if found != expected || !whole {
            return Err(ModelError::LayerShape {
                layer: i,
                found,
                expected,
            });
        }
        if !layer
            .weight
            .iter()
            .chain(&layer.bias)
            .all(|w| w.is_finite())
        {
            return Err(ModelError::NotFinite { layer: i });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_network_has_the_published_size() {
        let config = MlpConfig::default();
        assert_eq!(config.inputs(), 103);
        assert_eq!(config.parameters(), 224_514);
        let f = config.frequency_table();
        assert_eq!(f.len(), 16);
        assert!((f[0] - 0.8).abs() < 1e-6 && (f[15] - 36.0).abs() < 1e-4);
        assert!((f[1] / f[0] - f[15] / f[14]).abs() < 1e-5);
    }

    #[test]
    fn absurd_shapes_are_refused_by_the_name_of_the_field() {
        for (config, field) in [
            (
                MlpConfig {
                    hidden: 0,
                    ..Default::default()
                },
                "hidden",
            ),
            (
                MlpConfig {
                    layers: 1 << 40,
                    ..Default::default()
                },
                "layers",
            ),
            (
                MlpConfig {
                    frequencies: 0,
                    ..Default::default()
                },
                "frequencies",
            ),
            (
                MlpConfig {
                    frequency_min: f32::NAN,
                    ..Default::default()
                },
                "frequency_min",
            ),
            (
                MlpConfig {
                    frequency_max: f32::INFINITY,
                    ..Default::default()
                },
                "frequency_max",
            ),
            (
                MlpConfig {
                    input_scale: -1.0,
                    ..Default::default()
                },
                "input_scale",
            ),
        ] {
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(field), "{message}");
        }
    }
}
