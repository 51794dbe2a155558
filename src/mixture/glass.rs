//! GLASS: the velocity of the posterior's own flow, from the marginal velocity alone (methods.md 3).

use super::velocity::{VelocityAt, map_points};
use super::{Mixture, Point};

/// The scalars of the folded form at inner time `s` and conditioning time `t`:
///
/// `x* = x_star_inner I_s + x_star_cond x_t`, `u = u_cond x_t + u_inner I_s + u_b b_{t*}(x*)`.
///
/// It has no `1 / (1 - s)` and is safe in f32, where the published form loses 1e-2 for `s > 0.99`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GlassCoefficients {
    /// Time `t*` at which the marginal velocity is asked.
    pub t_star: f64,
    /// Share of the inner state `I_s` in `x*`.
    pub x_star_inner: f64,
    /// Share of the conditioning state `x_t` in `x*`.
    pub x_star_cond: f64,
    /// Share of the inner state in the velocity.
    pub u_inner: f64,
    /// Share of the conditioning state in the velocity.
    pub u_cond: f64,
    /// Share of `b_{t*}(x*)` in the velocity.
    pub u_b: f64,
}

impl GlassCoefficients {
    /// `x*`, where the marginal velocity is asked.
    #[inline]
    pub fn x_star(&self, inner: Point, x_t: Point) -> Point {
        std::array::from_fn(|i| self.x_star_inner * inner[i] + self.x_star_cond * x_t[i])
    }

    /// `u_s(I_s; t, x_t)`, given `b = b_{t*}(x*)`.
    #[inline]
    pub fn velocity(&self, inner: Point, x_t: Point, b: Point) -> Point {
        std::array::from_fn(|i| self.u_cond * x_t[i] + self.u_inner * inner[i] + self.u_b * b[i])
    }

    /// [`GlassCoefficients::x_star`] in f32, for networks.
    #[inline]
    pub fn x_star_f32(&self, inner: [f32; 2], x_t: [f32; 2]) -> [f32; 2] {
        let (a, c) = (self.x_star_inner as f32, self.x_star_cond as f32);
        std::array::from_fn(|i| a * inner[i] + c * x_t[i])
    }

    /// [`GlassCoefficients::velocity`] in f32, for networks.
    #[inline]
    pub fn velocity_f32(&self, inner: [f32; 2], x_t: [f32; 2], b: [f32; 2]) -> [f32; 2] {
        let (c, a, w) = (self.u_cond as f32, self.u_inner as f32, self.u_b as f32);
        std::array::from_fn(|i| c * x_t[i] + a * inner[i] + w * b[i])
    }
}

/// The folded form of methods.md 3. With `q^2 = s^2 (1-t)^2 + t^2 (1-s)^2` and `d = q + (1-s)(1-t)`:
/// `t* = q / d`, `x* = [s (1-t)^2 I + t (1-s)^2 x_t] / (q d)`,
/// `u = {t (1-s) x_t + [s (1-t)^2 - t^2 (1-s) - (1-t) q] I} / (q d) + (1-t) / d b_{t*}(x*)`.
///
/// At `s = t = 0` it is `b_0(I)`, at `s = t = 1` (where the posterior is a point already reached) `b_1(I)`. At `t = 1`
/// and `s < 1` the flow runs straight at `x_t`: `u = (x_t - I) / (1 - s)`.
pub fn glass_coefficients(s: f64, t: f64) -> GlassCoefficients {
    let (s, t) = (s.clamp(0.0, 1.0), t.clamp(0.0, 1.0));
    let (inner_noise, cond_noise) = (1.0 - s, 1.0 - t);
    let q = (s * cond_noise).hypot(t * inner_noise);
    if q == 0.0 {
        // Both corners: nothing is known yet, or everything.
        return GlassCoefficients {
            t_star: if s == 0.0 { 0.0 } else { 1.0 },
            x_star_inner: 1.0,
            x_star_cond: 0.0,
            u_inner: 0.0,
            u_cond: 0.0,
            u_b: 1.0,
        };
    }
    let d = q + inner_noise * cond_noise;
    let per_qd = 1.0 / (q * d);
    let pull = s * cond_noise * cond_noise;
    GlassCoefficients {
        t_star: (q / d).min(1.0),
        x_star_inner: pull * per_qd,
        x_star_cond: t * inner_noise * inner_noise * per_qd,
        u_inner: (pull - t * t * inner_noise - cond_noise * q) * per_qd,
        u_cond: t * inner_noise * per_qd,
        u_b: cond_noise / d,
    }
}

