use super::*;
use crate::mixture::{Mode, Preset};

fn reward(text: &str) -> Reward {
    text.parse().unwrap()
}

/// Rewards without a closed form, and a world each.
fn open() -> Vec<(Mixture, Reward)> {
    [
        (Preset::Ring8, "half-plane:1,0.5,0.2,0.3@3"),
        (Preset::Ring8, "ring:0.2,-0.1,2,0.4"),
        (Preset::Two, "ring:0,0,2,0.1@2"),
        (Preset::Ring8, "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25@1.7"),
        (Preset::Three, "expr:sin(3*x)*cos(2*y) - x*y/4@2"),
        (Preset::Moons, "expr:-(x^2 + y^2 - 1)^2"),
        (Preset::Grid25, "expr:tanh(x) + exp(-y^2)@3"),
    ]
    .map(|(preset, text)| (preset.mixture(), reward(text)))
    .into()
}

const STATES: [(f64, Point); 7] = [
    (0.0, [0.3, -0.8]),
    (0.1, [0.5, 0.4]),
    (0.4, [-0.6, 0.9]),
    (0.7, [1.2, -0.5]),
    (0.9, [-1.4, 1.3]),
    (0.97, [2.1, 0.1]),
    (0.995, [-0.9, -1.8]),
];

/// `V_t(x)` by an even sum over a box around each posterior component, nothing shared with what is tested.
fn brute_value(world: &Mixture, reward: &Reward, t: f64, x: Point) -> f64 {
    let posterior = world.posterior(t, x);
    let total: f64 = posterior
        .modes()
        .iter()
        .filter(|mode| mode.weight > 1e-14)
        .map(|mode| {
            let (l_xx, l_yx, l_yy) = mode.cov.cholesky();
            let (n, step) = (130, 0.06);
            let mut sum = 0.0;
            for i in -n..=n {
                for j in -n..=n {
                    let (a, b) = (step * f64::from(i), step * f64::from(j));
                    let z = [mode.mean[0] + l_xx * a, mode.mean[1] + l_yx * a + l_yy * b];
                    sum += (reward.score(z) - 0.5 * (a * a + b * b)).exp();
                }
            }
            mode.weight * sum * step * step / std::f64::consts::TAU
        })
        .sum();
    total.ln()
}

#[test]
fn quadrature_gives_what_the_closed_forms_give() {
    for (preset, text) in [
        (Preset::Ring8, "linear:0.5,0.5"),
        (Preset::Ring8, "bowl:0,3,2"),
        (Preset::Two, "measurement:0.3,1,0.5,0.5"),
        (Preset::Three, "measurement:1.2,-0.8,-1,0.2"),
        (Preset::Ring8, "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25"),
        (Preset::Moons, "bowl:1,0.5,0.05"),
    ] {
        let (world, reward) = (preset.mixture(), reward(text));
        let exact = TiltedTarget::new(&world, &reward).unwrap();
        let grid = TiltedTarget::on_grid(&world, &reward).unwrap();
        assert_eq!(exact.how(), Exactness::ClosedForm);
        assert!(matches!(grid.how(), Exactness::Quadrature { .. }) && grid.mixture().is_none());
        // A grid is accepted once every second node is good to 1e-6; all nodes are far better.
        let apart = (exact.log_normaliser() - grid.log_normaliser()).abs();
        assert!(apart < 1e-9, "{text}: {apart:e}");
        for x in [[0.2, 0.1], [-2.0, 0.3], [1.0, 2.5], [9.0, -9.0]] {
            let (a, b) = (exact.density(x), grid.density(x));
            assert!((a - b).abs() <= 1e-8 * a, "{text}: {a:e} {b:e}");
        }
        for (t, x) in STATES
            .into_iter()
            .chain([(0.9, [3.5, -3.5]), (0.5, [4.0, 4.0])])
        {
            let (value, gradient) = exact.value_and_gradient(t, x);
            let (ours, ours_gradient) = grid.value_and_gradient(t, x);
            let apart = (value - ours).abs();
            assert!(
                apart < 2e-6 * (1.0 + value.abs()),
                "{text} at {t} {x:?}: {value} {ours}"
            );
            let size = 1.0 + gradient[0].hypot(gradient[1]);
            for d in 0..2 {
                // The gradient divides differences of means by (1 - t)^2.
                let apart = (gradient[d] - ours_gradient[d]).abs();
                assert!(
                    apart < 2e-5 * size,
                    "{text} at {t} {x:?}: {gradient:?} {ours_gradient:?}"
                );
            }
        }
        // Densities at the levels, from 4,096 draws there and from the grid here.
        for (a, b) in exact.levels().into_iter().zip(grid.levels()) {
            assert!((a / b - 1.0).abs() < 0.2, "{text}: {a} {b}");
        }
    }
}

