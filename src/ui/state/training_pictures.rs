//! Runs that learn pictures, and what a person does with them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::{
    FolderTraining, LoadedImages, PictureGoal, PictureReport, PictureRequest, PictureTuning, RunId,
    TrainCommand, TrainPhase, TrainSaved, kept_folder,
};
use crate::reward::picture::PictureReward;
use crate::session::{CheckpointRef, TrainFor, Workspace};
use crate::train::finetune::Objective;
use crate::train::finetune_images::ImageTuneRecipe;

use super::{Place, State};

/// The unfinished run on a folder, in the folder of the window's own files.
pub(super) const KEPT_PICTURES: &str = "pictures.part";

/// What came back about runs that learn pictures, newest only.
#[derive(Default)]
pub struct PictureTraining {
    /// The run as it is now.
    pub report: Option<Arc<PictureReport>>,
    /// What is kept between frames of the painted grids.
    pub view: crate::ui::training::PictureView,
    /// The run on a folder that was kept when the window was last closed, until it is taken up or put away.
    pub kept: Option<PathBuf>,
    /// A run that was asked for and has not been heard of.
    pub(super) starting: Option<RunId>,
    /// A kept run on its way: what it learns is shown as chosen once it is there.
    taken_up: Option<RunId>,
    /// A checkpoint that is opened once it is written.
    pub(super) opening: Option<PathBuf>,
    /// What was last written of the run: after which step, and where.
    pub(super) saved: Option<(RunId, u64, PathBuf)>,
}

impl State {
    /// Whether the Train workspace learns pictures.
    pub fn learns_pictures(&self) -> bool {
        matches!(
            self.session.training.learns,
            TrainFor::Folder | TrainFor::PictureReward
        )
    }

    /// Whether it learns the pictures of a folder.
    pub fn seeks_folder(&self) -> bool {
        self.session.training.learns == TrainFor::Folder
    }

    /// The run that learns pictures, if it is of the kind that is shown.
    pub fn picture_run(&self) -> Option<&Arc<PictureReport>> {
        let tunes = self.session.training.learns == TrainFor::PictureReward;
        let report = self.training.pictures.report.as_ref()?;
        (self.learns_pictures() && report.goal.tuning().is_some() == tunes).then_some(report)
    }

