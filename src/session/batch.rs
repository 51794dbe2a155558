//! Pictures that are still to be made: a queue of steered runs, each with several seeds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::images::Images;
use super::shared;
use super::steered::SteeredRecipe;

/// The same settings with several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchEntry {
    /// What it is known by, whatever its place.
    pub id: u32,
    /// What makes the picture of the first seed.
    pub recipe: SteeredRecipe,
    /// How many seeds, counted up from the first: one picture each.
    pub seeds: u32,
    /// How many of them are made.
    #[serde(default)]
    pub done: u32,
    /// Why no more are made; the text says what to do.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl BatchEntry {
    /// How many are still to be made.
    pub fn left(&self) -> u32 {
        self.seeds.saturating_sub(self.done)
    }

    /// Network passes and rewards that these ask for.
    pub fn rows_left(&self) -> f64 {
        self.recipe.settings.plan.network_rows() as f64 * f64::from(self.left())
    }

    /// What makes the picture with number `number` again.
    pub fn recipe_of(&self, number: u32) -> SteeredRecipe {
        self.recipe.reseeded(number)
    }
}

/// The queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// What is to be made, the next first.
    #[serde(with = "shared")]
    pub entries: Vec<Arc<BatchEntry>>,
    /// Whether it waits for a person.
    pub paused: bool,
    /// The number that was given last.
    pub last: u32,
}

impl Batch {
    /// Most entries.
    pub const MAX_ENTRIES: usize = 50;
    /// Most seeds of one.
    pub const MAX_SEEDS: u32 = 500;
    /// Most characters of all pictures and states in it.
    pub const MAX_TEXT: usize = 4 << 20;
    /// Longest text about what went wrong.
    const MAX_TROUBLE: usize = 2 * Images::MAX_TEXT;

    /// Adds the pictures of `seeds` seeds at the end. `None` where there is no room.
    pub fn add(&mut self, recipe: SteeredRecipe, seeds: u32) -> Option<u32> {
        let text: usize = self.entries.iter().map(|entry| entry.recipe.text()).sum();
        if self.entries.len() >= Self::MAX_ENTRIES || text + recipe.text() > Self::MAX_TEXT {
            return None;
        }
        let largest = self.entries.iter().map(|entry| entry.id).max();
        // Not a number that an entry had before: undo may bring it back.
        let id = self.last.max(largest.unwrap_or(0)).wrapping_add(1);
        self.last = id;
        self.entries.push(Arc::new(BatchEntry {
            id,
            recipe,
            seeds: seeds.clamp(1, Self::MAX_SEEDS),
            done: 0,
            trouble: None,
        }));
        Some(id)
    }

    /// The entry with this number.
    pub fn entry(&self, id: u32) -> Option<&BatchEntry> {
        let found = self.entries.iter().find(|entry| entry.id == id);
        found.map(AsRef::as_ref)
    }

    /// The one that is made next: the first that can be.
    pub fn next(&self) -> Option<&BatchEntry> {
        let can = |entry: &&Arc<BatchEntry>| entry.trouble.is_none() && entry.left() > 0;
        self.entries.iter().find(can).map(AsRef::as_ref)
    }

