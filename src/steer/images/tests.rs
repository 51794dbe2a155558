//! Steered pictures beside what is known exactly.

use std::sync::Arc;

use burn::tensor::Device;

use super::look::Look;
use super::run::Progress;
use super::toy::{NUMBERS, ToyMap, ToyReward};
use super::*;
use crate::metrics::Counters;
use crate::model::{Dit, DitConfig, ImageMap, NativeDit};
use crate::steer::{Flow, Method, SteerError};

fn steered(map: &ToyMap, reward: &ToyReward, plan: &ImagePlan, particles: u32) -> ImageRun {
    let scene = ImageScene { map, reward };
    steer_images(scene, plan, 0..particles, &mut |_: f32| true).unwrap()
}

/// Mean and standard deviation of all pixels.
fn law(pixels: &[f32]) -> (f64, f64) {
    let n = pixels.len() as f64;
    let mean = pixels.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let square = pixels.iter().map(|x| (f64::from(*x) - mean).powi(2));
    (mean, (square.sum::<f64>() / n).sqrt())
}

/// The same of the law that a bowl tilts a class's law to.
fn tilted(map: &ToyMap, class: usize, reward: &ToyReward) -> (f64, f64) {
    let precision = 1.0 / map.variance + 1.0 / reward.variance;
    let pull = map.means[class] / map.variance + reward.centre / reward.variance + reward.slope;
    (pull / precision, precision.sqrt().recip())
}

fn plan(method: Method, flow: Flow, draws: u32) -> ImagePlan {
    ImagePlan {
        flow,
        draws,
        steps: 60,
        ..ImagePlan::new(method)
    }
}

#[test]
fn the_base_reaches_the_law_of_the_class_and_of_none() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    for flow in [Flow::Ode, Flow::Sde] {
        for (class, index) in [(Some(0), 0), (Some(1), 1), (None, 2)] {
            let plan = ImagePlan {
                class,
                ..plan(Method::Base, flow, 1)
            };
            let (mean, sd) = law(&steered(&map, &reward, &plan, 600).pictures);
            // 2,400 pixels: standard errors 0.014 and 0.010; the rest is the step.
            assert!((mean - map.means[index]).abs() < 0.05, "{flow}: {mean}");
            assert!((sd - map.variance.sqrt()).abs() < 0.04, "{flow}: {sd}");
        }
    }
}

#[test]
fn both_estimators_of_the_map_reach_the_tilted_law() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let (mean, sd) = tilted(&map, 2, &reward);
    for (method, draws) in [
        (Method::MfmG, 16),
        (Method::MfmGf, 64),
        (Method::MfmMix, 32),
    ] {
        for flow in [Flow::Ode, Flow::Sde] {
            let run = steered(&map, &reward, &plan(method, flow, draws), 300);
            let (found, spread) = law(&run.pictures);
            // 1,200 pixels: standard errors 0.014 and 0.010; the rest is the step and the bias of so many draws.
            assert!(
                (found - mean).abs() < 0.06,
                "{method} {flow}: {found}, {mean}"
            );
            assert!(
                (spread - sd).abs() < 0.06,
                "{method} {flow}: {spread}, {sd}"
            );
            assert_eq!(run.non_finite, 0);
        }
    }
}

#[test]
fn a_linear_reward_needs_one_draw_where_gradients_pass() {
    let (map, reward) = (ToyMap::new(), ToyReward::linear(1.5));
    let (mean, sd) = tilted(&map, 2, &reward);
    for method in [Method::MfmG, Method::Dps, Method::Lgd] {
        let run = steered(&map, &reward, &plan(method, Flow::Sde, 1), 600);
        let (found, spread) = law(&run.pictures);
        assert!((found - mean).abs() < 0.05, "{method}: {found}, {mean}");
        assert!((spread - sd).abs() < 0.05, "{method}: {spread}, {sd}");
    }
}

