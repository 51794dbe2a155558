//! Networks whose matrix products are made in a narrower type than everything else.
//!
//! Matrix products are nearly all of a transformer's work, and the part that matrix units take. The weights of its
//! linear layers are held in the narrow type; norms, softmax, activations, sums and what a residual path carries stay
//! f32, where 8 or 11 bits would be lost for good.

use std::fmt;
use std::str::FromStr;

use burn::module::{Module as _, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Dit;

/// The type that matrix products are made in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single.
    #[default]
    F32,
    /// Half: 11 bits, up to 65,504.
    F16,
    /// Brain float: 8 bits, the range of f32.
    Bf16,
}

impl Precision {
    /// All, widest first.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// As burn calls it.
    pub const fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::Bf16 => DType::BF16,
        }
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The type that the weights of a file of so many bytes are kept in on `device`: halves for large networks on
    /// graphics chips that have them, f32 elsewhere.
    pub fn of_weights(bytes: u64, is_gpu: bool, device: &Device) -> Self {
        /// Bytes from which on a file of weights is large.
        const LARGE: u64 = 256 << 20;
        if is_gpu && bytes >= LARGE && Self::F16.is_on(device) {
            Self::F16
        } else {
            Self::F32
        }
    }

    /// Whether `device` computes in it.
    pub fn is_on(self, device: &Device) -> bool {
        device.supports_dtype(self.dtype())
    }

    /// The same, if `device` computes in it.
    ///
    /// # Errors
    /// Which it has, and what to do.
    pub fn checked(self, device: &Device) -> Result<Self, String> {
        if self.is_on(device) {
            return Ok(self);
        }
        let known: Vec<String> = Self::ALL
            .into_iter()
            .filter(|other| other.is_on(device))
            .map(|other| other.to_string())
            .collect();
        Err(format!(
            "this device does not compute in {self}: choose one of {}",
            known.join(", ")
        ))
    }

    /// The narrow type of `device`, the one with the range of f32 first; f32 where it has none.
    pub fn narrowest(device: &Device) -> Self {
        [Self::Bf16, Self::F16]
            .into_iter()
            .find(|narrow| narrow.is_on(device))
            .unwrap_or_default()
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.to_string() == text)
            .ok_or_else(|| format!("'{text}' is no type of numbers: write f32, f16 or bf16"))
    }
}

impl Dit {
    /// The network with its matrix products in `precision`. On an autodiff device gradients go back to the weights that
    /// it was made from, which stay as they are.
    #[must_use]
    pub fn with_products_in(self, precision: Precision) -> Self {
        self.map(&mut Narrowing {
            path: Vec::new(),
            dtype: precision.dtype(),
        })
    }
}

/// Casts the weights of linear layers.
struct Narrowing {
    path: Vec<String>,
    dtype: DType,
}

impl ModuleMapper for Narrowing {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Tables of vectors have two dimensions too, but other names; nothing is multiplied with them.
        let multiplies = D == 2 && self.path.last().is_some_and(|name| name == "weight");
        let (id, value, mapper) = param.consume();
        let value = if multiplies && value.dtype() != self.dtype {
            value.cast(self.dtype)
        } else {
            value
        };
        Param::from_mapped_value(id, value, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_they_are_written_and_a_device_is_asked_for_them() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        assert!("f64".parse::<Precision>().is_err());
        // The processor has them all.
        let device = Device::flex();
        assert_eq!(Precision::Bf16.checked(&device), Ok(Precision::Bf16));
        assert_eq!(Precision::narrowest(&device), Precision::Bf16);
    }
}
