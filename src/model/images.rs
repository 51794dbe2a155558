//! Maps of images on plain numbers: what draws, steering and pictures ask, whatever computes it.

use std::sync::Arc;

use burn::module::Module as _;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{
    Backward, Condition, Dit, DitConfig, MetaFlowMap as _, Precision, StateClassifier, Through,
};

/// Questions to a map of images, one a row. Images are `C x H x W` numbers, row-major, -1 black and 1 white.
#[derive(Debug, Clone, Copy)]
pub struct ImageRows<'a> {
    /// Times that the jumps start at, `[B]`.
    pub s: &'a [f32],
    /// Times that they end at, `[B]`.
    pub u: &'a [f32],
    /// States at `s`, `[B][C H W]`.
    pub x: &'a [f32],
    /// Times of the conditioning states, `[B]`.
    pub t: &'a [f32],
    /// Conditioning states, `[B][C H W]`; zeros where `t` is 0.
    pub x_t: &'a [f32],
    /// Classes, `[B]`; `label_dim` means none.
    pub label: &'a [u32],
    /// Guidance scales of the class, `[B]`: 1 or one that the model was trained with.
    pub guidance: &'a [f32],
}

impl ImageRows<'_> {
    /// `B`.
    pub fn len(&self) -> usize {
        self.s.len()
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.s.is_empty()
    }
}

/// Times of jumps all the way, from 0 to 1, of so many rows.
pub(crate) fn whole_way(rows: usize) -> [Vec<f32>; 2] {
    [0.0, 1.0].map(|time| vec![time; rows])
}

/// Rows of one call, where a row is quickly computed.
const ROWS_AT_ONCE: usize = 32;
/// Operations of one call of a processor, which takes seconds for them.
const CALL_OPERATIONS: u64 = 500_000_000_000;

impl DitConfig {
    /// Rows that a map of this shape should be asked at once.
    pub fn rows_at_once(&self, on_processor: bool) -> usize {
        if !on_processor {
            return ROWS_AT_ONCE;
        }
        let rows = CALL_OPERATIONS / self.operations().max(1);
        (rows as usize).clamp(1, ROWS_AT_ONCE)
    }
}

/// Turns posterior draws, `[B][C H W]`, into the cotangents that are asked of them; `None` calls it off.
pub type Judge<'a> = &'a mut dyn FnMut(&[f32]) -> Option<Vec<f32>>;

/// [`ImageMap::draw_and_pull`] of a map that keeps nothing.
pub(crate) fn draw_then_pull<M: ImageMap + ?Sized>(
    map: &M,
    rows: &ImageRows<'_>,
    x: &mut [f32],
    by_state: &mut [f32],
    judge: Judge<'_>,
) -> bool {
    let ([s, u], noise) = (&whole_way(rows.t.len()), x.to_vec());
    map.draw(rows, x);
    let Some(cotangent) = judge(x) else {
        return false;
    };
    let x = &noise[..];
    let whole = ImageRows { s, u, x, ..*rows };
    let mut unused = vec![0.0; noise.len()];
    map.pullback(&whole, &cotangent, &mut unused, by_state);
    true
}

/// A Meta Flow Map of images, on any machine. The result of a row does not depend on the rows beside it.
pub trait ImageMap: Send + Sync {
    /// The network's shape.
    fn config(&self) -> &DitConfig;

    /// Whether its jumps are those of a flow map; a tuned velocity has none.
    fn has_jumps(&self) -> bool {
        true
    }

    /// What says which class a state becomes, where posterior draws without class begin with one ([`super::ClassFirst`]).
    fn state_classifier(&self) -> Option<&Arc<StateClassifier>> {
        None
    }

    /// What computes it; through burn its weights are kept in `precision`. Says what it takes: [`DitConfig::memory`].
    fn through(&self, precision: Precision) -> Through {
        Through::Burn(precision)
    }

    /// Rows that it should be asked at once: few, because whether the work is still wanted is asked between two calls.
    fn rows_at_once(&self) -> usize {
        ROWS_AT_ONCE
    }

