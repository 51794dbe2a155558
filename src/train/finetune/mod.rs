//! Fine-tuning a velocity toward a reward (MFM-FT). Must not know screens.
//!
//! # What is learned
//! The Meta Flow Map stays frozen and draws `x_1 = X_{0,1}(eps; t, x_t)`; a copy of its velocity, used at
//! `v(t, t, x; 0, 0)` alone, learns the drift of the tilted target `p(x_1) exp r(x_1) / Z` (methods.md 5). With
//! `e = exp r(x_1)` and `h` its gradient by `x_t`, the objective regresses `b_phi` on the stop-gradient of
//! `b - (e - 1)(b_phi - b) + sigma_t^2 / 2 h`. Its error is `e (b_phi - b) - sigma_t^2 / 2 h`, so its fixed point is
//! `b + sigma_t^2 / 2 E[h] / E[e]`, the Doob drift, without a ratio of estimates: unbiased with any number of draws.
//!
//! # Which dynamics it is for
//! With the memoryless schedule `sigma_t^2 / 2 grad V_t = (tilted mean - mean) / (1 - t)`, so the fixed point is
//! `(E_tilted[x_1 | x_t] - x_t) / (1 - t)`: the velocity of the interpolant whose data are the tilted target. The ODE
//! follows it as it is, the SDE has the drift `2 b_phi - x / t`, and everything else that is made of a velocity (score,
//! denoiser, GLASS) holds for it too. Nothing of a schedule or a cap is left in it. The jumps of the copy are not tuned:
//! they are no flow map any more.
//!
//! # Variance
//! Each choice leaves the fixed point where it is.
//! - *Two forms of `h`.* As published, `e J' grad r`, through the map's Jacobian `J = d x_1 / d x_t`: sharp near data,
//!   but `J` explodes between basins, and near noise `sigma_t^2` multiplies its faults by `1 / t`. Without gradients,
//!   `sigma_t^2 / 2 E[h] = Cov(e, x_1) / (1 - t)`, estimated by the sample covariance of a state's draws, which is
//!   unbiased and small wherever the reward hardly varies. The default takes the second for `t < 0.6` and the first
//!   after, as steering's mix does ([`Pull`]).
//! - *Baseline.* `e = exp(r - c)`, where `c` may be anything that does not look at the state's own draws. A constant
//!   (the log of `E exp r` over the data) keeps `e` near 1 on average; [`Baseline::State`] also lets it rise, as `t` grows,
//!   to the reward of the clean sample that the state was made from, so that `e` stays near 1 state by state where the
//!   state tells what will become of it.
//! - *Where the states are.* Off-policy: any law will do. A share is made from world samples, the rest from world
//!   samples drawn again by `exp r`: where the tilted process will be, however small its share of the data
//!   ([`FinetuneRecipe::tilted_share`]).
//! - *Draws.* Several a state, and the batch's times evenly spread over (0, 1), a few states to a time.
//!
//! Rewards are never clipped. The optimiser scales a gradient that is longer than its limit, as in training; how often
//! is counted and told ([`FinetuneLoss::clipped`]).

mod draws;
mod maximise;
mod recipe;
mod resume;
mod states;
#[cfg(test)]
mod tests;
mod tuner;

pub use recipe::{Baseline, FinetuneRecipe, Objective, Pull};
pub use tuner::{FinetuneLoss, Finetuner};
