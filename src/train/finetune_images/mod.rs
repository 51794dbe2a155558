//! Fine-tuning a velocity of images toward a reward of pictures (MFM-FT). Must not know screens.
//!
//! The objective is that of the 2D worlds, and why it needs no ratio of estimates is said there ([`super::finetune`]):
//! the Meta Flow Map stays frozen and draws `x_1 = X_{0,1}(eps; t, x_t)`, a copy of its velocity, used at
//! `v(t, t, x; 0, 0)` alone, learns the drift of the tilted target. What differs is what pictures make different:
//!
//! - *The covariance form throughout.* `sigma_t^2 / 2 E[h] = Cov(e, x_1) / (1 - t)`, by the unbiased sample covariance of
//!   a state's draws. The published form goes through the Jacobian of the map and the gradient of the reward: three times
//!   the work, only for rewards that have gradients, and in 784 dimensions a classifier's gradient points off the data
//!   as often as along it, while the covariance is a sum of pictures that the map drew.
//! - *A weight of `t` alone*, `(1 - t)^2 / ((1 - t)^2 + 0.1^2)`: draws of a learned map are a tenth beside the truth in
//!   every pixel, which `1 / (1 - t)` would make the loudest part of the loss near data. A weight that does not look at
//!   draws leaves the fixed point where it is.
//! - *Times* lie evenly in `(t / 0.98)^(2/3)`: in many dimensions a state tells early what will become of it, so that
//!   most of the pull is early too.
//! - *No data set.* Clean pictures behind the states are the map's own, made once ([`pool`]): off-policy, any law will do.
//!
//! Maximising the reward instead ([`Objective::Maximise`]) is defined as for worlds and is there for comparison: it
//! collapses.
//!
//! [`Objective::Maximise`]: super::finetune::Objective::Maximise

mod draws;
mod figures;
mod learner;
mod maximise;
mod pool;
mod recipe;
mod resume;
#[cfg(test)]
mod run_tests;
mod states;
#[cfg(test)]
mod tests;
mod tuner;

pub use figures::{PictureFigures, entropy_bits};
pub use recipe::{ImageTuneRecipe, TunedClass};
pub use tuner::{ImageTuner, TuneParent};
