//! Which keys do what, and what the pointer does.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use super::{Action, Group, Shortcut};
use crate::session::Workspace;

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
