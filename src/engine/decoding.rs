//! Decoding and encoding take seconds: they are done beside the worker, and end when they are no longer wanted.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::model::{Going, Wanted};

use super::picture_view::PictureView;
use super::worker::{Job, JobError, Worker};

/// How often the worker looks up meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// The last thread whose answer is no longer wanted: it ends after the layer that it is at.
#[derive(Default)]
pub(super) struct Leaving(Option<JoinHandle<()>>);

impl Worker {
    /// States `[n][c h w]` as they are kept, `[n][C H W]`. Where they are to be decoded, that is done on a thread of its own:
    /// the worker stays free for what is more urgent.
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
        let decode = move |going: Going<'_>| Some(view.best_while(&states, going)?.into_owned());
        self.beside(job, fraction, decode).map(Cow::Owned)
    }

    /// Waits for `work` on a thread of its own. When it is no longer wanted that is told, and the next one waits for its end.
    pub fn beside<T: Send + 'static>(
        &mut self,
        job: &Job,
        fraction: Option<f32>,
        work: impl FnOnce(Going<'_>) -> Option<T> + Send + 'static,
    ) -> Result<T, JobError> {
        while self.wall_memo.leaving.is_there() {
            if !self.look_up(job, fraction) {
                return Err(JobError::Cancelled);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let (sender, receiver) = channel();
        let wanted = Wanted::default();
        let asked = wanted.clone();
        let thread = std::thread::Builder::new()
            .name("foresight-decoder".into())
            .spawn(move || {
                // Nobody listens any more where it is not wanted.
                let _ = sender.send(work(&|| asked.still()));
            });
        let failed = |why: String| JobError::Failed(format!("a latent was not decoded: {why}"));
        let thread = thread.map_err(|e| failed(e.to_string()))?;
        loop {
            match receiver.recv_timeout(BETWEEN_LOOKS) {
                Ok(made) => return made.ok_or(JobError::Cancelled),
                Err(RecvTimeoutError::Timeout) if self.look_up(job, fraction) => {}
                Err(RecvTimeoutError::Timeout) => {
                    wanted.withdraw();
                    self.wall_memo.leaving = Leaving(Some(thread));
                    return Err(JobError::Cancelled);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed("the decoder failed inside the program".to_owned()));
                }
            }
        }
    }
}

impl Leaving {
    /// Whether it has not ended.
    fn is_there(&mut self) -> bool {
        self.0 = self.0.take().filter(|thread| !thread.is_finished());
        self.0.is_some()
    }
}
