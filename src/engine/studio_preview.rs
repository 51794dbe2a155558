//! What steered latents look like becoming while they are on their way, by a decoder that is too slow for every step.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::session::StoredPicture;

use super::studio_message::Preview;
use super::studio_runs::Runs;
use super::worker::cause_of;

/// How often it is seen whether there is a new step.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);
/// Rest after a preview, in times of what it took: the cores belong to the steps.
const REST: u32 = 2;

/// Decodes the newest step of one run after the other at half the resolution, until all are done or none is wanted.
pub(super) fn preview_runs(runs: &Runs) {
    previews(runs, preview);
}

fn previews(runs: &Runs, preview: fn(&Runs, usize) -> Option<()>) {
    let under_way = || runs.are_wanted() && (0..runs.len()).any(|panel| !runs.shelf(panel).done);
    while under_way() {
        let begun = Instant::now();
        if let Some(panel) = furthest_behind(runs)
            && let Err(panic) = catch_unwind(AssertUnwindSafe(|| preview(runs, panel)))
        {
            // The runs go on: what is wrong with their decoder they find themselves, and say it.
            let cause = cause_of(&*panic);
            tracing::error!("a preview of steered latents panicked: {cause}");
            runs.leave_unseen(cause);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Command;
    use crate::engine::images_fallback::Asked;
    use crate::engine::latents_tests::{latents, studio_request};
    use crate::engine::mailbox::Mailbox;
    use crate::engine::message::Slot;
    use crate::engine::studio_message::StudioRun;
    use crate::engine::worker::{Job, Worker};
    use crate::session::{ComputeChoice, StudioStart};
    use crate::steer::images::ImageFrame;

    #[test]
    fn previews_that_panic_are_told_of_and_taken_away() {
        let model = latents();
        let mailbox = Arc::<Mailbox>::default();
        let wake = Arc::new(|| {});
        let (choice, outbox) = (ComputeChoice::Cpu, Arc::default());
        let mut worker = Worker::new(mailbox.clone(), outbox, None, choice, wake);
        let request = studio_request(&model, &StudioStart::Noise);
        let id = mailbox.submit(Command::Studio(request.clone()));
        let job = Job::new(id, Slot::Studio, "steering");
        let order = Arc::new(worker.order(&job, request).ok().unwrap());
        let frame = |step| {
            Arc::new(ImageFrame {
                step,
                t: 0.1 * f64::from(step),
                x: vec![0.0; 128],
                mean: vec![0.0; 128],
                values: vec![0.0; 2],
                counters: crate::metrics::Counters::default(),
            })
        };
        let run = StudioRun {
            frames: vec![frame(0), frame(1)],
            preview: Some(Preview {
                number: 0,
                pictures: vec![0; 2 * 192].into(),
            }),
            ..StudioRun::default()
        };
        let runs = Runs::new(&order, Asked::here(&model), vec![run; 3]).unwrap();
        previews(&runs, |_, _| panic!("no memory\nwith a long story"));
        let answer = runs.answer();
        assert_eq!(answer.unseen.as_deref(), Some("no memory"));
        let is_seen = |run: &StudioRun| run.preview.is_some();
        assert!(!answer.panels.iter().any(is_seen), "an old step is no news");
    }
}
