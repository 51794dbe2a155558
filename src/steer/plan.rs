//! What a run is asked to do: every option with its safe default.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::choices::{ControlForm, DiamondWeights, Flow, Preset, Renormalise, Resampling};
use super::registry::{Estimator, Lookahead, Method, Scheme};
use super::run::SteerError;
use crate::lookahead::Source;
use crate::process::{SigmaSchedule, uniform_grid};

/// A steered run, whole: the same plan and scene give the same numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SteerPlan {
    /// How to steer.
    pub method: Method,
    /// Base dynamics.
    pub flow: Flow,
    /// Steps `K`.
    pub steps: u32,
    /// Draws `N` per state; for Best-of-N the finished samples each choice is made from.
    pub draws: u32,
    /// Particles, which is the number of samples that come out.
    pub particles: u32,
    /// Root of the noise.
    pub seed: u64,
    /// First time.
    pub start: f64,
    /// Diffusion `sigma_t`. Its cap does not touch gradient-free steering of the ODE, which has no `sigma_t`.
    pub schedule: SigmaSchedule,
    /// Where posterior draws come from. `None`: one step of the checkpoint, or without one the closed form
    /// (the GLASS ODE where gradients must pass through the draw).
    pub source: Option<Source>,
    /// Steps of an inner rollout or of the exact flow map.
    pub rollout_steps: u32,
    /// Factor on the steering part; 1 is the tilt.
    pub guidance: f64,
    /// Size of the steering part.
    pub renormalise: Renormalise,
    /// Standard deviation of the data in the damping formula ("Are we really tilting?"); `None`: undamped.
    pub damping: Option<f64>,
    /// Time at which the mix goes over from gradient-free to gradient.
    pub mix_until: f64,
    /// Whether gradient-free steering is measured from the mean of its own draws (the released code: their common noise
    /// cancels, one draw does not steer) or from the denoiser (the paper's formula: unbiased and noisier).
    pub control_variate: bool,
    /// Particles are resampled when their effective number falls below this share.
    pub resample_below: f64,
    /// How they are.
    pub resampling: Resampling,
    /// Particles of one independent population; `None`: all are one.
    pub population: Option<u32>,
    /// Power of the search's time grid.
    pub search_power: f64,
    /// Whether the search keeps one future for all particles rather than one for each.
    pub search_overall: bool,
    /// Signal-to-noise factor of Weighted Diamond Maps.
    pub diamond_snr: f64,
    /// Their weights.
    pub diamond_weights: DiamondWeights,
    /// Form of flow-map reward guidance.
    pub control: ControlForm,
    /// Time at which flow-map reward guidance stops: the last step is then one jump of the map to the data ("early
    /// stop": 3 steps are 3 evaluations in all without the Jacobian). `None`: guided to the end.
    pub control_until: Option<f64>,
    /// Whether every step's particles are kept.
    pub keep_trajectory: bool,
}

impl Default for SteerPlan {
    fn default() -> Self {
        Self::new(Method::MfmGf)
    }
}

impl SteerPlan {
    /// Most steps.
    pub const MAX_STEPS: u32 = 10_000;
    /// Most draws per state.
    pub const MAX_DRAWS: u32 = 65_536;
    /// Most particles.
    pub const MAX_PARTICLES: u32 = 1 << 20;
    /// Most draws of one step, particles times draws.
    pub const MAX_BATCH: u64 = 1 << 28;
    /// Most finished samples that Best-of-N chooses from.
    pub const MAX_CANDIDATES: u64 = 1 << 23;

