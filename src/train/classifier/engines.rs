//! A step of a classifier's training, on its own kernels and through burn.

use burn::module::Module as _;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use crate::model::simd::Buffer;
use crate::model::{Classifier, ClassifierPart, NativeClassifier, weights_of, with_weights};
use crate::train::AdamConfig;
use crate::train::image::{Optimizer, State, StepOptions, flat_numbers, named_gradients};
use crate::train::optimizer::{DescentConfig, OptimizerState};

pub(super) struct NativeRun {
    pub(super) net: NativeClassifier,
    pub(super) state: OptimizerState,
    pub(super) parts: Vec<ClassifierPart>,
    pub(super) gradient: Buffer,
}

pub(super) struct BurnRun {
    /// On an autodiff device.
    pub(super) net: Classifier,
    pub(super) optimizer: Optimizer,
}

impl NativeRun {
    /// `targets`: `[n][classes]`; the weights that are called `stays` do not move.
    pub(super) fn step(
        &mut self,
        values: &[f32],
        targets: &[f32],
        options: StepOptions,
        stays: Option<&str>,
    ) -> f64 {
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
        let stays = stays.and_then(|name| self.net.place(name));
        let fixed =
            stays.map(|place| (self.state.weights.as_slice()[place.clone()].to_vec(), place));
        let (rate, decay, weight_decay) = (options.rate, options.ema_decay, options.weight_decay);
        if let Some(momentum) = options.momentum {
            let config = DescentConfig {
                momentum,
                weight_decay,
                clip: options.clip,
            };
            self.state.descend(&self.gradient, &config, rate, decay);
        } else {
            let config = AdamConfig {
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay,
                clip: options.clip,
            };
            self.state
                .update(&self.gradient, &config, rate, decay, options.step);
        }
        if let Some((fixed, place)) = fixed {
            let state = &mut self.state;
            state.weights.as_mut_slice()[place.clone()].copy_from_slice(&fixed);
            state.average.as_mut_slice()[place].copy_from_slice(&fixed);
        }
        self.net.load(self.state.weights.as_slice());
        losses.iter().sum::<f64>() / losses.len().max(1) as f64
    }

    pub(super) fn kept(&self, step: u64) -> State {
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
    pub(super) fn restore(&mut self, state: &State) {
        let flat = self.net.gather(&state.weights);
        self.net.load(flat.as_slice());
        self.state = OptimizerState::new(flat);
        // What does not learn has none where burn kept it: the average is what it is.
        let kind = |i: usize| {
            let mut all = state.weights.clone();
            for (name, weight) in &mut all {
                match state.moments.get(name) {
                    Some(own) => weight.values.clone_from(&own[i]),
                    None if i < 2 => weight.values.fill(0.0),
                    None => {}
                }
            }
            self.net.gather(&all)
        };
        (self.state.mean, self.state.square, self.state.average) = (kind(0), kind(1), kind(2));
    }
}

impl BurnRun {
    /// `targets`: `[n][classes]`.
    pub(super) fn step(
        &mut self,
        x: Tensor<4>,
        targets: Vec<f32>,
        options: StepOptions,
        stays: Option<&str>,
    ) -> f64 {
        let logits = self.net.logits_learning(x, None);
        let ([n, classes], device) = (logits.dims(), logits.device());
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [n, classes]), &device);
        let loss = (log_softmax(logits, 1) * targets).sum().neg() / n as f64;
        let mut gradients = named_gradients(&self.net, &loss.backward());
        stays.map(|name| gradients.remove(name));
        let net = self.net.clone();
        self.net = self.optimizer.step(net, gradients, 1.0, options, None);
        let value = flat_numbers(&loss.inner());
        f64::from(value.first().copied().unwrap_or(f32::NAN))
    }

    pub(super) fn kept(&self) -> State {
        State {
            weights: weights_of(&self.net.valid()),
            moments: self.optimizer.kept(),
            ..State::default()
        }
    }

    pub(super) fn restore(&mut self, state: &State, device: &Device) -> Result<(), String> {
        self.net = with_weights(self.net.clone(), &state.weights).map_err(|e| e.to_string())?;
        self.optimizer.restore(state, device);
        Ok(())
    }
}
