//! Draws of images on any burn device, where the result stays: the plain path.
//!
//! [`super::draw_images`] is for the processor's kernel. This runs wherever burn runs, so that a picture can be painted
//! from the memory that it was computed in.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData};

use super::asked::{go_on, numbers};
use super::draw::ImageQuestion;
use super::first_class::{class_picks, draw_classes};
use super::noise::image_noise;
use crate::lookahead::rollout::{SdeGrid, sde_coefficients};
use crate::lookahead::{LookaheadError, NoiseKey, Source};
use crate::metrics::Counters;
use crate::mixture::glass_coefficients;
use crate::model::{BurnImageMap, Condition, ImageMap as _, MetaFlowMap as _, StateClassifier};
use crate::process::Purpose;

/// Draws `items` of `noise` from `p(x_1 | x_t)` with a network on a burn device, `[items, C H W]`, -1 black and 1 white.
/// `states`: what says which class a state becomes, as [`crate::model::ClassFirst`] would have it.
///
/// The same noise as [`super::draw_images`], so the same draws up to rounding. All items go through the network at
/// once, with others up to a power of two that nobody sees: shapes come in few sizes, since each is compiled once.
///
/// # Errors
/// As [`super::draw_images`].
pub fn draw_images_on_device(
    (map, states): (&BurnImageMap, Option<&StateClassifier>),
    source: Source,
    question: &ImageQuestion,
    noise: NoiseKey,
    items: Range<u32>,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Tensor<2>, LookaheadError> {
    question.check(map)?;
    let wanted = items.len();
    let mut call = Call {
        map,
        states,
        question,
        noise,
        first: items.start as usize,
        rows: wanted.next_power_of_two(),
        wanted: wanted as u64,
        counters,
        watch,
    };
    let images = match source {
        Source::OneStep => call.flow(1)?,
        Source::KStep(k) => call.flow(k)?,
        Source::Glass(steps) => call.glass(steps)?,
        Source::Sde(steps) => call.sde(steps)?,
        Source::Exact => return Err(LookaheadError::NoClosedForm),
    };
    let flat = images.reshape([call.rows, numbers(map)]);
    Ok(flat.narrow(0, 0, wanted))
}

/// Rows under one question.
struct Call<'a> {
    map: &'a BurnImageMap,
    states: Option<&'a StateClassifier>,
    question: &'a ImageQuestion,
    noise: NoiseKey,
    first: usize,
    rows: usize,
    /// Rows that were asked for.
    wanted: u64,
    counters: &'a mut Counters,
    watch: &'a mut dyn FnMut(f32) -> bool,
}

