//! One layer of BERT that looks at the other words, then at the picture.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear, LinearConfig};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Tensor};

use super::{BlipTower, bert_norm};

/// Each part is added to what it was given, and the sum brought to a norm.
#[derive(Module, Debug)]
pub struct TextLayer {
    words: Attention,
    picture: Attention,
    wide: Linear,
    narrow: Linear,
    norm: LayerNorm,
}

/// Attention of the text's tokens to others, of the text itself or of the picture.
#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm: LayerNorm,
    #[module(skip)]
    heads: usize,
}

impl TextLayer {
    /// Fresh; tokens of the picture are `seen` wide.
    pub fn new(tower: &BlipTower, seen: usize, device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            words: Attention::new(tower, tower.width, device),
            picture: Attention::new(tower, seen, device),
            wide: linear(tower.width, tower.inner),
            narrow: linear(tower.inner, tower.width),
            norm: bert_norm(tower.width, device),
        }
    }

    /// `[B, tokens, width]`, and the result alike; `picture` `[B, tokens of it, seen]`.
    pub fn forward(&self, x: Tensor<3>, picture: Tensor<3>) -> Tensor<3> {
        let x = self.words.forward(x.clone(), x);
        let x = self.picture.forward(x, picture);
        let inner = gelu(self.wide.forward(x.clone()));
        self.norm.forward(self.narrow.forward(inner) + x)
    }
}

impl Attention {
    fn new(tower: &BlipTower, seen: usize, device: &Device) -> Self {
        let linear = |from| LinearConfig::new(from, tower.width).init(device);
        Self {
            query: linear(tower.width),
            key: linear(seen),
            value: linear(seen),
            out: linear(tower.width),
            norm: bert_norm(tower.width, device),
            heads: tower.heads,
        }
    }

    fn forward(&self, x: Tensor<3>, seen: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, d] = x.dims();
        let width = d / self.heads;
        let split = |linear: &Linear, of: Tensor<3>| {
            let [_, tokens, _] = of.dims();
            let all = linear.forward(of);
            all.reshape([batch, tokens, self.heads, width])
                .swap_dims(1, 2)
        };
        let q = split(&self.query, x.clone()) * (width as f64).powf(-0.5);
        let (k, v) = (split(&self.key, seen.clone()), split(&self.value, seen));
        let weights = softmax(q.matmul(k.swap_dims(2, 3)), 3);
        let mixed = weights.matmul(v).swap_dims(1, 2);
        let out = self.out.forward(mixed.reshape([batch, tokens, d]));
        self.norm.forward(out + x)
    }
}
