//! `foresight bench wall`: how soon a wall of pictures follows the clock, on both devices in one run.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::{
    Command, Compute, Engine, Event, LoadedImages, OpenImages, RequestId, Slot, WallAnswer,
    WallRequest,
};
use crate::gpu::SharedDevice;
use crate::metrics::WallTimings;
use crate::session::{ComputeChoice, Images};

/// Pictures of the walls.
pub const WALLS: [u32; 3] = [16, 64, 256];
/// Positions of the clock for each, fewer where they take long.
const REPEATS: usize = 15;
const LONGEST: Duration = Duration::from_secs(8);
/// A wall that would take longer is left out, and said so.
const LONGEST_WALL_SECS: f64 = 30.0;
/// No wall takes longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// A wall of one size on one device.
#[derive(Clone, Debug, Serialize)]
pub struct WallRow {
    /// Where it was drawn.
    pub device: String,
    /// Pictures.
    pub draws: u32,
    /// From moving the clock to the first pictures of the new state where they are painted from, median.
    pub first_ms: f64,
    /// Pictures of that answer, median.
    pub first_draws: u32,
    /// From moving the clock to the whole wall, median.
    pub full_ms: f64,
    /// The same, the longest.
    pub full_most_ms: f64,
    /// Pictures a second at the median.
    pub draws_per_second: f64,
    /// Positions of the clock.
    pub repeats: usize,
}

/// `foresight bench wall`, whole.
#[derive(Clone, Debug, Serialize)]
pub struct WallBench {
    /// Version of the program.
    pub version: &'static str,
    /// Logical processors.
    pub processors: usize,
    /// Name of the graphics device, if there is one.
    pub adapter: Option<String>,
    /// The map, and how it looks ahead.
    pub map: String,
    /// Following the clock.
    pub walls: Vec<WallRow>,
    /// Painting.
    pub windows: Vec<WallTimings>,
}

impl WallBench {
    /// Time of the shared device over that of the processor, of walls that were measured on both.
    fn ratios(&self) -> Vec<(u32, f64)> {
        let row = |device: &str, draws: u32| {
            let rows = &mut self.walls.iter();
            rows.find(|row| row.device == device && row.draws == draws)
        };
        let ratio = |draws: u32| {
            let (cpu, shared) = (row("cpu", draws)?, row("shared", draws)?);
            Some((draws, shared.full_ms / cpu.full_ms))
        };
        WALLS.into_iter().filter_map(ratio).collect()
    }
}

impl fmt::Display for WallBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Foresight {}, {} logical processors, adapter {}, {}",
            self.version,
            self.processors,
            self.adapter.as_deref().unwrap_or("none"),
            self.map
        )?;
        writeln!(
            f,
            "\n{:<8} {:>8} {:>10} {:>8} {:>10} {:>12} {:>12}",
            "device", "pictures", "first ms", "of them", "whole ms", "longest ms", "pictures / s"
        )?;
        for row in &self.walls {
            writeln!(
                f,
                "{:<8} {:>8} {:>10.1} {:>8} {:>10.1} {:>12.1} {:>12.0}",
                row.device,
                row.draws,
                row.first_ms,
                row.first_draws,
                row.full_ms,
                row.full_most_ms,
                row.draws_per_second
            )?;
        }
        for (draws, ratio) in self.ratios() {
            writeln!(
                f,
                "wall of {draws}: the shared device takes {ratio:.2} times as long as the processor"
            )?;
        }
        for window in &self.windows {
            writeln!(
                f,
                "\nwindow {} x {} with {} pictures on {}",
                window.size[0], window.size[1], window.pictures, window.adapter
            )?;
            for (name, value) in [
                ("frame, sharp", window.frame_sharp_ms),
                ("frame, smooth", window.frame_smooth_ms),
                ("frame without the wall", window.frame_without_ms),
            ] {
                writeln!(f, "  {name:<26} {value:>9.1} ms")?;
            }
            writeln!(
                f,
                "  {:<26} {:>9} in {} frames",
                "writes to the device", window.writes_at_rest, window.frames_at_rest
            )?;
        }
        Ok(())
    }
}

/// Measures walls of the shipped digits on the processor and, where there is one, the shared device.
///
/// `choice` limits the measurement to one of the two. Where there is a graphics device, the numbers lie on it when the
/// clock is stopped, also those of the processor.
///
/// # Errors
/// When the map does not open or the device that was chosen does not start.
pub fn bench_wall(choice: Option<ComputeChoice>) -> Result<WallBench, String> {
    let device = match SharedDevice::headless() {
        Ok(device) => Some(device),
        Err(e) if choice == Some(ComputeChoice::Shared) => return Err(e.to_string()),
        Err(e) => {
            eprintln!("no shared device: {e}");
            None
        }
    };
    let mut report = WallBench {
        version: env!("CARGO_PKG_VERSION"),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        adapter: device.as_ref().map(|device| device.info.name.clone()),
        map: String::new(),
        walls: Vec::new(),
        windows: Vec::new(),
    };
    for place in [ComputeChoice::Cpu, ComputeChoice::Shared] {
        let is_possible = place == ComputeChoice::Cpu || device.is_some();
        if is_possible && choice.is_none_or(|choice| choice == place) {
            measure(device.clone(), place, &mut report)?;
        }
    }
    Ok(report)
}

