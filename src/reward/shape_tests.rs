use super::*;
use crate::mixture::Preset;
use crate::process::{Address, Purpose};

fn rewards() -> Vec<Reward> {
    [
        "linear:0.5,-0.5@1.5",
        "bowl:0,3,2",
        "bowl:0,3,2@0.3",
        "measurement:1.2,-0.8,-1,0.2",
        "measurement:0.3,1,0.5,0.5@2",
        "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25",
        "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25@1.7",
        "bumps:2,0.4,0.1,0.5@0.6",
        "half-plane:1,0.5,0.2,0.3@3",
        "ring:0.2,-0.1,2,0.4",
        "expr:sin(2*x)*y - sqrt(4 + x^2 + y^2) + tanh(x - y)@1.5",
        "expr:-(x^2 + y^2 - 4)^2/8 + exp(-x^2/50)@0.2",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec()
}

#[test]
fn gradients_match_finite_differences() {
    let h = 1e-4;
    for reward in rewards() {
        for x in [[0.0, 0.0], [0.3, -1.2], [2.9, 0.2], [-30.0, 14.0]] {
            let gradient = reward.gradient(x);
            for i in 0..2 {
                let score = |by: f64| {
                    let mut y = x;
                    y[i] += by;
                    reward.score(y)
                };
                let slope = (8.0 * (score(h) - score(-h)) - (score(2.0 * h) - score(-2.0 * h)))
                    / (12.0 * h);
                // Rounding: 1e-16 of the score over h.
                let allowed = 1e-8 * (1.0 + slope.abs()) + 4e-12 * reward.score(x).abs();
                assert!(
                    (gradient[i] - slope).abs() < allowed,
                    "{reward} at {x:?}: {} is not {slope}",
                    gradient[i]
                );
            }
        }
    }
}

#[test]
fn the_factor_that_mixtures_get_is_the_exponential_of_the_score() {
    let world = Preset::Ring8.mixture();
    let mut closed = 0;
    for reward in rewards() {
        let Ok(tilted) = reward.tilted(&world) else {
            continue;
        };
        closed += 1;
        let (target, log_z) = (tilted.target(), tilted.log_normaliser());
        for x in [[0.1, 0.2], [-2.5, 1.7], [1.4, -3.0]] {
            let expected = world.log_density(x) + reward.score(x) - log_z;
            let got = target.log_density(x);
            assert!(
                (got - expected).abs() < 1e-8 * expected.abs().max(1.0),
                "{reward}: {got} is not {expected}"
            );
        }
    }
    assert_eq!(closed, 7);
}

#[test]
fn exact_targets_agree_with_importance_weighted_samples() {
    let world = Preset::Two.mixture();
    let mut points = vec![[0.0; 2]; 300_000];
    world.sample_into(Address::new(5, Purpose::Test, 0), 0, &mut points);
    for reward in rewards() {
        let Ok(tilted) = reward.tilted(&world) else {
            continue;
        };
        let (mut total, mut squares, mut mean) = (0.0, 0.0, [0.0; 2]);
        for x in points.iter().map(|x| x.map(f64::from)) {
            let w = (reward.score(x) - tilted.log_normaliser()).exp();
            total += w;
            squares += w * w;
            mean = [mean[0] + w * x[0], mean[1] + w * x[1]];
        }
        let target = tilted.target();
        let error = target.standard_deviation() * squares.sqrt() / total;
        for (d, mean) in mean.into_iter().enumerate() {
            let apart = (mean / total - target.mean()[d]).abs();
            assert!(apart < 5.0 * error, "{reward}: {apart}, error {error}");
        }
    }
}

#[test]
fn a_reward_of_no_strength_leaves_the_world_as_it_is() {
    let world = Preset::Ring8.mixture();
    for reward in rewards() {
        let none = reward.with_lambda(0.0).unwrap();
        assert_eq!(none.score([1.0, 2.0]), 0.0);
        let tilted = none.tilted(&world).unwrap();
        assert!(tilted.log_normaliser().abs() < 1e-12);
    }
}
