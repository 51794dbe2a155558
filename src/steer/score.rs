//! Samples against the tilted target: distances, modes, rewards, and the floor that two exact samples leave.

use serde::Serialize;

use super::particles::{choose, softmax};
use super::plan::Resampling;
use super::run::SteerError;
use crate::metrics::{
    PROJECTIONS, mmd_squared_unbiased, mode_occupancy, sliced_w2, total_variation,
};
use crate::mixture::Mixture;
use crate::process::{Address, Purpose, normal_pairs};
use crate::reward::{Exactness, Reward, RewardError, TiltedTarget};

/// Most samples behind a squared MMD.
const MMD_SAMPLES: usize = 4096;

/// Draws behind the mode shares and rewards of a noised target: it is made anew for each time.
const NOISED_DRAWS: usize = 1 << 14;

/// Draws of the target behind its mode shares, and behind its mean reward where that has no closed form. The standard
/// error of a share is below 0.001.
const TARGET_DRAWS: usize = 1 << 18;

/// How the target that samples are compared with was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// In closed form.
    ClosedForm,
    /// On a grid, by quadrature.
    Quadrature,
    /// From the world's own samples, resampled by `exp r`: for targets too fine for a grid.
    Estimated,
}

/// The tilted target as samples.
#[derive(Debug, Clone)]
pub struct TargetSample {
    /// Whether the samples are the target's own, in closed form or from a grid.
    pub exact: bool,
    /// How they were had.
    pub kind: TargetKind,
    /// `ln E exp r`, exact or estimated.
    pub log_normaliser: f64,
    points: Vec<[f32; 2]>,
    occupancy: Vec<f64>,
    mean_reward: f64,
    mean_is_closed: bool,
}

/// How far samples are from the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SteerScore {
    /// Samples that count; non-finite ones are left out of the distances and count as a mode of their own in `tv`.
    pub samples: usize,
    /// Samples that are not finite.
    pub non_finite: usize,
    /// Sliced Wasserstein-2 distance to as many samples of the target.
    pub sliced_w2: f64,
    /// Unbiased squared MMD to the same, of the first 4,096 at most.
    pub mmd_squared: f64,
    /// Total variation of the shares of the world's modes.
    pub tv: f64,
    /// The samples' shares of the world's modes.
    pub occupancy: Vec<f64>,
    /// The target's, counted over `target_draws` of its samples.
    pub target_occupancy: Vec<f64>,
    /// Samples of the target behind its shares of the modes, and behind its mean reward unless that is in closed form.
    pub target_draws: usize,
    /// Mean reward of the samples.
    pub mean_reward: f64,
    /// Its standard error.
    pub mean_reward_error: f64,
    /// Mean reward of the target.
    pub target_mean_reward: f64,
    /// Whether that mean is in closed form; otherwise it is the mean over `target_draws` samples of the target.
    pub target_mean_reward_is_closed: bool,
    /// Samples whose reward is not finite, such as those outside an expression's domain; left out of the mean.
    pub without_reward: usize,
    /// Whether the target is exact, in closed form or by quadrature, or else estimated.
    pub exact_target: bool,
    /// Which of the three.
    pub target: TargetKind,
}

/// What two independent exact samples of one size already differ by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Floor {
    /// Mean sliced W2 of the repeats.
    pub sliced_w2: f64,
    /// Largest.
    pub sliced_w2_max: f64,
    /// Largest squared MMD.
    pub mmd_squared_max: f64,
    /// Largest total variation of mode shares.
    pub tv_max: f64,
}

impl SteerScore {
    /// How the target's mean reward is known, for a person.
    pub fn how_the_mean_is_known(&self) -> String {
        let draws = grouped(self.target_draws);
        match self.target {
            _ if self.target_mean_reward_is_closed => "in closed form".into(),
            TargetKind::ClosedForm => format!("over {draws} exact draws"),
            TargetKind::Quadrature => format!("over {draws} draws, by quadrature"),
            TargetKind::Estimated => format!("over {draws} weighted draws"),
        }
    }
}

