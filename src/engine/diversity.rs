//! Curves against `t`.

use std::sync::Arc;

use crate::lookahead::{LookaheadError, NoiseKey, draw, state_on_path};
use crate::metrics::Counters;

use super::message::{DiversityAnswer, DiversityPoint, DiversityRequest, Event, RequestId, Slot};
use super::stats::draw_stats;
use super::worker::{Job, JobError, JobResult, Worker};

/// Number of times at which the curves are computed, evenly spaced from 0 to 0.98.
pub const DIVERSITY_TIMES: usize = 33;
const LAST_TIME: f64 = 0.98;

impl Worker {
    pub fn diversity(&mut self, id: RequestId, request: DiversityRequest) -> JobResult {
        let job = Job::new(id, Slot::Diversity, "curves against t");
        let request = Arc::new(request);
        let path = self.path(&request.world, request.anchor_t, request.anchor_x);
        let world = &request.world.mixture;
        let network = request.model.as_ref().map(|m| &m.network);
        let mut points: Vec<DiversityPoint> = Vec::with_capacity(DIVERSITY_TIMES);
        let mut draws = vec![[0.0f32; 2]; request.draws as usize];

        for (done, index) in coarse_to_fine(DIVERSITY_TIMES).into_iter().enumerate() {
            let t = LAST_TIME * index as f64 / (DIVERSITY_TIMES - 1) as f64;
            let x_t = if request.carry {
                state_on_path(&path, t).unwrap_or(request.anchor_x)
            } else {
                request.anchor_x
            };
            let base = done as f32 / DIVERSITY_TIMES as f32;
            if !self.look_up(&job, base) {
                return Err(JobError::Cancelled);
            }
            let noise = NoiseKey {
                seed: request.seed,
                state: 0,
            };
            draw(
                request.source,
                world,
                network,
                (t, x_t),
                noise,
                0,
                &mut draws,
                &mut Counters::default(),
                &mut |inner| self.look_up(&job, base + inner / DIVERSITY_TIMES as f32),
            )
            .map_err(|e| match e {
                LookaheadError::Cancelled => JobError::Cancelled,
                other => JobError::Failed(other.to_string()),
            })?;
            let posterior = world.posterior(t, x_t);
            let stats = draw_stats(world, &posterior, &draws, request.seed, 0);
            let at = points.partition_point(|p| p.t < t);
            points.insert(at, DiversityPoint { t, x_t, stats });
            let complete = points.len() == DIVERSITY_TIMES;
            if complete || done % 4 == 3 {
                self.post(Event::Diversity(
                    id,
                    Arc::new(DiversityAnswer {
                        request: request.clone(),
                        points: points.clone(),
                        complete,
                    }),
                ));
            }
        }
        Ok(())
    }
}

/// `0..n` in an order whose every beginning covers the range about evenly.
pub(super) fn coarse_to_fine(n: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(n);
    let mut stride = n.next_power_of_two();
    while stride > 0 {
        order.extend(
            (0..n)
                .step_by(stride)
                .filter(|i| stride == n.next_power_of_two() || i % (2 * stride) != 0),
        );
        stride /= 2;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_comes_once_and_the_ends_come_early() {
        for n in [1, 2, 25, 33] {
            let order = coarse_to_fine(n);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
        }
        assert!(coarse_to_fine(33)[..4].contains(&32));
    }
}
