//! Transformers in the reference's layout, from safetensors or PyTorch files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device};

use super::copies::{Copied, copies};
use super::tensor_file::TensorFile;
use super::{CheckpointError, LayoutDifferences};
use crate::model::{Dit, DitConfig, GUIDANCE};

/// A tensor that every transformer has, and nothing else.
const MARK: &str = "x_embedder.proj.weight";
/// The largest finite half.
const LARGEST_HALF: f32 = 65_504.0;

/// Reads a transformer of the shape `config` onto `device`, with the weights of its linear layers, and so its matrix
/// products, in the type `dtype`.
///
/// Any prefix of the names is accepted (`model.dit.`, `module.`, ...); of several copies of the network a moving average
/// is taken before the others. Whether there is a guidance table is taken from the file where the configuration leaves
/// it open.
///
/// # Errors
/// When the file is neither sound safetensors nor a sound PyTorch file of tensors alone, when tensors are missing, unexpected or of another shape (all by name), or
/// hold what is not finite.
pub fn read_dit(
    path: &Path,
    config: &DitConfig,
    device: &Device,
    dtype: DType,
) -> Result<Dit, CheckpointError> {
    read_dit_of(TensorFile::open(path)?, config, device, dtype)
}

/// [`read_dit`] of an open file.
///
/// # Errors
/// As [`read_dit`].
pub fn read_dit_of(
    mut file: TensorFile,
    config: &DitConfig,
    device: &Device,
    dtype: DType,
) -> Result<Dit, CheckpointError> {
    config
        .validate()
        .map_err(|e| CheckpointError::Architecture {
            path: file.path().to_owned(),
            reason: e.to_string(),
        })?;
    let (config, names) = fitting(&file, config)?;
    Dit::read_in(&config, device, dtype, &mut |name, _| {
        // What has no name there is called missing by its own.
        let name = names.get(name).map_or(name, String::as_str);
        let values = file.floats(name)?;
        if dtype == DType::F16 && values.iter().any(|v| v.abs() > LARGEST_HALF) {
            return Err(CheckpointError::Tensor {
                path: file.path().to_owned(),
                tensor: name.to_owned(),
                reason: format!("holds a number beyond {LARGEST_HALF}, the largest of an f16"),
            });
        }
        Ok(values)
    })
}

/// The configuration with what the file decides, and the file's name of each tensor, for the first copy of the network
/// that fits.
fn fitting(
    file: &TensorFile,
    config: &DitConfig,
) -> Result<(DitConfig, BTreeMap<String, String>), CheckpointError> {
    let mut first = None;
    for copy in copies(file.tensors(), MARK) {
        let mut config = config.clone();
        if config.guidance_table.is_none() {
            config.guidance_table = Some(copy.tensors.contains_key(GUIDANCE));
        }
        let differences = differences(&copy, &config);
        if differences.is_empty() {
            let own = |(name, entry): (String, &super::TensorEntry)| (name, entry.name.clone());
            return Ok((config, copy.tensors.into_iter().map(own).collect()));
        }
        first.get_or_insert(differences);
    }
    Err(CheckpointError::Layout {
        path: file.path().to_owned(),
        // There is always a copy, if only an empty one.
        differences: first.unwrap_or_default(),
    })
}

