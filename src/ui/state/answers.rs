//! The last good answers of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::engine::{
    Compute, ComputeReport, DiversityAnswer, DrawAnswer, DrawStats, Event, Progress, RequestId,
    SceneAnswer, Slot,
};

use super::{Place, State};

/// Draws and their figures.
#[derive(Default)]
pub struct DrawnSet {
    /// The draws.
    pub draws: Option<Arc<DrawAnswer>>,
    /// Their figures; of the same draws or slightly older ones.
    pub stats: Option<Arc<DrawStats>>,
}

/// Everything that came back, newest only.
#[derive(Default)]
pub struct Answers {
    /// Closed forms.
    pub scene: Option<Arc<SceneAnswer>>,
    /// The draws.
    pub main: DrawnSet,
    /// The second set.
    pub overlay: DrawnSet,
    /// The curves.
    pub diversity: Option<Arc<DiversityAnswer>>,
    /// The curves were cancelled and are not complete.
    pub diversity_cancelled: bool,
    /// Where the engine computes.
    pub compute: Option<ComputeReport>,
    /// Jobs under way, and since when.
    progress: BTreeMap<Slot, (Progress, Instant)>,
}

impl Answers {
    /// Where the draws are computed now.
    pub fn active_compute(&self) -> Compute {
        self.compute.as_ref().map_or(Compute::Cpu, |r| r.active)
    }

    /// The most urgent job that reports progress.
    pub fn progress(&self) -> Option<(Slot, &Progress)> {
        self.progress
            .iter()
            .next()
            .map(|(slot, (progress, _))| (*slot, progress))
    }

    /// Progress of one slot.
    pub fn progress_of(&self, slot: Slot) -> Option<&Progress> {
        self.progress.get(&slot).map(|(progress, _)| progress)
    }

    fn set_of(&mut self, slot: Slot) -> &mut DrawnSet {
        if slot == Slot::Overlay {
            &mut self.overlay
        } else {
            &mut self.main
        }
    }
}

