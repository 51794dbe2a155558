//! A table of figures with one row a method: names stay in view at the left, columns that do not fit scroll.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, CursorIcon, Rect, Role, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo, pos2, scroll_area::ScrollBarVisibility, vec2,
};

use crate::ui::tokens::{self, Palette, size};

const ROW: f32 = 21.0;
const HEAD: f32 = 32.0;
/// Between columns.
const GAP: f32 = 8.0;
/// Room of a name's colour key.
const KEY: f32 = 13.0;
/// Names are cut off beyond this.
const MOST_NAME: f32 = 128.0;
const SCROLL_BAR: f32 = 9.0;

/// How a figure is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// As any figure.
    #[default]
    Plain,
    /// No farther than two exact samples are: it could not be better.
    Floor,
    /// What is exact, to compare with.
    Exact,
    /// Something went wrong.
    Trouble,
}

/// One figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// As it is written; empty: there is none.
    pub text: String,
    /// How it is meant.
    pub mark: Mark,
}

/// A column's head.
#[derive(Clone, Debug)]
pub struct Head {
    /// One or two lines.
    pub title: String,
    /// Its name in words.
    pub spoken: &'static str,
    /// What it is.
    pub hover: String,
}

/// A method.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its colour.
    pub color: Color32,
    /// More about it.
    pub hover: String,
    /// One a column.
    pub cells: Vec<Cell>,
}

/// By which column the rows are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// The column; `None`: the order of the panels.
    pub column: Option<usize>,
    /// The largest first.
    pub descending: bool,
}

impl Sort {
    /// What a click on a head makes of it.
    #[must_use]
    pub fn clicked(self, column: Option<usize>) -> Self {
        Self {
            column,
            descending: self.column == column && !self.descending,
        }
    }

    /// The order of rows whose figures in the column are `values`; those without one stay last.
    pub fn order(self, values: &[Option<f64>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        let finite = |k: usize| values[k].filter(|v| !v.is_nan());
        order.sort_by(|a, b| match (finite(*a), finite(*b)) {
            (Some(a), Some(b)) if self.descending => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        order
    }
}

/// A head that was clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickedHead {
    /// That of the names.
    Names,
    /// That of a column.
    Column(usize),
}

/// Shows the table; rows come in the order in which they are to stand. Gives the head that was clicked.
pub fn show(
    ui: &mut Ui,
    id: &str,
    heads: &[Head],
    rows: &[Row],
    sort: Option<Sort>,
) -> Option<ClickedHead> {
    let palette = tokens::palette(ui);
    let mut clicked = None;
    ui.scope(|ui| {
        let spacing = ui.spacing_mut();
        spacing.item_spacing = egui::Vec2::ZERO;
        // Rows of names and rows of figures must have one height.
        spacing.interact_size.y = 0.0;
        // What is out of view must show that it is there.
        spacing.scroll.dormant_handle_opacity = 0.5;
        spacing.scroll.dormant_background_opacity = 0.3;
        spacing.scroll.floating_width = 4.0;
        spacing.scroll.bar_width = 6.0;
        ui.horizontal_top(|ui| {
            let names = ui.vertical(|ui| names(ui, rows, sort, palette)).inner;
            clicked = names.then_some(ClickedHead::Names);
            ui.add_space(GAP / 2.0);
            // egui moves the bar of a table that lies below what is shown up into it.
            let top = ui.cursor().top() + HEAD + ROW;
            let bar = if top < ui.clip_rect().bottom() {
                ScrollBarVisibility::VisibleWhenNeeded
            } else {
                ScrollBarVisibility::AlwaysHidden
            };
            ScrollArea::horizontal()
                .id_salt(id)
                .scroll_bar_visibility(bar)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    let columns = columns(ui, heads, rows, sort, palette);
                    clicked = clicked.or(columns.map(ClickedHead::Column));
                });
        });
    });
    clicked
}

/// The column of names. Gives whether its head was clicked.
fn names(ui: &mut Ui, rows: &[Row], sort: Option<Sort>, palette: &Palette) -> bool {
    let font = tokens::small_font();
    let width = rows
        .iter()
        .map(|row| text_width(ui, &row.name, &font))
        .fold(40.0, f32::max)
        .min(MOST_NAME)
        + KEY;
    let (head, response) = ui.allocate_exact_size(vec2(width, HEAD), sense_of(sort.is_some()));
    let sorted = sort.filter(|sort| sort.column.is_none());
    head_text(ui, head, "method", sorted, false, palette);
    let clicked = describe(&response, "Order by panel", sort.is_some());
    for row in rows {
        let (rect, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &row.name));
        let painter = ui.painter();
        let key = Rect::from_center_size(
            pos2(rect.left() + 4.0, rect.center().y),
            egui::Vec2::splat(8.0),
        );
        painter.rect_filled(key, CornerRadius::same(2), row.color);
        let mut job =
            egui::text::LayoutJob::simple_singleline(row.name.clone(), font.clone(), palette.text);
        job.wrap = egui::text::TextWrapping::truncate_at_width(width - KEY);
        let galley = painter.layout_job(job);
        let at = pos2(rect.left() + KEY, rect.center().y - galley.size().y / 2.0);
        painter.galley(at, galley, palette.text);
        response.on_hover_text(&row.hover);
    }
    ui.add_space(SCROLL_BAR);
    clicked
}

