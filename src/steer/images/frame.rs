//! The pictures at one time, as a run shows and keeps them.

use std::sync::Arc;

use crate::metrics::Counters;

/// The pictures at one time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageFrame {
    /// Number of the step that begins here, in the plan's own grid; `steps` at the data.
    pub step: u32,
    /// The time.
    pub t: f64,
    /// The states `[P][C H W]`, not rounded: a run goes on from here as if it had never stopped.
    pub x: Vec<f32>,
    /// What each state looks like becoming, `[P][C H W]`: the denoised mean `D_t(x)`; for the search the best of its
    /// futures; at the data the pictures themselves.
    pub mean: Vec<f32>,
    /// The method's estimate of the value of each state, `[P]`: the log-mean-exp of its futures' rewards; for the search
    /// the best one's reward; for what looks at no futures the reward of the mean. At the data the rewards.
    pub values: Vec<f64>,
    /// What was asked for until now.
    pub counters: Counters,
}

impl ImageFrame {
    /// How many pictures.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The state of a particle, `[C][H][W]`.
    pub fn state(&self, particle: usize) -> Option<&[f32]> {
        Self::part(&self.x, self.len(), particle)
    }

    /// What it looks like becoming, `[C][H][W]`.
    pub fn expected(&self, particle: usize) -> Option<&[f32]> {
        Self::part(&self.mean, self.len(), particle)
    }

    fn part(all: &[f32], count: usize, particle: usize) -> Option<&[f32]> {
        let numbers = all.len() / count.max(1);
        all.get(particle * numbers..(particle + 1) * numbers)
    }

    /// The last of `frames` that is not later than `t`, its number first. `None` of none.
    pub fn at(frames: &[Arc<Self>], t: f64) -> Option<(usize, &Arc<Self>)> {
        let after = frames.partition_point(|frame| frame.t <= t + 1e-9);
        let number = after.max(1) - 1;
        Some((number, frames.get(number)?))
    }
}

/// Who looks on: told how far the run is, shown its frames, and asked whether to go on.
pub trait ImageWatch {
    /// Whether the run is still wanted; `fraction` of it is done. Asked between network calls.
    fn keep_going(&mut self, fraction: f32) -> bool;
    /// The pictures before each step, and at the end.
    fn frame(&mut self, frame: &Arc<ImageFrame>) {
        let _ = frame;
    }
}

impl<F: FnMut(f32) -> bool> ImageWatch for F {
    fn keep_going(&mut self, fraction: f32) -> bool {
        self(fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_a_time_is_the_last_before_it_and_gives_each_its_own_part() {
        let frames: Vec<_> = [0.1, 0.5, 1.0]
            .map(|t| {
                Arc::new(ImageFrame {
                    t,
                    x: vec![1.0, 2.0, 3.0, 4.0],
                    mean: vec![5.0, 6.0, 7.0, 8.0],
                    values: vec![0.0, 1.0],
                    ..ImageFrame::default()
                })
            })
            .into();
        let at = |t| ImageFrame::at(&frames, t).unwrap().0;
        assert_eq!([at(0.0), at(0.1), at(0.6), at(1.0)], [0, 0, 1, 2]);
        assert_eq!(frames[0].state(1), Some(&[3.0, 4.0][..]));
        assert_eq!(frames[0].expected(0), Some(&[5.0, 6.0][..]));
        assert_eq!(frames[0].state(2), None);
        assert!(ImageFrame::at(&[], 0.5).is_none());
    }
}
