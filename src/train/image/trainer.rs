//! The optimisation loop.

use std::path::PathBuf;

use burn::module::Module as _;
use burn::tensor::Device;

use super::batch::ImageBatch;
use super::loss::loss;
use super::optimizer::{NamedGradients, Optimizer, StepOptions, add_gradients, named_gradients};
use super::recipe::ImageRecipe;
use crate::model::Dit;
use crate::train::{ImageSet, StepLoss, ema_decay};

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ImageTrainError {
    /// The recipe cannot be run.
    #[error("{0}")]
    Recipe(String),
    /// The images are not what the model wants.
    #[error(
        "the images are {found:?} in {classes} classes, but the model wants {wanted:?} in at most {most}"
    )]
    Images {
        /// Channels, rows, columns.
        found: [usize; 3],
        /// How many.
        classes: usize,
        /// What the model takes.
        wanted: [usize; 3],
        /// Its classes.
        most: usize,
    },
    /// The loss is no number any more.
    #[error(
        "the loss is not finite after step {0}: lower the learning rate, or raise weight_floor"
    )]
    Diverged(u64),
    /// The state of a run could not be kept or taken up.
    #[error("{path}: {reason}")]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// A run: the network as it learns, its optimizer and its average.
pub struct ImageTrainer {
    pub(super) recipe: ImageRecipe,
    pub(super) net: Dit,
    pub(super) optimizer: Optimizer,
    pub(super) step: u64,
    pub(super) device: Device,
}

impl ImageTrainer {
    /// A fresh run on `device` (not an autodiff one: that is made here).
    ///
    /// # Errors
    /// When the recipe cannot be run.
    pub fn new(recipe: ImageRecipe, device: &Device) -> Result<Self, ImageTrainError> {
        if let Some(fault) = recipe.fault() {
            return Err(ImageTrainError::Recipe(fault));
        }
        let learning = device.clone().autodiff();
        let net = Dit::init(&recipe.model, recipe.seed, &learning)
            .map_err(|e| ImageTrainError::Recipe(e.to_string()))?;
        Ok(Self {
            recipe,
            net,
            optimizer: Optimizer::default(),
            step: 0,
            device: device.clone(),
        })
    }

    /// The recipe.
    pub fn recipe(&self) -> &ImageRecipe {
        &self.recipe
    }

    /// Steps taken.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Ends the run at another step than its recipe said.
    pub fn end_at(&mut self, steps: u64) {
        self.recipe.steps = steps.max(self.step);
    }

    /// Whether all steps are taken.
    pub fn is_done(&self) -> bool {
        self.step >= self.recipe.steps
    }

    /// The averaged network, off the graph: what is shipped.
    pub fn averaged(&self) -> Dit {
        self.optimizer.averaged(self.net.valid())
    }

    /// Refuses images that the model does not take.
    ///
    /// # Errors
    /// [`ImageTrainError::Images`].
    pub fn check(&self, data: &ImageSet) -> Result<(), ImageTrainError> {
        let m = &self.recipe.model;
        let wanted = [m.in_channels, m.input_size, m.input_size];
        let fits = data.shape == wanted && data.classes.len() <= m.label_dim && !data.is_empty();
        fits.then_some(()).ok_or(ImageTrainError::Images {
            found: data.shape,
            classes: data.classes.len(),
            wanted,
            most: m.label_dim,
        })
    }

    /// One step; `told` asks for its losses, which waits for the device.
    ///
    /// # Errors
    /// [`ImageTrainError::Diverged`] where the losses were asked for and are no numbers.
    pub fn advance(
        &mut self,
        data: &ImageSet,
        told: bool,
    ) -> Result<Option<StepLoss>, ImageTrainError> {
        let recipe = &self.recipe;
        let learning = self.device.clone().autodiff();
        let parts = recipe.batch / recipe.micro_batch;
        let mut gradients = NamedGradients::new();
        let mut losses = Vec::new();
        for part in 0..parts {
            let range = (part * recipe.micro_batch, recipe.micro_batch);
            let batch = ImageBatch::at(recipe, data, self.step as u32, range, &learning);
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
        let options = StepOptions {
            step: self.step,
            rate: recipe.rate_at(self.step),
            weight_decay: recipe.weight_decay,
            clip: recipe.clip,
            ema_decay: ema_decay(self.step, recipe.ema_limit),
        };
        let scale = 1.0 / parts as f64;
        self.net = self
            .optimizer
            .step(self.net.clone(), gradients, scale, options);
        self.step += 1;
        if !told {
            return Ok(None);
        }
        let mut sums = [0.0; 3];
        for parts in losses {
            for (sum, part) in sums.iter_mut().zip(parts) {
                let values: Vec<f32> = part
                    .into_data()
                    .convert::<f32>()
                    .try_into_vec()
                    .unwrap_or_default();
                *sum += scale * f64::from(values.first().copied().unwrap_or(f32::NAN));
            }
        }
        let [weighted, diagonal, consistency] = sums;
        if !weighted.is_finite() {
            return Err(ImageTrainError::Diverged(self.step));
        }
        Ok(Some(StepLoss {
            weighted,
            diagonal,
            consistency,
        }))
    }
}
