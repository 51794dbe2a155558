//! Rewards of a state's draws as weights, and sums over them.

use crate::steer::log_mean::LogMean;
use crate::steer::particles::softmax;

/// Log-mean-exp of the rewards of one state's draws, and their weights.
pub(super) fn weigh(scores: &[f32]) -> (f64, Vec<f64>) {
    let mut mean = LogMean::default();
    let scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    for score in &scores {
        mean.add(*score, [0.0; 2]);
    }
    (mean.value(), softmax(&scores))
}

/// Adds rows `first..` of which `n` belong to each state to those states, `[states][numbers]`.
pub(super) fn add_by_state(
    rows: &[f32],
    (first, n): (usize, usize),
    numbers: usize,
    to: &mut [f32],
) {
    for (row, from) in (first..).zip(rows.chunks_exact(numbers)) {
        let to = &mut to[row / n * numbers..(row / n + 1) * numbers];
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    }
}

/// What the reward says of points, some of each state.
pub(super) struct Judged {
    /// Log-mean-exp of the rewards, a state.
    pub values: Vec<f64>,
    /// By how much a point's weight is above an even share.
    pub excess: Vec<f64>,
    /// The rewards' gradients times the weights.
    pub cotangent: Vec<f32>,
}
