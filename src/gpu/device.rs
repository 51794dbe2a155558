//! The one device that the window renders with and the model computes on.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use burn::tensor::Device;
use burn::tensor::wgpu::WgpuSetup;
use eframe::egui_wgpu;
use eframe::wgpu;

use super::GpuError;
use super::health::Health;

/// At most this many of burn's tasks are put into one submission: the window shares the queue, so
/// pieces must be short.
const TASKS_PER_SUBMISSION: usize = 16;

/// What a person may want to know about the adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterSummary {
    /// The adapter's own name.
    pub name: String,
    /// Vulkan, Metal or Dx12.
    pub backend: String,
    /// Whether it is a software rasteriser: no GPU behind it.
    pub is_software: bool,
    /// Driver and its version.
    pub driver: String,
}

impl AdapterSummary {
    fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        Self {
            name: info.name,
            backend: info.backend.to_str().to_owned(),
            is_software: info.device_type == wgpu::DeviceType::Cpu,
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
        }
    }
}

/// How eframe shall make its device, so that burn can compute on it: every feature and limit that
/// the adapter has (cubecl chooses its kernels by the adapter's, so the device must have them all),
/// without the experimental ones and without `MAPPABLE_PRIMARY_BUFFERS`, which slows discrete GPUs.
///
/// `WGPU_BACKEND` and `WGPU_POWER_PREF` are honoured.
pub fn wgpu_setup() -> egui_wgpu::WgpuSetupCreateNew {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    setup.instance_descriptor.backends =
        wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    setup.device_descriptor = Arc::new(|adapter: &wgpu::Adapter| wgpu::DeviceDescriptor {
        label: Some("foresight"),
        required_features: adapter
            .features()
            .difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
            .difference(wgpu::Features::all_experimental_mask()),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    });
    setup
}

/// The one device: handles shared by egui, burn and our own kernels.
pub struct SharedDevice {
    /// The instance that the adapter came from.
    pub instance: wgpu::Instance,
    /// The adapter.
    pub adapter: wgpu::Adapter,
    /// The device.
    pub device: wgpu::Device,
    /// Its only queue. No priorities: what is submitted first is done first.
    pub queue: wgpu::Queue,
    /// The adapter in words.
    pub info: AdapterSummary,
    /// burn's handle once it is registered; ask [`SharedDevice::burn_device`], which registers.
    pub burn: OnceLock<Device>,
    registering: Mutex<()>,
    health: Arc<Health>,
}

impl std::fmt::Debug for SharedDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedDevice")
            .field("info", &self.info)
            .field("burn", &self.burn.get().is_some())
            .finish_non_exhaustive()
    }
}

/// Every device of this process that we know, newest last. There is one, unless the first was lost.
static KNOWN: Mutex<Vec<Arc<SharedDevice>>> = Mutex::new(Vec::new());

impl SharedDevice {
    /// The device that eframe (or an offscreen renderer) made. The same handles give the same
    /// `SharedDevice`, however often this is called.
    pub fn from_render_state(state: &egui_wgpu::RenderState) -> Arc<Self> {
        Self::known_or_new(&state.instance, &state.adapter, &state.device, &state.queue)
    }

