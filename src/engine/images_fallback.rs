//! Pictures on the shared device, and on the processor where that device cannot take them: too little memory, a buffer
//! that is too large, a device that is gone. What failed is done once more on the processor, a person is told, and the
//! map stays there until it is opened again or another place to compute is chosen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::checkpoint::{as_tuned, beginning_with_classes};
use crate::gpu::SharedDevice;
use crate::mixture::shortened;
use crate::model::ImageMap;

use super::draws::gpu_error;
use super::images::LoadedImages;
use super::message::{Compute, Event};
use super::picture_view::PictureView;
use super::worker::{Job, JobError, Worker, cause_of};

/// Longest reason that is shown: drivers tell long stories.
const MOST_REASON: usize = 160;

/// Where a map is asked, and how its states are shown there.
#[derive(Clone)]
pub(super) struct Asked {
    /// What moves and draws.
    pub map: Arc<dyn ImageMap>,
    /// What shows and rewards.
    pub view: Arc<PictureView>,
    /// Where the map is.
    pub compute: Compute,
}

impl Asked {
    /// On the processor, where every map is.
    pub fn here(model: &LoadedImages) -> Self {
        Self {
            map: model.map.clone(),
            view: model.view.clone(),
            compute: Compute::Cpu,
        }
    }
}

/// The device since a moment, where there is one.
pub(super) struct WatchedDevice(Option<(Arc<SharedDevice>, u64)>);

impl WatchedDevice {
    /// What it reported on the side since then.
    pub fn error(&self) -> Option<String> {
        let (device, errors) = self.0.as_ref()?;
        device.error_since(*errors)
    }
}

/// What a device made of work: what it gave, or why it failed. A panic is a failure like any other; work that was called
/// off says nothing of the device.
fn tried<T>(work: impl FnOnce() -> Result<T, JobError>) -> Result<Result<T, String>, JobError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(Ok(done)),
        Ok(Err(JobError::Failed(why))) => Ok(Err(why)),
        Ok(Err(JobError::Cancelled)) => Err(JobError::Cancelled),
        Err(panic) => Ok(Err(cause_of(&*panic).to_owned())),
    }
}

/// Work for a device, done once more on the processor where the device fails: then with why it did. Where the processor
/// cannot do it either, the work was at fault and not the device.
fn somewhere<T>(
    compute: Compute,
    mut work: impl FnMut(Compute) -> Result<T, JobError>,
) -> (Result<T, JobError>, Option<String>) {
    if compute == Compute::Cpu {
        return (work(Compute::Cpu), None);
    }
    let why = match tried(|| work(Compute::Shared)) {
        Ok(Ok(done)) => return (Ok(done), None),
        Err(called_off) => return (Err(called_off), None),
        Ok(Err(why)) => why,
    };
    let done = work(Compute::Cpu);
    let is_to_blame = !matches!(done, Err(JobError::Failed(_)));
    (done, is_to_blame.then_some(why))
}

impl Worker {
    /// Does work for a map on the device that was chosen for it, or on the processor where that one fails.
    pub fn on_device_or_processor<T>(
        &mut self,
        (model, compute): (&LoadedImages, Compute),
        mut work: impl FnMut(&mut Self, Compute) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let (done, why) = somewhere(compute, |compute| {
            if compute == Compute::Cpu {
                return work(self, compute);
            }
            let watched = self.watch_device();
            let done = work(self, compute)?;
            let error = watched.error().map(JobError::Failed);
            error.map_or(Ok(done), Err)
        });
        if let Some(why) = why {
            self.leave_device(model, &why);
        }
        done
    }

    /// Watches for errors of the device from here on.
    pub fn watch_device(&self) -> WatchedDevice {
        let device = self.painting_device();
        WatchedDevice(device.map(|device| {
            let errors = device.errors();
            (device, errors)
        }))
    }

