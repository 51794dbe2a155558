//! Symmetric 2x2 matrices: covariances and their inverses.

use serde::{Deserialize, Serialize};

use super::Point;

/// A symmetric 2x2 matrix, `[[xx, xy], [xy, yy]]`, in squared world units when it is a covariance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cov2 {
    /// Variance along x.
    pub xx: f64,
    /// Covariance of x and y.
    pub xy: f64,
    /// Variance along y.
    pub yy: f64,
}

impl Cov2 {
    /// The identity.
    pub const IDENTITY: Self = Self::isotropic(1.0);

    /// `var * I`.
    pub const fn isotropic(var: f64) -> Self {
        Self {
            xx: var,
            xy: 0.0,
            yy: var,
        }
    }

    /// The ellipse with these standard deviations, its major axis turned by `angle_rad` from +x towards +y.
    pub fn from_axes(sd_major: f64, sd_minor: f64, angle_rad: f64) -> Self {
        let (sin, cos) = angle_rad.sin_cos();
        let (major, minor) = (sd_major * sd_major, sd_minor * sd_minor);
        Self {
            xx: major * cos * cos + minor * sin * sin,
            xy: (major - minor) * sin * cos,
            yy: major * sin * sin + minor * cos * cos,
        }
    }

    /// `(sd_major, sd_minor, angle)`, the inverse of [`Cov2::from_axes`]; the angle lies in `(-pi/2, pi/2]`.
    pub fn axes(&self) -> (f64, f64, f64) {
        let (major, minor) = self.eigenvalues();
        let angle = 0.5 * (2.0 * self.xy).atan2(self.xx - self.yy);
        (major.max(0.0).sqrt(), minor.max(0.0).sqrt(), angle)
    }

    /// Eigenvalues, the larger first. The smaller comes from the determinant and so keeps its digits.
    pub fn eigenvalues(&self) -> (f64, f64) {
        let larger = 0.5 * (self.xx + self.yy) + (0.5 * (self.xx - self.yy)).hypot(self.xy);
        if larger > 0.0 {
            (larger, self.det() / larger)
        } else {
            (larger, self.xx + self.yy - larger)
        }
    }

    /// Determinant.
    pub const fn det(&self) -> f64 {
        self.xx * self.yy - self.xy * self.xy
    }

    /// Trace.
    pub const fn trace(&self) -> f64 {
        self.xx + self.yy
    }

    /// `det * inverse`; linear in the matrix, which is what keeps the closed forms free of cancellation.
    #[must_use]
    pub const fn adjugate(&self) -> Self {
        Self {
            xx: self.yy,
            xy: -self.xy,
            yy: self.xx,
        }
    }

    /// Inverse; not finite for a singular matrix.
    #[must_use]
    pub const fn inverse(&self) -> Self {
        self.adjugate().scaled(1.0 / self.det())
    }

    /// Lower factor `(l_xx, l_yx, l_yy)` with `L L' = self`, for a positive definite matrix.
    pub fn cholesky(&self) -> (f64, f64, f64) {
        let l_xx = self.xx.sqrt();
        let l_yx = self.xy / l_xx;
        (l_xx, l_yx, (self.det() / self.xx).max(0.0).sqrt())
    }

    /// True when every entry is finite and both eigenvalues are above zero.
    pub fn is_positive_definite(&self) -> bool {
        self.is_finite() && self.xx > 0.0 && self.yy > 0.0 && self.det() > 0.0
    }

    /// True when every entry is finite.
    pub const fn is_finite(&self) -> bool {
        self.xx.is_finite() && self.xy.is_finite() && self.yy.is_finite()
    }

    /// `self * factor`.
    #[must_use]
    pub const fn scaled(&self, factor: f64) -> Self {
        Self {
            xx: self.xx * factor,
            xy: self.xy * factor,
            yy: self.yy * factor,
        }
    }

    /// `self + other`.
    #[must_use]
    pub const fn plus(&self, other: Self) -> Self {
        Self {
            xx: self.xx + other.xx,
            xy: self.xy + other.xy,
            yy: self.yy + other.yy,
        }
    }

    /// `self + value * I`.
    #[must_use]
    pub const fn plus_identity(&self, value: f64) -> Self {
        self.plus(Self::isotropic(value))
    }

    /// `v v'`.
    pub const fn outer(v: Point) -> Self {
        Self {
            xx: v[0] * v[0],
            xy: v[0] * v[1],
            yy: v[1] * v[1],
        }
    }

    /// `self * v`.
    #[inline]
    pub const fn mul(&self, v: Point) -> Point {
        [
            self.xx * v[0] + self.xy * v[1],
            self.xy * v[0] + self.yy * v[1],
        ]
    }

    /// `v' self v`.
    #[inline]
    pub const fn quadratic(&self, v: Point) -> f64 {
        self.xx * v[0] * v[0] + 2.0 * self.xy * v[0] * v[1] + self.yy * v[1] * v[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILTED: Cov2 = Cov2 {
        xx: 0.9,
        xy: -0.35,
        yy: 0.4,
    };

    #[test]
    fn axes_and_from_axes_undo_each_other() {
        for (major, minor, angle) in [(0.9, 0.2, 0.7), (2.0, 0.5, -1.2), (1.0, 0.3, 1.5)] {
            let (a, b, c) = Cov2::from_axes(major, minor, angle).axes();
            assert!(
                (a - major).abs() < 1e-12 && (b - minor).abs() < 1e-12 && (c - angle).abs() < 1e-12
            );
        }
    }

    #[test]
    fn the_inverse_times_the_matrix_is_the_identity() {
        for e in [[1.0, 0.0], [0.0, 1.0]] {
            let back = TILTED.inverse().mul(TILTED.mul(e));
            assert!((back[0] - e[0]).abs() < 1e-14 && (back[1] - e[1]).abs() < 1e-14);
        }
    }

    #[test]
    fn the_cholesky_factor_squares_to_the_matrix() {
        let (a, b, c) = TILTED.cholesky();
        assert!((a * a - TILTED.xx).abs() < 1e-15);
        assert!((a * b - TILTED.xy).abs() < 1e-15);
        assert!((b * b + c * c - TILTED.yy).abs() < 1e-15);
    }

    #[test]
    fn positive_definite_means_both_axes_are_longer_than_zero() {
        assert!(TILTED.is_positive_definite());
        assert!(!Cov2::isotropic(0.0).is_positive_definite());
        assert!(
            !Cov2 {
                xx: 1.0,
                xy: 1.0,
                yy: 1.0
            }
            .is_positive_definite()
        );
        assert!(
            !Cov2 {
                xx: -1.0,
                xy: 0.0,
                yy: -1.0
            }
            .is_positive_definite()
        );
        assert!(!Cov2::isotropic(f64::NAN).is_positive_definite());
    }
}
