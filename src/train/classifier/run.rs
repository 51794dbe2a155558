//! A classifier as it learns: step by step, kept in a file, taken up again.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module as _;
use burn::tensor::Device;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::batch::{clean, cut_mixed, half_formed, moved, shuffled, targets};
use super::engines::{BurnRun, NativeRun};
use super::whiten::{STAYS, whiten};
use super::{ClassifierRecipe, Epoch, judged, states, tensor};
use crate::model::{
    BATCH, Classifier, ClassifierConfig, ImageJudge, Misfit, NativeClassifier, NormKind,
    Statistics, Weights, fold, pooled, weights_of, with_weights,
};
use crate::process::{Address, Purpose};
use crate::train::image::{Optimizer, State, StepOptions, read_state, write_state};
use crate::train::optimizer::OptimizerState;
use crate::train::{ImageSet, RateCourse, ema_decay};

/// Metadata key of the note of an unfinished run.
const KEY: &str = "foresight-classifier-run";
/// Images that batch norm's figures are made of when it is folded.
const SEEN: usize = 2048;
/// Largest norm of the gradient that is let through unscaled.
const CLIP: f64 = 1.0;
/// The same for descent with momentum, where it changes the rate: only what is out of all bounds.
const CLIP_DESCENT: f64 = 10.0;

/// Why an unfinished run could not be kept or taken up.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct ClassifierRunError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// A run whose losses are no numbers any more. What was kept before is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the loss of step {step} is not finite; a lower rate in the recipe may help")]
pub struct ClassifierDiverged {
    /// Which, from 1.
    pub step: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    config: ClassifierConfig,
    recipe: ClassifierRecipe,
    step: u64,
    /// Time that the steps took, over all sittings.
    seconds: f64,
    /// Sum of the losses of the epoch that is under way, as bits: decimals are not read back to the last one.
    losses: u64,
}

/// A classifier, its optimizer, and where it is in its run. On the processor it learns by its own kernels, elsewhere through
/// burn; what it sees at a step is the same.
pub struct ClassifierTrainer {
    config: ClassifierConfig,
    recipe: ClassifierRecipe,
    device: Device,
    step: u64,
    seconds: f64,
    losses: f64,
    /// Order of the images in an epoch.
    order: Option<(u64, Vec<usize>)>,
    engine: Engine,
}

enum Engine {
    Native(Box<NativeRun>),
    Burn(Box<BurnRun>),
}

impl ClassifierTrainer {
    /// A fresh run.
    pub fn new(config: ClassifierConfig, recipe: ClassifierRecipe, device: &Device) -> Self {
        let native = *device == Device::flex() && NativeClassifier::takes(&config);
        Self::start(config, recipe, device, native)
    }

    pub(super) fn start(
        config: ClassifierConfig,
        recipe: ClassifierRecipe,
        device: &Device,
        native: bool,
    ) -> Self {
        let alone = config.unmirrored();
        let fresh = alone.fresh(recipe.seed);
        let engine = if native {
            let mut net = NativeClassifier::learning(&alone);
            let flat = net.gather(&fresh);
            net.load(flat.as_slice());
            Engine::Native(Box::new(NativeRun {
                gradient: flat.clone(),
                state: OptimizerState::new(flat),
                parts: Vec::new(),
                net,
            }))
        } else {
            Engine::Burn(Box::new(BurnRun {
                net: with_weights(alone.init(&device.clone().autodiff()), &fresh)
                    .expect("the same shape gives the same names"),
                optimizer: Optimizer::default(),
            }))
        };
        Self {
            config,
            recipe,
            device: device.clone(),
            step: 0,
            seconds: 0.0,
            losses: 0.0,
            order: None,
            engine,
        }
    }

