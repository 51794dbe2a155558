//! What the network costs: operations of its matrix products, and memory.

use super::native::room_bytes;
use super::{DitConfig, NativeDit};
use crate::model::{BurnImageMap, Memory, Precision};

/// Numbers a token's width that are alive at once in one block without a graph: the residual, the normed and modulated
/// input, queries, keys and values and their copies by heads, the inner layer and the two factors of its activation.
const ALIVE: u64 = 20;
/// Numbers a token's width that a block leaves in the graph. Measured on the processor, with XL's width.
const KEPT: u64 = 26;
/// Squares of scores: alive without a graph, and left in it.
const SCORES_ALIVE: u64 = 2;
const SCORES_KEPT: u64 = 3;

/// What is asked of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Velocities alone.
    Forward,
    /// And their gradients by the states.
    Gradient,
}

/// What computes a network, which decides what memory it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The processor's own kernels, in f32, of shapes that [`NativeDit::supports`].
    OwnKernels,
    /// Burn, with weights kept in that type.
    Burn(Precision),
}

impl Through {
    /// What computes networks of this shape and type on the processor.
    pub fn on_processor(config: &DitConfig, precision: Precision) -> Self {
        if precision == Precision::F32 && NativeDit::supports(config) {
            Self::OwnKernels
        } else {
            Self::Burn(precision)
        }
    }

    /// The type of its weights.
    pub const fn precision(self) -> Precision {
        match self {
            Self::OwnKernels => Precision::F32,
            Self::Burn(precision) => precision,
        }
    }
}

/// How gradients by the states are computed through burn, so that their graph stays within a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backward {
    /// States in one graph.
    pub rows: usize,
    /// Whether only one block's graph is held at a time, because that of the whole network is too large even for one
    /// state.
    pub by_block: bool,
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

    /// How gradients are computed with graphs of at most `most` bytes, where one state allows it. What it is depends on
    /// the network alone, so that a state's gradient does not depend on the states beside it.
    pub fn backward(&self, most: u64) -> Backward {
        let by_block = self.graph(false) > most;
        let rows = most / self.graph(by_block).max(1);
        Backward {
            rows: (rows as usize).clamp(1, BurnImageMap::CHUNK),
            by_block,
        }
    }

    /// About what one call with so many states takes, of a gradient as it is computed: what `through` says does that. The
    /// test of the kernels' rooms holds what is said of them beside what they take, `foresight bench model` all of it beside
    /// what the program takes; how a device keeps what it freed adds to that.
    pub fn memory(&self, through: Through, pass: Pass, rows: usize) -> Memory {
        let [stays, working] = match through {
            Through::OwnKernels => room_bytes(self, pass, rows).map(|bytes| bytes as u64),
            Through::Burn(_) => [0, self.working_through_burn(pass, rows)],
        };
        Memory {
            weights: self.parameters() * through.precision().bytes() + stays,
            working,
        }
    }

    fn working_through_burn(&self, pass: Pass, rows: usize) -> u64 {
        let at_once = |most: usize| rows.min(most) as u64;
        let forward = at_once(BurnImageMap::CHUNK) * self.alive();
        match pass {
            Pass::Forward => forward,
            Pass::Gradient => {
                let backward = self.backward(BurnImageMap::GRAPH_BYTES);
                let row = self.alive() + self.graph(backward.by_block);
                forward.max(at_once(backward.rows) * row)
            }
        }
    }

    /// Bytes that one state has in memory in a block without a graph.
    fn alive(&self) -> u64 {
        self.numbers(ALIVE, SCORES_ALIVE) * Precision::F32.bytes()
    }

    /// Bytes of one state's graph: the network's, or one block's with what entered the others.
    fn graph(&self, by_block: bool) -> u64 {
        let (depth, block) = (self.depth as u64, self.numbers(KEPT, SCORES_KEPT));
        let numbers = if by_block {
            block + depth * self.numbers(1, 0)
        } else {
            block * depth
        };
        numbers * Precision::F32.bytes()
    }

    /// So many times all tokens of a state, and squares of scores.
    fn numbers(&self, tokens: u64, scores: u64) -> u64 {
        let own = self.tokens() as u64;
        let keys = own * if self.use_joint_attention { 2 } else { 1 };
        tokens * own * self.hidden_size as u64 + scores * self.num_heads as u64 * own * keys
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
    fn a_gradient_keeps_its_graph_within_a_bound_and_one_block_at_a_time_where_one_state_is_too_much()
     {
        let xl = DitConfig::imagenet("XL", 2).unwrap();
        let of = |gib: f64| xl.backward((gib * f64::from(1 << 30)) as u64);
        let whole = of(4.0);
        assert!(!whole.by_block && (1..4).contains(&whole.rows), "{whole:?}");
        let by_block = of(1.0);
        assert!(by_block.by_block && by_block.rows > 8, "{by_block:?}");
        // At least one state, whatever it takes.
        let least = Backward {
            rows: 1,
            by_block: true,
        };
        assert_eq!(of(0.0), least);
        assert_eq!(DitConfig::digits().backward(4 << 30).rows, 64);
    }

    #[test]
    fn memory_grows_with_rows_and_gradients_and_halves_are_smaller() {
        let config = DitConfig::imagenet("XL", 2).unwrap();
        let of = |pass, rows, precision| {
            let memory = config.memory(Through::Burn(precision), pass, rows);
            memory.bytes()
        };
        let weights = config.parameters() * 4;
        let one = of(Pass::Forward, 1, Precision::F32) - weights;
        assert_eq!(of(Pass::Forward, 4, Precision::F32), weights + 4 * one);
        assert!(of(Pass::Gradient, 1, Precision::F32) > of(Pass::Forward, 16, Precision::F32) / 4);
        // However many states there are, a gradient stays within the bound.
        let many = of(Pass::Gradient, 1000, Precision::F32);
        assert!(many < weights + BurnImageMap::GRAPH_BYTES + 64 * one);
        assert_eq!(
            of(Pass::Forward, 1, Precision::F32) - of(Pass::Forward, 1, Precision::F16),
            weights / 2
        );
    }

    #[test]
    fn on_the_processor_supported_shapes_have_kernels_of_their_own() {
        let config = DitConfig::imagenet("XL", 2).unwrap();
        let own = Through::on_processor(&config, Precision::F32);
        assert_eq!(own, Through::OwnKernels);
        let halves = Through::on_processor(&config, Precision::F16);
        assert_eq!(halves, Through::Burn(Precision::F16));
        let joint = DitConfig {
            use_joint_attention: true,
            ..config.clone()
        };
        let other = Through::on_processor(&joint, Precision::F32);
        assert_eq!(other, Through::Burn(Precision::F32));
        // The tiles of an image keep 415 MB for its gradient, and no more than the bound of many.
        let of = |pass, rows| config.memory(own, pass, rows).bytes();
        let kept = of(Pass::Gradient, 1) - of(Pass::Forward, 1);
        assert!((415_000_000..550_000_000).contains(&kept), "{kept}");
        let many = of(Pass::Gradient, 1000);
        let most = config.parameters() * 4 + BurnImageMap::GRAPH_BYTES + (2 << 30);
        assert!(many < most, "{many}");
    }
}
