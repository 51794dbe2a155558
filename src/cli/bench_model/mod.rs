//! `foresight bench model`: what a transformer of images costs, on random weights, beside what the device can do.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::{Distribution, Tensor};
use clap::Args;

pub use report::{ModelBench, ModelRate, ProductRate};

use super::DeviceArg;
use super::bench_train::{forget_peak, held_memory_mib, peak_memory_mib, rate};
use super::place::Place;
use crate::checkpoint::read_dit_config;
use crate::model::{
    BurnImageMap, Dit, DitConfig, ImageMap, ImageRows, NativeDit, Pass, Precision, Through,
    free_memory,
};
use crate::process::{Address, Purpose, uniforms};
use crate::reward::picture::PictureScore;
use crate::steer::Method;
use crate::steer::images::{ImagePlan, ImageScene, steer_images};

/// Steps of the steered run that is timed.
const STEPS: u32 = 2;
/// Sides of the matrices whose product through burn says what the device can do, while it takes less than this.
const SIDES: [usize; 4] = [512, 1024, 2048, 4096];
const LONG_PRODUCT_SECS: f64 = 0.3;
/// Share of the memory that is free which a setting may take.
const SHARE: f64 = 0.9;
const MIB: f64 = 1024.0 * 1024.0;
/// What the program takes when it first computes, in MiB, beside what it held before and the network: pages of its code,
/// stacks, and gaps between what was allocated. Measured on Linux with two cores.
const FIRST_MIB: f64 = 20.0;

/// What `bench model` asks for, and `bench frames` in part.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Of bench model and bench frames")]
pub struct ModelBenchArgs {
    /// The transformer: one of the reference's sizes (S/8 to XL/2), or its model file (.yaml, .json or .ron).
    #[arg(long, value_name = "NAME|FILE")]
    pub config: Option<PathBuf>,
    /// Measure with random weights: what they are does not change the time.
    #[arg(long)]
    pub random_weights: bool,
    /// States of a batch.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 16], value_name = "B,B,...")]
    pub batches: Vec<usize>,
    /// Posterior draws a state in each steering step.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub draws: u32,
    /// Types of the matrix products; f32, and f16 where a graphics device has it, if not given.
    #[arg(long, value_delimiter = ',', value_name = "TYPE,TYPE,...")]
    pub precisions: Vec<Precision>,
    /// Memory that there is, in GiB; asked of the system if not given, which does not know that of a graphics card.
    #[arg(long, value_name = "GIB", value_parser = parse_gib)]
    pub memory: Option<f64>,
}

fn parse_gib(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|gib| *gib > 0.0 && gib.is_finite())
        .ok_or_else(|| format!("'{text}' is no amount of memory: write a number of GiB"))
}

/// Measures the transformer of `args` on the processor and, where there is one, the shared device; `choice` limits it to
/// one device.
///
/// # Errors
/// When the model file cannot be read, nothing fits, or a device that was asked for does not start.
pub fn bench_model(args: &ModelBenchArgs, choice: Option<DeviceArg>) -> Result<ModelBench, String> {
    let path = args.config.as_deref().ok_or(
        "bench model needs --config NAME|FILE: a size like XL/2, or the model file of a transformer (.yaml, .json or .ron)",
    )?;
    if !args.random_weights {
        return Err("bench model measures with weights of its own: give --random-weights".into());
    }
    if args.batches.is_empty() || args.batches.iter().any(|b| !(1..=1024).contains(b)) {
        return Err("--batches are 1 to 1024 states".into());
    }
    let model = transformer(path)?;
    let mut bench = ModelBench {
        version: env!("CARGO_PKG_VERSION"),
        parameters: model.parameters(),
        gflop: model.operations() as f64 / 1e9,
        draws: args.draws,
        peaks: Vec::new(),
        rates: Vec::new(),
        left_out: Vec::new(),
        model,
    };
    if choice.is_some() {
        on(&Place::of(choice)?, args, &mut bench)?;
    } else {
        on(&Place::processor(), args, &mut bench)?;
        match Place::shared() {
            Ok(place) => on(&place, args, &mut bench)?,
            Err(e) => bench.left_out.push(format!("the shared device: {e}")),
        }
    }
    if bench.rates.is_empty() {
        return Err(format!(
            "nothing was measured: {}",
            bench.left_out.join("; ")
        ));
    }
    Ok(bench)
}

