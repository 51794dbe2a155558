//! From world coordinates to the screen and back.

use eframe::egui::epaint::ViewportInPixels;
use eframe::egui::{Pos2, Rect, vec2};
use eframe::egui_wgpu::ScreenDescriptor;

/// What part of the world a rectangle of the screen shows. The same scale on both axes; y points
/// up in the world and down on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// World point in the middle of the rectangle.
    pub center: [f32; 2],
    /// World units per logical point of the screen. Above 0.
    pub units_per_point: f32,
}

impl Camera {
    /// Shows all of `min` to `max` in `rect`, in the middle, as large as it goes.
    pub fn fit(rect: Rect, min: [f32; 2], max: [f32; 2]) -> Self {
        let (width, height) = (max[0] - min[0], max[1] - min[1]);
        let units_per_point = (width / rect.width().max(1.0))
            .max(height / rect.height().max(1.0))
            .max(1e-12);
        Self {
            center: [0.5 * (min[0] + max[0]), 0.5 * (min[1] + max[1])],
            units_per_point,
        }
    }

    /// Where a world point is on the screen, in logical points.
    pub fn screen_from_world(&self, rect: Rect, world: [f32; 2]) -> Pos2 {
        let right = (world[0] - self.center[0]) / self.units_per_point;
        let up = (world[1] - self.center[1]) / self.units_per_point;
        rect.center() + vec2(right, -up)
    }

    /// Which world point is at a place on the screen.
    pub fn world_from_screen(&self, rect: Rect, screen: Pos2) -> [f32; 2] {
        let offset = screen - rect.center();
        [
            self.center[0] + offset.x * self.units_per_point,
            self.center[1] - offset.y * self.units_per_point,
        ]
    }

    /// The smallest and the largest world coordinates that `rect` shows.
    pub fn visible(&self, rect: Rect) -> ([f32; 2], [f32; 2]) {
        (
            self.world_from_screen(rect, rect.left_bottom()),
            self.world_from_screen(rect, rect.right_top()),
        )
    }

    /// Moves the world with the pointer: `drag` in logical points.
    #[must_use]
    pub fn panned(&self, drag: eframe::egui::Vec2) -> Self {
        Self {
            center: [
                self.center[0] - drag.x * self.units_per_point,
                self.center[1] + drag.y * self.units_per_point,
            ],
            ..*self
        }
    }

    /// Zooms by `factor` (above 1: closer) so that the world point at `fixed` stays there.
    #[must_use]
    pub fn zoomed(&self, rect: Rect, fixed: Pos2, factor: f32) -> Self {
        let world = self.world_from_screen(rect, fixed);
        let units_per_point = self.units_per_point / factor;
        let offset = fixed - rect.center();
        Self {
            center: [
                world[0] - offset.x * units_per_point,
                world[1] + offset.y * units_per_point,
            ],
            units_per_point,
        }
    }

    /// What the shaders need for this camera in `rect` of that screen. None if nothing of `rect`
    /// is on the screen.
    ///
    /// egui rounds a callback's viewport to whole pixels and clips it to the screen. The mapping
    /// here is to that viewport, so that what we paint and what egui paints agree to the pixel's
    /// fraction, and a panel that is half outside is not squeezed.
    pub(super) fn view(&self, rect: Rect, screen: &ScreenDescriptor) -> Option<View> {
        let pixels_per_point = screen.pixels_per_point;
        let port = ViewportInPixels::from_points(&rect, pixels_per_point, screen.size_in_pixels);
        let scaled = self.units_per_point.is_finite() && self.units_per_point > 0.0;
        if port.width_px <= 0 || port.height_px <= 0 || !scaled {
            return None;
        }
        let ppp = f64::from(pixels_per_point);
        let px_per_unit = ppp / f64::from(self.units_per_point);
        let (width, height) = (f64::from(port.width_px), f64::from(port.height_px));
        let middle = [
            ppp * f64::from(rect.center().x) - f64::from(port.left_px),
            ppp * f64::from(rect.center().y) - f64::from(port.top_px),
        ];
        let scale = [2.0 * px_per_unit / width, 2.0 * px_per_unit / height];
        let offset = [
            2.0 * middle[0] / width - 1.0 - f64::from(self.center[0]) * scale[0],
            1.0 - 2.0 * middle[1] / height - f64::from(self.center[1]) * scale[1],
        ];
        Some(View {
            scale: scale.map(|v| v as f32),
            offset: offset.map(|v| v as f32),
            viewport_px: [width as f32, height as f32],
            units_per_px: (1.0 / px_per_unit) as f32,
            unused: 0.0,
        })
    }
}

