//! One function that draws from any source.

use crate::metrics::Counters;
use crate::mixture::Mixture;
use crate::model::FusedMlp;
use crate::process::{Address, Purpose, normal_pairs};

use super::rollout::{glass, sde};
use super::source::Source;

/// Rows between two looks at whether the work is still wanted.
const CHUNK: usize = 16_384;

/// Why there are no draws.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookaheadError {
    /// The work was no longer wanted.
    #[error("cancelled")]
    Cancelled,
    /// A learned source without a model.
    #[error(
        "the source '{0}' needs a checkpoint: open one, or choose glass, sde or exact, which work on the world alone"
    )]
    NoModel(Source),
    /// A fine-tuned velocity asked for the draws of a flow map.
    #[error(
        "the source '{0}' needs a flow map, and this checkpoint is a fine-tuned velocity: choose glass or sde, which follow it"
    )]
    VelocityOnly(Source),
    /// A fine-tuned velocity of images asked for the steps of the kernel sampler.
    #[error(
        "kernel:{0} needs a flow map, and this checkpoint is a fine-tuned velocity: choose flow:K, which follows it in K steps of its ODE (16 or more)"
    )]
    NoKernel(u32),
    /// The time lies outside [0, 1] or the state is not finite.
    #[error("t = {t}, x_t = ({x}, {y}): t must lie in [0, 1] and x_t must be finite")]
    State {
        /// Time, as text.
        t: String,
        /// First coordinate.
        x: String,
        /// Second coordinate.
        y: String,
    },
    /// The closed form of a posterior of images.
    #[error(
        "the source 'exact' is the closed form of a 2D world, which images do not have: choose one-step, k-step:K, glass:STEPS or sde:STEPS"
    )]
    NoClosedForm,
    /// The time lies outside [0, 1], or the state is not an image of the map's size in finite numbers.
    #[error(
        "t = {t}, a state of {found} numbers: t must lie in [0, 1] and the model wants {wanted} finite numbers"
    )]
    ImageState {
        /// Time, as text.
        t: String,
        /// Numbers of the state.
        found: usize,
        /// Numbers of an image.
        wanted: usize,
    },
    /// The map does not know the class.
    #[error("there is no class {label}: the model knows 0 to {}, and {classes} for none", .classes - 1)]
    Class {
        /// What was asked.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// The map was not trained with the guidance scale.
    #[error("the model was not trained with guidance {asked}: choose one of {known}")]
    Guidance {
        /// What was asked.
        asked: String,
        /// What there is.
        known: String,
    },
}

/// Names the noise of a set of draws: the same key, the same draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseKey {
    /// Root seed.
    pub seed: u64,
    /// Which state the draws belong to.
    pub state: u32,
}

impl NoiseKey {
    /// The address of one kind of noise at one step.
    pub fn address(self, purpose: Purpose, step: u32) -> Address {
        Address {
            seed: self.seed,
            purpose,
            state: self.state,
            step,
        }
    }
}

/// The marginal velocity `b_t` that rollouts integrate.
#[derive(Clone, Copy)]
pub enum Velocity<'a> {
    /// The closed form.
    Exact(&'a Mixture),
    /// `v(t, t, x; 0, 0)` of a Meta Flow Map.
    Learned(&'a FusedMlp),
}

impl Velocity<'_> {
    /// `out[i] = b_t(x[i])`. Counts one network call a row where a network is asked.
    pub fn eval(self, t: f64, x: &[[f32; 2]], out: &mut [[f32; 2]], counters: &mut Counters) {
        match self {
            Self::Exact(mixture) => mixture.velocity_field(t).eval_into(x, out),
            Self::Learned(network) => {
                network.velocity_into(t as f32, t as f32, 0.0, [0.0; 2], x, out);
                counters.network_forward += x.len() as u64;
            }
        }
    }
}

