//! The figures of the draws beside those of the closed form.

use eframe::egui::{Align2, Color32, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::engine::DrawStats;
use crate::lookahead::Source;
use crate::mixture::Cov2;
use crate::ui::canvas::color_of;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::section_with;

const NAME_WIDTH: f32 = 92.0;

struct Line {
    name: &'static str,
    unit: &'static str,
    hover: &'static str,
    drawn: fn(&DrawStats) -> String,
    exact: fn(&DrawStats) -> String,
}

/// Standard deviations along the long and the short axis of a covariance ellipse.
fn sds(covariance: [f64; 3]) -> [f64; 2] {
    let [xx, xy, yy] = covariance;
    // A covariance of one draw is zero, and rounding may leave it just below.
    let tiny = 1e-18;
    let (major, minor, _) = Cov2 {
        xx: xx + tiny,
        xy,
        yy: yy + tiny,
    }
    .axes();
    [major, minor]
}

const LINES: [Line; 7] = [
    Line {
        name: "mean x",
        unit: "world units",
        hover: "Mean of the draws, and of the exact posterior in closed form.",
        drawn: |s| format::fixed(s.mean[0], 3),
        exact: |s| format::fixed(s.mean_exact[0], 3),
    },
    Line {
        name: "mean y",
        unit: "world units",
        hover: "Mean of the draws, and of the exact posterior in closed form.",
        drawn: |s| format::fixed(s.mean[1], 3),
        exact: |s| format::fixed(s.mean_exact[1], 3),
    },
    Line {
        name: "long axis",
        unit: "world units",
        hover: "Standard deviation along the long axis of the covariance ellipse.",
        drawn: |s| format::fixed(sds(s.covariance)[0], 3),
        exact: |s| format::fixed(sds(s.covariance_exact)[0], 3),
    },
    Line {
        name: "short axis",
        unit: "world units",
        hover: "Standard deviation along the short axis of the covariance ellipse.",
        drawn: |s| format::fixed(sds(s.covariance)[1], 3),
        exact: |s| format::fixed(sds(s.covariance_exact)[1], 3),
    },
    Line {
        name: "spread",
        unit: "world units",
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
        unit: "world units",
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
        ui.spacing_mut().item_spacing.y = 3.0;
        let main = state.source();
        let mut titles = vec![(
            heading(state, main, overlay.is_some()),
            color_of(state, main, false, palette),
        )];
        if let Some((source, _)) = &overlay {
            titles.push((
                heading(state, *source, true),
                color_of(state, *source, true, palette),
            ));
        }
        titles.push(("exact".to_owned(), palette.exact));
        row(ui, "", "", &titles);
        for line in &LINES {
            let mut cells = vec![((line.drawn)(stats), palette.text)];
            if let Some((_, stats)) = &overlay {
                cells.push(((line.drawn)(stats), palette.text));
            }
            cells.push(((line.exact)(stats), palette.text_quiet));
            let hover = format!("{} In {}.", line.hover, line.unit);
            row(ui, line.name, &hover, &cells);
        }
    });
}

/// A name and right-aligned values in columns of equal width.
fn row(ui: &mut Ui, name: &str, hover: &str, cells: &[(String, Color32)]) {
    let palette = tokens::palette(ui);
    let (rect, response) = ui.allocate_exact_size(
        vec2(ui.available_width(), size::SMALL + 7.0),
        Sense::hover(),
    );
    let values: Vec<&str> = cells.iter().map(|(text, _)| text.as_str()).collect();
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Label, true, format!("{name} {}", values.join("; ")))
    });
    let painter = ui.painter();
    let names = NAME_WIDTH.min(rect.width() * 0.29);
    let each = (rect.width() - names) / cells.len() as f32;
    // Two numbers must fit into a column.
    let font = if each < 84.0 {
        tokens::tick_font()
    } else {
        tokens::small_font()
    };
    painter.text(
        rect.left_center(),
        Align2::LEFT_CENTER,
        name,
        font.clone(),
        palette.text_quiet,
    );
    for (k, (text, color)) in cells.iter().enumerate() {
        let right = pos2(rect.left() + names + each * (k + 1) as f32, rect.center().y);
        painter.text(right, Align2::RIGHT_CENTER, text, font.clone(), *color);
    }
    if !hover.is_empty() {
        response.on_hover_text(hover);
    }
}

/// Who the figures of a column are about; shorter where there are several columns of draws.
fn heading(state: &State, source: Source, brief: bool) -> String {
    match source {
        Source::Exact => "exact draws".to_owned(),
        _ if brief || !state.is_learned(source) => source.short(),
        Source::OneStep => "learned".to_owned(),
        _ => format!("{}, learned", source.short()),
    }
}
