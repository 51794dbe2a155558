//! A reward with everything that it refers to: scores and gradients of pictures.

use std::sync::Arc;

use crate::model::ImageJudge;

use super::judged::JudgedTerms;
use super::{PictureReward, PictureRewardError, PictureScore, PictureTerm, light};

/// A picture that others are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferencePicture {
    /// `[C][H][W]`, -1 black and 1 white.
    pub picture: Arc<[f32]>,
    /// What is left free, `[H][W]`: 0 where the picture is to be kept, 1 where anything may come.
    pub mask: Option<Arc<[f32]>>,
}

/// What a reward refers to.
#[derive(Clone, Default)]
pub struct PictureParts {
    /// A classifier of such pictures, where there is one.
    pub judge: Option<Arc<ImageJudge>>,
    /// Reference pictures; terms count them from 1.
    pub references: Vec<ReferencePicture>,
}

/// Where a function leaves its derivatives: `weight` times them is added.
pub(super) struct Slope<'a> {
    pub weight: f64,
    /// As many as there are numbers.
    pub into: &'a mut [f64],
}

/// A smooth function of numbers from 0 to 1.
type Look = Box<dyn Fn(&[f64], Option<Slope<'_>>) -> f64 + Send + Sync>;

/// A reward of pictures of one shape, with everything that it refers to.
struct BoundReward {
    shape: [usize; 3],
    judged: Option<JudgedTerms>,
    /// Of the light alone, `[H][W]`, with their weights.
    of_light: Vec<(f64, Look)>,
    without_gradient: Option<String>,
}

impl PictureReward {
    /// Largest height and width of a picture that is rewarded.
    const MAX_SIDE: usize = 512;

    /// Gives the reward what it refers to, for pictures of one shape, `[C, H, W]`.
    ///
    /// # Errors
    /// Naming the term that cannot be: for want of a classifier, of a class of it, of a reference picture, of colour.
    pub fn bind(
        &self,
        shape: [usize; 3],
        parts: &PictureParts,
    ) -> Result<Arc<dyn PictureScore>, PictureRewardError> {
        let [channels, rows, columns] = shape;
        let sides = 1..=Self::MAX_SIDE;
        if !matches!(channels, 1 | 3) || !sides.contains(&rows) || !sides.contains(&columns) {
            return Err(PictureRewardError::Shape(shape));
        }
        let judge = parts.judge.as_ref();
        let judge = judge.filter(|judge| judge.config().image == shape);
        let mut bound = BoundReward {
            shape,
            judged: None,
            of_light: Vec::new(),
            without_gradient: self.without_gradient().map(ToString::to_string),
        };
        for weighted in self.terms() {
            let (term, weight) = (&weighted.term, weighted.weight());
            let kind = term.kind();
            if kind.needs.colour && channels == 1 {
                let term = term.to_string();
                return Err(PictureRewardError::Grey { term });
            }
            if kind.needs.judge && judge.is_none() {
                let term = term.to_string();
                return Err(PictureRewardError::NoJudge { term });
            }
            let plane = [rows, columns];
            let mut light = |unit: f64, look: Look| bound.of_light.push((weight / unit, look));
            match term {
                PictureTerm::Class(class) => {
                    if let Some(judge) = judge {
                        let (class, classes) = (*class as usize, judge.config().classes);
                        if class >= classes {
                            let term = term.to_string();
                            return Err(PictureRewardError::Class { term, classes });
                        }
                        let judged = bound.judged.take();
                        let mut judged = judged.unwrap_or_else(|| JudgedTerms::new(judge.clone()));
                        judged.add_class(class, weight);
                        bound.judged = Some(judged);
                    }
                }
                PictureTerm::Brightness => light(0.05, Box::new(light::mean)),
                PictureTerm::Thickness => light(
                    0.5,
                    Box::new(move |x, slope| light::thickness(x, plane, slope)),
                ),
            }
        }
        Ok(Arc::new(bound))
    }
}

/// How much each channel counts for the light: as eyes see it (ITU-R BT.601).
fn shares(channels: usize) -> &'static [f64] {
    if channels == 3 {
        &[0.299, 0.587, 0.114]
    } else {
        &[1.0]
    }
}

impl BoundReward {
    /// Score of one picture, and its gradient added to `into`.
    fn one(&self, picture: &[f32], mut into: Option<&mut [f32]>) -> f64 {
        let [channels, rows, columns] = self.shape;
        let area = rows * columns;
        let unit: Vec<f64> = picture
            .iter()
            .map(|v| (f64::from(*v) + 1.0) / 2.0)
            .collect();
        let shares = shares(channels);
        let light: Vec<f64> = (0..area)
            .map(|at| (0..channels).map(|c| shares[c] * unit[c * area + at]).sum())
            .collect();
        let mut slopes = vec![0.0; if into.is_some() { area } else { 0 }];
        let mut score = 0.0;
        for (weight, look) in &self.of_light {
            let slope = into.is_some().then_some(Slope {
                weight: *weight,
                into: &mut slopes,
            });
            score += weight * look(&light, slope);
        }
        if let Some(into) = &mut into {
            for (channel, into) in into.chunks_exact_mut(area).enumerate() {
                for (to, slope) in into.iter_mut().zip(&slopes) {
                    // From 0..1 to -1..1.
                    *to += (0.5 * shares[channel] * slope) as f32;
                }
            }
        }
        score
    }
}

impl PictureScore for BoundReward {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn score(&self, pictures: &[f32], scores: &mut [f32]) {
        let numbers: usize = self.shape.iter().product();
        let mut sums: Vec<f64> = pictures
            .chunks_exact(numbers)
            .map(|picture| self.one(picture, None))
            .collect();
        assert_eq!(sums.len(), scores.len(), "a score a picture");
        if let Some(judged) = &self.judged {
            judged.score(pictures, &mut sums);
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = sum as f32;
        }
    }

    fn gradient(&self, pictures: &[f32], scores: &mut [f32], gradients: &mut [f32]) {
        let part = self.without_gradient.as_deref();
        assert!(
            part.is_none(),
            "{} has no gradient",
            part.unwrap_or_default()
        );
        assert_eq!(pictures.len(), gradients.len(), "a gradient a number");
        let numbers: usize = self.shape.iter().product();
        let mut sums = vec![0.0; pictures.len() / numbers];
        assert_eq!(sums.len(), scores.len(), "a score a picture");
        match &self.judged {
            Some(judged) => judged.gradient(pictures, &mut sums, gradients),
            None => gradients.fill(0.0),
        }
        let pictures = pictures.chunks_exact(numbers);
        let rows = pictures.zip(gradients.chunks_exact_mut(numbers));
        for ((picture, gradient), sum) in rows.zip(&mut sums) {
            *sum += self.one(picture, Some(gradient));
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = sum as f32;
        }
    }

    fn without_gradient(&self) -> Option<&str> {
        self.without_gradient.as_deref()
    }
}