#[test]
fn dps_follows_the_reward_at_the_mean_which_is_not_the_tilt() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let plan = plan(Method::Dps, Flow::Ode, 1);
    let run = steered(&map, &reward, &plan, 600);
    // A bowl makes every step an affine map of the state, whose coefficients are known.
    let (mu, grid) = (map.means[2], plan.grid());
    let (mut scale, mut shift) = (1.0, 0.0);
    for step in grid.windows(2) {
        let (t, dt) = (step[0], step[1] - step[0]);
        let (gain, _) = map.posterior(t);
        // b = (D - x) / (1 - t) and grad r(D) = -G (D - c) / v, with D = mu + G (x - t mu).
        let (slope, rest) = (gain, mu - gain * t * mu);
        let push = plan.schedule.half_sigma_sq(t) * gain / reward.variance;
        let by_x = 1.0 + dt * ((slope - 1.0) / (1.0 - t) - push * slope);
        let added = dt * (rest / (1.0 - t) - push * (rest - reward.centre));
        (scale, shift) = (by_x * scale, by_x * shift + added);
    }
    let begun = ImageStart::Noise.states(plan.seed, &(0..600).collect::<Vec<_>>(), NUMBERS);
    for (x, start) in run.pictures.iter().zip(&begun) {
        let expected = scale * f64::from(*start) + shift;
        assert!((f64::from(*x) - expected).abs() < 1e-4, "{x}, {expected}");
    }
    let ((mean, sd), (found, spread)) = (tilted(&map, 2, &reward), law(&run.pictures));
    assert!(found - mean > 0.05, "{found} overshoots {mean}");
    assert!(sd - spread > 0.05, "{spread} is narrower than {sd}");
}

#[test]
fn the_estimated_value_is_the_closed_form_and_one_draw_does_not_steer() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let many = ImagePlan {
        steps: 4,
        start: 0.3,
        keep_frames: true,
        ..plan(Method::MfmGf, Flow::Ode, 4096)
    };
    let run = steered(&map, &reward, &many, 3);
    let (gain, variance) = map.posterior(0.3);
    for p in 0..3 {
        let first = &run.frames[0];
        let exact: f64 = first
            .state(p)
            .unwrap()
            .iter()
            .map(|x| {
                let mean = map.means[2] + gain * (f64::from(*x) - 0.3 * map.means[2]);
                let wide = reward.variance + variance;
                -0.5 * (wide / reward.variance).ln() - (mean - reward.centre).powi(2) / (2.0 * wide)
            })
            .sum();
        // Weights of such a bowl spread the mean of 4,096 by about 2 %.
        assert!((first.values[p] - exact).abs() < 0.1, "{exact}");
    }
    let one = steered(&map, &reward, &plan(Method::MfmGf, Flow::Sde, 1), 5);
    let base = steered(&map, &reward, &plan(Method::Base, Flow::Sde, 1), 5);
    assert_eq!(one.pictures, base.pictures);
}

#[test]
fn a_particle_is_the_same_picture_whatever_is_steered_beside_it() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    for card in ImagePlan::methods() {
        for flow in card.flows {
            let plan = ImagePlan {
                steps: 5,
                ..plan(card.method, *flow, 7)
            };
            let all = steer_images(scene, &plan, 0..40, &mut |_: f32| true).unwrap();
            let some = steer_images(scene, &plan, 33..36, &mut |_: f32| true).unwrap();
            assert_eq!(
                all.pictures[33 * NUMBERS..36 * NUMBERS],
                some.pictures,
                "{card:?}"
            );
            assert_eq!(all.rewards[33..36], some.rewards);
        }
    }
}

#[test]
fn what_was_asked_for_is_counted() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    // 40 particles, 5 steps, 7 draws.
    let (p, k, n) = (40, 5, 7);
    for (method, forward, backward, scored, differentiated) in [
        (Method::Base, p * k, 0, 0, 0),
        (Method::MfmGf, p * k * (1 + n), 0, p * k * n, 0),
        // A pullback runs the network forward again.
        (
            Method::MfmG,
            p * k * (1 + 2 * n),
            p * k * n,
            p * k * n,
            p * k * n,
        ),
        (Method::Dps, 2 * p * k, p * k, p * k, p * k),
        (Method::Lgd, 2 * p * k, p * k, p * k * n, p * k * n),
        (Method::Search, p * k * n, 0, p * k * n, 0),
        (Method::BestOfN, p * k * n, 0, p * n, 0),
    ] {
        let plan = ImagePlan {
            steps: k as u32,
            keep_frames: true,
            ..plan(method, Flow::Ode, n as u32)
        };
        let run = steered(&map, &reward, &plan, p as u32);
        let expected = Counters {
            network_forward: forward,
            network_backward: backward,
            reward: scored,
            reward_gradient: differentiated,
        };
        assert_eq!(run.counters, expected, "{method}");
        assert_eq!(run.frames.len() as u64, k + 1);
        let last = run.frames.last().unwrap();
        assert_eq!((&last.x, &last.values), (&run.pictures, &run.rewards));
        assert_eq!(last.counters, run.counters, "{method}");
    }
}

