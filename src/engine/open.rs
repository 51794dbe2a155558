//! Opening checkpoints.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{
    Checkpoint, CheckpointError, ModelKind, latent_decoder_kind, model_kind, shape_file_beside,
};
use crate::mixture::Preset;

use super::images_open::OpenImages;
use super::message::{Event, LoadedModel, Progress, RequestId, Slot};
use super::worker::{Job, JobError, JobResult, Worker};

impl Worker {
    pub fn open(&mut self, id: RequestId, path: &Path) -> JobResult {
        let job = Job::new(id, Slot::Open, format!("opening {}", path.display()));
        let stage = |worker: &Self, label: &str, fraction| {
            worker.post(Event::Progress(
                id,
                Slot::Open,
                Progress {
                    label: format!("{label} {}", path.display()),
                    fraction: Some(fraction),
                    left: None,
                },
            ));
        };
        let failed = |e: CheckpointError| JobError::Failed(e.to_string());
        // Before anything else: an autoencoder lies beside a shape of its own.
        if let Some(kind) = latent_decoder_kind(path) {
            self.post(Event::FoundDecoder(id, path.to_owned(), kind));
            return Ok(());
        }
        let pictures = match model_kind(path) {
            Ok(ModelKind::Images) => true,
            // Weights of another program, with the shape of their network beside them.
            Ok(ModelKind::Other) => shape_file_beside(path).is_some(),
            _ => false,
        };
        if pictures {
            return self.open_images(id, Slot::Open, &OpenImages::of(Some(path)));
        }
        stage(self, "reading and checking", 0.1);
        let checkpoint = Checkpoint::read(path).map_err(failed)?;
        if !self.wanted(&job) {
            return Err(JobError::Cancelled);
        }
        stage(self, "laying out the network of", 0.7);
        let model = ready(checkpoint, name_of(path), Some(path.to_owned())).map_err(failed)?;
        if !self.wanted(&job) {
            return Err(JobError::Cancelled);
        }
        self.post(Event::Opened(id, Arc::new(model)));
        Ok(())
    }
}

/// Reads a checkpoint file and makes its network ready.
///
/// # Errors
/// When the file is not a checkpoint that this version can run; the message names it.
pub fn load_checkpoint(path: &Path) -> Result<LoadedModel, CheckpointError> {
    ready(
        Checkpoint::read(path)?,
        name_of(path),
        Some(path.to_owned()),
    )
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The checkpoint shipped for a preset, if there is one.
///
/// # Errors
/// When the embedded file is damaged.
pub fn load_shipped(preset: Preset) -> Option<Result<LoadedModel, CheckpointError>> {
    let bytes = Checkpoint::shipped(preset)?;
    let name = format!("{}.safetensors", preset.name());
    Some(Checkpoint::from_bytes(bytes, &name).and_then(|c| ready(c, name, None)))
}

fn ready(
    checkpoint: Checkpoint,
    name: String,
    path: Option<std::path::PathBuf>,
) -> Result<LoadedModel, CheckpointError> {
    Ok(LoadedModel {
        network: checkpoint.fused()?,
        checkpoint: Arc::new(checkpoint),
        name,
        path,
    })
}
