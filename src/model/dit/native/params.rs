//! All weights in one flat buffer, by name, and the layers as the kernels want them.

use std::collections::HashMap;

use burn::tensor::{DType, Device};

use crate::model::simd::{Buffer, Packed};
use crate::model::{Dit, DitConfig, GUIDANCE, Weight};

/// Numbers to a cache line; rows of weights start on one.
const LINE: usize = 16;

/// Where one tensor lies in the flat buffer.
#[derive(Debug, Clone)]
struct Place {
    name: String,
    shape: Vec<usize>,
    /// Rows, numbers of a row, and the distance between rows.
    rows: usize,
    width: usize,
    stride: usize,
    at: usize,
}

/// Where every tensor of the weights lies in a flat buffer, in the order of [`DitConfig::layout`] but for the
/// positions, which are constants.
#[derive(Debug, Clone)]
pub(crate) struct FlatLayout {
    places: Vec<Place>,
    index: HashMap<String, usize>,
    len: usize,
}

impl FlatLayout {
    /// Of a network of that shape.
    pub(crate) fn new(config: &DitConfig) -> Self {
        let mut places = Vec::new();
        let mut len = 0;
        for (name, shape) in config.layout() {
            if name.ends_with("pos_embed") {
                continue;
            }
            let count: usize = shape.iter().product();
            // A vector is one row; the kernels add to a bias right behind its weight.
            let rows = if shape.len() == 1 { 1 } else { shape[0] };
            let width = count / rows;
            let stride = width.next_multiple_of(LINE);
            places.push(Place {
                name,
                shape,
                rows,
                width,
                stride,
                at: len,
            });
            len += rows * stride;
        }
        let index = places
            .iter()
            .enumerate()
            .map(|(i, place)| (place.name.clone(), i))
            .collect();
        Self { places, index, len }
    }

    /// Numbers of the flat buffer.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The flat buffer of these weights; tensors of other names are passed over.
    pub(crate) fn gather(&self, weights: &[Weight]) -> Buffer {
        let mut flat = Buffer::zeroed(self.len);
        for weight in weights {
            let Some(place) = self.index.get(&weight.name).map(|i| &self.places[*i]) else {
                continue;
            };
            let to = &mut flat.as_mut_slice()[place.at..place.at + place.rows * place.stride];
            for (to, from) in to
                .chunks_exact_mut(place.stride)
                .zip(weight.values.chunks_exact(place.width))
            {
                to[..place.width].copy_from_slice(from);
            }
        }
        flat
    }

    /// The weights of a flat buffer, by name.
    pub(crate) fn scatter(&self, flat: &[f32]) -> Vec<Weight> {
        let of = |place: &Place| Weight {
            name: place.name.clone(),
            shape: place.shape.clone(),
            values: flat[place.at..place.at + place.rows * place.stride]
                .chunks_exact(place.stride)
                .flat_map(|row| row[..place.width].to_vec())
                .collect(),
        };
        self.places.iter().map(of).collect()
    }

    /// The network of a flat buffer, on the processor through burn: what is written to files.
    pub(crate) fn network(&self, config: &DitConfig, flat: &[f32]) -> Dit {
        self.network_on(config, flat, &Device::flex())
    }

    /// The same on `device`.
    pub(crate) fn network_on(&self, config: &DitConfig, flat: &[f32], device: &Device) -> Dit {
        let scattered = self.scatter(flat).into_iter();
        let mut named: HashMap<String, Vec<f32>> = scattered.map(|w| (w.name, w.values)).collect();
        // What the layout does not have are the positions, which are constants.
        let mut read = |name: &str, _: &[usize]| {
            let own = named.remove(name);
            Ok::<_, std::convert::Infallible>(own.unwrap_or_else(|| config.positions()))
        };
        let Ok(dit) = Dit::read(config, device, DType::F32, &mut read);
        dit
    }

    fn place(&self, name: &str) -> &Place {
        // Only names of the layout are asked for.
        &self.places[self.index[name]]
    }
}

