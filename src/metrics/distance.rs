//! Distances between samples, and their floors: what two exact samples of the same size already differ by.

use rayon::prelude::*;

use crate::mixture::Mixture;
use crate::process::{Address, Purpose};

/// Directions that the figures of methods.md 6 were made with.
pub const PROJECTIONS: usize = 128;

/// Sliced Wasserstein-2 distance: the root of the mean over `projections` directions of the squared 1D distance.
///
/// Direction `j` has the angle `pi (j + 1/2) / projections`. Equal sizes compare sorted projections one by one;
/// unequal sizes integrate the squared difference of the two empirical quantile functions exactly. NaN when either
/// sample is empty or not finite.
pub fn sliced_w2(a: &[[f32; 2]], b: &[[f32; 2]], projections: usize) -> f64 {
    let projections = projections.max(1);
    if a.is_empty() || b.is_empty() {
        return f64::NAN;
    }
    let squared: Vec<f64> = (0..projections)
        .into_par_iter()
        .map(|j| {
            let angle = std::f64::consts::PI * (j as f64 + 0.5) / projections as f64;
            let direction = [angle.cos(), angle.sin()];
            squared_w2_of_sorted(&projected(a, direction), &projected(b, direction))
        })
        .collect();
    (squared.iter().sum::<f64>() / projections as f64).sqrt()
}

fn projected(points: &[[f32; 2]], direction: [f64; 2]) -> Vec<f64> {
    let mut line: Vec<f64> = points
        .iter()
        .map(|p| f64::from(p[0]) * direction[0] + f64::from(p[1]) * direction[1])
        .collect();
    line.sort_unstable_by(f64::total_cmp);
    line
}

/// Integral over `(0, 1)` of the squared difference of two step-shaped quantile functions.
fn squared_w2_of_sorted(a: &[f64], b: &[f64]) -> f64 {
    if a.len() == b.len() {
        let sum: f64 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
        return sum / a.len() as f64;
    }
    // In units of 1 / (n m) every step ends on a whole number: a's after m, b's after n.
    let (n, m) = (a.len() as u128, b.len() as u128);
    let (mut i, mut j, mut done, mut sum) = (0, 0, 0_u128, 0.0);
    while i < a.len() && j < b.len() {
        let (end_a, end_b) = ((i as u128 + 1) * m, (j as u128 + 1) * n);
        let end = end_a.min(end_b);
        let difference = a[i] - b[j];
        sum += (end - done) as f64 * difference * difference;
        done = end;
        i += usize::from(end_a == end);
        j += usize::from(end_b == end);
    }
    sum / (n * m) as f64
}

/// Unbiased squared maximum mean discrepancy, with the kernel of methods.md 6: the mean over
/// sd 0.25, 0.5, 1, 2, 4 of `exp(-d^2 / 2 sd^2)`. It may be below 0. `O(n^2)`. NaN with fewer than two points.
pub fn mmd_squared_unbiased(a: &[[f32; 2]], b: &[[f32; 2]]) -> f64 {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.len() < 2 || b.len() < 2 {
        return f64::NAN;
    }
    2.0 * within(a) / (n * (n - 1.0)) + 2.0 * within(b) / (m * (m - 1.0))
        - 2.0 * across(a, b) / (n * m)
}

/// Sum of the kernel over pairs `i < j`.
fn within(points: &[[f32; 2]]) -> f64 {
    row_sums(points, |i| &points[i + 1..])
}

fn across(a: &[[f32; 2]], b: &[[f32; 2]]) -> f64 {
    row_sums(a, |_| b)
}

fn row_sums<'a>(rows: &[[f32; 2]], others: impl Fn(usize) -> &'a [[f32; 2]] + Sync) -> f64 {
    let sums: Vec<f64> = rows
        .par_iter()
        .enumerate()
        .with_min_len(16)
        .map(|(i, x)| {
            let x = x.map(f64::from);
            others(i).iter().map(|y| kernel(x, y.map(f64::from))).sum()
        })
        .collect();
    sums.iter().sum()
}

