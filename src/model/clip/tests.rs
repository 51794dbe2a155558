use burn::tensor::{Device, Tensor, TensorData};

use super::{
    ClipConfig, ClipHead, ClipImages, ClipLayout, ClipTextConfig, Fit, OpenClipHints, TensorShapes,
    clip_shapes,
};
use crate::model::streams::{self, numbers};
use crate::model::{WeightValues, Weights};

#[derive(serde::Deserialize)]
struct Case {
    config: ClipConfig,
    shape: [usize; 4],
    names: Vec<String>,
    slope: f64,
    prepared: Vec<f64>,
    embedding: Vec<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/reference/clip.json")).unwrap()
}

/// The weights that the script makes, by Hugging Face's names.
fn weights(case: &Case) -> Weights {
    let fresh = case.config.init(&Device::flex()).unwrap().weights();
    assert_eq!(fresh.keys().collect::<Vec<_>>(), {
        case.names.iter().collect::<Vec<_>>()
    });
    fresh
        .into_iter()
        .enumerate()
        .map(|(k, (name, WeightValues { shape, values }))| {
            let inputs: usize = shape[1..].iter().product();
            let scaled = |v: f64| {
                if shape.len() > 1 && !name.contains("position") {
                    v * (1.7 / (inputs as f64).sqrt())
                } else if name.contains("norm") && name.ends_with("weight") {
                    1.0 + 0.5 * v
                } else {
                    0.3 * v
                }
            };
            let values = numbers(k as u32, values.len());
            let values = values.into_iter().map(|v| scaled(v) as f32).collect();
            (name, WeightValues { shape, values })
        })
        .collect()
}

fn network(case: &Case, device: &Device) -> ClipImages {
    let fresh = case.config.init(device).unwrap();
    fresh.with_weights(weights(case)).unwrap()
}

