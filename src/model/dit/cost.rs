//! What the network costs: operations of its matrix products, and memory.

use super::DitConfig;
use crate::model::Precision;

/// Numbers a token's width that are alive at once in one block without a graph: the residual, the normed and modulated
/// input, queries, keys and values and their copies by heads, the inner layer and the two factors of its activation.
const ALIVE: u64 = 20;
/// Numbers a token's width that a block leaves in the graph.
const KEPT: u64 = 60;
/// Squares of scores: alive without a graph, and left in it.
const SCORES_ALIVE: u64 = 2;
const SCORES_KEPT: u64 = 4;

/// What is asked of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Velocities alone.
    Forward,
    /// And their gradients by the states.
    Gradient,
}

impl DitConfig {
    /// Multiplications and additions in the matrix products of one evaluation of one state, two for each pair.
    pub fn operations(&self) -> u64 {
        let d = self.hidden_size as u64;
        let (tokens, depth) = (self.tokens() as u64, self.depth as u64);
        let joint = u64::from(self.use_joint_attention);
        let patch = self.patch_numbers() as u64 * d;
        let inner = 2 * Self::MLP_RATIO as u64;
        // Scores and weighted values, with the conditioning state's patches as further keys.
        let attention = 2 * tokens * (1 + joint) * d;
        let block = (4 + inner + 2 * joint) * d * d + joint * patch + attention;
        let token = 2 * patch + depth * block + self.final_numbers() as u64 * d;
        let times = 5 * (Self::TIME_FEATURES as u64 * d + d * d);
        let vectors = 2 * d * d + depth * self.modulations() as u64 * d * d + 2 * d * d;
        2 * (tokens * token + times + vectors)
    }

    /// About how many bytes so many states at once take, weights included. Measured beside it by `foresight bench
    /// model`; how a device keeps what it freed adds to it.
    pub fn bytes(&self, pass: Pass, rows: usize, precision: Precision) -> u64 {
        let own = Precision::F32.bytes();
        let wide = self.tokens() as u64 * self.hidden_size as u64;
        let squares = self.num_heads as u64 * self.tokens() as u64 * self.tokens() as u64;
        let squares = squares * if self.use_joint_attention { 2 } else { 1 };
        let one = |numbers: u64, scores: u64| (numbers * wide + scores * squares) * own;
        let alive = one(ALIVE, SCORES_ALIVE);
        let row = match pass {
            Pass::Forward => alive,
            Pass::Gradient => alive + self.depth as u64 * one(KEPT, SCORES_KEPT),
        };
        self.parameters() * precision.bytes() + rows as u64 * row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_transformers_cost_what_is_published() {
        // DiT-XL/2 at 256 pixels has 118.6 and DiT-S/8 0.36 billion pairs of operations (arXiv 2212.09748, table 9); the
        // conditioning state's patches and four more time embedders come to it.
        for (letter, patch, billions) in [("XL", 2, 118.6), ("S", 8, 0.36)] {
            let config = DitConfig::imagenet(letter, patch).unwrap();
            let pairs = config.operations() as f64 / 2e9;
            assert!((pairs / billions - 1.0).abs() < 0.06, "{letter}: {pairs}");
        }
    }

    #[test]
    fn memory_grows_with_rows_and_gradients_and_halves_are_smaller() {
        let config = DitConfig::imagenet("XL", 2).unwrap();
        let of = |pass, rows, precision| config.bytes(pass, rows, precision);
        let weights = config.parameters() * 4;
        let one = of(Pass::Forward, 1, Precision::F32) - weights;
        assert_eq!(of(Pass::Forward, 4, Precision::F32), weights + 4 * one);
        assert!(of(Pass::Gradient, 1, Precision::F32) > of(Pass::Forward, 16, Precision::F32) / 4);
        assert_eq!(
            of(Pass::Forward, 1, Precision::F32) - of(Pass::Forward, 1, Precision::F16),
            weights / 2
        );
    }
}
