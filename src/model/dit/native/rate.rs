//! What the kernels' products give at most, beside which a network's rate is stated.

use std::hint::black_box;
use std::time::Instant;

use super::NativeDit;
use super::kernels::{Bias, Kernels, Product, Way};
use crate::model::simd::{Buffer, Packed, TILE};

/// Inputs and outputs of the matrices. With its tile each stays in a core's own cache.
const SIDES: [usize; 3] = [64, 128, 256];
/// Operations of each core in a round, tens of milliseconds, and rounds of each product.
const ROUND: usize = 2_000_000_000;
const ROUNDS: usize = 8;

impl NativeDit {
    /// Billions of operations a second of the kernels' own products, a matrix or its transpose by one tile, on all cores at
    /// once: the best round of some matrices that stay in the cache. Takes a second or two.
    pub fn product_gflops() -> f64 {
        let k = Kernels::new();
        let mut best = 0.0_f64;
        for side in SIDES {
            let mut matrix = Packed::zeroed(side, side);
            matrix.fill(|j, k| ((17 * j + 5 * k) % 64) as f32 / 64.0 - 0.5, None);
            let mut input = Buffer::zeroed(side * TILE);
            input.as_mut_slice().fill(0.5);
            let each = 2 * side * side * TILE;
            let times = ROUND / each;
            for back in [false, true] {
                for _ in 0..ROUNDS {
                    let begun = Instant::now();
                    let cores = rayon::broadcast(|_| {
                        let mut output = Buffer::zeroed(side * TILE);
                        for _ in 0..times {
                            k.with(Product {
                                matrix: black_box(&matrix),
                                way: if back {
                                    Way::Back
                                } else {
                                    Way::Plain(Bias::Added)
                                },
                                live: TILE,
                                input: black_box(input.as_slice()),
                                output: output.as_mut_slice(),
                            });
                            black_box(&mut output);
                        }
                    });
                    let operations = (cores.len() * times * each) as f64;
                    best = best.max(operations / begun.elapsed().as_secs_f64() / 1e9);
                }
            }
        }
        best
    }
}
