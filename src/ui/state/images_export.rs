//! Pictures to files: what is written is fixed when the dialog opens.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::engine::{Command, PicturesExport, PicturesRequest, RequestId, WallRequest};
use crate::session::{KeptPicture, Made, SheetCell};
use crate::ui::errands::Pick;

use super::{Place, State};

/// Times of a scrub.
const FRAMES: u32 = 61;

/// A way to write pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// One picture, PNG.
    Picture,
    /// A contact sheet, PNG.
    Sheet,
    /// A scrub of `t`, GIF or numbered PNG files.
    Scrub,
    /// NPZ or safetensors.
    Arrays,
}

impl ExportKind {
    /// What a name ends in when the person gave it no ending.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Picture | Self::Sheet => "png",
            Self::Scrub => "gif",
            Self::Arrays => "npz",
        }
    }

    /// Names and endings of the files that it can be written to.
    pub fn filters(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Picture | Self::Sheet => &[("PNG", &["png"])],
            Self::Scrub => &[("Moving GIF", &["gif"]), ("Numbered PNG files", &["png"])],
            Self::Arrays => &[
                ("NumPy archive", &["npz"]),
                ("Safetensors", &["safetensors"]),
            ],
        }
    }
}

/// How one picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOptions {
    /// Enlargement.
    pub scale: u32,
    /// With the settings that make it again.
    pub settings: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            scale: 1,
            settings: true,
        }
    }
}

/// What is to be written once a file is chosen.
#[derive(Default)]
pub struct Exports {
    /// How one picture is written.
    pub options: ExportOptions,
    waiting: Option<PicturesExport>,
    /// What is written after that which is under way: the engine drops a request for a newer one, and of two files a
    /// person wants both.
    queue: VecDeque<Command>,
    under_way: Option<RequestId>,
}

impl Exports {
    /// Whether nothing is written, or waits to be.
    pub fn is_done(&self) -> bool {
        self.queue.is_empty() && self.under_way.is_none()
    }
}

impl State {
    /// Asks where to write one picture.
    pub fn export_picture(&mut self, kept: KeptPicture) {
        let ExportOptions { scale, settings } = self.images.exports.options;
        let label = kept.label.as_deref().unwrap_or("picture");
        let name = match &kept.made {
            Some(Made::Steered(_)) => format!("{label}-{}-{}.png", kept.seed, kept.item),
            _ => format!("{label}-{}.png", kept.item),
        };
        let kept = Box::new(kept);
        let what = PicturesExport::Picture {
            kept,
            scale,
            settings,
        };
        self.ask_where(what, ExportKind::Picture, name);
    }

    /// Asks where to write the selected draw of the wall. It stays in the gallery.
    pub fn export_selected(&mut self) {
        let selected = self.session.images.selected;
        let Some(kept) = selected.and_then(|item| self.draw_of(item, false)) else {
            let text = "Select a picture on the wall first";
            self.notices.error(Place::Images, text);
            return;
        };
        self.add_to_gallery(kept.clone());
        self.export_picture(kept);
    }

    /// Asks where to write the wall as a contact sheet.
    pub fn export_wall_sheet(&mut self) {
        let count = self.images.view.tiles.len() as u32;
        let cells = (0..count).filter_map(|item| self.draw_of(item, false));
        let cells = cells.map(|kept| SheetCell::of(&kept)).collect();
        self.ask_where(
            PicturesExport::Sheet(cells),
            ExportKind::Sheet,
            "wall.png".into(),
        );
    }

    /// Asks where to write entries of the gallery as a contact sheet.
    pub fn export_gallery_sheet(&mut self, entries: &[usize]) {
        let cells = self.session.images.sheet_of_kept(entries);
        let name = "gallery.png".into();
        self.ask_where(PicturesExport::Sheet(cells), ExportKind::Sheet, name);
    }

    /// Asks where to write a scrub of `t`, of the wall or of one draw.
    pub fn export_scrub(&mut self, item: Option<u32>) {
        let Some(model) = self.images.model.clone() else {
            return;
        };
        let images = &self.session.images;
        let what = PicturesExport::Scrub {
            wall: WallRequest::of(model, images, images.draws),
            item,
            frames: FRAMES,
        };
        self.ask_where(what, ExportKind::Scrub, "scrub.gif".into());
    }

    /// Asks where to write the wall as arrays.
    pub fn export_arrays(&mut self) {
        if let Some(drawn) = self.images.view.drawn.clone() {
            let what = PicturesExport::Arrays(drawn);
            self.ask_where(what, ExportKind::Arrays, "wall.npz".into());
        }
    }

    pub(super) fn ask_where(&mut self, what: PicturesExport, kind: ExportKind, name: String) {
        self.images.exports.waiting = Some(what);
        self.errands.pick(Pick::ExportPictures(kind), name);
    }

    /// A file was chosen.
    pub(super) fn write_pictures(&mut self, path: PathBuf) {
        if let Some(what) = self.images.exports.waiting.take() {
            let request = PicturesRequest { what, path };
            self.write_in_turn(Command::ExportPictures(request));
        }
    }

    /// Writes a file after those that were asked for before.
    pub(super) fn write_in_turn(&mut self, command: Command) {
        self.images.exports.queue.push_back(command);
        self.write_next();
    }

    fn write_next(&mut self) {
        let exports = &mut self.images.exports;
        if exports.under_way.is_none()
            && let Some(command) = exports.queue.pop_front()
        {
            exports.under_way = Some(self.engine.submit(command));
        }
    }

    /// A file was written, or could not be.
    pub(super) fn export_ended(&mut self, id: RequestId) {
        let ended = self.images.exports.under_way.take_if(|other| *other == id);
        if ended.is_some() {
            self.write_next();
        }
    }

    /// The person called it off, with what would come after it.
    pub(super) fn exports_cancelled(&mut self, id: RequestId) {
        self.images.exports.queue.clear();
        self.export_ended(id);
        self.notices.done(Place::Program, "Export cancelled");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use eframe::egui::Context;

    use super::*;
    use crate::engine::{DrawRequest, ExportRequest};
    use crate::lookahead::Source;
    use crate::session::Session;

    #[test]
    fn two_files_that_are_asked_for_at_once_are_both_written() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["first.csv", "second.csv"].map(|name| folder.path().join(name));
        let mut state = State::new(&Context::default(), None, Session::default(), None);
        for path in paths.clone() {
            let draws = DrawRequest {
                world: state.world.clone(),
                model: None,
                source: Source::Exact,
                t: 0.3,
                x_t: state.x_t(),
                seed: 1,
                draws: 1_000,
            };
            state.write_in_turn(Command::Export(ExportRequest { draws, path }));
        }
        let begun = Instant::now();
        while !state.images.exports.is_done() {
            assert!(
                begun.elapsed() < Duration::from_mins(5),
                "the files are not written"
            );
            std::thread::sleep(Duration::from_millis(5));
            state.take_events();
        }
        assert!(paths.iter().all(|path| path.exists()));
    }
}
