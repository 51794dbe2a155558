//! Draws, and draws written to a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::gpu::{FusedMlpGpu, PointBuffer, SharedDevice};
use crate::lookahead::{LookaheadError, NoiseKey, Source, draw};
use crate::metrics::Counters;
use crate::process::noise::{Purpose, normal_pairs};
use crate::session::export::{DrawsExport, ExportError};

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
        let job = Job::new(id, slot, format!("{} draws, {}", request.draws, request.source));
        let request = Arc::new(request);
        let answer = match self.draw_on_shared(&job, &request)? {
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
            && self.is_idle()
        {
            self.calibrate(&job, &model.clone());
        }
        Ok(())
    }

    fn draw_on_cpu(&mut self, job: &Job, request: &Arc<DrawRequest>) -> Result<DrawAnswer, JobError> {
        let mut counters = Counters::default();
        let draws = self.host_draws(job, request, &mut counters)?;
        let points = match &self.device {
            Some(device) => Some(upload(device, &draws)?),
            None => None,
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
        let steps = match request.source {
            Source::OneStep => 1,
            Source::KStep(k) => k,
            _ => return Ok(None),
        };
        let (Some(device), Some(model)) = (self.device.clone(), request.model.clone()) else {
            return Ok(None);
        };
        if self.report.active != Compute::Shared {
            return Ok(None);
        }
        let network = self.network_on_shared(&device, &model)?;
        let started = Instant::now();
        let noise = NoiseKey {
            seed: request.seed,
            state: 0,
        };
        let mut base = vec![[0.0f32; 2]; request.draws as usize];
        normal_pairs(noise.address(Purpose::PosteriorDraw, 0), 0, &mut base);
        let points = run_fused(&device, &network, &model, request, steps, &base, &mut |fraction| {
            self.look_up(job, fraction)
        })?;
        let kept = base.len().min(DrawAnswer::HOST_DRAWS);
        let host = points
            .read(&device, kept)
            .map_err(|e| JobError::Failed(e.to_string()))?;
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
        let network = FusedMlpGpu::new(device, &layers)
            .map(Arc::new)
            .map_err(|e| JobError::Failed(e.to_string()))?;
        if self.networks.len() >= KEPT_NETWORKS {
            self.networks.pop_first();
        }
        self.networks.insert(hash.clone(), network.clone());
        Ok(network)
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

/// Carries base noise through the flow map on the shared device, in `steps` compositions.
pub(super) fn run_fused(
    device: &SharedDevice,
    network: &FusedMlpGpu,
    model: &LoadedModel,
    request: &DrawRequest,
    steps: u32,
    base: &[[f32; 2]],
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<PointBuffer, JobError> {
    let mut points = upload(device, base)?;
    let x_t = [request.x_t[0] as f32, request.x_t[1] as f32];
    for step in 0..steps {
        let (s, u) = (
            (f64::from(step) / f64::from(steps)) as f32,
            (f64::from(step + 1) / f64::from(steps)) as f32,
        );
        let bias = model.network.conditioned_bias(s, u, request.t as f32, x_t);
        let share = |inner: f32| (step as f32 + inner) / steps as f32;
        points = network
            .flow_map(device, &bias, u - s, &points, &mut |inner| watch(share(inner)))
            .map_err(|e| JobError::Failed(e.to_string()))?
            .ok_or(JobError::Cancelled)?;
    }
    Ok(points)
}

fn upload(device: &SharedDevice, draws: &[[f32; 2]]) -> Result<PointBuffer, JobError> {
    PointBuffer::from_points(device, draws).map_err(|e| JobError::Failed(e.to_string()))
}
