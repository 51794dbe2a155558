//! Where particles are at any time: between two steps on a straight line, unless they were drawn anew there.

use std::sync::Arc;

use eframe::egui::{Color32, Mesh, Pos2, Vec2};

use crate::steer::KeptFrame;
use crate::ui::tokens;

/// Steps behind each particle that its trail shows.
pub const TRAIL: usize = 12;

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The last frame that is not later.
    pub step: usize,
    /// Share of the way to the next frame.
    pub share: f32,
}

/// The moment of a time; `None` of no frames.
pub fn moment(frames: &[Arc<KeptFrame>], t: f64) -> Option<Moment> {
    let (step, frame) = KeptFrame::at(frames, t)?;
    let share = match frames.get(step + 1) {
        Some(next) if next.ancestors.is_none() && next.t > frame.t => {
            ((t - frame.t) / (next.t - frame.t)).clamp(0.0, 1.0)
        }
        _ => 0.0,
    };
    Some(Moment {
        step,
        share: share as f32,
    })
}

/// Where one particle is; `None` if it is nowhere, or there is no such particle.
pub fn position(frames: &[Arc<KeptFrame>], at: Moment, particle: usize) -> Option<[f32; 2]> {
    let here = *frames.get(at.step)?.x.get(particle)?;
    let x = match frames.get(at.step + 1) {
        Some(next) if at.share > 0.0 => {
            let there = *next.x.get(particle)?;
            [0, 1].map(|i| here[i] + at.share * (there[i] - here[i]))
        }
        _ => here,
    };
    x.iter().all(|v| v.is_finite()).then_some(x)
}

/// All particles that are somewhere.
pub fn positions(frames: &[Arc<KeptFrame>], at: Moment) -> Vec<[f32; 2]> {
    let count = frames.get(at.step).map_or(0, |frame| frame.x.len());
    (0..count)
        .filter_map(|particle| position(frames, at, particle))
        .collect()
}

/// The particle nearest to a place of the screen, within `reach` points.
pub fn nearest(
    frames: &[Arc<KeptFrame>],
    at: Moment,
    place: Pos2,
    reach: f32,
    to_screen: impl Fn([f32; 2]) -> Pos2,
) -> Option<u32> {
    let count = frames.get(at.step)?.x.len();
    (0..count)
        .filter_map(|particle| {
            let x = position(frames, at, particle)?;
            Some((particle as u32, to_screen(x).distance(place)))
        })
        .filter(|(_, distance)| *distance <= reach)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(particle, _)| particle)
}

/// The way of one particle over the last steps, the newest place first.
pub fn trail(
    frames: &[Arc<KeptFrame>],
    at: Moment,
    particle: usize,
    steps: usize,
) -> Vec<[f32; 2]> {
    let mut trail = Vec::with_capacity(steps + 1);
    trail.extend(position(frames, at, particle));
    let mut index = particle;
    for frame in frames[..=at.step].iter().rev().take(steps) {
        let Some(x) = frame.x.get(index) else { break };
        if !x.iter().all(|v| v.is_finite()) {
            break;
        }
        trail.push(*x);
        if let Some(ancestors) = &frame.ancestors {
            match ancestors.get(index) {
                Some(parent) => index = *parent as usize,
                None => break,
            }
        }
    }
    trail
}

/// Adds a line that fades towards its end, as thin quads.
pub fn add_fading_line(mesh: &mut Mesh, places: &[Pos2], width: f32, color: Color32, opacity: f32) {
    let last = places.len().saturating_sub(1).max(1) as f32;
    for (k, pair) in places.windows(2).enumerate() {
        let along = pair[1] - pair[0];
        if along.length_sq() < 0.01 {
            continue;
        }
        let side = along.normalized().rot90() * (0.5 * width);
        let tint = |k: usize| tokens::faded(color, opacity * (1.0 - k as f32 / last));
        let (from, to) = (tint(k), tint(k + 1));
        add_quad(mesh, pair, side, (from, to));
    }
}

fn add_quad(mesh: &mut Mesh, pair: &[Pos2], side: Vec2, (from, to): (Color32, Color32)) {
    let first = mesh.vertices.len() as u32;
    mesh.colored_vertex(pair[0] + side, from);
    mesh.colored_vertex(pair[0] - side, from);
    mesh.colored_vertex(pair[1] + side, to);
    mesh.colored_vertex(pair[1] - side, to);
    mesh.add_triangle(first, first + 1, first + 2);
    mesh.add_triangle(first + 1, first + 3, first + 2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counters;

    fn frame(t: f64, x: &[[f32; 2]], ancestors: Option<Vec<u32>>) -> Arc<KeptFrame> {
        Arc::new(KeptFrame {
            t,
            x: x.to_vec(),
            ess: None,
            ancestors,
            log_weights: None,
            counters: Counters::default(),
        })
    }

    #[test]
    fn particles_move_smoothly_between_steps_but_not_over_a_resampling() {
        let frames = [
            frame(0.0, &[[0.0, 0.0], [4.0, 0.0]], None),
            frame(0.5, &[[1.0, 0.0], [f32::NAN, 0.0]], None),
            frame(1.0, &[[2.0, 2.0], [2.0, 2.0]], Some(vec![0, 0])),
        ];
        let at = moment(&frames, 0.25).unwrap();
        assert_eq!((at.step, at.share), (0, 0.5));
        assert_eq!(position(&frames, at, 0), Some([0.5, 0.0]));
        assert_eq!(
            positions(&frames, at).len(),
            1,
            "what is nowhere is left out"
        );
        let late = moment(&frames, 0.75).unwrap();
        assert_eq!((late.step, late.share), (1, 0.0));
        let end = moment(&frames, 1.0).unwrap();
        let way = trail(&frames, end, 1, 8);
        assert_eq!(way, [[2.0, 2.0], [2.0, 2.0], [1.0, 0.0], [0.0, 0.0]]);
        assert!(moment(&[], 0.5).is_none());
    }
}
