//! What a person would want back: serialisable documents (RON) and history. Must not know tensors or screens.

mod arrays;
mod batch;
mod decoders;
mod document;
mod export;
mod free;
mod gallery;
mod history;
mod images;
mod made;
mod pictures;
mod recent;
mod rewarding;
mod shared;
mod shown;
mod steered;
mod steering;
mod stored;
mod studio;
mod studio_start;
mod table;
mod training;

pub use batch::{Batch, BatchEntry};
pub use decoders::DecoderFiles;
pub use document::{CheckpointRef, Session, SessionError, WorldRef};
pub use export::{DrawsExport, ExportError, ExportFormat, SamplesExport, probe, write_atomically};
pub use free::{FreePart, PaintedMask, ParseMaskError};
pub use history::History;
pub use images::{Images, KeptPicture, Picture, WallOrder};
pub use made::{DrawRecipe, GalleryOrder, Likeness, Made, Middle};
pub use pictures::{
    Font, FrameFormat, FrameWriter, PictureArrays, PictureSettings, SheetCell, contact_sheet,
    encode_png, enlarged, grid_of, read_settings, set_line,
};
pub use recent::RecentFiles;
pub use rewarding::{Rewarding, StoredReference};
pub use shown::{Anchor, ColorTheme, ComputeChoice, DrawStyle, Playback, Show, View};
pub use steered::SteeredRecipe;
pub use steering::{Lesson, RewardStyle, SteerShow, Steering, Workspace};
pub use stored::StoredPicture;
pub use studio::{Studio, StudioNode, StudioSettings, StudioShow};
pub use studio_start::{StoredState, StudioStart};
pub use training::{TrainFor, TrainLoss, TrainTeacher, Training, TunedBeside};
