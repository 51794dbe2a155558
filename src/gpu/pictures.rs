//! Pictures on the device, whoever computed them, in the one form that a paint callback binds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::Tensor;
use eframe::wgpu;

use super::memory::{Keep, TensorMemory};
use super::points::{next_id, read_buffer, usages};
use super::{GpuError, SharedDevice};

/// Bytes of one number.
const BYTES: u64 = 4;
/// Room that is taken at once, at most: a wall that is larger lies in several buffers.
const MOST_BYTES: u64 = 64 << 20;

/// Pictures of equal size, f32 `[n][C H W]`, -1 black and 1 white, in a storage buffer of the shared device.
///
/// Cloning copies a pointer. A picture that was written stays as it is while any clone lives, also when it belongs to a
/// tensor. Made on the worker thread; may be bound, sent and dropped anywhere.
#[derive(Clone)]
pub struct PictureBuffer(Arc<Inner>);

struct Inner {
    buffer: wgpu::Buffer,
    offset_bytes: u64,
    len: usize,
    numbers: usize,
    id: u64,
    _keep: Option<Keep>,
}

impl fmt::Debug for PictureBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PictureBuffer")
            .field("len", &self.0.len)
            .field("numbers", &self.0.numbers)
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

impl PictureBuffer {
    /// The pictures of a tensor, painted from the buffer that they were computed in: no copy, no read-back.
    ///
    /// # Shapes
    /// `tensor`: `[n, C H W]`, of the shared device, not an autodiff one.
    ///
    /// # Errors
    /// [`GpuError::Tensor`] for no numbers or a tensor on another device, [`GpuError::Register`] if burn is not and
    /// cannot be registered.
    pub fn from_tensor(tensor: Tensor<2>, shared: &SharedDevice) -> Result<Self, GpuError> {
        let [len, numbers] = tensor.dims();
        if len * numbers == 0 {
            return Err(GpuError::Tensor("it has no numbers".to_owned()));
        }
        let memory = TensorMemory::of(tensor, shared)?;
        Ok(Self(Arc::new(Inner {
            buffer: memory.buffer,
            offset_bytes: memory.offset_bytes,
            len,
            numbers,
            id: next_id(),
            _keep: Some(memory.keep),
        })))
    }

    /// Room for `wanted` pictures of so many numbers, or for as many as lie in one buffer: at least one.
    pub fn room(shared: &SharedDevice, numbers: usize, wanted: usize) -> Self {
        let limits = shared.device.limits();
        let most_bytes = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
            .min(MOST_BYTES);
        let numbers = numbers.max(1);
        let most = (most_bytes / (numbers as u64 * BYTES)) as usize;
        let len = wanted.min(most).max(1);
        let buffer = shared.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("pictures"),
            size: (len * numbers) as u64 * BYTES,
            usage: usages(),
            mapped_at_creation: false,
        });
        Self(Arc::new(Inner {
            buffer,
            offset_bytes: 0,
            len,
            numbers,
            id: next_id(),
            _keep: None,
        }))
    }

    /// Uploads pictures that were computed on the processor to the places from `first` on. Only places that nobody was
    /// told of yet may be written to. What does not fit is left out: [`Self::len`] says how many do.
    pub fn write(&self, shared: &SharedDevice, first: usize, pictures: &[f32]) {
        let room = self.0.len.saturating_sub(first) * self.0.numbers;
        let pictures = &pictures[..pictures.len().min(room)];
        if pictures.is_empty() {
            return;
        }
        let at = self.0.offset_bytes + (first * self.0.numbers) as u64 * BYTES;
        let bytes = bytemuck::cast_slice(pictures);
        shared.queue.write_buffer(&self.0.buffer, at, bytes);
        PICTURES.fetch_add(1, Ordering::Relaxed);
    }

    /// For how many pictures there is room.
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether there is room for none; there never is.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// Numbers of a picture.
    pub fn numbers(&self) -> usize {
        self.0.numbers
    }

    /// A number that no other buffer of this process has had.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The numbers as read-only storage, WGSL `array<f32>`.
    pub fn bind(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.0.buffer,
            offset: self.0.offset_bytes,
            size: wgpu::BufferSize::new((self.0.len * self.0.numbers) as u64 * BYTES),
        })
    }

    /// Copies the first pictures back, `[count][C H W]`, for figures and files. Waits for the device: worker thread only.
    ///
    /// # Errors
    /// [`GpuError::Lost`] if the device went away.
    pub fn read(&self, shared: &SharedDevice, count: usize) -> Result<Vec<f32>, GpuError> {
        let bytes = (count.min(self.0.len) * self.0.numbers) as u64 * BYTES;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let data = read_buffer(shared, &self.0.buffer, self.0.offset_bytes, bytes)?;
        Ok(bytemuck::pod_collect_to_vec(&data))
    }
}

/// How often something was written to the device to paint pictures, by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uploads {
    /// Pictures of the processor.
    pub pictures: u64,
    /// Lists of where pictures stand, and how they are painted.
    pub lists: u64,
}

static PICTURES: AtomicU64 = AtomicU64::new(0);
static LISTS: AtomicU64 = AtomicU64::new(0);

/// How often something was written so far: a window at rest writes nothing.
pub fn uploads() -> Uploads {
    Uploads {
        pictures: PICTURES.load(Ordering::Relaxed),
        lists: LISTS.load(Ordering::Relaxed),
    }
}

/// Counts a list that was written.
pub(crate) fn count_list() {
    LISTS.fetch_add(1, Ordering::Relaxed);
}
