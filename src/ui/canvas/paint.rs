//! The layers that the graphics device paints. All of `ui`'s knowledge of `render` is here.

use std::sync::Arc;

use eframe::egui::{Color32, Painter, Rect};
use eframe::egui_wgpu::RenderState;

use crate::gpu::PointBuffer;
use crate::mixture::Mixture;
use crate::render::{
    Camera, ContourLevel, Contours, DrawDensity, Gaussian, Gaussians, MixtureDensity, Points, Ramp,
    ViewId,
};
use crate::ui::tokens;

use super::projection::Projection;

/// Modes lighter than this share of the heaviest leave no visible contour.
const CONTOUR_WEIGHT: f64 = 1e-4;
/// Modes that contours are summed over at every pixel; with more the processor is quicker.
const CONTOUR_MODES: usize = 64;
/// Opacity of the lines around 50, 80 and 95 %.
const CONTOUR_OPACITY: [f32; 3] = [1.0, 0.8, 0.6];

/// Tells the renderer what is painted on; once, before the first frame.
pub fn install(state: &RenderState) {
    crate::render::install(state);
}

fn camera(projection: &Projection) -> Camera {
    Camera {
        center: projection.center.map(|v| v as f32),
        units_per_point: projection.units_per_point as f32,
    }
}

/// `[r, g, b, a]` in gamma space, alpha not multiplied in.
fn rgba(color: Color32, opacity: f32) -> [f32; 4] {
    let [r, g, b, a] = color.to_srgba_unmultiplied();
    [r, g, b, a]
        .map(|v| f32::from(v) / 255.0)
        .map_alpha(opacity)
}

trait MapAlpha {
    fn map_alpha(self, opacity: f32) -> Self;
}

impl MapAlpha for [f32; 4] {
    fn map_alpha(self, opacity: f32) -> Self {
        [self[0], self[1], self[2], self[3] * opacity]
    }
}

fn gaussians<'a>(modes: impl Iterator<Item = &'a crate::mixture::Mode>) -> Arc<Gaussians> {
    let packed: Vec<Gaussian> = modes
        .map(|m| Gaussian::from_covariance(m.weight, m.mean, [m.cov.xx, m.cov.xy, m.cov.yy]))
        .collect();
    Gaussians::new(&packed)
}

/// The density of a mixture, fading from nothing into `color`.
pub fn heat(
    painter: &Painter,
    projection: &Projection,
    mixture: &Mixture,
    color: Color32,
    layer: Layer,
) {
    let ramp = Ramp::new(&[
        rgba(color, 0.0),
        rgba(color, 0.35),
        rgba(color, 0.75),
        rgba(color, 1.0),
    ]);
    let density = MixtureDensity {
        exponent: 0.7,
        ..MixtureDensity::new(
            layer.view("canvas heat"),
            camera(projection),
            gaussians(mixture.modes().iter()),
            ramp,
        )
    };
    painter.add(density.paint_callback(projection.rect));
}

/// The small picture of a world, in the colours of a glow.
pub fn thumbnail(painter: &Painter, rect: Rect, mixture: &Mixture) {
    const SDS: f64 = 2.4;
    let (mut min, mut max) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for mode in mixture.modes() {
        let room = SDS * mode.cov.axes().0;
        for axis in 0..2 {
            min[axis] = min[axis].min(mode.mean[axis] - room);
            max[axis] = max[axis].max(mode.mean[axis] + room);
        }
    }
    let stops = tokens::MAGMA.map(|color| rgba(color, 1.0));
    let density = MixtureDensity {
        exponent: 0.6,
        resolution: 192,
        ..MixtureDensity::new(
            ViewId::named("world thumbnail"),
            Camera::fit(rect, min.map(|v| v as f32), max.map(|v| v as f32)),
            gaussians(mixture.modes().iter()),
            Ramp::new(&stops),
        )
    };
    painter.add(density.paint_callback(rect));
}

