//! Looks without a gradient: what is counted in a picture whose light is ink where it is nearer to white than to black.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// Ink or none, with a border of none around.
struct Grid {
    ink: Vec<bool>,
    rows: usize,
    columns: usize,
}

impl Grid {
    /// Of light, 0 black to 1 white, each pixel as `times` by `times`.
    fn new(light: &[f64], columns: usize, times: usize) -> Self {
        let rows = light.len() / columns.max(1);
        let [wide, high] = [columns * times + 2, rows * times + 2];
        let mut ink = vec![false; wide * high];
        for y in 0..rows * times {
            for x in 0..columns * times {
                let here = light[y / times * columns + x / times];
                ink[(y + 1) * wide + x + 1] = here > 0.5;
            }
        }
        Self {
            ink,
            rows: high,
            columns: wide,
        }
    }

    /// Parts of ink, or of none, that do not touch; corners count as touching where `corners` says so.
    fn parts(&self, of_ink: bool, corners: bool) -> usize {
        let mut seen = vec![false; self.ink.len()];
        let mut parts = 0;
        let mut open = Vec::new();
        for start in 0..self.ink.len() {
            if seen[start] || self.ink[start] != of_ink {
                continue;
            }
            parts += 1;
            seen[start] = true;
            open.push(start);
            while let Some(at) = open.pop() {
                let (y, x) = (at / self.columns, at % self.columns);
                for ny in y.saturating_sub(1)..(y + 2).min(self.rows) {
                    for nx in x.saturating_sub(1)..(x + 2).min(self.columns) {
                        let next = ny * self.columns + nx;
                        let beside = corners || ny == y || nx == x;
                        if beside && !seen[next] && self.ink[next] == of_ink {
                            seen[next] = true;
                            open.push(next);
                        }
                    }
                }
            }
        }
        parts
    }

    /// Squared distance of each pixel from the nearest one without ink (Felzenszwalb and Huttenlocher, 2012).
    fn squared_distances(&self) -> Vec<f64> {
        let far = (self.rows * self.rows + self.columns * self.columns) as f64;
        let mut squares: Vec<f64> = self
            .ink
            .iter()
            .map(|ink| if *ink { far } else { 0.0 })
            .collect();
        let mut line = vec![0.0; self.rows];
        for x in 0..self.columns {
            for (y, v) in line.iter_mut().enumerate() {
                *v = squares[y * self.columns + x];
            }
            for (y, v) in lower_envelope(&line).into_iter().enumerate() {
                squares[y * self.columns + x] = v;
            }
        }
        for row in squares.chunks_exact_mut(self.columns) {
            let lowest = lower_envelope(row);
            row.copy_from_slice(&lowest);
        }
        squares
    }
}

/// `min_q (p - q)^2 + f(q)` for each `p`.
fn lower_envelope(f: &[f64]) -> Vec<f64> {
    // Parabolas by where they begin to be the lowest.
    let mut lowest: Vec<(usize, f64)> = Vec::with_capacity(f.len());
    let height = |q: usize| f[q] + (q * q) as f64;
    for q in 0..f.len() {
        let mut from = f64::NEG_INFINITY;
        while let Some((last, begins)) = lowest.last() {
            from = (height(q) - height(*last)) / (2.0 * (q - last) as f64);
            if from > *begins {
                break;
            }
            lowest.pop();
            from = f64::NEG_INFINITY;
        }
        lowest.push((q, from));
    }
    let mut at = 0;
    (0..f.len())
        .map(|p| {
            while at + 1 < lowest.len() && lowest[at + 1].1 < p as f64 {
                at += 1;
            }
            let q = lowest[at].0;
            f[q] + (p as f64 - q as f64).powi(2)
        })
        .collect()
}

/// Thickness of the strokes in pixels, by how far ink is from where there is none. On a grid twice as fine a stroke of
/// width `2 w` has the distances `1, ..., w, w, ..., 1`, whose mean is `(w + 1) / 2`; 0 without ink.
pub(super) fn thickness(light: &[f64], columns: usize) -> f64 {
    let ink = Grid::new(light, columns, 2);
    let distances = ink.squared_distances();
    let (mut sum, mut count) = (0.0, 0.0);
    for (square, ink) in distances.iter().zip(&ink.ink) {
        if *ink {
            sum += square.sqrt();
            count += 1.0;
        }
    }
    if count == 0.0 {
        return 0.0;
    }
    2.0 * sum / count - 1.0
}

/// Parts of ink, corners touching.
pub(super) fn parts(light: &[f64], columns: usize) -> f64 {
    Grid::new(light, columns, 1).parts(true, true) as f64
}

/// Parts without ink that are closed in, corners not touching.
pub(super) fn holes(light: &[f64], columns: usize) -> f64 {
    // All that is around is one more.
    Grid::new(light, columns, 1).parts(false, false) as f64 - 1.0
}

/// Bits a pixel of the picture as a PNG of 8 bits a number; planes one after the other, 0 black to 1 white.
pub(super) fn bits_a_pixel(planes: &[f64], [channels, rows, columns]: [usize; 3]) -> f64 {
    let area = rows * columns;
    let byte = |v: f64| (255.0 * v).round().clamp(0.0, 255.0) as u8;
    let bytes: Vec<u8> = (0..area)
        .flat_map(|at| (0..channels).map(move |c| byte(planes[c * area + at])))
        .collect();
    let color = if channels == 3 {
        ExtendedColorType::Rgb8
    } else {
        ExtendedColorType::L8
    };
    let mut file = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::Adaptive);
    match encoder.write_image(&bytes, columns as u32, rows as u32, color) {
        Ok(()) => 8.0 * file.len() as f64 / area as f64,
        Err(e) => {
            // Writing to memory does not fail; a score that is no number would show it.
            tracing::error!("a picture could not be compressed: {e}");
            f64::NAN
        }
    }
}
