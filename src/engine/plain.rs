//! Rollouts of the learned velocity by burn, on the device that paints.

use std::sync::Arc;

use crate::gpu::{PointBuffer, SharedDevice};
use crate::lookahead::{NoiseKey, draw_on_device};
use crate::metrics::Counters;
use crate::model::Mlp;

use super::draws::gpu_error;
use super::message::{Compute, DrawAnswer, DrawRequest, LoadedModel};
use super::worker::{Job, JobError, Worker};

impl Worker {
    /// GLASS and SDE rollouts of a model's own velocity: burn's kernels compute them, and the
    /// tensor is painted from its own buffer.
    pub fn rollout_on_shared(
        &mut self,
        job: &Job,
        request: &Arc<DrawRequest>,
        device: &Arc<SharedDevice>,
        model: &LoadedModel,
    ) -> Result<DrawAnswer, JobError> {
        let burn_device = device.burn_device().map_err(gpu_error)?;
        let hash = &model.checkpoint.hash;
        let network = match &self.plain {
            Some((kept, network)) if kept == hash => network.clone(),
            _ => {
                let network =
                    Mlp::from_layers(model.network.config(), model.network.layers(), &burn_device)
                        .map_err(|e| JobError::Failed(e.to_string()))?;
                self.plain = Some((hash.clone(), network.clone()));
                network
            }
        };
        let noise = NoiseKey {
            seed: request.seed,
            state: 0,
        };
        let mut counters = Counters::default();
        let tensor = draw_on_device(
            request.source,
            &network,
            (request.t, request.x_t),
            noise,
            request.draws as usize,
            &burn_device,
            &mut counters,
            &mut |fraction| self.look_up(job, fraction),
        )?;
        let points = PointBuffer::from_tensor(tensor, device).map_err(gpu_error)?;
        let host = points
            .read_first(device, DrawAnswer::HOST_DRAWS)
            .map_err(gpu_error)?;
        Ok(DrawAnswer {
            points: Some(points),
            host: Arc::new(host),
            request: request.clone(),
            compute: Compute::Shared,
            elapsed: job.started.elapsed(),
            counters,
        })
    }
}
