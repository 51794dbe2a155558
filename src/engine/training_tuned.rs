//! Samples of a tuned velocity beside the exact tilted target, beside the velocity as it was, and beside steering.

use std::sync::Arc;

use crate::model::{FusedMlp, GuidedMlp};
use crate::process::{Address, Purpose};
use crate::reward::TiltedTarget;
use crate::steer::{Flow, Method, SteerPlan, SteerScene, TargetSample, run as steer};
use crate::train::finetune::Finetuner;

use super::training_message::{Sampled, TrainBeside, TunedCheck};

/// Samples of a look, and steps from noise to data.
const SAMPLES: u32 = 1024;
const STEPS: u32 = 40;
/// Draws of the steering beside which the samples stand.
const DRAWS: u32 = 16;
/// Pairs of exact samples behind the floor.
const FLOOR_PAIRS: usize = 8;

/// Who says how far samples are from the tilted target.
pub(super) struct Judge {
    /// Absent where the target cannot be normalised.
    target: Option<TargetSample>,
    floor: f64,
}

impl Judge {
    pub fn new(tuner: &Finetuner) -> Self {
        let (world, reward) = (&tuner.world().mixture, tuner.reward());
        let target = TargetSample::new(world, reward, SAMPLES as usize, 0).ok();
        let floor = target.as_ref().map_or(0.0, |target| {
            target.floor(world, SAMPLES as usize, FLOOR_PAIRS).sliced_w2
        });
        Self { target, floor }
    }

    fn score(&self, tuner: &Finetuner, samples: &[[f32; 2]]) -> Option<TunedCheck> {
        let score = self
            .target
            .as_ref()?
            .score(&tuner.world().mixture, tuner.reward(), samples);
        Some(TunedCheck {
            distance: score.sliced_w2,
            floor: self.floor,
            mean_reward: score.mean_reward,
            target_mean_reward: score.target_mean_reward,
        })
    }

    /// Samples by the ODE, or by what `plan` says; the same noise for all.
    fn samples(
        tuner: &Finetuner,
        network: &FusedMlp,
        plan: SteerPlan,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Option<Vec<[f32; 2]>> {
        let plan = SteerPlan {
            particles: SAMPLES,
            steps: STEPS,
            flow: Flow::Ode,
            ..plan
        };
        let guided = GuidedMlp::new(network);
        let scene = SteerScene {
            world: &tuner.world().mixture,
            reward: tuner.reward(),
            model: Some(&guided),
        };
        let done = steer(&plan, scene, &mut |_: f32| wanted());
        done.ok().map(|run| run.samples)
    }

    /// Samples of the tuned velocity; `None` when `wanted` says no.
    pub fn look(
        &self,
        tuner: &Finetuner,
        network: &FusedMlp,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Option<Sampled> {
        let samples = Self::samples(tuner, network, SteerPlan::new(Method::Base), wanted)?;
        Some(Sampled {
            name: "tuned".to_owned(),
            check: self.score(tuner, &samples),
            samples: Arc::new(samples),
        })
    }

    /// What the samples stand beside; `None` when `wanted` says no.
    pub fn beside(
        &self,
        tuner: &Finetuner,
        map: &FusedMlp,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Option<TrainBeside> {
        let sampled = |name: &str, plan| {
            let samples = Self::samples(tuner, map, plan, wanted)?;
            Some(Sampled {
                name: name.to_owned(),
                check: self.score(tuner, &samples),
                samples: Arc::new(samples),
            })
        };
        let untuned = sampled("before", SteerPlan::new(Method::Base))?;
        let steered = SteerPlan {
            draws: DRAWS,
            ..SteerPlan::new(Method::MfmGf)
        };
        let steered = sampled(&format!("MFM-GF, {DRAWS} draws"), steered)?;
        let target = TiltedTarget::new(&tuner.world().mixture, tuner.reward()).ok();
        let mut exact = vec![[0.0; 2]; SAMPLES as usize];
        if let Some(target) = &target {
            target.sample_into(Address::new(0, Purpose::EvalDraw, 0), 0, &mut exact);
        } else {
            exact.clear();
        }
        Some(TrainBeside {
            target: target.map(Arc::new),
            exact: Arc::new(exact),
            untuned,
            steered,
        })
    }
}
