//! What a model file says, and what was found in it: ours, and other programs' safetensors and PyTorch files.

mod show;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::header::{Header, TensorEntry};
use super::limits::MAX_FILE_BYTES;
use super::open::{OpenFile, card, hex};
use super::pytorch::Format;
use super::{Checkpoint, CheckpointCard, CheckpointError, ClassifierCard, ImageCard};
use crate::mixture::{Preset, World};
use show::plain;

/// The largest file that is hashed.
const MAX_HASHED_BYTES: u64 = 32 << 30;

/// A model file as text for a person; print it with `{}`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Inspection {
    /// The file.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// `safetensors`, `PyTorch`, or `PyTorch before 1.6`.
    pub format: &'static str,
    /// SHA-256 of the whole file, hexadecimal; empty if the file is larger than 32 GiB.
    pub hash: String,
    /// The card, if it is a Foresight model.
    pub card: Option<ModelCard>,
    /// The card of the classifier of half-formed pictures that a map of images carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<ClassifierCard>,
    /// The tensors, in the order of their data.
    pub tensors: Vec<TensorEntry>,
    /// Other string metadata of the header.
    pub metadata: Vec<(String, String)>,
    /// What a person should know before using it.
    pub warnings: Vec<String>,
}

/// What a model of ours says of itself.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(untagged)]
pub enum ModelCard {
    /// A Meta Flow Map of a 2D world.
    World(Box<CheckpointCard>),
    /// A Meta Flow Map of images.
    Images(Box<ImageCard>),
    /// A classifier of images.
    Classifier(Box<ClassifierCard>),
}

/// Looks into a model file. Safetensors and PyTorch files of other programs are listed, whatever their size.
///
/// # Errors
/// When it cannot be read or is neither sound safetensors nor a sound PyTorch file. A Foresight model with a fault inside (a wrong shape, a weight
/// that is no number) is listed all the same, with a warning.
pub fn inspect(path: &Path) -> Result<Inspection, CheckpointError> {
    let mut open = OpenFile::open(path)?;
    let header = open.header()?;
    let name = open.path.clone();
    let bytes = open.bytes;
    let format = match open.pytorch {
        None => "safetensors",
        Some(Format::Zip) => "PyTorch",
        Some(Format::Old) => "PyTorch before 1.6",
    };
    let mut warnings = Vec::new();
    let kind = ModelKind::of(&header);
    let card = match found_card(kind, &header, &name) {
        Some(Ok(card)) => Some(card),
        Some(Err(error)) => {
            warnings.push(error.to_string());
            None
        }
        None => {
            warnings.push(foreign(path));
            None
        }
    };
    open.file.rewind().map_err(|source| CheckpointError::Io {
        path: name.clone(),
        source,
    })?;
    let hash = match &card {
        Some(ModelCard::World(_)) if bytes <= MAX_FILE_BYTES => {
            let data = open.read_all()?;
            if let Err(error) = Checkpoint::from_bytes(&data, &name) {
                warnings.push(format!("It cannot be run. {error}"));
            }
            super::open::sha256_hex(&data)
        }
        _ => hash_of(open.file, bytes, &name)?,
    };
    let mut states = None;
    match &card {
        Some(ModelCard::World(card)) => {
            if bytes > MAX_FILE_BYTES {
                warnings.push(format!(
                    "It cannot be run: models have at most {MAX_FILE_BYTES} bytes"
                ));
            }
            warnings.extend(card_warnings(card));
        }
        Some(ModelCard::Images(card)) => {
            if let Err(error) = super::image::check_layout(path, card) {
                warnings.push(format!("It cannot be run. {error}"));
            }
            let found = super::read_states(path).and_then(|found| {
                if let Some(states) = &found {
                    states.classifier(&name)?;
                }
                Ok(found)
            });
            match found {
                Ok(found) => states = found.map(|states| states.card),
                Err(error) => warnings.push(format!("It cannot be run. {error}")),
            }
            warnings.extend(trained_warnings(Some(card.steps), &card.code_version));
        }
        Some(ModelCard::Classifier(card)) => {
            if let Err(error) = super::open_classifier(path) {
                warnings.push(format!("It cannot be run. {error}"));
            }
            warnings.extend(trained_warnings(None, &card.code_version));
        }
        None => {}
    }
    let Header {
        tensors, metadata, ..
    } = header;
    Ok(Inspection {
        path: name,
        bytes,
        format,
        hash,
        metadata: metadata
            .into_iter()
            .filter(|(key, _)| card.is_none() || (key != kind.key() && key != super::states::KEY))
            .collect(),
        card,
        states,
        tensors,
        warnings,
    })
}

/// What can be done with a file of another program.
fn foreign(path: &Path) -> String {
    let beside = match super::shape_file_beside(path) {
        Some(shape) => format!("with the shape in {}", shape.display()),
        None => "if its model file lies beside it (NAME.json, NAME.yaml or config.json)".to_owned(),
    };
    format!(
        "This is not a Foresight model: it can be listed, and opened as a map of images {beside} if it is a transformer of the reference's layout"
    )
}