    /// The map of pictures that can be tuned, or why there is none.
    pub fn tunable_images(&self) -> Result<&Arc<LoadedImages>, &'static str> {
        match &self.images.model {
            Some(model) if model.map.has_jumps() => Ok(model),
            Some(_) => {
                Err("The map of pictures is a tuned velocity. Open the map that it came from.")
            }
            None if self.images.is_loading() => Err("The map of pictures is on its way."),
            None => Err(
                "There is no map of pictures. Open one in the Images workspace, or learn the pictures of a folder.",
            ),
        }
    }

    /// What a run would be for now.
    pub fn wanted_picture_goal(&self) -> Result<PictureGoal, String> {
        let training = &self.session.training;
        if training.learns == TrainFor::Folder {
            let path = training
                .folder
                .clone()
                .ok_or("Choose a folder of pictures first.")?;
            return Ok(PictureGoal::Folder(FolderTraining {
                path,
                colour: training.folder_colour,
                steps: training.folder_steps.into(),
                batch: training.folder_batch as usize,
                seed: training.seed,
            }));
        }
        let model = self.tunable_images()?.clone();
        let reward: PictureReward = training
            .picture_reward
            .parse()
            .map_err(|e: crate::reward::picture::PictureRewardError| e.to_string())?;
        let base = ImageTuneRecipe::default();
        let steps = u64::from(training.picture_steps);
        Ok(PictureGoal::Reward(Box::new(PictureTuning {
            model,
            reward,
            files: self.scorer_files(),
            recipe: ImageTuneRecipe {
                objective: if training.picture_maximise {
                    Objective::Maximise
                } else {
                    Objective::Tilt
                },
                steps,
                seed: training.seed,
                warm_up: base.warm_up.min(steps / 10),
                // Half as many as on the command line: a person waits for them.
                pool: base.pool / 2,
                ..base
            },
        })))
    }

    /// Begins a run; the one under way ends.
    pub(super) fn start_picture_training(&mut self) {
        let goal = match self.wanted_picture_goal() {
            Ok(PictureGoal::Folder(folder)) if !folder.path.exists() => {
                // A run under way does not end for a name that was mistyped.
                let text = format!(
                    "{}: there is no such folder or archive. Check its name",
                    folder.path.display()
                );
                self.notices.error(Place::Training, text);
                return;
            }
            Ok(goal) => goal,
            Err(why) => {
                self.notices.error(Place::Training, why);
                return;
            }
        };
        self.notices.clear(Place::Training);
        let share = self.session.training.share;
        let folder = self.training.data_dir.as_ref();
        let folder = folder.filter(|_| goal.tuning().is_none());
        let keep = folder.map(|folder| folder.join(KEPT_PICTURES));
        if keep.is_some() {
            self.training.pictures.kept = None;
        }
        let request = PictureRequest { goal, share, keep };
        self.begin_pictures(TrainCommand::StartPictures(Box::new(request)));
    }

    /// Goes on with the run on a folder that was kept when the window was last closed.
    pub fn take_up_pictures(&mut self) {
        if let Some(path) = self.training.pictures.kept.take() {
            let share = self.session.training.share;
            let run = self.begin_pictures(TrainCommand::TakeUpPictures { path, share });
            self.training.pictures.taken_up = Some(run);
        }
    }

    /// Deletes it.
    pub fn forget_kept_pictures(&mut self) {
        let Some(path) = self.training.pictures.kept.take() else {
            return;
        };
        // Without the run it says nothing.
        let _ = std::fs::remove_file(kept_folder(&path));
        if let Err(e) = std::fs::remove_file(&path) {
            let text = format!("{}: {e}. Delete it by hand", path.display());
            self.notices.error(Place::Training, text);
        }
    }

    fn begin_pictures(&mut self, command: TrainCommand) -> RunId {
        let share = self.session.training.share;
        let run = self.engine.train(command);
        self.training.told_share = Some(share);
        self.training.pictures.starting = Some(run);
        self.training.pictures.saved = None;
        run
    }

    /// Whether a run would begin with other settings now.
    pub(super) fn picture_settings_changed(&self) -> bool {
        self.picture_run().is_some_and(|report| {
            self.wanted_picture_goal()
                .is_ok_and(|goal| goal != report.goal)
        })
    }

    /// A name for files of the run.
    pub(super) fn picture_run_name(&self) -> String {
        let step = self.picture_run().map_or(0, |report| report.step);
        match self.picture_run().map(|report| &report.goal) {
            Some(PictureGoal::Folder(folder)) => {
                let name = folder.path.file_stem().unwrap_or_default();
                format!("{}-{step}", name.display())
            }
            Some(PictureGoal::Reward(tuning)) => {
                format!(
                    "{}-tuned-{step}",
                    tuning.model.name.trim_end_matches(".safetensors")
                )
            }
            None => "pictures".to_owned(),
        }
    }

    pub(super) fn take_picture_training(&mut self, report: Arc<PictureReport>) {
        let pictures = &mut self.training.pictures;
        // The last words of a run that a newer one has taken the place of.
        if pictures.starting.is_some_and(|run| report.run < run) {
            return;
        }
        pictures.starting = None;
        let phase_before = pictures.report.as_ref().map(|r| r.phase.clone());
        if let TrainPhase::Failed(message) = &report.phase
            && phase_before.as_ref() != Some(&report.phase)
        {
            self.notices.error(Place::Training, message.clone());
        }
        if pictures.taken_up.take_if(|id| *id == report.run).is_some()
            && let PictureGoal::Folder(learned) = &report.goal
        {
            let chosen = &mut self.session.training;
            chosen.folder = Some(learned.path.clone());
            chosen.folder_colour = learned.colour;
            chosen.folder_steps = u32::try_from(learned.steps).unwrap_or(chosen.folder_steps);
            chosen.folder_batch = u32::try_from(learned.batch).unwrap_or(chosen.folder_batch);
            chosen.seed = learned.seed;
        }
        self.training.pictures.report = Some(report);
    }

    /// Whether what was written is of a run of pictures; it is opened where that was asked for.
    pub(super) fn take_saved_pictures(&mut self, saved: &TrainSaved) -> bool {
        let pictures = &mut self.training.pictures;
        if pictures.report.as_ref().is_none_or(|r| r.run != saved.run) {
            return false;
        }
        let opened = pictures.opening.take_if(|path| *path == saved.path);
        match &saved.result {
            Ok(()) => {
                pictures.saved = Some((saved.run, saved.step, saved.path.clone()));
                if let Some(path) = opened {
                    self.open_in_images(path);
                } else {
                    self.recent.touch(&saved.path);
                    let text = format!("Saved to {}", saved.path.display());
                    self.notices.done(Place::Training, text);
                }
            }
            Err(message) => self.notices.error(Place::Training, message.clone()),
        }
        true
    }

    /// Shows the trained network in the Images workspace; it is written to a file first, unless it is in one.
    pub fn open_trained_pictures(&mut self) {
        let Some(report) = self.picture_run().cloned() else {
            return;
        };
        if let Some((run, step, path)) = &self.training.pictures.saved
            && (*run, *step) == (report.run, report.step)
        {
            let path = path.clone();
            self.open_in_images(path);
            return;
        }
        let path = self.free_trained_name();
        self.training.pictures.opening = Some(path.clone());
        self.save_trained(path);
    }

    fn open_in_images(&mut self, path: PathBuf) {
        self.session.images.checkpoint = CheckpointRef::File(path);
        self.show_workspace(Workspace::Images);
    }

    /// Learns the pictures of a folder or an archive that was dropped or chosen.
    pub fn choose_folder(&mut self, path: PathBuf) {
        let training = &mut self.session.training;
        training.folder = Some(path);
        training.learns = TrainFor::Folder;
        self.show_workspace(Workspace::Train);
    }
}