/// A whole number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl TargetSample {
    /// Samples of the target, enough to score `n` points.
    ///
    /// # Errors
    /// When the tilted density cannot be normalised.
    pub fn new(world: &Mixture, reward: &Reward, n: usize, seed: u64) -> Result<Self, SteerError> {
        let count = n.max(TARGET_DRAWS);
        let address = Address::new(seed, Purpose::EvalDraw, 0);
        let mut points = vec![[0.0; 2]; count];
        let mut closed_mean = None;
        let (kind, log_normaliser) = match TiltedTarget::new(world, reward) {
            Ok(target) => {
                target.sample_into(address, 0, &mut points);
                closed_mean = target.mixture().and_then(|m| reward.mean_over(m));
                let kind = match target.how() {
                    Exactness::ClosedForm => TargetKind::ClosedForm,
                    Exactness::Quadrature { .. } => TargetKind::Quadrature,
                };
                (kind, target.log_normaliser())
            }
            Err(RewardError::TooFine(_)) => {
                let mut base = vec![[0.0; 2]; 4 * count];
                world.sample_into(address, 0, &mut base);
                let scores: Vec<f64> = base
                    .iter()
                    .map(|x| reward.score(x.map(f64::from)))
                    .collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let mean = scores.iter().map(|s| (s - max).exp()).sum::<f64>() / base.len() as f64;
                let weights = softmax(&scores);
                // Multinomial leaves the samples in no order: any first n of them are a sample.
                let chosen = choose(&weights, count, Resampling::Multinomial, address.at_step(1));
                for (point, from) in points.iter_mut().zip(chosen) {
                    *point = base[from];
                }
                (TargetKind::Estimated, max + mean.ln())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            exact: kind != TargetKind::Estimated,
            kind,
            log_normaliser,
            occupancy: mode_occupancy(&points, world),
            mean_reward: closed_mean.unwrap_or_else(|| mean_reward(reward, &points)),
            mean_is_closed: closed_mean.is_some(),
            points,
        })
    }

    /// The same draws noised to time `t`: `p_t exp V_t / Z`, which is where exact steering by the memoryless process is
    /// at that time. At `t = 1` the target itself. To be scored with the world's marginal of that time.
    #[must_use]
    pub fn noised(&self, world: &Mixture, reward: &Reward, t: f64, seed: u64) -> Self {
        let count = self.points.len().min(NOISED_DRAWS);
        let mut points = vec![[0.0; 2]; count];
        normal_pairs(Address::new(seed, Purpose::EvalState, 0), 0, &mut points);
        let (t32, rest) = (t as f32, (1.0 - t) as f32);
        for (point, clean) in points.iter_mut().zip(&self.points) {
            *point = std::array::from_fn(|d| t32 * clean[d] + rest * point[d]);
        }
        Self {
            exact: self.exact,
            kind: self.kind,
            log_normaliser: self.log_normaliser,
            occupancy: mode_occupancy(&points, &world.marginal(t)),
            mean_reward: mean_reward(reward, &points),
            mean_is_closed: false,
            points,
        }
    }

    /// Compares samples with the target.
    pub fn score(&self, world: &Mixture, reward: &Reward, samples: &[[f32; 2]]) -> SteerScore {
        let finite: Vec<[f32; 2]> = samples
            .iter()
            .copied()
            .filter(|x| x.iter().all(|v| v.is_finite()))
            .collect();
        let lost = samples.len() - finite.len();
        let n = finite.len();
        let share = n as f64 / samples.len().max(1) as f64;
        // As many target samples as there are samples, so that the floor of that size applies.
        let target = &self.points[..n.min(self.points.len())];
        let occupancy: Vec<f64> = mode_occupancy(&finite, world)
            .into_iter()
            .map(|v| v * share)
            .collect();
        let tv = total_variation(&occupancy, &self.occupancy) + 0.5 * (1.0 - share);
        let scores: Vec<f64> = finite
            .iter()
            .map(|x| reward.score(x.map(f64::from)))
            .filter(|score| score.is_finite())
            .collect();
        let rewarded = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / rewarded;
        let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (rewarded - 1.0);
        SteerScore {
            samples: n,
            non_finite: lost,
            sliced_w2: sliced_w2(&finite, target, PROJECTIONS),
            mmd_squared: mmd_of_some(&finite, target),
            tv,
            occupancy,
            target_occupancy: self.occupancy.clone(),
            target_draws: self.points.len(),
            mean_reward: mean,
            mean_reward_error: (variance / rewarded).sqrt(),
            target_mean_reward: self.mean_reward,
            target_mean_reward_is_closed: self.mean_is_closed,
            without_reward: n - scores.len(),
            exact_target: self.exact,
            target: self.kind,
        }
    }

    /// Sliced W2 alone of samples to as many of the target's.
    #[cfg(test)]
    pub(super) fn sliced_w2(&self, samples: &[[f32; 2]]) -> f64 {
        sliced_w2(samples, &self.points[..samples.len()], PROJECTIONS)
    }

    /// The floor at `n` samples, from `repeats` pairs of disjoint parts of this sample.
    pub fn floor(&self, world: &Mixture, n: usize, repeats: usize) -> Floor {
        let mut floor = Floor {
            sliced_w2: 0.0,
            sliced_w2_max: 0.0,
            mmd_squared_max: f64::NEG_INFINITY,
            tv_max: 0.0,
        };
        let n = n.min(self.points.len() / 2);
        let parts: Vec<&[[f32; 2]]> = self.points.chunks_exact(n.max(1)).collect();
        let pairs = repeats.clamp(1, parts.len() / 2);
        for pair in parts.chunks_exact(2).take(pairs) {
            let distance = sliced_w2(pair[0], pair[1], PROJECTIONS);
            floor.sliced_w2 += distance / pairs as f64;
            floor.sliced_w2_max = floor.sliced_w2_max.max(distance);
            floor.mmd_squared_max = floor.mmd_squared_max.max(mmd_of_some(pair[0], pair[1]));
            let tv = total_variation(&mode_occupancy(pair[0], world), &self.occupancy);
            floor.tv_max = floor.tv_max.max(tv);
        }
        floor
    }
}

