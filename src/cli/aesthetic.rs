//! `foresight aesthetic`: LAION's aesthetic score of pictures, or of embeddings that were made elsewhere.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::picture_file::{picture, print_scores};
use crate::engine::{open_aesthetic_head, open_clip};
use crate::model::{ClipHead, ClipJudge, PictureJudge as _};
use crate::reward::picture::{ScorerFile, ScorerFiles};

/// `foresight aesthetic`. The files are those of the reward `aesthetic`.
#[derive(Debug, Clone, Args)]
pub struct AestheticArgs {
    /// Pictures (PNG or JPEG), or embeddings of CLIP ViT-L/14 as .npy files of f32.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// LAION's head, sac+logos+ava1-l14-linearMSE.pth.
    #[arg(long, visible_alias = "head", value_name = "FILE")]
    pub aesthetic_head: Option<PathBuf>,
    /// CLIP ViT-L/14, the model.safetensors of openai/clip-vit-large-patch14 with its config.json; for pictures.
    #[arg(long, visible_alias = "clip", value_name = "FILE")]
    pub clip_file: Option<PathBuf>,
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
    let mut at = ScorerFiles::default();
    for (file, path) in [
        (ScorerFile::AestheticHead, &args.aesthetic_head),
        (ScorerFile::ClipLarge, &args.clip_file),
    ] {
        if let Some(path) = path {
            at.point(file, path.clone());
        }
    }
    let head = open_aesthetic_head(&at)?;
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
        let (values, shape) = picture(path)?;
        let tower = match clip.take() {
            Some(tower) => tower,
            None => fitting_clip(&at, &head)?,
        };
        scores.push((name, head.score(&tower.see(&values, shape).features)));
        clip = Some(tower);
    }
    print_scores(&scores, 5, args.json)
}

/// The tower that the head belongs to.
fn fitting_clip(at: &ScorerFiles, head: &ClipHead) -> Result<Arc<ClipJudge>, String> {
    let tower = open_clip(at)?;
    let (found, needed) = (tower.numbers(), head.direction.len());
    if found == needed {
        Ok(tower)
    } else {
        Err(format!(
            "CLIP's embeddings have {found} numbers and the head wants {needed}: point at CLIP ViT-L/14 with --clip-file"
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
