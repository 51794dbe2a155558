//! Iso-lines of a mixture's density: crisp at any zoom, because each pixel works them out.

use std::sync::Arc;

use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::camera::{Camera, View};
use super::gaussians::Gaussians;
use super::pipeline::{
    Pipelines, Target, ViewId, Views, bind, painting, pipelines, premultiplied, storage_buffer,
    uniform_buffer,
};

/// One line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContourLevel {
    /// Natural log of the density that the line follows.
    pub log_density: f32,
    /// `[r, g, b, a]` in gamma space, 0 to 1.
    pub color: [f32; 4],
}

/// Lines of equal density of a mixture. Every pixel near them sums over all components, so leave
/// out those that do not matter: up to about 64 is quick anywhere.
#[derive(Clone, Debug)]
pub struct Contours {
    /// Whose lines these are; one for each set of lines in a frame.
    pub view: ViewId,
    /// What part of the world is shown.
    pub camera: Camera,
    /// The mixture.
    pub mixture: Arc<Gaussians>,
    /// The lines; later ones lie over earlier ones.
    pub levels: Vec<ContourLevel>,
    /// Width of a line in physical pixels; 1.5 is crisp.
    pub width_px: f32,
}

impl Contours {
    /// The shape to add to a painter.
    pub fn paint_callback(self, rect: Rect) -> PaintCallback {
        egui_wgpu::Callback::new_paint_callback(
            rect,
            Callback {
                rect,
                contours: self,
            },
        )
    }

    /// The part of the viewport where lines can be, in clip coordinates.
    fn extent(&self, view: &View) -> Option<([f32; 2], [f32; 2])> {
        let lowest = self
            .levels
            .iter()
            .map(|l| l.log_density)
            .fold(f32::INFINITY, f32::min);
        let (low, high) = self.mixture.bounds(lowest)?;
        // Room for the line itself.
        let room = (self.width_px + 2.0) * view.units_per_px;
        let clip = |world: [f32; 2], room: f32| -> [f32; 2] {
            std::array::from_fn(|c| {
                ((world[c] + room) * view.scale[c] + view.offset[c]).clamp(-1.0, 1.0)
            })
        };
        let (low, high) = (clip(low, -room), clip(high, room));
        (low[0] < high[0] && low[1] < high[1]).then_some((low, high))
    }
}

struct Callback {
    rect: Rect,
    contours: Contours,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Style {
    view: View,
    low: [f32; 2],
    high: [f32; 2],
    count: u32,
    level_count: u32,
    half_width_px: f32,
    log_peak: f32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Level {
    color: [f32; 4],
    log_density: f32,
    unused: [f32; 3],
}

struct ContourPipelines {
    paint: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    views: Views<ContourView>,
}

struct ContourView {
    style: wgpu::Buffer,
    key: u64,
    levels: Vec<ContourLevel>,
    group: wgpu::BindGroup,
}

impl ContourPipelines {
    fn new_view(&self, device: &wgpu::Device, contours: &Contours) -> ContourView {
        let style = uniform_buffer::<Style>(device, "contours");
        let terms = storage_buffer(device, "mixture", &contours.mixture.bytes());
        let levels: Vec<_> = contours
            .levels
            .iter()
            .map(|level| Level {
                color: premultiplied(level.color),
                log_density: level.log_density,
                unused: [0.0; 3],
            })
            .collect();
        let levels = storage_buffer(device, "levels", bytemuck::cast_slice(&levels));
        let group = bind(
            device,
            "contours",
            &self.layout,
            [
                style.as_entire_binding(),
                terms.as_entire_binding(),
                levels.as_entire_binding(),
            ],
        );
        let (key, levels) = (contours.mixture.key(), contours.levels.clone());
        ContourView {
            style,
            key,
            levels,
            group,
        }
    }
}

impl Pipelines for ContourPipelines {
    fn new(device: &wgpu::Device, target: Target) -> Self {
        let source = include_str!("../../shaders/contours.wgsl");
        let (paint, layout) = painting(device, "contours", source, 2, target);
        Self {
            paint,
            layout,
            views: Views::new(),
        }
    }
}

impl CallbackTrait for Callback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(pipelines) = pipelines::<ContourPipelines>(device, resources) else {
            return Vec::new();
        };
        let contours = &self.contours;
        let id = contours.view;
        let placed = contours.camera.view(self.rect, screen);
        let placed = placed.and_then(|view| Some((view, contours.extent(&view)?)));
        let Some((view, (low, high))) = placed else {
            pipelines.views.forget(id);
            return Vec::new();
        };
        let (key, levels) = (contours.mixture.key(), &contours.levels);
        let changed = |state: &mut ContourView| state.key != key || state.levels != *levels;
        if pipelines.views.get_mut(id).is_none_or(changed) {
            let fresh = pipelines.new_view(device, contours);
            pipelines.views.insert(id, fresh);
        }
        let style = Style {
            view,
            low,
            high,
            count: contours.mixture.len() as u32,
            level_count: levels.len() as u32,
            half_width_px: 0.5 * contours.width_px,
            log_peak: contours.mixture.log_peak(),
        };
        if let Some(state) = pipelines.views.get_mut(id) {
            queue.write_buffer(&state.style, 0, bytemuck::bytes_of(&style));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(pipelines) = resources.get::<ContourPipelines>() else {
            return;
        };
        let Some(state) = pipelines.views.get(self.contours.view) else {
            return;
        };
        pass.set_pipeline(&pipelines.paint);
        pass.set_bind_group(0, &state.group, &[]);
        pass.draw(0..6, 0..1);
    }
}
