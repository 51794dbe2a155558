//! One layer of the tower. Field names are those of Hugging Face's files.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, sigmoid, softmax};
use burn::tensor::{Device, Tensor};

use super::ClipConfig;

/// A norm over a token.
pub fn norm(config: &ClipConfig, device: &Device) -> LayerNorm {
    LayerNormConfig::new(config.hidden_size)
        .with_epsilon(config.layer_norm_eps)
        .init(device)
}

/// Attention, then a small network for each token, each around which the signal may go.
#[derive(Module, Debug)]
// The names of the files.
#[allow(clippy::struct_field_names)]
pub struct Layer {
    layer_norm1: LayerNorm,
    self_attn: Attention,
    layer_norm2: LayerNorm,
    mlp: Inner,
}

impl Layer {
    /// Fresh.
    pub fn new(config: &ClipConfig, device: &Device) -> Self {
        Self {
            layer_norm1: norm(config, device),
            self_attn: Attention::new(config, device),
            layer_norm2: norm(config, device),
            mlp: Inner::new(config, device),
        }
    }

    /// `[B, tokens, hidden]`, and the result alike.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.self_attn.forward(self.layer_norm1.forward(x));
        x.clone() + self.mlp.forward(self.layer_norm2.forward(x))
    }
}

#[derive(Module, Debug)]
struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &ClipConfig, device: &Device) -> Self {
        let d = config.hidden_size;
        let linear = || LinearConfig::new(d, d).init(device);
        Self {
            q_proj: linear(),
            k_proj: linear(),
            v_proj: linear(),
            out_proj: linear(),
            heads: config.num_attention_heads,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, d] = x.dims();
        let width = d / self.heads;
        let split = |linear: &Linear| {
            let all = linear.forward(x.clone());
            all.reshape([batch, tokens, self.heads, width])
                .swap_dims(1, 2)
        };
        let q = split(&self.q_proj) * (width as f64).powf(-0.5);
        let (k, v) = (split(&self.k_proj), split(&self.v_proj));
        let weights = softmax(q.matmul(k.swap_dims(2, 3)), 3);
        let mixed = weights.matmul(v).swap_dims(1, 2);
        self.out_proj.forward(mixed.reshape([batch, tokens, d]))
    }
}

#[derive(Module, Debug)]
struct Inner {
    fc1: Linear,
    fc2: Linear,
    /// OpenAI's towers have an approximation of the GELU, of which they were trained.
    #[module(skip)]
    quick: bool,
}

impl Inner {
    fn new(config: &ClipConfig, device: &Device) -> Self {
        let (d, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            fc1: LinearConfig::new(d, inner).init(device),
            fc2: LinearConfig::new(inner, d).init(device),
            quick: config.hidden_act == "quick_gelu",
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let h = self.fc1.forward(x);
        let h = if self.quick {
            h.clone() * sigmoid(h * 1.702)
        } else {
            gelu(h)
        };
        self.fc2.forward(h)
    }
}
