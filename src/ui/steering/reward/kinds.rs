//! The kinds of reward that the window offers, as data. A reward's own text form says which it is, so that a kind is
//! one row here and nothing else.

use crate::reward::{Reward, RewardError};

/// One number of a reward.
pub struct Field {
    /// What to call it.
    pub name: &'static str,
    /// What it does.
    pub hover: &'static str,
    /// Whether it must be above 0.
    pub positive: bool,
}

/// One kind of reward.
pub struct Kind {
    /// Its name in text: `bowl`.
    pub name: &'static str,
    /// Its name on screen.
    pub title: &'static str,
    /// What it rewards.
    pub hover: &'static str,
    /// How it begins, after `name:`.
    pub first: &'static str,
    /// Its numbers; none where it is typed.
    pub fields: &'static [Field],
    /// Whether there can be several of them.
    pub several: bool,
}

const fn field(name: &'static str, hover: &'static str) -> Field {
    Field {
        name,
        hover,
        positive: false,
    }
}

const fn width(name: &'static str, hover: &'static str) -> Field {
    Field {
        name,
        hover,
        positive: true,
    }
}

const AX: Field = field("direction x", "First part of the direction a in a · x.");
const AY: Field = field("direction y", "Second part of the direction a in a · x.");
const CX: Field = field("centre x", "World units.");
const CY: Field = field("centre y", "World units.");

/// Every kind, in the order of the list.
pub static KINDS: [Kind; 7] = [
    Kind {
        name: "linear",
        title: "Linear",
        hover: "r = a · x: the further along a direction, the better.",
        first: "0.5,0.5",
        fields: &[AX, AY],
        several: false,
    },
    Kind {
        name: "bowl",
        title: "Bowl",
        hover: "r = -|x - c|² / 2v: the closer to a point, the better.",
        first: "0,1.5,1.5",
        fields: &[
            CX,
            CY,
            width(
                "variance",
                "v: a wide bowl pulls gently. Squared world units.",
            ),
        ],
        several: false,
    },
    Kind {
        name: "measurement",
        title: "Measurement",
        hover: "r = -(y - a · x)² / 2 sd²: the log-likelihood of one noisy linear measurement, an inverse problem.",
        first: "1.2,-0.8,-1,0.2",
        fields: &[
            AX,
            AY,
            field("observed", "y, what was measured of a · x."),
            width("noise", "Standard deviation of the measurement."),
        ],
        several: false,
    },
    Kind {
        name: "bumps",
        title: "Bumps",
        hover: "r = ln of a sum of Gaussian bumps: several places are good.",
        first: "0.5,2,-1,0.25/0.5,-2,1.5,0.25",
        fields: &[
            width("weight", "How much of the sum this bump has."),
            CX,
            CY,
            width("variance", "Of this bump, squared world units."),
        ],
        several: true,
    },
    Kind {
        name: "half-plane",
        title: "Half-plane",
        hover: "r = ln sigmoid((a · x - c) / w): one side of a soft border.",
        first: "1,0.5,0.5,0.3",
        fields: &[
            AX,
            AY,
            field("offset", "c: where the border is along a."),
            width("softness", "w: how soft the border is, in units of a · x."),
        ],
        several: false,
    },
    Kind {
        name: "ring",
        title: "Ring",
        hover: "Near a circle: -(|x - c| - R)² / 2 sd² around it, smooth at the centre too.",
        first: "0,0,2,0.4",
        fields: &[
            CX,
            CY,
            width("radius", "R, world units."),
            width("width", "sd, world units."),
        ],
        several: false,
    },
    Kind {
        name: EXPRESSION,
        title: "Expression of x and y",
        hover: "Any formula, with its gradient by automatic differentiation and its exact target by quadrature.",
        first: "-(x^2 + y^2 - 4)^2 / 4",
        fields: &[],
        several: false,
    },
];

/// Name of the kind that is typed.
pub const EXPRESSION: &str = "expr";

/// A reward's kind and what stands behind its colon, without the strength.
fn parts(reward: &Reward) -> (String, String) {
    let plain = reward.with_lambda(1.0).map(|r| r.to_string());
    // 1 is a possible strength of every reward.
    let text = plain.unwrap_or_else(|_| reward.to_string());
    match text.split_once(':') {
        Some((name, rest)) => (name.to_owned(), rest.to_owned()),
        None => (text, String::new()),
    }
}

/// Which kind a reward is.
pub fn kind_of(reward: &Reward) -> &'static Kind {
    let (name, _) = parts(reward);
    let found = KINDS.iter().find(|kind| kind.name == name);
    // What is not in the table can only be typed.
    found.unwrap_or(&KINDS[KINDS.len() - 1])
}

/// What stands behind the colon: numbers, or the formula.
pub fn body_of(reward: &Reward) -> String {
    parts(reward).1
}

/// A reward's numbers, one list for each of several.
pub fn numbers_of(reward: &Reward) -> Vec<Vec<f64>> {
    body_of(reward)
        .split('/')
        .map(|one| one.split(',').filter_map(|n| n.parse().ok()).collect())
        .collect()
}

/// The reward of these numbers.
///
/// # Errors
/// Where a number is outside what is allowed.
pub fn from_numbers(kind: &Kind, numbers: &[Vec<f64>], lambda: f64) -> Result<Reward, RewardError> {
    let one = |numbers: &Vec<f64>| {
        let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let all: Vec<String> = numbers.iter().map(one).collect();
    from_body(kind, &all.join("/"), lambda)
}

/// The reward of what stands behind the colon.
///
/// # Errors
/// Where the text is not understood, or a number is outside what is allowed.
pub fn from_body(kind: &Kind, body: &str, lambda: f64) -> Result<Reward, RewardError> {
    format!("{}:{body}", kind.name)
        .parse::<Reward>()?
        .with_lambda(lambda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_but_the_typed_one_begins_with_a_reward_of_its_own_numbers() {
        for kind in KINDS.iter().filter(|kind| kind.name != EXPRESSION) {
            let reward = from_body(kind, kind.first, 2.0).unwrap();
            assert_eq!(kind_of(&reward).name, kind.name);
            let numbers = numbers_of(&reward);
            assert!(numbers.iter().all(|n| n.len() == kind.fields.len()));
            assert_eq!(numbers.len() > 1, kind.several);
            assert_eq!(from_numbers(kind, &numbers, 2.0).unwrap(), reward);
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        let ring = KINDS.iter().find(|kind| kind.name == "ring").unwrap();
        assert!(from_numbers(ring, &[vec![0.0, 0.0, -1.0, 0.1]], 1.0).is_err());
    }
}
