//! What the picture stands on: grid, ticks, scale bar, coordinates.

use std::sync::Arc;

use eframe::egui::{
    Align2, Color32, FontId, Galley, Painter, Pos2, Rect, Stroke, StrokeKind, pos2, vec2,
};

use crate::ui::format;
use crate::ui::tokens::{self, Palette};

use super::projection::Projection;

/// Points of the screen between labelled ticks, at least.
const TICK_SPACING: f64 = 84.0;
/// Length of the scale bar, at least.
const SCALE_BAR: f64 = 56.0;

/// Text with a rim of the ground's colour, readable over anything.
pub fn outlined_text(
    painter: &Painter,
    place: Pos2,
    anchor: Align2,
    text: &str,
    font: FontId,
    color: Color32,
    halo: Color32,
) -> Rect {
    let galley = painter.layout_no_wrap(text.to_owned(), font, color);
    let rect = anchor.anchor_size(place, galley.size());
    outlined(painter, rect.min, galley, color, halo);
    rect
}

/// The same for text that is laid out already.
pub fn outlined(
    painter: &Painter,
    place: Pos2,
    galley: Arc<Galley>,
    color: Color32,
    halo: Color32,
) {
    for dx in [-1.0, 0.0, 1.0] {
        for dy in [-1.0, 0.0, 1.0] {
            painter.galley_with_override_text_color(place + vec2(dx, dy), galley.clone(), halo);
        }
    }
    painter.galley(place, galley, color);
}

/// Ground and faint grid.
pub fn grid(painter: &Painter, projection: &Projection, palette: &Palette) {
    let rect = projection.rect;
    painter.rect_filled(rect, 2.0, palette.canvas);
    let stroke = Stroke::new(1.0, palette.grid);
    for (axis, _, place) in ticks(projection) {
        if axis == 0 {
            painter.vline(place, rect.y_range(), stroke);
        } else {
            painter.hline(rect.x_range(), place, stroke);
        }
    }
}

/// Numbers at the left and the bottom, outside the canvas; its outline.
pub fn axes(painter: &Painter, projection: &Projection, palette: &Palette) {
    let rect = projection.rect;
    let stroke = Stroke::new(1.0, palette.canvas_outline);
    painter.rect_stroke(rect, 2.0, stroke, StrokeKind::Outside);
    for (axis, value, place) in ticks(projection) {
        let text = format::fixed(value.0, value.1);
        let (from, to, at, anchor) = if axis == 0 {
            let foot = pos2(place, rect.bottom());
            (
                foot,
                foot + vec2(0.0, 4.0),
                foot + vec2(0.0, 6.0),
                Align2::CENTER_TOP,
            )
        } else {
            let foot = pos2(rect.left(), place);
            (
                foot,
                foot - vec2(4.0, 0.0),
                foot - vec2(7.0, 0.0),
                Align2::RIGHT_CENTER,
            )
        };
        painter.line_segment([from, to], stroke);
        painter.text(at, anchor, text, tokens::tick_font(), palette.text_faint);
    }
}

/// Axis, value with its decimals, and place on the screen, of every tick in view.
fn ticks(projection: &Projection) -> Vec<(usize, (f64, usize), f32)> {
    let step = format::round_step(TICK_SPACING * projection.units_per_point);
    let decimals = format::decimals(step);
    let [min, max] = projection.visible();
    let mut ticks = Vec::new();
    for axis in 0..2 {
        let (first, last) = ((min[axis] / step).ceil(), (max[axis] / step).floor());
        // A view is finite and ticks are a number of points apart: a few dozen at most.
        let count = (last - first).clamp(-1.0, 200.0) as i64;
        for k in 0..=count {
            let value = (first + k as f64) * step;
            let mut x = projection.center;
            x[axis] = value;
            let place = projection.to_screen(x);
            ticks.push((
                axis,
                (value, decimals),
                if axis == 0 { place.x } else { place.y },
            ));
        }
    }
    ticks
}

/// A round length at the lower left.
pub fn scale_bar(painter: &Painter, projection: &Projection, palette: &Palette) {
    let units = format::round_step(SCALE_BAR * projection.units_per_point);
    let length = projection.length(units);
    let start = projection.rect.left_bottom() + vec2(14.0, -14.0);
    let stroke = Stroke::new(1.5, palette.text_quiet);
    painter.line_segment([start, start + vec2(length, 0.0)], stroke);
    for end in [start, start + vec2(length, 0.0)] {
        painter.line_segment([end - vec2(0.0, 3.0), end + vec2(0.0, 3.0)], stroke);
    }
    let text = format!("{} units", format::fixed(units, format::decimals(units)));
    let text = text.replace("1 units", "1 unit");
    outlined_text(
        painter,
        start + vec2(length + 8.0, 0.0),
        Align2::LEFT_CENTER,
        &text,
        tokens::tick_font(),
        palette.text_quiet,
        palette.canvas,
    );
}

/// World coordinates under the pointer, at the lower right.
pub fn coordinates(painter: &Painter, projection: &Projection, pointer: Pos2, palette: &Palette) {
    let x = projection.to_world(pointer);
    let decimals = format::decimals(projection.units_per_point * 4.0).max(1);
    let text = format!(
        "{}, {}",
        format::fixed(x[0], decimals),
        format::fixed(x[1], decimals)
    );
    outlined_text(
        painter,
        projection.rect.right_bottom() - vec2(12.0, 14.0),
        Align2::RIGHT_CENTER,
        &text,
        tokens::tick_font(),
        palette.text_quiet,
        palette.canvas,
    );
}
