//! Points on the device, whoever computed them, in the one form that a paint callback binds.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use burn::tensor::Tensor;
use eframe::wgpu;
use wgpu::util::DeviceExt as _;

use super::memory::{Keep, TensorMemory};
use super::{GpuError, SharedDevice};

/// Bytes of one point: two f32.
pub(super) const POINT_BYTES: u64 = 8;

/// `n` points, f32 `[n, 2]` row by row, in a storage buffer of the shared device.
///
/// Cloning copies a pointer. The memory stays as it is while any clone lives, also when it belongs
/// to a tensor. Made on the worker thread; may be bound, sent and dropped anywhere.
#[derive(Clone)]
pub struct PointBuffer(Arc<Inner>);

struct Inner {
    buffer: Arc<wgpu::Buffer>,
    offset_bytes: u64,
    len: usize,
    id: u64,
    /// The tensor and its memory's guard: without them cubecl would hand the memory out again.
    _keep: Option<Keep>,
}

impl fmt::Debug for PointBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointBuffer")
            .field("len", &self.0.len)
            .field("id", &self.0.id)
            .field("offset_bytes", &self.0.offset_bytes)
            .finish_non_exhaustive()
    }
}

impl PointBuffer {
    /// The points of a tensor, painted from the buffer it was computed in: no copy, no read-back.
    /// Pending work is submitted, not waited for: the queue keeps the order.
    ///
    /// For the worker thread: this blocks while a kernel compiles. Not for tensors of an autodiff
    /// device: take `.inner()` first. Another float type is cast to f32, and a view that is not
    /// contiguous is made so (on the device).
    ///
    /// # Shapes
    /// `tensor`: `[n, 2]`.
    ///
    /// # Errors
    /// [`GpuError::Tensor`] for another shape or a tensor on another device, [`GpuError::Register`]
    /// if burn is not and cannot be registered.
    pub fn from_tensor(tensor: Tensor<2>, shared: &SharedDevice) -> Result<Self, GpuError> {
        let [len, columns] = tensor.dims();
        if columns != 2 {
            return Err(GpuError::Tensor(format!(
                "shape [{len}, {columns}], but points are [n, 2]"
            )));
        }
        if len == 0 {
            return Self::from_points(shared, &[]);
        }
        let memory = TensorMemory::of(tensor, shared)?;
        Ok(Self(Arc::new(Inner {
            buffer: Arc::new(memory.buffer),
            offset_bytes: memory.offset_bytes,
            len,
            id: next_id(),
            _keep: Some(memory.keep),
        })))
    }

    /// Uploads points that were computed on the CPU.
    ///
    /// # Errors
    /// [`GpuError::TooMany`] if the device cannot bind that many.
    pub fn from_points(shared: &SharedDevice, points: &[[f32; 2]]) -> Result<Self, GpuError> {
        check_size(shared, points.len())?;
        let one = [[0.0f32; 2]];
        let contents = if points.is_empty() { &one[..] } else { points };
        let buffer = shared
            .device
            .create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("points"),
                contents: bytemuck::cast_slice(contents),
                usage: usages(),
            });
        Ok(Self::from_buffer(Arc::new(buffer), points.len()))
    }

    /// `len` points at the start of a buffer of our own.
    pub(super) fn from_buffer(buffer: Arc<wgpu::Buffer>, len: usize) -> Self {
        Self(Arc::new(Inner {
            buffer,
            offset_bytes: 0,
            len,
            id: next_id(),
            _keep: None,
        }))
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// A number that no other buffer of this process has had: same id, same points.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Where the points begin in their buffer, in bytes: tensors share buffers.
    pub fn offset_bytes(&self) -> u64 {
        self.0.offset_bytes
    }

    /// The points as read-only storage, WGSL `array<vec2<f32>>`. Never empty: an empty buffer
    /// binds one point that must not be drawn, so pass [`PointBuffer::len`] beside it.
    pub fn bind(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.0.buffer,
            offset: self.0.offset_bytes,
            size: wgpu::BufferSize::new(self.0.len.max(1) as u64 * POINT_BYTES),
        })
    }

    pub(super) fn buffer(&self) -> &Arc<wgpu::Buffer> {
        &self.0.buffer
    }

    /// Copies the points back, for files and statistics. Waits for the device: worker thread only.
    ///
    /// # Errors
    /// [`GpuError::Lost`] if the device went away.
    pub fn read(&self, shared: &SharedDevice) -> Result<Vec<[f32; 2]>, GpuError> {
        self.read_first(shared, self.len())
    }

    /// The first `count` points at most, see [`PointBuffer::read`].
    ///
    /// # Errors
    /// [`GpuError::Lost`] if the device went away.
    pub fn read_first(
        &self,
        shared: &SharedDevice,
        count: usize,
    ) -> Result<Vec<[f32; 2]>, GpuError> {
        let count = count.min(self.0.len);
        if count == 0 {
            return Ok(Vec::new());
        }
        let bytes = count as u64 * POINT_BYTES;
        let data = read_buffer(shared, &self.0.buffer, self.0.offset_bytes, bytes)?;
        Ok(bytemuck::pod_collect_to_vec(&data))
    }
}

/// Copies `bytes` of a `COPY_SRC` buffer back to the CPU.
///
/// # Errors
/// [`GpuError::Lost`] if the device went away.
pub(crate) fn read_buffer(
    shared: &SharedDevice,
    buffer: &wgpu::Buffer,
    offset: u64,
    bytes: u64,
) -> Result<Vec<u8>, GpuError> {
    let staging = shared.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read back"),
        size: bytes,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = shared
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
    let submission = shared.queue.submit([encoder.finish()]);
    let (tell, told) = mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is gone only if the wait below failed.
        let _ = tell.send(result.is_ok());
    });
    shared.wait(Some(submission))?;
    if told.recv() != Ok(true) {
        shared.check_alive()?;
        return Err(GpuError::Lost("its memory cannot be read".to_owned()));
    }
    let view = staging
        .get_mapped_range(..)
        .map_err(|error| GpuError::Lost(format!("its memory cannot be read: {error}")))?;
    let data = view.to_vec();
    drop(view);
    staging.unmap();
    Ok(data)
}

/// How our own buffers are used: painted, computed on, copied from and to.
pub(super) fn usages() -> wgpu::BufferUsages {
    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST
}

/// Whether `n` points fit one binding.
pub(super) fn check_size(shared: &SharedDevice, n: usize) -> Result<(), GpuError> {
    let limits = shared.device.limits();
    let most_bytes = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let wanted_bytes = n as u64 * POINT_BYTES;
    if wanted_bytes > most_bytes {
        return Err(GpuError::TooMany {
            wanted: n,
            wanted_bytes,
            most_bytes,
        });
    }
    Ok(())
}

pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
