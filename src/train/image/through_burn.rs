//! A run on any burn device.

use burn::module::Module as _;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::ImageBatch;
use super::loss::loss;
use super::optimizer::{Moments, NamedGradients, Optimizer, add_gradients, named_gradients};
use super::recipe::ImageRecipe;
use super::state::State;
use crate::model::{Dit, weights_of, with_weights};
use crate::train::{ImageSet, StepLoss};

/// The network as it learns, on an autodiff device, and its optimizer.
pub(super) struct BurnRun {
    pub(super) net: Dit,
    optimizer: Optimizer,
    device: Device,
}

impl BurnRun {
    /// `net` lies on the autodiff device of `device`.
    pub(super) fn new(net: Dit, device: &Device) -> Self {
        Self {
            net,
            optimizer: Optimizer::default(),
            device: device.clone(),
        }
    }

    pub(super) fn averaged(&self) -> Dit {
        self.optimizer.averaged(self.net.valid())
    }

    /// One step; `told` asks for its losses, which waits for the device.
    pub(super) fn advance(
        &mut self,
        recipe: &ImageRecipe,
        data: &ImageSet,
        step: u64,
        told: bool,
    ) -> Option<StepLoss> {
        let learning = self.device.clone().autodiff();
        let parts = recipe.batch / recipe.micro_batch;
        let mut gradients = NamedGradients::new();
        let mut losses = Vec::new();
        for part in 0..parts {
            let range = (part * recipe.micro_batch, recipe.micro_batch);
            let batch = ImageBatch::at(recipe, data, step as u32, range, &learning);
            let loss = loss(&self.net, &batch, recipe);
            if told {
                let value = loss.weighted.clone().inner();
                losses.push([value, loss.diagonal.clone(), loss.consistency.clone()]);
            }
            add_gradients(
                &mut gradients,
                named_gradients(&self.net, &loss.weighted.backward()),
            );
        }
        let scale = 1.0 / parts as f64;
        let options = recipe.step_options(step);
        self.net = self
            .optimizer
            .step(self.net.clone(), gradients, scale, options);
        if !told {
            return None;
        }
        let mut sums = [0.0; 3];
        for parts in losses {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += scale * f64::from(numbers(&part).first().copied().unwrap_or(f32::NAN));
            }
        }
        let [weighted, diagonal, consistency] = sums;
        Some(StepLoss {
            weighted,
            diagonal,
            consistency,
        })
    }

    pub(super) fn state(&self) -> State {
        let moments = self.optimizer.moments.iter().map(|(name, m)| {
            let all = [&m.mean, &m.square, &m.average].map(numbers);
            (name.clone(), all)
        });
        State {
            weights: weights_of(&self.net.valid()),
            moments: moments.collect(),
        }
    }

    pub(super) fn restore(&mut self, state: &State) -> Result<(), String> {
        self.net = with_weights(self.net.clone(), &state.weights).map_err(|e| e.to_string())?;
        let tensor = |values: &Vec<f32>| {
            let data = TensorData::new(values.clone(), [values.len()]);
            Tensor::<1>::from_data(data, &self.device)
        };
        for (name, [mean, square, average]) in &state.moments {
            let moments = Moments {
                mean: tensor(mean),
                square: tensor(square),
                average: tensor(average),
            };
            self.optimizer.moments.insert(name.clone(), moments);
        }
        Ok(())
    }
}

fn numbers(tensor: &Tensor<1>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default()
}
