//! ImageReward as its authors publish it, and the vocabulary of its text tower beside it.

use std::path::Path;

use burn::tensor::Device;

use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{Blip, BlipConfig, ImageReward, WeightValues, Weights, WordPieces};

/// The vocabulary's name.
const VOCABULARY: &str = "vocab.txt";
/// Its most bytes; bert-base-uncased has 231,508.
const MAX_VOCABULARY: u64 = 8 << 20;
/// The most numbers of the head; the published one has 927,969.
const MAX_HEAD: u64 = 16 << 20;

/// Reads `ImageReward.pt`, with `vocab.txt` beside it, and keeps its weights in f32 on `device`.
///
/// # Errors
/// When a file is not there or not sound, when tensors are missing, unexpected or of another shape (all by name), or hold
/// what is not finite.
pub fn read_image_reward(path: &Path, device: &Device) -> Result<ImageReward, CheckpointError> {
    read(path, &BlipConfig::published(), device)
}

fn read(path: &Path, config: &BlipConfig, device: &Device) -> Result<ImageReward, CheckpointError> {
    // The small file first: what is wrong with it is said at once.
    let words = vocabulary(&path.with_file_name(VOCABULARY))?;
    let mut file = TensorFile::open(path)?;
    let fresh = config.init(device);
    let (mut of_towers, mut of_head) = (0, 0);
    let mut found = Vec::new();
    for entry in file.tensors() {
        let held = if Blip::takes(&entry.name) {
            &mut of_towers
        } else if entry.name.starts_with("mlp.") {
            &mut of_head
        } else {
            continue;
        };
        *held += entry.elements();
        found.push(entry.name.clone());
    }
    let most = fresh.parameters() as u64;
    if of_towers > most || of_head > MAX_HEAD {
        let reason = format!("it has {of_towers} numbers where ImageReward has {most}");
        return Err(unfit(path, reason));
    }
    let mut weights = Weights::new();
    for name in found {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(name, WeightValues { shape, values });
    }
    ImageReward::new(fresh, weights, words, device)
        .map_err(|reason| unfit(path, shortened(&reason, 2_000)))
}

