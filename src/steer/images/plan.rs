//! What a steered run of pictures is asked to do.

use serde::{Deserialize, Serialize};

use crate::model::ImageMap;
use crate::process::SigmaSchedule;
use crate::reward::picture::PictureScore;
use crate::steer::registry::{Estimator, Lookahead, METHODS, Method, MethodCard, Scheme};
use crate::steer::{Flow, Renormalise, SteerError, SteerPlan};

/// A steered run of pictures: the same plan, map, reward and particle give the same picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImagePlan {
    /// How to steer; one of [`Self::METHODS`].
    pub method: Method,
    /// Base dynamics.
    pub flow: Flow,
    /// Steps `K`.
    pub steps: u32,
    /// Draws `N` per state; for Best-of-N the finished pictures each choice is made from.
    pub draws: u32,
    /// Root of the noise.
    pub seed: u64,
    /// First time.
    pub start: f64,
    /// Diffusion `sigma_t`, as in [`SteerPlan::schedule`].
    pub schedule: SigmaSchedule,
    /// Factor on the steering part; 1 is the tilt.
    pub guidance: f64,
    /// Size of the steering part. Published for images: [`Renormalise::Rescale`] by 1, which is not the tilt.
    pub renormalise: Renormalise,
    /// Time at which the mix goes over from gradient-free to gradient.
    pub mix_until: f64,
    /// As in [`SteerPlan::control_variate`].
    pub control_variate: bool,
    /// Power of the search's time grid.
    pub search_power: f64,
    /// Class that the velocity and the draws are told; `None` for no class.
    pub class: Option<u32>,
    /// Guidance scale of the class: 1 or one that the map was trained with.
    pub class_guidance: f32,
    /// Whether every step's pictures are kept.
    pub keep_frames: bool,
}

impl Default for ImagePlan {
    fn default() -> Self {
        Self::new(Method::MfmGf)
    }
}

impl ImagePlan {
    /// What can steer pictures. The rest needs closed forms, weights or a map that was not asked for here.
    pub const METHODS: [Method; 9] = [
        Method::Base,
        Method::MfmG,
        Method::MfmGf,
        Method::MfmMix,
        Method::Dps,
        Method::Lgd,
        Method::Search,
        Method::BestOfN,
        Method::SoftBestOfN,
    ];
    /// Most steps.
    pub const MAX_STEPS: u32 = 1_000;
    /// Most draws per state.
    pub const MAX_DRAWS: u32 = 4_096;
    /// Most pictures of a run.
    pub const MAX_PARTICLES: u32 = 4_096;
    /// Particles are numbered below this: with the most draws, candidates still have numbers of their own.
    pub const LAST_PARTICLE: u32 = 1 << 18;

    /// A method with the other options at their defaults: those of the plane, with fewer steps and draws, because a
    /// picture costs a thousand times as much as a point.
    pub fn new(method: Method) -> Self {
        let plane = SteerPlan::new(method);
        Self {
            method,
            flow: plane.flow,
            steps: 30,
            draws: 16,
            seed: plane.seed,
            start: plane.start,
            schedule: plane.schedule,
            guidance: plane.guidance,
            renormalise: plane.renormalise,
            mix_until: plane.mix_until,
            control_variate: plane.control_variate,
            search_power: plane.search_power,
            class: None,
            class_guidance: 1.0,
            keep_frames: false,
        }
    }

