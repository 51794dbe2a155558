//! The optimisation loop.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;

use super::native::NativeRun;
use super::recipe::{ImageConsistency, ImageRecipe};
use super::scaling::LossScale;
use super::state::State;
use super::through_burn::BurnRun;
use crate::model::{Dit, Precision, Weights, with_weights};
use crate::train::{ImageSet, StepLoss};

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
    pub(super) step: u64,
    pub(super) seconds: f64,
    teacher: Option<Weights>,
    engine: Engine,
}

/// What computes the steps.
enum Engine {
    Burn(Box<BurnRun>),
    Native(Box<NativeRun>),
}

impl ImageTrainer {
    /// A fresh run on `device` (not an autodiff one: that is made here). On the processor, networks of few tokens take
    /// its own kernel, which computes in f32; the steps are the same up to rounding.
    ///
    /// # Errors
    /// When the recipe cannot be run.
    pub fn new(recipe: ImageRecipe, device: &Device) -> Result<Self, ImageTrainError> {
        let native = on_own_kernel(&recipe, device);
        Self::start(recipe, None, device, native)
    }

    /// A fresh run that begins as `teacher`, the weights of a map of the recipe's shape, and teaches its jumps what that
    /// map reaches in several.
    ///
    /// # Errors
    /// When the recipe cannot be run, or the weights are not those of its network.
    pub fn distilling(
        recipe: ImageRecipe,
        teacher: Weights,
        device: &Device,
    ) -> Result<Self, ImageTrainError> {
        let native = on_own_kernel(&recipe, device);
        Self::start(recipe, Some(teacher), device, native)
    }

    /// The same through burn, whatever the device.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn through_burn(recipe: ImageRecipe, device: &Device) -> Result<Self, ImageTrainError> {
        Self::start(recipe, None, device, false)
    }

    pub(super) fn start(
        recipe: ImageRecipe,
        teacher: Option<Weights>,
        device: &Device,
        native: bool,
    ) -> Result<Self, ImageTrainError> {
        if let Some(fault) = recipe.fault() {
            return Err(ImageTrainError::Recipe(fault));
        }
        let distils = matches!(recipe.consistency, ImageConsistency::Distilled { .. });
        if distils != teacher.is_some() {
            let fault = "a recipe with distilled jumps needs a map to learn from (--distil FILE), and other recipes take none";
            return Err(ImageTrainError::Recipe(fault.into()));
        }
        let precision = recipe
            .precision
            .checked(device)
            .map_err(ImageTrainError::Recipe)?;
        let fresh = |device: &Device| {
            Dit::init(&recipe.model, recipe.seed, device)
                .map_err(|e| ImageTrainError::Recipe(e.to_string()))
        };
        let taught = |weights: &Weights| {
            with_weights(fresh(device)?, weights)
                .map_err(|e| ImageTrainError::Recipe(e.to_string()))
        };
        let other = teacher.as_ref().map(taught).transpose()?;
        let own = if native {
            NativeRun::new(&fresh(device)?, other.as_ref())
        } else {
            None
        };
        let engine = if let Some(run) = own {
            Engine::Native(Box::new(run))
        } else {
            let net = fresh(&device.clone().autodiff())?;
            Engine::Burn(Box::new(BurnRun::new(net, other, precision, device)))
        };
        let mut run = Self {
            recipe,
            step: 0,
            seconds: 0.0,
            teacher,
            engine,
        };
        if let Some(weights) = run.teacher.clone() {
            let state = State {
                weights,
                ..State::default()
            };
            run.restore(0, &state).map_err(ImageTrainError::Recipe)?;
        }
        Ok(run)
    }

    /// The recipe.
    pub fn recipe(&self) -> &ImageRecipe {
        &self.recipe
    }

    /// Steps taken.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    /// Time that the steps took, in seconds, over all sittings.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.recipe.rate_at(self.step)
    }

    /// Where loss scaling stands, in runs whose products are f16; waits for the device.
    pub fn loss_scale(&self) -> Option<LossScale> {
        match &self.engine {
            Engine::Burn(run) => run.scale(),
            Engine::Native(_) => None,
        }
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
        match &self.engine {
            Engine::Burn(run) => run.averaged(),
            Engine::Native(run) => run.averaged(&self.recipe.model),
        }
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

    /// One step; `told` asks for its losses, which may wait for the device.
    ///
    /// # Errors
    /// [`ImageTrainError::Diverged`] where the losses were asked for and are no numbers, unless a smaller factor of loss
    /// scaling may still mend that: such a step was not taken.
    pub fn advance(
        &mut self,
        data: &ImageSet,
        told: bool,
    ) -> Result<Option<StepLoss>, ImageTrainError> {
        let begun = Instant::now();
        let loss = match &mut self.engine {
            Engine::Burn(run) => run.advance(&self.recipe, data, self.step, told),
            Engine::Native(run) => Some(run.advance(&self.recipe, data, self.step)),
        };
        self.step += 1;
        self.seconds += begun.elapsed().as_secs_f64();
        let loss = loss.filter(|_| told);
        let broken = loss.is_some_and(|loss| !loss.weighted.is_finite());
        if broken && self.loss_scale().is_none_or(|scale| scale.is_least()) {
            return Err(ImageTrainError::Diverged(self.step));
        }
        Ok(loss)
    }

    pub(super) fn state(&self) -> State {
        let state = match &self.engine {
            Engine::Burn(run) => run.state(),
            Engine::Native(run) => run.state(&self.recipe.model),
        };
        State {
            teacher: self.teacher.clone(),
            ..state
        }
    }

    /// Takes over a state of a run of this recipe.
    pub(super) fn restore(&mut self, step: u64, state: &State) -> Result<(), String> {
        self.step = step;
        match &mut self.engine {
            Engine::Burn(run) => run.restore(state),
            Engine::Native(run) => {
                let like = Dit::init(&self.recipe.model, 0, &Device::flex());
                run.restore(&like.map_err(|e| e.to_string())?, state)
            }
        }
    }
}

fn on_own_kernel(recipe: &ImageRecipe, device: &Device) -> bool {
    *device == Device::flex() && recipe.precision == Precision::F32
}