    /// `v(s, u, x; t, x_t, label, guidance)` into `out`, `[B][C H W]`.
    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]);

    /// The gradient of `sum(cotangent * v)` with respect to `x` and to `x_t`, all `[B][C H W]`.
    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]);

    /// Whether [`Self::draw_and_pull`] keeps what the draws leave behind and spares itself making them once more; the
    /// numbers are the same.
    fn keeps_draws(&self) -> bool {
        false
    }

    /// Posterior draws as in [`Self::draw`], and into `by_state` the gradients by `x_t` of `sum(cotangent * draws)`, where
    /// `judge` makes the cotangents of the draws; `false` where it called that off.
    fn draw_and_pull(
        &self,
        rows: &ImageRows<'_>,
        x: &mut [f32],
        by_state: &mut [f32],
        judge: Judge<'_>,
    ) -> bool {
        draw_then_pull(self, rows, x, by_state, judge)
    }

    /// Posterior draws `X_{0,1}(eps; t, x_t)` in place: `x` comes as noise and leaves as images. `rows.x`, `rows.s`
    /// and `rows.u` are not looked at.
    fn draw(&self, rows: &ImageRows<'_>, x: &mut [f32]) {
        let [s, u] = &whole_way(rows.t.len());
        let mut v = vec![0.0; x.len()];
        self.average_velocity(&ImageRows { s, u, x, ..*rows }, &mut v);
        for (x, v) in x.iter_mut().zip(&v) {
            *x += v;
        }
    }
}

/// The transformer through burn, on whatever device it is.
pub struct BurnImageMap {
    still: Dit,
    /// The same with a graph for what goes in.
    tracked: Dit,
    device: Device,
    backward: Backward,
}

impl BurnImageMap {
    /// Most rows that are in memory at once.
    pub const CHUNK: usize = 64;
    /// Most memory that the graph of a gradient takes, in bytes: with a network of 2.7 GB and what else a steered
    /// picture needs it stays well below 16 GB.
    pub const GRAPH_BYTES: u64 = 4 << 30;

    /// Takes a network that lies on `device`, not an autodiff one.
    pub fn new(still: Dit, device: &Device) -> Self {
        Self {
            tracked: still.clone().no_grad().train(),
            backward: still.config().backward(Self::GRAPH_BYTES),
            still,
            device: device.clone(),
        }
    }

    /// With another bound on the graph of a gradient.
    #[cfg(test)]
    pub(crate) fn bounded(mut self, graph_bytes: u64) -> Self {
        self.backward = self.still.config().backward(graph_bytes);
        self
    }

    /// The network.
    pub fn network(&self) -> &Dit {
        &self.still
    }

    /// Where it lies.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Rows `first..first + count` on `device`.
    pub(crate) fn asked(
        &self,
        rows: &ImageRows<'_>,
        first: usize,
        count: usize,
        device: &Device,
    ) -> Asked {
        let [c, h, w] = self.config().state();
        let numbers = c * h * w;
        let column = |v: &[f32]| {
            let data = TensorData::new(v[first..first + count].to_vec(), [count]);
            Tensor::<1>::from_data(data, device)
        };
        let images = |v: &[f32]| {
            let values = v[first * numbers..(first + count) * numbers].to_vec();
            Tensor::<4>::from_data(TensorData::new(values, [count, c, h, w]), device)
        };
        let labels: Vec<i32> = rows.label[first..first + count]
            .iter()
            .map(|label| *label as i32)
            .collect();
        let labels = TensorData::new(labels, [count]);
        Asked {
            s: column(rows.s),
            u: column(rows.u),
            x: images(rows.x),
            condition: Condition {
                t: column(rows.t),
                x_t: images(rows.x_t),
                label: Some(Tensor::<1, Int>::from_data(labels, device)),
                guidance_scale: Some(column(rows.guidance)),
            },
        }
    }

    /// `(first, count)` of at most `most` rows each.
    fn chunks(rows: &ImageRows<'_>, most: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let n = rows.len();
        (0..n)
            .step_by(most)
            .map(move |first| (first, (n - first).min(most)))
    }

    /// The gradients of `sum(cotangent * v)` by the two states of rows that lie on the autodiff device; `None` for one
    /// that is not looked at.
    fn pulled(&self, mut asked: Asked, cotangent: Tensor<4>) -> [Option<Tensor<4>>; 2] {
        if self.backward.by_block {
            let Asked { s, u, x, condition } = asked;
            return self
                .tracked
                .pullback_by_block((s, u), x, &condition, cotangent);
        }
        let x = asked.x.require_grad();
        asked.condition.x_t = asked.condition.x_t.require_grad();
        let v = self
            .tracked
            .average_velocity(asked.s, asked.u, x.clone(), &asked.condition);
        let gradients = (v * cotangent).sum().backward();
        [x, asked.condition.x_t].map(|state| state.grad(&gradients))
    }
}

