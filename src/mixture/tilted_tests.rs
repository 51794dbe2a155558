use super::super::Preset;
use super::super::reference::{close, close_points};
use super::*;
use crate::process::{Address, Purpose};

// 1e-8 is methods.md's tolerance for closed forms.
const TOLERANCE: f64 = 1e-8;

fn stretched() -> Mixture {
    let mode = |weight, mean, major, minor, angle| Mode {
        weight,
        mean,
        cov: Cov2::from_axes(major, minor, angle),
    };
    Mixture::new(vec![
        mode(0.5, [-1.0, 0.4], 0.9, 0.3, 0.5),
        mode(0.3, [1.2, -0.6], 0.5, 0.4, -1.0),
        mode(0.2, [0.3, 1.5], 0.7, 0.25, 2.0),
    ])
    .unwrap()
}

fn tilts() -> Vec<Tilt> {
    let bowl = Tilt::Quadratic {
        a: Cov2::isotropic(0.5),
        b: [0.2, 1.5],
        c: -2.0,
    };
    let linear = Tilt::Quadratic {
        a: Cov2::isotropic(0.0),
        b: [0.7, -0.4],
        c: 0.1,
    };
    let measured = Tilt::Quadratic {
        a: Cov2::outer([1.2, -0.8]).scaled(4.0),
        b: [-2.4, 1.6],
        c: 0.0,
    };
    // A reward that grows, but slower than every mode falls.
    let rising = Tilt::Quadratic {
        a: Cov2::isotropic(-0.4),
        b: [0.1, 0.0],
        c: 0.0,
    };
    let bumps = Tilt::Bumps(vec![
        Bump {
            weight: 0.5,
            mean: [1.5, 0.0],
            cov: Cov2::isotropic(0.25),
        },
        Bump {
            weight: 1.5,
            mean: [-1.1, 1.0],
            cov: Cov2::from_axes(0.8, 0.4, 0.3),
        },
    ]);
    vec![bowl, linear, measured, rising, bumps]
}

fn reward(tilt: &Tilt, x: Point) -> f64 {
    match tilt {
        Tilt::Quadratic { a, b, c } => c + b[0] * x[0] + b[1] * x[1] - 0.5 * a.quadratic(x),
        Tilt::Bumps(bumps) => bumps
            .iter()
            .map(|bump| bump.log_density(x).exp())
            .sum::<f64>()
            .ln(),
    }
}

/// `(ln E exp r, E x, E_tilted x)` of a mixture by the trapezoidal rule, which converges like `exp(-2 pi^2 (sd/h)^2)`
/// for Gaussians: sd is 0.12 or more below and h 0.03.
fn quadrature(density: &Mixture, tilt: &Tilt) -> (f64, Point, Point) {
    let (mut z, mut plain, mut mean, mut tilted) = (0.0, 0.0, [0.0; 2], [0.0; 2]);
    let h = 0.03;
    for i in -300..=300 {
        for j in -300..=300 {
            let x = [f64::from(i) * h, f64::from(j) * h];
            let p = density.log_density(x).exp();
            let w = p * reward(tilt, x).exp();
            plain += p;
            z += w;
            for d in 0..2 {
                mean[d] += p * x[d];
                tilted[d] += w * x[d];
            }
        }
    }
    (
        (z / plain).ln(),
        mean.map(|v| v / plain),
        tilted.map(|v| v / z),
    )
}

