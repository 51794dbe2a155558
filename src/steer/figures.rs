//! The figures of methods.md 6 as tests: scenes, rewards, settings and thresholds to the number.
//!
//! Exact posterior draws are the lookahead. Seeds are fixed, so a test fails only when the mathematics changed.
//! Thresholds are those of the text; where K or n is smaller than there, the text allows it or the test says why.

use super::*;
use crate::mixture::{Mixture, Mode, Preset as WorldPreset};
use crate::model::GuidedMlp;
use crate::reward::Reward;

/// One scene of the table.
pub(super) struct Case {
    pub name: &'static str,
    pub world: Mixture,
    pub reward: Reward,
    pub target: TargetSample,
}

impl Case {
    pub fn of(name: &'static str, world: Mixture, reward: &str) -> Self {
        let reward: Reward = reward.parse().unwrap();
        let target = TargetSample::new(&world, &reward, 4096, 77).unwrap();
        Self {
            name,
            world,
            reward,
            target,
        }
    }

    pub fn named(name: &'static str) -> Self {
        let (world, reward) = match name {
            "ring8 linear" => (WorldPreset::Ring8, "linear:0.5,0.5"),
            "ring8 quad" => (WorldPreset::Ring8, "bowl:0,3,2"),
            "ring8 bumps" => (WorldPreset::Ring8, "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25"),
            "bimodal linear" => (WorldPreset::Two, "linear:1,0"),
            "bimodal lik" => (WorldPreset::Two, "measurement:0.3,1,0.5,0.5"),
            "bimodal quad" => (WorldPreset::Two, "bowl:1,0.5,1"),
            "paper3 lik" => (WorldPreset::Three, "measurement:1.2,-0.8,-1,0.2"),
            _ => panic!("no scene named {name}"),
        };
        Self::of(name, world.mixture(), reward)
    }

    pub fn all() -> impl Iterator<Item = Self> {
        SCENES.iter().map(|name| Self::named(name))
    }

    pub fn run(&self, plan: &SteerPlan) -> (SteerRun, SteerScore) {
        self.run_with(plan, None)
    }

    pub fn run_with(&self, plan: &SteerPlan, model: Option<&GuidedMlp>) -> (SteerRun, SteerScore) {
        let scene = SteerScene {
            world: &self.world,
            reward: &self.reward,
            model,
        };
        let done = run(plan, scene, &mut |_: f32| true).unwrap();
        let score = self.target.score(&self.world, &self.reward, &done.samples);
        println!(
            "{:<15} {:<14} {} {:?} K {:<4} N {:<4} sw2 {:.3} mmd2 {:>9.2e} tv {:.3}",
            self.name,
            plan.method.card().name,
            if model.is_some() { "learned" } else { "exact" },
            plan.flow,
            plan.steps,
            plan.draws,
            score.sliced_w2,
            score.mmd_squared,
            score.tv,
        );
        (done, score)
    }

    pub fn score(&self, plan: &SteerPlan) -> SteerScore {
        self.run(plan).1
    }
}

const SCENES: [&str; 7] = [
    "ring8 linear",
    "ring8 quad",
    "ring8 bumps",
    "bimodal linear",
    "bimodal lik",
    "bimodal quad",
    "paper3 lik",
];

pub(super) fn plan(method: Method, flow: Flow, steps: u32, draws: u32) -> SteerPlan {
    let mut plan = SteerPlan::new(method);
    (plan.flow, plan.steps, plan.draws) = (flow, steps, draws);
    plan.particles = 4096;
    plan
}

#[track_caller]
fn within(case: &Case, score: &SteerScore, mmd_squared: f64, tv: f64) {
    assert!(
        score.mmd_squared <= mmd_squared,
        "{}: MMD^2 {:.2e}",
        case.name,
        score.mmd_squared
    );
    assert!(score.tv <= tv, "{}: tv {:.3}", case.name, score.tv);
    assert_eq!(score.non_finite, 0);
}

