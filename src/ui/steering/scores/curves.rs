//! Figures against `t`, with the clock in them. Click or drag in a plot to move the clock.

use eframe::egui::{Color32, CursorIcon, Id, RichText, Ui};

use crate::engine::{PanelScore, Slot, TracePoint};
use crate::steer::Floor;
use crate::ui::state::State;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::{held_at, section};

use super::Shown;
use super::chart::{Axis, Chart, Scale, Series, legend};
use super::chips;

/// What is plotted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Plotted {
    #[default]
    SlicedW2,
    Mmd,
    Tv,
    Reward,
    Ess,
    Value,
}

impl Plotted {
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (
            Self::SlicedW2,
            "W2",
            "Sliced Wasserstein-2 distance to the exact target of each time.",
        ),
        (
            Self::Mmd,
            "MMD²",
            "Squared maximum mean discrepancy to the exact target of each time.",
        ),
        (
            Self::Tv,
            "TV",
            "Total variation of the mode shares, against the exact ones of each time.",
        ),
        (
            Self::Reward,
            "Reward",
            "Mean reward of the particles where they are, beside the exact one.",
        ),
        (
            Self::Ess,
            "ESS",
            "Effective share of the particles before resampling, for weighted methods.",
        ),
        (
            Self::Value,
            "Value",
            "The value that each method estimates along the way of the selected particle, beside the exact one at the same places.",
        ),
    ];

    fn figure(self, score: &PanelScore) -> Option<f64> {
        match self {
            Self::SlicedW2 => Some(score.score.sliced_w2),
            Self::Mmd => Some(score.score.mmd_squared),
            Self::Tv => Some(score.score.tv),
            Self::Reward => Some(score.score.mean_reward),
            Self::Ess => score.ess,
            Self::Value => None,
        }
    }

    fn floor(self, floor: &Floor) -> Option<f64> {
        match self {
            Self::SlicedW2 => Some(floor.sliced_w2_max),
            Self::Mmd => Some(floor.mmd_squared_max),
            Self::Tv => Some(floor.tv_max),
            Self::Reward | Self::Ess | Self::Value => None,
        }
    }
}

/// Shows the section.
pub fn show(ui: &mut Ui, state: &mut State, shown: &Shown<'_>) {
    let palette = tokens::palette(ui);
    let id = Id::unique("steering curves");
    let mut plotted = ui.data(|data| data.get_temp(id)).unwrap_or_default();
    section(ui, "Against t", |ui| {
        chips(ui, &mut plotted, &Plotted::ALL);
        ui.data_mut(|data| data.insert_temp(id, plotted));
        let drawn = match plotted {
            Plotted::Value => value(state, shown, palette),
            _ => figures(state, shown, plotted, palette),
        };
        match drawn {
            Ok(series) => plot(ui, state, plotted, &series, shown),
            Err(missing) => {
                let text = RichText::new(missing)
                    .size(size::SMALL)
                    .color(palette.text_faint);
                ui.label(text);
            }
        }
    });
}

/// The lines, or what is missing for them.
fn figures(
    state: &State,
    shown: &Shown<'_>,
    plotted: Plotted,
    palette: &Palette,
) -> Result<Vec<Series>, String> {
    let curves = state.steering.curves.as_ref().filter(|curves| {
        // Those of another reward, world or seed would be taken for these.
        std::sync::Arc::ptr_eq(&curves.runs.request, &shown.runs.request)
            && curves.panels.len() == shown.names.len()
    });
    let Some(curves) = curves else {
        return Err(if shown.runs.complete {
            "The curves are on their way.".into()
        } else {
            "The curves come when the runs are at their ends.".into()
        });
    };
    let mut series = Vec::new();
    if plotted == Plotted::Reward {
        // Grids may differ between panels; the longest one has the exact mean of every time.
        let longest = curves.panels.iter().max_by_key(|panel| panel.len());
        let points = longest
            .into_iter()
            .flatten()
            .map(|s| [s.t, s.score.target_mean_reward])
            .collect();
        let mut exact = line("exact".to_owned(), palette.exact, points);
        exact.width = 2.4;
        series.push(exact);
    }
    for (k, panel) in curves.panels.iter().enumerate() {
        let points: Vec<[f64; 2]> = panel
            .iter()
            .filter_map(|score| Some([score.t, plotted.figure(score)?]))
            .collect();
        if !points.is_empty() {
            let color = tokens::method_color(palette, k);
            series.push(line(shown.names[k].clone(), color, points));
        }
    }
    if plotted == Plotted::Ess && series.is_empty() {
        return Err(
            "None of these methods carries weights: TDS, FK steering, value SMC and FMTT do."
                .into(),
        );
    }
    Ok(series)
}

