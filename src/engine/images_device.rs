//! Walls where they are painted from: draws computed on the shared device stay there, draws of the processor are
//! uploaded once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::checkpoint::{inspect, read_image_map_in, read_shipped_image_map_on};
use crate::gpu::{PictureBuffer, SharedDevice};
use crate::lookahead::{ImageQuestion, NoiseKey, draw_images, draw_images_on_device};
use crate::metrics::Counters;
use crate::model::{BurnImageMap, Precision};
use crate::session::ComputeChoice;

use super::draws::gpu_error;
use super::images::{LoadedImages, WallRequest};
use super::message::Compute;
use super::picture_view::PictureView;
use super::worker::{Job, JobError, Worker};

/// Draws that follow one another, in the buffers that they are painted from.
#[derive(Clone, Debug, Default)]
pub struct PaintedDraws {
    /// Each with how many of its pictures are there.
    parts: Vec<(PictureBuffer, usize)>,
    /// The first of them once they are decoded, alike: painted instead.
    decoded: Vec<(PictureBuffer, usize)>,
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
        let of = |parts: &'_ [(PictureBuffer, usize)]| {
            let mut at = item;
            parts
                .iter()
                .position(|(_, count)| {
                    let here = at < *count;
                    at -= if here { 0 } else { *count };
                    here
                })
                .map(|part| (part, at as u32))
        };
        let (parts, (part, at)) = match of(&self.decoded) {
            Some(found) => (&self.decoded, found),
            None => (&self.parts, of(&self.parts)?),
        };
        Some((&parts[part].0, at))
    }

    /// Appends draws that lie on the device.
    fn push(&mut self, buffer: PictureBuffer, count: usize) {
        self.parts.push((buffer, count));
    }

    /// Appends what is shown of draws until they are decoded, `[n][numbers]`; `more` are still to come.
    pub(super) fn preview(
        &mut self,
        device: Option<&SharedDevice>,
        numbers: usize,
        pictures: &[f32],
        more: usize,
    ) {
        if let Some(device) = device {
            upload(&mut self.parts, device, (numbers, more), pictures);
        }
    }

    /// The next draws, decoded, `[n][numbers]`; `more` are still to come.
    pub(super) fn decode(
        &mut self,
        device: Option<&SharedDevice>,
        numbers: usize,
        pictures: &[f32],
        more: usize,
    ) {
        if let Some(device) = device {
            upload(&mut self.decoded, device, (numbers, more), pictures);
        }
    }
}

