//! What every method must keep to: its budget, and the same row whatever else is asked.

use super::*;
use crate::metrics::Counters;
use crate::mixture::{Mixture, Preset as WorldPreset};
use crate::reward::Reward;
use crate::steer::{METHODS, Method, SteerError, SteerPlan, SteerScene, run};

fn stage() -> (Mixture, Reward) {
    let reward = "measurement:0.3,1,0.5,0.5".parse().unwrap();
    (WorldPreset::Two.mixture(), reward)
}

fn small(method: Method) -> SteerPlan {
    SteerPlan {
        steps: 6,
        particles: 8,
        rollout_steps: 3,
        ..SteerPlan::new(method)
    }
}

#[test]
fn every_method_spends_its_budget_and_no_more() {
    let (world, reward) = stage();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    let mut yes = |_: f32| true;
    for card in &METHODS {
        for flow in card.flows {
            let plan = SteerPlan {
                flow: *flow,
                ..small(card.method)
            };
            let cost = Cost::measure(&plan, scene, &mut yes).unwrap();
            for budget in [60, 333, 1000] {
                let name = format!("{} {flow:?} at {budget}", card.name);
                let asked = match cost.plan_for(&plan, budget) {
                    Ok(asked) => asked,
                    Err(BudgetMiss::TooSmall { cheapest, .. }) => {
                        assert!(cheapest > budget, "{name}: {cheapest} could be paid");
                        continue;
                    }
                    Err(error) => panic!("{name}: {error}"),
                };
                let done = run(&asked, scene, &mut yes).unwrap();
                let spent = done.counters.total() as f64 / 8.0;
                let budget = budget as f64;
                assert!(spent <= budget, "{name}: {spent} were spent");
                // The dearest plan: one draw, or step, more would not have been paid for.
                assert!(spent + cost.each as f64 > budget, "{name}: only {spent}");
                let value = match cost.knob {
                    Knob::Draws => asked.draws,
                    Knob::Steps => asked.steps,
                };
                assert_eq!(spent, cost.at(value) as f64, "{name}: not affine");
                if cost.each as f64 <= 0.15 * budget {
                    assert!(spent >= 0.85 * budget, "{name}: only {spent}");
                }
            }
        }
    }
}

#[test]
fn a_budget_that_cannot_be_met_is_left_out_with_the_reason() {
    let (world, reward) = stage();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    let mut without_model = small(Method::MfmGf);
    without_model.source = Some(crate::lookahead::Source::OneStep);
    let grid = Grid {
        methods: vec![small(Method::MfmGf), small(Method::Dps), without_model],
        budgets: vec![100_000, 10],
        seeds: vec![1, 2],
        particles: 8,
    };
    let (runs, left_out) = grid.lay_out(scene, &mut |_: f32| true).unwrap();
    let found: Vec<_> = left_out.iter().map(|l| (l.method, l.budget)).collect();
    // MFM-GF takes 6 (1 + 2 N); DPS takes 4 a step of at most 10,000.
    assert_eq!(found, [(0, 10), (2, 10), (1, 100_000), (2, 100_000)]);
    assert!(
        left_out[0].reason.contains("draws = 1, costs 18"),
        "{left_out:?}"
    );
    assert!(left_out[1].reason.contains("checkpoint"), "{left_out:?}");
    assert!(
        left_out[2].reason.contains("steps = 10000, costs 40000"),
        "{left_out:?}"
    );
    let order: Vec<_> = runs
        .iter()
        .map(|r| (r.budget, r.plan.seed, r.method))
        .collect();
    assert_eq!(
        order,
        [(10, 1, 1), (10, 2, 1), (100_000, 1, 0), (100_000, 2, 0)]
    );
}

#[test]
fn a_row_does_not_depend_on_order_or_on_what_else_is_in_the_grid() {
    let (world, reward) = stage();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    let rows = |methods: Vec<SteerPlan>, budgets: Vec<u64>, seeds: Vec<u64>| {
        let grid = Grid {
            methods,
            budgets,
            seeds,
            particles: 64,
        };
        let (runs, left_out) = grid.lay_out(scene, &mut |_: f32| true).unwrap();
        assert!(left_out.is_empty(), "{left_out:?}");
        let judge = Judge::new(scene, 64).unwrap();
        let mut rows = Vec::new();
        let mut told = 0.0;
        run_grid(
            &runs,
            &judge,
            &mut |fraction: f32| {
                assert!((told..=1.0).contains(&fraction));
                told = fraction;
                true
            },
            &mut |row| {
                rows.push(GridRow {
                    seconds: 0.0,
                    ..row
                });
                true
            },
        )
        .unwrap();
        rows
    };
    let (gf, dps, tds) = (small(Method::MfmGf), small(Method::Dps), small(Method::Tds));
    let all = rows(
        vec![tds, gf.clone(), dps.clone()],
        vec![200, 80],
        vec![4, 9],
    );
    assert_eq!(all.len(), 12);
    let mut alone = rows(vec![gf], vec![80], vec![9]);
    alone[0].method = 1;
    assert!(all.contains(&alone[0]));
    assert!(alone[0].counters != Counters::default() && alone[0].sliced_w2.is_finite());
    // Cheap first.
    assert!(all.windows(2).all(|w| w[0].budget <= w[1].budget));
}

#[test]
fn cancelling_stops_within_a_step() {
    let (world, reward) = stage();
    let scene = SteerScene {
        world: &world,
        reward: &reward,
        model: None,
    };
    let grid = Grid {
        methods: vec![small(Method::Dps)],
        budgets: vec![400],
        seeds: vec![1],
        particles: 8,
    };
    let (runs, _) = grid.lay_out(scene, &mut |_: f32| true).unwrap();
    let judge = Judge::new(scene, 8).unwrap();
    let mut looks = 0;
    let ended = run_grid(
        &runs,
        &judge,
        &mut |_: f32| {
            looks += 1;
            looks < 5
        },
        &mut |_| panic!("no row can be finished"),
    );
    assert_eq!(ended, Err(SteerError::Cancelled));
    assert_eq!(looks, 5);
    assert_eq!(
        grid.lay_out(scene, &mut |_: f32| false).unwrap_err(),
        SteerError::Cancelled
    );
}
