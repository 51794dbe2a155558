//! The 2D network for steering, on the CPU: rows under different `x_t` in one call, and gradients through it.
//!
//! Steering asks for the map at thousands of states that share `(s, u, t)`: what the times add to the first layer is
//! folded into its bias once, `x` and `x_t` enter row by row. The gradient is one backward pass a row, a
//! vector-Jacobian product with the row's own cotangent; nothing is kept between calls.

mod pass;

use std::sync::Arc;

use pulp::Arch;

use super::RowsOnDevice;
use super::config::STATE;
use super::fused::FusedMlp;
use super::simd::{Packed, TILE};
use pass::{Pass, Scratch};

/// Columns of the first layer that rows own: `x` (2), `x_t` (2).
const OWN: usize = 2 * STATE;

/// The network with derivatives by `x` and `x_t`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GuidedMlp {
    inner: Arc<Inner>,
    device: Option<Arc<dyn RowsOnDevice>>,
}

/// Fewer rows than this are quicker where they are.
const ROWS_WORTH_A_TRIP: usize = 512;

#[derive(Debug)]
struct Inner {
    net: FusedMlp,
    hidden: usize,
    /// First-layer columns of `x` and `x_t` times `input_scale`: `[hidden]` each.
    own: [Vec<f32>; OWN],
    /// The other layers.
    forward: Vec<Packed>,
    /// The same, transposed.
    backward: Vec<Packed>,
    /// `own` as a matrix `[OWN][hidden]`, from the first layer's units to the rows' inputs.
    to_inputs: Packed,
}

/// Times and conditioning states of a call: row `i` stands under `x_t[i / group]`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Start of the jump.
    pub s: f32,
    /// End of the jump.
    pub u: f32,
    /// Time of the conditioning states.
    pub t: f32,
    /// The conditioning states, `[ceil(rows / group)]`.
    pub x_t: &'a [[f32; 2]],
    /// Neighbouring rows that share one of them.
    pub group: usize,
}

impl Rows<'_> {
    /// `v(t, t, x; 0, 0)`: the marginal velocity `b_t`.
    pub fn marginal(t: f32) -> Rows<'static> {
        Self::unconditional(t, t)
    }

    /// `v(s, u, x; 0, 0)`: the average velocity of the deterministic flow map.
    pub fn unconditional(s: f32, u: f32) -> Rows<'static> {
        Rows {
            s,
            u,
            t: 0.0,
            x_t: &[[0.0; 2]],
            group: usize::MAX,
        }
    }

    /// The same conditioning states for another jump.
    #[must_use]
    pub fn jump(self, s: f32, u: f32) -> Self {
        Self { s, u, ..self }
    }

    fn under(&self, row: usize) -> [f32; 2] {
        self.x_t[row / self.group]
    }
}

impl GuidedMlp {
    /// Lays the weights out for both directions.
    pub fn new(net: &FusedMlp) -> Self {
        let layers = net.layers();
        let (first, scale) = (&layers[0], net.config().input_scale);
        let own: [Vec<f32>; OWN] = std::array::from_fn(|d| {
            let column = |j: usize| first.weight[j * first.inputs + d] * scale;
            (0..first.outputs).map(column).collect()
        });
        let packed = |transposed: bool| {
            layers[1..]
                .iter()
                .map(|layer| {
                    let weight = |j: usize, k: usize| layer.weight[j * layer.inputs + k];
                    if transposed {
                        let mut packed = Packed::zeroed(layer.inputs, layer.outputs);
                        packed.fill(|k, j| weight(j, k), None);
                        packed
                    } else {
                        let mut packed = Packed::zeroed(layer.outputs, layer.inputs);
                        packed.fill(weight, Some(&layer.bias));
                        packed
                    }
                })
                .collect()
        };
        let mut to_inputs = Packed::zeroed(OWN, first.outputs);
        to_inputs.fill(|d, j| own[d][j], None);
        Self {
            inner: Arc::new(Inner {
                net: net.clone(),
                hidden: first.outputs,
                forward: packed(false),
                backward: packed(true),
                to_inputs,
                own,
            }),
            device: None,
        }
    }

    /// The same network with a device for what needs no derivative. Results differ from the processor's by rounding.
    #[must_use]
    pub fn on_device(self, device: Arc<dyn RowsOnDevice>) -> Self {
        Self {
            device: Some(device),
            ..self
        }
    }

    /// Whether a device takes over what needs no derivative: it wants many rows at once.
    pub fn has_device(&self) -> bool {
        self.device.is_some()
    }

    fn jump_on_device(&self, rows: Rows<'_>, delta: f32, x: &mut [[f32; 2]]) -> bool {
        let Some(device) = self
            .device
            .as_ref()
            .filter(|_| x.len() >= ROWS_WORTH_A_TRIP)
        else {
            return false;
        };
        let bias = self
            .inner
            .net
            .conditioned_bias(rows.s, rows.u, rows.t, [0.0; 2]);
        device.jump(&bias, delta, rows, x)
    }

    /// Whether its jumps are a flow map; see [`FusedMlp::is_map`].
    pub fn is_map(&self) -> bool {
        self.inner.net.is_map()
    }

    /// The network itself.
    pub fn network(&self) -> &FusedMlp {
        &self.inner.net
    }

    /// Replaces each row of `x` `[rows, 2]` by `v(s, u, x; t, x_t)`, on the calling thread or the device.
    pub fn velocity(&self, rows: Rows<'_>, x: &mut [[f32; 2]]) {
        if self.device.is_some() && x.len() >= ROWS_WORTH_A_TRIP {
            let before = x.to_vec();
            if self.jump_on_device(rows, 1.0, x) {
                for (x, before) in x.iter_mut().zip(before) {
                    *x = [x[0] - before[0], x[1] - before[1]];
                }
                return;
            }
        }
        self.each(rows, x, None, |row, v, _| *row = v);
    }

