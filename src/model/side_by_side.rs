//! Large pieces of work side by side, where cores and memory allow it, in the whole program together; and an end to them
//! when nobody waits any more.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::memory::free_memory;

/// Whether somebody still waits for an answer; to be shared with who makes it.
#[derive(Clone, Debug, Default)]
pub struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// Whether it is.
    pub fn still(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Nobody does any more, for good.
    pub fn withdraw(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asked between the steps of what takes long: whether to go on.
pub type Going<'a> = &'a (dyn Fn() -> bool + Sync);

/// Bytes that all pieces at work may take: two gradients through the full autoencoder at 256 x 256, or a dozen pictures. A
/// larger one is at work alone.
const MOST_BYTES: u64 = 5 << 30;
/// Smaller ones do not ask whether there is memory.
const SMALL: u64 = 64 << 20;
/// How often those who wait look whether they still should.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What is at work.
struct Load {
    pieces: usize,
    bytes: u64,
}

static LOAD: Mutex<Load> = Mutex::new(Load {
    pieces: 0,
    bytes: 0,
});
static LESS: Condvar = Condvar::new();

fn load() -> MutexGuard<'static, Load> {
    // Two numbers that are valid between any two statements.
    LOAD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many pieces of so many bytes are at work at once where nothing else is.
pub fn at_once(bytes: u64) -> usize {
    let fit = usize::try_from(MOST_BYTES / bytes.max(1)).unwrap_or(usize::MAX);
    fit.clamp(1, cores())
}

/// A piece at work, until it is dropped.
struct Turn(u64);

impl Turn {
    /// Waits until there is room; `None` when nobody waits for it any more. Who only helps leaves cores and memory to
    /// others.
    fn take(bytes: u64, helps: bool, going: Going<'_>) -> Option<Self> {
        let mut load = load();
        loop {
            if !going() {
                return None;
            }
            let fits = load.pieces == 0 || load.bytes.saturating_add(bytes) <= MOST_BYTES;
            let may = !helps || (load.pieces < cores() && is_free(bytes));
            if fits && may {
                load.pieces += 1;
                load.bytes = load.bytes.saturating_add(bytes);
                return Some(Self(bytes));
            }
            let waited = LESS.wait_timeout(load, BETWEEN_LOOKS);
            load = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut load = load();
        load.pieces -= 1;
        load.bytes -= self.0;
        LESS.notify_all();
    }
}

/// Whether the machine has the memory for one piece more, as far as it tells.
fn is_free(bytes: u64) -> bool {
    bytes < SMALL || free_memory().is_none_or(|free| free > bytes.saturating_mul(2))
}

/// The results of `work` on each of `count` pieces of about `bytes` bytes, in their order: on this thread, and on others
/// where nothing else needs them. `None` once `going` says that nobody waits any more, or when `work` gave none.
///
/// `work` must not ask for this again: it might wait for itself.
pub fn side_by_side<T: Send>(
    count: usize,
    bytes: u64,
    at_most: usize,
    going: Going<'_>,
    work: impl Fn(usize) -> Option<T> + Sync,
) -> Option<Vec<T>> {
    let next = AtomicUsize::new(0);
    let is_left = || next.load(Ordering::Relaxed) < count && going();
    let go = |helps: bool| {
        let mut made = Vec::new();
        while let Some(_turn) = Turn::take(bytes, helps, &is_left) {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= count {
                break;
            }
            let Some(result) = work(piece) else { break };
            made.push((piece, result));
        }
        made
    };
    let helpers = at_once(bytes).min(at_most).min(count).saturating_sub(1);
    let mut made = std::thread::scope(|scope| {
        let others: Vec<_> = (0..helpers).map(|_| scope.spawn(|| go(true))).collect();
        let mut made = go(false);
        for other in others {
            made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        made
    });
    if made.len() < count {
        return None;
    }
    made.sort_by_key(|(piece, _)| *piece);
    Some(made.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_come_from_as_many_threads_as_there_is_room_for() {
        for (bytes, most) in [(0, cores()), (MOST_BYTES, 1), (u64::MAX, 1)] {
            assert_eq!(at_once(bytes), most);
            let alone = AtomicUsize::new(0);
            let found = side_by_side(23, bytes, usize::MAX, &|| true, |piece| {
                let others = alone.fetch_add(1, Ordering::SeqCst);
                assert!(others < most, "{others} others");
                std::thread::yield_now();
                alone.fetch_sub(1, Ordering::SeqCst);
                Some(piece * piece)
            });
            let squares: Vec<usize> = (0..23).map(|i| i * i).collect();
            assert_eq!(found, Some(squares));
        }
        assert_eq!(
            side_by_side(0, 1, 4, &|| true, Some),
            Some(Vec::<usize>::new())
        );
    }

    #[test]
    fn pieces_that_are_large_wait_for_each_other_whoever_asks() {
        let at_work = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let most = MOST_BYTES / 2 + 1;
                    side_by_side(3, most, usize::MAX, &|| true, |_| {
                        let others = at_work.fetch_add(1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(2));
                        at_work.fetch_sub(1, Ordering::SeqCst);
                        (others == 0).then_some(())
                    })
                    .unwrap();
                });
            }
        });
    }

    #[test]
    fn nothing_more_is_begun_when_nobody_waits() {
        let wanted = Wanted::default();
        let begun = AtomicUsize::new(0);
        let found = side_by_side(100, 1, 1, &|| wanted.still(), |piece| {
            begun.fetch_add(1, Ordering::SeqCst);
            if piece == 4 {
                wanted.withdraw();
            }
            Some(piece)
        });
        assert_eq!((found, begun.into_inner()), (None, 5));
        // Nor waited for: here one that never ends.
        let whole = Turn::take(MOST_BYTES, false, &|| true).unwrap();
        assert!(Turn::take(1, false, &|| wanted.still()).is_none());
        drop(whole);
    }
}
