//! CLIP's towers in Hugging Face's and in OpenCLIP's files, and LAION's aesthetic head.
//!
//! Their shapes come from the `config.json` (Hugging Face) or `open_clip_config.json` (OpenCLIP) beside the file, and
//! from the weights where there is none.

use std::path::Path;

use burn::tensor::Device;

use super::copies::copies;
use super::header::TensorEntry;
use super::vae::json_beside;
use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{
    ClipConfig, ClipHead, ClipImages, ClipLayout, ClipTextConfig, ClipTexts, OpenClipHints,
    TensorShapes, WeightValues, Weights, clip_shapes,
};

/// The most numbers of a head's file; the published one has 928,385.
const MAX_HEAD_NUMBERS: u64 = 16 << 20;
/// The logarithm of what cosines are multiplied by.
const SCALE: &str = "logit_scale";

/// Reads CLIP's image tower and keeps its weights in f32 on `device`. The text tower of a whole CLIP is left in the file.
///
/// # Errors
/// When the file is not sound, when tensors are missing, unexpected or of another shape (all by name), or hold what is
/// not finite.
pub fn read_clip(path: &Path, device: &Device) -> Result<ClipImages, CheckpointError> {
    let mut file = ClipFile::open(path)?;
    let (config, _) = file.configs()?;
    file.images(&config, device)
}

/// Reads CLIP's text tower and keeps its weights in f32 on `device`, with the logarithm of what its authors multiply
/// cosines by, where the file has it.
///
/// # Errors
/// As [`read_clip`], when there is no text tower, and when the towers do not belong together.
pub fn read_clip_texts(
    path: &Path,
    device: &Device,
) -> Result<(ClipTexts, Option<f32>), CheckpointError> {
    let mut file = ClipFile::open(path)?;
    let (images, texts) = file.configs()?;
    let texts = texts.ok_or_else(|| {
        let reason = "it has no text tower: choose the file of a whole CLIP".into();
        unfit(path, reason)
    })?;
    let (a, b) = (images.projection_dim, texts.projection_dim);
    if a != b {
        let reason = format!("its towers do not fit: {a} and {b} numbers");
        return Err(unfit(path, reason));
    }
    Ok((file.texts(&texts, device)?, file.scale()?))
}

/// An open file, and which of its tensors are CLIP's.
struct ClipFile<'a> {
    path: &'a Path,
    file: TensorFile,
    layout: ClipLayout,
    /// Hugging Face's names, the file's names and numbers.
    found: Vec<(String, String, u64)>,
    shapes: TensorShapes,
}

impl<'a> ClipFile<'a> {
    fn open(path: &'a Path) -> Result<Self, CheckpointError> {
        let file = TensorFile::open(path)?;
        let has = |layout: ClipLayout| {
            let mark = layout.mark();
            move |entry: &TensorEntry| {
                let before = entry.name.strip_suffix(mark);
                before.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            }
        };
        // Without the mark of either Hugging Face's names are what is missed.
        let layout = if file.tensors().iter().any(has(ClipLayout::OpenClip)) {
            ClipLayout::OpenClip
        } else {
            ClipLayout::HuggingFace
        };
        let copy = copies(file.tensors(), layout.mark()).into_iter().next();
        let tensors: Vec<(String, TensorEntry)> = copy
            .into_iter()
            .flat_map(|copy| copy.tensors)
            .map(|(own, entry)| (layout.translated(&own), entry.clone()))
            .collect();
        let shapes = tensors
            .iter()
            .map(|(name, entry)| {
                let mut shape: Vec<usize> = entry.shape.iter().map(|n| *n as usize).collect();
                if layout.is_exchanged(name) {
                    shape.reverse();
                }
                (name.clone(), shape)
            })
            .collect();
        let found = tensors
            .into_iter()
            .map(|(name, entry)| (name, entry.name.clone(), entry.elements()))
            .collect();
        Ok(Self {
            path,
            file,
            layout,
            found,
            shapes,
        })
    }

    /// The shapes of the towers.
    fn configs(&self) -> Result<(ClipConfig, Option<ClipTextConfig>), CheckpointError> {
        if self.layout == ClipLayout::HuggingFace
            && let Some((config, text)) = json_beside(self.path, "config.json")?
        {
            let wrong = |reason: String| unfit(&config, shortened(&reason, 400));
            let images = ClipConfig::from_json(&text).map_err(wrong)?;
            let texts = self.found.iter().any(|(name, ..)| ClipTexts::takes(name));
            let texts = texts.then(|| ClipTextConfig::from_json(&text).map_err(wrong));
            return Ok((images, texts.transpose()?));
        }
        let mut hints = OpenClipHints::default();
        if self.layout == ClipLayout::OpenClip
            && let Some((config, text)) = json_beside(self.path, "open_clip_config.json")?
        {
            hints = OpenClipHints::from_json(&text)
                .map_err(|reason| unfit(&config, shortened(&reason, 400)))?;
        }
        clip_shapes(&self.shapes, self.layout, &hints)
            .map_err(|reason| unfit(self.path, shortened(&reason, 400)))
    }

