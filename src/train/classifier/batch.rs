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
