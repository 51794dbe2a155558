//! Steered sampling: base dynamics plus the gradient of a value that is estimated by looking ahead. Must not know
//! screens.
//!
//! A method is three choices, [`Lookahead`], [`Estimator`] and [`Scheme`], and one row of [`METHODS`]. [`run`] moves
//! the particles of a [`SteerPlan`] through a [`SteerScene`] and counts what it asked for; a
//! [`TargetSample`] compares the result with the tilted target. Noise is addressed by particle, step and draw, so a run is the same numbers
//! whatever the threads, and a person who changes one option keeps the rest of the noise.

mod choices;
mod compare;
mod diamond;
mod draws;
mod estimate;
mod flow;
mod frame;
pub mod images;
mod log_mean;
mod methods;
mod particles;
mod plan;
mod probe;
mod registry;
mod run;
mod score;
mod search;

#[cfg(test)]
mod figures;
#[cfg(test)]
mod figures_finetuned;
#[cfg(test)]
mod figures_learned;
#[cfg(test)]
mod figures_more;
#[cfg(test)]
mod figures_table;
#[cfg(test)]
mod slopes;

pub use compare::{
    BudgetMiss, Cost, Grid, GridRow, GridRun, Judge, Knob, LeftOut, SCORED, evaluations_of,
    run_grid,
};
pub use frame::{Frame, KeptFrame};
pub use plan::{ControlForm, DiamondWeights, Flow, Preset, Renormalise, Resampling, SteerPlan};
pub use probe::{Probe, gradient_error, probe};
pub use registry::{Estimator, Lookahead, METHODS, Method, MethodCard, Scheme};
pub use run::{SteerError, SteerRun, SteerScene, Watch, run};
pub use score::{Floor, SteerScore, TargetKind, TargetSample};
