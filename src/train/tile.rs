//! One tile of a training step: targets, forward, tangent, backward.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]
// Loops of fixed length over registers read better by index, and unroll.
#![allow(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};

use super::along::AlongEnd;
use super::batch::Batch;
use super::native::{Consistency, LossPlan, NativeNet, StepLoss};
use super::outer::{add_outer, transposed_len};
use crate::model::MlpConfig;
use crate::model::simd::{BLOCK, Buffer, Finish, Plain, TILE, affine, linear, silu_and_slope};

/// Per-thread room for one tile.
pub(super) struct Scratch {
    input: Buffer,
    input_tangent: Buffer,
    /// Activations and their slopes, layer by layer.
    active: Vec<Buffer>,
    slope: Vec<Buffer>,
    ping: Buffer,
    pong: Buffer,
    transposed: Buffer,
    out: Buffer,
    out_tangent: Buffer,
    /// Room that only the Lagrangian loss needs.
    along: Option<AlongEnd>,
}

impl Scratch {
    pub(super) fn new(config: &MlpConfig) -> Self {
        let wide = config.hidden.max(config.inputs()).next_multiple_of(16);
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        Self {
            input: tile(config.inputs()),
            input_tangent: tile(config.inputs()),
            active: (0..config.layers).map(|_| tile(config.hidden)).collect(),
            slope: (0..config.layers).map(|_| tile(config.hidden)).collect(),
            ping: tile(wide),
            pong: tile(wide),
            transposed: Buffer::zeroed(transposed_len(wide)),
            out: tile(BLOCK),
            out_tangent: tile(BLOCK),
            along: None,
        }
    }
}

/// Input of the network that tangent input `k` stands for: `x` (0, 1), `s` (4), then the features of `s` (7 on).
pub(super) const fn tangent_column(k: usize, frequencies: usize) -> usize {
    debug_assert!(k < 3 + 2 * frequencies);
    match k {
        0 | 1 => k,
        2 => 4,
        _ => 7 + k - 3,
    }
}

/// One tile: targets, forward, backward.
pub(super) struct TileStep<'a> {
    pub(super) net: &'a NativeNet,
    pub(super) batch: &'a Batch,
    pub(super) plan: &'a LossPlan,
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) scratch: &'a mut Scratch,
    pub(super) gradient: &'a mut [f32],
}

/// Times and states of a tile, one lane an item; lanes beyond the last are zero.
#[derive(Clone)]
struct Lanes {
    s: [f32; TILE],
    u: [f32; TILE],
    t: [f32; TILE],
    x: [[f32; TILE]; 2],
    x_t: [[f32; TILE]; 2],
}

impl WithSimd for TileStep<'_> {
    type Output = StepLoss;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> StepLoss {
        let Self {
            net,
            batch,
            plan,
            first,
            rows,
            scratch,
            gradient,
        } = self;
        let lane = |v: &[f32]| -> [f32; TILE] {
            std::array::from_fn(|i| if i < rows { v[first + i] } else { 0.0 })
        };
        let pair = |v: &[[f32; 2]], d: usize| -> [f32; TILE] {
            std::array::from_fn(|i| if i < rows { v[first + i][d] } else { 0.0 })
        };
        let lanes = Lanes {
            s: lane(&batch.s),
            u: lane(&batch.u),
            t: lane(&batch.t),
            x: [pair(&batch.x, 0), pair(&batch.x, 1)],
            x_t: [pair(&batch.x_t, 0), pair(&batch.x_t, 1)],
        };
        let teacher = [pair(&batch.velocity, 0), pair(&batch.velocity, 1)];
        let jumps = (0..rows).any(|i| lanes.s[i] != lanes.u[i]);

        // On the diagonal both targets below are the teacher's velocity, since u - s = 0.
        let mut target = teacher;
        if jumps && plan.consistency == Consistency::Semigroup {
            let middle = lane(&batch.middle);
            semigroup_target(simd, net, scratch, &lanes, &middle, &mut target);
        }
        let mut along = None;
        if jumps && plan.consistency == Consistency::Lagrangian {
            let kept = scratch.along.take();
            let kept = along.insert(kept.unwrap_or_else(|| AlongEnd::new(&net.config)));
            lagrangian(simd, net, scratch, kept, &lanes, &mut target);
        } else {
            embed(net, &lanes, scratch.input.as_mut_slice());
            forward(simd, net, scratch);
        }
        if jumps && plan.consistency == Consistency::Eulerian {
            embed_tangent(net, &lanes, &teacher, scratch.input_tangent.as_mut_slice());
            tangent(simd, net, scratch);
            let dv = scratch.out_tangent.as_slice();
            for d in 0..2 {
                for i in 0..rows {
                    target[d][i] += (lanes.u[i] - lanes.s[i]) * dv[d * TILE + i];
                }
            }
        }

        // Replaces the output by the gradient of the loss with respect to it.
        let mut loss = StepLoss::default();
        let share = 2.0 / batch.s.len() as f32;
        let out = scratch.out.as_mut_slice();
        for i in 0..TILE {
            let hold = batch.hold.get(first + i).copied().unwrap_or(1.0);
            let err = [
                hold * out[i] - target[0][i],
                hold * out[TILE + i] - target[1][i],
            ];
            let squared = err[0] * err[0] + err[1] * err[1];
            let diagonal = lanes.s[i] == lanes.u[i];
            let power = if diagonal {
                plan.diagonal_power
            } else {
                plan.consistency_power
            };
            let weight = if i < rows {
                (squared + plan.weight_floor).powf(-power)
            } else {
                0.0
            };
            out[i] = share * weight * err[0];
            out[TILE + i] = share * weight * err[1];
            if i < rows {
                loss.weighted += f64::from(weight * squared);
                *(if diagonal {
                    &mut loss.diagonal
                } else {
                    &mut loss.consistency
                }) += f64::from(squared);
            }
        }
        if let Some(mut kept) = along {
            let jump = std::array::from_fn(|i| lanes.u[i] - lanes.s[i]);
            kept.backward(simd, net, scratch.out.as_slice(), &jump, gradient);
            scratch.along = Some(kept);
        } else {
            backward(simd, net, scratch, gradient);
        }
        loss
    }
}

