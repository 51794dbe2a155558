//! Room for one tile on its way through the blocks.

use super::attention::Heads;
use super::cohort::CohortGradient;
use super::read::Read;
use super::spread::First;
use crate::model::DitConfig;
use crate::model::outer::transposed_len;
use crate::model::simd::{Buffer, TILE};

/// What is asked of a pass after its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Nothing.
    Nothing,
    /// Gradients with respect to the states.
    ForStates,
    /// Derivatives along a direction, gradients with respect to the weights: sums over all lanes of a tile.
    All,
}

/// What a block leaves behind for gradients with respect to the states.
pub(super) struct Kept {
    /// How `qkv` and `fc1` read.
    pub(super) read: [Read; 2],
    pub(super) qkv: Buffer,
    pub(super) weights: Buffer,
    pub(super) slope: Buffer,
}

/// What it further leaves behind for all other derivatives.
pub(super) struct Seen {
    /// What `qkv` and `fc1` read.
    pub(super) read: [Buffer; 2],
    pub(super) attended: Buffer,
    /// What attention and the small network put out, before their gates.
    pub(super) out: [Buffer; 2],
    pub(super) active: Buffer,
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
    /// Of each block, or of the last one that was passed.
    pub(super) kept: Vec<Kept>,
    pub(super) seen: Vec<Seen>,
    /// How and what the last layer reads.
    pub(super) last_read: Read,
    pub(super) last_seen: Buffer,
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
    /// Which of an image's tiles it is, where one does not hold all its tokens.
    pub(super) tile: usize,
    keep: Keep,
    /// Lanes that matter; the others hold anything.
    pub(super) live: usize,
}

impl Pass {
    /// Room for what `keep` says.
    pub(super) fn new(config: &DitConfig, keep: Keep) -> Self {
        let d = config.hidden_size;
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        let heads = Heads {
            width: d,
            count: config.num_heads,
            tokens: config.tokens().min(TILE),
            tiles: config.tokens().div_ceil(TILE),
            images: 0,
        };
        let kept = || Kept {
            read: [Read::new(d), Read::new(d)],
            qkv: tile(3 * d),
            weights: Buffer::zeroed(heads.weights_len()),
            slope: tile(4 * d),
        };
        let seen = || Seen {
            read: [tile(d), tile(d)],
            attended: tile(d),
            out: [tile(d), tile(d)],
            active: tile(4 * d),
        };
        let blocks = |each: bool| if each { config.depth } else { 1 };
        let (numbers, put_out) = (config.patch_numbers(), config.final_numbers());
        Self {
            heads,
            x: tile(numbers),
            x_cond: tile(numbers),
            cond: tile(d),
            h: tile(d),
            kept: (0..blocks(keep != Keep::Nothing)).map(|_| kept()).collect(),
            seen: (0..blocks(keep == Keep::All)).map(|_| seen()).collect(),
            last_read: Read::new(d),
            last_seen: tile(d),
            out: tile(put_out),
            d_h: tile(d),
            d_x: tile(numbers),
            d_x_cond: tile(numbers),
            d_out: tile(put_out),
            wide: [tile(4 * d), tile(4 * d), tile(4 * d)],
            room: Vec::new(),
            first: First(0),
            tile: 0,
            keep,
            live: 0,
            transposed: Buffer::zeroed(transposed_len((4 * d).max(numbers).next_multiple_of(16))),
        }
    }

    /// The tile holds so many images from now on.
    pub(super) fn holds(&mut self, images: usize) {
        // A sum over lanes goes over those of images that are not there too, with zeros from behind.
        self.heads.images = if self.keep == Keep::All {
            TILE / self.heads.tokens
        } else {
            images
        };
        self.live = self.heads.images * self.heads.tokens;
    }

    /// About the bytes of this room.
    pub(super) fn bytes(&self) -> usize {
        let (d, keys) = (self.heads.width, self.heads.tokens * self.heads.tiles);
        let kept = self.kept.len() * (9 * d + self.heads.count * keys);
        let numbers = kept + (9 * self.seen.len() + 24) * d;
        numbers * TILE * size_of::<f32>()
    }

    /// Bytes of what a tile keeps for gradients with respect to the states.
    pub(super) fn kept_bytes(config: &DitConfig) -> usize {
        let block = 9 * config.hidden_size + config.num_heads * config.tokens();
        config.depth * block * TILE * size_of::<f32>()
    }
}
