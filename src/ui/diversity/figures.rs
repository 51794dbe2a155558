//! The figures of the draws beside those of the closed form.

use eframe::egui::{Align, Color32, Grid, Layout, RichText, Ui};

use crate::engine::DrawStats;
use crate::mixture::Cov2;
use crate::ui::canvas::{color_of, short_name};
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::section_with;

struct Line {
    name: &'static str,
    unit: &'static str,
    hover: &'static str,
    drawn: fn(&DrawStats) -> String,
    exact: fn(&DrawStats) -> String,
}

fn sds(covariance: [f64; 3]) -> String {
    let [xx, xy, yy] = covariance;
    // A covariance of one draw is zero, and rounding may leave it just below.
    let tiny = 1e-18;
    let (major, minor, _) = Cov2 {
        xx: xx + tiny,
        xy,
        yy: yy + tiny,
    }
    .axes();
    format!("{}, {}", format::fixed(major, 2), format::fixed(minor, 2))
}

const LINES: [Line; 5] = [
    Line {
        name: "mean",
        unit: "x, y",
        hover: "Mean of the draws, and of the exact posterior in closed form.",
        drawn: |s| format::point(s.mean),
        exact: |s| format::point(s.mean_exact),
    },
    Line {
        name: "ellipse",
        unit: "sd, sd",
        hover: "Standard deviations along the axes of the covariance ellipse.",
        drawn: |s| sds(s.covariance),
        exact: |s| sds(s.covariance_exact),
    },
    Line {
        name: "spread",
        unit: "units",
        hover: "Mean distance between two draws, and between two of as many exact draws.",
        drawn: |s| format::fixed(s.pairwise, 3),
        exact: |s| format::fixed(s.pairwise_exact, 3),
    },
    Line {
        name: "mode entropy",
        unit: "nats",
        hover: "Entropy of the shares of the modes; 0 when the future is decided.",
        drawn: |s| format::fixed(s.entropy, 3),
        exact: |s| format::fixed(s.entropy_exact, 3),
    },
    Line {
        name: "sliced W2",
        unit: "units",
        hover: "Sliced Wasserstein-2 distance to as many exact draws. In the last column its floor: the same between two exact sets.",
        drawn: |s| format::fixed(s.sliced_w2, 3),
        exact: |s| format!("floor {}", format::fixed(s.floor, 3)),
    },
];

/// Shows the section.
pub fn show(ui: &mut Ui, state: &State, stats: &DrawStats) {
    let palette = tokens::palette(ui);
    let overlay = state
        .overlay()
        .and_then(|source| Some((source, state.answers.overlay.stats.clone()?)));
    let right = |ui: &mut Ui| {
        let text = format!("{} draws", format::count(stats.draws as u64));
        ui.label(
            RichText::new(text)
                .size(size::TICK)
                .color(palette.text_faint),
        );
    };
    section_with(ui, "Figures", right, |ui| {
        let columns = if overlay.is_some() { 4 } else { 3 };
        let name_width = 96.0;
        let each = ((ui.available_width() - name_width) / (columns - 1) as f32 - 8.0).max(48.0);
        Grid::new("figures")
            .num_columns(columns)
            .spacing([8.0, 5.0])
            .min_col_width(each)
            .show(ui, |ui| {
                ui.label("");
                let main = state.source();
                cell(
                    ui,
                    each,
                    &heading(state, main),
                    color_of(state, main, false, palette),
                );
                if let Some((source, _)) = &overlay {
                    cell(
                        ui,
                        each,
                        &heading(state, *source),
                        color_of(state, *source, true, palette),
                    );
                }
                cell(ui, each, "exact", palette.exact);
                ui.end_row();
                for line in &LINES {
                    let name = RichText::new(line.name)
                        .size(size::SMALL)
                        .color(palette.text_quiet);
                    ui.label(name)
                        .on_hover_text(format!("{} In {}.", line.hover, line.unit));
                    cell(ui, each, &(line.drawn)(stats), palette.text);
                    if let Some((_, stats)) = &overlay {
                        cell(ui, each, &(line.drawn)(stats), palette.text);
                    }
                    cell(ui, each, &(line.exact)(stats), palette.text_quiet);
                    ui.end_row();
                }
            });
    });
}

fn heading(state: &State, source: crate::lookahead::Source) -> String {
    match source {
        crate::lookahead::Source::Exact => "exact draws".to_owned(),
        crate::lookahead::Source::OneStep => "learned".to_owned(),
        _ if state.is_learned(source) => format!("{}, learned", short_name(source)),
        _ => short_name(source),
    }
}

fn cell(ui: &mut Ui, width: f32, text: &str, color: Color32) {
    ui.allocate_ui_with_layout(
        eframe::egui::vec2(width, size::SMALL + 5.0),
        Layout::right_to_left(Align::Center),
        |ui| {
            ui.set_min_width(width);
            ui.label(RichText::new(text).size(size::SMALL).color(color));
        },
    );
}
