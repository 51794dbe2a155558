//! The folder's other weight files: the same network in other formats and precisions.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};

use crate::checkpoint::{TensorFile, read_dit};
use crate::model::{Dit, DitConfig};

/// Endings of files of weights, safetensors first.
const ENDINGS: [&str; 3] = ["safetensors", "pt", "pth"];

/// The folder's weight files: the one called `checkpoint` first, safetensors before the others.
pub fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: std::io::Error| {
        let name = folder.display();
        format!("{name}: {e}. Give a folder with weights, their shape and io.safetensors")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        let rank = ENDINGS.iter().position(|known| *known == ending);
        let is_numbers = path
            .file_name()
            .is_some_and(|name| name == "io.safetensors");
        if let Some(rank) = rank.filter(|_| !is_numbers) {
            let other = path.file_stem().is_none_or(|stem| stem != "checkpoint");
            files.push((other, rank, path));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "{}: there are no weights; checkpoint.safetensors or checkpoint.pt is needed",
            folder.display()
        ));
    }
    Ok(files.into_iter().map(|(.., path)| path).collect())
}

/// Compares the weights of another file with those of `dit`: the same numbers, up to the rounding of what it stores.
/// Gives whether they agree.
pub fn compare(path: &Path, dit: &Dit, config: &DitConfig) -> Result<bool, String> {
    let file = TensorFile::open(path).map_err(|e| e.to_string())?;
    let kinds = file.dtypes();
    let other = read_dit(path, config, &Device::flex(), DType::F32).map_err(|e| e.to_string())?;
    let mut worst = 0.0_f32;
    for (a, b) in dit.weights().iter().zip(other.weights()) {
        for (a, b) in a.values.iter().zip(&b.values) {
            // Numbers so small that halves run out of exponents count by their size.
            worst = worst.max((a - b).abs() / a.abs().max(1e-4));
        }
    }
    let rounding = if kinds.contains("BF16") {
        2.0_f32.powi(-8)
    } else if kinds.contains("F16") {
        2.0_f32.powi(-10)
    } else {
        0.0
    };
    let agrees = worst <= rounding;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    say!(
        "{name:28} {worst:.2e} largest difference of a weight, {kinds}{}",
        if agrees { "" } else { "  above its rounding" }
    );
    Ok(agrees)
}
