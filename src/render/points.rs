//! Draws as points: round, anti-aliased discs from the buffer they were computed in.

use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::camera::{Camera, View};
use super::pipeline::{
    Pipelines, Target, ViewId, Views, bind, painting, pipelines, premultiplied, uniform_buffer,
};
use crate::gpu::PointBuffer;

/// Points of a buffer as discs. Later points lie over earlier ones.
#[derive(Clone, Debug)]
pub struct Points {
    /// Whose uniforms these are; one for each layer that paints points in a frame.
    pub view: ViewId,
    /// What part of the world is shown.
    pub camera: Camera,
    /// World coordinates.
    pub points: PointBuffer,
    /// Of a disc, in physical pixels. Below half a pixel the disc grows fainter, not smaller.
    pub radius_px: f32,
    /// `[r, g, b, a]` in gamma space, 0 to 1; with many points, an alpha well below 1 shows where
    /// they are dense.
    pub color: [f32; 4],
}

impl Points {
    /// The shape to add to a painter. Nothing outside `rect` is painted over.
    pub fn paint_callback(self, rect: Rect) -> PaintCallback {
        egui_wgpu::Callback::new_paint_callback(rect, Callback { rect, points: self })
    }
}

struct Callback {
    rect: Rect,
    points: Points,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Style {
    view: View,
    color: [f32; 4],
    radius_px: f32,
    count: u32,
    unused: [u32; 2],
}

struct PointsPipelines {
    paint: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    views: Views<PointsView>,
}

struct PointsView {
    style: wgpu::Buffer,
    /// The points bound, by id, and how many.
    bound: Option<(u64, wgpu::BindGroup)>,
    count: u32,
}

impl Pipelines for PointsPipelines {
    fn new(device: &wgpu::Device, target: Target) -> Self {
        let source = include_str!("../../shaders/points.wgsl");
        let (paint, layout) = painting(device, "points", source, 1, target);
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
        let Some(pipelines) = pipelines::<PointsPipelines>(device, resources) else {
            return Vec::new();
        };
        let Points {
            view: id,
            camera,
            points,
            radius_px,
            color,
        } = &self.points;
        let Some(view) = camera
            .view(self.rect, screen)
            .filter(|_| !points.is_empty())
        else {
            pipelines.views.forget(*id);
            return Vec::new();
        };
        if pipelines.views.get_mut(*id).is_none() {
            let style = uniform_buffer::<Style>(device, "points");
            pipelines.views.insert(
                *id,
                PointsView {
                    style,
                    bound: None,
                    count: 0,
                },
            );
        }
        let Some(state) = pipelines.views.get_mut(*id) else {
            return Vec::new();
        };
        state.count = points.len() as u32;
        let style = Style {
            view,
            color: premultiplied(*color),
            radius_px: *radius_px,
            count: state.count,
            unused: [0; 2],
        };
        queue.write_buffer(&state.style, 0, bytemuck::bytes_of(&style));
        if state
            .bound
            .as_ref()
            .is_none_or(|(bound, _)| *bound != points.id())
        {
            let resources = [state.style.as_entire_binding(), points.bind()];
            state.bound = Some((
                points.id(),
                bind(device, "points", &pipelines.layout, resources),
            ));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(pipelines) = resources.get::<PointsPipelines>() else {
            return;
        };
        let Some(state) = pipelines.views.get(self.points.view) else {
            return;
        };
        let Some((_, group)) = &state.bound else {
            return;
        };
        pass.set_pipeline(&pipelines.paint);
        pass.set_bind_group(0, group, &[]);
        pass.draw(0..state.count * 3, 0..1);
    }
}
