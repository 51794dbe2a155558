//! One function that draws futures of an image from any source.

use std::ops::Range;
use std::sync::Arc;

use super::asked::{Asked, check_class, go_on, numbers};
use super::first_class::class_picks;
use super::noise::image_noise;
use crate::lookahead::rollout::{SdeGrid, sde_coefficients};
use crate::lookahead::{LookaheadError, NoiseKey, Source};
use crate::metrics::Counters;
use crate::mixture::glass_coefficients;
use crate::model::ImageMap;
use crate::process::Purpose;

/// A half-formed image and how its futures are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageQuestion {
    /// Time of the state, 0 noise, 1 data.
    pub t: f64,
    /// The state, `[C][H][W]`, -1 black and 1 white where there is no noise.
    pub x_t: Arc<[f32]>,
    /// Class; `label_dim` means none.
    pub label: u32,
    /// Guidance scale of the class: 1 or one that the model was trained with.
    pub guidance: f32,
}

impl ImageQuestion {
    pub(super) fn check(&self, map: &dyn ImageMap) -> Result<(), LookaheadError> {
        let wanted = numbers(map);
        let fine = (0.0..=1.0).contains(&self.t)
            && self.x_t.len() == wanted
            && self.x_t.iter().all(|v| v.is_finite());
        if !fine {
            return Err(LookaheadError::ImageState {
                t: self.t.to_string(),
                found: self.x_t.len(),
                wanted,
            });
        }
        check_class(map, self.label, self.guidance)
    }
}

/// Draws `items` of `noise` from `p(x_1 | x_t)`: `[items][C H W]`, -1 black and 1 white.
///
/// Draws by the map's jumps begin with a class where none is asked for and the map knows which one a state becomes.
///
/// An image depends on its number and the key alone, never on the range that it is drawn with. GLASS and the SDE
/// integrate the map's own marginal velocity `v(s, s, x; 0, 0, label, guidance)`. `watch` is told the share done between
/// network calls and says whether to go on.
///
/// # Errors
/// When `watch` says no, when the question is not one that the map can be asked, and for the closed form.
pub fn draw_images(
    map: &dyn ImageMap,
    source: Source,
    question: &ImageQuestion,
    noise: NoiseKey,
    items: Range<u32>,
    counters: &mut Counters,
    watch: &mut dyn FnMut(f32) -> bool,
) -> Result<Vec<f32>, LookaheadError> {
    question.check(map)?;
    if source == Source::Exact {
        return Err(LookaheadError::NoClosedForm);
    }
    if source.needs_model() && !map.has_jumps() {
        return Err(LookaheadError::VelocityOnly(source));
    }
    let (numbers, count, at_once) = (numbers(map), items.len(), map.rows_at_once());
    let mut out = vec![0.0_f32; count * numbers];
    for (index, chunk) in out.chunks_mut(at_once * numbers).enumerate() {
        let (done, rows) = (index * at_once, chunk.len() / numbers);
        let mut call = Call {
            map,
            question,
            noise,
            first: items.start as usize + done,
            rows,
            counters,
            watch: &mut |inner| watch((done as f32 + inner * rows as f32) / count as f32),
        };
        match source {
            Source::OneStep => call.flow(1, chunk)?,
            Source::KStep(k) => call.flow(k, chunk)?,
            Source::Glass(steps) => call.glass(steps, chunk)?,
            Source::Sde(steps) => call.sde(steps, chunk)?,
            Source::Exact => return Err(LookaheadError::NoClosedForm),
        }
    }
    Ok(out)
}

/// One chunk of draws.
struct Call<'a> {
    map: &'a dyn ImageMap,
    question: &'a ImageQuestion,
    noise: NoiseKey,
    first: usize,
    rows: usize,
    counters: &'a mut Counters,
    watch: &'a mut dyn FnMut(f32) -> bool,
}

