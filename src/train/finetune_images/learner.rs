//! What computes the tuned velocity and the gradient of its loss: the processor's own kernels, or burn on any device.
//! Weights and optimizer lie on the processor either way, in one flat buffer, so that a run is the same wherever it is
//! computed and may be taken up on another device.

use std::sync::Arc;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::super::image::{NamedGradients, add_gradients, named_gradients, with_values};
use super::draws::Lessons;
use super::states::States;
use crate::model::dit::native::FlatLayout;
use crate::model::simd::Buffer;
use crate::model::{
    BurnImageMap, Dit, DitConfig, ImageMap, ImageRows, MetaFlowMap as _, NativeDit,
};

/// Numbers of one piece of a sum.
const CHUNK: usize = 1 << 14;

/// What one step teaches: the error of a state is `hold (v - base) - push`.
pub(super) struct Taught<'a> {
    pub states: &'a States,
    pub lessons: &'a Lessons,
    /// The frozen velocity at the states, `[B][C H W]`.
    pub base: &'a [f32],
    pub guidance: f32,
    /// States that are computed at a time.
    pub micro_batch: usize,
}

/// The tuned velocity as it learns.
pub(super) struct Learner {
    layout: FlatLayout,
    config: DitConfig,
    engine: Engine,
}

enum Engine {
    Native {
        net: Box<NativeDit>,
        parts: Vec<Vec<Buffer>>,
    },
    Burn {
        map: Box<BurnImageMap>,
        /// The same on an autodiff device.
        learning: Box<Dit>,
        device: Device,
    },
}

impl Learner {
    /// A copy of `net`, on the processor's kernels where `native` says so and they know its shape, and through burn on
    /// `device` otherwise.
    pub fn new(net: &Dit, native: bool, device: &Device) -> Self {
        let config = net.config().clone();
        let layout = FlatLayout::new(&config);
        let native = native && NativeDit::learns(&config);
        let own = native.then(|| NativeDit::new(net)).flatten();
        let engine = if let Some(net) = own {
            Engine::Native {
                net: Box::new(net),
                parts: Vec::new(),
            }
        } else {
            let flat = layout.gather(&net.weights());
            let still = layout.network_on(&config, flat.as_slice(), device);
            Engine::Burn {
                learning: Box::new(still.clone().train()),
                map: Box::new(BurnImageMap::new(still, device)),
                device: device.clone(),
            }
        };
        Self {
            layout,
            config,
            engine,
        }
    }

    /// `net` itself, in the same place: it keeps the positions of its file, which may be rounded.
    pub fn frozen(&self, net: &Dit) -> Arc<dyn ImageMap> {
        let own = match &self.engine {
            Engine::Native { .. } => NativeDit::new(net),
            Engine::Burn { .. } => None,
        };
        match (own, &self.engine) {
            (Some(own), _) => Arc::new(own),
            (None, Engine::Burn { device, .. }) => {
                Arc::new(BurnImageMap::new(net.clone().to_device(device), device))
            }
            // The kernels know its shape, or this learner would not be on them.
            (None, Engine::Native { .. }) => {
                self.map_of(self.layout.gather(&net.weights()).as_slice())
            }
        }
    }

    /// The velocity as it is.
    pub fn map(&self) -> &dyn ImageMap {
        match &self.engine {
            Engine::Native { net, .. } => &**net,
            Engine::Burn { map, .. } => &**map,
        }
    }

    /// A map of other weights, computed in the same place.
    pub fn map_of(&self, flat: &[f32]) -> Arc<dyn ImageMap> {
        match &self.engine {
            Engine::Native { .. } => {
                let mut net = NativeDit::empty(&self.config);
                net.load(flat);
                Arc::new(net)
            }
            Engine::Burn { device, .. } => {
                let net = self.layout.network_on(&self.config, flat, device);
                Arc::new(BurnImageMap::new(net, device))
            }
        }
    }

    /// Takes over weights.
    pub fn load(&mut self, flat: &[f32]) {
        match &mut self.engine {
            Engine::Native { net, .. } => net.load(flat),
            Engine::Burn {
                map,
                learning,
                device,
            } => {
                let still = self.layout.network_on(&self.config, flat, device);
                **learning = still.clone().train();
                **map = BurnImageMap::new(still, device);
            }
        }
    }

    /// The gradient of a step's loss into `gradient`; gives the mean of the weighted squared errors a number.
    pub fn gradient(&mut self, taught: &Taught<'_>, gradient: &mut Buffer) -> f64 {
        let n = taught.states.t.len();
        let total = match &mut self.engine {
            Engine::Native { net, parts } => {
                let errors = taught.natively(net, parts, self.layout.len());
                sum_parts(parts, gradient);
                errors
            }
            Engine::Burn {
                map,
                learning,
                device,
            } => {
                let (errors, named) = taught.through_burn(map, learning, device);
                let found = with_values(learning.valid(), &named);
                *gradient = self.layout.gather(&found.weights());
                errors
            }
        };
        total / n as f64
    }
}

