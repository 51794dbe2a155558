//! What a panel paints, lowest first: density, reward, target, trails, particles, the selected one.

use std::sync::Arc;

use eframe::egui::{Mesh, Painter, Shape, Stroke, Ui};

use crate::engine::{PanelRun, SteerAnswer, SteerRequest};
use crate::gpu::PointBuffer;
use crate::mixture::{Mixture, Point};
use crate::reward::TiltedTarget;
use crate::session::RewardStyle;
use crate::ui::canvas::contours::Sampled;
use crate::ui::canvas::paint::{self, Layer};
use crate::ui::canvas::projection::Projection;
use crate::ui::state::State;
use crate::ui::steering::reward::outline;
use crate::ui::steering::reward::picture::{self, RewardPicture};
use crate::ui::tokens::{self, Palette, size};

use super::lens::{self, Lens, Seen};
use super::particles::{self, Moment, TRAIL};

/// Pieces of trails in all panels together: more particles than that have none.
const TRAIL_PIECES: usize = 16_000;
/// Opacity of a trail where it begins.
const TRAIL_OPACITY: f32 = 0.42;
/// Cells along the longer side, for targets that are no mixture.
const TARGET_CELLS: usize = 110;
/// Opacity of the lines around 50, 80 and 95 %.
const TARGET_OPACITY: [f32; 3] = [1.0, 0.8, 0.6];

/// What is kept between frames.
#[derive(Default)]
pub struct Picture {
    reward: Option<RewardPicture>,
    target: Option<TargetLines>,
    marginal: Option<(f64, Arc<crate::mixture::World>, Mixture)>,
    dots: Vec<Option<Dots>>,
    seen: Seen,
}

/// Particles that are on the device.
struct Dots {
    runs: Arc<SteerRequest>,
    at: Moment,
    buffer: PointBuffer,
}

/// Lines of a target that is no mixture.
struct TargetLines {
    target: Arc<TiltedTarget>,
    visible: [Point; 2],
    lines: [Vec<[Point; 2]>; 3],
}

/// Once a frame, before any panel.
pub fn prepare(state: &mut State, ui: &Ui) {
    let newest = state.steering.lens.clone();
    state
        .steering
        .picture
        .seen
        .update(ui.ctx(), newest.as_ref());
    let count = state.session.steering.panels.len();
    state.steering.picture.dots.resize_with(count, || None);
}

/// The run that a panel shows, with the runs it is part of.
pub fn run_of(state: &State, panel: usize) -> Option<(&Arc<SteerAnswer>, &PanelRun)> {
    let runs = state.steering.runs.as_ref()?;
    let plan = runs.request.plans.get(panel)?;
    // Until the engine has heard of a new method, its panel is empty.
    let wanted = state.session.steering.panels.get(panel)?;
    (plan.method == wanted.method).then(|| Some((runs, runs.panels.get(panel)?)))?
}

/// Paints everything below the handles.
pub fn show(
    painter: &Painter,
    state: &mut State,
    projection: &Projection,
    panel: usize,
    palette: &Palette,
) {
    let mut kept = std::mem::take(&mut state.steering.picture);
    let show = state.session.steering.show;
    let layer = Layer::Panel(panel);
    let paints = state.device.is_some();
    let t = state.steering_shown();
    if show.density && paints {
        let mixture = if state.session.show.edit {
            &state.world.mixture
        } else {
            marginal(&mut kept, state, t)
        };
        paint::heat(painter, projection, mixture, palette.heat, layer);
    }
    let reward = &state.session.steering.reward;
    if show.reward != RewardStyle::Hidden {
        let what = (reward, show.reward);
        picture::show(painter, projection, what, &mut kept.reward, palette);
    }
    outline::show(painter, projection, reward.shape(), palette);
    if let Some((runs, run)) = run_of(state, panel) {
        let runs = runs.clone();
        if show.target
            && let Ok(exact) = &runs.target
        {
            let view = (projection, layer);
            target(painter, view, exact, &mut kept.target, paints, palette);
        }
        if let Some(at) = particles::moment(&run.frames, t) {
            if show.trails {
                let panels = runs.panels.len().max(1);
                trails(painter, run, at, projection, TRAIL_PIECES / panels, palette);
            }
            if paints {
                let view = (projection, layer);
                let slot = &mut kept.dots[panel];
                dots(painter, state, view, (&runs, run, at), slot, palette);
            }
            if let Some(particle) = state.session.steering.selected {
                let lens = Lens {
                    runs: &runs,
                    panel,
                    at,
                    particle,
                    futures: show.futures,
                };
                lens::show(painter, projection, &lens, &kept.seen, palette);
            }
        }
    }
    state.steering.picture = kept;
}

