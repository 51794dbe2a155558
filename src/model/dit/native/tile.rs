//! One tile of tokens through the blocks: forward, along a direction, and back.

use super::attention::Heads;
use super::cohort::{Cohort, CohortGradient, CohortTangent};
use super::kernels::{Bias, Kernels, Lane};
use super::params::Layers;
use super::spread::{First, gate, gather, modulate, modulate_slope, spread_multiply};
use crate::model::DitConfig;
use crate::model::outer::transposed_len;
use crate::model::simd::{Buffer, TILE};

/// What a block leaves behind for its derivatives.
struct Kept {
    /// Normalised tokens before attention and before the small network, and `1 / spread`.
    unit: [Buffer; 2],
    per: [Lane; 2],
    /// The same after modulation: what `qkv` and `fc1` read.
    read: [Buffer; 2],
    qkv: Buffer,
    weights: Buffer,
    attended: Buffer,
    /// What attention and the small network put out, before their gates.
    out: [Buffer; 2],
    active: Buffer,
    slope: Buffer,
}

/// Room for one tile.
pub(super) struct Pass {
    pub(super) heads: Heads,
    /// Patches of the states and of the conditioning states, `[numbers of a patch][TILE]`.
    pub(super) x: Buffer,
    pub(super) x_cond: Buffer,
    /// The conditioning patches after their layer.
    cond: Buffer,
    /// The tokens on their way.
    h: Buffer,
    kept: Vec<Kept>,
    last_unit: Buffer,
    last_per: Lane,
    last_read: Buffer,
    /// What the last layer puts out, `[numbers of a patch][TILE]`.
    pub(super) out: Buffer,
    /// Derivatives on their way.
    d_h: Buffer,
    pub(super) d_x: Buffer,
    pub(super) d_x_cond: Buffer,
    pub(super) d_out: Buffer,
    wide: [Buffer; 3],
    room: Vec<f32>,
    transposed: Buffer,
}

impl Pass {
    /// `keep`: whether derivatives are asked for.
    pub(super) fn new(config: &DitConfig, keep: bool) -> Self {
        let d = config.hidden_size;
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        let heads = Heads {
            width: d,
            heads: config.num_heads,
            tokens: config.tokens(),
        };
        let kept = || Kept {
            unit: [tile(d), tile(d)],
            per: [[0.0; TILE]; 2],
            read: [tile(d), tile(d)],
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
            last_unit: tile(d),
            last_per: [0.0; TILE],
            last_read: tile(d),
            out: tile(numbers),
            d_h: tile(d),
            d_x: tile(numbers),
            d_x_cond: tile(numbers),
            d_out: tile(numbers),
            wide: [tile(4 * d), tile(4 * d), tile(4 * d)],
            room: Vec::new(),
            transposed: Buffer::zeroed(transposed_len((4 * d).max(numbers).next_multiple_of(16))),
        }
    }

    fn tokens(&self) -> usize {
        self.heads.tokens
    }

    /// From `x` and `x_cond` to `out`.
    pub(super) fn forward(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        positions: &[f32],
        first: First,
    ) {
        let t = self.tokens();
        let width = self.heads.width;
        k.product(
            &layers.x_cond,
            Bias::Added,
            self.x_cond.as_slice(),
            self.cond.as_mut_slice(),
        );
        k.product(
            &layers.x,
            Bias::Added,
            self.x.as_slice(),
            self.h.as_mut_slice(),
        );
        let h = self.h.as_mut_slice();
        modulate(
            k,
            (self.cond.as_slice(), 0.0),
            [cohort.x_shift.as_slice(), cohort.x_scale.as_slice()],
            (first, t),
            h,
            true,
        );
        k.add(h, positions);
        let last_kept = self.kept.len() - 1;
        for (i, (layers, vectors)) in layers.blocks.iter().zip(&cohort.blocks).enumerate() {
            let kept = &mut self.kept[i.min(last_kept)];
            let part = |j: usize| &vectors.as_slice()[j * width * TILE..(j + 1) * width * TILE];
            k.norm(h, kept.unit[0].as_mut_slice(), &mut kept.per[0]);
            let read = kept.read[0].as_mut_slice();
            modulate(
                k,
                (kept.unit[0].as_slice(), 1.0),
                [part(0), part(1)],
                (first, t),
                read,
                false,
            );
            k.product(&layers.qkv, Bias::Added, read, kept.qkv.as_mut_slice());
            let weights = kept.weights.as_mut_slice();
            let attended = kept.attended.as_mut_slice();
            self.heads
                .forward(k, kept.qkv.as_slice(), weights, attended);
            k.product(
                &layers.proj,
                Bias::Added,
                attended,
                kept.out[0].as_mut_slice(),
            );
            gate(k, kept.out[0].as_slice(), part(2), (first, t), h, true);

            k.norm(h, kept.unit[1].as_mut_slice(), &mut kept.per[1]);
            let read = kept.read[1].as_mut_slice();
            modulate(
                k,
                (kept.unit[1].as_slice(), 1.0),
                [part(3), part(4)],
                (first, t),
                read,
                false,
            );
            let active = kept.active.as_mut_slice();
            k.gelu_product(&layers.fc1, read, active, kept.slope.as_mut_slice());
            k.product(&layers.fc2, Bias::Added, active, kept.out[1].as_mut_slice());
            gate(k, kept.out[1].as_slice(), part(5), (first, t), h, true);
        }
        k.norm(h, self.last_unit.as_mut_slice(), &mut self.last_per);
        let (shift, scale) = cohort.last.as_slice().split_at(width * TILE);
        let read = self.last_read.as_mut_slice();
        modulate(
            k,
            (self.last_unit.as_slice(), 1.0),
            [shift, scale],
            (first, t),
            read,
            false,
        );
        k.product(&layers.last, Bias::Added, read, self.out.as_mut_slice());
    }

