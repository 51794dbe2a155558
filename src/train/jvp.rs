//! Forward-mode derivatives in burn: values that carry a tangent, and the rules for what the 2D network uses.
//!
//! burn differentiates in reverse only; the Eulerian loss needs the derivative along one direction, `(ds, du, dx) =
//! (1, 0, v)`, which forward mode gives at the price of one more evaluation. Reverse mode still runs through both.

use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::model::{Condition, Mlp};

/// A tensor and its derivative along one direction, of the same shape.
#[derive(Debug, Clone)]
pub struct Dual<const D: usize> {
    /// The value.
    pub value: Tensor<D>,
    /// Its derivative.
    pub tangent: Tensor<D>,
}

impl<const D: usize> Dual<D> {
    /// A value that does not move along the direction.
    pub fn constant(value: Tensor<D>) -> Self {
        let tangent = value.zeros_like();
        Self { value, tangent }
    }

    /// Both scaled.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        Self {
            value: self.value * factor,
            tangent: self.tangent * factor,
        }
    }

    /// `silu`, whose slope is `sigma + silu (1 - sigma)`.
    #[must_use]
    pub fn silu(self) -> Self {
        let sigma = sigmoid(self.value.clone());
        let value = self.value * sigma.clone();
        let slope = sigma.clone() + value.clone() * (sigma.neg() + 1.0);
        Self {
            value,
            tangent: self.tangent * slope,
        }
    }
}

impl Dual<1> {
    /// `[B]` as a column `[B, 1]`.
    pub fn column(self) -> Dual<2> {
        let rows = self.value.dims()[0];
        Dual {
            value: self.value.reshape([rows, 1]),
            tangent: self.tangent.reshape([rows, 1]),
        }
    }
}

impl Dual<2> {
    /// The sine and the cosine of `frequency * time`: `[B, 1]` and `[1, F]` give `[B, F]` each.
    pub fn fourier(self, frequencies: &Tensor<2>) -> [Self; 2] {
        let phase = self.value * frequencies.clone();
        let speed = self.tangent * frequencies.clone();
        let (sin, cos) = (phase.clone().sin(), phase.cos());
        [
            Self {
                value: sin.clone(),
                tangent: speed.clone() * cos.clone(),
            },
            Self {
                value: cos,
                tangent: speed.neg() * sin,
            },
        ]
    }

    /// A linear layer; the bias does not move.
    #[must_use]
    pub fn linear(self, layer: &Linear) -> Self {
        Self {
            value: layer.forward(self.value),
            tangent: self.tangent.matmul(layer.weight.val()),
        }
    }

    /// Columns side by side.
    pub fn cat(parts: Vec<Self>) -> Self {
        let (values, tangents) = parts.into_iter().map(|p| (p.value, p.tangent)).unzip();
        Self {
            value: Tensor::cat(values, 1),
            tangent: Tensor::cat(tangents, 1),
        }
    }
}

