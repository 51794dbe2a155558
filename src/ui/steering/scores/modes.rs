//! Which mode the particles are at: every method beside exact.

use eframe::egui::{
    Color32, CornerRadius, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2,
    vec2,
};

use crate::ui::diversity::names::mode_names;
use crate::ui::format;
use crate::ui::tokens::{self, Palette, size};
use crate::ui::widgets::section_with;

use super::Shown;

/// Modes shown one by one.
const MOST: usize = 8;
const NAME_WIDTH: f32 = 78.0;
const NUMBER_WIDTH: f32 = 88.0;

/// One mode, or the rest together.
struct Row {
    name: String,
    exact: f64,
    /// Of each panel, in their order.
    shares: Vec<(Color32, String, f64)>,
}

/// Shows the section.
pub fn show(ui: &mut Ui, shown: &Shown<'_>) {
    let palette = tokens::palette(ui);
    let rows = rows(shown, palette);
    if rows.is_empty() {
        return;
    }
    let largest = rows
        .iter()
        .flat_map(|row| row.shares.iter().map(|s| s.2).chain([row.exact]))
        .fold(0.05, f64::max);
    let right = |ui: &mut Ui| {
        let text = RichText::new("orange outline exact")
            .size(size::TICK)
            .color(palette.text_faint);
        let draws = shown.panels().map(|(_, s)| s.score.target_draws).max();
        ui.label(text).on_hover_text(format!(
            "Share of the particles nearest to each mode, for each method in its colour. The outline is the same share of {} exact draws.",
            format::count(draws.unwrap_or_default() as u64)
        ));
    };
    section_with(ui, "Mode weights", right, |ui| {
        let many = rows.len() > 4;
        ui.spacing_mut().item_spacing.y = if many { 4.0 } else { 6.0 };
        for row in &rows {
            bars(ui, row, largest, many);
        }
    });
}

fn rows(shown: &Shown<'_>, palette: &Palette) -> Vec<Row> {
    let names = mode_names(&shown.runs.request.stage.world.mixture);
    let panels: Vec<_> = shown
        .panels()
        .filter(|(_, score)| score.score.occupancy.len() == names.len())
        .collect();
    let Some((_, first)) = panels.first() else {
        return Vec::new();
    };
    let exact = &first.score.target_occupancy;
    let row = |name: String, modes: &[usize]| {
        let sum = |of: &[f64]| modes.iter().filter_map(|k| of.get(*k)).sum::<f64>();
        Row {
            name,
            exact: sum(exact),
            shares: panels
                .iter()
                .map(|(k, score)| {
                    let color = tokens::method_color(palette, *k);
                    (color, shown.names[*k].clone(), sum(&score.score.occupancy))
                })
                .collect(),
        }
    };
    let mut order: Vec<usize> = (0..names.len()).collect();
    if order.len() > MOST {
        let weight = |k: usize| {
            let shares = panels.iter().map(|(_, s)| s.score.occupancy[k]);
            shares.fold(exact.get(k).copied().unwrap_or(0.0), f64::max)
        };
        order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)));
    }
    let (first, rest) = order.split_at(order.len().min(MOST));
    let mut rows: Vec<Row> = first
        .iter()
        .map(|k| row(names[*k].clone(), &[*k]))
        .collect();
    if !rest.is_empty() {
        let name = format!("{} others", format::count(rest.len() as u64));
        rows.push(row(name, rest));
    }
    rows
}

fn bars(ui: &mut Ui, row: &Row, largest: f64, many: bool) {
    let palette = tokens::palette(ui);
    let count = row.shares.len() as f32;
    let thick = if count > 4.0 || many { 3.0 } else { 4.0 };
    let height = (count * (thick + 1.0) + 5.0).max(17.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let spoken: Vec<String> = row
        .shares
        .iter()
        .map(|(_, name, share)| format!("{name} {}", format::percent(*share)))
        .collect();
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, format!("Share of {}", row.name));
        info.value = Some(row.exact);
        info.current_text_value = Some(format!(
            "exact {}, {}",
            format::percent(row.exact),
            spoken.join(", ")
        ));
        info
    });
    let painter = ui.painter();
    let middle = rect.center().y;
    let name = painter.layout(
        row.name.clone(),
        tokens::small_font(),
        palette.text,
        NAME_WIDTH,
    );
    let at = pos2(rect.left(), middle - name.size().y / 2.0);
    painter.galley(at, name, palette.text);
    let text = format!("exact {}", format::percent(row.exact));
    let galley = painter.layout_no_wrap(text, tokens::small_font(), palette.text_quiet);
    let at = pos2(
        rect.right() - galley.size().x,
        middle - galley.size().y / 2.0,
    );
    painter.galley(at, galley, palette.text_quiet);

    let left = rect.left() + NAME_WIDTH;
    let room = (rect.right() - NUMBER_WIDTH - left).max(20.0);
    let width = |share: f64| (room * (share / largest) as f32).max(1.0);
    let exact = Rect::from_min_size(
        pos2(left, rect.top()),
        vec2(width(row.exact), rect.height()),
    );
    painter.rect_filled(exact, 1.0, tokens::faded(palette.exact, 0.16));
    let top = middle - (count * (thick + 1.0) - 1.0) / 2.0;
    for (k, (color, _, share)) in row.shares.iter().enumerate() {
        let at = pos2(left, top + k as f32 * (thick + 1.0));
        let bar = Rect::from_min_size(at, vec2(width(*share), thick));
        painter.rect_filled(bar, CornerRadius::same(1), *color);
    }
    let outline = Stroke::new(1.3, palette.exact);
    painter.rect_stroke(exact, CornerRadius::same(1), outline, StrokeKind::Inside);
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(&row.name).font(tokens::strong_font()));
        ui.colored_label(
            palette.exact,
            format!("exact {}", format::percent(row.exact)),
        );
        for ((color, _, _), text) in row.shares.iter().zip(&spoken) {
            ui.colored_label(*color, text);
        }
    });
}
