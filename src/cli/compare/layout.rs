//! The runs of a plan, and the lines that they belong to.

use std::collections::BTreeMap;

use crate::steer::{
    Grid, GridRun, Knob, LeftOut, SteerError, SteerPlan, SteerScene, evaluations_of,
};

use super::plan::Comparison;

/// All that a plan asks for.
pub(super) struct Layout {
    /// Labels of the lines; [`GridRun::method`] is one of them.
    pub series: Vec<String>,
    /// Cheap ones first.
    pub runs: Vec<GridRun>,
    /// What cannot be run.
    pub left_out: Vec<LeftOut>,
}

impl Layout {
    /// Budgets decide draws or steps; lists give them outright; without either every method runs as it is.
    pub fn new(asked: &Comparison, scene: SteerScene<'_>) -> Result<Self, SteerError> {
        let mut yes = |_: f32| true;
        let mut series: Vec<String> = asked.methods.iter().map(|(l, _)| l.clone()).collect();
        let grid = Grid {
            methods: asked.methods.iter().map(|(_, plan)| plan.clone()).collect(),
            budgets: asked.budgets.clone(),
            seeds: asked.seeds.clone(),
            particles: asked.particles,
        };
        let (mut runs, mut left_out) = grid.lay_out(scene, &mut yes)?;
        for (method, (label, plan)) in asked.methods.iter().enumerate() {
            for (line, plan) in explicit(asked, label, plan) {
                let line = series.iter().position(|l| *l == line).unwrap_or_else(|| {
                    series.push(line);
                    series.len() - 1
                });
                let line = if series[line] == *label { method } else { line };
                let cost = plan
                    .validate()
                    .and_then(|()| evaluations_of(&plan, scene, &mut yes));
                match cost {
                    Ok(evaluations) => runs.extend(asked.seeds.iter().map(|seed| GridRun {
                        method: line,
                        budget: 0,
                        evaluations,
                        plan: SteerPlan {
                            seed: *seed,
                            ..plan.clone()
                        },
                    })),
                    Err(error) => left_out.push(LeftOut {
                        method: line,
                        budget: 0,
                        reason: error.to_string(),
                    }),
                }
            }
        }
        // Stable: methods and seeds of one price stay in the plan's order.
        let price = |run: &GridRun| match run.budget {
            0 => run.evaluations,
            budget => budget,
        };
        runs.sort_by_key(price);
        Ok(Self {
            series,
            runs,
            left_out,
        })
    }

    /// What is left out, each reason once with all its budgets.
    pub fn notes(&self) -> Vec<String> {
        let mut budgets: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
        for left in &self.left_out {
            let budgets = budgets.entry((left.method, &left.reason)).or_default();
            if left.budget > 0 {
                budgets.push(left.budget.to_string());
            }
        }
        let note = |((series, reason), budgets): ((usize, &str), Vec<String>)| {
            let at = match budgets.len() {
                0 => String::new(),
                _ => format!(" at {}", budgets.join(", ")),
            };
            format!("{}{at} is left out: {reason}", self.series[series])
        };
        budgets.into_iter().map(note).collect()
    }
}

/// The plans that the lists give for one method, each with the label of its line.
fn explicit(asked: &Comparison, label: &str, plan: &SteerPlan) -> Vec<(String, SteerPlan)> {
    let draws = Knob::of(plan.method) == Knob::Draws;
    let is_plain = asked.draws.is_empty() && asked.steps.is_empty();
    if is_plain && !asked.budgets.is_empty() {
        return Vec::new();
    }
    let own = |list: &[u32], value: u32| match list {
        [] => vec![value],
        list => list.to_vec(),
    };
    let mut plans = Vec::new();
    for steps in own(&asked.steps, plan.steps) {
        // A method without draws runs once for each number of steps.
        let list: &[u32] = if draws { &asked.draws } else { &[] };
        for n in own(list, plan.draws) {
            let line = match (draws, asked.steps.is_empty(), asked.draws.is_empty()) {
                // Steps vary at fixed draws, or both vary: a line of its own beside that of the budgets.
                (true, false, true) => format!("{label}, N = {n}"),
                (true, false, false) => format!("{label}, K = {steps}"),
                _ => label.to_owned(),
            };
            let plan = SteerPlan {
                steps,
                draws: n,
                ..plan.clone()
            };
            plans.push((line, plan));
        }
    }
    plans
}
