//! Marks that egui paints over the device's layers: flow, path, denoised mean.

use eframe::egui::{Align2, Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2, vec2};

use crate::engine::SceneAnswer;
use crate::ui::tokens::{self, Palette};

use super::ground::outlined;
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
    label_mean(painter, projection, scene, palette);
}

/// Beside the cross, where the fewest draws are.
fn label_mean(painter: &Painter, projection: &Projection, scene: &SceneAnswer, palette: &Palette) {
    let place = projection.to_screen(scene.denoised);
    let state = projection.to_screen(scene.x_t);
    let text = "denoised mean\nwhat DPS sees".to_owned();
    let galley = painter.layout_no_wrap(text, tokens::small_font(), palette.mean);
    let sides = [
        (Align2::CENTER_TOP, vec2(0.0, 13.0)),
        (Align2::CENTER_BOTTOM, vec2(0.0, -13.0)),
        (Align2::LEFT_TOP, vec2(12.0, 4.0)),
        (Align2::LEFT_BOTTOM, vec2(12.0, -4.0)),
        (Align2::RIGHT_TOP, vec2(-12.0, 4.0)),
        (Align2::RIGHT_BOTTOM, vec2(-12.0, -4.0)),
    ];
    let cost = |rect: Rect| {
        let hidden = if projection.rect.shrink(6.0).contains_rect(rect) {
            0.0
        } else {
            1e3
        };
        // The handle's own name stands at its upper left.
        let name = Rect::from_min_max(state - vec2(46.0, 34.0), state - vec2(14.0, 12.0));
        let on_state = if rect.expand(22.0).contains(state) || rect.intersects(name) {
            10.0
        } else {
            0.0
        };
        let crowd: f64 = [
            rect.left_top(),
            rect.right_top(),
            rect.left_bottom(),
            rect.right_bottom(),
            rect.center(),
        ]
        .into_iter()
        .map(|p| scene.posterior.log_density(projection.to_world(p)).exp())
        .sum();
        hidden + on_state + crowd
    };
    let best = sides
        .map(|(anchor, offset)| anchor.anchor_size(place + offset, galley.size()))
        .into_iter()
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    if let Some(rect) = best {
        outlined(painter, rect.min, galley, palette.mean, palette.halo);
    }
}