    /// Where a map is asked now, and how its states are shown there: what steers.
    pub fn asked_now(&mut self, model: &LoadedImages) -> Asked {
        let compute = self.images_compute(model);
        let mut asked = Asked::here(model);
        if compute == Compute::Cpu {
            return asked;
        }
        let there = |worker: &mut Self| {
            let lost = || JobError::Failed("the graphics device was lost".into());
            let device = worker.painting_device().ok_or_else(lost)?;
            worker.map_on_shared(&device, model)
        };
        // Nobody calls off the reading of a file.
        let map = self.on_device_or_processor((model, compute), |worker, compute| {
            let on_device = compute == Compute::Shared;
            on_device.then(|| there(worker)).transpose()
        });
        if let Ok(Some(map)) = map {
            let states = model.map.state_classifier();
            asked.map = beginning_with_classes(as_tuned(&model.card, map), states);
            asked.view = self.view_on(compute, model);
            asked.compute = compute;
        }
        asked
    }

    /// How a map's states are shown, by decoders that lie there; by those of the processor where they do not fit there.
    pub fn view_on(&mut self, compute: Compute, model: &LoadedImages) -> Arc<PictureView> {
        let view = &model.view;
        if compute == Compute::Cpu || view.decoder().is_none() {
            return view.clone();
        }
        if let Some((of, there)) = &self.wall_memo.on_device.view
            && Arc::ptr_eq(of, view)
        {
            return there.clone();
        }
        let Some(device) = self.painting_device() else {
            return view.clone();
        };
        let watched = self.watch_device();
        let opened = tried(|| {
            let burn = device.burn_device().map_err(gpu_error)?;
            PictureView::open(model.map.config().state(), &model.decoders, &burn)
                .map_err(JobError::Failed)
        });
        match (opened, watched.error()) {
            (Ok(Ok(there)), None) => {
                let there = Arc::new(there);
                self.wall_memo.on_device.view = Some((view.clone(), there.clone()));
                return there;
            }
            (Ok(Err(why)), _) | (_, Some(why)) => self.decode_here(model, &why),
            (Err(_), None) => {}
        }
        view.clone()
    }

    /// States as they are kept, decoded where the map is asked now, or on the processor where that fails.
    pub fn best_of(
        &mut self,
        asked: (&Job, Option<f32>),
        model: &LoadedImages,
        states: &[f32],
    ) -> Result<Vec<f32>, JobError> {
        let mut view = self.view_on(self.images_compute(model), model);
        self.decoded_somewhere(asked, (model, &mut view), states)
    }

    /// What `view` makes of states, and where that one lies on a device that fails, what the map's own does from then on.
    pub fn seen_somewhere(
        &mut self,
        (model, view): (&LoadedImages, &mut Arc<PictureView>),
        seen: impl Fn(&PictureView) -> Vec<f32>,
    ) -> Vec<f32> {
        if !Arc::ptr_eq(view, &model.view) {
            let watched = self.watch_device();
            let made = tried(|| Ok(seen(view)));
            match (made, watched.error()) {
                (Ok(Ok(pictures)), None) => return pictures,
                (Ok(Err(why)), _) | (_, Some(why)) => self.decode_here(model, &why),
                (Err(_), None) => {}
            }
            *view = model.view.clone();
        }
        seen(view)
    }

    /// [`Self::decoded`] by `view`, and where that one lies on a device that fails, by the map's own from then on.
    pub fn decoded_somewhere(
        &mut self,
        (job, fraction): (&Job, Option<f32>),
        (model, view): (&LoadedImages, &mut Arc<PictureView>),
        states: &[f32],
    ) -> Result<Vec<f32>, JobError> {
        if !Arc::ptr_eq(view, &model.view) {
            let watched = self.watch_device();
            let decoded = tried(|| {
                let pictures = self.decoded(job, fraction, view, states)?;
                Ok(pictures.into_owned())
            })?;
            match (decoded, watched.error()) {
                (Ok(pictures), None) => return Ok(pictures),
                (Err(why), _) | (Ok(_), Some(why)) => self.decode_here(model, &why),
            }
            *view = model.view.clone();
        }
        let pictures = self.decoded(job, fraction, view, states)?;
        Ok(pictures.into_owned())
    }

    /// Keeps a map off the shared device, gives back what it took there, and says so.
    pub fn leave_device(&mut self, model: &LoadedImages, why: &str) {
        let is_lost = self.leave_lost_device(why) || self.painting_device().is_none();
        let on_device = &mut self.wall_memo.on_device;
        on_device.refused.insert(model.hash.clone());
        (on_device.map, on_device.view) = (None, None);
        self.give_memory_back();
        let (name, why) = (&model.name, reason(why));
        let again = if is_lost {
            "Restart the program to use the device again"
        } else {
            "Open the map again to try once more"
        };
        self.say_of_pictures(format!(
            "The graphics device could not do it ({why}). {name} goes on with the processor, which is slower. {again}"
        ));
    }