/// Draws items `first..first + out.len()` of `noise` from `p(x_1 | x_t)`, shape `[N, 2]`, world units.
///
/// A draw's value depends on its number and the key alone, never on how many are drawn with it.
/// `watch` is told the share done between network calls and says whether to go on.
///
/// # Errors
/// When `watch` says no, when a learned source has no model, or when the state is not one.
pub fn draw(
    source: Source,
    world: &Mixture,
    model: Option<&FusedMlp>,
    (t, x_t): (f64, [f64; 2]),
    noise: NoiseKey,
    first: usize,
    out: &mut [[f32; 2]],
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<(), LookaheadError> {
    if !(0.0..=1.0).contains(&t) || !x_t.iter().all(|v| v.is_finite()) {
        return Err(LookaheadError::State {
            t: t.to_string(),
            x: x_t[0].to_string(),
            y: x_t[1].to_string(),
        });
    }
    let network = || {
        let model = model.ok_or(LookaheadError::NoModel(source))?;
        if model.is_map() {
            Ok(model)
        } else {
            Err(LookaheadError::VelocityOnly(source))
        }
    };
    let velocity = model.map_or(Velocity::Exact(world), Velocity::Learned);
    let total = out.len().max(1);
    let x_cond = [x_t[0] as f32, x_t[1] as f32];
    let posterior = matches!(source, Source::Exact).then(|| world.posterior(t, x_t));

    for (index, chunk) in out.chunks_mut(CHUNK).enumerate() {
        let start = first + index * CHUNK;
        let done = index * CHUNK;
        let len = chunk.len();
        let mut step_watch = |inner: f32| watch((done as f32 + inner * len as f32) / total as f32);
        if !step_watch(0.0) {
            return Err(LookaheadError::Cancelled);
        }
        if let Some(posterior) = &posterior {
            posterior.sample_into(noise.address(Purpose::PosteriorDraw, 0), start, chunk);
            continue;
        }
        normal_pairs(noise.address(Purpose::PosteriorDraw, 0), start, chunk);
        match source {
            Source::OneStep => flow(network()?, 1, t, x_cond, chunk, counters, &mut step_watch)?,
            Source::KStep(k) => flow(network()?, k, t, x_cond, chunk, counters, &mut step_watch)?,
            Source::Glass(steps) => {
                glass(velocity, steps, t, x_t, chunk, counters, &mut step_watch)?;
            }
            Source::Sde(steps) => {
                let noise = (noise, start);
                sde(
                    velocity,
                    steps,
                    t,
                    x_t,
                    noise,
                    chunk,
                    counters,
                    &mut step_watch,
                )?;
            }
            Source::Exact => {}
        }
    }
    Ok(())
}

/// `k` compositions of the flow map over `linspace(0, 1, k + 1)` under one `(t, x_t)`.
fn flow(
    network: &FusedMlp,
    k: u32,
    t: f64,
    x_t: [f32; 2],
    x: &mut [[f32; 2]],
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<(), LookaheadError> {
    for step in 0..k {
        if step > 0 && !watch(step as f32 / k as f32) {
            return Err(LookaheadError::Cancelled);
        }
        let (s, u) = (
            f64::from(step) / f64::from(k),
            f64::from(step + 1) / f64::from(k),
        );
        network.flow_map_in_place(s as f32, u as f32, t as f32, x_t, x);
        counters.network_forward += x.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{floor_sliced_w2, sliced_w2};
    use crate::mixture::Preset;

    fn draws(source: Source, world: &Mixture, t: f64, x: [f64; 2], n: usize) -> Vec<[f32; 2]> {
        let mut out = vec![[0.0; 2]; n];
        draw(
            source,
            world,
            None,
            (t, x),
            NoiseKey { seed: 7, state: 0 },
            0,
            &mut out,
            &mut Counters::default(),
            &mut |_| true,
        )
        .unwrap();
        out
    }

    #[test]
    fn rollouts_of_the_exact_velocity_reach_the_exact_posterior() {
        let world = Preset::Three.mixture();
        for t in [0.0, 0.2, 0.5, 0.8] {
            let x = [-0.6, -0.8];
            let exact = draws(Source::Exact, &world, t, x, 4096);
            let floor = floor_sliced_w2(&world.posterior(t, x), 4096, 1);
            for source in [Source::Glass(32), Source::Sde(200)] {
                let got = draws(source, &world, t, x, 4096);
                let distance = sliced_w2(&exact, &got, 64);
                // Twice the floor plus the first-order bias of 200 ancestral steps.
                assert!(
                    distance < 2.0 * floor + 0.06,
                    "{source} at {t}: {distance}, floor {floor}"
                );
            }
        }
    }

    #[test]
    fn a_draw_keeps_its_value_whatever_the_number_of_draws() {
        let world = Preset::Ring8.mixture();
        for source in [Source::Glass(4), Source::Sde(8), Source::Exact] {
            let few = draws(source, &world, 0.3, [0.4, 0.2], 100);
            let many = draws(source, &world, 0.3, [0.4, 0.2], 20_000);
            assert_eq!(few[..], many[..100], "{source}");
        }
    }

    #[test]
    fn a_learned_source_without_a_model_says_what_to_do() {
        let world = Preset::Two.mixture();
        let error = draw(
            Source::OneStep,
            &world,
            None,
            (0.3, [0.0; 2]),
            NoiseKey { seed: 0, state: 0 },
            0,
            &mut [[0.0; 2]; 4],
            &mut Counters::default(),
            &mut |_| true,
        )
        .unwrap_err();
        assert!(error.to_string().contains("needs a checkpoint"));
    }

    #[test]
    fn a_draw_that_is_no_longer_wanted_stops() {
        let world = Preset::Two.mixture();
        let mut looks = 0;
        let result = draw(
            Source::Glass(64),
            &world,
            None,
            (0.3, [0.0; 2]),
            NoiseKey { seed: 0, state: 0 },
            0,
            &mut [[0.0; 2]; 64],
            &mut Counters::default(),
            &mut |_| {
                looks += 1;
                looks < 5
            },
        );
        assert_eq!(result, Err(LookaheadError::Cancelled));
        assert_eq!(looks, 5);
    }
}
