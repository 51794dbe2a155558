//! The headless commands, over the same engine as the window. Must not know egui panels.
