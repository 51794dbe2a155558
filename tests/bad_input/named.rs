//! One test for each kind of damage that a person is likely to meet: the message has the path, the cause and a hint.

use std::path::Path;

use foresight::checkpoint::{Checkpoint, inspect};
use foresight::lookahead::{NoiseKey, Source};
use foresight::metrics::Counters;
use foresight::mixture::{Preset, World};
use foresight::session::Session;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::MEMORY_BASE;
use crate::files::{checkpoint, joined, rebuilt};
use crate::memory::peak_of;

/// Writes `bytes` into a folder with a telling name, reads it, and checks that the message has the path and the hints.
fn refused<T>(bytes: &[u8], name: &str, read: impl Fn(&Path) -> Result<T, String>, hints: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    refused_at(&path, read, hints);
}

fn refused_at<T>(path: &Path, read: impl Fn(&Path) -> Result<T, String>, hints: &[&str]) {
    let Err(message) = read(path) else {
        panic!("{} was accepted", path.display());
    };
    for part in hints.iter().chain([&path.to_str().unwrap()]) {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

fn open_model(path: &Path) -> Result<Checkpoint, String> {
    Checkpoint::read(path).map_err(|e| e.to_string())
}

fn open_world(path: &Path) -> Result<World, String> {
    World::load(path).map_err(|e| e.to_string())
}

fn open_session(path: &Path) -> Result<Session, String> {
    Session::load(path).map_err(|e| e.to_string())
}

#[test]
fn a_truncated_checkpoint_is_refused_with_its_path() {
    let model = checkpoint();
    for keep in [1, 7, 8, 100, model.len() / 2, model.len() - 1] {
        refused(
            &model[..keep],
            "cut.safetensors",
            open_model,
            &["fetch or write it again"],
        );
    }
}

#[test]
fn an_empty_checkpoint_is_refused_with_its_path() {
    refused(
        b"",
        "empty.safetensors",
        open_model,
        &["is empty", "fetch it again"],
    );
}

#[test]
fn a_random_checkpoint_is_refused_with_its_path() {
    let mut bytes = vec![0; 10_000];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
    refused(
        &bytes,
        "random.safetensors",
        open_model,
        &["not a safetensors file"],
    );
}

#[test]
fn a_checkpoint_of_the_wrong_shape_is_refused_by_tensor() {
    let model = checkpoint();
    let turned = rebuilt(&model, |header, _, _| {
        let shape = header["layers.0.weight"]["shape"].as_array_mut().unwrap();
        shape.reverse();
    });
    refused(
        &turned,
        "w.safetensors",
        open_model,
        &["layers.0.weight", "was expected"],
    );
    let narrow = rebuilt(&model, |_, card, _| set_config(card, "hidden", 16.into()));
    refused(
        &narrow,
        "w.safetensors",
        open_model,
        &["layers.0.weight", "[16, 19] was expected"],
    );
    let missing = rebuilt(&model, |_, card, _| set_config(card, "layers", 3.into()));
    refused(&missing, "w.safetensors", open_model, &["layers.2.weight"]);
    let more = rebuilt(&model, |header, _, _| {
        header["layers.9.bias"] =
            serde_json::json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    });
    refused(
        &more,
        "w.safetensors",
        open_model,
        &["layers.9.bias", "does not belong"],
    );
    let integers = rebuilt(&model, |header, _, _| {
        header["layers.0.bias"]["dtype"] = "I32".into();
    });
    refused(
        &integers,
        "w.safetensors",
        open_model,
        &["layers.0.bias", "type I32"],
    );
}

/// Sets a field of the network's configuration, wherever the card keeps it.
fn set_config(card: &mut Value, field: &str, value: Value) {
    fn find<'a>(node: &'a mut Value, field: &str) -> Option<&'a mut Value> {
        let map = node.as_object_mut()?;
        if map.contains_key(field) {
            return map.get_mut(field);
        }
        map.values_mut().find_map(|inner| find(inner, field))
    }
    *find(&mut card["architecture"], field).expect("a field of the configuration") = value;
}

#[test]
fn a_checkpoint_filled_with_nan_is_refused_by_tensor() {
    let nan = rebuilt(&checkpoint(), |_, _, data| {
        for number in data.chunks_exact_mut(4) {
            number.copy_from_slice(&f32::NAN.to_le_bytes());
        }
    });
    refused(
        &nan,
        "nan.safetensors",
        open_model,
        &["layers.0.weight", "NaN", "finite"],
    );
}

