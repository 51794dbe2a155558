//! What steered latents look like becoming while they are on their way, by a decoder that is too slow for every step.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::model::{Going, Wanted};
use crate::session::StoredPicture;

use super::picture_view::PictureView;
use super::studio::lock;
use super::studio_message::{Preview, StudioRun};

/// How often it is seen whether there is a new step.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// Rest after a preview, in times of what it took: the cores belong to the steps.
const REST: u32 = 2;

/// Decodes the newest step of one run after the other at half the resolution, until all are done or none is wanted.
pub(super) fn preview_runs(view: &PictureView, shelves: &[Mutex<StudioRun>], wanted: &Wanted) {
    let wanted = || wanted.still();
    let under_way = || shelves.iter().any(|shelf| !lock(shelf).done);
    while wanted() && under_way() {
        let begun = Instant::now();
        if let Some(shelf) = furthest_behind(shelves) {
            let made = std::panic::AssertUnwindSafe(|| preview(view, shelf, &wanted));
            if std::panic::catch_unwind(made).is_err() {
                // The runs say what is wrong with their decoder; they end without previews.
                return;
            }
        }
        let rested = begun + begun.elapsed() * (1 + REST);
        std::thread::sleep(BETWEEN_LOOKS);
        while Instant::now() < rested && wanted() && under_way() {
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// The run whose newest step is the most steps after its preview.
fn furthest_behind(shelves: &[Mutex<StudioRun>]) -> Option<&Mutex<StudioRun>> {
    let behind = |run: &StudioRun| {
        let seen = run.preview.as_ref().map_or(0, |seen| seen.number + 1);
        run.frames.len().saturating_sub(seen)
    };
    let behind = |shelf: &&Mutex<StudioRun>| {
        let run = lock(shelf);
        if run.done { 0 } else { behind(&run) }
    };
    let most = shelves.iter().max_by_key(behind)?;
    (behind(&most) > 0).then_some(most)
}

/// The preview of a run's newest step, told on the shelf; `None` where the run ended before.
fn preview(view: &PictureView, shelf: &Mutex<StudioRun>, wanted: Going<'_>) -> Option<()> {
    let (number, frame) = {
        let run = lock(shelf);
        (run.frames.len().checked_sub(1)?, run.frames.last()?.clone())
    };
    let mut pictures = Vec::new();
    for particle in 0.. {
        let Some(expected) = frame.expected(particle) else {
            break;
        };
        let half = view.half(expected, &|| wanted() && !lock(shelf).done)?;
        pictures.extend(StoredPicture::rounded(&half));
    }
    let mut run = lock(shelf);
    if !run.done {
        run.preview = Some(Preview {
            number,
            pictures: pictures.into(),
        });
    }
    Some(())
}
