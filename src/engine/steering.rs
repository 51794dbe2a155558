//! Methods that run side by side on one clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::gpu::{FusedMlpGpu, SharedDevice};
use crate::metrics::Counters;
use crate::mixture::World;
use crate::model::{GuidedMlp, Rows, RowsOnDevice};
use crate::reward::{Reward, TiltedTarget};
use crate::steer::{Frame, KeptFrame, SteerError, SteerPlan, SteerScene, Watch, run};

use super::draws::fused_on_device;
use super::message::{Compute, Event, LoadedModel, RequestId, Slot};
use super::steer_message::{PanelRun, SteerAnswer, SteerRequest, SteerStage};
use super::worker::{Job, JobError, JobResult, Worker};

/// How often the window is shown what the runs have reached.
const BETWEEN_FRAMES: Duration = Duration::from_millis(33);
/// How often the worker looks up while the runs' threads work.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// The last target, kept while only the methods change.
pub(super) struct TargetMemo {
    world: Arc<World>,
    reward: Reward,
    target: Result<Arc<TiltedTarget>, String>,
}

impl SteerStage {
    pub(super) fn scene<'a>(&'a self, network: Option<&'a GuidedMlp>) -> SteerScene<'a> {
        SteerScene {
            world: &self.world.mixture,
            reward: &self.reward,
            model: network,
        }
    }
}

/// The fused network of a device, as steering asks for it.
#[derive(Debug)]
struct OnShared(Arc<FusedMlpGpu>);

impl RowsOnDevice for OnShared {
    fn jump(&self, bias: &[f32], delta: f32, rows: Rows<'_>, x: &mut [[f32; 2]]) -> bool {
        match self.0.jump_rows(bias, delta, (rows.x_t, rows.group), x) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("the device failed, the processor goes on: {error}");
                false
            }
        }
    }
}

/// A model's network in the form that steering differentiates; forward passes of many rows run on `device`, if one is
/// given.
///
/// # Errors
/// When the device cannot hold the network.
pub fn guided_network(
    model: &LoadedModel,
    device: Option<&Arc<SharedDevice>>,
) -> Result<GuidedMlp, String> {
    let network = GuidedMlp::new(&model.network);
    let Some(device) = device else {
        return Ok(network);
    };
    let fused = fused_on_device(device, model).map_err(|e| e.to_string())?;
    Ok(network.on_device(Arc::new(OnShared(Arc::new(fused)))))
}

/// What one run's thread tells the worker.
#[derive(Default)]
struct Shelf {
    frames: Vec<Arc<KeptFrame>>,
    non_finite: u64,
    fraction: f32,
    end: Option<Result<(Counters, u64), SteerError>>,
    elapsed: Duration,
}

/// Puts frames on the shelf, where the worker finds them.
struct Shelving<'a> {
    shelf: &'a Mutex<Shelf>,
    wanted: &'a AtomicBool,
    begun: Instant,
}

impl Watch for Shelving<'_> {
    fn keep_going(&mut self, fraction: f32) -> bool {
        lock(self.shelf).fraction = fraction;
        self.wanted.load(Ordering::Relaxed)
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let mut shelf = lock(self.shelf);
        shelf.elapsed = self.begun.elapsed();
        if frame.ancestors.is_some() {
            // The same step again, drawn anew: it takes the place of what was there.
            if let Some(last) = shelf.frames.last_mut() {
                let mut anew = KeptFrame::clone(last);
                anew.drawn_anew(frame);
                *last = Arc::new(anew);
            }
            return;
        }
        let kept = KeptFrame::of(frame);
        let lost = kept.x.iter().filter(|x| !x.iter().all(|v| v.is_finite()));
        shelf.non_finite = shelf.non_finite.max(lost.count() as u64);
        shelf.frames.push(Arc::new(kept));
    }
}

