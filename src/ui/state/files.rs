//! Files: opened, dropped, saved.

use std::path::{Path, PathBuf};

use eframe::egui;

use crate::engine::{Command, DrawRequest, ExportRequest};
use crate::session::{CheckpointRef, History, Session};
use crate::ui::errands::{Outcome, Pick};

use super::{Place, State, world};

impl State {
    /// Opens a file by what its name ends in.
    pub fn open_file(&mut self, path: PathBuf) {
        if path.is_dir() {
            self.choose_folder(path);
            return;
        }
        let ending = path
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        match ending.as_str() {
            "safetensors" | "pt" | "pth" | "ckpt" => self.open_checkpoint(path),
            "ron" => self.errands.read_ron(path),
            "csv" => self.errands.read_cloud(path),
            "png" => self.errands.read_settings(path),
            "jpg" | "jpeg" => self.open_picture(path),
            "zip" | "tar" | "xz" => self.choose_folder(path),
            _ => self.notices.error(
                Place::Program,
                format!(
                    "{}: this ending is not known. A checkpoint ends in .safetensors, a world or session in .ron, points in .csv, a picture in .png or .jpg, an archive of pictures in .zip, .tar or .tar.xz",
                    path.display()
                ),
            ),
        }
    }

    pub(super) fn take_dropped_files(&mut self, ctx: &egui::Context) {
        let dropped: Vec<PathBuf> = ctx.input(|i| {
            i.raw
                .dropped_files
                .iter()
                .map(|file| file.path().to_owned())
                .collect()
        });
        for path in dropped {
            self.open_file(path);
        }
    }

    pub(super) fn take_outcomes(&mut self) {
        for outcome in self.errands.outcomes() {
            match outcome {
                Outcome::Shipped(preset, result) => self.shipped_loaded(preset, result),
                Outcome::Picked(pick, path) => self.picked(pick, path),
                Outcome::World(path, Ok(world)) => {
                    self.notices.clear(Place::World);
                    self.recent.touch(&path);
                    self.show_world(world);
                }
                Outcome::Cloud(path, Ok(points)) => {
                    self.recent.touch(&path);
                    self.show_cloud(&path, points);
                }
                Outcome::World(path, Err(message)) | Outcome::Cloud(path, Err(message)) => {
                    self.forget_if_gone(&path);
                    self.notices.error(Place::World, message);
                }
                Outcome::Session(path, Ok(session)) => {
                    self.recent.touch(&path);
                    self.open_session(*session, Some(path));
                }
                Outcome::Session(path, Err(message)) => {
                    self.forget_if_gone(&path);
                    self.notices.error(Place::Program, message);
                }
                Outcome::Picture(path, result) => self.picture_read(&path, result),
                Outcome::Settings(path, result) => self.settings_read(path, result),
                Outcome::NoDialog(pick) if pick.writes() => self.notices.error(
                    Place::Program,
                    "No file dialog could be shown, so nothing was written. On Linux a desktop portal shows them (xdg-desktop-portal); without one the command line writes files: foresight posterior, steer, replay, export",
                ),
                Outcome::NoDialog(_) => self.notices.error(
                    Place::Program,
                    "No file dialog could be shown. Drop the file on the window instead, or name it on the command line: foresight --checkpoint FILE, --session FILE, --world FILE",
                ),
                Outcome::Saved(place, path, Ok(())) => {
                    // Curves are nothing that can be opened.
                    if place != Place::Training {
                        self.recent.touch(&path);
                    }
                    self.notices
                        .done(place, format!("Saved to {}", path.display()));
                }
                Outcome::Saved(place, _, Err(message)) => self.notices.error(place, message),
            }
        }
    }

    fn forget_if_gone(&mut self, path: &Path) {
        if !path.exists() {
            self.recent.forget(path);
        }
    }

    fn picked(&mut self, pick: Pick, path: PathBuf) {
        match pick {
            Pick::Open | Pick::Checkpoint | Pick::World | Pick::Picture => self.open_file(path),
            Pick::Folder | Pick::Archive => self.choose_folder(path),
            Pick::Scorer(file) => self.point_at_scorer(file, path),
            Pick::Decoder(kind) => self.use_decoder(kind, path),
            Pick::SaveWorld => {
                let text = self.world.to_ron();
                self.errands
                    .write(Place::World, with_ending(path, "ron"), text);
            }
            Pick::SaveSession => {
                self.session_path = Some(with_ending(path, "ron"));
                self.save_session();
            }
            Pick::ExportDraws => self.export_draws(path),
            Pick::ExportPictures(kind) => self.write_pictures(with_ending(path, kind.ending())),
            Pick::SaveModel => self.save_trained(with_ending(path, "safetensors")),
            Pick::SaveCurves => self.save_curves(with_ending(path, "csv")),
        }
    }

    /// Replaces the session; the window looks as it says.
    pub fn open_session(&mut self, session: Session, path: Option<PathBuf>) {
        self.remember_world();
        let (session, trouble) = world::resolvable(session);
        let wanted = session.world.clone();
        let compute_changed = session.compute != self.session.compute;
        self.playing = false;
        let left = self.session.workspace;
        self.session = session;
        if self.session.workspace != left {
            self.leave_workspace(self.session.workspace);
        }
        self.steering.typed_reward = None;
        self.steering.played = false;
        self.close_studio();
        self.close_batch();
        self.forget_edits();
        self.fit_if_untouched();
        self.session_path = path;
        self.adopt_world(wanted);
        self.load_wanted_model();
        if compute_changed {
            self.set_compute(self.session.compute);
        }
        self.notices.clear(Place::Program);
        if self.session.lesson.is_some() {
            // What lies before is not of this lesson: its words would stand above another scene.
            self.history = History::new(super::UNDO_LIMIT);
        }
        if let Some(message) = trouble {
            self.notices.error(Place::World, message);
        }
    }

    /// Saves the session where it was saved before, or asks where.
    pub fn save_session(&mut self) {
        match self.session_path.clone() {
            Some(path) => {
                let text = self.session.to_ron();
                self.errands.write(Place::Program, path, text);
            }
            None => self.pick(Pick::SaveSession),
        }
    }

    /// Writes the draws on screen to a file.
    fn export_draws(&mut self, path: PathBuf) {
        let draws = DrawRequest {
            world: self.world.clone(),
            model: self.model.current.clone(),
            source: self.source(),
            t: self.session.t,
            x_t: self.x_t(),
            seed: self.session.seed,
            draws: self.session.draws,
        };
        self.write_in_turn(Command::Export(ExportRequest { draws, path }));
    }

    /// The command that makes the same draws without a window.
    pub fn command_line(&self) -> String {
        let [x, y] = self.x_t();
        let origin = match &self.session.checkpoint {
            CheckpointRef::File(path) => {
                format!("--checkpoint {}", quoted(&path.display().to_string()))
            }
            CheckpointRef::Shipped => format!("--world {}", quoted(&self.world.name)),
        };
        format!(
            "foresight posterior {origin} --t {} --x={x},{y} --draws {} --seed {} --source {} --out draws.npz",
            self.session.t,
            self.session.draws,
            self.session.seed,
            self.source(),
        )
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn with_ending(path: PathBuf, ending: &str) -> PathBuf {
    if path.extension().is_some() {
        path
    } else {
        path.with_extension(ending)
    }
}
