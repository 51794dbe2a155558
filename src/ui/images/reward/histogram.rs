//! How the reward is spread over the wall.

use eframe::egui::{Align2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::engine::WallScores;
use crate::ui::format;
use crate::ui::tokens;

const HEIGHT: f32 = 74.0;
/// Most bars; fewer where there are few draws.
const BARS: usize = 28;
/// Opacity of the bars that are not of the best quarter.
const PALE: f32 = 0.45;

/// How many scores fall into each of equal steps from the least to the most.
fn counts(scores: &[f32], bars: usize, (low, high): (f64, f64)) -> Vec<usize> {
    let mut counts = vec![0; bars];
    for score in scores.iter().filter(|score| score.is_finite()) {
        let share = (f64::from(*score) - low) / (high - low);
        counts[((share * bars as f64) as usize).min(bars - 1)] += 1;
    }
    counts
}

/// Shows it.
pub fn show(ui: &mut Ui, scores: &WallScores) {
    let palette = tokens::palette(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let finite = scores.scores.iter().copied().filter(|s| s.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| {
        (low.min(f64::from(s)), high.max(f64::from(s)))
    });
    let mean = scores.figures.mean;
    let ends = [low, high].map(|v| format::fixed(v, 2));
    let spoken = format!(
        "Reward of {} draws, {} to {}, mean {}",
        scores.scores.len(),
        ends[0],
        ends[1],
        format::fixed(mean, 2)
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &spoken));
    if low > high {
        return;
    }
    // Equal scores stand in the middle.
    let room = if high - low > 1e-9 { 0.0 } else { 0.5 };
    let range = (low - room, high + room);
    let bars = (scores.scores.len() / 2).clamp(8, BARS);
    let counts = counts(&scores.scores, bars, range);
    let most = counts.iter().copied().max().unwrap_or(1).max(1) as f32;
    let painter = ui.painter();
    let (top, base) = (rect.top() + 3.0, rect.bottom() - 16.0);
    let step = rect.width() / bars as f32;
    let mut sorted = scores.scores.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let best = sorted.get((sorted.len() / 4).saturating_sub(1)).copied();
    let x_of = |v: f64| rect.left() + rect.width() * ((v - range.0) / (range.1 - range.0)) as f32;
    let best_from = best.map_or(rect.right(), |best| x_of(f64::from(best)));
    for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let left = rect.left() + index as f32 * step;
        let height = ((base - top) * *count as f32 / most).max(1.5);
        let bar = Rect::from_min_max(
            pos2(left + 0.75, base - height),
            pos2(left + step - 0.75, base),
        );
        let is_best = left + step > best_from;
        let color = tokens::faded(palette.learned, if is_best { 1.0 } else { PALE });
        painter.rect_filled(bar, 1.0, color);
    }
    painter.hline(rect.x_range(), base, Stroke::new(1.0, palette.outline));
    let at = x_of(mean);
    painter.vline(at, top - 2.0..=base, Stroke::new(1.5, palette.text_strong));
    let ink = palette.text_quiet;
    let font = tokens::tick_font;
    let (left, right) = (rect.left_bottom(), rect.right_bottom());
    painter.text(left, Align2::LEFT_BOTTOM, &ends[0], font(), ink);
    painter.text(right, Align2::RIGHT_BOTTOM, &ends[1], font(), ink);
    response.on_hover_text(
        "The reward of every draw, strengths inside. The line is the mean; the quarter with the most reward is full.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_is_counted_once_and_the_ends_belong_to_the_outer_bars() {
        let scores = [0.0, 0.1, 0.5, 0.99, 1.0, f32::NAN];
        assert_eq!(counts(&scores, 4, (0.0, 1.0)), [2, 0, 1, 2]);
        assert_eq!(counts(&[3.0; 5], 3, (2.5, 3.5)), [0, 5, 0]);
    }
}
