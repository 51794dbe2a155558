//! `foresight eval` for maps of images.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::EvalArgs;
use crate::checkpoint::{ClassifierCard, inspect};
use crate::cli::DeviceArg;
use crate::cli::pictures::{OpenMap, advance, judge_for, progress_bar};
use crate::cli::train::clock;
use crate::session::write_atomically;
use crate::train::image::ImageRecipe;
use crate::train::image_eval::{ImageEvalData, ImageEvalPlan, ImageEvalReport, evaluate_images};
use crate::train::{DataPlan, ImageSet, Part};

#[derive(Serialize)]
struct Named<'a> {
    checkpoint: String,
    hash: &'a str,
    classifier: String,
    /// What the classifier's card says of itself.
    classifier_accuracy: f64,
    passed: bool,
    seconds: f64,
    #[serde(flatten)]
    report: &'a ImageEvalReport,
}

/// Judges a map of images on real ones.
///
/// # Errors
/// With a message for the person; a missed bar is one.
pub(super) fn judge_images(
    args: &EvalArgs,
    data: &Path,
    device: Option<DeviceArg>,
) -> Result<(), String> {
    let open = OpenMap::open(&args.checkpoint, device)?;
    let [channels, size, _] = open.shape();
    let (card, judge) = judge_for(args.classifier.as_deref(), open.shape())?.ok_or_else(|| {
        format!(
            "no classifier is shipped for images of {:?}: give one with --classifier, or train one with 'foresight train --classifier'",
            open.shape()
        )
    })?;
    let read = |part| {
        ImageSet::open(data, &DataPlan::new(size, channels, part), &mut |_| true)
            .map(|opened| opened.images)
            .map_err(|e| e.to_string())
    };
    let (held_out, training) = (read(Part::Test)?, read(Part::Train)?);
    let plan = plan(args);
    // A recipe of another version says nothing that matters here: the losses are drawn as those of digits then.
    let recipe =
        serde_json::from_value(open.card.recipe.clone()).unwrap_or_else(|_| ImageRecipe::digits());

    let (begun, bar) = (Instant::now(), progress_bar());
    let mut said = Instant::now();
    let report = evaluate_images(
        &*open.map,
        &judge,
        ImageEvalData {
            held_out: &held_out,
            training: &training,
        },
        &recipe,
        &plan,
        &mut |share| {
            advance(&bar, share);
            // Where nobody watches a terminal, the same in lines; the table has standard output to itself.
            if bar.is_hidden() && said.elapsed() > Duration::from_secs(30) {
                said = Instant::now();
                let left = begun.elapsed().as_secs_f64() * (1.0 / share.max(1e-3) - 1.0);
                let left = clock(Duration::from_secs_f64(left));
                eprintln!("{:.0} %, {left} left", 100.0 * share);
            }
            true
        },
    )
    .map_err(|e| e.to_string())?;
    bar.finish_and_clear();

    let hash = inspect(&args.checkpoint).map_err(|e| e.to_string())?.hash;
    if let Some(path) = &args.csv {
        write_csv(&report, path)?;
    }
    let name = args.checkpoint.display().to_string();
    let classifier = classifier_name(args);
    if args.json {
        let named = Named {
            checkpoint: name,
            hash: &hash,
            classifier,
            classifier_accuracy: card.accuracy,
            passed: report.passed(),
            seconds: begun.elapsed().as_secs_f64(),
            report: &report,
        };
        let json = serde_json::to_string_pretty(&named).map_err(|e| e.to_string())?;
        say!("{json}");
    } else {
        say!(
            "{name} ({}), judged by {classifier} ({})\n{report}",
            hash.get(..6).unwrap_or(&hash),
            of_itself(&card)
        );
    }
    if report.passed() {
        Ok(())
    } else {
        Err("the quality bar is not met".into())
    }
}

fn plan(args: &EvalArgs) -> ImageEvalPlan {
    let usual = ImageEvalPlan::default();
    ImageEvalPlan {
        states: args.states.unwrap_or(usual.states),
        draws: args.draws.unwrap_or(usual.draws),
        samples: args.samples,
        rollout_steps: args.rollout_steps,
        seed: args.seed,
        ..usual
    }
}

fn classifier_name(args: &EvalArgs) -> String {
    let file = args.classifier.as_deref();
    file.map_or_else(
        || "the shipped classifier of digits".to_owned(),
        |path| path.display().to_string(),
    )
}

fn of_itself(card: &ClassifierCard) -> String {
    format!(
        "{:.2} % of {} held-out images right by its card",
        100.0 * card.accuracy,
        card.held_out
    )
}

fn write_csv(report: &ImageEvalReport, path: &Path) -> Result<(), String> {
    let mut bytes = Vec::new();
    {
        let mut writer = csv::Writer::from_writer(&mut bytes);
        for line in report.lines() {
            writer.serialize(line).map_err(|e| e.to_string())?;
        }
        writer.flush().map_err(|e| e.to_string())?;
    }
    write_atomically(path, |file| std::io::Write::write_all(file, &bytes))
        .map_err(|e| format!("{}: {e}. Check free space and permissions", path.display()))
}