/// The transformer that `--config` names: one of the reference's sizes, or a model file.
pub(super) fn transformer(config: &Path) -> Result<DitConfig, String> {
    let name = config.to_str().and_then(|name| name.split_once('/'));
    let size = name.and_then(|(letter, patch)| DitConfig::imagenet(letter, patch.parse().ok()?));
    size.map_or_else(|| read_dit_config(config).map_err(|e| e.to_string()), Ok)
}

/// All settings on one device.
fn on(place: &Place, args: &ModelBenchArgs, bench: &mut ModelBench) -> Result<(), String> {
    let held = held_memory_mib().unwrap_or(0.0);
    let mut precisions = args.precisions.clone();
    if precisions.is_empty() {
        precisions.push(Precision::F32);
        // A processor has halves too, but no matrix units for them: only on request.
        if place.name != "cpu" {
            precisions.push(Precision::F16);
        }
    }
    for precision in precisions {
        if let Err(why) = precision.checked(&place.device) {
            let line = format!("{precision} on {}: {why}", place.hardware);
            bench.left_out.push(line);
            continue;
        }
        let through = if place.name == "cpu" {
            Through::on_processor(&bench.model, precision)
        } else {
            Through::Burn(precision)
        };
        let settings = fitting(place, args, through, bench);
        if settings.is_empty() {
            continue;
        }
        let own_kernels = through == Through::OwnKernels;
        // A share is of what computes the network: the product of the kernels, or that of burn.
        let gflops = if own_kernels {
            NativeDit::product_gflops()
        } else {
            product_rate(place, precision)?
        };
        bench.peaks.push(ProductRate {
            device: place.name,
            hardware: place.hardware.clone(),
            own_kernels,
            precision,
            gflops,
        });
        let net = Dit::init(&bench.model, 1, &place.device).map_err(|e| e.to_string())?;
        let map: Arc<dyn ImageMap> = if own_kernels {
            Arc::new(NativeDit::taking(net))
        } else {
            let net = net.with_products_in(precision);
            Arc::new(BurnImageMap::new(net, &place.device))
        };
        for (batch, bytes) in settings {
            // The peak is that of the whole program.
            let expected_mib = held + FIRST_MIB + bytes as f64 / MIB;
            say!(
                "{} {precision}, batch {batch}: takes about {expected_mib:.0} MiB",
                place.name,
            );
            forget_peak();
            let mut row = ModelRate {
                device: place.name,
                own_kernels,
                precision,
                batch,
                expected_mib,
                ..measured(&*map, batch, args.draws, &bench.model, gflops)?
            };
            row.peak_mib = peak_memory_mib();
            let usage = place.device.memory_pool_usage();
            row.device_mib = usage.map(|usage| usage.bytes_reserved as f64 / MIB);
            bench.rates.push(row);
            place.device.memory_cleanup();
        }
    }
    Ok(())
}

/// The batches that fit, with the bytes that the network will take; the others are left out with a line.
fn fitting(
    place: &Place,
    args: &ModelBenchArgs,
    through: Through,
    bench: &mut ModelBench,
) -> Vec<(usize, u64)> {
    let free = args.memory.map(|gib| gib * 1024.0 * MIB);
    // A graphics card's memory is not the system's.
    let free = free.or_else(|| {
        if place.is_gpu {
            None
        } else {
            free_memory().map(|b| b as f64)
        }
    });
    let mut settings = Vec::new();
    for batch in &args.batches {
        let bytes = expected(
            &bench.model,
            through,
            (*batch, args.draws),
            place.name == "cpu",
        );
        match free {
            Some(free) if bytes as f64 > SHARE * free => bench.left_out.push(format!(
                "batch {batch} in {} on the {} takes about {:.0} MiB, of {:.0} that are free: fewer --draws or smaller --batches fit, or say with --memory how much there is",
                through.precision(),
                place.name,
                bytes as f64 / MIB,
                free / MIB
            )),
            _ => settings.push((*batch, bytes)),
        }
    }
    settings
}

