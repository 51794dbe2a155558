//! Where a classifier's first layer begins, and stays, if it is asked to whiten what it sees.

use super::ImageSet;
use super::batch::clean;
use crate::metrics::eigen;
use crate::model::Weights;

/// Images that are looked at.
const SEEN: usize = 2048;
/// Rows and columns of a patch.
const TAPS: usize = 3;
/// Added to variances, of images in [-1, 1].
const FLOOR: f64 = 5e-4;

/// Name of the weights that do not learn then.
pub(super) const STAYS: &str = "stem.weight";

/// Gives the first layer the directions in which patches of these images vary most, each to variance 1 and in both signs;
/// as many as it has pairs of outputs, and patches have directions. The rest stays as it is (arXiv 2404.00498, section 3.2).
pub(super) fn whiten(weights: &mut Weights, data: &ImageSet) {
    let Some(stem) = weights.get_mut(STAYS) else {
        return;
    };
    let [channels, rows, columns] = data.shape;
    let sees = channels * TAPS * TAPS;
    let count = SEEN.min(data.len());
    let which: Vec<usize> = (0..count).map(|i| i * data.len() / count).collect();
    let (mut sum, mut products, mut seen) = (vec![0.0; sees], vec![0.0; sees * sees], 0.0);
    for image in clean(data, &which).chunks_exact(data.stride()) {
        for row in (0..rows.saturating_sub(TAPS - 1)).step_by(2) {
            for column in (0..columns.saturating_sub(TAPS - 1)).step_by(2) {
                let patch: Vec<f64> = (0..sees)
                    .map(|k| {
                        let (c, down, right) = (k / (TAPS * TAPS), k / TAPS % TAPS, k % TAPS);
                        f64::from(image[(c * rows + row + down) * columns + column + right])
                    })
                    .collect();
                for (i, a) in patch.iter().enumerate() {
                    sum[i] += a;
                    let own = &mut products[i * sees..(i + 1) * sees];
                    own.iter_mut().zip(&patch).for_each(|(p, b)| *p += a * b);
                }
                seen += 1.0;
            }
        }
    }
    for (at, product) in products.iter_mut().enumerate() {
        *product = *product / seen - sum[at / sees] / seen * (sum[at % sees] / seen);
    }
    let directions = eigen(products, sees);
    let pairs = stem.values.chunks_exact_mut(2 * sees);
    for ((value, direction), pair) in directions.iter().zip(pairs) {
        let (plus, minus) = pair.split_at_mut(sees);
        let scale = 1.0 / (value.max(0.0) + FLOOR).sqrt();
        for ((plus, minus), own) in plus.iter_mut().zip(minus).zip(direction) {
            *plus = (scale * own) as f32;
            *minus = -*plus;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_bars::{SIDE, small_classifier};
    use super::*;

    #[test]
    fn what_comes_out_has_variance_one_in_pairs_of_both_signs_that_know_nothing_of_another() {
        // Smooth pictures, each another, so that neighbours are much alike.
        let pixels = (0..200 * SIDE * SIDE).map(|k| {
            let (item, at) = (k / (SIDE * SIDE), k % (SIDE * SIDE));
            let wave = |f: f64| {
                ((at % SIDE) as f64 * f + (at / SIDE) as f64 * 0.7 * f + item as f64).sin()
            };
            (127.5 + 60.0 * wave(0.3 + 0.011 * item as f64) + 30.0 * wave(1.1)) as u8
        });
        let data = ImageSet {
            shape: [1, SIDE, SIDE],
            pixels: pixels.collect(),
            labels: vec![0; 200],
            classes: vec!["one".into(), "two".into()],
        };
        let mut weights = small_classifier().fresh(3);
        whiten(&mut weights, &data);
        let filters: Vec<&[f32]> = weights[STAYS].values.chunks_exact(9).collect();
        let mut out = vec![Vec::new(); filters.len()];
        let which: Vec<usize> = (0..data.len()).collect();
        for image in clean(&data, &which).chunks_exact(SIDE * SIDE) {
            for (row, column) in (0..3).flat_map(|i| (0..3).map(move |j| (2 * i, 2 * j))) {
                for (filter, out) in filters.iter().zip(&mut out) {
                    let taps = filter.iter().enumerate();
                    let of = |k: usize| f64::from(image[(row + k / 3) * SIDE + column + k % 3]);
                    out.push(taps.map(|(k, w)| f64::from(*w) * of(k)).sum::<f64>());
                }
            }
        }
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let together = |a: &[f64], b: &[f64]| {
            let products: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
            mean(&products) - mean(a) * mean(b)
        };
        for i in 0..out.len() {
            for j in 0..=i {
                let found = together(&out[i], &out[j]);
                let wanted = match (i == j, i / 2 == j / 2) {
                    (true, _) => 1.0,
                    (_, true) => -1.0,
                    _ => 0.0,
                };
                // The floor keeps directions that hardly vary below 1.
                assert!((found - wanted).abs() < 0.05, "{i} {j}: {found}");
            }
        }
    }
}
