//! A generation under way: the state of a flow at any time between noise and the picture.

use super::asked::{Asked, check_class, go_on, numbers};
use super::noise::image_noise;
use crate::lookahead::{LookaheadError, NoiseKey};
use crate::metrics::Counters;
use crate::model::ImageMap;
use crate::process::Purpose;

/// The generation of one image in `K` jumps along the flow, as [`super::ImageSampler::Flow`] makes it, with the state
/// after each jump. It can be looked up at any time: between two of its own times the map jumps to the one that is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningImage {
    label: u32,
    guidance: f32,
    steps: u32,
    /// `[K + 1][C H W]`, noise first.
    states: Vec<f32>,
}

impl RunningImage {
    /// Runs the generation to its end: item 0 of `noise`, `steps` network calls.
    ///
    /// # Errors
    /// When `watch` says no, or when the map knows no such class or guidance scale.
    pub fn new(
        map: &dyn ImageMap,
        steps: u32,
        (label, guidance): (u32, f32),
        noise: NoiseKey,
        counters: &mut Counters,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<Self, LookaheadError> {
        check_class(map, label, guidance)?;
        let steps = steps.max(1);
        let numbers = numbers(map);
        let asked = Asked::marginal(map, vec![label], guidance);
        let mut states = vec![0.0; (steps as usize + 1) * numbers];
        let address = noise.address(Purpose::Prior, 0);
        image_noise(address, 0, numbers, &mut states[..numbers]);
        let mut v = vec![0.0; numbers];
        for step in 0..steps {
            go_on(step, steps, watch)?;
            let time = |step: u32| f64::from(step) / f64::from(steps);
            let (before, after) = states.split_at_mut((step as usize + 1) * numbers);
            let x = &before[step as usize * numbers..];
            let (s, u) = (time(step), time(step + 1));
            asked.velocity((s, u), x, &mut v, counters);
            jump(x, &v, u - s, &mut after[..numbers]);
        }
        Ok(Self {
            label,
            guidance,
            steps,
            states,
        })
    }

    /// The finished image, `[C][H][W]`.
    pub fn image(&self) -> &[f32] {
        let numbers = self.states.len() / (self.steps as usize + 1);
        &self.states[self.steps as usize * numbers..]
    }

    /// Its state at time `t` in [0, 1], `[C][H][W]`: one network call, or none at its own times.
    pub fn state(&self, map: &dyn ImageMap, t: f64, counters: &mut Counters) -> Vec<f32> {
        let numbers = self.states.len() / (self.steps as usize + 1);
        let step = (t.clamp(0.0, 1.0) * f64::from(self.steps)).floor() as usize;
        let step = step.min(self.steps as usize);
        let x = &self.states[step * numbers..][..numbers];
        let s = step as f64 / f64::from(self.steps);
        if t <= s {
            return x.to_vec();
        }
        let asked = Asked::marginal(map, vec![self.label], self.guidance);
        let (mut v, mut out) = (vec![0.0; numbers], vec![0.0; numbers]);
        asked.velocity((s, t), x, &mut v, counters);
        jump(x, &v, t - s, &mut out);
        out
    }
}

fn jump(x: &[f32], v: &[f32], h: f64, out: &mut [f32]) {
    for ((out, x), v) in out.iter_mut().zip(x).zip(v) {
        *out = x + h as f32 * v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookahead::{ImageSampler, generate_images};
    use crate::model::{BurnImageMap, Dit, DitConfig};

    fn map() -> BurnImageMap {
        let config = DitConfig::tiny(3);
        let device = burn::tensor::Device::flex();
        BurnImageMap::new(Dit::lively(&config, 3, &device), &device)
    }

    fn running(map: &BurnImageMap, steps: u32) -> RunningImage {
        let noise = NoiseKey { seed: 5, state: 0 };
        let counters = &mut Counters::default();
        let run = RunningImage::new(map, steps, (1, 1.0), noise, counters, &mut |_| true).unwrap();
        assert_eq!(counters.network_forward, u64::from(steps));
        run
    }

    #[test]
    fn a_generation_ends_where_the_sampler_ends_and_is_the_same_each_time() {
        let map = map();
        let noise = NoiseKey { seed: 5, state: 0 };
        let counters = &mut Counters::default();
        let made = generate_images(
            &map,
            ImageSampler::Flow(4),
            (&[1], 1.0),
            noise,
            0,
            counters,
            &mut |_| true,
        )
        .unwrap();
        let run = running(&map, 4);
        assert_eq!(run.image(), made);
        assert_eq!(run, running(&map, 4));
        assert_eq!(run.state(&map, 1.0, counters), made);
    }

    #[test]
    fn states_between_two_steps_join_them_and_cost_one_call() {
        let map = map();
        let run = running(&map, 4);
        let far = |a: &[f32], b: &[f32]| {
            let squared = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
            squared.sum::<f32>().sqrt()
        };
        let mut counters = Counters::default();
        let noise = run.state(&map, 0.0, &mut counters);
        let quarter = run.state(&map, 0.25, &mut counters);
        assert_eq!(counters.network_forward, 0, "kept states cost nothing");
        let just_before = run.state(&map, 0.25 - 1e-4, &mut counters);
        let just_after = run.state(&map, 0.25 + 1e-4, &mut counters);
        assert_eq!(counters.network_forward, 2);
        let moved = far(&noise, &quarter);
        assert!(moved > 0.0);
        // A jump of a ten-thousandth moves by about a ten-thousandth of a velocity, before as after.
        for near in [&just_before, &just_after] {
            let gap = far(near, &quarter);
            assert!(gap > 0.0 && gap < 0.05 * moved, "{gap} of {moved}");
        }
    }

    #[test]
    fn a_generation_that_nobody_wants_stops() {
        let map = map();
        let noise = NoiseKey { seed: 5, state: 0 };
        let mut counters = Counters::default();
        let result = RunningImage::new(&map, 4, (1, 1.0), noise, &mut counters, &mut |share| {
            share < 0.4
        });
        assert!(matches!(result, Err(LookaheadError::Cancelled)));
        assert_eq!(counters.network_forward, 2);
        let unknown = RunningImage::new(&map, 4, (9, 1.0), noise, &mut counters, &mut |_| true);
        assert!(matches!(unknown, Err(LookaheadError::Class { .. })));
    }
}
