//! Transformers in the reference's layout, from safetensors or PyTorch files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device};

use super::copies::{Copied, copies};
use super::dmf::{self, Origin};
use super::states;
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
    let (config, origins) = fitting(&file, config)?;
    Dit::read_in(&config, device, dtype, &mut |name, shape| {
        // What has no name there is called missing by its own.
        let name = match origins.get(name) {
            Some(Origin::File(name)) => name.as_str(),
            Some(made) => return Ok(made.made(&config, shape)),
            None => name,
        };
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

/// The configuration with what the file decides, and where each tensor comes from, for the first copy of the network
/// that fits.
fn fitting(
    file: &TensorFile,
    config: &DitConfig,
) -> Result<(DitConfig, BTreeMap<String, Origin>), CheckpointError> {
    let mut first = None;
    for mut copy in copies(file.tensors(), MARK) {
        if file.metadata(states::KEY).is_some() {
            copy.tensors
                .retain(|name, _| !name.starts_with(states::PREFIX));
        }
        let mut config = config.clone();
        if config.guidance_table.is_none() {
            config.guidance_table = Some(copy.tensors.contains_key(GUIDANCE));
        }
        let (differences, origins) = compared(&copy, &config);
        if differences.is_empty() {
            return Ok((config, origins));
        }
        first.get_or_insert(differences);
    }
    Err(CheckpointError::Layout {
        path: file.path().to_owned(),
        shape: None,
        // There is always a copy, if only an empty one.
        differences: first.unwrap_or_default(),
    })
}

/// What does not fit, and where each tensor comes from if all does.
fn compared(
    copy: &Copied<'_>,
    config: &DitConfig,
) -> (LayoutDifferences, BTreeMap<String, Origin>) {
    let mut differences = LayoutDifferences::default();
    let mut origins = BTreeMap::new();
    let mut strange = copy.tensors.clone();
    let is_dmf = dmf::is_dmf(config, copy.tensors.keys().map(String::as_str));
    if is_dmf {
        strange.retain(|name, _| !dmf::is_left_aside(name));
    }
    for (name, shape) in config.layout() {
        let origin = if is_dmf {
            dmf::origin(&name, config, |name| copy.tensors.contains_key(name))
        } else {
            Origin::File(name.clone())
        };
        let Origin::File(own) = &origin else {
            // A silent tensor's own name may be in use for another.
            strange.remove(&name);
            origins.insert(name, origin);
            continue;
        };
        strange.remove(own);
        let Some(entry) = copy.tensors.get(own) else {
            differences.missing.push(format!("{}{own}", copy.prefix));
            continue;
        };
        let stored = &entry.shape;
        let same =
            stored.len() == shape.len() && stored.iter().zip(&shape).all(|(a, b)| *a == *b as u64);
        if !same {
            let stored = stored.clone();
            differences.shapes.push((entry.name.clone(), stored, shape));
        }
        origins.insert(name, Origin::File(entry.name.clone()));
    }
    differences.unexpected = strange.values().map(|entry| entry.name.clone()).collect();
    (differences, origins)
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

    #[test]
    fn a_deterministic_flow_map_loads_with_its_one_time_embedder_at_both_ends_of_a_jump() {
        use crate::model::{Condition, MetaFlowMap as _};
        use burn::tensor::Tensor;

        let added = [
            "s_embedder.",
            "t_cond_embedder.",
            "s_embedder_second.",
            "t_embedder_second.",
            "x_cond",
            "guidance_embedder.",
        ];
        let device = Device::flex();
        let config = DitConfig {
            is_zero_data: true,
            guidance_table: None,
            predicts_image: false,
            ..small()
        };
        let lively = Dit::lively(&config, 1, &device).weights();
        let written = |tensors: &mut Vec<(String, Vec<usize>, Vec<u8>)>| {
            *tensors = lively
                .iter()
                .filter(|w| !added.iter().any(|first| w.name.starts_with(first)))
                .map(|w| {
                    let bytes = w.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    (format!("ema.module.{}", w.name), w.shape.clone(), bytes)
                })
                .collect();
            let trained_with = "ema.module.projectors.0.0.weight".to_owned();
            tensors.push((trained_with, vec![1], vec![0; 4]));
        };
        let map = file(written);
        let read = |config: &DitConfig| read_dit(map.path(), config, &device, DType::F32);
        let shut = |preserve_t_cond_0| DitConfig {
            preserve_t_cond_0,
            ..config.clone()
        };
        let dit = read(&shut(false)).unwrap();
        let weights = dit.weights();
        let of = |all: &[crate::model::Weight], name: &str| {
            let found = all.iter().find(|w| w.name == name);
            found.map(|w| w.values.clone()).unwrap()
        };
        let time = of(&lively, "t_embedder.mlp.2.weight");
        for name in ["s_embedder", "t_embedder_second"] {
            assert_eq!(of(&weights, &format!("{name}.mlp.2.weight")), time);
        }
        for name in ["t_embedder", "s_embedder_second", "t_cond_embedder"] {
            let silent = of(&weights, &format!("{name}.mlp.2.weight"));
            assert!(silent.iter().all(|v| *v == 0.0), "{name}");
        }
        // A jump is a function of where it starts and ends, and of no conditioning state.
        let state = |seed: f32| {
            let values: Vec<f32> = (0..16).map(|i| (seed * i as f32).sin()).collect();
            Tensor::<4>::from_data(burn::tensor::TensorData::new(values, [1, 1, 4, 4]), &device)
        };
        let jump = |dit: &Dit, t: f32, x_t: f32, s: f32, u: f32| -> Vec<f32> {
            let at = |t: f32| Tensor::<1>::from_floats([t], &device);
            let condition = Condition {
                t: at(t),
                x_t: state(x_t),
                label: None,
                guidance_scale: None,
            };
            let v = dit.average_velocity(at(s), at(u), state(0.7), &condition);
            v.into_data().try_to_vec().unwrap()
        };
        let preserving = read(&shut(true)).unwrap();
        for dit in [&dit, &preserving] {
            assert_eq!(jump(dit, 0.0, 0.2, 0.1, 0.9), jump(dit, 0.6, 1.3, 0.1, 0.9));
            assert_ne!(jump(dit, 0.0, 0.2, 0.1, 0.9), jump(dit, 0.0, 0.2, 0.1, 0.5));
            assert_ne!(jump(dit, 0.0, 0.2, 0.1, 0.9), jump(dit, 0.0, 0.2, 0.4, 0.9));
        }
        // A velocity of the same names is no flow map: its model file is not of the family.
        let velocity = DitConfig {
            is_zero_data: false,
            ..shut(false)
        };
        let message = read(&velocity).unwrap_err().to_string();
        assert!(message.contains("s_embedder.mlp.0.weight"), "{message}");
    }
}
