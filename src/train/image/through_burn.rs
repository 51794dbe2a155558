//! A run on any burn device.

use burn::module::Module as _;
use burn::tensor::Device;

use super::batch::ImageBatch;
use super::loss::loss;
use super::optimizer::{NamedGradients, Optimizer, add_gradients, named_gradients, numbers};
use super::recipe::ImageRecipe;
use super::scaling::{LossScale, Scaling};
use super::state::State;
use crate::model::{Dit, Precision, weights_of, with_weights};
use crate::train::{ImageSet, StepLoss};

/// The network as it learns, on an autodiff device, and its optimizer.
pub(super) struct BurnRun {
    pub(super) net: Dit,
    /// The map that jumps are learned from, off the graph.
    teacher: Option<Dit>,
    optimizer: Optimizer,
    scaling: Option<Scaling>,
    device: Device,
}

impl BurnRun {
    /// `net` lies on the autodiff device of `device`, which computes in `precision`.
    pub(super) fn new(
        net: Dit,
        teacher: Option<Dit>,
        precision: Precision,
        device: &Device,
    ) -> Self {
        // Brain floats reach as far as f32: nothing is lost below or above.
        let scales = precision == Precision::F16;
        Self {
            net,
            teacher: teacher.map(|teacher| teacher.with_products_in(precision)),
            optimizer: Optimizer::default(),
            scaling: scales.then(|| Scaling::new(LossScale::default(), device)),
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
            // The graph leads back from the narrow weights to those that are kept.
            let net = self.net.clone().with_products_in(recipe.precision);
            let loss = loss(&net, self.teacher.as_ref(), &batch, recipe);
            if told {
                let value = loss.weighted.clone().inner();
                losses.push([value, loss.diagonal.clone(), loss.consistency.clone()]);
            }
            let minimised = match &self.scaling {
                Some(scaling) => scaling.scaled(loss.weighted),
                None => loss.weighted,
            };
            let found = named_gradients(&self.net, &minimised.backward());
            add_gradients(&mut gradients, found);
        }
        let scale = 1.0 / parts as f64;
        let options = recipe.step_options(step);
        let (net, scaling) = (self.net.clone(), self.scaling.as_mut());
        self.net = self.optimizer.step(net, gradients, scale, options, scaling);
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

    /// Where loss scaling stands, where there is any; waits for the device.
    pub(super) fn scale(&self) -> Option<LossScale> {
        self.scaling.as_ref().map(Scaling::state)
    }

    pub(super) fn state(&self) -> State {
        State {
            weights: weights_of(&self.net.valid()),
            moments: self.optimizer.kept(),
            scale: self.scale(),
            teacher: None,
        }
    }

    pub(super) fn restore(&mut self, state: &State) -> Result<(), String> {
        self.net = with_weights(self.net.clone(), &state.weights).map_err(|e| e.to_string())?;
        if let (Some(scaling), Some(state)) = (&mut self.scaling, state.scale) {
            *scaling = Scaling::new(state, &self.device);
        }
        self.optimizer.restore(state, &self.device);
        Ok(())
    }
}
