//! Methods at equal compute: reward and distance against function evaluations.

mod settings;
mod summary;

use eframe::egui::{self, Color32, Id, RichText, ScrollArea, Ui};

use crate::engine::BudgetAnswer;
use crate::steer::{Floor, GridRow};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size, space};
use crate::ui::widgets::{copy_link, section, section_with};

use super::scores::chart::{Axis, Chart, Level, Scale, Series, legend};
use super::scores::table::{self, Cell, Head, Mark, Row};
use super::scores::{chips, thousandths, with_error};

use summary::summary;

/// What is plotted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Plotted {
    #[default]
    SlicedW2,
    Mmd,
    Tv,
    Reward,
}

impl Plotted {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (
            Self::SlicedW2,
            "W2",
            "Sliced Wasserstein-2 distance of the samples to the exact target, in world units.",
        ),
        (
            Self::Mmd,
            "MMD²",
            "Unbiased squared maximum mean discrepancy. At or below 0 it lies on the lower edge.",
        ),
        (Self::Tv, "TV", "Total variation of the mode shares."),
        (
            Self::Reward,
            "Reward",
            "Mean reward. More than the exact mean is too much.",
        ),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::SlicedW2 => "Sliced W2",
            Self::Mmd => "MMD² ×10³",
            Self::Tv => "Mode TV",
            Self::Reward => "Mean reward",
        }
    }

    fn figure(self) -> fn(&GridRow) -> f64 {
        match self {
            Self::SlicedW2 => |row| row.sliced_w2,
            Self::Mmd => |row| row.mmd_squared,
            Self::Tv => |row| row.tv,
            Self::Reward => |row| row.mean_reward,
        }
    }

    fn floor(self, floor: &Floor) -> Option<f64> {
        match self {
            Self::SlicedW2 => Some(floor.sliced_w2_max),
            Self::Mmd => Some(floor.mmd_squared_max),
            Self::Tv => Some(floor.tv_max),
            Self::Reward => None,
        }
    }

    fn text(self, value: f64, error: f64) -> String {
        match self {
            Self::Mmd if error > 0.0 => with_error(value * 1e3, error * 1e3),
            Self::Mmd => thousandths(value),
            _ if error > 0.0 => with_error(value, error),
            _ => format::fixed(value, 3),
        }
    }
}

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            section(ui, "The same evaluations for every method", |ui| {
                settings::show(ui, state);
            });
            match state.steering.budget.clone() {
                _ if state.is_budget_running()
                    && state.steering.budget.as_ref().is_none_or(|b| b.rows.is_empty()) =>
                {
                    waiting(ui, "The first runs are under way.");
                }
                Some(answer) if !(answer.rows.is_empty() && answer.left_out.is_empty()) => results(ui, state, &answer),
                _ => waiting(
                    ui,
                    "Start the runs to see distance and reward against evaluations. They run in the background.",
                ),
            }
            ui.add_space(space::ROW);
        });
}

fn waiting(ui: &mut Ui, text: &str) {
    let faint = tokens::palette(ui).text_faint;
    let text = RichText::new(text).size(size::SMALL).color(faint);
    ui.add(egui::Label::new(text).wrap());
}

fn results(ui: &mut Ui, state: &State, answer: &BudgetAnswer) {
    let palette = tokens::palette(ui);
    let plans = &answer.request.plans;
    let methods: Vec<(String, Color32)> = summary::names(plans)
        .into_iter()
        .zip(plans)
        .enumerate()
        .map(|(k, (name, plan))| {
            let panel = state.panel_of_budget_plan(plan).unwrap_or(k);
            (name, tokens::method_color(palette, panel))
        })
        .collect();
    let current = state.is_budget_current(&answer.request);
    if !current {
        let text = "These runs are of other methods, another reward, seed or world. Start again to renew them.";
        let text = RichText::new(text).size(size::SMALL).color(palette.note);
        ui.add(egui::Label::new(text).wrap());
        ui.add_space(space::ROW);
    }
    let id = Id::unique("equal compute plot");
    let mut plotted = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    let title = format!(
        "{} of {} runs, {} particles",
        format::count(answer.rows.len() as u64),
        format::count(answer.total as u64),
        format::count(u64::from(answer.request.particles)),
    );
    let right = |ui: &mut Ui| {
        copy_link(ui, "Copy as CSV", || summary::csv(answer));
    };
    section_with(ui, &title, right, |ui| {
        chips(ui, &mut plotted, &Plotted::ALL);
        ui.data_mut(|data| data.insert_temp(id, plotted));
        plot(ui, answer, plotted, &methods, palette);
        ui.add_space(space::ROW);
        figures(ui, answer, plotted, &methods, palette);
        left_out(ui, answer, &methods, palette);
    });
}

