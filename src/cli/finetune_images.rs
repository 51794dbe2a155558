//! `foresight finetune` for maps of images: tunes the velocity toward a reward of pictures, and sets the pictures of the
//! map, of the tuned velocity and of others beside it, from the same noise, side by side.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::DeviceArg;
use super::finetune::{Curve, FinetuneArgs, PullArg};
use super::finetune_table::{Table, Tables};
use super::pictures::{OpenMap, advance, check_sheet, judge_for, progress_bar};
use super::place::Place;
use super::scorers::ScorerOptions;
use super::steer_setup::check_report;
use super::train::{clock, part_path};
use crate::checkpoint::{ModelKind, model_kind, write_image_map};
use crate::engine::open_scorers;
use crate::model::ImageJudge;
use crate::reward::picture::{PictureParts, PictureReward, PictureScore};
use crate::train::finetune::Objective;
use crate::train::finetune_images::{
    ImageTuneRecipe, ImageTuner, PictureFigures, TuneParent, TunedClass,
};
use crate::train::{DataPlan, ImageSet, Part};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Pictures of a look while it learns, and steps from noise to data.
const LOOK: (usize, u32) = (64, 16);
/// With fewer pictures than this that count, a reward is too strong.
const FEW: f64 = 20.0;
/// The name of the map of digits that may be shipped.
const DIGITS: &str = "digits";
const HEAD: &str =
    "step,error,hold,effective,norm,clipped,without_reward,draw_reward,reward,entropy,accepted\n";

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
    /// A classifier of such pictures, for rewards and figures; the shipped one for digits if not given.
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
        let text = serde_json::to_string_pretty(&tables).map_err(|e| e.to_string())?;
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
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
    let judge = judge_for(args.pictures.classifier.as_deref(), shape)?;
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

fn data(args: &FinetuneArgs, parent: &TuneParent) -> Result<Option<ImageSet>, String> {
    let Some(path) = &args.pictures.data else {
        return Ok(None);
    };
    let [channels, side, _] = parent.card.model.state();
    let plan = DataPlan::new(side, channels, Part::Train);
    let opened = ImageSet::open(path, &plan, &mut |_| true).map_err(|e| e.to_string())?;
    Ok(Some(opened.images))
}

fn begin(
    args: &FinetuneArgs,
    parent: &TuneParent,
    bound: &Bound,
    recipe: ImageTuneRecipe,
) -> Result<ImageTuner, String> {
    let part = part_path(&args.out);
    let data = data(args, parent)?;
    let reward = (bound.score.clone(), bound.text.as_str());
    let bar = progress_bar();
    bar.set_message("pictures of the map");
    let mut watch = |share: f32| {
        advance(&bar, share.into());
        true
    };
    let tuner = if args.resume && part.exists() {
        ImageTuner::resume(&part, parent, reward, data.as_ref(), &mut watch)
    } else {
        if part.exists() {
            say!(
                "{} is left from an unfinished run and will be replaced; --resume takes it up",
                part.display()
            );
        }
        ImageTuner::new(parent, reward, data.as_ref(), recipe, &mut watch)
    };
    bar.finish_and_clear();
    let tuner = tuner.map_err(|e| e.to_string())?;
    if tuner.steps_done() > 0 {
        say!(
            "taking up step {} of {}",
            tuner.steps_done(),
            tuner.recipe().steps
        );
    }
    say!(
        "the tilt of the map's own pictures has a mean reward of {:.3}; {:.0} of {} count under it",
        tuner.target_reward(),
        tuner.effective_pictures(),
        tuner.recipe().pool
    );
    if tuner.effective_pictures() < FEW {
        say!(
            "note: so few count that the reward is too strong for this map, and the result will be coarse. Lower its @LAMBDA"
        );
    }
    Ok(tuner)
}

