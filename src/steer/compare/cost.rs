//! What a plan costs, and the plan that spends a budget.

use std::fmt;

use super::super::plan::SteerPlan;
use super::super::registry::{Lookahead, Method, Scheme};
use super::super::run::{SteerError, SteerScene, Watch, run};

/// The option that a budget decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// Draws per state; futures of the search, candidates of Best-of-N.
    Draws,
    /// Steps, for methods that draw nothing.
    Steps,
}

impl Knob {
    /// Draws where the method draws, steps where it does not.
    pub fn of(method: Method) -> Self {
        let card = method.card();
        let draws = match card.scheme {
            Scheme::BestOf | Scheme::SoftBestOf => true,
            _ => matches!(
                card.lookahead,
                Lookahead::Posterior
                    | Lookahead::SdeRollout
                    | Lookahead::GlassRollout
                    | Lookahead::Gaussian
                    | Lookahead::Renoised
            ),
        };
        if draws { Self::Draws } else { Self::Steps }
    }

    fn set(self, plan: &SteerPlan, value: u32) -> SteerPlan {
        let mut plan = plan.clone();
        match self {
            Self::Draws => plan.draws = value,
            Self::Steps => plan.steps = value,
        }
        plan
    }

    /// The largest value with which `particles` can run.
    fn most(self, plan: &SteerPlan) -> u32 {
        let particles = u64::from(plan.particles.max(1));
        match self {
            Self::Steps => SteerPlan::MAX_STEPS,
            Self::Draws => {
                let batch = match plan.method.card().scheme {
                    Scheme::BestOf | Scheme::SoftBestOf => SteerPlan::MAX_CANDIDATES,
                    _ => SteerPlan::MAX_BATCH,
                };
                // Bounded by MAX_DRAWS, which fits.
                u64::from(SteerPlan::MAX_DRAWS).min(batch / particles) as u32
            }
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draws => "draws",
            Self::Steps => "steps",
        })
    }
}

/// Evaluations a sample: network forward and backward, rewards and their gradients, every draw counted.
///
/// Counters do not depend on noise, on the particles or on the reward, so one particle tells.
///
/// # Errors
/// What [`run`] says of the plan.
pub fn evaluations_of(
    plan: &SteerPlan,
    scene: SteerScene<'_>,
    watch: &mut dyn Watch,
) -> Result<u64, SteerError> {
    let one = SteerPlan {
        particles: 1,
        keep_trajectory: false,
        ..plan.clone()
    };
    Ok(run(&one, scene, watch)?.counters.total())
}

/// Evaluations a sample of a plan as a function of its [`Knob`]: `fixed + each * value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// What the budget decides.
    pub knob: Knob,
    /// What is spent whatever the knob says.
    pub fixed: i64,
    /// What each draw, or each step, adds.
    pub each: i64,
}

/// Why no plan of a method spends a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetMiss {
    /// One draw (or step) is already more.
    #[error(
        "{budget} evaluations a sample are too few: its cheapest plan, {knob} = 1, costs {cheapest}. \
         Raise the budget{}", if *.knob == Knob::Draws { " or lower its steps" } else { "" }
    )]
    TooSmall {
        /// What was asked for.
        budget: u64,
        /// What was varied.
        knob: Knob,
        /// What the cheapest plan costs.
        cheapest: u64,
    },
    /// It would take more draws (or steps) than are possible.
    #[error(
        "{budget} evaluations a sample are too many: its dearest plan, {knob} = {most}, costs {dearest}. \
         Lower the budget{}", if *.knob == Knob::Draws { " or the particles" } else { "" }
    )]
    TooLarge {
        /// What was asked for.
        budget: u64,
        /// What was varied.
        knob: Knob,
        /// Its largest value.
        most: u32,
        /// What that costs.
        dearest: u64,
    },
}

impl Cost {
    /// Finds the two numbers by running the plan with one particle at two settings.
    ///
    /// # Errors
    /// What [`run`] says of the plan.
    pub fn measure(
        plan: &SteerPlan,
        scene: SteerScene<'_>,
        watch: &mut dyn Watch,
    ) -> Result<Self, SteerError> {
        let knob = Knob::of(plan.method);
        let mut at =
            |value| evaluations_of(&knob.set(plan, value), scene, watch).map(|cost| cost as i64);
        let (one, two) = (at(1)?, at(2)?);
        Ok(Self {
            knob,
            fixed: 2 * one - two,
            each: two - one,
        })
    }

    /// Evaluations a sample with this many draws (or steps).
    pub fn at(&self, value: u32) -> u64 {
        (self.fixed + self.each * i64::from(value)).max(0) as u64
    }

    /// The dearest plan that costs no more than `budget`, of the same options and particles.
    ///
    /// # Errors
    /// Where even the cheapest plan costs more, or the budget cannot be spent.
    pub fn plan_for(&self, plan: &SteerPlan, budget: u64) -> Result<SteerPlan, BudgetMiss> {
        let knob = self.knob;
        let most = knob.most(plan);
        if self.at(1) > budget {
            return Err(BudgetMiss::TooSmall {
                budget,
                knob,
                cheapest: self.at(1),
            });
        }
        let left = i64::try_from(budget).unwrap_or(i64::MAX) - self.fixed;
        let value = left / self.each.max(1);
        match u32::try_from(value) {
            Ok(value) if value <= most => Ok(knob.set(plan, value)),
            _ => Err(BudgetMiss::TooLarge {
                budget,
                knob,
                most,
                dearest: self.at(most),
            }),
        }
    }
}
