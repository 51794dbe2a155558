//! Files of classifiers: half-precision tensors by the names of the module's parameters, and a card.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::decode::floats;
use super::header::Header;
use super::limits::MAX_CARD_BYTES;
use super::open::OpenFile;
use super::{CheckpointError, FORMAT, write_whole};
use crate::mixture::shortened;
use crate::model::{ClassifierConfig, ImageJudge, WeightValues, Weights};

/// The shipped classifier of 28x28 digits.
pub const DIGITS_CLASSIFIER: &[u8] =
    include_bytes!("../../checkpoints/mnist-classifier.safetensors");

/// The shipped classifier of 32x32 colour photos.
pub const PHOTOS_CLASSIFIER: &[u8] =
    include_bytes!("../../checkpoints/photos-classifier.safetensors");

/// Where the card is in the header.
pub(super) const KEY: &str = "foresight-classifier";

/// What a classifier's file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierCard {
    /// Version of the format.
    pub format: u32,
    /// The network.
    pub config: ClassifierConfig,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What it was trained on, in words.
    pub data: String,
    /// Share of the held-out images put in their class, by the weights as they are in the file.
    pub accuracy: f64,
    /// How many images that was.
    pub held_out: usize,
    /// The recipe, as the trainer had it.
    #[serde(deserialize_with = "super::recipe::bounded")]
    pub recipe: serde_json::Value,
    /// Version of the program that wrote it.
    pub code_version: String,
    /// Licence of the weights.
    pub licence: String,
    /// How long training took, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// On what, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
}

/// Rounds weights to what a file keeps.
#[must_use]
pub fn halved(weights: &Weights) -> Weights {
    let half = |v: &f32| f16::from_f32(*v).to_f32();
    weights
        .iter()
        .map(|(name, weight)| {
            let values = weight.values.iter().map(half).collect();
            let shape = weight.shape.clone();
            (name.clone(), WeightValues { shape, values })
        })
        .collect()
}

