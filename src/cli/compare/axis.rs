//! Axes of a plot: from values to places, and the ticks.

/// One axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    log: bool,
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis that shows all of `values`, with some room. Values that a logarithm cannot show are left out.
    pub fn of(log: bool, values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values {
            if v.is_finite() && (!log || v > 0.0) {
                (low, high) = (low.min(v), high.max(v));
            }
        }
        if low > high {
            (low, high) = if log { (0.1, 1.0) } else { (0.0, 1.0) };
        }
        if log {
            // At least a factor of two, so that there are ticks.
            let room = (high / low).powf(0.06).max(1.15);
            let (low, high) = (low / room, high * room);
            let widen = (2.0 * low / high).sqrt().max(1.0);
            return Self {
                log,
                low: low / widen,
                high: high * widen,
            };
        }
        let room = match high - low {
            0.0 => 0.5 * high.abs().max(1.0),
            span => 0.06 * span,
        };
        Self {
            log,
            low: low - room,
            high: high + room,
        }
    }

    /// Where a value lies, 0 at the lower end, 1 at the upper; beyond the ends cut off.
    pub fn place(&self, value: f64) -> f64 {
        let share = if self.log {
            if value <= 0.0 {
                return 0.0;
            }
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// Three to nine round values with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        let values = if self.log {
            self.log_ticks()
        } else {
            self.linear_ticks()
        };
        values.into_iter().map(|v| (v, label(v))).collect()
    }

    fn log_ticks(&self) -> Vec<f64> {
        let decades = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
        for multiples in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
            let ticks: Vec<f64> = decades
                .clone()
                .flat_map(|d| multiples.iter().map(move |m| m * 10_f64.powi(d)))
                .filter(|v| (self.low..=self.high).contains(v))
                .collect();
            if (3..=7).contains(&ticks.len()) {
                return ticks;
            }
        }
        if self.high / self.low < 10.0 {
            return self.linear_ticks();
        }
        let step = decades.clone().count().div_ceil(8);
        decades.step_by(step).map(|d| 10_f64.powi(d)).collect()
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|m| m * power)
            .into_iter()
            .find(|s| *s >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

/// `12,000`, `0.05`, `-3`: no more digits than there are.
pub(super) fn label(value: f64) -> String {
    let (size, sign) = (value.abs(), if value < 0.0 { "\u{2212}" } else { "" });
    if size >= 1e7 || (size > 0.0 && size < 1e-4) {
        return format!("{sign}{size:.0e}");
    }
    let text = format!("{size:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() {
        format!("{sign}{grouped}")
    } else {
        format!("{sign}{grouped}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(log: bool, values: &[f64]) -> Vec<String> {
        let axis = Axis::of(log, values.iter().copied());
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(
            labels(true, &[300.0, 8000.0]),
            ["500", "1,000", "2,000", "5,000"]
        );
        assert_eq!(
            labels(true, &[0.003, 2.0]),
            ["0.003", "0.01", "0.03", "0.1", "0.3", "1"]
        );
        assert_eq!(
            labels(false, &[-0.9, -0.2]),
            ["\u{2212}0.8", "\u{2212}0.6", "\u{2212}0.4", "\u{2212}0.2"]
        );
        assert_eq!(
            labels(false, &[0.0]),
            ["\u{2212}0.4", "\u{2212}0.2", "0", "0.2", "0.4"]
        );
        for values in [&[][..], &[f64::NAN], &[1.0], &[1e-9, 1e9], &[0.0, -1.0]] {
            for log in [true, false] {
                let count = labels(log, values).len();
                assert!((2..=12).contains(&count), "{values:?} {log}: {count}");
            }
        }
    }

    #[test]
    fn places_run_from_the_lower_end_to_the_upper() {
        let axis = Axis::of(true, [1.0, 100.0]);
        assert!((axis.place(10.0) - 0.5).abs() < 1e-12);
        assert_eq!((axis.place(-1.0), axis.place(1e9)), (0.0, 1.0));
    }
}
