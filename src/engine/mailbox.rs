//! Where requests wait: one for each slot, the latest. Memory does not grow with the number of requests.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::session::ComputeChoice;

use super::message::{Command, RequestId, Slot};

/// What the worker finds when it looks.
pub(super) enum Mail {
    /// A request.
    Request(RequestId, Slot, Box<Command>),
    /// The person chose where to compute.
    Compute(ComputeChoice),
    /// The engine is being dropped.
    Stop,
}

#[derive(Default)]
struct State {
    next_id: u64,
    waiting: BTreeMap<Slot, (RequestId, Command)>,
    /// The newest id of each slot; a running request with an older one is out of date.
    newest: BTreeMap<Slot, RequestId>,
    running: BTreeMap<Slot, RequestId>,
    /// Requests that were cancelled by name rather than replaced.
    cancelled: BTreeMap<Slot, RequestId>,
    compute: Option<ComputeChoice>,
    stop: bool,
}

/// Requests between the window and the worker. Locked for moments only, never during work.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain data that is valid between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn submit(&self, command: Command) -> RequestId {
        let mut state = self.lock();
        state.next_id += 1;
        let id = RequestId(state.next_id);
        let slot = command.slot();
        state.newest.insert(slot, id);
        state.waiting.insert(slot, (id, command));
        drop(state);
        self.changed.notify_one();
        id
    }

    /// Cancels what waits and what runs; gives the request that waited, since nobody else will end it.
    pub fn cancel(&self, slot: Slot) -> Option<RequestId> {
        let mut state = self.lock();
        let waited = state.waiting.remove(&slot).map(|(id, _)| id);
        if let Some(id) = state.running.get(&slot).copied() {
            state.cancelled.insert(slot, id);
        }
        state.next_id += 1;
        let id = RequestId(state.next_id);
        state.newest.insert(slot, id);
        waited
    }

    pub fn set_compute(&self, choice: ComputeChoice) {
        self.lock().compute = Some(choice);
        self.changed.notify_one();
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_one();
    }

    pub fn busy(&self) -> Vec<Slot> {
        let state = self.lock();
        Slot::ALL
            .into_iter()
            .filter(|slot| state.running.contains_key(slot) || state.waiting.contains_key(slot))
            .collect()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.compute.is_none() && !state.stop
    }

    /// The next mail; sleeps until there is some.
    pub fn wait(&self) -> Mail {
        let mut state = self.lock();
        loop {
            if let Some(mail) = Self::take(&mut state, None) {
                return mail;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A request that is more urgent than the one in hand, if one waits.
    pub fn take_more_urgent_than(&self, slot: Slot) -> Option<(RequestId, Slot, Command)> {
        match Self::take(&mut self.lock(), Some(slot)) {
            Some(Mail::Request(id, slot, command)) => Some((id, slot, *command)),
            _ => None,
        }
    }

    fn take(state: &mut State, than: Option<Slot>) -> Option<Mail> {
        if than.is_none() {
            if state.stop {
                return Some(Mail::Stop);
            }
            if let Some(choice) = state.compute.take() {
                return Some(Mail::Compute(choice));
            }
        }
        let slot = Slot::ALL
            .into_iter()
            .take_while(|slot| Some(*slot) != than)
            .find(|slot| state.waiting.contains_key(slot))?;
        let (id, command) = state.waiting.remove(&slot)?;
        state.running.insert(slot, id);
        Some(Mail::Request(id, slot, Box::new(command)))
    }

    /// Whether the running request is still the one that is wanted.
    pub fn wanted(&self, slot: Slot, id: RequestId) -> bool {
        let state = self.lock();
        !state.stop && state.newest.get(&slot) == Some(&id)
    }

    /// Whether the request ended because someone cancelled it, rather than by a newer one.
    pub fn finished(&self, slot: Slot, id: RequestId) -> bool {
        let mut state = self.lock();
        state.running.remove(&slot);
        if state.cancelled.get(&slot) == Some(&id) {
            state.cancelled.remove(&slot);
            return true;
        }
        false
    }
}
