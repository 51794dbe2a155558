//! What decodes a map of latents: pointed at, dropped on the window, or as the last time.

use std::path::PathBuf;
use std::sync::Arc;

use crate::checkpoint::DecoderKind;
use crate::engine::{LoadedImages, RequestId, Slot};
use crate::session::{DecoderFiles, Workspace};
use crate::ui::errands::Pick;

use super::{Place, State, file_name};

impl State {
    /// What decodes the map, as the session says.
    pub fn decoder_files(&self) -> DecoderFiles {
        self.session.images.decoders.clone()
    }

    /// What is kept for the next start.
    pub fn last_decoders(&self) -> &DecoderFiles {
        &self.images.last_decoders
    }

    /// What was kept at the last.
    pub fn remember_decoders(&mut self, files: DecoderFiles) {
        self.images.last_decoders = files;
    }

    /// A map of latents without a decoder takes that of the last one.
    pub(super) fn decode_as_before(&mut self, model: &Arc<LoadedImages>) {
        let decoders = &mut self.session.images.decoders;
        if model.view.is_latent() && decoders.is_empty() && model.decoders.is_empty() {
            let there = |path: &Option<PathBuf>| path.clone().filter(|path| path.exists());
            decoders.full = there(&self.images.last_decoders.full);
            decoders.preview = there(&self.images.last_decoders.preview);
        }
    }

    /// Lets the person point at a decoder.
    pub fn pick_decoder(&mut self, kind: DecoderKind) {
        self.pick(Pick::Decoder(kind));
    }

    /// Decodes with a file from now on.
    pub fn use_decoder(&mut self, kind: DecoderKind, path: PathBuf) {
        self.remember_world();
        let (now, last) = (
            &mut self.session.images.decoders,
            &mut self.images.last_decoders,
        );
        match kind {
            DecoderKind::Full => {
                now.full = Some(path.clone());
                last.full = Some(path);
            }
            DecoderKind::Preview => {
                now.preview = Some(path.clone());
                last.preview = Some(path);
            }
        }
        self.images.forget_refused();
    }

    /// Decodes without that kind from now on.
    pub fn drop_decoder(&mut self, kind: DecoderKind) {
        self.remember_world();
        let (now, last) = (
            &mut self.session.images.decoders,
            &mut self.images.last_decoders,
        );
        match kind {
            DecoderKind::Full => (now.full, last.full) = (None, None),
            DecoderKind::Preview => (now.preview, last.preview) = (None, None),
        }
        self.images.forget_refused();
    }

    /// A file that was opened decodes latents.
    pub(super) fn decoder_found(&mut self, id: RequestId, path: PathBuf, kind: DecoderKind) {
        self.answered(Slot::Open, id);
        if self.take_opening(id).is_none() {
            return;
        }
        let name = file_name(&path);
        let is_latent = |model: &Arc<LoadedImages>| model.view.is_latent();
        if !self.images.model.as_ref().is_some_and(is_latent) {
            let text = format!(
                "{name} decodes latents: it is used as soon as a map of latents is open. The map in use makes pictures"
            );
            match kind {
                DecoderKind::Full => self.images.last_decoders.full = Some(path),
                DecoderKind::Preview => self.images.last_decoders.preview = Some(path),
            }
            self.notices.done(Place::Program, text);
            return;
        }
        self.show_workspace(Workspace::Images);
        self.use_decoder(kind, path);
    }
}
