//! Transformers in safetensors files of the reference's layout, read tensor by tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use burn::tensor::{DType, Device};

use super::decode::numbers;
use super::header::{Header, TensorEntry};
use super::open::OpenFile;
use super::{CheckpointError, LayoutDifferences};
use crate::mixture::shortened;
use crate::model::{Dit, DitConfig, GUIDANCE};

/// Where tensors are read from: a file, or bytes that are part of the program.
trait Bytes: Read + Seek + Send {}

impl<T: Read + Seek + Send> Bytes for T {}

/// A safetensors file of any size, of which single tensors are read. One of them is in memory at a time.
pub struct TensorFile {
    source: Box<dyn Bytes>,
    path: String,
    header: Header,
}

impl TensorFile {
    /// Opens the file and reads its header.
    ///
    /// # Errors
    /// When it is not sound safetensors.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut open = OpenFile::open(path)?;
        let header = open.header()?;
        Ok(Self {
            source: Box::new(open.file),
            path: open.path,
            header,
        })
    }

    /// The same of a file that is part of the program; `name` is for messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(bytes: &'static [u8], name: &str) -> Result<Self, CheckpointError> {
        let header = Header::parse(bytes).map_err(|source| CheckpointError::Header {
            path: name.to_owned(),
            source,
        })?;
        Ok(Self {
            source: Box::new(Cursor::new(bytes)),
            path: name.to_owned(),
            header,
        })
    }

    /// What it holds, in the order of the data.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.header.tensors
    }

    /// The string metadata under a key.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata.get(key).map(String::as_str)
    }

    /// The numbers of a tensor of F32, F16 or BF16, which must be finite.
    ///
    /// # Errors
    /// When there is none of that name, on a number that is not finite, or when the file has changed.
    pub fn floats(&mut self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let (entry, bytes) = self.bytes(name)?;
        numbers(&entry, &bytes).map_err(|reason| self.fault(name, reason))
    }

    /// The numbers of a tensor of I64.
    ///
    /// # Errors
    /// As [`Self::floats`].
    pub fn integers(&mut self, name: &str) -> Result<Vec<i64>, CheckpointError> {
        let (entry, bytes) = self.bytes(name)?;
        if entry.dtype != "I64" {
            let reason = format!(
                "has the type {}; I64 is needed",
                shortened(&entry.dtype, 20)
            );
            return Err(self.fault(name, reason));
        }
        let (chunks, _) = bytes.as_chunks();
        Ok(chunks.iter().map(|b| i64::from_le_bytes(*b)).collect())
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let entry = self.header.tensor(name)?;
        Some(entry.shape.iter().map(|n| *n as usize).collect())
    }

    fn bytes(&mut self, name: &str) -> Result<(TensorEntry, Vec<u8>), CheckpointError> {
        let Some(entry) = self.header.tensor(name).cloned() else {
            return Err(self.fault(name, "is missing".into()));
        };
        let io = |source| CheckpointError::Io {
            path: self.path.clone(),
            source,
        };
        let [begin, end] = entry.range;
        // The header was checked: the range lies in the file.
        let mut bytes = vec![0; (end - begin) as usize];
        let start = SeekFrom::Start(self.header.data_start + begin);
        self.source.seek(start).map_err(io)?;
        self.source.read_exact(&mut bytes).map_err(io)?;
        Ok((entry, bytes))
    }

    fn fault(&self, tensor: &str, reason: String) -> CheckpointError {
        CheckpointError::Tensor {
            path: self.path.clone(),
            tensor: shortened(tensor, 80),
            reason,
        }
    }

    /// What stands before the network's own names, as in `model.dit.x_embedder.proj.weight`.
    fn prefix(&self) -> String {
        const MARK: &str = "x_embedder.proj.weight";
        self.tensors()
            .iter()
            .filter_map(|t| t.name.strip_suffix(MARK))
            .find(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .unwrap_or_default()
            .to_owned()
    }
}

/// Reads a transformer of the shape `config` and keeps its weights as `dtype` on `device`.
///
/// Any prefix of the names is accepted (`model.dit.`, `module.`, ...). Whether there is a guidance table is taken from
/// the file where the configuration leaves it open.
///
/// # Errors
/// When the file is not sound safetensors, when tensors are missing, unexpected or of another shape (all by name), or
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
    let prefix = file.prefix();
    let mut config = config.clone();
    config
        .validate()
        .map_err(|e| CheckpointError::Architecture {
            path: file.path.clone(),
            reason: e.to_string(),
        })?;
    if config.guidance_table.is_none() {
        let table = file.header.tensor(&format!("{prefix}{GUIDANCE}"));
        config.guidance_table = Some(table.is_some());
    }
    let differences = differences(file.tensors(), &prefix, &config);
    if !differences.is_empty() {
        return Err(CheckpointError::Layout {
            path: file.path,
            differences,
        });
    }
    Dit::read(&config, device, dtype, &mut |name, _| {
        file.floats(&format!("{prefix}{name}"))
    })
}

fn differences(found: &[TensorEntry], prefix: &str, config: &DitConfig) -> LayoutDifferences {
    let layout = config.layout();
    let found: BTreeMap<_, _> = found.iter().map(|t| (t.name.as_str(), &t.shape)).collect();
    let mut differences = LayoutDifferences::default();
    let mut asked = BTreeSet::new();
    for (name, shape) in layout {
        let name = format!("{prefix}{name}");
        match found.get(name.as_str()) {
            None => differences.missing.push(name.clone()),
            Some(stored) => {
                let same = stored.len() == shape.len()
                    && stored.iter().zip(&shape).all(|(a, b)| *a == *b as u64);
                if !same {
                    let stored = (*stored).clone();
                    differences.shapes.push((name.clone(), stored, shape));
                }
            }
        }
        asked.insert(name);
    }
    let strange = found.keys().filter(|name| !asked.contains(**name));
    differences.unexpected = strange.map(|name| (*name).to_owned()).collect();
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
