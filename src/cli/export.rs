//! `foresight export`: pictures of a session's wall, Studio or Gallery as files, as the window writes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::replay::{Desk, cells, draw_of, film_of, open_map, sheet_of, studio_of, wall_of};
use super::report_file::check_report;
use crate::engine::{Command, Event, LoadedImages, PicturesExport, PicturesRequest, WallRequest};
use crate::session::{FrameFormat, Images, Middle, Session, Workspace};

/// `foresight export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A session of the Images workspace.
    #[arg(value_name = "SESSION.ron")]
    pub session: PathBuf,
    /// One draw of the wall, one picture of the Studio's row that is selected, or one of the Gallery as it is arranged, by
    /// its number.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..1024))]
    pub item: Option<u32>,
    /// Moving: t from 0 to 1, or the Studio's runs step by step, as one .gif or as numbered .png files.
    #[arg(long)]
    pub scrub: bool,
    /// Times of a scrub.
    #[arg(long, default_value_t = 61, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub frames: u32,
    /// Enlargement of one picture.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub scale: u32,
    /// Leave out the settings that make one picture again.
    #[arg(long)]
    pub without_settings: bool,
    /// Where to write: .png (one picture with --item, else a contact sheet), .gif, .npz or .safetensors.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run_export(args: &ExportArgs) -> Result<(), String> {
    let session = Session::load(&args.session).map_err(|e| e.to_string())?;
    if session.workspace != Workspace::Images {
        return Err(format!(
            "{}: only the Images workspace has pictures; 'foresight replay' writes what others show",
            args.session.display()
        ));
    }
    let kind = kind_of(&args.out, args)?;
    check_report(&args.out, None)?;
    let desk = Desk::new();
    let images = &session.images;
    let what = match images.middle {
        Middle::Gallery => of_gallery(images, (kind, args))?,
        Middle::Studio => {
            let model = open_map(&desk, images)?;
            of_studio(&desk, &model, images, (kind, args))?
        }
        Middle::Wall | Middle::Diversity => {
            let model = open_map(&desk, images)?;
            of_wall(&desk, model, images, (kind, args))?
        }
    };
    let path = args.out.clone();
    let request = PicturesRequest { what, path };
    let said = desk.ask(Command::ExportPictures(request), |event| match event {
        Event::Written(_, said) => Some(said),
        _ => None,
    })?;
    say!("{said}");
    Ok(())
}

/// What the Studio shows.
fn of_studio(
    desk: &Desk,
    model: &Arc<LoadedImages>,
    images: &Images,
    (kind, args): (Kind, &ExportArgs),
) -> Result<PicturesExport, String> {
    if kind == Kind::Arrays {
        return Err(format!(
            "{}: the Studio's pictures are written as .png or .gif; 'foresight steer --out FILE.npz' writes arrays",
            args.out.display()
        ));
    }
    let studio = &images.studio;
    let across = studio.pictures;
    if let Some(item) = args.item.filter(|item| *item >= across) {
        let last = across - 1;
        return Err(format!("the Studio has pictures 0 to {last}, not {item}"));
    }
    let answer = studio_of(desk, model, images)?;
    let row = (studio.selected.0 as usize).min(answer.panels.len().saturating_sub(1));
    let cell = args.item.map(|item| (row, item as usize));
    Ok(match kind {
        Kind::Scrub => PicturesExport::Steering(film_of(&answer, images, cell)),
        Kind::Picture(item) => {
            let set = (&images.rewarding, &studio.settings);
            let kept = answer.picture(set, (row, item as usize), studio.t);
            PicturesExport::Picture {
                kept: Box::new(kept.ok_or("the Studio has no such picture")?),
                scale: args.scale,
                settings: !args.without_settings,
            }
        }
        Kind::Sheet | Kind::Arrays => PicturesExport::Sheet(sheet_of(&answer, images)),
    })
}

