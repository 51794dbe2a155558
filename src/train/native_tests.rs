//! The step against a plain f64 network, differentiated numerically.

use super::batch::{Batch, BatchPlan, Teacher, TimeLaw};
use super::layout::Layout;
use super::native::{Consistency, LossPlan, NativeNet};
use crate::mixture::Preset;
use crate::model::simd::Buffer;
use crate::model::{DenseLayer, MlpConfig};

const SMALL: MlpConfig = MlpConfig {
    hidden: 24,
    layers: 3,
    frequencies: 3,
    frequency_min: 0.8,
    frequency_max: 6.0,
    input_scale: 0.5,
};

/// `v(s, u, x; t, x_t)` in f64.
fn velocity(layers: &[DenseLayer], s: f64, u: f64, x: [f64; 2], t: f64, x_t: [f64; 2]) -> [f64; 2] {
    let mut h = vec![0.5 * x[0], 0.5 * x[1], 0.5 * x_t[0], 0.5 * x_t[1], s, u, t];
    for time in [s, u, t] {
        let f = SMALL.frequency_table();
        h.extend(f.iter().map(|f| (f64::from(*f) * time).sin()));
        h.extend(f.iter().map(|f| (f64::from(*f) * time).cos()));
    }
    for (l, layer) in layers.iter().enumerate() {
        h = layer
            .weight
            .chunks(layer.inputs)
            .zip(&layer.bias)
            .map(|(row, bias)| {
                let z = f64::from(*bias)
                    + row
                        .iter()
                        .zip(&h)
                        .map(|(w, h)| f64::from(*w) * h)
                        .sum::<f64>();
                if l + 1 < layers.len() {
                    z / (1.0 + (-z).exp())
                } else {
                    z
                }
            })
            .collect();
    }
    [h[0], h[1]]
}

fn target(layers: &[DenseLayer], b: &Batch, i: usize, consistency: Consistency) -> [f64; 2] {
    let (s, u, t) = (f64::from(b.s[i]), f64::from(b.u[i]), f64::from(b.t[i]));
    let (x, x_t, v) = (
        b.x[i].map(f64::from),
        b.x_t[i].map(f64::from),
        b.velocity[i].map(f64::from),
    );
    if s == u {
        return v;
    }
    match consistency {
        Consistency::Eulerian => {
            let h = 1e-5;
            let along =
                |h: f64| velocity(layers, s + h, u, [x[0] + h * v[0], x[1] + h * v[1]], t, x_t);
            let (ahead, behind) = (along(h), along(-h));
            std::array::from_fn(|d| v[d] + (u - s) * (ahead[d] - behind[d]) / (2.0 * h))
        }
        Consistency::Lagrangian => {
            let here = velocity(layers, s, u, x, t, x_t);
            let end = std::array::from_fn(|d| x[d] + (u - s) * here[d]);
            velocity(layers, u, u, end, t, x_t)
        }
        Consistency::Semigroup => {
            let g = f64::from(b.middle[i]);
            let w = s + g * (u - s);
            let first = velocity(layers, s, w, x, t, x_t);
            let there = std::array::from_fn(|d| x[d] + (w - s) * first[d]);
            let second = velocity(layers, w, u, there, t, x_t);
            std::array::from_fn(|d| g * first[d] + (1.0 - g) * second[d])
        }
    }
}

/// What is compared with the target: the average velocity, or for the Lagrangian loss the derivative of the jump's end.
fn predicted(layers: &[DenseLayer], b: &Batch, i: usize, consistency: Consistency) -> [f64; 2] {
    let (s, u, t) = (f64::from(b.s[i]), f64::from(b.u[i]), f64::from(b.t[i]));
    let (x, x_t) = (b.x[i].map(f64::from), b.x_t[i].map(f64::from));
    let v = |u: f64| velocity(layers, s, u, x, t, x_t);
    if consistency != Consistency::Lagrangian {
        return v(u);
    }
    let h = 1e-5;
    let (here, ahead, behind) = (v(u), v(u + h), v(u - h));
    std::array::from_fn(|d| here[d] + (u - s) * (ahead[d] - behind[d]) / (2.0 * h))
}

