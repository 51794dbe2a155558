//! Values that may carry a tangent: one forward pass for the plain value and for its derivative along a direction.
//!
//! burn differentiates in reverse only. The Eulerian loss needs the derivative along one direction, `(ds, du, dx) =
//! (1, 0, v)`, which forward mode gives at the price of about one more evaluation. A network written in [`Dual`] is
//! written once: what does not move has no tangent, costs nothing more, and takes burn's own kernels. Reverse mode
//! still runs through both.

use std::ops::{Add, Mul};

use burn::nn::Linear;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::module::{attention, layer_norm, linear};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Tensor};

use super::activation::gelu_on_processor;

/// A tensor and, where it moves, its derivative along one direction, of the same shape.
#[derive(Debug, Clone)]
pub struct Dual<const D: usize> {
    /// The value.
    pub value: Tensor<D>,
    /// Its derivative; `None` where it does not move.
    pub tangent: Option<Tensor<D>>,
}

impl<const D: usize> Dual<D> {
    /// A value that does not move along the direction.
    pub fn constant(value: Tensor<D>) -> Self {
        let tangent = None;
        Self { value, tangent }
    }

    /// A value that moves.
    pub fn moving(value: Tensor<D>, tangent: Tensor<D>) -> Self {
        let tangent = Some(tangent);
        Self { value, tangent }
    }

    /// The derivative, zeros where it does not move.
    pub fn derivative(&self) -> Tensor<D> {
        let still = || self.value.zeros_like();
        self.tangent.clone().unwrap_or_else(still)
    }

    /// Through a map that is linear (no constant part): reshaping, cutting, turning signs.
    #[must_use]
    pub fn linearly<const E: usize>(self, map: impl Fn(Tensor<D>) -> Tensor<E>) -> Dual<E> {
        Dual {
            value: map(self.value),
            tangent: self.tangent.map(map),
        }
    }

    /// Through a map that acts on each number: its value, and the slope where that is asked for.
    fn pointwise(
        self,
        value: impl FnOnce(&Tensor<D>) -> Tensor<D>,
        slope: impl FnOnce(&Tensor<D>) -> Tensor<D>,
    ) -> Self {
        Self {
            value: value(&self.value),
            tangent: self.tangent.map(|tangent| tangent * slope(&self.value)),
        }
    }

    /// Both times `factor`.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        self.linearly(|part| part * factor)
    }

    /// With `offset` added to the value.
    #[must_use]
    pub fn plus(self, offset: f32) -> Self {
        Self {
            value: self.value + offset,
            tangent: self.tangent,
        }
    }

    /// `silu`, whose slope is `sigma + silu (1 - sigma)`.
    #[must_use]
    pub fn silu(self) -> Self {
        let sigma = sigmoid(self.value.clone());
        self.pointwise(
            |x| x.clone() * sigma.clone(),
            |x| sigma.clone() * (x.clone() * (sigma.clone().neg() + 1.0) + 1.0),
        )
    }

    /// GELU in the form with the hyperbolic tangent: `x (1 + tanh(c (x + a x^3))) / 2`.
    #[must_use]
    pub fn gelu(self) -> Self {
        const C: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
        const A: f64 = 0.044_715;
        let Some(tangent) = self.tangent else {
            let x = self.value;
            return Self::constant(gelu_on_processor(&x).unwrap_or_else(|| {
                let tanh = (cubic(&x, A) * C).tanh();
                x * (tanh + 1.0) * 0.5
            }));
        };
        let moving = Self::moving(self.value, tangent);
        let square = moving.value.clone() * moving.value.clone();
        let tanh = (cubic(&moving.value, A) * C).tanh();
        moving.pointwise(
            |x| x.clone() * (tanh.clone() + 1.0) * 0.5,
            |x| {
                let inner = (square * (3.0 * A) + 1.0) * C;
                let rise = (tanh.clone() * tanh.clone()).neg() + 1.0;
                (tanh.clone() + 1.0 + x.clone() * rise * inner) * 0.5
            },
        )
    }

    /// A linear layer over the last dimension; the weights do not move. The product is made in the weights' type, the
    /// result has that of the input.
    #[must_use]
    pub fn linear(self, layer: &Linear) -> Self {
        let (own, weight) = (self.value.dtype(), layer.weight.val());
        if weight.dtype() == own {
            return Self {
                value: layer.forward(self.value),
                tangent: self.tangent.map(|tangent| linear(tangent, weight, None)),
            };
        }
        let narrow = weight.dtype();
        let product =
            self.linearly(|part| linear(part.cast(narrow), weight.clone(), None).cast(own));
        match &layer.bias {
            Some(bias) => Self {
                value: product.value + bias.val().unsqueeze(),
                tangent: product.tangent,
            },
            None => product,
        }
    }

    /// Layer norm over the last dimension, without scale and shift.
    #[must_use]
    pub fn layer_norm(self, epsilon: f64) -> Self {
        let last = D - 1;
        let Some(tangent) = self.tangent else {
            let width = self.value.dims()[last];
            let ones = Tensor::ones([width], (&self.value.device(), self.value.dtype()));
            return Self::constant(layer_norm(self.value, ones, None, epsilon));
        };
        let centred = self.value.clone() - self.value.mean_dim(last);
        let spread = (centred.clone().square().mean_dim(last) + epsilon).sqrt();
        let value = centred / spread.clone();
        let tangent = tangent.clone() - tangent.mean_dim(last);
        let along = (value.clone() * tangent.clone()).mean_dim(last);
        let tangent = (tangent - value.clone() * along) / spread;
        Self::moving(value, tangent)
    }

    /// `x / rms(x) * scale` over the last dimension; `scale` is broadcast and does not move.
    #[must_use]
    pub fn rms_norm(self, scale: Tensor<D>, epsilon: f64) -> Self {
        let last = D - 1;
        let size = (self.value.clone().square().mean_dim(last) + epsilon).sqrt();
        let unit = self.value / size.clone();
        let tangent = self.tangent.map(|tangent| {
            let along = (unit.clone() * tangent.clone()).mean_dim(last);
            (tangent - unit.clone() * along) / size * scale.clone()
        });
        Self {
            value: unit * scale,
            tangent,
        }
    }

    /// Side by side along dimension `dim`.
    pub fn cat(parts: Vec<Self>, dim: usize) -> Self {
        let moves = parts.iter().any(|part| part.tangent.is_some());
        let tangent = moves.then(|| Tensor::cat(parts.iter().map(Self::derivative).collect(), dim));
        let values = parts.into_iter().map(|part| part.value).collect();
        Self {
            value: Tensor::cat(values, dim),
            tangent,
        }
    }
}

