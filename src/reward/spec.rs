//! Rewards as text: `bowl:0,3,2@1.5`.

use std::fmt;
use std::str::FromStr;

use super::nearest::no_reward_named;
use super::{Expression, Reward, RewardError, Shape};
use crate::mixture::{Bump, Cov2};

/// What a reward's text begins with.
const NAMES: [&str; 7] = [
    "expr",
    "linear",
    "bowl",
    "measurement",
    "bumps",
    "half-plane",
    "ring",
];

impl fmt::Display for Reward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape() {
            Shape::Linear { direction: [x, y] } => write!(f, "linear:{x},{y}")?,
            Shape::Bowl {
                centre: [x, y],
                variance,
            } => write!(f, "bowl:{x},{y},{variance}")?,
            Shape::Measurement {
                direction: [x, y],
                observed,
                sd,
            } => write!(f, "measurement:{x},{y},{observed},{sd}")?,
            Shape::Bumps(bumps) => {
                for (i, bump) in bumps.iter().enumerate() {
                    let [x, y] = bump.mean;
                    let lead = if i == 0 { "bumps:" } else { "/" };
                    write!(f, "{lead}{},{x},{y},{}", bump.weight, bump.cov.xx)?;
                }
            }
            Shape::HalfPlane {
                direction: [x, y],
                offset,
                softness,
            } => write!(f, "half-plane:{x},{y},{offset},{softness}")?,
            Shape::Ring {
                centre: [x, y],
                radius,
                sd,
            } => write!(f, "ring:{x},{y},{radius},{sd}")?,
            Shape::Expression(expression) => write!(f, "expr:{}", expression.text())?,
        }
        if self.lambda() == 1.0 {
            Ok(())
        } else {
            write!(f, "@{}", self.lambda())
        }
    }
}

impl FromStr for Reward {
    type Err = RewardError;

    fn from_str(text: &str) -> Result<Self, RewardError> {
        let wrong = |problem: String| RewardError::Text {
            text: shortened(text),
            problem,
        };
        let (name, rest) = text
            .split_once(':')
            .ok_or_else(|| wrong("it has no colon after its name".into()))?;
        let (rest, lambda) = match rest.rsplit_once('@') {
            Some((rest, lambda)) => (rest, numbers::<1>(lambda).map_err(&wrong)?[0]),
            None => (rest, 1.0),
        };
        let shape = match name {
            "expr" => Shape::Expression(Expression::parse(rest)?),
            "linear" => Shape::Linear {
                direction: numbers(rest).map_err(wrong)?,
            },
            "bowl" => {
                let [x, y, variance] = numbers(rest).map_err(wrong)?;
                Shape::Bowl {
                    centre: [x, y],
                    variance,
                }
            }
            "measurement" => {
                let [x, y, observed, sd] = numbers(rest).map_err(wrong)?;
                Shape::Measurement {
                    direction: [x, y],
                    observed,
                    sd,
                }
            }
            "bumps" => Shape::Bumps(
                rest.split('/')
                    .take(Self::MAX_BUMPS + 1)
                    .map(|bump| {
                        let [weight, x, y, variance] = numbers(bump)?;
                        Ok(Bump {
                            weight,
                            mean: [x, y],
                            cov: Cov2::isotropic(variance),
                        })
                    })
                    .collect::<Result<_, String>>()
                    .map_err(wrong)?,
            ),
            "half-plane" => {
                let [x, y, offset, softness] = numbers(rest).map_err(wrong)?;
                Shape::HalfPlane {
                    direction: [x, y],
                    offset,
                    softness,
                }
            }
            "ring" => {
                let [x, y, radius, sd] = numbers(rest).map_err(wrong)?;
                Shape::Ring {
                    centre: [x, y],
                    radius,
                    sd,
                }
            }
            _ => {
                return Err(wrong(no_reward_named(name, &shortened(name), NAMES)));
            }
        };
        Self::new(shape, lambda)
    }
}

/// Exactly `N` finite numbers between commas.
fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let mut out = [0.0; N];
    let mut count = 0;
    for part in text.split(',') {
        if count < N {
            out[count] = part
                .trim()
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite())
                .ok_or_else(|| format!("'{}' is no finite number", shortened(part)))?;
        }
        count += 1;
    }
    if count == N {
        Ok(out)
    } else {
        Err(format!("{N} numbers are wanted here, {count} are given"))
    }
}

/// At most 60 characters, for messages.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(57).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reward_reads_back_what_it_prints() {
        for text in [
            "linear:0.5,-0.25",
            "bowl:0,3,2@0.5",
            "measurement:1.2,-0.8,-1,0.2",
            "bumps:0.5,3,0,0.25/0.5,-2.2,2,0.25@2",
            "half-plane:1,0.5,0.2,0.3",
            "ring:0,0,2,0.4@0",
        ] {
            let reward: Reward = text.parse().unwrap();
            assert_eq!(reward.to_string(), text);
            let ron = ron::to_string(&reward).unwrap();
            assert_eq!(ron::from_str::<Reward>(&ron).unwrap(), reward);
        }
    }

    #[test]
    fn a_wrong_reward_is_refused_with_the_reason() {
        for (text, hint) in [
            ("bowl", "no colon"),
            ("bowl:1,2", "3 numbers are wanted here, 2 are given"),
            ("bowl:1,2,3,4", "4 are given"),
            ("bowl:1,x,3", "'x' is no finite number"),
            ("bowl:1,2,-3", "variance is -3"),
            ("bowl:1,nan,3", "'nan' is no finite number"),
            ("linear:1,2@", "'' is no finite number"),
            ("linear:1,2@-1", "lambda is -1"),
            ("cup:1,2", "no reward named 'cup'"),
            ("bumps:0,1,1,1", "bump's weight is 0"),
            ("measurement:1,1,1,0", "noise is 0"),
            ("linear:1e9,0", "direction is 1000000000"),
        ] {
            let message = text.parse::<Reward>().unwrap_err().to_string();
            assert!(message.contains(hint), "{text}: {message}");
        }
        let long = format!("bumps:{}", "1,0,0,1/".repeat(100_000));
        assert!(long.parse::<Reward>().unwrap_err().to_string().len() < 600);
    }
}