/// Weighted loss with targets and weights frozen at `frozen`, evaluated at `layers`.
fn loss(layers: &[DenseLayer], frozen: &[DenseLayer], b: &Batch, plan: &LossPlan) -> f64 {
    (0..b.s.len())
        .map(|i| {
            let goal = target(frozen, b, i, plan.consistency);
            let error = |layers| {
                let v = predicted(layers, b, i, plan.consistency);
                (v[0] - goal[0]).powi(2) + (v[1] - goal[1]).powi(2)
            };
            let power = if b.s[i] == b.u[i] {
                plan.diagonal_power
            } else {
                plan.consistency_power
            };
            error(layers) * (error(frozen) + f64::from(plan.weight_floor)).powf(-f64::from(power))
        })
        .sum::<f64>()
        / b.s.len() as f64
}

fn check(consistency: Consistency) {
    let world = Preset::Three.mixture();
    // 150 items: two whole tiles and a part, diagonal and jumping items in one tile.
    let batch = BatchPlan {
        world: &world,
        seed: 5,
        size: 150,
        diagonal: 40,
        times: TimeLaw {
            power: 1.5,
            unconditional: 0.1,
            whole: 0.2,
        },
        teacher: Teacher::Exact,
    }
    .at(0);
    let plan = LossPlan {
        consistency,
        weight_floor: 0.01,
        diagonal_power: 0.5,
        consistency_power: 1.0,
    };
    let layout = Layout::new(&SMALL);
    let flat = layout.initial(9);
    let mut net = NativeNet::new(&SMALL, &layout);
    net.load(flat.as_slice());
    let mut gradient = Buffer::zeroed(layout.len);
    let measured = net.step(&batch, &plan, &mut gradient);

    let layers = layout.export(flat.as_slice());
    let expected = loss(&layers, &layers, &batch, &plan);
    assert!(
        (measured.weighted - expected).abs() < 1e-5 * expected,
        "{} {expected}",
        measured.weighted
    );

    let ours = layout.export(gradient.as_slice());
    for (l, layer) in layers.iter().enumerate() {
        let scale = ours[l].weight.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for k in (0..layer.weight.len()).step_by(7).chain(0..2) {
            let at = |h: f32| {
                let mut moved = layers.clone();
                moved[l].weight[k] += h;
                loss(&moved, &layers, &batch, &plan)
            };
            let numeric = (at(1e-3) - at(-1e-3)) / 2e-3;
            // f32 sums of 150 items and a central difference of step 1e-3: 1e-4 of the layer's largest gradient.
            let error = (f64::from(ours[l].weight[k]) - numeric).abs();
            assert!(
                error < 2e-4 * f64::from(scale) + 1e-7,
                "layer {l} weight {k}: {} {numeric}",
                ours[l].weight[k]
            );
        }
        for k in 0..layer.bias.len() {
            let at = |h: f32| {
                let mut moved = layers.clone();
                moved[l].bias[k] += h;
                loss(&moved, &layers, &batch, &plan)
            };
            let numeric = (at(1e-3) - at(-1e-3)) / 2e-3;
            let error = (f64::from(ours[l].bias[k]) - numeric).abs();
            assert!(
                error < 1e-3 * numeric.abs() + 1e-4,
                "layer {l} bias {k}: {} {numeric}",
                ours[l].bias[k]
            );
        }
    }
}

#[test]
fn the_eulerian_gradient_is_that_of_a_plain_network() {
    check(Consistency::Eulerian);
}

#[test]
fn the_lagrangian_gradient_is_that_of_a_plain_network() {
    check(Consistency::Lagrangian);
}

#[test]
fn the_semigroup_gradient_is_that_of_a_plain_network() {
    check(Consistency::Semigroup);
}

#[test]
fn the_gradient_does_not_depend_on_the_number_of_threads() {
    let world = Preset::Two.mixture();
    let times = TimeLaw {
        power: 1.5,
        unconditional: 0.1,
        whole: 0.0,
    };
    let plan = BatchPlan {
        world: &world,
        seed: 1,
        size: 700,
        diagonal: 200,
        times,
        teacher: Teacher::Exact,
    };
    let batch = plan.at(2);
    let layout = Layout::new(&SMALL);
    let flat = layout.initial(1);
    let gradient = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut net = NativeNet::new(&SMALL, &layout);
            net.load(flat.as_slice());
            let mut gradient = Buffer::zeroed(layout.len);
            let loss = LossPlan {
                consistency: Consistency::Eulerian,
                weight_floor: 0.01,
                diagonal_power: 0.5,
                consistency_power: 0.5,
            };
            net.step(&batch, &loss, &mut gradient);
            gradient.as_slice().to_vec()
        })
    };
    assert_eq!(gradient(1), gradient(3));
}
