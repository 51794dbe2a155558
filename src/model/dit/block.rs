//! One block of the transformer, and the layer after the last.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::Tensor;

use super::DitConfig;
use super::embed::Patches;
use super::weights::{Sink, Source};
use crate::model::Dual;

/// Of every norm.
const EPSILON: f64 = 1e-6;

/// Attention and a small network for each token, both modulated by the conditioning vector.
#[derive(Module, Debug)]
pub struct Block {
    attention: Attention,
    fc1: Linear,
    fc2: Linear,
    modulation: Linear,
}

impl Block {
    pub(super) fn read<E>(
        config: &DitConfig,
        name: &str,
        source: &mut Source<'_, E>,
    ) -> Result<Self, E> {
        let d = config.hidden_size;
        let inner = DitConfig::MLP_RATIO * d;
        let modulation = format!("{name}.adaLN_modulation.1");
        Ok(Self {
            attention: Attention::read(config, name, source)?,
            fc1: source.linear(&format!("{name}.mlp.fc1"), d, inner)?,
            fc2: source.linear(&format!("{name}.mlp.fc2"), inner, d)?,
            modulation: source.linear(&modulation, d, config.modulations() * d)?,
        })
    }

    pub(super) fn write(&self, config: &DitConfig, name: &str, out: &mut Sink) {
        self.attention.write(config, name, out);
        out.linear(&format!("{name}.mlp.fc1"), &self.fc1);
        out.linear(&format!("{name}.mlp.fc2"), &self.fc2);
        out.linear(&format!("{name}.adaLN_modulation.1"), &self.modulation);
    }

    /// # Shapes
    /// `x`: `[B, tokens, hidden]`; `x_cond`: `[B, C, H, W]`; `c`, the conditioning vector after SiLU: `[B, hidden]`.
    pub fn forward(&self, x: Dual<3>, x_cond: &Tensor<4>, c: Dual<2>) -> Dual<3> {
        let [
            shift,
            scale,
            gate,
            shift_mlp,
            scale_mlp,
            gate_mlp,
            gate_cond,
        ] = vectors(c.linear(&self.modulation), x.value.dims()[2]);
        let inner = x.clone().layer_norm(EPSILON).modulate(shift, scale);
        let x = x + gate * self.attention.forward(inner, x_cond, gate_cond);
        let inner = x.clone().layer_norm(EPSILON).modulate(shift_mlp, scale_mlp);
        x + gate_mlp * inner.linear(&self.fc1).gelu().linear(&self.fc2)
    }
}

/// Cuts `[B, N hidden]` into vectors `[B, 1, hidden]` for up to seven uses; what is not there repeats the last.
fn vectors<const N: usize>(c: Dual<2>, width: usize) -> [Dual<3>; N] {
    let count = c.value.dims()[1] / width;
    std::array::from_fn(|i| {
        let start = i.min(count - 1) * width;
        c.clone()
            .linearly(|part| part.narrow(1, start, width).unsqueeze_dim(1))
    })
}

/// Attention over a state's own patches and, in joint models, over those of the conditioning state.
#[derive(Module, Debug)]
pub struct Attention {
    qkv: Linear,
    proj: Linear,
    norms: Option<Norms>,
    joint: Option<Joint>,
    #[module(skip)]
    heads: usize,
}

/// Learned scales of the RMS norms, `[d]` each.
#[derive(Module, Debug)]
pub struct Norms {
    queries: Param<Tensor<1>>,
    keys: Param<Tensor<1>>,
}

/// Keys and values from the conditioning state.
#[derive(Module, Debug)]
pub struct Joint {
    patches: Patches,
    positions: Param<Tensor<3>>,
    kv: Linear,
    norm: Option<Param<Tensor<1>>>,
}

