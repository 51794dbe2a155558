//! `foresight bench train`: steps a second of the shipped recipes, the derivative's share of them, and memory.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::DeviceArg;
use super::place::Place;
use crate::mixture::{Preset, World};
use crate::process::{Address, Purpose, uniforms};
use crate::train::image::{ImageRecipe, ImageTrainer};
use crate::train::{Consistency, ImageSet, Recipe, Trainer};

/// Steps before the clock starts: they compile and fill caches.
const WARM_UP: u32 = 1;
/// A rate is taken over at most this many steps, and about this long.
const STEPS: u32 = 200;
const LONG_ENOUGH: Duration = Duration::from_secs(4);
/// Items of a step of images on the processor, where large ones take minutes; enough for two cores of its kernel.
const FEW_ITEMS: usize = 128;

/// One recipe on one device.
#[derive(Clone, Debug, Serialize)]
pub struct TrainRate {
    /// What is trained.
    pub recipe: &'static str,
    /// Its consistency loss.
    pub loss: &'static str,
    /// Where.
    pub device: &'static str,
    /// Parameters of the network.
    pub parameters: u64,
    /// Items of a step, as measured.
    pub batch: usize,
    /// Items of a step in the recipe.
    pub recipe_batch: usize,
    /// Steps that were measured.
    pub steps: u32,
    /// Items a second.
    pub samples_per_second: f64,
    /// Steps a second: as measured where the batch is the recipe's, and otherwise what the items a second amount to.
    pub steps_per_second: f64,
    /// The same with every item on the diagonal, where no derivative is computed.
    pub diagonal_steps_per_second: f64,
    /// Share of a step's time that the rest takes, which is the derivative along a direction; `None` for a loss that
    /// needs none.
    pub derivative_share: Option<f64>,
    /// Most memory that the process held while this was measured, in MiB; `None` where the system does not tell. Memory
    /// of a graphics device is not in it.
    pub peak_memory_mib: Option<f64>,
}

/// `foresight bench train`, whole.
#[derive(Clone, Debug, Serialize)]
pub struct TrainBench {
    /// Version of the program.
    pub version: &'static str,
    /// Logical processors.
    pub processors: usize,
    /// Name of the graphics device, if one was used.
    pub adapter: Option<String>,
    /// Whether the peaks of memory are of each row alone; otherwise they are of the process until then.
    pub peaks_are_reset: bool,
    /// The recipes.
    pub rates: Vec<TrainRate>,
}

impl fmt::Display for TrainBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Foresight {}, {} logical processors, adapter {}",
            self.version,
            self.processors,
            self.adapter.as_deref().unwrap_or("none")
        )?;
        writeln!(
            f,
            "\n{:<12} {:<9} {:<7} {:>11} {:>6} {:>9} {:>11} {:>11} {:>10}",
            "recipe",
            "loss",
            "device",
            "parameters",
            "batch",
            "steps / s",
            "samples / s",
            "derivative",
            "peak MiB"
        )?;
        for row in &self.rates {
            let peak = row
                .peak_memory_mib
                .map_or_else(|| "unknown".into(), |mib| format!("{mib:.0}"));
            let share = row
                .derivative_share
                .map_or_else(|| "none".into(), |share| format!("{:.0} %", 100.0 * share));
            writeln!(
                f,
                "{:<12} {:<9} {:<7} {:>11} {:>6} {:>9.4} {:>11.1} {share:>11} {peak:>10}",
                row.recipe,
                row.loss,
                row.device,
                row.parameters,
                row.batch,
                row.steps_per_second,
                row.samples_per_second,
            )?;
        }
        for row in self.rates.iter().filter(|r| r.batch != r.recipe_batch) {
            writeln!(
                f,
                "{} on the {}: measured with {} items a step; steps / s are for the recipe's {}",
                row.recipe, row.device, row.batch, row.recipe_batch
            )?;
        }
        write!(
            f,
            "derivative: share of a step beyond one with every item on the diagonal, which needs none. Peak: {}",
            if self.peaks_are_reset {
                "the process while the row was measured"
            } else {
                "the process until then"
            }
        )
    }
}

/// Measures the 2D recipe on the processor's kernel and the image recipes on the processor and, where there is one, the
/// shared device; `choice` limits it to one device.
///
/// # Errors
/// When a run cannot be started or diverges, or the device does not start.
pub fn bench_train(choice: Option<DeviceArg>) -> Result<TrainBench, String> {
    let mut bench = TrainBench {
        version: env!("CARGO_PKG_VERSION"),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        adapter: None,
        peaks_are_reset: true,
        rates: Vec::new(),
    };
    // 2D worlds have a kernel for the processor alone.
    if choice.is_none_or(|choice| choice == DeviceArg::Cpu) {
        for loss in [
            Consistency::Eulerian,
            Consistency::Lagrangian,
            Consistency::Semigroup,
        ] {
            bench.peaks_are_reset &= forget_peak();
            bench.rates.push(world(loss)?);
        }
        images(&Place::processor(), &mut bench)?;
    }
    let other = match choice {
        Some(DeviceArg::Cpu) => None,
        Some(choice) => Some(Place::of(Some(choice))?),
        None => Place::shared()
            .inspect_err(|e| eprintln!("no shared device: {e}"))
            .ok(),
    };
    if let Some(place) = other {
        bench.adapter = Some(place.hardware.clone());
        images(&place, &mut bench)?;
    }
    Ok(bench)
}