impl Taught<'_> {
    /// Adds the gradients of pieces of a fixed size to `parts`, so that they do not depend on the number of cores; gives
    /// the sum of the errors.
    fn natively(&self, net: &NativeDit, parts: &mut Vec<Vec<Buffer>>, len: usize) -> f64 {
        let n = self.states.t.len();
        let size = self.states.x_t.len() / n;
        let still = self.states.still(self.guidance);
        let micro = self.micro_batch;
        parts.resize_with(n.div_ceil(micro), Vec::new);
        let errors: Vec<f64> = parts
            .par_iter_mut()
            .enumerate()
            .map(|(piece, parts)| {
                let first = piece * micro;
                let rows = still.rows(first..n.min(first + micro));
                let cotangent = |row: usize, v: &mut [f32], _: &[f32]| {
                    let i = first + row;
                    let span = i * size..(i + 1) * size;
                    let weight = States::weight(self.states.t[i]);
                    let scale = (2.0 * weight / (size * n) as f64) as f32;
                    let hold = self.lessons.hold[i] as f32;
                    let mut squared = 0.0_f32;
                    let taught = self.base[span.clone()].iter().zip(&self.lessons.push[span]);
                    for (v, (b, push)) in v.iter_mut().zip(taught) {
                        let error = hold * (*v - b) - push;
                        squared += error * error;
                        *v = scale * error;
                    }
                    let error = weight * f64::from(squared) / size as f64;
                    [error, error]
                };
                let items = net.gradient(&rows, None, &cotangent, parts, len);
                items.iter().map(|item| item[0]).sum()
            })
            .collect();
        errors.iter().sum()
    }

    /// The same through burn's reverse mode: the sum of the errors, and the gradients by the parameters' names.
    fn through_burn(
        &self,
        map: &BurnImageMap,
        learning: &Dit,
        device: &Device,
    ) -> (f64, NamedGradients) {
        let n = self.states.t.len();
        let size = self.states.x_t.len() / n;
        let still = self.states.still(self.guidance);
        let rows = still.rows(0..n);
        let graph = device.clone().autodiff();
        let mut named = NamedGradients::new();
        let mut errors = Vec::new();
        for first in (0..n).step_by(self.micro_batch) {
            let count = self.micro_batch.min(n - first);
            let asked = map.asked(&rows, first, count, &graph);
            let v = learning.average_velocity(asked.s, asked.u, asked.x, &asked.condition);
            let [_, c, h, w] = v.dims();
            let images = |of: &[f32]| {
                let values = of[first * size..(first + count) * size].to_vec();
                Tensor::<4>::from_data(TensorData::new(values, [count, c, h, w]), device)
            };
            let column = |of: &dyn Fn(usize) -> f64| {
                let values: Vec<f32> = (first..first + count).map(|i| of(i) as f32).collect();
                Tensor::<4>::from_data(TensorData::new(values, [count, 1, 1, 1]), device)
            };
            let hold = column(&|i| self.lessons.hold[i]);
            let weight = column(&|i| States::weight(self.states.t[i]) / size as f64);
            let off = v.clone().inner() - images(self.base);
            let error = hold * off - images(&self.lessons.push);
            let cotangent = error.clone() * weight.clone() * (2.0 / n as f64);
            errors.push((error.clone() * error * weight).sum());
            let pulled = (v * Tensor::from_inner(cotangent)).sum().backward();
            add_gradients(&mut named, named_gradients(learning, &pulled));
        }
        let read = |sum: Tensor<1>| {
            let values: Vec<f32> = sum.into_data().try_into_vec().unwrap_or_default();
            // A device that gave nothing back must not pass for an error of 0.
            values.first().copied().map_or(f64::NAN, f64::from)
        };
        (errors.into_iter().map(read).sum(), named)
    }
}

/// The first buffers of all parts, summed in their order.
fn sum_parts(parts: &[Vec<Buffer>], gradient: &mut Buffer) {
    let parts: Vec<&[f32]> = parts
        .iter()
        .filter_map(|parts| parts.first())
        .map(Buffer::as_slice)
        .collect();
    gradient
        .as_mut_slice()
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(i, sum)| {
            sum.fill(0.0);
            for part in &parts {
                for (sum, v) in sum.iter_mut().zip(&part[i * CHUNK..]) {
                    *sum += v;
                }
            }
        });
}

/// States as questions for the velocity of the marginal flow: nothing conditions them but class and guidance.
pub(super) struct Still<'a> {
    states: &'a States,
    zeros: Vec<f32>,
    blank: Vec<f32>,
    guidance: Vec<f32>,
}

impl States {
    /// Asks for the marginal velocity at the states.
    pub fn still(&self, guidance: f32) -> Still<'_> {
        Still {
            states: self,
            zeros: vec![0.0; self.t.len()],
            blank: vec![0.0; self.x_t.len()],
            guidance: vec![guidance; self.t.len()],
        }
    }
}

impl Still<'_> {
    /// Of some of them.
    pub fn rows(&self, range: std::ops::Range<usize>) -> ImageRows<'_> {
        let states = self.states;
        let size = states.x_t.len() / states.t.len();
        let images = range.start * size..range.end * size;
        ImageRows {
            s: &states.t[range.clone()],
            u: &states.t[range.clone()],
            x: &states.x_t[images.clone()],
            t: &self.zeros[range.clone()],
            x_t: &self.blank[images],
            label: &states.label[range.clone()],
            guidance: &self.guidance[range],
        }
    }
}
