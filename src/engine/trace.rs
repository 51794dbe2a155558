//! One particle under the lens: its futures now, and the value along its way.

use std::sync::Arc;

use crate::steer::{Estimator, KeptFrame, Method, probe};

use super::message::{Event, RequestId, Slot};
use super::steer_message::{LensAnswer, LensRequest, TraceAnswer, TracePoint, TraceRequest};
use super::worker::{Job, JobError, JobResult, Worker};

/// Most points of a trace: longer runs are shown at every second, third, ... step.
const TRACE_POINTS: usize = 60;

fn has_value(method: Method) -> bool {
    !matches!(method.card().estimator, Estimator::None)
}

impl Worker {
    pub fn lens(&mut self, id: RequestId, request: LensRequest) -> JobResult {
        let job = Job::new(id, Slot::Lens, "looking ahead");
        let runs = request.runs.clone();
        let stage = &runs.request.stage;
        let network = self.guided(stage)?;
        let mut panels = Vec::with_capacity(runs.panels.len());
        for (panel, plan) in runs.panels.iter().zip(&runs.request.plans) {
            if !self.wanted(&job) {
                return Err(JobError::Cancelled);
            }
            let seen = KeptFrame::at(&panel.frames, request.t)
                .filter(|(step, _)| *step < plan.steps as usize)
                .and_then(|(step, frame)| {
                    let x = frame.x.get(request.particle as usize)?.map(f64::from);
                    let scene = stage.scene(network.as_ref());
                    probe(plan, scene, step as u32, request.particle, x).ok()
                });
            panels.push(seen);
        }
        let answer = LensAnswer {
            request: Arc::new(request),
            panels,
        };
        self.post(Event::Lens(id, Arc::new(answer)));
        Ok(())
    }

    pub fn trace(&mut self, id: RequestId, request: TraceRequest) -> JobResult {
        let job = Job::new(id, Slot::Trace, "the value along the way");
        let runs = request.runs.clone();
        let request = Arc::new(request);
        let stage = &runs.request.stage;
        let network = self.guided(stage)?;
        let mut panels: Vec<Vec<TracePoint>> = vec![Vec::new(); runs.panels.len()];
        for (p, (panel, plan)) in runs.panels.iter().zip(&runs.request.plans).enumerate() {
            let last = panel.frames.len().saturating_sub(1);
            let trail = KeptFrame::trail(&panel.frames, last, request.particle);
            let stride = trail.len().div_ceil(TRACE_POINTS).max(1);
            for (step, (t, x)) in trail.iter().enumerate().step_by(stride) {
                let share = step as f32 / trail.len() as f32;
                let fraction = (p as f32 + share) / runs.panels.len() as f32;
                if !self.look_up(&job, fraction) {
                    return Err(JobError::Cancelled);
                }
                if step >= plan.steps as usize || !x.iter().all(|v| v.is_finite()) {
                    continue;
                }
                let scene = stage.scene(network.as_ref());
                let x_t = x.map(f64::from);
                let Ok(seen) = probe(plan, scene, step as u32, request.particle, x_t) else {
                    break;
                };
                panels[p].push(TracePoint {
                    t: *t,
                    x: *x,
                    value: has_value(plan.method).then_some(seen.value),
                    exact: seen.exact.map(|(value, _)| value),
                });
            }
            let answer = TraceAnswer {
                request: request.clone(),
                panels: panels.clone(),
                complete: p + 1 == runs.panels.len(),
            };
            self.post(Event::Trace(id, Arc::new(answer)));
        }
        Ok(())
    }
}
