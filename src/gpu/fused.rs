//! The small 2D network in one kernel on the device (`shaders/fused_mlp.wgsl`).
//!
//! burn runs the same network as a dozen kernels with every activation going through memory. Here a
//! row is one point in and one point out, and the activations never leave the compute unit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use eframe::wgpu;
use wgpu::util::DeviceExt as _;

use super::packed::{HIDDEN, LayerSlices, Packed, by_lane};
use super::points::{POINT_BYTES, check_size, usages};
use super::{GpuError, PointBuffer, SharedDevice};

/// Rows that one group of 64 invocations carries.
const ROWS_PER_GROUP: usize = 8;
/// One submission shall hold the queue no longer than this: the window shares it.
const SUBMISSION_MS: f64 = 12.0;
/// Buffers kept for the next draw: the one on screen, the one being made and one to spare.
const SPARE_BUFFERS: usize = 3;
/// One step's constants: 64 vec4 of bias and one of scalars, on the strictest offset alignment.
const STEP_STRIDE_BYTES: usize = 1280;
const STEP_BYTES: u64 = 65 * 16;

/// One application of the flow map, `x + (u - s) v(x)`.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowStep {
    /// First-layer bias with everything but `x` folded in (times, `t`, `x_t`): `[256]`.
    pub bias: Vec<f32>,
    /// `u - s`.
    pub delta: f32,
}

/// A network of 2 inputs, some hidden layers of 256 with SiLU, and 2 outputs, resident on the
/// device. `Send + Sync`; draws run on the worker thread.
pub struct FusedMlpGpu {
    shared: Arc<SharedDevice>,
    pipeline: wgpu::ComputePipeline,
    draw_layout: wgpu::BindGroupLayout,
    network: wgpu::BindGroup,
    /// Bound where there are no conditioning states.
    no_conditions: wgpu::Buffer,
    rows_per_workgroup: usize,
    state: Mutex<State>,
}

struct State {
    /// Rows through one step in a millisecond, as measured; the first guess is low.
    rows_per_ms: f64,
    spare: Vec<Arc<wgpu::Buffer>>,
}

impl std::fmt::Debug for FusedMlpGpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FusedMlpGpu")
            .field("device", &self.shared.info)
            .field("rows_per_workgroup", &self.rows_per_workgroup)
            .finish_non_exhaustive()
    }
}