    /// A device without a window, for the command line, tests and offscreen pictures. The first
    /// call makes it, or takes the window's if there is one; later calls give the same.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] and [`GpuError::NoDevice`].
    pub fn headless() -> Result<Arc<Self>, GpuError> {
        static MAKING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = known().last().cloned();
        if let Some(device) = newest.filter(|device| device.check_alive().is_ok()) {
            return Ok(device);
        }
        let setup = wgpu_setup();
        let instance = block_on(egui_wgpu::WgpuSetup::from(setup.clone()).new_instance());
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
            power_preference: setup.power_preference,
            ..Default::default()
        }))
        .map_err(|error| GpuError::NoAdapter(error.to_string()))?;
        let (device, queue) = block_on(
            adapter.request_device(&(setup.device_descriptor)(&adapter)),
        )
        .map_err(|error| GpuError::NoDevice {
            adapter: adapter.get_info().name,
            reason: error.to_string(),
        })?;
        Ok(Self::known_or_new(&instance, &adapter, &device, &queue))
    }

    /// The same handles for another renderer, such as an offscreen one.
    pub fn existing_setup(&self) -> egui_wgpu::WgpuSetup {
        egui_wgpu::WgpuSetupExisting {
            instance: self.instance.clone(),
            adapter: self.adapter.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
        }
        .into()
    }

    fn known_or_new(
        instance: &wgpu::Instance,
        adapter: &wgpu::Adapter,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Arc<Self> {
        let mut known = known();
        if let Some(shared) = known.iter().find(|shared| shared.device == *device) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(Self::new(instance, adapter, device, queue));
        known.push(Arc::clone(&shared));
        shared
    }

    /// Another device of the same adapter, with nothing in common but the hardware.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] if the adapter gives no second one.
    pub fn another(&self) -> Result<Arc<Self>, GpuError> {
        let descriptor = (wgpu_setup().device_descriptor)(&self.adapter);
        let (device, queue) = block_on(self.adapter.request_device(&descriptor))
            .map_err(|error| GpuError::NoAdapter(error.to_string()))?;
        Ok(Arc::new(Self::new(
            &self.instance,
            &self.adapter,
            &device,
            &queue,
        )))
    }

    fn new(
        instance: &wgpu::Instance,
        adapter: &wgpu::Adapter,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
    ) -> Self {
        let health = Arc::new(Health::default());
        health.watch_loss(device);
        health.log_errors(device);
        Self {
            instance: instance.clone(),
            adapter: adapter.clone(),
            device: device.clone(),
            queue: queue.clone(),
            info: AdapterSummary::of(adapter),
            burn: OnceLock::new(),
            registering: Mutex::new(()),
            health,
        }
    }

    /// burn's handle for this device. The first call registers our handles with burn (a few
    /// milliseconds; kernels compile later, on first use), later calls give the same: the CPU path
    /// never pays for it.
    ///
    /// # Errors
    /// [`GpuError::Register`] if burn refuses the device.
    pub fn burn_device(&self) -> Result<Device, GpuError> {
        let _one_at_a_time = self
            .registering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = self.burn.get() {
            return Ok(device.clone());
        }
        let setup = WgpuSetup {
            instance: self.instance.clone(),
            adapter: self.adapter.clone(),
            device: self.device.clone(),
            queue: self.queue.clone(),
            backend: self.adapter.get_info().backend,
        };
        let device = Device::wgpu_options()
            .setup(setup)
            .tasks_max(TASKS_PER_SUBMISSION)
            .init()
            .map_err(|error| GpuError::Register(error.to_string()))?;
        // Registration installs cubecl's handlers. Its watch for a lost device stays, because its
        // reads depend on it; its handler for other errors panics and is replaced.
        self.health.log_errors(&self.device);
        Ok(self.burn.get_or_init(|| device).clone())
    }

    /// Whether the device still works; asked by the worker after anything went wrong.
    ///
    /// # Errors
    /// [`GpuError::Lost`] with the reason, from then on for ever.
    pub fn check_alive(&self) -> Result<(), GpuError> {
        self.health.probe(&self.device);
        self.health
            .lost()
            .map_or(Ok(()), |reason| Err(GpuError::Lost(reason)))
    }

    /// The flag alone, for the window: cheap, and asks the device nothing. It is set by wgpu's
    /// own report, by [`SharedDevice::check_alive`] and by [`SharedDevice::wait`].
    pub fn device_lost(&self) -> Option<String> {
        self.health.lost()
    }

    /// The last error that the device reported on the side and that no call returned. Taking it
    /// forgets it.
    pub fn take_error(&self) -> Option<String> {
        self.health.take_error()
    }

    /// How many errors the device reported on the side so far.
    pub fn errors(&self) -> u64 {
        self.health.errors()
    }

    /// The newest error since there were so many: what the device was given to do meanwhile may have been dropped without
    /// a word, so that what it gives back are no results.
    pub fn error_since(&self, errors: u64) -> Option<String> {
        (self.errors() > errors).then(|| self.health.last_error())
    }

    /// Waits until everything up to `submission` is done (everything so far, if `None`). For the
    /// worker thread only.
    ///
    /// # Errors
    /// [`GpuError::Lost`] if the device went away meanwhile.
    pub fn wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), GpuError> {
        let poll = wgpu::PollType::Wait {
            submission_index: submission,
            timeout: None,
        };
        // wgpu treats a loss during a wait as fatal and panics; here it is an answer.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(poll))) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => self.lost_because(&error.to_string()),
            Err(_) => self.lost_because("waiting for it failed"),
        }
    }

    fn lost_because(&self, reason: &str) -> Result<(), GpuError> {
        self.health.mark_lost(reason);
        Err(GpuError::Lost(reason.to_owned()))
    }
}

fn known() -> std::sync::MutexGuard<'static, Vec<Arc<SharedDevice>>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a future of wgpu's to its end. On native targets they are ready at the first look.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_device_and_its_errors_are_logged_and_not_panics() {
        let shared = match SharedDevice::headless() {
            Ok(shared) => shared,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        };
        let again = SharedDevice::headless().expect("it was there before");
        assert!(Arc::ptr_eq(&shared, &again));
        assert!(!shared.info.name.is_empty());
        let registered = shared.burn_device().expect("burn joins");
        assert_eq!(registered, shared.burn_device().expect("burn joined"));

        // A window or an offscreen renderer on these handles is on this device.
        let existing = egui_wgpu::WgpuSetupExisting {
            instance: shared.instance.clone(),
            adapter: shared.adapter.clone(),
            device: shared.device.clone(),
            queue: shared.queue.clone(),
        };
        let configuration = egui_wgpu::WgpuConfiguration {
            wgpu_setup: existing.into(),
            ..Default::default()
        };
        let options = egui_wgpu::RendererOptions::PREDICTABLE;
        let state = egui_wgpu::RenderState::create(&configuration, &shared.instance, None, options);
        let state = block_on(state).expect("a renderer");
        assert!(Arc::ptr_eq(
            &SharedDevice::from_render_state(&state),
            &shared
        ));

        // Another device of the same adapter: the other tests want theirs without errors.
        let descriptor = (wgpu_setup().device_descriptor)(&shared.adapter);
        let (device, queue) =
            block_on(shared.adapter.request_device(&descriptor)).expect("a second device");
        let other = SharedDevice::new(&shared.instance, &shared.adapter, &device, &queue);
        assert_ne!(other.burn_device().expect("burn joins"), registered);
        // A mistake: these usages exclude each other. No call returns the error.
        let _ = other.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("a mistake"),
            size: 4,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: false,
        });
        assert!(
            other
                .error_since(0)
                .is_some_and(|e| e.contains("a mistake"))
        );
        assert_eq!(other.error_since(other.errors()), None);
        let error = other.take_error().expect("reported on the side");
        assert!(error.contains("a mistake"), "{error}");
        assert!(other.check_alive().is_ok(), "a mistake is no loss");
        assert_eq!(other.device_lost(), None);
    }
}
