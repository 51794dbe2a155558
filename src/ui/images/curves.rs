//! How different the draws are, against `t`: of the chosen lookahead and of others beside it, each with its cost.

use std::rc::Rc;

use eframe::egui::{Checkbox, Color32, Label, RichText, ScrollArea, Sense, Stroke, Ui, Vec2, vec2};
use egui_plot::{FilledArea, Line, PlotPoint, PlotPoints, Text};

use crate::engine::{ImageCurvePoint, Slot};
use crate::lookahead::Source;
use crate::metrics::ScoreFigures;
use crate::ui::format;
use crate::ui::state::{IMAGE_SOURCES, Place, State, same_kind};
use crate::ui::tokens::{self, Palette, size, space};
use crate::ui::widgets::{TimePlot, copy_link, link, notice, values_at};

use super::curves_csv::csv;
use super::shares::word;

/// Classes with a band of their own; the others share one.
const BANDS: usize = 10;
/// Bands so thin have no name.
const NAMED: f64 = 0.09;
const TITLE: f32 = 22.0;

/// One line of a plot.
struct Curve {
    name: String,
    color: Color32,
    width: f32,
    points: Vec<[f64; 2]>,
}

/// One band of the shares.
struct Band {
    name: String,
    color: Color32,
    /// Lower and upper edge at each time.
    edges: Vec<[f64; 2]>,
}

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    legend(ui, state);
    notice(ui, &mut state.notices, Place::Images);
    progress(ui, state);
    let room = ui.available_size();
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| plots(ui, state, room));
}

/// The lookahead of each kind: the chosen one with its own steps.
fn sources(state: &State) -> [Source; 4] {
    let chosen = state.session.images.source;
    IMAGE_SOURCES.map(|usual| {
        if same_kind(usual, chosen) {
            chosen
        } else {
            usual
        }
    })
}

fn color_of(source: Source, palette: &Palette) -> Color32 {
    match IMAGE_SOURCES.iter().position(|s| same_kind(*s, source)) {
        Some(0) | None => palette.learned,
        Some(index) => tokens::method_color(palette, index - 1),
    }
}

/// Network evaluations of one draw, as the table of lookaheads says, until they are counted.
fn cost(source: Source) -> f64 {
    match source {
        Source::Glass(steps) => 2.0 * f64::from(steps),
        other => f64::from(other.steps()),
    }
}

/// Which lookaheads are shown, in which colour, at which cost.
fn legend(ui: &mut Ui, state: &mut State) {
    let palette = tokens::palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.set_min_height(size::CONTROL);
        for source in sources(state) {
            let chosen = same_kind(source, state.session.images.source);
            let counted = state.image_curves(source).map(|answer| answer.evaluations);
            let evaluations = counted.unwrap_or_else(|| cost(source));
            let plural = if evaluations == 1.0 { "" } else { "s" };
            let name = source.short();
            let text = format!(
                "{name} · {} evaluation{plural}",
                format::fixed(evaluations, 0)
            );
            let beside = &mut state.session.images.beside;
            let mut on = beside.iter().any(|s| same_kind(*s, source));
            let color = color_of(source, palette);
            let text = RichText::new(text).size(size::SMALL).color(color);
            if chosen {
                swatch(ui, color);
                ui.label(text).on_hover_text(
                    "The lookahead of the wall. Evaluations of the network for one draw",
                );
                continue;
            }
            let response = ui
                .add(Checkbox::new(&mut on, text))
                .on_hover_text("Evaluations of the network for one draw");
            if response.changed() {
                beside.retain(|s| !same_kind(*s, source));
                if on {
                    beside.push(source);
                }
            }
        }
        copy_link(ui, "Copy as CSV", || csv(state));
    });
}

/// A piece of the curve that is always there.
fn swatch(ui: &mut Ui, color: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, size::SMALL), Sense::hover());
    let stroke = Stroke::new(2.4, color);
    ui.painter().hline(rect.x_range(), rect.center().y, stroke);
}

