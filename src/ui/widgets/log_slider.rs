//! A logarithmic slider over a wide range of counts, with a number that can be typed.

use eframe::egui::{self, Align, DragValue, Layout, Response, RichText, Slider, Ui, WidgetInfo};

use crate::ui::format;
use crate::ui::tokens::{self, size};

/// `name` at the left, the count at the right (drag it or type), and below them a slider whose
/// steps are round: 1, 2, 4, ... and the ends.
pub fn log_slider(
    ui: &mut Ui,
    name: &str,
    value: &mut u32,
    range: std::ops::RangeInclusive<u32>,
    arrows_taken: &mut bool,
) -> Response {
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
    let mut exponent = f64::from(*value).log2();
    let (low, high) = (
        f64::from(*range.start()).log2(),
        f64::from(*range.end()).log2(),
    );
    ui.spacing_mut().slider_width = ui.available_width();
    let slider = Slider::new(&mut exponent, low..=high).show_value(false);
    let mut response = ui.add(slider);
    if response.has_focus() {
        *arrows_taken = true;
        let keys = ui.input(|i| {
            i32::from(i.key_pressed(egui::Key::ArrowRight))
                - i32::from(i.key_pressed(egui::Key::ArrowLeft))
        });
        if keys != 0 {
            // One key press: twice as many, or half.
            exponent = (f64::from(*value).log2() + f64::from(keys)).clamp(low, high);
            response.mark_changed();
        }
    }
    if response.changed() {
        *value = round_count(exponent).clamp(*range.start(), *range.end());
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::slider(ui.is_enabled(), f64::from(*value), name);
        info.current_text_value = Some(format::count(u64::from(*value)));
        info
    });
    response
}

/// Near a power of two that power, else two leading digits.
fn round_count(exponent: f64) -> u32 {
    if (exponent - exponent.round()).abs() < 0.12 {
        return 2f64.powf(exponent.round()).round() as u32;
    }
    let n = 2f64.powf(exponent);
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
    fn the_slider_stops_at_round_counts() {
        assert_eq!(round_count(12.05), 4096);
        assert_eq!(round_count(12.5), 5800);
        assert_eq!(round_count(0.0), 1);
    }
}
