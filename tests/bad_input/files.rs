//! Sound files of every kind, to be damaged.

use std::fmt::Write as _;

use foresight::checkpoint::{Architecture, Checkpoint, CheckpointCard};
use foresight::mixture::{Preset, World};
use foresight::model::{DenseLayer, MlpConfig};
use foresight::session::{Session, WorldRef};
use serde_json::Value;

const SMALL: MlpConfig = MlpConfig {
    hidden: 8,
    layers: 2,
    frequencies: 2,
    frequency_min: 0.8,
    frequency_max: 36.0,
    input_scale: 0.5,
};

/// A sound model file of a small network.
pub fn checkpoint() -> Vec<u8> {
    let layers = SMALL
        .shapes()
        .into_iter()
        .map(|(inputs, outputs)| DenseLayer {
            inputs,
            outputs,
            weight: (0..inputs * outputs)
                .map(|i| (i as f32 * 0.7).sin())
                .collect(),
            bias: vec![0.1; outputs],
        })
        .collect::<Vec<_>>();
    let card = CheckpointCard {
        format: 1,
        architecture: Architecture::Mlp(SMALL),
        world: World::preset(Preset::Three),
        recipe: serde_json::json!({"loss": "esd", "batch": 1024, "rate": [1e-3, 0.0]}),
        seed: 3,
        steps: 5_000,
        code_version: env!("CARGO_PKG_VERSION").into(),
        tuned: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.safetensors");
    Checkpoint::write(&path, &card, &layers).unwrap();
    std::fs::read(path).unwrap()
}

/// The file with its header, its card and its data changed.
pub fn rebuilt(file: &[u8], change: impl FnOnce(&mut Value, &mut Value, &mut Vec<u8>)) -> Vec<u8> {
    let (header, data) = split(file);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let mut data = data.to_vec();
    let card = header["__metadata__"]["foresight"].as_str().unwrap();
    let mut card: Value = serde_json::from_str(card).unwrap();
    change(&mut header, &mut card, &mut data);
    if header["__metadata__"]["foresight"].is_string() {
        header["__metadata__"]["foresight"] = card.to_string().into();
    }
    joined(header.to_string().as_bytes(), &data)
}

pub fn split(file: &[u8]) -> (&[u8], &[u8]) {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8..].split_at(length)
}

pub fn joined(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

pub fn cloud() -> String {
    (0..50).fold("x,y,w\n".to_owned(), |mut text, i| {
        let angle = f64::from(i) * 0.37;
        let _ = writeln!(
            text,
            "{:.6},{:.6},{}",
            3.0 * angle.cos(),
            angle.sin(),
            1 + i % 3
        );
        text
    })
}

pub fn session() -> String {
    Session {
        world: WorldRef::Custom(World::preset(Preset::Two)),
        ..Session::default()
    }
    .to_ron()
}
