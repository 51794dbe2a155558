//! Losses and distances against the step.

use eframe::egui::{self, Align, Color32, Layout, Rect, Response, RichText, Ui, vec2};

use crate::engine::{MapCheck, TrainCheck, TrainLosses, TrainPoint, TrainReport, TunedCheck};
use crate::train::StepLoss;
use crate::ui::errands::Pick;
use crate::ui::state::State;
use crate::ui::steering::scores::chart::{Axis, Chart, Level, Scale, Series, legend};
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::{link, panel_header};

use super::{csv, picture_curves};

/// Between the plots.
const GAP: f32 = 18.0;
/// Above a plot, for its title; below it, for the legend.
const TITLE: f32 = 20.0;
const LEGEND: f32 = 20.0;
/// No plot is lower than this.
const LEAST: f32 = 60.0;

/// The heading, with ways to take the curves elsewhere. Its response can be dragged to move the panel.
pub fn header(ui: &mut Ui, state: &State, has_tab: bool) -> Response {
    let title = if has_tab { "" } else { "Curves" };
    panel_header(ui, title, size::SMALL + 8.0, |ui| {
        if let Some(report) = state.shown_run().filter(|r| !r.curve.is_empty()) {
            ui.spacing_mut().item_spacing.x = 14.0;
            if link(ui, "Save as CSV…").clicked() {
                state.pick(Pick::SaveCurves);
            }
            if link(ui, "Copy as CSV").clicked() {
                ui.ctx().copy_text(csv::csv(&report.curve));
            }
        }
    })
}

/// Both plots, side by side or one below the other.
pub fn show(ui: &mut Ui, state: &State) {
    let palette = tokens::palette(ui);
    let report = state.shown_run().filter(|r| !r.curve.is_empty());
    let plots = if state.learns_pictures() {
        let report = state.picture_run().filter(|r| !r.curve.is_empty());
        report.map(|r| (picture_curves::panels(r, palette), r.goal.steps()))
    } else {
        report.map(|r| (panels(r, palette), r.goal.steps()))
    };
    let Some((plots, steps)) = plots else {
        let text = if state.learns_pictures() {
            "Losses and what the pictures amount to are drawn here while a network learns."
        } else {
            "Losses and distances to the exact posteriors are drawn here while a network learns."
        };
        let text = RichText::new(text).color(palette.text_quiet);
        ui.add_space(6.0);
        ui.add(egui::Label::new(text).wrap());
        return;
    };
    let room = ui.available_rect_before_wrap();
    let beside = room.width() > 560.0;
    let size = if beside {
        vec2((room.width() - GAP) / 2.0, room.height())
    } else {
        vec2(room.width(), (room.height() - 6.0) / 2.0)
    };
    let second = if beside {
        vec2(size.x + GAP, 0.0)
    } else {
        vec2(0.0, size.y + 6.0)
    };
    let first = Rect::from_min_size(room.min, size);
    let places = [first, first.translate(second)];
    for (plot, place) in plots.iter().zip(places) {
        let builder = egui::UiBuilder::new().max_rect(place).id_salt(plot.title);
        let mut ui = ui.new_child(builder);
        plot.show(&mut ui, steps);
    }
    ui.advance_cursor_after_rect(room);
}

fn panels(report: &TrainReport, palette: &Palette) -> [Panel; 2] {
    if report.goal.tuning().is_some() {
        [errors(report, palette), target_distances(report, palette)]
    } else {
        [losses(report, palette), distances(report, palette)]
    }
}

/// One plot.
pub(super) struct Panel {
    pub title: &'static str,
    pub hover: &'static str,
    pub scale: Scale,
    pub series: Vec<Series>,
    pub floor: Vec<[f64; 2]>,
    pub levels: Vec<Level>,
}

impl Panel {
    fn show(&self, ui: &mut Ui, steps: u64) {
        let palette = tokens::palette(ui);
        ui.spacing_mut().item_spacing.y = 0.0;
        let title = RichText::new(self.title)
            .size(size::SMALL)
            .color(palette.text_quiet);
        let height = (ui.available_height() - TITLE - LEGEND).max(LEAST);
        ui.allocate_ui_with_layout(
            vec2(ui.available_width(), TITLE),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_height(TITLE);
                ui.add(egui::Label::new(title).truncate())
                    .on_hover_text(self.hover);
            },
        );
        let axis = |scale, range, label| Axis {
            scale,
            range,
            from_zero: false,
            label,
        };
        let reached = self.series.iter().flat_map(|s| &s.points);
        let last = reached.map(|p| p[0]).fold(1.0, f64::max);
        // The axis grows with the run, so that the first minute of a long one is seen too. A run that was taken up
        // begins where its curves do.
        let first = self.series.iter().filter_map(|s| s.points.first());
        let first = first.map(|p| p[0]).fold(last, f64::min);
        let begin = if first < 0.1 * last { 0.0 } else { first };
        let end =
            (begin + 1.25 * (last - begin)).clamp(begin + 10.0, (steps as f64).max(begin + 10.0));
        Chart {
            name: self.title,
            height,
            x: axis(Scale::Linear, Some((begin, end)), "step"),
            y: axis(self.scale, None, ""),
            series: &self.series,
            floor: self.floor.clone(),
            levels: &self.levels,
            clock: None,
        }
        .show(ui);
        let mut entries: Vec<(String, Color32, bool)> = self
            .series
            .iter()
            .map(|s| (s.name.clone(), s.color, s.dashed))
            .collect();
        entries.extend(self.levels.iter().map(|l| (l.name.clone(), l.color, false)));
        if !self.floor.is_empty() {
            entries.push(("two exact samples".to_owned(), palette.floor, false));
        }
        legend(ui, &entries);
    }
}

