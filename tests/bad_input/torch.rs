//! PyTorch files: sound ones open as the same network as safetensors, and of the others nothing is ever run.

use std::io::{Cursor, Write};

use burn::tensor::{DType, Device};
use foresight::checkpoint::{inspect, open_image_map, read_dit};
use foresight::model::{Dit, Weight};
use half::{bf16, f16};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::damage::damage;
use crate::data::{read_transformer, small, transformer};
use crate::fuzz::survives_within;
use crate::torch_file::{Pickled, Written, archive, saved, saved_of_old, zip};

/// Memory beside a multiple of the file's size: a few thousand values are allowed in the shortest pickle, and each may
/// be a container.
const SMALL_PICKLE: usize = 2 << 20;

fn weights() -> Vec<Weight> {
    Dit::init(&small(), 1, &Device::flex()).unwrap().weights()
}

/// A network's tensors in one of PyTorch's types, under a prefix.
fn tensors(weights: &[Weight], class: &'static str, prefix: &str) -> Vec<Written> {
    weights
        .iter()
        .map(|w| {
            let mut tensor = Written::floats(&format!("{prefix}{}", w.name), &w.shape, &w.values);
            let halves = |of: fn(f32) -> [u8; 2]| w.values.iter().flat_map(|v| of(*v)).collect();
            match class {
                "HalfStorage" => tensor.bytes = halves(|v| f16::from_f32(v).to_le_bytes()),
                "BFloat16Storage" => tensor.bytes = halves(|v| bf16::from_f32(v).to_le_bytes()),
                _ => return tensor,
            }
            (tensor.class, tensor.width) = (class, 2);
            tensor
        })
        .collect()
}

fn read(bytes: &[u8]) -> Result<Vec<Weight>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pt");
    std::fs::write(&path, bytes).unwrap();
    let read = read_dit(&path, &small(), &Device::flex(), DType::F32);
    let message = match read {
        Ok(dit) => return Ok(dit.weights()),
        Err(e) => e.to_string(),
    };
    assert!(message.contains("net.pt"), "the path: {message}");
    Err(message)
}

#[test]
fn what_pytorch_saves_opens_as_the_same_network_as_safetensors() {
    let weights = weights();
    for prefix in ["", "model.dit.", "module.", "_orig_mod.model.", "dit."] {
        let plain = tensors(&weights, "FloatStorage", prefix);
        assert_eq!(read(&saved(&plain)).unwrap(), weights, "{prefix}");
        assert_eq!(read(&saved_of_old(&plain)).unwrap(), weights, "{prefix}");
    }
    for (class, round) in [
        (
            "HalfStorage",
            (|v| f16::from_f32(v).to_f32()) as fn(f32) -> f32,
        ),
        ("BFloat16Storage", |v| bf16::from_f32(v).to_f32()),
    ] {
        for file in [
            saved(&tensors(&weights, class, "")),
            saved_of_old(&tensors(&weights, class, "")),
        ] {
            for (found, exact) in read(&file).unwrap().iter().zip(&weights) {
                let rounded: Vec<f32> = exact.values.iter().map(|v| round(*v)).collect();
                assert_eq!(found.values, rounded, "{class}: {}", exact.name);
            }
        }
    }
    read_transformer(&transformer()).unwrap();
}

#[test]
fn of_a_training_state_the_moving_average_is_read_and_views_are_followed() {
    let averaged = weights();
    let mut last = averaged.clone();
    for v in last.iter_mut().flat_map(|w| &mut w.values) {
        *v += 1.0;
    }
    let last = tensors(&last, "FloatStorage", "");
    let mut ema = tensors(&averaged, "FloatStorage", "dit.");
    // One matrix is stored column by column, as a transposed tensor is.
    let matrix = ema.iter_mut().find(|t| t.name.ends_with("mlp.fc1.weight"));
    let matrix = matrix.unwrap();
    let [rows, columns] = matrix.shape[..] else {
        panic!("a matrix")
    };
    let number = |row: usize, column: usize| 4 * (row * columns + column);
    matrix.bytes = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| (row, column)))
        .flat_map(|(row, column)| matrix.bytes[number(row, column)..][..4].to_vec())
        .collect();
    matrix.strides = Some(vec![1, rows]);

    let pickle = Pickled::new()
        .op(b"}(")
        .text("state_dict")
        .dict(&last, 0, false)
        .text("ema")
        .dict(&ema, last.len(), false)
        .text("step")
        .int(7)
        .text("rates")
        .op(b"]G\0\0\0\0\0\0\0\0a")
        .op(b"u")
        .end();
    let storages: Vec<_> = last.iter().chain(&ema).map(|t| t.bytes.clone()).collect();
    assert_eq!(read(&archive(&pickle, &storages)).unwrap(), averaged);
}