/// Squared MMD of the first samples of each: its time grows with their square.
fn mmd_of_some(a: &[[f32; 2]], b: &[[f32; 2]]) -> f64 {
    let some = |x: &[[f32; 2]]| x.len().min(MMD_SAMPLES);
    mmd_squared_unbiased(&a[..some(a)], &b[..some(b)])
}

/// Mean of the rewards that are finite.
fn mean_reward(reward: &Reward, points: &[[f32; 2]]) -> f64 {
    let finite = points
        .iter()
        .map(|x| reward.score(x.map(f64::from)))
        .filter(|score| score.is_finite());
    let (sum, count) = finite.fold((0.0, 0.0), |(sum, count), score| (sum + score, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;

    #[test]
    fn the_mean_reward_of_a_target_in_closed_form_is_that_of_its_samples() {
        let world = Preset::Three.mixture();
        for (text, closed) in [
            ("linear:0.5,-0.2", true),
            ("bowl:1,0.5,2@0.7", true),
            ("measurement:1.2,-0.8,-1,0.2", true),
            ("bumps:1,3,3,0.5", true),
            ("bumps:1,3,3,0.5/1,-3,-3,0.5", false),
            ("half-plane:1,0,0.5,0.3", false),
        ] {
            let reward: Reward = text.parse().unwrap();
            let target = TargetSample::new(&world, &reward, 2, 5).unwrap();
            let score = target.score(&world, &reward, &[[0.0; 2]; 2]);
            assert_eq!(score.target_mean_reward_is_closed, closed, "{text}");
            assert_eq!(score.target_draws, TARGET_DRAWS);
            let words = score.how_the_mean_is_known();
            assert_eq!(words.contains("262,144 "), !closed, "{words}");
            let sampled = mean_reward(&reward, &target.points);
            // A quarter of a million samples of rewards that spread by about 1: standard error 0.002.
            let apart = (score.target_mean_reward - sampled).abs();
            assert!(
                apart < 0.01,
                "{text}: {} {sampled}",
                score.target_mean_reward
            );
        }
    }
}
