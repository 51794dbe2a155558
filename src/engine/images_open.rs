//! Opening maps of pictures, and the classifier that judges their draws.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{
    CheckpointError, ImageCard, TensorEntry, TensorFile, image_map_from_bytes, inspect,
    open_classifier, open_image_map, sha256_hex, shipped_image_map,
};
use crate::metrics::FeatureClasses;
use crate::model::{ImageJudge, Judged};
use crate::session::StoredPicture;

use super::images::LoadedImages;
use super::message::{Event, Progress, RequestId, Slot};
use super::open::name_of;
use super::worker::{Job, JobError, JobResult, Worker};

/// What the shipped map is called.
const SHIPPED: &str = "mnist.safetensors";

impl Worker {
    /// Opens a map of pictures; without a path the shipped one.
    pub fn open_images(&mut self, id: RequestId, slot: Slot, path: Option<&Path>) -> JobResult {
        let job = Job::new(id, slot, "opening a map of pictures");
        let model = self.read_images(&job, path)?;
        self.post(Event::OpenedImages(id, slot, Arc::new(model)));
        Ok(())
    }

    /// Reads a map of pictures; without a path the shipped one.
    pub fn read_images(&self, job: &Job, path: Option<&Path>) -> Result<LoadedImages, JobError> {
        let name = path.map_or_else(|| SHIPPED.to_owned(), name_of);
        let stage = |worker: &Self, label: &str, fraction| {
            let progress = Progress {
                label: format!("{label} {name}"),
                fraction: Some(fraction),
                left: None,
            };
            worker.post(Event::Progress(job.id, job.slot, progress));
        };
        let failed = |e: CheckpointError| JobError::Failed(e.to_string());
        stage(self, "checking", 0.05);
        let (hash, parameters) = if let Some(path) = path {
            let found = inspect(path).map_err(failed)?;
            let parameters = found.parameters();
            (found.hash, parameters)
        } else {
            let bytes = shipped_image_map();
            let file = TensorFile::from_bytes(bytes, SHIPPED).map_err(failed)?;
            let parameters = file.tensors().iter().map(TensorEntry::elements).sum();
            (sha256_hex(bytes), parameters)
        };
        if !self.wanted(job) {
            return Err(JobError::Cancelled);
        }
        stage(self, "reading", 0.3);
        let (card, map) = match path {
            Some(path) => open_image_map(path),
            None => image_map_from_bytes(shipped_image_map(), SHIPPED),
        }
        .map_err(failed)?;
        if !self.wanted(job) {
            return Err(JobError::Cancelled);
        }
        check(&card, &name)?;
        Ok(LoadedImages {
            map,
            card: Arc::new(card),
            name,
            path: path.map(Path::to_path_buf),
            hash,
            parameters,
        })
    }
}

/// Latent pictures and large ones cannot be shown.
fn check(card: &ImageCard, name: &str) -> Result<(), JobError> {
    let [c, h, w] = card.model.state();
    if matches!(c, 1 | 3) && h == w && h <= StoredPicture::MAX_SIDE as usize {
        return Ok(());
    }
    Err(JobError::Failed(format!(
        "{name}: its pictures have {c} channels of {h} x {w}; the wall shows grey or colour pixels up to 256 x 256"
    )))
}

/// How real digits look to the shipped classifier, from 'foresight rewards --typical': see checkpoints/README.md.
const TYPICAL_DIGITS: &str = include_str!("../../checkpoints/mnist-typical.json");

/// A classifier, the names of its classes, and what they usually look like to it.
pub(super) struct Judge {
    network: Arc<ImageJudge>,
    names: Vec<String>,
    typical: Option<FeatureClasses>,
}

/// What real digits usually look like to the shipped classifier; `None`, and a line in the log, where that cannot be read.
pub fn typical_digits() -> Option<FeatureClasses> {
    serde_json::from_str(TYPICAL_DIGITS)
        .inspect_err(|e| tracing::error!("what digits usually look like: {e}"))
        .ok()
}

impl Judge {
    /// The shipped one of digits.
    pub fn digits() -> Result<Self, CheckpointError> {
        let (card, judge) = open_classifier(None)?;
        let fits = |typical: &FeatureClasses| {
            typical.width() == card.config.features() && typical.classes() == card.classes.len()
        };
        Ok(Self {
            network: Arc::new(judge),
            typical: typical_digits().filter(fits),
            names: card.classes,
        })
    }

    /// Whether it knows a map's pictures.
    pub fn knows(&self, model: &LoadedImages) -> bool {
        self.network.config().image == model.shape() && self.names == model.card.classes
    }

    /// The classifier itself.
    pub fn network(&self) -> &Arc<ImageJudge> {
        &self.network
    }

    /// What its classes usually look like to it, where that is known.
    pub fn typical(&self) -> Option<&FeatureClasses> {
        self.typical.as_ref()
    }

    /// What it says of pictures `[n][C H W]`.
    pub fn judge(&self, pictures: &[f32]) -> Judged {
        self.network.judge(pictures)
    }
}