/// One chunk of rows as tensors.
pub(crate) struct Asked {
    pub(crate) s: Tensor<1>,
    pub(crate) u: Tensor<1>,
    pub(crate) x: Tensor<4>,
    pub(crate) condition: Condition<4>,
}

fn copy_out(tensor: Tensor<4>, to: &mut [f32]) {
    let values: Vec<f32> = tensor
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default();
    if values.len() == to.len() {
        to.copy_from_slice(&values);
    } else {
        // A device that gave nothing back must not pass for a black picture.
        to.fill(f32::NAN);
    }
}

impl ImageMap for BurnImageMap {
    fn config(&self) -> &DitConfig {
        self.still.config()
    }

    fn rows_at_once(&self) -> usize {
        self.config().rows_at_once(self.device == Device::flex())
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        let numbers: usize = self.config().state().iter().product();
        for (first, count) in Self::chunks(rows, Self::CHUNK) {
            let Asked { s, u, x, condition } = self.asked(rows, first, count, &self.device);
            let v = self.still.average_velocity(s, u, x, &condition);
            copy_out(v, &mut out[first * numbers..(first + count) * numbers]);
        }
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        let [c, h, w] = self.config().state();
        let numbers = c * h * w;
        let learning = self.device.clone().autodiff();
        for (first, count) in Self::chunks(rows, self.backward.rows) {
            let asked = self.asked(rows, first, count, &learning);
            let span = first * numbers..(first + count) * numbers;
            let weights = TensorData::new(cotangent[span.clone()].to_vec(), [count, c, h, w]);
            let gradients = self.pulled(asked, Tensor::from_data(weights, &learning));
            for (gradient, to) in gradients.into_iter().zip([&mut *x, &mut *x_t]) {
                match gradient {
                    Some(gradient) => copy_out(gradient, &mut to[span.clone()]),
                    None => to[span.clone()].fill(0.0),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pullback_is_the_transpose_of_the_slope() {
        let config = DitConfig::tiny(2);
        let device = Device::flex();
        let dit = Dit::lively(&config, 3, &device);
        let map = BurnImageMap::new(dit, &device);
        assert!(!map.backward.by_block && map.rows_at_once() == ROWS_AT_ONCE);
        let mut state = 1_u32;
        let mut number = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut vector = |n: usize| -> Vec<f32> { (0..n).map(|_| number()).collect() };
        let (n, numbers) = (3, 64);
        let (x, x_t) = (vector(n * numbers), vector(n * numbers));
        let (dx, dx_t) = (vector(n * numbers), vector(n * numbers));
        let cotangent = vector(n * numbers);
        let rows = ImageRows {
            s: &[0.1, 0.2, 0.3],
            u: &[0.9, 0.7, 1.0],
            x: &x,
            t: &[0.0, 0.4, 0.6],
            x_t: &x_t,
            label: &[0, 1, 2],
            guidance: &[1.0, 2.5, 1.0],
        };
        let (mut g, mut g_t) = (vec![0.0; n * numbers], vec![0.0; n * numbers]);
        map.pullback(&rows, &cotangent, &mut g, &mut g_t);
        let dot =
            |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
        let at = |h: f32| -> f64 {
            let step = |v: &[f32], d: &[f32]| -> Vec<f32> {
                v.iter().zip(d).map(|(v, d)| v + h * d).collect()
            };
            let (x, x_t) = (step(&x, &dx), step(&x_t, &dx_t));
            let mut out = vec![0.0; n * numbers];
            let moved = ImageRows {
                x: &x,
                x_t: &x_t,
                ..rows
            };
            map.average_velocity(&moved, &mut out);
            dot(&out, &cotangent)
        };
        let h = 1e-2;
        let difference = (at(h) - at(-h)) / f64::from(2.0 * h);
        let along = dot(&g, &dx) + dot(&g_t, &dx_t);
        // Central differences in f32.
        assert!(
            (difference - along).abs() < 5e-3 * along.abs().max(1.0),
            "{difference} {along}"
        );
        assert!(along.abs() > 1e-2, "{along}");
    }
}
