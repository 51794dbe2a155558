//! Runs of one method at one budget, over their seeds.

use std::fmt::Write as _;

use crate::engine::BudgetAnswer;
use crate::steer::{Flow, GridRow, Knob, SteerPlan};
use crate::ui::steering::scores::{panel_names, quoted};

/// Mean of a figure over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Evaluations a sample that were spent.
    pub evaluations: f64,
    /// The mean.
    pub mean: f64,
    /// Its standard error; 0 of one seed.
    pub error: f64,
    /// How many seeds.
    pub seeds: usize,
}

/// One method at one budget; `None` while nothing is finished there.
pub fn summary(
    rows: &[GridRow],
    method: usize,
    budget: u64,
    figure: fn(&GridRow) -> f64,
) -> Option<Summary> {
    let rows: Vec<&GridRow> = rows
        .iter()
        .filter(|row| row.method == method && row.budget == budget)
        .collect();
    let n = rows.len() as f64;
    if rows.is_empty() {
        return None;
    }
    let mean = rows.iter().map(|row| figure(row)).sum::<f64>() / n;
    let squares = rows.iter().map(|row| (figure(row) - mean).powi(2));
    let error = if rows.len() > 1 {
        (squares.sum::<f64>() / (n - 1.0) / n).sqrt()
    } else {
        0.0
    };
    Some(Summary {
        evaluations: rows.iter().map(|row| row.evaluations).sum::<f64>() / n,
        mean,
        error,
        seeds: rows.len(),
    })
}

/// What to call the methods: what the budget decides is left out.
pub fn names(plans: &[SteerPlan]) -> Vec<String> {
    let plans: Vec<SteerPlan> = plans
        .iter()
        .map(|plan| match Knob::of(plan.method) {
            Knob::Draws => SteerPlan {
                draws: 1,
                ..plan.clone()
            },
            Knob::Steps => SteerPlan {
                steps: 1,
                draws: 1,
                ..plan.clone()
            },
        })
        .collect();
    panel_names(&plans)
}

/// One row a run.
pub fn csv(answer: &BudgetAnswer) -> String {
    let names = names(&answer.request.plans);
    let mut text = String::from(
        "name,method,dynamics,seed,steps,draws,particles,budget,evaluations_per_sample,\
         sliced_w2,sliced_w2_floor,sliced_w2_floor_max,mmd_squared,mmd_squared_floor_max,\
         mode_tv,mode_tv_floor_max,mean_reward,mean_reward_error,exact_mean_reward,\
         network_forward,network_backward,reward,reward_gradient,non_finite,seconds\n",
    );
    let floor = |of: fn(&crate::steer::Floor) -> f64| {
        let value = answer.floor.as_ref().map(of);
        value.map_or_else(String::new, |v| v.to_string())
    };
    let exact = answer
        .target_mean_reward
        .map_or_else(String::new, |v| v.to_string());
    for row in &answer.rows {
        let (plan, counters) = (&row.plan, &row.counters);
        let flow = match plan.flow {
            Flow::Ode => "ode",
            Flow::Sde => "sde",
        };
        let name = names.get(row.method).map_or("", String::as_str);
        let fields = [
            quoted(name),
            plan.method.to_string(),
            flow.to_owned(),
            plan.seed.to_string(),
            plan.steps.to_string(),
            plan.draws.to_string(),
            plan.particles.to_string(),
            row.budget.to_string(),
            row.evaluations.to_string(),
            row.sliced_w2.to_string(),
            floor(|f| f.sliced_w2),
            floor(|f| f.sliced_w2_max),
            row.mmd_squared.to_string(),
            floor(|f| f.mmd_squared_max),
            row.tv.to_string(),
            floor(|f| f.tv_max),
            row.mean_reward.to_string(),
            row.mean_reward_error.to_string(),
            exact.clone(),
            counters.network_forward.to_string(),
            counters.network_backward.to_string(),
            counters.reward.to_string(),
            counters.reward_gradient.to_string(),
            row.non_finite.to_string(),
            row.seconds.to_string(),
        ];
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", fields.join(","));
    }
    text
}
