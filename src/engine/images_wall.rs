//! Walls of pictures: the first few soon, the rest after them, each slot with noise of its own that stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::model::Judged;

use super::images::{LoadedImages, WallAnswer, WallFigures, WallRequest};
use super::images_device::{MapOnDevice, PaintedDraws};
use super::images_open::Judge;
use super::images_rewards::{RewardMemo, Unscored, WallScores, wall_scores};
use super::images_state::{StateMemo, WallState};
use super::message::{Compute, Event, RequestId, Slot};
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
    /// The map on the shared device, once it was asked there.
    pub on_device: MapOnDevice,
    /// Seconds a picture, of a source on a device.
    pace: Option<(Source, Compute, f64)>,
    /// The classifier, once it was asked for, or why it cannot be read.
    judge: Option<Result<Judge, String>>,
}

/// Draws and what they were asked for.
struct Drawn {
    request: Arc<WallRequest>,
    pictures: Vec<f32>,
    painted: PaintedDraws,
    /// Where the last of them were computed.
    compute: Compute,
    judged: Option<Judged>,
    rewards: RewardMemo,
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
        let label = format!("{} pictures, {}", request.draws, request.source);
        let job = Job::new(id, Slot::Wall, label);
        let request = Arc::new(request);
        let mut counters = Counters::default();
        let WallState { clean, question } =
            self.wall_state(&job, &request, request.t, &mut counters)?;
        let mut drawn = match self.wall_memo.wall.take() {
            Some(drawn) if drawn.request.same_question(&request) => drawn,
            _ => Drawn {
                request: request.clone(),
                pictures: Vec::new(),
                painted: PaintedDraws::default(),
                compute: Compute::Cpu,
                judged: None,
                rewards: RewardMemo::default(),
            },
        };
        let numbers = request.model.numbers();
        let before = ((drawn.pictures.len() / numbers) as u32).min(request.draws);
        let answer = |drawn: &Drawn, rewarded, counters| {
            let have = (drawn.pictures.len() / numbers).min(request.draws as usize);
            let pictures = drawn.pictures[..have * numbers].to_vec();
            let judged = drawn.judged.as_ref().map(|judged| first(judged, have));
            WallAnswer {
                request: request.clone(),
                clean: clean.clone(),
                x_t: question.x_t.clone(),
                figures: WallFigures::new(&pictures, numbers, judged),
                rewarded,
                pictures: Arc::new(pictures),
                painted: drawn.painted.clone(),
                compute: drawn.compute,
                complete: have == request.draws as usize,
                elapsed: job.started.elapsed(),
                drawn: have as u32 - before,
                counters,
            }
        };
        // What is there already, and the state itself, need not wait for the first draws.
        match self.rewarded(&job, &request, &mut drawn) {
            Ok(rewarded) => {
                let answer = answer(&drawn, rewarded, counters);
                self.post(Event::Wall(id, Arc::new(answer)));
            }
            Err(stopped) => {
                self.wall_memo.wall = Some(drawn);
                return Err(stopped);
            }
        }
        let (mut have, mut told) = (before, None::<Instant>);
        let total = request.draws;
        let mut result = Ok(());
        while have < total {
            let begun = Instant::now();
            let compute = self.wall_compute(&request);
            let next = (have + self.wall_memo.chunk(request.source, compute)).min(total);
            let new = self.new_draws(&job, (&request, &question), have..next, &mut counters);
            match new {
                Ok(new) => {
                    let device = self.painting_device();
                    let more = (total - next) as usize;
                    new.paint(device.as_deref(), &mut drawn.painted, (numbers, more));
                    drawn.compute = compute;
                    if let Some(judge) = self.judge(&request.model) {
                        extend(&mut drawn.judged, judge.judge(&new.pictures));
                    }
                    drawn.pictures.extend(new.pictures);
                }
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
            self.wall_memo
                .learn((request.source, compute), next - have, begun);
            have = next;
            if have == total || told.is_none_or(|told| told.elapsed() > BETWEEN_ANSWERS) {
                // A reward that asks networks of others may take long: the pictures are shown before.
                let terms = request.rewarding.reward.terms();
                if terms.iter().any(|t| !t.term.kind().needs.files.is_empty()) {
                    let mut early = answer(&drawn, None, counters);
                    early.complete = false;
                    self.post(Event::Wall(id, Arc::new(early)));
                }
                match self.rewarded(&job, &request, &mut drawn) {
                    Ok(rewarded) => {
                        let answer = answer(&drawn, rewarded, counters);
                        self.post(Event::Wall(id, Arc::new(answer)));
                    }
                    Err(stopped) => {
                        result = Err(stopped);
                        break;
                    }
                }
                told = Some(Instant::now());
            }
        }
        self.wall_memo.wall = Some(drawn);
        result
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
        let numbers = request.model.numbers();
        let have = (drawn.pictures.len() / numbers).min(request.draws as usize);
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
        let judge = self.wall_memo.judge.get_or_insert_with(|| {
            Judge::digits()
                .map_err(|e| e.to_string())
                .inspect_err(|e| tracing::error!("the classifier of digits: {e}"))
        });
        judge.as_ref().ok().filter(|judge| judge.knows(model))
    }
}
