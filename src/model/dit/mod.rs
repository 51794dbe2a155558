//! One transformer for small pixel models and for the ImageNet layout of the reference.
//!
//! Patches of `x` and, modulated by the time of the conditioning state, of `x_cond`; blocks conditioned on the times,
//! the class and the guidance scale. The first `encoder_depth` blocks are told `s`, `u` and the guidance scale by one
//! pair of time embedders, the later ones `s` and `u` by another. Times, states and velocities are ours at the
//! boundary (`t = 1` is data) whatever the network was trained with.

mod block;
mod by_block;
mod config;
mod cost;
mod embed;
mod layout;
pub(crate) mod native;
#[cfg(test)]
mod tests;
mod weights;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Int, Tensor, TensorData};

use block::{Block, FinalLayer};
pub use config::DitConfig;
pub use cost::{Backward, Pass, Through};
use embed::{Patches, TimeEmbedder, frequencies, rows, unpatchify};
pub use layout::GUIDANCE;
pub use native::NativeDit;
pub use weights::{ReadWeight, Weight};
use weights::{Sink, Source};

use super::{Condition, Dual, MetaFlowMap};

/// A Meta Flow Map of images; see [`DitConfig`] for its shape.
#[derive(Module, Debug)]
pub struct Dit {
    x_embedder: Patches,
    x_cond_embedder: Patches,
    x_cond_modulation: Linear,
    s_embedder: TimeEmbedder,
    u_embedder: TimeEmbedder,
    t_cond_embedder: TimeEmbedder,
    s_embedder_second: TimeEmbedder,
    u_embedder_second: TimeEmbedder,
    labels: Param<Tensor<2>>,
    guidance: Option<Param<Tensor<2>>>,
    positions: Param<Tensor<3>>,
    blocks: Vec<Block>,
    final_layer: FinalLayer,
    #[module(skip)]
    config: DitConfig,
}

/// What the blocks are told of times, class and guidance, `[B, hidden]`, after SiLU: the first `encoder_depth` of them
/// the one, the later ones and the final layer the other.
#[derive(Clone)]
struct Told {
    first: Dual<2>,
    second: Dual<2>,
}

impl Dit {
    /// The network's shape.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }

    fn from_source<E>(config: &DitConfig, source: &mut Source<'_, E>) -> Result<Self, E> {
        let d = config.hidden_size;
        let labels = "y_embedder.embedding_table.weight";
        let guidance = if config.has_guidance() {
            Some(source.param(GUIDANCE, [config.guidance_rows(), d])?)
        } else {
            None
        };
        let time =
            |name: &str, source: &mut Source<'_, E>| TimeEmbedder::read(config, name, source);
        Ok(Self {
            x_embedder: Patches::read(config, "x_embedder", source)?,
            x_cond_embedder: Patches::read(config, "x_cond_embedder", source)?,
            x_cond_modulation: source.linear("x_cond_adaLN.1", d, 2 * d)?,
            s_embedder: time("s_embedder", source)?,
            u_embedder: time("t_embedder", source)?,
            t_cond_embedder: time("t_cond_embedder", source)?,
            s_embedder_second: time("s_embedder_second", source)?,
            u_embedder_second: time("t_embedder_second", source)?,
            labels: source.param(labels, [config.label_dim + 1, d])?,
            guidance,
            positions: source
                .param("pos_embed", [1, config.tokens(), d])?
                .set_require_grad(false),
            blocks: (0..config.depth)
                .map(|i| Block::read(config, &format!("blocks.{i}"), source))
                .collect::<Result<_, _>>()?,
            final_layer: FinalLayer::read(config, source)?,
            config: config.clone(),
        })
    }

    fn write(&self, out: &mut Sink) {
        let config = &self.config;
        self.x_embedder.write(config, "x_embedder", out);
        self.x_cond_embedder.write(config, "x_cond_embedder", out);
        out.linear("x_cond_adaLN.1", &self.x_cond_modulation);
        self.s_embedder.write("s_embedder", out);
        self.u_embedder.write("t_embedder", out);
        self.t_cond_embedder.write("t_cond_embedder", out);
        self.s_embedder_second.write("s_embedder_second", out);
        self.u_embedder_second.write("t_embedder_second", out);
        out.param("y_embedder.embedding_table.weight", &self.labels);
        if let Some(guidance) = &self.guidance {
            out.param(GUIDANCE, guidance);
        }
        out.param("pos_embed", &self.positions);
        for (i, block) in self.blocks.iter().enumerate() {
            block.write(config, &format!("blocks.{i}"), out);
        }
        self.final_layer.write(out);
    }

    /// `v(s, u, x; t, x_t, label, guidance)`, and its derivative where `s`, `u` or `x` move.
    ///
    /// # Shapes
    /// `s`, `u`: `[B]`; `x` and the result: `[B, C, H, W]`. Labels lie in `0..=label_dim`; without labels nothing has a
    /// class, without guidance scales they are 1.
    pub fn velocity(
        &self,
        s: Dual<1>,
        u: Dual<1>,
        x: Dual<4>,
        condition: &Condition<4>,
    ) -> Dual<4> {
        let (mut h, told) = self.entered(s.clone(), u, x.clone(), condition);
        for i in 0..self.blocks.len() {
            h = self.through_block(i, h, &condition.x_t, &told);
        }
        self.left(h, told, x, s)
    }

