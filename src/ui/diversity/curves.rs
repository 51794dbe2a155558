//! Figures against `t`, along the path of `x_t`. Click or drag in a plot to move the clock.

use eframe::egui::{Color32, RichText, Ui};

use crate::engine::{DiversityAnswer, DrawStats};
use crate::mixture::Cov2;
use crate::ui::canvas::color_of;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::section_with;

use super::names::mode_names;
use super::plot::plot;

/// Modes with a curve of their own.
const CURVES: usize = 6;

/// One value of the figures.
pub(super) type Value = fn(&DrawStats) -> f64;

/// One line of a plot.
pub(super) struct Curve {
    pub name: String,
    pub color: Color32,
    pub width: f32,
    pub value: Box<dyn Fn(&DrawStats) -> f64>,
    pub label: Option<String>,
}

/// One plot.
pub(super) struct Figure {
    pub title: &'static str,
    pub hover: &'static str,
    pub curves: Vec<Curve>,
    pub floor: Option<Value>,
    pub from_zero: bool,
}

fn ellipse(covariance: [f64; 3], major: bool) -> f64 {
    let [xx, xy, yy] = covariance;
    let axes = Cov2 {
        xx: xx + 1e-18,
        xy,
        yy: yy + 1e-18,
    }
    .axes();
    if major { axes.0 } else { axes.1 }
}

/// Shows the plots.
pub fn show(ui: &mut Ui, state: &mut State, answer: &DiversityAnswer) {
    let stale = answer.request.world.mixture.modes().len() != state.world.mixture.modes().len();
    if stale {
        return;
    }
    let palette = tokens::palette(ui);
    let drawn = color_of(state, answer.request.source, false, palette);
    let right = |ui: &mut Ui| {
        let text = format!("{} each", format::count(u64::from(answer.request.draws)));
        ui.label(
            RichText::new(text)
                .size(size::TICK)
                .color(palette.text_faint),
        );
    };
    let moved = if answer.request.carry {
        "Against t, along the path of x_t"
    } else {
        "Against t, x_t held still"
    };
    section_with(ui, moved, right, |ui| {
        ui.add_space(2.0);
        for figure in figures(state, answer, drawn, palette) {
            plot(ui, state, answer, &figure, palette);
        }
        caption(ui, answer, palette);
    });
}

fn figures(
    state: &State,
    answer: &DiversityAnswer,
    drawn: Color32,
    palette: &Palette,
) -> Vec<Figure> {
    let pair = |learned: Value, exact: Value| {
        vec![
            curve("exact", palette.exact, 2.2, exact),
            curve("drawn", drawn, 1.5, learned),
        ]
    };
    let mut mean = pair(|s| s.mean[0], |s| s.mean_exact[0]);
    mean.extend(pair(|s| s.mean[1], |s| s.mean_exact[1]));
    name_pairs(&mut mean, ["x", "y"]);
    let mut axes = pair(
        |s| ellipse(s.covariance, true),
        |s| ellipse(s.covariance_exact, true),
    );
    axes.extend(pair(
        |s| ellipse(s.covariance, false),
        |s| ellipse(s.covariance_exact, false),
    ));
    name_pairs(&mut axes, ["long axis", "short axis"]);
    vec![
        Figure {
            title: "Spread: mean pairwise distance",
            hover: "Mean distance between two draws.",
            curves: pair(|s| s.pairwise, |s| s.pairwise_exact),
            floor: None,
            from_zero: true,
        },
        Figure {
            title: "Mode entropy (nats)",
            hover: "Entropy of the shares of the modes.",
            curves: pair(|s| s.entropy, |s| s.entropy_exact),
            floor: None,
            from_zero: true,
        },
        Figure {
            title: "Sliced W2 to the exact posterior, and its floor",
            hover: "The grey floor is the distance between two exact sets of as many draws.",
            curves: vec![curve("drawn", drawn, 1.5, |s| s.sliced_w2)],
            floor: Some(|s| s.floor),
            from_zero: true,
        },
        Figure {
            title: "Share of each mode",
            hover: "Share of the draws nearest to each mode.",
            curves: shares(state, answer, drawn, palette),
            floor: None,
            from_zero: true,
        },
        Figure {
            title: "Mean, both coordinates",
            hover: "The two coordinates of the mean of the draws.",
            curves: mean,
            floor: None,
            from_zero: false,
        },
        Figure {
            title: "Axes of the covariance ellipse (sd)",
            hover: "Standard deviations along the long and the short axis.",
            curves: axes,
            floor: None,
            from_zero: true,
        },
    ]
}

fn curve(name: &str, color: Color32, width: f32, value: Value) -> Curve {
    Curve {
        name: name.to_owned(),
        color,
        width,
        value: Box::new(value),
        label: None,
    }
}

fn name_pairs(curves: &mut [Curve], names: [&str; 2]) {
    for (pair, name) in curves.chunks_mut(2).zip(names) {
        for curve in pair.iter_mut() {
            curve.name = format!("{name}, {}", curve.name);
        }
        if let Some(first) = pair.first_mut() {
            first.label = Some(name.to_owned());
        }
    }
}

/// Curves of the modes that ever matter, the heaviest first.
fn shares(
    state: &State,
    answer: &DiversityAnswer,
    drawn: Color32,
    palette: &Palette,
) -> Vec<Curve> {
    let names = mode_names(&state.world.mixture);
    let peak = |k: usize| {
        answer
            .points
            .iter()
            .filter_map(|p| p.stats.occupancy_exact.get(k))
            .fold(0.0f64, |a, b| a.max(*b))
    };
    let mut order: Vec<(usize, f64)> = (0..names.len()).map(|k| (k, peak(k))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order
        .into_iter()
        .take(CURVES)
        .flat_map(|(k, _)| {
            let exact = Curve {
                name: format!("{}, exact", names[k]),
                color: palette.exact,
                width: 2.2,
                value: Box::new(move |s: &DrawStats| {
                    s.occupancy_exact.get(k).copied().unwrap_or(0.0)
                }),
                label: Some(names[k].clone()),
            };
            let learned = Curve {
                name: format!("{}, drawn", names[k]),
                color: drawn,
                width: 1.5,
                value: Box::new(move |s: &DrawStats| s.occupancy.get(k).copied().unwrap_or(0.0)),
                label: None,
            };
            [exact, learned]
        })
        .collect()
}

fn caption(ui: &mut Ui, answer: &DiversityAnswer, palette: &Palette) {
    let who = if answer.request.source == crate::lookahead::Source::Exact {
        "orange exact"
    } else if answer.request.model.is_some() {
        "blue learned · orange exact"
    } else {
        "blue drawn · orange exact"
    };
    let text = format!("{who} · grey floor of two exact samples");
    let text = RichText::new(text)
        .size(size::TICK)
        .color(palette.text_faint);
    ui.add(eframe::egui::Label::new(text).wrap());
}
