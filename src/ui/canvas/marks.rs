//! Marks that egui paints over the device's layers: flow, path, denoised mean.

use eframe::egui::{Align2, Color32, Painter, Pos2, Shape, Stroke, Vec2, vec2};

use crate::engine::SceneAnswer;
use crate::ui::tokens::{self, Palette, size};

use super::ground::outlined_text;
use super::projection::Projection;

/// Longest arrow of the velocity field, in points of the screen.
const ARROW: f32 = 26.0;
/// Arm of the cross at the denoised mean.
const CROSS: f32 = 7.0;

/// Arrows of the exact velocity.
pub fn velocity(
    painter: &Painter,
    projection: &Projection,
    scene: &SceneAnswer,
    palette: &Palette,
) {
    let fastest = scene
        .field
        .iter()
        .map(|(_, v)| v[0].hypot(v[1]))
        .fold(0.0, f64::max);
    if fastest <= 0.0 {
        return;
    }
    let color = tokens::faded(palette.flow, 0.75);
    for (x, v) in &scene.field {
        // The square root keeps slow places visible.
        let speed = v[0].hypot(v[1]);
        let length = ARROW * (speed / fastest).sqrt() as f32;
        let direction = vec2(
            (v[0] / speed.max(1e-12)) as f32,
            -(v[1] / speed.max(1e-12)) as f32,
        );
        let middle = projection.to_screen(*x);
        arrow(painter, middle, direction * length, color);
    }
}

fn arrow(painter: &Painter, middle: Pos2, along: Vec2, color: Color32) {
    let stroke = Stroke::new(1.0, color);
    let (tail, tip) = (middle - along * 0.5, middle + along * 0.5);
    painter.line_segment([tail, tip], stroke);
    let head = (along.length() * 0.3).clamp(2.0, 5.0);
    let back = -along.normalized() * head;
    for side in [back.rot90(), -back.rot90()] {
        painter.line_segment([tip, tip + back + side * 0.5], stroke);
    }
}

/// Where `x_t` came from (solid) and would go (dashed).
pub fn path(
    painter: &Painter,
    projection: &Projection,
    scene: &SceneAnswer,
    t: f64,
    palette: &Palette,
) {
    let color = tokens::faded(palette.flow, 0.9);
    let stroke = Stroke::new(1.25, color);
    let split = scene.path.partition_point(|(time, _)| *time <= t);
    let points: Vec<Pos2> = scene
        .path
        .iter()
        .map(|(_, x)| projection.to_screen(*x))
        .collect();
    let Some(here) = split.checked_sub(1).and_then(|i| points.get(i)).copied() else {
        return;
    };
    painter.line(points[..split].to_vec(), stroke);
    let mut ahead = vec![here];
    ahead.extend_from_slice(&points[split..]);
    painter.extend(Shape::dashed_line(&ahead, stroke, 4.0, 4.0));
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        painter.circle(*first, 3.0, palette.canvas, stroke);
        painter.circle_filled(*last, 3.0, color);
    }
}

/// The denoised mean, and what it is.
pub fn denoised_mean(
    painter: &Painter,
    projection: &Projection,
    scene: &SceneAnswer,
    palette: &Palette,
) {
    let place = projection.to_screen(scene.denoised);
    let (one, other) = (Vec2::splat(CROSS), vec2(CROSS, -CROSS));
    for (width, color) in [(5.0, palette.halo), (2.5, palette.mean)] {
        let stroke = Stroke::new(width, color);
        painter.line_segment([place - one, place + one], stroke);
        painter.line_segment([place - other, place + other], stroke);
    }
    let rect = projection.rect;
    // On the side away from x_t, inside the canvas.
    let state = projection.to_screen(scene.x_t);
    let right = if state.x > place.x {
        place.x - rect.left() < 150.0
    } else {
        rect.right() - place.x > 150.0
    };
    let below = place.y + 40.0 < rect.bottom();
    let side = if right { 1.0 } else { -1.0 };
    let anchor = if right {
        Align2::LEFT_CENTER
    } else {
        Align2::RIGHT_CENTER
    };
    let start = place + vec2(side * 14.0, if below { 4.0 } else { -20.0 });
    for (line, text) in ["denoised mean", "what DPS sees"].into_iter().enumerate() {
        outlined_text(
            painter,
            start + vec2(0.0, line as f32 * (size::SMALL + 3.0)),
            anchor,
            text,
            tokens::small_font(),
            palette.mean,
            palette.halo,
        );
    }
}
