//! Room for one tile on its way through the blocks.

use super::attention::Heads;
use super::cohort::CohortGradient;
use super::read::Read;
use super::spread::First;
use crate::model::DitConfig;
use crate::model::outer::transposed_len;
use crate::model::simd::{Buffer, TILE};

/// What a block leaves behind for its derivatives.
pub(super) struct Kept {
    /// What `qkv` and `fc1` read.
    pub(super) read: [Read; 2],
    pub(super) qkv: Buffer,
    pub(super) weights: Buffer,
    pub(super) attended: Buffer,
    /// What attention and the small network put out, before their gates.
    pub(super) out: [Buffer; 2],
    pub(super) active: Buffer,
    pub(super) slope: Buffer,
}

/// Where gradients with respect to the cohort's vectors and to the weights go, if anywhere.
pub(super) type Sink<'a> = Option<(&'a mut CohortGradient, &'a mut [f32])>;

/// Room for one tile.
pub(super) struct Pass {
    pub(super) heads: Heads,
    /// Patches of the states and of the conditioning states, `[numbers of a patch][TILE]`.
    pub(super) x: Buffer,
    pub(super) x_cond: Buffer,
    /// The conditioning patches after their layer.
    pub(super) cond: Buffer,
    /// The tokens on their way.
    pub(super) h: Buffer,
    pub(super) kept: Vec<Kept>,
    /// What the last layer reads.
    pub(super) last_read: Read,
    /// What the last layer puts out, `[numbers of a patch][TILE]`.
    pub(super) out: Buffer,
    /// Derivatives on their way.
    pub(super) d_h: Buffer,
    pub(super) d_x: Buffer,
    pub(super) d_x_cond: Buffer,
    pub(super) d_out: Buffer,
    pub(super) wide: [Buffer; 3],
    pub(super) room: Vec<f32>,
    pub(super) transposed: Buffer,
    /// The image of the cohort that the tile begins with.
    pub(super) first: First,
}

impl Pass {
    /// `keep`: whether derivatives are asked for.
    pub(super) fn new(config: &DitConfig, keep: bool) -> Self {
        let d = config.hidden_size;
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        let heads = Heads {
            width: d,
            count: config.num_heads,
            tokens: config.tokens(),
        };
        let kept = || Kept {
            read: [Read::new(d), Read::new(d)],
            qkv: tile(3 * d),
            weights: Buffer::zeroed(heads.weights_len()),
            attended: tile(d),
            out: [tile(d), tile(d)],
            active: tile(4 * d),
            slope: tile(4 * d),
        };
        let numbers = config.patch_numbers();
        Self {
            heads,
            x: tile(numbers),
            x_cond: tile(numbers),
            cond: tile(d),
            h: tile(d),
            kept: (0..if keep { config.depth } else { 1 })
                .map(|_| kept())
                .collect(),
            last_read: Read::new(d),
            out: tile(numbers),
            d_h: tile(d),
            d_x: tile(numbers),
            d_x_cond: tile(numbers),
            d_out: tile(numbers),
            wide: [tile(4 * d), tile(4 * d), tile(4 * d)],
            room: Vec::new(),
            first: First(0),
            transposed: Buffer::zeroed(transposed_len((4 * d).max(numbers).next_multiple_of(16))),
        }
    }
}
