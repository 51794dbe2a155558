//! Forward-mode derivatives of the networks; the rules are [`Dual`]'s, and are checked here.

pub use crate::model::Dual;
use crate::model::{Condition, Mlp};

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
    let mut h = Dual::cat(parts, 1);
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
    use burn::module::Param;
    use burn::tensor::{DType, Device, Tensor, TensorData};

    /// Numbers in [-1, 1], in f64.
    fn tensor<const D: usize>(shape: [usize; D], seed: f64, device: &Device) -> Tensor<D> {
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|i| ((i as f64 * 12.9898 + seed) * 43.758).sin())
            .collect();
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F64))
    }

    fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.cast(DType::F64).into_data().try_to_vec().unwrap()
    }

    fn dot(a: Vec<f64>, b: Vec<f64>) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// In f64: compares the value with that of the plain path, the tangent with a central difference, and
    /// `<w, J v> = <J' w, v>` with reverse mode.
    fn check_rule<const D: usize, const E: usize>(
        name: &str,
        rule: impl Fn(Dual<D>) -> Dual<E>,
        shape: [usize; D],
        device: &Device,
    ) {
        let (x, v) = (tensor(shape, 0.3, device), tensor(shape, 1.7, device));
        let dual = rule(Dual::moving(x.clone(), v.clone()));
        let h = 1e-5;
        let at = |h: f64| list(rule(Dual::constant(x.clone() + v.clone() * h)).value);
        let tangent = dual.derivative();
        for (ours, plain) in list(dual.value).into_iter().zip(at(0.0)) {
            assert!(
                (ours - plain).abs() < 1e-12 * (1.0 + plain.abs()),
                "{name}: {ours} {plain}"
            );
        }
        for ((ours, ahead), behind) in list(tangent.clone()).into_iter().zip(at(h)).zip(at(-h)) {
            let numeric = (ahead - behind) / (2.0 * h);
            // Rounding leaves 1e-11 in the difference, the third derivative 1e-10 times its size.
            assert!(
                (ours - numeric).abs() < 1e-7 * (1.0 + numeric.abs()),
                "{name}: {ours} {numeric}"
            );
        }
        let w = tensor(tangent.dims(), 2.9, device);
        let x = x.require_grad();
        let y = rule(Dual::constant(x.clone())).value;
        let grads = (y * w.clone()).sum().backward();
        let pulled = x.grad(&grads).unwrap();
        let (left, right) = (dot(list(tangent), list(w)), dot(list(pulled), list(v)));
        assert!(
            (left - right).abs() < 1e-10 * (1.0 + left.abs()),
            "{name}: {left} {right}"
        );
    }

    #[test]
    fn every_rule_agrees_with_differences_and_with_reverse_mode() {
        let device = Device::flex().autodiff();
        check_rule("silu", Dual::<2>::silu, [5, 4], &device);
        check_rule("gelu", |x: Dual<2>| x.scaled(3.0).gelu(), [5, 4], &device);
        check_rule(
            "scale and offset",
            |x: Dual<2>| x.scaled(-1.0).plus(0.25),
            [5, 4],
            &device,
        );
        let layer = burn::nn::Linear {
            weight: Param::from_tensor(tensor([4, 3], 0.4, &device)),
            bias: Some(Param::from_tensor(tensor([3], 0.6, &device))),
        };
        check_rule("linear", |x: Dual<2>| x.linear(&layer), [5, 4], &device);
        check_rule(
            "linear over tokens",
            |x: Dual<3>| x.linear(&layer),
            [2, 3, 4],
            &device,
        );
        let frequencies = tensor([1, 6], 0.9, &device) * 3.0;
        let waves = |x: Dual<2>| Dual::cat(x.fourier(&frequencies).into(), 1);
        check_rule("sines and cosines", waves, [5, 1], &device);
        check_rule(
            "layer norm",
            |x: Dual<3>| x.layer_norm(1e-6),
            [2, 3, 5],
            &device,
        );
        let scale = tensor([1, 1, 5], 0.7, &device);
        check_rule(
            "rms norm",
            |x: Dual<3>| x.rms_norm(scale.clone(), 1e-6),
            [2, 3, 5],
            &device,
        );
        let still = || Dual::constant(tensor([2, 3, 5], 0.2, &device));
        check_rule(
            "one part moves",
            |x: Dual<3>| still() + x.clone() * still() + x,
            [2, 1, 5],
            &device,
        );
    }

    #[test]
    fn modulation_and_attention_agree_whichever_part_moves() {
        let device = Device::flex().autodiff();
        // One tensor is cut into the parts, so that each may move or stand still.
        for moves in 1..8_usize {
            let part = move |x: &Dual<3>, i: usize, from: usize, count: usize| {
                let part = x.clone().linearly(|p| p.narrow(1, from, count));
                if moves >> i & 1 == 1 {
                    part
                } else {
                    Dual::constant(part.value.detach())
                }
            };
            let name = format!("modulate {moves:03b}");
            let modulate =
                |x: Dual<3>| part(&x, 0, 0, 3).modulate(part(&x, 1, 3, 1), part(&x, 2, 4, 1));
            check_rule_of_parts(&name, modulate, [2, 5, 4], &device);
            let heads = |x: Dual<3>| x.linearly(|p| p.reshape([2, -1, 2, 2]).swap_dims(1, 2));
            let name = format!("attention {moves:03b}");
            let attention = |x: Dual<3>| {
                heads(part(&x, 0, 0, 3)).attend(heads(part(&x, 1, 3, 5)), heads(part(&x, 2, 8, 5)))
            };
            check_rule_of_parts(&name, attention, [2, 13, 4], &device);
            if moves == 7 {
                check_rule("modulate", modulate, [2, 5, 4], &device);
                check_rule("attention", attention, [2, 13, 4], &device);
            }
        }
    }

    /// As [`check_rule`] where parts of the input are cut off: they stand still in forward and in reverse mode, and
    /// differences are taken with them fixed.
    fn check_rule_of_parts<const E: usize>(
        name: &str,
        rule: impl Fn(Dual<3>) -> Dual<E>,
        shape: [usize; 3],
        device: &Device,
    ) {
        let (x, v) = (tensor(shape, 0.3, device), tensor(shape, 1.7, device));
        let tangent = rule(Dual::moving(x.clone(), v.clone())).derivative();
        let w = tensor(tangent.dims(), 2.9, device);
        let x = x.require_grad();
        let y = rule(Dual::moving(x.clone(), v.clone())).value;
        let grads = (y * w.clone()).sum().backward();
        let pulled = x.grad(&grads).unwrap();
        let (left, right) = (dot(list(tangent), list(w)), dot(list(pulled), list(v)));
        assert!(
            (left - right).abs() < 1e-10 * (1.0 + left.abs()),
            "{name}: {left} {right}"
        );
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
        let narrow = |t: Tensor<2>| t.cast(DType::F32);
        let matrix = |rows, columns, seed| narrow(tensor([rows, columns], seed, &device));
        let times = |seed| matrix(6, 1, seed).reshape([6]) * 0.4 + 0.5;
        let (s, u, x, v) = (times(0.1), times(0.2), matrix(6, 2, 3.0), matrix(6, 2, 4.0));
        let condition = Condition {
            t: times(0.5),
            x_t: matrix(6, 2, 5.0),
            label: None,
            guidance_scale: None,
        };
        let one = Dual::moving(s.clone(), s.ones_like());
        let dual = average_velocity(
            &mlp,
            one,
            Dual::constant(u.clone()),
            Dual::moving(x.clone(), v.clone()),
            &condition,
        );
        assert_eq!(
            list(dual.value.clone()),
            list(mlp.average_velocity(s.clone(), u.clone(), x.clone(), &condition)),
            "the value is the plain network's"
        );
        let at = |h: f64| {
            list(mlp.average_velocity(
                s.clone() + h,
                u.clone(),
                x.clone() + v.clone() * h,
                &condition,
            ))
        };
        let h = 3e-3;
        for ((ours, ahead), behind) in list(dual.derivative()).into_iter().zip(at(h)).zip(at(-h)) {
            let numeric = (ahead - behind) / (2.0 * h);
            assert!((ours - numeric).abs() < 3e-3, "{ours} {numeric}");
        }
    }
}
