//! What conditions the images of a cohort: times, class and guidance as vectors, one lane an image.

use rayon::prelude::*;

use super::kernels::{Bias, Kernels, Lane, lanes, lanes_mut};
use super::params::Layers;
use super::pass::{Make, bytes_of, held};
use super::times::{TimePath, back_through, embed, turn_features};
use crate::model::outer::transposed_len;
use crate::model::simd::{Buffer, TILE};
use crate::model::{DitConfig, ImageRows};

/// Most images of a cohort.
pub(super) const COHORT: usize = TILE;

/// The vectors of a cohort, `[feature][image]` each, and what their gradients need.
pub(super) struct Cohort {
    width: usize,
    /// Images.
    pub(super) count: usize,
    times: [TimePath; 5],
    /// The conditioning time's vector after SiLU, and the slope.
    t_active: Buffer,
    t_slope: Buffer,
    /// The conditioning vectors of the earlier and of the later blocks after SiLU, and the slopes.
    active: [Buffer; 2],
    slope: [Buffer; 2],
    /// Shift and scale of the conditioning state's patches as the layer puts them out, `[2 width]`.
    x_cond: Buffer,
    /// The same as they are used, `1 +` included.
    pub(super) x_shift: Buffer,
    pub(super) x_scale: Buffer,
    /// Modulations of each block, `[6 width]`, and of the last layer, `[2 width]`.
    pub(super) blocks: Vec<Buffer>,
    pub(super) last: Buffer,
    t: Lane,
    room: [Buffer; 2],
    transposed: Buffer,
    labels: Vec<usize>,
    guidance: Vec<usize>,
}

impl Cohort {
    pub(super) fn new(config: &DitConfig) -> Self {
        Self::of(config, &mut Buffer::zeroed)
    }

    /// Bytes of its room, which is not made.
    pub(super) fn bytes(config: &DitConfig) -> usize {
        bytes_of(|make| {
            Self::of(config, make);
        })
    }

    fn of(config: &DitConfig, make: Make<'_>) -> Self {
        let d = config.hidden_size;
        // What the layers read that are turned.
        let most = d.max(DitConfig::TIME_FEATURES);
        let transposed = make(transposed_len(most.next_multiple_of(16)));
        let mut tile = |features: usize| make(features * TILE);
        Self {
            width: d,
            count: 0,
            times: std::array::from_fn(|_| TimePath {
                features: tile(DitConfig::TIME_FEATURES),
                active: tile(d),
                slope: tile(d),
            }),
            t_active: tile(d),
            t_slope: tile(d),
            active: [tile(d), tile(d)],
            slope: [tile(d), tile(d)],
            x_cond: tile(2 * d),
            x_shift: tile(d),
            x_scale: tile(d),
            blocks: (0..config.depth).map(|_| tile(6 * d)).collect(),
            last: tile(2 * d),
            t: [0.0; TILE],
            room: [tile(most), tile(most)],
            transposed,
            labels: Vec::new(),
            guidance: Vec::new(),
        }
    }

    /// Bytes that it takes.
    pub(super) fn held(&self) -> usize {
        // All parts by name, so that none is forgotten.
        let Self {
            width: _,
            count: _,
            times,
            t_active,
            t_slope,
            active: [active, active_too],
            slope: [slope, slope_too],
            x_cond,
            x_shift,
            x_scale,
            blocks,
            last,
            t: _,
            room: [room, room_too],
            transposed,
            labels: _,
            guidance: _,
        } = self;
        let times = times.iter().flat_map(|path| {
            let TimePath {
                features,
                active,
                slope,
            } = path;
            [features, active, slope]
        });
        let vectors = [
            t_active, t_slope, active, active_too, slope, slope_too, x_cond, x_shift, x_scale, last,
        ];
        held(times) + held(vectors) + held(blocks) + held([room, room_too, transposed])
    }

