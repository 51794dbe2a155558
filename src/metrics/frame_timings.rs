//! What a benchmark of the window beside large work gives back.

use serde::Serialize;

/// Frames of the window while something is under way beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FrameRow {
    /// What is under way.
    pub beside: String,
    /// Frames.
    pub frames: usize,
    /// Time over which they were painted, seconds.
    pub secs: f64,
    /// From the beginning of a frame to its pixels, median.
    pub median_ms: f64,
    /// The same, 99th percentile (the longest of few frames).
    pub p99_ms: f64,
    /// The same, longest.
    pub longest_ms: f64,
    /// The part of it in which the window's own thread takes in what came back and lays the frame out, median.
    pub own_median_ms: f64,
    /// The same, 99th percentile.
    pub own_p99_ms: f64,
    /// The same, longest.
    pub own_longest_ms: f64,
}

impl FrameRow {
    /// Of frames `[whole, own part]` in milliseconds that were painted over so many seconds; `None` of none.
    pub fn of(beside: &str, secs: f64, frames: &[[f64; 2]]) -> Option<Self> {
        let last = frames.len().checked_sub(1)?;
        let sorted = |part: usize| {
            let mut times: Vec<f64> = frames.iter().map(|frame| frame[part]).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (whole, own) = (sorted(0), sorted(1));
        let (middle, late) = (frames.len() / 2, (frames.len() * 99 / 100).min(last));
        Some(Self {
            beside: beside.to_owned(),
            frames: frames.len(),
            secs,
            median_ms: whole[middle],
            p99_ms: whole[late],
            longest_ms: whole[last],
            own_median_ms: own[middle],
            own_p99_ms: own[late],
            own_longest_ms: own[last],
        })
    }
}

/// How soon something that was called off is no longer waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CancelRow {
    /// What was called off.
    pub what: String,
    /// From the key to the pixels of the frame that shows it.
    pub answered_ms: f64,
    /// The longest frame meanwhile.
    pub longest_frame_ms: f64,
}

/// What the rendered window measures beside large work.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FrameTimings {
    /// Adapter that rendered.
    pub adapter: String,
    /// Whether it is a software rasteriser, on the same processor as the work.
    pub is_software: bool,
    /// Size of the window in pixels.
    pub size: [u32; 2],
    /// From the start of the window to the map that is ready to draw, seconds.
    pub opening_secs: f64,
    /// Frames.
    pub rows: Vec<FrameRow>,
    /// Frames whose pixels did not come in the time for which they are waited; they count with that time.
    pub lost_frames: u32,
    /// What was called off.
    pub cancels: Vec<CancelRow>,
    /// What was not measured, and why.
    pub left_out: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_the_middle_the_late_and_the_longest_of_both_parts() {
        assert_eq!(FrameRow::of("nothing", 1.0, &[]), None);
        let frames: Vec<[f64; 2]> = (0..200)
            .rev()
            .map(|k| [f64::from(k), f64::from(k) / 2.0])
            .collect();
        let row = FrameRow::of("a wall", 3.0, &frames).unwrap();
        assert_eq!((row.frames, row.secs), (200, 3.0));
        assert_eq!(
            (row.median_ms, row.p99_ms, row.longest_ms),
            (100.0, 198.0, 199.0)
        );
        assert_eq!(row.own_longest_ms, 99.5);
        let one = FrameRow::of("a wall", 3.0, &[[2.0, 1.0]]).unwrap();
        assert_eq!((one.p99_ms, one.own_median_ms), (2.0, 1.0));
    }
}