impl State {
    pub(super) fn take_events(&mut self) {
        for event in self.engine.events() {
            self.take_event(event);
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Scene(id, scene) => {
                self.answered(Slot::Scene, id);
                self.answers.scene = Some(scene);
            }
            Event::Draws(id, slot, answer) => {
                // At rest an answer may have waited for a compile.
                if self.in_motion() {
                    self.asks.adapt_preview(&answer);
                }
                self.drawn(slot, id);
                self.notices.clear(Place::Canvas);
                self.answers.set_of(slot).draws = Some(answer);
            }
            Event::Stats(id, slot, stats) => {
                self.answered(slot, id);
                if stats.occupancy.len() == self.world.mixture.modes().len() {
                    self.answers.set_of(slot).stats = Some(stats);
                }
            }
            Event::Diversity(id, answer) => {
                if answer.complete {
                    self.answered(Slot::Diversity, id);
                }
                self.answers.diversity_cancelled = false;
                self.notices.clear(Place::Diversity);
                self.answers.diversity = Some(answer);
            }
            Event::Opened(id, model) => {
                self.answers.progress.remove(&Slot::Open);
                self.checkpoint_opened(id, model);
            }
            Event::OpenedImages(id, slot, model) => self.images_opened(id, slot, model),
            Event::FoundDecoder(id, path, kind) => self.decoder_found(id, path, kind),
            Event::Wall(id, answer) => self.take_wall(id, &answer),
            Event::Studio(id, answer) => self.take_studio(id, answer),
            Event::Exported(id, path, n) => {
                self.answers.progress.remove(&Slot::Export);
                self.export_ended(id);
                let n = crate::ui::format::count(n as u64);
                let text = format!("{n} draws written to {}", path.display());
                self.notices.done(Place::Program, text);
            }
            Event::Written(id, said) => {
                self.answers.progress.remove(&Slot::Export);
                self.export_ended(id);
                self.notices.done(Place::Program, said);
            }
            Event::Groups(id, answer) => self.take_groups(id, answer),
            Event::ImageCurves(id, answer) => self.take_image_curves(id, answer),
            Event::Again(id, answer) => self.take_again(id, &answer),
            // What still runs after a request's answer (a measurement) is nobody's wait.
            Event::Progress(id, slot, _) if !self.asks.is_open(slot, id) => {}
            Event::Progress(_, slot, progress) => {
                self.answers
                    .progress
                    .entry(slot)
                    .and_modify(|(old, _)| *old = progress.clone())
                    .or_insert_with(|| (progress, Instant::now()));
            }
            Event::Failed(id, slot, message) => {
                self.answered(slot, id);
                match slot {
                    Slot::Open => self.open_failed(id, message),
                    Slot::OpenImages => self.images_refused(id, message),
                    Slot::Wall | Slot::Again | Slot::Groups => {
                        self.notices.error(Place::Images, message);
                    }
                    Slot::ImageCurves => {
                        self.images.curves.stopped = true;
                        self.notices.error(Place::Images, message);
                    }
                    Slot::Studio => self.studio_ended(Some(message)),
                    Slot::Export => {
                        self.export_ended(id);
                        self.notices.error(Place::Program, message);
                    }
                    Slot::Batch => self.batch_failed(id, message),
                    Slot::Diversity => self.notices.error(Place::Diversity, message),
                    Slot::Steer => {
                        self.steering.stopped = true;
                        self.notices.error(Place::Steering, message);
                    }
                    Slot::Lens | Slot::Scores | Slot::Trace | Slot::ScoreCurves | Slot::Budget => {
                        self.notices.error(Place::Steering, message);
                    }
                    Slot::Scene | Slot::Draws | Slot::Overlay => {
                        self.notices.error(Place::Canvas, message);
                    }
                }
            }
            Event::Cancelled(id, slot) => {
                // The window itself cancels what another workspace asked for: nobody need be told.
                let awaited = self.asks.is_open(slot, id) || slot == Slot::Diversity;
                self.answered(slot, id);
                match slot {
                    _ if !awaited => {}
                    Slot::Open => self.open_cancelled(id),
                    Slot::OpenImages => self.images_refused(id, "Opening was cancelled".into()),
                    Slot::Studio => self.studio_ended(None),
                    Slot::Wall => {
                        let text = "Cancelled. Change a setting or press R to draw again.";
                        self.notices.done(Place::Images, text);
                    }
                    Slot::Export => self.exports_cancelled(id),
                    Slot::ImageCurves => self.images.curves.stopped = true,
                    // Unless the window itself did it, because other curves are wanted.
                    Slot::Diversity => self.answers.diversity_cancelled = !self.asks.is_resting(),
                    Slot::Steer => self.runs_stopped(id),
                    Slot::Batch => self.batch_stopped(id),
                    Slot::Again
                    | Slot::Groups
                    | Slot::Lens
                    | Slot::Scores
                    | Slot::Trace
                    | Slot::ScoreCurves
                    | Slot::Budget => {}
                    Slot::Scene | Slot::Draws | Slot::Overlay => {
                        let text = "Cancelled. Change a setting or press R to draw again.";
                        self.notices.done(Place::Canvas, text);
                    }
                }
            }
            Event::Steer(id, answer) => self.take_runs(id, &answer),
            Event::Scores(id, answer) => {
                self.answered(Slot::Scores, id);
                self.steering.scores = Some(answer);
            }
            Event::ScoreCurves(id, answer) => {
                if answer.complete {
                    self.answered(Slot::ScoreCurves, id);
                }
                self.steering.curves = Some(answer);
            }
            Event::Lens(id, answer) => {
                self.answered(Slot::Lens, id);
                if self.session.steering.selected == Some(answer.request.particle) {
                    self.steering.lens = Some(answer);
                }
            }
            Event::Trace(id, answer) => {
                if answer.complete {
                    self.answered(Slot::Trace, id);
                }
                if self.session.steering.selected == Some(answer.request.particle) {
                    self.steering.trace = Some(answer);
                }
            }
            Event::Budget(id, answer) => {
                if answer.complete {
                    self.answered(Slot::Budget, id);
                }
                self.steering.budget = Some(answer);
            }
            Event::Batch(id, answer) => self.take_batch(id, &answer),
            Event::Compute(report) => {
                let before = self.answers.compute.as_ref();
                let before = before.and_then(|before| before.pictures.as_ref());
                if let Some(why) = report.pictures.as_ref().filter(|why| Some(*why) != before) {
                    self.notices.note(Place::Program, why.clone());
                }
                self.answers.compute = Some(report);
            }
            Event::Training(report) => self.take_training(report),
            Event::TrainingPictures(report) => self.take_picture_training(report),
            Event::TrainSaved(saved) => self.take_saved(&saved),
            Event::TrainRefused(run, message) => self.training_refused(run, message),
        }
    }

    /// A slot's newest request is done with.
    pub(super) fn answered(&mut self, slot: Slot, id: RequestId) {
        self.answers.progress.remove(&slot);
        self.asks.answered(slot, id);
    }

    /// The draws are there; their figures are still to come.
    fn drawn(&mut self, slot: Slot, id: RequestId) {
        self.answers.progress.remove(&slot);
        self.asks.drawn(slot, id);
    }
}
