//! Pictures to files: what is written is fixed when the dialog opens.

use std::path::PathBuf;

use crate::engine::{Command, PicturesExport, PicturesRequest, WallRequest};
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
            self.engine.submit(Command::ExportPictures(request));
        }
    }
}
