//! Which place computes faster: measured, not guessed.

use std::time::{Duration, Instant};

use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::session::ComputeChoice;

use super::draws::{flow_steps, gpu_error};
use super::message::{Compute, DrawRequest, Event, LoadedModel, Progress};
use super::worker::{Job, JobError, Worker};

/// Draws of the measurement.
const DRAWS: u32 = 4096;

impl Worker {
    /// The person chose where to compute.
    pub fn choose(&mut self, choice: ComputeChoice) {
        self.choice = choice;
        self.report.trouble = None;
        self.try_device_again();
        match (choice, &self.device) {
            (ComputeChoice::Shared, Some(_)) => self.report.active = Compute::Shared,
            (ComputeChoice::Shared, None) => {
                self.report.active = Compute::Cpu;
                self.report.trouble = Some("there is no graphics device to share".into());
            }
            (ComputeChoice::Cpu, _) => self.report.active = Compute::Cpu,
            (ComputeChoice::Auto, _) => {
                self.report.active = self.faster();
                self.calibrated = self.report.cpu.is_some() && self.report.shared.is_some();
            }
        }
        self.post(Event::Compute(self.report.clone()));
    }

    /// Leaves the shared device for good, and says why.
    pub fn fall_back(&mut self, why: String) {
        self.networks.clear();
        self.report.active = Compute::Cpu;
        self.report.trouble = Some(why);
        self.post(Event::Compute(self.report.clone()));
    }

    /// Goes on with the processor if what failed did so because the device is gone. Other failures are the request's.
    pub fn leave_lost_device(&mut self, why: &str) -> bool {
        let Some(device) = self.device.clone() else {
            return false;
        };
        if self.report.active != Compute::Shared || device.check_alive().is_ok() {
            return false;
        }
        self.fall_back(format!(
            "the graphics device was lost ({why}); the processor goes on. Restart the program to use it again"
        ));
        true
    }

    fn faster(&self) -> Compute {
        match (self.report.cpu, self.report.shared) {
            (Some(cpu), Some(shared)) if shared < cpu => Compute::Shared,
            _ => Compute::Cpu,
        }
    }

    /// Measures both places once, when nothing waits, on 4,096 one-step draws of the model in use.
    pub fn calibrate(&mut self, job: &Job, model: &LoadedModel) {
        if !model.network.is_map() {
            // What is measured are draws of a map; the next model may be one.
            return;
        }
        self.calibrated = true;
        let (Some(device), ComputeChoice::Auto) = (self.device.clone(), self.choice) else {
            return;
        };
        self.post(Event::Progress(
            job.id,
            job.slot,
            Progress {
                label: "measuring where draws are faster".into(),
                fraction: None,
                left: None,
            },
        ));
        let request = DrawRequest {
            world: std::sync::Arc::new(model.checkpoint.card.world.clone()),
            model: Some(std::sync::Arc::new(model.clone())),
            source: Source::OneStep,
            t: 0.3,
            x_t: [0.0; 2],
            seed: 0,
            draws: DRAWS,
        };
        let mut measure = || -> Result<(), JobError> {
            let mut best = Duration::MAX;
            for _ in 0..3 {
                let started = Instant::now();
                self.host_draws(job, &request, &mut Counters::default())?;
                best = best.min(started.elapsed());
            }
            self.report.cpu = Some(best);
            let started = Instant::now();
            let network = self.network_on_shared(&device, model)?;
            let mut best = Duration::MAX;
            for round in 0..4 {
                let again = Instant::now();
                let noise = self.noise_on_shared(&device, request.seed, DRAWS as usize)?;
                let steps = flow_steps(&model.network, &request, 1);
                network
                    .draw(&noise, &steps, &mut || true)
                    .map_err(gpu_error)?;
                if round == 0 {
                    self.report.shared_first = Some(started.elapsed());
                } else {
                    best = best.min(again.elapsed());
                }
                if !self.is_idle() && round > 0 {
                    break;
                }
            }
            self.report.shared = Some(best);
            Ok(())
        };
        match measure() {
            Ok(()) => self.report.active = self.faster(),
            Err(JobError::Cancelled) => self.calibrated = false,
            Err(JobError::Failed(why)) => self.report.trouble = Some(why),
        }
        tracing::info!(report = ?self.report, "measured where draws are faster");
        self.post(Event::Compute(self.report.clone()));
    }
}
