//! A classifier as it learns: step by step, kept in a file, taken up again.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module as _;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::batch::{clean, cut_mixed, half_formed, moved, shuffled, targets};
use super::{ClassifierRecipe, Epoch, judged, numbers, states, tensor};
use crate::model::simd::Buffer;
use crate::model::{
    Classifier, ClassifierConfig, ClassifierPart, Misfit, NativeClassifier, Weights, weights_of,
    with_weights,
};
use crate::process::{Address, Purpose};
use crate::train::image::{
    Optimizer, State, StepOptions, flat_numbers, named_gradients, read_state, write_state,
};
use crate::train::optimizer::OptimizerState;
use crate::train::{AdamConfig, ImageSet, RateCourse, ema_decay};

/// Metadata key of the note of an unfinished run.
const KEY: &str = "foresight-classifier-run";
/// Largest norm of the gradient that is let through unscaled.
const CLIP: f64 = 1.0;

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

struct NativeRun {
    net: NativeClassifier,
    state: OptimizerState,
    parts: Vec<ClassifierPart>,
    gradient: Buffer,
}

struct BurnRun {
    /// On an autodiff device.
    net: Classifier,
    optimizer: Optimizer,
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
            let mut net = NativeClassifier::new(&alone);
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
                accuracy: self.judge(held_out),
            });
            if !watch(self, epoch) {
                return Ok(false);
            }
        }
        Ok(true)
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
        match &mut self.engine {
            Engine::Native(run) => run.step(&values, &targets, options),
            Engine::Burn(run) => {
                let x = tensor(values, image, &self.device.clone().autodiff());
                run.step(x, targets, options)
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
            clip: CLIP,
            ema_decay: ema_decay(self.step, self.recipe.ema_limit),
        }
    }

    /// Share of `images` that the network, as it would be kept now, puts in their class; of half-formed ones where it
    /// learns those.
    fn judge(&self, images: &ImageSet) -> f64 {
        let (of_states, image) = (self.recipe.of_states, self.config.image);
        let shown = |which: &[usize]| {
            if of_states {
                states(images, which)
            } else {
                clean(images, which)
            }
        };
        match &self.engine {
            Engine::Native(run) => {
                let mut net = NativeClassifier::new(&self.config);
                net.load(run.state.average.as_slice());
                judged(images, shown, &|values| net.logits(&values)).0
            }
            Engine::Burn(_) => {
                let net = self.network();
                let says = |values| numbers(&net.logits(tensor(values, image, &self.device)));
                judged(images, shown, &says).0
            }
        }
    }

    /// The network as it would be kept now, off the graph.
    pub fn network(&self) -> Classifier {
        match &self.engine {
            Engine::Native(run) => {
                let weights = run.net.scatter(run.state.average.as_slice());
                with_weights(self.config.init(&self.device), &weights)
                    .expect("the same shape gives the same names")
            }
            Engine::Burn(run) => {
                let weights = weights_of(&run.optimizer.averaged(run.net.valid()));
                with_weights(self.config.init(&self.device), &weights)
                    .expect("the same shape gives the same names")
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
            reason: format!("{reason}. Start again without --resume"),
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

impl NativeRun {
    /// `targets`: `[n][classes]`.
    fn step(&mut self, values: &[f32], targets: &[f32], options: StepOptions) -> f64 {
        let classes = self.net.classes();
        let n = (targets.len() / classes) as f32;
        // `-sum target log p` and its gradient.
        let cotangent = |i: usize, logits: &mut [f32]| {
            let most = logits.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = logits.iter().map(|l| (l - most).exp()).sum();
            let lift = sum.ln() + most;
            let mut loss = 0.0;
            for (l, target) in logits.iter_mut().zip(&targets[i * classes..]) {
                let log_p = *l - lift;
                loss -= f64::from(target * log_p);
                *l = (log_p.exp() - target) / n;
            }
            loss
        };
        let (parts, gradient) = (&mut self.parts, &mut self.gradient);
        let losses = self.net.gradient(values, &cotangent, parts, gradient);
        let config = AdamConfig {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: options.weight_decay,
            clip: options.clip,
        };
        let (rate, decay) = (options.rate, options.ema_decay);
        self.state
            .update(&self.gradient, &config, rate, decay, options.step);
        self.net.load(self.state.weights.as_slice());
        losses.iter().sum::<f64>() / losses.len().max(1) as f64
    }

    fn kept(&self, step: u64) -> State {
        let named = |flat: &Buffer| self.net.scatter(flat.as_slice());
        let mut state = State {
            weights: named(&self.state.weights),
            ..State::default()
        };
        if step > 0 {
            let s = &self.state;
            let [mut mean, mut square, mut average] = [&s.mean, &s.square, &s.average].map(named);
            for name in state.weights.keys() {
                let all = [&mut mean, &mut square, &mut average].map(|of| {
                    let own = of.remove(name);
                    own.map(|own| own.values).unwrap_or_default()
                });
                state.moments.insert(name.clone(), all);
            }
        }
        state
    }

    /// Takes over a state whose weights are of this shape.
    fn restore(&mut self, state: &State) {
        let flat = self.net.gather(&state.weights);
        self.net.load(flat.as_slice());
        self.state = OptimizerState::new(flat);
        if state
            .weights
            .keys()
            .all(|name| state.moments.contains_key(name))
        {
            let kind = |i: usize| {
                let mut all = state.weights.clone();
                for (name, weight) in &mut all {
                    weight.values.clone_from(&state.moments[name][i]);
                }
                self.net.gather(&all)
            };
            (self.state.mean, self.state.square, self.state.average) = (kind(0), kind(1), kind(2));
        }
    }
}

impl BurnRun {
    /// `targets`: `[n][classes]`.
    fn step(&mut self, x: Tensor<4>, targets: Vec<f32>, options: StepOptions) -> f64 {
        let logits = self.net.logits(x);
        let ([n, classes], device) = (logits.dims(), logits.device());
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, classes]), &device);
        let loss = (log_softmax(logits, 1) * targets).sum().neg() / n as f64;
        let gradients = named_gradients(&self.net, &loss.backward());
        let net = self.net.clone();
        self.net = self.optimizer.step(net, gradients, 1.0, options, None);
        let value = flat_numbers(&loss.inner());
        f64::from(value.first().copied().unwrap_or(f32::NAN))
    }

    fn kept(&self) -> State {
        State {
            weights: weights_of(&self.net.valid()),
            moments: self.optimizer.kept(),
            ..State::default()
        }
    }

    fn restore(&mut self, state: &State, device: &Device) -> Result<(), String> {
        self.net = with_weights(self.net.clone(), &state.weights).map_err(|e| e.to_string())?;
        self.optimizer.restore(state, device);
        Ok(())
    }
}
