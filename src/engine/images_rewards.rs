//! Rewards of the pictures of a wall, and a second score beside them that the reward does not know.

use std::sync::Arc;

use crate::metrics::{FeatureClasses, ScoreFigures};
use crate::model::{ImageJudge, Judged};
use crate::reward::picture::{
    PictureParts, PictureReward, PictureScore, PictureTerm, ScorerFiles, WeightedTerm,
};
use crate::session::Rewarding;

use super::scorers::open_scorers;

/// What a second score looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondKind {
    /// How near its features are to those of real pictures of its likeliest class.
    Typical,
    /// Probability of the likeliest class.
    Confidence,
    /// How near the most similar other draw is.
    Company,
}

impl SecondKind {
    /// On screen: what more of it means.
    pub fn name(self) -> &'static str {
        match self {
            Self::Typical => "typical",
            Self::Confidence => "confident",
            Self::Company => "like others",
        }
    }

    /// What it is, in a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::Typical => {
                "Minus the distance of its features from those of real pictures of its likeliest class, in standard deviations."
            }
            Self::Confidence => "Probability of the likeliest class, by the classifier.",
            Self::Company => {
                "Minus the root mean square difference from the most similar other draw, white being 1."
            }
        }
    }
}

/// A score that the reward does not know: where the reward rises and this one falls, the reward is exploited.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondScore {
    /// What it looks at.
    pub kind: SecondKind,
    /// Of each draw; more is better.
    pub scores: Vec<f32>,
    /// Mean over all draws.
    pub all: f64,
    /// Mean over the quarter of the draws with the most reward.
    pub best: f64,
    /// Standard error of the difference of the two, were the quarter chosen by chance.
    pub error: f64,
}

impl SecondScore {
    /// Standard errors by which the best quarter must be lower before it is said to fall.
    const CLEAR: f64 = 2.0;

    /// Of scores and rewards of the same draws; `None` for fewer than eight.
    pub fn new(kind: SecondKind, scores: Vec<f32>, rewards: &[f32]) -> Option<Self> {
        let (count, quarter) = (scores.len(), scores.len() / 4);
        if count < 8 || rewards.len() != count {
            return None;
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| rewards[*b].total_cmp(&rewards[*a]));
        let mean = |items: &[usize]| {
            let sum: f64 = items.iter().map(|item| f64::from(scores[*item])).sum();
            sum / items.len() as f64
        };
        let all = mean(&order);
        let squares = scores.iter().map(|s| (f64::from(*s) - all).powi(2));
        let variance = squares.sum::<f64>() / (count - 1) as f64;
        // A quarter drawn without replacement.
        let left = 1.0 - quarter as f64 / count as f64;
        Some(Self {
            kind,
            all,
            best: mean(&order[..quarter]),
            error: (variance / quarter as f64 * left).sqrt(),
            scores,
        })
    }

    /// Whether the draws with the most reward score clearly less than all do.
    pub fn falls(&self) -> bool {
        self.all - self.best > Self::CLEAR * self.error
    }
}

/// What a reward says of the draws of a wall.
#[derive(Clone, Debug, PartialEq)]
pub struct WallScores {
    /// Of each draw, strengths inside.
    pub scores: Vec<f32>,
    /// What they say together.
    pub figures: ScoreFigures,
    /// A score that the reward does not know, from eight draws on.
    pub second: Option<SecondScore>,
}

/// Scores of the draws of one wall: each term by itself at strength 1, so that another strength costs nothing.
#[derive(Default)]
pub(super) struct RewardMemo {
    terms: Vec<TermScores>,
}

struct TermScores {
    term: PictureTerm,
    /// The reward at strength 1, of which the term is all.
    score: Arc<dyn PictureScore>,
    /// What it refers to.
    of: Rewarding,
    files: ScorerFiles,
    scores: Vec<f32>,
}

