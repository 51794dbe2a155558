//! The run itself: from the map's own pictures to a tuned velocity in its file.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::Bound;
use crate::checkpoint::write_image_map;
use crate::cli::finetune::{Curve, FinetuneArgs};
use crate::cli::finetune_table::Table;
use crate::cli::pictures::{advance, progress_bar};
use crate::cli::train::{clock, part_path};
use crate::train::finetune::Objective;
use crate::train::finetune_images::{ImageTuneRecipe, ImageTuner, PictureFigures, TuneParent};
use crate::train::{DataPlan, ImageSet, Part};

/// How often the state of the run is kept on disk: an interruption costs at most this much.
const KEEP_EVERY: Duration = Duration::from_mins(1);
/// Pictures of a look while it learns, and steps from noise to data.
const LOOK: (usize, u32) = (64, 16);
/// With fewer pictures than this that count, a reward is too strong.
const FEW: f64 = 20.0;
const HEAD: &str =
    "step,error,hold,effective,norm,clipped,without_reward,draw_reward,reward,entropy,accepted\n";

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

/// Tunes to the end and writes the velocity.
///
/// # Errors
/// With a message for the person.
pub(super) fn tune(
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
