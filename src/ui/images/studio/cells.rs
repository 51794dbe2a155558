//! The rows of pictures: where they lie, what a click means.

use eframe::egui::{
    Align2, CornerRadius, CursorIcon, EventFilter, Id, Key, Popup, Rect, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use crate::engine::StudioAnswer;
use crate::ui::images::hover;
use crate::ui::images::plates::snapped;
use crate::ui::state::State;
use crate::ui::tokens;

use super::{enlarged, labels};

/// Between pictures.
const GAP: f32 = 6.0;
/// The smallest and the largest picture.
const SIDES: [f32; 2] = [24.0, 340.0];

/// Where the pictures lie.
pub struct Grid {
    area: Rect,
    rows: usize,
    across: usize,
    /// Of a picture, points.
    pub side: f32,
}

impl Grid {
    /// Rows of as many pictures as particles, as large as fits; with few rows something is left below them.
    pub fn new(area: Rect, rows: usize, across: usize) -> Self {
        let (n, m) = (across.max(1) as f32, rows.max(1) as f32);
        let wide = (area.width() - labels::WIDTH) / n - GAP;
        // Two rows leave room for the wipe; strips take what there is.
        let height = if rows <= 2 {
            area.height() * 0.56
        } else {
            area.height()
        };
        let high = height / m - GAP;
        Self {
            area,
            rows,
            across,
            side: wide.min(high).clamp(SIDES[0], SIDES[1]).floor(),
        }
    }

    /// Of the last row.
    pub fn bottom(&self) -> f32 {
        self.area.top() + self.rows as f32 * (self.side + GAP) - GAP
    }

    /// A picture's place.
    pub fn cell(&self, row: usize, particle: usize) -> Rect {
        let step = self.side + GAP;
        let min = pos2(
            self.area.left() + labels::WIDTH + particle as f32 * step,
            self.area.top() + row as f32 * step,
        );
        Rect::from_min_size(min, vec2(self.side, self.side))
    }

    /// A row's label.
    pub fn label(&self, row: usize) -> Rect {
        let cell = self.cell(row, 0);
        Rect::from_min_max(
            pos2(self.area.left(), cell.top()),
            pos2(cell.left() - 8.0, cell.bottom()),
        )
    }

    /// The row's pictures together.
    pub fn row(&self, row: usize) -> Rect {
        self.cell(row, 0)
            .union(self.cell(row, self.across.saturating_sub(1)))
    }

    fn all(&self) -> Rect {
        self.cell(0, 0).union(self.row(self.rows.saturating_sub(1)))
    }

    fn at(&self, point: eframe::egui::Pos2) -> Option<(usize, usize)> {
        let step = self.side + GAP;
        let along = point - self.cell(0, 0).min;
        if along.x < 0.0 || along.y < 0.0 {
            return None;
        }
        let (row, particle) = ((along.y / step) as usize, (along.x / step) as usize);
        let inside = row < self.rows && particle < self.across;
        (inside && self.cell(row, particle).contains(point)).then_some((row, particle))
    }
}

/// The pictures' id, for the focus.
fn id() -> Id {
    Id::unique("studio pictures")
}

/// Shows the rows.
pub fn show(ui: &mut Ui, state: &mut State, answer: &StudioAnswer, grid: &Grid) {
    let palette = tokens::palette(ui);
    let rows = state.shown_rows();
    let response = ui.interact(grid.all(), id(), Sense::click());
    let selected = state.studio_selected();
    response.widget_info(|| {
        let name = format!("{} rows of {} pictures", grid.rows, grid.across);
        let mut info = WidgetInfo::labeled(Role::ListBox, true, name);
        info.current_text_value = selected.map(|(row, particle)| {
            let title = rows.get(row).map_or("", |row| row.title.as_str());
            let number = answer.request.particles.start as usize + particle;
            format!("{title}, picture {number}")
        });
        info
    });
    keyboard(ui, state, &response, grid);
    let pointed = response.hover_pos().and_then(|point| grid.at(point));
    let on_star = pointed.is_some_and(|(row, particle)| {
        let star = hover::star_rect(grid.cell(row, particle)).expand(2.0);
        let pointer = response.hover_pos();
        grid.side >= hover::STAR_FROM && pointer.is_some_and(|p| star.contains(p))
    });
    if response.clicked()
        && let Some((row, particle)) = pointed
    {
        response.request_focus();
        state.takes_keys();
        state.session.images.studio.selected = (row as u32, particle as u32);
        if on_star {
            state.keep_steered(row, particle);
        }
    }
    if response.double_clicked() && pointed.is_some() && !on_star {
        state.branch_from_picture();
    }
    let selected = state.studio_selected();
    let starred = state.starred_cells();
    for row in 0..grid.rows {
        labels::show(ui, state, rows.get(row), row, grid.label(row));
        let run = &answer.panels[row];
        if let Some(trouble) = &run.trouble {
            labels::trouble(ui, trouble, grid.row(row));
            continue;
        }
        for particle in 0..grid.across {
            let rect = snapped(grid.cell(row, particle), ui.pixels_per_point());
            let painter = ui.painter();
            match state.images.studio.view.place(row, particle) {
                Some((texture, uv)) => {
                    painter.image(texture, rect, uv, tokens::coverage(1.0));
                }
                None => {
                    painter.rect_filled(rect, 0.0, palette.canvas);
                }
            }
            let at = (row, particle);
            let is_starred = starred.contains(&at);
            if grid.side >= hover::STAR_FROM && (is_starred || pointed == Some(at)) {
                hover::star(ui, hover::star_rect(rect), is_starred);
            }
            let painter = ui.painter();
            let (width, color) = if selected == Some((row, particle)) {
                (2.5, palette.learned)
            } else if pointed == Some((row, particle)) {
                (1.5, palette.text_quiet)
            } else {
                continue;
            };
            painter.rect_stroke(
                rect,
                CornerRadius::ZERO,
                Stroke::new(width, color),
                StrokeKind::Outside,
            );
        }
    }
    if response.has_focus() {
        ui.painter().rect_stroke(
            grid.all().expand(5.0),
            CornerRadius::same(4),
            Stroke::new(1.0, tokens::faded(palette.focus, 0.6)),
            StrokeKind::Inside,
        );
    }
    if answer.panels.is_empty() {
        ui.painter().text(
            grid.all().center(),
            Align2::CENTER_CENTER,
            "No rows",
            tokens::small_font(),
            palette.text_quiet,
        );
    }
    // Nothing is shown over an open list.
    let pointed = pointed.filter(|_| !Popup::is_any_open(ui.ctx()));
    if pointed.is_some() {
        ui.ctx().set_cursor_icon(CursorIcon::PointingHand);
    }
    // Before the first step there is nothing to enlarge.
    let view = &state.images.studio.view;
    let seen = |at: &(usize, usize)| [0, at.0].iter().any(|row| view.place(*row, at.1).is_some());
    if let Some((row, particle)) = pointed.filter(seen) {
        enlarged::show(ui, state, (row, particle), grid.cell(row, particle));
    }
}

/// Arrow keys move the selection while the pictures have the focus, Enter goes on from it.
fn keyboard(ui: &Ui, state: &mut State, response: &eframe::egui::Response, grid: &Grid) {
    if !response.has_focus() {
        return;
    }
    state.takes_keys();
    let filter = EventFilter {
        horizontal_arrows: true,
        vertical_arrows: true,
        ..EventFilter::default()
    };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (across, down, enter) = ui.input(|i| {
        let presses = |key| i.num_presses(key) as i32;
        (
            presses(Key::ArrowRight) - presses(Key::ArrowLeft),
            presses(Key::ArrowDown) - presses(Key::ArrowUp),
            i.key_pressed(Key::Enter),
        )
    });
    let (row, particle) = state.session.images.studio.selected;
    if across != 0 || down != 0 {
        let moved = |at: u32, by: i32, count: usize| {
            at.saturating_add_signed(by)
                .min(count.saturating_sub(1) as u32)
        };
        state.session.images.studio.selected = (
            moved(row, down, grid.rows),
            moved(particle, across, grid.across),
        );
    }
    if enter {
        state.branch_from_picture();
    }
}
