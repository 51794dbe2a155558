//! `foresight sample`: a contact sheet of images from noise.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::DeviceArg;
use super::latents::Shown;
use super::memory;
use super::pictures::{OpenMap, Sheet, advance, check_sheet, judge_for, progress_bar};
use crate::checkpoint::ClassifierCard;
use crate::lookahead::{ImageSampler, NoiseKey, Source, generate_images};
use crate::metrics::Counters;
use crate::model::Pass;

/// Steps of an ODE below which pictures are blurred.
const FEW_STEPS: u32 = 12;
/// Most classes of which a sheet has a row each unless that is asked for.
const MOST_ROWS: usize = 100;

/// `foresight sample`
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// The map of images.
    pub checkpoint: PathBuf,
    /// A class by number or name, `none`, or `all` for a row a class. All if not given, `none` of a map of more than 100
    /// classes.
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Number of images; of each class with `--class all`.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// Network calls of an image.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(Source::MAX_STEPS)))]
    pub steps: u32,
    /// How the steps are made.
    #[arg(long, value_enum, default_value_t = SamplerArg::Flow)]
    pub sampler: SamplerArg,
    /// Guidance scale of the class; the strongest that the model was trained with if not given, 1 without class.
    #[arg(long)]
    pub guidance: Option<f32>,
    /// Root of the noise.
    #[arg(long, default_value_t = 3)]
    pub seed: u64,
    /// A classifier that judges the images; the shipped one of such pictures and classes if not given.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// The autoencoder that decodes a map of latents, such as sd-vae-ft-mse's diffusion_pytorch_model.safetensors; or the
    /// small taesd_decoder.pth of madebyollin/taesd, for a preview.
    #[arg(long, value_name = "FILE")]
    pub vae: Option<PathBuf>,
    /// Decode in overlapping tiles of that many latents a side, a multiple of 4, where memory is small.
    #[arg(long, requires = "vae", value_name = "LATENTS", value_parser = clap::value_parser!(u32).range(4..=1024))]
    pub vae_tile: Option<u32>,
    /// Print JSON instead of a line.
    #[arg(long)]
    pub json: bool,
    /// Where to write the sheet.
    #[arg(long, value_name = "FILE.png")]
    pub out: PathBuf,
}

/// Ways from noise to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SamplerArg {
    /// Jumps along the flow: one noise decides the image.
    Flow,
    /// A future of the state, mixed with fresh noise to the next time, and again.
    Kernel,
}

/// What is said of a sheet.
#[derive(Serialize)]
struct Said {
    out: String,
    sampler: String,
    guidance: f32,
    seed: u64,
    /// Class and number of images, row by row.
    classes: Vec<(String, u32)>,
    /// Share of the images with a class that the classifier puts in it.
    accepted: Option<f64>,
    /// Whether the pictures are previews, of the small decoder.
    preview: bool,
    counters: Counters,
    milliseconds: f64,
}

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run_sample(args: &SampleArgs, device: Option<DeviceArg>) -> Result<(), String> {
    check_sheet(&args.out)?;
    let open = OpenMap::open(&args.checkpoint, device)?;
    let classes = open.card.classes.len();
    let usual = if classes > MOST_ROWS { "none" } else { "all" };
    let class = args.class.as_deref().unwrap_or(usual);
    let rows: Vec<u32> = if class == "all" {
        (0..classes as u32).collect()
    } else {
        vec![open.class(class)?]
    };
    let shown = Shown::open(&open, args.vae.as_deref(), args.vae_tile)?;
    let shape = shown.shape();
    let judge = judge_for(args.classifier.as_deref(), shape, Some(&open.card.classes))?;
    let with_class = rows.iter().all(|row| *row != open.no_class());
    let guidance = args.guidance.unwrap_or_else(|| {
        if with_class {
            open.strongest_guidance()
        } else {
            1.0
        }
    });
    let sampler = match args.sampler {
        SamplerArg::Flow => ImageSampler::Flow(args.steps),
        SamplerArg::Kernel => ImageSampler::Kernel(args.steps),
    };
    let count = args.count as usize;
    let labels: Vec<u32> = rows
        .iter()
        .flat_map(|row| std::iter::repeat_n(*row, count))
        .collect();
    let noise = NoiseKey {
        seed: args.seed,
        state: 0,
    };
    if !open.map.has_jumps() && args.steps < FEW_STEPS {
        say!(
            "note: this is a fine-tuned velocity, whose steps are those of its ODE: with {} the pictures are blurred, --steps 32 makes them sharp",
            args.steps
        );
    }
    memory::note(&open, &shown, (Pass::Forward, labels.len()), None);
    let bar = progress_bar();
    let (begun, mut counters) = (Instant::now(), Counters::default());
    let images = generate_images(
        &*open.map,
        sampler,
        (&labels, guidance),
        noise,
        0,
        &mut counters,
        &mut |share| {
            advance(&bar, share.into());
            true
        },
    )
    .map_err(|e| e.to_string())?;
    let images = shown.of_states(&images);
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    bar.finish_and_clear();
    if !args.json {
        shown.note();
    }

    let columns = if rows.len() > 1 {
        count
    } else {
        (count as f64).sqrt().ceil() as usize
    };
    let mut sheet = Sheet::new(shape, columns);
    sheet.add(&images);
    sheet.write(&args.out)?;
    let knows = |card: &ClassifierCard| with_class && card.classes == open.card.classes;
    let accepted = judge.filter(|(card, _)| knows(card)).map(|(_, judge)| {
        let right = judge.judge(&images);
        let right = right.best().zip(&labels);
        right
            .filter(|((class, _), label)| *class == **label as usize)
            .count() as f64
            / labels.len() as f64
    });
    let said = Said {
        out: args.out.display().to_string(),
        sampler: sampler.to_string(),
        guidance,
        seed: args.seed,
        classes: rows
            .iter()
            .map(|row| (open.class_name(*row).to_owned(), args.count))
            .collect(),
        accepted,
        preview: shown.is_preview(),
        counters,
        milliseconds,
    };
    if args.json {
        let json = serde_json::to_string_pretty(&said).map_err(|e| e.to_string())?;
        say!("{json}");
        return Ok(());
    }
    let judged = accepted.map_or_else(String::new, |share| {
        format!(", {:.1} % accepted as their class", 100.0 * share)
    });
    say!(
        "{}: {} images, class {}, {sampler}, guidance {guidance}{judged}, {milliseconds:.0} ms",
        said.out,
        labels.len(),
        class
    );
    Ok(())
}
