//! A map of pictures whose every answer is known: Gaussian pixels, one law a class.

use crate::model::{DitConfig, ImageMap, ImageRows};
use crate::reward::picture::PictureScore;

/// Pixels of a picture.
pub(super) const NUMBERS: usize = 4;

/// Pictures of 2 x 2 independent pixels of one mean and variance a class: the posterior and its flow are closed forms.
pub(super) struct ToyMap {
    config: DitConfig,
    /// Whether it is a map, or a velocity alone.
    pub jumps: bool,
    /// Mean of each class; the last is that of no class.
    pub means: [f64; 3],
    /// Variance of a pixel.
    pub variance: f64,
}

impl ToyMap {
    pub fn new() -> Self {
        Self {
            config: DitConfig {
                input_size: 2,
                patch_size: 1,
                in_channels: 1,
                label_dim: 2,
                ..DitConfig::digits()
            },
            jumps: true,
            means: [-0.6, 0.9, 0.2],
            variance: 0.5,
        }
    }

    /// `E[x_1 | x_t] = mu + G (x_t - t mu)`: `G`, and the posterior's variance.
    pub fn posterior(&self, t: f64) -> (f64, f64) {
        let marginal = t * t * self.variance + (1.0 - t) * (1.0 - t);
        (
            t * self.variance / marginal,
            (1.0 - t) * (1.0 - t) * self.variance / marginal,
        )
    }

    /// Slopes of `v(s, u, x; t, x_t)` by `x` and by the posterior's mean; `v` is linear in both.
    fn slopes(&self, s: f64, u: f64, t: f64) -> (f64, f64) {
        let (_, variance) = self.posterior(t);
        let spread = |s: f64| (1.0 - s) * (1.0 - s) + s * s * variance;
        if u > s {
            let grows = (spread(u) / spread(s)).sqrt();
            ((grows - 1.0) / (u - s), (u - grows * s) / (u - s))
        } else {
            let by_x = (s * variance - (1.0 - s)) / spread(s);
            (by_x, 1.0 - s * by_x)
        }
    }
}

impl ImageMap for ToyMap {
    fn config(&self) -> &DitConfig {
        &self.config
    }

    fn has_jumps(&self) -> bool {
        self.jumps
    }

    fn average_velocity(&self, rows: &ImageRows<'_>, out: &mut [f32]) {
        for row in 0..rows.len() {
            let t = f64::from(rows.t[row]);
            let mu = self.means[rows.label[row] as usize];
            let (gain, _) = self.posterior(t);
            let (by_x, by_mean) = self.slopes(rows.s[row].into(), rows.u[row].into(), t);
            for i in row * NUMBERS..(row + 1) * NUMBERS {
                let mean = mu + gain * (f64::from(rows.x_t[i]) - t * mu);
                out[i] = (by_x * f64::from(rows.x[i]) + by_mean * mean) as f32;
            }
        }
    }

    fn pullback(&self, rows: &ImageRows<'_>, cotangent: &[f32], x: &mut [f32], x_t: &mut [f32]) {
        for row in 0..rows.len() {
            let t = f64::from(rows.t[row]);
            let (gain, _) = self.posterior(t);
            let (by_x, by_mean) = self.slopes(rows.s[row].into(), rows.u[row].into(), t);
            for i in row * NUMBERS..(row + 1) * NUMBERS {
                x[i] = (by_x * f64::from(cotangent[i])) as f32;
                x_t[i] = (by_mean * gain * f64::from(cotangent[i])) as f32;
            }
        }
    }
}

/// `sum_i slope x_i - (x_i - centre)^2 / (2 variance)`.
pub(super) struct ToyReward {
    pub shape: [usize; 3],
    pub slope: f64,
    pub centre: f64,
    pub variance: f64,
    /// A part that would have no gradient.
    pub black_box: Option<&'static str>,
}

impl ToyReward {
    pub fn bowl(centre: f64, variance: f64) -> Self {
        Self {
            shape: [1, 2, 2],
            slope: 0.0,
            centre,
            variance,
            black_box: None,
        }
    }

    pub fn linear(slope: f64) -> Self {
        Self {
            slope,
            ..Self::bowl(0.0, f64::INFINITY)
        }
    }
}

impl PictureScore for ToyReward {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn score(&self, pictures: &[f32], scores: &mut [f32]) {
        let numbers: usize = self.shape.iter().product();
        for (picture, score) in pictures.chunks_exact(numbers).zip(scores) {
            let sum: f64 = picture
                .iter()
                .map(|x| {
                    let (x, off) = (f64::from(*x), f64::from(*x) - self.centre);
                    self.slope * x - off * off / (2.0 * self.variance)
                })
                .sum();
            *score = sum as f32;
        }
    }

    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        assert!(self.black_box.is_none(), "asked of what has no gradient");
        self.score(pictures, scores);
        for (g, x) in gradients.iter_mut().zip(pictures) {
            *g = (self.slope - (f64::from(*x) - self.centre) / self.variance) as f32;
        }
    }

    fn without_gradient(&self) -> Option<&str> {
        self.black_box
    }
}
