//! What every method reached at the clock's time, beside exact: a table, the modes, curves against `t`.

pub(in crate::ui) mod chart;
mod csv;
mod curves;
mod figures;
mod modes;
mod names;
pub(super) mod table;

use eframe::egui::{self, Id, RichText, ScrollArea, Ui};

use crate::engine::{PanelScore, ScoresAnswer, SteerAnswer};
use crate::reward::Exactness;
use crate::ui::diversity::names::mode_names;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size, space};
use crate::ui::widgets::{copy_link, section_with};

pub(super) use csv::quoted;
pub(super) use figures::{thousandths, with_error};
pub use names::{panel_names, remarks};

use figures::{ESS, FIGURES, NON_FINITE};
use table::{Head, Mark, Row, Sort};

/// What the panel is about.
struct Shown<'a> {
    runs: &'a SteerAnswer,
    scores: &'a ScoresAnswer,
    /// One a panel.
    names: Vec<String>,
}

impl Shown<'_> {
    /// The panels that have a score, by number.
    fn panels(&self) -> impl Iterator<Item = (usize, &PanelScore)> {
        let panels = self.scores.panels.iter().enumerate();
        panels.filter_map(|(k, score)| Some((k, score.as_ref()?)))
    }

    /// The score that knows the mean reward of the exact target: the latest panel's, at the end of the runs all have
    /// the same.
    fn latest(&self) -> Option<&PanelScore> {
        let latest = self.panels().max_by(|a, b| a.1.t.total_cmp(&b.1.t));
        Some(latest?.1)
    }

    fn exact_mean(&self) -> Option<f64> {
        Some(self.latest()?.score.target_mean_reward)
    }

    /// How the exact target is known.
    fn how(&self) -> String {
        let exact = self.panels().all(|(_, s)| s.score.exact_target);
        match self.runs.target.as_ref().map(|target| target.how()) {
            Ok(Exactness::Quadrature { cells }) => {
                format!("by quadrature, {cells} cells an axis")
            }
            Ok(Exactness::ClosedForm) if exact => "in closed form".to_owned(),
            _ => "estimated from weighted samples".to_owned(),
        }
    }
}

/// Shows the panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(ui.available_width() - space::SCROLL);
            contents(ui, state);
            ui.add_space(space::ROW);
        });
}

fn contents(ui: &mut Ui, state: &mut State) {
    let (Some(runs), scores) = (state.steering.runs.clone(), state.steering.scores.clone()) else {
        waiting(
            ui,
            "The scores come with the first steps of the methods: press Space.",
        );
        return;
    };
    if let Err(why) = &runs.target {
        waiting(
            ui,
            &format!("There is no exact target to compare with: {why}"),
        );
    }
    let Some(scores) = scores.filter(|s| s.panels.len() == runs.panels.len()) else {
        let text = if runs.target.is_ok() {
            "The scores are on their way."
        } else {
            "Choose another reward to see scores."
        };
        waiting(ui, text);
        return;
    };
    let shown = Shown {
        names: panel_names(&runs.request.plans),
        runs: &runs,
        scores: &scores,
    };
    let current = std::sync::Arc::ptr_eq(&scores.request.runs.request, &runs.request);
    ui.scope(|ui| {
        if !current {
            // Of before: new ones are on their way.
            ui.multiply_opacity(0.5);
        }
        figures(ui, &shown);
        modes::show(ui, &shown);
    });
    curves::show(ui, state, &shown);
}

fn waiting(ui: &mut Ui, text: &str) {
    let faint = tokens::palette(ui).text_faint;
    let text = RichText::new(text).size(size::SMALL).color(faint);
    ui.add(egui::Label::new(text).wrap());
    ui.add_space(space::ROW);
}

/// The floor, what is exact, and the table.
fn figures(ui: &mut Ui, shown: &Shown<'_>) {
    let scores = shown.scores;
    let t = shown.panels().map(|(_, s)| s.t).fold(0.0, f64::max);
    let title = format!(
        "At t = {t:.3}, {} particles{}",
        format::count(scores.particles as u64),
        if scores.request.runs.request.preview {
            ", preview"
        } else {
            ""
        },
    );
    let right = |ui: &mut Ui| {
        let modes = mode_names(&shown.runs.request.stage.world.mixture);
        copy_link(ui, "Copy as CSV", || {
            csv::csv(scores, &shown.names, &modes, &shown.how())
        });
    };
    section_with(ui, &title, right, |ui| {
        exact_figures(ui, shown);
        ui.add_space(2.0);
        table(ui, shown);
        let floored = shown.panels().any(|(_, score)| {
            FIGURES
                .iter()
                .any(|f| f.cell(Some(score), &scores.floor).mark == Mark::Floor)
        });
        if floored {
            faint(ui, "Grey: no farther than two exact samples are.");
        }
        for (k, score) in shown.panels() {
            let name = shown.names.get(k).map_or("", String::as_str);
            let undefined = score.score.without_reward;
            if undefined > 0 {
                let text = format!(
                    "{name}: {undefined} of {} particles lie where the reward is not defined; the mean is of the others.",
                    score.score.samples
                );
                warn(ui, &text);
            }
        }
        let weighted = shown.panels().any(|(_, s)| s.ess.is_some() && s.t < 1.0);
        if weighted {
            faint(
                ui,
                "On the way, particles with weights count by them; the panels show each of them alike.",
            );
        }
    });
}

