//! Opening maps of pictures, and the classifier that judges their draws.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;

use crate::checkpoint::{
    CheckpointError, TensorEntry, TensorFile, image_map_from_bytes, inspect, open_image_map,
    sha256_hex, shipped_classifier, shipped_image_map,
};
use crate::metrics::FeatureClasses;
use crate::model::{ImageJudge, Judged};
use crate::session::{DecoderFiles, StoredPicture};

use super::images::LoadedImages;
use super::message::{Event, Progress, RequestId, Slot};
use super::open::name_of;
use super::picture_view::{PictureView, is_unfit};
use super::worker::{Job, JobError, JobResult, Worker};

/// What the shipped map is called.
const SHIPPED: &str = "mnist.safetensors";

/// A map of pictures that is wanted.
#[derive(Clone)]
pub struct OpenImages {
    /// Its file; `None` for the shipped one.
    pub path: Option<PathBuf>,
    /// What decodes it, where it makes latents.
    pub decoders: DecoderFiles,
    /// The map that is open: where it is the same one, only the decoders are read.
    pub open: Option<Arc<LoadedImages>>,
}

impl OpenImages {
    /// A map without a decoder, read from its file.
    pub fn of(path: Option<&Path>) -> Self {
        Self {
            path: path.map(Path::to_path_buf),
            decoders: DecoderFiles::default(),
            open: None,
        }
    }
}

impl Worker {
    /// Opens a map of pictures.
    pub fn open_images(&mut self, id: RequestId, slot: Slot, wanted: &OpenImages) -> JobResult {
        let job = Job::new(id, slot, "opening a map of pictures");
        let model = self.read_images(&job, wanted)?;
        self.try_again_with(&model);
        self.post(Event::OpenedImages(id, slot, Arc::new(model)));
        Ok(())
    }

    /// Reads a map of pictures.
    pub fn read_images(&self, job: &Job, wanted: &OpenImages) -> Result<LoadedImages, JobError> {
        let path = wanted.path.as_deref();
        let open = wanted.open.as_ref().filter(|open| open.path == wanted.path);
        let model = match open {
            Some(open) => LoadedImages::clone(open),
            None => self.read_map(job, path)?,
        };
        self.with_decoders(job, model, &wanted.decoders)
    }

    /// Says what is being read.
    fn stage(&self, job: &Job, label: &str, name: &str, fraction: f32) {
        let progress = Progress {
            label: format!("{label} {name}"),
            fraction: Some(fraction),
            left: None,
        };
        self.post(Event::Progress(job.id, job.slot, progress));
    }

    fn read_map(&self, job: &Job, path: Option<&Path>) -> Result<LoadedImages, JobError> {
        let name = path.map_or_else(|| SHIPPED.to_owned(), name_of);
        let failed = |e: CheckpointError| JobError::Failed(e.to_string());
        self.stage(job, "checking", &name, 0.05);
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
        self.stage(job, "reading", &name, 0.3);
        let (card, map) = match path {
            Some(path) => open_image_map(path),
            None => image_map_from_bytes(shipped_image_map(), SHIPPED),
        }
        .map_err(failed)?;
        if !self.wanted(job) {
            return Err(JobError::Cancelled);
        }
        let view = PictureView::bare(card.model.state());
        check(view.shape(), &name)?;
        Ok(LoadedImages {
            map,
            view: Arc::new(view),
            card: Arc::new(card),
            name,
            path: path.map(Path::to_path_buf),
            hash,
            parameters,
            decoders: DecoderFiles::default(),
            trouble: None,
        })
    }

    /// The map with what decodes it. Where that cannot be read the map is there all the same, in false colours.
    fn with_decoders(
        &self,
        job: &Job,
        mut model: LoadedImages,
        files: &DecoderFiles,
    ) -> Result<LoadedImages, JobError> {
        if model.decoders == *files && model.trouble.is_none() {
            return Ok(model);
        }
        let state = model.map.config().state();
        if model.view.is_latent() && !files.is_empty() {
            self.stage(job, "reading what decodes", &model.name, 0.8);
        }
        let view = PictureView::open(state, files, &Device::flex()).and_then(|view| {
            let fits = check(view.shape(), &model.name);
            fits.map_err(|_| "its pictures are larger than 256 x 256".to_owned())?;
            Ok(view)
        });
        if !self.wanted(job) {
            return Err(JobError::Cancelled);
        }
        model.decoders = files.clone();
        (model.view, model.trouble) = match view {
            Ok(view) => (Arc::new(view), None),
            Err(why) => (
                Arc::new(PictureView::bare(state)),
                Some(format!(
                    "{why}. Latents are shown in false colours until then"
                )),
            ),
        };
        Ok(model)
    }
}

/// Large pictures cannot be shown.
fn check([c, h, w]: [usize; 3], name: &str) -> Result<(), JobError> {
    if !is_unfit([c, h, w]) {
        return Ok(());
    }
    let most = StoredPicture::MAX_SIDE;
    Err(JobError::Failed(format!(
        "{name}: its pictures have {c} channels of {h} x {w}; the wall shows square ones up to {most} x {most}"
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
    /// The shipped one of pictures of that shape, where there is one.
    pub fn of(shape: [usize; 3]) -> Result<Option<Self>, CheckpointError> {
        let Some((card, judge)) = shipped_classifier(shape)? else {
            return Ok(None);
        };
        let fits = |typical: &FeatureClasses| {
            typical.width() == card.config.features() && typical.classes() == card.classes.len()
        };
        let is_of_digits = shape == [1, 28, 28];
        let typical = is_of_digits.then(typical_digits).flatten();
        Ok(Some(Self {
            network: Arc::new(judge),
            typical: typical.filter(fits),
            names: card.classes,
        }))
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
