//! `foresight replay`: the pictures and figures of a session, made again without a window, the same bytes each time.

mod desk;
mod images;
mod posterior;
mod steering;
mod studio;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::engine::{LoadedModel, load_checkpoint, load_shipped};
use crate::mixture::{Preset, World};
use crate::session::{CheckpointRef, Session, Workspace, probe, write_atomically};

pub(super) use desk::Desk;
pub(super) use images::{cells, draw_of, open_map, wall_of};
pub(super) use studio::{film_of, sheet_of, studio_of};

/// `foresight replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The session.
    #[arg(value_name = "SESSION.ron")]
    pub session: PathBuf,
    /// The folder that the files go to; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Runs the command. Everything runs on the processor, whose results are the same on every machine.
///
/// # Errors
/// With a message for the person: an unreadable session, a missing model, a full disk.
pub fn run_replay(args: &ReplayArgs) -> Result<(), String> {
    let session = Session::load(&args.session).map_err(|e| e.to_string())?;
    let out = &args.out;
    if session.workspace == Workspace::Train {
        return Err(format!(
            "{}: the session shows a training, which leaves no pictures or figures to make again: 'foresight train' and 'foresight finetune' make their checkpoints again",
            args.session.display()
        ));
    }
    make_folder(out)?;
    match session.workspace {
        Workspace::Images => images::replay(&session.images, out),
        Workspace::Steering => steering::replay(&session, out),
        _ => posterior::replay(&session, out),
    }
}

/// Makes the folder that files go to, where it is not there, and sees that they can be written there.
pub(super) fn make_folder(out: &Path) -> Result<(), String> {
    let name = out.display();
    if out.exists() && !out.is_dir() {
        return Err(format!(
            "{name} is a file. Give --out the name of a folder, which is made if it is not there"
        ));
    }
    let there = std::fs::create_dir_all(out);
    there.and_then(|()| probe(&out.join("figures.json"))).map_err(|e| {
        format!(
            "{name}: files could not be written there: {e}. Check the permissions, or choose another folder"
        )
    })
}

/// Writes a file and says so.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    write_atomically(path, |file| file.write_all(bytes)).map_err(|e| {
        let path = path.display();
        format!("{path}: could not be written: {e}. Check free space and permissions of the folder")
    })?;
    say!("{}", path.display());
    Ok(())
}

pub(super) fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    write(path, format!("{text}\n").as_bytes())
}

/// A number for JSON; null where it is none.
fn number(value: f64) -> serde_json::Value {
    serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, Into::into)
}

/// The world of a session and the model that answers "learned" there; `None` where none is shipped for it.
fn world_and_model(session: &Session) -> Result<(World, Option<LoadedModel>), String> {
    let world = session.world.resolve().map_err(|e| e.to_string())?;
    let model = match &session.checkpoint {
        CheckpointRef::File(path) => Some(load_checkpoint(path)),
        CheckpointRef::Shipped => session
            .world
            .preset()
            .or_else(|| Preset::from_name(&world.name))
            .and_then(load_shipped),
    };
    let model = model.transpose().map_err(|e| e.to_string())?;
    Ok((world, model))
}
