//! What a method is: its three choices, its names, and its row of the table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use super::methods::METHODS;
use super::plan::Flow;

/// How a method looks from `x_t` to `x_1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookahead {
    /// Not at all.
    Nothing,
    /// Draws from the posterior, by whatever source the plan names.
    Posterior,
    /// Draws by rolling the memoryless SDE out.
    SdeRollout,
    /// Draws by integrating the GLASS ODE.
    GlassRollout,
    /// The posterior's mean, one point.
    Tweedie,
    /// Gaussian draws around the posterior's mean.
    Gaussian,
    /// The deterministic flow map `X_{t,1}(x)`.
    FlowMap,
    /// The state noised again to an earlier time, then the flow map.
    Renoised,
    /// The closed form.
    ClosedForm,
}

/// How the lookahead becomes a value gradient, or a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// Nothing is estimated.
    None,
    /// Gradient of the log-mean-exp of rewards, through the lookahead.
    Gradient,
    /// Self-normalised weights; the reward is never differentiated.
    GradientFree,
    /// Gradient-free early, gradient late.
    Mix,
    /// The value alone, no gradient.
    Value,
    /// The best draw.
    Best,
    /// The closed form.
    ClosedForm,
}

/// What is done with the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Added to the drift of every particle.
    Guided,
    /// Proposal of a particle filter, corrected by weights (TDS).
    Twisted,
    /// Weights of a particle filter whose proposal is the base SDE (FK steering).
    Potential,
    /// Weights of a particle filter whose proposal is the exact transition through one draw.
    ValueSmc,
    /// Drift and running weight of flow-map trajectory tilting.
    Tilting,
    /// Drift of flow-map reward guidance, an optimal control and not the tilt.
    Control,
    /// The best of several finished samples.
    BestOf,
    /// One of several finished samples, by softmax of the rewards.
    SoftBestOf,
    /// The best future, noised again.
    Search,
}

impl Scheme {
    /// Whether particles carry weights and are resampled.
    pub fn is_weighted(self) -> bool {
        matches!(
            self,
            Self::Twisted | Self::Potential | Self::ValueSmc | Self::Tilting
        )
    }
}

/// A way to steer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// No steering.
    Base,
    /// Closed-form value gradient.
    Exact,
    /// Meta Flow Map, gradient.
    MfmG,
    /// Meta Flow Map, gradient-free.
    MfmGf,
    /// The second, then the first.
    MfmMix,
    /// Diffusion posterior sampling.
    Dps,
    /// Loss-guided diffusion.
    Lgd,
    /// Gradient-free on SDE rollouts.
    RolloutSde,
    /// Gradient-free on GLASS rollouts.
    RolloutGlass,
    /// Weighted Diamond Maps.
    Wdm,
    /// Twisted diffusion sampler.
    Tds,
    /// Feynman-Kac steering.
    Fk,
    /// SMC on values.
    ValueSmc,
    /// Flow-map trajectory tilting.
    Fmtt,
    /// Flow-map reward guidance.
    Fmrg,
    /// Greedy search over futures.
    Search,
    /// The best of N.
    BestOfN,
    /// One of N by softmax.
    SoftBestOfN,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct MethodCard {
    /// Which method.
    pub method: Method,
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// Its name on screen.
    pub title: &'static str,
    /// One sentence for a person.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// First choice.
    pub lookahead: Lookahead,
    /// Second choice.
    pub estimator: Estimator,
    /// Third choice.
    pub scheme: Scheme,
    /// Base dynamics for which it is defined, the usual one first.
    pub flows: &'static [Flow],
    /// Whether the samples follow the tilted target as steps and draws grow.
    pub samples_the_tilt: bool,
}

impl MethodCard {
    /// Whether the method estimates the gradient of the value.
    pub fn estimates_a_gradient(&self) -> bool {
        !matches!(
            self.estimator,
            Estimator::None | Estimator::Value | Estimator::Best
        )
    }
}

impl Method {
    /// Its row of the table.
    pub fn card(self) -> &'static MethodCard {
        METHODS
            .iter()
            .find(|card| card.method == self)
            // A test walks over all methods.
            .expect("every method has a row in the table")
    }

    /// The names of all, for messages.
    pub fn names() -> String {
        METHODS.map(|card| card.name).join(", ")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.card().name)
    }
}

/// The text names no method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no method: choose {names}", names = Method::names())]
pub struct ParseMethodError(String);

impl FromStr for Method {
    type Err = ParseMethodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        METHODS
            .iter()
            .find(|card| card.name == text)
            .map(|card| card.method)
            .ok_or_else(|| ParseMethodError(text.chars().take(60).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_one_row_under_its_own_name() {
        for card in &METHODS {
            assert_eq!(card.name.parse(), Ok(card.method));
            assert_eq!(card.method.card().name, card.name);
            assert!(!card.flows.is_empty() && card.summary.ends_with('.'));
            let serialised = serde_json::to_string(&card.method).unwrap();
            assert_eq!(serialised, format!("\"{}\"", card.name));
        }
        assert!(
            "sps"
                .parse::<Method>()
                .unwrap_err()
                .to_string()
                .contains("mfm-gf")
        );
    }
}