impl FusedMlpGpu {
    /// Compiles the kernel and uploads the weights, once for a checkpoint.
    ///
    /// `layers` is first layer, hidden layers, output layer. Of the first layer only the two
    /// columns of `x` are used, times `x_scale` (the network's input scale; 1 if it is already
    /// folded in); its bias is replaced by [`FlowStep::bias`].
    ///
    /// # Errors
    /// [`GpuError::Network`] for other widths than 256, other than 2 outputs, or slices of the
    /// wrong length.
    pub fn new(
        shared: &Arc<SharedDevice>,
        layers: &[LayerSlices<'_>],
        x_scale: f32,
    ) -> Result<Self, GpuError> {
        // 32 rows a workgroup where the memory is there, 16 on the portable minimum.
        let limits = shared.device.limits();
        let roomy = limits.max_compute_workgroup_storage_size >= 32 * 1024
            && limits.max_compute_invocations_per_workgroup >= 256;
        let groups = if roomy && !shared.info.is_software {
            4
        } else {
            2
        };
        Self::with_groups(shared, layers, x_scale, groups)
    }

    fn with_groups(
        shared: &Arc<SharedDevice>,
        layers: &[LayerSlices<'_>],
        x_scale: f32,
        groups: usize,
    ) -> Result<Self, GpuError> {
        let packed = Packed::new(layers, x_scale)?;
        let device = &shared.device;
        let source = format!(
            "const GROUPS: u32 = {groups}u;\n{}",
            include_str!("../../shaders/fused_mlp.wgsl")
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("fused_mlp"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let uniform = wgpu::BufferBindingType::Uniform;
        let network_layout = layout(device, &[uniform, storage(true), storage(true)]);
        let draw_layout = layout(
            device,
            &[uniform, storage(true), storage(false), storage(true)],
        );
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("fused_mlp"),
            bind_group_layouts: &[Some(&network_layout), Some(&draw_layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("fused_mlp"),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every activation is written before it is read.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        let upload = |label, contents: &[u8], usage| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some(label),
                contents,
                usage,
            })
        };
        let header = upload(
            "network",
            bytemuck::bytes_of(&packed.header),
            wgpu::BufferUsages::UNIFORM,
        );
        let hidden = upload(
            "hidden weights",
            bytemuck::cast_slice(&packed.hidden),
            wgpu::BufferUsages::STORAGE,
        );
        let small = upload(
            "small weights",
            bytemuck::cast_slice(&packed.small),
            wgpu::BufferUsages::STORAGE,
        );
        let network = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("network"),
            layout: &network_layout,
            entries: &[entry(0, &header), entry(1, &hidden), entry(2, &small)],
        });
        let no_conditions = upload("no conditions", &[0; 8], wgpu::BufferUsages::STORAGE);
        Ok(Self {
            no_conditions,
            shared: Arc::clone(shared),
            pipeline,
            draw_layout,
            network,
            rows_per_workgroup: groups * ROWS_PER_GROUP,
            state: Mutex::new(State {
                rows_per_ms: if shared.info.is_software {
                    40.0
                } else {
                    4000.0
                },
                spare: Vec::new(),
            }),
        })
    }

    /// Carries every point of `noise` through `steps` and gives the result as a new buffer; `noise`
    /// stays as it is, so that locked noise is uploaded once. Rows are independent: a draw is the
    /// same bit for bit whatever stands beside it.
    ///
    /// Work is submitted in pieces of about 12 ms, and `keep_going` is asked between them. Waits
    /// for the device: worker thread only.
    ///
    /// # Errors
    /// [`GpuError::Cancelled`] if `keep_going` says no, [`GpuError::Network`] if a bias is not
    /// `[256]`, [`GpuError::TooMany`], [`GpuError::Lost`].
    pub fn draw(
        &self,
        noise: &PointBuffer,
        steps: &[FlowStep],
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<PointBuffer, GpuError> {
        check_size(&self.shared, noise.len())?;
        let device = &self.shared.device;
        let out = self.take_buffer(noise.len());
        let result = PointBuffer::from_buffer(Arc::clone(&out), noise.len());
        if noise.is_empty() {
            return Ok(result);
        }

        let mut constants = vec![0u8; steps.len().max(1) * STEP_STRIDE_BYTES];
        for (step, bytes) in steps
            .iter()
            .zip(constants.chunks_exact_mut(STEP_STRIDE_BYTES))
        {
            if step.bias.len() != HIDDEN {
                return Err(GpuError::Network(format!(
                    "a conditioned bias of {}",
                    step.bias.len()
                )));
            }
            let mut floats = by_lane(&step.bias);
            floats.extend([step.delta, 0.0, 0.0, 0.0]);
            let source: &[u8] = bytemuck::cast_slice(&floats);
            bytes[..source.len()].copy_from_slice(source);
        }
        let constants = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("flow steps"),
            contents: &constants,
            usage: wgpu::BufferUsages::STORAGE,
        });
        let chunk = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("chunk"),
            size: 16,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let groups: Vec<_> = (0..steps.len())
            .map(|i| {
                device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some("flow step"),
                    layout: &self.draw_layout,
                    entries: &[
                        entry(0, &chunk),
                        wgpu::BindGroupEntry {
                            binding: 1,
                            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                                buffer: &constants,
                                offset: (i * STEP_STRIDE_BYTES) as u64,
                                size: wgpu::BufferSize::new(STEP_BYTES),
                            }),
                        },
                        wgpu::BindGroupEntry {
                            binding: 2,
                            resource: result.bind(),
                        },
                        entry(3, &self.no_conditions),
                    ],
                })
            })
            .collect();

        let mut first = 0;
        while first < noise.len() {
            if !keep_going() {
                return Err(GpuError::Cancelled);
            }
            let rows = self.chunk_rows(steps.len()).min(noise.len() - first);
            let bounds = [first as u32, (first + rows) as u32, 0, 0];
            self.shared
                .queue
                .write_buffer(&chunk, 0, bytemuck::cast_slice(&bounds));
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let (from, bytes) = (first as u64 * POINT_BYTES, rows as u64 * POINT_BYTES);
            encoder.copy_buffer_to_buffer(
                noise.buffer(),
                noise.offset_bytes() + from,
                &out,
                from,
                bytes,
            );
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.network, &[]);
                for group in &groups {
                    pass.set_bind_group(1, group, &[]);
                    pass.dispatch_workgroups(rows.div_ceil(self.rows_per_workgroup) as u32, 1, 1);
                }
            }
            let started = Instant::now();
            let submission = self.shared.queue.submit([encoder.finish()]);
            self.shared.wait(Some(submission))?;
            self.learn_rate(rows * steps.len(), started.elapsed().as_secs_f64() * 1e3);
            first += rows;
        }
        Ok(result)
    }

    /// Replaces each row `x` by `x + delta v(x)`, row `i` under the conditioning state `x_t[i / group]`; `bias` is the
    /// first layer's `[256]` with the times folded in and `x_t = 0`. The rows come from the processor and go back to
    /// it. May be called from several threads.
    ///
    /// # Errors
    /// As [`Self::draw`], and [`GpuError::Network`] where a row has no conditioning state.
    pub fn jump_rows(
        &self,
        bias: &[f32],
        delta: f32,
        (x_t, group): (&[[f32; 2]], usize),
        x: &mut [[f32; 2]],
    ) -> Result<(), GpuError> {
        if x.is_empty() {
            return Ok(());
        }
        let group = group.clamp(1, x.len());
        if x.len().div_ceil(group) > x_t.len() || bias.len() != HIDDEN {
            return Err(GpuError::Network(format!(
                "{} rows under {} states with a bias of {}",
                x.len(),
                x_t.len(),
                bias.len()
            )));
        }
        let points = PointBuffer::from_points(&self.shared, x)?;
        let device = &self.shared.device;
        let init = |label, contents: &[u8], usage| {
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some(label),
                contents,
                usage,
            })
        };
        let mut constants = by_lane(bias);
        constants.extend([delta, 0.0, 0.0, 0.0]);
        let storage = wgpu::BufferUsages::STORAGE;
        let constants = init("flow step", bytemuck::cast_slice(&constants), storage);
        let conditions = init("conditions", bytemuck::cast_slice(x_t), storage);
        let mut first = 0;
        while first < x.len() {
            let rows = self.chunk_rows(1).min(x.len() - first);
            let bounds = [first as u32, (first + rows) as u32, group as u32, 0];
            let bounds = init(
                "chunk",
                bytemuck::cast_slice(&bounds),
                wgpu::BufferUsages::UNIFORM,
            );
            let binding = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("rows"),
                layout: &self.draw_layout,
                entries: &[
                    entry(0, &bounds),
                    entry(1, &constants),
                    wgpu::BindGroupEntry {
                        binding: 2,
                        resource: points.bind(),
                    },
                    entry(3, &conditions),
                ],
            });
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.network, &[]);
                pass.set_bind_group(1, &binding, &[]);
                pass.dispatch_workgroups(rows.div_ceil(self.rows_per_workgroup) as u32, 1, 1);
            }
            let started = Instant::now();
            let submission = self.shared.queue.submit([encoder.finish()]);
            self.shared.wait(Some(submission))?;
            self.learn_rate(rows, started.elapsed().as_secs_f64() * 1e3);
            first += rows;
        }
        x.copy_from_slice(&points.read(&self.shared)?);
        Ok(())
    }

    /// Rows through one step in a millisecond, as last measured.
    pub fn rows_per_ms(&self) -> f64 {
        self.state().rows_per_ms
    }

    /// As many rows as about 12 ms allow, in whole workgroups and within one dispatch.
    fn chunk_rows(&self, steps: usize) -> usize {
        let tile = self.rows_per_workgroup;
        let rows = self.rows_per_ms() * SUBMISSION_MS / steps.max(1) as f64;
        let most = self
            .shared
            .device
            .limits()
            .max_compute_workgroups_per_dimension as usize;
        (rows as usize / tile).clamp(4, most) * tile
    }

    fn learn_rate(&self, rows: usize, elapsed_ms: f64) {
        if rows == 0 || elapsed_ms <= 0.0 {
            return;
        }
        let measured = rows as f64 / elapsed_ms;
        let mut state = self.state();
        // A small piece is mostly overhead and says the rate is at least this; a long one counts.
        if measured > state.rows_per_ms || elapsed_ms > 0.25 * SUBMISSION_MS {
            state.rows_per_ms = 0.5 * (state.rows_per_ms + measured);
        }
    }

    /// A buffer that nobody holds any more, or a new one. What the device still does with an old
    /// one was submitted before, so the queue keeps the order.
    fn take_buffer(&self, n: usize) -> Arc<wgpu::Buffer> {
        let bytes = n.max(1) as u64 * POINT_BYTES;
        let mut state = self.state();
        let free = |buffer: &Arc<wgpu::Buffer>| Arc::strong_count(buffer) == 1;
        if let Some(buffer) = state
            .spare
            .iter()
            .find(|buffer| buffer.size() == bytes && free(buffer))
        {
            return Arc::clone(buffer);
        }
        let buffer = Arc::new(self.shared.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("draws"),
            size: bytes,
            usage: usages(),
            mapped_at_creation: false,
        }));
        if state.spare.len() == SPARE_BUFFERS {
            let oldest_free = state.spare.iter().position(free).unwrap_or(0);
            state.spare.remove(oldest_free);
        }
        state.spare.push(Arc::clone(&buffer));
        buffer
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn layout(device: &wgpu::Device, kinds: &[wgpu::BufferBindingType]) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = (0..)
        .zip(kinds)
        .map(|(binding, &ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("fused_mlp"),
        entries: &entries,
    })
}

fn entry(binding: u32, buffer: &wgpu::Buffer) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry {
        binding,
        resource: buffer.as_entire_binding(),
    }
}

#[cfg(test)]
#[path = "fused_tests.rs"]
mod tests;