/// `View` of shaders/common.wgsl: clip = world * scale + offset.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct View {
    pub scale: [f32; 2],
    pub offset: [f32; 2],
    pub viewport_px: [f32; 2],
    pub units_per_px: f32,
    pub unused: f32,
}

impl View {
    /// The smallest and the largest world coordinates of the viewport.
    pub(super) fn visible(&self) -> ([f32; 2], [f32; 2]) {
        let at = |clip: f32| {
            [
                (clip - self.offset[0]) / self.scale[0],
                (clip - self.offset[1]) / self.scale[1],
            ]
        };
        (at(-1.0), at(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect() -> Rect {
        Rect::from_min_size(Pos2::new(10.0, 20.0), vec2(300.0, 200.0))
    }

    #[test]
    fn screen_and_world_are_inverse_and_up_is_up() {
        let camera = Camera {
            center: [1.0, -2.0],
            units_per_point: 0.05,
        };
        let screen = camera.screen_from_world(rect(), [2.0, 0.0]);
        let world = camera.world_from_screen(rect(), screen);
        assert!(
            (world[0] - 2.0).abs() < 1e-5 && world[1].abs() < 1e-5,
            "{world:?}"
        );
        assert!(
            screen.y < rect().center().y,
            "a larger y is higher on the screen"
        );
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let camera = Camera {
            center: [1.0, -2.0],
            units_per_point: 0.05,
        };
        let pointer = Pos2::new(40.0, 60.0);
        let zoomed = camera.zoomed(rect(), pointer, 3.0);
        let (before, after) = (
            camera.world_from_screen(rect(), pointer),
            zoomed.world_from_screen(rect(), pointer),
        );
        assert!((before[0] - after[0]).abs() < 1e-5 && (before[1] - after[1]).abs() < 1e-5);
    }

    #[test]
    fn fit_shows_everything_asked_for() {
        let (min, max) = ([-3.0, -1.0], [3.0, 5.0]);
        let (low, high) = Camera::fit(rect(), min, max).visible(rect());
        assert!(low[0] <= min[0] && low[1] <= min[1] + 1e-5, "{low:?}");
        assert!(high[0] >= max[0] && high[1] >= max[1] - 1e-5, "{high:?}");
    }

    #[test]
    fn a_view_half_outside_the_screen_is_clipped_and_not_squeezed() {
        let camera = Camera {
            center: [0.0, 0.0],
            units_per_point: 0.1,
        };
        let screen = ScreenDescriptor {
            size_in_pixels: [200, 400],
            pixels_per_point: 1.0,
        };
        let view = camera
            .view(rect(), &screen)
            .expect("part of it is on the screen");
        assert_eq!(view.viewport_px, [190.0, 200.0]);
        // The middle of the rectangle is at x = 160 on the screen: 150 of 190 pixels in.
        let clip = view.offset[0];
        assert!((clip - (2.0 * 150.0 / 190.0 - 1.0)).abs() < 1e-5, "{clip}");
        let off = Rect::from_min_size(Pos2::new(500.0, 0.0), vec2(10.0, 10.0));
        assert!(camera.view(off, &screen).is_none());
    }
}
