//! `foresight finetune` for maps of images: tunes the velocity toward a reward of pictures, and sets the pictures of the
//! map, of the tuned velocity and of others beside it, from the same noise, side by side.

mod tune;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::DeviceArg;
use super::finetune::{FinetuneArgs, PullArg};
use super::finetune_table::{Table, Tables};
use super::pictures::{OpenMap, advance, check_sheet, judge_for, progress_bar};
use super::place::Place;
use super::report_file::{check_report, write_report};
use super::scorers::ScorerOptions;
use crate::checkpoint::{ModelKind, model_kind};
use crate::engine::open_scorers;
use crate::model::ImageJudge;
use crate::reward::picture::{PictureParts, PictureReward, PictureScore};
use crate::train::finetune::Objective;
use crate::train::finetune_images::{ImageTuneRecipe, TuneParent, TunedClass};

use tune::tune;

/// The name of the map of digits that may be shipped.
const DIGITS: &str = "digits";

/// What only maps of images ask for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Maps of images")]
pub struct PictureTuneArgs {
    /// Under which class the velocity is tuned: none, each, or a class by number or name.
    #[arg(long, value_name = "CLASS", default_value = "none")]
    pub class: String,
    /// Guidance scale of the class: 1, or one that the map was trained with.
    #[arg(long)]
    pub guidance: Option<f32>,
    /// Clean pictures to make states from, as in `foresight train --images`; the map's own if not given.
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,
    /// A classifier of such pictures, for rewards and figures; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// Where the files are that the reward asks.
    #[command(flatten)]
    pub scorers: ScorerOptions,
    /// Other tuned checkpoints of the same map, to stand in the table and on the sheet.
    #[arg(long, value_name = "FILE")]
    pub beside: Vec<PathBuf>,
    /// Jumps in which each posterior draw is made: more where those of one jump are unclear to the reward.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub draw_jumps: Option<u32>,
    /// Leave the tuning out: OUT is there already, and is set beside the others.
    #[arg(long)]
    pub report_only: bool,
    /// Pictures of each row of the table.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub count: u32,
    /// Steps from noise to data of each of them.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub ode_steps: u32,
    /// Where to write a sheet of the first pictures of each row.
    #[arg(long, value_name = "FILE.png")]
    pub sheet: Option<PathBuf>,
    /// Where to write the table.
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,
}

/// Where a map of images comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum MapOfImages<'a> {
    /// A file.
    File(&'a Path),
    /// The program itself.
    Shipped,
}

/// The map of a name or file, if it is one of images.
pub(super) fn map_of_images(given: &str) -> Option<MapOfImages<'_>> {
    let path = Path::new(given);
    if path.exists() {
        let is_images = matches!(model_kind(path), Ok(ModelKind::Images));
        return is_images.then_some(MapOfImages::File(path));
    }
    (given == DIGITS).then_some(MapOfImages::Shipped)
}

/// A reward with what it refers to.
struct Bound {
    score: Arc<dyn PictureScore>,
    text: String,
    judge: Option<Arc<ImageJudge>>,
    classes: Vec<String>,
}

/// Runs the command for a map of images.
///
/// # Errors
/// With a message for the person.
pub(super) fn run(
    args: &FinetuneArgs,
    map: MapOfImages<'_>,
    device: Option<DeviceArg>,
) -> Result<(), String> {
    let own = &args.pictures;
    if let Some(sheet) = &own.sheet {
        check_sheet(sheet)?;
    }
    if let Some(report) = &own.report {
        check_report(report, None)?;
    }
    let path = match map {
        MapOfImages::File(path) => Some(path),
        MapOfImages::Shipped => None,
    };
    let place = Place::of(device)?;
    let parent = TuneParent::open(path).map_err(|e| e.to_string())?;
    let parent = parent.on(&place.device);
    let bound = bind(args, &parent)?;
    let recipe = recipe(args, &parent)?;
    let beside: Vec<(PathBuf, OpenMap)> = own
        .beside
        .iter()
        .map(|path| Ok((path.clone(), open_like(path, &parent)?)))
        .collect::<Result<_, String>>()?;
    let mut rows = Vec::new();
    if own.report_only {
        let base = Table::base(&parent)?;
        rows.push(("base".to_owned(), base));
        rows.push((name_of(&args.out), open_like(&args.out, &parent)?.map));
    } else {
        let tuner = tune(args, &parent, &bound, recipe)?;
        rows.push(("base".to_owned(), tuner.base()));
        rows.push((name_of(&args.out), tuner.velocity()));
    }
    for (path, open) in beside {
        rows.push((name_of(&path), open.map));
    }
    let thickness = thickness(parent.card.model.state());
    let table = Table {
        reward: &bound.text,
        score: &*bound.score,
        judge: bound.judge.as_deref(),
        thickness: thickness.as_deref(),
        classes: &bound.classes,
        class: recipe.class,
        guidance: recipe.guidance,
        count: own.count as usize,
        steps: own.ode_steps,
        seed: recipe.seed,
    };
    let bar = progress_bar();
    let tables = Tables::of(&table, rows, &mut |share| advance(&bar, share))?;
    bar.finish_and_clear();
    say!("{tables}");
    if let Some(path) = &own.report {
        write_report(path, &tables)?;
        say!("written to {}", path.display());
    }
    if let Some(path) = &own.sheet {
        tables.sheet(parent.card.model.state()).write(path)?;
        say!("written to {}", path.display());
    }
    Ok(())
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().display().to_string()
}