#[test]
fn choosing_methods_choose_the_best_and_raise_the_reward() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let base = steered(&map, &reward, &plan(Method::Base, Flow::Ode, 1), 40 * 5);
    let best = steered(&map, &reward, &plan(Method::BestOfN, Flow::Ode, 5), 40);
    for (p, group) in base.rewards.chunks_exact(5).enumerate() {
        let top = group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(best.rewards[p], top);
    }
    let mean = |rewards: &[f64]| rewards.iter().sum::<f64>() / rewards.len() as f64;
    for flow in [Flow::Ode, Flow::Sde] {
        let found = steered(&map, &reward, &plan(Method::Search, flow, 8), 40);
        assert!(mean(&found.rewards) > mean(&base.rewards) + 1.0, "{flow}");
    }
    let soft = steered(&map, &reward, &plan(Method::SoftBestOfN, Flow::Ode, 5), 40);
    let between = mean(&base.rewards)..mean(&best.rewards);
    assert!(between.contains(&mean(&soft.rewards)));
}

#[test]
fn a_run_goes_on_from_any_of_its_states_as_if_it_had_never_stopped() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    for method in [Method::MfmGf, Method::MfmG, Method::Search] {
        let plan = ImagePlan {
            steps: 12,
            keep_frames: true,
            ..plan(method, Flow::Sde, 6)
        };
        let whole = steer_images(scene, &plan, 0..9, &mut |_: f32| true).unwrap();
        let frame = &whole.frames[7];
        let start = ImageStart::State {
            t: frame.t,
            x: frame.state(4).unwrap().into(),
        };
        let rest = steer_images_from(scene, &plan, &start, 4..6, &mut |_: f32| true).unwrap();
        let picture = |run: &ImageRun, p: usize| run.pictures[p * NUMBERS..][..NUMBERS].to_vec();
        assert_eq!(picture(&rest, 0), picture(&whole, 4), "{method}");
        assert_ne!(picture(&rest, 1), picture(&rest, 0));
        assert_eq!(rest.frames.len(), 6);
        assert_eq!(rest.frames[0].step, 7);
    }
}

#[test]
fn a_picture_noised_again_stays_near_itself_when_it_is_late() {
    let (map, reward) = (ToyMap::new(), ToyReward::linear(0.0));
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    let picture: Arc<[f32]> = [0.9, -0.8, 0.1, 0.4].into();
    let apart = |t: f64| {
        let start = ImageStart::Renoised {
            t,
            picture: picture.clone(),
        };
        let plan = plan(Method::Base, Flow::Sde, 1);
        let run = steer_images_from(scene, &plan, &start, 0..50, &mut |_: f32| true).unwrap();
        let off = run.pictures.iter().zip(picture.iter().cycle());
        off.map(|(a, b)| f64::from((a - b).powi(2))).sum::<f64>() / 200.0
    };
    let (late, early) = (apart(0.95), apart(0.2));
    assert!(late < 0.02 && early > 0.2, "{late} {early}");
    for t in [0.0, 1.0, f64::NAN] {
        let start = ImageStart::Renoised {
            t,
            picture: picture.clone(),
        };
        let refused =
            steer_images_from(scene, &ImagePlan::default(), &start, 0..1, &mut |_: f32| {
                true
            });
        assert!(refused.unwrap_err().to_string().contains("branch"));
    }
}

#[test]
fn a_reward_without_gradient_is_refused_where_one_is_followed() {
    let map = ToyMap::new();
    let reward = ToyReward {
        black_box: Some("taste"),
        ..ToyReward::bowl(1.0, 0.5)
    };
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    for card in ImagePlan::methods() {
        let plan = ImagePlan {
            steps: 3,
            draws: 3,
            ..ImagePlan::new(card.method)
        };
        let run = steer_images(scene, &plan, 0..2, &mut |_: f32| true);
        match run {
            Ok(_) => assert!(!plan.needs_gradient(), "{card:?}"),
            Err(e) => {
                assert!(plan.needs_gradient(), "{card:?}");
                let message = e.to_string();
                assert!(message.contains("taste") && message.contains("mfm-gf"));
            }
        }
    }
}

#[test]
fn a_velocity_without_jumps_steers_where_nothing_is_drawn() {
    let mut map = ToyMap::new();
    map.jumps = false;
    let reward = ToyReward::bowl(1.0, 0.5);
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    for card in ImagePlan::methods() {
        let plan = ImagePlan {
            steps: 2,
            draws: 2,
            ..ImagePlan::new(card.method)
        };
        let run = steer_images(scene, &plan, 0..1, &mut |_: f32| true);
        let draws = card.lookahead == crate::steer::Lookahead::Posterior;
        assert_eq!(run.is_err(), draws, "{card:?}");
    }
}

