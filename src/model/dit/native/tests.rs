//! Against the same network through burn.

use burn::module::{Module as _, ModuleMapper, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use super::*;
use crate::model::dit::cost;
use crate::model::{BurnImageMap, Condition, Dual};

fn small(input: usize, patch: usize) -> DitConfig {
    DitConfig {
        input_size: input,
        patch_size: patch,
        in_channels: 2,
        hidden_size: 24,
        depth: 3,
        num_heads: 2,
        encoder_depth: 1,
        label_dim: 3,
        predicts_image: false,
        ..DitConfig::digits()
    }
}

/// Shapes of 4, 16, 64 and 256 tokens, with and without what can be left out, and the reference's time and further
/// outputs.
fn shapes() -> [DitConfig; 6] {
    [
        DitConfig {
            is_zero_data: true,
            learn_sigma: true,
            ..small(32, 2)
        },
        DitConfig {
            predicts_image: true,
            ..small(32, 2)
        },
        DitConfig {
            is_zero_data: true,
            learn_sigma: true,
            preserve_t_cond_0: false,
            model_guidance_x_cond_ws: vec![1.5],
            ..small(8, 2)
        },
        DitConfig {
            preserve_t_cond_0: false,
            guidance_table: Some(false),
            ..small(8, 4)
        },
        DitConfig {
            predicts_image: true,
            ..small(8, 2)
        },
        small(16, 2),
    ]
}

/// Those of which weights are learned.
fn learned() -> impl Iterator<Item = DitConfig> {
    shapes().into_iter().filter(NativeDit::learns)
}

/// Numbers that belong to rows.
struct Rows {
    s: Vec<f32>,
    u: Vec<f32>,
    x: Vec<f32>,
    t: Vec<f32>,
    x_t: Vec<f32>,
    label: Vec<u32>,
    guidance: Vec<f32>,
}

fn stream(key: u32, count: usize) -> Vec<f32> {
    let mut pairs = vec![[0.0; 2]; count.div_ceil(2)];
    let address = crate::process::Address::new(5, crate::process::Purpose::EvalState, key);
    crate::process::normal_pairs(address, 0, &mut pairs);
    pairs.as_flattened()[..count].to_vec()
}

impl Rows {
    fn new(config: &DitConfig, n: usize) -> Self {
        let numbers: usize = config.state().iter().product();
        let cycle = |values: [f32; 5]| values.into_iter().cycle().take(n).collect::<Vec<_>>();
        Self {
            s: cycle([0.0, 0.2, 0.5, 0.93, 0.97]),
            u: cycle([1.0, 0.2, 0.9, 0.95, 1.0]),
            x: stream(1, n * numbers),
            t: cycle([0.0, 0.3, 0.6, 0.9, 0.1]),
            x_t: stream(2, n * numbers),
            label: (0..n as u32)
                .map(|i| i % (config.label_dim as u32 + 1))
                .collect(),
            guidance: cycle([1.0, 2.5, 2.4, 1.0, 1.2]),
        }
    }

    fn view(&self) -> ImageRows<'_> {
        ImageRows {
            s: &self.s,
            u: &self.u,
            x: &self.x,
            t: &self.t,
            x_t: &self.x_t,
            label: &self.label,
            guidance: &self.guidance,
        }
    }
}

/// Puts gradients in the place of weights.
struct ToGradients<'a>(&'a Gradients);

impl ModuleMapper for ToGradients<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let gradient = value.grad(self.0);
        let gradient = gradient.unwrap_or_else(|| value.inner().zeros_like());
        Param::from_mapped_value(id, gradient, mapper)
    }
}