fn vocabulary(path: &Path) -> Result<WordPieces, CheckpointError> {
    let bytes = std::fs::metadata(path)
        .map_err(|e| unfit(path, e.to_string()))?
        .len();
    if bytes > MAX_VOCABULARY {
        return Err(unfit(path, format!("it has {bytes} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| unfit(path, e.to_string()))?;
    WordPieces::read(&text).map_err(|reason| unfit(path, reason))
}

fn unfit(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::ImageReward {
        path: path.display().to_string(),
        reason,
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::checkpoint::clip::tests::write;
    use crate::model::streams::{assert_close, numbers, slopes};
    use crate::model::{BlipTower, ImageRewardJudge, PictureJudge as _, Seen};

    #[derive(serde::Deserialize)]
    pub struct Reference {
        shape: [usize; 4],
        size: usize,
        patch: usize,
        pictures: [usize; 4],
        texts: [usize; 4],
        vocabulary: usize,
        places: usize,
        shapes: BTreeMap<String, Vec<usize>>,
        ids: Vec<Vec<u32>>,
        scores: Vec<Vec<f64>>,
    }

    fn reference() -> Reference {
        let text = include_str!("../../tests/reference/imagereward.json");
        serde_json::from_str(text).unwrap()
    }

    fn config(of: &Reference) -> BlipConfig {
        let tower = |[width, inner, layers, heads]: [usize; 4]| BlipTower {
            width,
            inner,
            layers,
            heads,
        };
        BlipConfig {
            image_size: of.size,
            patch_size: of.patch,
            pictures: tower(of.pictures),
            texts: tower(of.texts),
            vocabulary: of.vocabulary,
            places: of.places,
        }
    }

    /// The weights that the script makes.
    fn weights(of: &Reference) -> Weights {
        let weight = |(k, (name, shape)): (usize, (&String, &Vec<usize>))| {
            let inputs: usize = shape.iter().skip(1).product();
            let norm = name.to_lowercase().contains("norm");
            let is_weight = name.ends_with("weight");
            let scaled = |v: f64| {
                if norm && is_weight {
                    1.0 + 0.5 * v
                } else if is_weight && !name.contains("embeddings") {
                    v * (1.7 / (inputs as f64).sqrt())
                } else {
                    0.3 * v
                }
            };
            let values = numbers(k as u32, shape.iter().product());
            let values = values.into_iter().map(|v| scaled(v) as f32).collect();
            let shape = shape.clone();
            (name.clone(), WeightValues { shape, values })
        };
        of.shapes.iter().enumerate().map(weight).collect()
    }

    /// A vocabulary in which the words `w0`, `w1`, ... have the numbers from 4 on.
    fn write_vocabulary(folder: &Path, pieces: usize) {
        let words = (0..pieces - 4).map(|k| format!("\nw{k}"));
        let text = "[PAD]\n[UNK]\n[CLS]\n[SEP]".to_owned() + &words.collect::<String>();
        std::fs::write(folder.join(VOCABULARY), text).unwrap();
    }

    #[test]
    fn scores_are_those_of_published_libraries_and_their_gradient_that_of_differences() {
        let reference = reference();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ImageReward.safetensors");
        let mut all = weights(&reference);
        // The file has more, which other uses of BLIP have.
        let more = WeightValues {
            shape: vec![2],
            values: vec![0.0, 1.0],
        };
        all.insert("blip.text_proj.bias".into(), more.clone());
        all.insert("blip.text_encoder.embeddings.position_ids".into(), more);
        write(&path, &all);
        write_vocabulary(folder.path(), reference.vocabulary);
        let device = Device::flex();
        let read = Arc::new(read(&path, &config(&reference), &device).unwrap());
        let [count, c, h, w] = reference.shape;
        let shape = [c, h, w];
        let pictures = numbers(1000, count * c * h * w);
        let pictures: Vec<f32> = pictures.into_iter().map(|v| v as f32).collect();
        let head = read.head().clone();
        for (ids, expected) in reference.ids.iter().zip(&reference.scores) {
            let words: Vec<String> = ids[1..ids.len() - 1]
                .iter()
                .map(|id| format!("W{}", id - 4))
                .collect();
            let judge = ImageRewardJudge::new(read.clone(), &words.join("  ")).unwrap();
            let scores = |pictures: &[f32]| -> Vec<f32> {
                let seen = judge.see(pictures, shape).features;
                seen.chunks_exact(head.direction.len())
                    .map(|seen| head.score(seen))
                    .collect()
            };
            let found = scores(&pictures);
            assert_close(&found, expected, "scores");

            let mut gradients = vec![0.0; pictures.len()];
            let mut along_head = |_: &Seen, _: usize, slopes: &mut Seen| {
                slopes.features.copy_from_slice(&head.direction);
            };
            let seen = judge.pullback(&pictures, shape, &mut along_head, &mut gradients);
            assert_eq!(
                seen,
                judge.see(&pictures, shape),
                "with a graph and without"
            );
            let rows = pictures.chunks_exact(c * h * w);
            for (picture, gradient) in rows.zip(gradients.chunks_exact(c * h * w)) {
                let score = |picture: &[f32]| f64::from(scores(picture)[0]);
                let [slope, measured] = slopes(picture, gradient, score);
                assert!(
                    (slope - measured).abs() < 0.01 * slope.abs().max(0.05),
                    "{slope} {measured}"
                );
            }
        }
        let long = "w1 ".repeat(34);
        let message = ImageRewardJudge::new(read, &long).err().unwrap();
        assert!(message.contains("34 pieces of words"), "{message}");
    }

    #[test]
    fn what_is_missing_is_named_with_its_file() {
        let reference = reference();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ImageReward.safetensors");
        let mut all = weights(&reference);
        write(&path, &all);
        let device = Device::flex();
        let message = || {
            let read = read(&path, &config(&reference), &device);
            read.err().unwrap().to_string()
        };
        let said = message();
        assert!(
            said.contains("vocab.txt") && said.contains("bert-base-uncased"),
            "{said}"
        );
        std::fs::write(folder.path().join(VOCABULARY), "cat\ndog\n").unwrap();
        let said = message();
        assert!(
            said.contains("vocab.txt") && said.contains("no line [CLS]"),
            "{said}"
        );
        write_vocabulary(folder.path(), reference.vocabulary);
        all.remove("blip.visual_encoder.blocks.1.attn.qkv.bias");
        write(&path, &all);
        let said = message();
        assert!(
            said.contains("3 missing: pictures.layers.1.self_attn.q_proj.bias"),
            "{said}"
        );
        all.remove("mlp.layers.2.bias");
        write(&path, &all);
        let said = message();
        assert!(said.contains("layers.2.bias is missing"), "{said}");
        // Another network altogether.
        let all = Weights::from([("weight".into(), all["mlp.layers.0.bias"].clone())]);
        write(&path, &all);
        assert!(message().contains("ImageReward.safetensors"));
    }
}