fn points(report: &TrainReport, value: impl Fn(&TrainPoint) -> Option<f64>) -> Vec<[f64; 2]> {
    report
        .curve
        .iter()
        .filter_map(|p| Some([p.step as f64, value(p)?]))
        .filter(|p| p[1].is_finite() && p[1] > 0.0)
        .collect()
}

pub(super) fn series(name: &str, color: Color32, dashed: bool, points: Vec<[f64; 2]>) -> Series {
    Series {
        name: name.to_owned(),
        color,
        width: if dashed { 1.2 } else { 1.6 },
        dashed,
        points,
        errors: Vec::new(),
        dots: false,
    }
}

fn map_check(point: &TrainPoint) -> Option<MapCheck> {
    match point.check? {
        TrainCheck::Map(check) => Some(check),
        TrainCheck::Tuned(_) => None,
    }
}

fn tuned_check(point: &TrainPoint) -> Option<TunedCheck> {
    match point.check? {
        TrainCheck::Tuned(check) => Some(check),
        TrainCheck::Map(_) => None,
    }
}

fn map_loss(point: &TrainPoint) -> Option<StepLoss> {
    match point.loss {
        TrainLosses::Map(loss) => Some(loss),
        TrainLosses::Tuned(_) => None,
    }
}

fn losses(report: &TrainReport, palette: &Palette) -> Panel {
    let held_out = |p: &TrainPoint| Some(map_check(p)?.held_out);
    Panel {
        title: "Losses, mean squared error",
        hover: "Of velocities, and of jumps against what they must agree with. Dashed: on items that no step sees.",
        scale: Scale::Log,
        series: vec![
            series(
                "velocities",
                palette.learned,
                false,
                points(report, |p| Some(map_loss(p)?.diagonal)),
            ),
            series(
                "held out",
                palette.learned,
                true,
                points(report, |p| Some(held_out(p)?.diagonal)),
            ),
            series(
                "jumps",
                palette.overlay,
                false,
                points(report, |p| Some(map_loss(p)?.consistency)),
            ),
            series(
                "held out",
                palette.overlay,
                true,
                points(report, |p| Some(held_out(p)?.consistency)),
            ),
        ],
        floor: Vec::new(),
        levels: Vec::new(),
    }
}

fn distances(report: &TrainReport, palette: &Palette) -> Panel {
    Panel {
        title: "Distance to exact posteriors, sliced W2 in sd",
        hover: "Mean over nine states at t = 0.2, 0.5 and 0.8, 512 draws each, in the world's standard deviations. The grey floor is the distance of two exact samples.",
        scale: Scale::Log,
        series: vec![
            series(
                "one call",
                palette.learned,
                false,
                points(report, |p| Some(map_check(p)?.one_step)),
            ),
            series(
                "four calls",
                palette.overlay,
                false,
                points(report, |p| Some(map_check(p)?.four_step)),
            ),
        ],
        floor: points(report, |p| Some(map_check(p)?.floor)),
        levels: Vec::new(),
    }
}

/// What a tuned velocity is taught by.
fn errors(report: &TrainReport, palette: &Palette) -> Panel {
    let error = |p: &TrainPoint| match p.loss {
        TrainLosses::Tuned(loss) => Some(loss.error),
        TrainLosses::Map(_) => None,
    };
    Panel {
        title: "Error, mean squared",
        hover: "Of the tuned drift against its target. Most of it is the noise of the draws, which stays.",
        scale: Scale::Log,
        series: vec![series(
            "error",
            palette.learned,
            false,
            points(report, error),
        )],
        floor: Vec::new(),
        levels: Vec::new(),
    }
}

/// How far its samples are from the tilted target.
fn target_distances(report: &TrainReport, palette: &Palette) -> Panel {
    let levels = report.beside.iter().flat_map(|beside| {
        [
            (&beside.untuned, palette.text_faint),
            (&beside.steered, palette.overlay),
        ]
    });
    Panel {
        title: "Distance to the tilted target, sliced W2",
        hover: "Of 1,024 samples by 40 steps, world units. The lines are the same noise with the velocity as it was, and steered at inference; the grey floor is the distance of two exact samples.",
        scale: Scale::Log,
        series: vec![series(
            "tuned",
            palette.learned,
            false,
            points(report, |p| Some(tuned_check(p)?.distance)),
        )],
        floor: points(report, |p| Some(tuned_check(p)?.floor)),
        levels: levels
            .filter_map(|(sampled, color)| {
                Some(Level {
                    name: sampled.name.clone(),
                    value: sampled.check?.distance,
                    color,
                })
            })
            .collect(),
    }
}
