//! The autoencoder between pictures and latents, in diffusers' files: `config.json` beside safetensors or PyTorch's.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::copies::copies;
use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{Vae, VaeConfig, WeightValues, Weights};

/// A tensor that every autoencoder has.
const MARK: &str = "decoder.conv_in.weight";
/// The longest `config.json`, in bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Reads an autoencoder and keeps its weights in f32 on `device`. Its shape comes from the `config.json` beside it, and
/// is that of `sd-vae-ft-mse` where there is none.
///
/// # Errors
/// When the file is not sound, when tensors are missing, unexpected or of another shape (all by name), or hold what is
/// not finite.
pub fn read_vae(path: &Path, device: &Device) -> Result<(VaeConfig, Vae), CheckpointError> {
    let config = config_beside(path)?;
    let mut file = TensorFile::open(path)?;
    let unfit = |reason: String| CheckpointError::Network {
        path: path.display().to_string(),
        reason,
    };
    let fresh = config.init(device).map_err(unfit)?;
    // Only what the network can hold is read: its numbers are in memory twice for a moment, the file's never all.
    let most = fresh.parameters() as u64;
    let copy = copies(file.tensors(), MARK).into_iter().next();
    let found: Vec<(String, String, u64)> = copy
        .into_iter()
        .flat_map(|copy| copy.tensors)
        .map(|(own, entry)| (own, entry.name.clone(), entry.elements()))
        .collect();
    let held: u64 = found.iter().map(|(.., count)| count).sum();
    if held > most {
        return Err(unfit(format!(
            "it holds {held} numbers where the autoencoder of {:?} has {most}",
            config.block_out_channels
        )));
    }
    let mut weights = Weights::new();
    for (own, name, _) in found {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(own, WeightValues { shape, values });
    }
    let vae = fresh
        .with_weights(weights)
        .map_err(|misfit| unfit(shortened(&misfit.to_string(), 2_000)))?;
    Ok((config, vae))
}

fn config_beside(path: &Path) -> Result<VaeConfig, CheckpointError> {
    let Some((config, text)) = json_beside(path, "config.json")? else {
        return Ok(VaeConfig::stable_diffusion());
    };
    VaeConfig::from_json(&text).map_err(|reason| CheckpointError::Network {
        path: config.display().to_string(),
        reason: shortened(&reason, 400),
    })
}

/// The file of that name beside a file, and what is in it; `None` where there is none.
pub(super) fn json_beside(
    path: &Path,
    name: &str,
) -> Result<Option<(PathBuf, String)>, CheckpointError> {
    let config = path.with_file_name(name);
    if !config.is_file() {
        return Ok(None);
    }
    let io = |source| CheckpointError::Io {
        path: config.display().to_string(),
        source,
    };
    let bytes = std::fs::metadata(&config).map_err(io)?.len();
    if bytes > MAX_CONFIG_BYTES {
        return Err(CheckpointError::Network {
            path: config.display().to_string(),
            reason: format!("it has {bytes} bytes"),
        });
    }
    let text = std::fs::read_to_string(&config).map_err(io)?;
    Ok(Some((config, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    fn small() -> VaeConfig {
        VaeConfig {
            block_out_channels: vec![4, 8],
            layers_per_block: 1,
            norm_num_groups: 2,
            ..VaeConfig::stable_diffusion()
        }
    }

    fn write(path: &Path, weights: &Weights) {
        let bytes: Vec<Vec<u8>> = weights
            .values()
            .map(|w| w.values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = weights.iter().zip(&bytes).map(|((name, weight), bytes)| {
            let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes).unwrap();
            (name, view)
        });
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    #[test]
    fn an_autoencoder_is_read_from_the_folder_that_diffusers_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("diffusion_pytorch_model.safetensors");
        let device = Device::flex();
        let written = small().init(&device).unwrap();
        let mut weights = written.weights();
        write(&path, &weights);
        let config = serde_json::to_string(&small()).unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let (config, read) = read_vae(&path, &device).unwrap();
        assert_eq!(config, small());
        assert_eq!(read.weights(), weights);

        let bias = weights.remove("decoder.conv_out.bias").unwrap();
        weights.insert("decoder.strange".into(), bias);
        weights.get_mut("encoder.conv_in.bias").unwrap().shape = vec![2, 2];
        write(&path, &weights);
        let message = read_vae(&path, &device).unwrap_err().to_string();
        for part in [
            "diffusion_pytorch_model.safetensors",
            "1 missing: decoder.conv_out.bias",
            "1 unexpected: decoder.strange",
            "encoder.conv_in.bias: [4], [2, 2]",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        weights.get_mut("quant_conv.weight").unwrap().values[3] = f32::NAN;
        write(&path, &weights);
        let message = read_vae(&path, &device).unwrap_err().to_string();
        for part in ["quant_conv.weight", "holds NaN at element 3"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let message = read_vae(&path, &device).unwrap_err().to_string();
        assert!(message.contains("config.json"), "{message}");
    }
}
