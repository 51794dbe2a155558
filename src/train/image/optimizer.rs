//! AdamW with a bound on the whole gradient's norm, and the moving average of the weights, where the weights are.
//!
//! State is kept by the names of the parameters, so that a run can be taken up in another process; burn's own
//! optimizers name it by numbers that each process draws anew, and clip each parameter by itself.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Gradients, Tensor, TensorData};

use super::scaling::Scaling;
use super::state::State;

pub(super) const BETA_1: f64 = 0.9;
pub(super) const BETA_2: f64 = 0.999;
pub(super) const EPSILON: f64 = 1e-8;

/// Numbers of one parameter, flat.
#[derive(Clone)]
pub struct Moments {
    pub mean: Tensor<1>,
    pub square: Tensor<1>,
    /// Moving average of the weights themselves.
    pub average: Tensor<1>,
}

/// State of the optimizer, by the names of the parameters.
#[derive(Default, Clone)]
pub struct Optimizer {
    pub moments: BTreeMap<String, Moments>,
}

/// What one step is told.
#[derive(Clone, Copy)]
pub struct StepOptions {
    /// From 0.
    pub step: u64,
    pub rate: f64,
    pub weight_decay: f64,
    pub clip: f64,
    pub ema_decay: f64,
    /// Of descent with Nesterov's momentum; `None` for AdamW.
    pub momentum: Option<f64>,
}

/// Gradients of a module's parameters by name, flat.
pub type NamedGradients = BTreeMap<String, Tensor<1>>;

/// The gradients of every parameter of `module` that has one.
pub fn named_gradients<M: Module>(module: &M, gradients: &Gradients) -> NamedGradients {
    let mut collector = Collector {
        path: Vec::new(),
        gradients,
        out: NamedGradients::new(),
    };
    module.visit(&mut collector);
    collector.out
}

/// Sums, name by name.
pub fn add_gradients(sum: &mut NamedGradients, more: NamedGradients) {
    for (name, gradient) in more {
        match sum.remove(&name) {
            Some(old) => sum.insert(name, old + gradient),
            None => sum.insert(name, gradient),
        };
    }
}

/// The module with these numbers for weights, and zeros where there are none.
pub fn with_values<M: Module>(module: M, values: &NamedGradients) -> M {
    module.map(&mut Replacing {
        path: Vec::new(),
        by: |name: &str, weights: Tensor<1>| match values.get(name) {
            Some(values) => values.clone(),
            None => weights.zeros_like(),
        },
    })
}

impl Optimizer {
    /// One step of all weights against their gradients, times `scale`. With loss scaling the gradients are those of the
    /// scaled loss, and nothing but the scaling changes where one of them is not finite.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        gradients: NamedGradients,
        scale: f64,
        options: StepOptions,
        scaling: Option<&mut Scaling>,
    ) -> M {
        let undo = scaling.as_deref().map(Scaling::undo);
        let own = |v: Tensor<1>| match &undo {
            Some(undo) => v * undo.clone() * scale,
            None => v * scale,
        };
        // One number on the device: nothing waits for it.
        let norm = gradients
            .values()
            .map(|g| g.clone().square().sum())
            .reduce(|a, b| a + b)
            .map(|sum| own(sum.sqrt()));
        let broken = norm.clone().zip(scaling).map(|(norm, s)| s.follow(norm));
        let factor = norm.map(|norm| {
            let clipped = (norm + 1e-12).recip().mul_scalar(options.clip);
            own(clipped.clamp_max(1.0))
        });
        let mut stepper = Stepper {
            path: Vec::new(),
            optimizer: self,
            gradients,
            factor,
            broken,
            options,
        };
        module.map(&mut stepper)
    }

    /// What it remembers, as plain numbers; waits for the device.
    pub fn kept(&self) -> BTreeMap<String, [Vec<f32>; 3]> {
        let all = self.moments.iter().map(|(name, m)| {
            let all = [&m.mean, &m.square, &m.average].map(numbers);
            (name.clone(), all)
        });
        all.collect()
    }

    /// Takes over what [`Self::kept`] gave; the numbers lie on `device`.
    pub fn restore(&mut self, state: &State, device: &Device) {
        let tensor = |values: &Vec<f32>| {
            let data = TensorData::new(values.clone(), [values.len()]);
            Tensor::<1>::from_data(data, device)
        };
        for (name, [mean, square, average]) in &state.moments {
            let moments = Moments {
                mean: tensor(mean),
                square: tensor(square),
                average: tensor(average),
            };
            self.moments.insert(name.clone(), moments);
        }
    }

    /// The module with the averaged weights.
    pub fn averaged<M: Module>(&self, module: M) -> M {
        module.map(&mut Replacing {
            path: Vec::new(),
            by: |name: &str, weights: Tensor<1>| match self.moments.get(name) {
                Some(moments) => moments.average.clone(),
                None => weights,
            },
        })
    }
}