/// Curves that are still computed, or were cancelled.
fn progress(ui: &mut Ui, state: &mut State) {
    let quiet = tokens::palette(ui).text_quiet;
    ui.horizontal(|ui| {
        ui.set_min_height(18.0);
        let small = |text: &str| RichText::new(text).size(size::SMALL).color(quiet);
        if state.images.curves.stopped {
            ui.label(small("Curves cancelled."));
            if link(ui, "compute them").clicked() {
                state.ask_image_curves_again();
            }
            return;
        }
        let Some(progress) = state.answers.progress_of(Slot::ImageCurves) else {
            let draws = state.image_curves(state.session.images.source);
            let draws = draws.map_or(0, |answer| answer.request.wall.draws);
            if draws > 0 {
                let text = format!("{draws} draws at each time, the noise of each locked");
                ui.label(small(&text));
            }
            return;
        };
        let share = progress.fraction.unwrap_or(0.0);
        let mut text = format!("{}, {:.0} %", progress.label, share * 100.0);
        if let Some(left) = progress.left {
            text = format!("{text}, {}", format::left(left));
        }
        ui.label(small(&text));
    });
}

fn plots(ui: &mut Ui, state: &mut State, room: Vec2) {
    let palette = tokens::palette(ui);
    let chosen = state.session.images.source;
    let Some(answer) = state.image_curves(chosen).cloned() else {
        let text = "The curves against t are on their way.";
        let text = RichText::new(text)
            .size(size::SMALL)
            .color(palette.text_faint);
        ui.add(Label::new(text));
        return;
    };
    let judged = answer.points.iter().any(|p| !p.figures.shares.is_empty());
    let rewarded = answer.points.iter().any(|p| p.scores.is_some());
    let gap = 14.0;
    let wide = (room.x - gap - space::SCROLL) / 2.0;
    let rows = if rewarded { 3.0 } else { 2.0 };
    let high = ((room.y - rows * gap) / rows - TITLE).max(size::PLOT);
    let curves = |value: fn(&ImageCurvePoint) -> f64| curves_of(state, palette, value);
    let pixels = curves(|p| p.figures.pairwise);
    let features = curves(|p| p.figures.pairwise_features);
    let value = curves(|p| p.scores.as_ref().map_or(f64::NAN, |s| s.value));
    let ess = curves(|p| {
        let share = |s: &ScoreFigures| s.ess / s.count.max(1) as f64;
        p.scores.as_ref().map_or(f64::NAN, share)
    });
    let entropy = curves(|p| p.figures.entropy);
    let bands = bands(state, &answer.points, palette);
    let times: Vec<f64> = answer.points.iter().map(|p| p.t).collect();
    ui.spacing_mut().item_spacing = vec2(gap, 2.0);
    ui.horizontal_top(|ui| {
        let hover = "Mean over pairs of draws of the root mean square difference of their pixels; black to white is 1.";
        plot(ui, state, ("Distance in pixels", hover), (wide, high), lines(pixels));
        let title = format!("Labels of {}", chosen.short());
        let hover = "Share of the draws in which the classifier sees each class, one above the other.";
        if judged {
            plot(ui, state, (&title, hover), (wide, high), stacked(&times, bands, palette));
        }
    });
    if judged {
        ui.add_space(gap);
        ui.horizontal_top(|ui| {
            let hover =
                "The same in what the classifier's last layer sees, root mean square a feature.";
            let about = ("Distance in features", hover);
            plot(ui, state, about, (wide, high), lines(features));
            let hover = "Entropy of the shares of the labels; 0 when the future is decided.";
            let about = ("Entropy of the labels (bits)", hover);
            plot(ui, state, about, (wide, high), lines(entropy));
        });
    } else {
        let text = "There is no classifier for these pictures: features, labels and their entropy need one.";
        let text = RichText::new(text)
            .size(size::SMALL)
            .color(palette.text_quiet);
        ui.add(Label::new(text).wrap());
    }
    if rewarded {
        ui.add_space(gap);
        ui.horizontal_top(|ui| {
            let error = answer.points.iter().filter_map(|p| p.scores.as_ref());
            let error = error.map(|s| s.value_error).fold(0.0, f64::max);
            let title = format!("Value, ln mean exp r (error at most {})", format::fixed(error, 2));
            let hover = "An estimate of the value of the state from its draws. The error is the largest standard error of the chosen lookahead, by the delta method.";
            plot(ui, state, (&title, hover), (wide, high), lines(value));
            let hover = "Effective sample size of the weights exp r, as a share of the draws.";
            let about = ("Effective share of the draws", hover);
            plot(ui, state, about, (wide, high), lines(ess));
        });
    }
}