#[test]
fn values_without_a_closed_form_match_a_finer_sum() {
    for (world, reward) in open() {
        let target = TiltedTarget::new(&world, &reward).unwrap();
        assert!(target.error() < 1e-6, "{reward}: {:e}", target.error());
        for (t, x) in STATES {
            let expected = brute_value(&world, &reward, t, x);
            let (value, _) = target.value_and_gradient(t, x);
            // The coarsest grid that is used is good to 1e-6.
            assert!(
                (value - expected).abs() < 3e-6 * (1.0 + expected.abs()),
                "{reward} at {t} {x:?}: {value} is not {expected}"
            );
        }
        let normaliser = brute_value(&world, &reward, 0.0, [0.0; 2]);
        assert!(
            (target.log_normaliser() - normaliser).abs() < 1e-8,
            "{reward}"
        );
    }
}

#[test]
fn gradients_without_a_closed_form_are_the_slopes_of_the_value() {
    for (world, reward) in open() {
        let target = TiltedTarget::new(&world, &reward).unwrap();
        for (t, x) in STATES {
            let at = target.at(t);
            let (_, gradient) = at.value_and_gradient(x);
            let h = 1e-3 * (1.0 - t);
            for axis in 0..2 {
                let value = |by: f64| {
                    let mut moved = x;
                    moved[axis] += by;
                    at.value_and_gradient(moved).0
                };
                let (near, far) = (value(h) - value(-h), value(2.0 * h) - value(-2.0 * h));
                let slope = (8.0 * near - far) / (12.0 * h);
                let size = 1.0 + gradient[0].hypot(gradient[1]);
                assert!(
                    (gradient[axis] - slope).abs() < 2e-5 * size,
                    "{reward} at {t} {x:?}: {} is not {slope}",
                    gradient[axis]
                );
            }
        }
    }
}

#[test]
fn at_the_data_the_value_is_the_reward() {
    for (world, reward) in open() {
        let target = TiltedTarget::new(&world, &reward).unwrap();
        let x = [0.7, 0.2];
        let (score, slope) = reward.score_and_gradient(x);
        assert_eq!(target.value_and_gradient(1.0, x), (score, slope));
        let (value, gradient) = target.value_and_gradient(0.99999, x);
        assert!((value - score).abs() < 1e-2 * (1.0 + score.abs()));
        assert!((gradient[0] - slope[0]).abs() < 1e-2 * (1.0 + slope[0].abs()));
    }
}

#[test]
fn draws_from_the_grid_agree_with_importance_weighted_samples() {
    for (world, reward) in open() {
        let target = TiltedTarget::new(&world, &reward).unwrap();
        let address = Address::new(5, Purpose::Test, 0);
        let mut base = vec![[0.0; 2]; 60_000];
        world.sample_into(address, 0, &mut base);
        let mut draws = vec![[0.0; 2]; 60_000];
        target.sample_into(address, 0, &mut draws);
        let statistics = |x: &[f32; 2]| {
            let [x, y] = x.map(f64::from);
            [x, y, x * x, y * y, x * y, reward.score([x, y])]
        };
        let (mut total, mut squares) = (0.0, 0.0);
        let (mut sums, mut sums_sq, mut found) = ([0.0; 6], [0.0; 6], [0.0; 6]);
        for (x, draw) in base.iter().zip(&draws) {
            let w = (reward.score(x.map(f64::from)) - target.log_normaliser()).exp();
            total += w;
            squares += w * w;
            let (f, ours) = (statistics(x), statistics(draw));
            for k in 0..6 {
                sums[k] += w * f[k];
                sums_sq[k] += w * f[k] * f[k];
                found[k] += ours[k] / draws.len() as f64;
            }
        }
        for k in 0..6 {
            let expected = sums[k] / total;
            let spread = (sums_sq[k] / total - expected * expected).max(0.0).sqrt();
            // Standard errors of both, and a thousandth of the spread for the place inside a cell.
            let error = spread * (squares.sqrt() / total + 1.0 / (draws.len() as f64).sqrt());
            let apart = (found[k] - expected).abs();
            assert!(
                apart < 5.0 * error + 1e-3 * spread,
                "{reward} {k}: {apart}, {error}"
            );
        }
        // The same draw whatever the batch.
        let mut part = vec![[0.0; 2]; 500];
        target.sample_into(address, 1234, &mut part);
        assert_eq!(part[..], draws[1234..1734]);
    }
}

#[test]
fn places_in_a_cell_keep_mean_and_variance_of_the_target() {
    // Closed forms tell the truth to all digits: one million draws, standard errors of 0.1 %.
    let (world, reward) = (Preset::Two.mixture(), reward("bowl:1,0.5,0.2"));
    let exact = TiltedTarget::new(&world, &reward).unwrap();
    let grid = TiltedTarget::on_grid(&world, &reward).unwrap();
    let mut draws = vec![[0.0; 2]; 1_000_000];
    grid.sample_into(Address::new(3, Purpose::Test, 1), 0, &mut draws);
    let n = draws.len() as f64;
    let mean: Point =
        std::array::from_fn(|d| draws.iter().map(|x| f64::from(x[d])).sum::<f64>() / n);
    let variance: Point = std::array::from_fn(|d| {
        let square = |x: &[f32; 2]| (f64::from(x[d]) - mean[d]).powi(2);
        draws.iter().map(square).sum::<f64>() / n
    });
    let mixture = exact.mixture().unwrap();
    let truth = mixture.covariance();
    for (found, exact) in mean.iter().zip(mixture.mean()) {
        assert!((found - exact).abs() < 0.004 * truth.xx.sqrt());
    }
    for (found, exact) in variance.iter().zip([truth.xx, truth.yy]) {
        assert!((found / exact - 1.0).abs() < 0.006, "{found} {exact}");
    }
}