#[test]
fn the_exact_value_reaches_the_target_under_both_dynamics() {
    for case in Case::all() {
        within(
            &case,
            &case.score(&plan(Method::Exact, Flow::Sde, 100, 1)),
            5e-4,
            0.025,
        );
        let uncapped = plan(Method::Exact, Flow::Ode, 250, 1).with_preset(Preset::Exact);
        within(&case, &case.score(&uncapped), 5e-4, 0.025);
        within(
            &case,
            &case.score(&plan(Method::Exact, Flow::Ode, 250, 1)),
            1e-3,
            0.04,
        );
    }
}

#[test]
fn gradient_free_draws_reach_the_target_as_their_number_grows() {
    for (i, case) in Case::all().enumerate() {
        // K = 100 is as good as 250 within noise (methods.md 6).
        let at = |flow, n| case.score(&plan(Method::MfmGf, flow, 100, n));
        within(&case, &at(Flow::Ode, 64), 1e-3, 0.035);
        within(&case, &at(Flow::Sde, 64), 1e-3, 0.035);
        // Few draws are as biased under either dynamics: each scene takes one, to save time.
        let flow = [Flow::Ode, Flow::Sde][i % 2];
        let (four, sixteen) = (at(flow, 4), at(flow, 16));
        within(&case, &sixteen, 1e-2, 0.12);
        assert!(
            four.mmd_squared > 4.0 * sixteen.mmd_squared.max(0.0),
            "{}",
            case.name
        );
    }
}

#[test]
fn one_gradient_free_draw_does_not_steer_at_all() {
    let case = Case::named("bimodal lik");
    for flow in [Flow::Ode, Flow::Sde] {
        let one = case.run(&plan(Method::MfmGf, flow, 25, 1)).0;
        let base = case.run(&plan(Method::Base, flow, 25, 1)).0;
        assert_eq!(one.samples, base.samples);
    }
}

#[test]
fn dps_fails_as_its_mathematics_says() {
    for (name, flow, mmd_squared, tv) in [
        ("bimodal lik", Flow::Ode, 5e-2, 0.2),
        ("bimodal lik", Flow::Sde, 5e-2, 0.2),
        ("ring8 quad", Flow::Ode, 5e-2, 0.0),
        ("paper3 lik", Flow::Ode, 5e-2, 0.0),
        ("paper3 lik", Flow::Sde, 5e-2, 0.0),
    ] {
        let case = Case::named(name);
        let score = case.score(&plan(Method::Dps, flow, 250, 1));
        assert!(
            score.mmd_squared >= mmd_squared && score.tv >= tv,
            "{name} {flow:?}"
        );
    }
}

#[test]
fn gradients_through_the_map_reach_the_target_where_the_text_says_so() {
    // The GLASS map of the exact velocity, differentiated.
    let case = Case::named("bimodal lik");
    let score = case.score(&plan(Method::MfmG, Flow::Sde, 100, 16));
    assert!(score.mmd_squared <= 1e-3, "{:.2e}", score.mmd_squared);
    // n = 1,024 here: the floor of the squared MMD, 1.5e-3 then, stays well below the threshold.
    let case = Case::named("paper3 lik");
    let mut few = plan(Method::MfmG, Flow::Sde, 250, 32);
    few.particles = 1024;
    let score = case.score(&few);
    assert!(score.mmd_squared <= 5e-3, "{:.2e}", score.mmd_squared);
}

#[test]
fn one_gradient_draw_steers_and_more_steer_better() {
    // bimodal lik, ODE: N = 1 0.66, 4 0.22, 16 0.17 against 1.13 untilted.
    let case = Case::named("bimodal lik");
    let at = |n| {
        let mut plan = plan(Method::MfmG, Flow::Ode, 100, n);
        plan.particles = 2048;
        case.score(&plan).sliced_w2
    };
    let (one, four, sixteen) = (at(1), at(4), at(16));
    assert!((0.45..0.9).contains(&one), "{one}");
    assert!(four < 0.6 * one && four < 1.3 * 0.25, "{four}");
    assert!(sixteen < 1.3 * 0.2, "{sixteen}");
}

