//! Methods at equal compute.

use serde::{Deserialize, Serialize};

use crate::metrics::Counters;

use super::plan::SteerPlan;

/// One finished run of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridRow {
    /// Which of the methods asked for, from 0.
    pub method: usize,
    /// The evaluations a sample that were asked for.
    pub budget: u64,
    /// The evaluations a sample that were spent.
    pub evaluations: f64,
    /// The plan that ran: seed, draws and steps included.
    pub plan: SteerPlan,
    /// What was asked for.
    pub counters: Counters,
    /// Sliced W2 to the target.
    pub sliced_w2: f64,
    /// Squared MMD to the target.
    pub mmd_squared: f64,
    /// Total variation of mode shares.
    pub tv: f64,
    /// Mean reward.
    pub mean_reward: f64,
    /// Its standard error.
    pub mean_reward_error: f64,
    /// Particles that became non-finite.
    pub non_finite: u64,
    /// Time spent.
    pub seconds: f64,
}
