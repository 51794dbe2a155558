//! Walls of pictures: the first few soon, the rest after them, each slot with noise of its own that stays.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lookahead::{NoiseKey, Source};
use crate::metrics::Counters;
use crate::model::ImageRows;
use crate::process::{Address, Purpose, normal_pairs};
use crate::session::Picture;

use super::images::{Judged, LoadedImages, WallAnswer, WallFigures, WallRequest};
use super::images_open::Judge;
use super::message::{Event, RequestId, Slot};
use super::worker::{Job, JobError, JobResult, Worker};

/// Pictures between two looks at whether the wall is still wanted.
const CHUNK: u32 = 16;
/// Between two answers that grow.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(120);
/// Jumps in which a picture is made from noise.
const GENERATION_STEPS: u32 = 8;

/// What the next wall may use again.
#[derive(Default)]
pub(super) struct WallMemo {
    /// The last wall, whole or not.
    wall: Option<Drawn>,
    /// The last picture that a map made: the map, class and seed, and the picture.
    generated: Option<(Arc<LoadedImages>, Option<u32>, u64, Arc<[f32]>)>,
    /// The classifier, once it was asked for; `None` inside where it cannot be read.
    judge: Option<Option<Judge>>,
}

/// Draws and what they were asked for.
struct Drawn {
    request: Arc<WallRequest>,
    pictures: Vec<f32>,
    probabilities: Vec<f32>,
}

