//! Where a reward can be taken hold of, and what moving it means. Plane geometry only.

use crate::mixture::{Cov2, Point};
use crate::reward::Shape;

/// Share of half the view at which handles that turn something stand.
const ARM: f64 = 0.45;
/// Length of the arrow of a linear reward, in world units for a direction of length 1.
const ARROW: f64 = 2.0;
/// More bumps than this have no handle for their width.
const MOST_WIDTHS: usize = 8;
/// Narrowest that dragging gives, world units.
const LEAST: f64 = 0.02;

/// What a handle does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Moves the reward.
    Moves,
    /// Turns it.
    Turns,
    /// Makes it wider or narrower.
    Widens,
}

/// A place to take hold of.
#[derive(Clone, Debug, PartialEq)]
pub struct Handle {
    /// What to call it.
    pub name: String,
    /// World coordinates.
    pub place: Point,
    /// What it does.
    pub does: Does,
}

fn handle(name: impl Into<String>, place: Point, does: Does) -> Handle {
    Handle {
        name: name.into(),
        place,
        does,
    }
}

fn plus(a: Point, scale: f64, b: Point) -> Point {
    [a[0] + scale * b[0], a[1] + scale * b[1]]
}

fn minus(a: Point, b: Point) -> Point {
    plus(a, -1.0, b)
}

fn length(a: Point) -> f64 {
    a[0].hypot(a[1])
}

/// Two decimals: what a person can read again.
fn round(v: f64) -> f64 {
    (v * 100.0).round() / 100.0
}

/// The line `a . x = c`.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// `a`.
    pub direction: Point,
    /// `c`.
    pub offset: f64,
}

impl Line {
    /// The place of the line closest to the origin; `None` where `a` is 0.
    pub fn foot(self) -> Option<Point> {
        let squared = length(self.direction).powi(2);
        (squared > 0.0).then(|| self.direction.map(|a| a * self.offset / squared))
    }

    /// Unit vectors across and along.
    pub fn axes(self) -> (Point, Point) {
        let size = length(self.direction).max(f64::MIN_POSITIVE);
        let across = self.direction.map(|a| a / size);
        (across, [-across[1], across[0]])
    }

    fn at(self, x: Point) -> f64 {
        self.direction[0] * x[0] + self.direction[1] * x[1]
    }

    /// Turned about its foot, so that it goes through `to`.
    fn turned(self, to: Point) -> Option<Self> {
        let foot = self.foot()?;
        let along = minus(to, foot);
        let far = length(along);
        if far <= 0.0 {
            return None;
        }
        let scale = length(self.direction) / far;
        let direction = [round(along[1] * scale), round(-along[0] * scale)];
        Some(Self {
            direction,
            offset: round(direction[0] * foot[0] + direction[1] * foot[1]),
        })
    }
}

/// The line and the half-width of a measurement or a half-plane.
pub fn line_of(shape: &Shape) -> Option<(Line, f64)> {
    if let Shape::Measurement {
        direction,
        observed,
        sd,
    } = shape
    {
        let (direction, offset) = (*direction, *observed);
        return Some((Line { direction, offset }, *sd));
    }
    if let Shape::HalfPlane {
        direction,
        offset,
        softness,
    } = shape
    {
        let (direction, offset) = (*direction, *offset);
        return Some((Line { direction, offset }, *softness));
    }
    None
}

fn with_line(shape: &Shape, line: Line, width: f64) -> Shape {
    let Line { direction, offset } = line;
    if matches!(shape, Shape::Measurement { .. }) {
        return Shape::Measurement {
            direction,
            observed: offset,
            sd: width,
        };
    }
    Shape::HalfPlane {
        direction,
        offset,
        softness: width,
    }
}

/// Where a linear reward's arrow ends.
pub fn arrow_of(shape: &Shape) -> Option<Point> {
    if let Shape::Linear { direction } = shape {
        return Some(direction.map(|a| ARROW * a));
    }
    None
}

