//! The table of methods: what the command line accepts and the window lists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

const BOTH: &[Flow] = &[Flow::Ode, Flow::Sde];
const SDE: &[Flow] = &[Flow::Sde];
const ODE: &[Flow] = &[Flow::Ode];

const fn card(
    method: Method,
    [name, title, summary, source]: [&'static str; 4],
    (lookahead, estimator, scheme): (Lookahead, Estimator, Scheme),
    flows: &'static [Flow],
    samples_the_tilt: bool,
) -> MethodCard {
    MethodCard {
        method,
        name,
        title,
        summary,
        source,
        lookahead,
        estimator,
        scheme,
        flows,
        samples_the_tilt,
    }
}

const MFM: &str = "Meta Flow Maps, arXiv 2601.14430";
const DIAMOND: &str = "Diamond Maps, arXiv 2602.05993";

/// Every method.
pub static METHODS: [MethodCard; 18] = {
    use Estimator as E;
    use Lookahead as L;
    use Scheme as S;
    [
        card(
            Method::Base,
            [
                "base",
                "Base",
                "The unguided process: samples of the world itself.",
                "Flow matching",
            ],
            (L::Nothing, E::None, S::Guided),
            BOTH,
            false,
        ),
        card(
            Method::Exact,
            [
                "exact",
                "Exact value",
                "The value's own gradient, in closed form or by quadrature: the ground truth of steering.",
                "Doob's transform on a Gaussian mixture",
            ],
            (L::ClosedForm, E::ClosedForm, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::MfmG,
            [
                "mfm-g",
                "MFM-G",
                "Draws clean futures and follows the gradient of their log-mean-exp reward back through the map.",
                MFM,
            ],
            (L::Posterior, E::Gradient, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::MfmGf,
            [
                "mfm-gf",
                "MFM-GF",
                "Draws clean futures and moves toward their reward-weighted mean: no reward gradient.",
                MFM,
            ],
            (L::Posterior, E::GradientFree, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::MfmMix,
            [
                "mfm-mix",
                "MFM mix",
                "MFM-GF while the future is undecided, MFM-G once it is.",
                "Both estimators of arXiv 2601.14430, switched at a time",
            ],
            (L::Posterior, E::Mix, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::Dps,
            [
                "dps",
                "DPS",
                "Follows the reward's gradient at the mean of all futures, which may be no future at all.",
                "Diffusion posterior sampling, Chung et al. 2023",
            ],
            (L::Tweedie, E::Gradient, S::Guided),
            BOTH,
            false,
        ),
        card(
            Method::Lgd,
            [
                "lgd",
                "LGD",
                "Like DPS, with a Gaussian cloud around the mean in place of the futures.",
                "Loss-guided diffusion, Song et al. 2023",
            ],
            (L::Gaussian, E::Gradient, S::Guided),
            BOTH,
            false,
        ),
        card(
            Method::RolloutSde,
            [
                "rollout-sde",
                "SDE rollouts",
                "MFM-GF with futures simulated step by step by the SDE: right as its steps grow, and slow.",
                "Inner rollouts, arXiv 2601.14430",
            ],
            (L::SdeRollout, E::GradientFree, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::RolloutGlass,
            [
                "rollout-glass",
                "GLASS rollouts",
                "MFM-GF with futures simulated by the GLASS ODE: right, and slow.",
                "GLASS Flows, arXiv 2509.25170",
            ],
            (L::GlassRollout, E::GradientFree, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::Wdm,
            [
                "wdm",
                "Weighted Diamond Maps",
                "Noises the state again, maps it to the data and weights the results: training-free.",
                DIAMOND,
            ],
            (L::Renoised, E::Gradient, S::Guided),
            BOTH,
            true,
        ),
        card(
            Method::Tds,
            [
                "tds",
                "TDS",
                "A particle filter that proposes with DPS and corrects by weights.",
                "Twisted diffusion sampler, Wu et al. 2023",
            ],
            (L::Tweedie, E::Gradient, S::Twisted),
            SDE,
            true,
        ),
        card(
            Method::Fk,
            [
                "fk",
                "FK steering",
                "A particle filter that proposes unguided and weights by the reward of the mean.",
                "Feynman-Kac steering, Singhal et al. 2025",
            ],
            (L::Tweedie, E::Value, S::Potential),
            SDE,
            true,
        ),
        card(
            Method::ValueSmc,
            [
                "value-smc",
                "Value SMC",
                "A particle filter that steps through one drawn future and weights by estimated values.",
                DIAMOND,
            ],
            (L::Posterior, E::Value, S::ValueSmc),
            SDE,
            true,
        ),
        card(
            Method::Fmtt,
            [
                "fmtt",
                "FMTT",
                "Tilts by the reward at the flow map's end point, with running weights that make it right.",
                "Flow-map trajectory tilting, arXiv 2511.22688",
            ],
            (L::FlowMap, E::Gradient, S::Tilting),
            SDE,
            true,
        ),
        card(
            Method::Fmrg,
            [
                "fmrg",
                "FMRG",
                "Optimal control by the reward at the flow map's end point: reward against effort, not the tilt.",
                "Flow-map reward guidance, arXiv 2604.27147",
            ],
            (L::FlowMap, E::Gradient, S::Control),
            ODE,
            false,
        ),
        card(
            Method::Search,
            [
                "search",
                "MFM-Search",
                "Draws futures, keeps the best and noises it again: greedy, so it over-optimises.",
                MFM,
            ],
            (L::Posterior, E::Best, S::Search),
            BOTH,
            false,
        ),
        card(
            Method::BestOfN,
            [
                "best-of-n",
                "Best-of-N",
                "Finishes N samples and keeps the best: over-optimises as N grows.",
                "Rejection baseline",
            ],
            (L::Nothing, E::None, S::BestOf),
            BOTH,
            false,
        ),
        card(
            Method::SoftBestOfN,
            [
                "soft-best-of-n",
                "Soft Best-of-N",
                "Finishes N samples and keeps one at random, by softmax of the rewards: the honest baseline.",
                "Self-normalised importance resampling",
            ],
            (L::Nothing, E::None, S::SoftBestOf),
            BOTH,
            true,
        ),
    ]
};

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