/// Appends pictures of the processor, `[n][numbers]`; `more` are still to come.
fn upload(
    parts: &mut Vec<(PictureBuffer, usize)>,
    device: &SharedDevice,
    (numbers, more): (usize, usize),
    pictures: &[f32],
) {
    let mut rest = pictures;
    while !rest.is_empty() {
        let has_room = parts.last().is_some_and(|(b, count)| *count < b.len());
        if !has_room {
            let wanted = rest.len() / numbers + more;
            parts.push((PictureBuffer::room(device, numbers, wanted), 0));
        }
        let Some((buffer, count)) = parts.last_mut() else {
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

/// New draws of a wall.
pub(super) struct NewDraws {
    /// The states, `[n][c h w]`: pictures, or latents.
    pub pictures: Vec<f32>,
    /// The same on the device, where they were computed there.
    pub on_device: Option<PictureBuffer>,
}

impl NewDraws {
    /// Where they were computed.
    pub fn compute(&self) -> Compute {
        match self.on_device {
            Some(_) => Compute::Shared,
            None => Compute::Cpu,
        }
    }

    /// Puts them where they are painted from; `more` are still to come.
    pub fn paint(
        &self,
        device: Option<&SharedDevice>,
        painted: &mut PaintedDraws,
        (numbers, more): (usize, usize),
    ) {
        match (&self.on_device, device) {
            (Some(buffer), _) => painted.push(buffer.clone(), self.pictures.len() / numbers),
            (None, device) => painted.preview(device, numbers, &self.pictures, more),
        }
    }
}

/// Draws of a wall that are made together, wherever that is.
#[derive(Clone)]
struct Portion<'a> {
    request: &'a WallRequest,
    question: &'a ImageQuestion,
    /// Which draws.
    items: Range<u32>,
}

impl Portion<'_> {
    /// Share of the wall that is there once `share` of this is.
    fn of_wall(&self, share: f32) -> f32 {
        let done = self.items.start as f32 + share * self.items.len() as f32;
        done / self.request.draws.max(1) as f32
    }
}

/// What was taken to the shared device last.
#[derive(Default)]
pub(super) struct OnDevice {
    /// A map, by the hash of its file.
    pub map: Option<(String, Arc<BurnImageMap>)>,
    /// Decoders, by those of the processor; these themselves where the device could not take them.
    pub view: Option<(Arc<PictureView>, Arc<PictureView>)>,
    /// Hashes of maps that the device could not take.
    pub refused: BTreeSet<String>,
}

/// A map of so many weights is asked on a graphics chip where nobody said otherwise.
const LARGE: u64 = 50_000_000;

impl Worker {
    /// Where a map of pictures is asked. The device that is measured to be faster for points says nothing of pictures:
    /// small maps leave the processor only by a person's choice.
    pub fn images_compute(&self, model: &LoadedImages) -> Compute {
        let Some(device) = self.painting_device() else {
            return Compute::Cpu;
        };
        if self.wall_memo.on_device.refused.contains(&model.hash) {
            return Compute::Cpu;
        }
        let chosen = match self.choice {
            ComputeChoice::Shared => self.report.active == Compute::Shared,
            ComputeChoice::Auto => model.parameters >= LARGE && !device.info.is_software,
            ComputeChoice::Cpu => false,
        };
        if chosen {
            Compute::Shared
        } else {
            Compute::Cpu
        }
    }

    /// Where the draws of a wall are computed now.
    pub fn wall_compute(&self, request: &WallRequest) -> Compute {
        // What the map cannot be asked, the processor's path refuses.
        let possible = request.model.map.has_jumps() || !request.source.needs_model();
        if possible {
            self.images_compute(&request.model)
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
        asked: (&WallRequest, &ImageQuestion),
        items: Range<u32>,
        counters: &mut Counters,
    ) -> Result<NewDraws, JobError> {
        let (request, question) = asked;
        let portion = Portion {
            request,
            question,
            items,
        };
        let compute = self.wall_compute(request);
        let before = *counters;
        self.on_device_or_processor((&request.model, compute), |worker, compute| {
            // What failed on the way was nobody's draw.
            *counters = before;
            match compute {
                Compute::Shared => worker.draws_on_shared(job, &portion, counters),
                Compute::Cpu => worker.draws_on_processor(job, &portion, counters),
            }
        })
    }

    fn draws_on_processor(
        &mut self,
        job: &Job,
        portion: &Portion<'_>,
        counters: &mut Counters,
    ) -> Result<NewDraws, JobError> {
        let Portion {
            request,
            question,
            items,
        } = portion.clone();
        let share_of = |share: f32| Some(portion.of_wall(share));
        let (key, source) = (key_of(request), request.source);
        let (map, question) = (request.model.map.clone(), question.clone());
        let pictures = self.drawn_beside(job, share_of, counters, move |counters, watch| {
            draw_images(&*map, source, &question, key, items, counters, watch)
        })?;
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
        portion: &Portion<'_>,
        counters: &mut Counters,
    ) -> Result<NewDraws, JobError> {
        let Some(device) = self.painting_device() else {
            return Err(JobError::Failed("the graphics device was lost".into()));
        };
        let map = self.map_on_shared(&device, &portion.request.model)?;
        let states = portion.request.model.map.state_classifier();
        let tensor = draw_images_on_device(
            (&map, states.map(Arc::as_ref)),
            portion.request.source,
            portion.question,
            key_of(portion.request),
            portion.items.clone(),
            counters,
            &mut |share| self.look_up(job, portion.of_wall(share)),
        )?;
        let buffer = PictureBuffer::from_tensor(tensor, &device).map_err(gpu_error)?;
        let pictures = buffer
            .read(&device, portion.items.len())
            .map_err(gpu_error)?;
        Ok(NewDraws {
            pictures,
            on_device: Some(buffer),
        })
    }

    /// The map on the shared device, read again from where it came from when it is first asked there.
    pub(super) fn map_on_shared(
        &mut self,
        device: &SharedDevice,
        model: &LoadedImages,
    ) -> Result<Arc<BurnImageMap>, JobError> {
        if let Some((hash, map)) = &self.wall_memo.on_device.map
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
                let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
                let keeps = Precision::of_weights(bytes, !device.info.is_software, &burn);
                read_image_map_in(path, &burn, keeps).map_err(failed)?
            }
        };
        let map = Arc::new(BurnImageMap::new(network, &burn));
        self.wall_memo.on_device.map = Some((model.hash.clone(), map.clone()));
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
