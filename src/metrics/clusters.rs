//! Groups of similar points: k-means from addressed seeds, the number of groups by the mean silhouette.

use rayon::prelude::*;

use crate::process::{Address, Purpose, uniforms};

/// Fewest and most groups.
pub const GROUPS: [usize; 2] = [2, 8];
/// Fresh starts for each number of groups, and rounds of each.
const STARTS: u32 = 4;
const ROUNDS: usize = 60;

/// Which points belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// The group of each point, `[n]`; the largest group is 0.
    pub of: Vec<usize>,
    /// How many groups there are.
    pub count: usize,
    /// Mean silhouette in [-1, 1]: how much nearer points are to their own group than to the next one. `NaN` for one group.
    pub silhouette: f64,
}

impl Clusters {
    /// Share of the points in each group, `[count]`.
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.count];
        for group in &self.of {
            shares[*group] += 1.0 / self.of.len() as f64;
        }
        shares
    }
}

/// Groups points `[n][width]`: of 2 to 8 groups the number whose mean silhouette is largest. The same points and seed
/// give the same groups, on however many threads. Fewer than four points, or points that are all the same, are one group.
pub fn clusters(points: &[f32], width: usize, seed: u64) -> Clusters {
    let width = width.max(1);
    let n = points.len() / width;
    let one = Clusters {
        of: vec![0; n],
        count: usize::from(n > 0),
        silhouette: f64::NAN,
    };
    if n < 4 {
        return one;
    }
    let point = |i: usize| &points[i * width..(i + 1) * width];
    let far: Vec<f32> = (0..n * n)
        .into_par_iter()
        .map(|at| distance(point(at / n), point(at % n)))
        .collect();
    let mut best = one;
    for k in GROUPS[0]..=GROUPS[1].min(n / 2) {
        let Some(of) = k_means(points, width, k, seed) else {
            continue;
        };
        let silhouette = silhouette(&far, &of, k);
        if best.count < 2 || silhouette > best.silhouette {
            best = Clusters {
                of,
                count: k,
                silhouette,
            };
        }
    }
    largest_first(&mut best);
    best
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    squared(a, b).sqrt() as f32
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    f64::from(squares.sum::<f32>())
}

