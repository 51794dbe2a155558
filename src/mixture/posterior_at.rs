//! What steering asks of the posterior for thousands of states at one time: draws, and the velocity's derivative.

use super::velocity::ModeAt;
use super::{Cov2, Mixture, Point};
use crate::process::{Address, normal_pairs, uniforms};

/// A general 2x2 matrix, row by row.
pub type Matrix2 = [[f64; 2]; 2];

/// The posterior at one time, prepared for many states: its covariances do not depend on the state.
#[derive(Debug, Clone)]
pub struct PosteriorAt {
    t: f64,
    modes: Vec<(ModeAt, (f64, f64, f64))>,
}

/// Room that [`PosteriorAt::sample_into`] reuses.
#[derive(Debug, Clone, Default)]
pub struct PosteriorScratch {
    cumulated: Vec<f64>,
    uniforms: Vec<f32>,
}

impl PosteriorAt {
    /// `out[i]` = exact draw `first + i` of `p(x_1 | x_t)` at `addr`, as [`Mixture::posterior`] followed by
    /// [`Mixture::sample_into`] gives it, without allocation and on the calling thread.
    pub fn sample_into(
        &self,
        x_t: Point,
        addr: Address,
        first: usize,
        scratch: &mut PosteriorScratch,
        out: &mut [[f32; 2]],
    ) {
        let PosteriorScratch {
            cumulated,
            uniforms: u,
        } = scratch;
        cumulated.clear();
        cumulated.extend(self.modes.iter().map(|(mode, _)| mode.log_weight(x_t)));
        let max = cumulated.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for value in &mut *cumulated {
            total += (*value - max).exp();
            *value = total;
        }
        u.resize(out.len(), 0.0);
        normal_pairs(addr, first, out);
        uniforms(addr.component(), first, u);
        for (out, u) in out.iter_mut().zip(u) {
            let threshold = f64::from(*u) * total;
            let k = cumulated
                .partition_point(|sum| *sum <= threshold)
                .min(self.modes.len() - 1);
            let (mode, (l_xx, l_yx, l_yy)) = &self.modes[k];
            let pull = mode.shrink.mul(mode.offset(x_t));
            let [a, b] = out.map(f64::from);
            *out = [
                (mode.mean[0] + self.t * pull[0] + l_xx * a) as f32,
                (mode.mean[1] + self.t * pull[1] + l_yx * a + l_yy * b) as f32,
            ];
        }
    }
}

/// The marginal velocity and its derivative by `x` at one time.
#[derive(Debug, Clone)]
pub struct VelocityJacobianAt {
    modes: Vec<ModeAt>,
}

impl VelocityJacobianAt {
    /// `(b_t(x), db_t/dx)`: `sum_k g_k [V_k + (v_k - b) s_k']` with `V_k` the gain of mode `k`'s velocity `v_k` and
    /// `s_k = -C_k^-1 (x - t mu_k)` its score. Finite at both ends.
    pub fn eval(&self, x: Point) -> (Point, Matrix2) {
        // One pass with a running maximum: sums of g, g v, g s, g (V + v s').
        let (mut max, mut total) = (f64::NEG_INFINITY, 0.0);
        let mut sum = [0.0; 8];
        for mode in &self.modes {
            let offset = mode.offset(x);
            let pull = mode.precision.mul(offset);
            let log_weight = mode.log_scale - 0.5 * (pull[0] * offset[0] + pull[1] * offset[1]);
            let weight = if log_weight > max {
                let keep = (max - log_weight).exp();
                total *= keep;
                for value in &mut sum {
                    *value *= keep;
                }
                max = log_weight;
                1.0
            } else {
                (log_weight - max).exp()
            };
            let v = mode.velocity(offset);
            let s = pull.map(|v| -v);
            let Cov2 { xx, xy, yy } = mode.velocity_gain;
            let terms = [
                v[0],
                v[1],
                s[0],
                s[1],
                xx + v[0] * s[0],
                xy + v[0] * s[1],
                xy + v[1] * s[0],
                yy + v[1] * s[1],
            ];
            total += weight;
            for (sum, term) in sum.iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
        let [b0, b1, s0, s1, xx, xy, yx, yy] = sum.map(|v| v / total);
        (
            [b0, b1],
            [[xx - b0 * s0, xy - b0 * s1], [yx - b1 * s0, yy - b1 * s1]],
        )
    }
}

impl Mixture {
    /// The posterior at one `t`, prepared for exact draws at many states.
    pub fn posterior_at(&self, t: f64) -> PosteriorAt {
        let t = t.clamp(0.0, 1.0);
        let noise = (1.0 - t) * (1.0 - t);
        let modes = self.modes().iter().map(|mode| {
            let at = ModeAt::new(mode, t);
            (at, at.shrink.scaled(noise).plus_identity(1e-18).cholesky())
        });
        PosteriorAt {
            t,
            modes: modes.collect(),
        }
    }

    /// The velocity's derivative at one `t`, prepared for many points.
    pub fn velocity_jacobian_field(&self, t: f64) -> VelocityJacobianAt {
        let t = t.clamp(0.0, 1.0);
        VelocityJacobianAt {
            modes: self
                .modes()
                .iter()
                .map(|mode| ModeAt::new(mode, t))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Preset;
    use super::super::reference::{close, close_points};
    use super::*;
    use crate::process::Purpose;

    #[test]
    fn prepared_draws_are_the_posteriors_own() {
        let world = Preset::Ring8.mixture();
        let addr = Address::new(4, Purpose::PosteriorDraw, 9).at_step(3);
        for (t, x) in [(0.0, [0.1, 0.2]), (0.4, [0.5, -0.3]), (0.95, [2.0, 1.0])] {
            let (mut ours, mut theirs) = (vec![[0.0; 2]; 500], vec![[0.0; 2]; 500]);
            world.posterior(t, x).sample_into(addr, 7, &mut theirs);
            let mut scratch = PosteriorScratch::default();
            world
                .posterior_at(t)
                .sample_into(x, addr, 7, &mut scratch, &mut ours);
            let apart = ours
                .iter()
                .zip(&theirs)
                .filter(|(a, b)| (a[0] - b[0]).abs() > 1e-5 || (a[1] - b[1]).abs() > 1e-5);
            // Dividing by the total or not may round a uniform to the other side of a border, hardly ever.
            assert!(apart.count() <= 1);
        }
    }

    #[test]
    fn the_velocitys_derivative_is_its_slope() {
        let h = 1e-5;
        for preset in Preset::ALL {
            let world = preset.mixture();
            for (t, x) in [
                (0.0, [0.3, 0.1]),
                (0.3, [0.4, -0.9]),
                (0.7, [1.0, 0.3]),
                (1.0, [0.2, 0.4]),
            ] {
                let (b, jacobian) = world.velocity_jacobian_field(t).eval(x);
                close_points(b, world.velocity(t, x), 1e-12);
                for column in 0..2 {
                    let shifted = |by: f64| {
                        let mut y = x;
                        y[column] += by;
                        world.velocity(t, y)
                    };
                    let (up, down, far, low) =
                        (shifted(h), shifted(-h), shifted(2.0 * h), shifted(-2.0 * h));
                    for row in 0..2 {
                        let slope =
                            (8.0 * (up[row] - down[row]) - (far[row] - low[row])) / (12.0 * h);
                        close(jacobian[row][column], slope, 1e-7 * (1.0 + slope.abs()));
                    }
                }
            }
        }
    }
}
