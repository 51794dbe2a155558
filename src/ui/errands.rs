//! Small jobs that must not hold up the window: file dialogs, reading and writing files.
//!
//! Each runs on a thread of its own and leaves its result in a channel that is emptied once a frame.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use eframe::egui;

use crate::checkpoint::DecoderKind;
use crate::engine::{LoadedModel, load_shipped};
use crate::mixture::{MixtureError, PointCloud, Preset, World};
use crate::reward::picture::ScorerFile;
use crate::session::{PictureSettings, Session, StoredPicture, read_settings};
use crate::train::read_picture;

use super::state::{ExportKind, Place};

/// A dialog that is gone sooner was never shown.
const NO_DIALOG: Duration = Duration::from_secs(1);

/// What a file dialog is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Any file that the window can open.
    Open,
    /// A checkpoint.
    Checkpoint,
    /// A world or a cloud of points.
    World,
    /// A picture.
    Picture,
    /// A folder of pictures to learn.
    Folder,
    /// An archive of one.
    Archive,
    /// A file that a reward asks.
    Scorer(ScorerFile),
    /// A file that decodes latents.
    Decoder(DecoderKind),
    /// Where to save the world.
    SaveWorld,
    /// Where to save the session.
    SaveSession,
    /// Where to write the draws.
    ExportDraws,
    /// Where to save the trained network.
    SaveModel,
    /// Where to save the curves of the training.
    SaveCurves,
    /// Where to write pictures.
    ExportPictures(ExportKind),
}

impl Pick {
    /// Whether a file is to be written.
    pub fn writes(self) -> bool {
        match self {
            Self::SaveWorld
            | Self::SaveSession
            | Self::ExportDraws
            | Self::SaveModel
            | Self::SaveCurves
            | Self::ExportPictures(_) => true,
            Self::Open
            | Self::Checkpoint
            | Self::World
            | Self::Picture
            | Self::Folder
            | Self::Archive
            | Self::Scorer(_)
            | Self::Decoder(_) => false,
        }
    }
}

/// What came of an errand.
pub enum Outcome {
    /// The shipped checkpoint of a preset; `None` where none is shipped.
    Shipped(Preset, Result<Option<LoadedModel>, String>),
    /// A path was chosen.
    Picked(Pick, PathBuf),
    /// A world was read.
    World(PathBuf, Result<World, String>),
    /// A cloud of points was read.
    Cloud(PathBuf, Result<PointCloud, String>),
    /// A picture was read.
    Picture(PathBuf, Result<StoredPicture, String>),
    /// What an exported picture says of itself was read; `None` where it says nothing.
    Settings(PathBuf, Result<Option<PictureSettings>, String>),
    /// A session was read.
    Session(PathBuf, Result<Box<Session>, String>),
    /// No dialog was shown, as far as can be told.
    NoDialog(Pick),
    /// A file was written.
    Saved(Place, PathBuf, Result<(), String>),
}

/// The errands under way.
pub struct Errands {
    sender: Sender<Outcome>,
    receiver: Receiver<Outcome>,
    ctx: egui::Context,
}

