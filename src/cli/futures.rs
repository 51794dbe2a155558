//! `foresight futures`: what a half-formed picture could still become, as a contact sheet.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::futures_reward::{RewardOptions, RewardReport};
use super::latents::Shown;
use super::memory;
use super::pictures::{OpenMap, Sheet, advance, check_sheet, judge_for, progress_bar};
use super::{DeviceArg, parse_time};
use crate::lookahead::{ImageQuestion, NoiseKey, Source, draw_images, mean_image, noised_image};
use crate::metrics::{Counters, entropy};
use crate::model::Pass;
use crate::train::image_eval::ImageEvalPlan;
use crate::train::{DataPlan, ImageSet, Part, read_picture};

/// `foresight futures`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("clean").required(true))]
pub struct FuturesArgs {
    /// The map of images.
    pub checkpoint: PathBuf,
    /// The picture behind the state: PNG or JPEG, resized and cropped.
    #[arg(long, value_name = "PICTURE", group = "clean")]
    pub image: Option<PathBuf>,
    /// Take the picture from the part for testing of a data set (a folder with MNIST's files, a folder of class
    /// folders, or an archive of one).
    #[arg(long, value_name = "DIR|FILE", group = "clean")]
    pub data: Option<PathBuf>,
    /// Which picture of the data set, from 0.
    #[arg(long, default_value_t = 0, conflicts_with = "image")]
    pub index: usize,
    /// Time of the state, 0 noise, 1 data.
    #[arg(long, value_parser = parse_time, allow_negative_numbers = true)]
    pub t: f64,
    /// Number of draws.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// one-step, k-step:K, glass:STEPS or sde:STEPS.
    #[arg(long, default_value = "one-step")]
    pub source: Source,
    /// Tell the model a class, by number or name.
    #[arg(long, default_value = "none", value_name = "CLASS")]
    pub class: String,
    /// Guidance scale of the class: 1 or one that the model was trained with.
    #[arg(long, default_value_t = 1.0)]
    pub guidance: f32,
    /// Root of the noise.
    #[arg(long, default_value_t = 3)]
    pub seed: u64,
    /// A classifier that labels the draws; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// The autoencoder of a map of latents, such as sd-vae-ft-mse's diffusion_pytorch_model.safetensors.
    #[arg(long, value_name = "FILE")]
    pub vae: Option<PathBuf>,
    /// A reward of the draws.
    #[command(flatten)]
    pub reward: RewardOptions,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
    /// Where to write the sheet: the state, the mean and the picture, then the draws.
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
}

/// What is said of the draws.
#[derive(Serialize)]
struct Said<'a> {
    out: String,
    picture: String,
    t: f64,
    source: String,
    class: &'a str,
    guidance: f32,
    seed: u64,
    draws: u32,
    /// Root mean square distance of two draws, a pixel; black to white is 2.
    diversity: f64,
    labels: Option<Labels>,
    reward: Option<RewardReport>,
    counters: Counters,
    milliseconds: f64,
}

