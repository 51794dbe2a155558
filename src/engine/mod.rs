//! The worker: commands in, events out, latest-wins, cancel, progress. Must not know egui.
//!
//! One operating-system thread owns all work on models and tensors. The window submits
//! [`Command`]s, which never blocks, and drains [`Event`]s once a frame. Each [`Slot`] holds one
//! waiting request: a newer one replaces it and cancels the one that runs. Long jobs look up
//! between network calls: they stop when they are no longer wanted, and let more urgent requests
//! go first. Training has a thread of its own, told what to do by [`TrainCommand`]s.

mod batch;
#[cfg(test)]
mod batch_tests;
mod budget;
mod calibrate;
mod decoding;
mod diversity;
mod draws;
mod images;
mod images_curves;
mod images_device;
mod images_export;
mod images_fallback;
mod images_groups;
mod images_more;
#[cfg(test)]
mod images_more_tests;
mod images_open;
mod images_rewards;
mod images_state;
#[cfg(test)]
mod images_tests;
mod images_wall;
#[cfg(test)]
mod latents_tests;
mod mailbox;
mod memory;
mod message;
mod open;
mod outbox;
mod picture_view;
mod plain;
mod scene;
mod scorers;
mod scores;
mod stats;
mod steer_message;
mod steered;
mod steering;
mod studio;
mod studio_film;
mod studio_kept;
#[cfg(test)]
mod studio_left_tests;
mod studio_message;
mod studio_preview;
mod studio_rows;
mod studio_runs;
mod studio_seen;
#[cfg(test)]
mod studio_tests;
mod told;
mod trace;
mod training;
mod training_curve;
mod training_learner;
mod training_message;
mod training_picture_learner;
mod training_picture_run;
#[cfg(test)]
mod training_picture_tests;
mod training_pictures;
mod training_run;
#[cfg(test)]
mod training_tests;
mod training_tuned;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::gpu::SharedDevice;
use crate::session::ComputeChoice;

pub use batch::{BatchAnswer, BatchPicture, BatchRequest};
pub use diversity::DIVERSITY_TIMES;
pub use draws::write_draws;
pub use images::{LoadedImages, WallAnswer, WallFigures, WallLatents, WallRequest};
pub use images_curves::IMAGE_CURVE_TIMES;
pub use images_device::PaintedDraws;
pub use images_export::write_arrays;
pub use images_more::*;
pub use images_open::{OpenImages, typical_digits};
pub use images_rewards::{SecondKind, SecondScore, WallScores, second_scores, wall_scores};
pub use memory::{memory_of_judges, steering_pass};
pub use message::*;
pub use open::{load_checkpoint, load_shipped};
pub use picture_view::{PictureView, ShownAs};
pub use scorers::{
    fetched_rewards, open_aesthetic_head, open_clip, open_prompt_judge, open_scorers, scorer_path,
};
pub use stats::draw_stats;
pub use steer_message::*;
pub use steering::guided_network;
pub use studio_film::{FilmRow, SteeringFilm};
pub use studio_kept::Unkept;
pub use studio_message::*;
pub use studio_rows::{STUDIO_STRENGTHS, StudioRow, studio_rows};
pub use studio_seen::SeenRun;
pub use training_curve::kept_curve;
pub use training_message::*;
pub use training_pictures::*;

use mailbox::Mailbox;
use outbox::Outbox;
use training::TrainingDesk;
use worker::Worker;

/// Called whenever a new event waits.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The handle that the window and the command line hold.
pub struct Engine {
    mailbox: Arc<Mailbox>,
    outbox: Arc<Outbox>,
    training: TrainingDesk,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the worker.
    ///
    /// `device` is the one that paints (`None`: the processor alone). `wake` is called from the
    /// worker's thread.
    pub fn start(device: Option<Arc<SharedDevice>>, choice: ComputeChoice, wake: Wake) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let outbox = Arc::new(Outbox::default());
        let training = TrainingDesk::start(outbox.clone(), wake.clone());
        let mut worker = Worker::new(mailbox.clone(), outbox.clone(), device, choice, wake);
        let thread = std::thread::Builder::new()
            .name("foresight-engine".into())
            .spawn(move || worker.run())
            .inspect_err(|e| tracing::error!("the engine's thread did not start: {e}"))
            .ok();
        Self {
            mailbox,
            outbox,
            training,
            thread,
        }
    }

    /// Hands in a request; it replaces a waiting one of the same slot and cancels a running one.
    pub fn submit(&self, command: Command) -> RequestId {
        self.mailbox.submit(command)
    }

    /// Tells the training thread something. Gives the run that it is for; never blocks.
    pub fn train(&self, command: TrainCommand) -> RunId {
        self.training.submit(command)
    }

    /// Cancels what waits or runs in a slot.
    pub fn cancel(&self, slot: Slot) {
        if let Some(id) = self.mailbox.cancel(slot) {
            self.outbox.post(Event::Cancelled(id, slot));
        }
    }

    /// Cancels everything.
    pub fn cancel_all(&self) {
        for slot in Slot::ALL {
            self.cancel(slot);
        }
    }

    /// Chooses where to compute from now on.
    pub fn set_compute(&self, choice: ComputeChoice) {
        self.mailbox.set_compute(choice);
    }

    /// Takes the waiting events, oldest first; the latest of each kind.
    pub fn events(&self) -> Vec<Event> {
        self.outbox.drain()
    }

    /// The slots in which something waits or runs, the most urgent first.
    pub fn busy(&self) -> Vec<Slot> {
        self.mailbox.busy()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        /// A window that is closed should be gone. What takes longer is a call of a large network or of a decoder: its
        /// thread ends by itself, or with the program.
        const PATIENCE: Duration = Duration::from_secs(2);
        self.mailbox.stop();
        let Some(thread) = self.thread.take() else {
            return;
        };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!("the engine's thread ended in a panic");
        }
    }
}
