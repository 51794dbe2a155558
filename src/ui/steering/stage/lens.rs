//! The selected particle: its ring, its way, and the futures it sees, which fade from one time to the next.

use std::sync::Arc;

use eframe::egui::{Align2, Context, Mesh, Painter, Pos2, Shape, Stroke, vec2};

use crate::engine::{LensAnswer, SteerAnswer};
use crate::steer::{Estimator, KeptFrame};
use crate::ui::canvas::ground::outlined_text;
use crate::ui::canvas::projection::Projection;
use crate::ui::format;
use crate::ui::tokens::{self, Palette, duration};

use super::particles::{self, Moment};

/// Most futures that are painted.
const MOST_FUTURES: usize = 256;
/// With no more than this, a line leads to each.
const MOST_RAYS: usize = 64;
/// Radius of the ring, and of a future.
const RING: f32 = 6.5;
const FUTURE: f32 = 1.9;
/// Half of the cross of the one point that DPS looks at.
const CROSS: f32 = 5.0;

/// Two sets of futures, one on its way out.
#[derive(Default)]
pub struct Seen {
    now: Option<Arc<LensAnswer>>,
    before: Option<Arc<LensAnswer>>,
    since: f64,
}

impl Seen {
    /// Takes in what the engine says now.
    pub fn update(&mut self, ctx: &Context, newest: Option<&Arc<LensAnswer>>) {
        let time = ctx.input(|i| i.time);
        let same = match (&self.now, newest) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        if !same {
            self.before = std::mem::replace(&mut self.now, newest.cloned());
            self.since = time;
        }
        if self.share(time) < 1.0 {
            ctx.request_repaint();
        } else {
            self.before = None;
        }
    }

    fn share(&self, time: f64) -> f32 {
        ((time - self.since) as f32 / duration::FUTURES_SECS).clamp(0.0, 1.0)
    }

    /// The sets with their opacities, the older first.
    fn sets(&self, time: f64) -> [(Option<&Arc<LensAnswer>>, f32); 2] {
        let share = self.share(time);
        [
            (self.before.as_ref(), 1.0 - share),
            (self.now.as_ref(), share),
        ]
    }
}

/// What is painted of the particle in one panel.
pub struct Lens<'a> {
    /// The runs on screen.
    pub runs: &'a Arc<SteerAnswer>,
    /// Which panel.
    pub panel: usize,
    /// Its moment.
    pub at: Moment,
    /// Which particle.
    pub particle: u32,
    /// Whether its futures are shown.
    pub futures: bool,
}

/// Paints it.
pub fn show(
    painter: &Painter,
    projection: &Projection,
    lens: &Lens<'_>,
    seen: &Seen,
    palette: &Palette,
) {
    let Some(run) = lens.runs.panels.get(lens.panel) else {
        return;
    };
    let frames = run.frames.as_slice();
    let index = lens.particle as usize;
    let screen = |x: [f32; 2]| projection.to_screen(x.map(f64::from));
    way(painter, frames, lens, &screen, palette);
    let Some(x) = particles::position(frames, lens.at, index) else {
        return;
    };
    let place = screen(x);
    if lens.futures {
        let time = painter.ctx().input(|i| i.time);
        for (answer, opacity) in seen.sets(time) {
            let Some(answer) = answer else { continue };
            let fits = Arc::ptr_eq(&answer.request.runs.request, &lens.runs.request)
                && answer.request.particle == lens.particle;
            let Some(Some(probe)) = answer.panels.get(lens.panel).filter(|_| fits) else {
                continue;
            };
            futures(painter, place, &probe.futures, opacity, &screen, palette);
            if opacity > 0.5 {
                let plan = &lens.runs.request.plans[lens.panel];
                let estimates = plan.method.card().estimator != Estimator::None;
                let estimate = estimates.then_some(probe.value);
                let exact = probe.exact.map(|(value, _)| value);
                value(painter, projection, (estimate, exact), palette);
            }
        }
    }
    painter.circle_stroke(place, RING, Stroke::new(4.5, palette.halo));
    painter.circle_stroke(place, RING, Stroke::new(2.0, palette.state));
    painter.circle_filled(place, 2.2, palette.state);
}