/// `x + a x^3`. Not as a power: of a negative base it is undefined in some shading languages.
fn cubic<const D: usize>(x: &Tensor<D>, a: f64) -> Tensor<D> {
    (x.clone() * x.clone() * a + 1.0) * x.clone()
}

/// The sum of two parts of which either may be still.
fn sum<const D: usize>(a: Option<Tensor<D>>, b: Option<Tensor<D>>) -> Option<Tensor<D>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (one, other) => one.or(other),
    }
}

/// With burn's broadcasting of dimensions of size 1.
impl<const D: usize> Add for Dual<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let value = self.value + other.value;
        let shape = value.dims();
        // One part alone may be smaller than the sum.
        let tangent = sum(self.tangent, other.tangent).map(|t| t.expand(shape));
        Self { value, tangent }
    }
}

/// The product rule, with burn's broadcasting of dimensions of size 1.
impl<const D: usize> Mul for Dual<D> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let left = self.tangent.map(|t| t * other.value.clone());
        let right = other.tangent.map(|t| t * self.value.clone());
        Self {
            value: self.value * other.value,
            tangent: sum(left, right),
        }
    }
}

impl Dual<1> {
    /// `1 / max(1 - t, least)`: how fast a jump of a network that predicts images goes.
    #[must_use]
    pub fn recip_of_rest(self, least: f32) -> Self {
        let rest = self.value.clone().neg() + 1.0;
        let value = rest.clone().clamp_min(least).recip();
        self.pointwise(
            |_| value.clone(),
            |_| {
                value.clone()
                    * value.clone()
                    * rest.clone().greater_elem(least).float().cast(rest.dtype())
            },
        )
    }

    /// `[B]` as a column `[B, 1]`.
    pub fn column(self) -> Dual<2> {
        self.linearly(|part| part.unsqueeze_dim(1))
    }
}

impl Dual<2> {
    /// The sine and the cosine of `frequency * time`: `[B, 1]` and `[1, F]` give `[B, F]` each.
    pub fn fourier(self, frequencies: &Tensor<2>) -> [Self; 2] {
        let phase = self.linearly(|part| part * frequencies.clone());
        let cos = phase
            .clone()
            .pointwise(|x| x.clone().cos(), |x| x.clone().sin().neg());
        let sin = phase.pointwise(|x| x.clone().sin(), |x| x.clone().cos());
        [sin, cos]
    }
}

impl Dual<3> {
    /// `self * (1 + scale) + shift`, the latter two `[B, 1, D]`.
    #[must_use]
    pub fn modulate(self, shift: Self, scale: Self) -> Self {
        self * scale.plus(1.0) + shift
    }
}

impl Dual<4> {
    /// `softmax(q k' / sqrt(d)) v` for each head: `self` is the queries, all `[B, heads, tokens, d]`.
    #[must_use]
    pub fn attend(self, keys: Self, values: Self) -> Self {
        let own = self.value.dtype();
        self.attend_in(own, keys, values)
    }

    /// The same with both matrix products made in the type `products`, and the softmax in that of the queries.
    #[must_use]
    pub fn attend_in(self, products: DType, keys: Self, values: Self) -> Self {
        let still = self.tangent.is_none() && keys.tangent.is_none() && values.tangent.is_none();
        if still && products == self.value.dtype() {
            let options = AttentionModuleOptions::default();
            let value = attention(self.value, keys.value, values.value, None, None, options);
            return Self::constant(value);
        }
        let scale = 1.0 / (self.value.dims()[3] as f64).sqrt();
        let turned = keys.linearly(|part| part.swap_dims(2, 3) * scale);
        let scores = self.matmul(turned, products);
        let weights = softmax(scores.value, 3);
        let tangent = scores.tangent.map(|tangent| {
            let mean = (weights.clone() * tangent.clone()).sum_dim(3);
            weights.clone() * (tangent - mean)
        });
        Self {
            value: weights,
            tangent,
        }
        .matmul(values, products)
    }

    /// The product rule of the matrix product, each product made in the type `products`.
    fn matmul(self, other: Self, products: DType) -> Self {
        let own = self.value.dtype();
        let product = |a: &Tensor<4>, b: &Tensor<4>| {
            let [a, b] = [a, b].map(|part| part.clone().cast(products));
            a.matmul(b).cast(own)
        };
        let left = self.tangent.as_ref().map(|t| product(t, &other.value));
        let right = other.tangent.as_ref().map(|t| product(&self.value, t));
        Self {
            value: product(&self.value, &other.value),
            tangent: sum(left, right),
        }
    }
}
