//! Rewards of clean samples: score and gradient. Must not know steering or screens.
//!
//! A [`Reward`] is a shape and a strength `lambda`; what every formula calls `r` has `lambda` inside. Where the closed
//! forms of methods.md 2 hold, [`Reward::tilt`] gives the factor `exp r` that the mixtures understand; a [`TiltedTarget`]
//! has the target and its value for every reward, by quadrature where there is no closed form.

mod dual;
mod expression;
mod nearest;
pub mod picture;
mod quadrature;
mod quadrature_value;
mod shape;
mod spec;
mod target;

pub use expression::Expression;
pub use shape::{Reward, RewardError, Shape};
pub use target::{Exactness, TargetAt, TiltedTarget};
