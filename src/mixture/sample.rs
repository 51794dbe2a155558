//! Exact samples: item `i` has the same component and the same noise whatever the batch.

use rayon::prelude::*;

use super::{Mixture, Point};
use crate::process::{Address, normal_pairs, uniforms};

/// Items that share one buffer of uniforms on the stack.
const CHUNK: usize = 1024;

impl Mixture {
    /// `out[i]` = exact draw number `first + i` at `addr`: its noise is that of [`normal_pairs`] at the same address,
    /// its component comes from [`Address::component`] by the inverse of the cumulated weights.
    pub fn sample_into(&self, addr: Address, first: usize, out: &mut [[f32; 2]]) {
        let sampler = Sampler::new(self);
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
            sampler.fill(addr, first + i * CHUNK, out, |_, _| ());
        });
    }

    /// The same, and the component that each draw came from.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn sample_with_modes(
        &self,
        addr: Address,
        first: usize,
        out: &mut [[f32; 2]],
        modes: &mut [u32],
    ) {
        assert_eq!(out.len(), modes.len(), "one mode for each draw");
        let sampler = Sampler::new(self);
        out.par_chunks_mut(CHUNK)
            .zip(modes.par_chunks_mut(CHUNK))
            .enumerate()
            .for_each(|(i, (out, modes))| {
                sampler.fill(addr, first + i * CHUNK, out, |item, k| {
                    modes[item] = k as u32;
                });
            });
    }
}

/// Cumulated weights and square roots of the covariances.
struct Sampler {
    cumulated: Vec<f64>,
    parts: Vec<(Point, (f64, f64, f64))>,
}

impl Sampler {
    fn new(mixture: &Mixture) -> Self {
        let mut sum = 0.0;
        Self {
            cumulated: mixture
                .modes()
                .iter()
                .map(|mode| {
                    sum += mode.weight;
                    sum
                })
                .collect(),
            parts: mixture
                .modes()
                .iter()
                .map(|mode| (mode.mean, mode.cov.cholesky()))
                .collect(),
        }
    }

    fn component(&self, uniform: f64) -> usize {
        // Rounding may leave the last sum a hair below 1.
        self.cumulated
            .partition_point(|sum| *sum <= uniform)
            .min(self.parts.len() - 1)
    }

