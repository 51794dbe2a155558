//! The worker: commands in, events out, latest-wins, cancel, progress. Must not know egui.

mod message;

pub use message::*;
