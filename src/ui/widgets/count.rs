//! A count over a wide range: a logarithmic slider, and a number that can be typed.

use std::ops::RangeInclusive;

use eframe::egui::{Align, DragValue, Layout, RichText, Ui, WidgetInfo};

use crate::ui::format;
use crate::ui::tokens::{self, size};

use super::{LogScale, Slid, slider};

/// `name` at the left, the count at the right (drag it or type), and a slider below whose handle
/// rests on round counts; a key press doubles or halves.
pub fn count_slider(
    ui: &mut Ui,
    name: &str,
    value: &mut u32,
    range: RangeInclusive<u32>,
    arrows_taken: &mut bool,
) {
    let palette = tokens::palette(ui);
    ui.horizontal(|ui| {
        ui.label(
            RichText::new(name)
                .size(size::SMALL)
                .color(palette.text_quiet),
        );
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let speed = (f64::from(*value) * 0.01).max(0.1);
            let number = DragValue::new(value)
                .range(range.clone())
                .speed(speed)
                .custom_formatter(|n, _| format::count(n as u64))
                .custom_parser(parse_count);
            let response = ui.add(number);
            response.widget_info(|| {
                let mut info = WidgetInfo::drag_value(ui.is_enabled(), f64::from(*value));
                info.label = Some(format!("{name}, type a number"));
                info
            });
        });
    });
    let (least, most) = (*range.start(), *range.end());
    let scale = LogScale::new(f64::from(least), f64::from(most));
    let spoken = format::count(u64::from(*value));
    let position = scale.position(f64::from(*value));
    let (_, slid) = slider(ui, name, &spoken, position, arrows_taken);
    let wanted = match slid {
        Some(Slid::To(position)) => round_count(scale.value(position)),
        Some(Slid::Steps(steps)) => (f64::from(*value) * 2f64.powi(steps)).round() as u32,
        None => return,
    };
    *value = wanted.clamp(least, most);
}

/// Near a power of two that power, else two leading digits.
fn round_count(n: f64) -> u32 {
    let exponent = n.log2();
    if (exponent - exponent.round()).abs() < 0.12 {
        return 2f64.powf(exponent.round()).round() as u32;
    }
    let unit = 10f64.powf((n.log10().floor() - 1.0).max(0.0));
    ((n / unit).round() * unit) as u32
}

/// `4096`, `4,096`, `4k`, `1M`, `1e6`.
fn parse_count(text: &str) -> Option<f64> {
    let text = text.trim().replace([',', ' ', '_'], "");
    let (number, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1e3),
        Some((at, 'm' | 'M')) => (&text[..at], 1e6),
        _ => (text.as_str(), 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .map(|n| (n * factor).round())
        .filter(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, n) in [
            ("4096", 4096.0),
            ("4,096", 4096.0),
            ("4k", 4e3),
            ("1M", 1e6),
            ("1e6", 1e6),
        ] {
            assert_eq!(parse_count(text), Some(n), "{text}");
        }
        assert_eq!(parse_count("many"), None);
    }

    #[test]
    fn the_slider_rests_on_round_counts() {
        assert_eq!(round_count(4200.0), 4096);
        assert_eq!(round_count(5793.0), 5800);
        assert_eq!(round_count(1.0), 1);
    }
}
