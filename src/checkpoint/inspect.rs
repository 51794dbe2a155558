//! What a model file says, and what was found in it: ours, and other programs' safetensors.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde_json::Value;

use super::header::{Header, TensorEntry};
use super::limits::MAX_FILE_BYTES;
use super::open::{OpenFile, card, hex};
use super::{Architecture, Checkpoint, CheckpointCard, CheckpointError};
use crate::mixture::{Preset, World, shortened};

/// The largest file that is hashed.
const MAX_HASHED_BYTES: u64 = 32 << 30;

/// A model file as text for a person; print it with `{}`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Inspection {
    /// The file.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the whole file, hexadecimal; empty if the file is larger than 32 GiB.
    pub hash: String,
    /// The card, if it is a Foresight model.
    pub card: Option<CheckpointCard>,
    /// The tensors, in the order of their data.
    pub tensors: Vec<TensorEntry>,
    /// Other string metadata of the header.
    pub metadata: Vec<(String, String)>,
    /// What a person should know before using it.
    pub warnings: Vec<String>,
}

/// Looks into a model file. Safetensors of other programs are listed, whatever their size.
///
/// # Errors
/// When it cannot be read or is not sound safetensors. A Foresight model with a fault inside (a wrong shape, a weight
/// that is no number) is listed all the same, with a warning.
pub fn inspect(path: &Path) -> Result<Inspection, CheckpointError> {
    let mut open = OpenFile::open(path)?;
    let header = open.header()?;
    let name = open.path.clone();
    let bytes = open.bytes;
    let mut warnings = Vec::new();
    let card = match card(&header, &name) {
        Some(Ok(card)) => Some(card),
        Some(Err(error)) => {
            warnings.push(error.to_string());
            None
        }
        None => {
            let kind = [
                (
                    super::classifier::KEY,
                    "a classifier of images; its card is below. It judges pictures and is not opened by itself",
                ),
                (
                    super::image::KEY,
                    "a map of images; its card is below. The Images workspace opens it",
                ),
            ]
            .into_iter()
            .find(|(key, _)| header.metadata.contains_key(*key));
            warnings.push(match kind {
                Some((_, what)) => format!("This is {what}"),
                None => {
                    "This is not a Foresight model: it can be listed, but not run by this version"
                        .to_owned()
                }
            });
            None
        }
    };
    open.file.rewind().map_err(|source| CheckpointError::Io {
        path: name.clone(),
        source,
    })?;
    let hash = if card.is_some() && bytes <= MAX_FILE_BYTES {
        let data = open.read_all()?;
        if let Err(error) = Checkpoint::from_bytes(&data, &name) {
            warnings.push(format!("It cannot be run. {error}"));
        }
        super::open::sha256_hex(&data)
    } else {
        if card.is_some() {
            warnings.push(format!(
                "It cannot be run: models have at most {MAX_FILE_BYTES} bytes"
            ));
        }
        hash_of(open.file, bytes, &name)?
    };
    if let Some(card) = &card {
        warnings.extend(card_warnings(card));
    }
    let Header {
        tensors, metadata, ..
    } = header;
    Ok(Inspection {
        path: name,
        bytes,
        hash,
        metadata: metadata
            .into_iter()
            .filter(|(key, _)| card.is_none() || key != super::open::CARD_KEY)
            .collect(),
        card,
        tensors,
        warnings,
    })
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

fn card_warnings(card: &CheckpointCard) -> Vec<String> {
    let mut warnings = Vec::new();
    if card.steps == 0 {
        warnings.push("It was never trained: it has 0 steps".to_owned());
    }
    let ours = env!("CARGO_PKG_VERSION");
    if card.code_version.split(['+', ' ']).next() != Some(ours) {
        warnings.push(format!(
            "It was written by version {}; this is {ours}",
            plain(&card.code_version)
        ));
    }
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
    fn of(header: &Header) -> Self {
        [
            (super::open::CARD_KEY, Self::World),
            (super::image::KEY, Self::Images),
            (super::classifier::KEY, Self::Classifier),
        ]
        .into_iter()
        .find(|(key, _)| header.metadata.contains_key(*key))
        .map_or(Self::Other, |(_, kind)| kind)
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

fn write_card(card: &CheckpointCard, f: &mut fmt::Formatter) -> fmt::Result {
    let Architecture::Mlp(config) = &card.architecture;
    let world = &card.world;
    let modes = world.mixture.modes().len();
    write!(
        f,
        "\n  kind          Foresight model, format {}",
        card.format
    )?;
    write!(
        f,
        "\n  world         {} ({}), {modes} {}, {}",
        plain(&world.title),
        plain(&world.name),
        if modes == 1 { "mode" } else { "modes" },
        world.fingerprint()
    )?;
    if let Some(tuned) = &card.tuned {
        write!(
            f,
            "\n  fine-tuned    toward {}, from a model of {}",
            plain(&shortened(&tuned.reward, 200)),
            plain(&shortened(&tuned.parent_world, 60))
        )?;
        write!(
            f,
            "\n  parent        {}",
            plain(&shortened(&tuned.parent, 80))
        )?;
        let target = if tuned.world_is_target {
            "the world above is its exact target"
        } else {
            "its target has no closed form, the world above is the parent's"
        };
        write!(f, "\n  holds         a velocity, not a flow map; {target}")?;
    }
    write!(
        f,
        "\n  architecture  {} hidden layers of {}, {} frequencies from {} to {}, inputs times {}",
        config.layers,
        config.hidden,
        config.frequencies,
        config.frequency_min,
        config.frequency_max,
        config.input_scale
    )?;
    write!(f, "\n  steps         {}", grouped(card.steps))?;
    write!(f, "\n  seed          {}", card.seed)?;
    write!(f, "\n  code version  {}", plain(&card.code_version))?;
    write!(f, "\n  recipe")?;
    write_recipe(&card.recipe, "", f)
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.path)?;
        match &self.card {
            Some(card) => write_card(card, f)?,
            None => write!(f, "\n  kind          safetensors")?,
        }
        write!(f, "\n  size          {} bytes", grouped(self.bytes))?;
        if !self.hash.is_empty() {
            write!(f, "\n  sha256        {}", self.hash)?;
        }
        write!(f, "\n  parameters    {}", grouped(self.parameters()))?;
        for (key, value) in &self.metadata {
            let short: String = value.chars().take(200).collect();
            let more = if short.len() < value.len() { "..." } else { "" };
            write!(
                f,
                "\n  metadata      {}: {}{more}",
                plain(key),
                plain(&short)
            )?;
        }
        write!(f, "\ntensors         {}", self.tensors.len())?;
        let width = self.tensors.iter().map(|t| t.name.chars().count()).max();
        let width = width.unwrap_or(0).min(60);
        for tensor in &self.tensors {
            write!(
                f,
                "\n  {:width$}  {:4}  {:?}",
                plain(&tensor.name),
                plain(&tensor.dtype),
                tensor.shape
            )?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {}", plain(warning))?;
        }
        Ok(())
    }
}

/// One line for each number, text or list of a recipe; names of nested ones with dots.
fn write_recipe(recipe: &Value, name: &str, f: &mut fmt::Formatter) -> fmt::Result {
    match recipe {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().try_for_each(|(key, value)| {
                let dot = if name.is_empty() { "" } else { "." };
                write_recipe(value, &format!("{name}{dot}{key}"), f)
            })
        }
        other => write!(
            f,
            "\n    {:24}  {}",
            plain(&shortened(name, 60)),
            plain(&shortened(&value(other), 200))
        ),
    }
}

/// A value as a person would write it: without the digits that an f32 gains as an f64.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(wide) if number.is_f64() && f64::from(wide as f32) == wide => {
                (wide as f32).to_string()
            }
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Text of a file without the control characters that a terminal would obey.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// 224514 as 224,514.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
    fn a_recipe_is_one_line_a_value() {
        let recipe = serde_json::json!({"rate": 0.1_f32, "adam": {"beta": 0.999}, "loss": "esd"});
        let text = Shown(recipe).to_string();
        for line in ["adam.beta  ", "0.999", "  0.1", "esd"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("0.10000000149"), "{text}");
    }

    struct Shown(Value);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
            write_recipe(&self.0, "", f)
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 12, 1_000, 224_514, 1_234_567].map(grouped),
            ["0", "12", "1,000", "224,514", "1,234,567"]
        );
    }
}
