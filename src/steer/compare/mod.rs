//! Methods at equal compute.
//!
//! A budget is a number of function evaluations a sample, as the counters count them: network forward and backward,
//! rewards and their gradients, every draw. Methods that draw spend it on draws, the others on steps; what is spent
//! never exceeds it.

mod cost;
mod grid;
#[cfg(test)]
mod tests;

pub use cost::{BudgetMiss, Cost, Knob, evaluations_of};
pub use grid::{Grid, GridRow, GridRun, Judge, LeftOut, SCORED, run_grid};