impl Call<'_> {
    fn column(&self, value: f64) -> Tensor<1> {
        Tensor::full([self.rows], value as f32, self.map.device())
    }

    fn images(&self, values: Vec<f32>) -> Tensor<4> {
        let [c, h, w] = self.map.config().state();
        let data = TensorData::new(values, [self.rows, c, h, w]);
        Tensor::from_data(data, self.map.device())
    }

    fn state(&self) -> Tensor<4> {
        self.images(self.question.x_t.repeat(self.rows))
    }

    fn normals(&self, purpose: Purpose, step: u32) -> Tensor<4> {
        let numbers = self.question.x_t.len();
        let mut values = vec![0.0; self.rows * numbers];
        let address = self.noise.address(purpose, step);
        image_noise(address, self.first, numbers, &mut values);
        self.images(values)
    }

    /// The class of all rows, told that `x_t` is their state at time `t`; at `t = 0` a state carries nothing.
    fn condition(&self, t: f64, x_t: Tensor<4>) -> Condition<4> {
        self.of_classes(&vec![self.question.label; self.rows], t, x_t)
    }

    /// The same, each row with its class; where none is asked for, one that the state becomes, if that is known.
    fn beginning_with_classes(&self) -> Condition<4> {
        let (t, none) = (self.question.t, self.map.config().label_dim as u32);
        let mut label = vec![self.question.label; self.rows];
        if let Some(states) = self.states.filter(|_| self.question.label == none) {
            let mut picks = vec![0.0; self.rows];
            class_picks(
                self.noise.address(Purpose::FirstClass, 0),
                self.first,
                &mut picks,
            );
            let x_t = self.question.x_t.repeat(self.rows);
            let times = vec![t as f32; self.rows];
            draw_classes(states, (&times, &x_t), &picks, none, &mut label);
        }
        self.of_classes(&label, t, self.state())
    }

    fn of_classes(&self, label: &[u32], t: f64, x_t: Tensor<4>) -> Condition<4> {
        let label: Vec<i32> = label.iter().map(|label| *label as i32).collect();
        let label = TensorData::new(label, [self.rows]);
        Condition {
            t: self.column(t),
            x_t: if t > 0.0 { x_t } else { x_t.zeros_like() },
            label: Some(Tensor::<1, Int>::from_data(label, self.map.device())),
            guidance_scale: Some(self.column(self.question.guidance.into())),
        }
    }

    fn velocity(&mut self, (s, u): (f64, f64), x: Tensor<4>, given: &Condition<4>) -> Tensor<4> {
        self.counters.network_forward += self.wanted;
        let (s, u) = (self.column(s), self.column(u));
        self.map.network().average_velocity(s, u, x, given)
    }

    fn flow(&mut self, k: u32) -> Result<Tensor<4>, LookaheadError> {
        let given = self.beginning_with_classes();
        let mut x = self.normals(Purpose::PosteriorDraw, 0);
        for step in 0..k {
            go_on(step, k, self.watch)?;
            let time = |step: u32| f64::from(step) / f64::from(k);
            let (s, u) = (time(step), time(step + 1));
            x = x.clone() + self.velocity((s, u), x, &given) * (u - s);
        }
        Ok(x)
    }

    /// Midpoint rule on the GLASS ODE (methods.md 3).
    fn glass(&mut self, steps: u32) -> Result<Tensor<4>, LookaheadError> {
        let x_t = self.state();
        let given = self.condition(0.0, x_t.clone());
        let mut inner = self.normals(Purpose::PosteriorDraw, 0);
        let h = 1.0 / f64::from(steps);
        for step in 0..steps {
            go_on(step, steps, self.watch)?;
            let s = f64::from(step) * h;
            let mut along = |s: f64, inner: Tensor<4>| {
                let c = glass_coefficients(s, self.question.t);
                let x_star = inner.clone() * c.x_star_inner + x_t.clone() * c.x_star_cond;
                let b = self.velocity((c.t_star, c.t_star), x_star, &given);
                inner * c.u_inner + x_t.clone() * c.u_cond + b * c.u_b
            };
            let mid = inner.clone() + along(s, inner.clone()) * (0.5 * h);
            inner = inner + along(s + 0.5 * h, mid) * h;
        }
        Ok(inner)
    }

    /// Ancestral steps of the memoryless SDE.
    fn sde(&mut self, steps: u32) -> Result<Tensor<4>, LookaheadError> {
        let mut x = self.state();
        let given = self.condition(0.0, x.clone());
        let grid = SdeGrid::new(self.question.t, steps);
        for step in 0..steps {
            go_on(step, steps, self.watch)?;
            let (now, next) = (grid.time(step), grid.time(step + 1));
            if next <= now {
                continue;
            }
            let c = sde_coefficients(now, next);
            let b = self.velocity((now, now), x.clone(), &given);
            let noise = self.normals(Purpose::RolloutStep, step);
            x = x * c.keep + b * c.velocity + noise * c.spread;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::Device;

    use super::*;
    use crate::lookahead::draw_images;
    use crate::model::{ClassFirst, Dit, DitConfig, made_state_classifier};

    #[test]
    fn draws_that_stay_on_their_device_are_those_of_the_processor() {
        let config = DitConfig::tiny(3);
        let device = Device::flex();
        let map = BurnImageMap::new(Dit::lively(&config, 3, &device), &device);
        let states = Arc::new(made_state_classifier([1, 8, 8], 3));
        let same = BurnImageMap::new(Dit::lively(&config, 3, &device), &device);
        let begun = ClassFirst::new(Arc::new(same), states.clone()).unwrap();
        let x_t: Arc<[f32]> = (0..64).map(|k| (0.3 * k as f32).sin()).collect();
        let noise = NoiseKey { seed: 5, state: 0 };
        for (t, label) in [(0.0, 2), (0.4, 2), (0.0, 3), (0.4, 3)] {
            let question = ImageQuestion {
                t,
                x_t: x_t.clone(),
                label,
                guidance: 1.0,
            };
            for source in [
                Source::OneStep,
                Source::KStep(3),
                Source::Glass(2),
                Source::Sde(4),
            ] {
                let (mut a, mut b) = (Counters::default(), Counters::default());
                let go = &mut |_| true;
                // Three rows of four: the numbers of an item say nothing of the range.
                let on_device = draw_images_on_device(
                    (&map, Some(&states)),
                    source,
                    &question,
                    noise,
                    2..5,
                    &mut a,
                    go,
                )
                .unwrap();
                let expected =
                    draw_images(&begun, source, &question, noise, 2..5, &mut b, go).unwrap();
                assert_eq!(on_device.dims(), [3, 64]);
                assert_eq!(a.network_forward, b.network_forward, "{source}");
                let values: Vec<f32> = on_device.into_data().try_into_vec().unwrap();
                for (a, b) in values.iter().zip(&expected) {
                    // f32 beside f64 sums over a few steps.
                    assert!((a - b).abs() < 1e-4, "{source} at {t}: {a} {b}");
                }
            }
        }
        let question = ImageQuestion {
            t: 0.5,
            x_t,
            label: 9,
            guidance: 1.0,
        };
        let refused = draw_images_on_device(
            (&map, None),
            Source::OneStep,
            &question,
            noise,
            0..1,
            &mut Counters::default(),
            &mut |_| true,
        );
        assert!(matches!(refused, Err(LookaheadError::Class { .. })));
    }
}