#[test]
fn impossible_questions_are_refused_and_a_run_stops_when_told() {
    let (map, reward) = (ToyMap::new(), ToyReward::bowl(1.0, 0.5));
    let scene = ImageScene {
        map: &map,
        reward: &reward,
    };
    let refused = |plan: &ImagePlan, particles| {
        let run = steer_images(scene, plan, particles, &mut |_: f32| true);
        run.unwrap_err().to_string()
    };
    let with = |class, class_guidance| ImagePlan {
        class,
        class_guidance,
        ..ImagePlan::default()
    };
    assert!(refused(&with(Some(2), 1.0), 0..1).contains("no class 2"));
    assert!(refused(&with(Some(0), 9.5), 0..1).contains("9.5"));
    assert!(refused(&with(None, 1.0), 5..5).contains("particles"));
    assert!(refused(&with(None, 1.0), 0..5000).contains("particles"));
    let wrong = ToyReward {
        shape: [3, 2, 2],
        ..ToyReward::bowl(1.0, 0.5)
    };
    let run = steer_images(
        ImageScene {
            map: &map,
            reward: &wrong,
        },
        &ImagePlan::default(),
        0..1,
        &mut |_: f32| true,
    );
    assert!(matches!(run, Err(SteerError::PictureSize { .. })));
    for card in ImagePlan::methods() {
        let (mut asked, mut told) = (0, Vec::new());
        let plan = ImagePlan {
            steps: 6,
            keep_frames: true,
            ..ImagePlan::new(card.method)
        };
        let mut watch = |fraction: f32| {
            told.push(fraction);
            asked += 1;
            asked < 4
        };
        let run = steer_images(scene, &plan, 0..40, &mut watch);
        assert_eq!(run.unwrap_err(), SteerError::Cancelled, "{card:?}");
        assert_eq!(told.len(), 4, "nothing is asked after no");
        let mut all = Vec::new();
        steer_images(scene, &plan, 0..40, &mut |fraction: f32| {
            all.push(fraction);
            true
        })
        .unwrap();
        assert!(all.is_sorted() && all.iter().all(|f| (0.0..=1.0).contains(f)));
        assert!(all.last().is_some_and(|last| *last > 0.99), "{card:?}");
    }
}

#[test]
fn gradients_through_a_transformer_are_the_slopes_of_the_value() {
    let config = DitConfig::tiny(2);
    let dit = Dit::lively(&config, 3, &Device::flex());
    let map = NativeDit::new(&dit).unwrap();
    let numbers: usize = map.config().state().iter().product();
    let reward = ToyReward {
        shape: [1, 8, 8],
        ..ToyReward::bowl(0.5, 4.0)
    };
    let ids = [3, 8];
    let x = ImageStart::Noise.states(1, &ids, numbers);
    let along = ImageStart::Noise.states(2, &ids, numbers);
    for method in [Method::MfmG, Method::Dps, Method::Lgd] {
        let plan = ImagePlan {
            class: Some(1),
            draws: 5,
            ..ImagePlan::new(method)
        };
        let look = Look {
            plan: &plan,
            scene: ImageScene {
                map: &map,
                reward: &reward,
            },
            label: 1,
            t: 0.4,
            step: 2,
        };
        let at = |h: f32| {
            let moved: Vec<f32> = x.iter().zip(&along).map(|(x, d)| x + h * d).collect();
            let mut yes = |_: f32| true;
            let mut progress = Progress::new(&mut yes, (0.0, 1.0), 1);
            look.estimate(&ids, &moved, &mut progress).unwrap()
        };
        let (h, here) = (1e-2, at(0.0));
        let (up, down) = (at(h), at(-h));
        for p in 0..ids.len() {
            let span = p * numbers..(p + 1) * numbers;
            let slope: f64 = here.gradient[span.clone()]
                .iter()
                .zip(&along[span])
                .map(|(g, d)| f64::from(*g) * f64::from(*d))
                .sum();
            let difference = (up.values[p] - down.values[p]) / f64::from(2.0 * h);
            // Central differences of f32 values.
            assert!(
                (slope - difference).abs() < 1e-2 * slope.abs().max(1.0),
                "{method}: {slope}, {difference}"
            );
            assert!(slope.abs() > 0.05, "{method}: {slope}");
        }
    }
}
