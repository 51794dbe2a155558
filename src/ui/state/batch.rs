//! The queue of steered pictures: one entry at a time is with the engine, its pictures go to the gallery.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{
    BatchAnswer, BatchPicture, BatchRequest, Command, LoadedImages, RequestId, Slot,
};
use crate::session::{Batch, BatchEntry, KeptPicture};

use super::{Place, State};

/// What is known of the queue beside the session.
pub struct BatchState {
    /// Seeds of the next entry.
    pub seeds: u32,
    running: Option<Running>,
    /// The map of the last pictures: it may no longer be the one in use.
    model: Option<Arc<LoadedImages>>,
    /// Seconds for each network pass or reward.
    pace: Option<f64>,
    /// Pictures since the queue was last empty.
    made: u32,
    lost: u32,
}

impl Default for BatchState {
    fn default() -> Self {
        Self {
            seeds: 16,
            running: None,
            model: None,
            pace: None,
            made: 0,
            lost: 0,
        }
    }
}

/// The entry that the engine works on.
struct Running {
    id: RequestId,
    entry: u32,
    /// Pictures that were there when it began.
    from: u32,
    /// Pictures of the answer that were taken.
    taken: usize,
}

impl State {
    /// Queues pictures of the settings as they are now.
    pub fn queue_seeds(&mut self) {
        let Some(recipe) = self.recipe_as_set() else {
            return;
        };
        self.remember_world();
        let seeds = self.images.batch.seeds;
        if self.session.images.batch.add(recipe, seeds).is_none() {
            let text = "The queue is full: let it work, or take an entry out first";
            self.notices.error(Place::Program, text);
        }
    }

    /// Lets the queue wait, or go on.
    pub fn pause_batch(&mut self, paused: bool) {
        self.session.images.batch.paused = paused;
        if !paused {
            // What could not be made is tried again.
            for entry in &mut self.session.images.batch.entries {
                if entry.trouble.is_some() {
                    Arc::make_mut(entry).trouble = None;
                }
            }
        }
    }

    /// Moves an entry by a place.
    pub fn shift_in_batch(&mut self, entry: u32, to_front: bool) {
        self.remember_world();
        self.session.images.batch.shift(entry, to_front);
    }

    /// Takes an entry out of the queue. Its pictures that are made stay.
    pub fn cancel_in_batch(&mut self, entry: u32) {
        self.remember_world();
        self.session.images.batch.remove(entry);
    }

    /// Takes all entries out.
    pub fn cancel_batch(&mut self) {
        self.remember_world();
        let last = self.session.images.batch.last;
        self.session.images.batch = Batch {
            last,
            ..Batch::default()
        };
    }

    /// Another session has a queue of its own.
    pub(super) fn close_batch(&mut self) {
        if let Some(running) = self.images.batch.running.take() {
            self.engine.cancel(Slot::Batch);
            self.answered(Slot::Batch, running.id);
        }
    }

    /// Hands the next entry to the engine, unless it is there.
    pub(super) fn tend_batch(&mut self) {
        let batch = &self.session.images.batch;
        let next = batch.next().filter(|_| !batch.paused);
        let running = self.images.batch.running.as_ref();
        if running.map(|running| running.entry) == next.map(|next| next.id) {
            return;
        }
        let next = next.cloned();
        self.close_batch();
        let Some(next) = next else {
            return;
        };
        let hash = &next.recipe.hash;
        let known = [&self.images.model, &self.images.batch.model];
        let model = known
            .into_iter()
            .flatten()
            .find(|m| m.hash == *hash)
            .cloned();
        let request = BatchRequest {
            model,
            numbers: next.done..next.seeds,
            of: next.seeds,
            recipe: next.recipe,
            files: self.scorer_files(),
            decoders: self.decoder_files(),
        };
        let id = self.engine.submit(Command::Batch(request));
        self.asks.note(Slot::Batch, id);
        self.images.batch.running = Some(Running {
            id,
            entry: next.id,
            from: next.done,
            taken: 0,
        });
    }

    pub(super) fn take_batch(&mut self, id: RequestId, answer: &BatchAnswer) {
        let running = self.images.batch.running.as_mut();
        let Some(running) = running.filter(|running| running.id == id) else {
            return;
        };
        let entry = running.entry;
        let new: Vec<Arc<BatchPicture>> = answer.pictures[running.taken..].to_vec();
        running.taken = answer.pictures.len();
        let rows = answer.request.recipe.settings.plan.network_rows() as f64;
        let pictures = answer.pictures.len().max(1) as f64;
        self.images.batch.pace = Some(answer.elapsed.as_secs_f64() / (rows * pictures).max(1.0));
        self.images.batch.model = Some(answer.model.clone());
        for made in new {
            if !self.keep_from_batch(entry, answer, &made) {
                return;
            }
        }
        if answer.complete {
            self.answered(Slot::Batch, id);
            self.images.batch.running = None;
            self.say_batch_done();
        }
    }