/// Steps a second.
pub(super) fn rate(mut step: impl FnMut() -> Result<(), String>) -> Result<(f64, u32), String> {
    for _ in 0..WARM_UP {
        step()?;
    }
    let (begun, mut steps) = (Instant::now(), 0);
    while steps < STEPS && begun.elapsed() < LONG_ENOUGH {
        step()?;
        steps += 1;
    }
    Ok((f64::from(steps) / begun.elapsed().as_secs_f64(), steps))
}

fn world(consistency: Consistency) -> Result<TrainRate, String> {
    let recipe = Recipe::of(consistency);
    let measure = |recipe: Recipe| {
        let mut trainer = Trainer::new(World::preset(Preset::Ring8), recipe);
        rate(|| match &mut trainer {
            Ok(trainer) => trainer.advance().map(|_| ()).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        })
    };
    let (whole, steps) = measure(recipe)?;
    let diagonal = measure(Recipe {
        diagonal_share: 1.0,
        ..recipe
    })?;
    Ok(TrainRate {
        recipe: "2D world",
        loss: match consistency {
            Consistency::Eulerian => "esd",
            Consistency::Lagrangian => "lsd",
            Consistency::Semigroup => "psd",
        },
        device: "cpu",
        parameters: recipe.model.parameters() as u64,
        batch: recipe.batch,
        recipe_batch: recipe.batch,
        steps,
        samples_per_second: whole * recipe.batch as f64,
        steps_per_second: whole,
        diagonal_steps_per_second: diagonal.0,
        derivative_share: (consistency != Consistency::Semigroup)
            .then(|| (1.0 - whole / diagonal.0).max(0.0)),
        peak_memory_mib: peak_memory_mib(),
    })
}

fn images(place: &Place, bench: &mut TrainBench) -> Result<(), String> {
    let is_processor = place.name == DeviceArg::Cpu.name();
    for (name, recipe) in [
        ("digits", ImageRecipe::digits()),
        ("photos", ImageRecipe::photos()),
    ] {
        bench.peaks_are_reset &= forget_peak();
        let few = recipe.batch.min(FEW_ITEMS);
        let (batch, micro_batch) = if is_processor {
            (few, few)
        } else {
            (recipe.batch, recipe.micro_batch)
        };
        // As when jumps are learned: before that every item is on the diagonal.
        let jumping = ImageRecipe {
            batch,
            micro_batch,
            jumps_from: 0,
            ..recipe.clone()
        };
        let data = noise(&jumping);
        let measure = |recipe: &ImageRecipe| {
            let mut trainer =
                ImageTrainer::new(recipe.clone(), &place.device).map_err(|e| e.to_string())?;
            rate(|| {
                // Told of its losses, so that the device is done when the clock is read.
                let told = trainer.advance(&data, true);
                told.map(|_| ()).map_err(|e| e.to_string())
            })
        };
        let (whole, steps) = measure(&jumping)?;
        let (diagonal, _) = measure(&ImageRecipe {
            diagonal_share: 1.0,
            ..jumping.clone()
        })?;
        let to_recipe = batch as f64 / recipe.batch as f64;
        bench.rates.push(TrainRate {
            recipe: name,
            loss: "meanflow",
            device: place.name,
            parameters: recipe.model.parameters(),
            batch,
            recipe_batch: recipe.batch,
            steps,
            samples_per_second: whole * batch as f64,
            steps_per_second: whole * to_recipe,
            diagonal_steps_per_second: diagonal * to_recipe,
            derivative_share: Some((1.0 - whole / diagonal).max(0.0)),
            peak_memory_mib: peak_memory_mib(),
        });
    }
    Ok(())
}

/// Pictures of noise: a step takes as long with them as with any others.
fn noise(recipe: &ImageRecipe) -> ImageSet {
    let model = &recipe.model;
    let shape = [model.in_channels, model.input_size, model.input_size];
    let count = 64;
    let mut values = vec![0.0_f32; count * shape.iter().product::<usize>()];
    uniforms(Address::new(1, Purpose::Test, 0), 0, &mut values);
    ImageSet {
        shape,
        pixels: values.iter().map(|v| (v * 255.0) as u8).collect(),
        labels: (0..count).map(|i| (i % model.label_dim) as u16).collect(),
        classes: (0..model.label_dim).map(|i| i.to_string()).collect(),
    }
}

/// Lets the peak of memory begin anew; whether the system can.
pub(super) fn forget_peak() -> bool {
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The most memory that the process held.
pub(super) fn peak_memory_mib() -> Option<f64> {
    memory_mib("VmHWM:")
}

/// What it holds.
pub(super) fn held_memory_mib() -> Option<f64> {
    memory_mib("VmRSS:")
}

/// A figure of the memory of the process, where Linux tells.
fn memory_mib(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(field))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_noise_are_what_the_recipes_take() {
        for recipe in [ImageRecipe::digits(), ImageRecipe::photos()] {
            let set = noise(&recipe);
            assert_eq!(set.pixels.len(), set.len() * set.stride());
            assert!(
                set.labels
                    .iter()
                    .all(|l| usize::from(*l) < set.classes.len())
            );
            assert!(set.pixels.iter().any(|p| *p != set.pixels[0]));
        }
    }

    #[test]
    fn a_rate_counts_steps_after_the_first() {
        let mut calls = 0;
        let (rate, steps) = rate(|| {
            calls += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!((steps, calls), (STEPS, STEPS + WARM_UP));
        assert!(rate > 0.0);
        assert_eq!(super::rate(|| Err("no".into())), Err("no".into()));
    }
}