/// Where it came from (solid) and will go (faint).
fn way(
    painter: &Painter,
    frames: &[Arc<KeptFrame>],
    lens: &Lens<'_>,
    screen: &impl Fn([f32; 2]) -> Pos2,
    palette: &Palette,
) {
    let index = lens.particle as usize;
    let past: Vec<Pos2> = particles::trail(frames, lens.at, index, frames.len())
        .into_iter()
        .map(screen)
        .collect();
    painter.line(past, Stroke::new(1.6, tokens::faded(palette.state, 0.75)));
    let resampled = frames[lens.at.step..]
        .iter()
        .any(|frame| frame.ancestors.is_some());
    if resampled {
        // Later, this number is another particle's.
        return;
    }
    let ahead: Vec<Pos2> = frames[lens.at.step..]
        .iter()
        .filter_map(|frame| frame.x.get(index))
        .filter(|x| x.iter().all(|v| v.is_finite()))
        .map(|x| screen(*x))
        .collect();
    let stroke = Stroke::new(1.1, tokens::faded(palette.state, 0.4));
    painter.extend(Shape::dashed_line(&ahead, stroke, 3.0, 4.0));
}

fn futures(
    painter: &Painter,
    from: Pos2,
    futures: &[[f32; 2]],
    opacity: f32,
    screen: &impl Fn([f32; 2]) -> Pos2,
    palette: &Palette,
) {
    if let [mean] = futures {
        the_one_future(painter, from, screen(*mean), opacity, palette);
        return;
    }
    let finite = futures
        .iter()
        .filter(|x| x.iter().all(|v| v.is_finite()))
        .take(MOST_FUTURES);
    let mut rays = Mesh::default();
    let mut dots = Vec::new();
    for x in finite {
        let place = screen(*x);
        if futures.len() <= MOST_RAYS {
            let line = [place, from];
            particles::add_fading_line(&mut rays, &line, 1.0, palette.overlay, 0.35 * opacity);
        }
        let color = tokens::faded(palette.overlay, 0.9 * opacity);
        dots.push(Shape::circle_filled(place, FUTURE, color));
    }
    painter.add(rays);
    painter.extend(dots);
}

/// Methods that look at one point: a cross, as the denoised mean has everywhere.
fn the_one_future(painter: &Painter, from: Pos2, to: Pos2, opacity: f32, palette: &Palette) {
    if !to.is_finite() {
        return;
    }
    let ray = Stroke::new(1.2, tokens::faded(palette.mean, 0.6 * opacity));
    painter.line_segment([from, to], ray);
    let (one, other) = (vec2(CROSS, CROSS), vec2(CROSS, -CROSS));
    for (width, color) in [(4.5, palette.halo), (2.2, palette.mean)] {
        let stroke = Stroke::new(width, tokens::faded(color, opacity));
        painter.line_segment([to - one, to + one], stroke);
        painter.line_segment([to - other, to + other], stroke);
    }
}

/// What the method believes the particle is worth, beside what it is worth.
fn value(
    painter: &Painter,
    projection: &Projection,
    (estimate, exact): (Option<f64>, Option<f64>),
    palette: &Palette,
) {
    let text = match (estimate, exact) {
        (Some(estimate), Some(exact)) => format!(
            "value {}, exactly {}",
            format::fixed(estimate, 2),
            format::fixed(exact, 2)
        ),
        (Some(estimate), None) => format!("value {}", format::fixed(estimate, 2)),
        (None, Some(exact)) => format!("value, exactly {}", format::fixed(exact, 2)),
        (None, None) => return,
    };
    outlined_text(
        painter,
        projection.rect.right_top() + vec2(-8.0, 8.0),
        Align2::RIGHT_TOP,
        &text,
        tokens::small_font(),
        palette.text,
        palette.halo,
    );
}