/// The columns of figures. Gives the head that was clicked.
fn columns(
    ui: &mut Ui,
    heads: &[Head],
    rows: &[Row],
    sort: Option<Sort>,
    palette: &Palette,
) -> Option<usize> {
    let (font, head_font) = (tokens::small_font(), tokens::tick_font());
    let widths: Vec<f32> = heads
        .iter()
        .enumerate()
        .map(|(k, head)| {
            let lines = head.title.lines();
            let head = lines.map(|line| text_width(ui, line, &head_font) + 9.0);
            let cells = rows
                .iter()
                .filter_map(|row| row.cells.get(k))
                .map(|cell| text_width(ui, &cell.text, &font) + 8.0);
            head.chain(cells).fold(28.0, f32::max)
        })
        .collect();
    let mut clicked = None;
    ui.vertical(|ui| {
        ui.horizontal(|ui| {
            for (k, (head, width)) in heads.iter().zip(&widths).enumerate() {
                let desired = vec2(width + GAP / 2.0, HEAD);
                let (rect, response) = ui.allocate_exact_size(desired, sense_of(sort.is_some()));
                let sorted = sort.filter(|sort| sort.column == Some(k));
                head_text(ui, rect, &head.title, sorted, true, palette);
                let spoken = format!("Order by {}", head.spoken);
                if describe(&response, &spoken, sort.is_some()) {
                    clicked = Some(k);
                }
                response.on_hover_text(&head.hover);
            }
        });
        for row in rows {
            ui.horizontal(|ui| {
                for (k, (cell, width)) in row.cells.iter().zip(&widths).enumerate() {
                    let desired = vec2(width + GAP / 2.0, ROW);
                    let (rect, response) = ui.allocate_exact_size(desired, Sense::hover());
                    cell_text(ui, rect, cell, palette);
                    response.widget_info(|| {
                        let name = format!("{}, {}", row.name, heads[k].spoken);
                        let mut info = WidgetInfo::labeled(Role::Cell, true, name);
                        let note = match cell.mark {
                            Mark::Floor => ", at the floor",
                            _ => "",
                        };
                        info.current_text_value = Some(format!("{}{note}", cell.text));
                        info
                    });
                }
            });
        }
        ui.add_space(SCROLL_BAR);
    });
    clicked
}

fn sense_of(sortable: bool) -> Sense {
    if sortable {
        Sense::click()
    } else {
        Sense::hover()
    }
}

fn describe(response: &egui::Response, name: &str, sortable: bool) -> bool {
    if !sortable {
        return false;
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response.clone().on_hover_cursor(CursorIcon::PointingHand);
    response.clicked()
}

fn head_text(
    ui: &Ui,
    rect: Rect,
    title: &str,
    sorted: Option<Sort>,
    right: bool,
    palette: &Palette,
) {
    let color = if sorted.is_some() {
        palette.text_strong
    } else {
        palette.text_quiet
    };
    let painter = ui.painter();
    let bottom = rect.bottom() - 5.0;
    let font = tokens::tick_font();
    let lines: Vec<&str> = title.lines().rev().collect();
    let mut left = rect.left();
    for (k, line) in lines.iter().enumerate() {
        let y = bottom - 12.0 * k as f32;
        let placed = if right {
            let at = pos2(rect.right() - 4.0, y);
            painter.text(at, Align2::RIGHT_BOTTOM, line, font.clone(), color)
        } else {
            painter.text(
                pos2(rect.left(), y),
                Align2::LEFT_BOTTOM,
                line,
                font.clone(),
                color,
            )
        };
        if k == 0 {
            left = if right {
                placed.left() - 5.0
            } else {
                placed.right() + 6.0
            };
        }
    }
    if let Some(sort) = sorted {
        arrow(painter, pos2(left, bottom - 6.0), sort.descending, color);
    }
    let line = Stroke::new(1.0, palette.outline);
    painter.hline(rect.x_range(), rect.bottom() - 1.0, line);
}

fn arrow(painter: &egui::Painter, at: egui::Pos2, down: bool, color: Color32) {
    let tip = if down { 3.0 } else { -3.0 };
    let points = vec![
        at + vec2(0.0, tip),
        at + vec2(3.0, -tip * 0.6),
        at + vec2(-3.0, -tip * 0.6),
    ];
    painter.add(egui::Shape::convex_polygon(points, color, Stroke::NONE));
}

fn cell_text(ui: &Ui, rect: Rect, cell: &Cell, palette: &Palette) {
    let painter = ui.painter();
    let (text, color) = match (cell.text.as_str(), cell.mark) {
        ("", Mark::Exact) => ("", palette.text_faint),
        ("", _) => ("–", palette.text_faint),
        (text, Mark::Trouble) => (text, palette.error),
        (text, Mark::Exact) => (text, palette.exact),
        (text, _) => (text, palette.text),
    };
    let galley = painter.layout_no_wrap(text.to_owned(), tokens::small_font(), color);
    let at = pos2(
        rect.right() - 4.0 - galley.size().x,
        rect.center().y - galley.size().y / 2.0,
    );
    if cell.mark == Mark::Floor {
        let ground = Rect::from_min_size(at, galley.size()).expand2(vec2(4.0, 1.0));
        painter.rect_filled(ground, CornerRadius::same(3), palette.floor);
    }
    painter.galley(at, galley, color);
}

fn text_width(ui: &Ui, text: &str, font: &egui::FontId) -> f32 {
    let color = tokens::palette(ui).text;
    ui.painter()
        .layout_no_wrap(text.to_owned(), font.clone(), color)
        .size()
        .x
        .max(size::TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicking_a_head_again_reverses_and_what_is_missing_stays_last() {
        let values = [Some(2.0), None, Some(1.0), Some(f64::NAN), Some(3.0)];
        let up = Sort::default().clicked(Some(0));
        assert_eq!(up.order(&values), [2, 0, 4, 1, 3]);
        let down = up.clicked(Some(0));
        assert_eq!(down.order(&values), [4, 0, 2, 1, 3]);
        assert_eq!(
            down.clicked(Some(1)),
            Sort {
                column: Some(1),
                descending: false
            }
        );
    }
}
