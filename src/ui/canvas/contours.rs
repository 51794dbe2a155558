//! Contours of a posterior of many narrow modes, on the processor.
//!
//! The device's contours sum over all modes at every pixel, which suits a few dozen. An imported cloud
//! has up to thousands, but each reaches only a few cells of a grid: that is quick here, and done
//! again only when the posterior or the view changes.

use std::sync::Arc;

use eframe::egui::{Painter, Pos2, Rect, Shape, Stroke, pos2};

use crate::engine::SceneAnswer;
use crate::mixture::{Mixture, Mode, Point};
use crate::ui::tokens::{self, Palette, size};

use super::projection::Projection;

/// Standard deviations from which a mode adds nothing visible.
const REACH: f64 = 4.0;
/// Cells a standard deviation.
const CELLS_PER_SD: f64 = 1.6;
/// Cells along the longer side.
const CELLS: (f64, f64) = (64.0, 420.0);
/// Opacity of the lines around 50, 80 and 95 %.
const OPACITY: [f32; 3] = [1.0, 0.8, 0.6];

/// The lines of the last posterior and view.
pub struct ContourCache {
    scene: Arc<SceneAnswer>,
    view: (Rect, [f64; 2], f64),
    lines: [Vec<[Pos2; 2]>; 3],
}

/// Paints the lines.
pub fn show(
    painter: &Painter,
    projection: &Projection,
    scene: &Arc<SceneAnswer>,
    cache: &mut Option<ContourCache>,
    palette: &Palette,
) {
    let view = (
        projection.rect,
        projection.center,
        projection.units_per_point,
    );
    let fresh = cache
        .as_ref()
        .is_some_and(|c| Arc::ptr_eq(&c.scene, scene) && c.view == view);
    if !fresh {
        *cache = Some(ContourCache {
            scene: scene.clone(),
            view,
            lines: trace(projection, &scene.posterior, scene.levels),
        });
    }
    let Some(cache) = cache else { return };
    for (lines, opacity) in cache.lines.iter().zip(OPACITY) {
        let stroke = Stroke::new(size::LINE, tokens::faded(palette.exact, opacity));
        painter.extend(lines.iter().map(|line| Shape::line_segment(*line, stroke)));
    }
}

/// Any function's values at the nodes of a grid over a part of the plane, y upwards.
pub struct Sampled {
    grid: Grid,
}

