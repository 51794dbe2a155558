//! What a computation asked for.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Numbers of evaluations, one for each item of a batch: a network call on 64 rows counts 64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Forward passes of a network (or of the exact velocity in its place).
    pub network_forward: u64,
    /// Backward passes of a network.
    pub network_backward: u64,
    /// Rewards computed.
    pub reward: u64,
    /// Gradients of rewards computed.
    pub reward_gradient: u64,
}

impl Counters {
    /// The four together, the sum that is shown beside them.
    pub const fn total(&self) -> u64 {
        self.network_forward + self.network_backward + self.reward + self.reward_gradient
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.network_forward += other.network_forward;
        self.network_backward += other.network_backward;
        self.reward += other.reward;
        self.reward_gradient += other.reward_gradient;
    }
}

impl Add for Counters {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_kind_by_kind() {
        let a = Counters {
            network_forward: 1,
            network_backward: 2,
            reward: 3,
            reward_gradient: 4,
        };
        assert_eq!((a + a).reward, 6);
        assert_eq!((a + Counters::default()).total(), 10);
    }
}
