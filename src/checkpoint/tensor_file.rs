//! Files of tensors of any size, read tensor by tensor: safetensors and PyTorch's.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use super::CheckpointError;
use super::decode::numbers;
use super::header::{Header, TensorEntry, element_bytes};
use super::open::OpenFile;
use crate::mixture::shortened;

/// Where tensors are read from.
enum Source {
    /// A file, and what it was like when it was opened.
    File(File, Stamp),
    /// Bytes that are part of the program.
    Bytes(Cursor<&'static [u8]>),
}

/// Size and time of writing; the time where the system knows it.
type Stamp = (u64, Option<SystemTime>);

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// A safetensors or PyTorch file of any size, of which single tensors are read. One of them is in memory at a time.
pub struct TensorFile {
    source: Source,
    path: String,
    header: Header,
}

impl TensorFile {
    /// Opens the file and reads what it lists.
    ///
    /// # Errors
    /// When it is neither sound safetensors nor a sound PyTorch file of tensors alone.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let mut open = OpenFile::open(path)?;
        let io = |source| CheckpointError::Io {
            path: path.display().to_string(),
            source,
        };
        let before = stamp(&open.file).map_err(io)?;
        // What is checked below is checked against this size.
        open.bytes = before.0;
        let header = open.header()?;
        Ok(Self {
            source: Source::File(open.file, before),
            path: open.path,
            header,
        })
    }

    /// The same of a safetensors file that is part of the program; `name` is for messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(bytes: &'static [u8], name: &str) -> Result<Self, CheckpointError> {
        let header = Header::parse(bytes).map_err(|source| CheckpointError::Header {
            path: name.to_owned(),
            source,
        })?;
        Ok(Self {
            source: Source::Bytes(Cursor::new(bytes)),
            path: name.to_owned(),
            header,
        })
    }

    /// Its path, or its name.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it holds, in the order of the data.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.header.tensors
    }

    /// The element types of the tensors: `F32`, or `BF16, F32`.
    pub fn dtypes(&self) -> String {
        self.header.dtypes()
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

    /// The bytes of a tensor, its numbers one after the other.
    fn bytes(&mut self, name: &str) -> Result<(TensorEntry, Vec<u8>), CheckpointError> {
        let Some(entry) = self.header.tensor(name).cloned() else {
            return Err(self.fault(name, "is missing".into()));
        };
        let [begin, end] = entry.range;
        let start = SeekFrom::Start(self.header.data_start + begin);
        // The header was checked: the range lies in the file.
        let mut bytes = vec![0; (end - begin) as usize];
        let read = match &mut self.source {
            Source::File(file, before) => file
                .seek(start)
                .and_then(|_| file.read_exact(&mut bytes))
                .and_then(|()| Ok(stamp(file)? == *before)),
            Source::Bytes(cursor) => cursor
                .seek(start)
                .and_then(|_| cursor.read_exact(&mut bytes))
                .map(|()| true),
        };
        let path = || self.path.clone();
        match read {
            Ok(true) => {}
            Ok(false) => return Err(CheckpointError::Changed { path: path() }),
            // It was long enough when it was opened.
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(CheckpointError::Changed { path: path() });
            }
            Err(source) => {
                return Err(CheckpointError::Io {
                    path: path(),
                    source,
                });
            }
        }
        let bytes = match (&entry.strides, element_bytes(&entry.dtype)) {
            (Some(strides), Some(width)) => gathered(&entry.shape, strides, width as usize, &bytes),
            _ => bytes,
        };
        Ok((entry, bytes))
    }

    pub(super) fn fault(&self, tensor: &str, reason: String) -> CheckpointError {
        CheckpointError::Tensor {
            path: self.path.clone(),
            tensor: shortened(tensor, 80),
            reason,
        }
    }
}

/// The elements of a strided view one after the other, the last dimension innermost. Shape and strides were checked:
/// every element lies in `bytes`, and there are no more of them than the storage has.
fn gathered(shape: &[u64], strides: &[u64], width: usize, bytes: &[u8]) -> Vec<u8> {
    let count: u64 = shape.iter().product();
    let mut out = Vec::with_capacity(count as usize * width);
    let mut place = vec![0; shape.len()];
    let mut at: u64 = 0;
    for _ in 0..count {
        let first = at as usize * width;
        out.extend_from_slice(bytes.get(first..first + width).unwrap_or_default());
        for d in (0..shape.len()).rev() {
            place[d] += 1;
            at += strides[d];
            if place[d] < shape[d] {
                break;
            }
            at -= strides[d] * shape[d];
            place[d] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_view_is_gathered_row_by_row() {
        // [[0, 1, 2], [3, 4, 5]] seen as its transpose.
        let bytes: Vec<u8> = (0..6).flat_map(|v| [v, 100 + v]).collect();
        let rows = gathered(&[3, 2], &[1, 3], 2, &bytes);
        assert_eq!(rows, [0, 100, 3, 103, 1, 101, 4, 104, 2, 102, 5, 105]);
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing.safetensors");
        let data = [1.0_f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes).concat();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![4], &data);
        let whole = safetensors::serialize([("w", view.unwrap())], None).unwrap();
        std::fs::write(&path, &whole).unwrap();
        let mut file = TensorFile::open(&path).unwrap();
        assert_eq!(file.floats("w").unwrap(), [1.0, 2.0, 3.0, 4.0]);
        for changed in [&whole[..whole.len() - 3], &[&whole[..], &[0; 5]].concat()] {
            std::fs::write(&path, changed).unwrap();
            let message = file.floats("w").unwrap_err().to_string();
            for part in ["growing.safetensors", "has changed while it was read"] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }
}
