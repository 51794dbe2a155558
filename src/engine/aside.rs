//! Draws of the processor on a thread of their own: the worker stays free for what is more urgent, and who calls them off
//! has the answer at once. A call of a large network takes seconds and cannot be stopped; its thread goes to the end of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::lookahead::LookaheadError;
use crate::metrics::Counters;

use super::worker::{Job, JobError, Worker};

/// How often the worker looks up while the thread works.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Between the thread and the worker.
#[derive(Default)]
struct Door {
    unwanted: AtomicBool,
    /// Share done, as the bits of an `f32`.
    share: AtomicU32,
}

/// What is drawn: told of counters and of a watch that is asked between network calls.
type Drawn<T> = Result<T, LookaheadError>;

impl Worker {
    /// Draws aside; `share_of` says what of the job is done where a share of this is. What was called off before comes to
    /// its end first: two calls at once would take twice the memory.
    pub fn aside<T: Send + 'static>(
        &mut self,
        job: &Job,
        share_of: impl Fn(f32) -> Option<f32>,
        counters: &mut Counters,
        draw: impl FnOnce(&mut Counters, &mut dyn FnMut(f32) -> bool) -> Drawn<T> + Send + 'static,
    ) -> Result<T, JobError> {
        while self.draws_leaving.are_at_work() {
            if !self.look_up(job, share_of(0.0)) {
                return Err(JobError::Cancelled);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let door = Arc::new(Door::default());
        let (sender, receiver) = channel();
        let (theirs, mut counted) = (door.clone(), *counters);
        let thread = std::thread::Builder::new().name("foresight-draws".into());
        let thread = thread.spawn(move || {
            let mut watch = |share: f32| {
                theirs.share.store(share.to_bits(), Ordering::Relaxed);
                !theirs.unwanted.load(Ordering::Relaxed)
            };
            let drawn = catch_unwind(AssertUnwindSafe(|| draw(&mut counted, &mut watch)));
            // Nobody listens any more where it was called off.
            let _ = sender.send((drawn, counted));
        });
        let failed = |why: &dyn std::fmt::Display| JobError::Failed(format!("no draws: {why}"));
        let thread = thread.map_err(|e| failed(&e))?;
        loop {
            match receiver.recv_timeout(BETWEEN_LOOKS) {
                Ok((Ok(drawn), counted)) => {
                    *counters = counted;
                    return Ok(drawn?);
                }
                Ok((Err(panic), _)) => resume_unwind(panic),
                Err(RecvTimeoutError::Timeout) => {
                    let share = f32::from_bits(door.share.load(Ordering::Relaxed));
                    if !self.look_up(job, share_of(share)) {
                        door.unwanted.store(true, Ordering::Relaxed);
                        self.draws_leaving.let_go(vec![thread]);
                        return Err(JobError::Cancelled);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed(&"their thread ended without a word"));
                }
            }
        }
    }
}
