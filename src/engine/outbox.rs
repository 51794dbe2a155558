//! Where events wait for the window: the latest of each kind. Memory does not grow while nobody looks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::message::{Event, Slot};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Answer,
    Stats,
    Progress,
    End,
    Compute,
    Training,
    TrainingPictures,
    TrainSaved,
}

#[derive(Default)]
struct State {
    sequence: u64,
    latest: BTreeMap<(Option<Slot>, Kind), (u64, Event)>,
}

/// Events between the worker and the window.
#[derive(Default)]
pub(super) struct Outbox(Mutex<State>);

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data that is valid between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn post(&self, event: Event) {
        let key = match &event {
            Event::Scene(..) => (Some(Slot::Scene), Kind::Answer),
            Event::Draws(_, slot, _) | Event::OpenedImages(_, slot, _) => {
                (Some(*slot), Kind::Answer)
            }
            Event::Stats(_, slot, _) => (Some(*slot), Kind::Stats),
            Event::Diversity(..) => (Some(Slot::Diversity), Kind::Answer),
            Event::Opened(..) | Event::FoundDecoder(..) => (Some(Slot::Open), Kind::Answer),
            Event::Wall(..) => (Some(Slot::Wall), Kind::Answer),
            Event::Studio(..) => (Some(Slot::Studio), Kind::Answer),
            Event::Steer(..) => (Some(Slot::Steer), Kind::Answer),
            Event::Scores(..) => (Some(Slot::Scores), Kind::Answer),
            Event::ScoreCurves(..) => (Some(Slot::ScoreCurves), Kind::Answer),
            Event::Lens(..) => (Some(Slot::Lens), Kind::Answer),
            Event::Trace(..) => (Some(Slot::Trace), Kind::Answer),
            Event::Budget(..) => (Some(Slot::Budget), Kind::Answer),
            Event::Exported(..) | Event::Written(..) => (Some(Slot::Export), Kind::Answer),
            Event::Groups(..) => (Some(Slot::Groups), Kind::Answer),
            Event::ImageCurves(..) => (Some(Slot::ImageCurves), Kind::Answer),
            Event::Again(..) => (Some(Slot::Again), Kind::Answer),
            Event::Batch(..) => (Some(Slot::Batch), Kind::Answer),
            Event::Progress(_, slot, _) => (Some(*slot), Kind::Progress),
            Event::Failed(_, slot, _) | Event::Cancelled(_, slot) => (Some(*slot), Kind::End),
            Event::Compute(_) => (None, Kind::Compute),
            Event::Training(_) => (None, Kind::Training),
            Event::TrainingPictures(_) => (None, Kind::TrainingPictures),
            Event::TrainSaved(_) => (None, Kind::TrainSaved),
            Event::TrainRefused(..) => (None, Kind::End),
        };
        let mut state = self.lock();
        state.sequence += 1;
        let sequence = state.sequence;
        if matches!(key.1, Kind::Answer | Kind::End) {
            state.latest.remove(&(key.0, Kind::Progress));
        }
        state.latest.insert(key, (sequence, event));
    }

    /// What waits, in the order in which it was posted.
    pub fn drain(&self) -> Vec<Event> {
        let mut events: Vec<_> = std::mem::take(&mut self.lock().latest)
            .into_values()
            .collect();
        events.sort_by_key(|(sequence, _)| *sequence);
        events.into_iter().map(|(_, event)| event).collect()
    }
}
