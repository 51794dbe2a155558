//! Steered pictures in the background, one seed after the other.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::reward::picture::ScorerFiles;
use crate::session::{
    CheckpointRef, DecoderFiles, KeptPicture, Made, SteeredRecipe, StoredPicture,
};

use super::images::LoadedImages;
use super::images_open::OpenImages;
use super::message::{Event, RequestId, Slot};
use super::steered::stored;
use super::worker::{Job, JobError, JobResult, Worker};

/// The same run with several seeds. Whatever else is asked for goes first.
#[derive(Clone)]
pub struct BatchRequest {
    /// The map, where it is open; otherwise the recipe's own file is opened.
    pub model: Option<Arc<LoadedImages>>,
    /// What makes the picture of the first seed.
    pub recipe: SteeredRecipe,
    /// Which pictures, counted from the first seed.
    pub numbers: Range<u32>,
    /// How many there are with those that were made before.
    pub of: u32,
    /// Where the files are that its reward may ask.
    pub files: ScorerFiles,
    /// What decodes a map that is opened for this.
    pub decoders: DecoderFiles,
}

/// One picture of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPicture {
    /// Its number, counted from the first seed.
    pub number: u32,
    /// The picture, rounded to 8 bits; `None` where it did not stay finite.
    pub picture: Option<StoredPicture>,
    /// What its reward says of it.
    pub reward: Option<f32>,
    /// Likeliest class of a classifier that knows such pictures.
    pub label: Option<String>,
}

/// The pictures of a batch, growing.
#[derive(Clone)]
pub struct BatchAnswer {
    /// The request.
    pub request: Arc<BatchRequest>,
    /// The map.
    pub model: Arc<LoadedImages>,
    /// The pictures so far, in the order of their seeds.
    pub pictures: Vec<Arc<BatchPicture>>,
    /// Whether all are there.
    pub complete: bool,
    /// Time spent on them.
    pub elapsed: Duration,
}

impl BatchAnswer {
    /// A picture as the gallery keeps it, with what makes it again; `None` where it did not stay finite.
    pub fn kept(&self, made: &BatchPicture) -> Option<KeptPicture> {
        let recipe = self.request.recipe.reseeded(made.number);
        Some(KeptPicture {
            picture: made.picture.clone()?,
            label: made.label.clone(),
            t: recipe.t,
            seed: recipe.settings.plan.seed,
            item: recipe.settings.first,
            starred: false,
            made: Some(Made::Steered(Box::new(recipe))),
            reward: made.reward,
            by_batch: true,
        })
    }
}

impl Worker {
    /// Makes the pictures of a batch.
    pub fn batch(&mut self, id: RequestId, request: BatchRequest) -> JobResult {
        let mut job = Job::new(id, Slot::Batch, "queue");
        let model = match &request.model {
            Some(model) => model.clone(),
            None => self.map_of(&job, &request.recipe, &request.decoders)?,
        };
        let request = Arc::new(request);
        let begun = Instant::now();
        let count = request.numbers.len().max(1) as f32;
        let mut answer = BatchAnswer {
            request: request.clone(),
            model: model.clone(),
            pictures: Vec::new(),
            complete: false,
            elapsed: Duration::ZERO,
        };
        for number in request.numbers.clone() {
            job.label = format!("queue, picture {} of {}", number + 1, request.of);
            let from = answer.pictures.len() as f32 / count;
            let recipe = request.recipe.reseeded(number);
            let made =
                self.steered(&job, &model, (&recipe, &request.files), (from, 1.0 / count))?;
            let picture = if made.is_finite() {
                Some(stored(&model, &made.picture)?)
            } else {
                None
            };
            let judged = self.judge(&model).map(|judge| judge.judge(&made.picture));
            let best = judged.as_ref().and_then(|judged| judged.best().next());
            answer.pictures.push(Arc::new(BatchPicture {
                number,
                picture,
                reward: made.reward.map(|reward| reward as f32),
                label: best.and_then(|(class, _)| model.card.classes.get(class).cloned()),
            }));
            answer.elapsed = begun.elapsed();
            answer.complete = answer.pictures.len() == request.numbers.len();
            self.post(Event::Batch(id, Arc::new(answer.clone())));
        }
        Ok(())
    }

    /// The map that a recipe names.
    fn map_of(
        &mut self,
        job: &Job,
        recipe: &SteeredRecipe,
        decoders: &DecoderFiles,
    ) -> Result<Arc<LoadedImages>, JobError> {
        let path = match &recipe.checkpoint {
            CheckpointRef::Shipped => None,
            CheckpointRef::File(path) => Some(path.as_path()),
        };
        let wanted = OpenImages {
            decoders: decoders.clone(),
            ..OpenImages::of(path)
        };
        let model = self.read_images(job, &wanted)?;
        if model.hash == recipe.hash {
            return Ok(Arc::new(model));
        }
        Err(JobError::Failed(format!(
            "{} is another map than the one that this entry was queued for (sha256 {}…). Open that map, or take the entry out of the queue",
            model.name,
            recipe.hash.get(..6).unwrap_or(&recipe.hash)
        )))
    }
}