#[test]
fn value_and_means_match_quadrature() {
    let world = stretched();
    for tilt in tilts() {
        let tilted = TiltedMixture::new(world.clone(), tilt.clone()).unwrap();
        for (t, x) in [(0.0, [0.3, -0.2]), (0.3, [0.4, 0.5]), (0.6, [-0.5, 0.6])] {
            let (value, mean, tilted_mean) = quadrature(&world.posterior(t, x), &tilt);
            let state = tilted.at(t).eval(x);
            close(state.value, value, TOLERANCE);
            close_points(state.mean, mean, TOLERANCE);
            close_points(state.tilted_mean, tilted_mean, TOLERANCE);
            close_points(
                tilted.at(t).tilted_posterior(x).mean(),
                tilted_mean,
                TOLERANCE,
            );
        }
        close(
            tilted.log_normaliser(),
            quadrature(&world, &tilt).0,
            TOLERANCE,
        );
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_value() {
    let h = 1e-4;
    for world in [stretched(), Preset::Ring8.mixture()] {
        for tilt in tilts() {
            let tilted = TiltedMixture::new(world.clone(), tilt).unwrap();
            for (t, x) in [(0.05, [0.4, -0.9]), (0.5, [1.0, 0.3]), (0.9, [-0.7, 1.6])] {
                let at = tilted.at(t);
                let gradient = at.gradient(x);
                for i in 0..2 {
                    let value = |by: f64| {
                        let mut y = x;
                        y[i] += by;
                        at.eval(y).value
                    };
                    // Fourth-order differences: truncation about h^4 times the fifth derivative.
                    let slope = (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h)))
                        / (12.0 * h);
                    close(gradient[i], slope, TOLERANCE * (1.0 + gradient[i].abs()));
                }
            }
        }
    }
}

#[test]
fn the_target_is_the_world_times_the_factor_over_z() {
    for world in [stretched(), Preset::Ring8.mixture()] {
        for tilt in tilts() {
            let tilted = TiltedMixture::new(world.clone(), tilt.clone()).unwrap();
            let (target, log_z) = (tilted.target(), tilted.log_normaliser());
            for x in [[0.1, 0.2], [-2.5, 1.7], [1.4, -3.0]] {
                let expected = world.log_density(x) + reward(&tilt, x) - log_z;
                close(target.log_density(x), expected, TOLERANCE);
            }
        }
    }
}

#[test]
fn the_target_matches_importance_weighted_samples() {
    let world = stretched();
    let mut points = vec![[0.0; 2]; 400_000];
    world.sample_into(Address::new(5, Purpose::Test, 0), 0, &mut points);
    for tilt in tilts() {
        let tilted = TiltedMixture::new(world.clone(), tilt.clone()).unwrap();
        let (mut total, mut squares, mut mean) = (0.0, 0.0, [0.0; 2]);
        for x in points.iter().map(|x| x.map(f64::from)) {
            let w = reward(&tilt, x).exp();
            total += w;
            squares += w * w;
            mean = [mean[0] + w * x[0], mean[1] + w * x[1]];
        }
        let target = tilted.target();
        let error = target.standard_deviation() * (squares / (total * total)).sqrt();
        for (d, mean) in mean.into_iter().enumerate() {
            // Five standard errors of the self-normalised estimate.
            assert!(
                (mean / total - target.mean()[d]).abs() < 5.0 * error,
                "{tilt:?}"
            );
        }
        let log_z = (total / points.len() as f64).ln();
        let spread = (squares / (total * total) - 1.0 / points.len() as f64)
            .max(0.0)
            .sqrt();
        assert!(
            (log_z - tilted.log_normaliser()).abs() < 5.0 * spread + 1e-6,
            "{tilt:?}"
        );
    }
}

#[test]
fn at_the_data_the_value_is_the_reward() {
    for tilt in tilts() {
        let tilted = TiltedMixture::new(stretched(), tilt.clone()).unwrap();
        for x in [[0.1, 0.2], [-2.5, 1.7]] {
            close(tilted.at(1.0).eval(x).value, reward(&tilt, x), TOLERANCE);
            close_points(tilted.at(1.0).eval(x).tilted_mean, x, TOLERANCE);
        }
    }
}

#[test]
fn a_reward_that_outgrows_a_mode_is_refused_by_its_number() {
    let tilt = Tilt::Quadratic {
        a: Cov2::isotropic(-2.0),
        b: [0.0; 2],
        c: 0.0,
    };
    let error = TiltedMixture::new(stretched(), tilt).unwrap_err();
    assert_eq!(error, TiltError::Unbounded { mode: 0 });
    assert!(error.to_string().contains("mode 1"));
    assert!(TiltedMixture::new(stretched(), Tilt::Bumps(vec![])).is_err());
}
