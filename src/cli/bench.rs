//! `foresight bench`: speed, measured, as a table and as JSON.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::{Command, Compute, DrawRequest, Engine, LoadedModel, load_shipped};
use crate::gpu::SharedDevice;
use crate::lookahead::Source;
use crate::metrics::WindowTimings;
use crate::mixture::{Preset, World};
use crate::session::ComputeChoice;

use super::posterior::wait_for;

/// Numbers of draws that are measured.
const SIZES: [u32; 5] = [1, 64, 4096, 65_536, 1_000_000];
/// Repetitions of each, fewer where they take long.
const REPEATS: usize = 25;
const LONGEST: Duration = Duration::from_secs(6);
/// A size whose single request would take longer is left out, and said so.
const LONGEST_REQUEST_SECS: f64 = 20.0;

/// One size on one device.
#[derive(Clone, Debug, Serialize)]
pub struct DrawRow {
    /// Where it ran.
    pub device: String,
    /// The lookahead.
    pub source: String,
    /// Draws a request.
    pub draws: u32,
    /// Median time of a request, from handing it to the worker to the draws where they are painted from, the waking of
    /// both threads included.
    pub median_ms: f64,
    /// 99th percentile (the maximum of few repetitions).
    pub p99_ms: f64,
    /// Draws a second at the median.
    pub draws_per_second: f64,
    /// Repetitions.
    pub repeats: usize,
}

/// `foresight bench posterior`, whole.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Version of the program.
    pub version: String,
    /// Logical processors.
    pub processors: usize,
    /// Name of the graphics device, if one was used.
    pub adapter: Option<String>,
    /// Draws a second.
    pub draws: Vec<DrawRow>,
    /// The window.
    pub window: Option<WindowTimings>,
}

impl fmt::Display for BenchReport {
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
            "\n{:<8} {:<10} {:>9} {:>12} {:>12} {:>14}",
            "device", "source", "draws", "median ms", "p99 ms", "draws / s"
        )?;
        for row in &self.draws {
            writeln!(
                f,
                "{:<8} {:<10} {:>9} {:>12.3} {:>12.3} {:>14.0}",
                row.device, row.source, row.draws, row.median_ms, row.p99_ms, row.draws_per_second
            )?;
        }
        if let Some(w) = &self.window {
            writeln!(
                f,
                "\nwindow {} x {} on {}, draws on the {}",
                w.size[0], w.size[1], w.adapter, w.compute
            )?;
            for (name, value) in [
                ("first draw, cold", w.first_draw_cold_ms),
                ("first draw, warm", w.first_draw_warm_ms),
                ("scrub to pixels, median", w.scrub_to_pixels_median_ms),
                ("scrub to pixels, p99", w.scrub_to_pixels_p99_ms),
                ("frame, engine idle", w.frame_idle_ms),
                ("frame, engine busy", w.frame_busy_ms),
            ] {
                writeln!(f, "  {name:<26} {value:>9.1} ms")?;
            }
        }
        Ok(())
    }
}

/// Measures draws a second on the processor and, where there is one, the shared device.
///
/// `choice` limits the measurement to one of the two.
///
/// # Errors
/// When no checkpoint is shipped or the device does not start.
pub fn bench_posterior(
    choice: Option<ComputeChoice>,
    max_draws: u32,
) -> Result<BenchReport, String> {
    let model = load_shipped(Preset::Ring8)
        .ok_or("no checkpoint is shipped for ring8")?
        .map_err(|e| e.to_string())?;
    let mut report = BenchReport {
        version: env!("CARGO_PKG_VERSION").into(),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        adapter: None,
        draws: Vec::new(),
        window: None,
    };
    if choice != Some(ComputeChoice::Shared) {
        measure(None, &model, max_draws, &mut report)?;
    }
    if choice != Some(ComputeChoice::Cpu) {
        match SharedDevice::headless() {
            Ok(device) => {
                report.adapter = Some(device.info.name.clone());
                measure(Some(device), &model, max_draws, &mut report)?;
            }
            Err(e) if choice.is_none() => eprintln!("no shared device: {e}"),
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(report)
}

fn measure(
    device: Option<Arc<SharedDevice>>,
    model: &LoadedModel,
    max_draws: u32,
    report: &mut BenchReport,
) -> Result<(), String> {
    let choice = match device {
        Some(_) => ComputeChoice::Shared,
        None => ComputeChoice::Cpu,
    };
    let engine = Engine::start(device.clone(), choice, Arc::new(|| {}));
    let world = Arc::new(World::preset(Preset::Ring8));
    let model = Arc::new(model.clone());
    for source in [Source::OneStep, Source::KStep(4)] {
        for draws in SIZES.into_iter().filter(|n| *n <= max_draws) {
            let expected_secs = report
                .draws
                .last()
                .filter(|row| row.draws < draws)
                .map_or(0.0, |row| f64::from(draws) / row.draws_per_second);
            if expected_secs > LONGEST_REQUEST_SECS {
                eprintln!(
                    "left out: {draws} draws, {source}: one request would take about {expected_secs:.0} s"
                );
                continue;
            }
            let mut times = Vec::new();
            let mut compute = Compute::Cpu;
            let begun = Instant::now();
            // The first request compiles and fills caches; it is not counted.
            for repeat in 0..=REPEATS {
                let request = Command::Draws(DrawRequest {
                    world: world.clone(),
                    model: Some(model.clone()),
                    source,
                    t: 0.1 + 0.02 * repeat as f64,
                    x_t: [0.4, 0.2],
                    seed: 3,
                    draws,
                });
                // Before the request is handed over: the worker may be done by the time this thread runs again.
                let started = Instant::now();
                let id = engine.submit(request);
                let answer = wait_for(&engine, id)?;
                if let (Some(points), Some(device)) = (&answer.points, &device) {
                    points.read_first(device, 1).map_err(|e| e.to_string())?;
                }
                compute = answer.compute;
                let spent = started.elapsed();
                if repeat > 0 {
                    times.push(spent.as_secs_f64() * 1e3);
                }
                // The figures of these draws shall not delay the next ones.
                while !engine.busy().is_empty() {
                    std::thread::yield_now();
                }
                if times.len() >= 3 && begun.elapsed() > LONGEST {
                    break;
                }
            }
            times.sort_by(f64::total_cmp);
            let median_ms = times[times.len() / 2];
            report.draws.push(DrawRow {
                device: match compute {
                    Compute::Shared => "shared".into(),
                    Compute::Cpu => "cpu".into(),
                },
                source: source.to_string(),
                draws,
                median_ms,
                p99_ms: times[(times.len() * 99 / 100).min(times.len() - 1)],
                draws_per_second: f64::from(draws) / median_ms * 1e3,
                repeats: times.len(),
            });
        }
    }
    Ok(())
}
