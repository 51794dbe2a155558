//! Walls of pictures: the first few soon, the rest after them, each slot with noise of its own that stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lookahead::{ImageQuestion, Source};
use crate::metrics::Counters;
use crate::model::Judged;

use super::images::{LoadedImages, WallAnswer, WallFigures, WallLatents, WallRequest};
use super::images_device::{OnDevice, PaintedDraws};
use super::images_open::Judge;
use super::images_rewards::{RewardMemo, Unscored, WallScores, wall_scores};
use super::images_state::{StateMemo, WallState};
use super::message::{Compute, Event, RequestId, Slot};
use super::picture_view::{PictureView, ShownAs};
use super::worker::{Job, JobError, JobResult, Worker};

/// Pictures are drawn in chunks of about this time: between two the worker looks whether the wall is still wanted.
const CHUNK_TIME: Duration = Duration::from_millis(60);
/// Pictures of the first chunk, when nothing is known of their time, and the fewest and the most.
const FIRST_CHUNK: u32 = 8;
const LEAST_CHUNK: u32 = 4;
const MOST_CHUNK: u32 = 64;
/// Between two answers that grow.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(120);

/// What the next wall may use again.
#[derive(Default)]
pub(super) struct WallMemo {
    /// The last wall, whole or not.
    wall: Option<Drawn>,
    /// The last pictures that a map made.
    pub states: StateMemo,
    /// What was taken to the shared device.
    pub on_device: OnDevice,
    /// Seconds a picture, of a source on a device.
    pace: Option<(Source, Compute, f64)>,
    /// The classifier, once it was asked for, or why it cannot be read.
    judge: Option<([usize; 3], Option<Judge>)>,
}

/// Draws and what they were asked for.
struct Drawn {
    request: Arc<WallRequest>,
    /// As they are shown, `[n][C H W]`.
    pictures: Vec<f32>,
    /// The latents behind them, `[n][c h w]`; empty where the map makes pictures.
    latents: Vec<f32>,
    /// How many of the first are as they are kept.
    decoded: usize,
    painted: PaintedDraws,
    /// Where the last of them were computed.
    compute: Compute,
    judged: Option<Judged>,
    rewards: RewardMemo,
}

impl Drawn {
    fn new(request: &Arc<WallRequest>) -> Self {
        Self {
            request: request.clone(),
            pictures: Vec::new(),
            latents: Vec::new(),
            decoded: 0,
            painted: PaintedDraws::default(),
            compute: Compute::Cpu,
            judged: None,
            rewards: RewardMemo::default(),
        }
    }

    /// How many draws are there.
    fn len(&self) -> usize {
        self.pictures.len() / self.request.model.numbers().max(1)
    }

    /// Puts a draw in its place as it is kept.
    fn set_decoded(&mut self, item: usize, picture: &[f32]) {
        let numbers = picture.len();
        self.pictures[item * numbers..(item + 1) * numbers].copy_from_slice(picture);
        self.decoded = item + 1;
    }
}

impl WallMemo {
    /// How many pictures are drawn between two looks at whether the wall is still wanted. The device compiles each number
    /// anew: powers of two are few.
    fn chunk(&self, source: Source, compute: Compute) -> u32 {
        let pace = self
            .pace
            .filter(|pace| (pace.0, pace.1) == (source, compute));
        let affordable = pace.map_or(f64::from(FIRST_CHUNK), |(.., secs)| {
            CHUNK_TIME.as_secs_f64() / secs.max(1e-6)
        });
        let chunk = (affordable as u32).clamp(LEAST_CHUNK, MOST_CHUNK);
        match compute {
            Compute::Cpu => chunk,
            Compute::Shared => 1 << chunk.max(FIRST_CHUNK).ilog2(),
        }
    }

    /// Learns how long a picture takes.
    fn learn(&mut self, (source, compute): (Source, Compute), pictures: u32, begun: Instant) {
        let secs = begun.elapsed().as_secs_f64() / f64::from(pictures.max(1));
        self.pace = Some((source, compute, secs));
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
        let label = format!("{} pictures, {}", request.draws, request.source.short());
        let job = Job::new(id, Slot::Wall, label);
        let request = Arc::new(request);
        let mut counters = Counters::default();
        let WallState { clean, question } =
            self.wall_state(&job, &request, request.t, &mut counters)?;
        let mut drawn = match self.wall_memo.wall.take() {
            Some(drawn) if drawn.request.same_question(&request) => drawn,
            _ => Drawn::new(&request),
        };
        let result = self.grow((&job, &request), &mut drawn, (clean, &question), counters);
        self.wall_memo.wall = Some(drawn);
        result
    }