    /// At most [`CHUNK`] items.
    fn fill(
        &self,
        addr: Address,
        first: usize,
        out: &mut [[f32; 2]],
        mut chosen: impl FnMut(usize, usize),
    ) {
        let mut buffer = [0.0_f32; CHUNK];
        let u = &mut buffer[..out.len()];
        normal_pairs(addr, first, out);
        uniforms(addr.component(), first, u);
        for (item, (out, u)) in out.iter_mut().zip(u).enumerate() {
            let k = self.component(f64::from(*u));
            let (mean, (l_xx, l_yx, l_yy)) = self.parts[k];
            let [a, b] = out.map(f64::from);
            *out = [
                (mean[0] + l_xx * a) as f32,
                (mean[1] + l_yx * a + l_yy * b) as f32,
            ];
            chosen(item, k);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cov2, Mode, Preset};
    use super::*;
    use crate::metrics::{self, PROJECTIONS, mmd_squared_unbiased, sliced_w2, total_variation};
    use crate::process::{Purpose, SigmaSchedule, memoryless_drift, uniform_grid};

    const HERE: Address = Address::new(11, Purpose::EvalDraw, 2);

    fn draw(mixture: &Mixture, addr: Address, first: usize, count: usize) -> Vec<[f32; 2]> {
        let mut out = vec![[0.0; 2]; count];
        mixture.sample_into(addr, first, &mut out);
        out
    }

    #[test]
    fn an_exact_draw_keeps_its_identity_whatever_the_batch() {
        let mixture = Preset::Ring8.mixture();
        let all = draw(&mixture, HERE, 0, 5000);
        for (first, count) in [(0, 1), (1023, 3), (4999, 1), (17, 2500)] {
            assert_eq!(
                draw(&mixture, HERE, first, count),
                all[first..first + count]
            );
        }
        let (mut out, mut modes) = (vec![[0.0; 2]; 4000], vec![0; 4000]);
        mixture.sample_with_modes(HERE, 1000, &mut out, &mut modes);
        assert_eq!(out, all[1000..]);
        // Ring modes are 2.3 apart and 0.3 wide: a draw nearest to another mean than its own is a 4-sigma event.
        let same = out
            .iter()
            .zip(&modes)
            .filter(|(x, k)| mixture.nearest_mode(x.map(f64::from)) == **k as usize)
            .count();
        assert!(same > 3990, "{same}");
    }

    #[test]
    fn posterior_samples_have_the_posterior_moments() {
        let mixture = Mixture::new(vec![
            Mode {
                weight: 0.5,
                mean: [-1.0, 0.4],
                cov: Cov2::from_axes(0.9, 0.3, 0.6),
            },
            Mode {
                weight: 0.2,
                mean: [1.2, 1.0],
                cov: Cov2::from_axes(0.5, 0.4, -0.3),
            },
            Mode {
                weight: 0.3,
                mean: [0.3, -1.5],
                cov: Cov2::from_axes(0.7, 0.2, 2.0),
            },
        ])
        .unwrap();
        let n = 200_000;
        for (t, x) in [(0.0, [0.0, 0.0]), (0.3, [0.1, -0.2]), (0.7, [0.5, 0.1])] {
            let posterior = mixture.posterior(t, x);
            let (mut points, mut modes) = (vec![[0.0; 2]; n], vec![0_u32; n]);
            posterior.sample_with_modes(HERE, 0, &mut points, &mut modes);
            let (mean, cov) = (metrics::mean(&points), metrics::covariance(&points));
            let (exact_mean, exact_cov) = (posterior.mean(), posterior.covariance());
            // Standard errors: sd / 447 for means (sd <= 1.2), about sqrt(2) var / 447 for covariances.
            for i in 0..2 {
                assert!((mean[i] - exact_mean[i]).abs() < 0.012);
            }
            assert!((cov.xx - exact_cov.xx).abs() < 0.02);
            assert!((cov.xy - exact_cov.xy).abs() < 0.02);
            assert!((cov.yy - exact_cov.yy).abs() < 0.02);
            for (k, weight) in posterior.weights().iter().enumerate() {
                let share = modes.iter().filter(|m| **m as usize == k).count() as f64 / n as f64;
                assert!(
                    (share - weight).abs() < 0.005,
                    "mode {k}: {share} against {weight}"
                );
            }
        }
    }

    #[test]
    fn samples_of_two_purposes_share_neither_noise_nor_component() {
        let mixture = Preset::Two.mixture();
        let n = 20_000;
        let a = draw(&mixture, Address::new(1, Purpose::EvalDraw, 0), 0, n);
        let b = draw(&mixture, Address::new(1, Purpose::Floor, 0), 0, n);
        let same = a
            .iter()
            .zip(&b)
            .filter(|(a, b)| (a[0] > 0.0) == (b[0] > 0.0))
            .count() as f64
            / n as f64;
        // Independent shares 0.7 and 0.3 agree in 0.58 of the draws (standard error 0.0035).
        assert!((same - 0.58).abs() < 0.018, "{same}");
    }

    #[test]
    fn the_memoryless_sde_reproduces_the_mixture() {
        // methods.md 1: from t = 0.01 with x ~ N(0, I), 250 steps. Thresholds of methods.md 6 for exact dynamics.
        let (n, schedule) = (4096, SigmaSchedule::PUBLISHED);
        for preset in [Preset::Two, Preset::Three, Preset::Ring8] {
            let mixture = preset.mixture();
            let mut x = vec![[0.0_f32; 2]; n];
            normal_pairs(Address::new(3, Purpose::Prior, 0), 0, &mut x);
            let (mut b, mut noise) = (x.clone(), x.clone());
            for (k, step) in uniform_grid(0.01, 1.0, 250).windows(2).enumerate() {
                let (t, dt) = (step[0], step[1] - step[0]);
                mixture.velocity_field(t).eval_into(&x, &mut b);
                normal_pairs(
                    Address::new(3, Purpose::RolloutStep, 0).at_step(k as u32),
                    0,
                    &mut noise,
                );
                let kick = schedule.sigma(t) * dt.sqrt();
                for ((x, b), z) in x.iter_mut().zip(&b).zip(&noise) {
                    let drift = memoryless_drift(x.map(f64::from), b.map(f64::from), t);
                    *x = std::array::from_fn(|i| {
                        (f64::from(x[i]) + dt * drift[i] + kick * f64::from(z[i])) as f32
                    });
                }
            }
            let exact = draw(&mixture, Address::new(4, Purpose::EvalDraw, 0), 0, n);
            let mmd = mmd_squared_unbiased(&x, &exact);
            let tv = total_variation(&metrics::mode_occupancy(&x, &mixture), &mixture.weights());
            let sw2 = sliced_w2(&x, &exact, PROJECTIONS);
            assert!(
                mmd <= 5e-4 && tv <= 0.025,
                "{preset:?}: MMD^2 {mmd}, tv {tv}, sw2 {sw2}"
            );
        }
    }
}
