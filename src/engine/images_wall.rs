//! Walls of pictures: the first few soon, the rest after them, each slot with noise of its own that stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lookahead::{
    ImageQuestion, ImageSampler, NoiseKey, Source, draw_images, generate_images, noised_image,
};
use crate::metrics::Counters;
use crate::model::Judged;
use crate::session::Picture;

use super::images::{LoadedImages, WallAnswer, WallFigures, WallRequest};
use super::images_open::Judge;
use super::message::{Event, RequestId, Slot};
use super::worker::{Job, JobError, JobResult, Worker};

/// Pictures are drawn in chunks of about this time: between two the worker looks whether the wall is still wanted.
const CHUNK_TIME: Duration = Duration::from_millis(60);
/// Pictures of the first chunk, when nothing is known of their time, and the fewest and the most.
const FIRST_CHUNK: u32 = 8;
const LEAST_CHUNK: u32 = 4;
const MOST_CHUNK: u32 = 64;
/// Between two answers that grow.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(120);
/// Jumps in which a picture is made from noise.
const GENERATION_STEPS: u32 = 8;
/// Steps of a tuned velocity's ODE, which has no jumps.
const ODE_STEPS: u32 = 32;

/// What the next wall may use again.
#[derive(Default)]
pub(super) struct WallMemo {
    /// The last wall, whole or not.
    wall: Option<Drawn>,
    /// The last picture that a map made.
    generated: Option<Generated>,
    /// Seconds a picture, of a source.
    pace: Option<(Source, f64)>,
    /// The classifier, once it was asked for, or why it cannot be read.
    judge: Option<Result<Judge, String>>,
}

/// A picture that a map made of a class, by the seed of its noise.
struct Generated {
    by: Arc<LoadedImages>,
    class: Option<u32>,
    seed: u64,
    picture: Arc<[f32]>,
}

/// Draws and what they were asked for.
struct Drawn {
    request: Arc<WallRequest>,
    pictures: Vec<f32>,
    judged: Option<Judged>,
}

impl WallMemo {
    /// How many pictures are drawn between two looks at whether the wall is still wanted.
    fn chunk(&self, source: Source) -> u32 {
        let pace = self.pace.filter(|(of, _)| *of == source);
        let affordable = pace.map_or(f64::from(FIRST_CHUNK), |(_, secs)| {
            CHUNK_TIME.as_secs_f64() / secs.max(1e-6)
        });
        (affordable as u32).clamp(LEAST_CHUNK, MOST_CHUNK)
    }

    /// Learns how long a picture takes.
    fn learn(&mut self, source: Source, pictures: u32, begun: Instant) {
        let secs = begun.elapsed().as_secs_f64() / f64::from(pictures.max(1));
        self.pace = Some((source, secs));
    }
}

/// The first pictures of what was judged.
fn first(judged: &Judged, count: usize) -> Judged {
    Judged {
        probabilities: judged.probabilities[..count * judged.classes].to_vec(),
        features: judged.features[..count * judged.width].to_vec(),
        ..*judged
    }
}

fn extend(judged: &mut Option<Judged>, more: Judged) {
    match judged {
        Some(judged) => {
            judged.probabilities.extend(more.probabilities);
            judged.features.extend(more.features);
        }
        None => *judged = Some(more),
    }
}

