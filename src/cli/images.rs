//! `foresight train --images`: trains a Meta Flow Map of labelled pictures.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::curve::Row;
use super::place::Place;
use super::train::{ImagesArg, LossArg, TrainArgs, clock, open_curve, part_path, say_replaced};
use super::train_resume::check_taken_up;
use crate::checkpoint::{FORMAT, ImageCard, read_states, write_image_map_with};
use crate::model::{DitConfig, Weights, weights_of};
use crate::train::finetune_images::TuneParent;
use crate::train::image::{ImageConsistency, ImageRecipe, ImageTrainer, LossScale, TaughtBy};
use crate::train::{DataPlan, ImageSet, Part};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_mins(3);
/// Steps between two looks at the loss: each waits for the device.
const LOOK_EVERY: u64 = 25;

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn train_images(
    args: &TrainArgs,
    kind: ImagesArg,
    data: &Path,
    device: Option<DeviceArg>,
) -> Result<(), String> {
    let place = Place::of(device)?;
    let precision = args.precision.map(|asked| asked.at(&place)).transpose()?;
    // What half-formed pictures become does not depend on the map: where the other one knows, it is handed on.
    let states = args.distil.as_deref().map(read_states).transpose();
    let states = states.map_err(|e| e.to_string())?.flatten();
    let part = part_path(&args.out);
    let mut run = if args.resume && part.exists() {
        let mut run = ImageTrainer::resume(&part, &place.device).map_err(|e| e.to_string())?;
        let own = run.recipe().precision;
        if precision.is_some_and(|asked| asked != own) {
            return Err(format!(
                "{} is a run whose products are {own}: leave --precision out, or start again without --resume",
                part.display()
            ));
        }
        let taught = args.distil.as_deref().map(teacher).transpose()?;
        let taught = taught.map(|(by, _)| by);
        let asked = recipe(args, kind, taught.as_ref())?;
        check_taken_up(args, &part, run.recipe(), &asked, &["steps", "precision"])?;
        if run.recipe().teacher.is_some() && args.distil.is_none() {
            say!(
                "begun with --distil: without it now, what that map knows of half-formed pictures is not handed on"
            );
        }
        if let Some(steps) = args.steps {
            run.end_at(steps);
        }
        run
    } else {
        say_replaced(&part);
        let taught = args.distil.as_deref().map(teacher).transpose()?;
        let mut recipe = recipe(args, kind, taught.as_ref().map(|(by, _)| by))?;
        recipe.precision = precision.unwrap_or(recipe.precision);
        match taught {
            Some((_, weights)) => ImageTrainer::distilling(recipe, weights, &place.device),
            None => ImageTrainer::new(recipe, &place.device),
        }
        .map_err(|e| e.to_string())?
    };
    let model = &run.recipe().model;
    let plan = DataPlan::new(model.input_size, model.in_channels, Part::Train);
    let reading = ProgressBar::new_spinner();
    let opened = ImageSet::open(data, &plan, &mut |n| {
        reading.set_message(format!("{n} pictures"));
        true
    })
    .map_err(|e| e.to_string())?;
    reading.finish_and_clear();
    let images = opened.images;
    run.check(&images).map_err(|e| e.to_string())?;
    say!(
        "{} pictures in {} classes from {}; {} steps of {}, matrix products in {}, on {}",
        images.len(),
        images.classes.len(),
        data.display(),
        run.recipe().steps,
        run.recipe().batch,
        run.recipe().precision,
        place.hardware
    );
    if run.steps_done() > 0 {
        say!("taking up step {}", run.steps_done());
    }

    let bar = ProgressBar::new(run.recipe().steps);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (begun, from) = (Instant::now(), run.steps_done());
    let (mut kept, mut said) = (Instant::now(), None::<Instant>);
    let mut curve = open_curve(args, from)?;
    while !run.is_done() {
        let has_line = curve.is_some() && (run.steps_done() + 1).is_multiple_of(args.curve_every);
        let told = has_line || run.steps_done().is_multiple_of(LOOK_EVERY);
        let learning_rate = run.learning_rate();
        let loss = run.advance(&images, told).map_err(|e| e.to_string())?;
        bar.set_position(run.steps_done());
        if let (true, Some(curve), Some(loss)) = (has_line, &mut curve, loss) {
            curve.add(&Row {
                step: run.steps_done(),
                learning_rate: Some(learning_rate),
                loss,
                distances: None,
            })?;
        }
        if let Some(loss) = loss {
            let done = run.steps_done() - from;
            let rate = done as f64 / begun.elapsed().as_secs_f64();
            let left = (run.recipe().steps - run.steps_done()) as f64 / rate.max(1e-9);
            let scale = run.loss_scale().map_or_else(String::new, |scale| {
                let LossScale {
                    factor, skipped, ..
                } = scale;
                format!(", loss scaled by {factor}, {skipped} steps skipped")
            });
            // A small batch may have none of a kind.
            let of_kind = |mean: f64| {
                if mean.is_nan() {
                    "none".to_owned()
                } else {
                    format!("{mean:.4}")
                }
            };
            bar.set_message(format!(
                "loss {:.4} (diagonal {}, jumps {}){scale}, {rate:.2} steps/s, {} left",
                loss.weighted,
                of_kind(loss.diagonal),
                of_kind(loss.consistency),
                clock(Duration::from_secs_f64(left.min(1e9)))
            ));
            // Where nobody watches a terminal, the same in lines.
            if bar.is_hidden() && said.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                said = Some(Instant::now());
                say!("step {} {}", run.steps_done(), bar.message());
            }
        }
        if kept.elapsed() > KEEP_EVERY {
            run.save(&part).map_err(|e| e.to_string())?;
            kept = Instant::now();
        }
    }
    bar.finish_and_clear();
    if let Some(scale) = run.loss_scale().filter(|scale| scale.skipped > 0.0) {
        say!(
            "{} steps were not taken: gradients overflowed until the loss was scaled by less",
            scale.skipped
        );
    }
    let card = ImageCard {
        format: FORMAT,
        model: run.recipe().model.clone(),
        classes: images.classes.clone(),
        data: format!("{} pictures: {}", images.len(), kind.describe()),
        recipe: serde_json::to_value(run.recipe()).map_err(|e| e.to_string())?,
        seed: run.recipe().seed,
        steps: run.steps_done(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        hours: Some(run.seconds() / 3600.0),
        hardware: Some(place.hardware),
        figures: BTreeMap::new(),
        tuned: None,
    };
    let states = states.filter(|states| states.card.classes == card.classes);
    write_image_map_with(&args.out, &card, &run.averaged(), states.as_ref())
        .map_err(|e| e.to_string())?;
    if part.exists() {
        std::fs::remove_file(&part).map_err(|e| format!("{}: {e}", part.display()))?;
    }
    say!("written to {}", args.out.display());
    Ok(())
}

