//! What steered latents look like becoming while they are on their way, by a decoder that is too slow for every step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::session::StoredPicture;

use super::studio_message::Preview;
use super::studio_runs::Runs;

/// How often it is seen whether there is a new step.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// Rest after a preview, in times of what it took: the cores belong to the steps.
const REST: u32 = 2;

/// Decodes the newest step of one run after the other at half the resolution, until all are done or none is wanted.
pub(super) fn preview_runs(runs: &Runs) {
    let under_way = || runs.are_wanted() && (0..runs.len()).any(|panel| !runs.shelf(panel).done);
    while under_way() {
        let begun = Instant::now();
        if let Some(panel) = furthest_behind(runs)
            && catch_unwind(AssertUnwindSafe(|| preview(runs, panel))).is_err()
        {
            // The runs say what is wrong with their decoder; they end without previews.
            return;
        }
        let rested = begun + begun.elapsed() * (1 + REST);
        std::thread::sleep(BETWEEN_LOOKS);
        while Instant::now() < rested && under_way() {
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// The run whose newest step is the most steps after its preview.
fn furthest_behind(runs: &Runs) -> Option<usize> {
    let behind = |panel: &usize| {
        let run = runs.shelf(*panel);
        let seen = run.preview.as_ref().map_or(0, |seen| seen.number + 1);
        let steps = run.frames.len().saturating_sub(seen);
        if run.done { 0 } else { steps }
    };
    let most = (0..runs.len()).max_by_key(behind)?;
    (behind(&most) > 0).then_some(most)
}

/// The preview of a run's newest step, told on the shelf; `None` where the run ended before.
fn preview(runs: &Runs, panel: usize) -> Option<()> {
    let (number, frame) = {
        let run = runs.shelf(panel);
        (run.frames.len().checked_sub(1)?, run.frames.last()?.clone())
    };
    let mut pictures = Vec::new();
    for particle in 0.. {
        let Some(expected) = frame.expected(particle) else {
            break;
        };
        let wanted = || runs.are_wanted() && !runs.shelf(panel).done;
        let half = runs.asked.view.half(expected, &wanted)?;
        pictures.extend(StoredPicture::rounded(&half));
    }
    let mut run = runs.shelf(panel);
    if !run.done {
        run.preview = Some(Preview {
            number,
            pictures: pictures.into(),
        });
    }
    Some(())
}
