//! CLIP's image tower in Hugging Face's files, with the `config.json` beside them, and LAION's aesthetic head.

use std::path::Path;

use burn::tensor::Device;

use super::vae::json_beside;
use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{AestheticHead, ClipConfig, ClipImages, WeightValues, Weights};

/// The most numbers of a head's file; the published one has 928,385.
const MAX_HEAD_NUMBERS: u64 = 16 << 20;

/// Reads CLIP's image tower and keeps its weights in f32 on `device`. Its shape comes from the `config.json` beside it,
/// and is that of ViT-L/14 where there is none. The text tower of a whole CLIP is left in the file.
///
/// # Errors
/// When the file is not sound, when tensors are missing, unexpected or of another shape (all by name), or hold what is
/// not finite.
pub fn read_clip(path: &Path, device: &Device) -> Result<ClipImages, CheckpointError> {
    let config = match json_beside(path)? {
        Some((config, text)) => ClipConfig::from_json(&text)
            .map_err(|reason| unfit(&config, shortened(&reason, 400)))?,
        None => ClipConfig::large(),
    };
    let mut file = TensorFile::open(path)?;
    let fresh = config.init(device).map_err(|reason| unfit(path, reason))?;
    let found: Vec<(String, u64)> = file
        .tensors()
        .iter()
        .filter(|entry| ClipImages::takes(&entry.name))
        .map(|entry| (entry.name.clone(), entry.elements()))
        .collect();
    let held: u64 = found.iter().map(|(_, count)| count).sum();
    let most = fresh.parameters() as u64;
    if held > most {
        return Err(unfit(
            path,
            format!("its image tower has {held} numbers, the shape asks for {most}"),
        ));
    }
    let mut weights = Weights::new();
    for (name, _) in found {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(name, WeightValues { shape, values });
    }
    fresh
        .with_weights(weights)
        .map_err(|misfit| unfit(path, shortened(&misfit.to_string(), 2_000)))
}

/// Reads LAION's aesthetic head, `sac+logos+ava1-l14-linearMSE.pth`.
///
/// # Errors
/// When the file is not sound or holds no such head.
pub fn read_aesthetic_head(path: &Path) -> Result<AestheticHead, CheckpointError> {
    let mut file = TensorFile::open(path)?;
    let entries = file.tensors();
    let held: u64 = entries.iter().map(super::TensorEntry::elements).sum();
    if held > MAX_HEAD_NUMBERS {
        let reason = format!("it holds {held} numbers, and no head has so many");
        return Err(unfit(path, reason));
    }
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let mut weights = Weights::new();
    for name in names {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(name, WeightValues { shape, values });
    }
    AestheticHead::of(&weights).map_err(|reason| unfit(path, reason))
}

fn unfit(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Network {
        path: path.display().to_string(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    fn write(path: &Path, weights: &Weights) {
        let bytes: Vec<Vec<u8>> = weights
            .values()
            .map(|w| w.values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = weights.iter().zip(&bytes).map(|((name, weight), bytes)| {
            let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes).unwrap();
            (name, view)
        });
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    fn tensor(shape: &[usize]) -> WeightValues {
        let count: usize = shape.iter().product();
        WeightValues {
            shape: shape.to_vec(),
            values: (0..count).map(|k| (k as f32).sin()).collect(),
        }
    }

    #[test]
    fn a_tower_is_read_from_the_folder_of_a_whole_clip() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let device = Device::flex();
        let config = ClipConfig {
            image_size: 8,
            patch_size: 4,
            hidden_size: 8,
            intermediate_size: 12,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            projection_dim: 6,
            ..ClipConfig::default()
        };
        let mut weights = config.init(&device).unwrap().weights();
        let tower = weights.clone();
        weights.insert(
            "text_model.embeddings.token.weight".into(),
            tensor(&[90, 9]),
        );
        write(&path, &weights);
        let whole = serde_json::json!({ "vision_config": config, "projection_dim": 6 });
        std::fs::write(folder.path().join("config.json"), whole.to_string()).unwrap();
        let read = read_clip(&path, &device).unwrap();
        assert_eq!((read.config(), read.weights()), (&config, tower));

        weights.remove("vision_model.post_layernorm.bias");
        write(&path, &weights);
        let message = read_clip(&path, &device).unwrap_err().to_string();
        for part in [
            "model.safetensors",
            "1 missing: vision_model.post_layernorm.bias",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn a_head_is_read_and_another_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head.safetensors");
        let mut weights = Weights::from([
            ("layers.0.weight".into(), tensor(&[1, 3])),
            ("layers.0.bias".into(), tensor(&[1])),
        ]);
        write(&path, &weights);
        let head = read_aesthetic_head(&path).unwrap();
        assert_eq!(head.direction, tensor(&[1, 3]).values);
        weights.remove("layers.0.weight");
        write(&path, &weights);
        let message = read_aesthetic_head(&path).unwrap_err().to_string();
        for part in ["head.safetensors", "layers.0.weight"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
