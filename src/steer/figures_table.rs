//! The tables of methods.md 6 as they stand there: sliced W2 as a mean of three seeds, each against its own sample of
//! the target. A figure holds where it lies within 1.3 times the table's, or the floor's maximum where that is larger;
//! a biased method must also keep its bias (0.7 times the figure): better than its own mathematics is a bug.

use super::figures::Case;
use super::*;

/// One scene under one of the dynamics: the floor's maximum and the figures.
struct Row {
    scene: &'static str,
    floor: f64,
    flow: Flow,
    exact: f64,
    dps: f64,
    lgd: f64,
    /// MFM-GF with 4, 16, 64 and 128 draws.
    gradient_free: [f64; 4],
}

const fn row(
    scene: &'static str,
    floor: f64,
    flow: Flow,
    [exact, dps, lgd]: [f64; 3],
    gradient_free: [f64; 4],
) -> Row {
    Row {
        scene,
        floor,
        flow,
        exact,
        dps,
        lgd,
        gradient_free,
    }
}

const TABLE: [Row; 14] = {
    use Flow::{Ode, Sde};
    [
        row(
            "ring8 linear",
            0.18,
            Ode,
            [0.11, 0.45, 0.45],
            [0.94, 0.33, 0.13, 0.10],
        ),
        row(
            "ring8 linear",
            0.18,
            Sde,
            [0.12, 0.24, 0.23],
            [0.89, 0.32, 0.13, 0.10],
        ),
        row(
            "ring8 quad",
            0.12,
            Ode,
            [0.09, 0.72, 0.48],
            [1.30, 0.46, 0.17, 0.12],
        ),
        row(
            "ring8 quad",
            0.12,
            Sde,
            [0.07, 0.46, 0.21],
            [1.15, 0.39, 0.14, 0.09],
        ),
        row(
            "ring8 bumps",
            0.38,
            Ode,
            [0.33, 1.70, 1.54],
            [1.51, 0.67, 0.28, 0.26],
        ),
        // For DPS the table says 0.48, with 0.024 of the modes' shares amiss: what it gives without a cap on sigma. With
        // the published cap an independent program has 0.079 amiss, and so has this one, at a distance of 0.94.
        row(
            "ring8 bumps",
            0.38,
            Sde,
            [0.17, 0.94, 1.09],
            [1.46, 0.66, 0.30, 0.22],
        ),
        row(
            "bimodal linear",
            0.09,
            Ode,
            [0.11, 0.69, 0.69],
            [1.19, 0.45, 0.17, 0.12],
        ),
        row(
            "bimodal linear",
            0.09,
            Sde,
            [0.04, 0.32, 0.35],
            [1.10, 0.41, 0.19, 0.10],
        ),
        row(
            "bimodal lik",
            0.14,
            Ode,
            [0.04, 1.17, 0.59],
            [0.37, 0.08, 0.05, 0.05],
        ),
        row(
            "bimodal lik",
            0.14,
            Sde,
            [0.05, 1.10, 0.62],
            [0.38, 0.11, 0.07, 0.08],
        ),
        row(
            "bimodal quad",
            0.09,
            Ode,
            [0.08, 0.52, 0.11],
            [0.89, 0.30, 0.11, 0.08],
        ),
        row(
            "bimodal quad",
            0.09,
            Sde,
            [0.04, 0.43, 0.04],
            [0.82, 0.29, 0.12, 0.06],
        ),
        row(
            "paper3 lik",
            0.16,
            Ode,
            [0.22, 2.74, 0.65],
            [0.64, 0.21, 0.15, 0.15],
        ),
        row(
            "paper3 lik",
            0.16,
            Sde,
            [0.07, 1.51, 0.56],
            [0.59, 0.16, 0.08, 0.05],
        ),
    ]
};

const SEEDS: [u64; 3] = [11, 23, 47];

/// Mean sliced W2 of the three seeds.
fn mean_of_seeds(case: &Case, targets: &[TargetSample; 3], plan: &SteerPlan) -> f64 {
    let scene = SteerScene {
        world: &case.world,
        reward: &case.reward,
        model: None,
    };
    let sum: f64 = SEEDS
        .iter()
        .zip(targets)
        .map(|(seed, target)| {
            let plan = SteerPlan {
                seed: *seed,
                ..plan.clone()
            };
            let done = run(&plan, scene, &mut |_: f32| true).unwrap();
            assert_eq!(done.non_finite, 0);
            target.sliced_w2(&done.samples)
        })
        .sum();
    sum / SEEDS.len() as f64
}

/// What a method reaches beside what it should; the faults found.
fn check(row: &Row, methods: &[Method], steps: u32, draws: &[u32]) -> Vec<String> {
    let case = Case::named(row.scene);
    let targets =
        SEEDS.map(|seed| TargetSample::new(&case.world, &case.reward, 4096, seed + 100).unwrap());
    let mut faults = Vec::new();
    let mut one = |method: Method, n: u32, figure: f64, biased: bool| {
        let mut plan = super::figures::plan(method, row.flow, steps, n);
        plan.particles = 4096;
        let found = mean_of_seeds(&case, &targets, &plan);
        let most = (1.3 * figure).max(row.floor);
        // Nearer to the floor than this, three seeds say little of a bias.
        let least = if biased && figure > 2.5 * row.floor {
            0.7 * figure
        } else {
            0.0
        };
        let line = format!(
            "{:<14} {:?} {:<7} N {n:<4} {found:.3} (table {figure:.2}, floor at most {:.2})",
            row.scene,
            row.flow,
            method.card().name,
            row.floor
        );
        println!("{line}");
        if !(least..=most).contains(&found) {
            faults.push(line);
        }
    };
    for method in methods {
        match method {
            Method::Exact => one(Method::Exact, 1, row.exact, false),
            Method::Dps => one(Method::Dps, 1, row.dps, true),
            Method::Lgd => one(Method::Lgd, 64, row.lgd, true),
            _ => {
                for (n, figure) in [4, 16, 64, 128].into_iter().zip(row.gradient_free) {
                    if draws.contains(&n) {
                        one(Method::MfmGf, n, figure, true);
                    }
                }
            }
        }
    }
    faults
}

#[test]
fn three_seeds_of_the_exact_value_and_of_dps_reach_their_figures() {
    let faults: Vec<String> = TABLE
        .iter()
        .filter(|row| row.scene.starts_with("bimodal"))
        .flat_map(|row| check(row, &[Method::Exact, Method::Dps], 250, &[]))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn three_seeds_of_gradient_free_draws_reach_their_figures() {
    // K = 100 is as good as 250 within noise (methods.md 6).
    let faults: Vec<String> = TABLE
        .iter()
        .filter(|row| row.scene.starts_with("bimodal l"))
        .flat_map(|row| check(row, &[Method::MfmGf], 100, &[4, 16]))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
#[ignore = "the whole table: some minutes"]
fn three_seeds_of_every_row_reach_their_figures() {
    let all = [Method::Exact, Method::Dps, Method::Lgd, Method::MfmGf];
    let faults: Vec<String> = TABLE
        .iter()
        .flat_map(|row| check(row, &all, 250, &[4, 16, 64, 128]))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
