//! Draws as a density: for a million of them, where discs would be one blot.

use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::camera::{Camera, View};
use super::pipeline::{
    Pipelines, Target, ViewId, Views, bind, buffers_layout, cells_buffer, compute_pipeline,
    paint_pipeline, pipelines, premultiplied, shader, uniform_buffer,
};
use crate::gpu::PointBuffer;

/// Invocations that count points together.
const COUNTERS: u32 = 256;
/// Side of a tile of cells for the blur.
const TILE: u32 = 8;

/// Points of a buffer as a smooth density over all of the rectangle. Counted again only when the
/// points, the camera or the resolution change. Cells stay where they are in the world while a
/// person pans, so that nothing shimmers.
#[derive(Clone, Debug)]
pub struct DrawDensity {
    /// Whose grid this is; one for each density in a frame.
    pub view: ViewId,
    /// What part of the world is shown.
    pub camera: Camera,
    /// World coordinates.
    pub points: PointBuffer,
    /// Colours of no draws and of the densest place, `[r, g, b, a]` in gamma space, 0 to 1. Give
    /// the first an alpha of 0 to see what lies below.
    pub colors: [[f32; 4]; 2],
    /// Cells along the rectangle's longer side, 16 to 1024; 192 suits most.
    pub resolution: u32,
    /// Standard deviation of the blur in cells, 0.5 to 8; from 1.5 on no cells are seen.
    pub blur_cells: f32,
    /// The colour is read at (density / largest) to this power: 0.5 shows the tails.
    pub exponent: f32,
}

impl DrawDensity {
    /// 192 cells, a blur of 1.6 cells, the square root of the density.
    pub fn new(view: ViewId, camera: Camera, points: PointBuffer, colors: [[f32; 4]; 2]) -> Self {
        Self {
            view,
            camera,
            points,
            colors,
            resolution: 192,
            blur_cells: 1.6,
            exponent: 0.5,
        }
    }

    /// The shape to add to a painter.
    pub fn paint_callback(self, rect: Rect) -> PaintCallback {
        egui_wgpu::Callback::new_paint_callback(
            rect,
            Callback {
                rect,
                density: self,
            },
        )
    }

    fn grid(&self, view: View) -> Grid {
        let (low, high) = view.visible();
        let sigma = self.blur_cells.clamp(0.5, 8.0);
        let radius = (3.0 * sigma).ceil() as u32;
        let longer = (high[0] - low[0]).max(high[1] - low[1]);
        let cell = longer / self.resolution.clamp(16, 1024) as f32;
        // Room around the visible part for what the blur and the interpolation reach.
        let margin = (radius + 1) as f32;
        let first = low.map(|v| (v / cell).floor() - margin);
        let last = high.map(|v| (v / cell).ceil() + margin);
        Grid {
            view,
            low_color: premultiplied(self.colors[0]),
            high_color: premultiplied(self.colors[1]),
            origin: first.map(|v| v * cell),
            cell,
            sigma,
            size: std::array::from_fn(|c| (last[c] - first[c]).max(2.0) as u32),
            radius,
            count: self.points.len() as u32,
            exponent: self.exponent,
            unused: [0; 3],
        }
    }
}

struct Callback {
    rect: Rect,
    density: DrawDensity,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Grid {
    view: View,
    low_color: [f32; 4],
    high_color: [f32; 4],
    origin: [f32; 2],
    cell: f32,
    sigma: f32,
    size: [u32; 2],
    radius: u32,
    count: u32,
    exponent: f32,
    unused: [u32; 3],
}

pub(super) struct DensityPipelines {
    count: wgpu::ComputePipeline,
    blur_across: wgpu::ComputePipeline,
    blur_up: wgpu::ComputePipeline,
    count_layout: wgpu::BindGroupLayout,
    paint: wgpu::RenderPipeline,
    paint_layout: wgpu::BindGroupLayout,
    views: Views<DensityView>,
}

struct DensityView {
    uniform: wgpu::Buffer,
    /// What was counted: the points' id, and the grid without its colours.
    counted: Option<(u64, Grid)>,
    cells: u64,
    counts: wgpu::Buffer,
    across: wgpu::Buffer,
    density: wgpu::Buffer,
    largest: wgpu::Buffer,
    paint: wgpu::BindGroup,
}

impl DensityPipelines {
    fn new_view(&self, device: &wgpu::Device, cells: u64) -> DensityView {
        // The grid's size changes by a cell while a person pans: some to spare.
        let cells = cells + cells / 8;
        let uniform = uniform_buffer::<Grid>(device, "draw density");
        let density = cells_buffer(device, "draw density", cells);
        let largest = cells_buffer(device, "largest density", 1);
        let paint = bind(
            device,
            "draw density",
            &self.paint_layout,
            [
                uniform.as_entire_binding(),
                density.as_entire_binding(),
                largest.as_entire_binding(),
            ],
        );
        DensityView {
            uniform,
            counted: None,
            cells,
            counts: cells_buffer(device, "draw counts", cells),
            across: cells_buffer(device, "draws blurred across", cells),
            density,
            largest,
            paint,
        }
    }

