//! `foresight finetune`: tunes the velocity of a Meta Flow Map toward a reward and writes a checkpoint; maps of images
//! are in `finetune_images`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::finetune_images::{self, PictureTuneArgs, map_of_images};
use super::report_file::check_report;
use super::train::{check_model_file, clock, part_path};
use crate::checkpoint::Checkpoint;
use crate::mixture::Preset;
use crate::model::{FusedMlp, GuidedMlp};
use crate::reward::Reward;
use crate::steer::{Flow, Method, SteerPlan, SteerScene, SteerScore, TargetSample, run as steer};
use crate::train::finetune::{FinetuneLoss, FinetuneRecipe, Finetuner, Objective, Pull};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_secs(20);
/// Samples of a look at how far the velocity is, and steps from noise to data.
const LOOK: (u32, u32) = (2048, 50);

/// `foresight finetune`
#[derive(Debug, Clone, Args)]
pub struct FinetuneArgs {
    /// The Meta Flow Map to start from, a file or the name of one that ships (two, three, ring8, moons; digits where a
    /// map of images is shipped). It stays as it is and draws; a copy of its velocity is tuned.
    #[arg(long, value_name = "FILE|NAME")]
    pub checkpoint: String,
    /// What to tune toward, as in `foresight steer --reward`; for maps of images a reward of pictures, such as
    /// class:0@4 or thickness@3.
    #[arg(long, value_name = "SPEC")]
    pub reward: String,
    /// Where to write the tuned checkpoint; the unfinished run is kept beside it, with `.part` added to the name.
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Steps in all; as the recipe says if not given.
    #[arg(long)]
    pub steps: Option<u64>,
    /// States of a step; as the recipe says if not given.
    #[arg(long)]
    pub batch: Option<usize>,
    /// Posterior draws a state.
    #[arg(long)]
    pub draws: Option<usize>,
    /// Root seed of data, noise and times; as the recipe says if not given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Highest learning rate; as the recipe says if not given.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How the pull of the reward is estimated; without derivatives for t < 0.6 and with them after, if not given.
    #[arg(long, value_enum)]
    pub pull: Option<PullArg>,
    /// Maximise the reward instead of tuning to the tilted target. It collapses: for comparison.
    #[arg(long)]
    pub maximise: bool,
    /// A recipe (.json, as `foresight inspect --json` shows it under card.recipe) to start from; the options above go
    /// before it.
    #[arg(long, value_name = "FILE.json")]
    pub recipe: Option<PathBuf>,
    /// Where to write the losses, and the distances of the looks.
    #[arg(long, value_name = "FILE.csv")]
    pub curve: Option<PathBuf>,
    /// Steps between two looks at 2,048 samples beside the tilted target; 0 for none but the last.
    #[arg(long, default_value_t = 250)]
    pub look_every: u64,
    /// Take up the unfinished run beside the output file, if there is one.
    #[arg(long)]
    pub resume: bool,
    /// What only maps of images ask for.
    #[command(flatten)]
    pub pictures: PictureTuneArgs,
}

/// How the pull of the reward is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PullArg {
    /// Through the map's derivative, as published.
    Gradient,
    /// By the covariance of weights and draws.
    GradientFree,
    /// The second, then the first.
    Mix,
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &FinetuneArgs, device: Option<DeviceArg>) -> Result<(), String> {
    if !args.pictures.report_only {
        check_model_file(&args.out)?;
    }
    if let Some(curve) = &args.curve {
        check_report(curve, None)?;
    }
    if let Some(map) = map_of_images(&args.checkpoint) {
        return finetune_images::run(args, map, device);
    }
    if device.is_some_and(|device| device != DeviceArg::Cpu) {
        return Err(
            "velocities of 2D worlds are tuned on the processor: leave --device out".into(),
        );
    }
    let checkpoint = open(&args.checkpoint)?;
    let reward: Reward = args.reward.parse().map_err(|e| format!("--reward: {e}"))?;
    let part = part_path(&args.out);
    let mut tuner = begin(args, &reward, &checkpoint, &part)?;
    if tuner.effective_samples() < 200.0 {
        say!(
            "note: under this reward only {:.0} of 65,536 world samples count: it is too strong for this world, and the result will be coarse. Lower its @LAMBDA",
            tuner.effective_samples()
        );
    }
    let mut curve = Curve::new(args.curve.as_deref(), HEAD, tuner.steps_done())?;
    let judge = Judge::new(&tuner);
    let bar = ProgressBar::new(tuner.recipe().steps);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (begun, from) = (Instant::now(), tuner.steps_done());
    let (mut kept, mut said) = (Instant::now(), None::<Instant>);
    let mut lost: Option<String> = None;
    let mut score = judge.look(&tuner)?;
    while !tuner.is_done() {
        let loss = tuner.advance().map_err(|e| e.to_string())?;
        let step = tuner.steps_done();
        let looked = tuner.is_done() || args.look_every > 0 && step.is_multiple_of(args.look_every);
        if looked {
            score = judge.look(&tuner)?;
        }
        curve.push(&row(step, &loss, score.as_ref().filter(|_| looked)));
        let rate = (step - from) as f64 / begun.elapsed().as_secs_f64().max(1e-9);
        let left = Duration::from_secs_f64((tuner.recipe().steps - step) as f64 / rate);
        bar.set_position(step);
        bar.set_message(message(&tuner, score.as_ref(), rate, left));
        // Where nobody watches a terminal, the same in lines.
        if bar.is_hidden() && said.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
            said = Some(Instant::now());
            say!("{step}/{} {}", tuner.recipe().steps, bar.message());
        }
        if kept.elapsed() > KEEP_EVERY && !tuner.is_done() {
            kept = Instant::now();
            // Tuning goes on without; said once at the end.
            lost = tuner.save(&part).err().map(|e| e.to_string());
            curve.keep()?;
        }
    }
    bar.finish();
    curve.keep()?;
    finish(args, &tuner, score.as_ref(), begun.elapsed())?;
    if part.exists() {
        // Only tidiness is at stake.
        let _ = std::fs::remove_file(&part);
    }
    if let Some(message) = lost {
        eprintln!("the unfinished run could not be kept: {message}");
    }
    Ok(())
}