fn curves_of(state: &State, palette: &Palette, value: fn(&ImageCurvePoint) -> f64) -> Vec<Curve> {
    let chosen = state.session.images.source;
    // The chosen one last: it lies on top.
    let all = state.curve_sources().into_iter().rev();
    all.filter_map(|source| {
        let answer = state.image_curves(source)?;
        let points = answer.points.iter().map(|p| [p.t, value(p)]);
        Some(Curve {
            name: source.short(),
            color: color_of(source, palette),
            width: if source == chosen { 2.4 } else { 1.5 },
            points: points.filter(|p| p[1].is_finite()).collect(),
        })
    })
    .collect()
}

/// The commonest classes as bands one above the other, in the order of their numbers.
fn bands(state: &State, points: &[ImageCurvePoint], palette: &Palette) -> Vec<Band> {
    let classes = points.iter().map(|p| p.figures.shares.len()).max();
    let classes = classes.unwrap_or(0);
    let total = |class: usize| -> f64 {
        let shares = points.iter().filter_map(|p| p.figures.shares.get(class));
        shares.sum()
    };
    let mut order: Vec<usize> = (0..classes).collect();
    if classes > BANDS {
        order.sort_by(|a, b| total(*b).total_cmp(&total(*a)));
        order.truncate(BANDS - 1);
        order.sort_unstable();
    }
    let mut below = vec![0.0; points.len()];
    let mut bands: Vec<Band> = order
        .iter()
        .enumerate()
        .map(|(place, class)| {
            let edges = points.iter().zip(&mut below).map(|(p, below)| {
                let from = *below;
                *below += p.figures.shares.get(*class).copied().unwrap_or(0.0);
                [from, *below]
            });
            Band {
                name: word(&state.images.class_name(*class)),
                color: tokens::class_color(place),
                edges: edges.collect(),
            }
        })
        .collect();
    if classes > BANDS {
        bands.push(Band {
            name: "other".to_owned(),
            color: palette.floor,
            edges: below.iter().map(|from| [*from, 1.0]).collect(),
        });
    }
    bands
}

