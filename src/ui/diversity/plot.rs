//! One small plot against `t`, with the clock in it.

use eframe::egui::{Align2, RichText, Ui, vec2};
use egui_plot::{FilledArea, Line, PlotPoint, PlotPoints, PlotUi, Text};

use crate::engine::{DiversityAnswer, DiversityPoint, DrawStats};
use crate::ui::state::State;
use crate::ui::tokens::{Palette, size};
use crate::ui::widgets::{TimePlot, values_at};

use super::curves::Figure;

type Series = Vec<[f64; 2]>;

fn series(points: &[DiversityPoint], value: &dyn Fn(&DrawStats) -> f64) -> Series {
    points
        .iter()
        .map(|p| [p.t, value(&p.stats)])
        .filter(|p| p[1].is_finite())
        .collect()
}

/// From the lowest to the highest value, with some room.
fn range(all: &[Series], from_zero: bool) -> (f64, f64) {
    let (low, high) = all
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), p| {
            (a.min(p[1]), b.max(p[1]))
        });
    if !low.is_finite() {
        return (0.0, 1.0);
    }
    let low = if from_zero { 0.0 } else { low };
    let room = (0.08 * (high - low)).max(0.01);
    (
        if from_zero { -0.5 * room } else { low - room },
        high + room,
    )
}

/// Title and plot; clicking or dragging in it moves the clock.
pub(super) fn plot(
    ui: &mut Ui,
    state: &mut State,
    answer: &DiversityAnswer,
    figure: &Figure,
    palette: &'static Palette,
) {
    let lines: Vec<Series> = figure
        .curves
        .iter()
        .map(|c| series(&answer.points, &c.value))
        .collect();
    let floor = figure.floor.map(|value| series(&answer.points, &value));
    let mut all = lines.clone();
    all.extend(floor.clone());
    let (low, high) = range(&all, figure.from_zero);
    let t = state.session.t;
    let named = figure.curves.iter().zip(&lines);
    let spoken = values_at(named.map(|(c, points)| (c.name.as_str(), &points[..])), t);

    let height = size::PLOT.max(0.11 * ui.ctx().content_rect().height());
    let frame = TimePlot {
        title: figure.title,
        hover: figure.hover,
        size: vec2(ui.available_width(), height),
        range: (low, high),
        divisions: 4.0,
        t,
        spoken,
    };
    frame.show(ui, state, |plot| {
        if let Some(floor) = floor.filter(|f| f.len() > 1) {
            area(plot, &floor, low, palette);
        }
        let labels = labels(figure, &lines, (low, high));
        for (curve, points) in figure.curves.iter().zip(lines) {
            let line = Line::new(curve.name.clone(), PlotPoints::from(points));
            plot.line(line.color(curve.color).width(curve.width));
        }
        for (label, at, anchor) in labels {
            let label = RichText::new(label)
                .size(size::TICK)
                .color(palette.text_quiet);
            let text = Text::new("label", PlotPoint::new(at[0], at[1]), label);
            plot.text(text.anchor(anchor).allow_hover(false));
        }
    });
    ui.add_space(12.0);
}

fn area(plot: &mut PlotUi<'_>, floor: &Series, low: f64, palette: &Palette) {
    let xs: Vec<f64> = floor.iter().map(|p| p[0]).collect();
    let tops: Vec<f64> = floor.iter().map(|p| p[1]).collect();
    // To the end of the plot, which may lie a little lower.
    let highest = tops.iter().copied().fold(low, f64::max);
    let bottoms = vec![low - (highest - low); xs.len()];
    let area = FilledArea::new("floor of two exact sets", &xs, &bottoms, &tops);
    plot.add(area.fill_color(palette.floor));
}

/// Each labelled curve's name where it is farthest from the other labelled ones.
fn labels(
    figure: &Figure,
    lines: &[Series],
    (low, high): (f64, f64),
) -> Vec<(String, [f64; 2], Align2)> {
    let labelled: Vec<(&String, &Series)> = figure
        .curves
        .iter()
        .zip(lines)
        .filter_map(|(curve, points)| Some((curve.label.as_ref()?, points)))
        .collect();
    let mut labels = Vec::new();
    for (k, (label, points)) in labelled.iter().enumerate() {
        let away = |i: usize| {
            let nearest = labelled
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != k)
                .filter_map(|(_, (_, series))| Some((series.get(i)?[1] - points[i][1]).abs()))
                .fold(f64::INFINITY, f64::min);
            // Of equal distances the one nearer to the middle of the plot.
            nearest.min(high - low) - 0.05 * (high - low) * (points[i][0] - 0.5).abs()
        };
        let best = (0..points.len()).max_by(|a, b| away(*a).total_cmp(&away(*b)));
        let Some(at) = best.map(|i| points[i]) else {
            continue;
        };
        let under = at[1] > f64::midpoint(low, high);
        let anchor = match (at[0], under) {
            (..0.15, true) => Align2::LEFT_TOP,
            (..0.15, false) => Align2::LEFT_BOTTOM,
            (0.85.., true) => Align2::RIGHT_TOP,
            (0.85.., false) => Align2::RIGHT_BOTTOM,
            (_, true) => Align2::CENTER_TOP,
            (_, false) => Align2::CENTER_BOTTOM,
        };
        labels.push(((*label).clone(), [at[0].clamp(0.02, 0.98), at[1]], anchor));
    }
    labels
}