#[test]
fn an_oversized_checkpoint_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.safetensors");
    let header = |bytes: u64| {
        format!(r#"{{"w":{{"dtype":"U8","shape":[{bytes}],"data_offsets":[0,{bytes}]}}}}"#)
    };
    let length = (1 << 40) - 8;
    // Its own length changes nothing: the number has as many digits either way.
    let foreign = header(length - header(length).len() as u64);
    for (start, hints) in [
        // A sound model, then a terabyte of nothing.
        (checkpoint(), &["bytes of data"][..]),
        // Nothing at all.
        (vec![], &["even an empty one has 2"][..]),
        // Another program's model, of that size indeed.
        (
            joined(foreign.as_bytes(), b""),
            &["1099511627776 bytes", "Is this the right file?"][..],
        ),
    ] {
        std::fs::write(&path, start).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        if file.set_len(1 << 40).is_err() {
            return; // This file system has no sparse files.
        }
        let ((), peak) = peak_of(|| refused_at(&path, open_model, hints));
        assert!(peak < MEMORY_BASE, "{peak} bytes of memory");
    }
}

#[test]
fn a_checkpoint_that_claims_an_absurd_network_is_refused_before_memory_is_taken() {
    let model = checkpoint();
    for (field, value) in [
        ("hidden", u64::MAX),
        ("hidden", 8_192),
        ("hidden", 0),
        ("layers", 1 << 40),
        ("frequencies", 1 << 40),
    ] {
        let absurd = rebuilt(&model, |_, card, _| set_config(card, field, value.into()));
        let ((), peak) =
            peak_of(|| refused(&absurd, "a.safetensors", open_model, &["foresight train"]));
        assert!(
            peak < MEMORY_BASE,
            "{field} = {value}: {peak} bytes of memory"
        );
    }
}

#[test]
fn cards_that_are_damaged_or_from_the_future_are_refused_with_what_to_do() {
    let model = checkpoint();
    let later = rebuilt(&model, |_, card, _| card["format"] = 2.into());
    refused(
        &later,
        "c.safetensors",
        open_model,
        &["format 2", "newer Foresight"],
    );
    let none = rebuilt(&model, |header, _, _| {
        header["__metadata__"] = serde_json::json!({});
    });
    refused(
        &none,
        "c.safetensors",
        open_model,
        &["not a Foresight model", "inspect"],
    );
    let world = rebuilt(&model, |_, card, _| {
        card["world"]["mixture"] = serde_json::json!({"modes": []});
    });
    refused(
        &world,
        "c.safetensors",
        open_model,
        &["card", "at least one mode"],
    );
    let long = rebuilt(&model, |_, card, _| {
        card["recipe"] = "x".repeat(2 << 20).into();
    });
    refused(
        &long,
        "c.safetensors",
        open_model,
        &["1048576 are the most"],
    );
}

#[test]
fn pytorch_files_are_no_models_of_2d_worlds_and_broken_ones_are_refused_with_their_path() {
    let mut zip = b"PK\x03\x04\0\0\x08\x08".to_vec();
    zip.resize(30, 0);
    zip.extend_from_slice(b"model/data.pkl");
    let old = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    for bytes in [zip, old] {
        refused(
            &bytes,
            "model.pt",
            open_model,
            &["PyTorch", "safetensors only", "foresight inspect"],
        );
        refused(
            &bytes,
            "model.pt",
            |p| inspect(p).map_err(|e| e.to_string()),
            &["fetch it again"],
        );
    }
}

#[test]
fn a_path_that_is_no_file_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    refused_at(folder.path(), open_model, &["not a regular file"]);
    refused_at(
        &folder.path().join("none.safetensors"),
        open_model,
        &["Check that the file exists"],
    );
    refused_at(&folder.path().join("none.ron"), open_world, &[]);
    refused_at(
        &folder.path().join("none.ron"),
        open_session,
        &["Check that the file exists"],
    );
}