/// What a plot is filled with: the lowest and highest value, and what it says at the clock.
struct Filled {
    low: f64,
    high: f64,
    spoken: Vec<(String, Vec<[f64; 2]>)>,
    /// What lies below the pointer, where no line is near.
    tip: Box<dyn Fn([f64; 2]) -> Option<String>>,
    paint: Box<dyn FnOnce(&mut egui_plot::PlotUi<'_>)>,
}

fn lines(curves: Vec<Curve>) -> Filled {
    let values = || curves.iter().flat_map(|c| &c.points).map(|p| p[1]);
    Filled {
        low: values().fold(0.0, f64::min),
        high: values().fold(0.0, f64::max),
        spoken: curves
            .iter()
            .map(|c| (c.name.clone(), c.points.clone()))
            .collect(),
        tip: Box::new(|_| None),
        paint: Box::new(move |plot| {
            for curve in curves {
                let line = Line::new(curve.name, PlotPoints::from(curve.points));
                plot.line(line.color(curve.color).width(curve.width));
            }
        }),
    }
}

fn stacked(times: &[f64], bands: Vec<Band>, palette: &Palette) -> Filled {
    let (times, other) = (times.to_vec(), (palette.floor, palette.text));
    let bands = Rc::new(bands);
    let of = |band: &Band| {
        let shares = times.iter().zip(&band.edges);
        shares.map(|(t, e)| [*t, e[1] - e[0]]).collect()
    };
    Filled {
        low: 0.0,
        high: 1.0,
        spoken: bands.iter().map(|b| (b.name.clone(), of(b))).collect(),
        tip: Box::new({
            let (times, bands) = (times.clone(), bands.clone());
            move |at| band_at(&times, &bands, at)
        }),
        paint: Box::new(move |plot| {
            for band in bands.iter() {
                let lower: Vec<f64> = band.edges.iter().map(|e| e[0]).collect();
                let upper: Vec<f64> = band.edges.iter().map(|e| e[1]).collect();
                let area = FilledArea::new(band.name.clone(), &times, &lower, &upper);
                plot.add(area.fill_color(band.color).allow_hover(false));
                // Its name where it has most room, away from the frame: as wide as to the times beside it.
                let inside = 1..times.len().saturating_sub(1);
                let free = |i: &usize| {
                    let around = &band.edges[i - 1..=i + 1];
                    let low = around.iter().map(|e| e[0]).fold(0.0, f64::max);
                    let high = around.iter().map(|e| e[1]).fold(1.0, f64::min);
                    [low, high]
                };
                let room = |i: &usize| free(i)[1] - free(i)[0];
                let best = inside.max_by(|a, b| room(a).total_cmp(&room(b)));
                if let Some(i) = best.filter(|i| room(i) > NAMED) {
                    let [low, high] = free(&i);
                    let middle = f64::midpoint(low, high);
                    let ink = if band.color == other.0 {
                        other.1
                    } else {
                        tokens::CLASS_INK
                    };
                    let name = RichText::new(&band.name).size(size::TICK).color(ink);
                    let text = Text::new("label", PlotPoint::new(times[i], middle), name);
                    plot.text(text.allow_hover(false));
                }
            }
        }),
    }
}

/// Which class a stack has at `[t, height]`, and its share at that time.
fn band_at(times: &[f64], bands: &[Band], [t, height]: [f64; 2]) -> Option<String> {
    let after = times.partition_point(|time| *time < t);
    let (before, after) = (after.saturating_sub(1), after);
    let (from, to) = (*times.get(before)?, *times.get(after)?);
    let share = if to > from {
        (t - from) / (to - from)
    } else {
        0.0
    };
    let edges = |band: &Band| {
        let (from, to) = (band.edges.get(before)?, band.edges.get(after)?);
        Some([0, 1].map(|i| from[i] + share * (to[i] - from[i])))
    };
    bands.iter().find_map(|band| {
        let [low, high] = edges(band)?;
        let (name, percent) = (&band.name, 100.0 * (high - low));
        (low..high)
            .contains(&height)
            .then(|| format!("{name}\nt = {t:.2}\n{percent:.0} %"))
    })
}

/// Title and plot; clicking or dragging in it moves the clock.
fn plot(
    ui: &mut Ui,
    state: &mut State,
    (title, hover): (&str, &str),
    (width, height): (f32, f32),
    filled: Filled,
) {
    let t = state.session.images.t;
    let room = 0.06 * (filled.high - filled.low).max(0.01);
    let low = if filled.low < 0.0 {
        filled.low - room
    } else {
        0.0
    };
    // Shares end at 1.
    let high = if filled.high == 1.0 {
        1.0
    } else {
        filled.high + room
    };
    let named = filled.spoken.iter();
    let spoken = values_at(named.map(|(name, points)| (name.as_str(), &points[..])), t);
    ui.vertical(|ui| {
        ui.set_width(width);
        let frame = TimePlot {
            title,
            hover,
            size: vec2(width, height),
            range: (low, high),
            divisions: 5.0,
            t,
            spoken,
        };
        let (response, pointer) = frame.show(ui, state, filled.paint);
        if let Some(tip) = pointer.and_then(|at| (filled.tip)(at)) {
            response.on_hover_text_at_pointer(tip);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_stack_says_its_class_and_share() {
        let band = |name: &str, edges| Band {
            name: name.to_owned(),
            color: Color32::default(),
            edges,
        };
        let bands = [
            band("four", vec![[0.0, 0.2], [0.0, 0.8]]),
            band("nine", vec![[0.2, 1.0], [0.8, 1.0]]),
        ];
        let at = |t, height| band_at(&[0.0, 0.5], &bands, [t, height]);
        assert_eq!(at(0.25, 0.4).as_deref(), Some("four\nt = 0.25\n50 %"));
        assert_eq!(at(0.0, 0.5).as_deref(), Some("nine\nt = 0.00\n80 %"));
        assert_eq!(at(0.7, 0.5), None, "nothing was drawn there");
    }

    #[test]
    fn the_cost_of_a_lookahead_is_its_evaluations() {
        let costs = IMAGE_SOURCES.map(cost);
        assert_eq!(costs, [1.0, 4.0, 16.0, 32.0]);
    }
}
