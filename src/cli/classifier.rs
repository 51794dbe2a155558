//! `foresight train --classifier`: trains the judge of generated images.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::place::Place;
use super::train::{ImagesArg, TrainArgs};
use crate::checkpoint::{ClassifierCard, FORMAT, halved, read_classifier, write_classifier};
use crate::model::{ClassifierConfig, weights_of, with_weights};
use crate::train::{ClassifierRecipe, DataPlan, ImageSet, Part, accuracy, train_classifier};

/// Trains on the pictures of `data`, digits if nothing else is asked for, and writes the classifier.
///
/// # Errors
/// With a message for the person.
pub fn train_judge(args: &TrainArgs, data: &Path, device: Option<DeviceArg>) -> Result<(), String> {
    let out = &args.out;
    let (kind, mut config, mut recipe) = match args.images.unwrap_or(ImagesArg::Digits) {
        kind @ ImagesArg::Digits => (kind, ClassifierConfig::mnist(), ClassifierRecipe::mnist()),
        kind @ ImagesArg::Photos => (kind, ClassifierConfig::photos(), ClassifierRecipe::photos()),
    };
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
    if let Some(fault) = config.fault() {
        return Err(format!("{}: {fault}", data.display()));
    }
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.batch = args.batch.unwrap_or(recipe.batch).clamp(1, training.len());
    if let Some(steps) = args.steps {
        let epochs = steps.div_ceil((training.len() / recipe.batch) as u64);
        recipe.epochs = u32::try_from(epochs.max(1)).map_err(|_| "--steps is too large")?;
    }
    let device = Place::of(device)?.device;
    say!(
        "{} pictures in {} classes, {} held out; {} epochs of steps of {}",
        training.len(),
        training.classes.len(),
        held_out.len(),
        recipe.epochs,
        recipe.batch
    );
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    let begun = Instant::now();
    let net = train_classifier(
        &config,
        &recipe,
        &training,
        &held_out,
        &device,
        &mut |fraction, epoch| {
            bar.set_position((fraction * 1000.0) as u64);
            if let Some(e) = epoch {
                bar.suspend(|| {
                    say!(
                        "epoch {} of {}: loss {:.4}, {:.2} % of {} held-out images right, {:.0} s",
                        e.epoch,
                        recipe.epochs,
                        e.loss,
                        100.0 * e.accuracy,
                        held_out.len(),
                        begun.elapsed().as_secs_f64()
                    );
                });
            }
            true
        },
    )
    .ok_or("stopped")?;
    bar.finish_and_clear();
    // What is judged is what is in the file.
    let weights = halved(&weights_of(&net));
    let net = with_weights(net, &weights).map_err(|e| e.to_string())?;
    let judged = accuracy(&net, &held_out, &device);
    let card = ClassifierCard {
        format: FORMAT,
        config,
        classes: training.classes.clone(),
        data: format!("{} pictures: {}", training.len(), kind.describe()),
        accuracy: judged,
        held_out: held_out.len(),
        recipe: serde_json::to_value(&recipe).map_err(|e| e.to_string())?,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    };
    write_classifier(out, &card, &weights).map_err(|e| e.to_string())?;
    say!(
        "{}: {:.2} % of {} held-out images right",
        out.display(),
        100.0 * judged,
        held_out.len()
    );
    Ok(())
}

/// Share of held-out pictures that a classifier of the shipped kind must put in their class.
fn bar(image: [usize; 3]) -> Option<f64> {
    match image {
        [1, 28, 28] => Some(0.99),
        [3, 32, 32] => Some(0.9),
        _ => None,
    }
}

/// Judges a classifier on the part for testing of `data`. Below 99 % of digits or 90 % of photos it is an error, so that
/// scripts notice.
///
/// # Errors
/// With a message for the person.
pub fn judge_classifier(file: &Path, data: &Path) -> Result<(), String> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|e| format!("{name}: {e}"))?;
    let (card, weights) = read_classifier(&bytes, &name).map_err(|e| e.to_string())?;
    let device = Device::flex();
    let net = with_weights(card.config.init(&device), &weights)
        .map_err(|e| format!("{name}: {e}. The file is damaged: train it again"))?;
    let [channels, size, _] = card.config.image;
    let plan = DataPlan::new(size, channels, Part::Test);
    let images = ImageSet::open(data, &plan, &mut |_| true)
        .map_err(|e| e.to_string())?
        .images;
    if images.shape != card.config.image || images.classes.len() > card.config.classes {
        return Err(format!(
            "{}: pictures of {:?} in {} classes; {name} knows {:?} in {}",
            data.display(),
            images.shape,
            images.classes.len(),
            card.config.image,
            card.config.classes
        ));
    }
    let right = accuracy(&net, &images, &device);
    say!(
        "{name}: {:.2} % of {} held-out images right (its card says {:.2} %)",
        100.0 * right,
        images.len(),
        100.0 * card.accuracy
    );
    match bar(card.config.image) {
        Some(bar) if right < bar => Err(format!("the bar is {:.1} %", 100.0 * bar)),
        _ => Ok(()),
    }
}
