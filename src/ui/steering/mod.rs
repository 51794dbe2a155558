//! The Steering workspace: methods side by side on one clock, their scores, and the same at equal compute.

pub mod budget;
pub mod lessons;
pub mod scores;

#[cfg(test)]
mod tests;
