//! The particles at one time: as a run shows them, and as they are kept for looking back.

use crate::metrics::Counters;
use crate::mixture::Point;
use crate::process::{Address, Purpose};

use super::particles::{choose, softmax};
use super::plan::{Resampling, SteerPlan};

/// The particles at one time, as a run shows them.
#[derive(Debug)]
pub struct Frame<'a> {
    /// How many steps are done.
    pub step: u32,
    /// The time reached.
    pub t: f64,
    /// The particles.
    pub x: &'a [Point],
    /// Effective number of particles, before resampling, as a share; for weighted methods.
    pub ess: Option<f64>,
    /// Which particle of the frame before each came from, where they were resampled.
    pub ancestors: Option<&'a [u32]>,
    /// Logarithms of the particles' weights, up to a constant for each population; `None` where all weigh the same.
    pub log_weights: Option<&'a [f64]>,
    /// What was asked for until now.
    pub counters: Counters,
}

/// A step kept for looking back.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptFrame {
    /// The time.
    pub t: f64,
    /// The particles `[P, 2]`.
    pub x: Vec<[f32; 2]>,
    /// As in [`Frame`].
    pub ess: Option<f64>,
    /// As in [`Frame`]: `x` is after the resampling.
    pub ancestors: Option<Vec<u32>>,
    /// As in [`Frame`].
    pub log_weights: Option<Vec<f32>>,
    /// As in [`Frame`].
    pub counters: Counters,
}

impl KeptFrame {
    /// A frame as a run shows it, to be kept.
    pub fn of(frame: &Frame<'_>) -> Self {
        Self {
            t: frame.t,
            x: frame.x.iter().map(|x| x.map(|v| v as f32)).collect(),
            ess: frame.ess,
            ancestors: frame.ancestors.map(<[u32]>::to_vec),
            log_weights: frame
                .log_weights
                .map(|weights| weights.iter().map(|w| *w as f32).collect()),
            counters: frame.counters,
        }
    }

    /// The same step after its particles were drawn anew; what was known of it before stays.
    pub fn drawn_anew(&mut self, frame: &Frame<'_>) {
        let (ess, counters) = (self.ess, self.counters);
        *self = Self {
            ess,
            counters,
            ..Self::of(frame)
        };
    }

    /// As many particles that weigh the same: drawn by their weights where they have any (systematically, within each
    /// population of the plan), else the particles themselves.
    pub fn equally_weighted(&self, plan: &SteerPlan) -> Vec<[f32; 2]> {
        let Some(weights) = &self.log_weights else {
            return self.x.clone();
        };
        let all = self.x.len().max(1);
        let size = plan.population.map_or(all, |n| (n as usize).min(all));
        let parts = self.x.chunks(size).zip(weights.chunks(size));
        parts
            .enumerate()
            .flat_map(|(p, (x, weights))| {
                let weights: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
                let address = Address::new(plan.seed, Purpose::Scene, p as u32);
                let chosen = choose(&softmax(&weights), x.len(), Resampling::Systematic, address);
                chosen.into_iter().map(|i| x[i])
            })
            .collect()
    }

    /// The frame of a time: the last of `frames` that is not later than `t`, its number first. `None` of none.
    pub fn at<F: std::borrow::Borrow<Self>>(frames: &[F], t: f64) -> Option<(usize, &Self)> {
        let after = frames.partition_point(|frame| frame.borrow().t <= t + 1e-9);
        let number = after.max(1) - 1;
        Some((number, frames.get(number)?.borrow()))
    }

    /// Where a particle of frame `last` came from: `(t, x)` of its line of descent, from the first frame on.
    ///
    /// A particle that was drawn anew goes on from its parent's place.
    pub fn trail<F: std::borrow::Borrow<Self>>(
        frames: &[F],
        last: usize,
        particle: u32,
    ) -> Vec<(f64, [f32; 2])> {
        let mut index = particle as usize;
        let mut trail: Vec<_> = frames[..frames.len().min(last + 1)]
            .iter()
            .rev()
            .map_while(|frame| {
                let frame: &Self = frame.borrow();
                let here = (frame.t, *frame.x.get(index)?);
                if let Some(ancestors) = &frame.ancestors {
                    index = *ancestors.get(index)? as usize;
                }
                Some(here)
            })
            .collect();
        trail.reverse();
        trail
    }
}
