//! The closed forms of methods.md 2 at a time `t`: density, posterior, velocity, score, denoiser.

use super::velocity::{ModeAt, VelocityAt, weighted_mean};
use super::{Cov2, Mixture, Mode, Point};

/// Added to the posterior's variances so that it stays a proper Gaussian at `t = 1`, where it is a point.
const POINT_VARIANCE: f64 = 1e-18;
/// Smallest weight a posterior component is given: component `k` stays component `k`.
const MIN_RESPONSIBILITY: f64 = 1e-300;

impl Mixture {
    fn at(&self, t: f64) -> impl Iterator<Item = ModeAt> {
        let t = t.clamp(0.0, 1.0);
        self.modes().iter().map(move |mode| ModeAt::new(mode, t))
    }

    /// `ln p_1(x)`.
    pub fn log_density(&self, x: Point) -> f64 {
        self.log_density_at(1.0, x)
    }

    /// `ln p_t(x)`.
    pub fn log_density_at(&self, t: f64, x: Point) -> f64 {
        weighted_mean(self.at(t), x, |_, _| [0.0; 2]).0
    }

    /// `p_t` as a mixture: means `t mu_k`, covariances `C_k(t) = t^2 S_k + (1 - t)^2 I`.
    #[must_use]
    pub fn marginal(&self, t: f64) -> Self {
        let t = t.clamp(0.0, 1.0);
        let noise = (1.0 - t) * (1.0 - t);
        Self::from_computed(
            self.modes()
                .iter()
                .map(|mode| Mode {
                    weight: mode.weight,
                    mean: mode.mean.map(|v| t * v),
                    cov: mode.cov.scaled(t * t).plus_identity(noise),
                })
                .collect(),
        )
    }