/// Another tuned velocity of pictures like the map's.
fn open_like(path: &Path, parent: &TuneParent) -> Result<OpenMap, String> {
    let open = OpenMap::open(path, None)?;
    if open.shape() != parent.card.model.state() {
        return Err(format!(
            "{} makes pictures of {:?}, the map makes {:?}",
            path.display(),
            open.shape(),
            parent.card.model.state()
        ));
    }
    if open.map.has_jumps() {
        return Err(format!(
            "{} is no tuned velocity: give one that 'foresight finetune' made",
            path.display()
        ));
    }
    Ok(open)
}

fn bind(args: &FinetuneArgs, parent: &TuneParent) -> Result<Bound, String> {
    let shape = parent.card.model.state();
    let reward: PictureReward = args
        .reward
        .parse()
        .map_err(|e: crate::reward::picture::PictureRewardError| e.to_string())?;
    let judge = judge_for(
        args.pictures.classifier.as_deref(),
        shape,
        Some(&parent.card.classes),
    )?;
    let (classes, judge) = match judge {
        Some((card, judge)) => (card.classes, Some(Arc::new(judge))),
        None => (parent.card.classes.clone(), None),
    };
    let parts = PictureParts {
        judge: judge.clone(),
        scorers: open_scorers(&reward, &args.pictures.scorers.files())?,
        ..PictureParts::default()
    };
    Ok(Bound {
        score: reward.bind(shape, &parts).map_err(|e| e.to_string())?,
        text: reward.to_string(),
        judge,
        classes,
    })
}

/// Thickness of strokes in pixels, where pictures are of strokes.
fn thickness(shape: [usize; 3]) -> Option<Arc<dyn PictureScore>> {
    // The reward's unit is half a pixel.
    let reward: PictureReward = "thickness@0.5".parse().ok()?;
    (shape[0] == 1)
        .then(|| reward.bind(shape, &PictureParts::default()).ok())
        .flatten()
}

fn recipe(args: &FinetuneArgs, parent: &TuneParent) -> Result<ImageTuneRecipe, String> {
    if matches!(args.pull, Some(PullArg::Gradient | PullArg::Mix)) {
        return Err(
            "velocities of images are tuned without gradients, by the covariance of weights and draws: leave --pull out"
                .into(),
        );
    }
    let mut recipe = match &args.recipe {
        None => ImageTuneRecipe::default(),
        Some(path) => {
            let say = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let text = std::fs::read_to_string(path).map_err(|e| say(&e))?;
            serde_json::from_str(&text).map_err(|e| say(&e))?
        }
    };
    recipe.steps = args.steps.unwrap_or(recipe.steps);
    recipe.warm_up = recipe.warm_up.min(recipe.steps / 10);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.micro_batch = recipe.micro_batch.min(recipe.batch);
    recipe.draws = args.draws.unwrap_or(recipe.draws);
    recipe.jumps = args.pictures.draw_jumps.unwrap_or(recipe.jumps);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.rate = args.rate.unwrap_or(recipe.rate);
    if args.maximise {
        recipe.objective = Objective::Maximise;
    }
    let class = &args.pictures.class;
    let by_name = parent.card.classes.iter().position(|name| name == class);
    recipe.class = match by_name {
        Some(class) => TunedClass::Only(class as u32),
        None => class.parse()?,
    };
    recipe.guidance = args.pictures.guidance.unwrap_or(1.0);
    recipe.validate().map_err(|e| e.to_string())?;
    Ok(recipe)
}