/// A file, or what ships for a preset of that name.
fn open(given: &str) -> Result<Checkpoint, String> {
    let path = Path::new(given);
    match Preset::from_name(given).filter(|_| !path.exists()) {
        None => Checkpoint::read(path).map_err(|e| e.to_string()),
        Some(preset) => {
            let bytes = Checkpoint::shipped(preset).ok_or_else(|| {
                format!(
                    "no checkpoint is shipped for the world '{given}': train one with 'foresight train --world {given} --out FILE' and give that"
                )
            })?;
            Checkpoint::from_bytes(bytes, given).map_err(|e| e.to_string())
        }
    }
}

fn begin(
    args: &FinetuneArgs,
    reward: &Reward,
    checkpoint: &Checkpoint,
    part: &Path,
) -> Result<Finetuner, String> {
    if !(args.resume && part.exists()) {
        if part.exists() {
            say!(
                "{} is left from an unfinished run and will be replaced; --resume takes it up",
                part.display()
            );
        }
        return Finetuner::new(checkpoint, reward, recipe(args)?).map_err(|e| e.to_string());
    }
    let tuner = Finetuner::resume(part, checkpoint).map_err(|e| e.to_string())?;
    if tuner.reward() != reward {
        return Err(format!(
            "{} tunes toward '{}', not toward '{}': give that reward, or start again without --resume",
            part.display(),
            tuner.reward(),
            reward
        ));
    }
    say!(
        "taking up step {} of {}",
        tuner.steps_done(),
        tuner.recipe().steps
    );
    Ok(tuner)
}

fn recipe(args: &FinetuneArgs) -> Result<FinetuneRecipe, String> {
    let mut recipe = match &args.recipe {
        None => FinetuneRecipe::default(),
        Some(path) => {
            let say = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let text = std::fs::read_to_string(path).map_err(|e| say(&e))?;
            serde_json::from_str(&text).map_err(|e| say(&e))?
        }
    };
    recipe.steps = args.steps.unwrap_or(recipe.steps);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.draws = args.draws.unwrap_or(recipe.draws);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.rate = args.rate.unwrap_or(recipe.rate);
    recipe.pull = match args.pull {
        None => recipe.pull,
        Some(PullArg::Gradient) => Pull::Gradient,
        Some(PullArg::GradientFree) => Pull::GradientFree,
        Some(PullArg::Mix) => Pull::Mix,
    };
    if args.maximise {
        recipe.objective = Objective::Maximise;
    }
    Ok(recipe)
}

fn message(tuner: &Finetuner, score: Option<&SteerScore>, rate: f64, left: Duration) -> String {
    let loss = tuner.loss();
    let mut text = match tuner.recipe().objective {
        Objective::Tilt => format!("error {:.4}", loss.error),
        Objective::Maximise => format!("reward {:.4}", -loss.error),
    };
    if let Some(score) = score {
        // Writing to a string cannot fail.
        let _ = write!(text, ", sliced W2 {:.3}", score.sliced_w2);
    }
    let _ = write!(text, ", {rate:.1} steps/s, {} left", clock(left));
    text
}