fn close(ours: &[f32], theirs: &[f32], relative: f32, what: &str) {
    let size = theirs.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert!(size > 1e-3, "{what}: nothing there");
    let apart = ours
        .iter()
        .zip(theirs)
        .fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(apart <= relative * size, "{what}: {apart} of {size}");
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn value_and_pullback_are_those_of_the_network_through_burn() {
    let device = Device::flex();
    for config in shapes() {
        let numbers: usize = config.state().iter().product();
        let dit = Dit::lively(&config, 3, &device);
        let native = NativeDit::new(&dit).unwrap();
        let burn = BurnImageMap::new(dit, &device);
        // More than one cohort of 4 tokens, and a last tile that is not full.
        let n = 67;
        let rows = Rows::new(&config, n);
        let mut out = [vec![0.0; n * numbers], vec![0.0; n * numbers]];
        native.average_velocity(&rows.view(), &mut out[0]);
        burn.average_velocity(&rows.view(), &mut out[1]);
        close(&out[0], &out[1], 2e-5, "velocity");

        let weights = stream(3, n * numbers);
        let mut ours = [vec![0.0; n * numbers], vec![0.0; n * numbers]];
        let mut theirs = ours.clone();
        let [x, x_t] = &mut ours;
        native.pullback(&rows.view(), &weights, x, x_t);
        let [x, x_t] = &mut theirs;
        burn.pullback(&rows.view(), &weights, x, x_t);
        close(&ours[0], &theirs[0], 5e-5, "gradient of x");
        close(&ours[1], &theirs[1], 5e-5, "gradient of x_t");
    }
}

#[test]
fn an_image_does_not_depend_on_those_beside_it() {
    for config in shapes() {
        let numbers: usize = config.state().iter().product();
        let native = NativeDit::new(&Dit::lively(&config, 3, &Device::flex())).unwrap();
        let n = 13;
        let (rows, weights) = (Rows::new(&config, n), stream(3, n * numbers));
        let room = || vec![0.0; n * numbers];
        let (mut all, mut x, mut x_t) = (room(), room(), room());
        native.average_velocity(&rows.view(), &mut all);
        native.pullback(&rows.view(), &weights, &mut x, &mut x_t);
        let i = 6;
        let span = i * numbers..(i + 1) * numbers;
        let one = part(&rows.view(), i, 1, numbers);
        let mut alone = vec![0.0; numbers];
        // In room that others left behind, and in fresh room.
        for _ in 0..2 {
            native.average_velocity(&one, &mut alone);
            assert_eq!(alone, all[span.clone()]);
        }
        let mut by_state = vec![0.0; numbers];
        native.pullback(&one, &weights[span.clone()], &mut alone, &mut by_state);
        assert_eq!((&alone[..], &by_state[..]), (&x[span.clone()], &x_t[span]));
    }
}

#[test]
fn draws_that_are_kept_for_their_gradients_are_those_that_are_made_twice() {
    for config in shapes() {
        let numbers: usize = config.state().iter().product();
        let native = NativeDit::new(&Dit::lively(&config, 3, &Device::flex())).unwrap();
        let n = 11;
        let (rows, noise) = (Rows::new(&config, n), stream(8, n * numbers));
        let weights = stream(3, n * numbers);
        let made = |kept: bool, wanted: bool| {
            let (mut x, mut by_state) = (noise.clone(), vec![0.0; n * numbers]);
            let mut seen = Vec::new();
            let mut judge = |draws: &[f32]| {
                seen = draws.to_vec();
                let pair = draws.iter().zip(&weights);
                wanted.then(|| pair.map(|(x, w)| x * w).collect())
            };
            let room = (&mut x[..], &mut by_state[..]);
            let done = if kept {
                native.draw_and_pull(&rows.view(), room.0, room.1, &mut judge)
            } else {
                draw_then_pull(&native, &rows.view(), room.0, room.1, &mut judge)
            };
            assert_eq!((done, &seen), (wanted, &x));
            (x, by_state)
        };
        let twice = made(false, true);
        assert!(twice.1.iter().any(|v| v.abs() > 1e-3));
        assert_eq!(made(true, true), twice);
        assert_eq!(made(true, false), (twice.0, vec![0.0; n * numbers]));
    }
}

/// What is kept has a bound; how many rows it lets be computed at once changes nothing.
#[test]
fn gradients_in_small_parts_are_the_same() {
    let config = shapes()[2].clone();
    let numbers: usize = config.state().iter().product();
    let native = NativeDit::new(&Dit::lively(&config, 3, &Device::flex())).unwrap();
    let tile = config.rows_within(0);
    assert_eq!(tile, TILE / config.tokens());
    assert_eq!(
        config.rows_within(3 * Pass::bytes(&config, Keep::ForStates) as u64),
        3 * tile
    );
    let n = 11;
    let (rows, weights) = (Rows::new(&config, n), stream(3, n * numbers));
    let pulled = |within: u64| {
        let (mut x, mut x_t) = (vec![0.0; n * numbers], vec![0.0; n * numbers]);
        native.pull_within(within, &rows.view(), &weights, &mut x, &mut x_t);
        (x, x_t)
    };
    assert_eq!(pulled(0), pulled(u64::MAX));
}

/// What is said of the memory beforehand is what the rooms and layers hold afterwards.
#[test]
fn memory_is_what_is_thought() {
    for config in shapes() {
        let mut native = NativeDit::new(&Dit::lively(&config, 3, &Device::flex())).unwrap();
        let numbers: usize = config.state().iter().product();
        let weights = 4 * config.parameters();
        let through = native.through(Precision::F32);
        let rooms = |pass, n| (config.memory(through, pass, n).bytes() - weights) as usize;
        let weights = weights as f64;
        for (threads, n) in [(1, 5), (3, 5), (3, 67)] {
            native.rooms.iter().for_each(Rooms::clear);
            let rows = Rows::new(&config, n);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let (mut x, mut by_state) = (vec![0.0; n * numbers], vec![0.0; n * numbers]);
                native.average_velocity(&rows.view(), &mut x);
                let values = rooms(cost::Pass::Forward, n);
                let held = native.rooms[0].held();
                // A core may have gone through several pieces in one room.
                assert!(
                    held <= values && held >= values / threads,
                    "{held} {values}"
                );
                assert!(threads > 1 || held == values, "{held} {values}");
                let mut judge = |draws: &[f32]| Some(draws.to_vec());
                native.draw_and_pull(&rows.view(), &mut x, &mut by_state, &mut judge);
                let gradients = rooms(cost::Pass::Gradient, n);
                // All pieces at once.
                assert_eq!(native.rooms[1].held(), gradients - values);
            });
        }
        // Before they come, weights take nothing: room for them is made as that of burn's is freed.
        let hollow = NativeDit::empty(&config).layers.bytes() as f64;
        assert!(hollow < 0.1 * weights, "{hollow} {weights}");
        let held = (native.layers.bytes() + native.positions.bytes()) as f64;
        // But for rows that are filled up, of which such a small network has many.
        assert!((0.97..1.2).contains(&(held / weights)), "{held} {weights}");
    }
}