fn differences(copy: &Copied<'_>, config: &DitConfig) -> LayoutDifferences {
    let mut differences = LayoutDifferences::default();
    let mut strange = copy.tensors.clone();
    for (name, shape) in config.layout() {
        let Some(entry) = strange.remove(&name) else {
            differences.missing.push(format!("{}{name}", copy.prefix));
            continue;
        };
        let stored = &entry.shape;
        let same =
            stored.len() == shape.len() && stored.iter().zip(&shape).all(|(a, b)| *a == *b as u64);
        if !same {
            let stored = stored.clone();
            differences.shapes.push((entry.name.clone(), stored, shape));
        }
    }
    differences.unexpected = strange.values().map(|entry| entry.name.clone()).collect();
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> DitConfig {
        DitConfig {
            input_size: 4,
            patch_size: 2,
            hidden_size: 8,
            depth: 2,
            num_heads: 2,
            encoder_depth: 1,
            ..DitConfig::digits()
        }
    }

    /// The file of a network with fresh weights, after `change` had its way with the tensors.
    fn file(
        change: impl FnOnce(&mut Vec<(String, Vec<usize>, Vec<u8>)>),
    ) -> tempfile::NamedTempFile {
        let dit = Dit::init(&small(), 1, &Device::flex()).unwrap();
        let mut tensors: Vec<_> = dit
            .weights()
            .into_iter()
            .map(|w| {
                let bytes = w.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (format!("model.dit.{}", w.name), w.shape, bytes)
            })
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let f32s = safetensors::Dtype::F32;
            let view = safetensors::tensor::TensorView::new(f32s, shape.clone(), bytes).unwrap();
            (name.as_str(), view)
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), safetensors::serialize(views, None).unwrap()).unwrap();
        file
    }

    fn read(file: &tempfile::NamedTempFile) -> Result<Dit, String> {
        let device = Device::flex();
        read_dit(file.path(), &small(), &device, DType::F32).map_err(|e| e.to_string())
    }

    #[test]
    fn what_a_network_writes_it_reads_again_under_any_prefix() {
        let written = Dit::init(&small(), 1, &Device::flex()).unwrap();
        let again = read(&file(|_| ())).unwrap();
        assert_eq!(again.weights(), written.weights());
        let bare = file(|tensors| {
            for (name, ..) in tensors {
                *name = name.replace("model.dit.", "");
            }
        });
        assert_eq!(read(&bare).unwrap().weights(), written.weights());
    }

    #[test]
    fn weights_are_kept_in_halves_where_products_are_and_what_is_too_large_is_named() {
        let halves = |file: &tempfile::NamedTempFile| {
            read_dit(file.path(), &small(), &Device::flex(), DType::F16)
        };
        let written = Dit::init(&small(), 1, &Device::flex()).unwrap();
        let kept = halves(&file(|_| ())).unwrap();
        let half = |v: f32| half::f16::from_f32(v).to_f32();
        let mut narrow = 0;
        for (kept, exact) in kept.weights().iter().zip(written.weights()) {
            let rounded: Vec<f32> = exact.values.iter().map(|v| half(*v)).collect();
            let multiplies = exact.name.ends_with(".weight") && !exact.name.contains("table");
            assert_eq!(
                kept.values,
                if multiplies { rounded } else { exact.values },
                "{}",
                kept.name
            );
            narrow += usize::from(multiplies);
        }
        assert!(narrow > 10);
        let large = file(|tensors| tensors[3].2[..4].copy_from_slice(&7e4_f32.to_le_bytes()));
        let message = halves(&large).unwrap_err().to_string();
        assert!(message.contains("65504"), "{message}");
        assert!(read(&large).is_ok());
    }

    #[test]
    fn missing_unexpected_and_mis_shaped_tensors_are_named_together() {
        let message = read(&file(|tensors| {
            tensors[0].0 = "model.dit.strange.weight".into();
            tensors.retain(|(name, ..)| !name.ends_with("blocks.1.mlp.fc1.bias"));
            let bias = tensors
                .iter_mut()
                .find(|(name, ..)| name.ends_with("final_layer.linear.bias"))
                .unwrap();
            bias.1 = vec![2, 2];
        }))
        .unwrap_err();
        for part in [
            "2 missing",
            "model.dit.blocks.1.mlp.fc1.bias",
            "1 unexpected (model.dit.strange.weight)",
            "final_layer.linear.bias [2, 2] instead of [4]",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn weights_that_are_not_finite_and_other_programs_files_are_refused() {
        let message = read(&file(|tensors| {
            tensors[3].2[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }))
        .unwrap_err();
        assert!(message.contains("holds NaN at element 0"), "{message}");
        let message = read(&file(|tensors| tensors.truncate(1))).unwrap_err();
        assert!(message.contains("missing"), "{message}");
    }
}