    /// The blurred counts as last computed, with the grid's size, the world coordinates of its
    /// corner and the side of a cell; for tests.
    #[cfg(test)]
    pub(super) fn cells_of(&self, view: ViewId) -> Option<(wgpu::Buffer, [u32; 2], [f32; 2], f32)> {
        let state = self.views.get(view)?;
        let grid = state.counted.as_ref()?.1;
        Some((state.density.clone(), grid.size, grid.origin, grid.cell))
    }
}

impl Pipelines for DensityPipelines {
    fn new(device: &wgpu::Device, target: Target) -> Self {
        let uniform = wgpu::BufferBindingType::Uniform;
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let writable = storage(false);
        let count_layout = buffers_layout(
            device,
            "draw density",
            wgpu::ShaderStages::COMPUTE,
            &[
                uniform,
                storage(true),
                writable,
                writable,
                writable,
                writable,
            ],
        );
        let paint_layout = buffers_layout(
            device,
            "draw density paint",
            wgpu::ShaderStages::VERTEX_FRAGMENT,
            &[uniform, storage(true), storage(true)],
        );
        let source = include_str!("../../shaders/draw_density.wgsl");
        let compute = shader(device, "draw density", source, target);
        let source = include_str!("../../shaders/draw_density_paint.wgsl");
        let paint = shader(device, "draw density paint", source, target);
        let stage = |entry_point| compute_pipeline(device, &compute, entry_point, &count_layout);
        Self {
            count: stage("count_points"),
            blur_across: stage("blur_across"),
            blur_up: stage("blur_up"),
            paint: paint_pipeline(device, "draw density", &paint, &paint_layout, target),
            count_layout,
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
        let Some(pipelines) = pipelines::<DensityPipelines>(device, resources) else {
            return Vec::new();
        };
        let DrawDensity {
            view: id,
            camera,
            points,
            ..
        } = &self.density;
        let Some(view) = camera
            .view(self.rect, screen)
            .filter(|_| !points.is_empty())
        else {
            pipelines.views.forget(*id);
            return Vec::new();
        };
        let grid = self.density.grid(view);
        let cells = u64::from(grid.size[0]) * u64::from(grid.size[1]);
        if pipelines
            .views
            .get_mut(*id)
            .is_none_or(|state| state.cells < cells)
        {
            let fresh = pipelines.new_view(device, cells);
            pipelines.views.insert(*id, fresh);
        }
        let Some(state) = pipelines.views.get_mut(*id) else {
            return Vec::new();
        };
        queue.write_buffer(&state.uniform, 0, bytemuck::bytes_of(&grid));

        // Colour alone does not ask for the counts again.
        let clear = [0.0; 4];
        let plain = Grid {
            low_color: clear,
            high_color: clear,
            exponent: 0.0,
            ..grid
        };
        let counted = (points.id(), plain);
        if state.counted == Some(counted) {
            return Vec::new();
        }
        let group = bind(
            device,
            "draw density",
            &pipelines.count_layout,
            [
                state.uniform.as_entire_binding(),
                points.bind(),
                state.counts.as_entire_binding(),
                state.across.as_entire_binding(),
                state.density.as_entire_binding(),
                state.largest.as_entire_binding(),
            ],
        );
        encoder.clear_buffer(&state.counts, 0, None);
        encoder.clear_buffer(&state.largest, 0, None);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_bind_group(0, &group, &[]);
        pass.set_pipeline(&pipelines.count);
        pass.dispatch_workgroups(grid.count.div_ceil(COUNTERS), 1, 1);
        let tiles = grid.size.map(|side| side.div_ceil(TILE));
        for blur in [&pipelines.blur_across, &pipelines.blur_up] {
            pass.set_pipeline(blur);
            pass.dispatch_workgroups(tiles[0], tiles[1], 1);
        }
        state.counted = Some(counted);
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(pipelines) = resources.get::<DensityPipelines>() else {
            return;
        };
        let Some(state) = pipelines.views.get(self.density.view) else {
            return;
        };
        pass.set_pipeline(&pipelines.paint);
        pass.set_bind_group(0, &state.paint, &[]);
        pass.draw(0..3, 0..1);
    }
}
