//! What a map is asked under: one condition a row, kept between the calls of a chunk.

use super::first_class::{draw_classes, pull_classes};
use crate::lookahead::LookaheadError;
use crate::metrics::Counters;
use crate::model::{ImageMap, ImageRows};

/// Rows under conditions that stay while `s`, `u` and `x` move.
pub(crate) struct Asked<'a> {
    map: &'a dyn ImageMap,
    t: Vec<f32>,
    x_t: Vec<f32>,
    label: Vec<u32>,
    guidance: Vec<f32>,
    /// Whether any class was drawn.
    class_first: bool,
}

impl<'a> Asked<'a> {
    /// Rows of these classes that are told nothing of a state: what is asked is the marginal flow.
    pub fn marginal(map: &'a dyn ImageMap, label: Vec<u32>, guidance: f32) -> Self {
        let rows = label.len();
        Self {
            map,
            t: vec![0.0; rows],
            x_t: vec![0.0; rows * numbers(map)],
            label,
            guidance: vec![guidance; rows],
            class_first: false,
        }
    }

    /// The same rows told that `x_t`, `[rows][C H W]`, is their state at time `t`. Where the map knows which class a state
    /// becomes, rows without one begin with one that is drawn by `picks`: it fills in a uniform number a row.
    pub fn given(mut self, t: f64, x_t: &[f32], picks: impl FnOnce(&mut [f32])) -> Self {
        // At t = 0 the state carries nothing, and the map was taught with zeros there.
        if t > 0.0 {
            self.t.fill(t as f32);
            self.x_t.copy_from_slice(x_t);
        }
        let none = self.map.config().label_dim as u32;
        if let Some(states) = self.map.state_classifier()
            && self.label.contains(&none)
        {
            let mut u = vec![0.0; self.rows()];
            picks(&mut u);
            draw_classes(states, (&self.t, &self.x_t), &u, none, &mut self.label);
            self.class_first = true;
        }
        self
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// `v(s, u, x; t, x_t, label, guidance)` into `out`, both `[rows][C H W]`.
    pub fn velocity(
        &self,
        (s, u): (f64, f64),
        x: &[f32],
        out: &mut [f32],
        counters: &mut Counters,
    ) {
        let (s, u) = (vec![s as f32; self.rows()], vec![u as f32; self.rows()]);
        self.map.average_velocity(&self.question(&s, &u, x), out);
        counters.network_forward += self.rows() as u64;
    }

    /// Gradients of `sum(cotangent * v(s, u, x; t, x_t, label, guidance))` by `x` and by `x_t`, all `[rows][C H W]`. The
    /// network runs forward once more for it, and is counted so.
    pub fn pullback(
        &self,
        (s, u): (f64, f64),
        (x, cotangent): (&[f32], &[f32]),
        (by_x, by_state): (&mut [f32], &mut [f32]),
        counters: &mut Counters,
    ) {
        let (s, u) = (vec![s as f32; self.rows()], vec![u as f32; self.rows()]);
        let rows = self.question(&s, &u, x);
        self.map.pullback(&rows, cotangent, by_x, by_state);
        counters.network_forward += self.rows() as u64;
        counters.network_backward += self.rows() as u64;
    }

    /// One jump from noise to draws, and the gradients by the states of `sum(cotangent * draws)`, where `judge` makes the
    /// cotangents; `false` where it called that off. Counted as the jump and [`Self::pullback`], whatever the map spares.
    pub fn drawn_and_pulled(
        &self,
        x: &mut [f32],
        by_state: &mut [f32],
        counters: &mut Counters,
        judge: &mut dyn FnMut(&[f32]) -> Option<Vec<f32>>,
    ) -> bool {
        let nothing = vec![0.0; self.rows()];
        let rows = self.question(&nothing, &nothing, &[]);
        counters.network_forward += self.rows() as u64;
        let done = self.map.draw_and_pull(&rows, x, by_state, judge);
        if done {
            counters.network_forward += self.rows() as u64;
            counters.network_backward += self.rows() as u64;
        }
        done
    }

    /// Adds to `by_state`, `[rows][C H W]`, what the classes that were drawn add to the gradients by the states of
    /// `sum_i weights_i log p(row i)`; those of rows of one state to the first of them.
    pub fn pull_classes(&self, weights: &[f64], by_state: &mut [f32]) {
        if let Some(states) = self.map.state_classifier().filter(|_| self.class_first) {
            pull_classes(states, (&self.t, &self.x_t), &self.label, weights, by_state);
        }
    }

    fn question<'b>(&'b self, s: &'b [f32], u: &'b [f32], x: &'b [f32]) -> ImageRows<'b> {
        ImageRows {
            s,
            u,
            x,
            t: &self.t,
            x_t: &self.x_t,
            label: &self.label,
            guidance: &self.guidance,
        }
    }

    /// `k` jumps of `x`, in place, over `linspace(0, 1, k + 1)` under the rows' conditions.
    pub fn flow(
        &self,
        k: u32,
        x: &mut [f32],
        counters: &mut Counters,
        watch: &mut dyn FnMut(f32) -> bool,
    ) -> Result<(), LookaheadError> {
        let mut v = vec![0.0; x.len()];
        for step in 0..k {
            go_on(step, k, watch)?;
            let time = |step: u32| f64::from(step) / f64::from(k);
            let (s, u) = (time(step), time(step + 1));
            self.velocity((s, u), x, &mut v, counters);
            for (x, v) in x.iter_mut().zip(&v) {
                *x += (u - s) as f32 * v;
            }
        }
        Ok(())
    }
}

/// Numbers of one image of a map.
pub(crate) fn numbers(map: &dyn ImageMap) -> usize {
    map.config().state().iter().product()
}

/// Asks `watch` before a step.
pub(super) fn go_on(
    step: u32,
    steps: u32,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<(), LookaheadError> {
    if watch(step as f32 / steps as f32) {
        Ok(())
    } else {
        Err(LookaheadError::Cancelled)
    }
}

/// Refuses a class or a scale that the map does not know.
pub(crate) fn check_class(
    map: &dyn ImageMap,
    label: u32,
    guidance: f32,
) -> Result<(), LookaheadError> {
    let config = map.config();
    if label as usize > config.label_dim {
        return Err(LookaheadError::Class {
            label,
            classes: config.label_dim,
        });
    }
    let known = config.class_scales();
    // The network would take the nearest without a word.
    if known.iter().any(|w| (w - guidance).abs() < 1e-3) {
        Ok(())
    } else {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        Err(LookaheadError::Guidance {
            asked: guidance.to_string(),
            known: known.join(", "),
        })
    }
}