    /// The tokens before the first block, and what every block is told.
    fn entered(
        &self,
        s: Dual<1>,
        u: Dual<1>,
        x: Dual<4>,
        condition: &Condition<4>,
    ) -> (Dual<3>, Told) {
        // The DMF family's time runs from data to noise.
        let time = |t: Dual<1>| {
            if self.config.is_zero_data {
                t.scaled(-1.0).plus(1.0)
            } else {
                t
            }
        };
        let (s, u) = (time(s), time(u));
        let device = x.value.device();
        let waves = frequencies(&device, x.value.dtype());
        let rows_count = x.value.dims()[0];

        let t_cond = Dual::constant(condition.t.clone());
        let t_embedded = self.t_cond_embedder.forward(t_cond.clone(), &waves);
        let x_cond = self.conditioning(t_embedded.clone(), condition);
        let positions = Dual::constant(self.positions.val());
        let h = self.x_embedder.forward(x) + x_cond + positions;

        let label = condition.label.clone().unwrap_or_else(|| {
            let none = [self.config.label_dim as i64];
            Tensor::<1, Int>::from_data(TensorData::new(none.to_vec(), [1]), &device)
                .expand([rows_count])
        });
        let common = t_embedded + rows(&self.labels, label);
        let mut first = self.s_embedder.forward(s.clone(), &waves)
            + self.u_embedder.forward(u.clone(), &waves)
            + common.clone();
        if let Some(table) = &self.guidance {
            first = first + rows(table, self.guidance_rows(condition, rows_count));
        }
        let second = self.s_embedder_second.forward(s, &waves)
            + self.u_embedder_second.forward(u, &waves)
            + common;
        let [first, second] = [first, second].map(Dual::silu);
        (h, Told { first, second })
    }

    /// The tokens after block `i`.
    fn through_block(&self, i: usize, h: Dual<3>, x_cond: &Tensor<4>, told: &Told) -> Dual<3> {
        let c = if i < self.config.encoder_depth {
            &told.first
        } else {
            &told.second
        };
        self.blocks[i].forward(h, x_cond, c.clone())
    }

    /// The velocity of the tokens after the last block; `x` and `s` as they came in.
    fn left(&self, h: Dual<3>, told: Told, x: Dual<4>, s: Dual<1>) -> Dual<4> {
        let put_out = unpatchify(self.final_layer.forward(h, told.second), &self.config);
        if self.config.predicts_image {
            let per_rest = s
                .recip_of_rest(DitConfig::LEAST_REST)
                .linearly(|part| part.reshape([-1, 1, 1, 1]));
            (put_out + x.scaled(-1.0)) * per_rest
        } else if self.config.is_zero_data {
            put_out.scaled(-1.0)
        } else {
            put_out
        }
    }

    /// Patches of the conditioning state, modulated by its time.
    fn conditioning(&self, t_embedded: Dual<2>, condition: &Condition<4>) -> Dual<3> {
        let width = self.config.hidden_size;
        let vectors = t_embedded.silu().linear(&self.x_cond_modulation);
        let vector = |start: usize| {
            vectors
                .clone()
                .linearly(|part| part.narrow(1, start, width).unsqueeze_dim(1))
        };
        let (mut shift, mut scale) = (vector(0), vector(width));
        if self.config.preserve_t_cond_0 {
            let t = Dual::constant(condition.t.clone().reshape([-1, 1, 1]));
            shift = shift * t.clone();
            scale = (scale * t).plus(-1.0);
        }
        let patches = Dual::constant(condition.x_t.clone());
        self.x_cond_embedder.forward(patches).modulate(shift, scale)
    }

    /// The row of the table for the nearest scale that it knows, `[B]`. The conditioning state's own scale is 1, whose
    /// row comes first, so that the reference's index (class + state * number of the state's scales) is the class'.
    fn guidance_rows(&self, condition: &Condition<4>, rows: usize) -> Tensor<1, Int> {
        let device = condition.t.device();
        let Some(scale) = &condition.guidance_scale else {
            return Tensor::zeros([rows], &device);
        };
        let known = self.config.class_scales();
        let shape = [1, known.len()];
        let known = Tensor::<2>::from_data(TensorData::new(known, shape), (&device, scale.dtype()));
        let distance = (scale.clone().reshape([rows, 1]) - known).abs();
        distance.argmin(1).reshape([rows])
    }
}

impl MetaFlowMap<4> for Dit {
    /// # Shapes
    /// `s`, `u`: `[B]`; `x` and the result: `[B, C, H, W]`.
    fn average_velocity(
        &self,
        s: Tensor<1>,
        u: Tensor<1>,
        x: Tensor<4>,
        condition: &Condition<4>,
    ) -> Tensor<4> {
        let [s, u] = [s, u].map(Dual::constant);
        self.velocity(s, u, Dual::constant(x), condition).value
    }
}
