//! What a plan chooses between.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The base dynamics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// `dx = (b + sigma^2/2 grad V) dt`.
    Ode,
    /// `dx = (b + sigma^2/2 s + sigma^2 grad V) dt + sigma dW`.
    Sde,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ode => "ode",
            Self::Sde => "sde",
        })
    }
}

/// Start and diffusion that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Start at 0.01, `(1 - t) / t` capped at 25.
    AsPublished,
    /// For the ODE: start at 0.001 without a cap, which leaves less of the early tilt out. The SDE does not mind the
    /// cap and needs the later start for its step size, so it keeps the published values.
    Exact,
}

/// What is done to the size of the steering part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renormalise {
    /// Nothing: the tilt.
    Off,
    /// Always `scale` times the size of the base drift (published for images). Not the tilt: `lambda` cancels.
    Rescale(f64),
    /// At most `scale` times the size of the base drift. Not the tilt.
    Clip(f64),
}

impl Renormalise {
    /// The factor on a steering part of this size beside a base drift of that size.
    pub(super) fn factor(self, size: f64, of_base: f64) -> f64 {
        let wanted = match self {
            Self::Off => return 1.0,
            Self::Rescale(scale) => scale * of_base,
            Self::Clip(scale) => (scale * of_base).min(size),
        };
        if size > 0.0 { wanted / size } else { 1.0 }
    }
}

/// How particles are drawn anew from their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampling {
    /// One uniform for all, evenly spaced: least noise.
    Systematic,
    /// One uniform for each stratum.
    Stratified,
    /// Independent draws.
    Multinomial,
}

/// Weights of Weighted Diamond Maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiamondWeights {
    /// All terms: consistent.
    Full,
    /// The reward alone, as in the released code: biased in 2D.
    RewardOnly,
}

/// The two forms of flow-map reward guidance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlForm {
    /// With the map's Jacobian.
    Jacobian,
    /// Without it.
    Euclidean,
}
