//! Walls where they are painted from: draws computed on the shared device stay there, draws of the processor are
//! uploaded once.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::checkpoint::{inspect, read_image_map, read_shipped_image_map_on};
use crate::gpu::{PictureBuffer, SharedDevice};
use crate::lookahead::{ImageQuestion, NoiseKey, draw_images, draw_images_on_device};
use crate::metrics::Counters;
use crate::model::BurnImageMap;
use crate::session::ComputeChoice;

use super::draws::gpu_error;
use super::images::{LoadedImages, WallRequest};
use super::message::Compute;
use super::worker::{Job, JobError, Worker};

/// Draws that follow one another, in the buffers that they are painted from.
#[derive(Clone, Debug, Default)]
pub struct PaintedDraws {
    /// Each with how many of its pictures are there.
    parts: Vec<(PictureBuffer, usize)>,
}

impl PaintedDraws {
    /// How many are there.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.1).sum()
    }

    /// Whether none is there: without a graphics device none ever is.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The buffer of draw `item`, and which of its pictures it is.
    pub fn place(&self, item: usize) -> Option<(&PictureBuffer, u32)> {
        let mut at = item;
        for (buffer, count) in &self.parts {
            if at < *count {
                return Some((buffer, at as u32));
            }
            at -= count;
        }
        None
    }

    /// Appends draws that lie on the device.
    fn push(&mut self, buffer: PictureBuffer, count: usize) {
        self.parts.push((buffer, count));
    }

    /// Appends draws of the processor, `[n][numbers]`; `more` are still to come.
    fn upload(&mut self, device: &SharedDevice, numbers: usize, pictures: &[f32], more: usize) {
        let mut rest = pictures;
        while !rest.is_empty() {
            let has_room = self.parts.last().is_some_and(|(b, count)| *count < b.len());
            if !has_room {
                let wanted = rest.len() / numbers + more;
                let room = PictureBuffer::room(device, numbers, wanted);
                self.parts.push((room, 0));
            }
            let Some((buffer, count)) = self.parts.last_mut() else {
                return;
            };
            let fits = (buffer.len() - *count).min(rest.len() / numbers);
            if fits == 0 {
                return;
            }
            let (now, later) = rest.split_at(fits * numbers);
            buffer.write(device, *count, now);
            *count += fits;
            rest = later;
        }
    }
}

/// New draws of a wall.
pub(super) struct NewDraws {
    /// `[n][C H W]`.
    pub pictures: Vec<f32>,
    /// The same on the device, where they were computed there.
    pub on_device: Option<PictureBuffer>,
}

impl NewDraws {
    /// Puts them where they are painted from; `more` are still to come.
    pub fn paint(
        &self,
        device: Option<&SharedDevice>,
        painted: &mut PaintedDraws,
        (numbers, more): (usize, usize),
    ) {
        match (&self.on_device, device) {
            (Some(buffer), _) => painted.push(buffer.clone(), self.pictures.len() / numbers),
            (None, Some(device)) => painted.upload(device, numbers, &self.pictures, more),
            (None, None) => {}
        }
    }
}

/// The last map that was taken to the shared device, by the hash of its file.
#[derive(Default)]
pub(super) struct MapOnDevice(Option<(String, Arc<BurnImageMap>)>);

impl Worker {
    /// Where the draws of a wall are computed now. The device that is measured to be faster for points says nothing of
    /// pictures: only a person's choice takes them off the processor.
    pub fn wall_compute(&self, request: &WallRequest) -> Compute {
        let chosen = self.choice == ComputeChoice::Shared && self.report.active == Compute::Shared;
        // What the map cannot be asked, the processor's path refuses.
        let possible = request.model.map.has_jumps() || !request.source.needs_model();
        if chosen && possible && self.painting_device().is_some() {
            Compute::Shared
        } else {
            Compute::Cpu
        }
    }

