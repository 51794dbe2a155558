//! Which mode the draws fall on: learned beside exact.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, Rect, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use crate::engine::DrawStats;
use crate::ui::format;
use crate::ui::state::State;
use crate::ui::tokens::{self, size};
use crate::ui::widgets::section_with;

use super::names::mode_names;

/// Modes shown one by one.
const SHOWN: usize = 8;
const NAME_WIDTH: f32 = 84.0;
const BAR: f32 = 8.0;

struct Row {
    name: String,
    shares: Vec<(Color32, bool, f64)>,
}

/// Shows the section.
pub fn show(ui: &mut Ui, state: &State, stats: &DrawStats) {
    let rows = rows(ui, state, stats);
    let right = |ui: &mut Ui| {
        let quiet = tokens::palette(ui).text_faint;
        let text = format!("{} draws", format::count(stats.draws as u64));
        ui.label(RichText::new(text).size(size::TICK).color(quiet))
            .on_hover_text("Share of the draws nearest to each mode, for the first draws and for as many exact ones.");
    };
    section_with(ui, "Which mode", right, |ui| {
        let largest = rows
            .iter()
            .flat_map(|r| r.shares.iter().map(|s| s.2))
            .fold(0.05, f64::max);
        ui.spacing_mut().item_spacing.y = 7.0;
        for row in rows {
            bar_row(ui, &row, largest);
        }
    });
}

fn rows(ui: &Ui, state: &State, stats: &DrawStats) -> Vec<Row> {
    let palette = tokens::palette(ui);
    let names = mode_names(&state.world.mixture);
    let overlay = state.overlay().and_then(|source| {
        let stats = state.answers.overlay.stats.as_ref()?;
        let color = crate::ui::canvas::color_of(state, source, true, palette);
        (stats.occupancy.len() == names.len()).then_some((color, stats))
    });
    let main = crate::ui::canvas::color_of(state, state.source(), false, palette);
    let shares = |modes: &[usize]| {
        let sum = |of: &[f64]| modes.iter().filter_map(|k| of.get(*k)).sum::<f64>();
        let mut shares = vec![(main, true, sum(&stats.occupancy))];
        if let Some((color, stats)) = &overlay {
            shares.push((*color, true, sum(&stats.occupancy)));
        }
        shares.push((palette.exact, false, sum(&stats.occupancy_exact)));
        shares
    };
    let mut order: Vec<usize> = (0..names.len()).collect();
    if order.len() > SHOWN {
        let weight = |k: &usize| stats.occupancy[*k].max(stats.occupancy_exact[*k]);
        order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    }
    let (first, rest) = order.split_at(order.len().min(SHOWN));
    let mut rows: Vec<Row> = first
        .iter()
        .map(|k| Row {
            name: names[*k].clone(),
            shares: shares(&[*k]),
        })
        .collect();
    if !rest.is_empty() {
        rows.push(Row {
            name: format!("{} others", format::count(rest.len() as u64)),
            shares: shares(rest),
        });
    }
    rows
}

fn bar_row(ui: &mut Ui, row: &Row, largest: f64) {
    let palette = tokens::palette(ui);
    let bars = row.shares.len() as f32;
    let height = (bars * (BAR + 2.0)).max(22.0);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let (drawn, exact) = (row.shares[0].2, row.shares[row.shares.len() - 1].2);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, format!("Share of {}", row.name));
        info.value = Some(drawn);
        info.current_text_value = Some(format!(
            "{}, exact {}",
            format::percent(drawn),
            format::percent(exact)
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
    painter.galley(
        pos2(rect.left(), middle - name.size().y / 2.0),
        name,
        palette.text,
    );

    let exact_text = format!("exact {}", format::fixed(exact * 100.0, 1));
    let exact_rect = painter.text(
        pos2(rect.right(), middle),
        Align2::RIGHT_CENTER,
        exact_text,
        tokens::small_font(),
        palette.text_quiet,
    );
    let column = exact_rect.left().min(rect.right() - 66.0);
    let number_rect = painter.text(
        pos2(column - 8.0, middle),
        Align2::RIGHT_CENTER,
        format::percent(drawn),
        tokens::small_font(),
        palette.text,
    );
    let left = rect.left() + NAME_WIDTH;
    let right = number_rect.left().min(column - 8.0 - 44.0) - 10.0;
    let room = (right - left).max(8.0);
    let top = middle - bars * (BAR + 2.0) / 2.0;
    for (k, (color, filled, share)) in row.shares.iter().enumerate() {
        let y = top + k as f32 * (BAR + 2.0);
        let width = (room * (share / largest) as f32).max(1.5);
        let bar = Rect::from_min_size(pos2(left, y), vec2(width, BAR));
        if *filled {
            painter.rect_filled(bar, CornerRadius::same(1), *color);
        } else {
            let stroke = Stroke::new(1.3, *color);
            painter.rect_stroke(bar, CornerRadius::same(1), stroke, StrokeKind::Inside);
        }
    }
    response.on_hover_ui(|ui| {
        ui.label(egui::RichText::new(&row.name).font(tokens::strong_font()));
        ui.label(format!("drawn {}", format::percent(drawn)));
        ui.label(format!("exact {}", format::percent(exact)));
    });
}
