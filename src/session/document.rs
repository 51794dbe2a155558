//! The session: everything that decides what the window shows.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lookahead::Source;
use crate::mixture::{MixtureError, Preset, World, shortened};

use super::export::write_atomically;
use super::images::Images;
use super::shown::{Anchor, ColorTheme, ComputeChoice, DrawStyle, Playback, Show, View};
use super::steering::{Lesson, Steering, Workspace};
use super::training::Training;

/// The largest session file that is read, in bytes.
const MAX_SESSION_BYTES: u64 = 32 << 20;

/// Why a session could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}. Check that the file exists and can be accessed")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any session.
    #[error(
        "{path} is {bytes} bytes; a session file has at most {MAX_SESSION_BYTES}. Is this the right file?"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The text is not a session.
    #[error(
        "{path}: not a Foresight session: {reason}. Compare with a session that Foresight saved"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and cause.
        reason: String,
    },
    /// A value is outside its range.
    #[error("{path}: {field} is {value}, but {expected}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The field at fault.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
}

/// Which world is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorldRef {
    /// A preset by its command-line name.
    Preset(String),
    /// A world edited or imported by the person, kept whole.
    Custom(World),
}

impl WorldRef {
    /// The world itself.
    ///
    /// # Errors
    /// When the name is no preset's.
    pub fn resolve(&self) -> Result<World, MixtureError> {
        match self {
            // A name only: a session of somebody else must not open files.
            Self::Preset(name) => match Preset::from_name(name) {
                Some(preset) => Ok(World::preset(preset)),
                None => Err(MixtureError::UnknownWorld {
                    given: shortened(name, 200),
                    presets: Preset::names(),
                }),
            },
            Self::Custom(world) => Ok(world.clone()),
        }
    }

    /// The preset, if it is one.
    pub fn preset(&self) -> Option<Preset> {
        match self {
            Self::Preset(name) => Preset::from_name(name),
            Self::Custom(_) => None,
        }
    }
}

/// Which model answers "learned".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CheckpointRef {
    /// The checkpoint shipped for the world's preset, if there is one.
    Shipped,
    /// A file.
    File(PathBuf),
}

/// Everything that decides what the window shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Version of this format; 1.
    pub format: u32,
    /// The world.
    pub world: WorldRef,
    /// The model.
    pub checkpoint: CheckpointRef,
    /// Where `x_t` was placed.
    pub anchor: Anchor,
    /// The clock, 0 noise, 1 data.
    pub t: f64,
    /// Whether `x_t` follows the probability flow as the clock moves (else it stays where it is).
    pub carry: bool,
    /// Root of all randomness.
    pub seed: u64,
    /// Number of draws, 1 to 1,000,000.
    pub draws: u32,
    /// The lookahead shown.
    pub source: Source,
    /// A second lookahead over it.
    pub overlay: Option<Source>,
    /// Points or density.
    pub style: DrawStyle,
    /// What is shown.
    pub show: Show,
    /// The part of the plane in view.
    pub view: View,
    /// The clock's speed.
    pub playback: Playback,
    /// Where the mathematics runs.
    pub compute: ComputeChoice,
    /// Colours.
    pub theme: ColorTheme,
    /// What the window is for.
    pub workspace: Workspace,
    /// The comparison of methods.
    pub steering: Steering,
    /// The training of a network.
    pub training: Training,
    /// The wall of pictures.
    pub images: Images,
    /// What a teacher says of it.
    pub lesson: Option<Lesson>,
}

impl Default for Session {
    /// The first launch: three modes, `x_t` where the posterior has two.
    fn default() -> Self {
        Self {
            format: 1,
            world: WorldRef::Preset("three".into()),
            checkpoint: CheckpointRef::Shipped,
            anchor: Anchor {
                t: 0.33,
                x: [-0.6, -0.8],
            },
            t: 0.33,
            carry: true,
            seed: 3,
            draws: 4096,
            source: Source::OneStep,
            overlay: None,
            style: DrawStyle::Points,
            show: Show::default(),
            view: View::default(),
            playback: Playback::default(),
            compute: ComputeChoice::Auto,
            theme: ColorTheme::Dark,
            workspace: Workspace::Posterior,
            steering: Steering::default(),
            training: Training::default(),
            images: Images::default(),
            lesson: None,
        }
    }
}

impl Session {
    /// The most draws that a session may ask for.
    pub const MAX_DRAWS: u32 = 1_000_000;
    /// The most text of a lesson.
    pub const MAX_LESSON_BYTES: usize = 2_000;

    /// Reads a session from RON text; `path` is only for messages.
    ///
    /// # Errors
    /// On unknown fields, wrong types, or values outside their range.
    pub fn from_ron(text: &str, path: &Path) -> Result<Self, SessionError> {
        let session: Self = ron::from_str(text).map_err(|e| SessionError::Syntax {
            path: path.to_owned(),
            reason: shortened(&e.to_string(), 400),
        })?;
        session.validate(path)?;
        Ok(session)
    }