fn tune(
    args: &FinetuneArgs,
    parent: &TuneParent,
    bound: &Bound,
    recipe: ImageTuneRecipe,
) -> Result<ImageTuner, String> {
    let part = part_path(&args.out);
    let mut tuner = begin(args, parent, bound, recipe)?;
    let mut curve = Curve::new(args.curve.as_deref(), HEAD, tuner.steps_done())?;
    let look = |tuner: &ImageTuner| {
        let table = Table {
            reward: &bound.text,
            score: &*bound.score,
            judge: bound.judge.as_deref(),
            thickness: None,
            classes: &bound.classes,
            class: tuner.recipe().class,
            guidance: tuner.recipe().guidance,
            count: LOOK.0,
            steps: LOOK.1,
            seed: tuner.recipe().seed,
        };
        table
            .figures(&*tuner.velocity(), &mut |_| {})
            .map(|made| made.0)
    };
    let bar = ProgressBar::new(tuner.recipe().steps);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let (begun, from) = (Instant::now(), tuner.steps_done());
    let (mut kept, mut said) = (Instant::now(), None::<Instant>);
    let mut lost: Option<String> = None;
    let mut figures = look(&tuner)?;
    while !tuner.is_done() {
        let loss = tuner.advance().map_err(|e| e.to_string())?;
        let step = tuner.steps_done();
        let looked = tuner.is_done() || args.look_every > 0 && step.is_multiple_of(args.look_every);
        if looked {
            figures = look(&tuner)?;
        }
        let mut row = format!(
            "{step},{},{},{},{},{},{},{},",
            loss.error,
            loss.hold,
            loss.effective,
            loss.norm,
            loss.clipped,
            loss.without_reward,
            tuner.reward_mean()
        );
        if looked {
            let number = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
            // Writing to a string cannot fail.
            let _ = write!(
                row,
                "{},{},{}",
                figures.reward,
                number(figures.entropy),
                number(figures.accepted)
            );
        } else {
            row.push_str(",,");
        }
        curve.push(&row);
        let rate = (step - from) as f64 / begun.elapsed().as_secs_f64().max(1e-9);
        let left = Duration::from_secs_f64((tuner.recipe().steps - step) as f64 / rate);
        bar.set_position(step);
        bar.set_message(message(&tuner, &figures, rate, left));
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
    bar.finish_and_clear();
    curve.keep()?;
    write_image_map(&args.out, &tuner.card(), &tuner.averaged()).map_err(|e| e.to_string())?;
    if part.exists() {
        // Only tidiness is at stake.
        let _ = std::fs::remove_file(&part);
    }
    if let Some(message) = lost {
        eprintln!("the unfinished run could not be kept: {message}");
    }
    let how = if tuner.recipe().objective == Objective::Maximise {
        "that maximises"
    } else {
        "tuned toward"
    };
    say!(
        "{}: a velocity {how} {}, {} steps in {}",
        args.out.display(),
        tuner.reward(),
        tuner.steps_done(),
        clock(begun.elapsed())
    );
    let loss = tuner.loss();
    if loss.clipped >= 5e-4 {
        say!(
            "  the gradient was longer than {} in {:.1} % of the last steps, and was scaled",
            tuner.recipe().adam.clip,
            100.0 * loss.clipped
        );
    }
    Ok(tuner)
}

fn message(tuner: &ImageTuner, figures: &PictureFigures, rate: f64, left: Duration) -> String {
    let loss = tuner.loss();
    let mut text = match tuner.recipe().objective {
        Objective::Tilt => format!("error {:.4}", loss.error),
        Objective::Maximise => format!("reward at its ends {:.3}", -loss.error),
    };
    // Writing to a string cannot fail.
    let _ = write!(text, ", reward of its samples {:.3}", figures.reward);
    if let Some(entropy) = figures.entropy {
        let _ = write!(text, ", classes {entropy:.2} bits");
    }
    let _ = write!(text, ", {rate:.2} steps/s, {} left", clock(left));
    text
}
