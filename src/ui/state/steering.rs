//! The last good answers about steering, and what is asked for.

use std::sync::Arc;

use crate::engine::{
    BudgetAnswer, LensAnswer, ScoreCurvesAnswer, ScoresAnswer, SteerAnswer, TraceAnswer,
};

/// What came back about the comparison, newest only.
#[derive(Default)]
pub struct SteeringState {
    /// The runs, growing while they are computed.
    pub runs: Option<Arc<SteerAnswer>>,
    /// Scores at the clock's time, or slightly before it.
    pub scores: Option<Arc<ScoresAnswer>>,
    /// Scores against `t`.
    pub curves: Option<Arc<ScoreCurvesAnswer>>,
    /// The futures that the selected particle sees.
    pub lens: Option<Arc<LensAnswer>>,
    /// The value along the selected particle's way.
    pub trace: Option<Arc<TraceAnswer>>,
    /// Methods at equal compute.
    pub budget: Option<Arc<BudgetAnswer>>,
}
