//! The thread that does the work.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::gpu::{FusedMlpGpu, PointBuffer, SharedDevice};
use crate::model::Mlp;
use crate::session::ComputeChoice;

use super::Wake;
use super::decoding::Leaving;
use super::images_wall::WallMemo;
use super::mailbox::{Mail, Mailbox};
use super::message::{Command, Compute, ComputeReport, Event, RequestId, Slot};
use super::outbox::Outbox;
use super::scene::PathMemo;
use super::scores::SampleMemo;
use super::steering::TargetMemo;
use super::studio::StudioMemo;
use super::told::Told;

/// Why a job gave no answer.
pub(super) enum JobError {
    /// It was no longer wanted.
    Cancelled,
    /// It failed; the text says what to do.
    Failed(String),
}

pub(super) type JobResult = Result<(), JobError>;

/// What a panic says of itself.
pub(super) fn cause_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given")
}

pub(super) struct Worker {
    mailbox: Arc<Mailbox>,
    outbox: Arc<Outbox>,
    wake: Wake,
    pub device: Option<Arc<SharedDevice>>,
    pub choice: ComputeChoice,
    pub report: ComputeReport,
    /// Fused networks on the shared device, by the hash of their file; the last few.
    pub networks: BTreeMap<String, Arc<FusedMlpGpu>>,
    /// burn's network on the shared device, by the hash of its file.
    pub plain: Option<(String, Mlp)>,
    /// Base noise on the shared device, with its seed.
    pub noise: Option<(u64, PointBuffer)>,
    pub path_memo: Option<PathMemo>,
    pub target_memo: Option<TargetMemo>,
    pub sample_memo: Option<SampleMemo>,
    pub wall_memo: WallMemo,
    pub studio_memo: StudioMemo,
    /// What was called off and comes to its end.
    pub leaving: Leaving,
    pub calibrated: bool,
    told: Told,
}

impl Worker {
    pub fn new(
        mailbox: Arc<Mailbox>,
        outbox: Arc<Outbox>,
        device: Option<Arc<SharedDevice>>,
        choice: ComputeChoice,
        wake: Wake,
    ) -> Self {
        let active = match choice {
            ComputeChoice::Shared if device.is_some() => Compute::Shared,
            _ => Compute::Cpu,
        };
        Self {
            mailbox,
            outbox,
            wake,
            device,
            choice,
            report: ComputeReport {
                active,
                cpu: None,
                shared: None,
                shared_first: None,
                trouble: None,
                pictures: None,
            },
            networks: BTreeMap::new(),
            plain: None,
            noise: None,
            path_memo: None,
            target_memo: None,
            sample_memo: None,
            wall_memo: WallMemo::default(),
            studio_memo: StudioMemo::default(),
            leaving: Leaving::default(),
            calibrated: false,
            told: Told::default(),
        }
    }

    pub fn run(&mut self) {
        self.post(Event::Compute(self.report.clone()));
        loop {
            match self.mailbox.wait() {
                Mail::Stop => return,
                Mail::Compute(choice) => self.choose(choice),
                Mail::Request(id, slot, command) => self.serve(id, slot, *command),
            }
        }
    }

    /// Runs one request to its end, and says how it ended. A panic ends the request, not the engine.
    fn serve(&mut self, id: RequestId, slot: Slot, command: Command) {
        let result = catch_unwind(AssertUnwindSafe(|| self.work(id, slot, command)));
        let cancelled = self.mailbox.finished(slot, id);
        match result {
            Ok(Ok(())) => {}
            Ok(Err(JobError::Cancelled)) => {
                if cancelled {
                    self.post(Event::Cancelled(id, slot));
                }
            }
            Ok(Err(JobError::Failed(message))) => self.post(Event::Failed(id, slot, message)),
            Err(panic) => {
                let cause = cause_of(&*panic);
                tracing::error!("a job of slot {slot:?} panicked: {cause}");
                if self.report.active == Compute::Shared {
                    self.fall_back(format!("the shared device failed: {cause}"));
                }
                self.post(Event::Failed(
                    id,
                    slot,
                    format!(
                        "This computation failed inside the program: {cause}. The session is kept; change a setting to try again."
                    ),
                ));
            }
        }
        (self.wake)();
    }

    fn work(&mut self, id: RequestId, slot: Slot, command: Command) -> JobResult {
        match command {
            Command::Scene(request) => {
                self.scene(id, request);
                Ok(())
            }
            Command::Draws(request) | Command::Overlay(request) => self.draws(id, slot, request),
            Command::Diversity(request) => self.diversity(id, request),
            Command::Open(path) => self.open(id, &path),
            Command::OpenImages(wanted) => self.open_images(id, Slot::OpenImages, &wanted),
            Command::Wall(request) => self.wall(id, request),
            Command::Studio(request) => self.studio(id, request),
            Command::Export(request) => self.export(id, request),
            Command::ExportPictures(request) => self.export_pictures(id, request),
            Command::Groups(request) => self.groups(id, request),
            Command::ImageCurves(request) => self.image_curves(id, request),
            Command::Again(request) => self.again(id, request),
            Command::Steer(request) => self.steer(id, request),
            Command::Scores(request) => self.scores(id, request),
            Command::ScoreCurves(runs) => self.score_curves(id, &runs),
            Command::Lens(request) => self.lens(id, request),
            Command::Trace(request) => self.trace(id, request),
            Command::Budget(request) => self.budget(id, request),
            Command::Batch(request) => self.batch(id, request),
        }
    }

    /// Sends an event and wakes the window.
    pub fn post(&self, event: Event) {
        self.outbox.post(event);
        (self.wake)();
    }

    /// To be called between network calls: lets more urgent requests go first, reports progress of
    /// jobs that take long (`None` where the share done is not known), and says whether this one is
    /// still wanted.
    pub fn look_up(&mut self, job: &Job, fraction: impl Into<Option<f32>>) -> bool {
        let fraction = fraction.into();
        while let Some((id, slot, command)) = self.mailbox.take_more_urgent_than(job.slot) {
            self.serve(id, slot, command);
        }
        if let Some(progress) = self.told.next(job, fraction) {
            self.post(Event::Progress(job.id, job.slot, progress));
        }
        self.wanted(job)
    }

    /// Whether nobody has asked for something newer or cancelled.
    pub fn wanted(&self, job: &Job) -> bool {
        self.mailbox.wanted(job.slot, job.id)
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.mailbox.is_idle()
    }
}

/// One running request.
pub(super) struct Job {
    pub id: RequestId,
    pub slot: Slot,
    pub label: String,
    pub started: Instant,
}

impl Job {
    pub fn new(id: RequestId, slot: Slot, label: impl Into<String>) -> Self {
        Self {
            id,
            slot,
            label: label.into(),
            started: Instant::now(),
        }
    }
}
