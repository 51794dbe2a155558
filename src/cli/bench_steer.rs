//! `foresight bench steer`: particle-steps a second of every method, and how soon a comparison is there after a drag.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::{
    Command, Engine, Event, LoadedModel, RequestId, SteerRequest, SteerStage, load_shipped,
};
use crate::mixture::{Preset, World};
use crate::model::GuidedMlp;
use crate::reward::Reward;
use crate::session::{ComputeChoice, Steering};
use crate::steer::{
    Cost, Frame, Knob, METHODS, Method, SteerError, SteerPlan, SteerScene, Watch, run,
};

/// Particles behind a rate.
const PARTICLES: u32 = 4096;
/// Draws per state, for methods that draw.
const DRAWS: [u32; 3] = [1, 16, 64];
/// Steps of a short run: enough that the mix of two estimators is shared as in a long one.
const FEW_STEPS: u32 = 5;
/// A rate is taken over about this long; what takes longer is stopped and its share counted.
const LONG_ENOUGH: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_millis(900);
/// Comparisons timed after a drag; fewer where they take long.
const DRAGS: usize = 3;
const LONG_DRAGS: Duration = Duration::from_secs(10);
/// Particles while something is dragged, and how long the drag goes on after its last preview.
const PREVIEW_PARTICLES: u32 = 128;
const LAST_PREVIEW: Duration = Duration::from_millis(20);
/// No comparison takes longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// The scene: its world has a shipped checkpoint.
const WORLD: Preset = Preset::Three;
const REWARD: &str = "measurement:1.2,-0.8,-1,0.2";

/// One method.
#[derive(Clone, Debug, Serialize)]
pub struct SteerRate {
    /// Its name.
    pub method: &'static str,
    /// What moves and draws: `exact` or `learned`.
    pub source: &'static str,
    /// Draws per state; `None` where it draws nothing.
    pub draws: Option<u32>,
    /// Function evaluations of one step of one particle.
    pub evaluations: f64,
    /// Particles times steps, a second.
    pub particle_steps_per_second: f64,
    /// The two multiplied.
    pub evaluations_per_second: f64,
    /// Time over which the rate was taken.
    pub seconds: f64,
}

/// From the release of a drag to a finished comparison.
#[derive(Clone, Debug, Serialize)]
pub struct DragTime {
    /// What moves and draws: `exact` or `learned`.
    pub source: &'static str,
    /// The methods side by side.
    pub methods: Vec<String>,
    /// Particles of each.
    pub particles: u32,
    /// Steps of each.
    pub steps: u32,
    /// From the submission, while a preview runs, to the first particles shown, median.
    pub first_ms: f64,
    /// The same to all panels at their ends, median.
    pub complete_ms: f64,
    /// Repetitions.
    pub repeats: usize,
}

/// `foresight bench steer`, whole.
#[derive(Clone, Debug, Serialize)]
pub struct SteerBench {
    /// Version of the program.
    pub version: &'static str,
    /// Logical processors.
    pub processors: usize,
    /// The world.
    pub world: &'static str,
    /// The reward.
    pub reward: &'static str,
    /// Particles behind every rate.
    pub particles: u32,
    /// The methods.
    pub rates: Vec<SteerRate>,
    /// Dragging.
    pub drags: Vec<DragTime>,
}

impl fmt::Display for SteerBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Foresight {}, {} logical processors, world {}, reward {}, {} particles",
            self.version, self.processors, self.world, self.reward, self.particles
        )?;
        writeln!(
            f,
            "\n{:<15} {:<8} {:>5} {:>18} {:>20} {:>16}",
            "method",
            "source",
            "draws",
            "evaluations / step",
            "particle-steps / s",
            "evaluations / s"
        )?;
        for row in &self.rates {
            writeln!(
                f,
                "{:<15} {:<8} {:>5} {:>18.1} {:>20.0} {:>16.0}",
                row.method,
                row.source,
                row.draws.map_or_else(|| "-".into(), |n| n.to_string()),
                row.evaluations,
                row.particle_steps_per_second,
                row.evaluations_per_second
            )?;
        }
        for drag in &self.drags {
            write!(
                f,
                "\nreleasing a drag, {}, {} particles, {} steps ({}): first frame after {:.0} ms, complete after {:.0} ms",
                drag.source,
                drag.particles,
                drag.steps,
                drag.methods.join(", "),
                drag.first_ms,
                drag.complete_ms
            )?;
        }
        Ok(())
    }
}

/// Measures every method with the closed forms and with the shipped checkpoint. Everything runs on the processor.
///
/// # Errors
/// When no checkpoint is shipped or the engine does not answer.
pub fn bench_steer() -> Result<SteerBench, String> {
    let world = Arc::new(World::preset(WORLD));
    let reward: Reward = REWARD.parse().map_err(|e| format!("{e}"))?;
    let model = load_shipped(WORLD)
        .ok_or("no checkpoint is shipped for three")?
        .map_err(|e| e.to_string())?;
    let network = GuidedMlp::new(&model.network);
    let mut rates = Vec::new();
    for (source, model) in [("exact", None), ("learned", Some(&network))] {
        let scene = SteerScene {
            world: &world.mixture,
            reward: &reward,
            model,
        };
        for card in &METHODS {
            let draws = match Knob::of(card.method) {
                Knob::Draws => DRAWS.map(Some).to_vec(),
                Knob::Steps => vec![None],
            };
            for draws in draws {
                let row = rate(card.method, draws, source, scene);
                rates.push(row.map_err(|e| format!("{}: {e}", card.name))?);
            }
        }
    }
    let drags = vec![
        drag("exact", &world, None, &reward)?,
        drag("learned", &world, Some(Arc::new(model)), &reward)?,
    ];
    Ok(SteerBench {
        version: env!("CARGO_PKG_VERSION"),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        world: WORLD.name(),
        reward: REWARD,
        particles: PARTICLES,
        rates,
        drags,
    })
}

