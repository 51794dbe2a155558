//! The one device: made by the window (or without one), registered with burn on first use, and
//! tensors painted from the buffers they were computed in.
//!
//! A person looks at the draws on the same device that computed them, so nothing is read back to be
//! shown. Must not know panels, and never holds up the thread that paints: everything that waits
//! for the device is for the worker.

mod device;
mod fused;
mod health;
mod memory;
mod packed;
mod pictures;
mod points;

pub use device::{AdapterSummary, SharedDevice, wgpu_setup};
pub use fused::{FlowStep, FusedMlpGpu};
pub use packed::LayerSlices;
pub(crate) use pictures::count_list;
pub use pictures::{PictureBuffer, Uploads, uploads};
pub use points::PointBuffer;
#[cfg(test)]
pub(crate) use points::read_buffer;

use thiserror::Error;

/// What can go wrong between us and the device.
#[derive(Clone, Debug, Error)]
pub enum GpuError {
    /// No adapter at all: no driver, or none that the loader finds.
    #[error(
        "no graphics adapter was found ({0}). Install a Vulkan driver (on Debian or Ubuntu: mesa-vulkan-drivers), or run with --device cpu"
    )]
    NoAdapter(String),
    /// The adapter refused to make a device.
    #[error("the adapter {adapter} refused to open a device: {reason}. Try --device cpu")]
    NoDevice {
        /// Name of the adapter.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// burn could not be put on the window's device.
    #[error("the model could not join the window's device: {0}. Try --device cpu")]
    Register(String),
    /// A tensor cannot be painted.
    #[error("these values cannot be painted: {0}")]
    Tensor(String),
    /// A network that the fused kernel does not know.
    #[error("the fused kernel cannot run this network: {0}")]
    Network(String),
    /// More than the device can hold in one buffer.
    #[error(
        "{wanted} points need {wanted_bytes} bytes, and this device binds at most {most_bytes} at once"
    )]
    TooMany {
        /// Points asked for.
        wanted: usize,
        /// Bytes they need.
        wanted_bytes: u64,
        /// The device's limit in bytes.
        most_bytes: u64,
    },
    /// `keep_going` said no.
    #[error("cancelled")]
    Cancelled,
    /// The device is gone: driver reset, unplugged, or out of memory.
    #[error("the graphics device was lost ({0}). Restart Foresight, or run with --device cpu")]
    Lost(String),
}