    /// Puts a picture of the batch into the gallery; `false` where there is no room, and the queue waits.
    fn keep_from_batch(&mut self, entry: u32, answer: &BatchAnswer, made: &BatchPicture) -> bool {
        let kept = answer.kept(made);
        let images = &mut self.session.images;
        let known = |kept: &KeptPicture| images.kept.iter().any(|k| k.made == kept.made);
        let kept = kept.filter(|kept| !known(kept)).map(Arc::new);
        if kept.as_ref().is_some_and(|kept| !images.has_room_for(kept)) {
            images.batch.paused = true;
            let text = "The Gallery is full, so the queue waits: put pictures away there, then let it go on";
            self.notices.error(Place::Program, text);
            return false;
        }
        self.images.batch.made += u32::from(made.picture.is_some());
        self.images.batch.lost += u32::from(made.picture.is_none());
        images.kept.extend(kept.clone());
        images.batch.advance(entry);
        // It is no edit: undo takes none of it back, and does not make it twice.
        self.history.change_all(|edit| {
            edit.picture.kept.extend(kept.clone());
            edit.picture.batch.advance(entry);
        });
        true
    }

    fn say_batch_done(&mut self) {
        let batch = &mut self.images.batch;
        if self.session.images.batch.next().is_some() {
            return;
        }
        let (made, lost) = (
            std::mem::take(&mut batch.made),
            std::mem::take(&mut batch.lost),
        );
        let pictures = match made {
            1 => "1 picture is".to_owned(),
            n => format!("{n} pictures are"),
        };
        let text = format!("The queue is done: {pictures} in the Gallery");
        if lost > 0 {
            let text = format!(
                "{text}. {lost} more were not finite numbers and are not there: take more steps, or a weaker reward"
            );
            self.notices.error(Place::Program, text);
        } else {
            self.notices.done(Place::Program, text);
        }
    }

    /// An entry cannot be made: the others go on.
    pub(super) fn batch_failed(&mut self, id: RequestId, message: String) {
        let running = self
            .images
            .batch
            .running
            .take_if(|running| running.id == id);
        let Some(running) = running else {
            return;
        };
        let text = format!("An entry of the queue cannot be made. {message}");
        self.notices.error(Place::Program, text);
        self.session.images.batch.fail(running.entry, message);
    }

    /// A person called it off: it waits, and nothing of it is lost.
    pub(super) fn batch_stopped(&mut self, id: RequestId) {
        let running = self
            .images
            .batch
            .running
            .take_if(|running| running.id == id);
        if running.is_some() {
            self.session.images.batch.paused = true;
            let text = "The queue waits. Let it go on, or cancel it, in the Studio or the Gallery.";
            self.notices.done(Place::Program, text);
        }
    }

    /// Whether the engine works on an entry.
    pub fn is_in_work(&self, entry: u32) -> bool {
        let running = self.images.batch.running.as_ref();
        running.is_some_and(|running| running.entry == entry)
    }

    /// Share of an entry that is done, the picture under way included.
    pub fn batch_share(&self, entry: &BatchEntry) -> f32 {
        let whole = entry.seeds.max(1) as f32;
        let done = entry.done as f32 / whole;
        let running = self.images.batch.running.as_ref();
        let progress = self.answers.progress_of(Slot::Batch);
        match (running.filter(|r| r.entry == entry.id), progress) {
            (Some(running), Some(progress)) => {
                let from = running.from as f32 / whole;
                let part = progress.fraction.unwrap_or(0.0);
                (from + (1.0 - from) * part).max(done)
            }
            _ => done,
        }
    }

    /// Time that the queue still takes, as far as it can be told.
    pub fn batch_left(&self) -> Option<Duration> {
        let batch = &self.session.images.batch;
        let pace = self.images.batch.pace;
        let running = self.images.batch.running.as_ref();
        let mut left = 0.0;
        for entry in batch.entries.iter().filter(|entry| entry.trouble.is_none()) {
            let is_running = running.is_some_and(|running| running.entry == entry.id);
            let told = self.answers.progress_of(Slot::Batch).filter(|_| is_running);
            left += match (told.and_then(|told| told.left), pace) {
                (Some(left), _) => left.as_secs_f64(),
                (None, Some(pace)) => pace * entry.rows_left(),
                (None, None) => return None,
            };
        }
        (left > 0.0).then(|| Duration::from_secs_f64(left.min(1e7)))
    }
}