/// The map that jumps are distilled from: what is written down of it, and its weights.
fn teacher(path: &Path) -> Result<((DitConfig, TaughtBy), Weights), String> {
    let parent = TuneParent::open(Some(path)).map_err(|e| e.to_string())?;
    let card = parent.card;
    if card.tuned.is_some() {
        return Err(format!(
            "{}: this velocity was tuned toward a reward and has no jumps to learn from; give the map that it was tuned from",
            path.display()
        ));
    }
    let by = TaughtBy {
        hash: parent.hash,
        steps: card.steps,
        hours: card.hours,
    };
    Ok(((card.model, by), weights_of(&parent.net)))
}

fn recipe(
    args: &TrainArgs,
    kind: ImagesArg,
    taught: Option<&(DitConfig, TaughtBy)>,
) -> Result<ImageRecipe, String> {
    let preset = match kind {
        ImagesArg::Digits => ImageRecipe::digits(),
        ImagesArg::Photos => ImageRecipe::photos(),
    };
    let mut recipe = match &args.recipe {
        Some(path) => {
            let name = path.display();
            let text = std::fs::read_to_string(path).map_err(|e| format!("{name}: {e}"))?;
            serde_json::from_str(&text).map_err(|e| format!("{name}: {e}"))?
        }
        None => match taught {
            Some((model, by)) => preset.distilling(model.clone(), by.clone()),
            None => preset,
        },
    };
    if let Some((model, by)) = taught {
        (recipe.model, recipe.teacher) = (model.clone(), Some(by.clone()));
    }
    recipe.steps = args.steps.unwrap_or(recipe.steps);
    if let Some(batch) = args.batch {
        (recipe.batch, recipe.micro_batch) = (batch, recipe.micro_batch.min(batch));
    }
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    if let Some(loss) = args.loss {
        recipe.consistency = match loss {
            LossArg::Esd => ImageConsistency::Eulerian,
            LossArg::Meanflow => ImageConsistency::MeanFlow,
            LossArg::Lsd => ImageConsistency::Lagrangian,
            LossArg::Psd => ImageConsistency::Progressive,
        };
    }
    Ok(recipe)
}
