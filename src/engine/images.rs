//! Maps of pictures and walls of draws: what is asked for and what comes back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::ImageCard;
use crate::lookahead::Source;
use crate::metrics::Counters;
use crate::model::{ImageMap, Judged};
use crate::reward::picture::ScorerFiles;
use crate::session::{DecoderFiles, DrawRecipe, Images, Picture, Rewarding};

use super::images_device::PaintedDraws;
use super::images_rewards::WallScores;
use super::message::Compute;
use super::picture_view::PictureView;

/// A map of pictures that is ready to draw.
#[derive(Clone)]
pub struct LoadedImages {
    /// The network.
    pub map: Arc<dyn ImageMap>,
    /// What the file says about itself.
    pub card: Arc<ImageCard>,
    /// What to call it: `digits.safetensors`.
    pub name: String,
    /// Where it came from; `None` for the shipped one.
    pub path: Option<PathBuf>,
    /// SHA-256 of the file, hexadecimal.
    pub hash: String,
    /// Weights and biases together.
    pub parameters: u64,
    /// How its states are shown.
    pub view: Arc<PictureView>,
    /// Which files decode them, as they were asked for.
    pub decoders: DecoderFiles,
    /// Why a decoder that was asked for is not there; the text says what to do.
    pub trouble: Option<String>,
}

impl LoadedImages {
    /// The first six digits of the hash, for labels.
    pub fn short_hash(&self) -> &str {
        self.hash.get(..6).unwrap_or(&self.hash)
    }

    /// `[C, H, W]` of its pictures as they are shown.
    pub fn shape(&self) -> [usize; 3] {
        self.view.shape()
    }

    /// How many numbers a picture has.
    pub fn numbers(&self) -> usize {
        self.view.numbers()
    }

    /// How many numbers a state has: those of a picture, or of a latent.
    pub fn state_numbers(&self) -> usize {
        self.map.config().state().iter().product()
    }

    /// The label that a network takes for a class, or for none.
    pub fn label(&self, class: Option<u32>) -> u32 {
        let none = self.map.config().label_dim as u32;
        class.map_or(none, |class| class.min(none))
    }

    /// The scales of the class that may be asked for: 1, and those that it was trained with.
    pub fn guidance_scales(&self) -> Vec<f32> {
        let mut scales = vec![1.0];
        scales.extend(&self.map.config().model_guidance_class_ws);
        scales.sort_by(f32::total_cmp);
        scales.dedup();
        scales
    }
}

/// A wall: draws from `p(x_1 | x_t)` where `x_t` is a noised picture.
#[derive(Clone)]
pub struct WallRequest {
    /// The map.
    pub model: Arc<LoadedImages>,
    /// The clean picture.
    pub picture: Picture,
    /// Class of a generated picture; `None` for any.
    pub class: Option<u32>,
    /// Root of the noise in `x_t = (1 - t) noise + t picture`.
    pub noise: u64,
    /// Time of the state, in [0, 1].
    pub t: f64,
    /// Whether the draws are told `class`.
    pub tell_class: bool,
    /// Guidance scale where they are.
    pub guidance: f32,
    /// How to look ahead.
    pub source: Source,
    /// Root of the draws' noise: draw `i` is the same whatever their number.
    pub seed: u64,
    /// How many.
    pub draws: u32,
    /// What is rewarded: the draws are the same whatever it is.
    pub rewarding: Rewarding,
    /// Where the files are that it may ask.
    pub files: ScorerFiles,
}

impl WallRequest {
    /// What a session asks of a map.
    pub fn of(model: Arc<LoadedImages>, images: &Images, draws: u32) -> Self {
        Self {
            model,
            picture: images.picture.clone(),
            class: images.class,
            noise: images.noise,
            t: images.t,
            tell_class: images.tell_class,
            guidance: images.guidance,
            source: images.source,
            seed: images.seed,
            draws,
            rewarding: images.rewarding.clone(),
            files: images.files.clone(),
        }
    }