#[test]
fn renormalised_steering_is_not_the_tilt() {
    let case = Case::named("bimodal quad");
    let mut rescaled = plan(Method::MfmG, Flow::Ode, 100, 4);
    rescaled.renormalise = Renormalise::Rescale(1.0);
    assert!(case.score(&rescaled).mmd_squared >= 0.1);
    assert!(rescaled.warning().is_some());
}

#[test]
fn damping_makes_one_gradient_draw_exact_on_a_gaussian() {
    // methods.md 5: N(0, 0.5 I), r = -|x - (0, 2.5)|^2: sw2 0.03 damped, 0.39 undamped.
    let world = Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], 0.5_f64.sqrt())]).unwrap();
    let case = Case::of("gaussian", world, "bowl:0,2.5,0.5");
    let mut one = plan(Method::MfmG, Flow::Ode, 100, 1);
    assert!(case.score(&one).sliced_w2 >= 0.3);
    one.damping = Some(0.5_f64.sqrt());
    assert!(case.score(&one).sliced_w2 <= 0.05);
}

#[test]
fn the_mix_does_better_than_either_half_between_modes() {
    // bimodal quad, ODE, 16 draws: 0.28 (gradient-free 0.30, gradient 0.80).
    let case = Case::named("bimodal quad");
    let score = case.score(&plan(Method::MfmMix, Flow::Ode, 100, 16));
    assert!(score.sliced_w2 <= 1.3 * 0.28, "{}", score.sliced_w2);
    let mut gradient = plan(Method::MfmG, Flow::Ode, 100, 16);
    gradient.particles = 1024;
    let score = case.score(&gradient);
    assert!(score.sliced_w2 >= 0.4, "{}", score.sliced_w2);
}

#[test]
fn particle_methods_follow_their_figures() {
    let check = |method, name: &'static str, steps, draws, most: f64, least: f64| {
        let case = Case::named(name);
        let score = case.score(&plan(method, Flow::Sde, steps, draws));
        let found = score.sliced_w2;
        assert!(
            (least..=most).contains(&found),
            "{method} on {name}: {found}"
        );
    };
    // Figures of methods.md 6 at 4,096 particles times 1.3, or the floor's maximum.
    check(Method::Tds, "bimodal lik", 250, 1, 1.3 * 0.12, 0.0);
    check(Method::Fk, "bimodal lik", 250, 1, 1.3 * 0.12, 0.0);
    check(Method::ValueSmc, "bimodal lik", 50, 16, 0.142, 0.0);
    check(Method::ValueSmc, "bimodal quad", 50, 16, 0.089, 0.0);
    check(Method::Fmtt, "bimodal lik", 100, 1, 1.3 * 0.11, 0.0);
    check(Method::Fmtt, "ring8 quad", 100, 1, 1.3 * 0.08, 0.0);
    // Filters that follow the mean of all futures lose modes, whatever the number of particles.
    check(Method::Tds, "ring8 bumps", 250, 1, 2.0, 0.5);
    check(Method::Fk, "paper3 lik", 250, 1, 2.2, 0.5);
    // Here the table's 1.00 is not what its settings give: 20 seeds gave 1.97 (spread 0.26), and an independent
    // implementation in f64 1.97 (0.17, 14 seeds). Resampling at every step, it gave 1.5 (0.36).
    check(Method::Tds, "paper3 lik", 250, 1, 2.6, 1.2);
    // The table's 0.16 is K = 50, of three seeds; 20 seeds gave 0.25 (spread 0.13).
    check(Method::ValueSmc, "paper3 lik", 50, 16, 0.63, 0.0);
}

#[test]
fn the_best_of_many_over_optimises_and_the_soft_choice_does_not() {
    for (name, best) in [("bimodal lik", 0.98), ("bimodal quad", 0.61)] {
        let case = Case::named(name);
        let found = case
            .score(&plan(Method::BestOfN, Flow::Ode, 50, 64))
            .sliced_w2;
        assert!((0.7 * best..1.3 * best).contains(&found), "{found}");
        within(
            &case,
            &case.score(&plan(Method::SoftBestOfN, Flow::Ode, 50, 64)),
            5e-4,
            0.025,
        );
    }
}
