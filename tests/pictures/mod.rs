//! What the window tests of pictures share: a map that was never trained, and patience.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use egui_kittest::Harness;

use foresight::checkpoint::{FORMAT, ImageCard, write_image_map};
use foresight::model::{Dit, DitConfig};
use foresight::ui::App;

pub type Window = Harness<'static, App>;

/// A folder with a map of digits that knows nothing.
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
    let net = Dit::init(&config, 1, &Device::flex()).expect("a sound shape");
    let card = ImageCard {
        format: FORMAT,
        model: config,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
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
    };
    write_image_map(&path, &card, &net).expect("a file for the test");
    (folder, path)
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
