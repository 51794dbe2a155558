//! One steered picture from its recipe: one that was kept, made again, and those of a batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Wanted;
use crate::reward::picture::{PictureParts, PictureScore, ScorerFiles};
use crate::session::{SteeredRecipe, StoredPicture};
use crate::steer::SteerError;
use crate::steer::images::{
    ImageFrame, ImagePlan, ImageScene, ImageStart, ImageWatch, steer_images_from,
};

use super::images::LoadedImages;
use super::images_fallback::Asked;
use super::message::Compute;
use super::scorers::open_scorers;
use super::worker::{Job, JobError, Worker};

/// How often the worker looks up while the run's thread works.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// A steered picture.
pub(super) struct SteeredPicture {
    /// The picture, `[C][H][W]`.
    pub picture: Vec<f32>,
    /// What its own reward says of it; `None` of one on its way.
    pub reward: Option<f64>,
}

impl SteeredPicture {
    /// Whether it is a picture.
    pub fn is_finite(&self) -> bool {
        self.picture.iter().all(|v| v.is_finite())
    }
}

/// Between the run's thread and the worker.
#[derive(Default)]
struct Door {
    wanted: Wanted,
    /// Share done, as the bits of an `f32`.
    fraction: AtomicU32,
    /// Held by the worker while it serves what is more urgent: the run waits as long, and leaves it the processor.
    gate: Mutex<()>,
}

impl Door {
    fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ImageWatch for &Door {
    fn keep_going(&mut self, fraction: f32) -> bool {
        self.fraction.store(fraction.to_bits(), Ordering::Relaxed);
        drop(self.gate());
        self.wanted.still()
    }
}

impl Worker {
    /// Where steering begins, as a state of the map: a picture that is noised again is encoded first where it must be.
    pub fn start_of(
        &mut self,
        job: &Job,
        model: &LoadedImages,
        start: ImageStart,
    ) -> Result<ImageStart, JobError> {
        let ImageStart::Renoised { t, picture } = start else {
            return Ok(start);
        };
        let picture = self.encoded(job, model, picture)?;
        Ok(ImageStart::Renoised { t, picture })
    }

    /// Makes the picture of a recipe, on a thread of its own: the worker stays free for what is more urgent. The run is
    /// `part` of the job, after what `from` says is done.
    pub fn steered(
        &mut self,
        job: &Job,
        model: &Arc<LoadedImages>,
        (recipe, files): (&SteeredRecipe, &ScorerFiles),
        (from, part): (f32, f32),
    ) -> Result<SteeredPicture, JobError> {
        let failed = |e: &dyn std::fmt::Display| JobError::Failed(e.to_string());
        let parts = PictureParts {
            judge: self.judge(model).map(|judge| judge.network().clone()),
            references: recipe.rewarding.references(),
            scorers: open_scorers(&recipe.rewarding.reward, files).map_err(|e| failed(&e))?,
        };
        let reward = recipe.rewarding.reward.bind(model.shape(), &parts);
        let reward = reward.map_err(|e| failed(&e))?;
        let start = recipe.settings.start.image_start().ok_or_else(|| {
            failed(&"The state that this run begins in holds no numbers: it cannot be made")
        })?;
        let start = self.start_of(job, model, start)?;
        let compute = self.images_compute(model);
        self.on_device_or_processor((model, compute), |worker, compute| {
            let asked = match compute {
                Compute::Shared => worker.asked_now(model),
                Compute::Cpu => Asked::here(model),
            };
            worker.steered_on(job, &asked, (recipe, &reward, &start), (from, part))
        })
    }

    /// The same on one device.
    fn steered_on(
        &mut self,
        job: &Job,
        Asked { map, view, .. }: &Asked,
        (recipe, reward, start): (&SteeredRecipe, &Arc<dyn PictureScore>, &ImageStart),
        (from, part): (f32, f32),
    ) -> Result<SteeredPicture, JobError> {
        let failed = |e: &dyn std::fmt::Display| JobError::Failed(e.to_string());
        let door = Door::default();
        let reward = view.reward_while(reward.clone(), &door.wanted);
        let reward = reward.map_err(JobError::Failed)?;
        let plan = ImagePlan {
            // A finished picture needs none of its steps.
            keep_frames: recipe.t < 1.0,
            ..recipe.settings.plan.clone()
        };
        let first = recipe.settings.first;
        let scene = ImageScene {
            map: &**map,
            reward: &*reward,
        };
        let result = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let run = || steer_images_from(scene, &plan, start, first..first + 1, &mut &door);
                // A panic ends the run, not the engine.
                catch_unwind(AssertUnwindSafe(run)).unwrap_or(Err(SteerError::Panicked))
            });
            while !thread.is_finished() {
                let done = f32::from_bits(door.fraction.load(Ordering::Relaxed));
                let gate = door.gate();
                if !self.look_up(job, from + part * done) {
                    door.wanted.withdraw();
                }
                drop(gate);
                std::thread::sleep(BETWEEN_LOOKS);
            }
            thread.join().unwrap_or(Err(SteerError::Panicked))
        });
        let run = match result {
            // What it gave since then are no numbers.
            _ if !door.wanted.still() => return Err(JobError::Cancelled),
            Err(SteerError::Cancelled) => return Err(JobError::Cancelled),
            Err(e) => return Err(failed(&e)),
            Ok(run) => run,
        };
        if recipe.t >= 1.0 {
            let fraction = Some(from + part);
            let picture = self.decoded(job, fraction, view, &run.pictures)?;
            return Ok(SteeredPicture {
                picture: picture.into_owned(),
                reward: run.rewards.first().copied(),
            });
        }
        let frame = ImageFrame::at(&run.frames, recipe.t);
        let picture = frame.and_then(|(_, frame)| frame.expected(0));
        let picture = picture.ok_or_else(|| failed(&"This run has no picture at that time"))?;
        Ok(SteeredPicture {
            picture: view.quick(picture).into_owned(),
            reward: None,
        })
    }
}

/// Numbers `[C][H][W]` of a map's picture, rounded to 8 bits.
pub(super) fn stored(model: &LoadedImages, picture: &[f32]) -> Result<StoredPicture, JobError> {
    let [c, h, _] = model.shape();
    StoredPicture::new(c as u32, h as u32, picture).ok_or_else(|| {
        JobError::Failed("The map's pictures cannot be kept: they are too large".to_owned())
    })
}
