use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::{Dit, DitConfig};
use crate::model::{Condition, Dual, MetaFlowMap, streams};

fn numbers(key: u32, count: usize) -> Vec<f32> {
    let all = streams::numbers(key, count);
    all.into_iter().map(|v| v as f32).collect()
}

/// The network whose weights `tests/reference/dit.py` makes.
fn network(config: &DitConfig, names: &[String], device: &Device, dtype: DType) -> Dit {
    let read = |name: &str, shape: &[usize]| {
        let key = names.iter().position(|n| n == name).ok_or(())?;
        let count = shape.iter().product();
        let inputs: usize = shape[1..].iter().product();
        let matrix = shape.len() > 1 && !name.contains("embed");
        let scale = if matrix {
            1.5 / (inputs as f64).sqrt()
        } else {
            0.5
        };
        let scaled = |v: f32| (f64::from(v) * scale) as f32;
        Ok::<_, ()>(numbers(key as u32, count).into_iter().map(scaled).collect())
    };
    Dit::read(config, device, dtype, &mut { read }).unwrap()
}

fn images(config: &DitConfig, key: u32, device: &Device, dtype: DType) -> Tensor<4> {
    let [c, h, w] = config.state();
    let values = numbers(key, 3 * c * h * w)
        .iter()
        .map(|v| 2.0 * v)
        .collect();
    Tensor::from_data(
        TensorData::new::<f32, _>(values, [3, c, h, w]),
        (device, dtype),
    )
}

fn times(values: [f32; 3], device: &Device, dtype: DType) -> Tensor<1> {
    Tensor::from_data(TensorData::from(values), (device, dtype))
}

fn condition(config: &DitConfig, device: &Device, dtype: DType) -> Condition<4> {
    let labels = TensorData::from([0, 3, config.label_dim as i64]);
    Condition {
        t: times([0.5, 0.0, 0.875], device, dtype),
        x_t: images(config, 1001, device, dtype),
        label: Some(Tensor::<1, Int>::from_data(labels, device)),
        guidance_scale: Some(times([1.0, 2.25, 1.625], device, dtype)),
    }
}

#[derive(Clone, serde::Deserialize)]
struct Case {
    config: DitConfig,
    names: Vec<String>,
    velocity: Vec<f32>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/reference/dit.json")).unwrap()
}

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.cast(DType::F64).into_data().try_to_vec().unwrap()
}

#[test]
fn every_variant_gives_the_numbers_of_an_independent_implementation() {
    let device = Device::flex();
    for case in cases() {
        let config = &case.config;
        let mut names: Vec<_> = config.layout().into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, case.names);
        let dit = network(config, &case.names, &device, DType::F32);
        let found = list(dit.average_velocity(
            times([0.0, 0.25, 0.75], &device, DType::F32),
            times([1.0, 0.625, 0.75], &device, DType::F32),
            images(config, 1000, &device, DType::F32),
            &condition(config, &device, DType::F32),
        ));
        let largest = case
            .velocity
            .iter()
            .fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        assert_eq!(found.len(), case.velocity.len());
        for (ours, theirs) in found.iter().zip(&case.velocity) {
            // f32 against f64 through three blocks: 1e-6 in practice.
            assert!(
                (ours - f64::from(*theirs)).abs() < 1e-5 * largest,
                "{ours} {theirs} {config:?}"
            );
        }
    }
}

#[test]
fn weights_are_read_and_written_by_the_names_and_shapes_of_the_layout() {
    for Case { config, names, .. } in cases() {
        let mut asked = Vec::new();
        let dit = Dit::read::<()>(&config, &Device::flex(), DType::F32, &mut |name, shape| {
            asked.push((name.to_owned(), shape.to_vec()));
            let key = names.iter().position(|n| n == name).ok_or(())?;
            Ok(numbers(key as u32, shape.iter().product()))
        })
        .unwrap();
        let mut layout = config.layout();
        layout.sort();
        asked.sort();
        assert_eq!(asked, layout);
        let mut written = dit.weights();
        written.sort_by(|a, b| a.name.cmp(&b.name));
        for (k, (weight, (name, shape))) in written.iter().zip(&layout).enumerate() {
            assert_eq!((&weight.name, &weight.shape), (name, shape));
            let count = shape.iter().product();
            assert_eq!(weight.values, numbers(k as u32, count), "{name}");
        }
        assert_eq!(written.len(), layout.len());
    }
}

