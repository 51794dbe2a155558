//! Addressed randomness: draw 17 of state 3 has the same noise whatever the batch, the order or the thread.
//!
//! An [`Address`] is packed as it is into a ChaCha8 key, so two addresses never share a stream, and an item is a
//! position in that stream. The normals are made with integer and IEEE-exact operations alone (no call into the
//! platform's `ln` or `cos`), so they are the same bits on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// What a stream of random numbers is for. Streams of different purposes are independent.
///
/// The numbers are part of every saved run: never change one, only add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// Noise that starts a posterior draw (the `eps` of a flow map).
    PosteriorDraw = 1,
    /// The same for the second source of an overlay.
    OverlayDraw = 2,
    /// One step of an SDE rollout.
    RolloutStep = 3,
    /// Which component an exact mixture draw takes.
    ExactComponent = 4,
    /// Clean data used in training.
    TrainData = 5,
    /// Noises of the training items.
    TrainNoise = 6,
    /// Times of the training items.
    TrainTime = 7,
    /// States `x_t` of an evaluation.
    EvalState = 8,
    /// Exact draws that an evaluation compares with.
    EvalDraw = 9,
    /// Pairs of exact samples that make a floor.
    Floor = 10,
    /// A scene's own choices, such as where `x_t` starts.
    Scene = 11,
    /// Initial weights of a network.
    Init = 12,
    /// Noise that starts a generated sample.
    Prior = 13,
    /// Noise of a sampler's own step.
    SamplerStep = 14,
    /// Resampling of particles.
    Resample = 15,
    /// The class that a posterior draw begins with.
    FirstClass = 25,
    /// Where groups of similar pictures begin.
    Groups = 24,
    /// Only tests use it.
    Test = 1000,
}

/// Where a random number lives. Items (draws) are numbered within an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// Root seed of the run.
    pub seed: u64,
    /// What the numbers are for.
    pub purpose: Purpose,
    /// Which state (particle, `x_t`, training batch) they belong to.
    pub state: u32,
    /// Which step of that state's computation.
    pub step: u32,
}

impl Address {
    /// Step 0 of a state.
    pub const fn new(seed: u64, purpose: Purpose, state: u32) -> Self {
        Self {
            seed,
            purpose,
            state,
            step: 0,
        }
    }

    /// The same address at another step.
    #[must_use]
    pub const fn at_step(self, step: u32) -> Self {
        Self { step, ..self }
    }

    /// The stream from which an exact draw at this address picks its component.
    ///
    /// The purpose is folded into the seed: two samples that differ in purpose alone must not share components.
    #[must_use]
    pub const fn component(self) -> Self {
        Self {
            seed: split_mix(self.seed ^ ((self.purpose as u64) << 32)),
            purpose: Purpose::ExactComponent,
            ..self
        }
    }

    /// The stream, standing at 32-bit word `word`.
    fn stream(self, word: u128) -> ChaCha8Rng {
        let mut key = *b"....................foresight/v1";
        key[0..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..12].copy_from_slice(&(self.purpose as u32).to_le_bytes());
        key[12..16].copy_from_slice(&self.state.to_le_bytes());
        key[16..20].copy_from_slice(&self.step.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_word_pos(word);
        stream
    }
}

/// SplitMix64's finaliser, a bijection that mixes all bits.
const fn split_mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Items that one thread fills at a time; smaller requests stay on the calling thread.
const CHUNK: usize = 8192;
/// Items whose words are fetched together, so that the arithmetic after it is one plain loop.
const BLOCK: usize = 64;

/// `out[i]` = the two standard normals of item `first + i`, whatever the batch. Each item uses two words (Box-Muller).
pub fn normal_pairs(addr: Address, first: usize, out: &mut [[f32; 2]]) {
    fill_in_chunks(out, first, |from, chunk| {
        let mut stream = addr.stream(2 * from as u128);
        let mut words = [[0_u32; 2]; BLOCK];
        for block in chunk.chunks_mut(BLOCK) {
            for pair in &mut words[..block.len()] {
                *pair = [stream.next_u32(), stream.next_u32()];
            }
            for (pair, out) in words.iter().zip(block) {
                *out = box_muller(*pair);
            }
        }
    });
}

/// `out[i]` = the uniform of item `first + i`, strictly between 0 and 1. Each item uses one word (its upper 23 bits).
pub fn uniforms(addr: Address, first: usize, out: &mut [f32]) {
    const SCALE: f32 = 1.0 / (1_u32 << 23) as f32;
    fill_in_chunks(out, first, |from, chunk| {
        let mut stream = addr.stream(from as u128);
        for out in chunk {
            // 23 bits and a half are exact in f32, so neither 0 nor 1 can come out.
            *out = ((stream.next_u32() >> 9) as f32 + 0.5) * SCALE;
        }
    });
}

fn fill_in_chunks<T: Send>(out: &mut [T], first: usize, fill: impl Fn(usize, &mut [T]) + Sync) {
    if out.len() < 2 * CHUNK {
        fill(first, out);
    } else {
        out.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(i, chunk)| fill(first + i * CHUNK, chunk));
    }
}