    /// The derivative of `out` along `d_x` and the cohort's, into `d_out`; after [`Self::forward`].
    pub(super) fn tangent(
        &mut self,
        k: Kernels,
        layers: &Layers,
        (cohort, along): (&Cohort, &CohortTangent),
        first: First,
    ) {
        let t = self.tokens();
        let width = self.heads.width;
        let h = self.d_h.as_mut_slice();
        k.product(&layers.x, Bias::Left, self.d_x.as_slice(), h);
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());
        let ends = cohort.blocks.iter().zip(&along.blocks);
        for ((layers, kept), (vectors, turns)) in layers.blocks.iter().zip(&self.kept).zip(ends) {
            let span = |j: usize| j * width * TILE..(j + 1) * width * TILE;
            let part = |j: usize| &vectors.as_slice()[span(j)];
            let turn = |j: usize| &turns.as_slice()[span(j)];
            let narrow = width * TILE;

            k.norm_slope(
                h,
                kept.unit[0].as_slice(),
                &kept.per[0],
                &mut a[..narrow],
                false,
            );
            let read = &mut b[..narrow];
            modulate_slope(
                k,
                (&a[..narrow], kept.unit[0].as_slice()),
                (part(1), [turn(0), turn(1)]),
                (first, t),
                read,
            );
            k.product(&layers.qkv, Bias::Left, read, &mut a[..3 * narrow]);
            let weights = kept.weights.as_slice();
            let attended = &mut b[..narrow];
            let pair = (kept.qkv.as_slice(), &a[..3 * narrow]);
            self.heads
                .tangent(k, pair, weights, &mut self.room, attended);
            k.product(&layers.proj, Bias::Left, attended, &mut c[..narrow]);
            gate(k, &c[..narrow], part(2), (first, t), h, true);
            gate(k, kept.out[0].as_slice(), turn(2), (first, t), h, true);

            k.norm_slope(
                h,
                kept.unit[1].as_slice(),
                &kept.per[1],
                &mut a[..narrow],
                false,
            );
            let read = &mut b[..narrow];
            modulate_slope(
                k,
                (&a[..narrow], kept.unit[1].as_slice()),
                (part(4), [turn(3), turn(4)]),
                (first, t),
                read,
            );
            k.product(&layers.fc1, Bias::Left, read, a);
            k.multiply(a, kept.slope.as_slice());
            k.product(&layers.fc2, Bias::Left, a, &mut c[..narrow]);
            gate(k, &c[..narrow], part(5), (first, t), h, true);
            gate(k, kept.out[1].as_slice(), turn(5), (first, t), h, true);
        }
        let narrow = width * TILE;
        let (_, scale) = cohort.last.as_slice().split_at(narrow);
        let (d_shift, d_scale) = along.last.as_slice().split_at(narrow);
        k.norm_slope(
            h,
            self.last_unit.as_slice(),
            &self.last_per,
            &mut a[..narrow],
            false,
        );
        let read = &mut b[..narrow];
        modulate_slope(
            k,
            (&a[..narrow], self.last_unit.as_slice()),
            (scale, [d_shift, d_scale]),
            (first, t),
            read,
        );
        k.product(&layers.last, Bias::Left, read, self.d_out.as_mut_slice());
    }

    /// From the gradient with respect to `out` (in `d_out`) to those with respect to `x` and `x_cond` (in `d_x`,
    /// `d_x_cond`) and, where asked for, to the weights and the cohort's vectors; after [`Self::forward`].
    pub(super) fn backward(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        mut sink: Option<(&mut CohortGradient, &mut [f32])>,
        first: First,
    ) {
        let t = self.tokens();
        let width = self.heads.width;
        let narrow = width * TILE;
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());

        let (_, scale) = cohort.last.as_slice().split_at(narrow);
        if let Some((_, gradient)) = &mut sink {
            k.outer(
                &layers.last,
                self.d_out.as_slice(),
                self.last_read.as_slice(),
                transposed,
                gradient,
            );
        }
        k.back(&layers.last, self.d_out.as_slice(), &mut a[..narrow]);
        if let Some((vectors, _)) = &mut sink {
            let (shift, scale) = vectors.last.as_mut_slice().split_at_mut(narrow);
            gather(k, &a[..narrow], None, (first, t), shift);
            gather(
                k,
                &a[..narrow],
                Some(self.last_unit.as_slice()),
                (first, t),
                scale,
            );
        }
        spread_multiply(k, &mut a[..narrow], (scale, 1.0), (first, t));
        k.norm_slope(
            &a[..narrow],
            self.last_unit.as_slice(),
            &self.last_per,
            h,
            false,
        );

        for (i, (layers, kept)) in layers.blocks.iter().zip(&self.kept).enumerate().rev() {
            let vectors = cohort.blocks[i].as_slice();
            let span = |j: usize| j * narrow..(j + 1) * narrow;
            let part = |j: usize| &vectors[span(j)];
            // The small network.
            b[..narrow].copy_from_slice(h);
            spread_multiply(k, &mut b[..narrow], (part(5), 0.0), (first, t));
            if let Some((vectors, gradient)) = &mut sink {
                let to = vectors.blocks[i].as_mut_slice();
                gather(
                    k,
                    h,
                    Some(kept.out[1].as_slice()),
                    (first, t),
                    &mut to[span(5)],
                );
                k.outer(
                    &layers.fc2,
                    &b[..narrow],
                    kept.active.as_slice(),
                    transposed,
                    gradient,
                );
            }
            k.back(&layers.fc2, &b[..narrow], a);
            k.multiply(a, kept.slope.as_slice());
            if let Some((_, gradient)) = &mut sink {
                k.outer(
                    &layers.fc1,
                    a,
                    kept.read[1].as_slice(),
                    transposed,
                    gradient,
                );
            }
            k.back(&layers.fc1, a, &mut b[..narrow]);
            if let Some((vectors, _)) = &mut sink {
                let to = vectors.blocks[i].as_mut_slice();
                gather(k, &b[..narrow], None, (first, t), &mut to[span(3)]);
                gather(
                    k,
                    &b[..narrow],
                    Some(kept.unit[1].as_slice()),
                    (first, t),
                    &mut to[span(4)],
                );
            }
            spread_multiply(k, &mut b[..narrow], (part(4), 1.0), (first, t));
            k.norm_slope(&b[..narrow], kept.unit[1].as_slice(), &kept.per[1], h, true);

            // Attention.
            b[..narrow].copy_from_slice(h);
            spread_multiply(k, &mut b[..narrow], (part(2), 0.0), (first, t));
            if let Some((vectors, gradient)) = &mut sink {
                let to = vectors.blocks[i].as_mut_slice();
                gather(
                    k,
                    h,
                    Some(kept.out[0].as_slice()),
                    (first, t),
                    &mut to[span(2)],
                );
                k.outer(
                    &layers.proj,
                    &b[..narrow],
                    kept.attended.as_slice(),
                    transposed,
                    gradient,
                );
            }
            k.back(&layers.proj, &b[..narrow], &mut c[..narrow]);
            let pair = (kept.qkv.as_slice(), kept.weights.as_slice());
            self.heads
                .backward(k, pair, &c[..narrow], &mut self.room, &mut a[..3 * narrow]);
            if let Some((_, gradient)) = &mut sink {
                k.outer(
                    &layers.qkv,
                    &a[..3 * narrow],
                    kept.read[0].as_slice(),
                    transposed,
                    gradient,
                );
            }
            k.back(&layers.qkv, &a[..3 * narrow], &mut b[..narrow]);
            if let Some((vectors, _)) = &mut sink {
                let to = vectors.blocks[i].as_mut_slice();
                gather(k, &b[..narrow], None, (first, t), &mut to[span(0)]);
                gather(
                    k,
                    &b[..narrow],
                    Some(kept.unit[0].as_slice()),
                    (first, t),
                    &mut to[span(1)],
                );
            }
            spread_multiply(k, &mut b[..narrow], (part(1), 1.0), (first, t));
            k.norm_slope(&b[..narrow], kept.unit[0].as_slice(), &kept.per[0], h, true);
        }

        let d_cond = &mut a[..narrow];
        d_cond.copy_from_slice(h);
        if let Some((vectors, gradient)) = &mut sink {
            let (shift, scale) = vectors.x_cond.as_mut_slice().split_at_mut(narrow);
            gather(k, h, None, (first, t), shift);
            gather(k, h, Some(self.cond.as_slice()), (first, t), scale);
            k.outer(&layers.x, h, self.x.as_slice(), transposed, gradient);
        }
        spread_multiply(k, d_cond, (cohort.x_scale.as_slice(), 0.0), (first, t));
        if let Some((_, gradient)) = &mut sink {
            k.outer(
                &layers.x_cond,
                d_cond,
                self.x_cond.as_slice(),
                transposed,
                gradient,
            );
        } else {
            k.back(&layers.x, h, self.d_x.as_mut_slice());
            k.back(&layers.x_cond, d_cond, self.d_x_cond.as_mut_slice());
        }
    }
}
