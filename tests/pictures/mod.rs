//! What the window tests of pictures share: a map whose draws differ, and patience.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::{DType, Device};
use egui_kittest::Harness;

use foresight::checkpoint::{FORMAT, ImageCard, write_image_map};
use foresight::model::{Dit, DitConfig};
use foresight::ui::App;

pub type Window = Harness<'static, App>;

/// A folder with a map of digits that knows nothing, but whose every draw is another, as of one that was trained.
pub fn map() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("tiny.safetensors");
    let config = DitConfig {
        hidden_size: 24,
        depth: 2,
        num_heads: 2,
        encoder_depth: 1,
        ..DitConfig::digits()
    };
    let classes = (0..10).map(|digit| digit.to_string());
    let card = card(&config, classes.collect());
    write_image_map(&path, &card, &alive(&config)).expect("a file for the test");
    (folder, path)
}

/// The card of a map that learned nothing.
pub fn card(model: &DitConfig, classes: Vec<String>) -> ImageCard {
    ImageCard {
        format: FORMAT,
        model: model.clone(),
        classes,
        data: "nothing".into(),
        recipe: serde_json::Value::Null,
        seed: 1,
        steps: 0,
        code_version: "0".into(),
        licence: "none".into(),
        hours: None,
        hardware: None,
        figures: BTreeMap::new(),
        tuned: None,
    }
}

/// A network with every weight alive: a fresh one begins with zeros that make all its draws the same.
fn alive(config: &DitConfig) -> Dit {
    let device = Device::flex();
    let fresh = Dit::init(config, 1, &device).expect("a sound shape");
    let weights = fresh.weights().into_iter();
    let mut weights: HashMap<String, Vec<f32>> = weights.map(|w| (w.name, w.values)).collect();
    let mut count = 0_u32;
    let mut moved = |name: &str, shape: &[usize]| {
        let mut values = weights.remove(name).expect("the same names");
        let inputs: usize = shape[1..].iter().product();
        let scale = 0.7 / (inputs as f32).sqrt();
        for value in &mut values {
            count += 1;
            *value += scale * (1.7 * count as f32).sin();
        }
        Ok::<_, Infallible>(values)
    };
    let Ok(net) = Dit::read(config, &device, DType::F32, &mut moved);
    net
}

/// Steps until it is so: pictures come from the engine's own thread.
pub fn wait_until(window: &mut Window, what: &str, done: impl Fn(&Window) -> bool) {
    let begun = Instant::now();
    while !done(window) {
        assert!(begun.elapsed() < Duration::from_mins(5), "{what}");
        std::thread::sleep(Duration::from_millis(5));
        window.step();
    }
    // What came is shown.
    window.run_steps(2);
}
