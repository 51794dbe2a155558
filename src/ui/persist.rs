//! What is kept between runs: the session, the layout, recent files, the dismissed hint.

use std::path::Path;

use eframe::Storage;
use egui_tiles::Tree;
use serde::{Deserialize, Serialize};

use crate::reward::picture::ScorerFiles;
use crate::session::{DecoderFiles, RecentFiles, Session, Workspace};

use super::autosave;
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
    /// What decoded the last map of latents.
    pub decoders: DecoderFiles,
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
            decoders: DecoderFiles::default(),
        }
    }
}

/// What was kept in `folder`, and a message where a session there cannot be read; else in `storage`, where older versions
/// kept it. Whatever cannot be read is as at the first launch: it never prevents a start.
pub fn load(
    folder: Option<&Path>,
    storage: Option<&dyn Storage>,
) -> (Option<Session>, Remembered, Option<String>) {
    let found = folder.map(autosave::find).unwrap_or_default();
    let stored = |key: &str| storage.and_then(|storage| storage.get_string(key));
    let older = || {
        let text = stored(SESSION).filter(|_| found.trouble.is_none())?;
        Session::from_ron(&text, Path::new("the session of the last run"))
            .map_err(|e| tracing::warn!("{e}; a new session is shown"))
            .ok()
    };
    let session = found.session.or_else(older);
    let window = found
        .window
        .or_else(|| stored(WINDOW))
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
    (session, window, found.trouble)
}

/// What is kept beside the session, as text.
pub fn window_text(
    state: &State,
    [tree, steering_tree, training_tree]: [&Tree<Pane>; 3],
) -> String {
    let window = Remembered {
        tree: tree.clone(),
        steering_tree: steering_tree.clone(),
        training_tree: training_tree.clone(),
        recent: state.recent.clone(),
        hint_dismissed: state.hint_dismissed,
        scorer_files: state.scorers.remembered().clone(),
        decoders: state.last_decoders().clone(),
    };
    ron::to_string(&window)
        .inspect_err(|e| tracing::warn!("the layout is not kept: {e}"))
        .unwrap_or_default()
}