    /// Reads a session file of at most 32 MiB.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or is not a session.
    pub fn load(path: &Path) -> Result<Self, SessionError> {
        let io = |source| SessionError::Io {
            path: path.to_owned(),
            source,
        };
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > MAX_SESSION_BYTES {
            return Err(SessionError::TooLarge {
                path: path.to_owned(),
                bytes,
            });
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        Self::from_ron(&text, path)
    }

    /// The session as RON text.
    pub fn to_ron(&self) -> String {
        // Plain data with string keys: `ron` has no way to fail on it.
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default()).unwrap_or_default()
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SessionError> {
        write_atomically(path, |file| file.write_all(self.to_ron().as_bytes())).map_err(|source| {
            SessionError::Io {
                path: path.to_owned(),
                source,
            }
        })
    }

    fn validate(&self, path: &Path) -> Result<(), SessionError> {
        let fail = |field, value: String, expected| {
            Err(SessionError::Value {
                path: path.to_owned(),
                field,
                value,
                expected,
            })
        };
        if self.format != 1 {
            return fail(
                "format",
                self.format.to_string(),
                "this version reads format 1. Use a newer Foresight",
            );
        }
        for (field, t) in [("t", self.t), ("anchor.t", self.anchor.t)] {
            if !(0.0..=1.0).contains(&t) {
                return fail(field, t.to_string(), "a time lies in [0, 1]");
            }
        }
        if !self.anchor.x.iter().all(|v| v.is_finite() && v.abs() < 1e6) {
            return fail(
                "anchor.x",
                format!("{:?}", self.anchor.x),
                "coordinates are finite and below a million",
            );
        }
        if !(1..=Self::MAX_DRAWS).contains(&self.draws) {
            return fail(
                "draws",
                self.draws.to_string(),
                "1 to 1,000,000 are possible",
            );
        }
        let view = self.view;
        if !(view.center.iter().all(|v| v.is_finite()) && (1e-3..=1e6).contains(&view.half_extent))
        {
            return fail(
                "view",
                format!("{view:?}"),
                "it must be finite and not empty",
            );
        }
        if !(0.01..=100.0).contains(&self.playback.speed) {
            return fail(
                "playback.speed",
                self.playback.speed.to_string(),
                "0.01 to 100 are possible",
            );
        }
        let fault = self
            .steering
            .fault()
            .or_else(|| self.training.fault())
            .or_else(|| self.images.fault());
        if let Some((field, value, expected)) = fault {
            return fail(field, value, expected);
        }
        if let Some(lesson) = &self.lesson
            && lesson.title.len() + lesson.text.len() > Self::MAX_LESSON_BYTES
        {
            return fail(
                "lesson",
                shortened(&lesson.title, 60),
                "a lesson has at most 2,000 bytes of text",
            );
        }
        if let Err(e) = self.world.resolve() {
            return fail(
                "world",
                e.to_string(),
                "it must be a preset or a valid mixture",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_survives_a_round_trip() {
        let session = Session {
            world: WorldRef::Custom(World::preset(Preset::Moons)),
            overlay: Some(Source::Glass(32)),
            ..Session::default()
        };
        let back = Session::from_ron(&session.to_ron(), Path::new("s.ron")).unwrap();
        assert_eq!(back, session);
    }

    #[test]
    fn a_saved_session_loads_again_and_a_missing_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.ron");
        let session = Session {
            seed: 9,
            ..Session::default()
        };
        session.save(&path).unwrap();
        assert_eq!(Session::load(&path).unwrap(), session);
        let nowhere = dir.path().join("none/s.ron");
        let message = session.save(&nowhere).unwrap_err().to_string();
        assert!(message.contains("none"), "{message}");
    }

    #[test]
    fn an_empty_document_is_the_default_session() {
        let back = Session::from_ron("()", Path::new("s.ron")).unwrap();
        assert_eq!(back, Session::default());
    }

    #[test]
    fn unknown_fields_and_bad_values_are_refused_with_path_and_field() {
        for (text, word) in [
            ("(colour: 3)", "colour"),
            ("(t: 1.5)", "t is 1.5"),
            ("(draws: 0)", "draws"),
            ("(draws: 99999999)", "draws"),
            ("(world: Preset(\"nowhere\"))", "nowhere"),
            ("(view: (center: (0, inf), half_extent: 1))", "view"),
        ] {
            let message = Session::from_ron(text, Path::new("dir/s.ron"))
                .unwrap_err()
                .to_string();
            assert!(message.contains(word), "{text}: {message}");
            assert!(message.contains("dir/s.ron"), "{text}: {message}");
        }
    }
}
