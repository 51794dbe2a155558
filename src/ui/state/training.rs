//! The training run that the window shows, and what a person does with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{
    LoadedModel, RunId, TrainCommand, TrainGoal, TrainPhase, TrainReport, TrainRequest, TrainSaved,
    TrainSnapshot, Tuning, finetune_recipe_of, kept_curve, recipe_of,
};
use crate::lookahead::Source;
use crate::session::{TrainFor, Workspace, WorldRef};
use crate::ui::training::csv;

use super::training_notices::TrainingNotices;
use super::training_pictures::{KEPT_PICTURES, PictureTraining};
use super::{Place, State};

/// The unfinished run, in the folder of the window's own files.
const KEPT_RUN: &str = "training.part";
/// Models that were opened before a person named a file for them, in the same folder.
const TRAINED: &str = "trained";

/// What came back about training, newest only.
#[derive(Default)]
pub struct TrainingState {
    /// The run as it is now.
    pub report: Option<Arc<TrainReport>>,
    /// Runs that learn pictures.
    pub pictures: PictureTraining,
    /// The run that was kept when the window was last closed, until it is taken up or put away.
    pub kept: Option<PathBuf>,
    /// What is kept between frames of the painted canvases.
    pub picture: crate::ui::training::Picture,
    /// A run that was asked for and has not been heard of.
    starting: Option<RunId>,
    /// A kept run on its way: its world is shown once it is there.
    taken_up: Option<RunId>,
    /// A checkpoint that is opened once it is written.
    opening: Option<PathBuf>,
    /// What was last written of the run: after which step, and where.
    saved: Option<(RunId, u64, PathBuf)>,
    /// Messages by the kind of run that they are about.
    pub(super) notices: TrainingNotices,
    /// Share of the processor that the training thread knows of.
    pub(super) told_share: Option<f64>,
    /// Where the window keeps its own files.
    pub(super) data_dir: Option<PathBuf>,
}

impl State {
    /// Whether the Train workspace is shown.
    pub fn is_train(&self) -> bool {
        self.session.workspace == Workspace::Train
    }

    /// Whether a run is under way and does not rest.
    pub fn is_learning(&self) -> bool {
        let learns = |phase: &TrainPhase| *phase == TrainPhase::Running;
        let pictures = &self.training.pictures;
        self.is_training_awaited()
            || self
                .training
                .report
                .as_ref()
                .is_some_and(|r| learns(&r.phase))
            || pictures.report.as_ref().is_some_and(|r| learns(&r.phase))
    }

    /// Whether a run was asked for of which nothing is known yet.
    pub fn is_training_awaited(&self) -> bool {
        self.training.starting.is_some() || self.training.pictures.starting.is_some()
    }

    /// Whether the canvases show samples of a velocity that is tuned toward a reward.
    pub fn seeks_reward(&self) -> bool {
        self.session.training.learns == TrainFor::Reward
    }

    /// Whether the canvases have samples and no `x_t`.
    pub fn shows_samples(&self) -> bool {
        self.is_train() && (self.seeks_reward() || self.learns_pictures())
    }

    /// The run, if it is of the kind that the canvases show.
    pub fn shown_run(&self) -> Option<&Arc<TrainReport>> {
        let report = self.training.report.as_ref()?;
        let is_shown =
            !self.learns_pictures() && report.goal.tuning().is_some() == self.seeks_reward();
        is_shown.then_some(report)
    }

    /// The newest look at the network, if it is of the kind that the canvases show.
    pub fn snapshot(&self) -> Option<&Arc<TrainSnapshot>> {
        self.shown_run()?.snapshot.as_ref()
    }

