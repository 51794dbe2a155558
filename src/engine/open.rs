//! Opening checkpoints.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::mixture::Preset;

use super::message::{Event, LoadedModel, Progress, RequestId, Slot};
use super::worker::{Job, JobError, JobResult, Worker};

impl Worker {
    pub fn open(&mut self, id: RequestId, path: &Path) -> JobResult {
        let job = Job::new(id, Slot::Open, format!("reading {}", path.display()));
        self.post(Event::Progress(
            id,
            Slot::Open,
            Progress {
                label: job.label.clone(),
                fraction: None,
                left: None,
            },
        ));
        let model = load_checkpoint(path).map_err(|e| JobError::Failed(e.to_string()))?;
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
    let name = path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    );
    ready(Checkpoint::read(path)?, name, Some(path.to_owned()))
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