/// About the bytes that [`measured`] takes: all states are drawn in one call, steering asks for as many draws as it does
/// of any map.
fn expected(
    model: &DitConfig,
    through: Through,
    (batch, draws): (usize, u32),
    on_processor: bool,
) -> u64 {
    let rows = (batch * draws as usize).min(model.rows_at_once(on_processor));
    let drawn = model.memory(through, Pass::Forward, batch);
    let steered = model.memory(through, Pass::Gradient, rows);
    drawn.bytes().max(steered.bytes())
}

/// Operations a second through burn, in billions, of the best of some square products.
fn product_rate(place: &Place, precision: Precision) -> Result<f64, String> {
    let mut best = 0.0_f64;
    for side in SIDES {
        let matrix = || {
            let spread = Distribution::Uniform(-1.0, 1.0);
            Tensor::<2>::random([side, side], spread, &place.device).cast(precision.dtype())
        };
        let (a, b) = (matrix(), matrix());
        let begun = Instant::now();
        let (per_second, _) = rate(|| {
            // One number is read, so that the clock waits for the device.
            let corner = a.clone().matmul(b.clone()).slice([0..1, 0..1]);
            corner.into_data();
            Ok(())
        })?;
        best = best.max(2.0 * (side as f64).powi(3) * per_second / 1e9);
        let long = begun.elapsed().as_secs_f64() > 60.0 || per_second < 1.0 / LONG_PRODUCT_SECS;
        if long {
            break;
        }
    }
    Ok(best)
}

/// The rates of one batch.
fn measured(
    map: &dyn ImageMap,
    batch: usize,
    draws: u32,
    model: &DitConfig,
    gflops: f64,
) -> Result<ModelRate, String> {
    let numbers: usize = model.state().iter().product();
    let mut x_t = vec![0.0; batch * numbers];
    uniforms(Address::new(1, Purpose::Test, 0), 0, &mut x_t);
    let times = vec![0.5; batch];
    let label: Vec<u32> = (0..batch).map(|i| (i % model.label_dim) as u32).collect();
    let guidance = vec![1.0; batch];
    let asked = ImageRows {
        s: &times,
        u: &times,
        x: &x_t,
        t: &times,
        x_t: &x_t,
        label: &label,
        guidance: &guidance,
    };
    let mut made = x_t.clone();
    let (drawn, _) = rate(|| {
        made.copy_from_slice(&x_t);
        map.draw(&asked, &mut made);
        finite(&made)
    })?;
    let plan = ImagePlan {
        steps: STEPS,
        draws,
        ..ImagePlan::new(Method::MfmG)
    };
    let reward = MeanOf(model.state());
    let scene = ImageScene {
        map,
        reward: &reward,
    };
    let mut rows = 0;
    let (runs, _) = rate(|| {
        let run = steer_images(scene, &plan, 0..batch as u32, &mut |_: f32| true);
        let run = run.map_err(|e| e.to_string())?;
        rows = run.counters.network_forward + run.counters.network_backward;
        if map.keeps_draws() {
            // Counted as going forward twice; it went once.
            rows -= run.counters.network_backward;
        }
        finite(&run.pictures)
    })?;
    let per_second = gflops * 1e9;
    let operations = model.operations() as f64;
    Ok(ModelRate {
        device: "",
        own_kernels: false,
        precision: Precision::F32,
        batch,
        draws_per_second: drawn * batch as f64,
        draws_share: drawn * batch as f64 * operations / per_second,
        steering_step_ms: 1e3 / runs / f64::from(STEPS),
        // Going back to the states takes as many operations as going forward.
        steering_share: runs * rows as f64 * operations / per_second,
        expected_mib: 0.0,
        peak_mib: None,
        device_mib: None,
    })
}

