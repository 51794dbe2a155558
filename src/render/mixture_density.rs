//! A heat map of a mixture's density, computed on the device from its components.

use std::sync::Arc;

use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::camera::{Camera, View};
use super::gaussians::Gaussians;
use super::pipeline::{
    Pipelines, Target, ViewId, Views, bind, buffers_layout, cells_buffer, compute_pipeline,
    paint_pipeline, pipelines, shader, storage_buffer, uniform_buffer,
};
use super::ramp::{ENTRIES, Ramp};

/// Side of a workgroup's tile of nodes.
const TILE: u32 = 8;
/// Components below `exp(-20)` of the peak, together, are left out.
const CUTOFF: f32 = 20.0;

/// The density of a mixture over all of the rectangle. The grid is computed only when the
/// components, the camera or the resolution change.
#[derive(Clone, Debug)]
pub struct MixtureDensity {
    /// Whose grid this is; one for each heat map in a frame.
    pub view: ViewId,
    /// What part of the world is shown.
    pub camera: Camera,
    /// The mixture.
    pub mixture: Arc<Gaussians>,
    /// Nodes along the rectangle's longer side, 16 to 1024; 256 is smooth for components wider
    /// than about two hundredths of the rectangle. Time grows with its square and with the
    /// components.
    pub resolution: u32,
    /// Colours from no density to [`MixtureDensity::log_peak`].
    pub ramp: Ramp,
    /// The ramp is read at (density / peak) to this power: 1 is true to the density, 0.5 shows its
    /// tails.
    pub exponent: f32,
    /// The log density at the ramp's end; the mixture's own peak if None.
    pub log_peak: Option<f32>,
    /// 0 to 1, multiplies the ramp.
    pub opacity: f32,
}

impl MixtureDensity {
    /// 256 nodes, square root of the density, its own peak, opaque.
    pub fn new(view: ViewId, camera: Camera, mixture: Arc<Gaussians>, ramp: Ramp) -> Self {
        Self {
            view,
            camera,
            mixture,
            resolution: 256,
            ramp,
            exponent: 0.5,
            log_peak: None,
            opacity: 1.0,
        }
    }

    /// The shape to add to a painter.
    pub fn paint_callback(self, rect: Rect) -> PaintCallback {
        egui_wgpu::Callback::new_paint_callback(rect, Callback { rect, map: self })
    }

    fn grid(&self, view: View) -> Grid {
        let (low, high) = view.visible();
        let [width, height] = view.viewport_px;
        let longer = self.resolution.clamp(16, 1024);
        let nodes = |side: f32| ((longer as f32 * side / width.max(height)).round() as u32).max(2);
        let size = [nodes(width), nodes(height)];
        let log_peak = self.log_peak.unwrap_or(self.mixture.log_peak());
        Grid {
            view,
            origin: low,
            cell: [
                (high[0] - low[0]) / (size[0] - 1) as f32,
                (high[1] - low[1]) / (size[1] - 1) as f32,
            ],
            size,
            count: self.mixture.len() as u32,
            log_peak,
            cutoff: CUTOFF + (self.mixture.len().max(1) as f32).ln(),
            exponent: self.exponent,
            opacity: self.opacity,
            unused: 0.0,
        }
    }
}

struct Callback {
    rect: Rect,
    map: MixtureDensity,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Grid {
    view: View,
    origin: [f32; 2],
    cell: [f32; 2],
    size: [u32; 2],
    count: u32,
    log_peak: f32,
    cutoff: f32,
    exponent: f32,
    opacity: f32,
    unused: f32,
}

pub(super) struct MixturePipelines {
    evaluate: wgpu::ComputePipeline,
    evaluate_layout: wgpu::BindGroupLayout,
    paint: wgpu::RenderPipeline,
    paint_layout: wgpu::BindGroupLayout,
    views: Views<MixtureView>,
}

struct MixtureView {
    uniform: wgpu::Buffer,
    ramp_buffer: wgpu::Buffer,
    ramp: Option<Ramp>,
    /// What the grid was computed for.
    computed: Option<(u64, Grid)>,
    cells: u64,
    nodes: wgpu::Buffer,
    paint: wgpu::BindGroup,
}

impl MixturePipelines {
    fn new_view(&self, device: &wgpu::Device, cells: u64) -> MixtureView {
        let uniform = uniform_buffer::<Grid>(device, "mixture density");
        let ramp_buffer = uniform_buffer::<[[f32; 4]; ENTRIES]>(device, "ramp");
        let nodes = cells_buffer(device, "mixture density", cells);
        let paint = bind(
            device,
            "mixture density",
            &self.paint_layout,
            [
                uniform.as_entire_binding(),
                nodes.as_entire_binding(),
                ramp_buffer.as_entire_binding(),
            ],
        );
        MixtureView {
            uniform,
            ramp_buffer,
            ramp: None,
            computed: None,
            cells,
            nodes,
            paint,
        }
    }

