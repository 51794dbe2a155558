//! Between world coordinates and the screen, in f64: the panels' side of [`crate::render::Camera`].

use eframe::egui::{Pos2, Rect, pos2};

use crate::mixture::Point;
use crate::session::View;

/// What part of the world a rectangle shows; y points up in the world.
#[derive(Clone, Copy, Debug)]
pub struct Projection {
    /// On the screen.
    pub rect: Rect,
    /// World point in its middle.
    pub center: Point,
    /// World units a point of the screen.
    pub units_per_point: f64,
}

impl Projection {
    /// `view` shown in `rect`.
    pub fn new(view: View, rect: Rect) -> Self {
        let shorter = f64::from(rect.width().min(rect.height()).max(1.0));
        Self {
            rect,
            center: view.center,
            units_per_point: 2.0 * view.half_extent / shorter,
        }
    }

    /// Where a world point is on the screen.
    pub fn to_screen(self, x: Point) -> Pos2 {
        let middle = self.rect.center();
        pos2(
            middle.x + ((x[0] - self.center[0]) / self.units_per_point) as f32,
            middle.y - ((x[1] - self.center[1]) / self.units_per_point) as f32,
        )
    }

    /// Which world point is at a place of the screen.
    pub fn to_world(self, place: Pos2) -> Point {
        let middle = self.rect.center();
        [
            self.center[0] + f64::from(place.x - middle.x) * self.units_per_point,
            self.center[1] - f64::from(place.y - middle.y) * self.units_per_point,
        ]
    }

    /// A length of the world on the screen.
    pub fn length(&self, units: f64) -> f32 {
        (units / self.units_per_point) as f32
    }

    /// Corners of what is in view, `[min, max]`.
    pub fn visible(&self) -> [Point; 2] {
        [
            self.to_world(self.rect.left_bottom()),
            self.to_world(self.rect.right_top()),
        ]
    }

    /// The view after zooming by `factor` (above 1: closer) about a place that stays where it is.
    pub fn zoomed(&self, view: View, about: Pos2, factor: f64) -> View {
        let fixed = self.to_world(about);
        let half_extent = (view.half_extent / factor).clamp(1e-3, 1e5);
        let kept = half_extent / view.half_extent;
        View {
            center: [0, 1].map(|axis| fixed[axis] + (view.center[axis] - fixed[axis]) * kept),
            half_extent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::vec2;

    #[test]
    fn screen_and_world_are_inverse_and_zoom_keeps_the_pointer_in_place() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(300.0, 200.0));
        let view = View {
            center: [1.0, -2.0],
            half_extent: 4.0,
        };
        let projection = Projection::new(view, rect);
        let there = projection.to_world(projection.to_screen([2.5, 1.0]));
        assert!((there[0] - 2.5).abs() < 1e-4 && (there[1] - 1.0).abs() < 1e-4);
        let pointer = pos2(40.0, 60.0);
        let zoomed = Projection::new(projection.zoomed(view, pointer, 3.0), rect);
        let (before, after) = (projection.to_world(pointer), zoomed.to_world(pointer));
        assert!((before[0] - after[0]).abs() < 1e-9 && (before[1] - after[1]).abs() < 1e-9);
    }
}
