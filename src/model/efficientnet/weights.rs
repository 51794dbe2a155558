//! Weights under the names of `EfficientNet-PyTorch`, normalisation folded in.

use super::{EfficientNet, EfficientNetConfig};
use crate::model::{Misfit, WeightValues, Weights, taking_weights, weights_of};

/// Added to running variances.
const EPSILON: f64 = 1e-3;

/// A convolution: its name here, its name in files, and that of the normalisation behind it.
struct Folded {
    ours: String,
    conv: String,
    norm: String,
}

fn folded(config: &EfficientNetConfig) -> Vec<Folded> {
    let one = |ours: &str, conv: &str, norm: &str| Folded {
        ours: ours.to_owned(),
        conv: conv.to_owned(),
        norm: norm.to_owned(),
    };
    let mut all = vec![one("stem", "_conv_stem", "_bn0")];
    let stages = config.stages.iter();
    let blocks = stages.flat_map(|stage| std::iter::repeat_n(stage, stage.repeats));
    for (index, stage) in blocks.enumerate() {
        let mut add = |ours: &str, conv: &str, norm: &str| {
            all.push(Folded {
                ours: format!("blocks.{index}.{ours}"),
                conv: format!("_blocks.{index}.{conv}"),
                norm: format!("_blocks.{index}.{norm}"),
            });
        };
        if stage.expansion > 1 {
            add("expand", "_expand_conv", "_bn0");
        }
        add("depthwise", "_depthwise_conv", "_bn1");
        add("project", "_project_conv", "_bn2");
    }
    all.push(one("head", "_conv_head", "_bn1"));
    all
}

/// Takes weights of a file by name and shape, and notes what does not fit.
struct Taker {
    weights: Weights,
    misfit: Misfit,
}

impl Taker {
    fn take(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        match self.weights.remove(name) {
            None => self.misfit.missing.push(name.to_owned()),
            Some(found) if found.shape != shape => {
                let text = format!("{name}: {shape:?} wanted, {:?} found", found.shape);
                self.misfit.shapes.push(text);
            }
            Some(found) => return found.values,
        }
        Vec::new()
    }
}

impl EfficientNet {
    /// The network with the weights of a file.
    ///
    /// # Errors
    /// [`Misfit`] naming every tensor of the file that is missing, unexpected or of another shape.
    pub fn with_weights(self, weights: Weights) -> Result<Self, Misfit> {
        let fresh = weights_of(&self);
        let shape_of = |name: &str| fresh.get(name).map(|w| w.shape.clone()).unwrap_or_default();
        let mut taker = Taker {
            weights,
            misfit: Misfit::default(),
        };
        let mut ours = Weights::new();
        for Folded {
            ours: name,
            conv,
            norm,
        } in folded(&self.config)
        {
            let shape = shape_of(&format!("{name}.weight"));
            let outputs = shape.first().copied().unwrap_or_default();
            let mut kernel = taker.take(&format!("{conv}.weight"), &shape);
            let mut one = |what: &str| taker.take(&format!("{norm}.{what}"), &[outputs]);
            let [scale, shift, mean, variance] =
                ["weight", "bias", "running_mean", "running_var"].map(&mut one);
            let whole = [&scale, &shift, &mean, &variance];
            if kernel.is_empty() || whole.iter().any(|values| values.is_empty()) {
                continue;
            }
            let each = kernel.len() / outputs;
            let mut bias = vec![0.0; outputs];
            for (at, row) in kernel.chunks_exact_mut(each).enumerate() {
                let deviation = (f64::from(variance[at]) + EPSILON).sqrt();
                let factor = f64::from(scale[at]) / deviation;
                for w in row {
                    *w = (f64::from(*w) * factor) as f32;
                }
                bias[at] = (f64::from(shift[at]) - f64::from(mean[at]) * factor) as f32;
            }
            let shape_of_bias = vec![outputs];
            ours.insert(
                format!("{name}.weight"),
                WeightValues {
                    shape,
                    values: kernel,
                },
            );
            ours.insert(
                format!("{name}.bias"),
                WeightValues {
                    shape: shape_of_bias,
                    values: bias,
                },
            );
        }
        let (classes, head) = (self.config.classes, self.config.head);
        for (theirs, name, shape) in [
            ("_fc.weight", "classes.weight", vec![classes, head]),
            ("_fc.bias", "classes.bias", vec![classes]),
        ] {
            let values = taker.take(theirs, &shape);
            if !values.is_empty() {
                let weight = WeightValues { shape, values };
                // Burn keeps matrices transposed.
                ours.insert(name.to_owned(), weight.transposed());
            }
        }
        let Taker {
            weights,
            mut misfit,
        } = taker;
        misfit.unexpected = weights.into_keys().collect();
        if misfit == Misfit::default() {
            // The same numbers under the network's own names: this fits.
            taking_weights(self, ours)
        } else {
            Err(misfit)
        }
    }

    /// Names and shapes of the tensors that a file has for a network of this shape.
    pub fn wanted(&self) -> Vec<(String, Vec<usize>)> {
        let fresh = weights_of(self);
        let mut wanted = Vec::new();
        for Folded { ours, conv, norm } in folded(&self.config) {
            let kernel = fresh.get(&format!("{ours}.weight"));
            let shape = kernel.map(|w| w.shape.clone()).unwrap_or_default();
            let outputs = shape.first().copied().unwrap_or_default();
            wanted.push((format!("{conv}.weight"), shape));
            for what in ["weight", "bias", "running_mean", "running_var"] {
                wanted.push((format!("{norm}.{what}"), vec![outputs]));
            }
        }
        let (classes, head) = (self.config.classes, self.config.head);
        wanted.push(("_fc.weight".into(), vec![classes, head]));
        wanted.push(("_fc.bias".into(), vec![classes]));
        wanted
    }
}
