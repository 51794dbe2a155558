//! Panels, widgets, tokens, shortcuts. Must not know burn.