fn lock(shelf: &Mutex<Shelf>) -> std::sync::MutexGuard<'_, Shelf> {
    // Plain data that is valid between any two statements.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// The network that moves and draws, on the device that is in use.
    pub fn guided(&mut self, stage: &SteerStage) -> Result<Option<GuidedMlp>, JobError> {
        let Some(model) = &stage.model else {
            return Ok(None);
        };
        let network = GuidedMlp::new(&model.network);
        let device = self.device.clone();
        match device.filter(|_| self.report.active == Compute::Shared) {
            Some(device) => {
                let fused = self.network_on_shared(&device, model)?;
                Ok(Some(network.on_device(Arc::new(OnShared(fused)))))
            }
            None => Ok(Some(network)),
        }
    }

    /// The tilted target, from the memo if it is the same.
    pub fn target(&mut self, stage: &SteerStage) -> Result<Arc<TiltedTarget>, String> {
        if let Some(memo) = &self.target_memo
            && memo.reward == stage.reward
            && (Arc::ptr_eq(&memo.world, &stage.world) || memo.world.mixture == stage.world.mixture)
        {
            return memo.target.clone();
        }
        let target = TiltedTarget::new(&stage.world.mixture, &stage.reward)
            .map(Arc::new)
            .map_err(|e| e.to_string());
        self.target_memo = Some(TargetMemo {
            world: stage.world.clone(),
            reward: stage.reward.clone(),
            target: target.clone(),
        });
        target
    }

    pub fn steer(&mut self, id: RequestId, request: SteerRequest) -> JobResult {
        let job = Job::new(id, Slot::Steer, "steering");
        for plan in &request.plans {
            plan.validate()
                .map_err(|e| JobError::Failed(e.to_string()))?;
        }
        let target = self.target(&request.stage);
        let network = self.guided(&request.stage)?;
        let request = Arc::new(request);
        let wanted = AtomicBool::new(true);
        let shelves: Vec<Mutex<Shelf>> = request.plans.iter().map(|_| Mutex::default()).collect();

        std::thread::scope(|scope| {
            for (plan, shelf) in request.plans.iter().zip(&shelves) {
                let (scene, wanted) = (request.stage.scene(network.as_ref()), &wanted);
                scope.spawn(move || run_on_shelf(plan, scene, shelf, wanted));
            }
            let mut shown = Instant::now();
            loop {
                let done = shelves.iter().all(|shelf| lock(shelf).end.is_some());
                let fraction = shelves.iter().map(|s| lock(s).fraction).sum::<f32>()
                    / shelves.len().max(1) as f32;
                if !self.look_up(&job, fraction) {
                    wanted.store(false, Ordering::Relaxed);
                    return Err(JobError::Cancelled);
                }
                if done || shown.elapsed() >= BETWEEN_FRAMES {
                    shown = Instant::now();
                    let panels = shelves.iter().map(|shelf| panel(&lock(shelf))).collect();
                    self.post(Event::Steer(
                        id,
                        Arc::new(SteerAnswer {
                            request: request.clone(),
                            target: target.clone(),
                            panels,
                            complete: done,
                        }),
                    ));
                }
                if done {
                    return Ok(());
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
        })
    }
}

/// One run from its start to its end, told on the shelf. A panic ends the run, not the comparison.
fn run_on_shelf(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    shelf: &Mutex<Shelf>,
    wanted: &AtomicBool,
) {
    let begun = Instant::now();
    let mut watch = Shelving {
        shelf,
        wanted,
        begun,
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(plan, scene, &mut watch)
    }));
    let mut shelf = lock(shelf);
    shelf.elapsed = begun.elapsed();
    shelf.end = Some(match result {
        Ok(run) => run.map(|run| (run.counters, run.non_finite)),
        Err(_) => Err(SteerError::Panicked),
    });
}

fn panel(shelf: &Shelf) -> PanelRun {
    let last = shelf.frames.last();
    let mut panel = PanelRun {
        frames: shelf.frames.clone(),
        counters: last.map_or_else(Counters::default, |frame| frame.counters),
        non_finite: shelf.non_finite,
        fraction: shelf.fraction,
        done: shelf.end.is_some(),
        trouble: None,
        elapsed: shelf.elapsed,
    };
    match &shelf.end {
        Some(Ok((counters, non_finite))) => {
            (panel.counters, panel.non_finite) = (*counters, *non_finite);
        }
        Some(Err(error)) => panel.trouble = Some(error.to_string()),
        None => {}
    }
    panel
}
