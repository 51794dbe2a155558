//! Files of maps of images: the transformer's weights under the reference's names, and a card.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::dit::read_dit_of;
use super::states::{self, StateWeights, beginning_with_classes};
use super::{CheckpointError, FORMAT, TensorFile, read_dit_config, shape_file_beside, write_whole};
use crate::mixture::shortened;
use crate::model::{
    BurnImageMap, Dit, DitConfig, IMAGENET_CLASSES, ImageMap, NativeDit, Precision, VelocityOnly,
    imagenet_class_names,
};

/// Where the card is in the header.
pub(super) const KEY: &str = "foresight-image";
/// Longest card that is read.
const MAX_CARD_BYTES: usize = 1 << 20;

/// What a map of images says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCard {
    /// Version of the format.
    pub format: u32,
    /// The network.
    pub model: DitConfig,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What it was trained on, in words.
    pub data: String,
    /// The recipe, as the trainer had it.
    #[serde(deserialize_with = "super::recipe::bounded")]
    pub recipe: serde_json::Value,
    /// Root seed of the training.
    pub seed: u64,
    /// Steps that were done.
    pub steps: u64,
    /// Version of the program that wrote it.
    pub code_version: String,
    /// Licence of the weights.
    pub licence: String,
    /// How long it was trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// On what class of hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    /// What `foresight eval` measured, by the figure's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, f64>,
    /// Present in a fine-tuned velocity; its jumps are not a flow map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned: Option<TunedImages>,
}

/// What a fine-tuned velocity of images came from. Only `v(t, t, x; 0, 0)` of such a network means something, asked with
/// the class and the guidance below: the Meta Flow Map around it was not tuned with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunedImages {
    /// SHA-256 of the Meta Flow Map that it was tuned from.
    pub parent: String,
    /// Steps that the parent was trained for.
    pub parent_steps: u64,
    /// The reward, as on the command line.
    pub reward: String,
    /// Whether the reward was maximised instead of followed: such a velocity holds to no data.
    pub maximised: bool,
    /// The class that it was tuned under: a number, `none`, or `each` for every class.
    pub class: String,
    /// The guidance scale of the class.
    pub guidance: f32,
}

/// Writes a map of images in half precision, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_image_map(path: &Path, card: &ImageCard, net: &Dit) -> Result<(), CheckpointError> {
    write_image_map_with(path, card, net, None)
}

/// The same with a classifier of half-formed pictures, if there is one.
///
/// # Errors
/// When the file cannot be written.
pub fn write_image_map_with(
    path: &Path,
    card: &ImageCard,
    net: &Dit,
    states: Option<&StateWeights>,
) -> Result<(), CheckpointError> {
    let name = path.display().to_string();
    let unfit = |reason: String| CheckpointError::Architecture {
        path: name.clone(),
        reason,
    };
    let halves = |values: &[f32]| -> Vec<u8> {
        let halves = values.iter().map(|v| f16::from_f32(*v));
        halves.flat_map(f16::to_le_bytes).collect()
    };
    let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = net
        .weights()
        .into_iter()
        .map(|weight| (weight.name, weight.shape, halves(&weight.values)))
        .collect();
    for (name, weight) in states.iter().flat_map(|states| &states.weights) {
        let name = format!("{}{name}", states::PREFIX);
        data.push((name, weight.shape.clone(), halves(&weight.values)));
    }
    let mut views = Vec::with_capacity(data.len());
    for (tensor, shape, bytes) in &data {
        let view =
            TensorView::new(Dtype::F16, shape.clone(), bytes).map_err(|e| unfit(e.to_string()))?;
        views.push((tensor.as_str(), view));
    }
    let card = serde_json::to_string(card).map_err(|e| unfit(e.to_string()))?;
    let mut metadata = HashMap::from([(KEY.to_owned(), card)]);
    if let Some(states) = states {
        let card = serde_json::to_string(&states.card).map_err(|e| unfit(e.to_string()))?;
        metadata.insert(states::KEY.to_owned(), card);
    }
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| unfit(e.to_string()))?;
    write_whole(path, &bytes).map_err(|source| CheckpointError::Write { path: name, source })
}