#[test]
fn levels_hold_the_shares_they_are_named_after() {
    for (world, reward) in open() {
        let target = TiltedTarget::new(&world, &reward).unwrap();
        let mut draws = vec![[0.0; 2]; 20_000];
        target.sample_into(Address::new(6, Purpose::Test, 0), 0, &mut draws);
        for (level, share) in target.levels().into_iter().zip([0.5, 0.8, 0.95]) {
            let above = draws
                .iter()
                .filter(|x| target.density(x.map(f64::from)) >= level)
                .count();
            // Standard error 0.0035 at most.
            let found = above as f64 / draws.len() as f64;
            assert!(
                (found - share).abs() < 0.02,
                "{reward}: {found} is not {share}"
            );
        }
    }
}

#[test]
fn rewards_that_outgrow_the_world_are_refused() {
    let world = Preset::Two.mixture();
    for text in [
        "expr:x^4",
        "expr:exp(x*x)",
        "expr:3*x^2",
        "expr:x^4@0.001",
        "expr:exp(x)@0.0001",
        "expr:x^2*y^2",
    ] {
        let message = TiltedTarget::new(&world, &reward(text))
            .unwrap_err()
            .to_string();
        assert!(message.contains("outgrows the world"), "{text}: {message}");
    }
    // Strong, but bounded or slower than the density falls.
    for text in [
        "expr:min(x^4, 10)",
        "expr:30*x",
        "expr:1.8*x^2",
        "expr:abs(x) + abs(y)@5",
        "expr:ln(x)",
        "expr:ln(abs(x))@20",
    ] {
        let target = TiltedTarget::new(&world, &reward(text));
        assert!(target.is_ok(), "{text}: {}", target.unwrap_err());
    }
    let none = TiltedTarget::new(&world, &reward("expr:ln(-1 - x^2)")).unwrap_err();
    assert!(none.to_string().contains("no finite value"), "{none}");
    let fine = TiltedTarget::new(&world, &reward("ring:0,0,2,0.0001")).unwrap_err();
    assert!(fine.to_string().contains("too fine"), "{fine}");
}

#[test]
fn mass_is_found_far_from_the_world() {
    // N(0, 0.25 I) under exp(30 x): mean 7.5, ln Z = 30^2 / 8, as the linear reward has it in closed form.
    let world = Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], 0.5)]).unwrap();
    let target = TiltedTarget::new(&world, &reward("expr:30*x")).unwrap();
    assert!((target.log_normaliser() - 112.5).abs() < 1e-6);
    let exact = TiltedTarget::new(&world, &reward("linear:30,0")).unwrap();
    for (t, x) in STATES {
        let (a, b) = (
            exact.value_and_gradient(t, x),
            target.value_and_gradient(t, x),
        );
        assert!((a.0 - b.0).abs() < 1e-4, "{t} {x:?}: {a:?} {b:?}");
        assert!((a.1[0] - b.1[0]).abs() < 1e-3, "{t} {x:?}: {a:?} {b:?}");
    }
}

#[test]
#[ignore = "prints timings"]
fn a_target_is_prepared_in_so_many_milliseconds() {
    for (world, reward) in open() {
        let started = std::time::Instant::now();
        let quadrature = Quadrature::new(&world, &reward).unwrap();
        let grid = started.elapsed();
        let sampler = GridSampler::new(&quadrature.grids[0]);
        let levels = quadrature.levels([0.5, 0.8, 0.95]);
        let all = started.elapsed();
        let mut draws = vec![[0.0; 2]; 1 << 18];
        sampler.sample_into(
            &quadrature.grids[0],
            Address::new(1, Purpose::Test, 0),
            0,
            &mut draws,
        );
        let drawn = started.elapsed();
        let mut text = String::new();
        for t in [0.1, 0.5, 0.9, 0.98] {
            let at = QuadratureAt::new(&quadrature, t);
            let started = std::time::Instant::now();
            for x in draws.iter().take(500) {
                std::hint::black_box(at.value_and_gradient(x.map(|v| t * f64::from(v))));
            }
            let us = started.elapsed().as_secs_f64() * 2e3;
            text = format!("{text} t {t}: {us:.1} us");
        }
        println!(
            "{reward}: {} cells, {} grids, error {:.1e}, grid {:.0} ms, prepared {:.0} ms, 262k draws {:.0} ms;{text} {}",
            quadrature.cells(),
            quadrature.grids.len(),
            quadrature.error,
            grid.as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3,
            (drawn.as_secs_f64() - all.as_secs_f64()) * 1e3,
            levels[0] > 0.0
        );
    }
}
