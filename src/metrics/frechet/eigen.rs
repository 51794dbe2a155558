//! Eigenvalues of symmetric matrices by Jacobi's rotations: slow beside others, short, and accurate to the last digits.

/// Sweeps over all pairs; convergence is quadratic, and ten do for hundreds of dimensions.
const SWEEPS: usize = 40;

/// The eigenvalues of the symmetric `a`, `[n][n]`, in no order.
pub(super) fn eigenvalues(mut a: Vec<f64>, n: usize) -> Vec<f64> {
    rotate(&mut a, None, n);
    (0..n).map(|i| a[i * n + i]).collect()
}

/// Eigenvalues of the symmetric `a`, `[n][n]`, each with its eigenvector; the largest first.
pub(crate) fn eigen(mut a: Vec<f64>, n: usize) -> Vec<(f64, Vec<f64>)> {
    // Row k is the k-th eigenvector.
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    rotate(&mut a, Some(&mut vectors), n);
    let values = (0..n).map(|k| a[k * n + k]);
    let mut all: Vec<_> = values
        .zip(vectors.chunks_exact(n).map(<[f64]>::to_vec))
        .collect();
    all.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    all
}

/// The symmetric root of the symmetric `a`, `[n][n]`; eigenvalues below 0, which rounding leaves, count as 0.
pub(super) fn square_root(a: &[f64], n: usize) -> Vec<f64> {
    spectral(a, n, |value, _| value.max(0.0).sqrt())
}

/// The symmetric root of the inverse; eigenvalues below a millionth of the largest count as that.
pub(super) fn inverse_root(a: &[f64], n: usize) -> Vec<f64> {
    spectral(a, n, |value, largest| {
        1.0 / value.max(1e-6 * largest).sqrt()
    })
}

/// `f` of each eigenvalue and the largest, with the eigenvectors of the symmetric `a`.
fn spectral(a: &[f64], n: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let all = eigen(a.to_vec(), n);
    let largest = all.first().map_or(0.0, |(value, _)| value.max(0.0));
    let mut out = vec![0.0; n * n];
    for (value, vector) in &all {
        let size = f(*value, largest);
        for (i, row) in out.chunks_exact_mut(n).enumerate() {
            let left = size * vector[i];
            for (out, right) in row.iter_mut().zip(vector) {
                *out += left * right;
            }
        }
    }
    out
}

/// Turns `a` until only its diagonal is left, and the rows of `vectors` along.
fn rotate(a: &mut [f64], mut vectors: Option<&mut [f64]>, n: usize) {
    let scale: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * n + j] * a[i * n + j])
            .sum();
        if off <= 1e-28 * scale {
            return;
        }
        for q in 1..n {
            for p in 0..q {
                let between = a[p * n + q];
                if between == 0.0 {
                    continue;
                }
                // The smaller of the two angles that put a zero at (p, q).
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * between);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                turn_rows(a, n, (p, q), (cosine, sine));
                for row in a.chunks_exact_mut(n) {
                    let (x, y) = (row[p], row[q]);
                    row[p] = cosine * x - sine * y;
                    row[q] = sine * x + cosine * y;
                }
                if let Some(vectors) = vectors.as_deref_mut() {
                    turn_rows(vectors, n, (p, q), (cosine, sine));
                }
            }
        }
    }
}

/// Rows `p < q` become `c p - s q` and `s p + c q`.
fn turn_rows(a: &mut [f64], n: usize, (p, q): (usize, usize), (cosine, sine): (f64, f64)) {
    let (before, after) = a.split_at_mut(q * n);
    for (x, y) in before[p * n..(p + 1) * n].iter_mut().zip(&mut after[..n]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(n: usize) -> Vec<f64> {
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let v = ((i * 7 + j * 13) as f64 * 0.731).sin();
                a[i * n + j] = v;
                a[j * n + i] = v;
            }
        }
        a
    }

    #[test]
    fn eigenvalues_have_the_trace_and_the_square_of_the_matrix() {
        for n in [1, 2, 30, 61] {
            let a = symmetric(n);
            let values = eigenvalues(a.clone(), n);
            let trace: f64 = (0..n).map(|i| a[i * n + i]).sum();
            let square: f64 = a.iter().map(|v| v * v).sum();
            assert!((values.iter().sum::<f64>() - trace).abs() < 1e-11, "{n}");
            let found: f64 = values.iter().map(|v| v * v).sum();
            assert!((found - square).abs() < 1e-10 * square.max(1.0), "{n}");
        }
        // [[2, 1], [1, 2]] has 1 and 3.
        let mut two = eigenvalues(vec![2.0, 1.0, 1.0, 2.0], 2);
        two.sort_by(f64::total_cmp);
        assert!((two[0] - 1.0).abs() < 1e-15 && (two[1] - 3.0).abs() < 1e-15);
    }

    #[test]
    fn the_root_squared_is_the_matrix() {
        let n = 24;
        let a = symmetric(n);
        // a a' is positive.
        let product = |a: &[f64], b: &[f64]| -> Vec<f64> {
            (0..n * n)
                .map(|k| (0..n).map(|m| a[k / n * n + m] * b[m * n + k % n]).sum())
                .collect()
        };
        let positive = product(&a, &a);
        let root = square_root(&positive, n);
        for (got, expected) in product(&root, &root).iter().zip(&positive) {
            assert!((got - expected).abs() < 1e-10, "{got} {expected}");
        }
        assert_eq!(square_root(&[0.0; 9], 3), [0.0; 9]);
        let inverse = inverse_root(&[4.0, 0.0, 0.0, 0.25], 2);
        assert_eq!(inverse, [0.5, 0.0, 0.0, 2.0]);
    }
}