/// Where a linear layer lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) stride: usize,
    pub(super) at: usize,
    pub(super) bias_at: usize,
}

/// A linear layer; its matrix serves both ways.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) matrix: Packed,
    pub(super) slot: Slot,
}

impl Linear {
    fn new(layout: &FlatLayout, name: &str) -> Self {
        let weight = layout.place(&format!("{name}.weight"));
        let slot = Slot {
            inputs: weight.width,
            outputs: weight.rows,
            stride: weight.stride,
            at: weight.at,
            bias_at: layout.place(&format!("{name}.bias")).at,
        };
        Self {
            matrix: Packed::hollow(slot.outputs, slot.inputs),
            slot,
        }
    }

    /// Takes over the weights.
    pub(super) fn load(&mut self, flat: &[f32]) {
        let Slot {
            outputs,
            stride,
            at,
            bias_at,
            ..
        } = self.slot;
        let weight = &flat[at..at + outputs * stride];
        let bias = &flat[bias_at..bias_at + outputs];
        self.matrix.fill(|j, k| weight[j * stride + k], Some(bias));
    }
}

/// A table of vectors.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) width: usize,
    pub(super) stride: usize,
    pub(super) at: usize,
    pub(super) rows: Vec<f32>,
}

impl Table {
    fn new(layout: &FlatLayout, name: &str) -> Self {
        let place = layout.place(name);
        Self {
            width: place.width,
            stride: place.stride,
            at: place.at,
            rows: vec![0.0; place.rows * place.stride],
        }
    }

    fn load(&mut self, flat: &[f32]) {
        let len = self.rows.len();
        self.rows.copy_from_slice(&flat[self.at..self.at + len]);
    }

    /// Takes over rows that follow each other without a gap.
    fn take(&mut self, values: &[f32]) {
        let rows = self.rows.chunks_exact_mut(self.stride);
        for (row, from) in rows.zip(values.chunks_exact(self.width)) {
            row[..self.width].copy_from_slice(from);
        }
    }

    /// Row `i`.
    pub(super) fn row(&self, i: usize) -> &[f32] {
        &self.rows[i * self.stride..i * self.stride + self.width]
    }
}

/// The layers of one block.
#[derive(Debug, Clone)]
pub(super) struct BlockLayers {
    pub(super) qkv: Linear,
    pub(super) proj: Linear,
    pub(super) fc1: Linear,
    pub(super) fc2: Linear,
    pub(super) modulation: Linear,
}

/// All layers.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    pub(super) x: Linear,
    pub(super) x_cond: Linear,
    pub(super) x_cond_modulation: Linear,
    /// `s`, `u`, `t_cond`, and `s`, `u` of the later blocks: two layers each.
    pub(super) times: [[Linear; 2]; 5],
    pub(super) labels: Table,
    pub(super) guidance: Option<Table>,
    pub(super) blocks: Vec<BlockLayers>,
    pub(super) last: Linear,
    pub(super) last_modulation: Linear,
}

/// The table of classes.
const LABELS: &str = "y_embedder.embedding_table.weight";

/// The time embedders, in the order of [`Layers::times`].
const TIMES: [&str; 5] = [
    "s_embedder",
    "t_embedder",
    "t_cond_embedder",
    "s_embedder_second",
    "t_embedder_second",
];

impl Layers {
    /// Layers whose matrices take no room before their weights come: where those are freed on the way, as
    /// [`Dit::hand_over`] does, the whole is never there twice.
    pub(super) fn new(config: &DitConfig, layout: &FlatLayout) -> Self {
        let layer = |name: &str| Linear::new(layout, name);
        Self {
            x: layer("x_embedder.proj"),
            x_cond: layer("x_cond_embedder.proj"),
            x_cond_modulation: layer("x_cond_adaLN.1"),
            times: TIMES.map(|name| [0, 2].map(|i| layer(&format!("{name}.mlp.{i}")))),
            labels: Table::new(layout, LABELS),
            guidance: config.has_guidance().then(|| Table::new(layout, GUIDANCE)),
            blocks: (0..config.depth)
                .map(|i| {
                    let layer = |name: &str| layer(&format!("blocks.{i}.{name}"));
                    BlockLayers {
                        qkv: layer("attn.qkv"),
                        proj: layer("attn.proj"),
                        fc1: layer("mlp.fc1"),
                        fc2: layer("mlp.fc2"),
                        modulation: layer("adaLN_modulation.1"),
                    }
                })
                .collect(),
            last: layer("final_layer.linear"),
            last_modulation: layer("final_layer.adaLN_modulation.1"),
        }
    }

