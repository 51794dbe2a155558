//! What the tables of methods.md 6 do not list, and what a run promises whatever the method.

use super::figures::{Case, plan};
use super::*;
use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::{Mixture, Mode};
use crate::reward::Reward;

fn small(method: Method) -> SteerPlan {
    let mut plan = SteerPlan::new(method);
    (plan.steps, plan.draws, plan.particles, plan.rollout_steps) = (12, 4, 96, 3);
    plan
}

#[test]
fn loss_guidance_keeps_the_bias_of_its_gaussian() {
    // LGD 64: bimodal lik 0.59 and 0.62, bimodal quad 0.11 and 0.04, paper3 0.65 and 0.56.
    let at = |name, flow, n| {
        Case::named(name)
            .score(&plan(Method::Lgd, flow, 100, n))
            .sliced_w2
    };
    for (flow, lik) in [(Flow::Ode, 0.59), (Flow::Sde, 0.62)] {
        let found = at("bimodal lik", flow, 64);
        assert!((0.75 * lik..1.3 * lik).contains(&found), "{found}");
    }
    assert!(at("bimodal quad", Flow::Sde, 64) < 0.089);
}

#[test]
fn inner_rollouts_steer_like_exact_draws() {
    let case = Case::named("bimodal lik");
    for method in [Method::RolloutGlass, Method::RolloutSde] {
        let mut plan = plan(method, Flow::Sde, 50, 16);
        plan.particles = 2048;
        // Exact draws reach 0.11 at N = 16; the floor of 2,048 samples is about 0.2.
        let score = case.score(&plan);
        assert!(
            score.mmd_squared < 2e-3 && score.tv < 0.05,
            "{method}: {score:?}"
        );
    }
}

#[test]
fn weighted_diamonds_are_consistent_with_all_their_weights_and_biased_with_the_reward_alone() {
    let case = Case::named("bimodal lik");
    let mut diamonds = plan(Method::Wdm, Flow::Sde, 50, 32);
    (diamonds.particles, diamonds.rollout_steps) = (1024, 8);
    let full = case.score(&diamonds);
    assert!(full.mmd_squared < 1e-2, "{:.2e}", full.mmd_squared);
    diamonds.diamond_weights = DiamondWeights::RewardOnly;
    let alone = case.score(&diamonds);
    assert!(
        alone.mmd_squared > 2.0 * full.mmd_squared.max(1e-3),
        "{:.2e}",
        alone.mmd_squared
    );
}

#[test]
fn search_and_control_raise_the_reward_and_are_not_the_tilt() {
    let case = Case::named("bimodal quad");
    let base = case.score(&plan(Method::Base, Flow::Ode, 50, 1));
    for (method, flow) in [(Method::Search, Flow::Sde), (Method::Search, Flow::Ode)] {
        let mut plan = plan(method, flow, 50, 4);
        plan.particles = 1024;
        let score = case.score(&plan);
        assert!(score.mean_reward > base.mean_reward + 0.5 && score.mmd_squared > 1e-2);
        // Noised again at every step, the best of many futures goes beyond the target.
        assert!(flow == Flow::Ode || score.mean_reward > score.target_mean_reward);
    }
    for (control, steps) in [(ControlForm::Jacobian, 50), (ControlForm::Euclidean, 4)] {
        let mut plan = plan(Method::Fmrg, Flow::Ode, steps, 1);
        (plan.particles, plan.control) = (1024, control);
        let score = case.score(&plan);
        assert!(score.mean_reward > base.mean_reward + 0.5, "{control:?}");
    }
}

#[test]
fn error_falls_with_steps() {
    let case = Case::named("paper3 lik");
    let at = |steps| {
        case.score(&plan(Method::Exact, Flow::Sde, steps, 1))
            .mmd_squared
    };
    // K = 10 leaves sw2 0.11 to 0.56, K = 100 the floor.
    assert!(at(10) > 2.0 * at(100).max(2e-4));
}

#[test]
fn every_method_runs_under_each_of_its_dynamics_and_counts_what_it_asked_for() {
    let world = crate::mixture::Preset::Two.mixture();
    let reward: Reward = "bowl:1,0.5,1".parse().unwrap();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    for card in &METHODS {
        for flow in card.flows {
            let plan = SteerPlan {
                flow: *flow,
                keep_trajectory: true,
                ..small(card.method)
            };
            let done = run(&plan, scene, &mut |_: f32| true).unwrap();
            assert_eq!(done.samples.len(), 96);
            assert_eq!(done.non_finite, 0, "{}", card.name);
            assert_eq!(done.frames.len(), 13);
            assert_eq!(done.frames[12].x, done.samples, "{}", card.name);
            assert_eq!(
                done.ess.len(),
                if card.scheme.is_weighted() { 12 } else { 0 }
            );
            let again = run(&plan, scene, &mut |_: f32| true).unwrap();
            assert_eq!(
                again, done,
                "{}: the same plan gives the same run",
                card.name
            );
        }
    }
    let counters = |method| {
        run(&small(method), scene, &mut |_: f32| true)
            .unwrap()
            .counters
    };
    // 96 particles, 12 steps, 4 draws.
    let (k, n) = (96 * 12, 4 * 96 * 12);
    let count = |network_forward, network_backward, reward, reward_gradient| Counters {
        network_forward,
        network_backward,
        reward,
        reward_gradient,
    };
    assert_eq!(counters(Method::Base), count(k, 0, 0, 0));
    // K + 2NK: velocities, draws and rewards.
    assert_eq!(counters(Method::MfmGf), count(k + n, 0, n, 0));
    // The GLASS map in 3 midpoint steps asks six velocities a draw.
    assert_eq!(counters(Method::MfmG), count(k + 6 * n, 6 * n, n, n));
    assert_eq!(counters(Method::Dps), count(k, k, k, k));
    assert_eq!(counters(Method::Lgd), count(k, k, n, n));
    assert_eq!(counters(Method::Search), count(n, 0, n, 0));
    assert_eq!(counters(Method::BestOfN), count(n, 0, 4 * 96, 0));
    assert_eq!(counters(Method::RolloutSde), count(k + 3 * n, 0, n, 0));
}

