//! `foresight eval`: a checkpoint's draws beside the exact posterior, a map of images beside real ones, a classifier on
//! images that it has not seen.

mod images;

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::DeviceArg;
use super::classifier::judge_classifier;
use crate::checkpoint::{Checkpoint, ModelKind, model_kind};
use crate::train::{EvalPlan, EvalReport, evaluate};

/// `foresight eval`
#[derive(Debug, Clone, Args)]
pub struct EvalArgs {
    /// The model file.
    pub checkpoint: PathBuf,
    /// For images: the pictures that a map or a classifier is judged on (a folder with MNIST's files, a folder of class
    /// folders, or an archive of one). The part for testing is what counts.
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,
    /// For a map of images: the classifier that judges it; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE", requires = "data")]
    pub classifier: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// For a map of images: also write every figure as a line of this file.
    #[arg(long, value_name = "FILE.csv", requires = "data")]
    pub csv: Option<PathBuf>,
    /// For a map of images: write the figures into the file's card, where `foresight inspect` shows them.
    #[arg(long, requires = "data")]
    pub keep_figures: bool,
    /// States: at each of the times for a world (20 if not given), in all for images (50).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub states: Option<u32>,
    /// Draws from each posterior; 4096 for a world and 64 for images if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub draws: Option<u32>,
    /// Class samples of images for each sampler and guidance scale.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub samples: u32,
    /// Steps of the rollouts that draws of images are compared with.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub rollout_steps: u32,
    /// Root seed of states, noise and exact samples.
    #[arg(long, default_value_t = 2026)]
    pub seed: u64,
}

#[derive(Serialize)]
struct Named<'a> {
    checkpoint: String,
    hash: &'a str,
    passed: bool,
    #[serde(flatten)]
    report: &'a EvalReport,
}

/// Runs the command. A checkpoint that misses a bar is an error, so that scripts notice.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &EvalArgs, device: Option<DeviceArg>) -> Result<(), String> {
    let kind = model_kind(&args.checkpoint).map_err(|e| e.to_string())?;
    let name = args.checkpoint.display();
    match (kind, &args.data) {
        (ModelKind::Images | ModelKind::Other, Some(data)) => {
            return images::judge_images(args, data, device);
        }
        (ModelKind::Classifier, Some(data)) => return judge_classifier(&args.checkpoint, data),
        (ModelKind::Images, None) => {
            return Err(format!(
                "{name} is a map of images: give real ones with --data, such as a folder with MNIST's files"
            ));
        }
        (ModelKind::Classifier, None) => {
            return Err(format!(
                "{name} is a classifier of images: give held-out ones with --data"
            ));
        }
        (ModelKind::World, Some(_)) => {
            return Err(format!(
                "{name} is a model of a 2D world, which is compared with its closed forms: leave out --data"
            ));
        }
        // What is wrong with another file is said where it is read.
        (ModelKind::World | ModelKind::Other, None) => {}
    }
    DeviceArg::choice(device)?;
    let checkpoint = Checkpoint::read(&args.checkpoint).map_err(|e| e.to_string())?;
    let network = checkpoint.fused().map_err(|e| e.to_string())?;
    if !network.is_map() {
        return Err(format!(
            "{} is a fine-tuned velocity and has no flow map to judge; `foresight steer --method base --reward linear:0,0 --checkpoint FILE` compares its samples with what it was tuned to",
            args.checkpoint.display()
        ));
    }
    let usual = EvalPlan::default();
    let plan = EvalPlan {
        states: args.states.map_or(usual.states, |n| n as usize),
        draws: args.draws.map_or(usual.draws, |n| n as usize),
        seed: args.seed,
        ..usual
    };
    let bar = ProgressBar::new(1000);
    let report = evaluate(&network, &checkpoint.card.world, &plan, |done| {
        bar.set_position((done * 1000.0) as u64);
        true
    });
    bar.finish_and_clear();
    let Some(report) = report else {
        return Err("cancelled".into());
    };
    let name = args.checkpoint.display().to_string();
    if args.json {
        let named = Named {
            checkpoint: name,
            hash: &checkpoint.hash,
            passed: report.passed(),
            report: &report,
        };
        say!(
            "{}",
            serde_json::to_string_pretty(&named).map_err(|e| e.to_string())?
        );
    } else {
        say!("{name} ({})\n{report}", checkpoint.short_hash());
    }
    if report.passed() {
        Ok(())
    } else {
        Err("the quality bar is not met".into())
    }
}
