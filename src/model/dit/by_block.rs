//! Gradients by the states with one block's graph in memory at a time: what entered each block is kept on the way there,
//! and the block is computed once more on the way back (arXiv 1604.06174). Half as much work again, and for a deep
//! network a small part of the memory.

use burn::tensor::{Gradients, Tensor};

use super::Dit;
use crate::model::{Condition, Dual};

impl Dit {
    /// The gradients of `sum(cotangent * v(s, u, x; t, x_t, label, guidance))` with respect to `x` and to `x_t`; `None`
    /// for a state that the network does not look at. The network's parameters must not ask for gradients, and all
    /// tensors lie on its autodiff device without asking for any.
    ///
    /// # Shapes
    /// `s`, `u`: `[B]`; the rest `[B, C, H, W]`.
    pub(crate) fn pullback_by_block(
        &self,
        (s, u): (Tensor<1>, Tensor<1>),
        x: Tensor<4>,
        condition: &Condition<4>,
        cotangent: Tensor<4>,
    ) -> [Option<Tensor<4>>; 2] {
        let [s, u] = [s, u].map(Dual::constant);
        let entering = |x: &Tensor<4>, condition: &Condition<4>| {
            self.entered(s.clone(), u.clone(), Dual::constant(x.clone()), condition)
        };
        let (h, told) = entering(&x, condition);
        let mut h = h.value;
        let mut entered = Vec::with_capacity(self.blocks.len());
        for i in 0..self.blocks.len() {
            entered.push(h.clone());
            let out = self.through_block(i, Dual::constant(h), &condition.x_t, &told);
            h = out.value;
        }

        // Images are predicted beside `x` itself.
        let (h, seen) = (h.require_grad(), x.clone().require_grad());
        let (last, at) = (Dual::constant(h.clone()), Dual::constant(seen.clone()));
        let velocity = self.left(last, told.clone(), at, s.clone());
        let slopes = (velocity.value * cotangent).sum().backward();
        let (mut by_x, mut by_x_t) = (seen.grad(&slopes), None);
        let mut by_h = h.grad(&slopes);
        for (i, h) in entered.into_iter().enumerate().rev() {
            let Some(slope) = by_h else { break };
            let (h, x_t) = (h.require_grad(), condition.x_t.clone().require_grad());
            let out = self.through_block(i, Dual::constant(h.clone()), &x_t, &told);
            let slopes = backward(out.value, slope);
            by_h = h.grad(&slopes);
            // Joint attention looks at the conditioning state in every block.
            by_x_t = added(by_x_t, x_t.grad(&slopes));
        }
        if let Some(slope) = by_h {
            let (x, x_t) = (x.require_grad(), condition.x_t.clone().require_grad());
            let condition = Condition {
                x_t: x_t.clone(),
                ..condition.clone()
            };
            let (h, _) = entering(&x, &condition);
            let slopes = backward(h.value, slope);
            by_x = added(by_x, x.grad(&slopes));
            by_x_t = added(by_x_t, x_t.grad(&slopes));
        }
        [by_x, by_x_t]
    }
}

/// The gradients of `sum(slope * out)`.
fn backward(out: Tensor<3>, slope: Tensor<3>) -> Gradients {
    (out * Tensor::from_inner(slope)).sum().backward()
}

fn added(a: Option<Tensor<4>>, b: Option<Tensor<4>>) -> Option<Tensor<4>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use crate::model::streams::numbers;
    use crate::model::{BurnImageMap, Dit, DitConfig, ImageMap as _, ImageRows};

    #[test]
    fn one_block_at_a_time_gives_the_gradients_of_the_whole_graph() {
        let plain = DitConfig {
            depth: 3,
            encoder_depth: 2,
            ..DitConfig::tiny(2)
        };
        let configs = [
            plain.clone(),
            DitConfig {
                predicts_image: false,
                is_zero_data: true,
                qk_norm: true,
                use_joint_attention: true,
                ..plain
            },
        ];
        for config in configs {
            let device = Device::flex();
            let dit = Dit::lively(&config, 3, &device);
            let whole = BurnImageMap::new(dit.clone(), &device);
            let by_block = BurnImageMap::new(dit, &device).bounded(0);
            let stream = |key| numbers(key, 2 * 64).into_iter().map(|v| v as f32);
            let states = [1, 2, 3].map(|key| stream(key).collect::<Vec<f32>>());
            let rows = ImageRows {
                s: &[0.1, 0.3],
                u: &[0.9, 1.0],
                x: &states[0],
                t: &[0.4, 0.6],
                x_t: &states[1],
                label: &[0, 2],
                guidance: &[1.0, 2.5],
            };
            let pulled = |map: &BurnImageMap| {
                let mut gradients = [vec![0.0; 128], vec![0.0; 128]];
                let [x, x_t] = &mut gradients;
                map.pullback(&rows, &states[2], x, x_t);
                gradients
            };
            for (whole, by_block) in pulled(&whole).iter().zip(&pulled(&by_block)) {
                let largest = whole.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
                assert!(largest > 1e-2, "{largest}");
                for (a, b) in whole.iter().zip(by_block) {
                    // Sums of single precision in another order.
                    assert!((a - b).abs() < 1e-5 * largest, "{a} {b}");
                }
            }
        }
    }
}