impl RewardMemo {
    /// Scores of `pictures`, `[n][C H W]`, the first of which were scored before. `None` where nothing is rewarded.
    ///
    /// # Errors
    /// Naming the term that cannot be, and what to do.
    pub fn scores(
        &mut self,
        (rewarding, files): (&Rewarding, &ScorerFiles),
        shape: [usize; 3],
        judge: Option<&Arc<ImageJudge>>,
        pictures: &[f32],
    ) -> Result<Option<Vec<f32>>, String> {
        if rewarding.reward.is_empty() {
            return Ok(None);
        }
        let numbers: usize = shape.iter().product();
        let count = pictures.len() / numbers.max(1);
        let mut sums = vec![0.0_f64; count];
        let mut known = std::mem::take(&mut self.terms);
        for weighted in rewarding.reward.terms() {
            let term = &weighted.term;
            let same = |known: &TermScores| {
                known.term == *term
                    && (term.reference().is_none() || known.of.references == rewarding.references)
                    && (term.kind().needs.files.is_empty() || known.files == *files)
            };
            let mut scored = match known.iter().position(same) {
                Some(index) => known.swap_remove(index),
                None => TermScores {
                    term: term.clone(),
                    score: bind(term, (rewarding, files), shape, judge)?,
                    of: rewarding.clone(),
                    files: files.clone(),
                    scores: Vec::new(),
                },
            };
            let first = scored.scores.len().min(count);
            let mut new = vec![0.0; count - first];
            scored.score.score(&pictures[first * numbers..], &mut new);
            scored.scores.extend(new);
            for (sum, score) in sums.iter_mut().zip(&scored.scores) {
                *sum += weighted.weight() * f64::from(*score);
            }
            self.terms.push(scored);
        }
        Ok(Some(sums.into_iter().map(|sum| sum as f32).collect()))
    }
}

fn bind(
    term: &PictureTerm,
    (rewarding, files): (&Rewarding, &ScorerFiles),
    shape: [usize; 3],
    judge: Option<&Arc<ImageJudge>>,
) -> Result<Arc<dyn PictureScore>, String> {
    let alone = PictureReward::new(vec![WeightedTerm::new(term.clone())]);
    let alone = alone.map_err(|e| e.to_string())?;
    let parts = PictureParts {
        judge: judge.cloned(),
        references: rewarding.references(),
        scorers: open_scorers(&alone, files)?,
    };
    alone.bind(shape, &parts).map_err(|e| e.to_string())
}

/// What scores say together, with a second score of the same draws that the reward does not know. `None` for no draws.
pub fn wall_scores(
    scores: Vec<f32>,
    reward: &PictureReward,
    pictures: &[f32],
    judged: Option<&Judged>,
    typical: Option<&FeatureClasses>,
) -> Option<WallScores> {
    let figures = ScoreFigures::of(&scores)?;
    let (kind, second) = second_scores(reward, pictures, scores.len(), judged, typical);
    Some(WallScores {
        second: SecondScore::new(kind, second, &scores),
        figures,
        scores,
    })
}

/// Scores of `count` pictures that the reward does not know: what they look at, and one a picture.
pub fn second_scores(
    reward: &PictureReward,
    pictures: &[f32],
    count: usize,
    judged: Option<&Judged>,
    typical: Option<&FeatureClasses>,
) -> (SecondKind, Vec<f32>) {
    let asks_judge = reward.terms().iter().any(|t| t.term.kind().needs.judge);
    match (judged, typical) {
        (Some(judged), Some(typical)) => (SecondKind::Typical, typicality(judged, typical)),
        (Some(judged), None) if !asks_judge => {
            let sure = judged.best().map(|(_, p)| p).collect();
            (SecondKind::Confidence, sure)
        }
        _ => (SecondKind::Company, company(pictures, count)),
    }
}

/// Minus the distance in features from the likeliest class.
fn typicality(judged: &Judged, typical: &FeatureClasses) -> Vec<f32> {
    let features = judged.features.chunks_exact(judged.width.max(1));
    let rows = features.zip(judged.best());
    rows.map(|(feature, (class, _))| -typical.distance_squared(feature, class).sqrt() as f32)
        .collect()
}

/// Minus the root mean square difference of each picture from the nearest other one, 0 black to 1 white.
fn company(pictures: &[f32], count: usize) -> Vec<f32> {
    /// Numbers of a picture that are compared: of a large one not all.
    const COMPARED: usize = 256;
    let numbers = pictures.len() / count.max(1);
    let step = numbers.div_ceil(COMPARED).max(1);
    let few: Vec<f32> = pictures
        .chunks_exact(numbers.max(1))
        .flat_map(|picture| picture.iter().copied().step_by(step))
        .collect();
    let width = (few.len() / count.max(1)).max(1);
    let rows: Vec<&[f32]> = few.chunks_exact(width).collect();
    let mut nearest = vec![f32::INFINITY; rows.len()];
    for i in 0..rows.len() {
        for j in 0..i {
            let squares: f32 = rows[i]
                .iter()
                .zip(rows[j])
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            nearest[i] = nearest[i].min(squares);
            nearest[j] = nearest[j].min(squares);
        }
    }
    // From -1..1 to 0..1.
    let far = |squares: f32| -(squares / width as f32).sqrt() / 2.0;
    nearest.into_iter().map(far).collect()
}

#[cfg(test)]
#[path = "images_rewards_tests.rs"]
mod tests;
