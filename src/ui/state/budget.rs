//! Methods at equal compute: asking for the runs, and whether they are still of what is shown.

use crate::engine::{BudgetRequest, Progress, Slot};
use crate::steer::{Knob, SteerPlan};

use super::State;
use super::asks::same_model;

impl State {
    /// The methods of the panels as the runs start from them, each once: panels that differ only in what the budget
    /// decides are one here.
    pub fn budget_plans(&self, particles: u32) -> Vec<SteerPlan> {
        let mut plans: Vec<SteerPlan> = Vec::new();
        for plan in self.session.steering.plans(self.session.seed, particles) {
            let plan = SteerPlan {
                // Thousands of steps of several runs would be kept for nobody.
                keep_trajectory: false,
                ..plan
            };
            if !plans.iter().any(|other| same_but_budget(other, &plan)) {
                plans.push(plan);
            }
        }
        plans
    }

    /// The first panel of a method at equal compute: its colour there and here are one.
    pub fn panel_of_budget_plan(&self, plan: &SteerPlan) -> Option<usize> {
        let panels = self
            .session
            .steering
            .plans(self.session.seed, plan.particles);
        panels.iter().position(|panel| same_but_budget(panel, plan))
    }

    /// Starts the methods of the panels at several budgets (evaluations a sample), once for each of `seeds` seeds from
    /// the session's on.
    pub fn start_budget(&mut self, budgets: Vec<u64>, seeds: u32, particles: u32) {
        let first = self.session.seed;
        let Some(stage) = self.steer_stage() else {
            return;
        };
        self.steering.budget = None;
        self.ask_budget(BudgetRequest {
            stage,
            plans: self.budget_plans(particles),
            budgets,
            seeds: (0..u64::from(seeds))
                .map(|k| first.wrapping_add(k))
                .collect(),
            particles,
        });
    }

    /// How far the runs are, while they are under way.
    pub fn budget_progress(&self) -> Option<&Progress> {
        self.answers.progress_of(Slot::Budget)
    }

    /// Whether the runs are under way.
    pub fn is_budget_running(&self) -> bool {
        self.is_waiting(Slot::Budget)
    }

    /// Whether finished runs are those of the world, the reward and the methods as they are now.
    pub fn is_budget_current(&self, request: &BudgetRequest) -> bool {
        let asked = &request.stage;
        self.steer_stage().is_some_and(|stage| {
            same_model(stage.model.as_ref(), asked.model.as_ref())
                && stage.reward == asked.reward
                && stage.world.mixture == asked.world.mixture
        }) && self.budget_plans(request.particles) == request.plans
    }
}

/// Whether two plans differ at most in the option that a budget decides, and in their seeds.
fn same_but_budget(a: &SteerPlan, b: &SteerPlan) -> bool {
    let undecided = |plan: &SteerPlan| SteerPlan {
        draws: 1,
        steps: match Knob::of(plan.method) {
            Knob::Draws => plan.steps,
            Knob::Steps => 1,
        },
        seed: 0,
        keep_trajectory: false,
        ..plan.clone()
    };
    undecided(a) == undecided(b)
}