    /// Fills everything for rows `first..first + count`.
    pub(super) fn forward(
        &mut self,
        k: Kernels,
        config: &DitConfig,
        layers: &Layers,
        rows: &ImageRows<'_>,
        (first, count): (usize, usize),
    ) {
        let d = self.width;
        self.count = count;
        let lane = |v: &[f32]| -> Lane {
            std::array::from_fn(|i| if i < count { v[first + i] } else { 0.0 })
        };
        let time = |v: &[f32]| -> Lane {
            let turned = |v: f32| if config.is_zero_data { 1.0 - v } else { v };
            std::array::from_fn(|i| if i < count { turned(v[first + i]) } else { 0.0 })
        };
        let (s, u) = (time(rows.s), time(rows.u));
        let added = (Bias::Added, count);
        self.t = lane(rows.t);
        self.labels = rows.label[first..first + count]
            .iter()
            .map(|label| (*label as usize).min(config.label_dim))
            .collect();
        let scales = config.class_scales();
        self.guidance = rows.guidance[first..first + count]
            .iter()
            .map(|w| nearest(&scales, *w))
            .collect();

        let [room, other] = &mut self.room;
        let (room, other) = (
            &mut room.as_mut_slice()[..d * TILE],
            &mut other.as_mut_slice()[..d * TILE],
        );
        // The conditioning time first: everything has a part of it.
        embed(
            k,
            &layers.times[2],
            (&self.t, count),
            &mut self.times[2],
            room,
        );
        k.silu(
            room,
            self.t_active.as_mut_slice(),
            self.t_slope.as_mut_slice(),
        );
        for (row, i) in lanes_mut(room).iter_mut().zip(0..) {
            for (v, label) in row.iter_mut().zip(&self.labels) {
                *v += layers.labels.row(*label)[i];
            }
        }
        for (which, table) in [layers.guidance.as_ref(), None].into_iter().enumerate() {
            let sum = &mut self.x_cond.as_mut_slice()[..d * TILE];
            sum.copy_from_slice(room);
            for (time, at) in [(&s, [0, 3][which]), (&u, [1, 4][which])] {
                let time = (time, count);
                embed(k, &layers.times[at], time, &mut self.times[at], other);
                k.add(sum, other);
            }
            if let Some(table) = table {
                for (row, i) in lanes_mut(sum).iter_mut().zip(0..) {
                    for (v, guidance) in row.iter_mut().zip(&self.guidance) {
                        *v += table.row(*guidance)[i];
                    }
                }
            }
            k.silu(
                sum,
                self.active[which].as_mut_slice(),
                self.slope[which].as_mut_slice(),
            );
        }

        let modulation = &layers.x_cond_modulation;
        k.product(
            modulation,
            added,
            self.t_active.as_slice(),
            self.x_cond.as_mut_slice(),
        );
        let (shift, scale) = self.x_cond.as_slice().split_at(d * TILE);
        let preserve = config.preserve_t_cond_0;
        for (to, from) in lanes_mut(self.x_shift.as_mut_slice())
            .iter_mut()
            .zip(lanes(shift))
        {
            for l in 0..TILE {
                to[l] = if preserve {
                    from[l] * self.t[l]
                } else {
                    from[l]
                };
            }
        }
        for (to, from) in lanes_mut(self.x_scale.as_mut_slice())
            .iter_mut()
            .zip(lanes(scale))
        {
            for l in 0..TILE {
                to[l] = if preserve {
                    from[l] * self.t[l]
                } else {
                    1.0 + from[l]
                };
            }
        }
        // A third of a network's weights: on all cores, or a few images wait for one.
        let active = &self.active;
        let blocks = layers.blocks.par_iter().zip(&mut self.blocks).enumerate();
        blocks.for_each(|(i, (layers, out))| {
            let active = active[usize::from(i >= config.encoder_depth)].as_slice();
            k.product(&layers.modulation, added, active, out.as_mut_slice());
        });
        let active = self.active[1].as_slice();
        k.product(
            &layers.last_modulation,
            added,
            active,
            self.last.as_mut_slice(),
        );
    }

    /// The derivatives of the modulations where `s` and `u` move by `ds` and `du`, into `to`.
    pub(super) fn tangent(
        &mut self,
        k: Kernels,
        config: &DitConfig,
        layers: &Layers,
        (ds, du): (f32, f32),
        to: &mut CohortTangent,
    ) {
        let d = self.width;
        let left = (Bias::Left, self.count);
        // The DMF family's time runs the other way.
        let way = if config.is_zero_data { -1.0 } else { 1.0 };
        let [room, other] = &mut self.room;
        let hidden = &mut other.as_mut_slice()[..d * TILE];
        for which in 0..2 {
            let sum = to.vector[which].as_mut_slice();
            sum.fill(0.0);
            for (by, at) in [(ds, [0, 3][which]), (du, [1, 4][which])] {
                if by == 0.0 {
                    continue;
                }
                let path = &self.times[at];
                let features = &mut room.as_mut_slice()[..DitConfig::TIME_FEATURES * TILE];
                turn_features(path.features.as_slice(), way * by, features);
                k.product(&layers.times[at][0], left, features, hidden);
                k.multiply(hidden, path.slope.as_slice());
                let out = &mut room.as_mut_slice()[..d * TILE];
                k.product(&layers.times[at][1], left, hidden, out);
                k.add(sum, out);
            }
            k.multiply(sum, self.slope[which].as_slice());
        }
        for (i, (layers, out)) in layers.blocks.iter().zip(&mut to.blocks).enumerate() {
            let vector = to.vector[usize::from(i >= config.encoder_depth)].as_slice();
            k.product(&layers.modulation, left, vector, out.as_mut_slice());
        }
        let vector = to.vector[1].as_slice();
        k.product(
            &layers.last_modulation,
            left,
            vector,
            to.last.as_mut_slice(),
        );
    }