/// The exponents of the five widths are in the ratio 1 : 4 : 16 : 64 : 256, so one exponential and eight squarings do.
#[inline]
fn kernel(x: [f64; 2], y: [f64; 2]) -> f64 {
    let (dx, dy) = (x[0] - y[0], x[1] - y[1]);
    let fourth = |v: f64| (v * v) * (v * v);
    let sd_4 = (-(dx * dx + dy * dy) / 32.0).exp();
    let sd_2 = fourth(sd_4);
    let sd_1 = fourth(sd_2);
    let sd_half = fourth(sd_1);
    0.2 * (sd_4 + sd_2 + sd_1 + sd_half + fourth(sd_half))
}

/// Two independent exact samples of `n` points, from which a floor is computed.
pub fn floor_samples(mixture: &Mixture, n: usize, seed: u64) -> [Vec<[f32; 2]>; 2] {
    [0, 1].map(|state| {
        let mut points = vec![[0.0; 2]; n];
        mixture.sample_into(Address::new(seed, Purpose::Floor, state), 0, &mut points);
        points
    })
}

/// Sliced W2 ([`PROJECTIONS`] directions) of two independent exact samples of `n` points.
pub fn floor_sliced_w2(mixture: &Mixture, n: usize, seed: u64) -> f64 {
    let [a, b] = floor_samples(mixture, n, seed);
    sliced_w2(&a, &b, PROJECTIONS)
}

/// Squared MMD of two independent exact samples of `n` points.
pub fn floor_mmd_squared(mixture: &Mixture, n: usize, seed: u64) -> f64 {
    let [a, b] = floor_samples(mixture, n, seed);
    mmd_squared_unbiased(&a, &b)
}

#[cfg(test)]
mod tests {
    use super::super::diversity::tests::reference;
    use super::*;
    use crate::mixture::{Mode, Preset};

    #[test]
    fn sliced_w2_matches_the_reference() {
        let r = reference();
        assert!((sliced_w2(&r.a, &r.b, 128) - r.sliced_w2_ab).abs() < 1e-12);
        assert!((sliced_w2(&r.a, &r.b, 64) - r.sliced_w2_ab_64).abs() < 1e-12);
    }

    #[test]
    fn samples_of_unequal_size_are_compared_as_if_every_point_were_repeated() {
        let r = reference();
        assert!((sliced_w2(&r.a, &r.c, 128) - r.sliced_w2_ac).abs() < 1e-12);
        let twice: Vec<[f32; 2]> = r.a.iter().flat_map(|p| [*p, *p]).collect();
        assert!(sliced_w2(&r.a, &twice, 64) < 1e-12);
    }

    #[test]
    fn mmd_matches_the_reference() {
        let r = reference();
        assert!((mmd_squared_unbiased(&r.a, &r.b) - r.mmd_squared_ab).abs() < 1e-13);
        assert!((mmd_squared_unbiased(&r.a, &r.c) - r.mmd_squared_ac).abs() < 1e-13);
    }

    #[test]
    fn shifting_a_sample_moves_it_by_the_shift_over_root_two() {
        // |shift . direction|^2 averages to |shift|^2 / 2 over even directions.
        let [a, _] = floor_samples(&Preset::Ring8.mixture(), 1000, 1);
        let shifted: Vec<[f32; 2]> = a.iter().map(|p| [p[0] + 3.0, p[1] - 4.0]).collect();
        assert!((sliced_w2(&a, &shifted, 64) - 5.0 / 2.0_f64.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn empty_samples_have_no_distance() {
        assert!(sliced_w2(&[], &[[0.0; 2]], 8).is_nan());
        assert!(mmd_squared_unbiased(&[[0.0; 2]], &[[0.0; 2]; 3]).is_nan());
    }

    #[test]
    fn the_floor_is_small_and_shrinks_with_the_sample() {
        let one = Mixture::new(vec![Mode::isotropic(1.0, [0.0; 2], 1.0)]).unwrap();
        let (small, large) = (
            floor_sliced_w2(&one, 256, 3),
            floor_sliced_w2(&one, 16_384, 3),
        );
        assert!(large < 0.03 && small > 2.0 * large, "{small}, {large}");
        assert!(floor_mmd_squared(&one, 4096, 3).abs() < 5e-4);
    }
}