/// The card of a header.
pub(super) fn parse_card(text: &str, path: &str) -> Result<ImageCard, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Card {
        path: path.to_owned(),
        reason: shortened(&reason, 400),
    };
    if text.len() > MAX_CARD_BYTES {
        return Err(damaged(format!("it has {} bytes", text.len())));
    }
    let card: ImageCard = serde_json::from_str(text).map_err(|e| damaged(e.to_string()))?;
    if card.format != FORMAT {
        return Err(CheckpointError::Format {
            path: path.to_owned(),
            found: card.format,
        });
    }
    Ok(card)
}

/// The largest file whose every number is looked at when it is inspected.
const MAX_CHECKED_BYTES: u64 = 256 << 20;

/// Whether a file holds the network of its card, every number finite; large files are trusted with the latter.
pub(super) fn check_layout(path: &Path, card: &ImageCard) -> Result<(), CheckpointError> {
    let bytes = std::fs::metadata(path).map_or(u64::MAX, |m| m.len());
    if bytes > MAX_CHECKED_BYTES {
        return Ok(());
    }
    super::read_dit(path, &card.model, &Device::flex(), DType::F32).map(|_| ())
}

/// Reads a map of images and keeps its weights in f32 on `device`. Files of other programs (safetensors or PyTorch's)
/// need the file with the network's shape beside them, `NAME.json`, `config.yaml` or the like.
///
/// # Errors
/// When the file is not one, or does not hold what its card or the file beside it says.
pub fn read_image_map(path: &Path, device: &Device) -> Result<(ImageCard, Dit), CheckpointError> {
    read_image_map_in(path, device, Precision::F32)
}

/// The same with matrix products, and the weights for them, in `precision`.
///
/// # Errors
/// As [`read_image_map`], and when a weight is beyond what `precision` holds.
pub fn read_image_map_in(
    path: &Path,
    device: &Device,
    precision: Precision,
) -> Result<(ImageCard, Dit), CheckpointError> {
    let file = TensorFile::open(path)?;
    let name = path.display().to_string();
    if file.metadata(KEY).is_some() {
        return read(file, &name, device, precision);
    }
    let Some(shape) = shape_file_beside(path) else {
        return Err(CheckpointError::Foreign {
            path: name,
            tensors: file.tensors().len(),
        });
    };
    let net = read_dit_of(file, &read_dit_config(&shape)?, device, precision.dtype());
    let net = net.map_err(|error| error.with_shape_from(&shape))?;
    Ok((foreign_card(net.config()), net))
}

/// What can be said of weights that another program wrote.
fn foreign_card(model: &DitConfig) -> ImageCard {
    ImageCard {
        format: FORMAT,
        model: model.clone(),
        classes: if model.label_dim == IMAGENET_CLASSES as usize {
            // Nobody trains a thousand classes of anything else.
            imagenet_class_names().map(str::to_owned).collect()
        } else {
            (0..model.label_dim).map(|k| k.to_string()).collect()
        },
        data: "not stated: weights of another program".into(),
        recipe: serde_json::Value::Null,
        seed: 0,
        steps: 0,
        code_version: "another program".into(),
        licence: "not stated in the file".into(),
        hours: None,
        hardware: None,
        figures: BTreeMap::new(),
        tuned: None,
    }
}

fn read(
    file: TensorFile,
    name: &str,
    device: &Device,
    precision: Precision,
) -> Result<(ImageCard, Dit), CheckpointError> {
    let name = name.to_owned();
    let text = file.metadata(KEY).ok_or_else(|| CheckpointError::Foreign {
        path: name.clone(),
        tensors: file.tensors().len(),
    })?;
    let card = parse_card(text, &name)?;
    let net = read_dit_of(file, &card.model, device, precision.dtype())?;
    Ok((card, net))
}

