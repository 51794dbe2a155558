//! The fused kernel against a plain evaluation of the same network.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

struct Layer {
    inputs: usize,
    outputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// 2 or more inputs, four hidden layers, 2 outputs; weights as large as a trained network's.
fn random_network(inputs: usize, seed: u64) -> Vec<Layer> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut layer = |inputs: usize, outputs: usize| {
        let bound = (3.0 / inputs as f32).sqrt();
        Layer {
            inputs,
            outputs,
            weight: (0..inputs * outputs)
                .map(|_| rng.random_range(-bound..bound))
                .collect(),
            bias: (0..outputs).map(|_| rng.random_range(-0.2..0.2)).collect(),
        }
    };
    vec![
        layer(inputs, HIDDEN),
        layer(HIDDEN, HIDDEN),
        layer(HIDDEN, HIDDEN),
        layer(HIDDEN, HIDDEN),
        layer(HIDDEN, 2),
    ]
}

fn slices(layers: &[Layer]) -> Vec<LayerSlices<'_>> {
    layers
        .iter()
        .map(|l| (l.inputs, l.outputs, &l.weight[..], &l.bias[..]))
        .collect()
}

fn random_points(n: usize, seed: u64) -> Vec<[f32; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| [rng.random_range(-3.0..3.0), rng.random_range(-3.0..3.0)])
        .collect()
}

/// `x + delta v(x)` in f64.
fn plain_step(layers: &[Layer], step: &FlowStep, x_scale: f32, x: [f64; 2]) -> [f64; 2] {
    let silu = |z: f64| z / (1.0 + (-z).exp());
    let first = &layers[0];
    let mut h: Vec<f64> = (0..HIDDEN)
        .map(|o| {
            let row = &first.weight[o * first.inputs..];
            let w = [f64::from(row[0] * x_scale), f64::from(row[1] * x_scale)];
            silu(f64::from(step.bias[o]) + w[0] * x[0] + w[1] * x[1])
        })
        .collect();
    for (i, layer) in layers.iter().enumerate().skip(1) {
        h = (0..layer.outputs)
            .map(|o| {
                let row = &layer.weight[o * layer.inputs..(o + 1) * layer.inputs];
                let sum: f64 = row.iter().zip(&h).map(|(&w, &a)| f64::from(w) * a).sum();
                let z = sum + f64::from(layer.bias[o]);
                if i + 1 == layers.len() { z } else { silu(z) }
            })
            .collect();
    }
    let delta = f64::from(step.delta);
    [x[0] + delta * h[0], x[1] + delta * h[1]]
}

fn device() -> Option<Arc<SharedDevice>> {
    match SharedDevice::headless() {
        Ok(device) => Some(device),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

fn steps_for(layers: &[Layer], deltas: &[f32]) -> Vec<FlowStep> {
    let step = |&delta: &f32| FlowStep {
        bias: layers[0].bias.iter().map(|b| b + 0.1 * delta).collect(),
        delta,
    };
    deltas.iter().map(step).collect()
}

#[test]
fn the_fused_kernel_agrees_with_a_plain_evaluation_of_the_same_network() {
    let Some(shared) = device() else { return };
    let layers = random_network(5, 1);
    let x_scale = 0.5;
    // One step, then three: neither count of rows is a multiple of the tile. Both sizes of tile.
    for (n, deltas, groups) in [(1000, &[1.0f32][..], 2), (37, &[0.3, 0.3, 0.4][..], 4)] {
        let network = FusedMlpGpu::with_groups(&shared, &slices(&layers), x_scale, groups)
            .expect("a network it knows");
        let steps = steps_for(&layers, deltas);
        let noise = random_points(n, 2);
        let on_device = PointBuffer::from_points(&shared, &noise).expect("fits");
        let drawn = network
            .draw(&on_device, &steps, &mut || true)
            .expect("a device that works");
        let drawn = drawn.read(&shared).expect("a device that works");
        assert_eq!(drawn.len(), n);
        for (i, (x, got)) in noise.iter().zip(&drawn).enumerate() {
            let mut wanted = x.map(f64::from);
            for step in &steps {
                wanted = plain_step(&layers, step, x_scale, wanted);
            }
            for c in 0..2 {
                let error = (wanted[c] - f64::from(got[c])).abs();
                // f32 sums of 256 terms in four layers, values about 1.
                assert!(error < 1e-4, "row {i} of {n}: {got:?}, wanted {wanted:?}");
            }
        }
        assert_eq!(
            on_device.read(&shared).expect("a device that works"),
            noise,
            "noise is kept"
        );
    }
}

#[test]
fn a_draw_is_the_same_whatever_stands_beside_it_and_can_be_cancelled() {
    let Some(shared) = device() else { return };
    let layers = random_network(2, 3);
    let network = FusedMlpGpu::new(&shared, &slices(&layers), 1.0).expect("a network it knows");
    let steps = steps_for(&layers, &[1.0]);
    let noise = random_points(100, 4);
    let draw = |points: &[[f32; 2]]| {
        let points = PointBuffer::from_points(&shared, points).expect("fits");
        let drawn = network
            .draw(&points, &steps, &mut || true)
            .expect("a device that works");
        drawn.read(&shared).expect("a device that works")
    };
    let together = draw(&noise);
    assert_eq!(draw(&noise[..9]), together[..9]);
    assert!(draw(&[]).is_empty());

    let points = PointBuffer::from_points(&shared, &noise).expect("fits");
    let cancelled = network.draw(&points, &steps, &mut || false);
    assert!(matches!(cancelled, Err(GpuError::Cancelled)));
}

#[test]
fn a_network_of_another_shape_is_refused_with_its_shape() {
    let Some(shared) = device() else { return };
    let mut layers = random_network(2, 5);
    layers[1].outputs = 128;
    let error = FusedMlpGpu::new(&shared, &slices(&layers), 1.0).expect_err("wrong shape");
    assert!(error.to_string().contains("layer 1"), "{error}");
    layers.truncate(1);
    let error = FusedMlpGpu::new(&shared, &slices(&layers), 1.0).expect_err("too few layers");
    assert!(error.to_string().contains("1 layers"), "{error}");
}

/// A measurement, not a check: `cargo test --release --lib gpu:: -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn time_of_a_fused_draw() {
    let Some(shared) = device() else { return };
    let layers = random_network(2, 6);
    let network = FusedMlpGpu::new(&shared, &slices(&layers), 1.0).expect("a network it knows");
    let steps = steps_for(&layers, &[1.0]);
    for n in [1usize, 64, 4096, 65_536] {
        let points = PointBuffer::from_points(&shared, &random_points(n, 7)).expect("fits");
        let mut times_ms: Vec<f64> = (0..7)
            .map(|_| {
                let started = Instant::now();
                network
                    .draw(&points, &steps, &mut || true)
                    .expect("a device that works");
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times_ms.sort_by(f64::total_cmp);
        println!(
            "{}: {n} draws in {:.2} ms (median of 7; {:.0} rows/ms)",
            shared.info.name,
            times_ms[3],
            network.rows_per_ms()
        );
    }
}