    /// A method with every option at its default: the dynamics it is at home in, as published.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            flow: method.card().flows[0],
            steps: 150,
            draws: 64,
            particles: 2048,
            seed: 11,
            start: 0.01,
            schedule: SigmaSchedule::PUBLISHED,
            source: None,
            rollout_steps: 16,
            guidance: 1.0,
            renormalise: Renormalise::Off,
            damping: None,
            mix_until: 0.6,
            control_variate: true,
            resample_below: 0.5,
            resampling: Resampling::Systematic,
            population: None,
            search_power: 2.5,
            search_overall: false,
            diamond_snr: 20.0,
            diamond_weights: DiamondWeights::Full,
            control: ControlForm::Jacobian,
            control_until: None,
            keep_trajectory: false,
        }
    }

    /// The same plan with a start and a schedule that go together.
    #[must_use]
    pub fn with_preset(mut self, preset: Preset) -> Self {
        (self.start, self.schedule) = match (preset, self.flow) {
            (Preset::Exact, Flow::Ode) => (0.001, SigmaSchedule::UNCAPPED),
            _ => (0.01, SigmaSchedule::PUBLISHED),
        };
        self
    }

    /// The times, `steps + 1` of them, from `start` to 1.
    pub fn grid(&self) -> Vec<f64> {
        if let Some(until) = self.stops_early() {
            let mut grid = uniform_grid(self.start, until, self.steps as usize - 1);
            grid.push(1.0);
            return grid;
        }
        let mut grid = uniform_grid(self.start, 1.0, self.steps as usize);
        if self.method.card().scheme == Scheme::Search {
            for t in &mut grid {
                *t = t.powf(self.search_power);
            }
        }
        grid
    }

    /// Whether steering at a time weighs draws without differentiating a reward.
    pub(super) fn is_gradient_free_at(&self, t: f64) -> bool {
        match self.method.card().estimator {
            Estimator::GradientFree => true,
            Estimator::Mix => t < self.mix_until,
            _ => false,
        }
    }

    /// When guidance stops before the end, for the one method that can.
    pub(super) fn stops_early(&self) -> Option<f64> {
        self.control_until
            .filter(|_| self.method.card().scheme == Scheme::Control && self.steps > 1)
    }

    /// Where posterior draws come from, given whether there is a checkpoint and whether they are differentiated.
    pub fn draws_source(&self, has_model: bool, differentiated: bool) -> Source {
        match self.method.card().lookahead {
            Lookahead::SdeRollout => Source::Sde(self.rollout_steps),
            Lookahead::GlassRollout => Source::Glass(self.rollout_steps),
            _ => match self.source {
                // A component and its Gaussian are no map: their gradient would never move mass between modes.
                Some(Source::Exact | Source::Sde(_)) if differentiated => {
                    Source::Glass(self.rollout_steps)
                }
                Some(source) => source,
                None if has_model => Source::OneStep,
                None if differentiated => Source::Glass(self.rollout_steps),
                None => Source::Exact,
            },
        }
    }

    /// The sources that the plan's posterior draws truly come from, in the order of their use: where draws must be
    /// differentiated, the closed form and SDE rollouts give way to the GLASS ODE. Empty for methods that draw nothing.
    pub fn sources(&self, has_model: bool) -> Vec<Source> {
        let card = self.method.card();
        let draws = matches!(
            card.lookahead,
            Lookahead::Posterior | Lookahead::SdeRollout | Lookahead::GlassRollout
        );
        let phases: &[bool] = match card.estimator {
            _ if !draws => &[],
            Estimator::Gradient => &[true],
            Estimator::Mix => &[false, true],
            _ => &[false],
        };
        let mut sources: Vec<Source> = phases
            .iter()
            .map(|differentiated| self.draws_source(has_model, *differentiated))
            .collect();
        sources.dedup();
        sources
    }

    /// What a person should know before they trust the result.
    pub fn warning(&self) -> Option<&'static str> {
        let card = self.method.card();
        if card.estimator == Estimator::GradientFree && self.draws == 1 && !self.control_variate {
            return Some(
                "MFM-GF with one draw does not steer: without the control variate it adds that draw's noise alone. Use MFM-G, or more draws",
            );
        }
        if card.estimator == Estimator::GradientFree && self.draws == 1 {
            return Some(
                "MFM-GF with one draw does not steer: its one weight is 1. Use MFM-G, or more draws",
            );
        }
        if card.estimator == Estimator::Mix && self.draws == 1 {
            return Some(
                "with one draw the gradient-free part does not steer: only the late part, MFM-G, does",
            );
        }
        if self.renormalise != Renormalise::Off && card.scheme == Scheme::Guided {
            return Some(
                "renormalised steering is not the tilt: the strength of the reward cancels",
            );
        }
        None
    }

    /// Function evaluations a particle as the papers count them: MFM-GF `K + 2NK`, MFM-G `K + 4NK`, DPS `4NK`,
    /// search `2MNK`, Best-of-N `K N + N`; `None` where none is published.
    pub fn published_cost(&self) -> Option<u64> {
        let (k, n) = (u64::from(self.steps), u64::from(self.draws));
        Some(match self.method {
            Method::Base => k,
            Method::MfmGf => k + 2 * n * k,
            Method::MfmG => k + 4 * n * k,
            Method::Dps => 4 * k,
            Method::Search => 2 * n * k,
            Method::BestOfN | Method::SoftBestOfN => k * n + n,
            _ => return None,
        })
    }

    /// Refuses what cannot be run.
    ///
    /// # Errors
    /// [`SteerError::Plan`] naming the option, its value and what it may be.
    pub fn validate(&self) -> Result<(), SteerError> {
        let card = self.method.card();
        let check = |fine: bool, name: &'static str, value: String, want: &'static str| {
            if fine {
                Ok(())
            } else {
                Err(SteerError::Plan { name, value, want })
            }
        };
        let between = |v: f64, low: f64, high: f64| (low..=high).contains(&v);
        check(
            card.flows.contains(&self.flow),
            "dynamics",
            format!("{} with {}", self.flow, card.name),
            match card.flows {
                [Flow::Sde] => "sde: this method needs its noise",
                _ => "ode: this method has no noise",
            },
        )?;
        check(
            (1..=Self::MAX_STEPS).contains(&self.steps),
            "steps",
            self.steps.to_string(),
            "1 to 10000",
        )?;
        check(
            (1..=Self::MAX_DRAWS).contains(&self.draws),
            "n",
            self.draws.to_string(),
            "1 to 65536",
        )?;
        check(
            (1..=Self::MAX_PARTICLES).contains(&self.particles)
                && u64::from(self.particles) * u64::from(self.draws) <= Self::MAX_BATCH,
            "particles",
            self.particles.to_string(),
            "1 to 1048576, and at most 2^28 when multiplied by n",
        )?;
        check(
            !matches!(card.scheme, Scheme::BestOf | Scheme::SoftBestOf)
                || u64::from(self.particles) * u64::from(self.draws) <= Self::MAX_CANDIDATES,
            "particles times n",
            (u64::from(self.particles) * u64::from(self.draws)).to_string(),
            "at most 8388608 when the best of n finished samples is kept",
        )?;
        check(
            between(self.start, 1e-6, 0.5),
            "start",
            self.start.to_string(),
            "a time from 0.000001 to 0.5",
        )?;
        check(
            self.schedule.cap.is_none_or(|cap| between(cap, 0.0, 1e9)),
            "cap",
            or_none(self.schedule.cap),
            "none, or a number from 0",
        )?;
        check(
            (1..=1024).contains(&self.rollout_steps),
            "rollout steps",
            self.rollout_steps.to_string(),
            "1 to 1024",
        )?;
        check(
            between(self.guidance, 0.0, 1e6),
            "guidance",
            self.guidance.to_string(),
            "a number from 0",
        )?;
        check(
            match self.renormalise {
                Renormalise::Off => true,
                Renormalise::Rescale(scale) | Renormalise::Clip(scale) => between(scale, 0.0, 1e6),
            },
            "renormalisation",
            match self.renormalise {
                Renormalise::Off => "off".into(),
                Renormalise::Rescale(scale) => format!("rescale {scale}"),
                Renormalise::Clip(scale) => format!("clip {scale}"),
            },
            "off, or a scale from 0",
        )?;
        check(
            self.damping.is_none_or(|sd| between(sd, 0.0, 1e6)),
            "damping",
            or_none(self.damping),
            "none, or a standard deviation from 0",
        )?;
        check(
            between(self.mix_until, 0.0, 1.0),
            "time of the mix",
            self.mix_until.to_string(),
            "a time from 0 to 1",
        )?;
        check(
            card.scheme != Scheme::Control
                || self
                    .control_until
                    .is_none_or(|until| until > self.start && until < 1.0 && self.steps > 1),
            "early stop",
            format!("{} with {} steps", or_none(self.control_until), self.steps),
            "none, or a time between the start and 1 and at least 2 steps",
        )?;
        check(
            between(self.resample_below, 0.0, 1.0),
            "resampling threshold",
            self.resample_below.to_string(),
            "a share from 0 to 1",
        )?;
        check(
            self.population.is_none_or(|size| size >= 1),
            "population",
            or_none(self.population),
            "at least 1",
        )?;
        check(
            between(self.search_power, 0.1, 10.0),
            "search power",
            self.search_power.to_string(),
            "a number from 0.1 to 10",
        )?;
        check(
            between(self.diamond_snr, 1.0, 1e6),
            "snr",
            self.diamond_snr.to_string(),
            "a number from 1",
        )
    }
}

/// A value of an option in a message.
fn or_none(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
