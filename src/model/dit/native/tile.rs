//! One tile of tokens through the blocks: forward, along a direction, and back.

use std::ops::Range;

use super::cohort::{Cohort, CohortTangent};
use super::kernels::{Bias, Kernels};
use super::params::{Layers, Linear};
use super::pass::{Kept, Pass, Seen, Sink};
use super::read::At;
use super::spread::{add_gated, gather, modulate, spread_multiply};
use crate::model::simd::{Buffer, TILE};

impl Pass {
    /// The image that the tile begins with, and an image's tokens.
    const fn at(&self) -> At {
        (self.first, self.heads.tokens)
    }

    /// From `x` and `x_cond` to the tokens.
    pub(super) fn forward_begin(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        positions: &[f32],
    ) {
        let at = self.at();
        k.product(
            &layers.x_cond,
            (Bias::Added, self.live),
            self.x_cond.as_slice(),
            self.cond.as_mut_slice(),
        );
        k.product(
            &layers.x,
            (Bias::Added, self.live),
            self.x.as_slice(),
            self.h.as_mut_slice(),
        );
        let h = self.h.as_mut_slice();
        modulate(
            k,
            (self.cond.as_slice(), 0.0),
            [cohort.x_shift.as_slice(), cohort.x_scale.as_slice()],
            at,
            h,
            true,
        );
        let positions = &positions[self.tile * h.len()..];
        k.add(h, positions);
    }

    /// Through block `i`.
    pub(super) fn forward_block(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort, i: usize) {
        self.forward_read(k, layers, cohort, i);
        let heads = self.heads;
        let (kept, seen) = self.of_block(i);
        heads.forward(
            k,
            kept.qkv.as_slice(),
            kept.weights.as_mut_slice(),
            seen.attended.as_mut_slice(),
        );
        self.forward_rest(k, layers, cohort, i);
    }

    /// What is kept of block `i`, or of whichever came last where nothing is asked for.
    pub(super) fn of_block(&mut self, i: usize) -> (&mut Kept, &mut Seen) {
        let (last_kept, last_seen) = (self.kept.len() - 1, self.seen.len() - 1);
        (
            &mut self.kept[i.min(last_kept)],
            &mut self.seen[i.min(last_seen)],
        )
    }

