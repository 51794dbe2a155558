//! What a run of pictures steps: a map that learns a folder, or a velocity that is tuned toward a reward.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use crate::checkpoint::{FORMAT, ImageCard, shipped_classifier, write_image_map, write_whole};
use crate::lookahead::{ImageSampler, NoiseKey, generate_images};
use crate::metrics::Counters;
use crate::model::{ImageJudge, ImageMap, NativeDit};
use crate::reward::picture::{PictureParts, PictureScore};
use crate::train::finetune::Objective;
use crate::train::finetune_images::{ImageTuner, PictureFigures, TuneParent};
use crate::train::image::ImageTrainer;
use crate::train::{DataPlan, ImageSet, Part, StepLoss};

use super::scorers::open_scorers;
use super::training_pictures::{
    FolderTraining, PictureGoal, PictureGrid, PictureLosses, PictureTuning, kept_folder,
};

/// Pictures of a look, steps of a tuned velocity's ODE, jumps of a map.
const GRID: usize = 36;
const ODE_STEPS: u32 = 12;
const JUMPS: u32 = 4;
/// Scene of the noise of looks: the same for every look.
const SCENE: u32 = 8;

/// Says how far the preparation is; `false` to give up.
pub(super) type Prepare<'a> = &'a mut dyn FnMut(String) -> bool;

/// What is trained.
pub(super) enum PictureLearner {
    /// A Meta Flow Map of pictures.
    Map {
        trainer: Box<ImageTrainer>,
        data: Arc<ImageSet>,
        judge: Option<Arc<ImageJudge>>,
        smooth: Option<StepLoss>,
        from: String,
    },
    /// A velocity, what scores its samples and what judges them.
    Velocity {
        tuner: Box<ImageTuner>,
        score: Arc<dyn PictureScore>,
        judge: Option<Arc<ImageJudge>>,
    },
}

/// A reward of nothing, for the figures of pictures that no reward is asked of.
struct NoReward([usize; 3]);

impl PictureScore for NoReward {
    fn shape(&self) -> [usize; 3] {
        self.0
    }

    fn score(&self, _: &[f32], scores: &mut [f32]) {
        scores.fill(0.0);
    }

    fn gradient(&self, _: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        scores.fill(0.0);
        gradients.fill(0.0);
    }

    fn without_gradient(&self) -> Option<&str> {
        None
    }
}

/// The shipped classifier, where it knows pictures of that shape in such classes.
fn judge_of(shape: [usize; 3], classes: &[String]) -> Option<Arc<ImageJudge>> {
    let (card, judge) = shipped_classifier(shape).ok().flatten()?;
    (card.classes == classes).then(|| Arc::new(judge))
}

impl PictureLearner {
    /// Reads the pictures, or has the map make them; `None` when `told` says no.
    /// A run on a folder goes on with what `kept` holds.
    pub fn prepare(
        goal: &PictureGoal,
        kept: Option<&Path>,
        told: Prepare<'_>,
    ) -> Result<Option<Self>, String> {
        match goal {
            PictureGoal::Folder(folder) => Self::map(folder, kept, told),
            PictureGoal::Reward(tuning) => Self::velocity(tuning, told),
        }
    }

    fn map(
        folder: &FolderTraining,
        kept: Option<&Path>,
        told: Prepare<'_>,
    ) -> Result<Option<Self>, String> {
        let [channels, side, _] = folder.shape();
        let mut going = told("Reading the pictures".to_owned());
        let plan = DataPlan::new(side, channels, Part::Train);
        let opened = ImageSet::open(&folder.path, &plan, &mut |count| {
            going = going && told(format!("Reading the pictures, {count} so far"));
            going
        });
        if !going {
            return Ok(None);
        }
        let data = opened.map_err(|e| e.to_string())?.images;
        let trainer = match kept {
            Some(path) => ImageTrainer::resume(path, &Device::flex()),
            None => ImageTrainer::new(folder.recipe(data.classes.len()), &Device::flex()),
        };
        let trainer = trainer.map_err(|e| e.to_string())?;
        trainer.check(&data).map_err(|e| e.to_string())?;
        Ok(Some(Self::Map {
            trainer: Box::new(trainer),
            judge: judge_of(data.shape, &data.classes),
            data: Arc::new(data),
            smooth: None,
            from: folder
                .path
                .file_name()
                .unwrap_or_default()
                .display()
                .to_string(),
        }))
    }