fn plot(
    ui: &mut Ui,
    answer: &BudgetAnswer,
    plotted: Plotted,
    methods: &[(String, Color32)],
    palette: &Palette,
) {
    let series: Vec<Series> = methods
        .iter()
        .enumerate()
        .filter_map(|(method, (name, color))| {
            let at = |budget: &u64| summary(&answer.rows, method, *budget, plotted.figure());
            let mut all: Vec<_> = answer.request.budgets.iter().filter_map(at).collect();
            all.sort_by(|a, b| a.evaluations.total_cmp(&b.evaluations));
            (!all.is_empty()).then(|| Series {
                name: name.clone(),
                color: *color,
                width: 1.6,
                dashed: false,
                points: all.iter().map(|s| [s.evaluations, s.mean]).collect(),
                errors: all.iter().map(|s| s.error).collect(),
                dots: true,
            })
        })
        .collect();
    let mut levels = Vec::new();
    let floor = answer.floor.as_ref().and_then(|floor| plotted.floor(floor));
    if let Some(value) = floor {
        levels.push(Level {
            name: "two exact samples, at most".to_owned(),
            value,
            color: palette.text_faint,
        });
    }
    if plotted == Plotted::Reward
        && let Some(value) = answer.target_mean_reward
    {
        levels.push(Level {
            name: "exact".to_owned(),
            value,
            color: palette.exact,
        });
    }
    let name = plotted.name();
    let scale = if plotted == Plotted::Reward {
        Scale::Linear
    } else {
        Scale::Log
    };
    let chart = Chart {
        name: &format!("{name} against evaluations"),
        height: (size::PLOT * 1.6).max(0.2 * ui.ctx().content_rect().height()),
        x: Axis {
            scale: Scale::Log,
            range: None,
            from_zero: false,
            label: "evaluations",
        },
        y: Axis {
            scale,
            range: None,
            from_zero: false,
            label: "",
        },
        series: &series,
        floor: Vec::new(),
        levels: &levels,
        clock: None,
    };
    chart.show(ui);
    let mut entries: Vec<(String, Color32, bool)> = series
        .iter()
        .map(|s| (s.name.clone(), s.color, false))
        .collect();
    entries.extend(levels.iter().map(|l| (l.name.clone(), l.color, false)));
    ui.vertical_centered(|ui| {
        let text = RichText::new("evaluations a sample")
            .size(size::TICK)
            .color(palette.text_faint);
        ui.label(text);
    });
    legend(ui, &entries);
    let text = if answer.request.seeds.len() > 1 {
        format!(
            "Bars: standard error over {} seeds.",
            answer.request.seeds.len()
        )
    } else {
        "One seed: no error bars.".to_owned()
    };
    let text = RichText::new(text)
        .size(size::TICK)
        .color(palette.text_faint);
    ui.label(text);
}

/// One row a method, one column a budget.
fn figures(
    ui: &mut Ui,
    answer: &BudgetAnswer,
    plotted: Plotted,
    methods: &[(String, Color32)],
    palette: &Palette,
) {
    let budgets = &answer.request.budgets;
    let heads: Vec<Head> = budgets
        .iter()
        .map(|budget| Head {
            title: format::count(*budget),
            spoken: "budget",
            hover: format!("{} evaluations a sample at most", format::count(*budget)),
        })
        .collect();
    let title = RichText::new(format!("{} at each budget", plotted.name()))
        .size(size::SMALL)
        .color(palette.text_quiet);
    ui.label(title);
    let most = answer.floor.as_ref().and_then(|floor| plotted.floor(floor));
    let rows: Vec<Row> = methods
        .iter()
        .enumerate()
        .map(|(method, (name, color))| Row {
            name: name.clone(),
            color: *color,
            hover: answer.request.plans[method]
                .method
                .card()
                .summary
                .to_owned(),
            cells: budgets
                .iter()
                .map(
                    |budget| match summary(&answer.rows, method, *budget, plotted.figure()) {
                        Some(s) => Cell {
                            text: plotted.text(s.mean, s.error),
                            mark: match most {
                                Some(most) if s.mean <= most => Mark::Floor,
                                _ => Mark::Plain,
                            },
                        },
                        None => Cell::default(),
                    },
                )
                .collect(),
        })
        .collect();
    table::show(ui, "equal compute", &heads, &rows, None);
    if most.is_some() {
        let text = RichText::new("Grey: no farther than two exact samples are.")
            .size(size::TICK)
            .color(palette.text_faint);
        ui.add(egui::Label::new(text).wrap());
    }
}

/// Why there are gaps.
fn left_out(ui: &mut Ui, answer: &BudgetAnswer, methods: &[(String, Color32)], palette: &Palette) {
    let mut told = vec![false; methods.len()];
    for gap in &answer.left_out {
        // The first of each method: the others differ in the budget alone.
        let Some(told) = told.get_mut(gap.method) else {
            continue;
        };
        if std::mem::replace(told, true) {
            continue;
        }
        let budgets: Vec<String> = answer
            .left_out
            .iter()
            .filter(|other| other.method == gap.method && other.budget > 0)
            .map(|other| format::count(other.budget))
            .collect();
        let text = format!(
            "{} is left out at {}: {}",
            methods[gap.method].0,
            budgets.join(", "),
            gap.reason
        );
        let text = RichText::new(text)
            .size(size::TICK)
            .color(palette.text_quiet);
        ui.add(egui::Label::new(text).wrap());
    }
    let lost: u64 = answer.rows.iter().map(|row| row.non_finite).sum();
    if lost > 0 {
        let text = format!(
            "{} particles became non-finite in these runs.",
            format::count(lost)
        );
        let text = RichText::new(text).size(size::SMALL).color(palette.error);
        ui.label(text);
    }
}