/// Stops a run that takes long, where its share is known.
struct Stopwatch {
    begun: Instant,
    /// Whether the share is known after whole steps alone: particle filters look twice within the first.
    whole_steps: bool,
    /// Steps shown, and whether that was just now.
    shown: u32,
    is_fresh: bool,
    /// Share done, and when.
    share: f64,
    at: Duration,
    steps: u32,
}

impl Watch for Stopwatch {
    fn keep_going(&mut self, fraction: f32) -> bool {
        if self.whole_steps {
            if !std::mem::take(&mut self.is_fresh) {
                return true;
            }
            // After step k the filter has looked k + 1 times, but for the last step, which ends at the data.
            let looks = (self.shown + u32::from(self.shown > 0)).min(self.steps);
            self.share = f64::from(looks) / f64::from(self.steps);
        } else {
            self.share = f64::from(fraction);
        }
        self.at = self.begun.elapsed();
        self.share == 0.0 || self.at < LONGEST
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        self.shown = frame.step;
        self.is_fresh = true;
    }
}

fn rate(
    method: Method,
    draws: Option<u32>,
    source: &'static str,
    scene: SteerScene<'_>,
) -> Result<SteerRate, SteerError> {
    let mut plan = SteerPlan {
        particles: PARTICLES,
        draws: draws.unwrap_or(1),
        steps: FEW_STEPS,
        ..SteerPlan::new(method)
    };
    let mut yes = |_: f32| true;
    // A mix costs what its share of either estimator costs, so the whole run is divided by its steps.
    let cost = match draws {
        Some(n) => Cost::measure(&plan, scene, &mut yes)?.at(n),
        None => Cost::measure(&plan, scene, &mut yes)?.at(FEW_STEPS),
    };
    let evaluations = cost as f64 / f64::from(FEW_STEPS);
    let mut spent = clocked(&plan, scene)?;
    if spent.1 < LONG_ENOUGH && spent.0 >= 1.0 {
        // Fast: more steps, so that threads and caches are as in a long run.
        let more = LONG_ENOUGH.as_secs_f64() / spent.1.as_secs_f64().max(1e-3);
        plan.steps = (f64::from(FEW_STEPS) * more.ceil()).min(1000.0) as u32;
        spent = clocked(&plan, scene)?;
    }
    let seconds = spent.1.as_secs_f64();
    let rate = f64::from(PARTICLES) * f64::from(plan.steps) * spent.0 / seconds;
    Ok(SteerRate {
        method: method.card().name,
        source,
        draws,
        evaluations,
        particle_steps_per_second: rate,
        evaluations_per_second: rate * evaluations,
        seconds,
    })
}

/// Share of a run that was done, and the time it took.
fn clocked(plan: &SteerPlan, scene: SteerScene<'_>) -> Result<(f64, Duration), SteerError> {
    let mut watch = Stopwatch {
        begun: Instant::now(),
        whole_steps: plan.method.card().scheme.is_weighted(),
        shown: 0,
        is_fresh: false,
        share: 0.0,
        at: Duration::ZERO,
        steps: plan.steps,
    };
    match run(plan, scene, &mut watch) {
        Ok(_) => Ok((1.0, watch.begun.elapsed())),
        Err(SteerError::Cancelled) => Ok((watch.share, watch.at)),
        Err(error) => Err(error),
    }
}

/// The window's first comparison, asked for while a preview runs.
fn drag(
    source: &'static str,
    world: &Arc<World>,
    model: Option<Arc<LoadedModel>>,
    reward: &Reward,
) -> Result<DragTime, String> {
    let steering = Steering::default();
    let engine = Engine::start(None, ComputeChoice::Cpu, Arc::new(|| {}));
    let request = |particles, preview| {
        Command::Steer(SteerRequest {
            stage: SteerStage {
                world: world.clone(),
                model: model.clone(),
                reward: reward.clone(),
            },
            plans: steering.plans(11, particles),
            preview,
        })
    };
    let mut times = Vec::new();
    let begun = Instant::now();
    while times.is_empty() || (times.len() < DRAGS && begun.elapsed() < LONG_DRAGS) {
        engine.submit(request(PREVIEW_PARTICLES, true));
        std::thread::sleep(LAST_PREVIEW);
        let released = Instant::now();
        let id = engine.submit(request(steering.particles, false));
        times.push(until_complete(&engine, id, released)?);
    }
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = times.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(DragTime {
        source,
        methods: steering
            .panels
            .iter()
            .map(|p| p.method.to_string())
            .collect(),
        particles: steering.particles,
        steps: steering.panels.iter().map(|p| p.steps).max().unwrap_or(0),
        first_ms: median(|t| t.0),
        complete_ms: median(|t| t.1),
        repeats: times.len(),
    })
}

/// Milliseconds to the first answer and to the complete one.
fn until_complete(engine: &Engine, id: RequestId, released: Instant) -> Result<(f64, f64), String> {
    let mut first = None;
    loop {
        for event in engine.events() {
            match event {
                Event::Steer(got, answer) if got == id => {
                    let now = released.elapsed().as_secs_f64() * 1e3;
                    let first = *first.get_or_insert(now);
                    if answer.complete {
                        return Ok((first, now));
                    }
                }
                Event::Failed(got, _, message) if got == id => return Err(message),
                _ => {}
            }
        }
        if released.elapsed() > PATIENCE {
            return Err("the comparison did not end within two minutes".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
