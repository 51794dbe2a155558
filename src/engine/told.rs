//! How far long jobs are, as a person is told.

use std::time::{Duration, Instant};

use super::message::{Progress, RequestId};
use super::worker::Job;

/// Jobs shorter than this do not report progress: it would only flicker.
const QUIET: Duration = Duration::from_millis(250);
/// Progress is told no more often than this: each report paints a frame.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);
/// What was told is told again after this time: it may have been lost among answers.
const AGAIN: Duration = Duration::from_secs(1);
/// The share from which on the time left can be told, of jobs that have not taken long yet.
const KNOWN_SHARE: f32 = 0.02;
/// Jobs that took so long have done enough to reckon with.
const LONG: Duration = Duration::from_secs(5);

/// What was told last, and what is known of the pace.
#[derive(Default)]
pub(super) struct Told {
    at: Option<Instant>,
    last: Option<(RequestId, Progress)>,
    /// The share of a job when it last grew, and the time that it had taken then.
    grown: Option<(RequestId, f32, Duration)>,
}

impl Told {
    /// What is to be told now of a job whose share done is `fraction`; `None` where that is what was told already, or
    /// too soon.
    pub fn next(&mut self, job: &Job, fraction: Option<f32>) -> Option<Progress> {
        let spent = job.started.elapsed();
        let left = fraction.and_then(|share| self.left(job.id, share, spent));
        if spent <= QUIET || self.at.is_some_and(|at| at.elapsed() <= BETWEEN_REPORTS) {
            return None;
        }
        let told = Progress {
            label: job.label.clone(),
            // As finely as a bar and words show it.
            fraction: fraction.map(|share| (share * 1000.0).round() / 1000.0),
            left: left.map(|left| Duration::from_secs(left.as_secs_f64().round() as u64)),
        };
        let is_fresh = self.at.is_some_and(|at| at.elapsed() < AGAIN);
        if is_fresh && self.last.as_ref() == Some(&(job.id, told.clone())) {
            return None;
        }
        self.at = Some(Instant::now());
        self.last = Some((job.id, told.clone()));
        Some(told)
    }

    /// The time left: reckoned whenever the share grows, and going by between. A call of a large network takes seconds in
    /// which the share stands still; from the share alone the time left would grow meanwhile. Of a job that takes longer than
    /// was reckoned nobody knows.
    fn left(&mut self, id: RequestId, share: f32, spent: Duration) -> Option<Duration> {
        let before = self.grown.filter(|grown| (grown.0, grown.1) == (id, share));
        let (_, share, taken) = before.unwrap_or((id, share, spent));
        self.grown = Some((id, share, taken));
        let is_known = share > KNOWN_SHARE || (share > 0.0 && taken > LONG);
        if !is_known {
            return None;
        }
        let left = taken.mul_f32((1.0 - share).max(0.0) / share);
        left.checked_sub(spent.saturating_sub(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_goes_by_while_the_share_stands_still() {
        let mut told = Told::default();
        let mut left = |id, share, secs| {
            let left = told.left(RequestId(id), share, Duration::from_secs(secs));
            left.map(|left| left.as_secs_f32().round() as u64)
        };
        assert_eq!(left(1, 0.0, 0), None);
        assert_eq!(left(1, 0.1, 10), Some(90));
        assert_eq!(left(1, 0.1, 30), Some(70));
        assert_eq!(left(1, 0.1, 100), Some(0));
        assert_eq!(left(1, 0.1, 101), None);
        assert_eq!(left(1, 0.1, 200), None);
        // It was reckoned too short: from here on with what is known now.
        assert_eq!(left(1, 0.2, 210), Some(840));
        // Another job, at the same share.
        assert_eq!(left(2, 0.2, 4), Some(16));
        // A small share says something once it took long, and not before.
        assert_eq!(left(3, 0.01, 4), None);
        assert_eq!(left(3, 0.012, 6), Some(494));
    }
}