    /// A fresh run that begins with these weights.
    ///
    /// # Errors
    /// When they are not those of a network of this shape.
    pub fn beginning_with(
        config: ClassifierConfig,
        recipe: ClassifierRecipe,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self, Misfit> {
        with_weights(config.init(device), weights)?;
        let mut run = Self::new(config, recipe, device);
        let state = State {
            weights: weights.clone(),
            ..State::default()
        };
        match &mut run.engine {
            Engine::Native(engine) => engine.restore(&state),
            Engine::Burn(engine) => engine.net = with_weights(engine.net.clone(), weights)?,
        }
        Ok(run)
    }

    /// Shape of the network.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// The recipe.
    pub fn recipe(&self) -> &ClassifierRecipe {
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

    /// Steps of one pass over `data`.
    fn batches(&self, data: &ImageSet) -> u64 {
        (data.len() / self.recipe.batch.max(1)).max(1) as u64
    }

    fn steps(&self, data: &ImageSet) -> u64 {
        u64::from(self.recipe.epochs) * self.batches(data)
    }

    /// Share of the run on `data` that is done.
    pub fn share_done(&self, data: &ImageSet) -> f64 {
        self.step as f64 / self.steps(data).max(1) as f64
    }

    /// The rest of the run; `watch` is told after each step, with what an epoch gave where one is complete, and answers
    /// whether to go on. Gives back whether the end was reached.
    ///
    /// # Errors
    /// When a loss is not finite.
    pub fn advance_all(
        &mut self,
        data: &ImageSet,
        held_out: &ImageSet,
        watch: &mut dyn FnMut(&Self, Option<Epoch>) -> bool,
    ) -> Result<bool, ClassifierDiverged> {
        let batches = self.batches(data);
        if self.step == 0 && self.recipe.whitened && self.recipe.begun_with.is_none() {
            self.whiten(data);
        }
        while self.step < self.steps(data) {
            let begun = Instant::now();
            let loss = self.advance(data);
            self.losses += loss;
            self.step += 1;
            if !loss.is_finite() {
                return Err(ClassifierDiverged { step: self.step });
            }
            self.seconds += begun.elapsed().as_secs_f64();
            let epoch = self.step.is_multiple_of(batches).then(|| Epoch {
                epoch: (self.step / batches) as u32,
                loss: std::mem::take(&mut self.losses) / batches as f64,
                accuracy: self.judge(held_out, data),
            });
            if !watch(self, epoch) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn whiten(&mut self, data: &ImageSet) {
        match &mut self.engine {
            Engine::Native(run) => {
                let mut weights = run.net.scatter(run.state.weights.as_slice());
                whiten(&mut weights, data);
                let flat = run.net.gather(&weights);
                run.net.load(flat.as_slice());
                run.state = OptimizerState::new(flat);
            }
            Engine::Burn(run) => {
                let mut weights = weights_of(&run.net);
                whiten(&mut weights, data);
                run.net = with_weights(run.net.clone(), &weights)
                    .expect("the same shape gives the same names");
            }
        }
    }

    /// One step; gives back the mean loss, nats.
    fn advance(&mut self, data: &ImageSet) -> f64 {
        let (batches, batch) = (self.batches(data), self.recipe.batch.min(data.len()));
        let (epoch, at) = (self.step / batches, self.step % batches);
        if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            let mut rng = ChaCha8Rng::seed_from_u64(self.recipe.seed);
            rng.set_stream(epoch + 1);
            self.order = Some((epoch, shuffled(data.len(), &mut rng)));
        }
        let Some((_, order)) = &self.order else {
            return f64::NAN;
        };
        let first = at as usize * batch;
        let which = &order[first..first + batch];
        // Each step has a stream of its own: a run that is taken up sees what it would have seen.
        let mut rng = ChaCha8Rng::seed_from_u64(self.recipe.seed);
        rng.set_stream((1 << 32) + self.step);
        let mut values = moved(data, which, &self.recipe, &mut rng);
        let mut own = vec![1.0; batch];
        if self.recipe.cut_mix > 0.0 {
            own = cut_mixed(&mut values, data.shape, self.recipe.cut_mix, &mut rng);
        }
        if self.recipe.of_states {
            let address = Address::new(self.recipe.seed, Purpose::TrainNoise, epoch as u32);
            values = half_formed(&values, data.shape, (address, first));
        }
        let labels: Vec<usize> = which.iter().map(|i| data.labels[*i].into()).collect();
        let (classes, smoothing) = (self.config.classes, self.recipe.smoothing as f32);
        let targets = targets(&labels, &own, classes, smoothing);
        let (options, image) = (self.options(data), self.config.image);
        let stays = self.recipe.whitened.then_some(STAYS);
        match &mut self.engine {
            Engine::Native(run) => run.step(&values, &targets, options, stays),
            Engine::Burn(run) => {
                let x = tensor(values, image, &self.device.clone().autodiff());
                run.step(x, targets, options, stays)
            }
        }
    }

    fn options(&self, data: &ImageSet) -> StepOptions {
        let steps = self.steps(data);
        let course = RateCourse {
            peak: self.recipe.rate,
            warm_up: (steps / 20).max(1),
            steps,
            floor: 0.01,
        };
        StepOptions {
            step: self.step,
            rate: course.at(self.step),
            weight_decay: self.recipe.weight_decay,
            clip: self.recipe.momentum.map_or(CLIP, |_| CLIP_DESCENT),
            momentum: self.recipe.momentum,
            ema_decay: ema_decay(self.step, self.recipe.ema_limit),
        }
    }

    /// Share of `images` that the network, as it would be kept now, puts in their class; of half-formed ones where it
    /// learns those.
    fn judge(&self, images: &ImageSet, data: &ImageSet) -> f64 {
        let judge = ImageJudge::new(self.network(data), self.config.clone(), &self.device);
        let shown = |which: &[usize]| self.shown(images, which);
        judged(images, shown, &|values| {
            judge.see(&values).log_probabilities
        })
        .0
    }

    /// Images as the network is asked about them when nothing is learned.
    fn shown(&self, images: &ImageSet, which: &[usize]) -> Vec<f32> {
        if self.recipe.of_states {
            states(images, which)
        } else {
            clean(images, which)
        }
    }

    /// The moving average of the weights as they learn.
    pub fn averaged(&self) -> Weights {
        match &self.engine {
            Engine::Native(run) => run.net.scatter(run.state.average.as_slice()),
            Engine::Burn(run) => weights_of(&run.optimizer.averaged(run.net.valid())),
        }
    }

    /// The network as it would be kept now, off the graph. Batch norm is folded with what it sees of some of `data`.
    pub fn network(&self, data: &ImageSet) -> Classifier {
        let mut weights = self.averaged();
        if self.config.norm == NormKind::Batch {
            let seen = self.statistics(&weights, data);
            fold(&mut weights, &seen);
        }
        with_weights(self.config.init(&self.device), &weights)
            .expect("the same shape gives the same names")
    }

    /// What batch norm with these weights sees of images spread over `data`.
    fn statistics(&self, weights: &Weights, data: &ImageSet) -> Statistics {
        let count = SEEN.min(data.len());
        let which: Vec<usize> = (0..count).map(|i| i * data.len() / count).collect();
        let images = self.shown(data, &which);
        let alone = self.config.unmirrored();
        match &self.engine {
            Engine::Native(_) => {
                let mut net = NativeClassifier::learning(&alone);
                net.load(net.gather(weights).as_slice());
                net.statistics(&images)
            }
            Engine::Burn(_) => {
                let net = with_weights(alone.init(&self.device), weights)
                    .expect("the same shape gives the same names");
                let numbers: usize = alone.image.iter().product();
                let parts = images.chunks(BATCH * numbers).map(|images| {
                    let mut seen = Statistics::new();
                    let x = tensor(images.to_vec(), alone.image, &self.device);
                    net.logits_learning(x, Some(&mut seen));
                    seen
                });
                pooled(&parts.collect::<Vec<_>>())
            }
        }
    }

    /// Writes everything that the rest of the run depends on, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ClassifierRunError> {
        let note = Note {
            config: self.config.clone(),
            recipe: self.recipe.clone(),
            step: self.step,
            seconds: self.seconds,
            losses: self.losses.to_bits(),
        };
        let state = match &self.engine {
            Engine::Native(run) => run.kept(self.step),
            Engine::Burn(run) => run.kept(),
        };
        write_state(path, KEY, &note, state).map_err(|reason| ClassifierRunError {
            path: path.to_owned(),
            reason,
        })
    }

    /// Takes an unfinished run up where [`Self::save`] left it.
    ///
    /// # Errors
    /// When the file is not such a state.
    pub fn resume(path: &Path, device: &Device) -> Result<Self, ClassifierRunError> {
        Self::taken_up(path, device, *device == Device::flex())
    }

    pub(super) fn taken_up(
        path: &Path,
        device: &Device,
        native: bool,
    ) -> Result<Self, ClassifierRunError> {
        let fail = |reason: String| ClassifierRunError {
            path: path.to_owned(),
            reason,
        };
        let (note, state): (Note, State) = read_state(path, KEY).map_err(fail)?;
        if let Some(fault) = note.config.fault().or_else(|| note.recipe.fault()) {
            return Err(fail(fault));
        }
        let native = native && NativeClassifier::takes(&note.config);
        let mut run = Self::start(note.config, note.recipe, device, native);
        (run.step, run.seconds, run.losses) =
            (note.step, note.seconds, f64::from_bits(note.losses));
        let like = run.config.init(device);
        with_weights(like, &state.weights).map_err(|e| fail(e.to_string()))?;
        match &mut run.engine {
            Engine::Native(engine) => engine.restore(&state),
            Engine::Burn(engine) => engine.restore(&state, device).map_err(fail)?,
        }
        Ok(run)
    }
}