/// Two independent standard normals from two words. The largest radius is `sqrt(-2 ln 2^-33) = 6.76`.
#[inline]
fn box_muller([radius, angle]: [u32; 2]) -> [f32; 2] {
    const SCALE: f64 = 1.0 / 4_294_967_296.0;
    let r = (-2.0 * ln_unit((f64::from(radius) + 0.5) * SCALE)).sqrt();
    let (sin, cos) = sin_cos_turn(angle);
    [(r * cos) as f32, (r * sin) as f32]
}

/// `ln u` for `u` in (0, 1), to about 1e-12: `u = m 2^e` with `m` in `[sqrt(1/2), sqrt(2))`, then
/// `ln m = 2 artanh((m - 1) / (m + 1))` by its series.
#[inline]
fn ln_unit(u: f64) -> f64 {
    // Adding this to the bits moves the boundary between exponents from 1 to sqrt(2).
    const SHIFT: u64 = 0x3ff0_0000_0000_0000 - 0x3fe6_a09e_667f_3bcd;
    let shifted = u.to_bits() + SHIFT;
    let exponent = (shifted >> 52) as i32 - 1023;
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + 0x3fe6_a09e_667f_3bcd);
    let f = (m - 1.0) / (m + 1.0);
    let g = f * f;
    let series = 1.0
        + g * (1.0 / 3.0
            + g * (1.0 / 5.0
                + g * (1.0 / 7.0 + g * (1.0 / 9.0 + g * (1.0 / 11.0 + g * (1.0 / 13.0))))));
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * f * series
}