#[test]
fn a_pytorch_file_is_listed_and_opens_as_a_map_of_images_with_its_shape_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.pth");
    let file = saved(&tensors(&weights(), "FloatStorage", "model."));
    std::fs::write(&path, file).unwrap();
    let text = inspect(&path).unwrap().to_string();
    for part in [
        "kind          PyTorch\n",
        "model.x_embedder.proj.weight",
        "F32",
        "config.json",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let message = open_image_map(&path).err().unwrap().to_string();
    for part in ["net.pth", "NAME.yaml"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let shape = serde_json::to_string(&small()).unwrap();
    std::fs::write(folder.path().join("net.json"), shape).unwrap();
    let (card, map) = open_image_map(&path).unwrap();
    assert_eq!(map.config().state(), small().state());
    assert_eq!((card.classes.len(), card.steps), (small().label_dim, 0));
    let text = inspect(&path).unwrap().to_string();
    assert!(text.contains("net.json"), "{text}");
}

/// The messages of files whose pickle is `pickle`, with one storage of four numbers.
fn refused(pickle: Pickled, parts: &[&str]) {
    let message = read(&archive(&pickle.end(), &[vec![0; 16]])).unwrap_err();
    for part in parts {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_pickle_that_asks_for_more_than_tensors_is_refused_by_name_and_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let proof = folder.path().join("was_run");
    let command = format!("touch {}", proof.display());
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("torch", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch", "ComplexFloatStorage"),
    ] {
        let call = Pickled::new().global(module, name).text(&command);
        let named = format!("{module}.{name}");
        refused(call.op(b"\x85R"), &[&named, "never run", "state_dict"]);
        // The same by protocol 4.
        let call = Pickled::new().text(module).text(name).op(b"\x93");
        refused(call.text(&command).op(b"\x85R"), &[&named, "never run"]);
    }
    assert!(!proof.exists());
    for (opcode, name) in [
        (&b"i"[..], "INST"),
        (b"o", "OBJ"),
        (b"\x81", "NEWOBJ"),
        (b"\x82\x01", "EXT"),
        (b"P", "PERSID"),
        (b"\xff", "0xff"),
    ] {
        refused(Pickled::new().op(opcode), &[name, "never run"]);
    }
    let object = Pickled::new().dict(&[], 0, false).op(b"]}b");
    refused(object, &["attributes of an object"]);
}

#[test]
fn tensors_that_do_not_fit_their_storage_are_refused_by_name() {
    let one = |shape: &[usize], strides: Option<&[usize]>, count: usize| {
        let tensor = Written {
            shape: shape.to_vec(),
            strides: strides.map(<[usize]>::to_vec),
            ..Written::floats("w", &[4], &[0.0; 4])
        };
        let start = Pickled::new().op(b"}").text("w\u{1b}[31m");
        start.tensor(&tensor, "0", count, false).op(b"s")
    };
    refused(
        one(&[1 << 60], None, 4),
        &["tensor w", "larger than its storage"],
    );
    refused(
        one(&[1 << 40, 1 << 40], None, 4),
        &["larger than its storage"],
    );
    refused(one(&[1 << 60], None, 1 << 60), &["storage needs", "has 16"]);
    refused(one(&[1 << 62], None, 1 << 62), &["claims"]);
    refused(one(&[4], Some(&[2]), 4), &["lead outside its storage"]);
    refused(
        one(&[2, 2], Some(&[usize::MAX >> 1, 1]), 4),
        &["lead outside"],
    );
    // An expanded tensor: four billion times the same number.
    refused(one(&[1 << 32], Some(&[0]), 4), &["larger than its storage"]);
    refused(one(&[1; 9], None, 4), &["too many dimensions"]);
    refused(one(&[4], None, 5), &["needs 20 bytes"]);
    let tensor = Written::floats("w", &[4], &[0.0; 4]);
    let other = Pickled::new()
        .op(b"}")
        .text("w")
        .tensor(&tensor, "../7", 4, false);
    refused(other.op(b"s"), &["model/data/../7 is not in the file"]);
    let twice = Pickled::new().dict(&[tensor.clone(), tensor], 0, false);
    let message = read(&archive(&twice.end(), &[vec![0; 16], vec![0; 16]])).unwrap_err();
    assert!(message.contains("w is listed twice"), "{message}");
}

#[test]
fn missing_unexpected_and_infinite_weights_are_named() {
    let mut all = tensors(&weights(), "FloatStorage", "model.dit.");
    let bias = all
        .iter()
        .position(|t| t.name.ends_with("fc1.bias"))
        .unwrap();
    let infinite = f32::INFINITY.to_le_bytes();
    all[bias].bytes[4..8].copy_from_slice(&infinite);
    let message = read(&saved(&all)).unwrap_err();
    for part in ["model.dit.blocks.0.mlp.fc1.bias", "inf at element 1"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    all[bias].name = "model.dit.strange".into();
    let message = read(&saved(&all)).unwrap_err();
    for part in [
        "1 missing (model.dit.blocks.0.mlp.fc1.bias)",
        "1 unexpected (model.dit.strange)",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn broken_archives_are_refused_with_what_to_do() {
    let file = saved(&tensors(&weights(), "FloatStorage", ""));
    for keep in [4, 100, file.len() / 2, file.len() - 1] {
        let message = read(&file[..keep]).unwrap_err();
        assert!(message.contains("fetch it again"), "{keep}: {message}");
    }
    let old = saved_of_old(&tensors(&weights(), "FloatStorage", ""));
    for keep in [20, 100, old.len() / 2, old.len() - 1] {
        let message = read(&old[..keep]).unwrap_err();
        assert!(message.contains("fetch it again"), "{keep}: {message}");
    }
    let pickle = Pickled::new().op(b"}").end();
    for (entries, part) in [
        (vec![("readme.txt", &b"hello"[..])], "without a data.pkl"),
        (
            vec![("a/data.pkl", &pickle), ("b/data.pkl", &pickle)],
            "two entries",
        ),
        (
            vec![("a/data.pkl", &pickle), ("a/data.pkl", &pickle)],
            "twice",
        ),
        (
            vec![("a/data.pkl", &pickle), ("a/byteorder", b"big")],
            "most significant",
        ),
        (vec![("a/data.pkl", &pickle)], "holds no tensors"),
    ] {
        let message = read(&zip(&entries)).unwrap_err();
        assert!(message.contains(part), "{part}: {message}");
    }
    // A bomb: a gigabyte of zeros in a megabyte.
    let mut writer = zip_writer();
    let options = zip_options();
    writer.start_file("a/data.pkl", options).unwrap();
    for _ in 0..64 {
        writer.write_all(&vec![b'N'; 1 << 20]).unwrap();
    }
    let bomb = writer.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    let message = read(&bomb).unwrap_err();
    for part in ["is compressed", "claims 67108864 bytes", "torch.save"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // Directories that lie.
    for (at, value) in [(10, 0xffff_u16), (12, 0xffff), (16, 0xfff0)] {
        let mut lying = file.clone();
        let end = lying.len() - 22 + at;
        lying[end..end + 2].copy_from_slice(&value.to_le_bytes());
        let message = read(&lying).unwrap_err();
        assert!(message.contains("fetch it again"), "{at}: {message}");
    }
}

fn zip_writer() -> ::zip::ZipWriter<Cursor<Vec<u8>>> {
    ::zip::ZipWriter::new(Cursor::new(Vec::new()))
}

fn zip_options() -> ::zip::write::SimpleFileOptions {
    ::zip::write::SimpleFileOptions::default()
        .compression_method(::zip::CompressionMethod::Deflated)
}

#[test]
fn pickles_made_to_exhaust_memory_or_the_stack_do_not() {
    let many = |bytes: &[u8]| bytes.repeat((1 << 20) / bytes.len());
    let mut deep = Pickled::new();
    for _ in 0..2_000 {
        deep = deep.op(b"}").text("a");
    }
    deep = deep.op(b"N").op(&[b's'; 2_000]);
    let tensor = Written::floats("w", &[4], &[0.0; 4]);
    // A dictionary that holds itself twice, and a list that does.
    let own = Pickled::new().op(b"}q\0(").text("a").op(b"h\0").text("b");
    let own = own
        .op(b"h\0")
        .text("w")
        .tensor(&tensor, "0", 4, false)
        .op(b"u");
    // Lists of lists of lists, ten of each: a thousand million paths.
    let mut wide = Pickled::new().op(b"]q\0");
    for i in 0..9_u8 {
        wide = wide
            .op(b"](")
            .op(&[b'h', i].repeat(10))
            .op(b"e")
            .op(&[b'q', i + 1]);
    }
    // One long name, meant a hundred thousand times.
    let mut names = Pickled::new().text(&"x".repeat(900)).op(b"q\0");
    names = names.tensor(&tensor, "0", 4, false).op(b"q\x01");
    for _ in 0..20_000 {
        names = names.op(b"}h\0h\x01s");
    }
    names = names.op(b"(");
    for (i, pickle) in [
        many(b"]"),
        many(b"N"),
        many(b"("),
        many(b"(N"),
        many(b"]q\0"),
        many(b"]\x94"),
        many(b"2"),
        many(b"h\0"),
        [b"](".to_vec(), many(b"N"), b"e".to_vec()].concat(),
        [b"]".to_vec(), many(b"Na")].concat(),
        [b"}".to_vec(), many(b"NNs")].concat(),
        many(b"ctorch\nFloatStorage\n"),
        many(b")\x85"),
        b"B\xff\xff\xff\xff".to_vec(),
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(),
        deep.0[2..].to_vec(),
        own.0[2..].to_vec(),
        wide.0[2..].to_vec(),
        names.0[2..].to_vec(),
    ]
    .iter()
    .enumerate()
    {
        let pickle = [b"\x80\x02", &pickle[..], b"."].concat();
        let file = archive(&pickle, &[vec![0; 16]]);
        let accepted = survives_within(SMALL_PICKLE, "torch pickle", i, &file, read_transformer);
        assert!(!accepted, "{i}");
        let accepted = survives_within(SMALL_PICKLE, "torch pickle listed", i, &file, list);
        assert!(!accepted, "{i}");
    }
}

fn list(bytes: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(file.path(), bytes).map_err(|e| e.to_string())?;
    let found = inspect(file.path()).map_err(|e| e.to_string())?;
    assert!(found.to_string().contains("PyTorch"));
    Ok(())
}

#[test]
fn three_thousand_damaged_pytorch_files_cause_no_panic_and_no_great_allocation() {
    let all = tensors(&weights(), "FloatStorage", "model.");
    let (new, old) = (saved(&all), saved_of_old(&all));
    let pickle = Pickled::new().dict(&all, 0, false).end();
    let storages: Vec<_> = all.iter().map(|t| t.bytes.clone()).collect();
    let other = transformer();
    std::thread::scope(|scope| {
        for (kind, seed) in [
            ("torch zip", &new),
            ("torch old", &old),
            ("torch inner", &pickle),
        ] {
            let (storages, other) = (&storages, &other);
            scope.spawn(move || {
                let mut rng = ChaCha8Rng::seed_from_u64(5);
                let mut accepted = 0;
                for i in 0..1_000 {
                    let mut damaged = damage(seed, other, &mut rng);
                    if kind == "torch inner" {
                        // Within the zip, so that every one reaches the machine.
                        damaged = archive(&damaged, storages);
                    }
                    let reader = if rng.random() { list } else { read_transformer };
                    accepted += usize::from(survives_within(8 << 20, kind, i, &damaged, reader));
                }
                println!("{kind}: 1000 damaged files, {accepted} still readable");
                assert!(
                    accepted < 750,
                    "{kind}: the damage does not reach the reader"
                );
            });
        }
    });
}
