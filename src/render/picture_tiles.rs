//! Pictures as tiles, read by our shader from the buffers that they were computed in.

use std::ops::Range;

use eframe::egui::epaint::ViewportInPixels;
use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor};
use eframe::wgpu;

use super::pipeline::{
    Pipelines, Target, ViewId, Views, bind, painting, pipelines, storage_buffer, uniform_buffer,
};
use crate::gpu::{PictureBuffer, count_list};

/// One picture on the screen.
#[derive(Clone, Debug)]
pub struct PictureTile {
    /// Where its numbers are.
    pub pictures: PictureBuffer,
    /// Which picture of the buffer.
    pub item: u32,
    /// Where it stands, in points; painted on whole physical pixels.
    pub rect: Rect,
    /// 0 to 1.
    pub opacity: f32,
}

/// Pictures of one shape. Another order or another place writes the list of tiles anew and no picture; what is as it was
/// writes nothing.
#[derive(Clone, Debug)]
pub struct PictureTiles {
    /// Whose tiles these are; one for each such callback in a frame.
    pub view: ViewId,
    /// `[C, H, W]`: 1 channel is grey, 3 are red, green and blue in gamma space.
    pub shape: [usize; 3],
    /// What to paint.
    pub tiles: Vec<PictureTile>,
    /// Whether enlarged pictures are blended from pixel to pixel; otherwise each pixel is a square.
    pub smooth: bool,
}

impl PictureTiles {
    /// The shape to add to a painter. Nothing outside `rect` is painted over.
    pub fn paint_callback(self, rect: Rect) -> PaintCallback {
        egui_wgpu::Callback::new_paint_callback(rect, Callback { rect, tiles: self })
    }
}

struct Callback {
    rect: Rect,
    tiles: PictureTiles,
}

/// `Style` of shaders/picture_tiles.wgsl.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Style {
    viewport_px: [f32; 2],
    size: [u32; 2],
    channels: u32,
    blends: u32,
    unused: [u32; 2],
}

/// `Tile` of shaders/picture_tiles.wgsl.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Instance {
    min_px: [f32; 2],
    max_px: [f32; 2],
    item: u32,
    opacity: f32,
    unused: [u32; 2],
}

struct TilePipelines {
    paint: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    views: Views<TileView>,
}

struct TileView {
    style: wgpu::Buffer,
    /// As last written.
    styled: Style,
    instances: wgpu::Buffer,
    /// As last written.
    listed: Vec<Instance>,
    /// For how many there is room.
    room: usize,
    /// The buffers that are painted from, by id, and which tiles are of each.
    groups: Vec<(u64, wgpu::BindGroup, Range<u32>)>,
}

impl Pipelines for TilePipelines {
    fn new(device: &wgpu::Device, target: Target) -> Self {
        let source = include_str!("../../shaders/picture_tiles.wgsl");
        let (paint, layout) = painting(device, "picture tiles", source, 2, target);
        Self {
            paint,
            layout,
            views: Views::new(),
        }
    }
}

impl TileView {
    fn new(device: &wgpu::Device, style: Style, listed: &[Instance]) -> Self {
        let room = listed.len().next_power_of_two();
        let mut padded = listed.to_vec();
        padded.resize(room, bytemuck::Zeroable::zeroed());
        let uniform = uniform_buffer::<Style>(device, "picture tiles");
        count_list();
        Self {
            style: uniform,
            // Written by the first update.
            styled: Style {
                size: [0; 2],
                ..style
            },
            instances: storage_buffer(device, "picture tiles", bytemuck::cast_slice(&padded)),
            listed: listed.to_vec(),
            room,
            groups: Vec::new(),
        }
    }

