//! A run of `foresight train --classifier` or `--states-of`: begun, taken up, shown and kept.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::place::Place;
use super::train::{TrainArgs, part_path, say_replaced};
use super::train_resume::check_taken_up;
use crate::checkpoint::{ClassifierCard, FORMAT, halved, read_classifier, sha256_hex};
use crate::model::{
    Classifier, ClassifierConfig, NormKind, StateClassifier, Weights, weights_of, with_weights,
};
use crate::train::{BegunWith, ClassifierRecipe, ClassifierTrainer, DataPlan, ImageSet, Part};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_mins(1);

/// What is trained, and on what.
pub(super) struct Run {
    pub(super) config: ClassifierConfig,
    pub(super) recipe: ClassifierRecipe,
    pub(super) training: ImageSet,
    pub(super) held_out: ImageSet,
    pub(super) place: Place,
    /// How long it took, over all sittings.
    hours: f64,
}

impl Run {
    /// Reads the pictures of `data`, which have the shape of `config`; a network of states sees one more channel.
    pub(super) fn of(
        args: &TrainArgs,
        data: &Path,
        (mut config, mut recipe): (ClassifierConfig, ClassifierRecipe),
        device: Option<DeviceArg>,
    ) -> Result<Self, String> {
        let [channels, size, _] = config.image;
        let read = |part| {
            let plan = DataPlan::new(size, channels, part);
            ImageSet::open(data, &plan, &mut |_| true)
                .map(|opened| opened.images)
                .map_err(|e| e.to_string())
        };
        let (training, held_out) = (read(Part::Train)?, read(Part::Test)?);
        if training.shape != config.image || held_out.classes != training.classes {
            return Err(format!(
                "{}: {} images of {:?} in {} classes, {} of {:?} in {} for testing; a classifier wants {:?} and the same classes in both",
                data.display(),
                training.len(),
                training.shape,
                training.classes.len(),
                held_out.len(),
                held_out.shape,
                held_out.classes.len(),
                config.image
            ));
        }
        config.classes = training.classes.len();
        if recipe.of_states {
            config = StateClassifier::shape_for(config);
        }
        if let Some(fault) = config.fault() {
            return Err(format!("{}: {fault}", data.display()));
        }
        if !config.others.is_empty() {
            return Err(
                "the networks of an ensemble learn alone: train each, then put them together with 'foresight ensemble'"
                    .into(),
            );
        }
        recipe.seed = args.seed.unwrap_or(recipe.seed);
        recipe.batch = args.batch.unwrap_or(recipe.batch).clamp(1, training.len());
        if let Some(steps) = args.steps {
            let epochs = steps.div_ceil((training.len() / recipe.batch) as u64);
            recipe.epochs = u32::try_from(epochs.max(1)).map_err(|_| "--steps is too large")?;
        }
        Ok(Self {
            config,
            recipe,
            training,
            held_out,
            place: Place::of(device)?,
            hours: 0.0,
        })
    }

