//! Pictures as files: PNG with the settings that make them again, contact sheets, moving pictures, arrays.
//!
//! Plain bytes and slices only, no tensors. What is read back is checked before memory is taken for it.

mod arrays;
mod font;
mod frames;
mod png;
mod settings;
mod sheet;

pub use arrays::PictureArrays;
pub use font::Font;
pub use frames::{FrameFormat, FrameWriter};
pub use png::{encode_png, enlarged, grid_of};
pub use settings::{PictureSettings, read_settings};
pub use sheet::{SheetCell, contact_sheet, set_line};
