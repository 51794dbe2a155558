//! The autoencoder between pictures and latents, in diffusers' files: `config.json` beside safetensors or PyTorch's.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::copies::copies;
use super::{CheckpointError, TensorFile};
use crate::mixture::shortened;
use crate::model::{LatentDecoder, Taesd, Vae, VaeConfig, WeightValues, Weights};

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

/// Reads the small decoder for previews, in diffusers' layout or in that of `taesd_decoder.pth`, and keeps its weights in
/// f32 on `device`. An encoder beside it is left in the file.
///
/// # Errors
/// As [`read_vae`].
pub fn read_taesd(path: &Path, device: &Device) -> Result<Taesd, CheckpointError> {
    /// The published file has 2.5 million with the encoder.
    const MAX_NUMBERS: u64 = 64 << 20;
    let mut file = TensorFile::open(path)?;
    let unfit = |reason: String| CheckpointError::Network {
        path: path.display().to_string(),
        reason,
    };
    let entries = file.tensors().iter();
    let entries = entries.filter(|entry| Taesd::takes(&entry.name));
    let held: u64 = entries.clone().map(super::TensorEntry::elements).sum();
    if held > MAX_NUMBERS {
        let reason = format!("it holds {held} numbers, and no such decoder has so many");
        return Err(unfit(reason));
    }
    let names: Vec<String> = entries.map(|entry| entry.name.clone()).collect();
    let mut weights = Weights::new();
    for name in names {
        let shape = file.shape(&name).unwrap_or_default();
        let values = file.floats(&name)?;
        weights.insert(name, WeightValues { shape, values });
    }
    Taesd::of(weights, device).map_err(|reason| unfit(shortened(&reason, 2_000)))
}

/// Reads a decoder of latents `[C, H, W]`, the full one or the small one for previews, whichever the file holds.
///
/// # Errors
/// As [`read_vae`], and when it is one for latents of other channels.
pub fn read_latent_decoder(
    path: &Path,
    latent: [usize; 3],
    device: &Device,
) -> Result<LatentDecoder, CheckpointError> {
    let file = TensorFile::open(path)?;
    let names = file.tensors().iter().map(|entry| entry.name.as_str());
    let (channels, decoder) = if Taesd::is_in(names) {
        let taesd = read_taesd(path, device)?;
        let channels = taesd.latent_channels();
        (channels, LatentDecoder::preview(taesd, latent, device))
    } else {
        let (config, vae) = read_vae(path, device)?;
        let decoder = LatentDecoder::new(vae, &config, latent, device);
        (config.latent_channels, decoder)
    };
    decoder.ok_or_else(|| CheckpointError::Network {
        path: path.display().to_string(),
        reason: format!(
            "it decodes latents of {channels} channels; the model makes {}",
            latent[0]
        ),
    })
}

/// What a file of a decoder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecoderKind {
    /// An autoencoder.
    Full,
    /// The small decoder for previews.
    Preview,
}

/// Which decoder of latents a file holds, by the names of its tensors; `None` where it is something else, or nothing that
/// can be read.
pub fn latent_decoder_kind(path: &Path) -> Option<DecoderKind> {
    let file = TensorFile::open(path).ok()?;
    let names = || file.tensors().iter().map(|entry| entry.name.as_str());
    if Taesd::is_in(names()) {
        return Some(DecoderKind::Preview);
    }
    let has = |name: &str| names().any(|n| n == name);
    (has("decoder.conv_in.weight") && has("decoder.conv_norm_out.weight"))
        .then_some(DecoderKind::Full)
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
pub(crate) mod tests {
    use super::*;
    use crate::checkpoint::clip::tests::write;

    /// A small autoencoder with random weights as diffusers writes it into a folder: the file of its weights, and these.
    pub fn write_small(folder: &Path) -> (PathBuf, Weights) {
        let path = folder.join("diffusion_pytorch_model.safetensors");
        let weights = VaeConfig::tiny().init(&Device::flex()).unwrap().weights();
        write(&path, &weights);
        let config = serde_json::to_string(&VaeConfig::tiny()).unwrap();
        std::fs::write(folder.join("config.json"), config).unwrap();
        (path, weights)
    }

    #[test]
    fn an_autoencoder_is_read_from_the_folder_that_diffusers_writes() {
        let folder = tempfile::tempdir().unwrap();
        let device = Device::flex();
        let (path, mut weights) = write_small(folder.path());
        let (config, read) = read_vae(&path, &device).unwrap();
        assert_eq!(config, VaeConfig::tiny());
        assert_eq!(latent_decoder_kind(&path), Some(DecoderKind::Full));
        assert_eq!(read.weights(), weights);

        let bias = weights.remove("decoder.conv_out.bias").unwrap();
        weights.insert("decoder.strange".into(), bias);
        weights.get_mut("encoder.conv_in.bias").unwrap().shape = vec![2, 4];
        write(&path, &weights);
        let message = read_vae(&path, &device).unwrap_err().to_string();
        for part in [
            "diffusion_pytorch_model.safetensors",
            "1 missing: decoder.conv_out.bias",
            "1 unexpected: decoder.strange",
            "encoder.conv_in.bias: [8], [2, 4]",
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

    #[test]
    fn a_decoder_is_told_from_a_preview_and_other_channels_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taesd_decoder.safetensors");
        let device = Device::flex();
        let weight = |shape: &[usize]| WeightValues {
            shape: shape.to_vec(),
            values: vec![0.1; shape.iter().product()],
        };
        // A clamp, a convolution, one block, a doubling and what comes after it, one block, a convolution.
        let mut weights = Weights::from([
            ("1.weight".into(), weight(&[2, 4, 3, 3])),
            ("1.bias".into(), weight(&[2])),
            ("5.weight".into(), weight(&[2, 2, 3, 3])),
            ("7.weight".into(), weight(&[3, 2, 3, 3])),
            ("7.bias".into(), weight(&[3])),
        ]);
        for block in [3, 6] {
            for part in [0, 2, 4] {
                weights.insert(format!("{block}.conv.{part}.weight"), weight(&[2, 2, 3, 3]));
                weights.insert(format!("{block}.conv.{part}.bias"), weight(&[2]));
            }
        }
        write(&path, &weights);
        let decoder = read_latent_decoder(&path, [4, 3, 5], &device).unwrap();
        assert!(decoder.is_preview());
        assert_eq!(latent_decoder_kind(&path), Some(DecoderKind::Preview));
        assert_eq!(latent_decoder_kind(&folder.path().join("gone")), None);
        assert_eq!(decoder.picture(), [3, 6, 10]);
        let message = |latent| {
            let read = read_latent_decoder(&path, latent, &device);
            read.map(|_| ()).unwrap_err().to_string()
        };
        let said = message([3, 3, 5]);
        assert!(
            said.contains("4 channels") && said.contains("taesd_decoder"),
            "{said}"
        );
        let bias = weights.remove("6.conv.2.bias").unwrap();
        weights.insert("6.conv.3.bias".into(), bias);
        write(&path, &weights);
        let said = message([4, 3, 5]);
        for part in ["1 missing: 6.conv.2.bias", "1 unexpected: 6.conv.3.bias"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        weights.insert("99.weight".into(), weight(&[2, 2, 3, 3]));
        write(&path, &weights);
        let said = message([4, 3, 5]);
        assert!(said.contains("TAESD kind"), "{said}");

        let (path, _) = write_small(folder.path());
        let decoder = read_latent_decoder(&path, [4, 3, 5], &device).unwrap();
        assert!(!decoder.is_preview());
    }
}