    /// Draws what is missing, decodes what is to be decoded, and answers as it goes.
    fn grow(
        &mut self,
        (job, request): (&Job, &Arc<WallRequest>),
        drawn: &mut Drawn,
        (clean, question): (Arc<[f32]>, &ImageQuestion),
        mut counters: Counters,
    ) -> JobResult {
        let model = request.model.clone();
        let numbers = model.numbers();
        let total = request.draws;
        let before = (drawn.len() as u32).min(total);
        let compute = self.wall_compute(request);
        let mut view = self.view_on(compute, &model);
        let x_t: Arc<[f32]> = view.noisy(&question.x_t).into();
        let known = self.wall_memo.states.known(&model.view, &clean);
        let looks: Arc<[f32]> = known.unwrap_or_else(|| {
            let quick = |view: &PictureView| view.quick(&clean).into_owned();
            self.seen_somewhere((&model, &mut view), quick).into()
        });
        let answer = |worker: &Self, drawn: &Drawn, rewarded, counters| {
            let have = drawn.len().min(total as usize);
            let decoded = drawn.decoded.min(have);
            let pictures = drawn.pictures[..have * numbers].to_vec();
            let judged = drawn.judged.as_ref().map(|judged| first(judged, decoded));
            let latents = model.view.is_latent().then(|| WallLatents {
                shape: model.map.config().state(),
                clean: clean.clone(),
                x_t: question.x_t.clone(),
                draws: Arc::new(drawn.latents[..have * model.state_numbers()].to_vec()),
            });
            let known = worker.wall_memo.states.known(&model.view, &clean);
            WallAnswer {
                request: request.clone(),
                clean: known.unwrap_or_else(|| looks.clone()),
                x_t: x_t.clone(),
                figures: WallFigures::new(&pictures, numbers, judged),
                rewarded,
                pictures: Arc::new(pictures),
                latents,
                decoded,
                painted: drawn.painted.clone(),
                compute: drawn.compute,
                complete: decoded == total as usize,
                elapsed: job.started.elapsed(),
                drawn: have as u32 - before,
                counters,
            }
        };
        // What is there already, and the state itself, need not wait for the first draws.
        let rewarded = self.rewarded(job, request, drawn)?;
        let first = answer(self, drawn, rewarded, counters);
        let is_done = first.complete;
        self.post(Event::Wall(job.id, Arc::new(first)));
        let (mut have, mut told) = (before, None::<Instant>);
        while have < total {
            let begun = Instant::now();
            let compute = self.wall_compute(request);
            let next = (have + self.wall_memo.chunk(request.source, compute)).min(total);
            let new = self.new_draws(job, (request, question), have..next, &mut counters)?;
            let compute = new.compute();
            if compute == Compute::Cpu {
                // The device may have failed.
                view = model.view.clone();
            }
            let device = self.painting_device();
            let more = (total - next) as usize;
            drawn.compute = compute;
            if view.is_latent() {
                let quick = |view: &PictureView| view.quick(&new.pictures).into_owned();
                let shown = self.seen_somewhere((&model, &mut view), quick);
                drawn
                    .painted
                    .preview(device.as_deref(), numbers, &shown, more);
                drawn.pictures.extend(&*shown);
                drawn.latents.extend(new.pictures);
            } else {
                new.paint(device.as_deref(), &mut drawn.painted, (numbers, more));
                if let Some(judge) = self.judge(&model) {
                    extend(&mut drawn.judged, judge.judge(&new.pictures));
                }
                drawn.pictures.extend(new.pictures);
                drawn.decoded = next as usize;
            }
            self.wall_memo
                .learn((request.source, compute), next - have, begun);
            have = next;
            if have == total || told.is_none_or(|told| told.elapsed() > BETWEEN_ANSWERS) {
                // A reward that asks networks of others may take long: the pictures are shown before.
                let terms = request.rewarding.reward.terms();
                if terms.iter().any(|t| !t.term.kind().needs.files.is_empty()) {
                    let mut early = answer(self, drawn, None, counters);
                    early.complete = false;
                    self.post(Event::Wall(job.id, Arc::new(early)));
                }
                let rewarded = self.rewarded(job, request, drawn)?;
                let answer = answer(self, drawn, rewarded, counters);
                self.post(Event::Wall(job.id, Arc::new(answer)));
                told = Some(Instant::now());
            }
        }
        if self.wall_memo.states.known(&model.view, &clean).is_none() {
            // After the draws: these are there at once, and this may take seconds.
            let shown = self.decoded_somewhere((job, Some(0.0)), (&model, &mut view), &clean)?;
            let states = &mut self.wall_memo.states;
            states.show(&model.view, &clean, shown.into());
            if is_done {
                let rewarded = self.rewarded(job, request, drawn)?;
                let again = answer(self, drawn, rewarded, counters);
                self.post(Event::Wall(job.id, Arc::new(again)));
            }
        }
        let state = model.state_numbers();
        while drawn.decoded < total as usize {
            let first = drawn.decoded;
            let next = (first + view.at_once()).min(total as usize);
            let latents = &drawn.latents[first * state..next * state];
            let share = Some(first as f32 / total as f32);
            let pictures = self.decoded_somewhere((job, share), (&model, &mut view), latents)?;
            let device = self.painting_device();
            let more = total as usize - next;
            let painted = &mut drawn.painted;
            painted.decode(device.as_deref(), numbers, &pictures, more);
            for (item, picture) in (first..next).zip(pictures.chunks_exact(numbers)) {
                drawn.set_decoded(item, picture);
                // One by one, so that what is said does not depend on how many there are at once.
                if let Some(judge) = self.judge(&model) {
                    extend(&mut drawn.judged, judge.judge(picture));
                }
            }
            let is_last = drawn.decoded == total as usize;
            if is_last || told.is_none_or(|told| told.elapsed() > BETWEEN_ANSWERS) {
                let rewarded = self.rewarded(job, request, drawn)?;
                let answer = answer(self, drawn, rewarded, counters);
                self.post(Event::Wall(job.id, Arc::new(answer)));
                told = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// What the reward says of the draws that are there and wanted; an error when they no longer are.
    fn rewarded(
        &mut self,
        job: &Job,
        request: &WallRequest,
        drawn: &mut Drawn,
    ) -> Result<Option<Result<WallScores, String>>, JobError> {
        if request.rewarding.reward.is_empty() {
            return Ok(None);
        }
        if request.model.view.seen() == ShownAs::FalseColours {
            return Ok(Some(Err(PictureView::UNREWARDED.to_owned())));
        }
        let numbers = request.model.numbers();
        let have = drawn.len().min(request.draws as usize);
        if drawn.decoded < have {
            // Those that wait to be decoded are no pictures yet.
            return Ok(None);
        }
        let pictures = &drawn.pictures[..have * numbers];
        let judge = self.judge(&request.model);
        let shape = request.model.shape();
        let network = judge.map(|judge| judge.network().clone());
        let rewards = &mut drawn.rewards;
        let rewarding = (&request.rewarding, &request.files);
        let mut going = || self.look_up(job, None);
        let scores = rewards.scores(rewarding, shape, network.as_ref(), pictures, &mut going);
        let scores = match scores {
            Ok(Some(scores)) => scores,
            Ok(None) => return Ok(None),
            Err(Unscored::Because(message)) => return Ok(Some(Err(message))),
            Err(Unscored::Stopped) => return Err(JobError::Cancelled),
        };
        let judged = drawn.judged.as_ref().map(|judged| first(judged, have));
        let typical = self.judge(&request.model).and_then(Judge::typical);
        let reward = &request.rewarding.reward;
        Ok(wall_scores(scores, reward, pictures, judged.as_ref(), typical).map(Ok))
    }

    /// The classifier for a map's pictures, read when it is first needed.
    pub fn judge(&mut self, model: &LoadedImages) -> Option<&Judge> {
        let shape = model.shape();
        let read = || {
            let read = Judge::of(shape);
            let judge = read.inspect_err(|e| tracing::error!("the shipped classifier: {e}"));
            (shape, judge.ok().flatten())
        };
        let memo = &mut self.wall_memo.judge;
        if memo.as_ref().is_none_or(|(of, _)| *of != shape) {
            *memo = Some(read());
        }
        let judge = memo.as_ref().and_then(|(_, judge)| judge.as_ref());
        judge.filter(|judge| judge.knows(model))
    }
}
