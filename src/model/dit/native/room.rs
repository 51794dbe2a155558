//! How images are shared out among tiles and cores, and the room that this takes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cohort::{COHORT, Cohort};
use super::march;
use super::pass::{Keep, Pass};
use crate::model::dit::cost;
use crate::model::simd::TILE;
use crate::model::{BurnImageMap, DitConfig};

/// Numbers to a cache line, and on some machines to a vector.
const LINE: usize = 16;

/// Room for a cohort.
pub(super) type Room = (Cohort, Vec<Pass>);

/// Room of questions that were answered, for the next: made anew it takes as long as a fifth of a gradient.
#[derive(Default)]
pub(super) struct Rooms(Mutex<Vec<Room>>);

/// Bytes of room that a network keeps between questions, of each kind: enough for the gradient of one image of XL/2.
const LEFT_BYTES: usize = 512 << 20;

impl Rooms {
    /// Room as it was left behind, or new.
    pub(super) fn take(&self, config: &DitConfig) -> Room {
        let left = self.list().pop();
        left.unwrap_or_else(|| (Cohort::new(config), Vec::new()))
    }

    pub(super) fn give_back(&self, room: Room) {
        let mut list = self.list();
        let left: usize = list.iter().map(held).sum();
        if left + held(&room) <= LEFT_BYTES {
            list.push(room);
        }
    }

    /// Bytes that are left behind.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.list().iter().map(held).sum()
    }

    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.list().clear();
    }

    fn list(&self) -> MutexGuard<'_, Vec<Room>> {
        // Whoever panicked held nothing but a list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn held((cohort, passes): &Room) -> usize {
    cohort.held() + passes.iter().map(Pass::held).sum::<usize>()
}

/// About the bytes beside the weights while `rows` states are asked in one call, by one caller: what stays while others
/// compute, and the rest. Room is left behind for the next call, and what draws keep stays until they are judged.
pub(in crate::model::dit) fn room_bytes(
    config: &DitConfig,
    pass: cost::Pass,
    rows: usize,
) -> [usize; 2] {
    let cohort = Cohort::bytes(config);
    let piece = config.piece(rows);
    // Values: room of as many pieces as there are cores.
    let tiles = config.tiles_of(piece).min(config.tiles_in_step());
    let room = cohort + tiles * Pass::bytes(config, Keep::Nothing);
    let rooms = rows.div_ceil(piece).min(rayon::current_num_threads());
    let left = rooms.min(LEFT_BYTES / room) * room;
    if pass == cost::Pass::Forward {
        return [left, rooms * room - left];
    }
    // Gradients: room of all pieces, as far as it may be at once.
    let rows = rows.min(config.rows_within(BurnImageMap::GRAPH_BYTES));
    let piece = config.piece(rows);
    let tile = Pass::bytes(config, Keep::ForStates);
    let held = |rows: usize| cohort * usize::from(rows > 0) + config.tiles_of(rows) * tile;
    let kept = rows / piece * held(piece) + held(rows % piece);
    // Room that is not left for the next call goes back to the heaps of several threads, and the next call may ask another
    // of them for it: as much again, measured with XL/2 of two rows.
    let again = kept - (LEFT_BYTES / held(piece) * held(piece)).min(kept);
    [left + kept, again.min(LEFT_BYTES)]
}

impl DitConfig {
    /// Images of a tile, at least one.
    pub(super) fn per_tile(&self) -> usize {
        (TILE / self.tokens()).max(1)
    }

    /// Tiles of an image, at least one.
    pub(super) fn tiles(&self) -> usize {
        self.tokens().div_ceil(TILE)
    }

    /// Tiles of so many images.
    fn tiles_of(&self, images: usize) -> usize {
        images.div_ceil(self.per_tile()) * self.tiles()
    }

    /// Tiles that go through the blocks in step.
    pub(super) fn tiles_in_step(&self) -> usize {
        if self.tiles() > 1 {
            self.tiles()
        } else {
            march::STEP
        }
    }

    /// Images that do.
    pub(super) fn in_step(&self) -> usize {
        self.tiles_in_step() / self.tiles() * self.per_tile()
    }

    /// Rows of a piece of work: whole vectors, so that a few images still keep every core busy.
    pub(super) fn piece(&self, rows: usize) -> usize {
        let share = rows.div_ceil(rayon::current_num_threads().max(1)).max(1);
        let vector = (LINE / self.tokens()).max(1);
        share.next_multiple_of(vector).min(COHORT)
    }

    /// Rows whose gradients are computed at once, so that the room of their tiles stays within a bound.
    pub(super) fn rows_within(&self, bytes: u64) -> usize {
        let tiles = bytes / Pass::bytes(self, Keep::ForStates).max(1) as u64;
        let images = (tiles as usize).saturating_mul(self.per_tile()) / self.tiles();
        images.max(self.per_tile())
    }
}
