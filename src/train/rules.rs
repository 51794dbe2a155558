//! What the numbers of every recipe must be.

use super::batch::TimeLaw;
use super::trainer::TrainError;

/// A field of a recipe, whether its value may be, and what it may be.
pub(super) type Rule = (&'static str, bool, &'static str);

/// The first rule that is broken.
pub(super) fn broken(rules: impl IntoIterator<Item = Rule>) -> Option<Rule> {
    rules.into_iter().find(|(_, holds, _)| !holds)
}

/// The first rule that is broken, as an error.
pub(super) fn check(rules: impl IntoIterator<Item = Rule>) -> Result<(), TrainError> {
    match broken(rules) {
        Some((field, _, want)) => Err(TrainError::Recipe { field, want }),
        None => Ok(()),
    }
}

pub(super) fn share(field: &'static str, value: f64) -> Rule {
    (field, (0.0..=1.0).contains(&value), "0 to 1")
}

/// Of the law of times.
pub(super) fn times(law: &TimeLaw) -> [Rule; 3] {
    [
        (
            "times.power",
            law.power > 0.0 && law.power <= 10.0,
            "above 0 and at most 10",
        ),
        share("times.unconditional", law.unconditional.into()),
        share("times.whole", law.whole.into()),
    ]
}

/// Of the weight `(|err|^2 + c)^-p` of a loss.
pub(super) fn weights(floor: f64, diagonal: f64, consistency: f64) -> [Rule; 3] {
    let power = |field, p| (field, (0.0..=2.0).contains(&p), "0 to 2");
    [
        ("weight_floor", floor > 0.0 && floor.is_finite(), "above 0"),
        power("diagonal_power", diagonal),
        power("consistency_power", consistency),
    ]
}

/// Of the optimizer: its rates, and how long the moving average remembers.
pub(super) fn rates(rate: f64, floor: f64, ema_limit: f64) -> [Rule; 3] {
    [
        ("rate", rate > 0.0 && rate <= 1.0, "above 0 and at most 1"),
        share("rate_floor", floor),
        (
            "ema_limit",
            (0.0..1.0).contains(&ema_limit),
            "0 up to, but not, 1",
        ),
    ]
}

/// Of the norm that a gradient is cut to.
pub(super) fn clip(field: &'static str, norm: f64) -> Rule {
    (field, norm > 0.0 && norm.is_finite(), "above 0")
}
