//! Half-formed images, and the mean of what they could become.

use super::asked::Asked;
use super::draw::ImageQuestion;
use super::noise::image_noise;
use crate::lookahead::{LookaheadError, NoiseKey};
use crate::metrics::Counters;
use crate::model::ImageMap;
use crate::process::Purpose;

/// `x_t = (1 - t) x_0 + t x_1` of the image `x_1`, `[C][H][W]`, with the noise `x_0` of `noise` (its scene's).
///
/// The noise does not depend on `t`, so that the state moves on a line while the clock is scrubbed.
pub fn noised_image(x_1: &[f32], t: f64, noise: NoiseKey) -> Vec<f32> {
    let mut state = vec![0.0; x_1.len()];
    if !x_1.is_empty() {
        let address = noise.address(Purpose::Scene, 0);
        image_noise(address, 0, x_1.len(), &mut state);
    }
    for (x, clean) in state.iter_mut().zip(x_1) {
        *x = ((1.0 - t) * f64::from(*x) + t * f64::from(*clean)) as f32;
    }
    state
}

/// `E[x_1 | x_t] = x_t + (1 - t) b_t(x_t)`, `[C][H][W]`, with the map's own marginal velocity: Tweedie's mean, one
/// network call. A blur of all futures, and none of them.
///
/// # Errors
/// When the question is not one that the map can be asked.
pub fn mean_image(
    map: &dyn ImageMap,
    question: &ImageQuestion,
    counters: &mut Counters,
) -> Result<Vec<f32>, LookaheadError> {
    question.check(map)?;
    let asked = Asked::marginal(map, vec![question.label], question.guidance);
    let mut mean = vec![0.0; question.x_t.len()];
    let t = question.t;
    asked.velocity((t, t), &question.x_t, &mut mean, counters);
    for (b, x) in mean.iter_mut().zip(&*question.x_t) {
        *b = (f64::from(*x) + (1.0 - t) * f64::from(*b)) as f32;
    }
    Ok(mean)
}
