//! What takes seconds is done beside the worker, which stays free for what is more urgent: decoding, encoding, and draws of
//! the processor. Who calls it off has the answer at once. A decoder ends after the layer that it is at; a call of a network
//! goes to its end.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lookahead::LookaheadError;
use crate::metrics::Counters;
use crate::model::Wanted;

use super::picture_view::PictureView;
use super::worker::{Job, JobError, Worker};

/// How often the worker looks up meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Between the worker and what is done beside it.
#[derive(Default)]
pub(super) struct Beside {
    wanted: Wanted,
    /// Share done, as the bits of an `f32`.
    share: AtomicU32,
}

impl Beside {
    /// Whether somebody still waits.
    pub fn still(&self) -> bool {
        self.wanted.still()
    }

    /// Takes note of the share done; the same.
    fn told(&self, share: f32) -> bool {
        self.share.store(share.to_bits(), Ordering::Relaxed);
        self.still()
    }
}

/// Threads of what was called off, while they come to their end.
#[derive(Default)]
pub(super) struct Leaving(Vec<JoinHandle<()>>);

impl Leaving {
    /// Lets threads go to the end of their call.
    pub fn let_go(&mut self, threads: Vec<JoinHandle<()>>) {
        self.0.extend(threads);
    }

    /// Whether some are still at work.
    pub fn are_at_work(&mut self) -> bool {
        self.0.retain(|thread| !thread.is_finished());
        !self.0.is_empty()
    }
}

impl Worker {
    /// States `[n][c h w]` as they are kept, `[n][C H W]`.
    pub fn decoded<'a>(
        &mut self,
        job: &Job,
        fraction: Option<f32>,
        view: &Arc<PictureView>,
        states: &'a [f32],
    ) -> Result<Cow<'a, [f32]>, JobError> {
        if view.decoder().is_none() {
            return Ok(view.best(states));
        }
        let (view, states) = (view.clone(), states.to_vec());
        let decode = move |door: &Beside| {
            let pictures = view.best_while(&states, &|| door.still())?;
            Some(pictures.into_owned())
        };
        self.beside(job, |_| fraction, decode).map(Cow::Owned)
    }

    /// What `draw` makes; it is told of counters, and of a watch that is asked between network calls. `share_of` says what
    /// of the job is done where a share of this is.
    pub fn drawn_beside<T: Send + 'static>(
        &mut self,
        job: &Job,
        share_of: impl Fn(f32) -> Option<f32>,
        counters: &mut Counters,
        draw: impl FnOnce(&mut Counters, &mut dyn FnMut(f32) -> bool) -> Result<T, LookaheadError>
        + Send
        + 'static,
    ) -> Result<T, JobError> {
        let mut counted = *counters;
        let (drawn, counted) = self.beside(job, share_of, move |door| {
            let drawn = draw(&mut counted, &mut |share| door.told(share));
            Some((drawn, counted))
        })?;
        *counters = counted;
        Ok(drawn?)
    }

    /// Waits for `work` on a thread of its own. What was called off before comes to its end first: two calls at once would
    /// take twice the memory.
    pub fn beside<T: Send + 'static>(
        &mut self,
        job: &Job,
        share_of: impl Fn(f32) -> Option<f32>,
        work: impl FnOnce(&Beside) -> Option<T> + Send + 'static,
    ) -> Result<T, JobError> {
        while self.leaving.are_at_work() {
            if !self.look_up(job, share_of(0.0)) {
                return Err(JobError::Cancelled);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let (sender, receiver) = channel();
        let door = Arc::<Beside>::default();
        let theirs = door.clone();
        let thread = std::thread::Builder::new().name("foresight-beside".into());
        let thread = thread.spawn(move || {
            let made = catch_unwind(AssertUnwindSafe(|| work(&theirs)));
            // Nobody listens any more where it is not wanted.
            let _ = sender.send(made);
        });
        let thread = thread.map_err(|e| JobError::Failed(format!("no thread for this: {e}")))?;
        loop {
            match receiver.recv_timeout(BETWEEN_LOOKS) {
                Ok(Ok(made)) => return made.ok_or(JobError::Cancelled),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(RecvTimeoutError::Timeout) => {
                    let share = f32::from_bits(door.share.load(Ordering::Relaxed));
                    if !self.look_up(job, share_of(share)) {
                        door.wanted.withdraw();
                        self.leaving.let_go(vec![thread]);
                        return Err(JobError::Cancelled);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let why = "what was done beside the worker ended without a word";
                    return Err(JobError::Failed(why.to_owned()));
                }
            }
        }
    }
}
