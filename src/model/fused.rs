//! The 2D network as one CPU kernel, for machines without a GPU: no graph, no allocation per call, every core.
//!
//! A draw's noise enters as `x`; all else (`s`, `u`, `t`, `x_t`) is the same for every row of a call, so the first
//! layer's share of it is folded into its bias once, and that layer costs two products a unit.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::config::{DenseLayer, MlpConfig, ModelError, STATE, check_layers};
use super::simd::{Buffer, Packed, Plain, Silu, TILE, affine, silu, vectors};

/// Rows below which a call stays on the calling thread.
const PARALLEL_FROM: usize = 4 * TILE;

/// The network, ready to run on the CPU. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FusedMlp(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: MlpConfig,
    frequencies: Vec<f32>,
    layers: Vec<DenseLayer>,
    /// Columns of the first layer that `x` meets, times `input_scale`: `[hidden]` each.
    state_weight: [Vec<f32>; STATE],
    /// The other layers.
    packed: Vec<Packed>,
}

impl FusedMlp {
    /// Checks the layers and lays them out for the kernel.
    ///
    /// # Errors
    /// [`ModelError`] when the layers are not what `config` asks for, or not finite.
    pub fn new(config: &MlpConfig, layers: Vec<DenseLayer>) -> Result<Self, ModelError> {
        check_layers(config, &layers)?;
        let first = &layers[0];
        let state_weight = std::array::from_fn(|d| {
            (0..first.outputs)
                .map(|j| first.weight[j * first.inputs + d] * config.input_scale)
                .collect()
        });
        let packed = layers[1..]
            .iter()
            .map(|layer| {
                let mut packed = Packed::zeroed(layer.outputs, layer.inputs);
                packed.fill(|j, k| layer.weight[j * layer.inputs + k], Some(&layer.bias));
                packed
            })
            .collect();
        Ok(Self(Arc::new(Inner {
            config: *config,
            frequencies: config.frequency_table(),
            layers,
            state_weight,
            packed,
        })))
    }

    /// The weights as they were given.
    pub fn layers(&self) -> &[DenseLayer] {
        &self.0.layers
    }

    /// The network's shape.
    pub fn config(&self) -> &MlpConfig {
        &self.0.config
    }

    /// The first layer's bias with everything but `x` folded in: `[hidden]`.
    pub fn conditioned_bias(&self, s: f32, u: f32, t: f32, x_t: [f32; 2]) -> Vec<f32> {
        let Inner { config, frequencies, layers, .. } = &*self.0;
        let mut input = Vec::with_capacity(config.inputs());
        input.extend(x_t.map(|x| x * config.input_scale));
        input.extend([s, u, t]);
        for time in [s, u, t] {
            input.extend(frequencies.iter().map(|f| (f * time).sin()));
            input.extend(frequencies.iter().map(|f| (f * time).cos()));
        }
        let first = &layers[0];
        first
            .weight
            .chunks_exact(first.inputs)
            .zip(&first.bias)
            .map(|(row, bias)| {
                // f64: this is done once for thousands of draws.
                let sum: f64 = row[STATE..].iter().zip(&input).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                (f64::from(*bias) + sum) as f32
            })
            .collect()
    }

    /// `out[i] = v(s, u, x[i]; t, x_t)`. A row's result is the same bits whatever the batch around it.
    pub fn velocity_into(&self, s: f32, u: f32, t: f32, x_t: [f32; 2], x: &[[f32; 2]], out: &mut [[f32; 2]]) {
        assert_eq!(x.len(), out.len(), "one velocity for each row");
        out.copy_from_slice(x);
        self.for_each_tile(s, u, t, x_t, out, |row, v| *row = v);
    }

    /// `x[i] <- X_{s,u}(x[i]; t, x_t) = x[i] + (u - s) v(s, u, x[i]; t, x_t)`.
    pub fn flow_map_in_place(&self, s: f32, u: f32, t: f32, x_t: [f32; 2], x: &mut [[f32; 2]]) {
        let step = u - s;
        self.for_each_tile(s, u, t, x_t, x, |row, v| {
            for (x, v) in row.iter_mut().zip(v) {
                *x += step * v;
            }
        });
    }

    /// Replaces each row by what `put(row, v)` makes of it.
    fn for_each_tile(
        &self,
        s: f32,
        u: f32,
        t: f32,
        x_t: [f32; 2],
        rows: &mut [[f32; 2]],
        put: impl Fn(&mut [f32; 2], [f32; 2]) + Sync,
    ) {
        let bias = self.conditioned_bias(s, u, t, x_t);
        let arch = Arch::new();
        let run = |scratch: &mut [Buffer; 2], rows: &mut [[f32; 2]]| {
            arch.dispatch(Forward { net: &self.0, bias: &bias, rows, scratch, put: &put });
        };
        let scratch = || [0, 1].map(|_| Buffer::zeroed(self.0.config.hidden.max(STATE) * TILE));
        if rows.len() < PARALLEL_FROM {
            let mut scratch = scratch();
            rows.chunks_mut(TILE).for_each(|rows| run(&mut scratch, rows));
        } else {
            rows.par_chunks_mut(TILE).for_each_init(scratch, |scratch, rows| run(scratch, rows));
        }
    }
}

/// One tile through the network.
struct Forward<'a, P> {
    net: &'a Inner,
    bias: &'a [f32],
    rows: &'a mut [[f32; 2]],
    scratch: &'a mut [Buffer; 2],
    put: &'a P,
}

impl<P: Fn(&mut [f32; 2], [f32; 2])> WithSimd for Forward<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { net, bias, rows, scratch, put } = self;
        // Rows beyond the last are zeros; nothing of theirs is read.
        let mut x = [[0.0_f32; TILE]; STATE];
        for (i, row) in rows.iter().enumerate() {
            x[0][i] = row[0];
            x[1][i] = row[1];
        }
        let (x0, _) = S::as_simd_f32s(&x[0]);
        let (x1, _) = S::as_simd_f32s(&x[1]);
        let [a, b] = scratch;
        let (mut from, mut to) = (a.as_mut_slice(), b.as_mut_slice());
        let hidden = vectors::<S>(from);
        let [w0, w1] = &net.state_weight;
        for (((h, bias), w0), w1) in hidden.chunks_exact_mut(x0.len()).zip(bias).zip(w0).zip(w1) {
            let (bias, w0, w1) = (simd.splat_f32s(*bias), simd.splat_f32s(*w0), simd.splat_f32s(*w1));
            for ((h, x0), x1) in h.iter_mut().zip(x0).zip(x1) {
                let z = simd.mul_add_f32s(w1, *x1, simd.mul_add_f32s(w0, *x0, bias));
                *h = silu(simd, z);
            }
        }
        let last = net.packed.len() - 1;
        for (i, matrix) in net.packed.iter().enumerate() {
            if i < last {
                affine(simd, matrix, from, to, &mut Silu);
            } else {
                affine(simd, matrix, from, to, &mut Plain);
            }
            std::mem::swap(&mut from, &mut to);
        }
        for (i, row) in rows.iter_mut().enumerate() {
            put(row, [from[i], from[TILE + i]]);
        }
    }
}
