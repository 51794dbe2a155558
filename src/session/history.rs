//! Undo and redo over whole documents.

/// States that can be undone and redone, oldest first, bounded.
#[derive(Clone, Debug)]
pub struct History<T> {
    past: Vec<T>,
    future: Vec<T>,
    limit: usize,
}

impl<T: Clone + PartialEq> History<T> {
    /// An empty history that keeps at most `limit` states.
    pub fn new(limit: usize) -> Self {
        Self {
            past: Vec::new(),
            future: Vec::new(),
            limit,
        }
    }

    /// Keeps `before`, the state that is about to be changed, and forgets what was undone.
    pub fn record(&mut self, before: T) {
        if self.past.last() == Some(&before) {
            return;
        }
        if self.past.len() == self.limit {
            self.past.remove(0);
        }
        self.past.push(before);
        self.future.clear();
    }

    /// The state that [`Self::undo`] would go back to.
    pub fn previous(&self) -> Option<&T> {
        self.past.last()
    }

    /// The state that [`Self::redo`] would return to.
    pub fn next(&self) -> Option<&T> {
        self.future.last()
    }

    /// Steps back from `current`.
    pub fn undo(&mut self, current: &T) -> Option<T> {
        let back = self.past.pop()?;
        self.future.push(current.clone());
        Some(back)
    }

    /// Steps forward from `current`.
    pub fn redo(&mut self, current: &T) -> Option<T> {
        let forth = self.future.pop()?;
        self.past.push(current.clone());
        Some(forth)
    }

    /// Changes every state that is kept: for what is no edit and must not be taken back with one.
    pub fn change_all(&mut self, mut change: impl FnMut(&mut T)) {
        self.past.iter_mut().for_each(&mut change);
        self.future.iter_mut().for_each(&mut change);
    }

    /// Whether there is a state to go back to.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether there is an undone state to return to.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_and_redo_walk_the_same_states() {
        let mut history = History::new(10);
        let mut state = 0;
        for next in 1..=3 {
            history.record(state);
            state = next;
        }
        state = history.undo(&state).unwrap();
        state = history.undo(&state).unwrap();
        assert_eq!(state, 1);
        state = history.redo(&state).unwrap();
        assert_eq!(state, 2);
        history.record(state);
        assert!(!history.can_redo(), "a new change forgets what was undone");
    }

    #[test]
    fn the_oldest_state_is_forgotten_beyond_the_limit() {
        let mut history = History::new(2);
        for state in 0..5 {
            history.record(state);
        }
        assert_eq!(history.undo(&5), Some(4));
        assert_eq!(history.undo(&4), Some(3));
        assert_eq!(history.undo(&3), None);
    }
}
