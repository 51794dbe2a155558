//! Loss scaling: gradients of a network whose products are halves.
//!
//! Below 6e-8 a half is 0, above 65,504 it is infinite, and gradients of a mean over a batch lie at the lower end. The
//! loss is therefore multiplied before it is differentiated, and the gradients are divided when they are used. A factor
//! that is too large shows as a gradient that is not finite: that step is not taken and the factor is halved; after many
//! steps that were taken it is doubled (arXiv 1710.03740). All of it stays on the device, so that no step waits.

use burn::tensor::{Bool, Device, Tensor};
use serde::{Deserialize, Serialize};

/// The factor that runs start with.
const FIRST: f32 = 65_536.0;
/// What it is kept within.
const LEAST: f32 = 1.0;
const MOST: f32 = 16_777_216.0;
/// Steps in a row that are taken before it is doubled.
const PATIENCE: f32 = 1000.0;

/// Where loss scaling stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    /// What the loss is multiplied with.
    pub factor: f32,
    /// Steps taken since it changed.
    pub steady: f32,
    /// Steps that were not taken, because a gradient was not finite.
    pub skipped: f32,
}

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: FIRST,
            steady: 0.0,
            skipped: 0.0,
        }
    }
}

impl LossScale {
    /// Whether the factor cannot be made smaller: what is not finite then has another reason.
    pub fn is_least(&self) -> bool {
        self.factor <= LEAST
    }
}

/// The same on a device, one number each.
#[derive(Clone)]
pub struct Scaling {
    factor: Tensor<1>,
    steady: Tensor<1>,
    skipped: Tensor<1>,
}

impl Scaling {
    /// On `device`, not an autodiff one.
    pub fn new(state: LossScale, device: &Device) -> Self {
        let number = |v: f32| Tensor::<1>::from_floats([v], device);
        Self {
            // A file may hold anything.
            factor: number(state.factor.clamp(LEAST, MOST)),
            steady: number(state.steady),
            skipped: number(state.skipped),
        }
    }

    /// The loss to be differentiated.
    pub fn scaled(&self, loss: Tensor<1>) -> Tensor<1> {
        loss * Tensor::from_inner(self.factor.clone())
    }

    /// What gradients are multiplied with to be those of the loss itself, `[1]`.
    pub fn undo(&self) -> Tensor<1> {
        self.factor.clone().recip()
    }

    /// Takes in the norm of a step's gradients; whether the step must not be taken, `[1]`.
    pub fn follow(&mut self, norm: Tensor<1>) -> Tensor<1, Bool> {
        // No comparison with what is no number holds.
        let broken = norm.abs().lower_equal_elem(f32::MAX).bool_not();
        let steady = (self.steady.clone() + 1.0).mask_fill(broken.clone(), 0.0);
        let patient = steady.clone().greater_equal_elem(PATIENCE);
        let factor = self.factor.clone();
        self.factor = factor
            .clone()
            .mask_where(broken.clone(), factor.clone() * 0.5)
            .mask_where(patient.clone(), factor * 2.0)
            .clamp(LEAST, MOST);
        self.steady = steady.mask_fill(patient, 0.0);
        self.skipped = self.skipped.clone() + broken.clone().float();
        broken
    }

    /// Where it stands; waits for the device.
    pub fn state(&self) -> LossScale {
        let number = |tensor: &Tensor<1>| {
            let values = super::optimizer::numbers(tensor);
            values.first().copied().unwrap_or(f32::NAN)
        };
        LossScale {
            factor: number(&self.factor),
            steady: number(&self.steady),
            skipped: number(&self.skipped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_halved_where_a_norm_is_not_finite_and_doubled_after_patience() {
        let device = Device::flex();
        let mut scaling = Scaling::new(LossScale::default(), &device);
        let mut follow = |norm: f32| {
            let broken = scaling.follow(Tensor::from_floats([norm], &device));
            let broken = broken.float().into_data().try_to_vec::<f32>().unwrap()[0] > 0.5;
            (broken, scaling.state())
        };
        assert!(!follow(3.0).0);
        for (k, norm) in [f32::INFINITY, f32::NAN, f32::NEG_INFINITY]
            .into_iter()
            .enumerate()
        {
            let (broken, state) = follow(norm);
            assert!(broken);
            assert_eq!(state.skipped, k as f32 + 1.0);
            assert_eq!(state.factor, FIRST / 2_f32.powi(k as i32 + 1));
        }
        for k in 1..PATIENCE as u32 {
            assert_eq!(follow(f32::MAX).1.steady, k as f32);
        }
        let (_, state) = follow(0.0);
        assert_eq!((state.factor, state.steady), (FIRST / 4.0, 0.0));
        for _ in 0..40 {
            follow(f32::NAN);
        }
        assert!(scaling.state().is_least());
    }
}
