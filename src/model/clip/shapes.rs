//! The shapes of both towers from those of their weights, for files that come without a `config.json`. What weights do
//! not say of themselves is as in the towers that were published: heads of 64 numbers (80 in H/14, 88 in g/14, 104 in
//! G/14), and OpenAI's approximation of the GELU in Hugging Face's files of its sizes.

use std::collections::BTreeMap;

use super::config::QUICK;
use super::{ClipConfig, ClipLayout, ClipTextConfig, OpenClipHints};

/// Shapes of tensors by Hugging Face's names, those that are kept exchanged turned back.
pub type TensorShapes = BTreeMap<String, Vec<usize>>;

/// The shapes of the image tower and, where there is one, of the text tower.
///
/// # Errors
/// When tensors that tell are missing or make no sense.
pub fn clip_shapes(
    shapes: &TensorShapes,
    layout: ClipLayout,
    hints: &OpenClipHints,
) -> Result<(ClipConfig, Option<ClipTextConfig>), String> {
    let images = images(shapes, layout, hints)?;
    let texts = if shapes.contains_key("text_model.embeddings.token_embedding.weight") {
        Some(texts(shapes, &images, hints)?)
    } else {
        None
    };
    Ok((images, texts))
}

fn images(
    shapes: &TensorShapes,
    layout: ClipLayout,
    hints: &OpenClipHints,
) -> Result<ClipConfig, String> {
    let kernel = "vision_model.embeddings.patch_embedding.weight";
    let [hidden_size, _, patch_size, _] = dims(shapes, kernel)?;
    let [places, _] = dims(shapes, "vision_model.embeddings.position_embedding.weight")?;
    let [projection_dim, _] = dims(shapes, "visual_projection.weight")?;
    let [intermediate_size, _] = dims(shapes, "vision_model.encoder.layers.0.mlp.fc1.weight")?;
    let patches = places.saturating_sub(1);
    let side = patches.isqrt();
    if side * side != patches || side == 0 {
        return Err(format!(
            "{places} positions are not those of a square of patches and one more"
        ));
    }
    let head_width = hints.head_width.unwrap_or(match hidden_size {
        1_280 => 80,
        1_408 => 88,
        1_664 => 104,
        _ => 64.min(hidden_size),
    });
    let quick = match layout {
        ClipLayout::OpenClip => hints.quick_gelu,
        // OpenAI published none as wide as H/14.
        ClipLayout::HuggingFace => hidden_size < 1_280,
    };
    let config = ClipConfig {
        image_size: side.saturating_mul(patch_size),
        patch_size,
        hidden_size,
        intermediate_size,
        num_hidden_layers: layers(shapes, "vision_model"),
        num_attention_heads: hidden_size.checked_div(head_width).unwrap_or(0),
        projection_dim,
        hidden_act: if quick { QUICK } else { "gelu" }.into(),
        ..ClipConfig::default()
    };
    config.validate()?;
    Ok(config)
}

fn texts(
    shapes: &TensorShapes,
    images: &ClipConfig,
    hints: &OpenClipHints,
) -> Result<ClipTextConfig, String> {
    let [vocab_size, hidden_size] = dims(shapes, "text_model.embeddings.token_embedding.weight")?;
    let [places, _] = dims(shapes, "text_model.embeddings.position_embedding.weight")?;
    let [projection_dim, _] = dims(shapes, "text_projection.weight")?;
    let [intermediate_size, _] = dims(shapes, "text_model.encoder.layers.0.mlp.fc1.weight")?;
    let config = ClipTextConfig {
        vocab_size,
        max_position_embeddings: places,
        hidden_size,
        intermediate_size,
        num_hidden_layers: layers(shapes, "text_model"),
        num_attention_heads: hints
            .text_heads
            .unwrap_or(hidden_size / 64.min(hidden_size.max(1))),
        projection_dim,
        hidden_act: images.hidden_act.clone(),
        // The greatest number of the text, as OpenCLIP reads it off; the marker at its end in Hugging Face's.
        eos_token_id: 2,
        ..ClipTextConfig::default()
    };
    config.validate()?;
    Ok(config)
}

fn dims<const N: usize>(shapes: &TensorShapes, name: &str) -> Result<[usize; N], String> {
    let shape = shapes.get(name).ok_or(format!("{name} is missing"))?;
    let wrong = |_| format!("{name} has the shape {shape:?}");
    shape.clone().try_into().map_err(wrong)
}

/// Layers that a tower has: one more than the greatest number.
fn layers(shapes: &TensorShapes, tower: &str) -> usize {
    let first = format!("{tower}.encoder.layers.");
    shapes
        .keys()
        .filter_map(|name| {
            name.strip_prefix(&first)?
                .split_once('.')?
                .0
                .parse::<usize>()
                .ok()
        })
        .max()
        .map_or(0, |last| last.saturating_add(1))
}
