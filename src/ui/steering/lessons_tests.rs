//! Every lesson opens, and what it says is so.

use super::*;
use crate::session::Workspace;
use crate::steer::{SteerPlan, SteerScene, SteerScore, TargetSample, run};

/// Enough for the claims, whose margins are wide; another seed than the sessions', so that the words hold beyond theirs.
const PARTICLES: u32 = 1024;
const SEED: u64 = 41;

fn lesson(number: usize) -> Session {
    let (name, text) = SHIPPED[number - 1];
    Session::from_ron(text, Path::new(name)).unwrap()
}

/// Scores of every panel.
fn scores(number: usize) -> Vec<SteerScore> {
    let session = lesson(number);
    let world = session.world.resolve().unwrap().mixture;
    let reward = session.steering.reward.clone();
    let target = TargetSample::new(&world, &reward, PARTICLES as usize, 5).unwrap();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    session
        .steering
        .plans(SEED, PARTICLES)
        .into_iter()
        .map(|plan| {
            let plan = SteerPlan {
                keep_trajectory: false,
                ..plan
            };
            let done = run(&plan, scene, &mut |_: f32| true).unwrap();
            target.score(&world, &reward, &done.samples)
        })
        .collect()
}

#[test]
fn every_lesson_opens_in_the_steering_workspace_with_few_words() {
    assert_eq!(shipped().count(), SHIPPED.len());
    for session in shipped() {
        let lesson = session.lesson.unwrap();
        assert_eq!(session.workspace, Workspace::Steering);
        assert!(lesson.title.len() <= 40, "{}", lesson.title);
        assert!(
            lesson.text.len() <= 340,
            "{}: {}",
            lesson.title,
            lesson.text.len()
        );
        assert!(lesson.text.starts_with("Press Space"));
        assert_eq!(lesson.text.matches(". ").count(), 1, "{}", lesson.text);
    }
}

#[test]
fn the_mean_of_two_futures_is_no_future() {
    let [dps, gf, g, exact] = &scores(1)[..] else {
        panic!()
    };
    assert!(dps.mmd_squared >= 5e-2 && dps.tv >= 0.2);
    assert!(dps.occupancy[1] > 0.8 && exact.target_occupancy[1] < 0.6);
    for right in [gf, g, exact] {
        assert!(right.mmd_squared <= 5e-3 && right.tv < 0.08);
    }
}

#[test]
fn a_mean_cannot_keep_unequal_weights() {
    let [dps, lgd, gf, exact] = &scores(2)[..] else {
        panic!()
    };
    // Upper right and upper left.
    let beside = |of: &[f64]| of[1] + of[3];
    let truth = beside(&exact.target_occupancy);
    assert!((0.32..0.38).contains(&truth), "{truth}");
    let ratio = exact.target_occupancy[3] / exact.target_occupancy[1];
    assert!((1.8..2.2).contains(&ratio), "{ratio}");
    assert!(beside(&dps.occupancy) < 0.15);
    assert!(beside(&lgd.occupancy) < 0.25);
    assert!((beside(&gf.occupancy) - truth).abs() < 0.06);
    assert!(dps.mmd_squared > 5e-2 && gf.mmd_squared < 5e-3);
}

#[test]
fn more_draws_leave_less_bias() {
    let [four, sixteen, many, exact] = &scores(3)[..] else {
        panic!()
    };
    assert!(four.sliced_w2 > 2.0 * sixteen.sliced_w2 && sixteen.sliced_w2 > many.sliced_w2);
    assert!(four.mmd_squared > 4.0 * sixteen.mmd_squared);
    let missing = |s: &SteerScore| exact.target_mean_reward - s.mean_reward;
    assert!(missing(four) > 3.0 * missing(sixteen) && missing(sixteen) > 0.1);
    assert!(missing(many) < 0.1 && many.sliced_w2 < 0.25);
}

#[test]
fn noise_wears_mistakes_off() {
    let [ode, sde, gf_ode, gf_sde] = &scores(4)[..] else {
        panic!()
    };
    assert!(ode.mmd_squared > 10.0 * sde.mmd_squared && ode.mmd_squared > 0.1);
    assert!(gf_ode.mmd_squared < 3e-3 && gf_sde.mmd_squared < 3e-3);
}

#[test]
fn more_push_is_not_more_truth() {
    let [right, thrice, rescaled, exact] = &scores(5)[..] else {
        panic!()
    };
    assert!(right.mmd_squared < 3e-3);
    assert!(thrice.mean_reward > exact.target_mean_reward + 0.15);
    assert!(thrice.occupancy[0] < 0.01 && exact.target_occupancy[0] < 0.1);
    assert!(rescaled.occupancy[0] > 0.33 && rescaled.mmd_squared >= 0.1);
}

#[test]
fn search_is_greedy() {
    let [search, best, soft, exact] = &scores(6)[..] else {
        panic!()
    };
    for greedy in [search, best] {
        assert!(greedy.mean_reward > exact.target_mean_reward + 0.3);
        assert!(greedy.mmd_squared > 4e-2);
    }
    assert!(soft.mmd_squared < 3e-3);
    assert!((soft.mean_reward - exact.target_mean_reward).abs() < 0.12);
}
