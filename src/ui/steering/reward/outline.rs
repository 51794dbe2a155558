//! The lines that show where a reward is: a bowl's circle, a measurement's line with its noise, a ring.

use eframe::egui::{Painter, Shape as Mark, Stroke};

use crate::mixture::Point;
use crate::reward::Shape;
use crate::ui::canvas::projection::Projection;
use crate::ui::tokens::{self, Palette};

use super::places::{arrow_of, line_of};

/// Most bumps that are outlined.
const MOST_BUMPS: usize = 32;

/// Paints the outline of a reward.
pub fn show(painter: &Painter, projection: &Projection, shape: &Shape, palette: &Palette) {
    let firm = Stroke::new(1.1, tokens::faded(palette.reward, 0.7));
    let soft = Stroke::new(1.0, tokens::faded(palette.reward, 0.4));
    let circle = |centre: Point, radius: f64, stroke: Stroke| {
        let centre = projection.to_screen(centre);
        painter.circle_stroke(centre, projection.length(radius), stroke);
    };
    if let Some(end) = arrow_of(shape) {
        let from = projection.to_screen([0.0; 2]);
        painter.circle_filled(from, 2.5, palette.reward);
        painter.arrow(from, projection.to_screen(end) - from, firm);
    }
    if let Some((line, width)) = line_of(shape)
        && let Some(foot) = line.foot()
    {
        let (across, along) = line.axes();
        let reach = projection.units_per_point * f64::from(projection.rect.size().length());
        let [x, y] = [0, 1].map(|axis| foot[axis] - projection.center[axis]);
        let reach = reach + x.hypot(y);
        let side = width / line.direction[0].hypot(line.direction[1]);
        let through = |shift: f64| {
            [-reach, reach].map(|far| {
                projection.to_screen(
                    [0, 1].map(|axis| foot[axis] + shift * across[axis] + far * along[axis]),
                )
            })
        };
        painter.line_segment(through(0.0), firm);
        for shift in [-side, side] {
            painter.extend(Mark::dashed_line(&through(shift), soft, 5.0, 4.0));
        }
        if matches!(shape, Shape::HalfPlane { .. }) {
            let from = projection.to_screen(foot);
            let good = projection.to_screen([foot[0] + across[0], foot[1] + across[1]]) - from;
            painter.arrow(from, good.normalized() * 26.0, firm);
        }
    }
    if let Shape::Bowl { centre, variance } = shape {
        circle(*centre, variance.sqrt(), firm);
        circle(*centre, 2.0 * variance.sqrt(), soft);
    }
    if let Shape::Ring { centre, radius, sd } = shape {
        circle(*centre, *radius, firm);
        circle(*centre, radius + sd, soft);
        circle(*centre, (radius - sd).max(0.0), soft);
    }
    if let Shape::Bumps(bumps) = shape {
        for bump in bumps.iter().take(MOST_BUMPS) {
            circle(bump.mean, bump.cov.xx.sqrt(), firm);
        }
    }
}
