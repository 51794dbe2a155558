//! The headless commands, over the same engine as the window. Must not know egui panels.

/// Prints a line. A reader that went away (`| head`) is no failure.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}
mod aesthetic;
mod batch;
mod bench;
mod bench_frames;
mod bench_model;
mod bench_steer;
mod bench_train;
mod bench_wall;
pub mod classifier;
mod classifier_run;
mod compare;
mod curve;
mod device;
mod ensemble;
pub mod eval;
mod export;
pub mod finetune;
mod finetune_images;
mod finetune_table;
mod futures;
mod futures_reward;
mod images;
mod latents;
mod memory;
mod parity;
mod picture_file;
mod pictures;
mod place;
mod posterior;
mod replay;
mod report_file;
mod rewards;
mod rewards_score;
mod sample;
mod score;
mod scorers;
mod steer;
mod steer_args;
mod steer_gradient;
mod steer_options;
mod steer_pictures;
mod steer_pictures_out;
mod steer_report;
mod steer_setup;
pub mod train;
mod train_resume;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use report_file::{check_report, write_report};

pub use aesthetic::AestheticArgs;
pub use batch::{BatchArgs, run_batch};
pub use bench::{BenchReport, bench_posterior};
pub use bench_frames::{FramesBench, FramesBenchArgs, FramesSet};
pub use bench_model::{ModelBench, ModelBenchArgs, ModelRate, ProductRate, bench_model};
pub use bench_steer::{DragTime, SteerBench, SteerRate, bench_steer};
pub use bench_train::{TrainBench, TrainRate, bench_train};
pub use bench_wall::{WALLS, WallBench, WallRow, bench_wall};
pub use compare::{CompareArgs, run_compare};
pub use device::DeviceArg;
pub use ensemble::{EnsembleArgs, run_ensemble};
pub use export::{ExportArgs, run_export};
pub use futures::{FuturesArgs, run_futures};
pub use futures_reward::{RewardOptions, RewardReport, Second};
pub use parity::ParityArgs;
pub use place::PrecisionArg;
pub use posterior::{PosteriorArgs, run_posterior};
pub use replay::{ReplayArgs, run_replay};
pub use rewards::{RewardsArgs, run_rewards};
pub use sample::{SampleArgs, run_sample};
pub use score::ScoreArgs;
pub use scorers::ScorerOptions;
pub use steer::run_steer;
pub use steer_args::SteerArgs;

/// See what a noisy state could still become.
///
/// Without a command the window opens.
#[derive(Debug, Parser)]
#[command(name = "foresight", version, about)]
pub struct Cli {
    /// Where the mathematics runs: the window's own graphics device, the processor, or in commands for maps of images
    /// CUDA. Measured at start if not given.
    #[arg(long, global = true, value_enum)]
    pub device: Option<DeviceArg>,
    /// A session file (.ron) to open in the window.
    #[arg(long, value_name = "FILE.ron")]
    pub session: Option<PathBuf>,
    /// A checkpoint (.safetensors) to open in the window.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// A world for the window: a preset's name or a .ron file.
    #[arg(long, value_name = "NAME|FILE.ron")]
    pub world: Option<String>,
    /// What to do instead of opening the window.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The headless commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draw from p(x_1 | x_t) and write the draws to a file.
    Posterior(PosteriorArgs),
    /// Draw what a half-formed picture could still become and write a contact sheet.
    Futures(Box<FuturesArgs>),
    /// List what there is to reward in pictures, or say what a reward says of some.
    Rewards(RewardsArgs),
    /// Make pictures from noise and write a contact sheet.
    Sample(SampleArgs),
    /// Make the pictures and figures of a session again, without a window.
    Replay(ReplayArgs),
    /// Write pictures of a session's wall, Studio or Gallery: one with its settings, a contact sheet, moving pictures, arrays.
    Export(ExportArgs),
    /// Make the pictures of a session's queue, without a window.
    Batch(BatchArgs),
    /// Sample toward a reward and score the samples against the tilted target.
    Steer(Box<SteerArgs>),
    /// Compare methods at equal numbers of function evaluations: a table and plots; resumes when interrupted.
    Compare(CompareArgs),
    /// Train a Meta Flow Map on a 2D world or on labelled pictures, or a classifier of such pictures.
    Train(train::TrainArgs),
    /// Put classifiers of the same pictures together as one that says the mean of what they say.
    Ensemble(EnsembleArgs),
    /// Tune a model's velocity toward a reward.
    Finetune(Box<finetune::FinetuneArgs>),
    /// Compare a checkpoint's draws with the exact posterior, or a map of images with real ones.
    Eval(Box<eval::EvalArgs>),
    /// Say what a model file holds, or how an exported picture was made.
    Inspect(InspectArgs),
    /// Recompute what a folder of reference numbers holds.
    Parity(ParityArgs),
    /// Score pictures by how much people liked pictures like them (LAION's aesthetic predictor V2).
    Aesthetic(AestheticArgs),
    /// Score how well pictures go with a prompt (CLIP, PickScore, HPSv2.1, ImageReward).
    Score(ScoreArgs),
    /// Measure speed.
    Bench(BenchArgs),
    /// Render the window to a PNG file, without a screen.
    Snapshot(SnapshotArgs),
}