/// What the shipped map is called.
const SHIPPED: &str = "mnist.safetensors";

/// The map of digits that is shipped, as the bytes of its file.
pub fn shipped_image_map() -> &'static [u8] {
    include_bytes!("../../checkpoints/mnist.safetensors")
}

/// Opens a map of images for the processor.
///
/// # Errors
/// As [`read_image_map`].
pub fn open_image_map(path: &Path) -> Result<(ImageCard, Arc<dyn ImageMap>), CheckpointError> {
    let device = Device::flex();
    let (card, net) = read_image_map(path, &device)?;
    let states = read_states(path)?;
    let map = on_processor(&card, net, states.as_ref(), &path.display().to_string())?;
    Ok((card, map))
}

/// The classifier of half-formed pictures in the file of a map; `None` where it carries none.
///
/// # Errors
/// When the file is not sound, or a part of the classifier in it is damaged.
pub fn read_states(path: &Path) -> Result<Option<StateWeights>, CheckpointError> {
    StateWeights::of(&mut TensorFile::open(path)?)
}

/// That of the shipped map.
///
/// # Errors
/// As [`read_states`].
pub fn read_shipped_states() -> Result<Option<StateWeights>, CheckpointError> {
    StateWeights::of(&mut TensorFile::from_bytes(shipped_image_map(), SHIPPED)?)
}

fn on_processor(
    card: &ImageCard,
    net: Dit,
    states: Option<&StateWeights>,
    path: &str,
) -> Result<Arc<dyn ImageMap>, CheckpointError> {
    // The processor's own kernel, where the network is at home in it.
    let map: Arc<dyn ImageMap> = if NativeDit::supports(net.config()) {
        Arc::new(NativeDit::taking(net))
    } else {
        Arc::new(BurnImageMap::new(net, &Device::flex()))
    };
    let states = states.map(|states| states.classifier(path)).transpose()?;
    Ok(beginning_with_classes(as_tuned(card, map), states.as_ref()))
}

/// The network as what its card says it is: a map, or a tuned velocity that has no jumps.
pub fn as_tuned(card: &ImageCard, map: Arc<dyn ImageMap>) -> Arc<dyn ImageMap> {
    if card.tuned.is_some() {
        Arc::new(VelocityOnly::new(map))
    } else {
        map
    }
}

/// [`read_image_map`] of the shipped map, for the processor.
///
/// # Errors
/// As [`read_image_map`].
pub fn read_shipped_image_map() -> Result<(ImageCard, Dit), CheckpointError> {
    read_shipped_image_map_on(&Device::flex())
}

/// [`read_image_map`] of the shipped map.
///
/// # Errors
/// As [`read_image_map`].
pub fn read_shipped_image_map_on(device: &Device) -> Result<(ImageCard, Dit), CheckpointError> {
    let file = TensorFile::from_bytes(shipped_image_map(), SHIPPED)?;
    read(file, SHIPPED, device, Precision::F32)
}