/// Writes a classifier, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_classifier(
    path: &Path,
    card: &ClassifierCard,
    weights: &Weights,
) -> Result<(), CheckpointError> {
    let name = path.display().to_string();
    let unfit = |reason: String| CheckpointError::Architecture {
        path: name.clone(),
        reason,
    };
    let data: Vec<(&String, &WeightValues, Vec<u8>)> = weights
        .iter()
        .map(|(name, weight)| {
            let bytes = weight
                .values
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect();
            (name, weight, bytes)
        })
        .collect();
    let mut views = Vec::with_capacity(data.len());
    for (tensor, weight, bytes) in &data {
        let view = TensorView::new(Dtype::F16, weight.shape.clone(), bytes)
            .map_err(|e| unfit(e.to_string()))?;
        views.push((tensor.as_str(), view));
    }
    let card = serde_json::to_string(card).map_err(|e| unfit(e.to_string()))?;
    let metadata = HashMap::from([(KEY.to_owned(), card)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| unfit(e.to_string()))?;
    write_whole(path, &bytes).map_err(|source| CheckpointError::Write { path: name, source })
}

/// The card of a header.
pub(super) fn parse_card(text: &str, path: &str) -> Result<ClassifierCard, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Card {
        path: path.to_owned(),
        reason: shortened(&reason, 400),
    };
    if text.len() > MAX_CARD_BYTES {
        return Err(damaged(format!("it has {} bytes", text.len())));
    }
    let card: ClassifierCard = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
    if card.format != FORMAT {
        return Err(CheckpointError::Format {
            path: path.to_owned(),
            found: card.format,
        });
    }
    if let Some(reason) = card.config.fault() {
        return Err(CheckpointError::Architecture {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(card)
}

/// Reads a classifier from the bytes of its file; `name` is for messages.
///
/// # Errors
/// When the bytes are not such a file. Sizes are checked before anything is allocated.
pub fn read_classifier(
    bytes: &[u8],
    name: &str,
) -> Result<(ClassifierCard, Weights), CheckpointError> {
    let path = || name.to_owned();
    let header = Header::parse(bytes).map_err(|source| CheckpointError::Header {
        path: path(),
        source,
    })?;
    let text = header
        .metadata
        .get(KEY)
        .ok_or_else(|| CheckpointError::Foreign {
            path: path(),
            tensors: header.tensors.len(),
        })?;
    let card = parse_card(text, name)?;
    let mut weights = Weights::new();
    for entry in &header.tensors {
        let shape: Vec<usize> = entry.shape.iter().map(|n| *n as usize).collect();
        let values =
            floats(&header, entry, &shape, bytes).map_err(|reason| CheckpointError::Tensor {
                path: path(),
                tensor: entry.name.clone(),
                reason,
            })?;
        weights.insert(entry.name.clone(), WeightValues { shape, values });
    }
    Ok((card, weights))
}

/// Opens the shipped classifier of pictures of that shape, `[C, H, W]`, for the processor; `None` where none ships.
///
/// # Errors
/// When what ships is broken.
pub fn shipped_classifier(
    shape: [usize; 3],
) -> Result<Option<(ClassifierCard, ImageJudge)>, CheckpointError> {
    let (bytes, name) = match shape {
        [1, 28, 28] => (DIGITS_CLASSIFIER, "mnist-classifier.safetensors"),
        [3, 32, 32] => (PHOTOS_CLASSIFIER, "photos-classifier.safetensors"),
        _ => return Ok(None),
    };
    judge(bytes, name).map(Some)
}

/// Opens a classifier for the processor.
///
/// # Errors
/// As [`read_classifier`], and when the file does not hold the network of its card.
pub fn open_classifier(path: &Path) -> Result<(ClassifierCard, ImageJudge), CheckpointError> {
    let open = OpenFile::open(path)?;
    let name = open.path.clone();
    judge(&open.read_all()?, &name)
}

fn judge(bytes: &[u8], name: &str) -> Result<(ClassifierCard, ImageJudge), CheckpointError> {
    let (card, weights) = read_classifier(bytes, name)?;
    let judge = ImageJudge::with(card.config.clone(), &weights, &Device::flex());
    let judge = judge.map_err(|misfit| CheckpointError::Architecture {
        path: name.to_owned(),
        reason: misfit.to_string(),
    })?;
    Ok((card, judge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{weights_of, with_weights};

    fn card() -> ClassifierCard {
        ClassifierCard {
            format: FORMAT,
            config: ClassifierConfig::mnist(),
            classes: (0..10).map(|k| k.to_string()).collect(),
            data: "a test".into(),
            accuracy: 0.1,
            held_out: 10,
            recipe: serde_json::Value::Null,
            code_version: "0".into(),
            licence: "none".into(),
            hours: None,
            hardware: None,
        }
    }

    #[test]
    fn a_classifier_is_written_and_read_as_it_is_when_halved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        let device = Device::flex();
        let net = card().config.init(&device);
        let weights = weights_of(&net);
        write_classifier(&path, &card(), &weights).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (back, read) = read_classifier(&bytes, "c").unwrap();
        assert_eq!((back, &read), (card(), &halved(&weights)));
        with_weights(net, &read).unwrap();
        for cut in [0, 7, 40, bytes.len() / 2, bytes.len() - 1] {
            assert!(read_classifier(&bytes[..cut], "c").is_err(), "{cut}");
        }
    }

    #[test]
    fn the_shipped_classifiers_and_a_written_one_open_ready_to_judge() {
        for (shape, bar) in [([1, 28, 28], 0.99), ([3, 32, 32], 0.9)] {
            let (shipped, judge) = shipped_classifier(shape).unwrap().unwrap();
            assert_eq!(shipped.classes.len(), 10);
            assert_eq!(shipped.config.image, shape);
            assert!(shipped.accuracy >= bar, "{}", shipped.accuracy);
            let numbers: usize = shape.iter().product();
            assert_eq!(judge.judge(&vec![-1.0; 2 * numbers]).len(), 2);
        }
        assert!(shipped_classifier([1, 32, 32]).unwrap().is_none());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.safetensors");
        let mut weights = weights_of(&card().config.init(&Device::flex()));
        write_classifier(&path, &card(), &weights).unwrap();
        assert_eq!(open_classifier(&path).unwrap().0, card());
        weights.remove("head.bias");
        write_classifier(&path, &card(), &weights).unwrap();
        let error = open_classifier(&path).err().unwrap().to_string();
        assert!(error.contains("head.bias"), "{error}");
    }

    #[test]
    fn another_file_is_no_classifier() {
        let bytes = include_bytes!("../../checkpoints/two.safetensors");
        let message = read_classifier(bytes, "two").unwrap_err().to_string();
        assert!(message.contains("two"), "{message}");
    }
}