fn finish(
    args: &FinetuneArgs,
    tuner: &Finetuner,
    score: Option<&SteerScore>,
    elapsed: Duration,
) -> Result<(), String> {
    let written =
        Checkpoint::write(&args.out, &tuner.card(), &tuner.layers()).map_err(|e| e.to_string())?;
    say!(
        "{}: a velocity tuned toward {}, {} steps in {}, hash {}",
        args.out.display(),
        tuner.reward(),
        tuner.steps_done(),
        clock(elapsed),
        written.short_hash()
    );
    if let Some(score) = score {
        say!(
            "  {} samples by the ODE beside the tilted target: sliced W2 {:.3}, mode TV {:.3}, mean reward {:.3} (target {:.3})",
            score.samples,
            score.sliced_w2,
            score.tv,
            score.mean_reward,
            score.target_mean_reward
        );
    }
    let loss = tuner.loss();
    if loss.clipped >= 5e-4 {
        say!(
            "  the gradient was longer than {} in {:.1} % of the last steps, and was scaled",
            tuner.recipe().adam.clip,
            100.0 * loss.clipped
        );
    }
    if loss.without_reward > 0 {
        say!(
            "  {} draws lay where the reward has no finite value; nothing was wanted there",
            loss.without_reward
        );
    }
    if let Some(path) = &args.curve {
        say!("written to {}", path.display());
    }
    Ok(())
}

/// Samples of the velocity beside the tilted target.
struct Judge {
    /// Absent where the target is too fine to be computed.
    target: Option<TargetSample>,
    plan: SteerPlan,
}

impl Judge {
    fn new(tuner: &Finetuner) -> Self {
        let mut plan = SteerPlan::new(Method::Base);
        (plan.particles, plan.steps) = LOOK;
        plan.flow = Flow::Ode;
        let (world, reward) = (&tuner.world().mixture, tuner.reward());
        let count = plan.particles as usize;
        Self {
            target: TargetSample::new(world, reward, count, plan.seed).ok(),
            plan,
        }
    }

    fn look(&self, tuner: &Finetuner) -> Result<Option<SteerScore>, String> {
        let Some(target) = &self.target else {
            return Ok(None);
        };
        let network: FusedMlp = tuner.network().map_err(|e| e.to_string())?;
        let (world, reward) = (&tuner.world().mixture, tuner.reward());
        let scene = SteerScene {
            world,
            reward,
            model: Some(&GuidedMlp::new(&network)),
        };
        let done = steer(&self.plan, scene, &mut |_: f32| true).map_err(|e| e.to_string())?;
        Ok(Some(target.score(world, reward, &done.samples)))
    }
}

/// The losses as CSV: the file is written anew each time it is kept, so that a reader never sees half a row.
pub(super) struct Curve<'a> {
    path: Option<&'a Path>,
    text: String,
}

const HEAD: &str =
    "step,error,hold,effective,norm,clipped,without_reward,sliced_w2,mode_tv,mean_reward\n";

/// The line of a step.
fn row(step: u64, loss: &FinetuneLoss, score: Option<&SteerScore>) -> String {
    let looked = match score {
        Some(s) => format!("{},{},{}", s.sliced_w2, s.tv, s.mean_reward),
        None => ",,".to_owned(),
    };
    format!(
        "{step},{},{},{},{},{},{},{looked}",
        loss.error, loss.hold, loss.effective, loss.norm, loss.clipped, loss.without_reward
    )
}

impl<'a> Curve<'a> {
    /// A run that is taken up keeps the rows up to its step. `head` names the columns, step first.
    pub(super) fn new(path: Option<&'a Path>, head: &str, step: u64) -> Result<Self, String> {
        let mut text = head.to_owned();
        if let Some(path) = path.filter(|path| step > 0 && path.exists()) {
            let old =
                std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let earlier = |line: &&str| {
                let first = line.split(',').next();
                first
                    .and_then(|n| n.parse::<u64>().ok())
                    .is_some_and(|n| n <= step)
            };
            for line in old.lines().filter(earlier) {
                text.push_str(line);
                text.push('\n');
            }
        }
        let curve = Self { path, text };
        // Before the run: a file that cannot be written is told at once.
        curve.keep()?;
        Ok(curve)
    }

    /// Adds a line.
    pub(super) fn push(&mut self, row: &str) {
        self.text.push_str(row);
        self.text.push('\n');
    }

    /// Writes the file.
    pub(super) fn keep(&self) -> Result<(), String> {
        match self.path {
            None => Ok(()),
            Some(path) => std::fs::write(path, &self.text).map_err(|e| {
                format!(
                    "{}: {e}. Check the folder and its free space",
                    path.display()
                )
            }),
        }
    }
}