    /// The wall that a draw is one of, as far as that draw.
    pub fn of_recipe(model: Arc<LoadedImages>, recipe: &DrawRecipe) -> Self {
        Self {
            model,
            picture: recipe.picture.clone(),
            class: recipe.class,
            noise: recipe.noise,
            t: recipe.t,
            tell_class: recipe.tell_class,
            guidance: recipe.guidance,
            source: recipe.source,
            seed: recipe.seed,
            draws: recipe.item.saturating_add(1),
            rewarding: Rewarding::default(),
            files: ScorerFiles::default(),
        }
    }

    /// Whether both ask about the same state of the same map in the same way, for however many draws.
    pub fn same_question(&self, other: &Self) -> bool {
        let numbers = |r: &Self| {
            (
                r.class,
                r.noise,
                r.t,
                r.tell_class,
                r.guidance,
                r.source,
                r.seed,
            )
        };
        Arc::ptr_eq(&self.model, &other.model)
            && numbers(self) == numbers(other)
            && self.picture == other.picture
    }

    /// Whether both ask for the same.
    pub fn same(&self, other: &Self) -> bool {
        self.draws == other.draws
            && self.rewarding == other.rewarding
            && self.files == other.files
            && self.same_question(other)
    }
}

/// What the draws of a wall say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WallFigures {
    /// Mean of the draws, `[C][H][W]`: the denoised mean, estimated.
    pub mean: Vec<f32>,
    /// Standard deviation of the draws, `[C][H][W]`; zeros for fewer than two draws.
    pub deviation: Vec<f32>,
    /// Mean over pairs of the root mean square difference of two pictures, 0 black to 1 white; `NaN` for fewer than two.
    pub pairwise: f64,
    /// The same of what the classifier sees, root mean square a feature; `NaN` without one.
    pub pairwise_features: f64,
    /// What the classifier says, where there is one for such pictures.
    pub judged: Option<Judged>,
    /// Share of pictures whose likeliest class is each, `[classes]`; empty without a classifier.
    pub shares: Vec<f64>,
    /// Entropy of the shares, bits.
    pub entropy: f64,
}

/// Pictures whose every pair is compared: beyond, the first ones speak for all.
const MOST_COMPARED: usize = 256;

impl WallFigures {
    /// Of pictures `[n][numbers]`.
    pub fn new(pictures: &[f32], numbers: usize, judged: Option<Judged>) -> Self {
        let numbers = numbers.max(1);
        let count = pictures.len() / numbers;
        let (mut sum, mut squares) = (vec![0.0_f64; numbers], vec![0.0_f64; numbers]);
        for picture in pictures.chunks_exact(numbers) {
            for ((sum, square), v) in sum.iter_mut().zip(&mut squares).zip(picture) {
                *sum += f64::from(*v);
                *square += f64::from(*v) * f64::from(*v);
            }
        }
        let shares = judged.as_ref().map(Judged::label_shares);
        let shares = shares.unwrap_or_default();
        let n = count.max(1) as f64;
        let deviation = |(sum, square): (&f64, &f64)| {
            let spread = (square - sum * sum / n).max(0.0);
            (spread / (n - 1.0).max(1.0)).sqrt() as f32
        };
        let features = judged.as_ref().filter(|judged| judged.width > 0);
        let pairwise_features = features.map_or(f64::NAN, |judged| {
            // Not halved: features have no black and white.
            2.0 * pairwise(&judged.features, judged.width, count.min(MOST_COMPARED))
        });
        Self {
            pairwise_features,
            deviation: sum.iter().zip(&squares).map(deviation).collect(),
            mean: sum.iter().map(|sum| (sum / n) as f32).collect(),
            pairwise: pairwise(pictures, numbers, count.min(MOST_COMPARED)),
            entropy: entropy_bits(&shares),
            shares,
            judged,
        }
    }
}

fn entropy_bits(shares: &[f64]) -> f64 {
    let present = shares.iter().filter(|share| **share > 0.0);
    present
        .map(|share| -share * share.log2())
        .sum::<f64>()
        .max(0.0)
}

fn pairwise(pictures: &[f32], numbers: usize, count: usize) -> f64 {
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
    let pairs = count * count.saturating_sub(1) / 2;
    if pairs == 0 {
        f64::NAN
    } else {
        total / pairs as f64
    }
}