impl Worker {
    pub fn wall(&mut self, id: RequestId, request: WallRequest) -> JobResult {
        let label = format!("{} pictures, {}", request.draws, request.source);
        let job = Job::new(id, Slot::Wall, label);
        let request = Arc::new(request);
        let mut counters = Counters::default();
        let clean = self.clean_picture(&job, &request, &mut counters)?;
        let x_t = noised(&request, &clean);
        let mut drawn = match self.wall_memo.wall.take() {
            Some(drawn) if drawn.request.same_question(&request) => drawn,
            _ => Drawn {
                request: request.clone(),
                pictures: Vec::new(),
                probabilities: Vec::new(),
            },
        };
        let numbers = request.model.numbers();
        let before = ((drawn.pictures.len() / numbers) as u32).min(request.draws);
        let answer = |drawn: &Drawn, classes: Option<usize>, counters| {
            let have = (drawn.pictures.len() / numbers).min(request.draws as usize);
            let pictures = drawn.pictures[..have * numbers].to_vec();
            let judged = classes.map(|classes| {
                Judged::new(drawn.probabilities[..have * classes].to_vec(), classes)
            });
            WallAnswer {
                request: request.clone(),
                clean: clean.clone(),
                x_t: x_t.clone(),
                figures: WallFigures::new(&pictures, numbers, judged),
                pictures: Arc::new(pictures),
                complete: have == request.draws as usize,
                elapsed: job.started.elapsed(),
                drawn: have as u32 - before,
                counters,
            }
        };
        let classes = self.judge(&request.model).map(Judge::classes);
        // What is there already, and the state itself, need not wait for the first draws.
        self.post(Event::Wall(id, Arc::new(answer(&drawn, classes, counters))));
        let (mut have, mut told) = (before, None::<Instant>);
        let mut result = Ok(());
        while have < request.draws {
            let next = (have + CHUNK).min(request.draws);
            let total = request.draws;
            let mut watch = |share: f32| {
                let done = have as f32 + share * (next - have) as f32;
                self.look_up(&job, done / total as f32)
            };
            match draw(&request, &x_t, have..next, &mut counters, &mut watch) {
                Ok(pictures) => {
                    if let Some(judge) = self.judge(&request.model) {
                        drawn.probabilities.extend(judge.probabilities(&pictures));
                    }
                    drawn.pictures.extend(pictures);
                }
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
            have = next;
            if have == request.draws || told.is_none_or(|told| told.elapsed() > BETWEEN_ANSWERS) {
                let grown = answer(&drawn, classes, counters);
                self.post(Event::Wall(id, Arc::new(grown)));
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
                .inspect_err(|e| tracing::error!("the classifier of digits: {e}"))
                .ok()
        });
        judge.as_ref().filter(|judge| judge.knows(model))
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
        if let Some((of, class, kept_seed, picture)) = &self.wall_memo.generated
            && Arc::ptr_eq(of, model)
            && (*class, *kept_seed) == (request.class, seed)
        {
            return Ok(picture.clone());
        }
        let mut watch = |_| self.look_up(job, None);
        let picture: Arc<[f32]> =
            generate(model, request.class, seed, counters, &mut watch)?.into();
        self.wall_memo.generated = Some((model.clone(), request.class, seed, picture.clone()));
        Ok(picture)
    }
}

/// `x_t = (1 - t) noise + t picture`.
fn noised(request: &WallRequest, clean: &[f32]) -> Arc<[f32]> {
    let t = request.t as f32;
    let mut x_t = normals(
        Address::new(request.noise, Purpose::Scene, 0),
        0..1,
        clean.len(),
    );
    for (x, clean) in x_t.iter_mut().zip(clean) {
        *x = (1.0 - t) * *x + t * clean;
    }
    x_t.into()
}

/// Standard normals `[items][numbers]`; those of an item do not depend on the range.
fn normals(address: Address, items: Range<u32>, numbers: usize) -> Vec<f32> {
    let pairs = numbers.div_ceil(2);
    let mut buffer = vec![[0.0; 2]; pairs];
    let mut out = Vec::with_capacity(items.len() * numbers);
    for item in items {
        normal_pairs(address, item as usize * pairs, &mut buffer);
        out.extend(buffer.as_flattened().iter().take(numbers));
    }
    out
}

/// Draws `items` of the wall, `[items][C H W]`.
fn draw(
    request: &WallRequest,
    x_t: &[f32],
    items: Range<u32>,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Vec<f32>, JobError> {
    let key = NoiseKey {
        seed: request.seed,
        state: 0,
    };
    let model = &request.model;
    let class = request.class.filter(|_| request.tell_class);
    let guidance = if class.is_some() {
        request.guidance
    } else {
        1.0
    };
    let address = key.address(Purpose::PosteriorDraw, 0);
    let noise = normals(address, items, model.numbers());
    let steps = match request.source {
        Source::KStep(steps) => steps,
        _ => 1,
    };
    let state = (request.t as f32, x_t);
    jumps(
        model,
        noise,
        state,
        (class, guidance),
        steps,
        counters,
        watch,
    )
}

/// A picture that the map makes from noise.
fn generate(
    model: &LoadedImages,
    class: Option<u32>,
    seed: u64,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Vec<f32>, JobError> {
    let noise = normals(Address::new(seed, Purpose::Prior, 0), 0..1, model.numbers());
    let guidance = model.guidance_scales().last().copied().unwrap_or(1.0);
    let guidance = if class.is_some() { guidance } else { 1.0 };
    let nothing = vec![0.0; model.numbers()];
    let steps = GENERATION_STEPS;
    let state = (0.0, nothing.as_slice());
    jumps(
        model,
        noise,
        state,
        (class, guidance),
        steps,
        counters,
        watch,
    )
}

/// Carries `x`, `[n][C H W]`, from 0 to 1 in so many jumps under one state.
fn jumps(
    model: &LoadedImages,
    mut x: Vec<f32>,
    (t, x_t): (f32, &[f32]),
    (class, guidance): (Option<u32>, f32),
    steps: u32,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Vec<f32>, JobError> {
    let n = x.len() / model.numbers();
    let seen = if t > 0.0 {
        x_t.repeat(n)
    } else {
        vec![0.0; x.len()]
    };
    let mut v = vec![0.0; x.len()];
    for step in 0..steps {
        if !watch(step as f32 / steps as f32) {
            return Err(JobError::Cancelled);
        }
        let (s, u) = (step as f32 / steps as f32, (step + 1) as f32 / steps as f32);
        let rows = ImageRows {
            s: &vec![s; n],
            u: &vec![u; n],
            x: &x,
            t: &vec![t; n],
            x_t: &seen,
            label: &vec![model.label(class); n],
            guidance: &vec![guidance; n],
        };
        model.map.average_velocity(&rows, &mut v);
        for (x, v) in x.iter_mut().zip(&v) {
            *x += (u - s) * v;
        }
        counters.network_forward += n as u64;
    }
    Ok(x)
}