impl Sampled {
    /// `cells` along the longer side of `[min, max]`.
    pub fn new([min, max]: [Point; 2], cells: usize, f: impl Fn(Point) -> f64) -> Self {
        let longer = (max[0] - min[0]).max(max[1] - min[1]);
        let cell = longer / cells.max(2) as f64;
        let count = |axis: usize| ((max[axis] - min[axis]) / cell).ceil() as usize + 1;
        let (columns, rows) = (count(0), count(1));
        let density = (0..columns * rows)
            .map(|i| {
                let (column, row) = ((i % columns) as f64, (i / columns) as f64);
                f([min[0] + column * cell, min[1] + row * cell])
            })
            .collect();
        Self {
            grid: Grid {
                columns,
                rows,
                cell,
                origin: min,
                density,
            },
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> [usize; 2] {
        [self.grid.columns, self.grid.rows]
    }

    /// The part of the plane between the first and the last nodes.
    pub fn region(&self) -> [Point; 2] {
        let grid = &self.grid;
        let reach = [grid.columns - 1, grid.rows - 1].map(|n| n as f64 * grid.cell);
        let [x, y] = grid.origin;
        [[x, y], [x + reach[0], y + reach[1]]]
    }

    /// The values, row by row from the lowest.
    pub fn values(&self) -> &[f64] {
        &self.grid.density
    }

    /// Where the function crosses `level`, as straight pieces.
    pub fn lines(&self, level: f64) -> Vec<[Point; 2]> {
        let Grid { cell, origin, .. } = self.grid;
        let place = |at: [f64; 2]| [0, 1].map(|axis| origin[axis] + at[axis] * cell);
        let lines = self.grid.lines(level).into_iter();
        lines.map(|line| line.map(place)).collect()
    }
}

/// Density at the nodes of a grid over the view.
struct Grid {
    columns: usize,
    rows: usize,
    cell: f64,
    origin: [f64; 2],
    density: Vec<f64>,
}

impl Grid {
    fn new(projection: &Projection, mixture: &Mixture) -> Self {
        let [min, max] = projection.visible();
        let longer = (max[0] - min[0]).max(max[1] - min[1]);
        let narrowest = mixture
            .modes()
            .iter()
            .map(|m| m.cov.axes().1)
            .fold(f64::INFINITY, f64::min);
        let cell = (narrowest / CELLS_PER_SD).clamp(longer / CELLS.1, longer / CELLS.0);
        let count = |axis: usize| ((max[axis] - min[axis]) / cell).ceil() as usize + 2;
        let (columns, rows) = (count(0), count(1));
        let mut grid = Self {
            columns,
            rows,
            cell,
            origin: min,
            density: vec![0.0; columns * rows],
        };
        for mode in mixture.modes() {
            grid.add(mode);
        }
        grid
    }

    fn add(&mut self, mode: &Mode) {
        let determinant = mode.cov.xx * mode.cov.yy - mode.cov.xy * mode.cov.xy;
        let scale = mode.weight / (std::f64::consts::TAU * determinant.sqrt());
        let range = |axis: usize, variance: f64, count: usize| {
            let reach = REACH * variance.sqrt();
            let index = |x: f64| ((x - self.origin[axis]) / self.cell).clamp(0.0, count as f64);
            let from = index(mode.mean[axis] - reach).floor() as usize;
            let to = index(mode.mean[axis] + reach).ceil() as usize;
            from..to.min(count)
        };
        let (columns, rows) = (
            range(0, mode.cov.xx, self.columns),
            range(1, mode.cov.yy, self.rows),
        );
        for row in rows {
            let dy = self.origin[1] + row as f64 * self.cell - mode.mean[1];
            for column in columns.clone() {
                let dx = self.origin[0] + column as f64 * self.cell - mode.mean[0];
                let distance = (mode.cov.yy * dx * dx - 2.0 * mode.cov.xy * dx * dy
                    + mode.cov.xx * dy * dy)
                    / determinant;
                self.density[row * self.columns + column] += scale * (-0.5 * distance).exp();
            }
        }
    }

    fn at(&self, column: usize, row: usize) -> f64 {
        self.density[row * self.columns + column]
    }

    /// Marching squares: where the density crosses `level`, in cells from the origin.
    fn lines(&self, level: f64) -> Vec<[[f64; 2]; 2]> {
        let mut lines = Vec::new();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let corners = [
                    (column, row),
                    (column + 1, row),
                    (column + 1, row + 1),
                    (column, row + 1),
                ];
                let mut crossings = Vec::new();
                for k in 0..4 {
                    let (from, to) = (corners[k], corners[(k + 1) % 4]);
                    let (a, b) = (self.at(from.0, from.1), self.at(to.0, to.1));
                    if (a > level) != (b > level) {
                        let share = (level - a) / (b - a);
                        let between = |p: usize, q: usize| p as f64 + share * (q as f64 - p as f64);
                        crossings.push([between(from.0, to.0), between(from.1, to.1)]);
                    }
                }
                for pair in crossings.chunks_exact(2) {
                    lines.push([pair[0], pair[1]]);
                }
            }
        }
        lines
    }
}

fn trace(projection: &Projection, posterior: &Mixture, levels: [f64; 3]) -> [Vec<[Pos2; 2]>; 3] {
    let grid = Grid::new(projection, posterior);
    let place = |at: [f64; 2]| {
        let world = [0, 1].map(|axis| grid.origin[axis] + at[axis] * grid.cell);
        let screen = projection.to_screen(world);
        pos2(screen.x, screen.y)
    };
    levels.map(|level| {
        grid.lines(level)
            .into_iter()
            .map(|line| line.map(place))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::View;
    use eframe::egui::vec2;

    #[test]
    fn the_contour_of_one_gaussian_is_its_circle() {
        let projection = Projection::new(
            View {
                center: [0.0, 0.0],
                half_extent: 4.0,
            },
            Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 400.0)),
        );
        let mixture = Mixture::new(vec![Mode::isotropic(1.0, [0.5, -0.5], 1.0)]).expect("one mode");
        // The density at distance r is exp(-r^2 / 2) / (2 pi).
        let level = (-0.5f64).exp() / std::f64::consts::TAU;
        let [lines, ..] = trace(&projection, &mixture, [level; 3]);
        assert!(lines.len() > 40, "{}", lines.len());
        for point in lines.iter().flatten() {
            let x = projection.to_world(*point);
            let radius = (x[0] - 0.5).hypot(x[1] + 0.5);
            // A cell is 0.125 wide: straight pieces stay within a hundredth of the circle.
            assert!((radius - 1.0).abs() < 0.01, "{radius}");
        }
    }
}
