//! Scores and gradients of a reward that has everything that it refers to.

use super::PictureScore;
use super::judged::JudgedTerms;
use super::light::Slope;

/// A smooth function of numbers from 0 to 1.
pub(super) type Look = Box<dyn Fn(&[f64], Option<Slope<'_>>) -> f64 + Send + Sync>;

/// A function without a gradient.
type Counted = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// What is counted in a picture.
pub(super) enum Count {
    /// In its light, `[H][W]`.
    Light(Counted),
    /// In all its numbers, `[C][H][W]`.
    All(Counted),
}

/// A reward of pictures of one shape. Terms stand with their weights, units inside.
pub(super) struct BoundReward {
    pub shape: [usize; 3],
    /// By the network that they ask.
    pub judged: Vec<JudgedTerms>,
    /// Of the light alone, `[H][W]`.
    pub of_light: Vec<(f64, Look)>,
    /// Of all numbers, `[C][H][W]`.
    pub of_all: Vec<(f64, Look)>,
    pub counted: Vec<(f64, Count)>,
    pub without_gradient: Option<String>,
}

/// Numbers from -1 to 1 as 0 to 1.
pub(super) fn to_unit(picture: &[f32]) -> Vec<f64> {
    picture
        .iter()
        .map(|v| f64::midpoint(f64::from(*v), 1.0))
        .collect()
}

/// How much each channel counts for the light: as eyes see it (ITU-R BT.601).
fn shares(channels: usize) -> &'static [f64] {
    if channels == 3 {
        &[0.299, 0.587, 0.114]
    } else {
        &[1.0]
    }
}

/// The light of a picture, `[H][W]`.
pub(super) fn light_of(unit: &[f64], [channels, rows, columns]: [usize; 3]) -> Vec<f64> {
    let area = rows * columns;
    let at = |at: usize| {
        let shares = shares(channels).iter().enumerate();
        shares.map(|(c, share)| share * unit[c * area + at]).sum()
    };
    (0..area).map(at).collect()
}

impl BoundReward {
    fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// Score of one picture without what the classifier says, and its gradient added to `into`.
    fn one(&self, picture: &[f32], into: Option<&mut [f32]>) -> f64 {
        let unit = to_unit(picture);
        let light = light_of(&unit, self.shape);
        let tracked = into.is_some();
        let zeros = |n: usize| vec![0.0; if tracked { n } else { 0 }];
        let (mut by_light, mut by_all) = (zeros(light.len()), zeros(unit.len()));
        let mut score = 0.0;
        for (looks, numbers, slopes) in [
            (&self.of_light, &light, &mut by_light),
            (&self.of_all, &unit, &mut by_all),
        ] {
            for (weight, look) in looks {
                let slope = tracked.then_some(Slope {
                    weight: *weight,
                    into: slopes,
                });
                score += weight * look(numbers, slope);
            }
        }
        for (weight, count) in &self.counted {
            score += weight
                * match count {
                    Count::Light(count) => count(&light),
                    Count::All(count) => count(&unit),
                };
        }
        let Some(into) = into else {
            return score;
        };
        let area = light.len();
        let shares = shares(self.shape[0]);
        for (at, to) in into.iter_mut().enumerate() {
            let slope = by_all[at] + shares[at / area] * by_light[at % area];
            // From 0..1 to -1..1.
            *to += (0.5 * slope) as f32;
        }
        score
    }
}

impl PictureScore for BoundReward {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn score(&self, pictures: &[f32], scores: &mut [f32]) {
        let pictures_of = pictures.chunks_exact(self.numbers());
        let mut sums: Vec<f64> = pictures_of.map(|picture| self.one(picture, None)).collect();
        assert_eq!(sums.len(), scores.len(), "a score a picture");
        for judged in &self.judged {
            judged.score(pictures, &mut sums);
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = sum as f32;
        }
    }

    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        let part = self.without_gradient.as_deref();
        assert!(part.is_none(), "{part:?} has no gradient");
        assert_eq!(pictures.len(), gradients.len(), "a slope a number");
        let numbers = self.numbers();
        let mut sums = vec![0.0; pictures.len() / numbers];
        assert_eq!(sums.len(), scores.len(), "a score a picture");
        // The looks first: sums run in the same order as in a score without a gradient.
        gradients.fill(0.0);
        let pictures_of = pictures.chunks_exact(numbers);
        let rows = pictures_of.zip(gradients.chunks_exact_mut(numbers));
        for ((picture, gradient), sum) in rows.zip(&mut sums) {
            *sum += self.one(picture, Some(gradient));
        }
        for judged in &self.judged {
            let mut more = vec![0.0; gradients.len()];
            judged.gradient(pictures, &mut sums, &mut more);
            for (to, more) in gradients.iter_mut().zip(more) {
                *to += more;
            }
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = sum as f32;
        }
    }

    fn without_gradient(&self) -> Option<&str> {
        self.without_gradient.as_deref()
    }
}