    /// The device that pictures are painted on, while it works.
    pub fn painting_device(&self) -> Option<Arc<SharedDevice>> {
        let device = self.device.as_ref()?;
        device.device_lost().is_none().then(|| device.clone())
    }

    /// Draws `items` on the device that was chosen, or on the processor where that one fails.
    pub fn new_draws(
        &mut self,
        job: &Job,
        (request, question): (&WallRequest, &ImageQuestion),
        items: Range<u32>,
        counters: &mut Counters,
    ) -> Result<NewDraws, JobError> {
        if self.wall_compute(request) == Compute::Shared {
            // wgpu panics in places where the device is gone.
            let drawn = catch_unwind(AssertUnwindSafe(|| {
                self.draws_on_shared(job, (request, question), items.clone(), counters)
            }));
            match drawn {
                Ok(Err(JobError::Failed(why))) => {
                    if !self.leave_lost_device(&why) {
                        self.fall_back(format!("{why}; the processor goes on"));
                    }
                }
                Err(_) if self.leave_lost_device("it failed while drawing") => {}
                Ok(other) => return other,
                Err(panic) => resume_unwind(panic),
            }
        }
        let key = key_of(request);
        let total = request.draws.max(1) as f32;
        let mut watch = |share: f32| {
            let done = items.start as f32 + share * items.len() as f32;
            self.look_up(job, done / total)
        };
        let (map, source) = (&*request.model.map, request.source);
        let items = items.clone();
        let pictures = draw_images(map, source, question, key, items, counters, &mut watch)?;
        Ok(NewDraws {
            pictures,
            on_device: None,
        })
    }

    /// Draws that are painted from the memory that they were computed in. Their numbers are read back beside that, for
    /// the classifier and for files.
    fn draws_on_shared(
        &mut self,
        job: &Job,
        (request, question): (&WallRequest, &ImageQuestion),
        items: Range<u32>,
        counters: &mut Counters,
    ) -> Result<NewDraws, JobError> {
        let Some(device) = self.painting_device() else {
            return Err(JobError::Failed("the graphics device was lost".into()));
        };
        let map = self.map_on_shared(&device, &request.model)?;
        let total = request.draws.max(1) as f32;
        let count = items.len();
        let first = items.start as f32;
        let tensor = draw_images_on_device(
            &map,
            request.source,
            question,
            key_of(request),
            items,
            counters,
            &mut |share| self.look_up(job, (first + share * count as f32) / total),
        )?;
        let buffer = PictureBuffer::from_tensor(tensor, &device).map_err(gpu_error)?;
        let pictures = buffer.read(&device, count).map_err(gpu_error)?;
        Ok(NewDraws {
            pictures,
            on_device: Some(buffer),
        })
    }

    /// The map on the shared device, read again from where it came from when it is first asked there.
    fn map_on_shared(
        &mut self,
        device: &SharedDevice,
        model: &LoadedImages,
    ) -> Result<Arc<BurnImageMap>, JobError> {
        if let Some((hash, map)) = &self.wall_memo.on_device.0
            && *hash == model.hash
        {
            return Ok(map.clone());
        }
        let burn = device.burn_device().map_err(gpu_error)?;
        let failed = |e: crate::checkpoint::CheckpointError| JobError::Failed(e.to_string());
        let (_, network) = match &model.path {
            None => read_shipped_image_map_on(&burn).map_err(failed)?,
            Some(path) => {
                if inspect(path).map_err(failed)?.hash != model.hash {
                    return Err(JobError::Failed(format!(
                        "{}: the file has changed since it was opened. Open it again",
                        path.display()
                    )));
                }
                read_image_map(path, &burn).map_err(failed)?
            }
        };
        let map = Arc::new(BurnImageMap::new(network, &burn));
        self.wall_memo.on_device.0 = Some((model.hash.clone(), map.clone()));
        Ok(map)
    }
}

/// The root of the draws' noise.
pub(super) fn key_of(request: &WallRequest) -> NoiseKey {
    NoiseKey {
        seed: request.seed,
        state: 0,
    }
}