/// What the Gallery shows: its pictures are in the session.
fn of_gallery(
    images: &Images,
    (kind, args): (Kind, &ExportArgs),
) -> Result<PicturesExport, String> {
    let shown = images.gallery();
    match kind {
        _ if shown.is_empty() => Err(format!(
            "{}: the Gallery shows no picture",
            args.session.display()
        )),
        Kind::Sheet => Ok(PicturesExport::Sheet(images.sheet_of_kept(&shown))),
        Kind::Picture(item) => {
            let index = shown.get(item as usize).ok_or_else(|| {
                let last = shown.len() - 1;
                format!("the Gallery shows pictures 0 to {last}, not {item}")
            })?;
            Ok(PicturesExport::Picture {
                kept: Box::new((*images.kept[*index]).clone()),
                scale: args.scale,
                settings: !args.without_settings,
            })
        }
        Kind::Scrub | Kind::Arrays => Err(format!(
            "{}: the Gallery's pictures are written as .png; with the wall in the middle of the session there are .gif, .npz and .safetensors too",
            args.out.display()
        )),
    }
}

/// What the wall shows.
fn of_wall(
    desk: &Desk,
    model: Arc<LoadedImages>,
    images: &Images,
    (kind, args): (Kind, &ExportArgs),
) -> Result<PicturesExport, String> {
    if let Some(item) = args.item.filter(|item| *item >= images.draws) {
        return Err(format!(
            "the wall has draws 0 to {}, not {item}",
            images.draws - 1
        ));
    }
    Ok(match kind {
        Kind::Scrub => PicturesExport::Scrub {
            wall: WallRequest::of(model, images, images.draws),
            item: args.item,
            frames: args.frames,
        },
        Kind::Picture(item) => {
            let wall = wall_of(desk, &model, images)?;
            let kept = draw_of(&wall, Some(images), item);
            PicturesExport::Picture {
                kept: Box::new(kept.ok_or("the wall has no such draw")?),
                scale: args.scale,
                settings: !args.without_settings,
            }
        }
        Kind::Sheet => {
            let wall = wall_of(desk, &model, images)?;
            PicturesExport::Sheet(cells(&wall))
        }
        Kind::Arrays => PicturesExport::Arrays(wall_of(desk, &model, images)?),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture(u32),
    Sheet,
    Scrub,
    Arrays,
}

fn kind_of(path: &Path, args: &ExportArgs) -> Result<Kind, String> {
    if args.scrub {
        return FrameFormat::from_path(path).map(|_| Kind::Scrub);
    }
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match (ending.as_deref(), args.item) {
        (Some("png"), Some(item)) => Ok(Kind::Picture(item)),
        (Some("png"), None) => Ok(Kind::Sheet),
        (Some("gif"), _) => Ok(Kind::Scrub),
        (Some("npz" | "safetensors"), _) => Ok(Kind::Arrays),
        _ => Err(format!(
            "{}: end the name in .png, .gif, .npz or .safetensors",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_what_is_written() {
        let args = |item, scrub| ExportArgs {
            session: PathBuf::from("s.ron"),
            item,
            scrub,
            frames: 61,
            scale: 1,
            without_settings: false,
            out: PathBuf::new(),
        };
        let kind = |name: &str, item, scrub| kind_of(Path::new(name), &args(item, scrub));
        assert_eq!(kind("a.PNG", Some(3), false), Ok(Kind::Picture(3)));
        assert_eq!(kind("a.png", None, false), Ok(Kind::Sheet));
        assert_eq!(kind("a.png", Some(3), true), Ok(Kind::Scrub));
        assert_eq!(kind("a.gif", None, false), Ok(Kind::Scrub));
        assert_eq!(kind("a.npz", None, false), Ok(Kind::Arrays));
        assert!(kind("a.mp4", None, false).unwrap_err().contains(".gif"));
        assert!(kind("a.npz", None, true).is_err());
    }
}
