//! `foresight train --classifier`: trains the judge of generated images.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use crate::checkpoint::{ClassifierCard, FORMAT, halved, write_classifier};
use crate::model::{ClassifierConfig, weights_of, with_weights};
use crate::train::{ClassifierRecipe, DataPlan, ImageSet, Part, accuracy, train_classifier};

/// Trains on the digits of a folder that holds MNIST's four IDX files and writes `out`.
///
/// # Errors
/// With a message for the person.
pub fn train_digits(data: &Path, out: &Path, seed: Option<u64>) -> Result<(), String> {
    let read = |part| {
        let plan = DataPlan::new(28, 1, part);
        ImageSet::open(data, &plan, &mut |_| true)
            .map(|opened| opened.images)
            .map_err(|e| e.to_string())
    };
    let (training, held_out) = (read(Part::Train)?, read(Part::Test)?);
    let (config, mut recipe) = (ClassifierConfig::mnist(), ClassifierRecipe::mnist());
    recipe.seed = seed.unwrap_or(recipe.seed);
    if training.shape != config.image || training.classes.len() != config.classes {
        return Err(format!(
            "{}: images of {:?} in {} classes; the digits' classifier wants {:?} in {}",
            data.display(),
            training.shape,
            training.classes.len(),
            config.image,
            config.classes
        ));
    }
    let device = Device::flex();
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
        data: format!("MNIST, {} training images", training.len()),
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
