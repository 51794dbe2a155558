//! Draws, and draws written to a file.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::gpu::{FlowStep, FusedMlpGpu, GpuError, PointBuffer, SharedDevice};
use crate::lookahead::{LookaheadError, NoiseKey, Source, draw};
use crate::metrics::Counters;
use crate::model::FusedMlp;
use crate::process::{Purpose, normal_pairs};
use crate::session::{DrawsExport, ExportError};

use super::message::{
    Compute, DrawAnswer, DrawRequest, Event, ExportRequest, LoadedModel, RequestId, Slot,
};
use super::stats::draw_stats;
use super::worker::{Job, JobError, JobResult, Worker};

/// Networks kept on the shared device.
const KEPT_NETWORKS: usize = 4;

impl From<LookaheadError> for JobError {
    fn from(error: LookaheadError) -> Self {
        match error {
            LookaheadError::Cancelled => Self::Cancelled,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Worker {
    pub fn draws(&mut self, id: RequestId, slot: Slot, request: DrawRequest) -> JobResult {
        let job = Job::new(
            id,
            slot,
            format!("{} draws, {}", request.draws, request.source.short()),
        );
        let request = Arc::new(request);
        // wgpu panics in places where the device is gone.
        let on_shared = catch_unwind(AssertUnwindSafe(|| self.draw_on_shared(&job, &request)));
        let on_shared = match on_shared {
            Ok(Err(JobError::Failed(why))) if self.leave_lost_device(&why) => None,
            Err(_) if self.leave_lost_device("it failed while drawing") => None,
            Ok(other) => other?,
            Err(panic) => resume_unwind(panic),
        };
        let answer = match on_shared {
            Some(answer) => answer,
            None => self.draw_on_cpu(&job, &request)?,
        };
        let host = answer.host.clone();
        self.post(Event::Draws(id, slot, Arc::new(answer)));
        if !self.look_up(&job, 1.0) {
            // The draws are out; only their figures are no longer wanted.
            return Ok(());
        }
        let world = &request.world.mixture;
        let posterior = world.posterior(request.t, request.x_t);
        let stats = draw_stats(world, &posterior, &host, request.seed, 0);
        self.post(Event::Stats(id, slot, Arc::new(stats)));
        if let Some(model) = &request.model
            && !self.calibrated
            && model.has_file()
            && self.is_idle()
        {
            self.calibrate(&job, &model.clone());
        }
        Ok(())
    }

    fn draw_on_cpu(
        &mut self,
        job: &Job,
        request: &Arc<DrawRequest>,
    ) -> Result<DrawAnswer, JobError> {
        let mut counters = Counters::default();
        let draws = self.host_draws(job, request, &mut counters)?;
        let points = match &self.device {
            Some(device) if device.device_lost().is_none() => Some(upload(device, &draws)?),
            _ => None,
        };
        Ok(DrawAnswer {
            points,
            host: Arc::new(match &self.device {
                Some(_) => draws[..draws.len().min(DrawAnswer::HOST_DRAWS)].to_vec(),
                None => draws,
            }),
            request: request.clone(),
            compute: Compute::Cpu,
            elapsed: job.started.elapsed(),
            counters,
        })
    }

    /// All draws of a request on the processor.
    pub fn host_draws(
        &mut self,
        job: &Job,
        request: &DrawRequest,
        counters: &mut Counters,
    ) -> Result<Vec<[f32; 2]>, JobError> {
        let mut draws = vec![[0.0f32; 2]; request.draws as usize];
        draw(
            request.source,
            &request.world.mixture,
            request.model.as_ref().map(|m| &m.network),
            (request.t, request.x_t),
            NoiseKey {
                seed: request.seed,
                state: 0,
            },
            0,
            &mut draws,
            counters,
            &mut |fraction| self.look_up(job, fraction),
        )?;
        Ok(draws)
    }

    /// Draws by the flow map on the device that paints: the result never leaves it.
    /// `None` where the request does not run there.
    fn draw_on_shared(
        &mut self,
        job: &Job,
        request: &Arc<DrawRequest>,
    ) -> Result<Option<DrawAnswer>, JobError> {
        let (Some(device), Some(model)) = (self.device.clone(), request.model.clone()) else {
            return Ok(None);
        };
        // A network that is another one a second later is not worth compiling for.
        if self.report.active != Compute::Shared || !model.has_file() {
            return Ok(None);
        }
        let steps = match request.source {
            Source::OneStep => 1,
            Source::KStep(k) => k,
            Source::Glass(_) | Source::Sde(_) => {
                return self
                    .rollout_on_shared(job, request, &device, &model)
                    .map(Some);
            }
            Source::Exact => return Ok(None),
        };
        if !model.network.is_map() {
            return Err(LookaheadError::VelocityOnly(request.source).into());
        }
        let network = self.network_on_shared(&device, &model)?;
        let started = Instant::now();
        let noise = self.noise_on_shared(&device, request.seed, request.draws as usize)?;
        let steps_list = flow_steps(&model.network, request, steps);
        let points = network
            .draw(&noise, &steps_list, &mut || self.look_up(job, None))
            .map_err(gpu_error)?;
        let host = points
            .read_first(&device, DrawAnswer::HOST_DRAWS)
            .map_err(gpu_error)?;
        Ok(Some(DrawAnswer {
            points: Some(points),
            host: Arc::new(host),
            request: request.clone(),
            compute: Compute::Shared,
            elapsed: started.elapsed(),
            counters: Counters {
                network_forward: u64::from(request.draws) * u64::from(steps),
                ..Counters::default()
            },
        }))
    }

    /// The fused network of a model on the shared device, made on first use.
    pub fn network_on_shared(
        &mut self,
        device: &Arc<SharedDevice>,
        model: &LoadedModel,
    ) -> Result<Arc<FusedMlpGpu>, JobError> {
        let hash = &model.checkpoint.hash;
        if let Some(network) = self.networks.get(hash) {
            return Ok(network.clone());
        }
        let network = fused_on_device(device, model)
            .map(Arc::new)
            .map_err(gpu_error)?;
        if self.networks.len() >= KEPT_NETWORKS {
            self.networks.pop_first();
        }
        self.networks.insert(hash.clone(), network.clone());
        Ok(network)
    }

    /// The locked base noise of a seed, uploaded once for as long as it is used.
    pub fn noise_on_shared(
        &mut self,
        device: &Arc<SharedDevice>,
        seed: u64,
        count: usize,
    ) -> Result<PointBuffer, JobError> {
        if let Some((kept_seed, noise)) = &self.noise
            && *kept_seed == seed
            && noise.len() == count
        {
            return Ok(noise.clone());
        }
        let key = NoiseKey { seed, state: 0 };
        let mut base = vec![[0.0f32; 2]; count];
        normal_pairs(key.address(Purpose::PosteriorDraw, 0), 0, &mut base);
        let noise = upload(device, &base)?;
        self.noise = Some((seed, noise.clone()));
        Ok(noise)
    }

    pub fn export(&mut self, id: RequestId, request: ExportRequest) -> JobResult {
        let ExportRequest { draws, path } = request;
        let job = Job::new(id, Slot::Export, format!("writing {}", path.display()));
        let points = self.host_draws(&job, &draws, &mut Counters::default())?;
        write_draws(&draws, &points, &path).map_err(|e| JobError::Failed(e.to_string()))?;
        self.post(Event::Exported(id, path, points.len()));
        Ok(())
    }
}

/// Writes the draws of a request with everything needed to make them again.
///
/// # Errors
/// On an unknown ending, a missing folder, or where the system refuses to write.
pub fn write_draws(
    request: &DrawRequest,
    draws: &[[f32; 2]],
    path: &Path,
) -> Result<(), ExportError> {
    let mut notes = vec![
        ("source", request.source.to_string()),
        ("world", request.world.name.clone()),
        ("world_fingerprint", request.world.fingerprint()),
    ];
    if let Some(model) = &request.model {
        notes.push(("checkpoint", model.name.clone()));
        notes.push(("checkpoint_sha256", model.checkpoint.hash.clone()));
    }
    let export = DrawsExport {
        draws,
        t: request.t,
        x_t: request.x_t,
        seed: request.seed,
        notes: &notes,
    };
    export.write(path)
}

/// The compositions of the flow map over `linspace(0, 1, steps + 1)` under one `(t, x_t)`.
pub(super) fn flow_steps(network: &FusedMlp, request: &DrawRequest, steps: u32) -> Vec<FlowStep> {
    let x_t = [request.x_t[0] as f32, request.x_t[1] as f32];
    (0..steps)
        .map(|step| {
            let s = (f64::from(step) / f64::from(steps)) as f32;
            let u = (f64::from(step + 1) / f64::from(steps)) as f32;
            FlowStep {
                bias: network.conditioned_bias(s, u, request.t as f32, x_t),
                delta: u - s,
            }
        })
        .collect()
}

/// Compiles the fused kernel and uploads a model's weights.
pub(super) fn fused_on_device(
    device: &Arc<SharedDevice>,
    model: &LoadedModel,
) -> Result<FusedMlpGpu, GpuError> {
    let layers: Vec<_> = model
        .network
        .layers()
        .iter()
        .map(|layer| {
            (
                layer.inputs,
                layer.outputs,
                layer.weight.as_slice(),
                layer.bias.as_slice(),
            )
        })
        .collect();
    FusedMlpGpu::new(device, &layers, model.network.config().input_scale)
}

fn upload(device: &SharedDevice, draws: &[[f32; 2]]) -> Result<PointBuffer, JobError> {
    PointBuffer::from_points(device, draws).map_err(gpu_error)
}

pub(super) fn gpu_error(error: GpuError) -> JobError {
    match error {
        GpuError::Cancelled => JobError::Cancelled,
        other => JobError::Failed(other.to_string()),
    }
}