/// The latents of a wall.
#[derive(Clone)]
pub struct WallLatents {
    /// `[c, h, w]` of each.
    pub shape: [usize; 3],
    /// Of the clean picture, `[c][h][w]`.
    pub clean: Arc<[f32]>,
    /// The noisy state itself, `[c][h][w]`.
    pub x_t: Arc<[f32]>,
    /// Of the draws, `[n][c h w]`.
    pub draws: Arc<Vec<f32>>,
}

/// A wall, or the first pictures of one.
#[derive(Clone)]
pub struct WallAnswer {
    /// The request.
    pub request: Arc<WallRequest>,
    /// The clean picture, `[C][H][W]`.
    pub clean: Arc<[f32]>,
    /// The noisy state as it is shown, `[C][H][W]`.
    pub x_t: Arc<[f32]>,
    /// The first draws as they are shown, `[n][C H W]`.
    pub pictures: Arc<Vec<f32>>,
    /// The latents that these were decoded from; `None` where the map makes pictures.
    pub latents: Option<WallLatents>,
    /// How many of the first draws are as they are kept; those after them are shown until they are decoded.
    pub decoded: usize,
    /// The same where they are painted from; nothing where there is no graphics device.
    pub painted: PaintedDraws,
    /// Where the last of them were computed.
    pub compute: Compute,
    /// What they say together.
    pub figures: WallFigures,
    /// What the reward says of them, or why it cannot; `None` where nothing is rewarded or nothing is there.
    pub rewarded: Option<Result<WallScores, String>>,
    /// Whether all draws are there.
    pub complete: bool,
    /// From the start of the work to these draws.
    pub elapsed: Duration,
    /// Draws that were made in this time; others were there already.
    pub drawn: u32,
    /// Function evaluations spent.
    pub counters: Counters,
}

impl WallAnswer {
    /// How many draws are there.
    pub fn len(&self) -> usize {
        self.pictures.len() / self.request.model.numbers().max(1)
    }

    /// Whether no draw is there yet.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// What the reward says of the draws, where it says something.
    pub fn scores(&self) -> Option<&WallScores> {
        self.rewarded
            .as_ref()
            .and_then(|scores| scores.as_ref().ok())
    }

    /// The classifier's probabilities of draw `item`; empty where there are none.
    pub fn probabilities(&self, item: usize) -> &[f32] {
        let judged = self.figures.judged.as_ref();
        judged
            .and_then(|j| j.probabilities.chunks_exact(j.classes.max(1)).nth(item))
            .unwrap_or_default()
    }

    /// Draw `item`, `[C][H][W]`.
    pub fn picture(&self, item: usize) -> Option<&[f32]> {
        let numbers = self.request.model.numbers();
        self.pictures.get(item * numbers..(item + 1) * numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_two_pictures_are_their_mean_and_their_distance() {
        let figures = WallFigures::new(&[-1.0, 1.0, 1.0, 1.0], 2, None);
        assert_eq!(figures.mean, [0.0, 1.0]);
        // Of -1 and 1 with n - 1: the square root of 2.
        assert!((figures.deviation[0] - 2f32.sqrt()).abs() < 1e-6);
        assert_eq!(figures.deviation[1], 0.0);
        // One of two pixels differs by the whole range.
        assert!((figures.pairwise - 0.5f64.sqrt()).abs() < 1e-6);
        let one = WallFigures::new(&[0.5, 0.5], 2, None);
        assert_eq!(one.deviation, [0.0, 0.0]);
        assert!(one.pairwise.is_nan());
    }

    #[test]
    fn shares_count_the_likeliest_class_and_entropy_is_in_bits() {
        let judged = |probabilities: &[f32]| Judged {
            classes: 2,
            probabilities: probabilities.to_vec(),
            ..Judged::default()
        };
        let even = judged(&[0.9, 0.1, 0.2, 0.8, 0.4, 0.6, 0.7, 0.3]);
        let figures = WallFigures::new(&[0.0; 4], 1, Some(even));
        assert_eq!(figures.shares, [0.5, 0.5]);
        assert!((figures.entropy - 1.0).abs() < 1e-12);
        let sure = WallFigures::new(&[0.0], 1, Some(judged(&[1.0, 0.0])));
        assert_eq!(sure.entropy, 0.0);
    }
}
