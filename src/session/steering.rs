//! What the Steering workspace shows: the reward, the methods side by side, the clock.

use serde::{Deserialize, Serialize};

use crate::reward::{Reward, Shape};
use crate::steer::{Method, SteerPlan};

/// What the window is for at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workspace {
    /// What one state could still become.
    #[default]
    Posterior,
    /// Methods that steer, side by side.
    Steering,
    /// A network that learns the world.
    Train,
    /// What a half-formed picture could still become.
    Images,
}

/// How the reward is painted under the particles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewardStyle {
    /// Not at all.
    Hidden,
    /// A heat map.
    Heat,
    /// Lines of equal reward.
    Contours,
}

/// What every panel of the comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SteerShow {
    /// Heat map of `p_t`.
    pub density: bool,
    /// The reward.
    pub reward: RewardStyle,
    /// Contours of the exact tilted target.
    pub target: bool,
    /// The last steps of each particle.
    pub trails: bool,
    /// The lookahead draws of the selected particle.
    pub futures: bool,
}

impl Default for SteerShow {
    fn default() -> Self {
        Self {
            density: false,
            reward: RewardStyle::Heat,
            target: true,
            trails: true,
            futures: true,
        }
    }
}

/// A comparison of methods: everything that decides its numbers, and what is shown of it. The world, the checkpoint
/// and the seed are the session's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steering {
    /// What is rewarded.
    pub reward: Reward,
    /// One method a panel, 1 to 6. `seed`, `particles` and `keep_trajectory` of a plan are not used: see [`Self::plans`].
    pub panels: Vec<SteerPlan>,
    /// Particles of every panel.
    pub particles: u32,
    /// Whether the checkpoint moves and draws; otherwise the closed forms do.
    pub learned: bool,
    /// The one clock, 0 noise, 1 data.
    pub t: f64,
    /// The particle under the lens, the same number in every panel.
    pub selected: Option<u32>,
    /// What is shown.
    pub show: SteerShow,
}

impl Default for Steering {
    /// DPS beside the Meta Flow Map's two estimators and the exact value.
    fn default() -> Self {
        let panel = |method, draws| SteerPlan {
            draws,
            steps: 100,
            ..SteerPlan::new(method)
        };
        Self {
            // A constant: its numbers are valid.
            reward: Reward::new(
                Shape::Measurement {
                    direction: [1.2, -0.8],
                    observed: -1.0,
                    sd: 0.2,
                },
                1.0,
            )
            .expect("the numbers are finite and positive"),
            panels: vec![
                panel(Method::Dps, 1),
                panel(Method::MfmG, 16),
                panel(Method::MfmGf, 64),
                panel(Method::Exact, 1),
            ],
            particles: 1024,
            learned: false,
            t: 0.0,
            selected: None,
            show: SteerShow::default(),
        }
    }
}

impl Steering {
    /// Most panels side by side.
    pub const MAX_PANELS: usize = 6;
    /// Most particles of a panel in the window.
    pub const MAX_PARTICLES: u32 = 16_384;
    /// Most steps of a panel in the window: every step's particles are kept.
    pub const MAX_STEPS: u32 = 1_000;

    /// The plans as they run: with this seed, these particles, and every step kept.
    pub fn plans(&self, seed: u64, particles: u32) -> Vec<SteerPlan> {
        self.panels
            .iter()
            .map(|plan| SteerPlan {
                seed,
                particles,
                keep_trajectory: true,
                ..plan.clone()
            })
            .collect()
    }

    /// What is wrong with it: the field, its value, and what is accepted.
    pub(super) fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        if !(1..=Self::MAX_PANELS).contains(&self.panels.len()) {
            let count = self.panels.len().to_string();
            return Some(("steering.panels", count, "1 to 6 panels are possible"));
        }
        if !(1..=Self::MAX_PARTICLES).contains(&self.particles) {
            let particles = self.particles.to_string();
            return Some((
                "steering.particles",
                particles,
                "1 to 16,384 are possible in the window",
            ));
        }
        if !(0.0..=1.0).contains(&self.t) {
            return Some(("steering.t", self.t.to_string(), "a time lies in [0, 1]"));
        }
        if let Some(plan) = self.panels.iter().find(|p| p.steps > Self::MAX_STEPS) {
            return Some((
                "steering.panels.steps",
                plan.steps.to_string(),
                "at most 1,000 steps are possible in the window",
            ));
        }
        self.plans(0, self.particles)
            .iter()
            .find_map(|plan| plan.validate().err())
            .map(|e| {
                (
                    "steering.panels",
                    e.to_string(),
                    "every plan must be possible",
                )
            })
    }
}

/// What a teacher says of a session: shown above the panels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// A short name.
    pub title: String,
    /// Two sentences: what to do, what to see.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_comparison_can_run() {
        let steering = Steering::default();
        assert_eq!(steering.fault(), None);
        assert!(
            steering
                .plans(3, 16)
                .iter()
                .all(|p| p.seed == 3 && p.particles == 16 && p.keep_trajectory)
        );
    }

    #[test]
    fn what_cannot_run_is_named() {
        let fault = |edit: fn(&mut Steering)| {
            let mut steering = Steering::default();
            edit(&mut steering);
            steering.fault().unwrap()
        };
        assert_eq!(fault(|s| s.panels.clear()).0, "steering.panels");
        assert_eq!(fault(|s| s.particles = 1 << 30).0, "steering.particles");
        assert_eq!(fault(|s| s.t = f64::NAN).0, "steering.t");
        assert!(fault(|s| s.panels[0].steps = 0).1.contains("steps"));
        assert_eq!(
            fault(|s| s.panels[0].steps = 5000).0,
            "steering.panels.steps"
        );
    }
}