#[test]
fn a_fresh_network_is_still_and_its_flow_map_the_identity() {
    let device = Device::flex();
    let config = &cases()[0].config;
    let dit = Dit::init(config, 1, &device).unwrap();
    let x = images(config, 1, &device, DType::F32);
    let (s, u) = ([0.0, 0.2, 0.5], [1.0, 0.4, 0.5]);
    let [s, u] = [s, u].map(|t| times(t, &device, DType::F32));
    let moved = dit.flow_map(s, u, x.clone(), &condition(config, &device, DType::F32));
    assert_eq!(list(moved), list(x));
    let again = Dit::init(config, 1, &device).unwrap();
    assert_eq!(dit.weights(), again.weights());
    assert_ne!(
        dit.weights(),
        Dit::init(config, 2, &device).unwrap().weights()
    );
}

#[test]
fn with_preserve_t_cond_0_the_conditioning_state_carries_nothing_at_time_0() {
    let device = Device::flex();
    let case = &cases()[1];
    let dit = network(&case.config, &case.names, &device, DType::F32);
    let at = |t: f32, key: u32| {
        let mut condition = condition(&case.config, &device, DType::F32);
        condition.t = times([t; 3], &device, DType::F32);
        condition.x_t = images(&case.config, key, &device, DType::F32);
        let time = times([0.3; 3], &device, DType::F32);
        let x = images(&case.config, 1000, &device, DType::F32);
        list(dit.average_velocity(time.clone(), time, x, &condition))
    };
    assert_eq!(at(0.0, 5), at(0.0, 6));
    assert_ne!(at(0.1, 5), at(0.1, 6));
}

/// The derivative along a direction in `(s, u, x)` in f64: against central differences, and against reverse mode by
/// `<w, J v> = <J' w, v>`.
#[test]
fn the_transformer_moves_along_a_direction_as_differences_and_reverse_mode_say() {
    let (device, dtype) = (Device::flex().autodiff(), DType::F64);
    let both = cases()
        .into_iter()
        .flat_map(|case| [(case.clone(), false), (case, true)]);
    for (mut case, predicts_image) in both {
        case.config.predicts_image = predicts_image;
        let config = &case.config;
        let dit = network(config, &case.names, &device, dtype);
        let condition = condition(config, &device, dtype);
        let s = times([0.1, 0.25, 0.75], &device, dtype);
        let u = times([0.9, 0.625, 0.8], &device, dtype);
        let x = images(config, 1000, &device, dtype);
        let (ds, du) = (
            times([1.0, -0.5, 0.7], &device, dtype),
            times([0.3, 0.2, -1.0], &device, dtype),
        );
        let dx = images(config, 7, &device, dtype);
        let moved = dit.velocity(
            Dual::moving(s.clone(), ds.clone()),
            Dual::moving(u.clone(), du.clone()),
            Dual::moving(x.clone(), dx.clone()),
            &condition,
        );
        let plain = |h: f64| {
            let (s, u) = (s.clone() + ds.clone() * h, u.clone() + du.clone() * h);
            list(dit.average_velocity(s, u, x.clone() + dx.clone() * h, &condition))
        };
        for (a, b) in list(moved.value.clone()).iter().zip(plain(0.0)) {
            assert!(
                (a - b).abs() < 1e-9 * (1.0 + b.abs()),
                "the value is the plain one: {a} {b}"
            );
        }
        let h = 1e-5;
        let tangent = list(moved.derivative());
        let largest = tangent.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for ((ours, ahead), behind) in tangent.iter().zip(plain(h)).zip(plain(-h)) {
            let numeric = (ahead - behind) / (2.0 * h);
            // Rounding leaves 1e-10 in the difference, the third derivative about as much.
            assert!(
                (ours - numeric).abs() < 1e-7 * largest,
                "{ours} {numeric} {config:?}"
            );
        }
        let w = images(config, 9, &device, dtype);
        let (s, u, x) = (s.require_grad(), u.require_grad(), x.require_grad());
        let out = dit.average_velocity(s.clone(), u.clone(), x.clone(), &condition);
        let grads = (out * w.clone()).sum().backward();
        let dot = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let left = dot(tangent, list(w));
        let right = dot(list(s.grad(&grads).unwrap()), list(ds))
            + dot(list(u.grad(&grads).unwrap()), list(du))
            + dot(list(x.grad(&grads).unwrap()), list(dx));
        assert!(
            (left - right).abs() < 1e-9 * (1.0 + left.abs()),
            "{left} {right}"
        );
    }
}
