//! The Steering workspace: methods side by side on one clock, their scores, and the same at equal compute.
//!
//! [`stage`] has the panels and what they paint, [`reward`] the kinds of reward with their handles and their picture,
//! [`side`] the left panel. What is computed is asked for in `ui::state`, from the session alone.

pub mod budget;
pub mod lessons;
pub mod reward;
pub mod scores;
pub mod side;
pub mod stage;

pub use stage::Picture;

#[cfg(test)]
mod tests;
