//! Where the commands for maps of images compute, and in what type.

use burn::tensor::Device;
use clap::ValueEnum;

use super::DeviceArg;
use crate::gpu::SharedDevice;
use crate::model::Precision;

/// A device that burn computes on.
pub(super) struct Place {
    /// burn's handle; no autodiff one.
    pub device: Device,
    /// What it is, in words.
    pub hardware: String,
    /// As [`DeviceArg::name`] has it.
    pub name: &'static str,
    /// Whether a graphics chip stands behind it.
    pub is_gpu: bool,
}

impl Place {
    /// The device of the command line; the processor where none is given.
    pub fn of(choice: Option<DeviceArg>) -> Result<Self, String> {
        match choice {
            Some(DeviceArg::Shared) => Self::shared(),
            Some(DeviceArg::Cuda) => Self::cuda(),
            Some(DeviceArg::Cpu) | None => Ok(Self::processor()),
        }
    }

    /// The processor.
    pub fn processor() -> Self {
        let threads = rayon::current_num_threads();
        Self {
            device: Device::flex(),
            hardware: format!("processor, {threads} threads"),
            name: DeviceArg::Cpu.name(),
            is_gpu: false,
        }
    }

    /// The graphics device.
    pub fn shared() -> Result<Self, String> {
        let shared = SharedDevice::headless().map_err(|e| e.to_string())?;
        Ok(Self {
            device: shared.burn_device().map_err(|e| e.to_string())?,
            hardware: shared.info.name.clone(),
            name: DeviceArg::Shared.name(),
            is_gpu: !shared.info.is_software,
        })
    }

    /// The first NVIDIA chip.
    #[cfg(feature = "cuda")]
    pub fn cuda() -> Result<Self, String> {
        use burn::tensor::Tensor;

        // What is missing is told by panics, and as late as the first work.
        let started = std::panic::catch_unwind(|| {
            let device = Device::cuda(0);
            let two = Tensor::<1>::ones([2], &device).sum().into_data();
            (two.iter::<f32>().next() == Some(2.0)).then_some(device)
        });
        let device = started.ok().flatten().ok_or(
            "CUDA does not work here: it needs an NVIDIA chip with its driver and the CUDA toolkit. --device shared needs neither",
        )?;
        Ok(Self {
            device,
            hardware: "NVIDIA chip by CUDA".to_owned(),
            name: DeviceArg::Cuda.name(),
            is_gpu: true,
        })
    }

    /// Not built in.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda() -> Result<Self, String> {
        Err(DeviceArg::UNBUILT.to_owned())
    }
}

impl Place {
    /// The type that the weights of a file of so many bytes are kept in: halves for large networks on graphics chips
    /// that have them, f32 elsewhere.
    pub fn keeps(&self, bytes: u64) -> Precision {
        Precision::of_weights(bytes, self.is_gpu, &self.device)
    }
}

/// The type that matrix products are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// Single precision.
    F32,
    /// Half precision, with loss scaling.
    F16,
    /// Brain floats.
    Bf16,
    /// The narrow type that a graphics chip has, and f32 elsewhere.
    Auto,
}

impl PrecisionArg {
    /// The type for `place`.
    pub(super) fn at(self, place: &Place) -> Result<Precision, String> {
        let precision = match self {
            Self::F16 => Precision::F16,
            Self::Bf16 => Precision::Bf16,
            Self::Auto if place.is_gpu => Precision::narrowest(&place.device),
            // Processors compute in halves by way of f32, which is slower.
            Self::F32 | Self::Auto => Precision::F32,
        };
        precision
            .checked(&place.device)
            .map_err(|e| format!("--precision: {} ({e})", place.hardware))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes from which on a file of weights is large.
    const LARGE: u64 = 256 << 20;

    #[test]
    fn a_processor_is_not_given_halves_unless_they_are_asked_for() {
        let place = Place::processor();
        assert_eq!(PrecisionArg::Auto.at(&place), Ok(Precision::F32));
        assert_eq!(PrecisionArg::F16.at(&place), Ok(Precision::F16));
        assert_eq!(place.keeps(LARGE), Precision::F32);
        // As if it were a graphics chip.
        let place = Place {
            is_gpu: true,
            ..place
        };
        assert_eq!(place.keeps(LARGE), Precision::F16);
        assert_eq!(place.keeps(LARGE - 1), Precision::F32);
    }
}
