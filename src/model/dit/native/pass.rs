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
    /// Derivatives on their way; nothing where values alone are asked for.
    pub(super) d_h: Buffer,
    pub(super) d_x: Buffer,
    pub(super) d_x_cond: Buffer,
    pub(super) d_out: Buffer,
    /// Of a block's inner width, and twice of its own.
    pub(super) wide: [Buffer; 3],
    /// Of [`Heads::room_len`].
    pub(super) room: Buffer,
    /// For the gradients of weights alone.
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
        Self::of(config, keep, &mut Buffer::zeroed)
    }

    /// Bytes of such room, which is not made.
    pub(super) fn bytes(config: &DitConfig, keep: Keep) -> usize {
        bytes_of(|make| {
            Self::of(config, keep, make);
        })
    }

    fn of(config: &DitConfig, keep: Keep, make: Make<'_>) -> Self {
        let (d, inner) = (
            config.hidden_size,
            DitConfig::MLP_RATIO * config.hidden_size,
        );
        let heads = Heads {
            width: d,
            count: config.num_heads,
            tokens: config.tokens().min(TILE),
            tiles: config.tokens().div_ceil(TILE),
            images: 0,
        };
        let blocks = |each: bool| if each { config.depth } else { 1 };
        let (goes_back, learns) = (keep != Keep::Nothing, keep == Keep::All);
        let (numbers, put_out) = (config.patch_numbers(), config.final_numbers());
        let transposed = transposed_len(inner.max(numbers).next_multiple_of(16));
        let mut tile = |features: usize| make(features * TILE);
        let kept = (0..blocks(goes_back)).map(|_| Kept {
            read: [Read::new(tile(d)), Read::new(tile(d))],
            qkv: tile(3 * d),
            weights: tile(heads.weights_len() / TILE),
            slope: tile(inner),
        });
        let kept = kept.collect();
        let seen = (0..blocks(learns)).map(|_| Seen {
            read: [tile(d), tile(d)],
            attended: tile(d),
            out: [tile(d), tile(d)],
            active: tile(inner),
        });
        let seen = seen.collect();
        // Nothing of what nobody looks at.
        let back = usize::from(goes_back);
        Self {
            heads,
            x: tile(numbers),
            x_cond: tile(numbers),
            cond: tile(d),
            h: tile(d),
            kept,
            seen,
            last_read: Read::new(tile(d)),
            last_seen: tile(d),
            out: tile(put_out),
            d_h: tile(back * d),
            d_x: tile(back * numbers),
            d_x_cond: tile(back * numbers),
            d_out: tile(back * put_out),
            wide: [inner, d, d].map(|features| tile(back * features)),
            room: make(back * heads.room_len()),
            transposed: make(usize::from(learns) * transposed),
            first: First(0),
            tile: 0,
            keep,
            live: 0,
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

    /// Bytes that this room takes.
    pub(super) fn held(&self) -> usize {
        // All parts by name, so that none is forgotten.
        let Self {
            heads: _,
            x,
            x_cond,
            cond,
            h,
            kept,
            seen,
            last_read,
            last_seen,
            out,
            d_h,
            d_x,
            d_x_cond,
            d_out,
            wide: [a, b, c],
            room,
            transposed,
            first: _,
            tile: _,
            keep: _,
            live: _,
        } = self;
        let kept = kept.iter().map(|kept| {
            let Kept {
                read,
                qkv,
                weights,
                slope,
            } = kept;
            read[0].bytes() + read[1].bytes() + held([qkv, weights, slope])
        });
        let seen = seen.iter().map(|seen| {
            let Seen {
                read,
                attended,
                out,
                active,
            } = seen;
            held([&read[0], &read[1], attended, &out[0], &out[1], active])
        });
        let own = held([
            x, x_cond, cond, h, last_seen, out, d_h, d_x, d_x_cond, d_out,
        ]);
        let rooms = held([a, b, c, room, transposed]);
        own + rooms + last_read.bytes() + kept.sum::<usize>() + seen.sum::<usize>()
    }
}

/// Makes room for so many numbers.
pub(super) type Make<'a> = &'a mut dyn FnMut(usize) -> Buffer;

/// Bytes of all that `build` asks for, which is not made.
pub(super) fn bytes_of(build: impl FnOnce(Make<'_>)) -> usize {
    let mut lines = 0;
    build(&mut |len| {
        lines += len.div_ceil(16);
        Buffer::default()
    });
    lines * 16 * size_of::<f32>()
}

/// Bytes of some buffers.
pub(super) fn held<'a>(buffers: impl IntoIterator<Item = &'a Buffer>) -> usize {
    buffers.into_iter().map(Buffer::bytes).sum()
}