    /// Keeps what decodes a map's latents off the shared device, and says so.
    pub fn decode_here(&mut self, model: &LoadedImages, why: &str) {
        let here = model.view.clone();
        self.wall_memo.on_device.view = Some((here.clone(), here));
        self.give_memory_back();
        let (name, why) = (&model.name, reason(why));
        self.say_of_pictures(format!(
            "The graphics device could not decode ({why}). The pictures of {name} are decoded on the processor, which is slower"
        ));
    }

    /// Lets a map that the device could not take try again.
    pub fn try_again_with(&mut self, model: &LoadedImages) {
        if self.wall_memo.on_device.refused.remove(&model.hash) {
            self.report.pictures = None;
            self.post(Event::Compute(self.report.clone()));
        }
    }

    /// The same for all that it could not take; who calls this tells of it.
    pub fn try_device_again(&mut self) {
        self.wall_memo.on_device.refused.clear();
        self.wall_memo.on_device.view = None;
        self.report.pictures = None;
    }

    fn say_of_pictures(&mut self, text: String) {
        tracing::warn!("{text}");
        self.report.pictures = Some(text);
        self.post(Event::Compute(self.report.clone()));
    }

    /// What burn holds for later use is of no use to anybody who paints.
    fn give_memory_back(&self) {
        let device = self.painting_device();
        if let Some(burn) = device.as_ref().and_then(|device| device.burn.get()) {
            // A device that failed may fail at this too.
            let _ = catch_unwind(AssertUnwindSafe(|| burn.memory_cleanup()));
        }
    }
}

/// The first line of what a driver says, without its end.
pub(super) fn reason(why: &str) -> String {
    let line = why.lines().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or("no reason given").trim();
    shortened(line.trim_end_matches('.'), MOST_REASON)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that takes `room` numbers, and panics on request as drivers do.
    fn on(room: usize, panics: bool) -> impl Fn(Compute, usize) -> Result<Compute, JobError> {
        move |compute, wanted| {
            if compute == Compute::Shared && wanted > room {
                assert!(!panics, "buffer of {wanted} is too large");
                return Err(JobError::Failed(format!("no room for {wanted}")));
            }
            Ok(compute)
        }
    }

    #[test]
    fn what_a_device_cannot_take_is_done_by_the_processor_with_the_reason() {
        for panics in [false, true] {
            let device = on(10, panics);
            let (done, why) = somewhere(Compute::Shared, |compute| device(compute, 10));
            assert!(matches!(done, Ok(Compute::Shared)) && why.is_none());
            let (done, why) = somewhere(Compute::Shared, |compute| device(compute, 11));
            assert!(matches!(done, Ok(Compute::Cpu)));
            assert!(why.unwrap().contains("11"));
            let (done, why) = somewhere(Compute::Cpu, |compute| device(compute, 11));
            assert!(matches!(done, Ok(Compute::Cpu)) && why.is_none());
        }
    }

    #[test]
    fn a_device_is_not_blamed_for_what_is_called_off_or_cannot_be_done_at_all() {
        let mut asked = 0;
        let (done, why) = somewhere(Compute::Shared, |_| {
            asked += 1;
            Err::<(), _>(JobError::Cancelled)
        });
        assert!(matches!(done, Err(JobError::Cancelled)) && why.is_none());
        assert_eq!(asked, 1, "nobody wants it any more");
        let (done, why) = somewhere(Compute::Shared, |_| {
            Err::<(), _>(JobError::Failed("there is no class 77".into()))
        });
        assert!(matches!(done, Err(JobError::Failed(_))) && why.is_none());
    }

    #[test]
    fn a_reason_is_one_line_that_fits() {
        assert_eq!(reason("\nOut of memory.\n  in a buffer"), "Out of memory");
        assert_eq!(reason(" \n"), "no reason given");
        assert!(reason(&"long ".repeat(100)).chars().count() <= MOST_REASON + 1);
    }
}
