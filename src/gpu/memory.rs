//! The memory that a tensor was computed in, to be bound as it is.

use std::any::Any;
use std::sync::Mutex;

use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::wgpu::{AutoCompiler, WgpuServer};
use eframe::wgpu;

use super::{GpuError, SharedDevice};

/// A tensor's numbers, f32 row by row, where they lie on the shared device.
pub(super) struct TensorMemory {
    pub buffer: wgpu::Buffer,
    pub offset_bytes: u64,
    /// The tensor and its memory's guard: without them cubecl would hand the memory out again.
    pub keep: Keep,
}

/// What keeps memory as it is for as long as this lives.
pub(super) type Keep = Mutex<Box<dyn Any + Send>>;

impl TensorMemory {
    /// No copy, no read-back. Pending work is submitted, not waited for: the queue keeps the order.
    ///
    /// For the worker thread: this blocks while a kernel compiles. Not for tensors of an autodiff device: take
    /// `.inner()` first. Another float type is cast to f32, and a view that is not contiguous is made so (on the device).
    ///
    /// # Errors
    /// [`GpuError::Tensor`] for a tensor on another device, [`GpuError::Register`] if burn is not and cannot be registered.
    pub fn of(tensor: Tensor<2>, shared: &SharedDevice) -> Result<Self, GpuError> {
        if tensor.device() != shared.burn_device()? {
            return Err(GpuError::Tensor(
                "the tensor is on another device".to_owned(),
            ));
        }
        let bytes = tensor.dims().iter().product::<usize>() as u64 * 4;
        let fusion = tensor
            .cast(DType::F32)
            .try_into_primitive::<burn::backend::Cube>()
            .map_err(|error| GpuError::Tensor(format!("{error:?}")))?;
        let client = fusion.client.clone();
        let cube = client.resolve_tensor_float::<CubeBackend>(fusion);
        let cube = burn_cubecl::kernel::into_contiguous(cube);
        let guard = cube
            .client
            .get_resource::<WgpuServer<AutoCompiler>>(cube.handle.clone())
            .map_err(|error| GpuError::Tensor(format!("{error:?}")))?;
        let resource = guard.resource();
        let alignment = u64::from(shared.device.limits().min_storage_buffer_offset_alignment);
        if !resource.offset.is_multiple_of(alignment)
            || resource.size < bytes
            || resource.offset + bytes > resource.buffer.size()
        {
            return Err(GpuError::Tensor(format!(
                "its memory ({} bytes at {}) cannot be bound",
                resource.size, resource.offset
            )));
        }
        Ok(Self {
            buffer: resource.buffer.clone(),
            offset_bytes: resource.offset,
            keep: Mutex::new(Box::new((guard, cube))),
        })
    }
}
