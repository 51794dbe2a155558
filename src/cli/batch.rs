//! `foresight batch`: the queue of a session, made without a window.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::replay::{Desk, make_folder, write, write_json};
use crate::engine::{BatchRequest, Command, Event, LoadedImages};
use crate::session::{
    PictureSettings, Session, SheetCell, contact_sheet, encode_png, enlarged, grid_of,
};

/// `foresight batch`
#[derive(Debug, Args)]
pub struct BatchArgs {
    /// A session with a queue: the Studio's "Queue" adds to it.
    #[arg(value_name = "SESSION.ron")]
    pub session: PathBuf,
    /// The folder that the files go to; made if it is not there: a PNG with its settings for each picture, a contact
    /// sheet, the figures, and the session with its pictures in the gallery.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Runs the command on the processor. What can be made is made, whatever becomes of the other entries.
///
/// # Errors
/// With a message for the person: an unreadable session, an empty queue, a full disk, or what could not be made.
pub fn run_batch(args: &BatchArgs) -> Result<(), String> {
    let mut session = Session::load(&args.session).map_err(|e| e.to_string())?;
    let entries = std::mem::take(&mut session.images.batch.entries);
    if entries.is_empty() {
        return Err(format!(
            "{}: its queue is empty. The Studio's button Queue adds to it",
            args.session.display()
        ));
    }
    let out = &args.out;
    make_folder(out)?;
    let desk = Desk::new();
    let mut model: Option<Arc<LoadedImages>> = None;
    let (mut cells, mut rows) = (Vec::new(), Vec::new());
    let mut troubles = Vec::new();
    for entry in &entries {
        let known = model.take().filter(|m| m.hash == entry.recipe.hash);
        let request = BatchRequest {
            model: known,
            recipe: entry.recipe.clone(),
            numbers: entry.done..entry.seeds,
            of: entry.seeds,
            files: session.images.files.clone(),
            decoders: session.images.decoders.clone(),
        };
        let answer = desk.ask(Command::Batch(request), |event| match event {
            Event::Batch(_, answer) if answer.complete => Some(answer),
            _ => None,
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(message) => {
                let place = rows.len() + troubles.len() + 1;
                troubles.push(format!("entry {place}: {message}"));
                session.images.batch.entries.push(entry.clone());
                continue;
            }
        };
        model = Some(answer.model.clone());
        let mut pictures: Vec<Value> = Vec::new();
        for kept in answer.pictures.iter().filter_map(|made| answer.kept(made)) {
            let name = format!("{:03}-seed{}.png", cells.len() + 1, kept.seed);
            let settings = PictureSettings::of(&kept).map(|settings| settings.to_ron());
            let bytes = encode_png(&enlarged(&kept.picture, 1), settings.as_deref())?;
            write(&out.join(&name), &bytes)?;
            pictures.push(json!({
                "file": name, "seed": kept.seed, "label": kept.label, "reward": kept.reward,
            }));
            cells.push(SheetCell {
                picture: kept.picture.clone(),
                caption: kept.caption(format!("{:.3}", kept.t)),
            });
            if session.images.has_room_for(&kept) {
                session.images.kept.push(Arc::new(kept));
            }
        }
        let lost = answer.pictures.iter().filter(|made| made.picture.is_none());
        rows.push(json!({
            "method": entry.recipe.settings.plan.method.to_string(),
            "reward": entry.recipe.rewarding.reward.to_string(),
            "plan": entry.recipe.settings.plan,
            "map": answer.model.name,
            "map_sha256": answer.model.hash,
            "pictures": pictures,
            "not_finite": lost.count(),
        }));
    }
    if !cells.is_empty() {
        let sheet = contact_sheet(&cells, grid_of(cells.len()), &mut |_| true)?;
        if let Some(sheet) = sheet {
            write(&out.join("sheet.png"), &encode_png(&sheet.into(), None)?)?;
        }
    }
    let figures = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "entries": rows,
        "not_made": troubles,
    });
    write_json(&out.join("batch.json"), &figures)?;
    let left = out.join("session.ron");
    session.save(&left).map_err(|e| e.to_string())?;
    say!("{}", left.display());
    match troubles.len() {
        0 => Ok(()),
        n => Err(format!(
            "{n} of {} entries could not be made: {}",
            entries.len(),
            troubles.join("; ")
        )),
    }
}
