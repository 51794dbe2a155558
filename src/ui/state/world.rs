//! The world: presets, files, clouds; undo and redo; fitting it in view.

use std::path::Path;
use std::sync::Arc;

use crate::mixture::{DEFAULT_BANDWIDTH, Point, PointCloud, Preset, World};
use crate::session::{Session, View, WorldRef};

use super::{Place, State};

/// Standard deviations around a mode that should be in view.
const VIEW_SDS: f64 = 2.6;
/// Room around what should be in view.
const VIEW_MARGIN: f64 = 1.08;

/// An imported cloud, kept while it is shown.
pub struct Cloud {
    /// The points.
    pub points: PointCloud,
    /// Name of the file, without ending.
    pub name: String,
    /// Standard deviation around each point.
    pub bandwidth: f64,
    /// Standard deviation of the points themselves: the scale of sensible bandwidths.
    pub unit: f64,
}

/// The session with a world that exists; and what was wrong, if it had none.
pub(super) fn resolvable(mut session: Session) -> (Session, Option<String>) {
    match session.world.resolve() {
        Ok(_) => (session, None),
        Err(e) => {
            session.world = Session::default().world;
            (
                session,
                Some(format!("{e}. Three modes are shown instead.")),
            )
        }
    }
}

/// The world of a reference that [`resolvable`] let through.
pub(super) fn resolve(world: &WorldRef) -> Arc<World> {
    Arc::new(
        world
            .resolve()
            .unwrap_or_else(|_| World::preset(Preset::Three)),
    )
}

impl State {
    /// The preset whose shipped checkpoint fits: the world's own, or the one it was edited from.
    pub fn preset(&self) -> Option<Preset> {
        self.session
            .world
            .preset()
            .or_else(|| Preset::from_name(&self.world.name))
    }

    /// Whether the world was edited away from its preset.
    pub fn is_edited(&self) -> bool {
        matches!(self.session.world, WorldRef::Custom(_))
            && Preset::from_name(&self.world.name).is_some()
    }

    /// Shows a preset, with `x_t` where its posterior has several modes.
    pub fn choose_preset(&mut self, preset: Preset) {
        self.remember_world();
        self.adopt_world(WorldRef::Preset(preset.name().to_owned()));
        self.session.checkpoint = crate::session::CheckpointRef::Shipped;
        self.load_wanted_model();
        self.place_state(undecided_state(&self.world, self.session.t));
        self.fit_wanted = true;
    }

    /// Takes back every edit of a preset; `x_t` and the view stay.
    pub fn reset_world(&mut self, preset: Preset) {
        self.remember_world();
        self.adopt_world(WorldRef::Preset(preset.name().to_owned()));
        self.load_wanted_model();
    }

    /// Shows a world of the person's own.
    pub fn show_world(&mut self, world: World) {
        self.remember_world();
        self.adopt_world(WorldRef::Custom(world));
        self.load_wanted_model();
        self.place_state(undecided_state(&self.world, self.session.t));
        self.fit_wanted = true;
    }

    /// Shows an imported cloud.
    pub(super) fn show_cloud(&mut self, path: &Path, points: PointCloud) {
        let name = path
            .file_stem()
            .map_or_else(|| "points".to_owned(), |n| n.to_string_lossy().into_owned());
        let mut cloud = Cloud {
            points,
            name,
            bandwidth: DEFAULT_BANDWIDTH,
            unit: 1.0,
        };
        match cloud_world(&cloud) {
            Ok(world) => {
                cloud.unit = world
                    .mixture
                    .standard_deviation()
                    .max(10.0 * DEFAULT_BANDWIDTH);
                self.show_world(world);
                self.cloud = Some(cloud);
                self.notices.clear(Place::World);
            }
            Err(message) => self.notices.error(Place::World, message),
        }
    }

    /// Changes the width of the Gaussians of an imported cloud.
    pub fn set_bandwidth(&mut self, bandwidth: f64) {
        let Some(cloud) = &mut self.cloud else { return };
        cloud.bandwidth = bandwidth;
        match cloud_world(cloud) {
            Ok(world) => self.edit_world(world),
            Err(message) => self.notices.error(Place::World, message),
        }
    }