    /// `g_k(x) ~ w_k N(x; t mu_k, C_k)`, summing to 1: the posterior's weights.
    pub fn responsibilities(&self, t: f64, x: Point) -> Vec<f64> {
        let mut weights: Vec<f64> = self.at(t).map(|mode| mode.log_weight(x)).collect();
        let max = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for weight in &mut weights {
            *weight = (*weight - max).exp();
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        weights
    }

    /// `p_{1|t}(. | x_t = x) = sum_k g_k N(m_k, P_k)`, component `k` coming from mode `k`.
    ///
    /// `m_k = mu_k + t S_k C_k^-1 (x - t mu_k)`, `P_k = (1 - t)^2 S_k C_k^-1`. A weight is never below 1e-300, and at
    /// `t = 1` the components are points of standard deviation 1e-9 at `x`.
    #[must_use]
    pub fn posterior(&self, t: f64, x: Point) -> Self {
        let t = t.clamp(0.0, 1.0);
        let weights = self.responsibilities(t, x);
        Self::from_computed(
            self.at(t)
                .zip(weights)
                .map(|(mode, weight)| {
                    let pull = mode.shrink.mul(mode.offset(x));
                    Mode {
                        weight: weight.max(MIN_RESPONSIBILITY),
                        mean: [mode.mean[0] + t * pull[0], mode.mean[1] + t * pull[1]],
                        cov: posterior_cov(&mode.shrink, t),
                    }
                })
                .collect(),
        )
    }

    /// `b_t(x) = E[x_1 - x_0 | x_t = x]`, finite at both ends.
    pub fn velocity(&self, t: f64, x: Point) -> Point {
        weighted_mean(self.at(t), x, ModeAt::velocity).1
    }

    /// `s_t(x) = grad ln p_t(x)`, finite at both ends.
    pub fn score(&self, t: f64, x: Point) -> Point {
        weighted_mean(self.at(t), x, |mode, offset| {
            mode.precision.mul(offset).map(|v| -v)
        })
        .1
    }

    /// `D_t(x) = E[x_1 | x_t = x]`, the posterior's mean (Tweedie).
    pub fn denoiser(&self, t: f64, x: Point) -> Point {
        let t = t.clamp(0.0, 1.0);
        weighted_mean(self.at(t), x, |mode, offset| {
            let pull = mode.shrink.mul(offset);
            [mode.mean[0] + t * pull[0], mode.mean[1] + t * pull[1]]
        })
        .1
    }

    /// `b_t` at one `t`, prepared for many points.
    pub fn velocity_field(&self, t: f64) -> VelocityAt {
        VelocityAt::new(self.modes(), t.clamp(0.0, 1.0))
    }
}

fn posterior_cov(shrink: &Cov2, t: f64) -> Cov2 {
    shrink
        .scaled((1.0 - t) * (1.0 - t))
        .plus_identity(POINT_VARIANCE)
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::super::reference::{self, close, close_points};
    use crate::process::{denoiser_from_velocity, score_from_velocity};

    // 1e-8 is methods.md's tolerance for closed forms; the quadrature itself is good to about 1e-11.
    const TOLERANCE: f64 = 1e-8;

    #[test]
    fn density_velocity_score_and_denoiser_match_quadrature() {
        for case in &reference::mixture().cases {
            let (mixture, t, x) = (&case.mixture, case.t, case.x);
            close(mixture.log_density_at(t, x), case.log_density, TOLERANCE);
            close(
                mixture.marginal(t).log_density(x),
                case.log_density,
                TOLERANCE,
            );
            close_points(mixture.denoiser(t, x), case.denoiser, TOLERANCE);
            close_points(mixture.velocity(t, x), case.velocity, TOLERANCE);
            close_points(mixture.score(t, x), case.score, TOLERANCE);
        }
    }

    #[test]
    fn the_posterior_matches_quadrature_in_weights_mean_and_covariance() {
        for case in &reference::mixture().cases {
            let posterior = case.mixture.posterior(case.t, case.x);
            close_points(posterior.mean(), case.denoiser, TOLERANCE);
            let (ours, theirs) = (posterior.covariance(), case.covariance);
            close(ours.xx, theirs[0], TOLERANCE);
            close(ours.xy, theirs[1], TOLERANCE);
            close(ours.yy, theirs[2], TOLERANCE);
            for (ours, theirs) in posterior.weights().iter().zip(&case.responsibilities) {
                close(*ours, *theirs, TOLERANCE);
            }
        }
    }

    #[test]
    fn the_score_is_the_gradient_of_the_log_density() {
        let h = 1e-5;
        for preset in Preset::ALL {
            let mixture = preset.mixture();
            for (t, x) in [(0.05, [0.4, -0.9]), (0.5, [1.0, 0.3]), (0.8, [-0.7, 1.6])] {
                let score = mixture.score(t, x);
                for i in 0..2 {
                    let shifted = |by: f64| {
                        let mut y = x;
                        y[i] += by;
                        mixture.log_density_at(t, y)
                    };
                    // Fourth-order central difference: truncation about h^4 times the fifth derivative.
                    let slope = (8.0 * (shifted(h) - shifted(-h))
                        - (shifted(2.0 * h) - shifted(-2.0 * h)))
                        / (12.0 * h);
                    close(score[i], slope, 1e-8 * (1.0 + score[i].abs()));
                }
            }
        }
    }

    #[test]
    fn velocity_score_and_denoiser_obey_their_identities() {
        for preset in Preset::ALL {
            let mixture = preset.mixture();
            for t in [0.01, 0.4, 0.9] {
                let x = [0.9, -0.4];
                let b = mixture.velocity(t, x);
                close_points(
                    mixture.denoiser(t, x),
                    denoiser_from_velocity(x, b, t),
                    1e-12,
                );
                close_points(
                    mixture.score(t, x),
                    score_from_velocity(x, b, t),
                    1e-11 * (1.0 + mixture.score(t, x)[0].abs() + mixture.score(t, x)[1].abs()),
                );
            }
        }
    }

    #[test]
    fn both_ends_are_finite_and_right() {
        let mixture = Preset::Ring8.mixture();
        let x = [0.7, 2.2];
        // b_0(x) = E[x_1] - x, b_1(x) = x (the noise has mean 0), D_1(x) = x.
        let mean = mixture.mean();
        close_points(
            mixture.velocity(0.0, x),
            [mean[0] - x[0], mean[1] - x[1]],
            1e-13,
        );
        close_points(mixture.velocity(1.0, x), x, 1e-13);
        close_points(mixture.denoiser(1.0, x), x, 1e-13);
        close_points(mixture.score(0.0, x), [-x[0], -x[1]], 1e-13);
        assert!(mixture.score(1.0, x).iter().all(|v| v.is_finite()));
        // At t = 0 the posterior is the prior.
        let prior = mixture.posterior(0.0, x);
        for (a, b) in prior.modes().iter().zip(mixture.modes()) {
            close(a.weight, b.weight, 1e-14);
            close_points(a.mean, b.mean, 1e-14);
            close(a.cov.xx, b.cov.xx, 1e-14);
        }
        // At t = 1 it is the point itself.
        let point = mixture.posterior(1.0, x);
        for mode in point.modes() {
            close_points(mode.mean, x, 1e-13);
            assert!(mode.cov.is_positive_definite() && mode.cov.trace() < 1e-16);
            assert!(mode.weight > 0.0);
        }
        // Just before it, nothing has cancelled.
        assert!(
            mixture
                .posterior(1.0 - 1e-12, x)
                .modes()
                .iter()
                .all(|m| m.cov.is_positive_definite())
        );
    }

    #[test]
    fn a_point_far_from_every_mode_still_has_finite_fields() {
        let mixture = Preset::Grid25.mixture();
        for t in [0.0, 0.5, 1.0] {
            let x = [1e5, -1e5];
            assert!(mixture.velocity(t, x).iter().all(|v| v.is_finite()));
            assert!(mixture.log_density_at(t, x).is_finite());
            let total: f64 = mixture.responsibilities(t, x).iter().sum();
            close(total, 1.0, 1e-12);
        }
    }

    #[test]
    fn the_prepared_velocity_field_is_the_velocity() {
        for preset in Preset::ALL {
            let mixture = preset.mixture();
            for t in [0.0, 0.3, 0.97, 1.0] {
                let field = mixture.velocity_field(t);
                let points: Vec<[f32; 2]> = (0..3000_u16)
                    .map(|i| {
                        [
                            f32::from(i % 61) / 10.0 - 3.0,
                            f32::from(i / 61) / 10.0 - 2.5,
                        ]
                    })
                    .collect();
                let mut batch = vec![[0.0; 2]; points.len()];
                field.eval_into(&points, &mut batch);
                for (x, b) in points.iter().zip(&batch) {
                    let x = x.map(f64::from);
                    let expected = mixture.velocity(t, x);
                    assert_eq!(field.eval(x), expected);
                    assert_eq!(*b, expected.map(|v| v as f32));
                }
            }
        }
    }
}
