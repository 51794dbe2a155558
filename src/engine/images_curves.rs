//! How different the draws of pictures are, against `t`: few draws at each of a few times, coarse to fine.

use std::sync::Arc;

use crate::lookahead::{NoiseKey, draw_images};
use crate::metrics::{Counters, ScoreFigures};

use super::diversity::coarse_to_fine;
use super::images::{WallFigures, WallRequest};
use super::images_more::{ImageCurvePoint, ImageCurvesAnswer, ImageCurvesRequest};
use super::images_rewards::{RewardMemo, Unscored};
use super::message::{Event, RequestId, Slot};
use super::picture_view::ShownAs;
use super::worker::{Job, JobError, JobResult, Worker};

/// Number of times at which the curves are computed, evenly spaced from 0 to 0.98.
pub const IMAGE_CURVE_TIMES: usize = 17;
const LAST_TIME: f64 = 0.98;

impl Worker {
    /// Curves of one way to look ahead. The states are those that a scrub shows: their noise is locked.
    pub fn image_curves(&mut self, id: RequestId, request: ImageCurvesRequest) -> JobResult {
        let label = format!("diversity of {}", request.wall.source.short());
        let job = Job::new(id, Slot::ImageCurves, label);
        let request = Arc::new(request);
        let wall = &request.wall;
        let numbers = wall.model.numbers();
        let key = NoiseKey {
            seed: wall.seed,
            state: 0,
        };
        let mut points: Vec<ImageCurvePoint> = Vec::with_capacity(IMAGE_CURVE_TIMES);
        let mut counters = Counters::default();
        for (done, index) in coarse_to_fine(IMAGE_CURVE_TIMES).into_iter().enumerate() {
            let t = LAST_TIME * index as f64 / (IMAGE_CURVE_TIMES - 1) as f64;
            let share = |inner: f32| (done as f32 + inner) / IMAGE_CURVE_TIMES as f32;
            if !self.look_up(&job, share(0.0)) {
                return Err(JobError::Cancelled);
            }
            // What the state costs is not the draws' cost.
            let state = self.wall_state(&job, wall, t, &mut Counters::default())?;
            let pictures = draw_images(
                &*wall.model.map,
                wall.source,
                &state.question,
                key,
                0..wall.draws,
                &mut counters,
                &mut |inner| self.look_up(&job, share(inner)),
            )?;
            let pictures = self.best_of((&job, Some(share(1.0))), &wall.model, &pictures)?;
            let judged = self.judge(&wall.model).map(|judge| judge.judge(&pictures));
            let scores = self.scores_of(&job, wall, &pictures)?;
            let mut figures = WallFigures::new(&pictures, numbers, judged);
            // Of the pictures themselves nothing is kept.
            figures.judged = None;
            figures.mean = Vec::new();
            figures.deviation = Vec::new();
            let at = points.partition_point(|p| p.t < t);
            let point = ImageCurvePoint { t, figures, scores };
            points.insert(at, point);
            let draws = f64::from(wall.draws) * points.len() as f64;
            let answer = ImageCurvesAnswer {
                request: request.clone(),
                complete: points.len() == IMAGE_CURVE_TIMES,
                points: points.clone(),
                evaluations: counters.network_forward as f64 / draws.max(1.0),
            };
            self.post(Event::ImageCurves(id, Arc::new(answer)));
        }
        Ok(())
    }

    /// What the reward says of draws. Why it cannot say anything is told with the wall.
    fn scores_of(
        &mut self,
        job: &Job,
        wall: &WallRequest,
        pictures: &[f32],
    ) -> Result<Option<ScoreFigures>, JobError> {
        if wall.model.view.seen() == ShownAs::FalseColours {
            return Ok(None);
        }
        let judge = self.judge(&wall.model);
        let judge = judge.map(|judge| judge.network().clone());
        let mut going = || self.look_up(job, None);
        let scores = RewardMemo::default().scores(
            (&wall.rewarding, &wall.files),
            wall.model.shape(),
            judge.as_ref(),
            pictures,
            &mut going,
        );
        match scores {
            Ok(scores) => Ok(scores.and_then(|scores| ScoreFigures::of(&scores))),
            Err(Unscored::Because(_)) => Ok(None),
            Err(Unscored::Stopped) => Err(JobError::Cancelled),
        }
    }
}
