//! The shipped checkpoints against exact draws: the same plans, once with the network and once with the closed forms.

use super::draws::DrawsAt;
use super::figures::{Case, plan};
use super::*;
use crate::checkpoint::Checkpoint;
use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::mixture::Preset as WorldPreset;
use crate::model::GuidedMlp;

fn shipped(case: &Case) -> GuidedMlp {
    let preset = match case.name.split(' ').next() {
        Some("ring8") => WorldPreset::Ring8,
        Some("bimodal") => WorldPreset::Two,
        _ => WorldPreset::Three,
    };
    let bytes = Checkpoint::shipped(preset).expect("a checkpoint is shipped for this world");
    let checkpoint = Checkpoint::from_bytes(bytes, preset.name()).unwrap();
    GuidedMlp::new(&checkpoint.fused().unwrap())
}

/// Learned draws, exact draws and the floor's maximum in sliced W2, at the same settings and noise.
fn compare(case: &Case, plan: &SteerPlan) -> (f64, f64, f64) {
    let network = shipped(case);
    let learned = case.run_with(plan, Some(&network)).1.sliced_w2;
    let exact = case.run_with(plan, None).1.sliced_w2;
    let floor = case.target.floor(&case.world, plan.particles as usize, 8);
    (learned, exact, floor.sliced_w2_max)
}

/// Learned MFM-GF near its exact twin, and better than learned DPS where the reward is not linear.
fn check_gradient_free(case: &Case, steps: u32, particles: u32) {
    for flow in [Flow::Ode, Flow::Sde] {
        let mut gradient_free = plan(Method::MfmGf, flow, steps, 64);
        gradient_free.particles = particles;
        let (learned, exact, floor) = compare(case, &gradient_free);
        assert!(
            learned <= 1.5 * exact.max(floor),
            "{}: {learned}, {exact}, {floor}",
            case.name
        );
        if !case.name.ends_with("linear") {
            let mut dps = plan(Method::Dps, flow, steps, 1);
            dps.particles = particles;
            let dps = case.run_with(&dps, Some(&shipped(case))).1.sliced_w2;
            assert!(learned < dps, "{}: {learned} is not below {dps}", case.name);
        }
    }
}

/// Learned MFM-G near the same estimator on GLASS draws of the exact velocity.
fn check_gradient(case: &Case, flow: Flow, steps: u32, draws: u32, particles: u32) {
    let mut gradient = plan(Method::MfmG, flow, steps, draws);
    gradient.particles = particles;
    let (learned, exact, floor) = compare(case, &gradient);
    assert!(
        learned <= 1.5 * exact.max(floor),
        "{}: {learned}, {exact}, {floor}",
        case.name
    );
}

#[test]
fn the_shipped_networks_steer_almost_as_well_as_exact_draws() {
    // Fewer steps and particles than the figures, on both sides alike: a network takes its time.
    for name in ["bimodal lik", "paper3 lik"] {
        check_gradient_free(&Case::named(name), 25, 512);
    }
    check_gradient(&Case::named("bimodal lik"), Flow::Sde, 50, 4, 1024);
}

#[test]
#[ignore = "every scene, both dynamics: some minutes of network calls"]
fn the_shipped_networks_steer_almost_as_well_as_exact_draws_on_every_scene() {
    for case in Case::all() {
        check_gradient_free(&case, 50, 1024);
    }
    for name in ["bimodal lik", "bimodal linear"] {
        check_gradient(&Case::named(name), Flow::Ode, 50, 16, 1024);
        check_gradient(&Case::named(name), Flow::Sde, 50, 16, 1024);
    }
}

#[test]
fn gradients_through_the_learned_glass_ode_are_the_slopes_of_its_rewards() {
    let case = Case::named("bimodal lik");
    let network = shipped(&case);
    let states: Vec<[f64; 2]> = vec![[0.3, -0.2], [-0.7, 0.4], [0.9, 0.1]];
    let (ids, n) = ([4, 9, 2], 5);
    for (t, steps) in [(0.1, 3), (0.4, 4), (0.8, 8)] {
        let source = Source::Glass(steps);
        let draws = DrawsAt::new(source, &case.world, Some(&network), t, (3, 1)).unwrap();
        let scores = |x: &[[f64; 2]]| -> Vec<f64> {
            let mut out = vec![[0.0; 2]; x.len() * n];
            draws.draw(&ids, x, n, &mut out, &mut Counters::default());
            let score = |x: &[f32; 2]| case.reward.score(x.map(f64::from));
            out.iter().map(score).collect()
        };
        let mut counters = Counters::default();
        let mut gradients = vec![[0.0; 2]; states.len() * n];
        draws
            .draw_with_gradient(
                &ids,
                &states,
                n,
                &case.reward,
                &mut counters,
                |row, _, _, g| {
                    gradients[row] = g;
                },
            )
            .unwrap();
        let evaluations = (states.len() * n) as u64 * 2 * u64::from(steps);
        assert_eq!(counters.network_forward, evaluations);
        assert_eq!(counters.network_backward, evaluations);
        let h = 1e-2;
        for d in 0..2 {
            let moved = |by: f64| {
                let mut x = states.clone();
                for x in &mut x {
                    x[d] += by;
                }
                scores(&x)
            };
            let (up, down, far, low) = (moved(h), moved(-h), moved(2.0 * h), moved(-2.0 * h));
            for (row, gradient) in gradients.iter().enumerate() {
                let slope = (8.0 * (up[row] - down[row]) - (far[row] - low[row])) / (12.0 * h);
                // The network rounds to f32: some 1e-6 over h, times the stages.
                let apart = (gradient[d] - slope).abs();
                assert!(
                    apart < 5e-3 * (1.0 + slope.abs()),
                    "t {t} row {row}: {apart}, {slope}"
                );
            }
        }
    }
}

#[test]
fn gradients_through_the_learned_glass_ode_steer_toward_the_target() {
    let case = Case::named("bimodal lik");
    let mut glass = plan(Method::MfmG, Flow::Sde, 25, 4);
    (glass.particles, glass.source) = (512, Some(Source::Glass(4)));
    let network = shipped(&case);
    let (done, score) = case.run_with(&glass, Some(&network));
    let base = case.run_with(
        &SteerPlan {
            method: Method::Base,
            ..glass
        },
        Some(&network),
    );
    assert_eq!(done.non_finite, 0);
    // Untilted the squared MMD is 0.1. Its floor at 512 samples is 3e-3; a few samples land far out, which sliced W2
    // punishes and this does not: a network's derivative is less smooth than the network.
    assert!(
        score.mmd_squared < 1.5e-2 && base.1.mmd_squared > 5e-2,
        "{:.2e} {:.2e}",
        score.mmd_squared,
        base.1.mmd_squared
    );
}
