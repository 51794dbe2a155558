//! What a sample looks like: moments, spread, occupancy of modes.

use rayon::prelude::*;

use crate::mixture::{Cov2, Mixture};

/// Sample mean. NaN for an empty sample.
pub fn mean(points: &[[f32; 2]]) -> [f64; 2] {
    let n = points.len() as f64;
    let sum = points.iter().fold([0.0; 2], |sum, p| {
        [sum[0] + f64::from(p[0]), sum[1] + f64::from(p[1])]
    });
    sum.map(|v| v / n)
}

/// Sample covariance, unbiased (`n - 1`). NaN with fewer than two points.
pub fn covariance(points: &[[f32; 2]]) -> Cov2 {
    let mean = mean(points);
    if points.len() < 2 {
        return Cov2::isotropic(f64::NAN);
    }
    points
        .iter()
        .fold(Cov2::isotropic(0.0), |sum, p| {
            sum.plus(Cov2::outer([
                f64::from(p[0]) - mean[0],
                f64::from(p[1]) - mean[1],
            ]))
        })
        .scaled(1.0 / (points.len() as f64 - 1.0))
}

/// Largest sample of which every pair is used.
const ALL_PAIRS: usize = 512;
/// Partners of each point in a larger sample.
const PARTNERS: usize = 64;

/// Mean distance between two different points of the sample, in world units. NaN with fewer than two points.
///
/// Up to 512 points every pair counts. Beyond, point `i` is paired with those at 64 fixed offsets around the sample,
/// so the number does not flicker from one redraw to the next.
pub fn mean_pairwise_distance(points: &[[f32; 2]]) -> f64 {
    let n = points.len();
    if n < 2 {
        return f64::NAN;
    }
    let offsets: Vec<usize> = if n <= ALL_PAIRS {
        (1..n).collect()
    } else {
        // Half-way round covers every unordered pair; below it the offsets are spread evenly and all differ.
        (0..PARTNERS)
            .map(|j| 1 + j * (n / 2 - 1) / (PARTNERS - 1))
            .collect()
    };
    let sums: Vec<f64> = offsets
        .par_iter()
        .map(|offset| {
            (0..n)
                .map(|i| {
                    let (p, q) = (points[i], points[(i + offset) % n]);
                    (f64::from(p[0]) - f64::from(q[0])).hypot(f64::from(p[1]) - f64::from(q[1]))
                })
                .sum()
        })
        .collect();
    sums.iter().sum::<f64>() / (n * offsets.len()) as f64
}

/// Share of the points nearest to each mode's mean. Zeros for an empty sample.
pub fn mode_occupancy(points: &[[f32; 2]], mixture: &Mixture) -> Vec<f64> {
    let modes = mixture.modes().len();
    let counts = points
        .par_chunks(4096)
        .map(|points| {
            let mut counts = vec![0_u64; modes];
            for p in points {
                counts[mixture.nearest_mode(p.map(f64::from))] += 1;
            }
            counts
        })
        .reduce(
            || vec![0; modes],
            |mut a, b| {
                for (a, b) in a.iter_mut().zip(b) {
                    *a += b;
                }
                a
            },
        );
    let n = points.len().max(1) as f64;
    counts.into_iter().map(|count| count as f64 / n).collect()
}

/// Total variation `sum |p - q| / 2` of two distributions over the same modes.
///
/// # Panics
/// When the lengths differ.
pub fn total_variation(p: &[f64], q: &[f64]) -> f64 {
    assert_eq!(p.len(), q.len(), "distributions over the same modes");
    0.5 * p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum::<f64>()
}

/// Entropy `-sum p ln p` in nats; `exp` of it is the effective number of modes.
pub fn entropy(p: &[f64]) -> f64 {
    let nats: f64 = p.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum();
    // -0 would be printed as such.
    0.0 - nats
}

#[cfg(test)]
pub(super) mod tests {
    use serde::Deserialize;

    use super::super::floor_samples;
    use super::*;
    use crate::mixture::Preset;

    /// `tests/reference/metrics.json`, made by `closed_forms.py` beside it.
    #[derive(Deserialize)]
    pub struct Reference {
        pub a: Vec<[f32; 2]>,
        pub b: Vec<[f32; 2]>,
        pub c: Vec<[f32; 2]>,
        pub sliced_w2_ab: f64,
        pub sliced_w2_ab_64: f64,
        pub sliced_w2_ac: f64,
        pub mmd_squared_ab: f64,
        pub mmd_squared_ac: f64,
        pub mean_pairwise_distance_a: f64,
        pub mean_a: [f64; 2],
        pub covariance_a: [f64; 3],
    }

    pub fn reference() -> Reference {
        serde_json::from_str(include_str!("../../tests/reference/metrics.json"))
            .expect("the reference file is checked in with this test")
    }

    #[test]
    fn moments_match_the_reference() {
        let r = reference();
        let (mean, cov) = (mean(&r.a), covariance(&r.a));
        assert!((mean[0] - r.mean_a[0]).abs() < 1e-14 && (mean[1] - r.mean_a[1]).abs() < 1e-14);
        for (ours, theirs) in [cov.xx, cov.xy, cov.yy].iter().zip(r.covariance_a) {
            assert!((ours - theirs).abs() < 1e-13);
        }
    }

    #[test]
    fn pairwise_distance_is_exact_for_small_samples_and_close_for_large_ones() {
        let r = reference();
        assert!((mean_pairwise_distance(&r.a) - r.mean_pairwise_distance_a).abs() < 1e-13);
        // One Gaussian of sd 1: the distance of two draws is Rayleigh of sd sqrt 2, mean sqrt(pi).
        let one =
            crate::mixture::Mixture::new(vec![crate::mixture::Mode::isotropic(1.0, [0.0; 2], 1.0)])
                .unwrap();
        let [points, _] = floor_samples(&one, 20_000, 1);
        // Standard error about 0.005 (each point takes part in 128 pairs).
        assert!((mean_pairwise_distance(&points) - std::f64::consts::PI.sqrt()).abs() < 0.025);
        assert!(mean_pairwise_distance(&points[..1]).is_nan());
    }

    #[test]
    fn occupancy_counts_the_nearest_modes() {
        let two = Preset::Two.mixture();
        let points = [[-2.0, 0.0], [-0.1, 3.0], [2.0, 1.0], [-9.0, 0.0]];
        assert_eq!(mode_occupancy(&points, &two), [0.75, 0.25]);
        assert_eq!(mode_occupancy(&[], &two), [0.0, 0.0]);
        let [points, _] = floor_samples(&two, 50_000, 1);
        // Standard error 0.002.
        assert!(total_variation(&mode_occupancy(&points, &two), &two.weights()) < 0.01);
    }

    #[test]
    fn total_variation_and_entropy_have_their_known_values() {
        assert_eq!(total_variation(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
        assert!((total_variation(&[0.5, 0.5], &[0.7, 0.3]) - 0.2).abs() < 1e-15);
        assert!((entropy(&[0.25; 4]) - 4.0_f64.ln()).abs() < 1e-15);
        assert_eq!(entropy(&[1.0, 0.0]), 0.0);
    }
}
