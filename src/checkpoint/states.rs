//! The classifier of half-formed pictures that a map of images may carry: tensors under names of their own in the map's
//! file, and a card beside the map's.

use std::sync::Arc;

use burn::tensor::Device;

use super::classifier::{ClassifierCard, parse_card};
use super::{CheckpointError, TensorFile};
use crate::model::{ClassFirst, ImageMap, StateClassifier, WeightValues, Weights, with_weights};

/// Where its card is in the header.
pub(super) const KEY: &str = "foresight-states";
/// What its tensors' names begin with.
pub(super) const PREFIX: &str = "states.";

/// A classifier of half-formed pictures as it lies in a file: `p(class | x_t)`, told the time as one more channel.
#[derive(Debug, Clone, PartialEq)]
pub struct StateWeights {
    /// What it says of itself; its accuracy is that of states at times that are spread evenly.
    pub card: ClassifierCard,
    /// Its weights.
    pub weights: Weights,
}

impl StateWeights {
    /// That of a file of a map; `None` where it carries none. Whether the weights are those of the card's network, only
    /// [`Self::classifier`] says.
    ///
    /// # Errors
    /// When the card or a tensor is damaged.
    pub(super) fn of(file: &mut TensorFile) -> Result<Option<Self>, CheckpointError> {
        let Some(card) = file.metadata(KEY) else {
            return Ok(None);
        };
        let card = parse_card(card, file.path())?;
        let names: Vec<(String, Vec<u64>)> = file
            .tensors()
            .iter()
            .filter(|tensor| tensor.name.starts_with(PREFIX))
            .map(|tensor| (tensor.name.clone(), tensor.shape.clone()))
            .collect();
        let mut weights = Weights::new();
        for (name, shape) in names {
            let shape = shape.iter().map(|n| *n as usize).collect();
            let values = file.floats(&name)?;
            weights.insert(
                name[PREFIX.len()..].to_owned(),
                WeightValues { shape, values },
            );
        }
        Ok(Some(Self { card, weights }))
    }

    /// Ready to be asked, on the processor; `path` is for messages.
    ///
    /// # Errors
    /// When the weights are not those of the card's network.
    pub fn classifier(&self, path: &str) -> Result<Arc<StateClassifier>, CheckpointError> {
        let unfit = |reason: String| CheckpointError::Architecture {
            path: path.to_owned(),
            reason: format!("its classifier of half-formed pictures: {reason}"),
        };
        let config = &self.card.config;
        if config.image[0] < 2 {
            return Err(unfit("it is not told the time".into()));
        }
        if !config.others.is_empty() {
            return Err(unfit("it is an ensemble".into()));
        }
        let device = Device::flex();
        let net = with_weights(config.init(&device), &self.weights);
        let net = net.map_err(|misfit| unfit(misfit.to_string()))?;
        Ok(Arc::new(StateClassifier::new(net, config.clone(), &device)))
    }
}

/// `map`, whose posterior draws without class begin with one where `states` knows which one a state becomes.
pub fn beginning_with_classes(
    map: Arc<dyn ImageMap>,
    states: Option<&Arc<StateClassifier>>,
) -> Arc<dyn ImageMap> {
    let first = states.and_then(|states| ClassFirst::new(map.clone(), states.clone()));
    match first {
        Some(first) => Arc::new(first),
        None => map,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{
        FORMAT, ImageCard, halved, inspect, open_image_map, read_states, write_image_map,
        write_image_map_with,
    };
    use crate::model::{ClassifierConfig, Dit, DitConfig, NormKind, weights_of};

    impl StateWeights {
        /// A classifier of states of such pictures, with random weights.
        pub(crate) fn made(image: [usize; 3], classes: usize) -> Self {
            let config = StateClassifier::shape_for(ClassifierConfig {
                image,
                classes,
                stem_stride: 1,
                stages: vec![(8, 1)],
                mirrored: false,
                pooled: false,
                norm: NormKind::Group,
                others: Vec::new(),
            });
            let card = ClassifierCard {
                format: FORMAT,
                classes: (0..classes).map(|k| k.to_string()).collect(),
                data: "a test".into(),
                accuracy: 0.5,
                held_out: 10,
                recipe: serde_json::Value::Null,
                code_version: "0".into(),
                licence: "none".into(),
                config: config.clone(),
                hours: None,
                hardware: None,
            };
            let weights = halved(&weights_of(&config.init(&Device::flex())));
            Self { card, weights }
        }
    }

    #[test]
    fn a_map_carries_its_classifier_of_states_and_its_draws_begin_with_classes() {
        let model = DitConfig::tiny(3);
        let net = Dit::init(&model, 1, &Device::flex()).unwrap();
        let card = ImageCard::made(model, &["a", "b", "c"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        write_image_map(&path, &card, &net).unwrap();
        assert_eq!(read_states(&path).unwrap(), None);
        assert!(
            open_image_map(&path)
                .unwrap()
                .1
                .state_classifier()
                .is_none()
        );

        let states = StateWeights::made([1, 8, 8], 3);
        write_image_map_with(&path, &card, &net, Some(&states)).unwrap();
        assert_eq!(read_states(&path).unwrap(), Some(states.clone()));
        let (back, map) = open_image_map(&path).unwrap();
        assert_eq!(back, card);
        assert_eq!(map.state_classifier().unwrap().classes(), 3);
        let found = inspect(&path).unwrap();
        assert!(found.warnings.is_empty() && found.metadata.is_empty());
        assert!(found.to_string().contains("50.00 % of 10 held-out states"));

        let mut broken = states;
        broken.weights.remove("head.bias");
        write_image_map_with(&path, &card, &net, Some(&broken)).unwrap();
        let message = open_image_map(&path).err().unwrap().to_string();
        assert!(
            message.contains("m.safetensors") && message.contains("head.bias"),
            "{message}"
        );
        assert_eq!(inspect(&path).unwrap().warnings.len(), 1);
        // Nothing tells this one the time.
        let mut timeless = StateWeights::made([1, 8, 8], 3);
        timeless.card.config.image[0] = 1;
        write_image_map_with(&path, &card, &net, Some(&timeless)).unwrap();
        let message = open_image_map(&path).err().unwrap().to_string();
        assert!(message.contains("time"), "{message}");
    }
}
