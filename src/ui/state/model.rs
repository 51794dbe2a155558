//! The model that answers "learned".

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{Command, LoadedModel, RequestId};
use crate::mixture::Preset;
use crate::session::CheckpointRef;

use super::{Place, State};

/// What is being loaded.
#[derive(Clone, Debug, PartialEq)]
enum Loading {
    Shipped(Preset),
    File(PathBuf, RequestId),
}

/// The loaded model, and the one that is on its way.
#[derive(Default)]
pub struct ModelSlot {
    /// The model in use.
    pub current: Option<Arc<LoadedModel>>,
    /// Fingerprint of the world it was trained on.
    pub trained_on: String,
    loading: Option<Loading>,
}

impl ModelSlot {
    /// Whether a model is on its way.
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// What is on its way, in words.
    pub fn loading_label(&self) -> Option<String> {
        self.loading.as_ref().map(|loading| match loading {
            Loading::Shipped(preset) => format!("loading {}.safetensors", preset.name()),
            Loading::File(path, _) => format!("reading {}", file_name(path)),
        })
    }

    /// The preset whose shipped checkpoint is in use.
    fn shipped_preset(&self) -> Option<Preset> {
        let model = self.current.as_ref().filter(|m| m.path.is_none())?;
        Preset::from_name(model.name.strip_suffix(".safetensors")?)
    }

    fn put(&mut self, model: Option<Arc<LoadedModel>>) {
        self.trained_on = model
            .as_ref()
            .map(|m| m.checkpoint.card.world.fingerprint())
            .unwrap_or_default();
        self.current = model;
    }
}

/// The last part of a path, for the screen.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    )
}

impl State {
    /// Loads the model that the session names, unless it is in use already.
    pub(super) fn load_wanted_model(&mut self) {
        match self.session.checkpoint.clone() {
            CheckpointRef::Shipped => {
                if let Some(preset) = self.preset() {
                    let wanted = Loading::Shipped(preset);
                    if self.model.shipped_preset() == Some(preset) {
                        self.model.loading = None;
                    } else if self.model.loading.as_ref() != Some(&wanted) {
                        self.model.loading = Some(wanted);
                        self.errands.load_shipped(preset);
                    }
                } else {
                    self.model.loading = None;
                    self.model.put(None);
                }
            }
            CheckpointRef::File(path) => {
                let in_use = self.model.current.as_ref().and_then(|m| m.path.as_ref());
                if in_use != Some(&path) {
                    self.open_checkpoint(path);
                }
            }
        }
    }

    /// Reads a checkpoint; the model in use stays until it is there.
    pub fn open_checkpoint(&mut self, path: PathBuf) {
        self.notices.clear(Place::Model);
        let id = self.engine.submit(Command::Open(path.clone()));
        self.model.loading = Some(Loading::File(path, id));
    }

    /// The checkpoint on its way comes with its world: for a start that names a checkpoint alone.
    pub fn adopt_world_of(&mut self, path: &Path) {
        self.session.checkpoint = CheckpointRef::Shipped;
        self.open_checkpoint(path.to_owned());
    }

    /// Goes back to the shipped checkpoint of the world.
    pub fn use_shipped_checkpoint(&mut self) {
        self.session.checkpoint = CheckpointRef::Shipped;
        self.load_wanted_model();
    }

    pub(super) fn shipped_loaded(
        &mut self,
        preset: Preset,
        result: Result<Option<LoadedModel>, String>,
    ) {
        if self.model.loading != Some(Loading::Shipped(preset)) {
            return;
        }
        self.model.loading = None;
        match result {
            Ok(model) => self.model.put(model.map(Arc::new)),
            Err(message) => {
                self.model.put(None);
                self.notices.error(Place::Model, message);
            }
        }
    }

    /// The file on its way turned out to be of another kind: where it lies, if it is still wanted.
    pub(super) fn take_opening(&mut self, id: RequestId) -> Option<PathBuf> {
        match self.model.loading.take() {
            Some(Loading::File(path, wanted)) if wanted == id => Some(path),
            other => {
                self.model.loading = other;
                None
            }
        }
    }

    pub(super) fn checkpoint_opened(&mut self, id: RequestId, model: Arc<LoadedModel>) {
        let Some(Loading::File(path, wanted)) = &self.model.loading else {
            return;
        };
        if *wanted != id {
            return;
        }
        let path = path.clone();
        let chosen_now = self.session.checkpoint != CheckpointRef::File(path.clone());
        self.model.loading = None;
        self.recent.touch(&path);
        if self.is_images() && chosen_now {
            // A checkpoint of a plane is not shown here.
            self.show_workspace(crate::session::Workspace::Posterior);
        }
        self.session.checkpoint = CheckpointRef::File(path);
        self.model.put(Some(model.clone()));
        if chosen_now && self.model.trained_on != self.fingerprint {
            let world = &model.checkpoint.card.world;
            match Preset::from_name(&world.name) {
                Some(preset) if crate::mixture::World::preset(preset).mixture == world.mixture => {
                    self.show_preset_of_checkpoint(preset);
                }
                _ => self.show_world(world.clone()),
            }
        }
    }

    fn show_preset_of_checkpoint(&mut self, preset: Preset) {
        let kept = self.session.checkpoint.clone();
        let model = self.model.current.clone();
        self.choose_preset(preset);
        self.session.checkpoint = kept;
        self.model.loading = None;
        self.model.put(model);
    }

    /// The checkpoint could not be opened: the last good one stays.
    pub(super) fn open_failed(&mut self, id: RequestId, message: String) {
        let Some(Loading::File(path, wanted)) = self.model.loading.clone() else {
            return;
        };
        if wanted != id {
            return;
        }
        self.model.loading = None;
        if !path.exists() {
            self.recent.forget(&path);
        }
        self.notices.error(Place::Model, message);
        if self.model.current.is_none() {
            self.use_shipped_checkpoint();
        }
    }

    pub(super) fn open_cancelled(&mut self, id: RequestId) {
        if matches!(self.model.loading, Some(Loading::File(_, wanted)) if wanted == id) {
            self.model.loading = None;
            if self.model.current.is_none() {
                self.use_shipped_checkpoint();
            }
        }
    }
}