/// All handles; `half_extent` is half of the view's shorter side.
pub fn handles(shape: &Shape, half_extent: f64) -> Vec<Handle> {
    let arm = ARM * half_extent;
    if let Some(end) = arrow_of(shape) {
        return vec![handle("Direction of the reward", end, Does::Turns)];
    }
    if let Some((line, width)) = line_of(shape) {
        let Some(foot) = line.foot() else {
            return Vec::new();
        };
        let (across, along) = line.axes();
        let measured = matches!(shape, Shape::Measurement { .. });
        let [moves, turns, widens] = if measured {
            ["Observed value", "Measured direction", "Noise"]
        } else {
            ["Border", "Direction of the border", "Softness"]
        };
        let edge = plus(foot, -0.6 * arm, along);
        let edge = plus(edge, width / length(line.direction), across);
        return vec![
            handle(moves, foot, Does::Moves),
            handle(turns, plus(foot, arm, along), Does::Turns),
            handle(widens, edge, Does::Widens),
        ];
    }
    if let Shape::Bowl { centre, variance } = shape {
        return vec![
            handle("Centre of the bowl", *centre, Does::Moves),
            handle(
                "Width of the bowl",
                [centre[0] + variance.sqrt(), centre[1]],
                Does::Widens,
            ),
        ];
    }
    if let Shape::Ring { centre, radius, sd } = shape {
        return vec![
            handle("Centre of the ring", *centre, Does::Moves),
            handle(
                "Radius of the ring",
                [centre[0] + radius, centre[1]],
                Does::Widens,
            ),
            handle(
                "Width of the ring",
                [centre[0], centre[1] + radius + sd],
                Does::Widens,
            ),
        ];
    }
    if let Shape::Bumps(bumps) = shape {
        let mut all: Vec<Handle> = bumps
            .iter()
            .enumerate()
            .map(|(i, bump)| handle(format!("Bump {}", i + 1), bump.mean, Does::Moves))
            .collect();
        if bumps.len() <= MOST_WIDTHS {
            all.extend(bumps.iter().enumerate().map(|(i, bump)| {
                let place = [bump.mean[0] + bump.cov.xx.sqrt(), bump.mean[1]];
                handle(format!("Width of bump {}", i + 1), place, Does::Widens)
            }));
        }
        return all;
    }
    Vec::new()
}

/// The shape after handle `index` of [`handles`] was moved; `None` where it cannot go there.
pub fn moved(shape: &Shape, index: usize, to: Point) -> Option<Shape> {
    let at = to.map(round);
    let far = |from: Point| round(length(minus(to, from))).max(LEAST);
    if arrow_of(shape).is_some() {
        let direction = to.map(|v| round(v / ARROW));
        return Some(Shape::Linear { direction });
    }
    if let Some((line, width)) = line_of(shape) {
        return match index {
            0 => {
                let offset = round(line.at(to));
                Some(with_line(shape, Line { offset, ..line }, width))
            }
            1 => Some(with_line(shape, line.turned(to)?, width)),
            _ => {
                let width = round((line.at(to) - line.offset).abs()).max(LEAST);
                Some(with_line(shape, line, width))
            }
        };
    }
    if let Shape::Bowl { centre, variance } = shape {
        return Some(match index {
            0 => Shape::Bowl {
                centre: at,
                variance: *variance,
            },
            _ => Shape::Bowl {
                centre: *centre,
                variance: round(far(*centre).powi(2)).max(LEAST),
            },
        });
    }
    if let Shape::Ring { centre, radius, sd } = shape {
        let (mut centre, mut radius, mut sd) = (*centre, *radius, *sd);
        match index {
            0 => centre = at,
            1 => radius = far(centre),
            _ => sd = round((length(minus(to, centre)) - radius).abs()).max(LEAST),
        }
        return Some(Shape::Ring { centre, radius, sd });
    }
    if let Shape::Bumps(bumps) = shape {
        let mut bumps = bumps.clone();
        let count = bumps.len();
        let bump = bumps.get_mut(index % count)?;
        if index < count {
            bump.mean = at;
        } else {
            bump.cov = Cov2::isotropic(far(bump.mean).powi(2).max(LEAST * LEAST));
        }
        return Some(Shape::Bumps(bumps));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{EXPRESSION, KINDS, from_body};
    use super::*;

    #[test]
    fn a_handle_is_where_it_was_dragged_to() {
        for kind in KINDS.iter().filter(|kind| kind.name != EXPRESSION) {
            let reward = from_body(kind, kind.first, 1.0).unwrap();
            let before = handles(reward.shape(), 6.0);
            assert!(!before.is_empty(), "{}", kind.name);
            for (index, handle) in before.iter().enumerate() {
                let to = plus(handle.place, 1.0, [0.25, 0.15]);
                let shape = moved(reward.shape(), index, to).unwrap();
                let after = handles(&shape, 6.0)[index].place;
                // Widths and directions follow along their own axis only, and numbers are rounded to 0.01.
                let (old, new) = (length(minus(to, handle.place)), length(minus(to, after)));
                assert!(new < old + 0.05, "{} {}", kind.name, handle.name);
                if handle.does == Does::Moves && line_of(&shape).is_none() {
                    assert!(new < 0.02, "{} {}", kind.name, handle.name);
                }
            }
        }
    }

    #[test]
    fn turning_a_measurement_keeps_what_it_measures_at_its_foot() {
        let shape = Shape::Measurement {
            direction: [1.2, -0.8],
            observed: -1.0,
            sd: 0.2,
        };
        let (line, _) = line_of(&shape).unwrap();
        let turned = moved(&shape, 1, [3.0, 2.0]).unwrap();
        let (new, width) = line_of(&turned).unwrap();
        let foot = line.foot().unwrap();
        assert_eq!(width, 0.2);
        assert!((new.at(foot) - new.offset).abs() < 0.02);
        assert!((length(new.direction) - length(line.direction)).abs() < 0.02);
        assert!((new.at([3.0, 2.0]) - new.offset).abs() < 0.05);
    }
}
