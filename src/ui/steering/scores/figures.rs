//! The columns of the table: one figure of a panel's score each.

use crate::engine::PanelScore;
use crate::steer::Floor;
use crate::ui::format;

use super::table::{Cell, Mark};

/// A figure of a score.
#[derive(Clone, Copy)]
pub struct Figure {
    /// The head in one or two short lines.
    pub title: &'static str,
    /// In words.
    pub name: &'static str,
    /// What it is.
    pub hover: &'static str,
    /// Its name in a CSV file.
    pub column: &'static str,
    /// The figure; `None` where there is none.
    pub value: fn(&PanelScore) -> Option<f64>,
    /// Its text.
    pub text: fn(&PanelScore) -> String,
    /// The most that two exact samples differ by.
    pub floor: Option<fn(&Floor) -> f64>,
}

/// All figures, in the order of the columns.
pub const FIGURES: [Figure; 8] = [
    Figure {
        title: "sliced\nW2",
        name: "sliced W2",
        hover: "Sliced Wasserstein-2 distance to as many samples of the exact target at this time, in world units.",
        column: "sliced_w2",
        value: |s| Some(s.score.sliced_w2),
        text: |s| format::fixed(s.score.sliced_w2, 3),
        floor: Some(|f| f.sliced_w2_max),
    },
    Figure {
        title: "mean\nreward",
        name: "mean reward",
        hover: "Mean reward of the particles where they are now, with its standard error. More than the exact mean is too much.",
        column: "mean_reward",
        value: |s| Some(s.score.mean_reward),
        text: |s| with_error(s.score.mean_reward, s.score.mean_reward_error),
        floor: None,
    },
    Figure {
        title: "mode\nTV",
        name: "mode TV",
        hover: "Total variation between the particles' shares of the modes and the exact ones: 0 equal, 1 disjoint.",
        column: "mode_tv",
        value: |s| Some(s.score.tv),
        text: |s| format::fixed(s.score.tv, 3),
        floor: Some(|f| f.tv_max),
    },
    Figure {
        title: "MMD²\n×10³",
        name: "squared MMD",
        hover: "Unbiased squared maximum mean discrepancy to the same, in thousandths. It scatters around 0 for exact samples, so it can be negative.",
        column: "mmd_squared",
        value: |s| Some(s.score.mmd_squared),
        text: |s| thousandths(s.score.mmd_squared),
        floor: Some(|f| f.mmd_squared_max),
    },
    Figure {
        title: "ESS",
        name: "effective sample size",
        hover: "Effective share of the particles before resampling, for methods whose particles carry weights.",
        column: "ess",
        value: |s| s.ess,
        text: |s| optional(s.ess, |v| format!("{:.0} %", v * 100.0)),
        floor: None,
    },
    Figure {
        title: "gradient\nerror",
        name: "gradient error",
        hover: "Root mean square error of the estimated value gradient over that of the exact gradient. None at the data and for methods that estimate no gradient.",
        column: "gradient_error",
        value: |s| s.gradient_error,
        text: |s| optional(s.gradient_error, short),
        floor: None,
    },
    Figure {
        title: "evaluations\na sample",
        name: "evaluations a sample",
        hover: "Network forward and backward calls, rewards and reward gradients until now, together, for each particle.",
        column: "evaluations_per_sample",
        value: |s| Some(s.evaluations_per_sample),
        text: |s| format::count(s.evaluations_per_sample.round() as u64),
        floor: None,
    },
    Figure {
        title: "not\nfinite",
        name: "non-finite particles",
        hover: "Particles that became non-finite. They count against the mode shares and are left out of the distances.",
        column: "non_finite",
        value: |s| Some(s.score.non_finite as f64),
        text: |s| format::count(s.score.non_finite as u64),
        floor: None,
    },
];

/// The place of the column of weights.
pub const ESS: usize = 4;
/// The place of the column of lost particles.
pub const NON_FINITE: usize = 7;

impl Figure {
    /// What is exact, or the most that two exact samples differ by.
    pub fn exact(&self, floor: &Floor, mean_reward: f64) -> Cell {
        let text = match self.floor {
            Some(most) if self.column == "mmd_squared" => {
                format!("≤ {}", thousandths(most(floor)))
            }
            Some(most) => format!("≤ {}", format::fixed(most(floor), 3)),
            None if self.column == "mean_reward" => format::fixed(mean_reward, 3),
            None => String::new(),
        };
        Cell {
            text,
            mark: Mark::Exact,
        }
    }

    /// The figure of a panel as a cell.
    pub fn cell(&self, score: Option<&PanelScore>, floor: &Floor) -> Cell {
        let Some(score) = score else {
            return Cell::default();
        };
        let value = (self.value)(score);
        let mark = match (self.floor, value) {
            (Some(most), Some(value)) if value <= most(floor) => Mark::Floor,
            _ => Mark::Plain,
        };
        Cell {
            text: (self.text)(score),
            mark,
        }
    }
}

/// `0.0021` as `2.1`.
pub fn thousandths(value: f64) -> String {
    let scaled = value * 1e3;
    format::fixed(scaled, usize::from(scaled.abs() < 9.95))
}

/// `−1.23 ± 0.02`: as many decimals as the error tells.
pub fn with_error(value: f64, error: f64) -> String {
    if !(error.is_finite() && error > 0.0) {
        return format::fixed(value, 2);
    }
    let magnitude = error.log10().floor();
    // 0.1 could be anything from 0.05 to 0.15: errors that begin with 1 have a second digit.
    let more = f64::from(error / 10f64.powf(magnitude) < 1.95);
    let decimals = (more - magnitude).clamp(0.0, 4.0) as usize;
    format!(
        "{} ± {}",
        format::fixed(value, decimals),
        format::fixed(error, decimals)
    )
}

fn optional(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or_else(String::new, text)
}

/// Two decimals, fewer for large figures.
fn short(value: f64) -> String {
    format::fixed(value, if value.abs() < 9.995 { 2 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_decide_the_decimals() {
        assert_eq!(with_error(-1.234_5, 0.0213), "\u{2212}1.23 ± 0.02");
        assert_eq!(with_error(-120.4, 3.4), "\u{2212}120 ± 3");
        assert_eq!(with_error(-1.35, 0.12), "\u{2212}1.35 ± 0.12");
        assert_eq!(with_error(0.5, f64::NAN), "0.50");
        assert_eq!(thousandths(2.13e-3), "2.1");
        assert_eq!(thousandths(-4e-5), "0.0");
        assert_eq!(thousandths(0.275), "275");
    }
}
