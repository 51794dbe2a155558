//! What is kept between runs: the session, the layout, recent files, the dismissed hint.

use std::path::Path;

use eframe::Storage;
use egui_tiles::Tree;
use serde::{Deserialize, Serialize};

use crate::reward::picture::ScorerFiles;
use crate::session::{RecentFiles, Session, Workspace};

use super::layout::{self, Pane};
use super::state::State;

const SESSION: &str = "session";
const WINDOW: &str = "window";

/// What is kept beside the session.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The panels of the Posterior workspace.
    pub tree: Tree<Pane>,
    /// The panels of the Steering workspace.
    pub steering_tree: Tree<Pane>,
    /// The panels of the Train workspace.
    pub training_tree: Tree<Pane>,
    /// Files opened before.
    pub recent: RecentFiles,
    /// Whether the hint was put away.
    pub hint_dismissed: bool,
    /// Where files are that others publish and rewards may ask.
    pub scorer_files: ScorerFiles,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            tree: layout::initial(Workspace::Posterior),
            steering_tree: layout::initial(Workspace::Steering),
            training_tree: layout::initial(Workspace::Train),
            recent: RecentFiles::default(),
            hint_dismissed: false,
            scorer_files: ScorerFiles::default(),
        }
    }
}

/// What was kept. Whatever cannot be read is as at the first launch: it never prevents a start.
pub fn load(storage: Option<&dyn Storage>) -> (Option<Session>, Remembered) {
    let Some(storage) = storage else {
        return (None, Remembered::default());
    };
    let session = storage.get_string(SESSION).and_then(|text| {
        Session::from_ron(&text, Path::new("the session of the last run"))
            .map_err(|e| tracing::warn!("{e}; a new session is shown"))
            .ok()
    });
    let window = storage
        .get_string(WINDOW)
        .and_then(|text| {
            ron::from_str::<Remembered>(&text)
                .map_err(|e| tracing::warn!("the remembered layout is not readable: {e}"))
                .ok()
        })
        .filter(|window| {
            layout::is_whole(&window.tree, Workspace::Posterior)
                && layout::is_whole(&window.steering_tree, Workspace::Steering)
                && layout::is_whole(&window.training_tree, Workspace::Train)
        })
        .unwrap_or_default();
    (session, window)
}

/// Keeps it.
pub fn save(
    storage: &mut dyn Storage,
    state: &State,
    [tree, steering_tree, training_tree]: [&Tree<Pane>; 3],
) {
    storage.set_string(SESSION, state.session.to_ron());
    let window = Remembered {
        tree: tree.clone(),
        steering_tree: steering_tree.clone(),
        training_tree: training_tree.clone(),
        recent: state.recent.clone(),
        hint_dismissed: state.hint_dismissed,
        scorer_files: state.scorers.remembered().clone(),
    };
    match ron::to_string(&window) {
        Ok(text) => storage.set_string(WINDOW, text),
        Err(e) => tracing::warn!("the layout is not kept: {e}"),
    }
}
