//! Closed forms for the picture.

use std::sync::Arc;

use crate::lookahead::{probability_flow_path, state_on_path};
use crate::mixture::{Mixture, World};
use crate::process::{Address, Purpose};

use super::message::{Event, RequestId, SceneAnswer, SceneRequest};
use super::worker::Worker;

/// Steps of the path over the whole of [0, 1].
const PATH_INTERVALS: usize = 96;
/// Arrows along each side of the view.
const ARROWS: usize = 22;
/// Exact draws behind the contour levels.
const LEVEL_DRAWS: usize = 2048;
/// Share of the posterior inside each contour.
pub(super) const CONTOUR_MASS: [f64; 3] = [0.5, 0.8, 0.95];

/// The last path, kept while only the clock moves.
pub(super) struct PathMemo {
    world: Arc<World>,
    anchor: (f64, [f64; 2]),
    path: Vec<(f64, [f64; 2])>,
}

impl Worker {
    /// The probability-flow path through the anchor, from the memo if it is the same.
    pub fn path(&mut self, world: &Arc<World>, t: f64, x: [f64; 2]) -> Vec<(f64, [f64; 2])> {
        if let Some(memo) = &self.path_memo
            && memo.anchor == (t, x)
            && (Arc::ptr_eq(&memo.world, world) || memo.world.mixture == world.mixture)
        {
            return memo.path.clone();
        }
        let path = probability_flow_path(&world.mixture, t, x, PATH_INTERVALS);
        self.path_memo = Some(PathMemo {
            world: world.clone(),
            anchor: (t, x),
            path: path.clone(),
        });
        path
    }

    pub fn scene(&mut self, id: RequestId, request: SceneRequest) {
        let world = &request.world.mixture;
        let path = self.path(&request.world, request.anchor_t, request.anchor_x);
        let x_t = if request.carry {
            state_on_path(&path, request.t).unwrap_or(request.anchor_x)
        } else {
            request.anchor_x
        };
        let posterior = world.posterior(request.t, x_t);
        let field = request
            .field
            .map(|corners| velocity_field(world, request.t, corners))
            .unwrap_or_default();
        let answer = SceneAnswer {
            x_t,
            marginal: world.marginal(request.t),
            levels: contour_levels(&posterior),
            denoised: world.denoiser(request.t, x_t),
            posterior,
            path,
            field,
            request: Arc::new(request),
        };
        self.post(Event::Scene(id, Arc::new(answer)));
    }
}

/// Density levels whose regions hold [`CONTOUR_MASS`] of the mixture, by exact draws.
fn contour_levels(posterior: &Mixture) -> [f64; 3] {
    let mut draws = vec![[0.0f32; 2]; LEVEL_DRAWS];
    let address = Address {
        seed: 0,
        purpose: Purpose::Scene,
        state: 0,
        step: 0,
    };
    posterior.sample_into(address, 0, &mut draws);
    let mut levels: Vec<f64> = draws
        .iter()
        .map(|x| posterior.log_density([f64::from(x[0]), f64::from(x[1])]))
        .collect();
    levels.sort_by(|a, b| b.total_cmp(a));
    CONTOUR_MASS
        .map(|mass| levels[((mass * LEVEL_DRAWS as f64) as usize).min(LEVEL_DRAWS - 1)].exp())
}

fn velocity_field(world: &Mixture, t: f64, [min, max]: [[f64; 2]; 2]) -> Vec<([f64; 2], [f64; 2])> {
    let velocity = world.velocity_field(t);
    let step = ((max[0] - min[0]).max(max[1] - min[1]) / ARROWS as f64).max(1e-9);
    let count = |axis: usize| (((max[axis] - min[axis]) / step).round() as usize).clamp(1, 64);
    let mut arrows = Vec::with_capacity(count(0) * count(1));
    for j in 0..count(1) {
        for i in 0..count(0) {
            let x = [
                min[0] + (i as f64 + 0.5) * step,
                min[1] + (j as f64 + 0.5) * step,
            ];
            arrows.push((x, velocity.eval(x)));
        }
    }
    arrows
}
