//! Attention among the tokens of each image of a tile: value, derivative along a direction, transpose.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};

use super::kernels::Kernels;
use crate::model::simd::{Buffer, TILE};

/// Rows of the result that are in registers at once.
const ROWS: usize = 8;

/// Weights of a tile's queries and a tile's keys.
const SQUARE: usize = TILE * TILE;

/// What the tiles of an image kept of their attention, and the gradients with respect to what they attended to.
pub(super) struct Kin {
    pub(super) qkv: Vec<Buffer>,
    pub(super) weights: Vec<Buffer>,
    pub(super) d_out: Vec<Buffer>,
    /// The gradients with respect to the scores.
    pub(super) slopes: Vec<Buffer>,
}

/// What the tokens of one image attend to each other with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Width of a token.
    pub(super) width: usize,
    pub(super) count: usize,
    /// Tokens of an image in a tile: a divisor of [`TILE`], at least 4.
    pub(super) tokens: usize,
    /// Tiles of an image; more than one only of images whose tokens fill each.
    pub(super) tiles: usize,
    /// Images of the tile.
    pub(super) images: usize,
}

impl Heads {
    /// Numbers of a tile's attention weights: for each image and head `[key][query]`.
    pub(super) const fn weights_len(self) -> usize {
        self.count * TILE * self.tokens * self.tiles
    }

    /// Numbers of room that derivatives ask for: of one image and head two squares, or all scores of a tile that does not
    /// hold its image whole.
    pub(super) const fn room_len(self) -> usize {
        if self.tiles > 1 {
            self.weights_len()
        } else {
            2 * self.tokens * self.tokens
        }
    }

    fn scale(self) -> f32 {
        1.0 / ((self.width / self.count) as f32).sqrt()
    }

    /// `(first feature, first token, place of the weights)` for each image and head.
    fn each(self, mut work: impl FnMut(usize, usize, std::ops::Range<usize>)) {
        let deep = self.width / self.count;
        let square = self.tokens * self.tokens;
        for image in 0..self.images {
            for head in 0..self.count {
                let at = (image * self.count + head) * square;
                work(head * deep, image * self.tokens, at..at + square);
            }
        }
    }

    /// `softmax(q k' / sqrt(d)) v`: `qkv` is `[3 width][TILE]`, `out` `[width][TILE]`; `weights` are kept.
    pub(super) fn forward(self, k: Kernels, qkv: &[f32], weights: &mut [f32], out: &mut [f32]) {
        let (queries, keys, values) = self.thirds(qkv);
        self.each(|feature, token, at| {
            let weights = &mut weights[at];
            let deep = self.deep();
            let place = Place {
                feature,
                token,
                deep,
            };
            cross(
                k,
                self.tokens,
                place,
                (queries, keys),
                self.scale(),
                weights,
                false,
            );
            k.softmax(weights, self.tokens);
            mix(k, self.tokens, place, (weights, values), 1.0, out, false);
        });
    }

    /// The derivative of the result along `d_qkv`; `room` is of [`Self::room_len`].
    pub(super) fn tangent(
        self,
        k: Kernels,
        (qkv, d_qkv): (&[f32], &[f32]),
        weights: &[f32],
        room: &mut [f32],
        d_out: &mut [f32],
    ) {
        let (queries, keys, values) = self.thirds(qkv);
        let (d_queries, d_keys, d_values) = self.thirds(d_qkv);
        let room = &mut room[..self.tokens * self.tokens];
        self.each(|feature, token, at| {
            let place = Place {
                feature,
                token,
                deep: self.deep(),
            };
            let weights = &weights[at];
            let (t, scale) = (self.tokens, self.scale());
            cross(k, t, place, (d_queries, keys), scale, room, false);
            cross(k, t, place, (queries, d_keys), scale, room, true);
            turn(k, t, weights, room);
            mix(k, t, place, (room, values), 1.0, d_out, false);
            mix(k, t, place, (weights, d_values), 1.0, d_out, true);
        });
    }

    /// The gradient with respect to `qkv` from that with respect to the result; `room` is of [`Self::room_len`].
    pub(super) fn backward(
        self,
        k: Kernels,
        (qkv, weights): (&[f32], &[f32]),
        d_out: &[f32],
        room: &mut [f32],
        d_qkv: &mut [f32],
    ) {
        let (queries, keys, values) = self.thirds(qkv);
        let third = self.width * TILE;
        let (d_queries, rest) = d_qkv.split_at_mut(third);
        let (d_keys, d_values) = rest.split_at_mut(third);
        let t = self.tokens;
        let (slopes, turned) = room[..2 * t * t].split_at_mut(t * t);
        self.each(|feature, token, at| {
            let place = Place {
                feature,
                token,
                deep: self.deep(),
            };
            let weights = &weights[at];
            let scale = self.scale();
            transpose(k, t, weights, turned);
            mix(k, t, place, (turned, d_out), 1.0, d_values, false);
            cross(k, t, place, (d_out, values), 1.0, slopes, false);
            turn(k, t, weights, slopes);
            mix(k, t, place, (slopes, keys), scale, d_queries, false);
            transpose(k, t, slopes, turned);
            mix(k, t, place, (turned, queries), scale, d_keys, false);
        });
    }

