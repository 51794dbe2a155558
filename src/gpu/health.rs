//! What the device complained about, kept where the worker and the window can read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use eframe::wgpu;

/// Errors that no call returned: wgpu reports them on the side.
#[derive(Debug, Default)]
pub(super) struct Health {
    lost: AtomicBool,
    reason: Mutex<String>,
    last_error: Mutex<Option<String>>,
    errors: AtomicU64,
}

impl Health {
    /// Watches for the loss of `device`. burn's registration replaces this watch by its own, which
    /// it needs: see [`Health::probe`] for how a loss is noticed after that.
    pub(super) fn watch_loss(self: &Arc<Self>, device: &wgpu::Device) {
        let health = Arc::clone(self);
        device.set_device_lost_callback(move |kind, message| {
            health.mark_lost(&format!("{kind:?}: {message}"));
        });
    }

    /// Logs the errors that nothing returned, in place of wgpu's and cubecl's handlers, which
    /// panic. The same message again is not logged again: a bad frame would repeat it 60 times a
    /// second.
    pub(super) fn log_errors(self: &Arc<Self>, device: &wgpu::Device) {
        let health = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let message = error.to_string();
            health.errors.fetch_add(1, Ordering::AcqRel);
            let mut last = health
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if last.as_deref() != Some(message.as_str()) {
                tracing::error!("graphics device: {message}");
                *last = Some(message);
            }
        }));
    }

    pub(super) fn mark_lost(&self, reason: &str) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            tracing::error!("the graphics device was lost: {reason}");
            reason.clone_into(&mut self.reason.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Why the device is lost, if it is known to be.
    pub(super) fn lost(&self) -> Option<String> {
        self.lost.load(Ordering::Acquire).then(|| {
            self.reason
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        })
    }

    /// The last error that no call returned; forgotten once taken.
    pub(super) fn take_error(&self) -> Option<String> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// How many errors no call returned so far.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Acquire)
    }

    /// The newest of them, without forgetting it.
    pub(super) fn last_error(&self) -> String {
        let last = self.last_error.lock();
        let last = last.unwrap_or_else(PoisonError::into_inner).clone();
        last.unwrap_or_else(|| "it reported an error".to_owned())
    }

    /// Asks a device whether it still works. A lost device makes invalid buffers without a word,
    /// and mapping one of those fails at once; on a working device the mapping is merely begun.
    pub(super) fn probe(&self, device: &wgpu::Device) {
        if self.lost().is_some() {
            return;
        }
        let failed = Arc::new(AtomicBool::new(false));
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("is the device alive"),
            size: 4,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let seen = Arc::clone(&failed);
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            seen.store(result.is_err(), Ordering::Release);
        });
        let refused = failed.load(Ordering::Acquire);
        // The error, if there was one, is the one being looked for.
        drop(scope);
        if refused {
            self.mark_lost("it no longer makes buffers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::SharedDevice;

    #[test]
    fn a_lost_device_is_noticed_by_asking_it() {
        let shared = match SharedDevice::headless() {
            Ok(shared) => shared,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        };
        // Another device of the same adapter, so that the one everybody uses lives on.
        let request = shared
            .adapter
            .request_device(&wgpu::DeviceDescriptor::default());
        let (device, _queue) = crate::gpu::device::block_on(request).expect("a second device");
        let health = Arc::new(Health::default());
        health.log_errors(&device);
        health.probe(&device);
        assert_eq!(health.lost(), None);
        device.destroy();
        health.probe(&device);
        assert!(health.lost().is_some());
    }
}