    /// Writes what changed.
    fn update(&mut self, queue: &wgpu::Queue, style: Style, listed: Vec<Instance>) {
        if self.styled != style {
            queue.write_buffer(&self.style, 0, bytemuck::bytes_of(&style));
            self.styled = style;
            count_list();
        }
        if self.listed != listed {
            queue.write_buffer(&self.instances, 0, bytemuck::cast_slice(&listed));
            self.listed = listed;
            count_list();
        }
    }
}

impl Callback {
    /// The tiles on the screen, those of a buffer one after the other, and where each buffer's begin and end.
    fn listed(
        &self,
        port: &ViewportInPixels,
        pixels_per_point: f32,
    ) -> (Vec<Instance>, Vec<(&PictureBuffer, Range<u32>)>) {
        let numbers: usize = self.tiles.shape.iter().product();
        let mut shown: Vec<&PictureTile> = self
            .tiles
            .tiles
            .iter()
            .filter(|tile| tile.pictures.numbers() == numbers)
            .filter(|tile| (tile.item as usize) < tile.pictures.len())
            .filter(|tile| tile.rect.intersects(self.rect))
            .collect();
        shown.sort_by_key(|tile| tile.pictures.id());
        let corner = [port.left_px as f32, port.top_px as f32];
        let px = |x: f32, y: f32| {
            [
                (x * pixels_per_point).round() - corner[0],
                (y * pixels_per_point).round() - corner[1],
            ]
        };
        let instance = |tile: &&PictureTile| Instance {
            min_px: px(tile.rect.min.x, tile.rect.min.y),
            max_px: px(tile.rect.max.x, tile.rect.max.y),
            item: tile.item,
            opacity: tile.opacity,
            unused: [0; 2],
        };
        let mut groups: Vec<(&PictureBuffer, Range<u32>)> = Vec::new();
        for (at, tile) in (0..).zip(&shown) {
            match groups.last_mut() {
                Some((buffer, range)) if buffer.id() == tile.pictures.id() => range.end = at + 1,
                _ => groups.push((&tile.pictures, at..at + 1)),
            }
        }
        (shown.iter().map(instance).collect(), groups)
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
        let Some(pipelines) = pipelines::<TilePipelines>(device, resources) else {
            return Vec::new();
        };
        let id = self.tiles.view;
        let ppp = screen.pixels_per_point;
        let port = ViewportInPixels::from_points(&self.rect, ppp, screen.size_in_pixels);
        let (listed, ranges) = self.listed(&port, ppp);
        if listed.is_empty() || port.width_px <= 0 || port.height_px <= 0 {
            pipelines.views.forget(id);
            return Vec::new();
        }
        let [channels, height, width] = self.tiles.shape;
        let style = Style {
            viewport_px: [port.width_px as f32, port.height_px as f32],
            size: [width as u32, height as u32],
            channels: channels as u32,
            blends: self.tiles.smooth.into(),
            unused: [0; 2],
        };
        let has_room = pipelines
            .views
            .get(id)
            .is_some_and(|v| v.room >= listed.len());
        if !has_room {
            let view = TileView::new(device, style, &listed);
            pipelines.views.insert(id, view);
        }
        let Some(view) = pipelines.views.get_mut(id) else {
            return Vec::new();
        };
        view.update(queue, style, listed);
        let mut before = std::mem::take(&mut view.groups);
        for (buffer, range) in ranges {
            let same = before.iter().position(|(id, ..)| *id == buffer.id());
            let group = if let Some(at) = same {
                before.swap_remove(at).1
            } else {
                let resources = [
                    view.style.as_entire_binding(),
                    view.instances.as_entire_binding(),
                    buffer.bind(),
                ];
                bind(device, "picture tiles", &pipelines.layout, resources)
            };
            view.groups.push((buffer.id(), group, range));
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(pipelines) = resources.get::<TilePipelines>() else {
            return;
        };
        let Some(view) = pipelines.views.get(self.tiles.view) else {
            return;
        };
        pass.set_pipeline(&pipelines.paint);
        for (_, group, range) in &view.groups {
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..6, range.clone());
        }
    }
}