impl<'a> Call<'a> {
    fn marginal(&self) -> Asked<'a> {
        let label = vec![self.question.label; self.rows];
        Asked::marginal(self.map, label, self.question.guidance)
    }

    fn normals(&self, purpose: Purpose, step: u32, out: &mut [f32]) {
        let address = self.noise.address(purpose, step);
        image_noise(address, self.first, self.question.x_t.len(), out);
    }

    fn flow(&mut self, k: u32, x: &mut [f32]) -> Result<(), LookaheadError> {
        self.normals(Purpose::PosteriorDraw, 0, x);
        let x_t = self.question.x_t.repeat(self.rows);
        let address = self.noise.address(Purpose::FirstClass, 0);
        let picks = |u: &mut [f32]| class_picks(address, self.first, u);
        let asked = self.marginal().given(self.question.t, &x_t, picks);
        asked.flow(k, x, self.counters, self.watch)
    }

    /// Midpoint rule on the GLASS ODE (methods.md 3).
    fn glass(&mut self, steps: u32, inner: &mut [f32]) -> Result<(), LookaheadError> {
        self.normals(Purpose::PosteriorDraw, 0, inner);
        let asked = self.marginal();
        let (mut mid, mut u) = (vec![0.0; inner.len()], vec![0.0; inner.len()]);
        let h = 1.0 / f64::from(steps);
        let along = |to: &mut [f32], from: &[f32], u: &[f32], h: f64| {
            for ((to, from), u) in to.iter_mut().zip(from).zip(u) {
                *to = (f64::from(*from) + h * f64::from(*u)) as f32;
            }
        };
        for step in 0..steps {
            go_on(step, steps, self.watch)?;
            let s = f64::from(step) * h;
            self.glass_velocity(&asked, s, inner, &mut u);
            along(&mut mid, inner, &u, 0.5 * h);
            self.glass_velocity(&asked, s + 0.5 * h, &mid, &mut u);
            mid.copy_from_slice(inner);
            along(inner, &mid, &u, h);
        }
        Ok(())
    }

    /// `u_s(inner; t, x_t)`.
    fn glass_velocity(&mut self, asked: &Asked<'_>, s: f64, inner: &[f32], u: &mut [f32]) {
        let c = glass_coefficients(s, self.question.t);
        let x_t = self.question.x_t.iter().cycle();
        let state: Vec<f32> = inner
            .iter()
            .zip(x_t.clone())
            .map(|(inner, x_t)| {
                (c.x_star_inner * f64::from(*inner) + c.x_star_cond * f64::from(*x_t)) as f32
            })
            .collect();
        asked.velocity((c.t_star, c.t_star), &state, u, self.counters);
        for ((u, inner), x_t) in u.iter_mut().zip(inner).zip(x_t) {
            let b = f64::from(*u);
            *u = (c.u_inner * f64::from(*inner) + c.u_cond * f64::from(*x_t) + c.u_b * b) as f32;
        }
    }

    /// Ancestral steps of the memoryless SDE, as in 2D.
    fn sde(&mut self, steps: u32, x: &mut [f32]) -> Result<(), LookaheadError> {
        x.copy_from_slice(&self.question.x_t.repeat(self.rows));
        let asked = self.marginal();
        let (mut b, mut eps) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let grid = SdeGrid::new(self.question.t, steps);
        for step in 0..steps {
            go_on(step, steps, self.watch)?;
            let (now, next) = (grid.time(step), grid.time(step + 1));
            if next <= now {
                continue;
            }
            asked.velocity((now, now), x, &mut b, self.counters);
            self.normals(Purpose::RolloutStep, step, &mut eps);
            let c = sde_coefficients(now, next);
            for ((x, b), eps) in x.iter_mut().zip(&b).zip(&eps) {
                let moved = c.keep * f64::from(*x) + c.velocity * f64::from(*b);
                *x = (moved + c.spread * f64::from(*eps)) as f32;
            }
        }
        Ok(())
    }
}