#[test]
fn the_product_beside_which_rates_are_stated_runs() {
    let gflops = NativeDit::product_gflops();
    assert!(gflops.is_finite() && gflops > 0.1, "{gflops}");
}

#[test]
fn derivatives_along_a_direction_are_those_of_forward_mode() {
    let device = Device::flex();
    for config in learned() {
        let numbers: usize = config.state().iter().product();
        let [c, h, w] = config.state();
        let dit = Dit::lively(&config, 3, &device);
        let native = NativeDit::new(&dit).unwrap();
        let n = 5;
        let rows = Rows::new(&config, n);
        let moved = stream(4, n * numbers);
        let (mut v, mut dv) = (vec![0.0; n * numbers], vec![0.0; n * numbers]);
        let along = Along {
            times: (0.7, -0.4),
            x: Some(&moved),
            from: 0,
        };
        native.velocity_along(&rows.view(), along, &mut v, &mut dv);

        let column = |v: &[f32]| Tensor::<1>::from_data(TensorData::new(v.to_vec(), [n]), &device);
        let image =
            |v: &[f32]| Tensor::<4>::from_data(TensorData::new(v.to_vec(), [n, c, h, w]), &device);
        let labels: Vec<i32> = rows.label.iter().map(|l| *l as i32).collect();
        let condition = Condition {
            t: column(&rows.t),
            x_t: image(&rows.x_t),
            label: Some(Tensor::<1, Int>::from_data(
                TensorData::new(labels, [n]),
                &device,
            )),
            guidance_scale: Some(column(&rows.guidance)),
        };
        let (s, u) = (column(&rows.s), column(&rows.u));
        let dual = dit.velocity(
            Dual::moving(s.clone(), s.ones_like() * 0.7),
            Dual::moving(u.clone(), u.ones_like() * -0.4),
            Dual::moving(image(&rows.x), image(&moved)),
            &condition,
        );
        let list = |t: Tensor<4>| t.into_data().try_to_vec::<f32>().unwrap();
        close(&dv, &list(dual.derivative()), 5e-5, "derivative");
        close(&v, &list(dual.value), 2e-5, "value");
    }
}

#[test]
fn gradients_of_the_weights_are_those_of_reverse_mode() {
    let device = Device::flex().autodiff();
    for config in learned() {
        let numbers: usize = config.state().iter().product();
        let [c, h, w] = config.state();
        let dit = Dit::lively(&config, 3, &device);
        let native = NativeDit::new(&dit.valid()).unwrap();
        let layout = FlatLayout::new(&config);
        let n = 67;
        let rows = Rows::new(&config, n);
        let weights = stream(6, n * numbers);
        let mut parts = Vec::new();
        let cotangent = |row: usize, v: &mut [f32], _: &[f32]| {
            v.copy_from_slice(&weights[row * numbers..(row + 1) * numbers]);
            [0.0; 2]
        };
        native.gradient(&rows.view(), None, &cotangent, &mut parts, layout.len());
        let ours = layout.scatter(parts[0].as_slice());

        let column = |v: &[f32]| Tensor::<1>::from_data(TensorData::new(v.to_vec(), [n]), &device);
        let image =
            |v: &[f32]| Tensor::<4>::from_data(TensorData::new(v.to_vec(), [n, c, h, w]), &device);
        let labels: Vec<i32> = rows.label.iter().map(|l| *l as i32).collect();
        let condition = Condition {
            t: column(&rows.t),
            x_t: image(&rows.x_t),
            label: Some(Tensor::<1, Int>::from_data(
                TensorData::new(labels, [n]),
                &device,
            )),
            guidance_scale: Some(column(&rows.guidance)),
        };
        let v = dit
            .velocity(
                Dual::constant(column(&rows.s)),
                Dual::constant(column(&rows.u)),
                Dual::constant(image(&rows.x)),
                &condition,
            )
            .value;
        let gradients = (v * image(&weights)).sum().backward();
        // A network whose weights are the gradients has them under the same names.
        let theirs = dit.clone().map(&mut ToGradients(&gradients)).weights();
        for weight in theirs {
            let Some(own) = ours.iter().find(|o| o.name == weight.name) else {
                assert!(weight.name.ends_with("pos_embed"));
                continue;
            };
            close(&own.values, &weight.values, 2e-4, &weight.name);
        }
    }
}
