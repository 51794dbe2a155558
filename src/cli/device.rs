//! Where a person wants the mathematics to run.

use clap::ValueEnum;

use crate::session::ComputeChoice;

/// Where the mathematics runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// The graphics device, which the window shares with the model.
    Shared,
    /// The processor.
    Cpu,
    /// An NVIDIA chip by CUDA: maps of images in commands without a window, of a program built with the feature `cuda`.
    Cuda,
}

impl DeviceArg {
    /// What is said where CUDA is not built in.
    pub(super) const UNBUILT: &'static str = "this program was built without CUDA: build it with `cargo build --release --features cuda`, or choose --device shared";

    /// As in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    /// What the window and models of 2D worlds are asked with.
    ///
    /// # Errors
    /// When that is CUDA, which is for maps of images in commands.
    pub fn choice(device: Option<Self>) -> Result<Option<ComputeChoice>, String> {
        match device {
            None => Ok(None),
            Some(Self::Shared) => Ok(Some(ComputeChoice::Shared)),
            Some(Self::Cpu) => Ok(Some(ComputeChoice::Cpu)),
            Some(Self::Cuda) => Err(
                "--device cuda is for maps of images in commands without a window: train, finetune, eval, sample, steer, futures, bench model and bench train. Say shared or cpu here, or nothing"
                    .to_owned(),
            ),
        }
    }

    /// The same, if this program has it.
    ///
    /// # Errors
    /// When it was built without, with what to do.
    pub fn built(device: Option<Self>) -> Result<Option<Self>, String> {
        if device == Some(Self::Cuda) && !cfg!(feature = "cuda") {
            return Err(Self::UNBUILT.to_owned());
        }
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuda_is_refused_where_it_is_not_and_where_it_cannot_be() {
        let cuda = Some(DeviceArg::Cuda);
        match DeviceArg::built(cuda) {
            Ok(device) => assert!(cfg!(feature = "cuda") && device == cuda),
            Err(message) => assert!(message.contains("--features cuda"), "{message}"),
        }
        assert_eq!(DeviceArg::built(None), Ok(None));
        assert!(DeviceArg::choice(cuda).unwrap_err().contains("bench model"));
        for device in DeviceArg::value_variants() {
            let name = device.to_possible_value().map(|v| v.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(device.name()));
            let choice = DeviceArg::choice(Some(*device));
            assert_eq!(choice.is_err(), *device == DeviceArg::Cuda);
        }
    }
}