fn warn(ui: &mut Ui, text: &str) {
    let color = tokens::palette(ui).note;
    let text = RichText::new(text).size(size::TICK).color(color);
    ui.add(egui::Label::new(text).wrap());
}

fn faint(ui: &mut Ui, text: &str) {
    let color = tokens::palette(ui).text_faint;
    let text = RichText::new(text).size(size::TICK).color(color);
    ui.add(egui::Label::new(text).wrap());
}

fn exact_figures(ui: &mut Ui, shown: &Shown<'_>) {
    let palette = tokens::palette(ui);
    ui.spacing_mut().item_spacing.y = 2.0;
    let line = |ui: &mut Ui, name: &str, value: String, color: egui::Color32| {
        let mut job = egui::text::LayoutJob::default();
        for (text, color) in [(name, palette.text_quiet), (value.as_str(), color)] {
            let format = egui::TextFormat::simple(tokens::small_font(), color);
            job.append(text, 0.0, format);
        }
        ui.add(egui::Label::new(job).wrap().selectable(true));
    };
    let floor = &shown.scores.floor;
    let apart = format!(
        "W2 {}, at most {}",
        format::fixed(floor.sliced_w2, 3),
        format::fixed(floor.sliced_w2_max, 3),
    );
    line(ui, "Two exact samples  ", apart, palette.text);
    if let Some(latest) = shown.latest() {
        let mean = latest.score.target_mean_reward;
        let decimals = if mean.abs() < 99.5 { 3 } else { 0 };
        let how = latest.score.how_the_mean_is_known();
        let text = format!("{}, {how}", format::fixed(mean, decimals));
        line(ui, "Exact mean reward  ", text, palette.exact);
    }
}

fn table(ui: &mut Ui, shown: &Shown<'_>) {
    let palette = tokens::palette(ui);
    let id = Id::unique("steering scores order");
    let sort: Sort = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    // Columns in which every cell would be empty say nothing: weights appear with the first weighted method.
    let weighted = shown.panels().any(|(_, score)| score.ess.is_some());
    let columns: Vec<usize> = (0..FIGURES.len())
        .filter(|k| *k != ESS || weighted)
        .collect();
    let heads: Vec<Head> = columns
        .iter()
        .map(|k| Head {
            title: FIGURES[*k].title.to_owned(),
            spoken: FIGURES[*k].name,
            hover: FIGURES[*k].hover.to_owned(),
        })
        .collect();
    let scores = &shown.scores.panels;
    let values: Vec<Option<f64>> = scores
        .iter()
        .enumerate()
        .map(|(panel, score)| match sort.column {
            None => Some(panel as f64),
            Some(column) => score.as_ref().and_then(FIGURES[column].value),
        })
        .collect();
    let plans = &shown.runs.request.plans;
    let exact = shown.exact_mean().map(|mean| Row {
        name: "exact".to_owned(),
        color: palette.exact,
        hover: "The exact mean reward, and the most that two exact samples of this size differ by."
            .to_owned(),
        cells: columns
            .iter()
            .map(|k| FIGURES[*k].exact(&shown.scores.floor, mean))
            .collect(),
    });
    let methods = sort.order(&values).into_iter().map(|panel| Row {
        name: shown.names[panel].clone(),
        color: tokens::method_color(palette, panel),
        hover: plans[panel].method.card().summary.to_owned(),
        cells: columns
            .iter()
            .map(|k| {
                let mut cell = FIGURES[*k].cell(scores[panel].as_ref(), &shown.scores.floor);
                let lost = scores[panel]
                    .as_ref()
                    .is_some_and(|s| s.score.non_finite > 0);
                if *k == NON_FINITE && lost {
                    cell.mark = Mark::Trouble;
                }
                cell
            })
            .collect(),
    });
    // What is exact stays on top, however the others are ordered.
    let rows: Vec<Row> = exact.into_iter().chain(methods).collect();
    let sort_shown = Sort {
        column: sort
            .column
            .and_then(|column| columns.iter().position(|k| *k == column)),
        ..sort
    };
    if let Some(head) = table::show(ui, "steering scores", &heads, &rows, Some(sort_shown)) {
        let clicked = sort.clicked(match head {
            table::ClickedHead::Names => None,
            table::ClickedHead::Column(shown) => Some(columns[shown]),
        });
        ui.data_mut(|data| data.insert_temp(id, clicked));
    }
}

/// A row of choices, one of which is taken.
pub(super) fn chips<T: Copy + PartialEq>(ui: &mut Ui, chosen: &mut T, choices: &[(T, &str, &str)]) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
        ui.spacing_mut().button_padding = egui::vec2(5.0, 2.0);
        ui.spacing_mut().interact_size.y = 22.0;
        for (choice, name, hover) in choices {
            let text = RichText::new(*name).size(size::SMALL);
            let chip = ui.add(egui::Button::selectable(*chosen == *choice, text));
            if chip.on_hover_text(*hover).clicked() {
                *chosen = *choice;
            }
        }
    });
}
