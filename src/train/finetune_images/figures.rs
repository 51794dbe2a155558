//! What pictures amount to: reward, classes, strokes, variety.

use serde::Serialize;

use super::pool::finite_scores;
use crate::model::{ImageJudge, Judged};
use crate::reward::picture::PictureScore;

/// A picture counts as a picture of some class when the classifier is this sure.
const SURE: f32 = 0.8;
/// Pictures whose every pair is compared: beyond, the first ones speak for all.
const MOST_COMPARED: usize = 256;

/// Figures of a set of pictures. What could not be measured is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PictureFigures {
    /// How many pictures.
    pub count: usize,
    /// Mean reward, strength included.
    pub reward: f64,
    /// Its standard error.
    pub reward_error: f64,
    /// Share of the pictures whose likeliest class is each, `[classes]`.
    pub shares: Option<Vec<f64>>,
    /// Entropy of the shares, bits.
    pub entropy: Option<f64>,
    /// Share of the pictures of whose class the classifier is sure to at least 0.8.
    pub accepted: Option<f64>,
    /// Mean thickness of the strokes, pixels.
    pub thickness: Option<f64>,
    /// Its standard deviation from picture to picture.
    pub thickness_spread: Option<f64>,
    /// Mean over pairs of the root mean square difference, 0 black to 1 white.
    pub pairwise: f64,
}

impl PictureFigures {
    /// Of `pictures`, `[n][C H W]`. `thickness` scores them in pixels.
    pub fn new(
        pictures: &[f32],
        reward: &dyn PictureScore,
        judge: Option<&ImageJudge>,
        thickness: Option<&dyn PictureScore>,
    ) -> Self {
        let numbers: usize = reward.shape().iter().product();
        let (mean, spread) = moments(&finite_scores(reward, pictures));
        let count = pictures.len() / numbers;
        let judge = judge.filter(|judge| judge.config().image == reward.shape());
        let judged = judge.map(|judge| judge.judge(pictures));
        let shares = judged.as_ref().map(Judged::label_shares);
        let strokes = thickness.map(|score| moments(&finite_scores(score, pictures)));
        Self {
            count,
            reward: mean,
            reward_error: spread / (count.max(1) as f64).sqrt(),
            entropy: shares.as_deref().map(entropy_bits),
            shares,
            accepted: judged.as_ref().map(|judged| {
                let sure = judged.best().filter(|(_, p)| *p >= SURE).count();
                sure as f64 / judged.len().max(1) as f64
            }),
            thickness: strokes.map(|s| s.0),
            thickness_spread: strokes.map(|s| s.1),
            pairwise: pairwise(pictures, numbers),
        }
    }
}

/// Entropy of shares, bits.
pub fn entropy_bits(shares: &[f64]) -> f64 {
    let present = shares.iter().filter(|share| **share > 0.0);
    present
        .map(|share| -share * share.log2())
        .sum::<f64>()
        .max(0.0)
}

/// Mean and standard deviation of what is finite.
fn moments(values: &[f64]) -> (f64, f64) {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let n = finite.len().max(1) as f64;
    let mean = finite.iter().sum::<f64>() / n;
    let square: f64 = finite.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, (square / (n - 1.0).max(1.0)).sqrt())
}

fn pairwise(pictures: &[f32], numbers: usize) -> f64 {
    let count = (pictures.len() / numbers).min(MOST_COMPARED);
    let picture = |i: usize| &pictures[i * numbers..(i + 1) * numbers];
    let mut total = 0.0;
    for i in 0..count {
        for j in 0..i {
            let squared: f32 = picture(i)
                .iter()
                .zip(picture(j))
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            // From -1..1 to 0..1.
            total += (f64::from(squared) / numbers as f64).sqrt() / 2.0;
        }
    }
    total / (count * count.saturating_sub(1) / 2).max(1) as f64
}