    /// The network after its epochs, rounded to what a file keeps. The unfinished run is kept beside `args.out`.
    pub(super) fn learned(&mut self, args: &TrainArgs) -> Result<(Classifier, Weights), String> {
        let part = part_path(&args.out);
        let begun = args.from.as_deref().map(|from| self.begin_with(from));
        let begun = begun.transpose()?;
        let mut run = if args.resume && part.exists() {
            let run = ClassifierTrainer::resume(&part, &self.place.device)
                .map_err(|e| format!("{e}. Start again without --resume"))?;
            if *run.config() != self.config || run.recipe().of_states != self.recipe.of_states {
                return Err(format!(
                    "{} is a run of another kind of classifier: give what it was begun with, or start again without --resume",
                    part.display()
                ));
            }
            check_taken_up(args, &part, run.recipe(), &self.recipe, &[])?;
            say!("taking up step {}", run.steps_done());
            self.recipe = run.recipe().clone();
            run
        } else {
            say_replaced(&part);
            let (config, recipe) = (self.config.clone(), self.recipe.clone());
            match (&begun, &args.from) {
                (Some(weights), Some(from)) => {
                    ClassifierTrainer::beginning_with(config, recipe, weights, &self.place.device)
                        .map_err(|e| format!("{}: {e}", from.display()))?
                }
                _ => ClassifierTrainer::new(config, recipe, &self.place.device),
            }
        };
        let (training, held_out, epochs) = (&self.training, &self.held_out, self.recipe.epochs);
        say!(
            "{} pictures in {} classes, {} held out; {epochs} epochs of steps of {}",
            training.len(),
            training.classes.len(),
            held_out.len(),
            self.recipe.batch
        );
        let bar = ProgressBar::new(1000);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left") {
            bar.set_style(style);
        }
        let (mut kept, mut lost) = (Instant::now(), None);
        let reached = run.advance_all(training, held_out, &mut |run, epoch| {
            bar.set_position((run.share_done(training) * 1000.0) as u64);
            if let Some(e) = epoch {
                bar.suspend(|| {
                    say!(
                        "epoch {} of {epochs}: loss {:.4}, {:.2} % of {} held-out images right, {:.0} s",
                        e.epoch,
                        e.loss,
                        100.0 * e.accuracy,
                        held_out.len(),
                        run.seconds()
                    );
                });
            }
            if kept.elapsed() > KEEP_EVERY {
                kept = Instant::now();
                // Training goes on without; said at the end.
                lost = run.save(&part).err();
            }
            true
        });
        bar.finish_and_clear();
        if let Some(error) = lost {
            eprintln!("the unfinished run could not be kept: {error}");
        }
        reached.map_err(|e| e.to_string())?;
        let before = self.recipe.begun_with.as_ref().and_then(|b| b.hours);
        self.hours = before.unwrap_or(0.0) + run.seconds() / 3600.0;
        let net = run.network(training);
        let weights = halved(&weights_of(&net));
        let net = with_weights(net, &weights).map_err(|e| e.to_string())?;
        Ok((net, weights))
    }

    /// The weights of the classifier, or of the unfinished run, that this one begins with.
    fn begin_with(&mut self, from: &Path) -> Result<Weights, String> {
        let name = from.display().to_string();
        let bytes = std::fs::read(from).map_err(|e| format!("{name}: {e}"))?;
        let (weights, hours, norm) = if from.extension().is_some_and(|e| e == "part") {
            let run = ClassifierTrainer::resume(from, &Device::flex());
            let run = run.map_err(|e| e.to_string())?;
            let hours = run.seconds() / 3600.0;
            (run.averaged(), Some(hours), run.config().norm)
        } else {
            let (card, weights) = read_classifier(&bytes, &name).map_err(|e| e.to_string())?;
            if card.config.norm == NormKind::Batch {
                return Err(format!(
                    "{name}: what its batch norm learned is folded and cannot be learned on; give the .part of its run"
                ));
            }
            if card.classes != self.training.classes {
                return Err(format!(
                    "{name}: its classes are {}, those of the pictures are {}",
                    card.classes.join(", "),
                    self.training.classes.join(", ")
                ));
            }
            (weights, card.hours, card.config.norm)
        };
        if norm != self.config.norm {
            return Err(format!(
                "{name}: its norms are of another kind ({norm:?}) than those of the classifier to train ({:?})",
                self.config.norm
            ));
        }
        let hash = sha256_hex(&bytes);
        self.recipe.begun_with = Some(BegunWith { hash, hours });
        Ok(weights)
    }

    pub(super) fn card(&self, data: &str, accuracy: f64) -> Result<ClassifierCard, String> {
        Ok(ClassifierCard {
            format: FORMAT,
            config: self.config.clone(),
            classes: self.training.classes.clone(),
            data: format!("{} pictures: {data}", self.training.len()),
            accuracy,
            held_out: self.held_out.len(),
            recipe: serde_json::to_value(&self.recipe).map_err(|e| e.to_string())?,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            licence: "MIT OR Apache-2.0".to_owned(),
            hours: Some(self.hours),
            hardware: Some(self.place.hardware.clone()),
        })
    }
}
