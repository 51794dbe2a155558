//! Every shortcut, as data: the keys act from this table and the help is built from it.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers, Popup};

use crate::session::Workspace;

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

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn entry(
    keys: &'static [KeyboardShortcut],
    action: Action,
    group: Group,
    does: &'static str,
) -> Shortcut {
    Shortcut {
        keys,
        action,
        group,
        does,
    }
}

/// Keys with more modifiers stand before the same keys with fewer: the first match acts.
pub const SHORTCUTS: &[Shortcut] = &[
    entry(
        &[key(Key::Space)],
        Action::PlayPause,
        Group::Time,
        "play, pause",
    ),
    entry(
        &[shift(Key::ArrowLeft)],
        Action::Step(-100),
        Group::Time,
        "back by 0.1",
    ),
    entry(
        &[shift(Key::ArrowRight)],
        Action::Step(100),
        Group::Time,
        "forward by 0.1",
    ),
    entry(
        &[key(Key::ArrowLeft)],
        Action::Step(-10),
        Group::Time,
        "back by 0.01, or by a step",
    ),
    entry(
        &[key(Key::ArrowRight)],
        Action::Step(10),
        Group::Time,
        "forward by 0.01, or by a step",
    ),
    entry(
        &[key(Key::Home)],
        Action::ToNoise,
        Group::Time,
        "to noise, t = 0",
    ),
    entry(
        &[key(Key::End)],
        Action::ToData,
        Group::Time,
        "to data, t = 1",
    ),
    entry(
        &[key(Key::R)],
        Action::Redraw,
        Group::Draws,
        "redraw with new noise",
    ),
    entry(
        &[key(Key::D)],
        Action::DrawStyle,
        Group::Draws,
        "points or density; sharp or smooth",
    ),
    entry(
        &[key(Key::Num1)],
        Action::Source(0),
        Group::Draws,
        "one step, learned",
    ),
    entry(
        &[key(Key::Num2)],
        Action::Source(1),
        Group::Draws,
        "K steps, learned",
    ),
    entry(
        &[key(Key::Num3)],
        Action::Source(2),
        Group::Draws,
        "GLASS ODE",
    ),
    entry(
        &[key(Key::Num4)],
        Action::Source(3),
        Group::Draws,
        "SDE rollout",
    ),
    entry(&[key(Key::Num5)], Action::Source(4), Group::Draws, "exact"),
    entry(
        &[key(Key::O)],
        Action::Overlay,
        Group::Draws,
        "second lookahead over it",
    ),
    entry(
        &[key(Key::F)],
        Action::Fit,
        Group::Canvas,
        "the whole world; the whole wall",
    ),
    entry(
        &[key(Key::C)],
        Action::Contours,
        Group::Canvas,
        "exact contours",
    ),
    entry(
        &[key(Key::V)],
        Action::Velocity,
        Group::Canvas,
        "velocity arrows",
    ),
    entry(
        &[key(Key::E)],
        Action::Edit,
        Group::Canvas,
        "edit the world's modes",
    ),
    entry(
        &[key(Key::Delete), key(Key::Backspace)],
        Action::DeleteMode,
        Group::Canvas,
        "delete the mode, or from the gallery",
    ),
    entry(
        &[key(Key::W)],
        Action::RewardStyle,
        Group::Steering,
        "reward as heat, as lines, or hidden",
    ),
    entry(
        &[key(Key::T)],
        Action::Trails,
        Group::Steering,
        "trails of the particles",
    ),
    entry(
        &[key(Key::L)],
        Action::Futures,
        Group::Steering,
        "futures of the selected particle",
    ),
    entry(
        &[ctrl(Key::Enter)],
        Action::Train,
        Group::Training,
        "start, pause or resume; Esc pauses too",
    ),
    entry(
        &[key(Key::S)],
        Action::Keep,
        Group::Images,
        "keep the selected picture",
    ),
    entry(
        &[key(Key::B)],
        Action::Branch,
        Group::Images,
        "go on from the selected picture",
    ),
    entry(
        &[ctrl(Key::Num1)],
        Action::Workspace(Workspace::Posterior),
        Group::Program,
        "the Posterior workspace",
    ),
    entry(
        &[ctrl(Key::Num2)],
        Action::Workspace(Workspace::Steering),
        Group::Program,
        "the Steering workspace",
    ),
    entry(
        &[ctrl(Key::Num3)],
        Action::Workspace(Workspace::Train),
        Group::Program,
        "the Train workspace",
    ),
    entry(
        &[ctrl(Key::Num4)],
        Action::Workspace(Workspace::Images),
        Group::Program,
        "the Images workspace",
    ),
    entry(
        &[ctrl(Key::O)],
        Action::Open,
        Group::Program,
        "open a model, world, session or cloud",
    ),
    entry(
        &[ctrl(Key::S)],
        Action::SaveSession,
        Group::Program,
        "save the session",
    ),
    entry(
        &[ctrl_shift(Key::Z), ctrl(Key::Y)],
        Action::Redo,
        Group::Program,
        "redo",
    ),
    entry(
        &[ctrl(Key::Z)],
        Action::Undo,
        Group::Program,
        "undo an edit",
    ),
    entry(
        &[key(Key::Questionmark), key(Key::F1)],
        Action::Help,
        Group::Program,
        "these shortcuts",
    ),
    entry(
        &[key(Key::Escape)],
        Action::Cancel,
        Group::Program,
        "close this, or cancel what runs",
    ),
];

/// What the pointer does; for the help.
pub const GESTURES: &[(&str, &str)] = &[
    (
        "drag x_t",
        "move the state; arrow keys when it has the focus",
    ),
    ("double click", "bring x_t here (edit mode: add a mode)"),
    ("drag the ground", "pan"),
    (
        "wheel",
        "zoom about the pointer (over a mode in edit mode: its weight)",
    ),
    (
        "click a particle",
        "steering: follow it in every panel, with the futures it sees",
    ),
    (
        "drag the reward",
        "steering: its handles move it in every panel",
    ),
    (
        "double click a picture",
        "images: noise it, and see what it could become",
    ),
    (
        "Alt-click a picture",
        "images: compare the others with it on hovering",
    ),
    (
        "Ctrl and +, \u{2212} or 0",
        "everything larger, smaller, or as it was",
    ),
    ("drop a file", ".safetensors, .ron, .csv, .png or .jpg"),
];

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
