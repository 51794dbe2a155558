//! `foresight aesthetic`: LAION's aesthetic score of pictures, or of embeddings that were made elsewhere.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use clap::Args;

use super::picture_file::{picture, print_scores};
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
        let (values, [c, h, w]) = picture(path)?;
        let data = TensorData::new(values, [1, c, h, w]);
        let embedding = tower.embed(Tensor::from_data(data, &device)).into_data();
        let embedding: Vec<f32> = embedding.try_to_vec().unwrap_or_default();
        scores.push((name, head.score(&embedding)));
        clip = Some(tower);
    }
    print_scores(&scores, 5, args.json)
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
}