fn finite(made: &[f32]) -> Result<(), String> {
    if made.iter().all(|v| v.is_finite()) {
        Ok(())
    } else {
        Err("the network gave numbers that are not finite on this device".into())
    }
}

/// The mean of a state: a reward that costs nothing.
struct MeanOf([usize; 3]);

impl PictureScore for MeanOf {
    fn shape(&self) -> [usize; 3] {
        self.0
    }

    fn score(&self, pictures: &[f32], scores: &mut [f32]) {
        let numbers: usize = self.0.iter().product();
        for (score, picture) in scores.iter_mut().zip(pictures.chunks_exact(numbers)) {
            *score = picture.iter().sum::<f32>() / numbers as f32;
        }
    }

    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        self.score(pictures, scores);
        let numbers: usize = self.0.iter().product();
        gradients.fill(1.0 / numbers as f32);
    }

    fn without_gradient(&self) -> Option<&str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(batches: Vec<usize>, memory: Option<f64>, config: PathBuf) -> ModelBenchArgs {
        ModelBenchArgs {
            config: Some(config),
            random_weights: true,
            batches,
            draws: 2,
            precisions: vec![Precision::F32],
            memory,
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_tried_and_what_fits_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let config = DitConfig::tiny(2);
        let path = folder.path().join("tiny.json");
        std::fs::write(&path, serde_json::to_string(&config).unwrap()).unwrap();
        let place = Place::processor();
        let mut bench = ModelBench {
            version: "",
            parameters: config.parameters(),
            gflop: 0.0,
            draws: 2,
            peaks: Vec::new(),
            rates: Vec::new(),
            left_out: Vec::new(),
            model: config.clone(),
        };
        let through = Through::on_processor(&config, Precision::F32);
        let gib = expected(&config, through, (1, 2), true) as f64 / MIB / 1024.0 / SHARE;
        let some = args(vec![1, 64], Some(gib * 1.01), path.clone());
        let settings = fitting(&place, &some, through, &mut bench);
        assert_eq!(settings.len(), 1);
        assert!(
            bench.left_out[0].contains("batch 64 in f32"),
            "{:?}",
            bench.left_out
        );
        let none = args(vec![1], Some(gib / 2.0), path.clone());
        let message = bench_model(&none, Some(DeviceArg::Cpu)).unwrap_err();
        assert!(message.contains("--memory"), "{message}");
        let unnamed = ModelBenchArgs {
            random_weights: false,
            ..args(vec![1], None, path)
        };
        assert_eq!(transformer(Path::new("XL/2")).unwrap().depth, 28);
        let message = transformer(Path::new("XL/3")).unwrap_err();
        assert!(message.contains("XL/3"), "{message}");
        let message = bench_model(&unnamed, Some(DeviceArg::Cpu)).unwrap_err();
        assert!(message.contains("--random-weights"));

        let net = Dit::init(&config, 1, &place.device).unwrap();
        let own = NativeDit::new(&net).unwrap();
        let through_burn = BurnImageMap::new(net, &place.device);
        for map in [&own as &dyn ImageMap, &through_burn] {
            let row = measured(map, 2, 2, &config, 1.0).unwrap();
            assert!(row.draws_per_second > 0.0 && row.steering_step_ms > 0.0);
            // Seven passes a state and step: the velocity, two draws, and their gradients by two passes each, of which one
            // is spared where the draws are kept.
            let share = row.steering_share * row.steering_step_ms
                / (2.0 * config.operations() as f64 * 1e-6);
            let passes = if map.keeps_draws() { 5.0 } else { 7.0 };
            assert!((share - passes).abs() < 1e-6, "{share}");
        }
    }
}