    /// From the tokens to the queries, keys and values of block `i`.
    pub(super) fn forward_read(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort, i: usize) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let (shift, scale) = cohort.blocks[i].as_slice()[..2 * narrow].split_at(narrow);
        let h = std::mem::take(&mut self.h);
        let (kept, seen) = self.of_block(i);
        let read = seen.read[0].as_mut_slice();
        kept.read[0].forward(k, h.as_slice(), [shift, scale], at, read);
        let qkv = kept.qkv.as_mut_slice();
        k.product(&layers.blocks[i].qkv, (Bias::Added, live), read, qkv);
        self.h = h;
    }

    /// From what block `i` attended to, to the tokens after it.
    pub(super) fn forward_rest(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort, i: usize) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let added = (Bias::Added, live);
        let (layers, vectors) = (&layers.blocks[i], cohort.blocks[i].as_slice());
        let part = |j: usize| &vectors[j * narrow..(j + 1) * narrow];
        let mut tokens = std::mem::take(&mut self.h);
        let h = tokens.as_mut_slice();
        let (kept, seen) = self.of_block(i);
        let [out, out_too] = seen.out.each_mut().map(Buffer::as_mut_slice);
        k.product(&layers.proj, added, seen.attended.as_slice(), out);
        add_gated(k, out, part(2), at, h);

        let read = seen.read[1].as_mut_slice();
        kept.read[1].forward(k, h, [part(3), part(4)], at, read);
        let (active, slope) = (seen.active.as_mut_slice(), kept.slope.as_mut_slice());
        k.gelu_product(&layers.fc1, live, read, active, slope);
        k.product(&layers.fc2, added, active, out_too);
        add_gated(k, out_too, part(5), at, h);
        self.h = tokens;
    }

    /// From the tokens to `out`.
    pub(super) fn forward_end(&mut self, k: Kernels, layers: &Layers, cohort: &Cohort) {
        let (at, narrow) = (self.at(), self.heads.width * TILE);
        let (shift, scale) = cohort.last.as_slice().split_at(narrow);
        let seen = self.last_seen.as_mut_slice();
        self.last_read
            .forward(k, self.h.as_slice(), [shift, scale], at, seen);
        let out = self.out.as_mut_slice();
        k.product(&layers.last, (Bias::Added, self.live), seen, out);
    }

    pub(super) fn tangent_begin(&mut self, k: Kernels, layers: &Layers) {
        let h = self.d_h.as_mut_slice();
        let left = (Bias::Left, self.live);
        k.product(&layers.x, left, self.d_x.as_slice(), h);
    }

    pub(super) fn tangent_block(
        &mut self,
        k: Kernels,
        layers: &Layers,
        (cohort, along): (&Cohort, &CohortTangent),
        i: usize,
    ) {
        let (at, narrow) = (self.at(), self.heads.width * TILE);
        let h = self.d_h.as_mut_slice();
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());
        let left = (Bias::Left, self.live);
        let (layers, kept, seen) = (&layers.blocks[i], &self.kept[i], &self.seen[i]);
        let (vectors, turns) = (&cohort.blocks[i], &along.blocks[i]);
        let span = |j: usize| j * narrow..(j + 1) * narrow;
        let part = |j: usize| &vectors.as_slice()[span(j)];
        let turn = |j: usize| &turns.as_slice()[span(j)];

        let read = &mut b[..narrow];
        let along = (part(1), [turn(0), turn(1)]);
        kept.read[0].tangent(k, h, along, at, [&mut a[..narrow], &mut *read]);
        k.product(&layers.qkv, left, read, &mut a[..3 * narrow]);
        let weights = kept.weights.as_slice();
        let attended = &mut b[..narrow];
        let pair = (kept.qkv.as_slice(), &a[..3 * narrow]);
        self.heads
            .tangent(k, pair, weights, self.room.as_mut_slice(), attended);
        k.product(&layers.proj, left, attended, &mut c[..narrow]);
        add_gated(k, &c[..narrow], part(2), at, h);
        add_gated(k, seen.out[0].as_slice(), turn(2), at, h);

        let read = &mut b[..narrow];
        let along = (part(4), [turn(3), turn(4)]);
        kept.read[1].tangent(k, h, along, at, [&mut a[..narrow], &mut *read]);
        k.product(&layers.fc1, left, read, a);
        k.multiply(a, kept.slope.as_slice());
        k.product(&layers.fc2, left, a, &mut c[..narrow]);
        add_gated(k, &c[..narrow], part(5), at, h);
        add_gated(k, seen.out[1].as_slice(), turn(5), at, h);
    }

    pub(super) fn tangent_end(
        &mut self,
        k: Kernels,
        layers: &Layers,
        (cohort, along): (&Cohort, &CohortTangent),
    ) {
        let (at, narrow) = (self.at(), self.heads.width * TILE);
        let [a, b, _] = &mut self.wide;
        let (a, b) = (a.as_mut_slice(), b.as_mut_slice());
        let (_, scale) = cohort.last.as_slice().split_at(narrow);
        let (d_shift, d_scale) = along.last.as_slice().split_at(narrow);
        let read = &mut b[..narrow];
        let along = (scale, [d_shift, d_scale]);
        let room = [&mut a[..narrow], &mut *read];
        self.last_read
            .tangent(k, self.d_h.as_slice(), along, at, room);
        let left = (Bias::Left, self.live);
        k.product(&layers.last, left, read, self.d_out.as_mut_slice());
    }

    /// From `d_out` to the gradient with respect to the last tokens.
    pub(super) fn backward_begin(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
    ) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let a = self.wide[0].as_mut_slice();

        let (_, scale) = cohort.last.as_slice().split_at(narrow);
        let pair = (self.d_out.as_slice(), &self.last_seen);
        let layer = (&layers.last, live);
        back_through(k, layer, pair, sink, transposed, &mut a[..narrow]);
        let to = sink
            .as_mut()
            .map(|(vectors, _)| halves(vectors.last.as_mut_slice(), narrow));
        self.last_read
            .backward(k, &mut a[..narrow], scale, at, to, (h, false));
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
        self.backward_rest(k, layers, cohort, sink, i);
        let third = self.heads.width * TILE;
        let [a, _, c] = &mut self.wide;
        let pair = (self.kept[i].qkv.as_slice(), self.kept[i].weights.as_slice());
        self.heads.backward(
            k,
            pair,
            &c.as_slice()[..third],
            self.room.as_mut_slice(),
            &mut a.as_mut_slice()[..3 * third],
        );
        self.backward_read(k, layers, cohort, sink, i);
    }

    /// From the gradient with respect to the tokens after block `i` to that with respect to what it attended to, in the
    /// third of the wide rooms.
    pub(super) fn backward_rest(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
        i: usize,
    ) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let [a, b, c] = &mut self.wide;
        let (a, b, c) = (a.as_mut_slice(), b.as_mut_slice(), c.as_mut_slice());
        let b = &mut b[..narrow];
        let (layers, kept) = (&layers.blocks[i], &self.kept[i]);
        // Read only for the weights' sake, and then there is one for each block.
        let seen = &self.seen[i.min(self.seen.len() - 1)];
        let vectors = cohort.blocks[i].as_slice();
        let part = |j: usize| &vectors[j * narrow..(j + 1) * narrow];

        // The small network.
        let to = part_of(sink, i, 5 * narrow..6 * narrow);
        back_gated(k, h, (part(5), &seen.out[1]), (at, to), b);
        let pair = (&*b, &seen.active);
        back_through(k, (&layers.fc2, live), pair, sink, transposed, a);
        k.multiply(a, kept.slope.as_slice());
        let pair = (&*a, &seen.read[1]);
        back_through(k, (&layers.fc1, live), pair, sink, transposed, b);
        let to = part_of(sink, i, 3 * narrow..5 * narrow).map(|to| halves(to, narrow));
        kept.read[1].backward(k, b, part(4), at, to, (h, true));

        // Attention.
        let to = part_of(sink, i, 2 * narrow..3 * narrow);
        back_gated(k, h, (part(2), &seen.out[0]), (at, to), b);
        let (pair, c) = ((&*b, &seen.attended), &mut c[..narrow]);
        back_through(k, (&layers.proj, live), pair, sink, transposed, c);
    }

    /// From the gradients with respect to the queries, keys and values of block `i`, in the first of the wide rooms, to that
    /// with respect to the tokens before it.
    pub(super) fn backward_read(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
        i: usize,
    ) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let [a, b, _] = &mut self.wide;
        let (a, b) = (&a.as_slice()[..3 * narrow], &mut b.as_mut_slice()[..narrow]);
        let seen = &self.seen[i.min(self.seen.len() - 1)];
        let layer = (&layers.blocks[i].qkv, live);
        back_through(k, layer, (a, &seen.read[0]), sink, transposed, b);
        let scale = &cohort.blocks[i].as_slice()[narrow..2 * narrow];
        let to = part_of(sink, i, 0..2 * narrow).map(|to| halves(to, narrow));
        self.kept[i].read[0].backward(k, b, scale, at, to, (h, true));
    }

    /// From the gradient with respect to the first tokens to those with respect to `x` and `x_cond`, or to the weights.
    pub(super) fn backward_end(
        &mut self,
        k: Kernels,
        layers: &Layers,
        cohort: &Cohort,
        sink: &mut Sink<'_>,
    ) {
        let (at, live, narrow) = (self.at(), self.live, self.heads.width * TILE);
        let transposed = self.transposed.as_mut_slice();
        let h = self.d_h.as_mut_slice();
        let a = self.wide[0].as_mut_slice();
        let d_cond = &mut a[..narrow];
        d_cond.copy_from_slice(h);
        if let Some((vectors, gradient)) = sink {
            let [shift, scale] = halves(vectors.x_cond.as_mut_slice(), narrow);
            gather(k, h, None, at, shift);
            gather(k, h, Some(self.cond.as_slice()), at, scale);
            k.outer(&layers.x, h, self.x.as_slice(), transposed, gradient);
        }
        spread_multiply(k, d_cond, (cohort.x_scale.as_slice(), 0.0), at);
        if let Some((_, gradient)) = sink {
            k.outer(
                &layers.x_cond,
                d_cond,
                self.x_cond.as_slice(),
                transposed,
                gradient,
            );
        } else {
            k.back(&layers.x, live, h, self.d_x.as_mut_slice());
            k.back(&layers.x_cond, live, d_cond, self.d_x_cond.as_mut_slice());
        }
    }
}