    fn velocity(tuning: &PictureTuning, told: Prepare<'_>) -> Result<Option<Self>, String> {
        if !told("Reading the map".to_owned()) {
            return Ok(None);
        }
        let model = &tuning.model;
        let parent = TuneParent::open(model.path.as_deref()).map_err(|e| e.to_string())?;
        let judge = judge_of(model.shape(), &model.card.classes);
        let parts = PictureParts {
            judge: judge.clone(),
            scorers: open_scorers(&tuning.reward, &tuning.files)?,
            ..PictureParts::default()
        };
        let score = tuning
            .reward
            .bind(model.shape(), &parts)
            .map_err(|e| e.to_string())?;
        let text = tuning.reward.to_string();
        let mut going = true;
        let tuner = ImageTuner::new(
            &parent,
            (score.clone(), &text),
            None,
            tuning.recipe,
            &mut |share| {
                let percent = (100.0 * share).floor();
                going = going && told(format!("The map makes pictures, {percent:.0} %"));
                going
            },
        );
        if !going {
            return Ok(None);
        }
        Ok(Some(Self::Velocity {
            tuner: Box::new(tuner.map_err(|e| e.to_string())?),
            score,
            judge,
        }))
    }

    pub fn advance(&mut self) -> Result<(), String> {
        match self {
            Self::Map {
                trainer,
                data,
                smooth,
                ..
            } => {
                let loss = trainer.advance(data, true).map_err(|e| e.to_string())?;
                if let Some(new) = loss {
                    *smooth = Some(smoothed(*smooth, new, trainer.steps_done()));
                }
                Ok(())
            }
            Self::Velocity { tuner, .. } => tuner.advance().map(drop).map_err(|e| e.to_string()),
        }
    }

    pub fn steps_done(&self) -> u64 {
        match self {
            Self::Map { trainer, .. } => trainer.steps_done(),
            Self::Velocity { tuner, .. } => tuner.steps_done(),
        }
    }

    pub fn finished(&self) -> bool {
        match self {
            Self::Map { trainer, .. } => trainer.is_done(),
            Self::Velocity { tuner, .. } => tuner.is_done(),
        }
    }

    /// Losses; `None` before the first step.
    pub fn losses(&self) -> Option<PictureLosses> {
        match self {
            Self::Map { smooth, .. } => smooth.map(PictureLosses::Map),
            Self::Velocity { tuner, .. } => {
                (tuner.steps_done() > 0).then(|| PictureLosses::Tuned(tuner.loss()))
            }
        }
    }

    /// Mean reward of the tilted target, as far as the map's own pictures tell.
    pub fn target_reward(&self) -> Option<f64> {
        match self {
            Self::Velocity { tuner, .. } if tuner.recipe().objective == Objective::Tilt => {
                Some(tuner.target_reward())
            }
            _ => None,
        }
    }

    /// What stands beside the samples: the map's own pictures from the same noise, or real ones. `None` when `wanted`
    /// says no.
    pub fn beside(&self, wanted: &(dyn Fn() -> bool + Sync)) -> Option<PictureGrid> {
        match self {
            Self::Map { data, judge, .. } => {
                let mut pictures = vec![0.0; GRID * data.stride()];
                let classes = data.classes.len().max(1);
                // Of each class in turn, as the samples are.
                for (i, out) in pictures.chunks_exact_mut(data.stride()).enumerate() {
                    let of = (0..data.len())
                        .filter(|k| usize::from(data.labels[*k]) == i % classes)
                        .nth(i / classes);
                    data.write_into(of.unwrap_or(i % data.len()), out);
                }
                let figures =
                    PictureFigures::new(&pictures, &NoReward(data.shape), judge.as_deref(), None);
                Some(grid(0, pictures, figures))
            }
            Self::Velocity { tuner, .. } => self.sampled(&*tuner.base(), wanted),
        }
    }