impl Attention {
    fn read<E>(config: &DitConfig, block: &str, source: &mut Source<'_, E>) -> Result<Self, E> {
        let d = config.hidden_size;
        let head = d / config.num_heads;
        let name = config.attention_name(block);
        let norm = |which: &str, source: &mut Source<'_, E>| {
            source.param(&format!("{name}.{which}.scale"), [head])
        };
        let norms = if config.qk_norm {
            Some(Norms {
                queries: norm("q_norm", source)?,
                keys: norm("k_norm", source)?,
            })
        } else {
            None
        };
        let joint = if config.use_joint_attention {
            let positions = format!("{block}.pos_embed");
            Some(Joint {
                patches: Patches::read(config, &format!("{block}.x_cond_embedder"), source)?,
                positions: source
                    .param(&positions, [1, config.tokens(), d])?
                    .set_require_grad(false),
                kv: source.linear(&format!("{name}.kv_cond"), d, 2 * d)?,
                norm: if config.qk_norm {
                    Some(norm("k_cond_norm", source)?)
                } else {
                    None
                },
            })
        } else {
            None
        };
        Ok(Self {
            qkv: source.linear(&format!("{name}.qkv"), d, 3 * d)?,
            proj: source.linear(&format!("{name}.proj"), d, d)?,
            norms,
            joint,
            heads: config.num_heads,
        })
    }

    fn write(&self, config: &DitConfig, block: &str, out: &mut Sink) {
        let name = config.attention_name(block);
        out.linear(&format!("{name}.qkv"), &self.qkv);
        out.linear(&format!("{name}.proj"), &self.proj);
        if let Some(norms) = &self.norms {
            out.param(&format!("{name}.q_norm.scale"), &norms.queries);
            out.param(&format!("{name}.k_norm.scale"), &norms.keys);
        }
        if let Some(joint) = &self.joint {
            let patches = format!("{block}.x_cond_embedder");
            joint.patches.write(config, &patches, out);
            out.param(&format!("{block}.pos_embed"), &joint.positions);
            out.linear(&format!("{name}.kv_cond"), &joint.kv);
            if let Some(norm) = &joint.norm {
                out.param(&format!("{name}.k_cond_norm.scale"), norm);
            }
        }
    }

    fn forward(&self, x: Dual<3>, x_cond: &Tensor<4>, gate_cond: Dual<3>) -> Dual<3> {
        let [b, tokens, width] = x.value.dims();
        let qkv = x.linear(&self.qkv);
        let mut queries = self.part(&qkv, 0);
        let mut keys = self.part(&qkv, 1);
        let mut values = self.part(&qkv, 2);
        if let Some(norms) = &self.norms {
            queries = normed(queries, &norms.queries);
            keys = normed(keys, &norms.keys);
        }
        if let Some(joint) = &self.joint {
            let positions = Dual::constant(joint.positions.val());
            let cond = joint.patches.forward(Dual::constant(x_cond.clone())) + positions;
            let kv = cond.linear(&joint.kv);
            let mut cond_keys = self.part(&kv, 0);
            if let Some(norm) = &joint.norm {
                cond_keys = normed(cond_keys, norm);
            }
            let cond_values = self.part(&kv, 1) * self.split(gate_cond);
            keys = Dual::cat(vec![keys, cond_keys], 2);
            values = Dual::cat(vec![values, cond_values], 2);
        }
        let products = self.qkv.weight.val().dtype();
        queries
            .attend_in(products, keys, values)
            .linearly(|part| part.swap_dims(1, 2).reshape([b, tokens, width]))
            .linear(&self.proj)
    }

    /// The `index`-th of the vectors that lie side by side in each token, by heads.
    fn part(&self, tokens: &Dual<3>, index: usize) -> Dual<4> {
        let width = self.proj.weight.dims()[0];
        self.split(
            tokens
                .clone()
                .linearly(|part| part.narrow(2, index * width, width)),
        )
    }

    /// `[B, tokens, hidden]` to `[B, heads, tokens, d]`.
    fn split(&self, tokens: Dual<3>) -> Dual<4> {
        let [b, n, width] = tokens.value.dims();
        let shape = [b, n, self.heads, width / self.heads];
        tokens.linearly(|part| part.reshape(shape).swap_dims(1, 2))
    }
}

fn normed(x: Dual<4>, scale: &Param<Tensor<1>>) -> Dual<4> {
    x.rms_norm(scale.val().unsqueeze(), EPSILON)
}

/// Norm, modulation by two vectors, and a linear layer to the numbers of a patch.
#[derive(Module, Debug)]
pub struct FinalLayer {
    linear: Linear,
    modulation: Linear,
}

impl FinalLayer {
    pub(super) fn read<E>(config: &DitConfig, source: &mut Source<'_, E>) -> Result<Self, E> {
        let d = config.hidden_size;
        Ok(Self {
            linear: source.linear("final_layer.linear", d, config.final_numbers())?,
            modulation: source.linear("final_layer.adaLN_modulation.1", d, 2 * d)?,
        })
    }

    pub(super) fn write(&self, out: &mut Sink) {
        out.linear("final_layer.linear", &self.linear);
        out.linear("final_layer.adaLN_modulation.1", &self.modulation);
    }

    /// `x`: `[B, tokens, hidden]`; `c`, after SiLU: `[B, hidden]`.
    pub fn forward(&self, x: Dual<3>, c: Dual<2>) -> Dual<3> {
        let [shift, scale] = vectors(c.linear(&self.modulation), x.value.dims()[2]);
        x.layer_norm(EPSILON)
            .modulate(shift, scale)
            .linear(&self.linear)
    }
}
