//! One tile of tokens through the blocks: forward, along a direction, and back.

use super::cohort::{Cohort, CohortTangent};
use super::kernels::{Bias, Kernels};
use super::params::Layers;
use super::pass::{Pass, Sink};
use super::spread::{add_gated, gather, modulate, modulate_slope, spread_multiply};
use crate::model::simd::TILE;

impl Pass {
    fn tokens(&self) -> usize {
        self.heads.tokens
    }

    /// From `x` and `x_cond` to the tokens.
    pub(super) fn forward_begin(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        positions: &[f32],
    ) {
        let (first, t) = (self.first, self.tokens());
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
    }

    /// Through block `i`.
    pub(super) fn forward_block(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort, i: usize) {
        let (first, t) = (self.first, self.tokens());
        let width = self.heads.width;
        let h = self.h.as_mut_slice();
        let (layers, vectors) = (&layers.blocks[i], &cohort.blocks[i]);
        let last_kept = self.kept.len() - 1;
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
        add_gated(k, kept.out[0].as_slice(), part(2), (first, t), h);

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
        add_gated(k, kept.out[1].as_slice(), part(5), (first, t), h);
    }

    /// From the tokens to `out`.
    pub(super) fn forward_end(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort) {
        let (first, t) = (self.first, self.tokens());
        let width = self.heads.width;
        let h = self.h.as_mut_slice();
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

    pub(super) fn tangent_begin(&mut self, k: Kernels, layers: &Layers) {
        let h = self.d_h.as_mut_slice();
        k.product(&layers.x, Bias::Left, self.d_x.as_slice(), h);
    }

    pub(super) fn tangent_block(
        &mut self,
        k: Kernels,
        layers: &Layers,
        (cohort, along): (&Cohort, &CohortTangent),
        i: usize,
    ) {
        let (first, t) = (self.first, self.tokens());
        let width = self.heads.width;
        let h = self.d_h.as_mut_slice();
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());
        let (layers, kept) = (&layers.blocks[i], &self.kept[i]);
        let (vectors, turns) = (&cohort.blocks[i], &along.blocks[i]);
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
        add_gated(k, &c[..narrow], part(2), (first, t), h);
        add_gated(k, kept.out[0].as_slice(), turn(2), (first, t), h);

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
        add_gated(k, &c[..narrow], part(5), (first, t), h);
        add_gated(k, kept.out[1].as_slice(), turn(5), (first, t), h);
    }

    pub(super) fn tangent_end(
        &mut self,
        k: Kernels,
        layers: &Layers,
        (cohort, along): (&Cohort, &CohortTangent),
    ) {
        let (first, t) = (self.first, self.tokens());
        let width = self.heads.width;
        let h = self.d_h.as_mut_slice();
        let [a, b, _] = &mut self.wide;
        let (a, b) = (a.as_mut_slice(), b.as_mut_slice());
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

    /// From `d_out` to the gradient with respect to the last tokens.
    pub(super) fn backward_begin(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
    ) {
        let (first, t) = (self.first, self.tokens());
        let width = self.heads.width;
        let narrow = width * TILE;
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let a = self.wide[0].as_mut_slice();

        let (_, scale) = cohort.last.as_slice().split_at(narrow);
        if let Some((_, gradient)) = sink {
            k.outer(
                &layers.last,
                self.d_out.as_slice(),
                self.last_read.as_slice(),
                transposed,
                gradient,
            );
        }
        k.back(&layers.last, self.d_out.as_slice(), &mut a[..narrow]);
        if let Some((vectors, _)) = sink {
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
    }

    /// Back through block `i`.
    pub(super) fn backward_block(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
        i: usize,
    ) {
        let (first, t) = (self.first, self.tokens());
        let narrow = self.heads.width * TILE;
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());
        let (layers, kept) = (&layers.blocks[i], &self.kept[i]);
        let vectors = cohort.blocks[i].as_slice();
        let span = |j: usize| j * narrow..(j + 1) * narrow;
        let part = |j: usize| &vectors[span(j)];
        // The small network.
        b[..narrow].copy_from_slice(h);
        spread_multiply(k, &mut b[..narrow], (part(5), 0.0), (first, t));
        if let Some((vectors, gradient)) = sink {
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
        if let Some((_, gradient)) = sink {
            k.outer(
                &layers.fc1,
                a,
                kept.read[1].as_slice(),
                transposed,
                gradient,
            );
        }
        k.back(&layers.fc1, a, &mut b[..narrow]);
        if let Some((vectors, _)) = sink {
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
        if let Some((vectors, gradient)) = sink {
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
        if let Some((_, gradient)) = sink {
            k.outer(
                &layers.qkv,
                &a[..3 * narrow],
                kept.read[0].as_slice(),
                transposed,
                gradient,
            );
        }
        k.back(&layers.qkv, &a[..3 * narrow], &mut b[..narrow]);
        if let Some((vectors, _)) = sink {
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

    /// From the gradient with respect to the first tokens to those with respect to `x` and `x_cond`, or to the weights.
    pub(super) fn backward_end(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
    ) {
        let (first, t) = (self.first, self.tokens());
        let narrow = self.heads.width * TILE;
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let a = self.wide[0].as_mut_slice();
        let d_cond = &mut a[..narrow];
        d_cond.copy_from_slice(h);
        if let Some((vectors, gradient)) = sink {
            let (shift, scale) = vectors.x_cond.as_mut_slice().split_at_mut(narrow);
            gather(k, h, None, (first, t), shift);
            gather(k, h, Some(self.cond.as_slice()), (first, t), scale);
            k.outer(&layers.x, h, self.x.as_slice(), transposed, gradient);
        }
        spread_multiply(k, d_cond, (cohort.x_scale.as_slice(), 0.0), (first, t));
        if let Some((_, gradient)) = sink {
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
