//! Looks at how light a picture is, as functions of its light: a plane of numbers, 0 black to 1 white.

use super::bind::Slope;

/// Mean of all numbers.
pub(super) fn mean(plane: &[f64], slope: Option<Slope<'_>>) -> f64 {
    let n = plane.len().max(1) as f64;
    if let Some(slope) = slope {
        for to in slope.into {
            *to += slope.weight / n;
        }
    }
    plane.iter().sum::<f64>() / n
}

/// Thickness of light strokes on dark, in pixels: twice the area of the light over the length of its outline, which is
/// the total variation `sum sqrt(dx^2 + dy^2 + e^2) - e`. A stroke of width `w` and length `l` has the area `w l` and an
/// outline of about `2 l`; how soft its edge is does not matter.
pub(super) fn thickness(
    plane: &[f64],
    [rows, columns]: [usize; 2],
    slope: Option<Slope<'_>>,
) -> f64 {
    /// Where the root of a difference turns smooth.
    const EDGE: f64 = 0.02;
    /// Outline of a picture that has none, in pixels: a black one has no thickness.
    const LEAST: f64 = 1.0;
    let across = |y: usize, x: usize| {
        let here = plane[y * columns + x];
        let dx = if x + 1 < columns {
            plane[y * columns + x + 1] - here
        } else {
            0.0
        };
        let dy = if y + 1 < rows {
            plane[(y + 1) * columns + x] - here
        } else {
            0.0
        };
        (dx, dy, (dx * dx + dy * dy + EDGE * EDGE).sqrt())
    };
    let area: f64 = plane.iter().sum();
    let mut outline = LEAST;
    for y in 0..rows {
        for x in 0..columns {
            outline += across(y, x).2 - EDGE;
        }
    }
    let thickness = 2.0 * area / outline;
    if let Some(slope) = slope {
        let of_area = slope.weight * 2.0 / outline;
        let of_outline = -slope.weight * thickness / outline;
        for y in 0..rows {
            for x in 0..columns {
                let at = y * columns + x;
                let (dx, dy, length) = across(y, x);
                slope.into[at] += of_area - of_outline * (dx + dy) / length;
                if x + 1 < columns {
                    slope.into[at + 1] += of_outline * dx / length;
                }
                if y + 1 < rows {
                    slope.into[at + columns] += of_outline * dy / length;
                }
            }
        }
    }
    thickness
}
