//! Looks at colours: functions of planes of red, green and blue one after the other, 0 dark to 1 full.

use super::light::{Slope, soft_root};

/// The three numbers of each pixel.
fn pixels(planes: &[f64]) -> impl Iterator<Item = [f64; 3]> + '_ {
    let area = planes.len() / 3;
    (0..area).map(move |at| [planes[at], planes[area + at], planes[2 * area + at]])
}

/// Adds `slopes` of pixel `at`, times the weight.
fn add(slope: &mut Slope<'_>, at: usize, slopes: [f64; 3]) {
    let area = slope.into.len() / 3;
    for (channel, by) in slopes.into_iter().enumerate() {
        slope.into[channel * area + at] += slope.weight * by;
    }
}

/// Mean over the pixels of the standard deviation of their three numbers.
pub(super) fn saturation(planes: &[f64], mut slope: Option<Slope<'_>>) -> f64 {
    /// Where the root turns smooth: a grey that no one tells from its neighbours.
    const SOFT: f64 = 0.01;
    let n = (planes.len() / 3).max(1) as f64;
    let mut sum = 0.0;
    for (at, pixel) in pixels(planes).enumerate() {
        let mean = pixel.iter().sum::<f64>() / 3.0;
        let square = pixel.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 3.0;
        let (deviation, by_square) = soft_root(square, SOFT);
        sum += deviation;
        if let Some(slope) = &mut slope {
            let along = pixel.map(|v| by_square * 2.0 * (v - mean) / (3.0 * n));
            add(slope, at, along);
        }
    }
    sum / n
}

/// Hasler and Suesstrunk, Measuring colourfulness in natural images, 2003: with `rg = R - G` and `yb = (R + G) / 2 - B`
/// in 0 to 255, the root of the sum of their variances and 0.3 times that of their squared means. Both roots are smooth
/// at 0, where grey pictures are.
pub(super) fn colourfulness(planes: &[f64], mut slope: Option<Slope<'_>>) -> f64 {
    const MEANS: f64 = 0.3;
    const SOFT: f64 = 0.5;
    let n = (planes.len() / 3).max(1) as f64;
    let opponents = |[r, g, b]: [f64; 3]| [255.0 * (r - g), 255.0 * (0.5 * (r + g) - b)];
    let (mut sums, mut squares) = ([0.0; 2], 0.0);
    for pixel in pixels(planes) {
        for (sum, v) in sums.iter_mut().zip(opponents(pixel)) {
            *sum += v;
            squares += v * v;
        }
    }
    let means = sums.map(|sum| sum / n);
    let of_means = means[0] * means[0] + means[1] * means[1];
    let (spread, by_variance) = soft_root((squares / n - of_means).max(0.0), SOFT);
    let (offset, by_mean) = soft_root(of_means, SOFT);
    if let Some(slope) = &mut slope {
        for (at, pixel) in pixels(planes).enumerate() {
            let values = opponents(pixel);
            let along = |k: usize| {
                2.0 / n * (by_variance * (values[k] - means[k]) + MEANS * by_mean * means[k])
            };
            let [rg, yb] = [255.0 * along(0), 255.0 * along(1)];
            add(slope, at, [rg + 0.5 * yb, 0.5 * yb - rg, -yb]);
        }
    }
    spread + MEANS * offset
}

/// Mean of red minus blue.
pub(super) fn warmth(planes: &[f64], mut slope: Option<Slope<'_>>) -> f64 {
    let n = (planes.len() / 3).max(1) as f64;
    let mut sum = 0.0;
    for (at, [r, _, b]) in pixels(planes).enumerate() {
        sum += r - b;
        if let Some(slope) = &mut slope {
            add(slope, at, [1.0 / n, 0.0, -1.0 / n]);
        }
    }
    sum / n
}

/// Minus the mean squared distance of the pixels from the nearest of `colours`, as a soft minimum.
pub(super) fn palette(planes: &[f64], colours: &[[f64; 3]], mut slope: Option<Slope<'_>>) -> f64 {
    /// Squared distances that differ by less are about as near.
    const SOFT: f64 = 0.005;
    let n = (planes.len() / 3).max(1) as f64;
    let mut sum = 0.0;
    for (at, pixel) in pixels(planes).enumerate() {
        let squares = colours.iter().map(|colour| {
            let parts = pixel.iter().zip(colour).map(|(v, c)| (v - c) * (v - c));
            parts.sum::<f64>() / 3.0
        });
        let squares: Vec<f64> = squares.collect();
        let least = squares.iter().copied().fold(f64::INFINITY, f64::min);
        let weights: Vec<f64> = squares.iter().map(|s| ((least - s) / SOFT).exp()).collect();
        let total: f64 = weights.iter().sum();
        // The weighted mean of the distances would pull away from far colours: the log-sum-exp does not.
        sum -= least - SOFT * (total / colours.len().max(1) as f64).ln();
        if let Some(slope) = &mut slope {
            let mut along = [0.0; 3];
            for (weight, colour) in weights.iter().zip(colours) {
                for (along, (v, c)) in along.iter_mut().zip(pixel.iter().zip(colour)) {
                    *along -= weight / total * 2.0 * (v - c) / (3.0 * n);
                }
            }
            add(slope, at, along);
        }
    }
    sum / n
}
