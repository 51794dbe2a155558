//! What one training step sees: times, states and the velocity they are taught (methods.md 4).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::mixture::Mixture;
use crate::process::{Address, Purpose, normal_pairs, uniforms};

/// Where the velocity of a training item comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Teacher {
    /// The exact GLASS velocity of the mixture: the mean of what data would say, without its noise.
    Exact,
    /// `x_1 - x_0` of the item itself, as with real data.
    Data,
}

/// How times are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeLaw {
    /// `t = r^power`, `r` uniform: above 1, more items near noise.
    pub power: f32,
    /// Probability of `t = 0`, where `x_t` is zero too: the marginal flow.
    pub unconditional: f32,
    /// Probability that an off-diagonal item spans the whole way, `s = 0` and `u = 1`: the one-step draw itself.
    pub whole: f32,
}

/// Items of one step. The first `diagonal` have `s = u`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Start of the jump.
    pub s: Vec<f32>,
    /// End of the jump.
    pub u: Vec<f32>,
    /// Time of the conditioning state.
    pub t: Vec<f32>,
    /// Where the jump starts, `I_s`.
    pub x: Vec<[f32; 2]>,
    /// The conditioning state.
    pub x_t: Vec<[f32; 2]>,
    /// Velocity of the inner flow at `(s, I_s)`.
    pub velocity: Vec<[f32; 2]>,
    /// One uniform number an item, for losses that need a middle time.
    pub middle: Vec<f32>,
    /// How strongly each item is held to its place: its error is `hold v - velocity`, and its gradient that error.
    /// Empty: 1, as in all training but fine-tuning.
    pub hold: Vec<f32>,
}

/// How a batch is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchPlan<'a> {
    /// The world.
    pub world: &'a Mixture,
    /// Root seed of the run.
    pub seed: u64,
    /// Items.
    pub size: usize,
    /// Items on the diagonal.
    pub diagonal: usize,
    /// Law of the times.
    pub times: TimeLaw,
    /// Where velocities come from.
    pub teacher: Teacher,
}

impl BatchPlan<'_> {
    /// The batch of one step: the same whenever and wherever it is asked.
    pub fn at(&self, step: u32) -> Batch {
        let n = self.size;
        let points = |purpose, part| {
            let mut out = vec![[0.0_f32; 2]; n];
            normal_pairs(
                Address::new(self.seed, purpose, step).at_step(part),
                0,
                &mut out,
            );
            out
        };
        let numbers = |part| {
            let mut out = vec![0.0_f32; n];
            uniforms(
                Address::new(self.seed, Purpose::TrainTime, step).at_step(part),
                0,
                &mut out,
            );
            out
        };
        let mut x_1 = vec![[0.0_f32; 2]; n];
        self.world.sample_into(
            Address::new(self.seed, Purpose::TrainData, step),
            0,
            &mut x_1,
        );
        let (outer, inner) = (
            points(Purpose::TrainNoise, 0),
            points(Purpose::TrainNoise, 1),
        );
        let (r, keep, a, b, whole) = (numbers(0), numbers(1), numbers(2), numbers(3), numbers(4));
        let middle = numbers(5);

        let mut batch = Batch {
            middle,
            ..Batch::default()
        };
        for i in 0..n {
            let (s, u) = if i < self.diagonal {
                (a[i], a[i])
            } else if whole[i] < self.times.whole {
                (0.0, 1.0)
            } else {
                (a[i].min(b[i]), a[i].max(b[i]))
            };
            let conditional = keep[i] >= self.times.unconditional;
            let t = if conditional {
                r[i].powf(self.times.power)
            } else {
                0.0
            };
            batch.s.push(s);
            batch.u.push(u);
            batch.t.push(t);
            batch.x.push(std::array::from_fn(|d| {
                (1.0 - s) * inner[i][d] + s * x_1[i][d]
            }));
            batch.x_t.push(std::array::from_fn(|d| {
                if conditional {
                    (1.0 - t) * outer[i][d] + t * x_1[i][d]
                } else {
                    0.0
                }
            }));
        }
        batch.velocity = match self.teacher {
            Teacher::Data => (0..n)
                .map(|i| std::array::from_fn(|d| x_1[i][d] - inner[i][d]))
                .collect(),
            Teacher::Exact => (0..n)
                .into_par_iter()
                .with_min_len(32)
                .map(|i| {
                    let (x, x_t) = (batch.x[i].map(f64::from), batch.x_t[i].map(f64::from));
                    let (s, t) = (f64::from(batch.s[i]), f64::from(batch.t[i]));
                    self.world.glass_velocity(s, x, t, x_t).map(|v| v as f32)
                })
                .collect(),
        };
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::Preset;

    fn plan(world: &Mixture, teacher: Teacher) -> BatchPlan<'_> {
        BatchPlan {
            world,
            seed: 1,
            size: 4096,
            diagonal: 1024,
            times: TimeLaw {
                power: 1.5,
                unconditional: 0.1,
                whole: 0.0,
            },
            teacher,
        }
    }

    #[test]
    fn a_step_always_sees_the_same_batch_and_no_other_step_does() {
        let world = Preset::Two.mixture();
        let plan = plan(&world, Teacher::Exact);
        assert_eq!(plan.at(3), plan.at(3));
        assert_ne!(plan.at(3).x, plan.at(4).x);
    }

    #[test]
    fn times_obey_their_law_and_unconditional_items_carry_no_state() {
        let world = Preset::Two.mixture();
        let batch = plan(&world, Teacher::Exact).at(0);
        let zero = batch.t.iter().filter(|t| **t == 0.0).count() as f64 / 4096.0;
        // Standard error 0.005.
        assert!((zero - 0.1).abs() < 0.02, "{zero}");
        for i in 0..4096 {
            assert!(
                (0.0..=1.0).contains(&batch.s[i]) && batch.s[i] <= batch.u[i] && batch.u[i] <= 1.0
            );
            assert_eq!(batch.s[i] == batch.u[i], i < 1024);
            assert!(batch.t[i] != 0.0 || batch.x_t[i] == [0.0; 2]);
        }
    }

    #[test]
    fn the_exact_teacher_is_the_mean_of_what_data_says() {
        // Given (s, I_s, t, x_t) the exact velocity is the mean of x_1 - x_0, so the difference is uncorrelated with it.
        let world = Preset::Two.mixture();
        let (exact, data) = (
            plan(&world, Teacher::Exact).at(7),
            plan(&world, Teacher::Data).at(7),
        );
        assert_eq!(exact.x, data.x);
        let (mut cross, mut bias) = (0.0, 0.0);
        for (e, d) in exact.velocity.iter().zip(&data.velocity) {
            bias += f64::from(d[0] - e[0]);
            cross += f64::from((d[0] - e[0]) * e[0]);
        }
        // The residual has variance below 3 and e one below 6: standard errors below 0.03 and 0.07.
        assert!(
            (bias / 4096.0).abs() < 0.1 && (cross / 4096.0).abs() < 0.25,
            "{bias} {cross}"
        );
    }
}
