//! Images from noise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::asked::{Asked, check_class, go_on, numbers};
use super::first_class::class_picks;
use super::noise::image_noise;
use crate::lookahead::{LookaheadError, NoiseKey, Source};
use crate::metrics::Counters;
use crate::model::ImageMap;
use crate::process::Purpose;

/// A way from noise to an image with a Meta Flow Map (methods.md 4). Both take as many network calls as steps, and are
/// the same with one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageSampler {
    /// The flow of `t_cond = 0` in this many jumps: `X_{0,1/K}`, `X_{1/K,2/K}` and on. One noise decides the image.
    Flow(u32),
    /// Draw a future of the state, mix it with fresh noise to the next time, and again: each step is an exact
    /// transition, so errors of the map do not add up along a path.
    Kernel(u32),
}

impl ImageSampler {
    /// Network calls an image.
    pub const fn steps(self) -> u32 {
        match self {
            Self::Flow(k) | Self::Kernel(k) => k,
        }
    }
}

impl fmt::Display for ImageSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow(k) => write!(f, "flow:{k}"),
            Self::Kernel(k) => write!(f, "kernel:{k}"),
        }
    }
}

/// The text names no sampler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no sampler: write flow:K or kernel:K with 1 to {max} steps", max = Source::MAX_STEPS)]
pub struct ParseSamplerError(String);

impl FromStr for ImageSampler {
    type Err = ParseSamplerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseSamplerError(text.to_owned());
        let (name, steps) = text.split_once(':').ok_or_else(wrong)?;
        let steps = steps
            .parse()
            .ok()
            .filter(|k| (1..=Source::MAX_STEPS).contains(k))
            .ok_or_else(wrong)?;
        match name {
            "flow" => Ok(Self::Flow(steps)),
            "kernel" => Ok(Self::Kernel(steps)),
            _ => Err(wrong()),
        }
    }
}

/// Makes one image a label from noise: items `first..first + labels.len()` of `noise`, `[labels][C H W]`, -1 black and
/// 1 white. `label_dim` means no class.
///
/// An image depends on its number, its label and the key alone. `watch` is told the share done between network calls
/// and says whether to go on.
///
/// # Errors
/// When `watch` says no, or when the map knows no such class or guidance scale, or has no draws for the kernel.
pub fn generate_images(
    map: &dyn ImageMap,
    sampler: ImageSampler,
    (labels, guidance): (&[u32], f32),
    noise: NoiseKey,
    first: u32,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Vec<f32>, LookaheadError> {
    for label in labels {
        check_class(map, *label, guidance)?;
    }
    if matches!(sampler, ImageSampler::Kernel(_)) && !map.has_jumps() {
        return Err(LookaheadError::NoKernel(sampler.steps()));
    }
    let (numbers, at_once) = (numbers(map), map.rows_at_once());
    let mut out = vec![0.0_f32; labels.len() * numbers];
    let chunks = out
        .chunks_mut(at_once * numbers)
        .zip(labels.chunks(at_once));
    for (index, (x, chunk)) in chunks.enumerate() {
        let done = index * at_once;
        let from = first as usize + done;
        let mut watch =
            |inner: f32| watch((done as f32 + inner * chunk.len() as f32) / labels.len() as f32);
        let asked = || Asked::marginal(map, chunk.to_vec(), guidance);
        image_noise(noise.address(Purpose::Prior, 0), from, numbers, x);
        match sampler {
            ImageSampler::Flow(k) => asked().flow(k, x, counters, &mut watch)?,
            ImageSampler::Kernel(steps) => {
                let mut state = vec![0.0; x.len()];
                for step in 0..steps {
                    go_on(step, steps, &mut watch)?;
                    let time = |step: u32| f64::from(step) / f64::from(steps);
                    image_noise(noise.address(Purpose::Prior, step), from, numbers, x);
                    // x leaves as a future of the state.
                    let address = noise.address(Purpose::FirstClass, step);
                    let picks = |u: &mut [f32]| class_picks(address, from, u);
                    let given = asked().given(time(step), &state, picks);
                    given.flow(1, x, counters, &mut |_| true)?;
                    if step + 1 == steps {
                        break;
                    }
                    let next = time(step + 1);
                    let address = noise.address(Purpose::SamplerStep, step);
                    image_noise(address, from, numbers, &mut state);
                    for (state, x) in state.iter_mut().zip(&*x) {
                        *state = ((1.0 - next) * f64::from(*state) + next * f64::from(*x)) as f32;
                    }
                }
            }
        }
    }
    Ok(out)
}