    /// Samples of the averaged network; `None` when `wanted` says no.
    pub fn look(&self, wanted: &(dyn Fn() -> bool + Sync)) -> Option<PictureGrid> {
        match self {
            Self::Map { trainer, .. } => {
                let net = NativeDit::new(&trainer.averaged())?;
                self.sampled(&net, wanted)
            }
            Self::Velocity { tuner, .. } => self.sampled(&*tuner.velocity(), wanted),
        }
    }

    fn sampled(
        &self,
        map: &dyn ImageMap,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Option<PictureGrid> {
        let classes = map.config().label_dim;
        let label = |i: usize| match self {
            Self::Map { .. } => (i % classes) as u32,
            Self::Velocity { tuner, .. } => tuner.recipe().class.label(i, classes),
        };
        let guidance = match self {
            Self::Map { .. } => 1.0,
            Self::Velocity { tuner, .. } => tuner.recipe().guidance,
        };
        let labels: Vec<u32> = (0..GRID).map(label).collect();
        let steps = if map.has_jumps() { JUMPS } else { ODE_STEPS };
        let noise = NoiseKey {
            seed: 0,
            state: SCENE,
        };
        let made = generate_images(
            map,
            ImageSampler::Flow(steps),
            (&labels, guidance),
            noise,
            0,
            &mut Counters::default(),
            &mut |_| wanted(),
        );
        let pictures = made.ok()?;
        let figures = match self {
            Self::Map { data, judge, .. } => {
                PictureFigures::new(&pictures, &NoReward(data.shape), judge.as_deref(), None)
            }
            Self::Velocity { score, judge, .. } => {
                PictureFigures::new(&pictures, &**score, judge.as_deref(), None)
            }
        };
        Some(grid(self.steps_done(), pictures, figures))
    }

    /// Writes what the rest of a run on a folder depends on. A tuned velocity is not kept: it needs its map to go on, and
    /// is made again in minutes.
    pub fn keep(&self, path: &Path, goal: &PictureGoal) -> Result<(), String> {
        let (Self::Map { trainer, .. }, PictureGoal::Folder(folder)) = (self, goal) else {
            return Ok(());
        };
        let text = serde_json::to_string(folder).map_err(|e| e.to_string())?;
        let beside = kept_folder(path);
        write_whole(&beside, text.as_bytes()).map_err(|e| format!("{}: {e}", beside.display()))?;
        trainer.save(path).map_err(|e| e.to_string())
    }

    /// Writes the averaged network as a map of pictures.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let written = match self {
            Self::Velocity { tuner, .. } => write_image_map(path, &tuner.card(), &tuner.averaged()),
            Self::Map {
                trainer,
                data,
                from,
                ..
            } => {
                let recipe = trainer.recipe();
                let card = ImageCard {
                    format: FORMAT,
                    model: recipe.model.clone(),
                    classes: data.classes.clone(),
                    data: format!("{} pictures from {from}", data.len()),
                    recipe: serde_json::to_value(recipe).unwrap_or_default(),
                    seed: recipe.seed,
                    steps: trainer.steps_done(),
                    code_version: env!("CARGO_PKG_VERSION").to_owned(),
                    licence: "that of the pictures".to_owned(),
                    hours: Some(trainer.seconds() / 3600.0),
                    hardware: None,
                    figures: BTreeMap::new(),
                    tuned: None,
                };
                write_image_map(path, &card, &trainer.averaged())
            }
        };
        written.map_err(|e| e.to_string())
    }
}

fn grid(step: u64, pictures: Vec<f32>, figures: PictureFigures) -> PictureGrid {
    PictureGrid {
        step,
        pictures: Arc::new(pictures),
        figures,
    }
}

/// A running mean over about fifty steps; what a step does not have leaves it as it is.
fn smoothed(old: Option<StepLoss>, new: StepLoss, step: u64) -> StepLoss {
    let Some(old) = old else { return new };
    let share = 1.0 / step.clamp(1, 50) as f64;
    let mix = |old: f64, new: f64| match (old.is_finite(), new.is_finite()) {
        (true, true) => old + share * (new - old),
        (false, true) => new,
        _ => old,
    };
    StepLoss {
        weighted: mix(old.weighted, new.weighted),
        diagonal: mix(old.diagonal, new.diagonal),
        consistency: mix(old.consistency, new.consistency),
    }
}
