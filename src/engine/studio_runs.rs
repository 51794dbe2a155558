//! The runs of the Studio: a thread each, which outlives its request where that is called off. A call of a large network
//! takes seconds and cannot be stopped on its way; nobody has to wait for its end but the next run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::metrics::FeatureClasses;
use crate::model::Wanted;
use crate::reward::picture::{PictureParts, PictureScore};
use crate::steer::images::ImageStart;

use super::images_fallback::{Asked, reason};
use super::message::Compute;
use super::studio_message::{StudioAnswer, StudioRequest, StudioRun};
use super::studio_preview::preview_runs;

/// A request with all that its runs need, whichever device they ask.
pub(super) struct Order {
    pub request: Arc<StudioRequest>,
    /// What all are scored with at the end.
    pub measure: Arc<dyn PictureScore>,
    /// What rewards are made of, the classifier of such pictures among it.
    pub parts: PictureParts,
    /// What its classes usually look like to it.
    pub typical: Option<FeatureClasses>,
    /// Where all begin, as a state of the map.
    pub start: ImageStart,
}

/// What a person can see of a run: the window is told of changes alone, because each paints a frame, and where the
/// processor paints that is time which the run needs.
#[derive(PartialEq, Eq)]
pub(super) struct Seen {
    frames: usize,
    preview: Option<usize>,
    per_mille: u32,
    /// Whether it is at its end.
    pub done: bool,
}

/// The runs of an order on one device, as the worker and their threads see them.
pub(super) struct Runs {
    pub order: Arc<Order>,
    /// What moves, draws and shows.
    pub asked: Asked,
    /// What each panel follows, asked of states.
    pub rewards: Vec<Arc<dyn PictureScore>>,
    shelves: Vec<Mutex<StudioRun>>,
    wanted: Wanted,
    /// Why the device that is asked cannot go on.
    broken: Mutex<Option<String>>,
    /// Why the steps are no longer seen on their way.
    unseen: Mutex<Option<String>>,
    /// Network rows of each panel; nothing for those that were there before.
    work: Vec<u64>,
}

impl Runs {
    /// Runs of which some may be there already.
    ///
    /// # Errors
    /// When a reward cannot be asked of the map's states.
    pub fn new(
        order: &Arc<Order>,
        asked: Asked,
        runs: Vec<StudioRun>,
    ) -> Result<Arc<Self>, String> {
        let (request, wanted) = (&order.request, Wanted::default());
        let rewards = request.panels.iter().map(|panel| {
            let reward = panel.reward.bind(request.model.shape(), &order.parts);
            let reward = reward.map_err(|e| e.to_string())?;
            asked.view.reward_while(reward, &wanted)
        });
        let rewards = rewards.collect::<Result<_, String>>()?;
        let panels = request.panels.iter().zip(&runs);
        let work = panels
            .map(|(panel, run)| (!run.done).then(|| panel.plan.network_rows()))
            .map(Option::unwrap_or_default)
            .collect();
        Ok(Arc::new(Self {
            order: order.clone(),
            asked,
            rewards,
            shelves: runs.into_iter().map(Mutex::new).collect(),
            wanted,
            broken: Mutex::new(None),
            unseen: Mutex::new(None),
            work,
        }))
    }

    /// Begins what is not there, a thread for each panel and one for previews.
    pub fn begin(runs: &Arc<Self>, run: fn(&Self, usize)) -> Vec<JoinHandle<()>> {
        let missing = (0..runs.shelves.len()).filter(|panel| !runs.shelf(*panel).done);
        let mut begun: Vec<_> = missing
            .filter_map(|panel| {
                let theirs = runs.clone();
                let thread = std::thread::Builder::new().name("foresight-studio".into());
                let thread = thread.spawn(move || run(&theirs, panel));
                let failed = |e: std::io::Error| {
                    let mut shelf = runs.shelf(panel);
                    shelf.trouble = Some(format!("the system has no thread for this run: {e}"));
                    shelf.done = true;
                };
                thread.map_err(failed).ok()
            })
            .collect();
        if runs.asked.view.has_halves() {
            let theirs = runs.clone();
            let thread = std::thread::Builder::new().name("foresight-preview".into());
            // Without it the steps are in false colours.
            begun.extend(thread.spawn(move || preview_runs(&theirs)));
        }
        begun
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shelves.len()
    }

    /// What a panel has reached.
    pub fn shelf(&self, panel: usize) -> MutexGuard<'_, StudioRun> {
        // Plain data that is valid between any two statements.
        lock(&self.shelves[panel])
    }

    /// What a person can see of them.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = |shelf: &Mutex<StudioRun>| {
            let run = lock(shelf);
            Seen {
                frames: run.frames.len(),
                preview: run.preview.as_ref().map(|preview| preview.number),
                per_mille: (1000.0 * run.fraction) as u32,
                done: run.done,
            }
        };
        self.shelves.iter().map(seen).collect()
    }

    /// What all have reached.
    pub fn reached(&self) -> Vec<StudioRun> {
        let shelves = self.shelves.iter();
        shelves.map(|shelf| lock(shelf).clone()).collect()
    }

    /// The same as an answer.
    pub fn answer(&self) -> StudioAnswer {
        let panels = self.reached();
        StudioAnswer {
            request: self.order.request.clone(),
            complete: panels.iter().all(|run| run.done),
            compute: self.asked.compute,
            unseen: lock(&self.unseen).clone(),
            panels,
        }
    }

    /// Share done of what these runs compute, each weighed by what it asks of the network: the base is done long before
    /// what steers.
    pub fn fraction(&self) -> f32 {
        let all: u64 = self.work.iter().sum();
        let shelves = self.work.iter().zip(&self.shelves);
        let done = shelves.map(|(work, shelf)| *work as f32 * lock(shelf).fraction);
        done.sum::<f32>() / all.max(1) as f32
    }

    /// Whether somebody waits for them.
    pub fn are_wanted(&self) -> bool {
        self.wanted.still()
    }

    /// Nobody does any more.
    pub fn call_off(&self) {
        self.wanted.withdraw();
    }

    /// Tells that a run failed in a way that it is not to blame for.
    pub fn broke(&self, why: &str) {
        lock(&self.broken).get_or_insert_with(|| why.to_owned());
    }

    /// Tells that the steps can no longer be seen on their way: in place of old ones they are in false colours.
    pub fn leave_unseen(&self, why: &str) {
        *lock(&self.unseen) = Some(reason(why));
        for shelf in &self.shelves {
            lock(shelf).preview = None;
        }
    }

    /// Why the device that is asked cannot go on; the processor always can.
    pub fn broken(&self) -> Option<String> {
        let broken = lock(&self.broken).clone();
        broken.filter(|_| self.asked.compute == Compute::Shared)
    }

    /// Those that were there before; the others as they were then.
    pub fn as_before(&self) -> Vec<StudioRun> {
        let mut runs = self.reached();
        for (run, _) in runs
            .iter_mut()
            .zip(&self.work)
            .filter(|(_, work)| **work > 0)
        {
            *run = StudioRun::default();
        }
        runs
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain data that is valid between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