fn visible_modes(posterior: &Mixture) -> Vec<&crate::mixture::Mode> {
    let heaviest = posterior
        .modes()
        .iter()
        .map(|m| m.weight)
        .fold(0.0, f64::max);
    posterior
        .modes()
        .iter()
        .filter(|m| m.weight >= heaviest * CONTOUR_WEIGHT)
        .collect()
}

/// Whether the device paints this posterior's contours quickly.
pub fn suits_device(posterior: &Mixture) -> bool {
    visible_modes(posterior).len() <= CONTOUR_MODES
}

/// Lines around 50, 80 and 95 % of a posterior; `levels` are densities.
pub fn contours(
    painter: &Painter,
    projection: &Projection,
    posterior: &Mixture,
    levels: [f64; 3],
    color: Color32,
    layer: Layer,
) {
    let modes = visible_modes(posterior);
    let lines = Contours {
        view: layer.view("canvas contours"),
        camera: camera(projection),
        mixture: gaussians(modes.into_iter()),
        levels: levels
            .into_iter()
            .zip(CONTOUR_OPACITY)
            .map(|(level, opacity)| ContourLevel {
                log_density: level.max(f64::MIN_POSITIVE).ln() as f32,
                color: rgba(color, opacity),
            })
            .collect(),
        width_px: tokens::size::LINE * painter.pixels_per_point(),
    };
    painter.add(lines.paint_callback(projection.rect));
}

/// Which set of draws a layer shows.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    /// The draws.
    Main,
    /// The second set.
    Overlay,
    /// A panel of the comparison.
    Panel(usize),
}

impl Layer {
    fn view(self, kind: &str) -> ViewId {
        ViewId::named(kind).layer(match self {
            Self::Main => 0,
            Self::Overlay => 1,
            Self::Panel(panel) => 2 + panel as u64,
        })
    }
}

/// One dot a draw; many draws are smaller and fainter.
pub fn points(
    painter: &Painter,
    projection: &Projection,
    buffer: &PointBuffer,
    count: u32,
    color: Color32,
    layer: Layer,
) {
    let crowd = (f64::from(count.max(1)) / 4096.0) as f32;
    let opacity = (0.72 * crowd.powf(-0.52)).clamp(0.025, 0.92);
    let radius = (tokens::size::DRAW_RADIUS * crowd.powf(-0.13)).clamp(0.7, 3.2);
    let dots = Points {
        view: layer.view("canvas draws"),
        camera: camera(projection),
        points: buffer.clone(),
        radius_px: radius * painter.pixels_per_point(),
        color: rgba(color, opacity),
    };
    painter.add(dots.paint_callback(projection.rect));
}

/// One dot a particle of a small panel: fine enough to see the target's contours through a thousand.
pub fn particles(
    painter: &Painter,
    projection: &Projection,
    buffer: &PointBuffer,
    color: Color32,
    layer: Layer,
) {
    let crowd = (buffer.len().max(1) as f64 / 1024.0) as f32;
    let room = (projection.rect.size().min_elem() / 400.0).clamp(0.8, 1.6);
    let opacity = (0.62 * crowd.powf(-0.4)).clamp(0.05, 0.9);
    let radius = (tokens::size::PARTICLE_RADIUS * room * crowd.powf(-0.12)).clamp(0.7, 3.0);
    let dots = Points {
        view: layer.view("particles"),
        camera: camera(projection),
        points: buffer.clone(),
        radius_px: radius * painter.pixels_per_point(),
        color: rgba(color, opacity),
    };
    painter.add(dots.paint_callback(projection.rect));
}

/// The draws as a smooth density.
pub fn density(
    painter: &Painter,
    projection: &Projection,
    buffer: &PointBuffer,
    color: Color32,
    layer: Layer,
) {
    let density = DrawDensity::new(
        layer.view("canvas draw density"),
        camera(projection),
        buffer.clone(),
        [rgba(color, 0.0), rgba(color, 0.95)],
    );
    painter.add(density.paint_callback(projection.rect));
}
