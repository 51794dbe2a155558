//! The table of methods, a row each: what the command line accepts and the window lists.

use super::plan::Flow;
use super::registry::{Estimator, Lookahead, Method, MethodCard, Scheme};

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
