//! What the window is opened with.

use std::path::{Path, PathBuf};

use crate::mixture::{Preset, World};
use crate::session::{CheckpointRef, ColorTheme, ComputeChoice, Session, Workspace, WorldRef};

/// What the window is opened with; the default is how it was left, or the first launch.
#[derive(Clone, Debug, Default)]
pub struct AppOptions {
    /// The session to show instead of the one that was left.
    pub session: Option<Session>,
    /// Where that session was read.
    pub session_path: Option<PathBuf>,
    /// Where the mathematics runs, whatever the session says.
    pub compute: Option<ComputeChoice>,
    /// Where the window keeps its own files: the unfinished training run, and models that it opens.
    pub data_dir: Option<PathBuf>,
    world: Option<WorldRef>,
    checkpoint: Option<PathBuf>,
    cloud: Option<PathBuf>,
    time: Option<f64>,
    theme: Option<ColorTheme>,
}

impl AppOptions {
    /// From the arguments of the command line.
    ///
    /// # Errors
    /// When the session or the world cannot be read; the message names the file.
    pub fn from_command_line(
        session: Option<&Path>,
        checkpoint: Option<&Path>,
        world: Option<&str>,
        compute: Option<ComputeChoice>,
    ) -> Result<Self, String> {
        let mut options = Self {
            compute,
            session_path: session.map(Path::to_owned),
            checkpoint: checkpoint.map(Path::to_owned),
            ..Self::default()
        };
        if let Some(path) = session {
            options.session = Some(Session::load(path).map_err(|e| e.to_string())?);
        }
        let is_cloud = |name: &str| {
            Path::new(name)
                .extension()
                .is_some_and(|ending| ending.eq_ignore_ascii_case("csv"))
        };
        if let Some(name) = world.filter(|name| is_cloud(name)) {
            options.cloud = Some(PathBuf::from(name));
        } else if let Some(name) = world {
            options.world = Some(if Preset::from_name(name).is_some() {
                WorldRef::Preset(name.to_owned())
            } else {
                WorldRef::Custom(World::resolve(name).map_err(|e| e.to_string())?)
            });
        }
        Ok(options)
    }

    /// Exactly this session.
    pub fn for_session(session: Session) -> Self {
        Self {
            session: Some(session),
            ..Self::default()
        }
    }

    /// Sets the clock, 0 noise, 1 data.
    pub fn set_time(&mut self, t: f64) {
        self.time = Some(t);
    }

    /// Sets the colours.
    pub fn set_theme(&mut self, theme: ColorTheme) {
        self.theme = Some(theme);
    }

    /// The checkpoint that the command line names.
    pub(super) fn checkpoint(&self) -> Option<&Path> {
        self.checkpoint.as_deref()
    }

    /// The points that the command line names; opened by the window, which keeps their bandwidth adjustable.
    pub(super) fn cloud(&self) -> Option<&Path> {
        self.cloud.as_deref()
    }

    /// Whether the command line names the world.
    pub(super) fn names_world(&self) -> bool {
        self.world.is_some() || self.cloud.is_some()
    }

    /// The session to open, `remembered` from last time if nothing else is said.
    pub(super) fn resolve(&self, remembered: Option<Session>) -> Session {
        let mut session = self.session.clone().or(remembered).unwrap_or_default();
        if let Some(world) = &self.world {
            session.world = world.clone();
            session.checkpoint = CheckpointRef::Shipped;
        }
        if let Some(path) = &self.checkpoint {
            session.checkpoint = CheckpointRef::File(path.clone());
        }
        if let Some(t) = self.time {
            match session.workspace {
                Workspace::Posterior | Workspace::Train => session.t = t,
                Workspace::Steering => session.steering.t = t,
                Workspace::Images => session.images.t = t,
            }
        }
        if let Some(theme) = self.theme {
            session.theme = theme;
        }
        if let Some(compute) = self.compute {
            session.compute = compute;
        }
        session
    }
}