/// The exact GLASS velocity at one `(s, t)`, prepared for many draws. Made by [`Mixture::glass_field`].
#[derive(Debug, Clone)]
pub struct GlassField {
    /// The scalars at this `(s, t)`.
    pub coefficients: GlassCoefficients,
    marginal: VelocityAt,
}

impl GlassField {
    /// `u_s(inner; t, x_t)`.
    #[inline]
    pub fn eval(&self, inner: Point, x_t: Point) -> Point {
        let b = self.marginal.eval(self.coefficients.x_star(inner, x_t));
        self.coefficients.velocity(inner, x_t, b)
    }

    /// `out[i] = u_s(inner[i]; t, x_t)` under one `x_t`; spread over threads when there are many.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn eval_into(&self, inner: &[[f32; 2]], x_t: Point, out: &mut [[f32; 2]]) {
        assert_eq!(inner.len(), out.len(), "one velocity for each draw");
        map_points(inner, out, |inner| self.eval(inner, x_t));
    }
}

impl Mixture {
    /// `u_s(inner; t, x_t)`: the velocity, at inner time `s`, of the flow from `N(0, I)` to `p(x_1 | x_t)`.
    pub fn glass_velocity(&self, s: f64, inner: Point, t: f64, x_t: Point) -> Point {
        let coefficients = glass_coefficients(s, t);
        let b = self.velocity(coefficients.t_star, coefficients.x_star(inner, x_t));
        coefficients.velocity(inner, x_t, b)
    }