/// Sine and cosine of `2 pi (word + 1/2) / 2^32`, to about 1e-11: the upper two bits are the quadrant, the rest an
/// angle within `pi / 4` of its middle, where short series suffice.
#[inline]
fn sin_cos_turn(word: u32) -> (f64, f64) {
    const HALF_SQRT: f64 = std::f64::consts::FRAC_1_SQRT_2;
    const SCALE: f64 = std::f64::consts::FRAC_PI_2 / 1_073_741_824.0;
    let quadrant = word >> 30;
    let a = (f64::from(word & 0x3fff_ffff) + 0.5 - 536_870_912.0) * SCALE;
    let g = a * a;
    let sin_a = a
        * (1.0
            - g / 6.0
                * (1.0
                    - g / 20.0
                        * (1.0
                            - g / 42.0
                                * (1.0 - g / 72.0 * (1.0 - g / 110.0 * (1.0 - g / 156.0))))));
    let cos_a = 1.0
        - g / 2.0
            * (1.0
                - g / 12.0
                    * (1.0
                        - g / 30.0
                            * (1.0
                                - g / 56.0
                                    * (1.0 - g / 90.0 * (1.0 - g / 132.0 * (1.0 - g / 182.0))))));
    // Turn by pi / 4 to the quadrant's middle, then by whole quadrants.
    let (sin, cos) = (HALF_SQRT * (cos_a + sin_a), HALF_SQRT * (cos_a - sin_a));
    let (sin, cos) = if quadrant & 1 == 1 {
        (cos, -sin)
    } else {
        (sin, cos)
    };
    if quadrant & 2 == 2 {
        (-sin, -cos)
    } else {
        (sin, cos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Address = Address {
        seed: 7,
        purpose: Purpose::Test,
        state: 3,
        step: 2,
    };

    fn normals(addr: Address, first: usize, count: usize) -> Vec<[f32; 2]> {
        let mut out = vec![[0.0; 2]; count];
        normal_pairs(addr, first, &mut out);
        out
    }

    #[test]
    fn a_draw_keeps_its_noise_whatever_the_batch_and_the_offset() {
        // 40,000 items are filled by several threads, the others by one; offsets straddle ChaCha's blocks.
        let all = normals(HERE, 0, 40_000);
        for (first, count) in [
            (0, 1),
            (1, 1),
            (17, 3),
            (7, 100),
            (8_191, 2),
            (39_999, 1),
            (123, 30_000),
        ] {
            assert_eq!(normals(HERE, first, count), all[first..first + count]);
        }
        let mut u = vec![0.0; 40_000];
        uniforms(HERE, 0, &mut u);
        for (first, count) in [(0, 1), (15, 2), (16, 1), (8_191, 5), (333, 20_000)] {
            let mut part = vec![0.0; count];
            uniforms(HERE, first, &mut part);
            assert_eq!(part, u[first..first + count]);
        }
    }

    #[test]
    fn noise_never_changes_between_releases() {
        // Saved runs replay from these numbers: a change here breaks every one of them.
        let bits: Vec<[u32; 2]> = normals(HERE, 0, 2)
            .iter()
            .map(|pair| pair.map(f32::to_bits))
            .collect();
        assert_eq!(
            bits,
            [[0x3fd4_8d90, 0xbf8e_432b], [0xbf39_8545, 0xbf48_0564]]
        );
        let mut u = [0.0; 2];
        uniforms(HERE, 0, &mut u);
        assert_eq!(u.map(f32::to_bits), [0x3e0b_1604, 0x3f67_f7e5]);
    }

    #[test]
    fn the_normals_are_standard() {
        // 400,000 numbers: standard errors 0.0016 (mean), 0.0022 (variance), 0.0039 (skew), 0.0077 (kurtosis).
        let pairs = normals(HERE, 0, 200_000);
        let values: Vec<f64> = pairs.iter().flatten().map(|v| f64::from(*v)).collect();
        let moment = |p: i32| values.iter().map(|v| v.powi(p)).sum::<f64>() / values.len() as f64;
        assert!(moment(1).abs() < 0.007);
        assert!((moment(2) - 1.0).abs() < 0.01);
        assert!(moment(3).abs() < 0.025);
        assert!((moment(4) - 3.0).abs() < 0.07);
        let cross = pairs.iter().map(|[a, b]| f64::from(a * b)).sum::<f64>() / pairs.len() as f64;
        assert!(cross.abs() < 0.01);
        let beyond_two =
            values.iter().filter(|v| v.abs() > 2.0).count() as f64 / values.len() as f64;
        assert!((beyond_two - 0.0455).abs() < 0.0015);
    }

    #[test]
    fn the_uniforms_fill_the_open_unit_interval_evenly() {
        let mut u = vec![0.0_f32; 200_000];
        uniforms(HERE, 0, &mut u);
        assert!(u.iter().all(|v| *v > 0.0 && *v < 1.0));
        let mut bins = [0_usize; 20];
        for v in &u {
            bins[(v * 20.0) as usize] += 1;
        }
        // chi^2 with 19 degrees of freedom: 99.99 % lie below 51.
        let chi: f64 = bins.iter().map(|b| (*b as f64 - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 51.0, "{chi}");
    }

    #[test]
    fn addresses_that_differ_in_one_part_are_uncorrelated() {
        let n = 20_000;
        let base = normals(HERE, 0, n);
        let others = [
            Address { seed: 8, ..HERE },
            Address {
                purpose: Purpose::PosteriorDraw,
                ..HERE
            },
            Address { state: 4, ..HERE },
            Address { step: 3, ..HERE },
            Address {
                state: 2,
                step: 3,
                ..HERE
            },
        ];
        for other in others {
            let noise = normals(other, 0, n);
            for i in 0..2 {
                for j in 0..2 {
                    let corr: f64 = base
                        .iter()
                        .zip(&noise)
                        .map(|(a, b)| f64::from(a[i] * b[j]))
                        .sum::<f64>()
                        / n as f64;
                    // Standard error 0.007.
                    assert!(corr.abs() < 0.035, "{other:?}: {corr}");
                }
            }
        }
        assert_ne!(
            HERE.component(),
            Address {
                purpose: Purpose::Floor,
                ..HERE
            }
            .component(),
            "samples of two purposes must not share their components"
        );
    }

    #[test]
    fn the_series_agree_with_the_library() {
        for k in 0..100_000_u32 {
            let word = k.wrapping_mul(0x9e37_79b9);
            let u = (f64::from(word) + 0.5) / 4_294_967_296.0;
            assert!((ln_unit(u) - u.ln()).abs() < 1e-11, "{u}");
            let (sin, cos) = sin_cos_turn(word);
            let angle = std::f64::consts::TAU * u;
            assert!(
                (sin - angle.sin()).abs() < 1e-10 && (cos - angle.cos()).abs() < 1e-10,
                "{u}"
            );
        }
        assert!((ln_unit(0.5 / 4_294_967_296.0) - (0.5_f64 / 4_294_967_296.0).ln()).abs() < 1e-11);
    }
}