    /// [`Self::forward`] of a tile whose queries meet the keys and values of all `tiles` of their image.
    pub(super) fn forward_wide(
        self,
        k: Kernels,
        (own, tiles): (usize, &[Buffer]),
        weights: &mut [f32],
        out: &mut [f32],
    ) {
        let (queries, _, _) = self.thirds(tiles[own].as_slice());
        self.each_head(|place, at| {
            let weights = &mut weights[at];
            for (tile, weights) in tiles.iter().zip(weights.chunks_exact_mut(SQUARE)) {
                let (_, keys, _) = self.thirds(tile.as_slice());
                let pair = (queries, keys);
                cross(k, TILE, place, pair, self.scale(), weights, false);
            }
            k.softmax(weights, TILE);
            for (j, (tile, weights)) in tiles.iter().zip(weights.chunks_exact(SQUARE)).enumerate() {
                let (_, _, values) = self.thirds(tile.as_slice());
                mix(k, TILE, place, (weights, values), 1.0, out, j > 0);
            }
        });
    }

    /// The gradient with respect to a tile's queries, and to its scores, which [`Self::backward_keys`] asks for.
    pub(super) fn backward_queries(
        self,
        k: Kernels,
        tiles: &[Buffer],
        (weights, d_out): (&[f32], &[f32]),
        slopes: &mut [f32],
        d_queries: &mut [f32],
    ) {
        self.each_head(|place, at| {
            let slopes = &mut slopes[at.clone()];
            for (tile, slopes) in tiles.iter().zip(slopes.chunks_exact_mut(SQUARE)) {
                let (_, _, values) = self.thirds(tile.as_slice());
                cross(k, TILE, place, (d_out, values), 1.0, slopes, false);
            }
            turn(k, TILE, &weights[at], slopes);
            for (j, (tile, slopes)) in tiles.iter().zip(slopes.chunks_exact(SQUARE)).enumerate() {
                let (_, keys, _) = self.thirds(tile.as_slice());
                let pair = (slopes, keys);
                mix(k, TILE, place, pair, self.scale(), d_queries, j > 0);
            }
        });
    }

    /// The gradients with respect to the keys and values of tile `own`, from what all tiles of its image kept.
    pub(super) fn backward_keys(self, k: Kernels, own: usize, all: &Kin, d_kv: &mut [f32]) {
        let mut turned = vec![0.0; SQUARE];
        let (d_keys, d_values) = d_kv.split_at_mut(self.width * TILE);
        self.each_head(|place, at| {
            let begin = at.start + own * SQUARE;
            let span = begin..begin + SQUARE;
            for i in 0..all.qkv.len() {
                let (queries, _, _) = self.thirds(all.qkv[i].as_slice());
                transpose(
                    k,
                    TILE,
                    &all.weights[i].as_slice()[span.clone()],
                    &mut turned,
                );
                let pair = (&turned[..], all.d_out[i].as_slice());
                mix(k, TILE, place, pair, 1.0, d_values, i > 0);
                let slopes = &all.slopes[i].as_slice()[span.clone()];
                transpose(k, TILE, slopes, &mut turned);
                let pair = (&turned[..], queries);
                mix(k, TILE, place, pair, self.scale(), d_keys, i > 0);
            }
        });
    }

    /// Each head of a tile that one image fills, and the place of its weights.
    fn each_head(self, mut work: impl FnMut(Place, std::ops::Range<usize>)) {
        let (deep, len) = (self.deep(), self.tiles * SQUARE);
        for head in 0..self.count {
            let place = Place {
                feature: head * deep,
                token: 0,
                deep,
            };
            work(place, head * len..(head + 1) * len);
        }
    }

    fn deep(self) -> usize {
        self.width / self.count
    }

    fn thirds(self, qkv: &[f32]) -> (&[f32], &[f32], &[f32]) {
        let third = self.width * TILE;
        let (queries, rest) = qkv.split_at(third);
        let (keys, values) = rest.split_at(third);
        (queries, keys, &values[..third])
    }
}

/// Features `feature..feature + deep` of the tokens from `token` on.
#[derive(Clone, Copy)]
struct Place {
    feature: usize,
    token: usize,
    deep: usize,
}

/// `out[j][i] = scale sum_d a[d][i] b[d][j]`.
fn cross(
    k: Kernels,
    tokens: usize,
    place: Place,
    (a, b): (&[f32], &[f32]),
    scale: f32,
    out: &mut [f32],
    add: bool,
) {
    struct Work<'a>(usize, Place, &'a [f32], &'a [f32], f32, &'a mut [f32], bool);
    impl WithSimd for Work<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(tokens, place, a, b, scale, out, add) = self;
            // Images of fewer tokens than a vector has lanes are rare, and small.
            if tokens.is_multiple_of(S::F32_LANES) && tokens.is_multiple_of(ROWS) {
                cross_rows::<S, ROWS>(simd, tokens, place, a, b, scale, out, add);
            } else {
                let one = pulp::Scalar::new();
                cross_rows::<_, 4>(one, tokens, place, a, b, scale, out, add);
            }
        }
    }
    k.with(Work(tokens, place, a, b, scale, out, add));
}