/// `foresight inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The file.
    pub file: PathBuf,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `foresight bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum)]
    pub what: BenchWhat,
    /// Also write the figures here, as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub json: Option<PathBuf>,
    /// Largest number of draws measured (posterior).
    #[arg(long, default_value_t = 1_000_000)]
    pub max_draws: u32,
    /// Leave out everything that renders (posterior, wall).
    #[arg(long)]
    pub no_window: bool,
    /// What `bench model` asks for, and `bench frames` in part.
    #[command(flatten)]
    pub model: ModelBenchArgs,
    /// What only `bench frames` asks for.
    #[command(flatten)]
    pub frames: FramesBenchArgs,
}

impl BenchArgs {
    /// Sees that the figures can be written before they are measured.
    ///
    /// # Errors
    /// With a message for the person.
    pub fn check(&self) -> Result<(), String> {
        let json = self.json.as_deref();
        json.map_or(Ok(()), |json| check_report(json, None))
    }
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// Draws per second, time from scrub to pixels, frame times, time to the first draw.
    Posterior,
    /// Particle-steps per second of every method, time from releasing a drag to a finished comparison.
    Steer,
    /// Steps and samples per second of the training recipes, share of the derivative, peak memory.
    Train,
    /// How soon a wall of 16, 64 and 256 digits follows the clock on both devices, and what its frames cost.
    Wall,
    /// Draws per second, time of a steering step, memory and share of the device's peak of a transformer of images.
    Model,
    /// Frame times of the window while a large map of latents is opened, draws and steers, and how soon Esc is answered.
    Frames,
}

/// `foresight snapshot`
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// The session to show; the first launch's if not given.
    #[arg(long, value_name = "FILE.ron")]
    pub session: Option<PathBuf>,
    /// Size in points, WIDTHxHEIGHT.
    #[arg(long, default_value = "1280x800", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pixels per point.
    #[arg(long, default_value_t = 1.0)]
    pub scale: f32,
    /// Light or dark; as the session says if not given.
    #[arg(long, value_enum)]
    pub theme: Option<ThemeArg>,
    /// Set the clock, 0 noise, 1 data.
    #[arg(long, value_parser = parse_time, allow_negative_numbers = true)]
    pub t: Option<f64>,
    /// Where to write.
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
}

/// Colours of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeArg {
    /// Dark.
    Dark,
    /// Paper white.
    Light,
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let wrong =
        || format!("'{text}' is no size: write WIDTHxHEIGHT with 200 to 8192 each, like 1280x800");
    let (w, h) = text.split_once('x').ok_or_else(wrong)?;
    let side = |v: &str| {
        v.parse::<u32>()
            .ok()
            .filter(|v| (200..=8192).contains(v))
            .ok_or_else(wrong)
    };
    Ok((side(w)?, side(h)?))
}

/// A time in [0, 1].
fn parse_time(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|t| (0.0..=1.0).contains(t))
        .ok_or_else(|| format!("'{text}' is no time: t runs from 0 (noise) to 1 (data)"))
}

/// Runs a command that needs no panels.
///
/// # Errors
/// With a message for the person.
pub fn run(command: Command, device: Option<DeviceArg>) -> Result<(), String> {
    let device = DeviceArg::built(device)?;
    match command {
        Command::Posterior(args) => run_posterior(&args, device),
        Command::Steer(args) => run_steer(&args, device),
        Command::Train(args) => train::run(&args, device),
        Command::Ensemble(args) => run_ensemble(&args),
        Command::Finetune(args) => finetune::run(&args, device),
        Command::Compare(args) => run_compare(&args, device),
        Command::Eval(args) => eval::run(&args, device),
        Command::Futures(args) => run_futures(&args, device),
        Command::Rewards(args) => run_rewards(&args),
        Command::Sample(args) => run_sample(&args, device),
        Command::Replay(args) => run_replay(&args),
        Command::Export(args) => run_export(&args),
        Command::Batch(args) => run_batch(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Aesthetic(args) => aesthetic::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Inspect(args) if inspect_picture(&args)? => Ok(()),
        Command::Inspect(args) => {
            let found = crate::checkpoint::inspect(&args.file).map_err(|e| e.to_string())?;
            if args.json {
                let json = serde_json::to_string_pretty(&found).map_err(|e| e.to_string())?;
                say!("{json}");
            } else {
                say!("{found}");
            }
            Ok(())
        }
        Command::Bench(args) if args.what == BenchWhat::Steer => {
            print_bench(&bench_steer()?, args.json.as_deref())
        }
        Command::Bench(args) if args.what == BenchWhat::Train => {
            print_bench(&bench_train(device)?, args.json.as_deref())
        }
        Command::Bench(args) if args.what == BenchWhat::Model => {
            print_bench(&bench_model(&args.model, device)?, args.json.as_deref())
        }
        Command::Bench(_) | Command::Snapshot(_) => {
            Err("this command renders the window and is run by the program itself".into())
        }
    }
}

/// Says how an exported picture was made; `false` where the file is no PNG.
fn inspect_picture(args: &InspectArgs) -> Result<bool, String> {
    let ending = args
        .file
        .extension()
        .map(|e| e.to_string_lossy().to_lowercase());
    if ending.as_deref() != Some("png") {
        return Ok(false);
    }
    let name = args.file.display();
    let settings = crate::session::read_settings(&args.file)?.ok_or_else(|| {
        format!("{name} says nothing of how it was made: only pictures that Foresight exports with their settings do")
    })?;
    if args.json {
        let json = serde_json::to_string_pretty(&settings).map_err(|e| e.to_string())?;
        say!("{json}");
        return Ok(true);
    }
    say!("{name}: exported by Foresight {}", settings.version);
    if let Some(label) = &settings.label {
        say!("  {:<20}{label}", "seen as");
    }
    for (setting, value) in settings.made.lines() {
        say!("  {setting:<20}{value}");
    }
    Ok(true)
}

/// Prints a report and writes it as JSON where asked.
///
/// # Errors
/// When the file cannot be written.
pub fn print_bench(
    report: &(impl serde::Serialize + std::fmt::Display),
    json: Option<&std::path::Path>,
) -> Result<(), String> {
    say!("{report}");
    if let Some(path) = json {
        write_report(path, report)?;
        say!("written to {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        let mut command = <Cli as clap::CommandFactory>::command();
        // This says nothing where the program is optimised, and the same option twice is the fault that comes in easily.
        command.clone().debug_assert();
        command.build();
        for part in command.get_subcommands() {
            let mut names: Vec<&str> = part
                .get_arguments()
                .filter_map(clap::Arg::get_long)
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", part.get_name());
        }
    }

    #[test]
    fn no_command_has_an_option_twice() {
        // What clap checks of this it checks in debug builds alone.
        fn check(command: &clap::Command) {
            let mut names = std::collections::BTreeSet::new();
            for arg in command.get_arguments() {
                let (id, command) = (arg.get_id(), command.get_name());
                assert!(names.insert(id.to_string()), "{command}: {id} twice");
                if let Some(long) = arg.get_long() {
                    assert!(
                        names.insert(format!("--{long}")),
                        "{command}: --{long} twice"
                    );
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&<Cli as clap::CommandFactory>::command());
    }

    #[test]
    fn pictures_come_from_one_place() {
        let parse = |text: &str| Cli::try_parse_from(text.split_whitespace());
        let futures = "foresight futures m.safetensors --t 0.4 --out s.png";
        assert!(parse(futures).is_err(), "no picture");
        assert!(parse(&format!("{futures} --image a.png")).is_ok());
        assert!(parse(&format!("{futures} --data d --index 3")).is_ok());
        assert!(parse(&format!("{futures} --image a.png --data d")).is_err());
        assert!(parse("foresight train --images photos --classifier --data d --out c").is_ok());
        assert!(parse("foresight train --classifier --out c").is_err());
    }
}