/// Waits for the device.
pub fn numbers(tensor: &Tensor<1>) -> Vec<f32> {
    tensor
        .clone()
        .into_data()
        .convert::<f32>()
        .try_into_vec()
        .unwrap_or_default()
}

macro_rules! walks_the_names {
    () => {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    };
}

struct Collector<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    out: NamedGradients,
}

impl ModuleVisitor for Collector<'_> {
    walks_the_names!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if let Some(gradient) = value.grad(self.gradients) {
            let numbers = value.shape().num_elements();
            self.out
                .insert(self.path.join("."), gradient.reshape([numbers]));
        }
    }
}

struct Stepper<'a> {
    path: Vec<String>,
    optimizer: &'a mut Optimizer,
    gradients: NamedGradients,
    factor: Option<Tensor<1>>,
    /// Whether the step must not be taken, where that may be.
    broken: Option<Tensor<1, Bool>>,
    options: StepOptions,
}

impl Stepper<'_> {
    /// What is after the step, `[n]`: the old numbers where it must not be taken.
    fn after(&self, old: &Tensor<1>, new: Tensor<1>) -> Tensor<1> {
        match &self.broken {
            Some(broken) => new.mask_where(broken.clone().expand(old.dims()), old.clone()),
            None => new,
        }
    }
}

impl ModuleMapper for Stepper<'_> {
    walks_the_names!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let (Some(gradient), Some(factor)) = (self.gradients.remove(&name), self.factor.clone())
        else {
            return param;
        };
        let (id, value, mapper) = param.consume();
        let learns = value.is_require_grad();
        let shape = value.shape();
        let weights: Tensor<1> = value.inner().reshape([shape.num_elements()]);
        let mut gradient = gradient * factor;
        let o = self.options;
        if o.momentum.is_some() {
            gradient = gradient + weights.clone() * o.weight_decay;
        }
        let old = self.optimizer.moments.remove(&name);
        let (mean, square, average) = if let Some(momentum) = o.momentum {
            let old = old.map_or_else(
                || (gradient.zeros_like(), gradient.zeros_like(), None),
                |old| (old.mean, old.square, Some(old.average)),
            );
            let velocity = old.0.clone() * momentum + gradient.clone();
            (self.after(&old.0, velocity), old.1, old.2)
        } else if let Some(old) = old {
            (
                self.after(
                    &old.mean,
                    old.mean.clone() * BETA_1 + gradient.clone() * (1.0 - BETA_1),
                ),
                self.after(
                    &old.square,
                    old.square.clone() * BETA_2 + gradient.clone().square() * (1.0 - BETA_2),
                ),
                Some(old.average),
            )
        } else {
            let nothing = gradient.zeros_like();
            (
                self.after(&nothing, gradient.clone() * (1.0 - BETA_1)),
                self.after(&nothing, gradient.clone().square() * (1.0 - BETA_2)),
                None,
            )
        };
        let pull = if let Some(momentum) = o.momentum {
            gradient + mean.clone() * momentum
        } else {
            let taken = (o.step + 1).min(1_000_000) as i32;
            let (lift_1, lift_2) = (1.0 - BETA_1.powi(taken), 1.0 - BETA_2.powi(taken));
            let by = square.clone().div_scalar(lift_2).sqrt() + EPSILON;
            mean.clone().div_scalar(lift_1) / by + weights.clone() * o.weight_decay
        };
        let moved = weights.clone() - pull * o.rate;
        let weights = self.after(&weights, moved);
        let average = match average {
            Some(average) => average * o.ema_decay + weights.clone() * (1.0 - o.ema_decay),
            None => weights.clone(),
        };
        self.optimizer.moments.insert(
            name,
            Moments {
                mean,
                square,
                average,
            },
        );
        let value = Tensor::<D>::from_inner(weights.reshape(shape)).set_require_grad(learns);
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Puts other numbers in the place of weights, flat and by name.
struct Replacing<F> {
    path: Vec<String>,
    by: F,
}

impl<F: FnMut(&str, Tensor<1>) -> Tensor<1>> ModuleMapper for Replacing<F> {
    walks_the_names!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let shape = value.shape();
        let flat = value.reshape([shape.num_elements()]);
        let value = (self.by)(&self.path.join("."), flat).reshape(shape);
        Param::from_mapped_value(id, value, mapper)
    }
}
