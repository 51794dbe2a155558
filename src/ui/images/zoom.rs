//! Which part of the wall is shown, and how large.

use eframe::egui::{CursorIcon, Rect, Response, RichText, Ui, Vec2, pos2};

use crate::ui::format;
use crate::ui::shortcuts::{Action, keys_of};
use crate::ui::state::State;
use crate::ui::tokens::size;

use super::grid::Arranged;

/// How many times the wall is enlarged at most.
const MOST: f32 = 40.0;
/// Zoom a point of the wheel, as on the plane.
const WHEEL: f32 = 0.0035;

/// The wall, enlarged and moved. It never leaves its area: the least is the whole wall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zoom {
    /// How many times it is enlarged.
    factor: f32,
    /// Where its corner then lies from that of the area, points: not right of it, nor below.
    corner: Vec2,
}

impl Default for Zoom {
    fn default() -> Self {
        Self {
            factor: 1.0,
            corner: Vec2::ZERO,
        }
    }
}

impl Zoom {
    /// Whether all of the wall is shown.
    pub fn is_whole(&self) -> bool {
        self.factor <= 1.0
    }

    /// Enlarged by `factor` so that what is at `fixed` stays there.
    fn enlarged(self, area: Rect, fixed: eframe::egui::Pos2, factor: f32) -> Self {
        let to = (self.factor * factor).clamp(1.0, MOST);
        let from = fixed - area.min;
        let corner = from - (from - self.corner) * (to / self.factor);
        Self { factor: to, corner }.kept(area)
    }

    /// Moved by points of the screen.
    fn moved(self, area: Rect, by: Vec2) -> Self {
        let corner = self.corner + by;
        Self { corner, ..self }.kept(area)
    }

    fn kept(self, area: Rect) -> Self {
        let least = area.size() * (1.0 - self.factor);
        Self {
            corner: self.corner.min(Vec2::ZERO).max(least),
            ..self
        }
    }

    fn rect(self, area: Rect, rect: Rect) -> Rect {
        let at = |p: eframe::egui::Pos2| area.min + self.corner + (p - area.min) * self.factor;
        Rect::from_min_max(at(rect.min), at(rect.max))
    }

    /// Moves so that `rect` of the whole wall is inside.
    pub fn show(&mut self, area: Rect, rect: Rect) {
        let at = self.rect(area, rect);
        let by =
            |low: f32, high: f32, from: f32, to: f32| (from - low).max(0.0) + (to - high).min(0.0);
        let across = by(at.left(), at.right(), area.left(), area.right());
        let down = by(at.top(), at.bottom(), area.top(), area.bottom());
        *self = self.moved(area, Vec2::new(across, down));
    }

    /// Puts everything where it is shown. The name of a group stays in sight while a tile of it is.
    pub fn apply(&self, area: Rect, arranged: &mut Arranged) {
        if self.is_whole() {
            return;
        }
        for (_, rect) in &mut arranged.cells {
            *rect = self.rect(area, *rect);
        }
        for label in &mut arranged.labels {
            let to = self.rect(area, *label);
            let top = to.top().max(area.top()).min(to.bottom());
            *label = Rect::from_min_max(pos2(to.left(), top), to.max);
        }
        arranged.side *= self.factor;
    }
}

/// The wheel and two fingers enlarge, dragging moves.
pub fn navigate(ui: &Ui, zoom: &mut Zoom, response: &Response, area: Rect) {
    if response.dragged() && !zoom.is_whole() {
        *zoom = zoom.moved(area, response.drag_delta());
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if let Some(pointer) = response.hover_pos() {
        let (scrolled, pinched) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
        let factor = (WHEEL * scrolled).exp() * pinched;
        if factor != 1.0 {
            *zoom = zoom.enlarged(area, pointer, factor);
        }
    }
    // The area may have changed.
    *zoom = zoom.kept(area);
}

/// How much the wall is enlarged, while it is: a click shows all of it.
pub fn link(ui: &mut Ui, state: &mut State) {
    let zoom = state.images.view.zoom;
    if zoom.is_whole() {
        return;
    }
    let keys = keys_of(ui.ctx(), Action::Fit);
    let text = format!("{} ×", format::fixed(zoom.factor.into(), 1));
    let text = RichText::new(text).size(size::SMALL);
    let response = ui
        .selectable_label(true, text)
        .on_hover_text(format!("Show the whole wall  {keys}"));
    response.widget_info(|| {
        let role = eframe::egui::Role::Button;
        eframe::egui::WidgetInfo::labeled(role, true, "Show the whole wall")
    });
    if response.clicked() {
        state.images.view.zoom = Zoom::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area() -> Rect {
        Rect::from_min_max(pos2(100.0, 50.0), pos2(500.0, 350.0))
    }

    #[test]
    fn what_is_under_the_pointer_stays_there_and_the_wall_covers_its_area() {
        let pointer = pos2(220.0, 90.0);
        let mut zoom = Zoom::default();
        let under = |zoom: &Zoom| {
            let from = (pointer - area().min - zoom.corner) / zoom.factor;
            (from.x, from.y)
        };
        let before = under(&zoom);
        for factor in [1.5, 4.0, 0.7] {
            zoom = zoom.enlarged(area(), pointer, factor);
            let now = under(&zoom);
            assert!((now.0 - before.0).abs() < 1e-3 && (now.1 - before.1).abs() < 1e-3);
        }
        zoom = zoom.moved(area(), Vec2::new(1e4, -1e4));
        let wall = zoom.rect(area(), area());
        assert!(wall.expand(1e-2).contains_rect(area()), "{wall:?}");
        zoom = zoom.enlarged(area(), pointer, 1e-6);
        assert_eq!(zoom, Zoom::default());
        zoom = zoom.enlarged(area(), pointer, 1e6);
        assert_eq!(zoom.factor, MOST);
    }

    #[test]
    fn a_tile_that_is_selected_outside_comes_in() {
        let mut zoom = Zoom::default().enlarged(area(), area().min, 4.0);
        for corner in [pos2(480.0, 330.0), pos2(100.0, 50.0)] {
            let tile = Rect::from_min_size(corner, Vec2::splat(20.0));
            zoom.show(area(), tile);
            let shown = zoom.rect(area(), tile);
            assert!(area().expand(1e-2).contains_rect(shown), "{shown:?}");
        }
    }
}