/// `g v(s, w, I_s) + (1 - g) v(w, u, X_{s,w}(I_s))`, for lanes that jump.
#[inline(always)]
fn semigroup_target<S: Simd>(
    simd: S,
    net: &NativeNet,
    scratch: &mut Scratch,
    lanes: &Lanes,
    middle: &[f32; TILE],
    target: &mut [[f32; TILE]; 2],
) {
    let mut half = lanes.clone();
    for (i, g) in middle.iter().enumerate() {
        half.u[i] = lanes.s[i] + g * (lanes.u[i] - lanes.s[i]);
    }
    embed(net, &half, scratch.input.as_mut_slice());
    forward(simd, net, scratch);
    let mut first = [[0.0; TILE]; 2];
    let out = scratch.out.as_slice();
    for d in 0..2 {
        for i in 0..TILE {
            first[d][i] = out[d * TILE + i];
            half.x[d][i] += (half.u[i] - lanes.s[i]) * first[d][i];
        }
    }
    half.s = half.u;
    half.u = lanes.u;
    embed(net, &half, scratch.input.as_mut_slice());
    forward(simd, net, scratch);
    let out = scratch.out.as_slice();
    for d in 0..2 {
        for (i, g) in middle.iter().enumerate() {
            if lanes.s[i] != lanes.u[i] {
                target[d][i] = g * first[d][i] + (1.0 - g) * out[d * TILE + i];
            }
        }
    }
}

/// Leaves `d/du X_{s,u}(I_s) = v + (u - s) d/du v` in the scratch's output and sets the target of lanes that jump to
/// the velocity at the end, `v(u, u, X_{s,u}(I_s))`. On the diagonal the first is `v(s, s, I_s)`.
#[inline(always)]
fn lagrangian<S: Simd>(
    simd: S,
    net: &NativeNet,
    scratch: &mut Scratch,
    along: &mut AlongEnd,
    lanes: &Lanes,
    target: &mut [[f32; TILE]; 2],
) {
    embed(net, lanes, along.input.as_mut_slice());
    let (tangents, _) = along.input_tangent.as_mut_slice().as_chunks_mut::<TILE>();
    tangents[5] = [1.0; TILE];
    let features = 7 + 2 * net.frequencies.len();
    features_tangent(&net.frequencies, &lanes.u, &mut tangents[features..]);
    along.forward(simd, net);
    let (v, dv) = (along.out.as_slice(), along.out_tangent.as_slice());
    let mut end = lanes.clone();
    end.s = lanes.u;
    for d in 0..2 {
        for i in 0..TILE {
            end.x[d][i] += (lanes.u[i] - lanes.s[i]) * v[d * TILE + i];
        }
    }
    embed(net, &end, scratch.input.as_mut_slice());
    forward(simd, net, scratch);
    let out = scratch.out.as_mut_slice();
    for d in 0..2 {
        for i in 0..TILE {
            let (at, jump) = (d * TILE + i, lanes.u[i] - lanes.s[i]);
            if jump != 0.0 {
                target[d][i] = out[at];
            }
            out[at] = v[at] + jump * dv[at];
        }
    }
}

/// The network's inputs, `[inputs][TILE]`.
fn embed(net: &NativeNet, lanes: &Lanes, input: &mut [f32]) {
    let scale = net.config.input_scale;
    let (rows, _) = input.as_chunks_mut::<TILE>();
    for d in 0..2 {
        rows[d] = lanes.x[d].map(|x| x * scale);
        rows[2 + d] = lanes.x_t[d].map(|x| x * scale);
    }
    for (k, time) in [&lanes.s, &lanes.u, &lanes.t].into_iter().enumerate() {
        rows[4 + k] = *time;
        let n = net.frequencies.len();
        let (sines, rest) = rows[7 + 2 * n * k..].split_at_mut(n);
        for ((sine, cosine), f) in sines.iter_mut().zip(rest).zip(&net.frequencies) {
            for (i, time) in time.iter().enumerate() {
                (sine[i], cosine[i]) = (f * time).sin_cos();
            }
        }
    }
}

