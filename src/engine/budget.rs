//! Methods at equal compute, in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::steer::{
    Floor, Grid, GridRow, Judge, LeftOut, SteerError, SteerPlan, SteerScene, run_grid,
};

use super::message::{Event, RequestId, Slot};
use super::steer_message::{BudgetAnswer, BudgetRequest};
use super::worker::{Job, JobError, JobResult, Worker};

/// How often the window is shown new rows.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(100);
/// How often the worker looks up while the rows' thread works.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// Most runs of one request.
const MAX_RUNS: usize = 100_000;

/// What the rows' thread tells the worker.
#[derive(Default)]
struct Shelf {
    /// Runs in all, once it is known what can be run.
    total: Option<usize>,
    rows: Vec<GridRow>,
    left_out: Vec<LeftOut>,
    floor: Option<Floor>,
    target_mean_reward: Option<f64>,
    fraction: f32,
    end: Option<Result<(), SteerError>>,
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // Plain data that is valid between any two statements.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub fn budget(&mut self, id: RequestId, request: BudgetRequest) -> JobResult {
        let mut job = Job::new(id, Slot::Budget, "equal compute");
        check(&request).map_err(JobError::Failed)?;
        let network = self.guided(&request.stage)?;
        let request = Arc::new(request);
        let wanted = AtomicBool::new(true);
        let shelf = Mutex::new(Shelf::default());
        // Threads of its own, one less than there are processors: what is more urgent finds the others free, and
        // does not wait behind a row's work in the common queue.
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.saturating_sub(1).max(1))
            .thread_name(|i| format!("foresight-budget-{i}"))
            .build()
            .map_err(|e| JobError::Failed(format!("no threads for equal compute: {e}")))?;
        std::thread::scope(|scope| {
            let scene = request.stage.scene(network.as_ref());
            let (rows, wanted, asked) = (&shelf, &wanted, &request);
            scope.spawn(move || {
                let work = || pool.install(|| fill(rows, asked, scene, wanted));
                let end = catch_unwind(AssertUnwindSafe(work));
                lock(rows).end = Some(end.unwrap_or(Err(SteerError::Panicked)));
            });
            let (mut shown, mut cancelled) = (Instant::now(), false);
            let mut told = (None, 0, 0);
            loop {
                // Read before the rows: what is there at the end is then all there is.
                let end = lock(&shelf).end.clone();
                let (now, fraction) = {
                    let shelf = lock(&shelf);
                    let now = (shelf.total, shelf.rows.len(), shelf.left_out.len());
                    (now, shelf.total.map(|_| shelf.fraction))
                };
                if let Some(total) = now.0 {
                    job.label = format!("equal compute, {} of {total} runs", now.1);
                }
                // After a cancel the worker still serves what is urgent until the step in hand is at its end.
                if !self.look_up(&job, fraction) {
                    wanted.store(false, Ordering::Relaxed);
                    cancelled = true;
                }
                match end {
                    Some(_) if cancelled => return Err(JobError::Cancelled),
                    Some(Err(error)) => return Err(JobError::Failed(error.to_string())),
                    _ => {}
                }
                let is_new = now != told && shown.elapsed() >= BETWEEN_ANSWERS;
                if !cancelled && (is_new || end.is_some()) {
                    (shown, told) = (Instant::now(), now);
                    let answer = answer(&request, &lock(&shelf), end.is_some());
                    self.post(Event::Budget(id, Arc::new(answer)));
                }
                if end.is_some() {
                    return Ok(());
                }
                std::thread::sleep(BETWEEN_LOOKS);
            }
        })
    }
}

fn answer(request: &Arc<BudgetRequest>, shelf: &Shelf, complete: bool) -> BudgetAnswer {
    BudgetAnswer {
        request: request.clone(),
        rows: shelf.rows.clone(),
        left_out: shelf.left_out.clone(),
        total: shelf.total.unwrap_or(0),
        floor: shelf.floor,
        target_mean_reward: shelf.target_mean_reward,
        complete,
    }
}

/// All rows, from the first to the last, put on the shelf as they are there.
fn fill(
    shelf: &Mutex<Shelf>,
    request: &BudgetRequest,
    scene: SteerScene<'_>,
    wanted: &AtomicBool,
) -> Result<(), SteerError> {
    let is_wanted = || wanted.load(Ordering::Relaxed);
    let grid = Grid {
        methods: request.plans.clone(),
        budgets: request.budgets.clone(),
        seeds: request.seeds.clone(),
        particles: request.particles,
    };
    let (runs, left_out) = grid.lay_out(scene, &mut |_: f32| is_wanted())?;
    {
        let mut shelf = lock(shelf);
        shelf.total = Some(runs.len());
        shelf.left_out = left_out;
    }
    if !is_wanted() {
        return Err(SteerError::Cancelled);
    }
    let judge = Judge::new(scene, request.particles)?;
    {
        let mut shelf = lock(shelf);
        shelf.floor = Some(judge.floor);
        shelf.target_mean_reward = Some(judge.target_mean_reward);
    }
    let mut watch = |fraction: f32| {
        lock(shelf).fraction = fraction;
        is_wanted()
    };
    let failed = run_grid(&runs, &judge, &mut watch, &mut |row| {
        lock(shelf).rows.push(row);
        is_wanted()
    })?;
    lock(shelf).left_out.extend(failed);
    Ok(())
}

/// Refuses what is empty or too much.
fn check(request: &BudgetRequest) -> Result<(), String> {
    let runs = request.plans.len() * request.budgets.len() * request.seeds.len();
    if runs == 0 {
        return Err(
            "Nothing to compare: choose at least one method, one budget and one seed".into(),
        );
    }
    if runs > MAX_RUNS {
        return Err(format!(
            "{runs} runs are too many: choose fewer methods, budgets or seeds ({MAX_RUNS} runs are possible)"
        ));
    }
    if !(1..=SteerPlan::MAX_PARTICLES).contains(&request.particles) {
        return Err(format!(
            "{} particles are not possible: choose 1 to {}",
            request.particles,
            SteerPlan::MAX_PARTICLES
        ));
    }
    Ok(())
}
