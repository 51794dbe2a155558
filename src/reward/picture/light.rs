//! Looks at how light a picture is, as functions of its light: a plane of numbers, 0 black to 1 white, and where
//! derivatives of them go.

/// Where a function leaves its derivatives: `weight` times them is added.
pub(super) struct Slope<'a> {
    pub weight: f64,
    /// As many as there are numbers.
    pub into: &'a mut [f64],
}

/// `sqrt(square + soft^2) - soft`: a root that is smooth at 0, and its derivative by `square`.
pub(super) fn soft_root(square: f64, soft: f64) -> (f64, f64) {
    let root = (square + soft * soft).sqrt();
    (root - soft, 0.5 / root)
}

/// Mean of all numbers.
pub(super) fn mean(plane: &[f64], slope: Option<Slope<'_>>) -> f64 {
    let n = plane.len().max(1) as f64;
    if let Some(slope) = slope {
        for to in slope.into {
            *to += slope.weight / n;
        }
    }
    plane.iter().sum::<f64>() / n
}

/// Standard deviation of all numbers.
pub(super) fn contrast(plane: &[f64], slope: Option<Slope<'_>>) -> f64 {
    /// Where the root turns smooth: far below what is seen.
    const SOFT: f64 = 0.01;
    let n = plane.len().max(1) as f64;
    let middle = mean(plane, None);
    let variance = plane.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / n;
    let (deviation, by_square) = soft_root(variance, SOFT);
    if let Some(slope) = slope {
        for (to, v) in slope.into.iter_mut().zip(plane) {
            *to += slope.weight * by_square * 2.0 * (v - middle) / n;
        }
    }
    deviation
}

/// Correlation of a plane with its mirror image, left for right: 1 where both are the same, about 0 where they have
/// nothing to do with each other, and 0 for an even plane.
pub(super) fn symmetry(plane: &[f64], columns: usize, slope: Option<Slope<'_>>) -> f64 {
    /// Added to the variance: an even plane is neither.
    const LEAST: f64 = 1e-3;
    let n = plane.len().max(1) as f64;
    let middle = mean(plane, None);
    let mirrored = |at: usize| plane[at - at % columns + columns - 1 - at % columns] - middle;
    let (mut both, mut own) = (0.0, LEAST);
    for (at, v) in plane.iter().enumerate() {
        both += (v - middle) * mirrored(at) / n;
        own += (v - middle).powi(2) / n;
    }
    let correlation = both / own;
    if let Some(slope) = slope {
        for (at, v) in plane.iter().enumerate() {
            let along = mirrored(at) - correlation * (v - middle);
            slope.into[at] += slope.weight * 2.0 * along / (n * own);
        }
    }
    correlation
}