    /// The map that can be tuned, or why there is none.
    pub fn tunable(&self) -> Result<&Arc<LoadedModel>, &'static str> {
        match &self.model.current {
            Some(model) if model.network.is_map() => Ok(model),
            Some(_) => Err("The checkpoint is a tuned velocity. Open the map that it came from."),
            None if self.model.is_loading() => Err("The checkpoint is on its way."),
            None => Err("There is no checkpoint for this world. Learn the world first."),
        }
    }

    /// What a run would be for now.
    fn wanted_goal(&self) -> Result<TrainGoal, &'static str> {
        let training = &self.session.training;
        if !self.seeks_reward() {
            return Ok(TrainGoal::Map(recipe_of(training)));
        }
        Ok(TrainGoal::Reward(Box::new(Tuning {
            model: self.tunable()?.clone(),
            reward: self.session.steering.reward.clone(),
            recipe: finetune_recipe_of(training),
        })))
    }

    /// How the network's draws are made.
    pub(super) fn training_source(&self) -> Source {
        match self.session.training.calls {
            1 => Source::OneStep,
            calls => Source::KStep(calls),
        }
    }

    pub(super) fn choose_calls(&mut self, index: usize) {
        if let Some(calls) = [1, 4].get(index) {
            self.session.training.calls = *calls;
        }
    }

    /// Whether the run on the canvases learns another world than theirs.
    pub fn runs_elsewhere(&self) -> bool {
        self.shown_run()
            .is_some_and(|report| report.world.mixture != self.world.mixture)
    }

    /// Whether the run that is shown goes on, or is about to.
    pub fn is_shown_learning(&self) -> bool {
        self.is_training_awaited() || self.run_phase() == Some(TrainPhase::Running)
    }

    /// What a run is for that runs or rests and is not shown: another ends it.
    pub fn other_run(&self) -> Option<TrainFor> {
        let (world, pictures) = (&self.training.report, &self.training.pictures.report);
        let world = world.as_ref().filter(|r| r.phase.is_open()).map(|r| {
            let tunes = r.goal.tuning().is_some();
            if tunes {
                TrainFor::Reward
            } else {
                TrainFor::World
            }
        });
        let pictures = pictures.as_ref().filter(|r| r.phase.is_open()).map(|r| {
            let tunes = r.goal.tuning().is_some();
            if tunes {
                TrainFor::PictureReward
            } else {
                TrainFor::Folder
            }
        });
        let shown = self.session.training.learns;
        pictures.into_iter().chain(world).find(|run| *run != shown)
    }

    /// Whether a run would begin with other settings now.
    pub fn settings_changed(&self) -> bool {
        if self.learns_pictures() {
            return self.picture_settings_changed();
        }
        self.shown_run()
            .is_some_and(|report| self.wanted_goal().is_ok_and(|goal| goal != report.goal))
    }

    /// A name for files of the run.
    pub(super) fn run_name(&self) -> String {
        let name = match &self.training.report {
            _ if self.learns_pictures() => self.picture_run_name(),
            Some(report) if report.goal.tuning().is_some() => {
                format!("{}-tuned-{}", report.world.name, report.step)
            }
            Some(report) => format!("{}-{}", report.world.name, report.step),
            None => self.world.name.clone(),
        };
        // Worlds come with any name.
        let plain = |c: char| {
            if c.is_alphanumeric() || "-_".contains(c) {
                c
            } else {
                '_'
            }
        };
        name.chars().take(80).map(plain).collect()
    }

    /// Keeps files of the window's own in this folder from now on, and sees whether a run was left there.
    pub fn keep_files_in(&mut self, folder: Option<PathBuf>) {
        let kept = folder.as_ref().map(|folder| folder.join(KEPT_RUN));
        self.training.kept = kept.filter(|path| path.exists());
        let kept = folder.as_ref().map(|folder| folder.join(KEPT_PICTURES));
        self.training.pictures.kept = kept.filter(|path| path.exists());
        self.training.data_dir = folder;
    }

    /// Begins to learn the world on the canvas; a run under way ends.
    pub fn start_training(&mut self) {
        if self.learns_pictures() {
            self.start_picture_training();
            return;
        }
        let goal = match self.wanted_goal() {
            Ok(goal) => goal,
            Err(why) => {
                self.notices.error(Place::Training, why);
                return;
            }
        };
        self.notices.clear(Place::Training);
        let share = self.session.training.share;
        // A tuned velocity is not kept: it needs its map to go on.
        let (world, keep) = match goal.tuning() {
            Some(tuning) => (Arc::new(tuning.model.checkpoint.card.world.clone()), None),
            None => (self.world.clone(), self.training.data_dir.as_ref()),
        };
        let keep = keep.map(|folder| folder.join(KEPT_RUN));
        if keep.is_some() {
            self.training.kept = None;
        }
        let request = TrainRequest {
            world,
            goal,
            share,
            keep,
        };
        self.begin(TrainCommand::Start(Box::new(request)));
    }

    /// Goes on with the run that was kept when the window was last closed.
    pub fn take_up_training(&mut self) {
        let Some(path) = self.training.kept.take() else {
            return;
        };
        let share = self.session.training.share;
        // None of another kind is kept.
        self.session.training.learns = TrainFor::World;
        let run = self.begin(TrainCommand::TakeUp { path, share });
        self.training.taken_up = Some(run);
    }

    /// Deletes the run that was kept.
    pub fn forget_kept_run(&mut self) {
        if let Some(path) = &self.training.kept {
            // Nothing is lost with the curves alone.
            let _ = std::fs::remove_file(kept_curve(path));
        }
        if let Some(path) = self.training.kept.take()
            && let Err(e) = std::fs::remove_file(&path)
        {
            let text = format!("{}: {e}. Delete it by hand", path.display());
            self.notices.error(Place::Training, text);
        }
    }

    fn begin(&mut self, command: TrainCommand) -> RunId {
        let run = self.engine.train(command);
        self.training.told_share = Some(self.session.training.share);
        self.training.starting = Some(run);
        self.training.saved = None;
        run
    }

    /// Lets the run rest.
    pub fn pause_training(&mut self) {
        self.engine.train(TrainCommand::Pause);
    }

    /// Goes on with a run that rests.
    pub fn resume_training(&mut self) {
        self.engine.train(TrainCommand::Resume);
    }

    /// Ends the run; what it learned stays.
    pub fn stop_training(&mut self) {
        self.engine.train(TrainCommand::Stop);
    }

    /// What the key does.
    pub(super) fn start_pause_or_resume(&mut self) {
        let phase = self.run_phase();
        if self.is_learning() {
            self.pause_training();
        } else if phase == Some(TrainPhase::Paused) {
            self.resume_training();
        } else if self.is_train() {
            self.start_training();
        }
    }

    /// Where the run is that the workspace shows.
    pub fn run_phase(&self) -> Option<TrainPhase> {
        if self.learns_pictures() {
            return self.picture_run().map(|r| r.phase.clone());
        }
        self.shown_run().map(|r| r.phase.clone())
    }

    /// Shows the world that the run learns.
    pub fn show_run_world(&mut self) {
        let Some(report) = self.training.report.clone() else {
            return;
        };
        self.remember_world();
        let preset = crate::mixture::Preset::from_name(&report.world.name)
            .filter(|p| crate::mixture::World::preset(*p).mixture == report.world.mixture);
        self.adopt_world(match preset {
            Some(preset) => WorldRef::Preset(preset.name().to_owned()),
            None => WorldRef::Custom((*report.world).clone()),
        });
        self.load_wanted_model();
    }

    /// Writes the averaged network as a checkpoint.
    pub fn save_trained(&mut self, path: PathBuf) {
        self.engine.train(TrainCommand::Save(path));
    }

    /// Shows the trained network in the Posterior workspace; it is written to a file first, unless it is in one.
    pub fn open_trained(&mut self) {
        let Some(report) = self.training.report.clone() else {
            return;
        };
        if let Some((run, step, path)) = &self.training.saved
            && (*run, *step) == (report.run, report.step)
        {
            let path = path.clone();
            self.open_in_posterior(path);
            return;
        }
        let path = self.free_trained_name();
        self.training.opening = Some(path.clone());
        self.save_trained(path);
    }

    /// Where a network is written that is opened before a person named a file for it.
    pub(super) fn free_trained_name(&self) -> PathBuf {
        let folder = match &self.training.data_dir {
            Some(folder) => folder.join(TRAINED),
            None => std::env::temp_dir().join("foresight"),
        };
        free_name(&folder, &self.run_name())
    }

    fn open_in_posterior(&mut self, path: PathBuf) {
        self.show_workspace(Workspace::Posterior);
        self.open_checkpoint(path);
    }

    /// Writes the curves of the run.
    pub(super) fn save_curves(&mut self, path: PathBuf) {
        if let Some(report) = &self.training.report {
            let text = csv::csv(&report.curve);
            self.errands.write(Place::Training, path, text);
        }
    }

    /// The training thread hears of another share.
    pub(super) fn tell_share(&mut self) {
        let share = self.session.training.share;
        if self.training.told_share.is_some_and(|told| told != share) {
            self.training.told_share = Some(share);
            self.engine.train(TrainCommand::Share(share));
        }
    }

    pub(super) fn take_training(&mut self, report: Arc<TrainReport>) {
        // The last words of a run that a newer one has taken the place of.
        if self.training.starting.is_some_and(|run| report.run < run) {
            return;
        }
        self.training.starting = None;
        let run = report.run;
        let phase_before = self.training.report.as_ref().map(|r| &r.phase);
        if let TrainPhase::Failed(message) = &report.phase
            && phase_before != Some(&report.phase)
        {
            self.notices.error(Place::Training, message.clone());
        }
        self.training.report = Some(report);
        if self.training.taken_up.take_if(|id| *id == run).is_some() && self.runs_elsewhere() {
            self.show_run_world();
        }
    }

    pub(super) fn take_saved(&mut self, saved: &TrainSaved) {
        if self.take_saved_pictures(saved) {
            return;
        }
        let opened = self.training.opening.take_if(|path| *path == saved.path);
        match &saved.result {
            Ok(()) => {
                self.training.saved = Some((saved.run, saved.step, saved.path.clone()));
                if let Some(path) = opened {
                    self.open_in_posterior(path);
                    return;
                }
                self.recent.touch(&saved.path);
                let text = format!("Saved to {}", saved.path.display());
                self.notices.done(Place::Training, text);
            }
            Err(message) => self.notices.error(Place::Training, message.clone()),
        }
    }

    pub(super) fn training_refused(&mut self, run: RunId, message: String) {
        self.training.starting.take_if(|id| *id == run);
        self.training.pictures.starting.take_if(|id| *id == run);
        self.notices.error(Place::Training, message);
    }
}

/// A name in the folder that no file has yet.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.join(format!("{name}.safetensors"));
    let mut number = 2;
    while path.exists() {
        path = folder.join(format!("{name}-{number}.safetensors"));
        number += 1;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_never_takes_the_name_of_another() {
        let folder = tempfile::tempdir().unwrap();
        for expected in [
            "three.safetensors",
            "three-2.safetensors",
            "three-3.safetensors",
        ] {
            let path = free_name(folder.path(), "three");
            assert_eq!(path, folder.path().join(expected));
            std::fs::write(path, "x").unwrap();
        }
    }
}
