//! One layer of a tower, of pictures or of texts. Field names are those of Hugging Face's files.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::{Memory, Pass};

/// Numbers a token's width, and squares of scores, that a layer leaves in a graph; without one a layer is alive at a
/// time, which is little.
const KEPT: u64 = 26;
const SCORES_KEPT: u64 = 3;

/// What the layers of a tower share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerShape {
    /// Width of a token.
    pub width: usize,
    /// Width of the inner layer.
    pub inner: usize,
    /// Attention heads.
    pub heads: usize,
    /// Whether the GELU is the approximation that OpenAI's towers were trained with.
    pub quick: bool,
    /// Of every norm.
    pub epsilon: f64,
}

impl LayerShape {
    /// A norm over a token.
    pub fn norm(&self, device: &Device) -> LayerNorm {
        LayerNormConfig::new(self.width)
            .with_epsilon(self.epsilon)
            .init(device)
    }

    /// About what a tower of so many layers takes, in f32, with one picture or text of so many tokens: looked at, or with
    /// its gradient. What it has beside its layers is a hundredth of it.
    pub fn memory(&self, layers: usize, tokens: usize, pass: Pass) -> Memory {
        let [width, inner, layers, tokens, heads] =
            [self.width, self.inner, layers, tokens, self.heads].map(|n| n as u64);
        let layer = KEPT * tokens * width + SCORES_KEPT * heads * tokens * tokens;
        let graphs = match pass {
            Pass::Forward => 1,
            Pass::Gradient => layers,
        };
        Memory {
            weights: 4 * layers * (4 * width * width + 2 * width * inner),
            working: 4 * graphs * layer,
        }
    }
}

/// What is added to the attention of `tokens` so that each sees only itself and those before it, `[1, 1, n, n]`.
pub fn only_before(tokens: usize, device: &Device) -> Tensor<4> {
    // Far below any score, and finite, which every device can hold.
    const HIDDEN: f32 = -1e9;
    let values: Vec<f32> = (0..tokens * tokens)
        .map(|at| {
            if at % tokens > at / tokens {
                HIDDEN
            } else {
                0.0
            }
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 1, tokens, tokens]), device)
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
    pub fn new(shape: &LayerShape, device: &Device) -> Self {
        Self {
            layer_norm1: shape.norm(device),
            self_attn: Attention::new(shape, device),
            layer_norm2: shape.norm(device),
            mlp: Inner::new(shape, device),
        }
    }

    /// `[B, tokens, hidden]`, and the result alike; `mask` is added to the attention, see [`only_before`].
    pub fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4>>) -> Tensor<3> {
        let x = x.clone() + self.self_attn.forward(self.layer_norm1.forward(x), mask);
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
    fn new(shape: &LayerShape, device: &Device) -> Self {
        let d = shape.width;
        let linear = || LinearConfig::new(d, d).init(device);
        Self {
            q_proj: linear(),
            k_proj: linear(),
            v_proj: linear(),
            out_proj: linear(),
            heads: shape.heads,
        }
    }

    fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4>>) -> Tensor<3> {
        let [batch, tokens, d] = x.dims();
        let width = d / self.heads;
        let split = |linear: &Linear| {
            let all = linear.forward(x.clone());
            all.reshape([batch, tokens, self.heads, width])
                .swap_dims(1, 2)
        };
        let q = split(&self.q_proj) * (width as f64).powf(-0.5);
        let (k, v) = (split(&self.k_proj), split(&self.v_proj));
        let mut scores = q.matmul(k.swap_dims(2, 3));
        if let Some(mask) = mask {
            scores = scores + mask.clone();
        }
        let weights = softmax(scores, 3);
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
    fn new(shape: &LayerShape, device: &Device) -> Self {
        let (d, inner) = (shape.width, shape.inner);
        Self {
            fc1: LinearConfig::new(d, inner).init(device),
            fc2: LinearConfig::new(inner, d).init(device),
            quick: shape.quick,
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