/// Derivative of the inputs along `(ds, du, dx) = (1, 0, v)`, in the order of [`tangent_column`].
fn embed_tangent(net: &NativeNet, lanes: &Lanes, v: &[[f32; TILE]; 2], tangent: &mut [f32]) {
    let scale = net.config.input_scale;
    let (rows, _) = tangent.as_chunks_mut::<TILE>();
    rows[0] = v[0].map(|v| v * scale);
    rows[1] = v[1].map(|v| v * scale);
    rows[2] = [1.0; TILE];
    features_tangent(&net.frequencies, &lanes.s, &mut rows[3..]);
}

/// Derivative of a time's features by that time: first of the sines, then of the cosines.
fn features_tangent(frequencies: &[f32], time: &[f32; TILE], rows: &mut [[f32; TILE]]) {
    let (sines, rest) = rows.split_at_mut(frequencies.len());
    for ((sine, cosine), f) in sines.iter_mut().zip(rest).zip(frequencies) {
        for (i, time) in time.iter().enumerate() {
            let (sin, cos) = (f * time).sin_cos();
            (sine[i], cosine[i]) = (f * cos, -f * sin);
        }
    }
}

/// Applies the activation and keeps its slope.
struct SiluWithSlope<'a, S: Simd>(&'a mut [S::f32s]);

impl<S: Simd> Finish<S> for SiluWithSlope<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        for (value, slope) in values.iter_mut().zip(&mut self.0[at..]) {
            (*value, *slope) = silu_and_slope(simd, *value);
        }
    }
}

/// Multiplies by the slopes of the activation.
struct TimesSlope<'a, S: Simd>(&'a [S::f32s]);

impl<S: Simd> Finish<S> for TimesSlope<'_, S> {
    #[inline(always)]
    fn take(&mut self, simd: S, at: usize, values: &mut [S::f32s]) {
        for (value, slope) in values.iter_mut().zip(&self.0[at..]) {
            *value = simd.mul_f32s(*value, *slope);
        }
    }
}

#[inline(always)]
fn forward<S: Simd>(simd: S, net: &NativeNet, scratch: &mut Scratch) {
    let Scratch {
        input,
        active,
        slope,
        out,
        ..
    } = scratch;
    let mut from: &[f32] = input.as_slice();
    for ((matrix, to), slope) in net.forward.iter().zip(active).zip(slope) {
        let slope = S::as_mut_simd_f32s(slope.as_mut_slice()).0;
        affine(
            simd,
            matrix,
            from,
            to.as_mut_slice(),
            &mut SiluWithSlope::<S>(slope),
        );
        from = to.as_slice();
    }
    affine(
        simd,
        &net.forward[net.config.layers],
        from,
        out.as_mut_slice(),
        &mut Plain,
    );
}

/// Carries the tangent beside the values that [`forward`] left. The bias has no part in it.
#[inline(always)]
fn tangent<S: Simd>(simd: S, net: &NativeNet, scratch: &mut Scratch) {
    let Scratch {
        input_tangent,
        slope,
        ping,
        pong,
        out_tangent,
        ..
    } = scratch;
    let (mut from, mut to) = (ping.as_mut_slice(), pong.as_mut_slice());
    for (i, slope) in slope.iter().enumerate() {
        let mut finish = TimesSlope::<S>(S::as_simd_f32s(slope.as_slice()).0);
        if i == 0 {
            linear(
                simd,
                &net.tangent,
                input_tangent.as_slice(),
                to,
                &mut finish,
            );
        } else {
            linear(simd, &net.forward[i], from, to, &mut finish);
        }
        std::mem::swap(&mut from, &mut to);
    }
    linear(
        simd,
        &net.forward[net.config.layers],
        from,
        out_tangent.as_mut_slice(),
        &mut Plain,
    );
}

/// From the gradient with respect to the output (in `out`) to that with respect to every weight, added to `gradient`.
#[inline(always)]
fn backward<S: Simd>(simd: S, net: &NativeNet, scratch: &mut Scratch, gradient: &mut [f32]) {
    let Scratch {
        input,
        active,
        slope,
        ping,
        pong,
        transposed,
        out,
        ..
    } = scratch;
    let (mut from, mut to) = (ping.as_mut_slice(), pong.as_mut_slice());
    from[..2 * TILE].copy_from_slice(&out.as_slice()[..2 * TILE]);
    for (l, slot) in net.layout.slots.iter().enumerate().rev() {
        let below = if l == 0 {
            input.as_slice()
        } else {
            active[l - 1].as_slice()
        };
        add_outer(simd, slot, from, below, transposed.as_mut_slice(), gradient);
        if l > 0 {
            let mut finish = TimesSlope::<S>(S::as_simd_f32s(slope[l - 1].as_slice()).0);
            linear(simd, &net.backward[l - 1], from, to, &mut finish);
            std::mem::swap(&mut from, &mut to);
        }
    }
}
