//! Attention among the tokens of each image of a tile: value, derivative along a direction, transpose.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use super::kernels::Kernels;
use crate::model::simd::TILE;

/// Rows of the result that are in registers at once.
const ROWS: usize = 8;

/// What the tokens of one image attend to each other with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Width of a token.
    pub(super) width: usize,
    pub(super) heads: usize,
    /// Tokens of an image: 4, 8, or a multiple of 16 up to [`TILE`].
    pub(super) tokens: usize,
}

impl Heads {
    /// Numbers of a tile's attention weights: for each image and head `[key][query]`.
    pub(super) const fn weights_len(self) -> usize {
        self.heads * TILE * self.tokens
    }

    fn scale(self) -> f32 {
        1.0 / ((self.width / self.heads) as f32).sqrt()
    }

    /// `(first feature, first token, place of the weights)` for each image and head.
    fn each(self, mut work: impl FnMut(usize, usize, std::ops::Range<usize>)) {
        let deep = self.width / self.heads;
        let square = self.tokens * self.tokens;
        for image in 0..TILE / self.tokens {
            for head in 0..self.heads {
                let at = (image * self.heads + head) * square;
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

    /// The derivative of the result along `d_qkv`; `room` is of one image and head.
    pub(super) fn tangent(
        self,
        k: Kernels,
        (qkv, d_qkv): (&[f32], &[f32]),
        weights: &[f32],
        room: &mut Vec<f32>,
        d_out: &mut [f32],
    ) {
        let (queries, keys, values) = self.thirds(qkv);
        let (d_queries, d_keys, d_values) = self.thirds(d_qkv);
        room.resize(self.tokens * self.tokens, 0.0);
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

    /// The gradient with respect to `qkv` from that with respect to the result.
    pub(super) fn backward(
        self,
        k: Kernels,
        (qkv, weights): (&[f32], &[f32]),
        d_out: &[f32],
        room: &mut Vec<f32>,
        d_qkv: &mut [f32],
    ) {
        let (queries, keys, values) = self.thirds(qkv);
        let third = self.width * TILE;
        let (d_queries, rest) = d_qkv.split_at_mut(third);
        let (d_keys, d_values) = rest.split_at_mut(third);
        let t = self.tokens;
        room.resize(2 * t * t, 0.0);
        let (slopes, turned) = room.split_at_mut(t * t);
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

    fn deep(self) -> usize {
        self.width / self.heads
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
    k.run(
        #[inline(always)]
        || {
            if tokens.is_multiple_of(16) {
                cross_lanes::<16>(tokens, place, a, b, scale, out, add);
            } else {
                cross_lanes::<4>(tokens, place, a, b, scale, out, add);
            }
        },
    );
}

#[inline(always)]
fn cross_lanes<const L: usize>(
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
    for from in (0..tokens).step_by(L) {
        for first in (0..tokens).step_by(ROWS) {
            let count = ROWS.min(tokens - first);
            let mut sums = [[0.0_f32; L]; ROWS];
            for (a, b) in a.as_chunks::<TILE>().0.iter().zip(b.as_chunks::<TILE>().0) {
                let a: &[f32; L] = chunk(a, place.token + from);
                let b = &b[place.token + first..place.token + first + count];
                for (sum, b) in sums.iter_mut().zip(b) {
                    for l in 0..L {
                        sum[l] += a[l] * b;
                    }
                }
            }
            for (j, sum) in sums[..count].iter().enumerate() {
                let at = (first + j) * tokens + from;
                for (out, sum) in out[at..at + L].iter_mut().zip(sum) {
                    *out = if add { *out } else { 0.0 } + scale * sum;
                }
            }
        }
    }
}

#[inline(always)]
fn chunk<const L: usize>(row: &[f32; TILE], at: usize) -> &[f32; L] {
    // Tokens come in whole chunks of the tile.
    row[at..at + L].as_array().expect("a slice of L numbers")
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
    k.run(
        #[inline(always)]
        || {
            if tokens.is_multiple_of(16) {
                mix_lanes::<16>(tokens, place, p, v, scale, out, add);
            } else {
                mix_lanes::<4>(tokens, place, p, v, scale, out, add);
            }
        },
    );
}

#[inline(always)]
fn mix_lanes<const L: usize>(
    tokens: usize,
    place: Place,
    p: &[f32],
    v: &[f32],
    scale: f32,
    out: &mut [f32],
    add: bool,
) {
    let rows = place.feature * TILE..(place.feature + place.deep) * TILE;
    let v = v[rows.clone()].as_chunks::<TILE>().0;
    let out = out[rows].as_chunks_mut::<TILE>().0;
    for from in (0..tokens).step_by(L) {
        for (v, out) in v.chunks(ROWS).zip(out.chunks_mut(ROWS)) {
            let mut sums = [[0.0_f32; L]; ROWS];
            for (j, p) in p.chunks_exact(tokens).enumerate() {
                let p: &[f32; L] = p[from..from + L].as_array().expect("a slice of L numbers");
                for (sum, v) in sums.iter_mut().zip(v) {
                    let v = v[place.token + j];
                    for l in 0..L {
                        sum[l] += p[l] * v;
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(&sums) {
                let at = place.token + from;
                for (out, sum) in out[at..at + L].iter_mut().zip(sum) {
                    *out = if add { *out } else { 0.0 } + scale * sum;
                }
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
