//! Addressed noise of the size of an image.

use rayon::prelude::*;

use crate::process::{Address, normal_pairs};

/// Standard normals of images `first..` of `address` into `out`, `[items][numbers]`.
///
/// Image `i` has pairs `i * ceil(numbers / 2)` and on of its address, whatever the range.
pub(crate) fn image_noise(address: Address, first: usize, numbers: usize, out: &mut [f32]) {
    let pairs = numbers.div_ceil(2);
    out.par_chunks_mut(numbers)
        .enumerate()
        .for_each(|(item, image)| {
            let mut normals = vec![[0.0_f32; 2]; pairs];
            normal_pairs(address, (first + item) * pairs, &mut normals);
            image.copy_from_slice(&normals.as_flattened()[..numbers]);
        });
}
