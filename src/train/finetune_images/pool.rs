//! Clean pictures behind the states, their rewards, and the law of drawing them again.

use super::super::trainer::TrainError;
use super::recipe::{ImageTuneRecipe, TunedClass};
use crate::lookahead::{ImageSampler, LookaheadError, NoiseKey, generate_images};
use crate::metrics::Counters;
use crate::model::ImageMap;
use crate::process::{Address, Purpose, uniforms};
use crate::reward::picture::PictureScore;
use crate::train::ImageSet;

/// `NoiseKey::state` and `Address::state` of the pool; steps are below it.
const POOL_STATE: u32 = u32::MAX;
/// Pictures that are scored at once.
const SCORED: usize = 256;

/// Pictures of the map, or of a data set.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    /// `[n][C H W]`, -1 black and 1 white.
    pub pictures: Vec<f32>,
    /// The class that each is asked under.
    pub labels: Vec<u32>,
    pub scores: Vec<f64>,
    /// Running sums of `exp r`, the last one 1.
    cumulative: Vec<f64>,
    /// `ln E exp r`.
    pub log_mean: f64,
    /// How many of the pictures count: `(sum w)^2 / sum w^2`.
    pub effective: f64,
    /// Mean reward under the tilt, by the pictures' own weights.
    pub tilted_reward: f64,
}

impl Pool {
    /// Made by the map itself, each picture by its number. `watch` is told the share done and says whether to go on.
    pub fn generated(
        map: &dyn ImageMap,
        reward: &dyn PictureScore,
        recipe: &ImageTuneRecipe,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, TrainError> {
        let classes = map.config().label_dim;
        let labels: Vec<u32> = (0..recipe.pool)
            .map(|i| recipe.class.label(i, classes))
            .collect();
        let noise = NoiseKey {
            seed: recipe.seed,
            state: POOL_STATE,
        };
        let sampler = ImageSampler::Flow(recipe.pool_jumps);
        let asked = (labels.as_slice(), recipe.guidance);
        let mut spent = Counters::default();
        let pictures = generate_images(map, sampler, asked, noise, 0, &mut spent, watch);
        let pictures = pictures.map_err(|e| match e {
            LookaheadError::Cancelled => TrainError::Cancelled,
            other => TrainError::Parent(other.to_string()),
        })?;
        Self::scored(pictures, labels, reward)
    }

    /// Pictures of a data set, drawn by the recipe's seed.
    pub fn from_data(
        data: &ImageSet,
        classes: usize,
        reward: &dyn PictureScore,
        recipe: &ImageTuneRecipe,
    ) -> Result<Self, TrainError> {
        let of: Vec<usize> = match recipe.class {
            TunedClass::Only(class) => (0..data.len())
                .filter(|i| u32::from(data.labels[*i]) == class)
                .collect(),
            TunedClass::None | TunedClass::Each => (0..data.len()).collect(),
        };
        if of.is_empty() || data.shape != reward.shape() {
            return Err(TrainError::Parent(format!(
                "the data have no pictures of {:?} of the class that it is tuned under: give others, or none",
                reward.shape()
            )));
        }
        let mut numbers = vec![0.0; recipe.pool];
        let address = Address::new(recipe.seed, Purpose::TrainData, POOL_STATE);
        uniforms(address, 0, &mut numbers);
        let mut pictures = vec![0.0; recipe.pool * data.stride()];
        let mut labels = Vec::with_capacity(recipe.pool);
        for (u, out) in numbers.iter().zip(pictures.chunks_exact_mut(data.stride())) {
            let at = (f64::from(*u) * of.len() as f64) as usize;
            let i = of[at.min(of.len() - 1)];
            data.write_into(i, out);
            labels.push(match recipe.class {
                TunedClass::None => classes as u32,
                _ => u32::from(data.labels[i]),
            });
        }
        Self::scored(pictures, labels, reward)
    }

    fn scored(
        pictures: Vec<f32>,
        labels: Vec<u32>,
        reward: &dyn PictureScore,
    ) -> Result<Self, TrainError> {
        let numbers: usize = reward.shape().iter().product();
        let mut scores = Vec::with_capacity(labels.len());
        for part in pictures.chunks(SCORED * numbers) {
            scores.extend(finite_scores(reward, part));
        }
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if max == f64::NEG_INFINITY {
            return Err(TrainError::Parent(
                "the reward has no finite value at any picture of the model".into(),
            ));
        }
        let weights: Vec<f64> = scores.iter().map(|r| (r - max).exp()).collect();
        let total: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        // What has no finite reward has no weight.
        let with_weight = weights.iter().zip(&scores).filter(|(w, _)| **w > 0.0);
        let weighted: f64 = with_weight.map(|(w, r)| w * r).sum();
        let mut sum = 0.0;
        let cumulative = weights
            .iter()
            .map(|w| {
                sum += w / total;
                sum
            })
            .collect();
        Ok(Self {
            tilted_reward: weighted / total,
            log_mean: max + (total / scores.len() as f64).ln(),
            effective: total * total / squares,
            pictures,
            labels,
            scores,
            cumulative,
        })
    }

    /// The number of the picture at a uniform number.
    pub fn plain(&self, uniform: f32) -> usize {
        ((f64::from(uniform) * self.len() as f64) as usize).min(self.len() - 1)
    }

    /// The number of the picture at a uniform number, drawn by `exp r`.
    pub fn tilted(&self, uniform: f32) -> usize {
        let at = self
            .cumulative
            .partition_point(|sum| *sum < f64::from(uniform));
        at.min(self.len() - 1)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// A number that differs where the pictures do: a run is not taken up with others.
    pub fn fingerprint(&self) -> u64 {
        self.pictures.iter().fold(0xcbf2_9ce4_8422_2325, |sum, v| {
            (sum ^ u64::from(v.to_bits())).wrapping_mul(0x100_0000_01b3)
        })
    }
}

/// Scores of whole pictures; where one has no finite value nothing is wanted.
pub(super) fn finite_scores(reward: &dyn PictureScore, pictures: &[f32]) -> Vec<f64> {
    let numbers: usize = reward.shape().iter().product();
    let mut scores = vec![0.0; pictures.len() / numbers];
    reward.score(pictures, &mut scores);
    let finite = |score: f32| {
        if score.is_finite() {
            f64::from(score)
        } else {
            f64::NEG_INFINITY
        }
    };
    scores.into_iter().map(finite).collect()
}
