//! How errors fall, and what becomes of particles that are lost: what holds of every run.

use super::figures::{Case, plan};
use super::*;
use crate::mixture::Preset as WorldPreset;

/// Slope of `ln y` over `ln x` by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let logs = || points.iter().map(|(x, y)| (x.ln(), y.ln()));
    let (mx, my) = logs().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (cov, var) = logs().fold((0.0, 0.0), |(c, v), (x, y)| {
        (c + (x - mx) * (y - my), v + (x - mx) * (x - mx))
    });
    cov / var
}

#[test]
fn error_falls_with_the_number_of_draws() {
    // "About like 1/N until the floor": sliced W2 0.89, 0.30, 0.11 and 0.94, 0.33, 0.13 over N = 4, 16, 64 are slopes of
    // -0.75 and -0.71.
    for (name, flow) in [("bimodal quad", Flow::Ode), ("ring8 linear", Flow::Sde)] {
        let case = Case::named(name);
        let points: Vec<(f64, f64)> = [4, 8, 16, 32]
            .into_iter()
            .map(|n| {
                (
                    f64::from(n),
                    case.score(&plan(Method::MfmGf, flow, 50, n)).sliced_w2,
                )
            })
            .collect();
        let found = slope(&points);
        assert!(
            (-1.3..-0.45).contains(&found),
            "{name}: {found} of {points:?}"
        );
    }
}

#[test]
fn error_falls_with_the_number_of_steps() {
    // The exact value's error is that of the steps alone, first order; measured well above the floor.
    for (name, flow, steps) in [
        ("paper3 lik", Flow::Sde, [4, 8, 16, 32]),
        ("bimodal lik", Flow::Ode, [2, 4, 8, 16]),
    ] {
        let case = Case::named(name);
        let points: Vec<(f64, f64)> = steps
            .into_iter()
            .map(|k| {
                let mut plan = plan(Method::Exact, flow, k, 1);
                if flow == Flow::Ode {
                    plan = plan.with_preset(Preset::Exact);
                }
                (f64::from(k), case.score(&plan).sliced_w2)
            })
            .collect();
        let found = slope(&points);
        assert!(found < -0.4, "{name}: {found} of {points:?}");
    }
}

/// A reward that is flat where most of the world is, and throws who leaves it from side to side, ever farther.
fn cliff() -> Case {
    Case::of(
        "bimodal cliff",
        WorldPreset::Two.mixture(),
        "expr:-1000*max(abs(x) - 3, 0)^4",
    )
}

#[test]
fn lost_particles_stay_in_every_count() {
    let case = Case::named("bimodal lik");
    // What is scored: a fifth of the samples are not numbers.
    let mut samples = vec![[0.5_f32, 0.1]; 100];
    for lost in samples.iter_mut().step_by(5) {
        *lost = [f32::NAN, f32::INFINITY];
    }
    let score = case.target.score(&case.world, &case.reward, &samples);
    assert_eq!((score.samples, score.non_finite), (80, 20));
    let shares: f64 = score.occupancy.iter().sum();
    assert!((shares - 0.8).abs() < 1e-12, "{shares}");
    assert!(score.tv >= 0.1 && score.mean_reward.is_finite());
    let none = case
        .target
        .score(&case.world, &case.reward, &[[f32::NAN; 2]; 7]);
    assert_eq!((none.samples, none.non_finite), (0, 7));
    assert!((none.tv - 1.0).abs() < 1e-9);
}

#[test]
fn particles_lost_on_the_way_are_counted_and_stay_in_sight() {
    let case = cliff();
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    for method in [Method::Dps, Method::MfmG, Method::Lgd] {
        let mut wild = plan(method, Flow::Sde, 30, 4);
        (wild.particles, wild.guidance, wild.rollout_steps) = (400, 1e6, 2);
        wild.keep_trajectory = true;
        let done = run(&wild, scene, &mut |_: f32| true).unwrap();
        assert_eq!(done.samples.len(), 400);
        let finite = |x: &&[f32; 2]| x.iter().all(|v| v.is_finite());
        let lost = done.samples.iter().filter(|x| !finite(x)).count();
        assert!(lost > 0, "{method}");
        assert_eq!(done.non_finite, lost as u64, "{method}");
        let score = case.target.score(&case.world, &case.reward, &done.samples);
        assert_eq!(score.samples + score.non_finite, 400, "{method}");
        assert_eq!(score.non_finite, lost, "{method}");
        let last = done.frames.last().unwrap();
        assert_eq!(
            last.x.iter().filter(|x| !finite(x)).count(),
            lost,
            "{method}"
        );
        // Once lost, a particle stays lost, in every frame.
        let counts = done
            .frames
            .iter()
            .map(|f| f.x.iter().filter(|x| !finite(x)).count());
        assert!(counts.is_sorted(), "{method}");
    }
}

#[test]
fn an_early_stop_is_three_evaluations_in_all() {
    let case = Case::named("bimodal quad");
    let mut stopped = plan(Method::Fmrg, Flow::Ode, 3, 1);
    stopped.control = ControlForm::Euclidean;
    stopped.control_until = Some(0.6);
    assert_eq!(stopped.grid().len(), 4);
    assert!((stopped.grid()[2] - 0.6).abs() < 1e-12);
    stopped.keep_trajectory = true;
    let (done, score) = case.run(&stopped);
    // Each of the three looks or jumps integrates the exact map in 16 midpoint pairs; of a network it is one call.
    let per_map = 2 * 2 * u64::from(stopped.rollout_steps);
    assert_eq!(done.counters.network_forward, 3 * 4096 * per_map);
    assert_eq!(done.counters.reward_gradient, 2 * 4096);
    assert_eq!(done.frames.len(), 4);
    assert_eq!(done.frames[3].x, done.samples);
    let base = case.score(&plan(Method::Base, Flow::Ode, 50, 1));
    assert!(score.mean_reward > base.mean_reward + 0.5);
    // Unguided after the start it would be the flow map itself.
    let mut unguided = stopped.clone();
    unguided.guidance = 0.0;
    let far = case.score(&unguided);
    assert!(far.mean_reward < score.mean_reward - 0.5);
}

#[test]
fn without_its_control_variate_gradient_free_steering_is_as_right_and_noisier() {
    let case = Case::named("bimodal lik");
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    let states: Vec<[f32; 2]> = (0..40_u8)
        .map(|i| [f32::from(i) / 10.0 - 2.0, 0.3 - f32::from(i % 7) / 10.0])
        .collect();
    let mut free = plan(Method::MfmGf, Flow::Sde, 50, 64);
    let error = |plan: &SteerPlan| gradient_error(plan, scene, 10, &states).unwrap().unwrap().0;
    let with = error(&free);
    free.control_variate = false;
    let without = error(&free);
    assert!(without > 1.2 * with, "{without} {with}");
    let score = case.score(&free);
    assert!(score.mmd_squared < 1e-3, "{:.2e}", score.mmd_squared);
    free.draws = 1;
    assert!(free.warning().unwrap().contains("noise"));
}
