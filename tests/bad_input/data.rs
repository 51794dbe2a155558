//! Damaged data sets and damaged transformers.

use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::{DType, Device};
use foresight::checkpoint::read_dit;
use foresight::model::{Dit, DitConfig};
use foresight::train::{DataPlan, ImageSet, Part};
use image::{ImageFormat, Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::damage::damage;
use crate::fuzz::survives_within;

/// Memory beside the file's own size: what an archive may unpack to before it is refused, and one picture that may
/// be a million pixels whatever its size.
const BASE: usize = 40 << 20;

const PLAN: DataPlan = DataPlan::new(8, 3, Part::Train);

fn read_set(path: &Path) -> Result<(), String> {
    let set = ImageSet::open(path, &PLAN, &mut |_| true)
        .map_err(|e| e.to_string())?
        .images;
    let mut values = [0.0; 8 * 8 * 3];
    for i in 0..set.len() {
        set.write_into(i, &mut values);
        assert!(usize::from(set.labels[i]) < set.classes.len());
    }
    Ok(())
}

fn read_archive(bytes: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(file.path(), bytes).map_err(|e| e.to_string())?;
    read_set(file.path())
}

fn read_idx(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 3][..], &[0, 1, 2]].concat();
    write("train-images-idx3-ubyte", bytes).map_err(|e| e.to_string())?;
    write("train-labels-idx1-ubyte", &labels).map_err(|e| e.to_string())?;
    read_set(folder.path())
}

pub fn small() -> DitConfig {
    DitConfig {
        input_size: 4,
        patch_size: 2,
        hidden_size: 8,
        depth: 1,
        num_heads: 2,
        encoder_depth: 1,
        ..DitConfig::digits()
    }
}

pub fn read_transformer(bytes: &[u8]) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(file.path(), bytes).map_err(|e| e.to_string())?;
    let read = read_dit(file.path(), &small(), &Device::flex(), DType::F32);
    read.map(drop).map_err(|e| e.to_string())
}

fn read_config(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let config = DitConfig::from_json(text)?;
    assert!(config.parameters() <= DitConfig::MAX_PARAMETERS);
    Ok(())
}

fn picture(shade: u8, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(12, 8, |x, y| Rgb([shade, x as u8 * 20, y as u8 * 30]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train/cat/0.png", picture(10, ImageFormat::Png)),
        ("train/dog/0.jpg", picture(20, ImageFormat::Jpeg)),
        ("train/dog/1.png", picture(30, ImageFormat::Png)),
    ]
}

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in pictures() {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in pictures() {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(name, options).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub fn transformer() -> Vec<u8> {
    let dit = Dit::init(&small(), 1, &Device::flex()).unwrap();
    let tensors: Vec<_> = dit
        .weights()
        .into_iter()
        .map(|w| {
            let bytes: Vec<u8> = w.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (w.name, w.shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let f32s = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(f32s, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// Damage to the archive inside, packed again so that the unpacker is content.
fn packed_again(rng: &mut ChaCha8Rng) -> Vec<u8> {
    xz(&damage(&tar(), &zip(), rng))
}

/// What to damage, who reads it, how many times.
type Kind<'a> = (&'a str, &'a [u8], fn(&[u8]) -> Result<(), String>, usize);

#[test]
fn eight_thousand_damaged_data_sets_and_transformers_cause_no_panic_and_no_great_allocation() {
    let (tar, zip, transformer) = (tar(), zip(), transformer());
    let packed = xz(&tar);
    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5];
    idx.extend(0..60);
    let config = serde_json::to_vec(&small()).unwrap();
    let kinds: [Kind; 6] = [
        ("tar", &tar, read_archive, 2_500),
        ("xz", &packed, read_archive, 1_000),
        ("zip", &zip, read_archive, 1_500),
        ("idx", &idx, read_idx, 1_000),
        ("transformer", &transformer, read_transformer, 500),
        ("config", &config, read_config, 2_000),
    ];
    std::thread::scope(|scope| {
        for (kind, seed, read, count) in kinds {
            let other = &zip;
            scope.spawn(move || {
                read(seed).unwrap_or_else(|e| panic!("the sound {kind} was refused: {e}"));
                let mut rng = ChaCha8Rng::seed_from_u64(3);
                let accepted = (0..count)
                    .filter(|&i| {
                        let damaged = match kind {
                            "xz" if rng.random_bool(0.5) => packed_again(&mut rng),
                            _ => damage(seed, other, &mut rng),
                        };
                        survives_within(BASE, kind, i, &damaged, read)
                    })
                    .count();
                println!("{kind}: {count} damaged files, {accepted} still readable");
                assert!(
                    accepted < count * 3 / 4,
                    "{kind}: the damage does not reach the reader"
                );
            });
        }
    });
}
