//! The training thread: one run at a time, with a bounded share of the processor, never in the worker's way.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Wake;
use super::message::Event;
use super::outbox::Outbox;
use super::training_message::{RunId, TrainCommand, TrainPhase};
use super::training_picture_run::PictureRun;
use super::training_run::Run;

/// Work between two looks at what is wanted: short, so that a pause or a rest is never far.
const SLICE: Duration = Duration::from_millis(15);
/// Between reports.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// Whether an order begins a run.
fn begins(command: &TrainCommand) -> bool {
    use TrainCommand::{Start, StartPictures, TakeUp, TakeUpPictures};
    matches!(
        command,
        Start(_) | StartPictures(_) | TakeUp { .. } | TakeUpPictures { .. }
    )
}

#[derive(Default)]
struct Orders {
    waiting: VecDeque<(RunId, TrainCommand)>,
    newest: u64,
    quit: bool,
}

impl Orders {
    /// Puts an order at the end; what it makes pointless goes.
    fn push(&mut self, command: TrainCommand) -> RunId {
        use TrainCommand::{Pause, Resume, Save, Share, Stop};
        let goes = |c: &TrainCommand| matches!(c, Pause | Resume | Stop);
        if begins(&command) {
            self.newest += 1;
            self.waiting.retain(|(_, c)| matches!(c, Save(_)));
        } else if goes(&command) {
            self.waiting.retain(|(_, c)| !goes(c));
        } else if matches!(command, Share(_)) {
            self.waiting.retain(|(_, c)| !matches!(c, Share(_)));
        } else {
            self.waiting.retain(|(_, c)| !matches!(c, Save(_)));
        }
        let run = RunId(self.newest);
        self.waiting.push_back((run, command));
        run
    }
}

/// Orders between the window and the thread. Locked for moments only, never during work.
#[derive(Default)]
struct Desk {
    orders: Mutex<Orders>,
    changed: Condvar,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        // Plain data that is valid between any two statements.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_called(&self) -> bool {
        let orders = self.lock();
        orders.quit || !orders.waiting.is_empty()
    }

    /// Whether the run under way is not wanted any more.
    fn ends_run(&self) -> bool {
        let orders = self.lock();
        let ends = |c: &TrainCommand| begins(c) || matches!(c, TrainCommand::Stop);
        orders.quit || orders.waiting.iter().any(|(_, c)| ends(c))
    }

    /// Sleeps until there is an order, or for so long.
    fn rest(&self, at_most: Option<Duration>) {
        let orders = self.lock();
        let calm = |orders: &mut Orders| !orders.quit && orders.waiting.is_empty();
        // What woke it is seen by the caller.
        let _ = match at_most {
            Some(time) => self
                .changed
                .wait_timeout_while(orders, time, calm)
                .map(|_| ())
                .map_err(drop),
            None => self
                .changed
                .wait_while(orders, calm)
                .map(|_| ())
                .map_err(drop),
        };
    }
}

/// The handle that the engine holds.
pub(super) struct TrainingDesk {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl TrainingDesk {
    /// Starts the thread; it sleeps until there is something to learn.
    pub fn start(outbox: Arc<Outbox>, wake: Wake) -> Self {
        let desk = Arc::new(Desk::default());
        let mut runner = Runner {
            desk: desk.clone(),
            outbox,
            wake,
            run: None,
            pictures: None,
        };
        let thread = std::thread::Builder::new()
            .name("foresight-training".into())
            .spawn(move || runner.serve())
            .inspect_err(|e| tracing::error!("the training thread did not start: {e}"))
            .ok();
        Self { desk, thread }
    }

    /// Hands in an order. Gives the run that it is for.
    pub fn submit(&self, command: TrainCommand) -> RunId {
        let run = self.desk.lock().push(command);
        self.desk.changed.notify_one();
        run
    }
}

impl Drop for TrainingDesk {
    fn drop(&mut self) {
        self.desk.lock().quit = true;
        self.desk.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the training thread ended in a panic");
        }
    }
}

struct Runner {
    desk: Arc<Desk>,
    outbox: Arc<Outbox>,
    wake: Wake,
    run: Option<Run>,
    /// At most one of both is open.
    pictures: Option<PictureRun>,
}

impl Runner {
    fn serve(&mut self) {
        loop {
            if !self.is_running() {
                self.desk.rest(None);
            }
            loop {
                let mut orders = self.desk.lock();
                if orders.quit {
                    drop(orders);
                    if let Some(run) = &mut self.run {
                        run.keep();
                    }
                    if let Some(run) = &mut self.pictures {
                        run.keep();
                    }
                    return;
                }
                let Some((id, command)) = orders.waiting.pop_front() else {
                    break;
                };
                drop(orders);
                self.obey(id, command);
            }
            self.work();
        }
    }

    fn is_running(&self) -> bool {
        let runs = |phase: Option<&TrainPhase>| phase == Some(&TrainPhase::Running);
        runs(self.run.as_ref().map(|run| &run.phase))
            || runs(self.pictures.as_ref().map(|run| &run.phase))
    }

    /// Whether orders are for the run that learns pictures: for the newer of both.
    fn is_pictures(&self) -> bool {
        self.pictures.as_ref().map(|run| run.id) > self.run.as_ref().map(|run| run.id)
    }

    fn post(&self, event: Event) {
        self.outbox.post(event);
        (self.wake)();
    }

    fn report(&mut self) {
        if self.is_pictures() {
            if let Some(run) = &mut self.pictures {
                let report = run.report();
                self.post(Event::TrainingPictures(Arc::new(report)));
            }
            return;
        }
        if let Some(run) = &mut self.run {
            let report = run.report();
            self.post(Event::Training(Arc::new(report)));
        }
    }