/// The best of a few starts; `None` where some group stays empty each time.
fn k_means(points: &[f32], width: usize, k: usize, seed: u64) -> Option<Vec<usize>> {
    (0..STARTS)
        .filter_map(|start| {
            let address = Address {
                seed,
                purpose: Purpose::Groups,
                state: k as u32,
                step: start,
            };
            settle(points, width, first_centers(points, width, k, address)?)
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(of, _)| of)
}

/// k-means++: each next centre is a point, in proportion to its squared distance from those there are.
fn first_centers(points: &[f32], width: usize, k: usize, address: Address) -> Option<Vec<f32>> {
    let n = points.len() / width;
    let mut draws = vec![0.0; k];
    uniforms(address, 0, &mut draws);
    let point = |i: usize| &points[i * width..(i + 1) * width];
    let first = ((f64::from(draws[0]) * n as f64) as usize).min(n - 1);
    let mut centers = point(first).to_vec();
    let mut nearest: Vec<f64> = (0..n).map(|i| squared(point(i), point(first))).collect();
    for draw in &draws[1..] {
        let total: f64 = nearest.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut left = f64::from(*draw) * total;
        let chosen = nearest.iter().position(|d| {
            left -= d;
            left < 0.0
        });
        // Rounding may leave a crumb behind the last one.
        let chosen = chosen.unwrap_or(n - 1);
        centers.extend(point(chosen));
        for (i, nearest) in nearest.iter_mut().enumerate() {
            *nearest = nearest.min(squared(point(i), point(chosen)));
        }
    }
    Some(centers)
}

/// Lloyd's rounds until nothing moves: the groups, and the sum of squared distances to their centres.
fn settle(points: &[f32], width: usize, mut centers: Vec<f32>) -> Option<(Vec<usize>, f64)> {
    let k = centers.len() / width;
    let mut of: Vec<usize> = Vec::new();
    for _ in 0..ROUNDS {
        let nearest: Vec<(usize, f64)> = points
            .par_chunks_exact(width)
            .map(|point| {
                let each = centers.chunks_exact(width).map(|c| squared(point, c));
                each.enumerate()
                    .min_by(|a, b| a.1.total_cmp(&b.1))
                    .unwrap_or((0, 0.0))
            })
            .collect();
        let inertia = nearest.iter().map(|n| n.1).sum();
        let now: Vec<usize> = nearest.into_iter().map(|n| n.0).collect();
        let mut sums = vec![0.0_f64; k * width];
        let mut counts = vec![0_usize; k];
        for (point, group) in points.chunks_exact(width).zip(&now) {
            counts[*group] += 1;
            let sum = &mut sums[group * width..(group + 1) * width];
            for (sum, v) in sum.iter_mut().zip(point) {
                *sum += f64::from(*v);
            }
        }
        if counts.contains(&0) {
            return None;
        }
        if now == of {
            return Some((of, inertia));
        }
        of = now;
        for ((center, sum), at) in centers.iter_mut().zip(&sums).zip(0..) {
            *center = (sum / counts[at / width] as f64) as f32;
        }
    }
    let each = points.chunks_exact(width).zip(&of);
    let inertia = each.map(|(p, g)| squared(p, &centers[g * width..(g + 1) * width]));
    let inertia = inertia.sum();
    Some((of, inertia))
}

/// Rousseeuw's (1987): the mean of `(b - a) / max(a, b)`, with `a` the mean distance to the own group and `b` to the next.
fn silhouette(far: &[f32], of: &[usize], k: usize) -> f64 {
    let n = of.len();
    let mut sizes = vec![0_usize; k];
    for group in of {
        sizes[*group] += 1;
    }
    let each: Vec<f64> = (0..n)
        .into_par_iter()
        .map(|i| {
            let mut sums = vec![0.0_f64; k];
            for (group, d) in of.iter().zip(&far[i * n..(i + 1) * n]) {
                sums[*group] += f64::from(*d);
            }
            let own = of[i];
            if sizes[own] < 2 {
                return 0.0;
            }
            let a = sums[own] / (sizes[own] - 1) as f64;
            let b = (0..k)
                .filter(|group| *group != own)
                .map(|group| sums[group] / sizes[group].max(1) as f64)
                .fold(f64::INFINITY, f64::min);
            (b - a) / a.max(b).max(f64::MIN_POSITIVE)
        })
        .collect();
    each.iter().sum::<f64>() / n as f64
}

/// Numbers the groups by size; equal ones by their first point.
fn largest_first(clusters: &mut Clusters) {
    let mut order: Vec<usize> = (0..clusters.count).collect();
    let size = |group: usize| clusters.of.iter().filter(|g| **g == group).count();
    let first = |group: usize| clusters.of.iter().position(|g| *g == group);
    order.sort_by_key(|group| (std::cmp::Reverse(size(*group)), first(*group)));
    let mut place = vec![0; clusters.count];
    for (new, old) in order.into_iter().enumerate() {
        place[old] = new;
    }
    clusters
        .of
        .iter_mut()
        .for_each(|group| *group = place[*group]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::normal_pairs;

    /// `sizes` points around corners that are far apart, by turns.
    fn heaps(sizes: &[usize], width: usize) -> (Vec<f32>, Vec<usize>) {
        let n: usize = sizes.iter().sum();
        let mut noise = vec![[0.0_f32; 2]; n * width.div_ceil(2)];
        normal_pairs(Address::new(1, Purpose::Test, 0), 0, &mut noise);
        let mut left = sizes.to_vec();
        let (mut points, mut of) = (Vec::new(), Vec::new());
        for i in 0..n {
            let heap = (i..i + sizes.len())
                .map(|j| j % sizes.len())
                .find(|h| left[*h] > 0)
                .unwrap();
            left[heap] -= 1;
            of.push(heap);
            let noise = &noise.as_flattened()[i * width..(i + 1) * width];
            points.extend(noise.iter().enumerate().map(|(d, v)| {
                let corner = if d % sizes.len() == heap { 6.0 } else { 0.0 };
                corner + 0.5 * v
            }));
        }
        (points, of)
    }

    #[test]
    fn heaps_are_found_with_their_number_and_their_shares() {
        for sizes in [&[30, 12][..], &[20, 16, 9], &[14, 13, 12, 11, 10]] {
            let (points, of) = heaps(sizes, 10);
            let found = clusters(&points, 10, 7);
            assert_eq!(found.of, of, "{sizes:?}");
            assert_eq!(found.count, sizes.len());
            let n: usize = sizes.iter().sum();
            for (share, size) in found.shares().iter().zip(sizes) {
                assert!((share - *size as f64 / n as f64).abs() < 1e-12);
            }
            assert!(found.silhouette > 0.5, "{}", found.silhouette);
        }
    }

    #[test]
    fn the_same_points_and_seed_give_the_same_groups_on_any_number_of_threads() {
        let (points, _) = heaps(&[9, 9, 9], 6);
        let here = clusters(&points, 6, 3);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(pool.install(|| clusters(&points, 6, 3)), here);
    }

    #[test]
    fn few_points_and_points_that_are_all_the_same_are_one_group() {
        assert_eq!(clusters(&[], 3, 1).count, 0);
        assert_eq!(clusters(&[1.0, 2.0, 3.0], 1, 1).of, [0; 3]);
        let same = clusters(&[4.0; 40], 2, 1);
        assert_eq!((same.count, same.of.len()), (1, 20));
        assert!((same.shares()[0] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_silhouette_is_that_of_two_pairs_by_hand() {
        // Points 0, 1 and 10, 11: a = 1 each, b = 10.5 or 9.5.
        let points = [0.0_f32, 1.0, 10.0, 11.0];
        let found = clusters(&points, 1, 1);
        assert_eq!(found.of, [0, 0, 1, 1]);
        let expected = f64::midpoint(9.5 / 10.5, 8.5 / 9.5);
        assert!((found.silhouette - expected).abs() < 1e-6);
    }
}