fn line(name: String, color: Color32, points: Vec<[f64; 2]>) -> Series {
    Series {
        name,
        color,
        width: 1.6,
        dashed: false,
        points,
        errors: Vec::new(),
        dots: false,
    }
}

fn value(state: &State, shown: &Shown<'_>, palette: &Palette) -> Result<Vec<Series>, String> {
    let Some(selected) = state.session.steering.selected else {
        return Err("Select a particle to see its value: click one in any panel.".into());
    };
    let trace = state
        .steering
        .trace
        .as_ref()
        .filter(|t| t.request.particle == selected && t.panels.len() == shown.names.len());
    let Some(trace) = trace else {
        return Err(if shown.runs.complete {
            format!("The value along the way of particle {selected} is on its way.")
        } else {
            "The value comes when the runs are at their ends.".into()
        });
    };
    let mut series = Vec::new();
    for (k, points) in trace.panels.iter().enumerate() {
        let color = tokens::method_color(palette, k);
        let name = &shown.names[k];
        let pick = |of: fn(&TracePoint) -> Option<f64>| -> Vec<[f64; 2]> {
            points.iter().filter_map(|p| Some([p.t, of(p)?])).collect()
        };
        let exact = pick(|p| p.exact);
        if !exact.is_empty() {
            let mut exact = line(format!("{name}, exact"), color, exact);
            (exact.dashed, exact.width) = (true, 1.2);
            series.push(exact);
        }
        let estimated = pick(|p| p.value);
        if !estimated.is_empty() {
            series.push(line(name.clone(), color, estimated));
        }
    }
    Ok(series)
}

fn plot(ui: &mut Ui, state: &mut State, plotted: Plotted, series: &[Series], shown: &Shown<'_>) {
    let palette = tokens::palette(ui);
    let axis = |label, range, from_zero| Axis {
        scale: Scale::Linear,
        range,
        from_zero,
        label,
    };
    let name = Plotted::ALL
        .iter()
        .find(|(other, ..)| *other == plotted)
        .map_or("", |(_, name, _)| *name);
    let floor: Vec<[f64; 2]> = state
        .steering
        .curves
        .iter()
        .flat_map(|curves| &curves.floors)
        .filter_map(|(t, floor)| Some([*t, plotted.floor(floor)?]))
        .collect();
    let has_floor = floor.len() > 1;
    let y = axis(
        "",
        (plotted == Plotted::Ess).then_some((0.0, 1.05)),
        !matches!(plotted, Plotted::Reward | Plotted::Value),
    );
    let chart = Chart {
        name,
        height: (size::PLOT * 1.35).max(0.17 * ui.ctx().content_rect().height()),
        x: axis("t", Some((0.0, 1.0)), false),
        y,
        series,
        floor,
        levels: &[],
        clock: Some(state.session.steering.t),
    };
    let (response, pointer) = chart.show(ui);
    let response = response.on_hover_cursor(CursorIcon::ResizeHorizontal);
    if let (Some(_), Some([t, _])) = (held_at(&response), pointer) {
        state.playing = false;
        state.set_time((t * 1000.0).round() / 1000.0);
    }
    let mut entries: Vec<(String, Color32, bool)> = series
        .iter()
        .filter(|s| !s.dashed)
        .map(|s| (s.name.clone(), s.color, false))
        .collect();
    if series.iter().any(|s| s.dashed) {
        entries.push((
            "dashed exact, at the same places".into(),
            palette.text_quiet,
            true,
        ));
    }
    if has_floor {
        entries.push(("two exact samples, at most".into(), palette.floor, false));
    }
    legend(ui, &entries);
    if state.steering.curves.as_ref().is_some_and(|c| !c.complete) && shown.runs.complete {
        // Esc calls them off.
        let text = if state.is_waiting(Slot::ScoreCurves) {
            "More times are on their way."
        } else {
            "The curves end here: the rest was called off."
        };
        let text = RichText::new(text)
            .size(size::TICK)
            .color(palette.text_faint);
        ui.label(text);
    }
}
