//! Our own files: writing them, and the ones that ship with the program.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};

use super::open::CARD_KEY;
use super::{Architecture, Checkpoint, CheckpointCard, CheckpointError};
use crate::mixture::Preset;
use crate::model::{DenseLayer, FusedMlp, check_layers};

impl Checkpoint {
    /// Writes a model file and gives back what a reader of it gets. A reader of `path` sees the old file or the new
    /// one, never a part: the bytes go to a file beside it, which is then renamed.
    ///
    /// # Errors
    /// When the layers are not what the card says, or the file cannot be written.
    pub fn write(
        path: &Path,
        card: &CheckpointCard,
        layers: &[DenseLayer],
    ) -> Result<Self, CheckpointError> {
        let name = path.display().to_string();
        let bytes = serialized(&name, card, layers)?;
        write_whole(path, &bytes).map_err(|source| CheckpointError::Write {
            path: name.clone(),
            source,
        })?;
        Self::from_bytes(&bytes, &name)
    }

    /// The model that ships for a preset, if there is one.
    pub fn shipped(preset: Preset) -> Option<&'static [u8]> {
        match preset {
            Preset::Two => Some(include_bytes!("../../checkpoints/two.safetensors")),
            Preset::Three => Some(include_bytes!("../../checkpoints/three.safetensors")),
            Preset::Ring8 => Some(include_bytes!("../../checkpoints/ring8.safetensors")),
            Preset::Moons => Some(include_bytes!("../../checkpoints/moons.safetensors")),
            Preset::Grid25 | Preset::Spiral => None,
        }
    }

    /// The first six digits of the hash, for labels.
    pub fn short_hash(&self) -> &str {
        self.hash.get(..6).unwrap_or(&self.hash)
    }

    /// The network, ready to draw on the processor.
    ///
    /// # Errors
    /// When the layers are not what the card says.
    pub fn fused(&self) -> Result<FusedMlp, CheckpointError> {
        let Architecture::Mlp(config) = &self.card.architecture;
        let network = FusedMlp::new(config, self.layers.clone()).map_err(|e| {
            CheckpointError::Architecture {
                path: self.card.world.name.clone(),
                reason: e.to_string(),
            }
        })?;
        Ok(if self.card.tuned.is_some() {
            network.velocity_only()
        } else {
            network
        })
    }
}

fn serialized(
    name: &str,
    card: &CheckpointCard,
    layers: &[DenseLayer],
) -> Result<Vec<u8>, CheckpointError> {
    let unfit = |reason: String| CheckpointError::Architecture {
        path: name.to_owned(),
        reason,
    };
    let Architecture::Mlp(config) = &card.architecture;
    check_layers(config, layers).map_err(|e| unfit(e.to_string()))?;
    let card = serde_json::to_string(card).map_err(|e| unfit(e.to_string()))?;

    let mut data = Vec::with_capacity(2 * layers.len());
    for (i, layer) in layers.iter().enumerate() {
        let weight = (
            format!("layers.{i}.weight"),
            vec![layer.outputs, layer.inputs],
            bytes_of(&layer.weight),
        );
        let bias = (
            format!("layers.{i}.bias"),
            vec![layer.outputs],
            bytes_of(&layer.bias),
        );
        data.extend([weight, bias]);
    }
    let mut views = Vec::with_capacity(data.len());
    for (tensor, shape, bytes) in &data {
        let view =
            TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| unfit(e.to_string()))?;
        views.push((tensor.as_str(), view));
    }
    let metadata = HashMap::from([(CARD_KEY.to_owned(), card)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| unfit(e.to_string()))
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// Writes `bytes` to a file beside `path` and renames it into place.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let beside = beside(path);
    let written = (|| {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })();
    if written.is_err() {
        // The first error is the one that counts.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// `NAME.PROCESS.part`, so that two programs that write the same file do not write into each other's.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mixture::World;
    use crate::model::MlpConfig;

    fn small() -> (CheckpointCard, Vec<DenseLayer>) {
        let config = MlpConfig {
            hidden: 8,
            layers: 2,
            frequencies: 2,
            ..MlpConfig::default()
        };
        let layers = config
            .shapes()
            .into_iter()
            .map(|(inputs, outputs)| DenseLayer {
                inputs,
                outputs,
                weight: (0..inputs * outputs)
                    .map(|k| (k as f32 * 0.37).sin())
                    .collect(),
                bias: (0..outputs).map(|k| k as f32).collect(),
            })
            .collect();
        let card = CheckpointCard {
            format: super::super::FORMAT,
            architecture: Architecture::Mlp(config),
            world: World::preset(Preset::Two),
            recipe: serde_json::json!({ "steps": 3 }),
            seed: 1,
            steps: 3,
            code_version: env!("CARGO_PKG_VERSION").into(),
            tuned: None,
        };
        (card, layers)
    }

    #[test]
    fn a_written_file_is_read_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new folder/two.safetensors");
        let (card, layers) = small();
        let written = Checkpoint::write(&path, &card, &layers).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(written, read);
        assert_eq!((&read.card, &read.layers), (&card, &layers));
        assert_eq!(read.bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(read.short_hash().len(), 6);
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside the file");
    }

    #[test]
    fn a_tuned_velocity_is_no_map_and_older_cards_read_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuned.safetensors");
        let (mut card, layers) = small();
        let text = serde_json::to_string(&card).unwrap();
        assert!(!text.contains("tuned"), "older versions still read it");
        assert!(
            Checkpoint::write(&path, &card, &layers)
                .unwrap()
                .fused()
                .unwrap()
                .is_map()
        );
        card.tuned = Some(super::super::Tuned {
            parent: "ab".repeat(32),
            parent_world: "two".into(),
            reward: "linear:1,0".into(),
            world_is_target: true,
        });
        Checkpoint::write(&path, &card, &layers).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.card, card);
        assert!(!read.fused().unwrap().is_map());
        let text = super::super::inspect(&path).unwrap().to_string();
        for part in ["fine-tuned", "linear:1,0", "abababab", "not a flow map"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn layers_that_are_not_what_the_card_says_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.safetensors");
        let (card, mut layers) = small();
        layers[1].weight[3] = f32::NAN;
        assert!(Checkpoint::write(&path, &card, &layers).is_err());
        layers.pop();
        assert!(Checkpoint::write(&path, &card, &layers).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn every_shipped_model_is_sound_small_and_of_its_world() {
        for preset in Preset::ALL {
            let Some(bytes) = Checkpoint::shipped(preset) else {
                continue;
            };
            assert!(
                bytes.len() <= 1_000_000,
                "{} has {} bytes",
                preset.name(),
                bytes.len()
            );
            let model = Checkpoint::from_bytes(bytes, preset.name()).unwrap();
            assert_eq!(model.card.world, World::preset(preset));
            assert_eq!(model.parameters, 224_514);
            model.fused().unwrap();
        }
    }
}