    /// Adds the gradients of all that is not a token's own, from those of the vectors in `from`.
    pub(super) fn backward(
        &mut self,
        k: Kernels,
        config: &DitConfig,
        layers: &Layers,
        from: &mut CohortGradient,
        gradient: &mut [f32],
    ) {
        let d = self.width;
        let transposed = self.transposed.as_mut_slice();
        let [room, other] = &mut self.room;
        let mut vectors = [Buffer::zeroed(d * TILE), Buffer::zeroed(d * TILE)];
        let room = &mut room.as_mut_slice()[..d * TILE];
        let ends = layers
            .blocks
            .iter()
            .map(|b| &b.modulation)
            .zip(&from.blocks)
            .enumerate()
            .map(|(i, (layer, delta))| (usize::from(i >= config.encoder_depth), layer, delta))
            .chain([(1, &layers.last_modulation, &from.last)]);
        for (which, layer, delta) in ends {
            let active = self.active[which].as_slice();
            k.outer(layer, delta.as_slice(), active, transposed, gradient);
            k.back(layer, TILE, delta.as_slice(), room);
            k.add(vectors[which].as_mut_slice(), room);
        }
        // What the conditioning time and the class have a part in.
        let mut common = Buffer::zeroed(d * TILE);
        let common = common.as_mut_slice();
        for which in 0..2 {
            let vector = vectors[which].as_mut_slice();
            k.multiply(vector, self.slope[which].as_slice());
            k.add(common, vector);
            for at in [[0, 1], [3, 4]][which] {
                let hidden = &mut other.as_mut_slice()[..d * TILE];
                back_through(
                    k,
                    &layers.times[at],
                    &self.times[at],
                    vector,
                    hidden,
                    transposed,
                    gradient,
                );
            }
            if which == 0
                && let Some(table) = &layers.guidance
            {
                scatter(vector, &self.guidance, (table.at, table.stride), gradient);
            }
        }
        scatter(
            common,
            &self.labels,
            (layers.labels.at, layers.labels.stride),
            gradient,
        );

        // The conditioning state's modulation.
        if config.preserve_t_cond_0 {
            for row in lanes_mut(from.x_cond.as_mut_slice()) {
                for (v, t) in row.iter_mut().zip(&self.t) {
                    *v *= t;
                }
            }
        }
        let layer = &layers.x_cond_modulation;
        let delta = from.x_cond.as_slice();
        k.outer(layer, delta, self.t_active.as_slice(), transposed, gradient);
        k.back(layer, TILE, delta, room);
        k.multiply(room, self.t_slope.as_slice());
        k.add(common, room);
        let hidden = &mut other.as_mut_slice()[..d * TILE];
        back_through(
            k,
            &layers.times[2],
            &self.times[2],
            common,
            hidden,
            transposed,
            gradient,
        );
    }
}

/// Derivatives of a cohort's vectors.
pub(super) struct CohortTangent {
    vector: [Buffer; 2],
    pub(super) blocks: Vec<Buffer>,
    pub(super) last: Buffer,
}

impl CohortTangent {
    pub(super) fn new(config: &DitConfig) -> Self {
        let d = config.hidden_size;
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        Self {
            vector: [tile(d), tile(d)],
            blocks: (0..config.depth).map(|_| tile(6 * d)).collect(),
            last: tile(2 * d),
        }
    }
}

/// Gradients with respect to a cohort's vectors.
pub(super) struct CohortGradient {
    /// Shift and scale of the conditioning state's patches, `[2 width]`.
    pub(super) x_cond: Buffer,
    pub(super) blocks: Vec<Buffer>,
    pub(super) last: Buffer,
}

impl CohortGradient {
    pub(super) fn new(config: &DitConfig) -> Self {
        let d = config.hidden_size;
        let tile = |features: usize| Buffer::zeroed(features * TILE);
        Self {
            x_cond: tile(2 * d),
            blocks: (0..config.depth).map(|_| tile(6 * d)).collect(),
            last: tile(2 * d),
        }
    }

    pub(super) fn clear(&mut self) {
        let all = self
            .blocks
            .iter_mut()
            .chain([&mut self.x_cond, &mut self.last]);
        for buffer in all {
            buffer.as_mut_slice().fill(0.0);
        }
    }
}

fn nearest(scales: &[f32], w: f32) -> usize {
    let apart = |i: &usize| (scales[*i] - w).abs();
    (0..scales.len())
        .min_by(|a, b| apart(a).total_cmp(&apart(b)))
        .unwrap_or(0)
}

/// Adds each image's column to its row of a table.
fn scatter(delta: &[f32], rows: &[usize], (at, stride): (usize, usize), gradient: &mut [f32]) {
    for (i, row) in lanes(delta).iter().enumerate() {
        for (v, which) in row.iter().zip(rows) {
            gradient[at + which * stride + i] += v;
        }
    }
}