/// `v(s, u, x; t, x_t)` and its derivative along the tangents of `s`, `u` and `x`. Shapes as in
/// [`MetaFlowMap::average_velocity`](crate::model::MetaFlowMap::average_velocity).
pub fn average_velocity(
    mlp: &Mlp,
    s: Dual<1>,
    u: Dual<1>,
    x: Dual<2>,
    condition: &Condition<2>,
) -> Dual<2> {
    let frequencies = mlp.frequencies(&x.value.device());
    let scale = mlp.config().input_scale;
    let times = [s, u, Dual::constant(condition.t.clone())].map(Dual::column);
    let mut parts = vec![
        x.scaled(scale),
        Dual::constant(condition.x_t.clone()).scaled(scale),
    ];
    parts.extend(times.clone());
    parts.extend(
        times
            .into_iter()
            .flat_map(|time| time.fourier(&frequencies)),
    );
    let mut h = Dual::cat(parts);
    let last = mlp.linears().len() - 1;
    for (i, layer) in mlp.linears().iter().enumerate() {
        h = h.linear(layer);
        if i < last {
            h = h.silu();
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MetaFlowMap, MlpConfig};
    use burn::nn::LinearConfig;
    use burn::tensor::{Device, TensorData};

    fn numbers(n: usize, seed: f32) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f32 * 12.9898 + seed) * 43.758).sin())
            .collect()
    }

    fn matrix(rows: usize, columns: usize, seed: f32, device: &Device) -> Tensor<2> {
        Tensor::from_data(
            TensorData::new(numbers(rows * columns, seed), [rows, columns]),
            device,
        )
    }

    fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec::<f32>().unwrap()
    }

    /// Compares the tangent with a central difference, and `<w, J v> = <J' w, v>` with reverse mode.
    fn check_rule(rule: impl Fn(Dual<2>) -> Dual<2>, columns: usize, device: &Device) {
        let (x, v) = (
            matrix(5, columns, 0.3, device),
            matrix(5, columns, 1.7, device),
        );
        let dual = rule(Dual {
            value: x.clone(),
            tangent: v.clone(),
        });
        let h = 1e-2;
        let at = |h: f32| list(rule(Dual::constant(x.clone() + v.clone() * h)).value);
        for ((ours, ahead), behind) in list(dual.tangent.clone())
            .into_iter()
            .zip(at(h))
            .zip(at(-h))
        {
            let numeric = (ahead - behind) / (2.0 * h);
            // f32 values of size 1 leave 1e-5 in the difference, the third derivative about as much.
            assert!(
                (ours - numeric).abs() < 2e-3 * (1.0 + numeric.abs()),
                "{ours} {numeric}"
            );
        }
        let outputs = dual.value.dims()[1];
        let w = matrix(5, outputs, 2.9, device);
        let x = x.require_grad();
        let y = rule(Dual::constant(x.clone())).value;
        let grads = (y * w.clone()).sum().backward();
        let pulled = x.grad(&grads).unwrap();
        let left: f32 = list(dual.tangent)
            .iter()
            .zip(list(w))
            .map(|(a, b)| a * b)
            .sum();
        let right: f32 = list(pulled).iter().zip(list(v)).map(|(a, b)| a * b).sum();
        assert!(
            (left - right).abs() < 1e-4 * (1.0 + left.abs()),
            "{left} {right}"
        );
    }

    #[test]
    fn every_rule_agrees_with_differences_and_with_reverse_mode() {
        let device = Device::flex().autodiff();
        check_rule(Dual::silu, 4, &device);
        let layer = LinearConfig::new(4, 3).init(&device);
        check_rule(|x| x.linear(&layer), 4, &device);
        let frequencies = matrix(1, 6, 0.9, &device) * 3.0;
        check_rule(|x| Dual::cat(x.fourier(&frequencies).into()), 1, &device);
    }

    #[test]
    fn the_network_moves_along_a_direction_as_differences_say() {
        let device = Device::flex();
        let mlp = MlpConfig {
            hidden: 32,
            layers: 2,
            frequencies: 4,
            frequency_max: 6.0,
            ..MlpConfig::default()
        }
        .init(&device);
        let times = |seed| matrix(6, 1, seed, &device).reshape([6]) * 0.4 + 0.5;
        let (s, u, x, v) = (
            times(0.1),
            times(0.2),
            matrix(6, 2, 3.0, &device),
            matrix(6, 2, 4.0, &device),
        );
        let condition = Condition {
            t: times(0.5),
            x_t: matrix(6, 2, 5.0, &device),
            label: None,
            guidance_scale: None,
        };
        let one = Dual {
            value: s.clone(),
            tangent: s.ones_like(),
        };
        let dual = average_velocity(
            &mlp,
            one,
            Dual::constant(u.clone()),
            Dual {
                value: x.clone(),
                tangent: v.clone(),
            },
            &condition,
        );
        assert_eq!(
            list(dual.value),
            list(mlp.average_velocity(s.clone(), u.clone(), x.clone(), &condition)),
            "the value is the plain network's"
        );
        let at = |h: f32| {
            list(mlp.average_velocity(
                s.clone() + h,
                u.clone(),
                x.clone() + v.clone() * h,
                &condition,
            ))
        };
        let h = 3e-3;
        for ((ours, ahead), behind) in list(dual.tangent).into_iter().zip(at(h)).zip(at(-h)) {
            let numeric = (ahead - behind) / (2.0 * h);
            assert!((ours - numeric).abs() < 3e-3, "{ours} {numeric}");
        }
    }
}
