//! What all callbacks share: the target, pipelines made once, and state for each view.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eframe::egui_wgpu::{self, CallbackResources};
use eframe::wgpu;
use wgpu::util::DeviceExt as _;

/// Which layer of which panel. All callbacks of a frame are prepared before any is painted, so
/// each keeps its own uniforms and bind groups under its id: two callbacks of one kind in one frame
/// must not share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId(pub u64);

impl ViewId {
    /// An id from a name: the same in every run.
    pub fn named(name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// The id of a layer within this view.
    #[must_use]
    pub fn layer(self, layer: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.0, layer).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What is painted on. Kept in the callback resources by [`install`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub format: wgpu::TextureFormat,
}

/// Tells a renderer's callback resources what is painted on: once, before the first callback. For
/// eframe: `install(cc.wgpu_render_state)`.
pub fn install(state: &egui_wgpu::RenderState) {
    install_in(&mut state.renderer.write(), state.target_format);
}

/// [`install`] for a renderer made by hand, as offscreen pictures and tests do.
pub fn install_in(renderer: &mut egui_wgpu::Renderer, format: wgpu::TextureFormat) {
    renderer.callback_resources.insert(Target { format });
}

/// Pipelines and views of one kind of callback; made on its first use.
pub(super) trait Pipelines: Send + Sync + 'static {
    fn new(device: &wgpu::Device, target: Target) -> Self;
}

/// The pipelines of kind `P`, made if this is their first use. None if nobody called [`install`]:
/// nothing is painted then, and the log says so.
pub(super) fn pipelines<'a, P: Pipelines>(
    device: &wgpu::Device,
    resources: &'a mut CallbackResources,
) -> Option<&'a mut P> {
    if !resources.contains::<P>() {
        let Some(target) = resources.get::<Target>().copied() else {
            tracing::error!("render::install was not called: nothing is painted");
            return None;
        };
        resources.insert(P::new(device, target));
    }
    resources.get_mut::<P>()
}

/// State of each view, the longest unused forgotten when there are many.
#[derive(Debug)]
pub(super) struct Views<T> {
    views: HashMap<ViewId, (u64, T)>,
    clock: u64,
}

impl<T> Views<T> {
    /// More than one frame ever shows at once; at most about 1 MiB each.
    const MOST: usize = 64;

    pub(super) fn new() -> Self {
        Self {
            views: HashMap::new(),
            clock: 0,
        }
    }

    pub(super) fn get(&self, id: ViewId) -> Option<&T> {
        self.views.get(&id).map(|(_, view)| view)
    }

    /// The state of a view that is about to be painted.
    pub(super) fn get_mut(&mut self, id: ViewId) -> Option<&mut T> {
        self.clock += 1;
        let (used, view) = self.views.get_mut(&id)?;
        *used = self.clock;
        Some(view)
    }

    pub(super) fn insert(&mut self, id: ViewId, view: T) {
        if self.views.len() >= Self::MOST && !self.views.contains_key(&id) {
            let oldest = self
                .views
                .iter()
                .min_by_key(|(_, (used, _))| *used)
                .map(|(&id, _)| id);
            if let Some(oldest) = oldest {
                self.views.remove(&oldest);
            }
        }
        self.clock += 1;
        self.views.insert(id, (self.clock, view));
    }

    pub(super) fn forget(&mut self, id: ViewId) {
        self.views.remove(&id);
    }
}

/// One shader file with what is shared put in front, and what depends on the target.
pub(super) fn shader(
    device: &wgpu::Device,
    label: &str,
    source: &str,
    target: Target,
) -> wgpu::ShaderModule {
    let text = format!(
        "const TARGET_IS_SRGB: bool = {};\n{}\n{source}",
        target.format.is_srgb(),
        include_str!("../../shaders/common.wgsl"),
    );
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    })
}

/// A bind group layout of buffers, bound 0, 1, 2, ...
pub(super) fn buffers_layout(
    device: &wgpu::Device,
    label: &str,
    visibility: wgpu::ShaderStages,
    kinds: &[wgpu::BufferBindingType],
) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..)
        .zip(kinds)
        .map(|(binding, &ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(label),
        entries: &entries,
    })
}

/// A pipeline that paints from a uniform and `storages` buffers that it reads, bound 0, 1, 2, ..., and their layout.
pub(super) fn painting(
    device: &wgpu::Device,
    label: &str,
    source: &str,
    storages: usize,
    target: Target,
) -> (wgpu::RenderPipeline, wgpu::BindGroupLayout) {
    let mut kinds = vec![wgpu::BufferBindingType::Uniform];
    kinds.resize(
        1 + storages,
        wgpu::BufferBindingType::Storage { read_only: true },
    );
    let layout = buffers_layout(device, label, wgpu::ShaderStages::VERTEX_FRAGMENT, &kinds);
    let module = shader(device, label, source, target);
    let paint = paint_pipeline(device, label, &module, &layout, target);
    (paint, layout)
}

/// A bind group of whole or partial buffers, bound 0, 1, 2, ...
pub(super) fn bind<'a>(
    device: &wgpu::Device,
    label: &str,
    layout: &wgpu::BindGroupLayout,
    resources: impl IntoIterator<Item = wgpu::BindingResource<'a>>,
) -> wgpu::BindGroup {
    let entries: Vec<_> = (0..)
        .zip(resources)
        .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(label),
        layout,
        entries: &entries,
    })
}

/// A render pipeline of `vs` and `fs` over a triangle list, blended as egui blends.
pub(super) fn paint_pipeline(
    device: &wgpu::Device,
    label: &str,
    module: &wgpu::ShaderModule,
    layout: &wgpu::BindGroupLayout,
    target: Target,
) -> wgpu::RenderPipeline {
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(label),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(label),
        layout: Some(&pipeline_layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some("vs"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some("fs"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format: target.format,
                blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// A compute pipeline of one entry point.
pub(super) fn compute_pipeline(
    device: &wgpu::Device,
    module: &wgpu::ShaderModule,
    entry_point: &str,
    layout: &wgpu::BindGroupLayout,
) -> wgpu::ComputePipeline {
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(entry_point),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry_point),
        layout: Some(&pipeline_layout),
        module,
        entry_point: Some(entry_point),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}

/// A uniform buffer that is written once a frame.
pub(super) fn uniform_buffer<T: bytemuck::Pod>(device: &wgpu::Device, label: &str) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: size_of::<T>() as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// A storage buffer with these contents, which must not be empty.
pub(super) fn storage_buffer(device: &wgpu::Device, label: &str, contents: &[u8]) -> wgpu::Buffer {
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some(label),
        contents,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
    })
}

/// A storage buffer of so many 4-byte cells for shaders to fill.
pub(super) fn cells_buffer(device: &wgpu::Device, label: &str, cells: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: cells.max(1) * 4,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// `[r, g, b, a]` with alpha multiplied in, as it is blended.
pub(super) fn premultiplied([r, g, b, a]: [f32; 4]) -> [f32; 4] {
    [r * a, g * a, b * a, a]
}