#[inline(always)]
fn cross_rows<S: Simd, const R: usize>(
    simd: S,
    tokens: usize,
    place: Place,
    a: &[f32],
    b: &[f32],
    scale: f32,
    out: &mut [f32],
    add: bool,
) {
    let rows = place.feature * TILE..(place.feature + place.deep) * TILE;
    let (a, b) = (&a[rows.clone()], &b[rows]);
    let scale = simd.splat_f32s(scale);
    for from in (0..tokens).step_by(S::F32_LANES) {
        for first in (0..tokens).step_by(R) {
            let mut sums = [simd.splat_f32s(0.0); R];
            for (a, b) in a.chunks_exact(TILE).zip(b.chunks_exact(TILE)) {
                let a = load(simd, &a[place.token + from..]);
                let b = &b[place.token + first..place.token + first + R];
                for j in 0..R {
                    sums[j] = simd.mul_add_f32s(a, simd.splat_f32s(b[j]), sums[j]);
                }
            }
            for j in 0..R {
                let out = &mut out[(first + j) * tokens + from..];
                put(simd, simd.mul_f32s(sums[j], scale), out, add);
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(_: S, from: &[f32]) -> S::f32s {
    S::as_simd_f32s(&from[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn put<S: Simd>(simd: S, v: S::f32s, to: &mut [f32], add: bool) {
    let to = &mut S::as_mut_simd_f32s(&mut to[..S::F32_LANES]).0[0];
    *to = if add { simd.add_f32s(*to, v) } else { v };
}

/// `out[d][i] = scale sum_j p[j][i] v[d][j]`.
fn mix(
    k: Kernels,
    tokens: usize,
    place: Place,
    (p, v): (&[f32], &[f32]),
    scale: f32,
    out: &mut [f32],
    add: bool,
) {
    struct Work<'a>(usize, Place, &'a [f32], &'a [f32], f32, &'a mut [f32], bool);
    impl WithSimd for Work<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(tokens, place, p, v, scale, out, add) = self;
            if tokens.is_multiple_of(S::F32_LANES) && place.deep.is_multiple_of(ROWS) {
                mix_rows::<S, ROWS>(simd, tokens, place, p, v, scale, out, add);
            } else {
                let one = pulp::Scalar::new();
                mix_rows::<_, 1>(one, tokens, place, p, v, scale, out, add);
            }
        }
    }
    k.with(Work(tokens, place, p, v, scale, out, add));
}

#[inline(always)]
fn mix_rows<S: Simd, const R: usize>(
    simd: S,
    tokens: usize,
    place: Place,
    p: &[f32],
    v: &[f32],
    scale: f32,
    out: &mut [f32],
    add: bool,
) {
    let rows = place.feature * TILE..(place.feature + place.deep) * TILE;
    let (v, out) = (&v[rows.clone()], &mut out[rows]);
    let scale = simd.splat_f32s(scale);
    for from in (0..tokens).step_by(S::F32_LANES) {
        let blocks = v.chunks_exact(R * TILE).zip(out.chunks_exact_mut(R * TILE));
        for (v, out) in blocks {
            let mut sums = [simd.splat_f32s(0.0); R];
            for (j, p) in p.chunks_exact(tokens).enumerate() {
                let p = load(simd, &p[from..]);
                for d in 0..R {
                    let v = simd.splat_f32s(v[d * TILE + place.token + j]);
                    sums[d] = simd.mul_add_f32s(p, v, sums[d]);
                }
            }
            for d in 0..R {
                let out = &mut out[d * TILE + place.token + from..];
                put(simd, simd.mul_f32s(sums[d], scale), out, add);
            }
        }
    }
}

/// The derivative of the softmax, in place: `p (s - sum_j p s)`.
fn turn(k: Kernels, tokens: usize, weights: &[f32], slopes: &mut [f32]) {
    k.run(
        #[inline(always)]
        || {
            let mut along = [0.0_f32; TILE];
            let along = &mut along[..tokens];
            for (s, p) in slopes
                .chunks_exact(tokens)
                .zip(weights.chunks_exact(tokens))
            {
                for ((along, s), p) in along.iter_mut().zip(s).zip(p) {
                    *along += s * p;
                }
            }
            for (s, p) in slopes
                .chunks_exact_mut(tokens)
                .zip(weights.chunks_exact(tokens))
            {
                for ((s, p), along) in s.iter_mut().zip(p).zip(along.iter()) {
                    *s = p * (*s - along);
                }
            }
        },
    );
}

fn transpose(k: Kernels, tokens: usize, from: &[f32], to: &mut [f32]) {
    k.run(
        #[inline(always)]
        || {
            for (j, row) in from.chunks_exact(tokens).enumerate() {
                for (i, v) in row.iter().enumerate() {
                    to[i * tokens + j] = *v;
                }
            }
        },
    );
}
