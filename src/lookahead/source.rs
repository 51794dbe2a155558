//! The names of the sources.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to look from `x_t` to `x_1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Source {
    /// One call of the flow map.
    OneStep,
    /// The flow map composed this many times.
    KStep(u32),
    /// The GLASS ODE with this many midpoint steps.
    Glass(u32),
    /// The memoryless SDE with this many steps.
    Sde(u32),
    /// The closed form.
    Exact,
}

impl Source {
    /// The most steps that a source may take.
    pub const MAX_STEPS: u32 = 4096;

    /// Whether the source needs a Meta Flow Map.
    pub fn needs_model(self) -> bool {
        matches!(self, Self::OneStep | Self::KStep(_))
    }

    /// How many solver steps it takes; 0 for the closed form.
    pub fn steps(self) -> u32 {
        match self {
            Self::OneStep => 1,
            Self::KStep(k) | Self::Glass(k) | Self::Sde(k) => k,
            Self::Exact => 0,
        }
    }

    /// What to call it on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::OneStep => "One step, learned",
            Self::KStep(_) => "K steps, learned",
            Self::Glass(_) => "GLASS ODE",
            Self::Sde(_) => "SDE rollout",
            Self::Exact => "Exact",
        }
    }

    /// In a word or two, with its steps: `GLASS 8`.
    pub fn short(self) -> String {
        match self {
            Self::OneStep => "one step".to_owned(),
            Self::KStep(1) => "1 step".to_owned(),
            Self::KStep(k) => format!("{k} steps"),
            Self::Glass(k) => format!("GLASS {k}"),
            Self::Sde(k) => format!("SDE {k}"),
            Self::Exact => "exact".to_owned(),
        }
    }

    /// The same source with a step count within `1..=MAX_STEPS`, where it has one.
    #[must_use]
    pub fn with_steps(self, steps: u32) -> Self {
        let steps = steps.clamp(1, Self::MAX_STEPS);
        match self {
            Self::KStep(_) => Self::KStep(steps),
            Self::Glass(_) => Self::Glass(steps),
            Self::Sde(_) => Self::Sde(steps),
            Self::OneStep | Self::Exact => self,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneStep => f.write_str("one-step"),
            Self::KStep(k) => write!(f, "k-step:{k}"),
            Self::Glass(k) => write!(f, "glass:{k}"),
            Self::Sde(k) => write!(f, "sde:{k}"),
            Self::Exact => f.write_str("exact"),
        }
    }
}

/// The text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no lookahead source: write one-step, k-step:K, glass:STEPS, sde:STEPS or exact, with 1 to {max} steps",
    max = Source::MAX_STEPS
)]
pub struct ParseSourceError(String);

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSourceError(text.to_owned());
        match text {
            "one-step" => return Ok(Self::OneStep),
            "exact" => return Ok(Self::Exact),
            _ => {}
        }
        let (name, steps) = text.split_once(':').ok_or_else(wrong)?;
        let steps: u32 = steps.parse().map_err(|_| wrong())?;
        if !(1..=Self::MAX_STEPS).contains(&steps) {
            return Err(wrong());
        }
        match name {
            "k-step" => Ok(Self::KStep(steps)),
            "glass" => Ok(Self::Glass(steps)),
            "sde" => Ok(Self::Sde(steps)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_reads_back_what_it_prints() {
        for source in [
            Source::OneStep,
            Source::KStep(4),
            Source::Glass(32),
            Source::Sde(100),
            Source::Exact,
        ] {
            assert_eq!(source.to_string().parse(), Ok(source));
        }
    }

    #[test]
    fn a_wrong_source_is_refused_with_the_list() {
        for text in [
            "",
            "two-step",
            "k-step",
            "k-step:0",
            "glass:x",
            "sde:-1",
            "sde:99999999",
        ] {
            let message = text.parse::<Source>().unwrap_err().to_string();
            assert!(message.contains("k-step:K"), "{message}");
        }
    }
}
