//! The 2D network as one CPU kernel, for machines without a GPU: no graph, no allocation per call, every core.
//!
//! A draw's noise enters as `x`; all else (`s`, `u`, `t`, `x_t`) is the same for every row of a call, so the first
//! layer's share of it is folded into its bias once, and that layer costs two products a unit.

// What runs under `pulp` must be inlined into the function that enables the instructions, or it gets none of them.
#![allow(clippy::inline_always)]

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::config::{DenseLayer, MlpConfig, ModelError, STATE, check_layers};
use super::simd::{Bias, Buffer, Packed, Plain, Silu, TILE, product, silu, vectors};

/// Rows below which a call stays on the calling thread.
const PARALLEL_FROM: usize = 4 * TILE;

/// The network, ready to run on the CPU. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FusedMlp {
    inner: Arc<Inner>,
    velocity_only: bool,
}

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
        Ok(Self {
            inner: Arc::new(Inner {
                config: *config,
                frequencies: config.frequency_table(),
                layers,
                state_weight,
                packed,
            }),
            velocity_only: false,
        })
    }

    /// The same network where only its velocity `v(t, t, x; 0, 0)` means something, as after fine-tuning: its jumps are
    /// no flow map, and nothing may draw with them.
    #[must_use]
    pub fn velocity_only(self) -> Self {
        Self {
            velocity_only: true,
            ..self
        }
    }

    /// Whether its jumps are a flow map that draws; if not, only its velocity may be used.
    pub fn is_map(&self) -> bool {
        !self.velocity_only
    }

    /// The weights as they were given.
    pub fn layers(&self) -> &[DenseLayer] {
        &self.inner.layers
    }

    /// The network's shape.
    pub fn config(&self) -> &MlpConfig {
        &self.inner.config
    }

    /// The first layer's bias with everything but `x` folded in: `[hidden]`.
    pub fn conditioned_bias(&self, s: f32, u: f32, t: f32, x_t: [f32; 2]) -> Vec<f32> {
        let Inner {
            config,
            frequencies,
            layers,
            ..
        } = &*self.inner;
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
                let sum: f64 = row[STATE..]
                    .iter()
                    .zip(&input)
                    .map(|(w, x)| f64::from(*w) * f64::from(*x))
                    .sum();
                (f64::from(*bias) + sum) as f32
            })
            .collect()
    }

    /// `out[i] = v(s, u, x[i]; t, x_t)`. A row's result is the same bits whatever the batch around it.
    pub fn velocity_into(
        &self,
        s: f32,
        u: f32,
        t: f32,
        x_t: [f32; 2],
        x: &[[f32; 2]],
        out: &mut [[f32; 2]],
    ) {
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
            arch.dispatch(Forward {
                net: &self.inner,
                bias: &bias,
                rows,
                scratch,
                put: &put,
            });
        };
        let scratch = || [0, 1].map(|_| Buffer::zeroed(self.inner.config.hidden.max(STATE) * TILE));
        if rows.len() < PARALLEL_FROM {
            let mut scratch = scratch();
            rows.chunks_mut(TILE)
                .for_each(|rows| run(&mut scratch, rows));
        } else {
            rows.par_chunks_mut(TILE)
                .for_each_init(scratch, |scratch, rows| run(scratch, rows));
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
        let Self {
            net,
            bias,
            rows,
            scratch,
            put,
        } = self;
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
            let (bias, w0, w1) = (
                simd.splat_f32s(*bias),
                simd.splat_f32s(*w0),
                simd.splat_f32s(*w1),
            );
            for ((h, x0), x1) in h.iter_mut().zip(x0).zip(x1) {
                let z = simd.mul_add_f32s(w1, *x1, simd.mul_add_f32s(w0, *x0, bias));
                *h = silu(simd, z);
            }
        }
        let last = net.packed.len() - 1;
        for (i, matrix) in net.packed.iter().enumerate() {
            let layer = (matrix, Bias::Added);
            if i < last {
                product(simd, layer, rows.len(), from, to, &mut Silu);
            } else {
                product(simd, layer, rows.len(), from, to, &mut Plain);
            }
            std::mem::swap(&mut from, &mut to);
        }
        for (i, row) in rows.iter_mut().enumerate() {
            put(row, [from[i], from[TILE + i]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Condition, MetaFlowMap, Mlp};
    use burn::tensor::{Device, Tensor, TensorData};

    fn network(config: &MlpConfig) -> FusedMlp {
        let mut k = 0.0_f32;
        let mut number = |bound: f32| {
            k += 1.0;
            ((k * 12.9898).sin() * 43_758.547).fract() * bound
        };
        let layers = config
            .shapes()
            .into_iter()
            .map(|(inputs, outputs)| {
                let bound = 1.7 / (inputs as f32).sqrt();
                DenseLayer {
                    inputs,
                    outputs,
                    weight: (0..inputs * outputs).map(|_| number(bound)).collect(),
                    bias: (0..outputs).map(|_| number(bound)).collect(),
                }
            })
            .collect();
        FusedMlp::new(config, layers).unwrap()
    }

    fn rows(n: usize) -> Vec<[f32; 2]> {
        (0..n)
            .map(|i| [(i as f32 * 0.71).sin() * 3.0, (i as f32 * 1.31).cos() * 3.0])
            .collect()
    }

    #[test]
    fn the_kernel_agrees_with_the_network_in_burn() {
        let device = Device::flex();
        // Also sizes that fill neither blocks nor vectors.
        for config in [
            MlpConfig::default(),
            MlpConfig {
                hidden: 37,
                layers: 2,
                frequencies: 5,
                ..MlpConfig::default()
            },
            MlpConfig {
                hidden: 1,
                layers: 1,
                frequencies: 1,
                ..MlpConfig::default()
            },
        ] {
            let fused = network(&config);
            let plain = Mlp::from_layers(&config, fused.layers(), &device).unwrap();
            let n = 333;
            let x = rows(n);
            let (s, u, t, x_t) = (0.25, 0.8, 0.4, [0.7, -1.2]);
            let mut ours = vec![[0.0; 2]; n];
            fused.velocity_into(s, u, t, x_t, &x, &mut ours);
            let full = |v: f32| Tensor::<1>::full([n], v, &device);
            let points = |p: &[[f32; 2]]| {
                Tensor::<2>::from_data(TensorData::new(p.as_flattened().to_vec(), [n, 2]), &device)
            };
            let condition = Condition {
                t: full(t),
                x_t: points(&vec![x_t; n]),
                label: None,
                guidance_scale: None,
            };
            let theirs = plain.average_velocity(full(s), full(u), points(&x), &condition);
            let theirs = theirs.into_data().try_to_vec::<f32>().unwrap();
            for (ours, theirs) in ours.as_flattened().iter().zip(&theirs) {
                // Sums of 256 products in two orders, five layers deep.
                assert!(
                    (ours - theirs).abs() < 2e-5 * (1.0 + theirs.abs()),
                    "{ours} {theirs}"
                );
            }
        }
    }

    #[test]
    fn a_row_is_the_same_bits_whatever_the_batch() {
        let fused = network(&MlpConfig::default());
        let x = rows(1000);
        let mut all = vec![[0.0; 2]; 1000];
        fused.velocity_into(0.0, 1.0, 0.3, [0.5, 0.5], &x, &mut all);
        for (first, count) in [(0, 1), (5, 1), (63, 2), (17, 300), (1, 999)] {
            let mut part = vec![[0.0; 2]; count];
            fused.velocity_into(
                0.0,
                1.0,
                0.3,
                [0.5, 0.5],
                &x[first..first + count],
                &mut part,
            );
            assert_eq!(part, all[first..first + count]);
        }
    }

    #[test]
    fn the_flow_map_is_the_identity_when_s_equals_u() {
        let fused = network(&MlpConfig::default());
        let mut x = rows(70);
        fused.flow_map_in_place(0.4, 0.4, 0.3, [0.5, 0.5], &mut x);
        assert_eq!(x, rows(70));
        fused.flow_map_in_place(0.4, 0.9, 0.3, [0.5, 0.5], &mut x);
        let mut v = vec![[0.0; 2]; 70];
        fused.velocity_into(0.4, 0.9, 0.3, [0.5, 0.5], &rows(70), &mut v);
        for ((x, from), v) in x.iter().zip(rows(70)).zip(v) {
            assert_eq!(
                *x,
                std::array::from_fn(|d| from[d] + (0.9_f32 - 0.4) * v[d])
            );
        }
    }

    #[test]
    fn no_rows_and_extreme_rows_do_no_harm() {
        let fused = network(&MlpConfig::default());
        fused.velocity_into(0.0, 1.0, 0.3, [0.5, 0.5], &[], &mut []);
        let x = [
            [1e30, -1e30],
            [f32::MAX, f32::MIN],
            [0.0, 1e-40],
            [1.0, 2.0],
        ];
        let mut v = [[0.0; 2]; 4];
        fused.velocity_into(0.0, 1.0, 0.3, [0.5, 0.5], &x, &mut v);
        assert!(v[2].iter().chain(&v[3]).all(|v| v.is_finite()));
    }
}