    /// Log density over peak at the grid's nodes as last computed, with the grid's size; for tests.
    #[cfg(test)]
    pub(super) fn nodes_of(&self, view: ViewId) -> Option<(wgpu::Buffer, [u32; 2])> {
        let state = self.views.get(view)?;
        Some((state.nodes.clone(), state.computed.as_ref()?.1.size))
    }
}

impl Pipelines for MixturePipelines {
    fn new(device: &wgpu::Device, target: Target) -> Self {
        let uniform = wgpu::BufferBindingType::Uniform;
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let evaluate_layout = buffers_layout(
            device,
            "evaluate",
            wgpu::ShaderStages::COMPUTE,
            &[uniform, storage(true), storage(false)],
        );
        let paint_layout = buffers_layout(
            device,
            "mixture density",
            wgpu::ShaderStages::VERTEX_FRAGMENT,
            &[uniform, storage(true), uniform],
        );
        let source = include_str!("../../shaders/mixture_density.wgsl");
        let evaluate = shader(device, "mixture density", source, target);
        let source = include_str!("../../shaders/mixture_density_paint.wgsl");
        let paint = shader(device, "mixture density paint", source, target);
        Self {
            evaluate: compute_pipeline(device, &evaluate, "evaluate", &evaluate_layout),
            evaluate_layout,
            paint: paint_pipeline(device, "mixture density", &paint, &paint_layout, target),
            paint_layout,
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
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(pipelines) = pipelines::<MixturePipelines>(device, resources) else {
            return Vec::new();
        };
        let id = self.map.view;
        let view = self.map.camera.view(self.rect, screen);
        let Some(view) = view.filter(|_| !self.map.mixture.is_empty()) else {
            pipelines.views.forget(id);
            return Vec::new();
        };
        let grid = self.map.grid(view);
        let cells = u64::from(grid.size[0]) * u64::from(grid.size[1]);
        if pipelines
            .views
            .get_mut(id)
            .is_none_or(|state| state.cells < cells)
        {
            let fresh = pipelines.new_view(device, cells);
            pipelines.views.insert(id, fresh);
        }
        let Some(state) = pipelines.views.get_mut(id) else {
            return Vec::new();
        };
        queue.write_buffer(&state.uniform, 0, bytemuck::bytes_of(&grid));
        if state.ramp.as_ref() != Some(&self.map.ramp) {
            let entries = self.map.ramp.entries();
            queue.write_buffer(&state.ramp_buffer, 0, bytemuck::cast_slice(&entries));
            state.ramp = Some(self.map.ramp.clone());
        }
        // Colour alone does not ask for the grid again.
        let computed = (
            self.map.mixture.key(),
            Grid {
                exponent: 0.0,
                opacity: 0.0,
                ..grid
            },
        );
        if state.computed.as_ref() != Some(&computed) {
            let terms = storage_buffer(device, "mixture", &self.map.mixture.bytes());
            let group = bind(
                device,
                "evaluate",
                &pipelines.evaluate_layout,
                [
                    state.uniform.as_entire_binding(),
                    terms.as_entire_binding(),
                    state.nodes.as_entire_binding(),
                ],
            );
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipelines.evaluate);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(grid.size[0].div_ceil(TILE), grid.size[1].div_ceil(TILE), 1);
            state.computed = Some(computed);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(pipelines) = resources.get::<MixturePipelines>() else {
            return;
        };
        let Some(state) = pipelines.views.get(self.map.view) else {
            return;
        };
        pass.set_pipeline(&pipelines.paint);
        pass.set_bind_group(0, &state.paint, &[]);
        pass.draw(0..3, 0..1);
    }
}