    /// The rows of the table that can steer pictures.
    pub fn methods() -> impl Iterator<Item = &'static MethodCard> {
        METHODS
            .iter()
            .filter(|card| Self::METHODS.contains(&card.method))
    }

    /// The options that mean the same in the plane.
    pub(super) fn in_plane(&self) -> SteerPlan {
        SteerPlan {
            flow: self.flow,
            steps: self.steps,
            draws: self.draws,
            particles: 1,
            seed: self.seed,
            start: self.start,
            schedule: self.schedule,
            guidance: self.guidance,
            renormalise: self.renormalise,
            mix_until: self.mix_until,
            control_variate: self.control_variate,
            search_power: self.search_power,
            ..SteerPlan::new(self.method)
        }
    }

    /// The times, `steps + 1` of them, from `start` to 1.
    pub fn grid(&self) -> Vec<f64> {
        self.in_plane().grid()
    }

    /// The estimator at a time: the mix is one or the other.
    pub(super) fn estimator_at(&self, t: f64) -> Estimator {
        match self.method.card().estimator {
            Estimator::Mix if t < self.mix_until => Estimator::GradientFree,
            Estimator::Mix => Estimator::Gradient,
            estimator => estimator,
        }
    }

    /// Whether the reward must have a gradient.
    pub fn needs_gradient(&self) -> bool {
        matches!(
            self.method.card().estimator,
            Estimator::Gradient | Estimator::Mix
        )
    }

    /// Whether the number of draws matters.
    pub fn draws_matter(&self) -> bool {
        !matches!(self.method, Method::Base | Method::Dps)
    }

    /// What a person should know before they trust the result.
    pub fn warning(&self) -> Option<&'static str> {
        self.in_plane().warning()
    }

    /// Function evaluations a picture as the papers count them, see [`SteerPlan::published_cost`].
    pub fn published_cost(&self) -> Option<u64> {
        self.in_plane().published_cost()
    }

    /// Network passes and rewards a picture that a run asks for, forward and backward: what a person waits for.
    pub fn network_rows(&self) -> u64 {
        let (k, n) = (u64::from(self.steps), u64::from(self.draws));
        let late = self.grid()[..self.steps as usize]
            .iter()
            .filter(|t| self.estimator_at(**t) == Estimator::Gradient)
            .count() as u64;
        match self.method {
            Method::MfmG | Method::MfmGf | Method::MfmMix => k * (1 + n) + 2 * n * late,
            Method::Dps | Method::Lgd => 3 * k,
            Method::Search | Method::BestOfN | Method::SoftBestOfN => k * n,
            _ => k,
        }
    }

    /// Refuses what cannot be run, whatever the map.
    ///
    /// # Errors
    /// [`SteerError::Plan`] naming the option, its value and what it may be.
    pub fn validate(&self) -> Result<(), SteerError> {
        let refuse = |name, value: String, want| Err(SteerError::Plan { name, value, want });
        if !Self::METHODS.contains(&self.method) {
            return refuse(
                "method",
                self.method.to_string(),
                "base, mfm-g, mfm-gf, mfm-mix, dps, lgd, search, best-of-n or soft-best-of-n: the others do not steer pictures here",
            );
        }
        if !(1..=Self::MAX_STEPS).contains(&self.steps) {
            return refuse("steps", self.steps.to_string(), "1 to 1000");
        }
        if !(1..=Self::MAX_DRAWS).contains(&self.draws) {
            return refuse("n", self.draws.to_string(), "1 to 4096");
        }
        if !(0.0..=100.0).contains(&self.class_guidance) {
            return refuse(
                "class guidance",
                self.class_guidance.to_string(),
                "1, or a scale that the map was trained with",
            );
        }
        self.in_plane().validate()
    }

    /// The same, and what this map and this reward cannot be asked.
    pub(super) fn check(
        &self,
        map: &dyn ImageMap,
        reward: &dyn PictureScore,
    ) -> Result<(), SteerError> {
        self.validate()?;
        let (of_map, of_reward) = (map.config().state(), reward.shape());
        if of_map != of_reward {
            return Err(SteerError::PictureSize { of_map, of_reward });
        }
        let draws = self.method.card().lookahead == Lookahead::Posterior;
        if draws && !map.has_jumps() {
            return Err(SteerError::NoPictureDraws);
        }
        if let (true, Some(part)) = (self.needs_gradient(), reward.without_gradient()) {
            return Err(SteerError::NoRewardGradient {
                part: part.to_owned(),
                method: self.method.card().title,
            });
        }
        Ok(())
    }

    /// Whether finished pictures are chosen from.
    pub(super) fn chooses_at_the_end(&self) -> bool {
        matches!(
            self.method.card().scheme,
            Scheme::BestOf | Scheme::SoftBestOf
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_for_pictures_has_a_plan_and_the_others_are_refused_by_name() {
        for card in &METHODS {
            let plan = ImagePlan::new(card.method);
            let fine = plan.validate().is_ok();
            assert_eq!(fine, ImagePlan::METHODS.contains(&card.method), "{card:?}");
        }
        let message = ImagePlan::new(Method::Tds)
            .validate()
            .unwrap_err()
            .to_string();
        assert!(message.contains("tds") && message.contains("mfm-gf"));
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_its_option() {
        for (plan, word) in [
            (
                ImagePlan {
                    steps: 0,
                    ..ImagePlan::default()
                },
                "steps",
            ),
            (
                ImagePlan {
                    draws: 10_000,
                    ..ImagePlan::default()
                },
                "n is 10000",
            ),
            (
                ImagePlan {
                    start: f64::NAN,
                    ..ImagePlan::default()
                },
                "start",
            ),
            (
                ImagePlan {
                    class_guidance: f32::INFINITY,
                    ..ImagePlan::default()
                },
                "class guidance",
            ),
            (
                ImagePlan {
                    guidance: -1.0,
                    ..ImagePlan::default()
                },
                "guidance",
            ),
        ] {
            let message = plan.validate().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_plan_survives_a_round_trip_and_may_leave_out_what_is_usual() {
        let plan = ImagePlan {
            renormalise: Renormalise::Rescale(1.0),
            class: Some(7),
            flow: Flow::Sde,
            ..ImagePlan::new(Method::MfmG)
        };
        let text = ron::to_string(&plan).unwrap();
        assert_eq!(ron::from_str::<ImagePlan>(&text).unwrap(), plan);
        let short: ImagePlan = ron::from_str("(steps: 12)").unwrap();
        assert_eq!((short.steps, short.draws), (12, 16));
        assert!(ron::from_str::<ImagePlan>("(stepz: 12)").is_err());
    }

    #[test]
    fn renormalising_and_one_draw_without_gradient_are_warned_of() {
        let warned = |plan: &ImagePlan| plan.warning().unwrap_or_default().to_owned();
        let one = ImagePlan {
            draws: 1,
            ..ImagePlan::new(Method::MfmGf)
        };
        assert!(warned(&one).contains("does not steer"));
        let rescaled = ImagePlan {
            renormalise: Renormalise::Rescale(1.0),
            ..ImagePlan::new(Method::MfmG)
        };
        assert!(warned(&rescaled).contains("not the tilt"));
        assert_eq!(ImagePlan::default().warning(), None);
    }
}