impl Errands {
    /// None yet. `ctx` is woken when one ends.
    pub fn new(ctx: &egui::Context) -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver,
            ctx: ctx.clone(),
        }
    }

    /// What has come back since the last call.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.receiver.try_iter().collect()
    }

    fn run(&self, job: impl FnOnce() -> Option<Outcome> + Send + 'static) {
        let (sender, ctx) = (self.sender.clone(), self.ctx.clone());
        let started = std::thread::Builder::new()
            .name("foresight-errand".into())
            .spawn(move || {
                if let Some(outcome) = job()
                    // Nobody listens any more when the window is closing.
                    && sender.send(outcome).is_ok()
                {
                    ctx.request_repaint();
                }
            });
        if let Err(e) = started {
            tracing::error!("a thread did not start: {e}");
        }
    }

    /// Loads the checkpoint that is shipped for a preset.
    pub fn load_shipped(&self, preset: Preset) {
        self.run(move || {
            let result = load_shipped(preset).transpose().map_err(|e| e.to_string());
            Some(Outcome::Shipped(preset, result))
        });
    }

    /// Shows a file dialog.
    pub fn pick(&self, pick: Pick, suggestion: String) {
        self.run(move || {
            let begun = Instant::now();
            let dialog = rfd::FileDialog::new();
            let path = match pick {
                Pick::Open => dialog
                    .add_filter(
                        "Foresight files",
                        &[
                            "safetensors",
                            "pt",
                            "pth",
                            "ron",
                            "csv",
                            "png",
                            "jpg",
                            "jpeg",
                        ],
                    )
                    .pick_file(),
                Pick::Checkpoint => dialog
                    .add_filter("Checkpoints", &["safetensors", "pt", "pth"])
                    .pick_file(),
                Pick::World => dialog
                    .add_filter("Worlds and points", &["ron", "csv"])
                    .pick_file(),
                Pick::Picture => dialog
                    .add_filter("Pictures", &["png", "jpg", "jpeg"])
                    .pick_file(),
                Pick::Folder => dialog.pick_folder(),
                Pick::Archive => dialog
                    .add_filter("Archives of pictures", &["zip", "tar", "xz"])
                    .pick_file(),
                Pick::Decoder(_) => dialog
                    .add_filter("Decoders of latents", &["safetensors", "pt", "pth", "bin"])
                    .pick_file(),
                Pick::Scorer(file) => dialog.add_filter(file.what(), file.endings()).pick_file(),
                Pick::SaveWorld | Pick::SaveSession => dialog
                    .add_filter("RON", &["ron"])
                    .set_file_name(suggestion)
                    .save_file(),
                Pick::SaveModel => dialog
                    .add_filter("Checkpoints", &["safetensors"])
                    .set_file_name(suggestion)
                    .save_file(),
                Pick::SaveCurves => dialog
                    .add_filter("Comma-separated values", &["csv"])
                    .set_file_name(suggestion)
                    .save_file(),
                Pick::ExportPictures(kind) => kind
                    .filters()
                    .iter()
                    .fold(dialog, |dialog, (name, endings)| {
                        dialog.add_filter(*name, endings)
                    })
                    .set_file_name(suggestion)
                    .save_file(),
                Pick::ExportDraws => dialog
                    .add_filter("NumPy archive", &["npz"])
                    .add_filter("Comma-separated values", &["csv"])
                    .add_filter("Safetensors", &["safetensors"])
                    .set_file_name(suggestion)
                    .save_file(),
            };
            match path {
                Some(path) => Some(Outcome::Picked(pick, path)),
                // Nobody is that quick: the system has no file dialog to show.
                None if begun.elapsed() < NO_DIALOG => Some(Outcome::NoDialog(pick)),
                None => None,
            }
        });
    }

    /// Reads a `.ron` file, which may hold a world or a session.
    pub fn read_ron(&self, path: PathBuf) {
        self.run(move || Some(read_ron(path)));
    }

    /// Reads a picture and brings it to a map's size.
    pub fn read_picture(&self, path: PathBuf, channels: u32, side: u32) {
        self.run(move || {
            let result = read_picture(&path, side as usize, channels as usize)
                .map(|bytes| StoredPicture::from_bytes(channels, side, &bytes))
                .and_then(|stored| stored.ok_or_else(|| format!("{}: no picture", path.display())));
            Some(Outcome::Picture(path, result))
        });
    }

    /// Reads what an exported picture says of itself.
    pub fn read_settings(&self, path: PathBuf) {
        self.run(move || {
            let result = read_settings(&path);
            Some(Outcome::Settings(path, result))
        });
    }

    /// Reads a cloud of points.
    pub fn read_cloud(&self, path: PathBuf) {
        self.run(move || {
            let result = PointCloud::load(&path).map_err(|e: MixtureError| e.to_string());
            Some(Outcome::Cloud(path, result))
        });
    }

    /// Writes text, whole or not at all.
    pub fn write(&self, place: Place, path: PathBuf, text: String) {
        self.run(move || {
            let result = write_whole(&path, &text).map_err(|e| {
                format!(
                    "{} could not be written: {e}. Choose another folder or name",
                    path.display()
                )
            });
            Some(Outcome::Saved(place, path, result))
        });
    }
}

/// A session says at least one of its own fields; a world says `mixture`.
fn read_ron(path: PathBuf) -> Outcome {
    match World::load(&path) {
        Ok(world) => Outcome::World(path, Ok(world)),
        Err(world_error) => match Session::load(&path) {
            Ok(session) => Outcome::Session(path, Ok(Box::new(session))),
            Err(session_error) => {
                let looks_like_world = std::fs::read_to_string(&path)
                    .is_ok_and(|text| text.contains("mixture") && !text.contains("checkpoint"));
                if looks_like_world {
                    Outcome::World(path, Err(world_error.to_string()))
                } else {
                    Outcome::Session(path, Err(session_error.to_string()))
                }
            }
        },
    }
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    std::fs::write(&part, text)?;
    std::fs::rename(&part, path)
}
