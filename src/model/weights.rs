//! Weights of any burn module by name, in and out: the bridge to model files and to moving averages.

use std::collections::BTreeMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// One weight: numbers row by row, last dimension innermost.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightValues {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub values: Vec<f32>,
}

impl WeightValues {
    /// A matrix with rows and columns exchanged; anything else as it is.
    #[must_use]
    pub fn transposed(self) -> Self {
        let [rows, columns] = self.shape[..] else {
            return self;
        };
        let mut values = Vec::with_capacity(self.values.len());
        for column in 0..columns {
            values.extend(self.values.iter().skip(column).step_by(columns));
        }
        Self {
            shape: vec![columns, rows],
            values,
        }
    }
}

/// Weights by the path of their parameter: `blocks.0.conv.weight`.
pub type Weights = BTreeMap<String, WeightValues>;

/// What does not fit between weights and a module. Nothing is silently random.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Misfit {
    /// Parameters for which there is no weight.
    pub missing: Vec<String>,
    /// Weights for which there is no parameter.
    pub unexpected: Vec<String>,
    /// Parameters whose weight has another shape: `name: wanted, found`.
    pub shapes: Vec<String>,
}

/// Most names that a message lists of each kind.
const NAMES_LISTED: usize = 8;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("of another shape", &self.shapes),
        ];
        let mut first = true;
        for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
            if !std::mem::take(&mut first) {
                f.write_str("; ")?;
            }
            let shown = names[..names.len().min(NAMES_LISTED)].join(", ");
            write!(f, "{} {kind}: {shown}", names.len())?;
            if names.len() > NAMES_LISTED {
                f.write_str(", ...")?;
            }
        }
        Ok(())
    }
}

impl Misfit {
    fn is_none(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.shapes.is_empty()
    }
}

/// Every float parameter of a module.
pub fn weights_of<M: Module>(module: &M) -> Weights {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.weights
}

/// The module with these weights, on its own device.
///
/// # Errors
/// [`Misfit`] naming every parameter and weight that does not fit; the module is then as good as lost.
pub fn with_weights<M: Module>(module: M, weights: &Weights) -> Result<M, Misfit> {
    taking_weights(module, weights.clone())
}

/// The same, the numbers moved: a large network is then in memory once.
///
/// # Errors
/// As [`with_weights`].
pub fn taking_weights<M: Module>(module: M, weights: Weights) -> Result<M, Misfit> {
    let mut filler = Filler {
        path: Vec::new(),
        weights,
        misfit: Misfit::default(),
    };
    let module = module.map(&mut filler);
    let Filler {
        mut misfit,
        weights,
        ..
    } = filler;
    // What was not taken.
    misfit.unexpected = weights.into_keys().collect();
    if misfit.is_none() {
        Ok(module)
    } else {
        Err(misfit)
    }
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let weight = WeightValues {
            shape: tensor.dims().to_vec(),
            // A parameter is f32 on every device that we use.
            values: tensor
                .into_data()
                .convert::<f32>()
                .try_into_vec()
                .unwrap_or_default(),
        };
        self.weights.insert(self.path.join("."), weight);
    }
}

struct Filler {
    path: Vec<String>,
    weights: Weights,
    misfit: Misfit,
}

impl ModuleMapper for Filler {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let Some(weight) = self.weights.remove(&name) else {
            self.misfit.missing.push(name);
            return param;
        };
        let (id, old, mapper) = param.consume();
        if weight.shape != old.dims() || weight.values.len() != old.shape().num_elements() {
            self.misfit
                .shapes
                .push(format!("{name}: {:?}, {:?}", old.dims(), weight.shape));
            return Param::from_mapped_value(id, old, mapper);
        }
        let data = TensorData::new(weight.values, weight.shape);
        let tensor = Tensor::<D>::from_data(data, &old.device());
        Param::from_mapped_value(id, tensor.set_require_grad(old.is_require_grad()), mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClassifierConfig, NormKind};
    use burn::tensor::Device;

    fn small() -> ClassifierConfig {
        ClassifierConfig {
            stages: vec![(8, 1)],
            mirrored: false,
            pooled: false,
            norm: NormKind::Group,
            ..ClassifierConfig::mnist()
        }
    }

    #[test]
    fn weights_go_out_and_come_back_into_another_module() {
        let device = Device::flex();
        let (a, b) = (small().init(&device), small().init(&device));
        let weights = weights_of(&a);
        assert!(weights.len() > 6 && weights.contains_key("head.weight"));
        assert_ne!(weights_of(&b), weights);
        let b = with_weights(b, &weights).unwrap();
        assert_eq!(weights_of(&b), weights);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let device = Device::flex();
        let module = small().init(&device);
        let mut weights = weights_of(&module);
        let head = weights.remove("head.weight").unwrap();
        weights.insert("tail.weight".into(), head);
        weights.get_mut("head.bias").unwrap().shape = vec![11];
        let misfit = with_weights(module, &weights).unwrap_err();
        assert_eq!(misfit.missing, ["head.weight"]);
        assert_eq!(misfit.unexpected, ["tail.weight"]);
        assert_eq!(misfit.shapes.len(), 1);
        let text = misfit.to_string();
        assert!(text.contains("head.bias: [10], [11]"), "{text}");
    }
}