    /// The same at one `(s, t)`, prepared for many draws.
    pub fn glass_field(&self, s: f64, t: f64) -> GlassField {
        let coefficients = glass_coefficients(s, t);
        GlassField {
            coefficients,
            marginal: self.velocity_field(coefficients.t_star),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::super::reference::{self, close_points};
    use super::*;
    use crate::metrics::{floor_sliced_w2, sliced_w2};
    use crate::process::{Address, Purpose, normal_pairs, uniform_grid};

    /// The published form, with its division by `1 - s` (methods.md 3).
    fn published(mixture: &Mixture, s: f64, inner: Point, t: f64, x_t: Point) -> Point {
        let q = ((s * (1.0 - t)).powi(2) + (t * (1.0 - s)).powi(2)).sqrt();
        let d = q + (1.0 - s) * (1.0 - t);
        let t_star = q / d;
        let x_star: Point = std::array::from_fn(|i| {
            t_star * (s * (1.0 - t).powi(2) * inner[i] + t * (1.0 - s).powi(2) * x_t[i]) / (q * q)
        });
        let b = mixture.velocity(t_star, x_star);
        std::array::from_fn(|i| (x_star[i] - inner[i]) / (1.0 - s) + (1.0 - t) / d * b[i])
    }

    const S: [f64; 7] = [0.0, 0.05, 0.3, 0.5, 0.8, 0.95, 0.99];
    const T: [f64; 6] = [0.01, 0.1, 0.3, 0.5, 0.8, 0.95];

    #[test]
    fn the_folded_form_is_the_published_one() {
        let (inner, x_t) = ([0.8, -0.3], [-0.5, 1.2]);
        for preset in Preset::ALL {
            let mixture = preset.mixture();
            for s in S {
                for t in T {
                    let expected = published(&mixture, s, inner, t, x_t);
                    close_points(mixture.glass_velocity(s, inner, t, x_t), expected, 1e-10);
                    close_points(mixture.glass_field(s, t).eval(inner, x_t), expected, 1e-10);
                }
            }
        }
    }

    #[test]
    fn the_folded_form_survives_f32() {
        // Everything but the marginal velocity itself is rounded to f32, as it is around a network.
        // 5e-5 is methods.md's tolerance; the published form loses 1e-2 here.
        let (inner, x_t) = ([0.8_f32, -0.3], [-0.5_f32, 1.2]);
        for preset in [Preset::Two, Preset::Three, Preset::Ring8] {
            let mixture = preset.mixture();
            for s in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
                for t in T {
                    let c = glass_coefficients(s, t);
                    let x_star = c.x_star_f32(inner, x_t);
                    let b = mixture.velocity(f64::from(c.t_star as f32), x_star.map(f64::from));
                    let u = c.velocity_f32(inner, x_t, b.map(|v| v as f32));
                    let exact =
                        mixture.glass_velocity(s, inner.map(f64::from), t, x_t.map(f64::from));
                    close_points(u.map(f64::from), exact, 5e-5);
                }
            }
        }
    }

    #[test]
    fn the_conditional_velocity_matches_quadrature() {
        for case in &reference::mixture().glass {
            let u = case
                .mixture
                .glass_velocity(case.s, case.inner, case.t, case.x_t);
            close_points(u, case.velocity, 1e-8);
        }
    }

    #[test]
    fn the_corners_and_edges_are_what_they_must_be() {
        let mixture = Preset::Ring8.mixture();
        let (inner, x_t) = ([0.8, -0.3], [-0.5, 1.2]);
        // s = t = 0: b_0(I).  t = 0: the marginal velocity.  s = 0: the denoiser minus I.  s = 1: I.  t = 1: a straight line.
        close_points(
            mixture.glass_velocity(0.0, inner, 0.0, x_t),
            mixture.velocity(0.0, inner),
            1e-13,
        );
        close_points(
            mixture.glass_velocity(0.4, inner, 0.0, x_t),
            mixture.velocity(0.4, inner),
            1e-12,
        );
        let d = mixture.denoiser(0.3, x_t);
        close_points(
            mixture.glass_velocity(0.0, inner, 0.3, x_t),
            [d[0] - inner[0], d[1] - inner[1]],
            1e-12,
        );
        close_points(mixture.glass_velocity(1.0, inner, 0.3, x_t), inner, 1e-12);
        close_points(mixture.glass_velocity(1.0, inner, 1.0, x_t), inner, 1e-12);
        let straight = [(x_t[0] - inner[0]) / 0.5, (x_t[1] - inner[1]) / 0.5];
        close_points(
            mixture.glass_velocity(0.5, inner, 1.0, x_t),
            straight,
            1e-12,
        );
    }

    #[test]
    fn one_euler_step_from_noise_is_the_denoiser_for_every_noise() {
        let mixture = Preset::Three.mixture();
        let (t, x_t) = (0.35, [0.4, -0.2]);
        for noise in [[0.0, 0.0], [1.3, -2.0], [-0.4, 0.9]] {
            let u = mixture.glass_velocity(0.0, noise, t, x_t);
            close_points(
                [noise[0] + u[0], noise[1] + u[1]],
                mixture.denoiser(t, x_t),
                1e-12,
            );
        }
    }

    #[test]
    fn sixteen_midpoint_steps_reproduce_the_posterior_within_the_floor() {
        let n = 4096;
        for (preset, t, x_t) in [
            (Preset::Two, 0.2, [0.0, 0.3]),
            (Preset::Three, 0.3, [0.5, 0.4]),
            (Preset::Ring8, 0.1, [0.4, -0.2]),
            (Preset::Ring8, 0.5, [0.3, 0.9]),
        ] {
            let mixture = preset.mixture();
            let mut x = vec![[0.0_f32; 2]; n];
            normal_pairs(Address::new(5, Purpose::PosteriorDraw, 0), 0, &mut x);
            let (mut u, mut half) = (vec![[0.0_f32; 2]; n], vec![[0.0_f32; 2]; n]);
            for step in uniform_grid(0.0, 1.0, 16).windows(2) {
                let h = (step[1] - step[0]) as f32;
                mixture.glass_field(step[0], t).eval_into(&x, x_t, &mut u);
                for ((half, x), u) in half.iter_mut().zip(&x).zip(&u) {
                    *half = std::array::from_fn(|i| x[i] + 0.5 * h * u[i]);
                }
                mixture
                    .glass_field(0.5 * (step[0] + step[1]), t)
                    .eval_into(&half, x_t, &mut u);
                for (x, u) in x.iter_mut().zip(&u) {
                    *x = std::array::from_fn(|i| x[i] + h * u[i]);
                }
            }
            let posterior = mixture.posterior(t, x_t);
            let mut exact = vec![[0.0_f32; 2]; n];
            posterior.sample_into(Address::new(6, Purpose::EvalDraw, 0), 0, &mut exact);
            // Mode counts make the floor itself vary; the largest of four, half as much again, is the methods' margin.
            let floor = (0..4)
                .map(|k| floor_sliced_w2(&posterior, n, 100 + k))
                .fold(0.0, f64::max);
            let distance = sliced_w2(&x, &exact, crate::metrics::PROJECTIONS);
            assert!(
                distance <= 1.5 * floor + 0.01,
                "{preset:?} t {t}: {distance} against a floor of {floor}"
            );
        }
    }
}