    /// Takes over one tensor; what is no part of a layer is passed over.
    pub(super) fn take(&mut self, weight: &Weight) {
        let (name, values) = (weight.name.as_str(), &weight.values);
        if name == LABELS {
            self.labels.take(values);
        } else if name == GUIDANCE {
            if let Some(table) = &mut self.guidance {
                table.take(values);
            }
        } else if let Some(layer) = name.strip_suffix(".weight").and_then(|n| self.named(n)) {
            let inputs = layer.slot.inputs;
            layer.matrix.fill(|j, k| values[j * inputs + k], None);
        } else if let Some(layer) = name.strip_suffix(".bias").and_then(|n| self.named(n)) {
            layer.matrix.set_bias(values);
        }
    }

    /// The linear layer of that name.
    fn named(&mut self, name: &str) -> Option<&mut Linear> {
        if let Some(rest) = name.strip_prefix("blocks.") {
            let (i, name) = rest.split_once('.')?;
            let block = self.blocks.get_mut(i.parse::<usize>().ok()?)?;
            return match name {
                "attn.qkv" => Some(&mut block.qkv),
                "attn.proj" => Some(&mut block.proj),
                "mlp.fc1" => Some(&mut block.fc1),
                "mlp.fc2" => Some(&mut block.fc2),
                "adaLN_modulation.1" => Some(&mut block.modulation),
                _ => None,
            };
        }
        match name {
            "x_embedder.proj" => Some(&mut self.x),
            "x_cond_embedder.proj" => Some(&mut self.x_cond),
            "x_cond_adaLN.1" => Some(&mut self.x_cond_modulation),
            "final_layer.linear" => Some(&mut self.last),
            "final_layer.adaLN_modulation.1" => Some(&mut self.last_modulation),
            _ => {
                let (embedder, layer) = name.split_once(".mlp.")?;
                let time = TIMES.iter().position(|time| *time == embedder)?;
                let layer = ["0", "2"].iter().position(|which| *which == layer)?;
                Some(&mut self.times[time][layer])
            }
        }
    }

    /// Takes over the weights.
    pub(super) fn load(&mut self, flat: &[f32]) {
        use rayon::prelude::*;
        self.labels.load(flat);
        if let Some(table) = &mut self.guidance {
            table.load(flat);
        }
        let all = self.linears().into_par_iter();
        all.for_each(|layer| layer.load(flat));
    }

    fn linears(&mut self) -> Vec<&mut Linear> {
        let mut all: Vec<&mut Linear> = vec![
            &mut self.x,
            &mut self.x_cond,
            &mut self.x_cond_modulation,
            &mut self.last,
            &mut self.last_modulation,
        ];
        all.extend(self.times.iter_mut().flatten());
        for block in &mut self.blocks {
            all.extend([
                &mut block.qkv,
                &mut block.proj,
                &mut block.fc1,
                &mut block.fc2,
                &mut block.modulation,
            ]);
        }
        all
    }

    /// Bytes that they take.
    #[cfg(test)]
    pub(super) fn bytes(&mut self) -> usize {
        let tables = [Some(&self.labels), self.guidance.as_ref()];
        let tables = tables.into_iter().flatten();
        let tables: usize = tables.map(|table| size_of_val(&table.rows[..])).sum();
        let matrices = self.linears().into_iter();
        tables + matrices.map(|layer| layer.matrix.bytes()).sum::<usize>()
    }
}