    /// `x <- X_{s,u}(x; t, x_t)`, on the calling thread or the device.
    pub fn flow_map(&self, rows: Rows<'_>, x: &mut [[f32; 2]]) {
        let step = rows.u - rows.s;
        if self.jump_on_device(rows, step, x) {
            return;
        }
        self.each(rows, x, None, |row, v, _| {
            *row = [row[0] + step * v[0], row[1] + step * v[1]];
        });
    }

    /// For each row asks `cotangent(row number, v)` for `c` and hands `take(row number, v, [c' dv/dx, c' dv/dx_t])`
    /// the products: one forward and one backward pass.
    pub fn velocity_with_pullback(
        &self,
        rows: Rows<'_>,
        x: &[[f32; 2]],
        cotangent: &dyn Fn(usize, [f32; 2]) -> [f32; 2],
        mut take: impl FnMut(usize, [f32; 2], [[f32; 2]; 2]),
    ) {
        // `each` hands rows over in order; their numbers are counted here.
        let mut at = 0;
        let mut rows_of_x = x.to_vec();
        self.each(rows, &mut rows_of_x, Some(cotangent), |_, v, pulled| {
            take(at, v, pulled);
            at += 1;
        });
    }

    fn each(
        &self,
        rows: Rows<'_>,
        x: &mut [[f32; 2]],
        cotangent: Option<&dyn Fn(usize, [f32; 2]) -> [f32; 2]>,
        mut put: impl FnMut(&mut [f32; 2], [f32; 2], [[f32; 2]; 2]),
    ) {
        let inner = &*self.inner;
        let bias = inner.net.conditioned_bias(rows.s, rows.u, rows.t, [0.0; 2]);
        let mut scratch = Scratch::new(inner, cotangent.is_some());
        let arch = Arch::new();
        for (index, x) in x.chunks_mut(TILE).enumerate() {
            arch.dispatch(Pass {
                net: inner,
                bias: &bias,
                rows,
                first: index * TILE,
                x,
                cotangent,
                scratch: &mut scratch,
                put: &mut put,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DenseLayer, MlpConfig};
    use crate::process::{Address, Purpose, normal_pairs};

    fn network() -> GuidedMlp {
        let config = MlpConfig {
            hidden: 24,
            layers: 3,
            ..MlpConfig::default()
        };
        let layers = config
            .shapes()
            .into_iter()
            .enumerate()
            .map(|(l, (inputs, outputs))| {
                let mut noise = vec![[0.0; 2]; inputs * outputs];
                normal_pairs(Address::new(1, Purpose::Test, l as u32), 0, &mut noise);
                let scale = 1.0 / (inputs as f32).sqrt();
                DenseLayer {
                    inputs,
                    outputs,
                    weight: noise.iter().map(|n| n[0] * scale).collect(),
                    bias: noise[..outputs].iter().map(|n| 0.1 * n[1]).collect(),
                }
            })
            .collect();
        GuidedMlp::new(&FusedMlp::new(&config, layers).unwrap())
    }

    fn points(count: usize, state: u32) -> Vec<[f32; 2]> {
        let mut out = vec![[0.0; 2]; count];
        normal_pairs(Address::new(2, Purpose::Test, state), 0, &mut out);
        out
    }

    #[test]
    fn rows_under_their_own_states_are_the_fused_networks() {
        let net = network();
        let (x, x_t) = (points(150, 0), points(30, 1));
        let rows = Rows {
            s: 0.1,
            u: 0.9,
            t: 0.4,
            x_t: &x_t,
            group: 5,
        };
        let mut v = x.clone();
        net.velocity(rows, &mut v);
        for (i, x) in x.iter().enumerate() {
            let mut expected = [[0.0; 2]];
            net.network()
                .velocity_into(0.1, 0.9, 0.4, x_t[i / 5], &[*x], &mut expected);
            for d in 0..2 {
                assert!((v[i][d] - expected[0][d]).abs() < 2e-6, "row {i}");
            }
        }
    }

    #[test]
    fn pulled_back_gradients_match_finite_differences() {
        let net = network();
        let (x, x_t) = (points(70, 0), points(70, 1));
        let rows = Rows {
            s: 0.1,
            u: 0.9,
            t: 0.4,
            x_t: &x_t,
            group: 1,
        };
        let cotangent = |i: usize, v: [f32; 2]| [1.0 + v[1], 0.5 - 0.01 * i as f32];
        let mut got = vec![([0.0; 2], [[0.0; 2]; 2]); x.len()];
        net.velocity_with_pullback(rows, &x, &cotangent, |i, v, pulled| got[i] = (v, pulled));
        let h = 2e-2_f32;
        for (i, (v, pulled)) in got.into_iter().enumerate() {
            let c = cotangent(i, v);
            for (which, pulled) in pulled.into_iter().enumerate() {
                for (d, pulled) in pulled.into_iter().enumerate() {
                    let moved = |by: f32| {
                        let (mut a, mut b) = (x[i], x_t[i]);
                        if which == 0 {
                            a[d] += by;
                        } else {
                            b[d] += by;
                        }
                        let mut out = [a];
                        net.velocity(Rows { x_t: &[b], ..rows }, &mut out);
                        c[0] * out[0][0] + c[1] * out[0][1]
                    };
                    let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h)))
                        / (12.0 * h);
                    // f32: rounding 1e-7 over h.
                    let apart = (pulled - slope).abs();
                    assert!(apart < 1e-4 * (1.0 + slope.abs()), "row {i}: {apart}");
                }
            }
        }
    }
}
