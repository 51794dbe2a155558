//! Panels, widgets, tokens, shortcuts. Must not know burn.
//!
//! [`App`] holds one state: the session (what decides the picture), the world and model it names,
//! and the engine's last good answers. Panels change the session; once a frame the difference to
//! what was asked before goes to the engine. Nothing here waits, and nothing touches a tensor.
//!
//! Every colour and size is in [`tokens`], every key in `shortcuts`, every call to `render` in
//! `canvas/paint`.

mod app;
mod autosave;
mod canvas;
mod checkpoint;
mod diversity;
mod errands;
mod fonts;
mod format;
mod help;
mod icon;
mod images;
mod layout;
mod offscreen;
mod offscreen_frames;
mod offscreen_wall;
mod options;
mod persist;
mod run;
mod shortcuts;
mod side;
mod state;
mod status;
mod steering;
mod timeline;
mod tokens;
mod top_bar;
mod training;
mod widgets;

pub use app::App;
pub use offscreen::{measure_window, snapshot};
pub use offscreen_frames::measure_frames;
pub use offscreen_wall::measure_walls;
pub use options::AppOptions;
pub use run::run;