#[test]
fn inspect_lists_a_faulty_model_and_says_why_it_cannot_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.safetensors");
    std::fs::write(&path, checkpoint()).unwrap();
    let sound = inspect(&path).unwrap();
    assert!(sound.warnings.is_empty(), "{:?}", sound.warnings);
    let text = sound.to_string();
    for part in [
        "three",
        "layers.0.weight",
        "F32",
        "[8, 19]",
        "5,000",
        "2 hidden layers of 8",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let nan = rebuilt(&checkpoint(), |_, _, data| {
        data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
    std::fs::write(&path, nan).unwrap();
    let text = inspect(&path).unwrap().to_string();
    assert!(
        text.contains("warning: It cannot be run") && text.contains("inf"),
        "{text}"
    );
}

#[test]
fn worlds_with_unknown_fields_or_impossible_modes_are_refused_with_path_and_reason() {
    let good = World::preset(Preset::Two).to_ron();
    for (find, put, hint) in [
        ("name:", "colour: 3, name:", "colour"),
        ("xx: 0.25", "xx: 0.0", "positive"),
        ("xy: 0.0", "xy: 0.25", "singular"),
        ("xy: 0.0", "xy: NaN", "finite"),
        ("weight: 0.7", "weight: 0.0", "above 0"),
        ("-2.0", "inf", "mean"),
        ("modes: [", "modes: [", ""),
    ] {
        let bad = good.replacen(find, put, 1);
        if bad == good {
            assert!(hint.is_empty(), "{find} is not in {good}");
            continue;
        }
        refused(bad.as_bytes(), "bad.ron", open_world, &[hint]);
    }
    refused(b"\xff\xfe", "bad.ron", open_world, &[]);
    refused(b"", "bad.ron", open_world, &[]);
}

#[test]
fn sessions_with_unknown_fields_or_times_outside_the_unit_interval_are_refused() {
    for (text, hint) in [
        ("(colour: 3)", "colour"),
        ("(t: 1.5)", "[0, 1]"),
        ("(t: -0.1)", "[0, 1]"),
        ("(t: NaN)", "[0, 1]"),
        ("(anchor: (t: 2.0, x: (0.0, 0.0)))", "anchor.t"),
        ("(draws: 2000000)", "1,000,000"),
        ("(format: 7)", "format"),
    ] {
        refused(text.as_bytes(), "bad.ron", open_session, &[hint]);
    }
}

#[test]
fn point_clouds_with_bad_rows_are_refused_by_line() {
    for (text, hint) in [
        ("x,y\n1,two\n", "line 2: \"two\" is not a number"),
        ("x,y\n1,2\ninf,0\n", "line 3: the coordinate inf"),
        ("x,y\n1,2,-3\n", "line 2: the weight -3"),
        ("x,y\n", "no points"),
        ("", "no points"),
        ("hello\n", "x,y"),
    ] {
        refused(text.as_bytes(), "bad.csv", open_world, &[hint]);
    }
}

#[test]
fn one_row_is_a_world_and_a_million_rows_are_refused_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.csv");
    std::fs::write(&path, "x,y\n0.5,-1\n").unwrap();
    assert_eq!(World::load(&path).unwrap().mixture.modes().len(), 1);
    let million = "0.5,-1\n".repeat(1_000_000);
    refused(
        million.as_bytes(),
        "many.csv",
        open_world,
        &["1000000 rows", "take a random subset"],
    );
}

#[test]
fn oversized_text_files_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["huge.ron", "huge.csv"] {
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        if file.set_len(1 << 40).is_err() {
            return; // This file system has no sparse files.
        }
        let ((), peak) = peak_of(|| refused_at(&path, open_world, &["1099511627776 bytes"]));
        assert!(peak < MEMORY_BASE, "{peak} bytes of memory");
        refused_at(
            &path,
            open_session,
            &["1099511627776 bytes", "Is this the right file?"],
        );
    }
}

#[test]
fn a_time_outside_the_unit_interval_is_refused_before_anything_is_drawn() {
    let world = World::preset(Preset::Two).mixture;
    for t in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        let mut out = [[0.0; 2]; 4];
        let refused = foresight::lookahead::draw(
            Source::Exact,
            &world,
            None,
            (t, [0.0, 0.0]),
            NoiseKey { seed: 3, state: 0 },
            0,
            &mut out,
            &mut Counters::default(),
            &mut |_| true,
        );
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("must lie in [0, 1]"), "{message}");
        assert_eq!(out, [[0.0; 2]; 4]);
    }
}
