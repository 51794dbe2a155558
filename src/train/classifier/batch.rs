//! What a step of a classifier's training sees.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ClassifierRecipe;
use crate::process::{Address, normal_pairs};
use crate::train::ImageSet;

/// The golden section: its multiples are spread evenly over `[0, 1)`.
pub(super) const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// Below it a state is taken for that of `t = 0`.
const LEAST_TIME: f32 = 0.01;

/// Images as they are, in [-1, 1].
pub(super) fn clean(images: &ImageSet, which: &[usize]) -> Vec<f32> {
    let mut values = vec![0.0; which.len() * images.stride()];
    for (i, out) in which.iter().zip(values.chunks_exact_mut(images.stride())) {
        images.write_into(*i, out);
    }
    values
}

/// States `x_t` of clean images, `[n][C H W]`, with their times as one more channel: `[n][(C + 1) H W]`. Items `first..` of
/// an address have times spread evenly in whatever order they come (by the golden section); where `t < 0.01` a state is 0
/// and carries nothing, as a map sees it at `t = 0`.
pub(super) fn half_formed(
    images: &[f32],
    [channels, rows, columns]: [usize; 3],
    (address, first): (Address, usize),
) -> Vec<f32> {
    let (size, plane) = (channels * rows * columns, rows * columns);
    let mut values = vec![0.0; images.len() / size * (size + plane)];
    values
        .par_chunks_mut(size + plane)
        .zip(images.par_chunks(size))
        .enumerate()
        .for_each(|(i, (out, image))| {
            let item = first + i;
            let t = (item as f64 * GOLDEN).fract() as f32;
            if t < LEAST_TIME {
                return;
            }
            let mut noise = vec![[0.0_f32; 2]; size.div_ceil(2)];
            normal_pairs(address, item * size.div_ceil(2), &mut noise);
            let (state, time) = out.split_at_mut(size);
            for ((x, clean), eps) in state.iter_mut().zip(image).zip(noise.as_flattened()) {
                *x = (1.0 - t) * eps + t * clean;
            }
            time.fill(t);
        });
    values
}

pub(super) fn shuffled(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

/// A batch, each image moved a little (black comes in) and perhaps mirrored.
pub(super) fn moved(
    data: &ImageSet,
    which: &[usize],
    recipe: &ClassifierRecipe,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let [channels, rows, columns] = data.shape;
    let reach = recipe.shift as i64;
    let mut values = vec![-1.0_f32; which.len() * data.stride()];
    for (i, out) in which.iter().zip(values.chunks_exact_mut(data.stride())) {
        let image = data.image(*i);
        let (down, right) = (
            rng.random_range(-reach..=reach),
            rng.random_range(-reach..=reach),
        );
        let mirror = recipe.mirror && rng.random_range(0..2) == 1;
        for c in 0..channels {
            for row in 0..rows {
                for column in 0..columns {
                    let from_row = row as i64 - down;
                    let mut from = column as i64 - right;
                    if mirror {
                        from = columns as i64 - 1 - from;
                    }
                    if (0..rows as i64).contains(&from_row) && (0..columns as i64).contains(&from) {
                        let at = (c * rows + from_row as usize) * columns + from as usize;
                        out[(c * rows + row) * columns + column] =
                            f32::from(image[at]) / 127.5 - 1.0;
                    }
                }
            }
        }
    }
    values
}

/// Puts a piece of the next image of the batch into a share of the images, `[n][C H W]`: a square around some pixel, as
/// large a part of the image as a uniform number says, cut where the image ends. Gives back which part of each is its own
/// still.
pub(super) fn cut_mixed(
    values: &mut [f32],
    [channels, rows, columns]: [usize; 3],
    share: f64,
    rng: &mut ChaCha8Rng,
) -> Vec<f32> {
    let (plane, size) = (rows * columns, channels * rows * columns);
    let whole = values.to_vec();
    let others = whole.chunks_exact(size).cycle().skip(1);
    let images = values.chunks_exact_mut(size).zip(others);
    images
        .map(|(image, other)| {
            let side = rng.random::<f64>().sqrt();
            let (row, column) = (rng.random_range(0..rows), rng.random_range(0..columns));
            if rng.random::<f64>() >= share {
                return 1.0;
            }
            let span = |at: usize, all: usize| {
                let half = (side * all as f64 / 2.0).round() as usize;
                at.saturating_sub(half)..(at + half).min(all)
            };
            let (down, right) = (span(row, rows), span(column, columns));
            for channel in 0..channels {
                for row in down.clone() {
                    let at = channel * plane + row * columns;
                    let piece = at + right.start..at + right.end;
                    image[piece.clone()].copy_from_slice(&other[piece]);
                }
            }
            1.0 - (down.len() * right.len()) as f32 / plane as f32
        })
        .collect()
}

/// What the classes of a batch should be said to be, `[n][classes]`: of what is not an image's `own` the next one's class.
pub(super) fn targets(labels: &[usize], own: &[f32], classes: usize, smoothing: f32) -> Vec<f32> {
    let mut targets = vec![smoothing / classes as f32; labels.len() * classes];
    let others = labels.iter().cycle().skip(1);
    let rows = targets.chunks_exact_mut(classes);
    for (((row, label), other), own) in rows.zip(labels).zip(others).zip(own) {
        row[*label] += (1.0 - smoothing) * own;
        row[*other] += (1.0 - smoothing) * (1.0 - own);
    }
    targets
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_piece_of_the_next_image_comes_with_its_share_of_the_target() {
        let (n, shape, size) = (40, [2, 6, 9], 108);
        // Every image one number, so that a pixel says whose it is.
        let mut values: Vec<f32> = (0..n * size).map(|k| (k / size) as f32).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let own = cut_mixed(&mut values, shape, 0.5, &mut rng);
        assert_eq!(own.len(), n);
        for (i, (image, own)) in values.chunks_exact(size).zip(&own).enumerate() {
            let kept = image.iter().filter(|v| **v == i as f32).count();
            let others = ((i + 1) % n) as f32;
            let taken = image.iter().filter(|v| **v == others).count();
            assert_eq!(kept + taken, size);
            assert!(
                (kept as f32 / size as f32 - own).abs() < 1e-6,
                "{kept} {own}"
            );
            // Of all channels at the same place.
            let (first, second) = image.split_at(size / 2);
            assert_eq!(first, second);
        }
        let mixed = own.iter().filter(|own| **own < 1.0).count();
        assert!((10..=30).contains(&mixed), "{mixed}");
        let mut same = values.clone();
        let own = cut_mixed(&mut same, shape, 0.0, &mut rng);
        assert!(same == values && own == vec![1.0; n]);
    }

    #[test]
    fn targets_are_shares_of_one() {
        let found = targets(&[0, 2], &[1.0, 0.25], 3, 0.3);
        let wanted = [0.8, 0.1, 0.1, 0.625, 0.1, 0.275];
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        }
    }
}