#[test]
fn a_particle_keeps_its_path_whatever_the_number_of_particles() {
    let case = Case::named("bimodal lik");
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    for method in [
        Method::MfmGf,
        Method::MfmG,
        Method::Lgd,
        Method::Wdm,
        Method::Search,
    ] {
        for flow in method.card().flows {
            let few = SteerPlan {
                flow: *flow,
                ..small(method)
            };
            let many = SteerPlan {
                particles: 300,
                ..few.clone()
            };
            let few = run(&few, scene, &mut |_: f32| true).unwrap().samples;
            let many = run(&many, scene, &mut |_: f32| true).unwrap().samples;
            assert_eq!(few[..], many[..96], "{method} {flow:?}");
        }
    }
}

#[test]
fn a_run_that_is_no_longer_wanted_stops_at_once() {
    let case = Case::named("bimodal lik");
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    for card in &METHODS {
        let mut looks = 0;
        let result = run(&small(card.method), scene, &mut |fraction: f32| {
            assert!((0.0..=1.0).contains(&fraction));
            looks += 1;
            looks < 5
        });
        assert_eq!(result, Err(SteerError::Cancelled), "{}", card.name);
        assert_eq!(looks, 5);
    }
}

#[test]
fn particles_that_become_non_finite_are_counted_and_scored() {
    // A needle of a likelihood and strong guidance: DPS overflows.
    let case = Case::of(
        "bimodal needle",
        crate::mixture::Preset::Two.mixture(),
        "bowl:900000,0,0.000001",
    );
    let mut wild = small(Method::Dps);
    wild.guidance = 1e6;
    wild.steps = 60;
    let (done, score) = case.run(&wild);
    assert_eq!(done.non_finite, 96);
    assert_eq!((score.samples, score.non_finite), (0, 96));
    assert!((score.tv - 1.0).abs() < 1e-9, "{}", score.tv);
}

#[test]
fn learned_draws_without_a_checkpoint_say_what_to_do() {
    let case = Case::named("bimodal lik");
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    let mut learned = small(Method::MfmGf);
    learned.source = Some(Source::OneStep);
    let error = run(&learned, scene, &mut |_: f32| true).unwrap_err();
    assert!(error.to_string().contains("need a checkpoint"), "{error}");
    let grown: Reward = "expr:x^4".parse().unwrap();
    let error = run(
        &small(Method::Exact),
        SteerScene {
            reward: &grown,
            ..scene
        },
        &mut |_: f32| true,
    );
    assert!(error.unwrap_err().to_string().contains("outgrows"));
}

#[test]
fn rewards_without_a_closed_form_are_followed_and_scored_by_quadrature() {
    for (text, steps) in [("ring:0,0,1.5,0.2@2", 100), ("expr:sin(3*x) - y^2@2", 50)] {
        let world = Mixture::new(vec![Mode::isotropic(1.0, [0.5, 0.0], 1.0)]).unwrap();
        let case = Case::of("gaussian open", world, text);
        assert!(case.target.exact && case.target.kind == TargetKind::Quadrature);
        for method in [Method::Exact, Method::MfmGf] {
            let score = case.score(&plan(method, Flow::Sde, steps, 64));
            assert!(
                score.mmd_squared < 1e-3 && score.target == TargetKind::Quadrature,
                "{method} {:.2e}",
                score.mmd_squared
            );
        }
    }
    // Too fine for a grid: weighted samples stand in.
    let world = crate::mixture::Preset::Two.mixture();
    let reward: Reward = "ring:0,0,2,0.0002".parse().unwrap();
    let target = TargetSample::new(&world, &reward, 1000, 3).unwrap();
    assert!(!target.exact && target.kind == TargetKind::Estimated);
}

#[test]
fn draws_without_a_reward_weigh_nothing_and_spoil_nothing() {
    // Defined on the right half-plane alone: a mode of the world lies on either side.
    let case = Case::of(
        "bimodal half",
        crate::mixture::Preset::Two.mixture(),
        "expr:ln(x)",
    );
    for card in &METHODS {
        let (done, score) = case.run(&SteerPlan {
            draws: 8,
            ..small(card.method)
        });
        assert_eq!(done.non_finite, 0, "{}", card.name);
        assert_eq!(score.samples, 96);
        assert!(score.mean_reward.is_finite() && score.target_mean_reward.is_finite());
        assert!(score.without_reward < 96, "{}", card.name);
    }
}