/// The same of the bytes of a file that is part of the program; `name` is for messages.
///
/// # Errors
/// As [`read_image_map`].
pub fn image_map_from_bytes(
    bytes: &'static [u8],
    name: &str,
) -> Result<(ImageCard, Arc<dyn ImageMap>), CheckpointError> {
    let mut file = TensorFile::from_bytes(bytes, name)?;
    let states = StateWeights::of(&mut file)?;
    let (card, net) = read(file, name, &Device::flex(), Precision::F32)?;
    let map = on_processor(&card, net, states.as_ref(), name)?;
    Ok((card, map))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ImageCard {
        /// Of a map that was made for a test.
        pub(crate) fn made(model: DitConfig, classes: &[&str]) -> Self {
            Self {
                data: "a test".into(),
                seed: 1,
                steps: 2,
                code_version: env!("CARGO_PKG_VERSION").into(),
                licence: "none".into(),
                classes: classes.iter().map(|class| (*class).to_owned()).collect(),
                ..foreign_card(&model)
            }
        }
    }

    #[test]
    fn a_card_of_an_earlier_version_still_loads() {
        let model = serde_json::to_value(DitConfig::digits()).unwrap();
        let card = serde_json::json!({
            "format": 1, "model": model, "classes": ["0"], "data": "d", "recipe": {"a": 1}, "seed": 1, "steps": 2,
            "code_version": "0.1.0", "licence": "MIT"
        });
        let card = parse_card(&card.to_string(), "m").unwrap();
        assert_eq!(
            (card.hours, &card.hardware, card.figures.len()),
            (None, &None, 0)
        );
        let text = serde_json::to_string(&card).unwrap();
        assert!(!text.contains("hours") && !text.contains("figures"));
    }

    #[test]
    fn a_map_of_images_is_written_in_halves_and_read_again() {
        let model = DitConfig {
            input_size: 8,
            patch_size: 4,
            hidden_size: 8,
            depth: 2,
            num_heads: 2,
            encoder_depth: 1,
            ..DitConfig::digits()
        };
        let device = Device::flex();
        let net = Dit::init(&model, 1, &device).unwrap();
        let card = ImageCard {
            hours: Some(1.5),
            hardware: Some("one core".into()),
            figures: BTreeMap::from([("accepted flow:1".into(), 0.9)]),
            ..ImageCard::made(model, &["a", "b"])
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        write_image_map(&path, &card, &net).unwrap();
        let (back, read) = read_image_map(&path, &device).unwrap();
        assert_eq!(back, card);
        for (a, b) in net.weights().iter().zip(read.weights()) {
            assert_eq!((&a.name, &a.shape), (&b.name, &b.shape));
            for (a, b) in a.values.iter().zip(&b.values) {
                // Half precision has 11 bits.
                assert!((a - b).abs() <= 5e-4 * a.abs() + 1e-7);
            }
        }
        let found = crate::checkpoint::inspect(&path).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        let text = found.to_string();
        for part in [
            "map of images",
            "1 x 8 x 8",
            "2: a, b",
            "hours         1.5",
            "one core",
            "accepted flow:1",
            "guidance      1, 2.5",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let tuned = ImageCard {
            tuned: Some(TunedImages {
                parent: "ab".repeat(32),
                parent_steps: 2,
                reward: "class:0@4".into(),
                maximised: false,
                class: "none".into(),
                guidance: 1.0,
            }),
            ..card
        };
        write_image_map(&path, &tuned, &net).unwrap();
        let (back, map) = open_image_map(&path).unwrap();
        assert!(back == tuned && !map.has_jumps());
        let text = crate::checkpoint::inspect(&path).unwrap().to_string();
        for part in ["toward class:0@4", "a velocity, not a flow map"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read_image_map(&path, &device).unwrap_err().to_string();
        assert!(message.contains("m.safetensors"), "{message}");
    }

    #[test]
    fn weights_of_another_program_that_do_not_fit_name_the_file_that_says_their_shape() {
        let device = Device::flex();
        let net = Dit::init(&DitConfig::tiny(2), 1, &device).unwrap();
        let data: Vec<(String, Vec<usize>, Vec<u8>)> = net
            .weights()
            .into_iter()
            .map(|w| {
                let bytes = w.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (w.name, w.shape, bytes)
            })
            .collect();
        let views = data.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
            (name.as_str(), view)
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.safetensors");
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let shape = dir.path().join("other.json");
        let write = |config: &DitConfig| {
            std::fs::write(&shape, serde_json::to_string(config).unwrap()).unwrap();
        };
        write(&DitConfig::tiny(2));
        assert!(read_image_map(&path, &device).is_ok());
        write(&DitConfig::tiny(3));
        let message = read_image_map(&path, &device).unwrap_err().to_string();
        for part in ["other.safetensors does not fit", "other.json: 1 of another"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