/// The reward and the contours of its target, for the canvases of another workspace.
pub fn reward_and_target(
    painter: &Painter,
    state: &mut State,
    projection: &Projection,
    panel: usize,
    exact: Option<&Arc<TiltedTarget>>,
    palette: &Palette,
) {
    let mut kept = std::mem::take(&mut state.steering.picture);
    let show = state.session.steering.show;
    let reward = &state.session.steering.reward;
    if show.reward != RewardStyle::Hidden {
        let what = (reward, show.reward);
        picture::show(painter, projection, what, &mut kept.reward, palette);
    }
    outline::show(painter, projection, reward.shape(), palette);
    if let Some(exact) = exact {
        let view = (projection, Layer::Panel(panel));
        let paints = state.device.is_some();
        target(painter, view, exact, &mut kept.target, paints, palette);
    }
    state.steering.picture = kept;
}

/// `p_t` of the world at the time that is shown.
fn marginal<'a>(kept: &'a mut Picture, state: &State, t: f64) -> &'a Mixture {
    let stale = kept
        .marginal
        .as_ref()
        .is_none_or(|(time, world, _)| *time != t || !Arc::ptr_eq(world, &state.world));
    if stale {
        kept.marginal = None;
    }
    let (_, _, mixture) = kept.marginal.get_or_insert_with(|| {
        let mixture = state.world.mixture.marginal(t);
        (t, state.world.clone(), mixture)
    });
    mixture
}

fn target(
    painter: &Painter,
    (projection, layer): (&Projection, Layer),
    target: &Arc<TiltedTarget>,
    cache: &mut Option<TargetLines>,
    paints: bool,
    palette: &Palette,
) {
    if let Some(mixture) = target.mixture()
        && paint::suits_device(mixture)
    {
        if paints {
            let levels = target.levels();
            paint::contours(painter, projection, mixture, levels, palette.exact, layer);
        }
        return;
    }
    let visible = projection.visible();
    let room = 2.0 * projection.units_per_point;
    let near = |a: [Point; 2]| {
        (0..2).all(|i| (0..2).all(|axis| (a[i][axis] - visible[i][axis]).abs() <= room))
    };
    let fresh = cache
        .as_ref()
        .is_some_and(|c| Arc::ptr_eq(&c.target, target) && near(c.visible));
    if !fresh {
        let sampled = Sampled::new(visible, TARGET_CELLS, |x| target.density(x));
        *cache = Some(TargetLines {
            target: target.clone(),
            visible,
            lines: target.levels().map(|level| sampled.lines(level)),
        });
    }
    let Some(cache) = cache else { return };
    for (lines, opacity) in cache.lines.iter().zip(TARGET_OPACITY) {
        let stroke = Stroke::new(size::LINE, tokens::faded(palette.exact, opacity));
        painter.extend(
            lines
                .iter()
                .map(|line| Shape::line_segment(line.map(|x| projection.to_screen(x)), stroke)),
        );
    }
}

fn trails(
    painter: &Painter,
    run: &PanelRun,
    at: Moment,
    projection: &Projection,
    pieces: usize,
    palette: &Palette,
) {
    let count = run.frames.get(at.step).map_or(0, |frame| frame.x.len());
    let most = (pieces / TRAIL).max(1);
    // The first particles stand for all: they are independent draws of the noise.
    let mut mesh = Mesh::default();
    for particle in 0..count.min(most) {
        let places: Vec<_> = particles::trail(&run.frames, at, particle, TRAIL)
            .into_iter()
            .map(|x| projection.to_screen(x.map(f64::from)))
            .collect();
        let width = 1.1;
        particles::add_fading_line(&mut mesh, &places, width, palette.learned, TRAIL_OPACITY);
    }
    painter.add(mesh);
}

fn dots(
    painter: &Painter,
    state: &State,
    (projection, layer): (&Projection, Layer),
    (runs, run, at): (&Arc<SteerAnswer>, &PanelRun, Moment),
    slot: &mut Option<Dots>,
    palette: &Palette,
) {
    let Some(device) = &state.device else { return };
    let fresh = slot
        .as_ref()
        .is_some_and(|dots| Arc::ptr_eq(&dots.runs, &runs.request) && dots.at == at);
    if !fresh {
        let places = particles::positions(&run.frames, at);
        *slot = PointBuffer::from_points(device, &places)
            .inspect_err(|e| tracing::warn!("the particles are not painted: {e}"))
            .ok()
            .map(|buffer| Dots {
                runs: runs.request.clone(),
                at,
                buffer,
            });
    }
    if let Some(dots) = slot {
        paint::particles(painter, projection, &dots.buffer, palette.learned, layer);
    }
}
