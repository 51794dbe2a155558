//! `foresight eval` for maps of images.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use serde::Serialize;

use super::EvalArgs;
use crate::checkpoint::{
    ClassifierCard, inspect, read_image_map, read_states, write_image_map_with,
};
use crate::cli::DeviceArg;
use crate::cli::pictures::{OpenMap, advance, judge_for, progress_bar};
use crate::cli::report_file::check_report;
use crate::cli::train::clock;
use crate::mixture::shortened;
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
    if let Some(path) = &args.csv {
        check_report(path, None)?;
    }
    if args.keep_figures {
        check_report(&args.checkpoint, None)?;
    }
    let open = OpenMap::open(&args.checkpoint, device)?;
    let [channels, size, _] = open.shape();
    let classes = &open.card.classes;
    let judge = judge_for(args.classifier.as_deref(), open.shape(), Some(classes))?;
    let (card, judge) = judge.ok_or_else(|| {
        format!(
            "no classifier is shipped for images of {:?} in these classes: give one with --classifier, or train one with 'foresight train --classifier'",
            open.shape()
        )
    })?;
    if card.classes != *classes {
        return Err(format!(
            "{} knows the classes {}, the map {}: give a classifier of the same classes",
            classifier_name(args),
            shortened(&card.classes.join(", "), 200),
            shortened(&classes.join(", "), 200)
        ));
    }
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
            if bar.is_hidden() && share > 0.01 && said.elapsed() > Duration::from_secs(30) {
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

    // Of the file that was judged: keeping the figures changes it.
    let hash = inspect(&args.checkpoint).map_err(|e| e.to_string())?.hash;
    if let Some(path) = &args.csv {
        write_csv(&report, path)?;
    }
    if args.keep_figures {
        keep_figures(&report, &args.checkpoint)?;
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
        || "the shipped classifier".to_owned(),
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

/// Samplers, sources and images whose figures a card keeps.
const KEPT: [&str; 6] = [
    "flow:1", "flow:4", "kernel:4", "one-step", "held-out", "training",
];

/// Writes the figures into the file's card. The weights stay what they are: they were read from the same halves.
fn keep_figures(report: &ImageEvalReport, path: &Path) -> Result<(), String> {
    let (mut card, net) = read_image_map(path, &Device::flex()).map_err(|e| e.to_string())?;
    card.figures = report
        .lines()
        .into_iter()
        .filter(|line| KEPT.contains(&line.of.as_str()) && line.value.is_finite())
        .map(|line| {
            // Writing to a string cannot fail.
            let mut name = format!("{}, {}", line.figure, line.of);
            if let Some(guidance) = line.guidance {
                let _ = write!(name, ", guidance {guidance}");
            }
            if let Some(t) = line.t {
                let _ = write!(name, ", t {t}");
            }
            (name, line.value)
        })
        .collect();
    let plan = &report.plan;
    for (name, count) in [
        ("class samples", plan.samples),
        ("states", plan.states),
        ("draws a state", plan.draws),
        ("steps of a rollout", plan.rollout_steps),
    ] {
        card.figures.insert(name.to_owned(), f64::from(count));
    }
    let states = read_states(path).map_err(|e| e.to_string())?;
    write_image_map_with(path, &card, &net, states.as_ref()).map_err(|e| e.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{ImageCard, StateWeights};
    use crate::metrics::Counters;
    use crate::model::{Dit, DitConfig};
    use crate::train::image_eval::{HeldOutLosses, RealImages, SampleFigures, Share};

    #[test]
    fn kept_figures_are_in_the_card_and_the_weights_stay() {
        let model = DitConfig {
            input_size: 8,
            patch_size: 4,
            hidden_size: 8,
            depth: 2,
            num_heads: 2,
            encoder_depth: 1,
            ..DitConfig::digits()
        };
        let device = Device::flex();
        let net = Dit::init(&model, 1, &device).unwrap();
        let card = ImageCard::made(model, &["a"]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let states = StateWeights::made([1, 8, 8], 3);
        write_image_map_with(&path, &card, &net, Some(&states)).unwrap();
        let (_, before) = read_image_map(&path, &device).unwrap();
        let share = |mean| Share {
            mean,
            error: 0.01,
            count: 4,
        };
        let sample = |sampler: &str, frechet| SampleFigures {
            sampler: sampler.into(),
            steps: 1,
            guidance: 2.5,
            accepted: share(0.75),
            frechet,
        };
        let report = ImageEvalReport {
            plan: ImageEvalPlan::default(),
            samples: vec![sample("flow:1", f64::NAN), sample("flow:2", 1.0)],
            posterior: Vec::new(),
            real: RealImages {
                accepted: share(1.0),
                some_class: share(1.0),
                frechet: 0.5,
            },
            losses: HeldOutLosses {
                diagonal: 0.1,
                jumps: 0.2,
                items: 1,
            },
            counters: Counters::default(),
            verdicts: Vec::new(),
        };
        keep_figures(&report, &path).unwrap();
        let (after, net) = read_image_map(&path, &device).unwrap();
        assert_eq!(read_states(&path).unwrap(), Some(states));
        assert_eq!(after.figures["accepted, flow:1, guidance 2.5"], 0.75);
        assert_eq!(after.figures["frechet, training"], 0.5);
        let names: Vec<&String> = after.figures.keys().collect();
        // What is no number would make the card unreadable.
        assert!(!names.iter().any(|n| n.contains("frechet, flow:1")));
        assert!(!names.iter().any(|n| n.contains("flow:2")));
        for (a, b) in before.weights().iter().zip(net.weights()) {
            assert_eq!(a.values, b.values);
        }
        let csv = dir.path().join("f.csv");
        write_csv(&report, &csv).unwrap();
        let text = std::fs::read_to_string(&csv).unwrap();
        assert!(
            text.starts_with("figure,of,guidance,t,value,error,count"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1 + 4 + 5);
    }
}