fn measure(
    device: Option<Arc<SharedDevice>>,
    choice: ComputeChoice,
    report: &mut WallBench,
) -> Result<(), String> {
    let engine = Engine::start(device, choice, Arc::new(|| {}));
    let model = open(&engine)?;
    report.map = format!("{}, one step", model.name);
    let mut images = Images::default();
    for draws in WALLS {
        let expected_secs = report
            .walls
            .last()
            .filter(|row| row.draws < draws)
            .map_or(0.0, |row| f64::from(draws) / row.draws_per_second);
        if expected_secs > LONGEST_WALL_SECS {
            eprintln!("left out: a wall of {draws} would take about {expected_secs:.0} s");
            continue;
        }
        let (mut firsts, mut wholes) = (Vec::new(), Vec::new());
        let mut compute = Compute::Cpu;
        let mut begun = Instant::now();
        // The first ones compile, fill caches and learn how many pictures are drawn at a time; they are not counted.
        for repeat in 0..REPEATS + 3 {
            if repeat == 3 {
                begun = Instant::now();
            }
            images.t = 0.2 + 0.03 * repeat as f64;
            let request = WallRequest::of(model.clone(), &images, draws);
            let started = Instant::now();
            let id = engine.submit(Command::Wall(request));
            let (first, whole) = wait_for_wall(&engine, id, started)?;
            if repeat < 3 {
                continue;
            }
            compute = whole.1.compute;
            firsts.push(first);
            wholes.push(whole.0);
            if wholes.len() >= 3 && begun.elapsed() > LONGEST {
                break;
            }
        }
        firsts.sort_by(|a, b| a.0.total_cmp(&b.0));
        wholes.sort_by(f64::total_cmp);
        let (first, full_ms) = (firsts[firsts.len() / 2], wholes[wholes.len() / 2]);
        report.walls.push(WallRow {
            device: match compute {
                Compute::Shared => "shared".into(),
                Compute::Cpu => "cpu".into(),
            },
            draws,
            first_ms: first.0,
            first_draws: first.1,
            full_ms,
            full_most_ms: wholes[wholes.len() - 1],
            draws_per_second: f64::from(draws) / full_ms * 1e3,
            repeats: wholes.len(),
        });
    }
    Ok(())
}

fn open(engine: &Engine) -> Result<Arc<LoadedImages>, String> {
    let id = engine.submit(Command::OpenImages(OpenImages::of(None)));
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        for event in engine.events() {
            match event {
                Event::OpenedImages(got, _, model) if got == id => return Ok(model),
                Event::Failed(got, _, message) if got == id => return Err(message),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("the shipped map did not open".into())
}

/// Milliseconds to the first pictures and how many they are, and the whole wall.
type Waited = ((f64, u32), (f64, Arc<WallAnswer>));

fn wait_for_wall(engine: &Engine, id: RequestId, started: Instant) -> Result<Waited, String> {
    let mut first = None;
    while started.elapsed() < PATIENCE {
        for event in engine.events() {
            match event {
                Event::Wall(got, answer) if got == id => {
                    let ms = started.elapsed().as_secs_f64() * 1e3;
                    if answer.drawn > 0 {
                        let seen = *first.get_or_insert((ms, answer.drawn));
                        if answer.complete {
                            return Ok((seen, (ms, answer)));
                        }
                    }
                }
                Event::Failed(got, Slot::Wall, message) if got == id => return Err(message),
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Err("the wall did not come".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_measured_on_both_devices_are_compared_at_their_size() {
        let row = |device: &str, draws, full_ms| WallRow {
            device: device.into(),
            draws,
            first_ms: 1.0,
            first_draws: 8,
            full_ms,
            full_most_ms: full_ms,
            draws_per_second: 1.0,
            repeats: 3,
        };
        let bench = WallBench {
            version: "0",
            processors: 2,
            adapter: None,
            map: "a map".into(),
            walls: vec![
                row("cpu", 16, 10.0),
                row("cpu", 64, 40.0),
                row("shared", 64, 20.0),
            ],
            windows: vec![WallTimings::default()],
        };
        assert_eq!(bench.ratios(), [(64, 0.5)]);
        let text = bench.to_string();
        assert!(
            text.contains("wall of 64: the shared device takes 0.50 times"),
            "{text}"
        );
    }
}