    fn obey(&mut self, id: RunId, command: TrainCommand) {
        match command {
            TrainCommand::Start(request) => self.begin(Run::new(id, *request)),
            TrainCommand::TakeUp { path, share } => self.begin(Run::take_up(id, &path, share)),
            TrainCommand::StartPictures(request) => {
                self.begin_pictures(PictureRun::new(id, *request));
            }
            TrainCommand::TakeUpPictures { path, share } => {
                self.begin_pictures(PictureRun::take_up(id, path, share));
            }
            TrainCommand::Pause => self.close(TrainPhase::Paused),
            TrainCommand::Stop => self.close(TrainPhase::Stopped),
            TrainCommand::Resume if self.is_pictures() => {
                if let Some(run) = &mut self.pictures {
                    run.resume();
                }
            }
            TrainCommand::Resume => {
                if let Some(run) = &mut self.run {
                    run.resume();
                }
            }
            TrainCommand::Share(share) => {
                if let Some(run) = &mut self.run {
                    run.set_share(share);
                }
                if let Some(run) = &mut self.pictures {
                    run.set_share(share);
                }
            }
            TrainCommand::Save(path) => {
                if self.is_pictures() {
                    if let Some(run) = &self.pictures {
                        self.post(Event::TrainSaved(Arc::new(run.save(path))));
                    }
                } else if let Some(run) = &self.run {
                    self.post(Event::TrainSaved(Arc::new(run.save(path))));
                }
                return;
            }
        }
        self.report();
    }

    fn begin(&mut self, run: Result<Run, (RunId, String)>) {
        match run {
            Ok(run) => {
                self.end_other(self.is_pictures());
                self.run = Some(run);
            }
            // The run before it stays as it was.
            Err((id, message)) => self.post(Event::TrainRefused(id, message)),
        }
    }

    /// A run of the other kind ends, and says so: nothing takes its place in the window.
    fn end_other(&mut self, is_other: bool) {
        if is_other {
            self.close(TrainPhase::Stopped);
            self.report();
        }
    }

    fn begin_pictures(&mut self, run: Result<PictureRun, (RunId, String)>) {
        match run {
            Ok(run) => {
                self.end_other(!self.is_pictures());
                self.pictures = Some(run);
            }
            Err((id, message)) => self.post(Event::TrainRefused(id, message)),
        }
    }

    /// Rests or ends; what was learned is looked at once more and kept.
    fn close(&mut self, phase: TrainPhase) {
        if self.is_pictures() {
            if let Some(run) = &mut self.pictures {
                run.close(phase);
            }
            return;
        }
        if let Some(run) = &mut self.run
            && run.phase.is_open()
        {
            run.close(phase);
        }
    }

    /// A slice of steps, and the rest that goes with it.
    fn work(&mut self) {
        if self.is_pictures() {
            self.work_on_pictures();
            return;
        }
        let Some(run) = &mut self.run else { return };
        if run.phase != TrainPhase::Running {
            return;
        }
        let begun = Instant::now();
        let desk = self.desk.clone();
        let wanted = move || !desk.is_called();
        let worked = catch_unwind(AssertUnwindSafe(|| run.work(SLICE, &wanted)));
        if worked.is_err() {
            tracing::error!("training panicked");
            run.phase = TrainPhase::Failed(
                "Training failed inside the program. The session is kept; start again with other settings.".into(),
            );
        }
        let rest = run.rest_after(begun.elapsed());
        if run.told.elapsed() >= BETWEEN_REPORTS || run.phase != TrainPhase::Running {
            self.report();
        }
        if !rest.is_zero() {
            self.desk.rest(Some(rest));
        }
    }
}

impl Runner {
    fn work_on_pictures(&mut self) {
        let (desk, outbox, wake) = (self.desk.clone(), self.outbox.clone(), self.wake.clone());
        let Some(run) = &mut self.pictures else {
            return;
        };
        if run.phase != TrainPhase::Running {
            return;
        }
        let begun = Instant::now();
        if run.is_bare() {
            run.prepare(&mut |report| {
                outbox.post(Event::TrainingPictures(Arc::new(report.clone())));
                wake();
                !desk.ends_run()
            });
        } else {
            let wanted = move || !desk.is_called();
            let worked = catch_unwind(AssertUnwindSafe(|| run.work(SLICE, &wanted)));
            if worked.is_err() {
                tracing::error!("training on pictures panicked");
                run.phase = TrainPhase::Failed(
                    "Training failed inside the program. The session is kept; start again with other settings.".into(),
                );
            }
        }
        let rest = run.rest_after(begun.elapsed());
        if run.told.elapsed() >= BETWEEN_REPORTS || run.phase != TrainPhase::Running {
            self.report();
        }
        if !rest.is_zero() {
            self.desk.rest(Some(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_orders_of_one_kind_the_latest_waits_and_a_new_run_clears_what_was_for_the_old() {
        let mut orders = Orders::default();
        for k in 0..1000 {
            orders.push(TrainCommand::Share(f64::from(k)));
            orders.push(TrainCommand::Pause);
            orders.push(TrainCommand::Resume);
            orders.push(TrainCommand::Save("a".into()));
        }
        assert_eq!(orders.waiting.len(), 3, "memory does not grow");
        let take_up = |share| TrainCommand::TakeUp {
            path: "run".into(),
            share,
        };
        orders.push(take_up(0.1));
        let newest = orders.push(take_up(0.2));
        let kinds: Vec<_> = orders.waiting.iter().collect();
        assert!(
            matches!(kinds[..], [(_, TrainCommand::Save(_)), (run, TrainCommand::TakeUp { share, .. })]
                if *run == newest && *share == 0.2),
            "{kinds:?}"
        );
    }
}