/// What a classifier says of the draws.
#[derive(Serialize)]
struct Labels {
    /// Name and share of each class, as the likeliest one.
    shares: Vec<(String, f64)>,
    /// `exp` of the entropy of the shares.
    effective_classes: f64,
    /// Share of the draws whose likeliest class has that probability. Noise may have it too: see `foresight eval`.
    confident: f64,
    /// That probability.
    confidence: f64,
    /// Likeliest class of the picture itself.
    picture: String,
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run_futures(args: &FuturesArgs, device: Option<DeviceArg>) -> Result<(), String> {
    check_sheet(&args.out)?;
    let open = OpenMap::open(&args.checkpoint, device)?;
    let shown = Shown::open(&open, args.vae.as_deref(), None)?;
    let shape = shown.shape();
    let judge = judge_for(args.classifier.as_deref(), shape, Some(&open.card.classes))?
        .map(|(card, judge)| (card, Arc::new(judge)));
    let network = judge.as_ref().map(|(_, judge)| judge.clone());
    let reward = args.reward.bind(shape, network.as_ref())?;
    let label = open.class(&args.class)?;
    let (picture, clean) = clean_picture(args, shape)?;
    let clean = shown.state_of(&clean)?;
    let noise = NoiseKey {
        seed: args.seed,
        state: 0,
    };
    let question = ImageQuestion {
        t: args.t,
        x_t: noised_image(&clean, args.t, noise).into(),
        label,
        guidance: args.guidance,
    };
    let asked = (Pass::Forward, args.count as usize);
    let files = args.reward.scorers.files();
    let judges = args.reward.reward.as_ref().map(|reward| (reward, &files));
    memory::note(&open, &shown, asked, judges);
    let bar = progress_bar();
    let (begun, mut counters) = (Instant::now(), Counters::default());
    let draws = draw_images(
        &*open.map,
        args.source,
        &question,
        noise,
        0..args.count,
        &mut counters,
        &mut |share| {
            advance(&bar, share.into());
            true
        },
    )
    .map_err(|e| e.to_string())?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    bar.finish_and_clear();
    let mean = mean_image(&*open.map, &question, &mut counters).map_err(|e| e.to_string())?;

    let columns = f64::from(args.count).sqrt().ceil() as usize;
    let mut sheet = Sheet::new(shape, columns.max(3));
    for state in [&*question.x_t, &mean, &clean] {
        sheet.add(&shown.of_states(state));
    }
    sheet.end_row();
    // From here on they are looked at, no longer asked about.
    let (clean, draws) = (shown.of_states(&clean), shown.of_states(&draws));
    sheet.add(&draws);
    sheet.write(&args.out)?;

    let labels = judge.map(|(card, judge)| {
        let judged = judge.judge(&draws);
        let shares = judged.label_shares();
        let sure = |p: f32| f64::from(p) >= ImageEvalPlan::CONFIDENCE;
        let confident = judged.best().filter(|(_, p)| sure(*p)).count();
        let name = |k: usize| {
            card.classes
                .get(k)
                .map_or_else(|| k.to_string(), Clone::clone)
        };
        let of_picture = judge.judge(&clean).best().next().map_or(0, |best| best.0);
        Labels {
            effective_classes: entropy(&shares).exp(),
            shares: shares
                .iter()
                .enumerate()
                .map(|(k, s)| (name(k), *s))
                .collect(),
            confident: confident as f64 / f64::from(args.count),
            confidence: ImageEvalPlan::CONFIDENCE,
            picture: name(of_picture),
        }
    });
    let said = Said {
        out: args.out.display().to_string(),
        picture,
        t: args.t,
        source: args.source.to_string(),
        class: open.class_name(label),
        guidance: args.guidance,
        seed: args.seed,
        draws: args.count,
        diversity: diversity(&draws, clean.len()),
        labels,
        reward: reward.and_then(|score| args.reward.report(&*score, network.as_ref(), &draws)),
        counters,
        milliseconds,
    };
    if args.json {
        let json = serde_json::to_string_pretty(&said).map_err(|e| e.to_string())?;
        say!("{json}");
    } else {
        tell(&said);
    }
    Ok(())
}

fn tell(said: &Said<'_>) {
    say!(
        "{}: state, mean and picture, then {} draws of {} at t = {}, {}, class {}, {:.0} ms",
        said.out,
        said.draws,
        said.picture,
        said.t,
        said.source,
        said.class,
        said.milliseconds
    );
    say!(
        "diversity {:.3} a pixel (black to white is 2)",
        said.diversity
    );
    if let Some(labels) = &said.labels {
        let mut shares = labels.shares.clone();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let shares: Vec<String> = shares
            .iter()
            .filter(|(_, share)| *share > 0.0)
            .map(|(name, share)| format!("{name} {:.0} %", 100.0 * share))
            .collect();
        say!(
            "labels: {}; {:.1} classes in effect; {:.0} % with a probability of {} or more; the picture itself: {}",
            shares.join(", "),
            labels.effective_classes,
            100.0 * labels.confident,
            labels.confidence,
            labels.picture
        );
    }
    if let Some(reward) = &said.reward {
        reward.tell();
    }
}

/// What the picture is called and its numbers, -1 black and 1 white.
fn clean_picture(args: &FuturesArgs, shape: [usize; 3]) -> Result<(String, Vec<f32>), String> {
    let [channels, size, _] = shape;
    if !matches!(channels, 1 | 3) {
        return Err(format!(
            "the model makes latents of {channels} channels, not pictures: --vae FILE turns a picture into one"
        ));
    }
    if let Some(path) = &args.image {
        let bytes = read_picture(path, size, channels)?;
        let clean = bytes.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
        return Ok((path.display().to_string(), clean));
    }
    let data = args.data.as_deref().unwrap_or(Path::new(""));
    let plan = DataPlan::new(size, channels, Part::Test);
    let images = ImageSet::open(data, &plan, &mut |_| true)
        .map_err(|e| e.to_string())?
        .images;
    if images.shape != shape {
        return Err(format!(
            "{}: pictures of {:?}; the model wants {shape:?}",
            data.display(),
            images.shape
        ));
    }
    if args.index >= images.len() {
        return Err(format!(
            "{}: there is no picture {}: it holds {} for testing, from 0",
            data.display(),
            args.index,
            images.len()
        ));
    }
    let mut clean = vec![0.0; images.stride()];
    images.write_into(args.index, &mut clean);
    let class = usize::from(images.labels[args.index]);
    let class = images.classes.get(class).map_or("", String::as_str);
    Ok((format!("picture {} (class {class})", args.index), clean))
}

/// Root mean square distance of two different draws, a number; NaN for fewer than two.
fn diversity(draws: &[f32], numbers: usize) -> f64 {
    let n = (draws.len() / numbers.max(1)) as f64;
    let mut sums = vec![[0.0_f64; 2]; numbers];
    for draw in draws.chunks_exact(numbers.max(1)) {
        for (sums, v) in sums.iter_mut().zip(draw) {
            sums[0] += f64::from(*v);
            sums[1] += f64::from(*v).powi(2);
        }
    }
    // The mean square of a difference is twice the variance.
    let variance: f64 = sums
        .iter()
        .map(|[sum, square]| (square - sum * sum / n) / (n - 1.0))
        .sum();
    // Below 0 by rounding alone; NaN stays.
    (2.0 * variance / numbers as f64)
        .clamp(0.0, f64::INFINITY)
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diversity_is_the_root_mean_square_distance_of_two_draws() {
        // Pairs: (0,0)-(2,0), (0,0)-(0,4), (2,0)-(0,4): squares 4, 16, 20; a number (40 / 3) / 2.
        let draws = [0.0, 0.0, 2.0, 0.0, 0.0, 4.0];
        assert!((diversity(&draws, 2) - (40.0_f64 / 6.0).sqrt()).abs() < 1e-12);
        assert_eq!(diversity(&[1.0, 2.0, 1.0, 2.0], 2), 0.0);
        assert!(diversity(&[1.0, 2.0], 2).is_nan());
    }
}