/// From the gradient `d` with respect to what a layer puts out to that with respect to what it read, into `to`; and to its
/// weights, where that is asked for.
fn back_through(
    k: Kernels,
    (layer, live): (&Linear, usize),
    (d, read): (&[f32], &Buffer),
    sink: &mut Sink<'_>,
    transposed: &mut [f32],
    to: &mut [f32],
) {
    if let Some((_, gradient)) = sink {
        k.outer(layer, d, read.as_slice(), transposed, gradient);
    }
    k.back(layer, live, d, to);
}

/// From the gradient with respect to the tokens `h` to that with respect to what was added to them behind a gate, into `d`;
/// and to the gate, where that is asked for.
fn back_gated(
    k: Kernels,
    h: &[f32],
    (gate, added): (&[f32], &Buffer),
    (at, to): (At, Option<&mut [f32]>),
    d: &mut [f32],
) {
    d.copy_from_slice(h);
    spread_multiply(k, d, (gate, 0.0), at);
    if let Some(to) = to {
        gather(k, h, Some(added.as_slice()), at, to);
    }
}

/// A part of the gradient with respect to the vectors of block `i`, where that is asked for.
fn part_of<'a>(sink: &'a mut Sink<'_>, i: usize, span: Range<usize>) -> Option<&'a mut [f32]> {
    let (vectors, _) = sink.as_mut()?;
    Some(&mut vectors.blocks[i].as_mut_slice()[span])
}

/// Shifts and scales that lie one after the other.
fn halves(both: &mut [f32], narrow: usize) -> [&mut [f32]; 2] {
    both.split_at_mut(narrow).into()
}
