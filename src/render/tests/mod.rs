//! The callbacks, painted through egui's own renderer into a texture, and the pixels looked at.
//!
//! Without any adapter they are skipped and say so. Set `FORESIGHT_PICTURES` to a folder to keep
//! what was painted.

mod contours;
mod draw_density;
mod mixture_density;
mod picture_tiles;
mod pictures;
mod points;

use std::sync::Arc;

use eframe::egui::epaint::Primitive;
use eframe::egui::{ClippedPrimitive, PaintCallback, Pos2, Rect, pos2, vec2};
use eframe::egui_wgpu::{Renderer, RendererOptions, ScreenDescriptor};
use eframe::wgpu;

use super::*;
use crate::gpu::SharedDevice;

/// A texture to paint on and the renderer that does it.
struct Canvas {
    shared: Arc<SharedDevice>,
    renderer: Renderer,
    texture: wgpu::Texture,
    screen: ScreenDescriptor,
    background: [f64; 3],
}

impl Canvas {
    /// None, with a word why, if there is no adapter at all.
    fn new(width: u32, height: u32, pixels_per_point: f32) -> Option<Self> {
        let shared = match SharedDevice::headless() {
            Ok(shared) => shared,
            Err(error) => {
                println!("skipped: {error}");
                return None;
            }
        };
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let mut renderer = Renderer::new(&shared.device, format, RendererOptions::PREDICTABLE);
        install_in(&mut renderer, format);
        let texture = shared.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("canvas"),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let screen = ScreenDescriptor {
            size_in_pixels: [width, height],
            pixels_per_point,
        };
        Some(Self {
            shared,
            renderer,
            texture,
            screen,
            background: [0.0; 3],
        })
    }

    /// All of the canvas, in logical points.
    fn rect(&self) -> Rect {
        let [width, height] = self.screen.size_in_pixels.map(|side| side as f32);
        Rect::from_min_size(
            Pos2::ZERO,
            vec2(width, height) / self.screen.pixels_per_point,
        )
    }

    /// Paints one frame and reads it back.
    fn paint(&mut self, callbacks: &[PaintCallback]) -> Picture {
        self.submit(callbacks);
        self.read()
    }

    fn submit(&mut self, callbacks: &[PaintCallback]) {
        let jobs: Vec<_> = callbacks
            .iter()
            .map(|callback| ClippedPrimitive {
                clip_rect: callback.rect,
                primitive: Primitive::Callback(callback.clone()),
            })
            .collect();
        let (device, queue) = (&self.shared.device, &self.shared.queue);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut commands =
            self.renderer
                .update_buffers(device, queue, &mut encoder, &jobs, &self.screen);
        let view = self
            .texture
            .create_view(&wgpu::TextureViewDescriptor::default());
        let [r, g, b] = self.background;
        {
            let mut pass = encoder
                .begin_render_pass(&wgpu::RenderPassDescriptor {
                    label: Some("canvas"),
                    color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                        view: &view,
                        depth_slice: None,
                        resolve_target: None,
                        ops: wgpu::Operations {
                            load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                            store: wgpu::StoreOp::Store,
                        },
                    })],
                    ..Default::default()
                })
                .forget_lifetime();
            self.renderer.render(&mut pass, &jobs, &self.screen);
        }
        commands.push(encoder.finish());
        queue.submit(commands);
    }

    fn read(&self) -> Picture {
        let [width, height] = self.screen.size_in_pixels;
        let row_bytes = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let device = &self.shared.device;
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(row_bytes * height),
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_texture_to_buffer(
            self.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(row_bytes),
                    rows_per_image: None,
                },
            },
            self.texture.size(),
        );
        self.shared.queue.submit([encoder.finish()]);
        // Errors of wgpu's validation are logged, not returned: here nobody would look.
        assert_eq!(self.shared.take_error(), None);
        let padded = crate::gpu::read_buffer(&self.shared, &buffer, 0, buffer.size())
            .expect("a device that works");
        let bytes = padded
            .chunks_exact(row_bytes as usize)
            .flat_map(|row| &row[..width as usize * 4])
            .copied()
            .collect();
        Picture { width, bytes }
    }
}

struct Picture {
    width: u32,
    bytes: Vec<u8>,
}

impl Picture {
    /// The pixel that this place (in logical points, with the canvas's scale) lies in.
    fn at(&self, place: Pos2, pixels_per_point: f32) -> [u8; 3] {
        let (x, y) = (
            (place.x * pixels_per_point) as u32,
            (place.y * pixels_per_point) as u32,
        );
        let at = ((y * self.width + x) * 4) as usize;
        [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]]
    }

    /// Pixels that are not the black background.
    fn painted(&self) -> usize {
        self.bytes
            .chunks_exact(4)
            .filter(|p| p[..3] != [0, 0, 0])
            .count()
    }

    /// Writes a PNG if somebody asked for pictures.
    fn keep(&self, name: &str) {
        let Some(folder) = std::env::var_os("FORESIGHT_PICTURES") else {
            return;
        };
        let path = std::path::Path::new(&folder).join(format!("{name}.png"));
        let height = self.bytes.len() as u32 / 4 / self.width;
        image::save_buffer(
            &path,
            &self.bytes,
            self.width,
            height,
            image::ColorType::Rgba8,
        )
        .expect("the folder that was asked for can be written to");
        println!("wrote {}", path.display());
    }
}

/// Read back a buffer of f32 that a callback's compute pass filled.
fn read_floats(shared: &SharedDevice, buffer: &wgpu::Buffer, n: usize) -> Vec<f32> {
    let bytes = crate::gpu::read_buffer(shared, buffer, 0, n as u64 * 4).expect("a working device");
    bytemuck::pod_collect_to_vec(&bytes)
}

fn camera(units_per_point: f32) -> Camera {
    Camera {
        center: [0.0, 0.0],
        units_per_point,
    }
}

/// The three modes of the first session, roughly, at some `t`.
fn three_modes(t: f64) -> Vec<(f64, [f64; 2], [f64; 3])> {
    let noise = (1.0 - t) * (1.0 - t);
    [
        (0.3, [-3.0, -3.0], 0.5),
        (0.4, [0.0, 0.0], 0.6),
        (0.3, [3.0, 3.0], 0.5),
    ]
    .map(|(weight, mean, variance)| {
        let c = t * t * variance + noise;
        (weight, mean.map(|m| t * m), [c, 0.0, c * 0.8])
    })
    .to_vec()
}

fn packed(modes: &[(f64, [f64; 2], [f64; 3])]) -> Arc<Gaussians> {
    let components: Vec<_> = modes
        .iter()
        .map(|&(w, m, c)| Gaussian::from_covariance(w, m, c))
        .collect();
    Gaussians::new(&components)
}

/// Log density of a mixture in f64.
fn log_density(modes: &[(f64, [f64; 2], [f64; 3])], x: [f64; 2]) -> f64 {
    let density: f64 = modes
        .iter()
        .map(|&(w, m, [xx, xy, yy])| {
            let det = xx * yy - xy * xy;
            let (dx, dy) = (x[0] - m[0], x[1] - m[1]);
            let q = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / det;
            w * (-0.5 * q).exp() / (std::f64::consts::TAU * det.sqrt())
        })
        .sum();
    density.ln()
}

fn small_rect() -> Rect {
    Rect::from_min_size(pos2(0.0, 0.0), vec2(128.0, 128.0))
}