fn pictures(key: u32, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = numbers(key, shape.iter().product());
    let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn assert_close<const D: usize>(found: Tensor<D>, expected: &[f64], what: &str) {
    let found: Vec<f32> = found.into_data().try_to_vec().unwrap();
    streams::assert_close(&found, expected, what);
}

#[test]
fn pictures_and_embeddings_are_the_numbers_of_an_independent_implementation() {
    let device = Device::flex();
    for case in cases() {
        let x = pictures(1000, case.shape, &device);
        let pixels = Fit::Crop.prepared(x.clone(), case.config.image_size);
        assert_close(pixels, &case.prepared, "prepared");
        assert_close(
            network(&case, &device).embed(x),
            &case.embedding,
            "embedding",
        );
    }
}

#[test]
fn the_gradient_to_the_picture_is_that_of_central_differences() {
    let device = Device::flex().autodiff();
    for case in cases() {
        let x = pictures(1000, case.shape, &device).require_grad();
        let embedding = network(&case, &device).embed(x.clone());
        let [batch, width] = embedding.dims();
        let weight: Vec<f32> = numbers(1003, batch * width)
            .into_iter()
            .map(|v| v as f32)
            .collect();
        let data = TensorData::new(weight, [batch, width]);
        let sum = (embedding * Tensor::<2>::from_data(data, &device)).sum();
        let gradient = x.grad(&sum.backward()).unwrap().into_data();
        let gradient: Vec<f32> = gradient.try_to_vec().unwrap();
        let along = numbers(1002, gradient.len());
        let slope: f64 = gradient
            .iter()
            .zip(along)
            .map(|(g, d)| f64::from(*g) * d)
            .sum();
        assert!((slope - case.slope).abs() < 1e-4, "{slope} {}", case.slope);
    }
}

#[test]
fn weights_go_out_and_come_back_and_a_text_tower_is_left_aside() {
    let case = &cases()[0];
    let device = Device::flex();
    let weights = weights(case);
    assert_eq!(network(case, &device).weights(), weights);
    let mut whole = weights.clone();
    let any = whole["visual_projection.weight"].clone();
    for name in [
        "text_model.final_layer_norm.bias",
        "logit_scale",
        "text_projection.weight",
        "vision_model.embeddings.position_ids",
    ] {
        whole.insert(name.into(), any.clone());
    }
    let fresh = || case.config.init(&device).unwrap();
    assert_eq!(
        fresh().with_weights(whole.clone()).unwrap().weights(),
        weights
    );
    whole.remove("vision_model.pre_layrnorm.bias");
    whole.insert("vision_model.strange".into(), any);
    let misfit = fresh().with_weights(whole).unwrap_err();
    assert_eq!(misfit.missing, ["vision_model.pre_layrnorm.bias"]);
    assert_eq!(misfit.unexpected, ["vision_model.strange"]);
}

#[test]
fn a_head_of_several_layers_is_one_affine_function() {
    let tensor = |shape: &[usize], values: &[f32]| WeightValues {
        shape: shape.to_vec(),
        values: values.to_vec(),
    };
    // 2 (1 x + 2 y + 3) - (4 x - 1 y + 5) + 7
    let mut weights = Weights::from([
        (
            "layers.0.weight".into(),
            tensor(&[2, 2], &[1.0, 2.0, 4.0, -1.0]),
        ),
        ("layers.0.bias".into(), tensor(&[2], &[3.0, 5.0])),
        ("layers.2.weight".into(), tensor(&[1, 2], &[2.0, -1.0])),
        ("layers.2.bias".into(), tensor(&[1], &[7.0])),
    ]);
    let head = ClipHead::of(&weights).unwrap();
    assert_eq!((&head.direction[..], head.offset), (&[-2.0, 5.0][..], 8.0));
    assert_eq!(head.score(&[1.0, 2.0]), 16.0);
    let two = Tensor::<2>::from_floats([[1.0, 2.0], [0.0, 0.0]], &Device::flex());
    let scores: Vec<f32> = head.scores(two).into_data().try_to_vec().unwrap();
    assert_eq!(scores, [16.0, 8.0]);

    weights.get_mut("layers.2.weight").unwrap().shape = vec![2, 1];
    let message = ClipHead::of(&weights).unwrap_err();
    assert!(message.contains("layers.2.weight"), "{message}");
    weights.remove("layers.2.bias");
    let message = ClipHead::of(&weights).unwrap_err();
    assert!(message.contains("layers.2.bias is missing"), "{message}");
    assert!(ClipHead::of(&Weights::new()).is_err());
}

#[test]
fn the_published_shapes_are_read_and_absurd_ones_refused_by_field() {
    let text = |field: &str, value: &str| {
        let mut tower = serde_json::json!({
            "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24,
            "patch_size": 14, "projection_dim": 768, "dropout": 0.0
        });
        tower[field] = serde_json::from_str(value).unwrap();
        serde_json::json!({ "vision_config": tower, "projection_dim": 768, "model_type": "clip" })
            .to_string()
    };
    let config = ClipConfig::from_json(&text("dropout", "0.1")).unwrap();
    assert_eq!(config, ClipConfig::large());
    assert_eq!(config.tokens(), 257);
    for (field, value) in [
        ("hidden_size", "1152921504606846976"),
        ("patch_size", "15"),
        ("num_attention_heads", "7"),
        ("hidden_act", "\"relu\""),
        ("layer_norm_eps", "0"),
        ("num_hidden_layers", "0"),
    ] {
        let message = ClipConfig::from_json(&text(field, value)).unwrap_err();
        assert!(message.contains(field), "{field}: {message}");
    }
}

#[test]
fn the_published_shapes_are_read_off_the_weights() {
    // Width, patch, layers, heads and inner width of both towers, and the numbers of an embedding.
    for (image, text, numbers, layout, act) in [
        (
            (768, 32, 12, 12),
            (512, 12, 8),
            512,
            ClipLayout::HuggingFace,
            "quick_gelu",
        ),
        (
            (768, 16, 12, 12),
            (512, 12, 8),
            512,
            ClipLayout::OpenClip,
            "gelu",
        ),
        (
            (1024, 14, 24, 16),
            (768, 12, 12),
            768,
            ClipLayout::HuggingFace,
            "quick_gelu",
        ),
        (
            (1280, 14, 32, 16),
            (1024, 24, 16),
            1024,
            ClipLayout::HuggingFace,
            "gelu",
        ),
        (
            (1280, 14, 32, 16),
            (1024, 24, 16),
            1024,
            ClipLayout::OpenClip,
            "gelu",
        ),
    ] {
        let places = (224 / image.1) * (224 / image.1) + 1;
        let mut shapes: TensorShapes = [
            (
                "vision_model.embeddings.patch_embedding.weight",
                vec![image.0, 3, image.1, image.1],
            ),
            (
                "vision_model.embeddings.position_embedding.weight",
                vec![places, image.0],
            ),
            ("visual_projection.weight", vec![numbers, image.0]),
            (
                "text_model.embeddings.token_embedding.weight",
                vec![49_408, text.0],
            ),
            (
                "text_model.embeddings.position_embedding.weight",
                vec![77, text.0],
            ),
            ("text_projection.weight", vec![numbers, text.0]),
        ]
        .into_iter()
        .map(|(name, shape)| (name.to_owned(), shape))
        .collect();
        for (tower, layers, width) in [
            ("vision_model", image.2, image.0),
            ("text_model", text.1, text.0),
        ] {
            for i in 0..layers {
                let name = format!("{tower}.encoder.layers.{i}.mlp.fc1.weight");
                shapes.insert(name, vec![4 * width, width]);
            }
        }
        let hints = OpenClipHints::default();
        let (images, texts) = clip_shapes(&shapes, layout, &hints).unwrap();
        let expected = ClipConfig {
            patch_size: image.1,
            hidden_size: image.0,
            intermediate_size: 4 * image.0,
            num_hidden_layers: image.2,
            num_attention_heads: image.3,
            projection_dim: numbers,
            hidden_act: act.into(),
            ..ClipConfig::default()
        };
        assert_eq!(images, expected);
        let expected = ClipTextConfig {
            hidden_size: text.0,
            intermediate_size: 4 * text.0,
            num_hidden_layers: text.1,
            num_attention_heads: text.2,
            projection_dim: numbers,
            hidden_act: act.into(),
            eos_token_id: 2,
            ..ClipTextConfig::default()
        };
        assert_eq!(texts, Some(expected));
        let crooked = shapes
            .get_mut("vision_model.embeddings.position_embedding.weight")
            .unwrap();
        crooked[0] += 1;
        assert!(
            clip_shapes(&shapes, layout, &hints)
                .unwrap_err()
                .contains("positions")
        );
    }
    let hints = r#"{"model_cfg": {"embed_dim": 10, "quick_gelu": true, "vision_cfg": {"head_width": 8},
        "text_cfg": {"heads": 3, "width": 12}}, "preprocess_cfg": {}}"#;
    let hints = OpenClipHints::from_json(hints).unwrap();
    assert_eq!(
        (hints.quick_gelu, hints.head_width, hints.text_heads),
        (true, Some(8), Some(3))
    );
}
