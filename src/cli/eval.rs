//! `foresight eval`: a checkpoint's draws beside the exact posterior.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::classifier::judge_classifier;
use crate::checkpoint::Checkpoint;
use crate::train::{EvalPlan, EvalReport, evaluate};

/// `foresight eval`
#[derive(Debug, Clone, Args)]
pub struct EvalArgs {
    /// The model file.
    pub checkpoint: PathBuf,
    /// For a classifier: the pictures it is judged on, whose part for testing is read (a folder with MNIST's files, a
    /// folder of class folders, or an archive of one).
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// States drawn from `p_t` at each of the times.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub states: u32,
    /// Draws from each posterior.
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub draws: u32,
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
pub fn run(args: &EvalArgs) -> Result<(), String> {
    if let Some(data) = &args.data {
        return judge_classifier(&args.checkpoint, data);
    }
    let checkpoint = Checkpoint::read(&args.checkpoint).map_err(|e| e.to_string())?;
    let network = checkpoint.fused().map_err(|e| e.to_string())?;
    if !network.is_map() {
        return Err(format!(
            "{} is a fine-tuned velocity and has no flow map to judge; `foresight steer --method base --reward linear:0,0 --checkpoint FILE` compares its samples with what it was tuned to",
            args.checkpoint.display()
        ));
    }
    let plan = EvalPlan {
        states: args.states as usize,
        draws: args.draws as usize,
        seed: args.seed,
        ..EvalPlan::default()
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
