//! Weights in and out, by the names of [`DitConfig::layout`], and fresh ones.

use std::convert::Infallible;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::embed::positions;
use super::{Dit, DitConfig};
use crate::model::ModelError;

/// One tensor of the weights as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Its name.
    pub name: String,
    /// Its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// Gives the numbers of the tensor of that name and shape.
pub type ReadWeight<'a, E> = &'a mut dyn FnMut(&str, &[usize]) -> Result<Vec<f32>, E>;

/// Where the weights come from and where they go.
pub struct Source<'a, E> {
    pub read: ReadWeight<'a, E>,
    pub device: &'a Device,
    pub dtype: DType,
    /// Of the weights of linear layers, in which products are made.
    pub products: DType,
}

impl<E> Source<'_, E> {
    pub fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, E> {
        (self.read)(name, shape)
    }

    /// A tensor as it is stored.
    pub fn param<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Param<Tensor<D>>, E> {
        let values = self.values(name, &shape)?;
        let data = TensorData::new(values, shape);
        let tensor = Tensor::from_data(data, (self.device, self.dtype));
        Ok(Param::from_tensor(tensor))
    }

    /// Stored numbers `[outputs][inputs]` as burn keeps them, `[inputs, outputs]`.
    pub fn weight(&self, values: Vec<f32>, inputs: usize, outputs: usize) -> Param<Tensor<2>> {
        let data = TensorData::new(values, [outputs, inputs]);
        // Turned for good: a processor would copy a turned view of them in every product.
        let turned = Tensor::<2>::from_data(data, &Device::flex()).transpose();
        let kept = Tensor::<2>::from_data(turned.into_data(), (self.device, self.dtype));
        Param::from_tensor(kept.cast(self.products))
    }

    pub fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, E> {
        let values = self.values(&format!("{name}.weight"), &[outputs, inputs])?;
        Ok(Linear {
            weight: self.weight(values, inputs, outputs),
            bias: Some(self.param(&format!("{name}.bias"), [outputs])?),
        })
    }
}

/// Collects weights.
#[derive(Default)]
pub struct Sink(Vec<Weight>);

impl Sink {
    pub fn param<const D: usize>(&mut self, name: &str, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.0.push(Weight {
            name: name.to_owned(),
            shape: tensor.dims().to_vec(),
            values: numbers(tensor),
        });
    }

    pub fn linear(&mut self, name: &str, linear: &Linear) {
        if let Some(bias) = &linear.bias {
            self.param(&format!("{name}.bias"), bias);
        }
        let stored = linear.weight.val().transpose();
        self.0.push(Weight {
            name: format!("{name}.weight"),
            shape: stored.dims().to_vec(),
            values: numbers(stored),
        });
    }

    /// The weight that came last has other dimensions in the file than here.
    pub fn reshape_last_weight(&mut self, shape: Vec<usize>) {
        if let Some(last) = self.0.last_mut() {
            last.shape = shape;
        }
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // A cast to f32 makes any float tensor readable as f32.
    let data = tensor.cast(DType::F32).into_data();
    data.try_to_vec().unwrap_or_default()
}

impl Dit {
    /// The network with the weights that `read` gives for each name of [`DitConfig::layout`], kept as `dtype` on
    /// `device`. One tensor is in memory beside the network at a time.
    ///
    /// # Errors
    /// What `read` says. `config` must be valid.
    pub fn read<E>(
        config: &DitConfig,
        device: &Device,
        dtype: DType,
        read: ReadWeight<'_, E>,
    ) -> Result<Self, E> {
        let mut source = Source {
            read,
            device,
            dtype,
            products: dtype,
        };
        Self::from_source(config, &mut source)
    }

    /// The same in f32 but for the weights of linear layers, which are kept in the type `products` from the start: the
    /// whole is never there in f32. See [`Self::with_products_in`].
    ///
    /// # Errors
    /// What `read` says. `config` must be valid.
    pub fn read_in<E>(
        config: &DitConfig,
        device: &Device,
        products: DType,
        read: ReadWeight<'_, E>,
    ) -> Result<Self, E> {
        let mut source = Source {
            read,
            device,
            dtype: DType::F32,
            products,
        };
        Self::from_source(config, &mut source)
    }

    /// The network with fresh weights, the same for the same `seed`.
    ///
    /// Linear layers are drawn as in the reference (Glorot), embeddings with a standard deviation of 0.02, what
    /// modulates and what puts out starts at zero. Unlike the reference, whose conditioning path is dead until a
    /// trained one is copied into it, the patches of the conditioning state start alive and their gate open, in
    /// proportion to `t_cond` where `preserve_t_cond_0` is set.
    ///
    /// # Errors
    /// When `config` is not valid.
    pub fn init(config: &DitConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut fresh = |name: &str, shape: &[usize]| Ok(fresh(config, name, shape, &mut rng));
        let Ok(dit) = Self::read::<Infallible>(config, device, DType::F32, &mut fresh);
        Ok(dit)
    }

    /// All weights, to be written under these names.
    pub fn weights(&self) -> Vec<Weight> {
        let mut sink = Sink::default();
        self.write(&mut sink);
        sink.0
    }

    /// Hands all weights to `take`, block after block, each freed on the way where nothing else holds it: the whole is
    /// never there twice.
    pub(crate) fn hand_over(mut self, mut take: impl FnMut(&Weight)) {
        for (i, block) in std::mem::take(&mut self.blocks).into_iter().enumerate() {
            let mut sink = Sink::default();
            block.write(&self.config, &format!("blocks.{i}"), &mut sink);
            drop(block);
            sink.0.iter().for_each(&mut take);
        }
        self.weights().iter().for_each(take);
    }
}

/// Fresh numbers for one tensor.
fn fresh(config: &DitConfig, name: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = shape.iter().product();
    if name.ends_with("pos_embed") {
        return positions(config);
    }
    if name == "x_cond_adaLN.1.bias" && config.preserve_t_cond_0 {
        // Shift 0; scale 1, so that the gate `1 + (scale t - 1)` is `t`.
        return (0..count).map(|i| f32::from(i >= count / 2)).collect();
    }
    if name.ends_with("norm.scale") {
        return vec![1.0; count];
    }
    let still = shape.len() == 1
        || name.contains("adaLN")
        || name.starts_with("final_layer")
        || name.starts_with("guidance_embedder");
    if still {
        return vec![0.0; count];
    }
    if name.contains("embedding_table")
        || name.contains("embedder.mlp")
        || name.contains("second.mlp")
    {
        return (0..count).map(|_| 0.02 * normal(rng)).collect();
    }
    // Outputs first, then the inputs, however many dimensions they have.
    let ends = shape[0] + count / shape[0];
    let limit = (6.0 / ends as f32).sqrt();
    (0..count)
        .map(|_| rng.random_range(-limit..limit))
        .collect()
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * rng.random_range(f32::MIN_POSITIVE..1.0).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

#[cfg(test)]
impl Dit {
    /// A network of which every weight is alive, as after training.
    pub(crate) fn lively(config: &DitConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut read = |name: &str, shape: &[usize]| {
            let mut values = fresh(config, name, shape, &mut rng);
            if !name.ends_with("pos_embed") {
                let inputs: usize = shape[1..].iter().product();
                let scale = 0.5 / (inputs as f32).sqrt();
                for v in &mut values {
                    *v += scale * normal(&mut rng);
                }
            }
            Ok::<_, Infallible>(values)
        };
        let Ok(dit) = Self::read(config, device, DType::F32, &mut read);
        dit
    }
}
