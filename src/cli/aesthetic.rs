//! `foresight aesthetic`: LAION's aesthetic score of pictures, or of embeddings that were made elsewhere.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;
use image::{ImageReader, Limits};

use crate::checkpoint::{read_aesthetic_head, read_clip};
use crate::model::{AestheticHead, ClipImages};

/// `foresight aesthetic`
#[derive(Debug, Clone, Args)]
pub struct AestheticArgs {
    /// Pictures (PNG or JPEG), or embeddings of CLIP ViT-L/14 as .npy files of f32.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The head that LAION publishes, sac+logos+ava1-l14-linearMSE.pth.
    #[arg(long, value_name = "FILE")]
    pub head: PathBuf,
    /// CLIP ViT-L/14 in Hugging Face's layout, the model.safetensors of openai/clip-vit-large-patch14; for pictures.
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Print JSON instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// The longest file of embeddings, in bytes.
const MAX_NPY_BYTES: u64 = 64 << 20;
/// The longest side of a picture, and the memory that its decoder may take.
const MAX_SIDE: u32 = 8_192;
const MAX_PICTURE_BYTES: u64 = 512 << 20;

/// Runs the command.
///
/// # Errors
/// With a message for the person.
pub fn run(args: &AestheticArgs) -> Result<(), String> {
    let head = read_aesthetic_head(&args.head).map_err(|e| e.to_string())?;
    let device = Device::flex();
    let mut clip = None;
    let mut scores = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        if path.extension().is_some_and(|ending| ending == "npy") {
            let numbers = embeddings(path, head.direction.len())?;
            for embedding in numbers.chunks_exact(head.direction.len()) {
                scores.push((name.clone(), head.score(embedding)));
            }
            continue;
        }
        let tower = match clip.take() {
            Some(tower) => tower,
            None => open_clip(args.clip.as_deref(), &head, &device)?,
        };
        let embedding = tower.embed(picture(path, &device)?).into_data();
        let embedding: Vec<f32> = embedding.try_to_vec().unwrap_or_default();
        scores.push((name, head.score(&embedding)));
        clip = Some(tower);
    }
    if args.json {
        let said: Vec<_> = scores
            .iter()
            .map(|(file, score)| serde_json::json!({ "file": file, "score": score }))
            .collect();
        let json = serde_json::to_string_pretty(&said).map_err(|e| e.to_string())?;
        say!("{json}");
        return Ok(());
    }
    for (file, score) in &scores {
        say!("{score:8.5}  {file}");
    }
    Ok(())
}

fn open_clip(
    path: Option<&Path>,
    head: &AestheticHead,
    device: &Device,
) -> Result<ClipImages, String> {
    let path = path.ok_or(
        "pictures need CLIP's image tower: give --clip FILE, the model.safetensors of openai/clip-vit-large-patch14",
    )?;
    let tower = read_clip(path, device).map_err(|e| e.to_string())?;
    let (found, needed) = (tower.config().projection_dim, head.direction.len());
    if found == needed {
        Ok(tower)
    } else {
        Err(format!(
            "{}: its embeddings have {found} numbers, the head wants {needed}: it belongs to CLIP ViT-L/14",
            path.display()
        ))
    }
}

/// The embeddings `[n][width]` of a file of f32, each brought to length 1.
fn embeddings(path: &Path, width: usize) -> Result<Vec<f32>, String> {
    let wrong = |reason: String| {
        format!(
            "{}: {reason}. It must be a .npy file of f32, {width} numbers for each picture",
            path.display()
        )
    };
    let file = std::fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let bytes = file.metadata().map_err(|e| wrong(e.to_string()))?.len();
    if bytes > MAX_NPY_BYTES {
        return Err(wrong(format!("it has {bytes} bytes")));
    }
    let npy = npyz::NpyFile::new(BufReader::new(file.take(MAX_NPY_BYTES)))
        .map_err(|e| wrong(e.to_string()))?;
    // Against what the file holds, before anything is read.
    let count: u64 = npy
        .shape()
        .iter()
        .try_fold(1_u64, |n, side| n.checked_mul(*side))
        .filter(|n| n.checked_mul(4).is_some_and(|needed| needed <= bytes))
        .ok_or_else(|| wrong("it claims more numbers than it holds".into()))?;
    if count == 0 || !count.is_multiple_of(width as u64) {
        return Err(wrong(format!("it has {count} numbers")));
    }
    let numbers: Result<Vec<f32>, _> = npy
        .data::<f32>()
        .map_err(|e| wrong(e.to_string()))?
        .collect();
    let mut numbers = numbers.map_err(|e| wrong(e.to_string()))?;
    for embedding in numbers.chunks_exact_mut(width) {
        let length = embedding.iter().map(|v| v * v).sum::<f32>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err(wrong("an embedding has no direction".into()));
        }
        for v in embedding {
            *v /= length;
        }
    }
    Ok(numbers)
}

/// A picture of any size as `[1, 3, H, W]`, -1 black and 1 white.
fn picture(path: &Path, device: &Device) -> Result<Tensor<4>, String> {
    let wrong = |reason: String| format!("{}: {reason}. Choose a PNG or JPEG file", path.display());
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|e| wrong(e.to_string()))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PICTURE_BYTES);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| wrong(e.to_string()))?.to_rgb8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bytes = picture.as_raw();
    let values: Vec<f32> = (0..3)
        .flat_map(|channel| bytes.iter().skip(channel).step_by(3))
        .map(|byte| f32::from(*byte) / 127.5 - 1.0)
        .collect();
    let data = TensorData::new(values, [1, 3, height, width]);
    Ok(Tensor::from_data(data, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_read_brought_to_length_1_and_refused_where_they_do_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two.npy");
        let write = |shape: &str, values: &[f32]| {
            let header =
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.bytes());
            bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            std::fs::write(&path, bytes).unwrap();
        };
        write("(2, 2)", &[3.0, 4.0, 0.0, -2.0]);
        assert_eq!(embeddings(&path, 2).unwrap(), [0.6, 0.8, 0.0, -1.0]);
        for (shape, values, part) in [
            ("(3, 1)", &[1.0, 2.0, 3.0][..], "it has 3 numbers"),
            ("(1, 2)", &[0.0, 0.0], "no direction"),
            (
                "(1152921504606846976, 2)",
                &[1.0, 1.0],
                "more numbers than it holds",
            ),
        ] {
            write(shape, values);
            let message = embeddings(&path, 2).unwrap_err();
            assert!(
                message.contains(part) && message.contains("two.npy"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_picture_keeps_its_size_and_its_channels_are_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let colours = image::RgbImage::from_fn(3, 2, |x, _| image::Rgb([255, 0, x as u8 * 51]));
        colours.save(&path).unwrap();
        let read = picture(&path, &Device::flex()).unwrap();
        assert_eq!(read.dims(), [1, 3, 2, 3]);
        let values: Vec<f32> = read.into_data().try_to_vec().unwrap();
        assert!(values[..6].iter().all(|v| *v == 1.0));
        assert!(values[6..12].iter().all(|v| *v == -1.0));
        assert!((values[13] + 0.6).abs() < 1e-6 && (values[14] + 0.2).abs() < 1e-6);
        let missing = folder.path().join("none.png");
        assert!(picture(&missing, &Device::flex()).is_err());
    }
}