    /// Replaces the world by an edited one. The caller has called [`Self::remember_world`] at the
    /// start of the gesture.
    pub fn edit_world(&mut self, world: World) {
        let cloud = self.cloud.take();
        self.adopt_world(WorldRef::Custom(world));
        self.cloud = cloud;
    }

    /// Makes `world` the session's world.
    pub(super) fn adopt_world(&mut self, world: WorldRef) {
        let resolved = resolve(&world);
        self.fingerprint = resolved.fingerprint();
        self.world = resolved;
        self.session.world = world;
        self.cloud = None;
        let modes = self.world.mixture.modes().len();
        self.selected_mode = self.selected_mode.filter(|mode| *mode < modes);
    }

    /// Brings the world, the noise around 0 and `x_t` into view.
    pub(super) fn fit_view(&mut self) {
        let x = self.x_t();
        let (mut min, mut max) = ([-2.2f64; 2], [2.2f64; 2]);
        let mut include = |x: Point, room: f64| {
            for axis in 0..2 {
                min[axis] = min[axis].min(x[axis] - room);
                max[axis] = max[axis].max(x[axis] + room);
            }
        };
        if !self.is_steering() {
            include(x, 0.3);
        }
        for mode in self.world.mixture.modes() {
            include(mode.mean, VIEW_SDS * mode.cov.axes().0);
        }
        let (width, height) = (max[0] - min[0], max[1] - min[1]);
        let aspect = self.canvas_aspect;
        // Half of the shorter side that lets both sides in.
        let half = if aspect >= 1.0 {
            (height / 2.0).max(width / 2.0 / aspect)
        } else {
            (width / 2.0).max(height / 2.0 * aspect)
        };
        self.session.view = View {
            center: [f64::midpoint(min[0], max[0]), f64::midpoint(min[1], max[1])],
            half_extent: (half * VIEW_MARGIN).clamp(1e-3, 1e6),
        };
    }
}

fn cloud_world(cloud: &Cloud) -> Result<World, String> {
    let mixture = cloud
        .points
        .mixture(cloud.bandwidth)
        .map_err(|e| e.to_string())?;
    Ok(World {
        title: cloud.name.clone(),
        name: cloud.name.clone(),
        mixture,
    })
}

/// A state at time `t` that is likely and whose future is undecided: half-way between two modes,
/// where the responsibilities have the highest entropy.
pub(super) fn undecided_state(world: &World, t: f64) -> Point {
    /// Modes that are tried in pairs.
    const TRIED: usize = 12;
    let mixture = &world.mixture;
    let mut heavy: Vec<_> = mixture.modes().iter().collect();
    heavy.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    heavy.truncate(TRIED);
    let marginal = mixture.marginal(t);
    let mut best = (f64::NEG_INFINITY, mixture.mean().map(|v| t * v));
    for (i, a) in heavy.iter().enumerate() {
        for b in &heavy[..i] {
            // Off the middle, so that one of the two is ahead.
            let x = [0, 1].map(|axis| t * (0.55 * a.mean[axis] + 0.45 * b.mean[axis]));
            let entropy: f64 = mixture
                .responsibilities(t, x)
                .into_iter()
                .filter(|g| *g > 0.0)
                .map(|g| -g * g.ln())
                .sum();
            let score = entropy + 0.25 * marginal.log_density(x);
            if score > best.0 {
                best = (score, x);
            }
        }
    }
    best.1.map(|v| (v * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undecided_state_has_several_futures() {
        for preset in Preset::ALL {
            let world = World::preset(preset);
            let x = undecided_state(&world, 0.33);
            let largest = world
                .mixture
                .responsibilities(0.33, x)
                .into_iter()
                .fold(0.0, f64::max);
            assert!(largest < 0.9, "{}: {largest} at {x:?}", world.name);
        }
    }

    #[test]
    fn a_session_with_an_unknown_world_still_opens() {
        let session = Session {
            world: WorldRef::Preset("nowhere".into()),
            ..Session::default()
        };
        let (session, trouble) = resolvable(session);
        assert!(session.world.resolve().is_ok());
        assert!(trouble.is_some_and(|t| t.contains("nowhere")));
    }
}