impl Worker {
    pub fn wall(&mut self, id: RequestId, request: WallRequest) -> JobResult {
        let label = format!("{} pictures, {}", request.draws, request.source);
        let job = Job::new(id, Slot::Wall, label);
        let request = Arc::new(request);
        let mut counters = Counters::default();
        let clean = self.clean_picture(&job, &request, &mut counters)?;
        let question = question(&request, &clean);
        let mut drawn = match self.wall_memo.wall.take() {
            Some(drawn) if drawn.request.same_question(&request) => drawn,
            _ => Drawn {
                request: request.clone(),
                pictures: Vec::new(),
                judged: None,
            },
        };
        let key = NoiseKey {
            seed: request.seed,
            state: 0,
        };
        let numbers = request.model.numbers();
        let before = ((drawn.pictures.len() / numbers) as u32).min(request.draws);
        let answer = |drawn: &Drawn, counters| {
            let have = (drawn.pictures.len() / numbers).min(request.draws as usize);
            let pictures = drawn.pictures[..have * numbers].to_vec();
            let judged = drawn.judged.as_ref().map(|judged| first(judged, have));
            WallAnswer {
                request: request.clone(),
                clean: clean.clone(),
                x_t: question.x_t.clone(),
                figures: WallFigures::new(&pictures, numbers, judged),
                pictures: Arc::new(pictures),
                complete: have == request.draws as usize,
                elapsed: job.started.elapsed(),
                drawn: have as u32 - before,
                counters,
            }
        };
        // What is there already, and the state itself, need not wait for the first draws.
        self.post(Event::Wall(id, Arc::new(answer(&drawn, counters))));
        let (mut have, mut told) = (before, None::<Instant>);
        let total = request.draws;
        let mut result = Ok(());
        while have < total {
            let begun = Instant::now();
            let next = (have + self.wall_memo.chunk(request.source)).min(total);
            let mut watch = |share: f32| {
                let done = have as f32 + share * (next - have) as f32;
                self.look_up(&job, done / total as f32)
            };
            let (map, source) = (&*request.model.map, request.source);
            let new = draw_images(
                map,
                source,
                &question,
                key,
                have..next,
                &mut counters,
                &mut watch,
            );
            match new {
                Ok(pictures) => {
                    if let Some(judge) = self.judge(&request.model) {
                        extend(&mut drawn.judged, judge.judge(&pictures));
                    }
                    drawn.pictures.extend(pictures);
                }
                Err(e) => {
                    result = Err(e.into());
                    break;
                }
            }
            self.wall_memo.learn(request.source, next - have, begun);
            have = next;
            if have == total || told.is_none_or(|told| told.elapsed() > BETWEEN_ANSWERS) {
                self.post(Event::Wall(id, Arc::new(answer(&drawn, counters))));
                told = Some(Instant::now());
            }
        }
        self.wall_memo.wall = Some(drawn);
        result
    }

    /// The classifier for a map's pictures, read when it is first needed.
    fn judge(&mut self, model: &LoadedImages) -> Option<&Judge> {
        let judge = self.wall_memo.judge.get_or_insert_with(|| {
            Judge::digits()
                .map_err(|e| e.to_string())
                .inspect_err(|e| tracing::error!("the classifier of digits: {e}"))
        });
        judge.as_ref().ok().filter(|judge| judge.knows(model))
    }

    /// The picture behind `x_t`.
    fn clean_picture(
        &mut self,
        job: &Job,
        request: &WallRequest,
        counters: &mut Counters,
    ) -> Result<Arc<[f32]>, JobError> {
        let model = &request.model;
        let seed = match &request.picture {
            Picture::Generated { seed } => *seed,
            Picture::Stored { picture, .. } if picture.fits(model.shape()) => {
                return Ok(picture.values().into());
            }
            Picture::Stored { picture, .. } => {
                let [c, h, w] = model.shape();
                return Err(JobError::Failed(format!(
                    "The picture has {} channels of {} x {}, but {} makes pictures of {c} channels of {h} x {w}. Choose another picture",
                    picture.channels, picture.side, picture.side, model.name
                )));
            }
        };
        if let Some(last) = &self.wall_memo.generated
            && Arc::ptr_eq(&last.by, model)
            && (last.class, last.seed) == (request.class, seed)
        {
            return Ok(last.picture.clone());
        }
        let guidance = model.guidance_scales().last().copied().unwrap_or(1.0);
        let asked = (
            &[model.label(request.class)][..],
            request.class.map_or(1.0, |_| guidance),
        );
        let noise = NoiseKey { seed, state: 0 };
        let mut watch = |_| self.look_up(job, None);
        let picture: Arc<[f32]> = generate_images(
            &*model.map,
            sampler(model),
            asked,
            noise,
            0,
            counters,
            &mut watch,
        )?
        .into();
        self.wall_memo.generated = Some(Generated {
            by: model.clone(),
            class: request.class,
            seed,
            picture: picture.clone(),
        });
        Ok(picture)
    }
}

/// How a picture is made: a tuned velocity has no draws, and follows its ODE.
fn sampler(model: &LoadedImages) -> ImageSampler {
    if model.map.has_jumps() {
        ImageSampler::Kernel(GENERATION_STEPS)
    } else {
        ImageSampler::Flow(ODE_STEPS)
    }
}

/// The state and the way in which its futures are asked for.
fn question(request: &WallRequest, clean: &[f32]) -> ImageQuestion {
    let noise = NoiseKey {
        seed: request.noise,
        state: 0,
    };
    let class = request.class.filter(|_| request.tell_class);
    ImageQuestion {
        t: request.t,
        x_t: noised_image(clean, request.t, noise).into(),
        label: request.model.label(class),
        guidance: class.map_or(1.0, |_| request.guidance),
    }
}