    /// Says that one more picture of an entry is made; a finished entry goes.
    pub fn advance(&mut self, id: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id) {
            let entry = Arc::make_mut(entry);
            entry.done = entry.done.saturating_add(1);
        }
        self.entries.retain(|entry| entry.left() > 0);
    }

    /// Says why an entry cannot be made; the others go on.
    pub fn fail(&mut self, id: u32, mut why: String) {
        why.truncate(why.floor_char_boundary(Self::MAX_TROUBLE));
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id) {
            Arc::make_mut(entry).trouble = Some(why.clone());
        }
    }

    /// Moves an entry by a place toward the front, or toward the end.
    pub fn shift(&mut self, id: u32, to_front: bool) {
        let Some(at) = self.entries.iter().position(|entry| entry.id == id) else {
            return;
        };
        let other = if to_front {
            at.checked_sub(1)
        } else {
            Some(at + 1).filter(|other| *other < self.entries.len())
        };
        if let Some(other) = other {
            self.entries.swap(at, other);
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: u32) {
        self.entries.retain(|entry| entry.id != id);
    }

    /// What is wrong with it, if anything: the field, its value, what is accepted.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let text: usize = self.entries.iter().map(|entry| entry.recipe.text()).sum();
        if self.entries.len() > Self::MAX_ENTRIES || text > Self::MAX_TEXT {
            let count = format!("{} entries", self.entries.len());
            return Some(("images.batch", count, "50 entries in 4 MiB are the most"));
        }
        for (place, entry) in self.entries.iter().enumerate() {
            let twice = self.entries[..place].iter().any(|e| e.id == entry.id);
            let seeds = (1..=Self::MAX_SEEDS).contains(&entry.seeds) && entry.done < entry.seeds;
            let trouble = entry.trouble.as_ref().map_or(0, String::len);
            let expected = twice
                .then_some("every entry has a number of its own")
                .or((!seeds).then_some("1 to 500 seeds, some of them still to be made"))
                .or((trouble > Self::MAX_TROUBLE).then_some("a text has at most 2,000 bytes"))
                .or_else(|| entry.recipe.fault());
            if let Some(expected) = expected {
                return Some(("images.batch", format!("entry {}", place + 1), expected));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::session::{CheckpointRef, Session, StudioStart};
    use crate::steer::images::ImagePlan;

    fn recipe(seed: u64) -> SteeredRecipe {
        let plan = ImagePlan {
            seed,
            ..ImagePlan::default()
        };
        SteeredRecipe::new(
            (CheckpointRef::Shipped, "00ff".into()),
            (&plan, &StudioStart::Noise),
            (&"class:3@5".parse().unwrap(), &[]),
            (0, 1.0),
        )
    }

    fn queue() -> Batch {
        let mut batch = Batch::default();
        for seed in [1, 100, 200] {
            batch.add(recipe(seed), 2).unwrap();
        }
        batch
    }

    fn ids(batch: &Batch) -> Vec<u32> {
        batch.entries.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn entries_are_made_in_order_and_go_when_they_are_done() {
        let mut batch = queue();
        assert_eq!(batch.next().unwrap().id, 1);
        batch.advance(1);
        let next = batch.next().unwrap();
        assert_eq!((next.done, next.left()), (1, 1));
        assert_eq!(next.recipe_of(next.done).settings.plan.seed, 2);
        batch.advance(1);
        assert_eq!(ids(&batch), [2, 3]);
        batch.fail(2, "no such class".into());
        assert_eq!(batch.next().unwrap().id, 3, "the others go on");
        batch.shift(3, true);
        batch.shift(3, true);
        assert_eq!(ids(&batch), [3, 2]);
        batch.shift(3, false);
        assert_eq!(ids(&batch), [2, 3]);
        batch.remove(2);
        batch.remove(3);
        assert!(batch.next().is_none());
    }

    #[test]
    fn a_queue_survives_a_restart_half_done() {
        let mut session = Session::default();
        session.images.batch = queue();
        session.images.batch.advance(1);
        session.images.batch.paused = true;
        let back = Session::from_ron(&session.to_ron(), Path::new("s.ron")).unwrap();
        assert_eq!(back, session);
        let old = Session::from_ron("(images: (t: 0.5))", Path::new("s.ron")).unwrap();
        assert_eq!(old.images.batch, Batch::default());
    }

    #[test]
    fn there_is_an_end_to_it_and_what_cannot_be_is_refused() {
        let mut batch = queue();
        for seed in 0..100 {
            batch.add(recipe(seed), u32::MAX);
        }
        assert_eq!(batch.entries.len(), Batch::MAX_ENTRIES);
        assert_eq!(batch.fault(), None);
        batch.fail(3, "\u{3bb}".repeat(5_000));
        assert_eq!(batch.fault(), None, "a long text is cut");
        let broken = |edit: fn(&mut BatchEntry)| {
            let mut batch = queue();
            edit(Arc::make_mut(&mut batch.entries[1]));
            batch.fault().is_some()
        };
        assert!(broken(|e| e.id = 1));
        assert!(broken(|e| e.seeds = 0));
        assert!(broken(|e| e.done = 2));
        assert!(broken(|e| e.seeds = u32::MAX));
        assert!(broken(|e| e.recipe.settings.plan.draws = 1 << 20));
    }
}
