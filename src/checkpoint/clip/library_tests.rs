//! Towers as transformers and open_clip compute them, from files as these libraries write them.

use std::collections::BTreeMap;

use super::tests::write;
use super::*;
use crate::model::streams::{assert_close, numbers, slopes};
use crate::model::{ClipJudge, Fit, PictureJudge as _, PromptScoreKind, Seen};
use burn::tensor::{Tensor, TensorData};

#[derive(serde::Deserialize)]
struct Reference {
    shape: [usize; 4],
    ids: Vec<Vec<u32>>,
    cases: Vec<Case>,
    squares: Squares,
}

#[derive(serde::Deserialize)]
struct Case {
    /// What lies beside the weights.
    file: Option<String>,
    #[serde(default)]
    config: serde_json::Value,
    size: usize,
    shapes: BTreeMap<String, Vec<usize>>,
    image: Vec<f64>,
    texts: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Squares {
    shape: [usize; 4],
    picture: Vec<f32>,
    cut: Vec<f64>,
    filled: Vec<f64>,
}

fn reference() -> Reference {
    let text = include_str!("../../../tests/reference/clip_libraries.json");
    serde_json::from_str(text).unwrap()
}

/// The weights that the script makes, by their library's names.
fn weights(case: &Case) -> Weights {
    let weight = |(k, (name, shape)): (usize, (&String, &Vec<usize>))| {
        let inputs: usize = shape.iter().skip(1).product();
        let norm = name.contains("norm") || name.contains("ln_");
        let table = name.contains("position") || name.contains("token_embedding");
        let scaled = |v: f64| {
            if norm && name.ends_with("weight") {
                1.0 + 0.5 * v
            } else if shape.len() > 1 && !table {
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
    case.shapes.iter().enumerate().map(weight).collect()
}

/// The folder of a case, its weights under a prefix.
fn folder(case: &Case, prefix: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let named = weights(case)
        .into_iter()
        .map(|(name, weight)| (format!("{prefix}{name}"), weight))
        .collect();
    write(&path, &named);
    if let Some(name) = &case.file {
        std::fs::write(folder.path().join(name), case.config.to_string()).unwrap();
    }
    (folder, path)
}

fn picture(shape: [usize; 4], values: Vec<f32>) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn both_towers_give_the_numbers_of_transformers_and_of_open_clip() {
    let reference = reference();
    let values = numbers(1000, reference.shape.iter().product());
    let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
    for (k, case) in reference.cases.iter().enumerate() {
        // As HPSv2's file has it.
        let (_folder, path) = folder(case, ["", "state_dict."][k % 2]);
        let images = read_clip(&path, &Device::flex()).unwrap();
        assert_eq!(images.config().image_size, case.size);
        let image = images.embed(picture(reference.shape, values.clone()));
        assert_close(&list(image), &case.image, "image");
        let (tower, logit_scale) = read_clip_texts(&path, &Device::flex()).unwrap();
        let texts = reference.ids.iter();
        let texts: Vec<f32> = texts
            .flat_map(|ids| list(tower.embed(ids).unwrap()))
            .collect();
        assert_close(&texts, &case.texts, "texts");
        assert!(logit_scale.is_some());
        let known = tower.config().vocab_size as u32;
        for (ids, part) in [
            (vec![], "0 pieces"),
            (vec![known], "is not one of"),
            (vec![1; 12], "12 pieces"),
        ] {
            let message = tower.embed(&ids).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn what_is_missing_from_an_open_clip_file_is_named_and_a_tower_alone_has_no_texts() {
    let case = &reference().cases[2];
    let (_folder, path) = folder(case, "");
    let mut damaged = weights(case);
    damaged.remove("visual.ln_pre.bias");
    write(&path, &damaged);
    let message = |path: &Path| {
        let read = read_clip(path, &Device::flex()).map(|_| ());
        let both = read.and_then(|()| read_clip_texts(path, &Device::flex()).map(|_| ()));
        both.unwrap_err().to_string()
    };
    assert!(message(&path).contains("vision_model.pre_layrnorm.bias"));
    let mut damaged = weights(case);
    damaged.remove("token_embedding.weight");
    write(&path, &damaged);
    let said = message(&path);
    assert!(said.contains("no text tower"), "{said}");
    let mut damaged = weights(case);
    let cut = damaged
        .get_mut("transformer.resblocks.0.attn.in_proj_bias")
        .unwrap();
    cut.shape = vec![cut.values.len() - 1];
    cut.values.pop();
    write(&path, &damaged);
    let said = message(&path);
    assert!(
        said.contains("q_proj.bias") && said.contains("k_proj.bias"),
        "{said}"
    );
}

#[test]
fn byte_pictures_become_square_as_open_clip_makes_them() {
    let Squares {
        shape,
        picture: values,
        cut,
        filled,
    } = reference().squares;
    for (fit, expected) in [(Fit::Crop, cut), (Fit::Pad, filled)] {
        let found = list(fit.prepared(picture(shape, values.clone()), 12));
        assert_eq!(found.len(), expected.len());
        // Pillow rounds to bytes after each of two passes: 1 / 255 / 0.26 at most.
        for (a, b) in found.iter().zip(&expected) {
            assert!((f64::from(*a) - b).abs() < 0.016, "{fit:?}: {a} {b}");
        }
    }
}

#[test]
fn the_gradient_of_a_score_is_that_of_differences_and_scales_are_their_authors() {
    // The last reads all 64 pieces it has; a prompt's are beyond, so that the vocabulary is widened.
    let reference = reference();
    let mut case = reference.cases.into_iter().nth(3).unwrap();
    let table = case.shapes.get_mut("token_embedding.weight").unwrap();
    table[0] = 49_408;
    let (_folder, path) = folder(&case, "");
    let device = Device::flex();
    let shape = [3, 14, 17];
    let values: Vec<f32> = numbers(1000, 3 * 14 * 17)
        .iter()
        .map(|v| *v as f32)
        .collect();
    let mut found = Vec::new();
    for kind in [
        PromptScoreKind::Clip,
        PromptScoreKind::Pick,
        PromptScoreKind::Hps,
    ] {
        let images = read_clip(&path, &device).unwrap();
        let (texts, logit_scale) = read_clip_texts(&path, &device).unwrap();
        let scale = kind.scale(logit_scale);
        let head = kind.head(&texts, logit_scale, "a photo of a cat").unwrap();
        assert!(kind.head(&texts, logit_scale, " \n").is_err());
        let message = kind.head(&texts, logit_scale, &"cat ".repeat(300));
        let message = message.unwrap_err();
        assert!(message.contains("the prompt has 300 pieces"), "{message}");
        let judge = ClipJudge::new(images, kind.fit(), &device);
        let score = |picture: &[f32]| head.score(&judge.see(picture, shape).features);
        let mut gradient = vec![0.0; values.len()];
        let mut along_head = |_: &Seen, _: usize, slopes: &mut Seen| {
            slopes.features.copy_from_slice(&head.direction);
        };
        let seen = judge.pullback(&values, shape, &mut along_head, &mut gradient);
        let value = head.score(&seen.features);
        assert_eq!(value.to_bits(), score(&values).to_bits());
        let [slope, measured] = slopes(&values, &gradient, |picture| f64::from(score(picture)));
        let scale = f64::from(scale);
        assert!(
            (slope - measured).abs() < 0.01 * scale * (slope / scale).abs().max(0.05),
            "{slope} {measured}"
        );
        found.push(f64::from(value) / scale);
    }
    // The same cosine of a picture cut and of one filled up is none.
    assert!((found[0] - found[1]).abs() < 1e-5 && (found[0] - found[2]).abs() > 1e-4);
}