/// The SHA-256 of a file of `bytes` bytes, read in small pieces; empty for files so large that it would take minutes.
fn hash_of(file: File, bytes: u64, name: &str) -> Result<String, CheckpointError> {
    use sha2::Digest;
    if bytes > MAX_HASHED_BYTES {
        return Ok(String::new());
    }
    let mut file = file.take(bytes);
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file
            .read(&mut piece)
            .map_err(|source| CheckpointError::Io {
                path: name.to_owned(),
                source,
            })?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&piece[..read]);
    }
}

/// The card of a model of ours; `None` for other files.
fn found_card(
    kind: ModelKind,
    header: &Header,
    name: &str,
) -> Option<Result<ModelCard, CheckpointError>> {
    let text = header.metadata.get(kind.key())?;
    Some(match kind {
        ModelKind::World => card(header, name)?.map(|card| ModelCard::World(Box::new(card))),
        ModelKind::Images => {
            super::image::parse_card(text, name).map(|card| ModelCard::Images(Box::new(card)))
        }
        ModelKind::Classifier => super::classifier::parse_card(text, name)
            .map(|card| ModelCard::Classifier(Box::new(card))),
        ModelKind::Other => return None,
    })
}

/// Models that were never trained, or written by another version.
fn trained_warnings(steps: Option<u64>, code_version: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    if steps == Some(0) {
        warnings.push("It was never trained: it has 0 steps".to_owned());
    }
    let ours = env!("CARGO_PKG_VERSION");
    if code_version.split(['+', ' ']).next() != Some(ours) {
        warnings.push(format!(
            "It was written by version {}; this is {ours}",
            plain(code_version)
        ));
    }
    warnings
}

fn card_warnings(card: &CheckpointCard) -> Vec<String> {
    let mut warnings = trained_warnings(Some(card.steps), &card.code_version);
    let changed = Preset::from_name(&card.world.name)
        .is_some_and(|preset| World::preset(preset).fingerprint() != card.world.fingerprint());
    if changed {
        warnings.push(format!(
            "Its world is called {} but is not the preset of that name",
            card.world.name
        ));
    }
    warnings
}

/// Which kind of model a file holds, by the card in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// A Meta Flow Map of a 2D world.
    World,
    /// A Meta Flow Map of images.
    Images,
    /// A classifier of images.
    Classifier,
    /// No model of ours.
    Other,
}

impl ModelKind {
    /// Where the header holds its card; nowhere for other files.
    const fn key(self) -> &'static str {
        match self {
            Self::World => super::open::CARD_KEY,
            Self::Images => super::image::KEY,
            Self::Classifier => super::classifier::KEY,
            Self::Other => "",
        }
    }

    /// What the header says.
    pub(super) fn of(header: &Header) -> Self {
        [Self::World, Self::Images, Self::Classifier]
            .into_iter()
            .find(|kind| header.metadata.contains_key(kind.key()))
            .unwrap_or(Self::Other)
    }
}

/// Looks at a file's header alone.
///
/// # Errors
/// When it cannot be read or is not sound safetensors.
pub fn model_kind(path: &Path) -> Result<ModelKind, CheckpointError> {
    Ok(ModelKind::of(&OpenFile::open(path)?.header()?))
}

impl Inspection {
    /// All numbers in all tensors.
    pub fn parameters(&self) -> u64 {
        // Each was checked against the file's size.
        self.tensors.iter().map(TensorEntry::elements).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str, data: usize) -> tempfile::NamedTempFile {
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(json.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn foreign_safetensors_are_listed_and_said_to_be_no_model_of_ours() {
        let foreign = file(
            "{\"__metadata__\":{\"format\":\"pt\"},\"blocks.0.w\\u001b[31m\":{\"dtype\":\"BF16\",\"shape\":[3,4],\"data_offsets\":[0,24]}}",
            24,
        );
        let text = inspect(foreign.path()).unwrap().to_string();
        for part in [
            "not a Foresight model",
            "blocks.0.w",
            "BF16",
            "[3, 4]",
            "format: pt",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{1b}'), "a terminal would obey this");
    }

    #[test]
    fn the_shipped_classifier_shows_its_card_without_a_warning() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("checkpoints/mnist-classifier.safetensors");
        assert_eq!(model_kind(&path).unwrap(), ModelKind::Classifier);
        let found = inspect(&path).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        let text = found.to_string();
        for part in [
            "classifier of images",
            "99.37 % of 10,000 held-out images",
            "MNIST",
            "licence       MIT",
            "epochs",
            "0, 1, 2, 3",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("metadata"), "the card is not shown twice");
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["card"]["held_out"], 10_000);
        let found = inspect(&path.with_file_name("photos-classifier.safetensors")).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        let text = found.to_string();
        for part in [
            "90.27 % of 10,000",
            "CIFAR-10",
            "beside it",
            "frog",
            "members.2.recipe.momentum",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