    fn images(
        &mut self,
        config: &ClipConfig,
        device: &Device,
    ) -> Result<ClipImages, CheckpointError> {
        let fresh = config.init(device).map_err(|e| unfit(self.path, e))?;
        let weights = self.weights(ClipImages::takes, fresh.parameters(), "image tower")?;
        fresh
            .with_weights(weights)
            .map_err(|misfit| unfit(self.path, shortened(&misfit.to_string(), 2_000)))
    }

    fn texts(
        &mut self,
        config: &ClipTextConfig,
        device: &Device,
    ) -> Result<ClipTexts, CheckpointError> {
        let fresh = config.init(device).map_err(|e| unfit(self.path, e))?;
        let weights = self.weights(ClipTexts::takes, fresh.parameters(), "text tower")?;
        fresh
            .with_weights(weights)
            .map_err(|misfit| unfit(self.path, shortened(&misfit.to_string(), 2_000)))
    }

    /// The weights that a tower takes, of which there are at most `most` numbers.
    fn weights(
        &mut self,
        takes: impl Fn(&str) -> bool,
        most: usize,
        tower: &str,
    ) -> Result<Weights, CheckpointError> {
        let found = self.found.iter().filter(|(name, ..)| takes(name));
        let held: u64 = found.clone().map(|(.., count)| count).sum();
        if held > most as u64 {
            let reason = format!("its {tower} has {held} numbers, the shape asks for {most}");
            return Err(unfit(self.path, reason));
        }
        let mut weights = Weights::new();
        for (own, name, _) in found {
            let shape = self.file.shape(name).unwrap_or_default();
            let values = self.file.floats(name)?;
            weights.insert(own.clone(), WeightValues { shape, values });
        }
        Ok(self.layout.arranged(weights))
    }

    fn scale(&mut self) -> Result<Option<f32>, CheckpointError> {
        let found = self.found.iter().find(|(name, ..)| name == SCALE);
        match found {
            Some((_, name, 1)) => Ok(self.file.floats(name)?.first().copied()),
            _ => Ok(None),
        }
    }
}

/// Reads LAION's aesthetic head, `sac+logos+ava1-l14-linearMSE.pth`.
///
/// # Errors
/// When the file is not sound or holds no such head.
pub fn read_aesthetic_head(path: &Path) -> Result<ClipHead, CheckpointError> {
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
    ClipHead::of(&weights).map_err(|reason| unfit(path, reason))
}

fn unfit(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Network {
        path: path.display().to_string(),
        reason,
    }
}

#[cfg(test)]
mod library_tests;
#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::streams::numbers;
    use safetensors::tensor::{Dtype, TensorView};

    pub fn write(path: &Path, weights: &Weights) {
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

    /// A small CLIP with weights of its own, in Hugging Face's layout: `model.safetensors` and `config.json`.
    pub fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        let images = ClipConfig {
            image_size: 16,
            patch_size: 8,
            hidden_size: 16,
            intermediate_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            projection_dim: 12,
            ..ClipConfig::default()
        };
        let texts = ClipTextConfig {
            hidden_size: 8,
            intermediate_size: 12,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            projection_dim: 12,
            ..ClipTextConfig::default()
        };
        let mut weights = images.init(&device).unwrap().weights();
        weights.extend(texts.init(&device).unwrap().weights());
        for (key, (name, weight)) in (0..).zip(&mut weights) {
            let inputs: usize = weight.shape.iter().skip(1).product();
            let scale = 1.7 / (inputs as f64).sqrt();
            let drawn = numbers(key, weight.values.len()).into_iter();
            weight.values = if name.contains("norm") && name.ends_with("weight") {
                drawn.map(|v| (1.0 + 0.2 * v) as f32).collect()
            } else {
                drawn.map(|v| (scale * v) as f32).collect()
            };
        }
        let scale = WeightValues {
            shape: Vec::new(),
            values: vec![4.0],
        };
        weights.insert(SCALE.into(), scale);
        write(&folder.path().join("model.safetensors"), &weights);
        let whole = serde_json::json!({
            "vision_config": images, "text_config": texts, "projection_dim": 12
        });
        std::fs::write(folder.path().join("config.json"), whole.to_string()).unwrap();
        folder
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
            "text_model.embeddings.token_embedding.weight".into(),
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
