//! Every shortcut, as data: the keys act from this table and the help is built from it.

mod table;

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers, Popup};

use crate::session::Workspace;

pub use table::{GESTURES, SHORTCUTS};

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start or stop the clock.
    PlayPause,
    /// Move the clock by this many thousandths.
    Step(i32),
    /// Clock to 0.
    ToNoise,
    /// Clock to 1.
    ToData,
    /// New noise.
    Redraw,
    /// The whole world in view.
    Fit,
    /// Handles of the modes.
    Edit,
    /// Remove the selected mode.
    DeleteMode,
    /// Points or density.
    DrawStyle,
    /// Contours of the exact posterior.
    Contours,
    /// Arrows of the velocity.
    Velocity,
    /// The lookahead at this place of the list.
    Source(usize),
    /// A second lookahead.
    Overlay,
    /// Go to a workspace.
    Workspace(Workspace),
    /// The reward as heat, as lines, or not at all.
    RewardStyle,
    /// The last steps of the particles.
    Trails,
    /// What the selected particle sees.
    Futures,
    /// Start, pause or resume the training.
    Train,
    /// Keep the selected picture, or put it away.
    Keep,
    /// Go on from the selected picture.
    Branch,
    /// Open any file.
    Open,
    /// Save the session.
    SaveSession,
    /// Take back an edit of the world.
    Undo,
    /// Bring it back.
    Redo,
    /// Show or hide the shortcuts.
    Help,
    /// Close what is open, or cancel what runs. Never quits.
    Cancel,
}

/// Part of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The clock.
    Time,
    /// What is drawn.
    Draws,
    /// The canvas.
    Canvas,
    /// The comparison of methods.
    Steering,
    /// A network that learns.
    Training,
    /// The wall of pictures.
    Images,
    /// Files and the program.
    Program,
}

impl Group {
    /// Heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Time => "Time",
            Self::Draws => "Draws",
            Self::Canvas => "Canvas",
            Self::Steering => "Steering",
            Self::Training => "Training",
            Self::Images => "Images",
            Self::Program => "Program",
        }
    }
}

/// One shortcut.
pub struct Shortcut {
    /// Any of these.
    pub keys: &'static [KeyboardShortcut],
    /// Does this.
    pub action: Action,
    /// In the help, under this heading.
    pub group: Group,
    /// In the help, with these words.
    pub does: &'static str,
}

/// The keys of an action as they are written: `Ctrl+Z`.
pub fn keys_of(ctx: &Context, action: Action) -> String {
    SHORTCUTS
        .iter()
        .find(|s| s.action == action)
        .and_then(|s| s.keys.first())
        .map(|keys| written(ctx, *keys))
        .unwrap_or_default()
}

/// A shortcut as it is written.
pub fn written(ctx: &Context, keys: KeyboardShortcut) -> String {
    let name = match keys.logical_key {
        Key::Questionmark => "?",
        Key::ArrowLeft => "\u{2190}",
        Key::ArrowRight => "\u{2192}",
        Key::Escape => "Esc",
        other => other.name(),
    };
    if keys.modifiers.any() {
        format!("{}+{name}", ctx.format_modifiers(keys.modifiers))
    } else {
        name.to_owned()
    }
}

/// Takes the pressed shortcuts out of this frame's input.
///
/// While text is typed only keys with Ctrl act. `keep_arrows` and `keep_space` leave those keys to
/// the widget that has the focus.
pub fn pressed(ctx: &Context, keep_arrows: bool, keep_space: bool) -> Vec<Action> {
    let typing = ctx.text_edit_focused();
    // What was open at the end of the last frame: nothing of this one is shown yet.
    let popup = Popup::is_any_open(ctx);
    let mut actions = Vec::new();
    ctx.input_mut(|input| {
        for shortcut in SHORTCUTS {
            for keys in shortcut.keys {
                let plain = !keys.modifiers.command;
                let taken = match keys.logical_key {
                    Key::Escape => popup,
                    Key::F1 => false,
                    Key::ArrowLeft | Key::ArrowRight => keep_arrows || typing || popup,
                    // Whoever moves a selection by arrow keys leaves the ends to the clock.
                    Key::Space => keep_space || typing || popup,
                    _ => plain && (typing || popup),
                };
                if taken {
                    continue;
                }
                // `?` needs Shift on many keyboards, and none on others.
                let any_shift = keys.logical_key == Key::Questionmark;
                let count = input.count_and_consume_key(keys.modifiers, keys.logical_key)
                    + if any_shift {
                        input.count_and_consume_key(Modifiers::SHIFT, keys.logical_key)
                            + input.count_and_consume_key(Modifiers::SHIFT, Key::Slash)
                    } else {
                        0
                    };
                actions.extend(std::iter::repeat_n(shortcut.action, count));
            }
        }
    });
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_shortcuts_share_their_keys() {
        let mut seen: Vec<KeyboardShortcut> = Vec::new();
        for shortcut in SHORTCUTS {
            for keys in shortcut.keys {
                assert!(!seen.contains(keys), "{keys:?} twice");
                seen.push(*keys);
            }
        }
    }

    #[test]
    fn every_shortcut_is_in_the_help_with_words() {
        for shortcut in SHORTCUTS {
            assert!(!shortcut.group.title().is_empty());
            assert!(!shortcut.does.is_empty());
        }
    }
}
