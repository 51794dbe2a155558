//! A strength: 0 at the very left of a slider, then from the least to the most on a logarithmic scale.

use eframe::egui::{Response, Ui};

use crate::ui::format;

use super::{LogScale, Slid, slider_row};

/// Share of the slider that is 0.
const NOTHING: f64 = 0.06;

/// A slider of a strength with its value at the right. `range` is of strengths that are not 0. The strength it was put
/// to, if it was.
pub fn strength_row(
    ui: &mut Ui,
    name: &str,
    strength: f64,
    range: (f64, f64),
    arrows_taken: &mut bool,
) -> (Response, Option<f64>) {
    let scale = LogScale::new(range.0, range.1);
    let position = if strength <= 0.0 {
        0.0
    } else {
        NOTHING + (1.0 - NOTHING) * scale.position(strength)
    };
    let decimals = if strength >= 9.95 { 0 } else { 2 };
    let spoken = format::fixed(strength, decimals);
    let (response, slid) = slider_row(ui, name, &spoken, position, arrows_taken);
    let wanted = match slid {
        Some(Slid::To(position)) if position < NOTHING => Some(0.0),
        Some(Slid::To(position)) => {
            let share = (position - NOTHING) / (1.0 - NOTHING);
            Some(two_digits(scale.value(share)))
        }
        Some(Slid::Steps(steps)) if strength <= 0.0 => (steps > 0).then_some(range.0),
        Some(Slid::Steps(steps)) => {
            let next = two_digits(strength * 1.15f64.powi(steps));
            Some(if next < range.0 {
                0.0
            } else {
                next.min(range.1)
            })
        }
        None => None,
    };
    (response, wanted)
}

/// Two leading digits; 1 is rested on.
pub fn two_digits(value: f64) -> f64 {
    if (value - 1.0).abs() < 0.06 {
        return 1.0;
    }
    let unit = 10f64.powf(value.abs().max(1e-9).log10().floor() - 1.0);
    let digits = (value / unit).round();
    if unit < 1.0 {
        // Dividing keeps 0.3 from being 0.30000000000000004.
        digits / (1.0 / unit).round()
    } else {
        digits * unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_short_numbers() {
        for (value, short) in [(0.3141, 0.31), (1.02, 1.0), (12.34, 12.0), (0.0234, 0.023)] {
            assert!((two_digits(value) - short).abs() < 1e-12, "{value}");
        }
        assert_eq!(two_digits(0.298).to_string(), "0.3");
    }
}
